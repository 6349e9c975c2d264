#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# Uplinks. The host is a network namespace of the test's own, and so is what lies outside; a veth pair is the cable.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.sh"
need_root
node netuplink
pool

cabled_host
lan ip addr add 10.8.0.254/24 dev l0
host ip addr add 10.8.0.9/24 dev up0
host ip route add 10.77.0.0/16 via 10.8.0.254 metric 7
was() { host ip -o -4 addr show up0 2>/dev/null | grep -o 'inet [0-9./]*'; host ip -4 route show dev up0 2>/dev/null; }
has() { was | grep -q 'inet 10.8.0.9/24' && was | grep -q '10.77.0.0/16 via 10.8.0.254 metric 7'; }
before=$(was)

# ---- what can be none ----
fails 1 'no device nope0' host nictagadm add ext0 nope0
fails 1 'no Ethernet device' host nictagadm add ext0 lo
host ip link add br0 type bridge
fails 1 'is a bridge' host nictagadm add ext0 br0
host ip link add m0 type veth peer name m1
host ip link set m0 master br0
fails 1 'member of a bridge' host nictagadm add ext0 m0
host ip link add mv0 link m1 type macvlan
fails 1 'mv0 is built on m1' host nictagadm add ext0 m1
fails 1 'MTU of 1500' host nictagadm add -p mtu=9000 ext0 up0
fails 2 '1 to 3600' host nictagadm add --confirm 0 ext0 up0
fails 2 'for an uplink' host nictagadm add -l --host stub9
eq "none of which left a tag" "$(nictagadm list -p)" ""
eq "nor changed the host" "$(was)" "$before"

# ---- a device for the zones alone ----
mac=$(host ip -o link show up0 | sed 's/.*ether \([0-9a-f:]*\).*/\1/')
check "an uplink, by its MAC" host nictagadm add ext0 "$mac"
eq "list" "$(nictagadm list -p -d ' ')" "ext0 $mac up0 normal"
check_not "the host has it no more" host ip link show up0
fails 1 'is the uplink of nic tag ext0' host nictagadm add ext1 up0
nic() { echo "\"nics\":[{\"nic_tag\":\"ext0\",\"mac\":\"02:08:20:00:02:0$1\",\"ips\":[\"10.8.$2.$1/24\"]${3:+,$3}}]"; }
mkzone a x1 "$(nic 1 0)"
mkzone b x2 "$(nic 2 0)"
mkzone v x3 "$(nic 3 7 '"vlan_id":7')"
inside() { zlogin "$@" </dev/null; }

cat >pp.py <<'PY'
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "serve":
    s.bind((sys.argv[2], 7))
    print("ready", flush=True)
    while True:
        d, who = s.recvfrom(100)
        s.sendto(d, who)
s.settimeout(5)
s.connect((sys.argv[2], 7))
for n in range(int(sys.argv[3])):
    s.send(b"%d" % n)
    if s.recv(100) != b"%d" % n: sys.exit("not the answer")
print("ok", s.getsockname()[0])
PY
for z in "$a" "$b" "$v"; do zlogin "$z" 'cat >/root/pp.py' <pp.py; done
lan python3 pp.py serve 10.8.0.254 >lan.out 2>&1 &
servers=$!
inside "$b" 'exec python3 /root/pp.py serve 10.8.0.2' >b.out 2>&1 &
servers+=" $!"
await 20 grep -q ready lan.out; await 20 grep -q ready b.out
eq "a zone reaches the outside" "$(inside "$a" 'python3 /root/pp.py ask 10.8.0.254 20' 2>&1 | tail -1)" "ok 10.8.0.1"
eq "and its neighbour" "$(inside "$a" 'python3 /root/pp.py ask 10.8.0.2 20' 2>&1 | tail -1)" "ok 10.8.0.1"
eq "and is reached from there" "$(lan python3 pp.py ask 10.8.0.2 20 2>&1 | tail -1)" "ok 10.8.0.254"

