#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# The virtual network: nic tags, NICs of zones on an etherstub, and that they come and go with their zones.
. "$(dirname "$0")/lib.sh"
need_root
node "net${NET_ATTACH:-}"
[ -z "${NET_ATTACH:-}" ] || { mkdir -p "$NODE_ETC" && echo "net_attach=$NET_ATTACH" >"$NODE_ETC/node.conf"; } # nettcx.sh
pool

eq "no nic tags yet" "$(nictagadm list -p)" ""
like "no switch either" "$(cloister net status)" "no switch"
check "an etherstub" nictagadm add -l stub0
eq "list -p" "$(nictagadm list -p)" "stub0:-:-:etherstub"
fails 1 'already exists' nictagadm add -l stub0
fails 1 'A-Z a-z 0-9' nictagadm add -l 'a-b'
fails 1 'no device 02:08:20:00:00:01' nictagadm add ext0 02:08:20:00:00:01
fails 2 'usage' nictagadm add stub1
check "exists" nictagadm exists stub0
fails 1 '^nope$' nictagadm exists stub0 nope
fails 1 'does not exist' vmadm create <<<'{"brand":"joyent-minimal","nics":[{"nic_tag":"nope","ips":["10.9.0.1/24"]}]}'
fails 1 'no DHCP server of ours' vmadm create <<<'{"brand":"joyent-minimal","nics":[{"nic_tag":"stub0","ips":["dhcp"]}]}'
fails 1 'priority of net0 would do nothing' vmadm create <<<'{"brand":"joyent-minimal","nics":[{"nic_tag":"stub0","priority":"high","ips":["10.9.0.1/24"]}]}'

nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"interface\":\"net0\",\"mac\":\"02:08:20:00:00:0$1\",\"ips\":[\"10.9.0.$1/24\",\"fd00:9::$1/64\"]${2:+,$2}}]"; }
mkzone a n1 "$(nic 1 '"gateway":"10.9.0.254","primary":true')"
mkzone b n2 "$(nic 2)"

inside() { zlogin "$@" </dev/null; }
eq "its link, address and MTU" "$(inside "$a" 'cat /sys/class/net/net0/address /sys/class/net/net0/mtu')" $'02:08:20:00:00:01\n1500'
eq "which is up" "$(inside "$a" 'cat /sys/class/net/net0/carrier')" 1
eq "a default route" "$(inside "$a" "awk '\$2 == \"00000000\" {print \$1, \$3}' /proc/net/route")" "net0 FE00090A"

# a byte each way by TCP, IPv4 and IPv6
cat >echo.py <<'PY'
import socket, sys
fam = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
s = socket.socket(fam)
s.settimeout(20)
if sys.argv[1] == "serve":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sys.argv[2], 7))
    s.listen()
    print("ready", flush=True)
    c, who = s.accept()
    c.sendall(c.recv(100))
    print(who[0], flush=True)
else:
    s.connect((sys.argv[2], 7))
    s.sendall(sys.argv[3].encode())
    print(s.recv(100).decode())
PY
for z in "$a" "$b"; do zlogin "$z" 'cat >/root/echo.py' <echo.py; done
talk() { # server-zone address client-zone
	: >served
	inside "$1" "python3 /root/echo.py serve $2" >served 2>&1 &
	local pid=$! text
	await 20 grep -q ready served
	text=$(inside "$3" "python3 /root/echo.py ask $2 hello" 2>&1)
	[ "$text" = hello ] || kill "$pid" 2>/dev/null
	wait "$pid"
	echo "$text from $(tail -1 served)"
}
eq "IPv4 from one zone to the other" "$(talk "$b" 10.9.0.2 "$a")" "hello from 10.9.0.1"
eq "and back" "$(talk "$a" 10.9.0.1 "$b")" "hello from 10.9.0.2"
eq "IPv6" "$(talk "$b" fd00:9::2 "$a")" "hello from fd00:9::1"

# nobody else's zone is on that switch
check "another switch" nictagadm add -l stub1
mkzone d n3 '"nics":[{"nic_tag":"stub1","ips":["10.9.0.3/24"]}]'
zlogin "$d" 'cat >/root/echo.py' <echo.py
like "a zone on another switch reaches neither" "$(inside "$d" 'timeout 3 python3 /root/echo.py ask 10.9.0.2 hello' 2>&1 | tail -1)" 'No route to host|^$|timed out'
mkzone v n4 '"nics":[{"nic_tag":"stub0","vlan_id":7,"ips":["10.9.0.5/24"]}]'
zlogin "$v" 'cat >/root/echo.py' <echo.py
like "nor does one on another VLAN of the same tag" "$(inside "$v" 'timeout 3 python3 /root/echo.py ask 10.9.0.2 hello' 2>&1 | tail -1)" 'No route to host|^$|timed out'
check "delete it" vmadm delete "$v"
eq "a MAC of its own" "$(inside "$d" 'cat /sys/class/net/net0/address')" "$(vmadm get "$d" | jq -r '.nics[0].mac')"

