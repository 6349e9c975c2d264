#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# dladm: links as illumos shows them, etherstubs, VNICs of the global zone, link properties, statistics.
. "$(dirname "$0")/lib.sh"
need_root
node dladm
pool

# the global zone of this test is a network namespace of its own
unshare -n sleep 1000 &
gz=$!
server=
trap 'rc=$?; kill "$gz" $server 2>/dev/null; (exit $rc); t_exit' EXIT
own() { [ "$(readlink "/proc/$gz/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
await 10 own
in_gz() { nsenter --net="/proc/$gz/ns/net" "$@"; }
dl() { in_gz dladm "$@"; }
inside() { zlogin "$@" </dev/null; }

links() { dl show-link "$@" | grep -v phys; } # the host's own are the host's
eq "no links" "$(links -p -o link,class)" ""
check "create-etherstub" dl create-etherstub stub0
fails 1 'already exists' dl create-etherstub stub0
fails 1 'A-Z a-z 0-9' dl create-etherstub a-b
eq "show-etherstub" "$(dl show-etherstub)" $'LINK\nstub0'
eq "nictagadm has it" "$(nictagadm list -p)" "stub0:-:-:etherstub"
eq "show-link" "$(links)" "$(printf '%-15s %-10s %-6s %-8s %-10s %s\n' LINK CLASS MTU STATE BRIDGE OVER stub0 etherstub 9000 unknown -- --)"
fails 1 'nope does not exist' dl show-link nope
fails 1 'unknown output field "colour"' dl show-link -o colour
fails 1 'p needs -o' dl show-link -p
fails 2 'usage' dl show-link -q

# VNICs of the global zone
check "create-vnic" dl create-vnic -l stub0 -m 02:08:20:00:00:70 host0
check "is an interface there" in_gz ip link show host0
eq "of that address" "$(in_gz cat /sys/class/net/host0/address 2>/dev/null || in_gz ip -o link show host0 | grep -o 'ether [^ ]*' | cut -d' ' -f2)" 02:08:20:00:00:70
eq "show-vnic" "$(dl show-vnic -p -o link,over,macaddress,macaddrtype,vid,zone)" 'host0:stub0:02\:08\:20\:00\:00\:70:fixed:0:global'
eq "one field alone is not escaped" "$(dl show-vnic -p -o macaddress)" 02:08:20:00:00:70
fails 1 'already exists' dl create-vnic -l stub0 host0
fails 1 'does not exist' dl create-vnic -l nope host1
fails 1 'link name' dl create-vnic -l stub0 host
fails 1 'unicast' dl create-vnic -l stub0 -m 03:08:20:00:00:71 host1
fails 2 'VLAN' dl create-vnic -l stub0 -v 4095 host1
fails 1 'maxbw of a link of the global zone is not available' dl create-vnic -l stub0 -p maxbw=10M host1
fails 2 'unknown link property' dl create-vnic -l stub0 -p colour=red host1
check "an interface of that name" in_gz ip link add host1 type veth peer name host1b
fails 1 'there is an interface of that name' dl create-vnic -l stub0 host1
eq "leaves nothing" "$(dl show-vnic -p -o link)" host0
fails 1 'in use by link host0' dl delete-etherstub stub0

# it talks to a zone
mkzone a d1 '"nics":[{"nic_tag":"stub0","mac":"02:08:20:00:00:01","ips":["10.9.0.1/24"]}]'
check "an address of the host's" in_gz ip addr add 10.9.0.70/24 dev host0
cat >udp.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "serve":
    s.bind(("0.0.0.0", 9))
    print("ready", flush=True)
    while True:
        d, who = s.recvfrom(2000)
        s.sendto(d, who)
s.settimeout(float(sys.argv[4]) if len(sys.argv) > 4 else 5)
try:
    for i in range(int(sys.argv[3])):
        s.sendto(b"x" * 1000, (sys.argv[2], 9))
        n = len(s.recv(2000))
    print(n)
except OSError as e:
    print("none:", e)
PY
zlogin "$a" 'cat >/root/udp.py' <udp.py
inside "$a" 'python3 /root/udp.py serve' >served 2>&1 &
server=$!
await 20 grep -q ready served
eq "reaches a zone" "$(in_gz python3 udp.py ask 10.9.0.1 20)" 1000

# statistics
like "show-link -s" "$(dl show-link -s | head -1)" '^LINK +IPACKETS +RBYTES +IERRORS +OPACKETS +OBYTES +OERRORS$'
in20=$(dl show-link -s -p -o link,zone,ipackets,rbytes,opackets,obytes host0)
IFS=: read -r l z ip rb op ob <<<"$in20"
eq "whose" "$l:$z" host0:global
le "20 packets were received, at least" 20 "$ip"
le "with their bytes" 20840 "$rb"
le "and sent" 20 "$op"
IFS=: read -r ip2 op2 <<<"$(dl show-link -s -p -o ipackets,opackets -z "$a" net0)"
le "what one sent the other has: not more" "$op" "$((ip2 + 8))"
timeout 20 bash -c 'nsenter --net=/proc/'"$gz"'/ns/net dladm show-link -s -i 1 -p -o ipackets host0 | head -2' >every &
w=$!
await 10 test -s every
in_gz python3 udp.py ask 10.9.0.1 7 >/dev/null
wait "$w"
eq "ends with its reader" "$?" 0
le "an interval is less than all" "$(sed -n 2p every)" 20
fails 2 'seconds' dl show-link -s -i 0

# -z, -Z, several of one name
mkzone b d2 '"nics":[{"nic_tag":"stub0","vlan_id":7,"ips":["10.9.0.2/24"]}]'
eq "-z" "$(dl show-vnic -p -o link,vid,zone -z "$b")" "net0:7:$b"
eq "-Z adds a column" "$(dl show-link -Z | head -1 | tr -s ' ')" "LINK ZONE CLASS MTU STATE BRIDGE OVER"
eq "both" "$(dl show-link -p -o zone net0 | sort)" "$(printf '%s\n' "$a" "$b" | sort)"
fails 1 '2 zones have a link net0' dl set-linkprop -p allowed-ips=10.9.0.99 net0

# properties
prop() { dl show-linkprop -c -o value -p "$2" ${3:+-z "$3"} "$1"; }
eq "a VM's protection" "$(prop net0 protection "$a")" mac-nospoof,restricted,ip-nospoof,dhcp-nospoof
eq "and addresses" "$(prop net0 allowed-ips "$a")" 10.9.0.1
eq "the global zone's: none" "$(prop host0 protection)" ""
check "set a VM's" dl set-linkprop -z "$a" -p allowed-ips=10.9.0.1,10.9.0.99,10.8.0.0/24,protection=mac-nospoof,ip-nospoof,dhcp-nospoof net0
eq "is in its record" "$(vmadm get "$a" | jq -c '.nics[0] | [.allowed_ips, .allow_restricted_traffic, .allow_ip_spoofing]')" '[["10.9.0.99","10.8.0.0/24"],true,false]'
eq "and shown" "$(prop net0 allowed-ips "$a") $(prop net0 protection "$a")" "10.9.0.1,10.9.0.99,10.8.0.0/24 mac-nospoof,ip-nospoof,dhcp-nospoof"
check "reset" dl reset-linkprop -z "$a" net0
eq "as before" "$(prop net0 allowed-ips "$a") $(prop net0 protection "$a")" "10.9.0.1 mac-nospoof,restricted,ip-nospoof,dhcp-nospoof"
fails 1 'ip-nospoof with dhcp-nospoof only' dl set-linkprop -z "$a" -p protection=ip-nospoof net0
fails 1 "mtu can't be set" dl set-linkprop -z "$a" -p mtu=1400 net0
fails 1 'is none of' dl set-linkprop -p protection=mac host0
fails 1 'allowed-ips' dl set-linkprop -p allowed-ips=10.9.0 host0
check "the global zone's" dl set-linkprop -p protection=ip-nospoof,allowed-ips=10.9.0.71 host0
like "is enforced at once" "$(in_gz python3 udp.py ask 10.9.0.1 1 1)" none
check "and its own address" dl set-linkprop -p allowed-ips=10.9.0.70 host0
eq "passes" "$(in_gz python3 udp.py ask 10.9.0.1 1)" 1000

# it goes and comes with the node
check "shutdown" await 20 in_gz cloister shutdown
check_not "it has gone" in_gz ip link show host0
eq "no switch is left" "$(awk -v d="$NODE_RUN/net/" 'index($5, d) == 1' /proc/self/mountinfo)" ""
check "boot" in_gz cloister boot
check "it is back" in_gz ip link show host0
eq "with its properties" "$(prop host0 protection) $(prop host0 allowed-ips)" "ip-nospoof 10.9.0.70"
# a command that is killed between the two
check "the host takes it away" in_gz ip link del host0
check "boot again" in_gz cloister boot
check "it is back" in_gz ip link show host0

for z in "$a" "$b"; do check "delete" vmadm delete "$z"; done
check "delete-vnic" dl delete-vnic host0
check_not "it has gone" in_gz ip link show host0
fails 1 'does not exist' dl delete-vnic host0
check "delete-etherstub" dl delete-etherstub stub0
eq "no links" "$(links -p -o link,class)" ""