# ---- VLAN tags on the wire, made and read by hand: this kernel may have no 8021Q ----
cat >wire.py <<'PY'
import socket, struct, sys
mac = lambda t: bytes.fromhex(t.replace(":", ""))
ip = socket.inet_aton
me = mac("02:00:00:00:00:fe")
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("l0", 0))
s.setsockopt(263, 8, 1)                                      # PACKET_AUXDATA: the tag, which the kernel takes off
tag = lambda vlan: b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
def arp(dst, src, op, sha, spa, tha, tpa, vlan=None):
    return dst + src + tag(vlan) + struct.pack("!HHHBBH6s4s6s4s", 0x806, 1, 0x800, 6, 4, op, sha, ip(spa), tha, ip(tpa))
def udp(dst, src, sip, dip, vlan=None):
    return dst + src + tag(vlan) + b"\x08\x00" + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, ip(sip), ip(dip)) + struct.pack("!HHHH", 9, 9, 8, 0)
def answer(spa, seconds, tpa="10.8.7.254"):
    s.settimeout(seconds)
    try:
        while True:
            d, anc, flags, who = s.recvmsg(2000, 200)
            vlan = None
            for level, kind, data in anc:
                if (level, kind) == (263, 8):
                    status, l, snap, m, n, tci = struct.unpack("IIIHHH", data[:18])
                    vlan = tci & 4095 if status & 16 else None
            if who[2] != 4 and d[12:14] == b"\x08\x06" and d[28:32] == ip(spa) and d[38:42] == ip(tpa) and d[21] == 2: return vlan, d[6:12].hex()
    except socket.timeout:
        return "none"
bc, zero = b"\xff" * 6, bytes(6)
what = sys.argv[1]
if what == "vlan":
    s.send(arp(bc, me, 1, me, "10.8.7.254", zero, "10.8.7.3", 7)); print("7:", *answer("10.8.7.3", 5) )
elif what == "wrong":
    s.send(arp(bc, me, 1, me, "10.8.7.254", zero, "10.8.7.3")); print("none:", answer("10.8.7.3", 1))
    s.send(arp(bc, me, 1, me, "10.8.7.254", zero, "10.8.7.3", 8)); print("8:", answer("10.8.7.3", 1))
    s.send(arp(bc, me, 1, me, "10.8.7.254", zero, "10.8.0.1", 7)); print("7:", answer("10.8.0.1", 1))
else:
    a, b = mac("02:08:20:00:02:01"), mac("02:08:20:00:02:02")
    for i in range(3): s.send(udp(b, a, "10.8.0.77", "10.8.0.2"))          # the MAC of one of ours
    for i in range(4): s.send(udp(b, me, "10.8.0.1", "10.8.0.2"))          # the address
    for i in range(5): s.send(arp(bc, me, 2, me, "10.8.0.1", bc, "10.8.0.1"))
    for i in range(6): s.send(udp(mac("02:08:20:00:02:99"), me, "10.8.0.77", "10.8.0.2"))
    for i in range(7): s.send(b + me + struct.pack("!HH", 0x88a8, 7) + b"\x08\x00" + bytes(40))
    for i in range(8): s.send(udp(b, me, "10.8.0.77", "10.8.0.2")[:12] + struct.pack("!HHHH", 0x8100, 0, 0x8100, 7) + b"\x08\x00" + bytes(40))
PY
eq "tagged, a zone on that VLAN answers tagged" "$(lan python3 wire.py vlan)" "7: 7 020820000203"
eq "S41 without the tag, with another one, and the zones of no VLAN with that tag, do not" "$(lan python3 wire.py wrong)" $'none: none\n8: none\n7: none'
# broadcast and multicast go out tagged as well
counts() { cloister net status -p | awk -F'\t' -v z="$1" '$1 == z {print $10}' | tr , '\n' | sed -n "s/^$2=//p"; }
check "frames from outside" lan python3 wire.py lies
eq "S41 none with the link address or the address of one of ours passes" "$(counts uplink own-address)" 12
eq "none to a link address that nobody has" "$(counts uplink no-such-mac)" 6
eq "none with a tag of another kind, or two" "$(counts uplink vlan-tag)" 15

