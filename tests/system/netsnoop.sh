#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# cloister snoop: both directions of one VNIC and of no other, filters, and that it ends when it should and leaves nothing.
. "$(dirname "$0")/lib.sh"
need_root
node netsnoop
pool

pids=()
trap 'rc=$?; kill "${pids[@]}" 2>/dev/null; (exit $rc); t_exit' EXIT
inside() { zlogin "$@" </dev/null; }
check "an etherstub" nictagadm add -l stub0
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:00:0$1\",\"ips\":[\"10.9.0.$1/24\",\"fd00:9::$1/64\"]}]"; }
mkzone a w1 "$(nic 1)"
mkzone b w2 "$(nic 2)"
mkzone d w3 "$(nic 3)"
cat >udp.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
if sys.argv[1] == "serve":
    s.bind(("::", 9))
    print("ready", flush=True)
    while True:
        d, who = s.recvfrom(2000)
        s.sendto(b"answer" + d, who)
s.settimeout(10)
to = sys.argv[2]
for i in range(int(sys.argv[3])):
    s.sendto(b"question %d" % i, ("::ffff:" + to if "." in to else to, 9))
    s.recv(2000)
PY
# each frame as "in|out length kind"
cat >read.py <<'PY'
import struct, sys
f = open(sys.argv[1], "rb").read()
at = 0
while at + 12 <= len(f):
    kind, n = struct.unpack_from("=II", f, at)
    assert n % 4 == 0 and n >= 12 and struct.unpack_from("=I", f, at + n - 4)[0] == n, "a broken block"
    if kind == 6:
        have, whole = struct.unpack_from("=II", f, at + 20)
        p = f[at + 28:at + 28 + have]
        o = at + 28 + (have + 3) // 4 * 4
        assert struct.unpack_from("=HH", f, o) == (2, 4)
        way = {1: "in", 2: "out"}[struct.unpack_from("=I", f, o + 4)[0]]
        what = "other"
        if p[12:14] == b"\x08\x00" and len(p) > 23: what = "udp" if p[23] == 17 else "ip"
        if p[12:14] == b"\x86\xdd" and len(p) > 20: what = "udp6" if p[20] == 17 else "ip6"
        if p[12:14] == b"\x08\x06": what = "arp"
        print(way, have, whole, what, "Q" if b"question" in p and b"answer" not in p else "A" if b"answer" in p else "-")
    if kind == 5: print("end")
    at += n
assert at == len(f), "cut off"
PY
for z in "$a" "$b" "$d"; do zlogin "$z" 'cat >/root/udp.py' <udp.py; done
for z in "$b" "$a"; do
	inside "$z" 'python3 /root/udp.py serve' >"served.$z" 2>&1 &
	pids+=($!)
	await 20 grep -q ready "served.$z"
done
ask() { inside "$1" "python3 /root/udp.py ask $2 $3"; }
start() { # file args…: in the background, until it listens
	local f=$1
	shift
	cloister snoop -o "$f" "$@" 2>"$f.err" &
	snoop=$!
	pids+=("$snoop")
	await 10 grep -q 'snooping on' "$f.err"
}
finish() { kill -INT "$snoop" && wait "$snoop"; }
count() { python3 read.py "$1" | grep -cE "$2"; }

fails 1 'does not exist' cloister snoop nope0
fails 1 '3 zones have a link net0' cloister snoop -o x net0
fails 1 'unknown|No such' cloister snoop -o x nope/net0
fails 2 'is not known' cloister snoop -o x w1/net0 colour red
fails 2 '14 to' cloister snoop -s 5 w1/net0

check "it starts" start one w1/net0
check "five questions, IPv4" ask "$a" 10.9.0.2 5
check "and IPv6" ask "$a" fd00:9::2 3
check "others talk" ask "$d" 10.9.0.2 4
check "SIGINT ends it" finish
eq "five went out" "$(count one '^out .* udp Q')" 5
eq "five came in, whose way has no queue in between" "$(count one '^in .* udp A')" 5
eq "three of each by IPv6" "$(count one '^out .* udp6 Q') $(count one '^in .* udp6 A')" "3 3"
eq "no frame of others" "$(count one ' udp ')" 10
eq "with an end" "$(count one '^end')" 1
like "which it says" "$(cat one.err)" '^[0-9]+ frames$'
if command -v tcpdump >/dev/null; then
	eq "tcpdump reads it" "$(tcpdump -nr one udp and ip 2>/dev/null | wc -l)" 10
else
	skip_check "tcpdump reads it" "no tcpdump"
fi
check "who is asked" start two -z "$b" net0 udp and dst port 9
check "questions" ask "$a" 10.9.0.2 6
check "it ends" finish
eq "by filter, received" "$(count two '^in .* udp Q')" 6
eq "and nothing else" "$(count two ' udp | arp |ip')" 6
check "the first bytes" start three -s 60 -c 3 w1/net0 udp
check "questions" ask "$a" 10.9.0.2 6
check "ends by itself after three" wait "$snoop"
eq "60 bytes of them" "$(count three '^(in|out) (60|5[0-9]) ')" 3
# what is dropped later shows as sent, a frame past the queues too
cat >lie.py <<'PY'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
try: s.setsockopt(263, 20, 1) # PACKET_QDISC_BYPASS, where a zone may
except OSError: pass
s.bind(("net0", 0))
for i in range(7): s.send(bytes.fromhex("020820000002" "020820000009") + b"\x08\x00" + bytes(46))
PY
zlogin "$a" 'cat >/root/lie.py' <lie.py
check "it starts" start four w1/net0 ether src 02:08:20:00:00:09
check "frames that the switch drops" inside "$a" 'python3 /root/lie.py'
check "it ends" finish
eq "are seen" "$(count four '^out')" 7

# ends
mkfifo pipe
cloister snoop -o pipe w1/net0 2>pipe.err &
snoop=$! && pids+=("$snoop")
head -c 1 pipe >/dev/null
check "a reader that goes ends it" wait "$snoop"
check "it starts" start five w1/net0
kill -KILL "$snoop"
wait "$snoop" 2>/dev/null
eq "killed, it leaves no socket in the zone" "$(inside "$a" 'tail -n +2 /proc/net/packet | wc -l')" 0
eq "nor in the switch" "$(nsenter --net="$NODE_RUN/net/ns" cat /proc/net/packet | tail -n +2 | wc -l)" 0
check "traffic goes on" ask "$a" 10.9.0.2 3
check "it starts" start six w1/net0
check "the zone stops" vmadm stop "$a" -F
check "which ends it" wait "$snoop"
eq "with a whole file" "$(count six '^end')" 1
# a reader that stands still
mkfifo slow
check "start" vmadm start "$a"
cloister snoop -o slow w1/net0 2>slow.err &
snoop=$! && pids+=("$snoop")
exec 7<slow
await 10 grep -q 'snooping on' slow.err
inside "$b" 'true'
for i in 1 2 3; do ask "$b" 10.9.0.1 1 >/dev/null 2>&1 & done
kill -TERM "$snoop"
check "SIGTERM ends it while its reader stands still" wait "$snoop"
exec 7<&-
for z in "$a" "$b" "$d"; do check "delete" vmadm delete "$z"; done
