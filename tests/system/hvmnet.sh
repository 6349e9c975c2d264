#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# NICs of machines: taps as ports of the switch that zones are on, with a Linux guest (guest.sh) behind them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/hosts.sh"
need_root
need_guest
node hvmnet
pool
mkguest "$T_TMP/guest.raw" || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name guest "$T_TMP/guest.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
DISK="\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"}]"
machine() { # variable alias members
	run vmadm create <<<"{\"brand\":\"kvm\",\"alias\":\"$2\",\"ram\":192,$DISK,$3}"
	printf -v "$1" %s "$(sed -n 's/^Successfully created VM //p' <<<"$OUT")"
	[ "$RC" = 0 ] || { not_ok "machine $2" "$OUT"; exit 1; }
}
field() { vmadm get "$1" | jq -r "$2"; }
in_switch() { nsenter --net="$NODE_RUN/net/ns" "$@"; }
taps() { in_switch ip -o link show type tun 2>/dev/null | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | sort | tr '\n' ' '; }
dropped() { cloister net status -p | awk -F'\t' -v z="$1" '$1 == z {print $10}' | tr , '\n' | sed -n "s/^$2=//p" | head -1; }
inside() { zlogin "$@" </dev/null; }
dhcp() { g "$1" "rm -f /dhcp.$2; ip addr flush dev $2; udhcpc -i $2 -n -q -t 4 -T 2 >/tmp/u 2>&1; cat /tmp/u; sed -n \"s/^\\(ip\\|mask\\|router\\|dns\\|hostname\\|mtu\\|lease\\)=//p\" /dhcp.$2 | tr '\\n' ' '"; }

check "a switch" nictagadm add -l sw0
mkzone Z z1 '"nics":[{"nic_tag":"sw0","interface":"net0","ips":["10.9.0.1/24"]}]' || exit 1
machine M m1 '"hostname":"guesty","resolvers":["10.9.0.53","fd00::53","10.9.0.54"],"nics":[{"nic_tag":"sw0","ips":["10.9.0.2/24"],"gateways":["10.9.0.1"],"mtu":1400,"model":"virtio","mac":"02:08:20:00:00:02"}]'
check "a machine with a NIC comes up" guest_up "$M"

# ---- the jail ----
PID=$(field "$M" .pid)
eq "S44 its zone has a loopback and no more" "$(nsenter -t "$PID" -n ip -o link | wc -l)" 1
holders() { # who has a tap open, less the machines of other nodes
	local p
	for p in $(ls -l /proc/[0-9]*/fd 2>/dev/null | awk -F/ '/^\/proc/ {p = $3} /\/dev\/net\/tun$/ {print p}'); do
		grep -q '/cloister-' "/proc/$p/cgroup" && ! grep -q "/cloister-$NODE/" "/proc/$p/cgroup" || echo "$p"
	done | xargs
}
eq "S44 nobody but the monitor has the tap's other end" "$(holders)" "$PID"
eq "S44 it can open no other" "$(ls "/proc/$PID/root/dev/net" 2>/dev/null)" ""
like "one tap, in the switch's namespace" "$(taps)" '^z[0-9]+n0 $'

# ---- what the guest is told ----
g "$M" 'cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu'
eq "the guest has a NIC with the record's link address, and knows its MTU before it asks" "$G_OUT" $'02:08:20:00:00:02\n1400'
dhcp "$M" eth0
like "a static address by DHCP: mask, way out, name servers, name, MTU" "$G_OUT" "'10.9.0.53 10.9.0.54' 'guesty' '10.9.0.2' '86400' '24' '1400' '10.9.0.1'"
G_LIMIT=150
# In the foreground: else it is another process from its first lease on, and a signal to the one before is lost.
g "$M" ': >/tmp/r; udhcpc -f -i eth0 -t 4 -T 2 >>/tmp/r 2>&1 & p=$!; obtained() { i=0; until [ "$(grep -c obtained /tmp/r)" -ge $1 ]; do i=$((i+1)); [ $i -lt 500 ] || break; usleep 100000; done; }; obtained 1; kill -USR1 $p; obtained 2; kill $p; wait $p; grep -oE "(sending|broadcasting) renew|lease of [0-9.]+ obtained" /tmp/r'
eq "renewed by UDP, its sum left to the card" "$G_OUT" $'lease of 10.9.0.2 obtained\nsending renew\nlease of 10.9.0.2 obtained'
check "the guest reaches a zone" g "$M" 'ping -c 2 -w 10 10.9.0.1'
g "$M" 'while :; do echo hello | nc -l -p 7; done >/dev/null 2>&1 &'
says() { [ "$(inside "$Z" "timeout 3 bash -c 'exec 3<>/dev/tcp/$1/7 && cat <&3'" 2>/dev/null)" = hello ]; }
check "and a zone the guest" await 10 says 10.9.0.2

