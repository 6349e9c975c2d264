#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 600
# The firewall's datapath under real traffic: answers, fragments, related errors, a flood of flows beside a neighbour, and that connections
# outlive their rule and every process of ours.
. "$(dirname "$0")/lib.sh"
need_root
node fw
pool

check "an etherstub" nictagadm add -l stub0
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:02:0$1\",\"ips\":[\"10.9.2.$1/24\",\"fd00:92::$1/64\"]}]"; }
OWN=5d0f1f0e-64a2-4c43-9a6f-8f0f4b9f3a10
mkzone a pa "$(nic 1),\"owner_uuid\":\"$OWN\""
mkzone b pb "$(nic 2),\"owner_uuid\":\"$OWN\",\"firewall_enabled\":true"
mkzone d pd "$(nic 3),\"owner_uuid\":\"$OWN\""
inside() { zlogin "$@" </dev/null; }
rule() { fwadm add -j -e -O "$OWN" "$1" | jq -r '.rules[0].uuid'; }
dropped() { cloister net status -p | awk -F'\t' -v z="$1" '$1 == z {print $10}' | tr , '\n' | sed -n "s/^$2=//p"; }

cat >net.py <<'PY'
# serve: TCP port 7 and UDP port 9 give back what they get. The rest asks once, and prints what came of it.
import os, socket, struct, sys, threading, time
def tcp(c):
    try:
        while True:
            d = c.recv(100)
            if not d: return
            c.sendall(d)
    except OSError: pass
def serve():
    for fam in socket.AF_INET, socket.AF_INET6:
        t, u = socket.socket(fam), socket.socket(fam, socket.SOCK_DGRAM)
        if fam == socket.AF_INET6:
            for s in t, u: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        t.bind(("", 7)); t.listen(); u.bind(("", 9))
        def accept(t=t):
            while True: threading.Thread(target=tcp, args=(t.accept()[0],), daemon=True).start()
        def echo(u=u):
            while True:
                d, who = u.recvfrom(9000)
                u.sendto(d, who)
        threading.Thread(target=accept).start()
        threading.Thread(target=echo).start()
    open("/root/ready", "w")
def family(ip): return socket.AF_INET6 if ":" in ip else socket.AF_INET
def ask(ip, wait, source=None):
    s = socket.socket(family(ip)); s.settimeout(wait)
    if source: s.bind((source, 0))
    s.connect(socket.getaddrinfo(ip, 7)[0][4]); s.sendall(b"hello")
    print(s.recv(100).decode())
def datagram(ip, wait, n, port=9):
    s = socket.socket(family(ip), socket.SOCK_DGRAM); s.settimeout(wait); s.connect((ip, port)); s.send(b"x" * n)
    print(len(s.recv(9000)))
def ping(ip, wait):
    v6 = ":" in ip
    s = socket.socket(family(ip), socket.SOCK_RAW, 58 if v6 else 1); s.settimeout(wait)
    q = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 77, 1)
    n = sum(struct.unpack("!4H", q)); n = (n >> 16) + (n & 0xffff)
    s.sendto(q if v6 else q[:2] + struct.pack("!H", ~n & 0xffff) + q[4:], (ip, 0))
    while True:
        d = s.recv(200) if v6 else s.recv(200)[20:]
        if d[0] == (129 if v6 else 0) and d[4:6] == b"\0\x4d": break
    print("hello")
def chat(ip):
    s = socket.socket(family(ip)); s.settimeout(60); s.connect((ip, 7))
    try:
        i = 0
        while True:
            t = b"%08d" % i
            s.sendall(t)
            d = b""
            while len(d) < 8:
                more = s.recv(8 - len(d))
                if not more: raise OSError("closed")
                d += more
            if d != t: raise OSError("not what was said")
            i += 1
            open("/root/count.new", "w").write(str(i)); os.rename("/root/count.new", "/root/count")
            time.sleep(0.01)
    except OSError as e:
        open("/root/broken", "w").write(str(e))
