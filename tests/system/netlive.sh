#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# NICs of a running zone: added, changed, removed; what is refused; what a zone that meddles can't do.
. "$(dirname "$0")/lib.sh"
need_root
node netlive
pool

inside() { zlogin "$@" </dev/null; }
nics() { vmadm get "$1" | jq -c '[.nics[] | [.mac, .ips]]'; }
port() { cloister net status -p | awk -F'\t' -v z="$1" -v m="$2" '$1 == z && $3 == m'; }
dropped() { port "$1" "$2" | cut -f10 | tr , '\n' | sed -n "s/^$3=//p"; }

check "etherstubs" eval 'nictagadm add -l stub0 && nictagadm add -l stub1 && nictagadm add -p mtu=1500 -l small'
nic() { echo "{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:00:0$1\",\"ips\":[\"10.9.0.$1/24\"]${2:+,$2}}"; }
mkzone a l1 "\"nics\":[$(nic 1 '"gateway":"10.9.0.254"')]"
mkzone b l2 "\"nics\":[$(nic 2)]"
mkzone n l3 # none yet

cat >ping.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if sys.argv[1] == "serve":
    s.bind(("0.0.0.0", 9))
    print("ready", flush=True)
    while True:
        d, who = s.recvfrom(100)
        s.sendto(who[0].encode(), who)
else: # ask FROM TO
    s.settimeout(float(sys.argv[4]) if len(sys.argv) > 4 else 5)
    try:
        s.bind((sys.argv[2], 0))
        s.sendto(b"x", (sys.argv[3], 9))
        print(s.recvfrom(100)[0].decode())
    except OSError as e:
        print("none:", e)
PY
for z in "$a" "$b" "$n"; do zlogin "$z" 'cat >/root/ping.py' <ping.py; done
inside "$b" 'python3 /root/ping.py serve' >served 2>&1 &
server=$!
trap 'rc=$?; kill "$server" 2>/dev/null; (exit $rc); t_exit' EXIT
await 20 grep -q ready served
ask() { inside "$1" "python3 /root/ping.py ask $2 ${3:-10.9.0.2} ${4:-5}"; }

eq "before" "$(ask "$a" 10.9.0.1)" 10.9.0.1
# a zone that had none
check "add_nics to a zone without" vmadm update "$n" <<<"{\"add_nics\":[$(nic 3)]}"
unlike "nothing waits for a boot" "$OUT" 'next boot'
eq "it is there, and up" "$(inside "$n" 'cat /sys/class/net/net0/address /sys/class/net/net0/carrier')" $'02:08:20:00:00:03\n1'
eq "and carries" "$(ask "$n" 10.9.0.3)" 10.9.0.3
check "a second one" vmadm update "$n" <<<'{"add_nics":[{"nic_tag":"stub1","mac":"02:08:20:00:00:13","ips":["10.8.0.3/24"]}]}'
eq "has the next name" "$(inside "$n" 'cat /sys/class/net/net1/address')" 02:08:20:00:00:13
check "remove_nics" vmadm update "$n" <<<'{"remove_nics":["02:08:20:00:00:13"]}'
check_not "it has gone from the zone" inside "$n" 'test -e /sys/class/net/net1'
eq "and from the switch" "$(port "$n" 02:08:20:00:00:13)" ""
eq "the other stays" "$(ask "$n" 10.9.0.3)" 10.9.0.3

# addresses
check "two more addresses" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","ips":["10.9.0.1/24","10.9.0.11/24","10.9.0.12/24","10.9.0.13/24","10.9.0.14/24","10.9.0.15/24"]}]}'
for i in 11 15; do eq "10.9.0.$i, at once" "$(ask "$a" 10.9.0.$i)" 10.9.0.$i; done
check "the first given up" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","ips":["10.9.0.11/24"]}]}'
eq "those that stay are there" "$(ask "$a" 10.9.0.11)" 10.9.0.11
like "the others are not the zone's" "$(ask "$a" 10.9.0.1)" 'none:.*assign'
eq "its default route is" "$(inside "$a" "awk '\$2 == \"00000000\" {print \$1, \$3}' /proc/net/route")" "net0 FE00090A"
# what a packet socket says from an address that was given up, first of the entry and beyond it
cat >say.py <<'PY'
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("net0", 0))
mac = lambda t: bytes.fromhex(t.replace(":", ""))
for src in sys.argv[2:]:
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton("10.9.0.2"))
    s.send(mac("02:08:20:00:00:02") + mac(sys.argv[1]) + b"\x08\x00" + ip + struct.pack("!HHHH", 9, int(src.split(".")[0]) == 10 and 99 or 98, 8, 0))