# ---- a large segment crosses in one piece, whatever the MTU: what a port has sent, by frames ----
cat >bulk.py <<'PY'
import socket, sys
s = socket.socket()
s.settimeout(30)
if sys.argv[1] == "serve":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sys.argv[2], 9)); s.listen(); print("ready", flush=True)
    c, who = s.accept()
    while c.recv(1 << 20): pass
else:
    s.connect((sys.argv[2], 9)); s.sendall(bytes(32 << 20)); s.shutdown(1); s.recv(1)
PY
for z in "$a" "$b"; do zlogin "$z" 'cat >/root/bulk.py' <bulk.py; done
mean() { # address server… : bytes in a frame of what zone a sends there
	local before after
	: >bulk.out
	"${@:2}" serve "$1" >bulk.out 2>&1 &
	servers+=" $!"
	await 20 grep -q ready bulk.out
	before=$(cloister net status -p | awk -F'\t' -v z="$a" '$1 == z {print $6, $7}')
	inside "$a" "exec timeout 60 python3 /root/bulk.py ask $1" >/dev/null 2>&1
	after=$(cloister net status -p | awk -F'\t' -v z="$a" '$1 == z {print $6, $7}')
	awk -v b="$before" -v a="$after" 'BEGIN {split(b, x, " "); split(a, y, " "); print int((y[2] - x[2]) / (y[1] - x[1] + 1))}'
}
in_b() { zlogin "$b" "exec python3 /root/bulk.py $*" </dev/null; }
le "4,500 bytes a frame are less than to a neighbour, at an MTU of 1500" 4500 "$(mean 10.8.0.2 in_b)"
le "and than to the outside" 4500 "$(mean 10.8.0.254 lan python3 bulk.py)"

# ---- the program is replaced under it ----
check "upgrade" cloister net upgrade
eq "and the outside is there" "$(inside "$a" 'python3 /root/pp.py ask 10.8.0.254 20' 2>&1 | tail -1)" "ok 10.8.0.1"

# ---- down and up again ----
for z in "$a" "$b" "$v"; do check "stop" vmadm stop "$z" -F; done
check "shutdown" host cloister shutdown
eq "the device is the host's again, with what it had" "$(was)" "$before"
check "net up, as the unit does before the network is online" host cloister net up
check_not "it is the zones' again" host ip link show up0
check "boot" host cloister boot
await 20 is_state "$a" running || vmadm start "$a"
eq "a zone reaches the outside" "$(inside "$a" 'python3 /root/pp.py ask 10.8.0.254 20' 2>&1 | tail -1)" "ok 10.8.0.1"
fails 1 'in use by 3 VMs' host nictagadm delete ext0
for z in "$a" "$b" "$v"; do check "delete" vmadm delete "$z"; done
check "delete the tag" host nictagadm delete ext0
eq "the host has its device again" "$(was)" "$before"

# ---- the host on it too, and its default route ----
host ip route add default via 10.8.0.254
before=$(was)
fails 1 'default route goes over up0' host nictagadm add ext0 up0
eq "nothing was changed" "$(was)" "$before"
check "with --confirm and --host" host nictagadm add --host --confirm 600 ext0 up0
eq "the host has addresses and routes as ever" "$(was)" "$before"
eq "and reaches the outside" "$(host python3 pp.py ask 10.8.0.254 20 2>&1 | tail -1)" "ok 10.8.0.9"
mkzone a y1 "$(nic 1 0)"
zlogin "$a" 'cat >/root/pp.py' <pp.py
eq "so does a zone" "$(inside "$a" 'python3 /root/pp.py ask 10.8.0.254 20' 2>&1 | tail -1)" "ok 10.8.0.1"
host python3 pp.py serve 10.8.0.9 >h.out 2>&1 &
servers+=" $!"
await 20 grep -q ready h.out
eq "which reaches the host" "$(inside "$a" 'python3 /root/pp.py ask 10.8.0.9 20' 2>&1 | tail -1)" "ok 10.8.0.1"
check "confirm" host nictagadm confirm ext0
fails 1 'confirmed already' host nictagadm confirm ext0
check "delete" vmadm delete "$a"
host ip addr add 10.8.0.10/24 dev up0
check "delete the tag" host nictagadm delete ext0
eq "what the host got meanwhile it keeps" "$(was | sort)" "$(printf '%s\ninet 10.8.0.10/24\n' "$before" | sort)"
host ip addr del 10.8.0.10/24 dev up0