# what it may not do
check_not "S24 a zone's root can't take the link away" inside "$a" 'ip link del net0'
check_not "S24 nor give it another address" inside "$a" 'ip addr add 10.9.0.2/24 dev net0'
check_not "S24 nor another MAC" inside "$a" 'ip link set net0 address 02:08:20:00:00:02'
# frames of its own making: a liar's are dropped where they leave, and counted by reason
cat >lie.py <<'PY'
import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("net0", 0))
mac = lambda t: bytes.fromhex(t.replace(":", ""))
a, b = mac("02:08:20:00:00:01"), mac("02:08:20:00:00:02")
ip = lambda src: struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton("10.9.0.2")) + struct.pack("!HHHH", 9, 9, 8, 0)
arp = lambda src: struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 2, a, socket.inet_aton(src), b, socket.inet_aton("10.9.0.2"))
for i in range(3): s.send(b + mac("02:08:20:00:00:02") + b"\x08\x00" + ip("10.9.0.1"))
for i in range(4): s.send(b + a + b"\x08\x00" + ip("10.9.0.7"))
for i in range(5): s.send(b + a + b"\x08\x06" + arp("10.9.0.7"))
for i in range(6): s.send(b + a + b"\x88\xcc" + bytes(46))
for i in range(7): s.send(b + a + b"\x81\x00\x00\x05\x08\x00" + ip("10.9.0.1"))
PY
zlogin "$a" 'cat >/root/lie.py' <lie.py
dropped() { cloister net status -p | awk -F'\t' -v z="$1" '$1 == z {print $10}' | tr , '\n' | sed -n "s/^$2=//p"; }
received() { cloister net status -p | awk -F'\t' -v z="$1" '$1 == z {print $8}'; }
n=$(received "$b")
check "S24 a zone may send frames of its own making" inside "$a" 'python3 /root/lie.py'
eq "S24 none with another MAC passes" "$(dropped "$a" mac-nospoof)" 3
eq "S24 none from another address" "$(dropped "$a" ip-nospoof)" 4
eq "S24 no lie of ARP" "$(dropped "$a" arp)" 5
eq "S24 nothing but IP and ARP" "$(dropped "$a" restricted)" 6
eq "S24 no tags" "$(dropped "$a" vlan-tag)" 7
le "the neighbour got none of the 25: what came is the kernel's own multicast" $(($(received "$b") - n)) 8
like "status, for people" "$(cloister net status)" "$a +0 +02:08:20:00:00:01 .*mac-nospoof=3,"

like "which way the program stands before the ports" "$(cloister net status)" "^switch: eBPF by ${NET_ATTACH:-clsact}\$"

# tags
eq "vms" "$(nictagadm vms stub0 | sort)" "$(printf '%s\n' "$a" "$b" | sort)"
fails 1 'in use by 2 VMs' nictagadm delete stub0

# at halt all of it goes; at boot it comes again
ports() { cloister net status -p | wc -l; }
eq "three ports" "$(ports)" 3
check "stop" vmadm stop "$a" -F
eq "two ports" "$(ports)" 2
check "start" vmadm start "$a"
eq "it is back" "$(talk "$b" 10.9.0.2 "$a")" "hello from 10.9.0.1"
# however it ended
kill -KILL "$(awk '$1 == "keeper" {print $2}' "$NODE_RUN/$a/zone")"
check "a killed keeper changes nothing for traffic" eval '[ "$(talk "$b" 10.9.0.2 "$a")" = "hello from 10.9.0.1" ]'
inside "$b" poweroff >/dev/null 2>&1
check "a power-off from inside" await 20 is_state "$b" stopped
check "its port has gone" await 10 eval '[ "$(ports)" = 2 ]'
check "start" vmadm start "$b"
eq "and come again" "$(talk "$b" 10.9.0.2 "$a")" "hello from 10.9.0.1"
# nobody has the same address twice on one switch
fails 1 'the link address 02:08:20:00:00:01 is taken' vmadm create <<<'{"brand":"joyent-minimal","nics":[{"nic_tag":"stub0","mac":"02:08:20:00:00:01","ips":["10.9.0.9/24"]}]}'
eq "two ports still" "$(ports)" 3

for z in "$a" "$b" "$d"; do check "delete" vmadm delete "$z"; done
eq "no ports" "$(ports)" 0
check "delete the tag" nictagadm delete stub0
fails 1 'does not exist' nictagadm delete stub0

# a machine that goes down, and comes again
mkzone s n4 '"nics":[{"nic_tag":"stub1","ips":["10.9.0.4/24"]}]'
check "shutdown" cloister shutdown
eq "no switch is left" "$(awk -v d="$NODE_RUN/net/" 'index($5, d) == 1' /proc/self/mountinfo)" ""
check "boot" cloister boot
check "the zone is back" await 20 is_state "$s" running
eq "with its port" "$(ports)" 1
check "delete" vmadm delete "$s"