# ---- link protection ----
g "$M" 'ip addr add 10.9.0.77/24 dev eth0; ping -c 2 -w 3 -I 10.9.0.77 10.9.0.1; ip addr del 10.9.0.77/24 dev eth0'
le "S44 none passes from another address" 1 "$(dropped "$M" ip-nospoof)"
g "$M" 'ip link set eth0 down; ip link set eth0 address 02:08:20:00:00:99; ip link set eth0 up; ping -c 2 -w 3 10.9.0.1; ip link set eth0 down; ip link set eth0 address 02:08:20:00:00:02; ip link set eth0 up; ip route add default via 10.9.0.1'
le "S44 nor with another link address" 1 "$(dropped "$M" mac-nospoof)"
check "what is its own does" g "$M" 'ping -c 1 -w 10 10.9.0.1'

# ---- counted, snooped, shaped ----
count() { kstat -p link:::"$1" | awk -v m="${M}_net0" 'index($0, m) {print $2}'; }
g "$M" 'dd if=/dev/zero of=/tmp/f bs=1M count=8 2>/dev/null; httpd -p 80 -h /tmp'
B=$(count obytes64) P=$(count opackets64)
eq "a zone fetches 8 MB from the guest" "$(inside "$Z" 'python3 -c "import urllib.request; print(len(urllib.request.urlopen(\"http://10.9.0.2/f\", timeout=60).read()))"')" 8388608
le "which are counted" 8388608 $(($(count obytes64) - B))
le "large segments stay whole" $(($(count opackets64) - P)) 2000
cloister snoop -o "$T_TMP/s.pcap" -c 4 "$M/net0" icmp >"$T_TMP/snoop" 2>&1 &
SNOOP=$!
check "snoop" await 10 grep -q snooping "$T_TMP/snoop"
g "$M" 'ping -c 2 -w 10 10.9.0.1'
wait "$SNOOP"
eq "has both directions" "$(python3 - "$T_TMP/s.pcap" <<'PY'
import struct, sys
f = open(sys.argv[1], "rb").read(); at = 0; ways = []
while at + 12 <= len(f):
    kind, n = struct.unpack_from("=II", f, at)
    if kind == 6:
        o = at + 28 + (struct.unpack_from("=I", f, at + 20)[0] + 3) // 4 * 4
        ways.append({1: "in", 2: "out"}[struct.unpack_from("=I", f, o + 4)[0]])
    at += n
print(*ways)
PY
)" "out in out in"
MAC=02:08:20:00:00:02
check "a ceiling, live" vmadm update "$M" <<<"{\"update_nics\":[{\"mac\":\"$MAC\",\"maxbw\":50}]}"
port=$(taps | tr -d ' ')
like "it has a class on each wire" "$(for d in shaper-out0 shaper-in0; do in_switch tc class show dev $d; done | grep -c 'ceil 50Mbit')" '^[2-9]'
dhcp "$M" eth0
like "an answer by DHCP comes over the wire too" "$G_OUT" "'10.9.0.2' '86400'"
check "a flow of it" flowadm add-flow -l "$M/net0" -a transport=tcp,local_port=7 -p maxbw=5M web
check "removed" flowadm remove-flow web
check "no ceiling" vmadm update "$M" <<<"{\"update_nics\":[{\"mac\":\"$MAC\",\"maxbw\":0}]}"

# ---- firewall ----
check "firewall_enabled" vmadm update "$M" firewall_enabled=true
check_not "S44 nobody reaches the guest" says 10.9.0.2
run fwadm add <<<"{\"enabled\":true,\"owner_uuid\":\"$(field "$M" .owner_uuid)\",\"rule\":\"FROM vm $Z TO vm $M ALLOW tcp PORT 7\"}"
eq "a rule" "$RC" 0
check "by which the zone does" await 10 says 10.9.0.2
check "off" vmadm update "$M" firewall_enabled=false

# ---- NICs that come and go ----
check "what they send is gathered" vmadm update "$M" virtio_txtimer=200000 virtio_txburst=64
check "a NIC is added while it runs" vmadm update "$M" <<<'{"add_nics":[{"nic_tag":"sw0","ips":["10.9.0.3/24"],"model":"virtio","mac":"02:08:20:00:00:03"}]}'
check "the guest takes it up" g "$M" 'i=0; until [ -e /sys/class/net/eth1 ]; do i=$((i+1)); [ $i -lt 300 ] || exit 1; usleep 100000; done; cat /sys/class/net/eth1/address'
eq "with its link address" "$G_OUT" 02:08:20:00:00:03
dhcp "$M" eth1
like "and is told its address" "$G_OUT" "'10.9.0.3' '86400' '24'"
g "$M" 'ip addr flush dev eth0; ip link set eth0 down'
check "by which a zone reaches it" await 10 says 10.9.0.3
g "$M" 'ip link set eth0 up'
check "another address, live" vmadm update "$M" <<<"{\"update_nics\":[{\"mac\":\"$MAC\",\"ips\":[\"10.9.0.9/24\"]}]}"
dhcp "$M" eth0
like "is what it is told next" "$G_OUT" "'10.9.0.9' '86400'"
check "a NIC is removed while it runs" vmadm update "$M" <<<'{"remove_nics":["02:08:20:00:00:03"]}'
check_not "the guest has it no more" g "$M" 'ls -d /sys/class/net/eth1'
eq "nor has the switch" "$(taps) $(field "$M" '.nics | length')" "$port  1"
eq "nor the monitor" "$(ls -l "/proc/$PID/fd" | grep -c /dev/net/tun)" 1
(CLOISTER_FAIL=nic-up:kill vmadm update "$M" <<<'{"add_nics":[{"nic_tag":"sw0","ips":["10.9.0.4/24"],"model":"virtio"}]}') >/dev/null 2>&1
check "of a command that was killed" vmadm update "$M" alias=m1b
check "nothing is left" await 10 eval '[ "$(taps)" = "$port " ]'
fails 1 'needs a switch that mirrors' vmadm update "$M" <<<"{\"update_nics\":[{\"mac\":\"$MAC\",\"allow_unfiltered_promisc\":true}]}"
run vmadm update "$M" <<<"{\"update_nics\":[{\"mac\":\"$MAC\",\"model\":\"e1000\"}]}"
like "another model waits for its next start" "$OUT" 'next boot.*model|model.*next boot|nics.\*.model'

# ---- a monitor that the guest has taken over: all that can be done to a tap by its descriptor ----
run python3 - "$(field "$M" .pid)" <<'PY'
import ctypes, fcntl, os, random, struct, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
n = [int(f) for f in os.listdir(f"/proc/{pid}/fd") if os.readlink(f"/proc/{pid}/fd/{f}").startswith("/dev/net/tun")][0]
tap = libc.syscall(438, os.pidfd_open(pid), n, 0)
assert tap >= 0, os.strerror(ctypes.get_errno())
fcntl.ioctl(tap, 0x400454cb, 1)                                                         # TUNSETPERSIST
fcntl.ioctl(tap, 0x8924, struct.pack("16sH6s8x", b"", 1, bytes.fromhex("020820000001"))) # SIOCSIFHWADDR: the zone's
size = struct.unpack("i", fcntl.ioctl(tap, 0x800454d7, b"\0" * 4))[0]                   # TUNGETVNETHDRSZ
own, lie, to = bytes.fromhex("020820000002"), bytes.fromhex("020820000099"), b"\xff" * 6
def put(mac, header, n):
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, n - 14, 1, 0, 64, 17, 0, bytes([10, 9, 0, 9]), bytes([10, 9, 0, 255]))
    f = to + mac + b"\x08\0" + ip + struct.pack(">HHHH", 5, 5, max(n - 34, 0), 0) + b"x" * n
    try:
        return os.write(tap, header.ljust(size, b"\0") + f[:n])
    except OSError:
        return 0
taken = 0
random.seed(7)
for i in range(20000):
    h = struct.pack("<BBHHHH", random.choice((0, 1, 2, 255)), random.choice((0, 1, 3, 4, 5, 0x81, 255)), *(random.choice((0, 1, 14, 34, 54, 1400, 65535, random.randrange(65536))) for _ in range(4)))
    taken += put(random.choice((own, lie)), h, random.choice((14, 42, 60, 590, 1414, 1415, 9000, 60000))) > 0
for i in range(5):
    assert put(own, b"", 1415) and put(own, b"", 60000)
print(taken)
PY
like "S44 what it sends with headers of every kind the kernel takes or refuses" "$OUT" '^[1-9][0-9]*$'
le "S44 lies are dropped" 100 "$(dropped "$M" mac-nospoof)"
le "S44 and what is longer than its MTU" 10 "$(dropped "$M" too-long)"
check "S44 and its port is as it was" g "$M" 'ip link set eth0 down; ip link set eth0 up; ping -c 1 -w 10 10.9.0.1'

# ---- the end, and accidents ----
check "stop by its power button" timeout 60 vmadm stop "$M"
eq "no tap is left" "$(taps)" ""
(CLOISTER_FAIL=nic-tap:kill vmadm start "$M") >/dev/null 2>&1
check "a start that is killed with the tap in its hand leaves none" await 10 eval '[ -z "$(taps)" ]'
check "start" vmadm start "$M"
check "it comes up" guest_up "$M" 2
check "with the other model" g "$M" 'cat /sys/bus/pci/devices/*/device'
like "an e1000" "$G_OUT" 0x100e
check "the first one's again" vmadm update "$M" <<<"{\"update_nics\":[{\"mac\":\"$MAC\",\"model\":\"virtio\"}]}"
check "with a reset, which is a start then" vmadm reboot "$M" -F
check "it comes up" guest_up "$M" 3
check "with it" g "$M" 'cat /sys/bus/pci/devices/*/device'
eq "and no e1000" "$(grep -c 0x100e <<<"$G_OUT")" 0
kill -KILL "$(field "$M" .pid)"
check "a monitor that is killed leaves no tap" await 20 eval '[ -z "$(taps)" ] && [ "$(vmstate "$M")" = stopped ]'
check "delete" vmadm delete "$M"

# ---- on other switches ----
check "a switch with DHCP of its own" nictagadm add -l sw1
check "which leases" cloister net set sw1 subnet=10.9.1.0/24 dhcp=on
namespace; HOST=$NS_PID
namespace; LAN=$NS_PID
host ip link add up0 type veth peer name l0 netns "$LAN"
host ip link set up0 up
lan sysctl -qw net.ipv6.conf.l0.disable_ipv6=1
lan ip link set l0 up
check "an uplink" host nictagadm add ext0 up0
machine M m2 '"nics":[{"nic_tag":"sw1","ips":["dhcp"],"model":"virtio"},{"nic_tag":"ext0","vlan_id":7,"ips":["10.9.2.2/24"],"model":"virtio"},{"nic_tag":"sw0","ips":["10.9.0.5/24","fd00::5/64"],"model":"rtl8139"}]'
check "a machine on three switches" guest_up "$M"
eq "with three taps" "$(taps | wc -w)" 3
lease=$(vmadm get "$M" | jq -r '.nics[0].ips[0]')
dhcp "$M" eth0
like "a lease of the switch's own responder" "$G_OUT" "'10\.9\.1\.[0-9]+' '86400' '24'"
rx() { lan ip -j -s link show l0 | jq '.[0].stats64.rx.packets'; }
g "$M" 'echo 1 >/proc/sys/net/ipv6/conf/eth1/disable_ipv6; ip link set eth1 up'
was=$(rx)
dhcp "$M" eth1
like "on an uplink's VLAN a static address, by DHCP" "$G_OUT" "'10.9.2.2' '86400' '24'"
eq "and no question leaves the host" "$(($(rx) - was))" 0
g "$M" 'ping -c 1 -w 2 10.9.2.9'
le "as what is not one does" 1 "$(($(rx) - was))"
g "$M" 'cat /sys/bus/pci/devices/*/device'
like "an rtl8139" "$G_OUT" 0x8139
check "all of it goes" vmadm delete "$M"
eq "no tap" "$(taps)" ""
check "delete" vmadm delete "$Z"
eq "no entry" "$(ls "$NODE_RUN/net" | grep -cE '^[0-9a-f]{8}-')" 0