def flood(n):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("net0", 0))
    mac = lambda t: bytes.fromhex(t.replace(":", ""))
    head = mac("02:08:20:00:02:02") + mac("02:08:20:00:02:01") + b"\x08\x00"
    head += struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, socket.inet_aton("10.9.2.1"), socket.inet_aton("10.9.2.2"))
    for i in range(n): s.send(head + struct.pack("!HHHH", i + 1, 99, 8, 0))
    print("sent")
try:
    what, a = sys.argv[1], sys.argv[2:]
    if what == "serve": serve()
    elif what == "ask": ask(a[0], float(a[1]), *a[2:])
    elif what == "ping": ping(a[0], float(a[1]))
    elif what == "datagram": datagram(a[0], float(a[1]), int(a[2]), *map(int, a[3:]))
    elif what == "chat": chat(a[0])
    elif what == "flood": flood(int(a[0]))
except OSError as e: print("nothing" if isinstance(e, TimeoutError) else "refused" if isinstance(e, ConnectionRefusedError) else e)
PY
serve() {
	zlogin "$1" 'cat >/root/net.py' <net.py
	inside "$1" 'rm -f /root/ready; setsid python3 /root/net.py serve >/dev/null 2>&1 &'
	await 30 inside "$1" 'test -e /root/ready' || not_ok "a server" "it does not come up"
}
for z in "$a" "$b" "$d"; do serve "$z"; done
T=2  # so long is waited for what shall not come
L=20 # and so long at most for what shall
net() { local z=$1; shift; inside "$z" "python3 /root/net.py $*"; }

# what begins inside is answered, nothing else comes in
for v in 10.9.2. fd00:92::; do
	eq "${v}1: a connection out" "$(net "$b" ask "${v}1" $L)" hello
	eq "a datagram and its answer" "$(net "$b" datagram "${v}1" $L 100)" 100
	eq "one in parts, answered in parts" "$(net "$b" datagram "${v}1" $L 4000)" 4000
	eq "ping" "$(net "$b" ping "${v}1" $L)" hello
	eq "an error about what it sent comes back" "$(net "$b" datagram "${v}1" $L 10 4444)" refused
	eq "no connection comes in" "$(net "$a" ask "${v}2" $T)" nothing
	eq "no datagram" "$(net "$a" datagram "${v}2" $T 100)" nothing
	eq "none in parts" "$(net "$a" datagram "${v}2" $T 4000)" nothing
	eq "no ping" "$(net "$a" ping "${v}2" $T)" nothing
done
like "what is kept out is counted where it was to arrive" "$(dropped "$b" fw-in)" '^[1-9]'

# let in by rules
r=$(rule "FROM any TO vm $b ALLOW tcp PORT 7")
rule "FROM any TO vm $b ALLOW udp PORTS 9, 99" >/dev/null
rule "FROM any TO vm $b ALLOW icmp TYPE 8" >/dev/null
for v in 10.9.2. fd00:92::; do
	eq "${v}2: a connection in" "$(net "$a" ask "${v}2" $L)" hello
	eq "a datagram" "$(net "$a" datagram "${v}2" $L 100)" 100
	eq "one in parts, answered in parts" "$(net "$a" datagram "${v}2" $L 4000)" 4000
	eq "a port that no rule names" "$(net "$a" datagram "${v}2" $T 10 4444)" nothing
done
eq "ping by its rule" "$(net "$a" ping 10.9.2.2 $L)" hello
eq "which is of IPv4" "$(net "$a" ping fd00:92::2 $T)" nothing

# connections that last
talk() { inside "$1" "rm -f /root/count /root/broken; setsid python3 /root/net.py chat $2 >/dev/null 2>&1 &"; }
count() { inside "$1" 'cat /root/count 2>/dev/null' || echo 0; }
goes_on() { # what zone
	local n
	n=$(count "$2")
	if await 30 eval "[ \"\$(count $2)\" -gt $((${n:-0} + 20)) ]" && inside "$2" 'test ! -e /root/broken'; then ok "$1"; else not_ok "$1" "$(inside "$2" 'cat /root/broken')"; fi
}
talk "$a" 10.9.2.2
talk "$d" fd00:92::2
goes_on "a connection from one" "$a"
goes_on "and from another" "$d"