# killed before the host's VNIC has its addresses
check "an uplink with the host on it" host nictagadm add --host --confirm 600 ext0 up0
check "confirm" host nictagadm confirm ext0
check "shutdown" host cloister shutdown
CLOISTER_FAIL=uplink-host:kill host cloister net up >/dev/null 2>&1
unlike "killed in between" "$(was)" 'inet 10.8.0.9'
check "the next" host cloister net up
eq "gives it all" "$(was)" "$before"
check "shutdown" host cloister shutdown
CLOISTER_FAIL=uplink-host:kill host cloister net up >/dev/null 2>&1
check "or it goes back" host nictagadm delete ext0
eq "with all it had" "$(was)" "$before"
check "boot" host cloister boot

# who watches an unconfirmed one is in nobody's session
check "an uplink for a while" host nictagadm add --host --confirm 600 ext0 up0
watcher=$(pgrep -f "uplink-watch ext0" | while read -r p; do grep -qz "^CLOISTER_NODE=$CLOISTER_NODE\$" "/proc/$p/environ" && echo "$p"; done | head -1)
check_not "in its own cgroup, not the command's" cmp -s "/proc/$watcher/cgroup" /proc/self/cgroup
check "delete the tag" host nictagadm delete ext0
check "it ends" await 20 eval '! kill -0 $watcher 2>/dev/null'

# confirmed after its watcher has read that it isn't, and before it has the lock
check "an etherstub" nictagadm add -l stub9
fails 1 'nic tag stub9 has no uplink: there is nothing to confirm' nictagadm confirm stub9
fails 1 'nope does not exist' nictagadm confirm nope
check "away" nictagadm delete stub9
check "an uplink for two seconds" host nictagadm add --host --confirm 2 ext0 up0
exec {gate}<"$NODE_RUN/net/lock"
flock "$gate"
read -rt 4 <> <(:) || : # its time is over, and its watcher waits for the lock
python3 - "$NODE_STATE/node.db" <<'P'
import json, sqlite3, sys
d = sqlite3.connect(sys.argv[1])
o = json.loads(d.execute("SELECT value FROM netobj WHERE kind = 'uplink' AND name = 'ext0'").fetchone()[0])
del o["until"], o["boot"]
d.execute("UPDATE netobj SET value = ? WHERE kind = 'uplink' AND name = 'ext0'", (json.dumps(o, separators=(",", ":"), sort_keys=True),))
d.commit()
P
exec {gate}<&-
watches() { pgrep -f "uplink-watch ext0" | while read -r p; do grep -qz "^CLOISTER_NODE=$CLOISTER_NODE\$" "/proc/$p/environ" && echo "$p"; done; }
check "its watcher looks again, and goes" await 20 eval '[ -z "$(watches)" ]'
check "the uplink stays" nictagadm exists ext0
check "delete the tag" host nictagadm delete ext0

# not confirmed
check "an uplink for two seconds" host nictagadm add --host --confirm 2 ext0 up0
check "it comes back by itself" await 20 eval '! nictagadm exists ext0 2>/dev/null'
eq "with all it had" "$(was)" "$before"
# nor when the command is killed on its way
for t in 0.005 0.01 0.02 0.03 0.05 0.08; do
	host nictagadm add --host --confirm 1 ext0 up0 >/dev/null 2>&1 &
	pid=$!
	read -rt "$t" <> <(:) || :
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	if ! await 20 eval '! nictagadm exists ext0 2>/dev/null && has'; then
		# killed between record and watcher: nothing has moved
		host nictagadm delete ext0 >/dev/null 2>&1
		has || not_ok "killed after $t s, the host has not got it back" "$(was)"
	fi
done
eq "killed on its way, the command leaves the host what it had" "$(was)" "$before"
eq "and no tag" "$(nictagadm list -p)" ""
hosts_end $servers
true # the last one was killed, which is no failure