PY
zlogin "$a" 'cat >/root/say.py' <say.py
say() { inside "$a" "python3 /root/say.py 02:08:20:00:00:01 $*"; }
check "S24 frames from what was given up" say 10.9.0.1 10.9.0.15
eq "S24 are dropped" "$(dropped "$a" 02:08:20:00:00:01 ip-nospoof)" 2
check "allowed_ips" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","allowed_ips":["10.9.0.1","192.0.2.0/24"]}]}'
check "now they may" say 10.9.0.1 192.0.2.7
eq "none of these is dropped" "$(dropped "$a" 02:08:20:00:00:01 ip-nospoof)" 2
check "no more" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","allowed_ips":[]}]}'
check "S24 frames again" say 10.9.0.1 192.0.2.7
eq "S24 dropped again" "$(dropped "$a" 02:08:20:00:00:01 ip-nospoof)" 4
check "allow_ip_spoofing" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","allow_ip_spoofing":true}]}'
check "anything" say 203.0.113.1
eq "passes" "$(dropped "$a" 02:08:20:00:00:01 ip-nospoof)" 4
check "and off" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","allow_ip_spoofing":false}]}'
check "blocked_outgoing_ports" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","blocked_outgoing_ports":["9"]}]}'
like "blocks" "$(ask "$a" 10.9.0.11 10.9.0.2 1)" none
check "none blocked" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","blocked_outgoing_ports":[]}]}'
eq "passes" "$(ask "$a" 10.9.0.11)" 10.9.0.11

# who is primary, and its gateway
check "a second NIC that is primary" vmadm update "$a" <<<'{"add_nics":[{"nic_tag":"stub1","mac":"02:08:20:00:00:21","ips":["10.8.0.1/24"],"gateway":"10.8.0.254","primary":true}]}'
route() { inside "$a" "awk '\$2 == \"00000000\" {print \$1, \$3}' /proc/net/route"; }
eq "has the default route" "$(route)" "net1 FE00080A"
check "the first is primary again" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","primary":true}]}'
eq "and has it" "$(route)" "net0 FE00090A"
check "another gateway" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:01","gateway":"10.9.0.253"}]}'
eq "in one place" "$(route)" "net0 FD00090A"

# what waits
check "another tag and MTU" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:21","nic_tag":"stub0","mtu":9000,"ips":["10.7.0.1/24"],"gateway":"10.7.0.254"}]}'
like "is for the next boot, and says so" "$OUT" 'next boot of the VM: nics\.\*\.nic_tag, nics\.\*\.mtu$'
eq "as it was" "$(inside "$a" 'cat /sys/class/net/net1/mtu')" 1500
check "reboot" vmadm reboot "$a" -F
eq "now it is so" "$(inside "$a" 'cat /sys/class/net/net1/mtu')" 9000
check "take it away" vmadm update "$a" <<<'{"remove_nics":["02:08:20:00:00:21"]}'