# one zone's flood of flows fills its own share
check "a flood of flows" eval '[ "$(net "$a" flood 40000)" = sent ]'
like "S28 which is bounded" "$(dropped "$a" fw-full)" '^[1-9]'
eq "S28 its neighbour is not" "$(dropped "$d" fw-full)" ""
goes_on "S28 what it had goes on" "$a"
goes_on "S28 what the neighbour had goes on" "$d"
eq "S28 the neighbour's new ones are let in" "$(net "$d" ask 10.9.2.2 $L)" hello
eq "S28 those of the zone that was flooded are let out" "$(net "$b" datagram fd00:92::3 $L 100)" 100

# a rule that goes
check "without the rule" fwadm delete "$r"
eq "there are no new connections" "$(net "$d" ask 10.9.2.2 $T)" nothing
goes_on "those that there are go on" "$a"
goes_on "with IPv6 too" "$d"

# nothing of ours has to run
for z in "$a" "$b" "$d"; do kill -KILL "$(awk '$1 == "keeper" {print $2}' "$NODE_RUN/$z/zone")"; done
goes_on "killed keepers change nothing for traffic" "$a"
goes_on "nor for the other connection" "$d"
eq "nor for who is kept out" "$(net "$d" ask 10.9.2.2 $T)" nothing

for z in "$a" "$b" "$d"; do check "delete" vmadm delete "$z"; done

# ---- a rule by tag means each address that the VM has, wherever it has it from ----
check "a switch that leases and advertises" eval 'nictagadm add -l stub1 && cloister net set stub1 subnet=10.209.77.0/28 subnet6=fd00:209::/64 dhcp=on ra=on'
on1() { echo "\"owner_uuid\":\"$OWN\",\"nics\":[{\"nic_tag\":\"stub1\",\"interface\":\"net0\",\"mac\":\"02:08:20:00:03:0$1\",\"ips\":[$2]}]${3:+,$3}"; }
nic1() { vmadm update "$1" <<<"{\"update_nics\":[{\"mac\":\"02:08:20:00:03:0$2\",$3}]}"; }
mkzone b sb "$(on1 2 '"10.209.77.2/28","10.209.78.2/28","fd00:209::2/64","fd00:210::2/64"' '"firewall_enabled":true')"
serve "$b"
check "a rule before there is a VM" eval 'r=$(rule "FROM tag role = leased TO vm $b ALLOW tcp PORT 7")'
mkzone a sa "$(on1 1 '"dhcp","addrconf"' '"tags":{"role":"leased"}')"
mkzone d sd "$(on1 3 '"10.209.77.3/28","10.209.78.3/28"')"
for z in "$a" "$d"; do serve "$z"; done
has() { inside "$a" "ip -o addr show dev net0 scope global" | grep -v tentative | grep -oE "inet6? $1[0-9a-f.:]*" | awk '{print $2}' | head -1; }
in_as() { eq "$1" "$(net "$2" ask "$3" $L "${4:-}")" hello; }
out_as() { eq "$1" "$(net "$2" ask "$3" $T "${4:-}")" nothing; }
was=$(has 10.209.77)
like "it has a lease" "$was" '^10\.209\.77\.'
in_as "which is let in by its tag" "$a" 10.209.77.2
check "it forms an address" await 20 eval '[ "$(has fd00:209)" = fd00:209::8:20ff:fe00:301 ]'
in_as "which is let in" "$a" fd00:209::2
in_as "so is that of its link" "$a" fe80::8:20ff:fe00:302%net0
out_as "who has no such tag is not" "$d" 10.209.77.2
out_as "nor by its link's" "$d" fe80::8:20ff:fe00:302%net0

