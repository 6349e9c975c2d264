#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
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
def ask(ip, wait):
    s = socket.socket(family(ip)); s.settimeout(wait); s.connect((ip, 7)); s.sendall(b"hello")
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
    elif what == "ask": ask(a[0], float(a[1]))
    elif what == "ping": ping(a[0], float(a[1]))
    elif what == "datagram": datagram(a[0], float(a[1]), int(a[2]), *map(int, a[3:]))
    elif what == "chat": chat(a[0])
    elif what == "flood": flood(int(a[0]))
except OSError as e: print("nothing" if isinstance(e, TimeoutError) else "refused" if isinstance(e, ConnectionRefusedError) else e)
PY
for z in "$a" "$b" "$d"; do
	zlogin "$z" 'cat >/root/net.py' <net.py
	inside "$z" 'setsid python3 /root/net.py serve >/dev/null 2>&1 &'
	await 30 inside "$z" 'test -e /root/ready' || not_ok "a server" "it does not come up"
done
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