# what is refused, and changes nothing
was=$(nics "$a")
up() { vmadm update "$a" <<<"{\"update_nics\":[{\"mac\":\"02:08:20:00:00:01\",$1}]}"; }
more() { vmadm update "$a" <<<"{\"add_nics\":[$1]}"; }
fails 1 'two default gateways' up '"gateways":["10.9.0.253","10.9.0.252"]'
fails 1 'in none of its networks' up '"gateway":"10.1.0.1"'
fails 1 'ips' up '"ips":["10.9.0.300/24"]'
fails 1 'ips' up '"ips":["10.9.0.11/33"]'
fails 1 'ips' up '"ips":["10.9.0.11"]'
fails 1 'vlan_id' up '"vlan_id":4096'
fails 1 'mtu' up '"mtu":575'
fails 1 'above that of nic tag small' more '{"nic_tag":"small","ips":["10.6.0.1/24"],"mtu":9000}'
fails 1 'does not exist' more '{"nic_tag":"nope","ips":["10.6.0.1/24"]}'
fails 1 'mac' more '{"nic_tag":"stub0","mac":"03:08:20:00:00:01","ips":["10.6.0.1/24"]}'
fails 1 'has one with mac' more '{"nic_tag":"stub0","mac":"02:08:20:00:00:01","ips":["10.6.0.1/24"]}'
fails 1 'none with mac' vmadm update "$a" <<<'{"remove_nics":["02:08:20:00:00:99"]}'
fails 1 "the address 10.9.0.2 on nic tag stub0 is taken by VM $b" up '"ips":["10.9.0.11/24","10.9.0.2/24"]'
fails 1 "the link address 02:08:20:00:00:02 is taken by VM $b" more '{"nic_tag":"stub1","mac":"02:08:20:00:00:02","ips":["10.6.0.1/24"]}'
fails 1 "the address 10.9.0.2 on nic tag stub0 is taken by VM $b" vmadm create <<<'{"brand":"joyent-minimal","nics":[{"nic_tag":"stub0","ips":["10.9.0.2/24"]}]}'
fails 1 "taken by VM $b" vmadm create --dry-run <<<'{"brand":"joyent-minimal","nics":[{"nic_tag":"stub0","ips":["10.9.0.2/24"]}]}'
check "on another VLAN it is free" vmadm create --dry-run <<<'{"brand":"joyent-minimal","nics":[{"nic_tag":"stub0","vlan_id":3,"ips":["10.9.0.2/24"]}]}'
eq "all as it was" "$(nics "$a")" "$was"
eq "in the zone too" "$(ask "$a" 10.9.0.11)" 10.9.0.11
# an update that fails after the NICs were changed
CLOISTER_FAIL=update-store:error run vmadm update "$a" <<<"{\"add_nics\":[{\"nic_tag\":\"stub1\",\"mac\":\"02:08:20:00:00:31\",\"ips\":[\"10.6.0.1/24\"]}],\"update_nics\":[{\"mac\":\"02:08:20:00:00:01\",\"ips\":[\"10.9.0.19/24\"]}]}"
eq "a failure later" "$RC" 1
eq "leaves the record" "$(nics "$a")" "$was"
eq "the address" "$(ask "$a" 10.9.0.11)" 10.9.0.11
check_not "and no NIC" inside "$a" 'test -e /sys/class/net/net1'
for at in update-nics update-nics+; do
	CLOISTER_FAIL=$at:kill vmadm update "$a" >/dev/null 2>&1 <<<"{\"add_nics\":[{\"nic_tag\":\"stub1\",\"mac\":\"02:08:20:00:00:31\",\"ips\":[\"10.6.0.1/24\"]}],\"update_nics\":[{\"mac\":\"02:08:20:00:00:01\",\"ips\":[\"10.9.0.19/24\"]}]}"
	check "killed at $at: the next command clears up" vmadm update "$b" alias=l2b
	eq "the record" "$(nics "$a")" "$was"
	eq "the address" "$(ask "$a" 10.9.0.11)" 10.9.0.11
	check_not "no NIC" inside "$a" 'test -e /sys/class/net/net1'
	eq "nor its port" "$(port "$a" 02:08:20:00:00:31)" ""
done

# an address moves from one NIC to another of the same zone, and from one VM to another
check "moved" vmadm update "$a" <<<'{"add_nics":[{"nic_tag":"stub0","mac":"02:08:20:00:00:41","ips":["10.9.0.11/24"]}],"remove_nics":["02:08:20:00:00:01"]}'
eq "with its new MAC" "$(ask "$a" 10.9.0.11)" 10.9.0.11
check "given up" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:41","ips":["10.9.0.41/24"]}]}'
check "and had by another" vmadm update "$n" <<<'{"update_nics":[{"mac":"02:08:20:00:00:03","ips":["10.9.0.11/24"]}]}'
eq "at once" "$(ask "$n" 10.9.0.11)" 10.9.0.11
check "deleted" vmadm delete "$n"
check "and free again" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:00:41","ips":["10.9.0.11/24"]}]}'
eq "at once" "$(ask "$a" 10.9.0.11)" 10.9.0.11

# a zone that may do what it likes with its links
mkzone h l4 "\"limit_priv\":\"default,net_admin\",\"nics\":[$(nic 5)]"
zlogin "$h" 'cat >/root/ping.py' <ping.py
check "it takes the next name" inside "$h" 'ip link add net1 type veth peer name net7'
fails 1 'has an interface net1 of its own' vmadm update "$h" <<<'{"add_nics":[{"nic_tag":"stub1","ips":["10.6.0.5/24"]}]}'
eq "the record is as it was" "$(vmadm get "$h" | jq '.nics | length')" 1
check "it renames its own, and makes another of that name" inside "$h" 'ip link set net0 down && ip link set net0 name mine && ip link set net7 name net0 && ip link set mine up'
check "an address" vmadm update "$h" <<<'{"update_nics":[{"mac":"02:08:20:00:00:05","ips":["10.9.0.5/24","10.9.0.55/24"]}]}'
eq "is set on the one that is ours" "$(ask "$h" 10.9.0.55)" 10.9.0.55
check "it deletes ours" inside "$h" 'ip link del mine'
check "an update tells of it" vmadm update "$h" <<<'{"update_nics":[{"mac":"02:08:20:00:00:05","ips":["10.9.0.5/24"]}]}'
like "by name" "$OUT" 'has taken its interface net0 away'
check "reboot" vmadm reboot "$h"
eq "it has it again" "$(inside "$h" 'cat /sys/class/net/net0/address')" 02:08:20:00:00:05
like "with an event" "$(vmadm events "$h")" 'nic-gone'

for z in "$a" "$b" "$h"; do check "delete" vmadm delete "$z"; done
eq "no ports" "$(cloister net status -p | wc -l)" 0
