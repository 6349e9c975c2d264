#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# What VNICs carried: kstat's link module, zonestat's columns, and the hours of cloister usage, each byte once.
. "$(dirname "$0")/lib.sh"
need_root
node netstat
pool

server=
trap 'rc=$?; kill $server 2>/dev/null; (exit $rc); t_exit' EXIT
inside() { zlogin "$@" </dev/null; }
check "an etherstub" nictagadm add -l stub0
eq "no links yet" "$(kstat -p link)" ""
nic() { echo "{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:00:0$1\",\"ips\":[\"10.9.$2.$1/24\"]}"; }
mkzone a s1 "\"nics\":[$(nic 1 0),$(nic 3 1)]"
mkzone b s2 "\"nics\":[$(nic 2 0),$(nic 4 1)]"
cat >udp.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "serve":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind(("0.0.0.0", 9))
    print("ready", flush=True)
    while True:
        d, who = s.recvfrom(2000)
        s.sendto(b"x" * 100, who)
s.settimeout(10)
for i in range(int(sys.argv[3])):
    s.sendto(b"x" * 1000, (sys.argv[2], 9))
    s.recv(2000)
PY
for z in "$a" "$b"; do zlogin "$z" 'cat >/root/udp.py' <udp.py; done
inside "$b" 'python3 /root/udp.py serve' >served 2>&1 &
server=$!
await 20 grep -q ready served

ks() { kstat -p "link:*:$1_$2:$3" | cut -f2; }
check "200 datagrams" inside "$a" 'python3 /root/udp.py ask 10.9.0.2 200'
id=$(vmadm get "$a" | jq .zoneid)
like "the name" "$(kstat -p link:::obytes64 | grep "$a")" "^link:$id:${a}_net0:obytes64"
le "sent: 200 of 1042 bytes at least" 208400 "$(ks "$a" net0 obytes64)"
le "and little more" "$(ks "$a" net0 obytes64)" 216000
le "received: 200 of 142" 28400 "$(ks "$a" net0 rbytes64)"
le "packets" 200 "$(ks "$a" net0 opackets64)"
eq "what one sends the other receives" "$(($(ks "$b" net0 rbytes64) >= 208400))" 1
eq "the other NIC carried none of it" "$(($(ks "$a" net1 obytes64) < 10000))" 1
eq "in order" "$(kstat -p link | cut -f1)" "$(kstat -p link | cut -f1 | sort -t: -k2,2n -k3,3 -k4,4)"
# drops by reason
cat >lie.py <<'PY'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("net0", 0))
for i in range(7): s.send(bytes.fromhex("020820000002" "020820000009") + b"\x08\x00" + bytes(46))
PY
zlogin "$a" 'cat >/root/lie.py' <lie.py
check "seven lies" inside "$a" 'python3 /root/lie.py'
eq "counted" "$(ks "$a" net0 drop_mac_nospoof)" 7
eq "as output errors too" "$(ks "$a" net0 oerrors)" 7

# zonestat
inside "$a" 'timeout 8 python3 /root/udp.py ask 10.9.0.2 1000000' >/dev/null 2>&1 &
flow=$!
read -r ra sa rb sb rt st <<<"$(zonestat -j 3 1 | jq -r --arg a "$a" --arg b "$b" '[(.zones[] | select(.uuid == $a) | .received, .sent), (.zones[] | select(.uuid == $b) | .received, .sent), .total.received, .total.sent] | @tsv')"
wait "$flow" 2>/dev/null # till it ends by itself: zlogin's end would not end it
le "zonestat: it sends" 10000 "$sa"
le "the other receives as much, nearly" "$(((sa - rb) * (sa > rb ? 1 : -1)))" "$((sa / 5 + 2000))"
le "and the sums are those of the zones" "$((rt - ra - rb))" 2
eq "columns for people" "$(zonestat -x 0.1 1 | head -1 | grep -o 'RECV *SENT')" "$(printf '%6s %6s' RECV SENT | sed 's/^ *//')"
check "a column by name" zonestat -o name,received,sent -s net 0.1 1

# accounting: each byte once
used() { cloister usage -j "$@" 2>/dev/null; }
sent() { used | jq --arg z "$1" '[.rows[] | select(.zone == $z) | .sent_bytes // 0] | add // 0'; }
now() { local n; n=$(sent "$1"); echo "${n:-0}"; }
k=$(($(ks "$a" net0 obytes64) + $(ks "$a" net1 obytes64)))
u=$(now "$a")
le "usage has what the counters have" "$((k > u ? k - u : u - k))" 3000
check "looking twice counts nothing twice" [ "$(($(now "$a") - u))" -lt 3000 ]
check "a NIC goes" vmadm update "$a" <<<'{"remove_nics":["02:08:20:00:00:03"]}'
check "and comes" vmadm update "$a" <<<"{\"add_nics\":[$(nic 3 1)]}"
le "its bytes are still there, once" "$(($(now "$a") - u < 0 ? 99999999 : $(now "$a") - u))" 6000
kill -KILL "$(cut -d' ' -f1 "$NODE_RUN/$a/worker")" 2>/dev/null
check "200 more" inside "$a" 'python3 /root/udp.py ask 10.9.0.2 200'
v=$(now "$a")
le "after a worker was killed: those 200" "$((v - u - 208400 < 0 ? 99999999 : v - u - 208400))" 12000
check "reboot" vmadm reboot "$a" -F
w=$(now "$a")
le "what was before is there, once" "$((w - v < 0 ? 99999999 : w - v))" 6000
check "200 more in its next life" inside "$a" 'python3 /root/udp.py ask 10.9.0.2 200'
x=$(now "$a")
le "are added" "$((x - w - 208400 < 0 ? 99999999 : x - w - 208400))" 12000
check "stop" vmadm stop "$a" -F
le "and stay" "$(($(now "$a") - x < 0 ? 99999999 : $(now "$a") - x))" 3000
for z in "$a" "$b"; do check "delete" vmadm delete "$z"; done