# what it may use, by a prefix; addresses are given from outside, as a zone can't
pid_of() { awk '$1 == "init" {print $2}' "$NODE_RUN/$1/zone"; }
also() { nsenter -t "$(pid_of "$1")" -n ip addr "$3" "$2" dev net0; }
check "it may use others" nic1 "$a" 1 '"allowed_ips":["10.209.77.8/30"]'
check "and does" also "$a" 10.209.77.9/28 add
in_as "they are let in" "$a" 10.209.77.2 10.209.77.9
in_as "its lease is still" "$a" 10.209.77.2 "$was"
check "they are another's" eval 'nic1 "$a" 1 "\"allowed_ips\":[]" && also "$a" 10.209.77.9/28 del && nic1 "$d" 3 "\"allowed_ips\":[\"10.209.77.8/30\"]" && also "$d" 10.209.77.9/28 add'
out_as "who is not let in" "$d" 10.209.77.2 10.209.77.9
nic1 "$d" 3 '"allowed_ips":[]' >/dev/null
also "$d" 10.209.77.9/28 del

# a lease that changes
takes() { check "who has its old address" nic1 "$d" 3 "\"ips\":[\"$1/28\",\"10.209.7$2.3/28\"]"; }
check "another subnet" cloister net set stub1 subnet=10.209.78.0/28 gateway=10.209.78.1
check "boots" vmadm reboot "$a" -F
serve "$a"
now=$(has 10.209.78)
like "another lease" "$now" '^10\.209\.78\.'
in_as "is let in" "$a" 10.209.78.2
takes "$was" 8
out_as "is no more" "$d" 10.209.77.2 "$was"
check "stopped and started" eval 'vmadm stop -F "$a" && vmadm start "$a"'
serve "$a"
in_as "it is let in" "$a" 10.209.78.2 "$now"
check "an address by hand, live" nic1 "$a" 1 '"ips":["10.209.78.13/28","addrconf"]'
in_as "is let in" "$a" 10.209.78.2 10.209.78.13
takes "$now" 7
out_as "the lease that it gave back is not" "$d" 10.209.78.2 "$now"
check "an update that fails" eval '! CLOISTER_FAIL=update-record:error nic1 "$a" 1 "\"ips\":[\"10.209.78.12/28\"]"'
in_as "leaves what was" "$a" 10.209.78.2 10.209.78.13
check "killed behind the store" eval '! CLOISTER_FAIL=update-firewall:kill nic1 "$a" 1 "\"ips\":[\"10.209.78.11/28\",\"addrconf\"]"'
check "the next command ends it" vmadm get "$a"
check "and a change" vmadm update "$a" max_lwps=500
in_as "it is let in" "$a" 10.209.78.2 10.209.78.11
takes 10.209.78.13 7
out_as "and who has its old address is not" "$d" 10.209.78.2 10.209.78.13
check "dhcp again, on a NIC that comes" vmadm update "$a" <<<'{"add_nics":[{"nic_tag":"stub1","interface":"net1","mac":"02:08:20:00:03:04","ips":["dhcp"]}]}'
now=$(inside "$a" "ip -4 -o addr show dev net1" | grep -oE '10\.209\.78\.[0-9]+' | head -1)
nsenter -t "$(pid_of "$a")" -n ip route add 10.209.78.2/32 dev net1
in_as "is let in" "$a" 10.209.78.2 "$now"
check "and goes" vmadm update "$a" <<<'{"remove_nics":["02:08:20:00:03:04"]}'
takes "$now" 7
out_as "is no more" "$d" 10.209.78.2 "$now"

# a prefix that changes
check "another prefix" cloister net set stub1 subnet6=fd00:210::/64 gateway6=fd00:210::1
check "it forms another address" await 60 eval '[ "$(has fd00:210)" = fd00:210::8:20ff:fe00:301 ]'
in_as "which is let in at once" "$a" fd00:210::2

# a new switch
check "dhcp again" nic1 "$a" 1 '"ips":["dhcp","addrconf"]'
check "shutdown and boot" eval 'cloister shutdown && cloister boot'
for z in "$a" "$b" "$d"; do
	is_state "$z" running || vmadm start "$z" >/dev/null 2>&1
	check "it runs" await 30 is_state "$z" running
	serve "$z"
done
in_as "its lease is let in" "$a" 10.209.78.2
check "it forms its address" await 20 eval '[ "$(has fd00:210)" = fd00:210::8:20ff:fe00:301 ]'
in_as "what it forms is" "$a" fd00:210::2
out_as "nobody else's" "$d" 10.209.78.2
for z in "$a" "$b" "$d"; do check "delete" vmadm delete "$z"; done
