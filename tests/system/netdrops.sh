#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# waits
# What the switch drops as events: only where it is asked for, one zone's flood beside another's single frame, a killed worker, hostile bytes.
. "$(dirname "$0")/lib.sh"
need_root
node netdrops
pool

check "an etherstub" nictagadm add -l stub0
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:09:0$1\",\"ips\":[\"10.9.9.$1/24\",\"fd00:99::$1/64\"]}]"; }
OWN=5d0f1f0e-64a2-4c43-9a6f-8f0f4b9f3a11
mkzone a pa "$(nic 1),\"owner_uuid\":\"$OWN\""
mkzone b pb "$(nic 2),\"owner_uuid\":\"$OWN\",\"firewall_enabled\":true"
mkzone d pd "$(nic 3),\"owner_uuid\":\"$OWN\""
inside() { zlogin "$@" </dev/null; }
cat >send.py <<'PY'
# frames N KIND: N frames of net0 to zone b, or lies
import socket, struct, sys
me, n, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("net0", 0))
mac = lambda i: bytes([2, 8, 32, 0, 9, i])
def udp(src, port): return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton("10.9.9.2")) + struct.pack("!HHHH", 1000, port, 8, 0)
for i in range(n):
    if kind == "many": f = b"\x08\0" + udp("10.9.9.%d" % me, i % 60000 + 1)
    elif kind == "lie": f = b"\x08\0" + udp("10.9.9.77", 53)
    elif kind == "junk": f = b"\x88\xb5" + b'"}],\n\x1b[31m\\u0000\xff\x00' * 6
    else: f = b"\x08\0" + udp("10.9.9.%d" % me, int(kind))
    s.send(mac(2) + mac(me) + f)
PY
for z in "$a" "$b" "$d"; do zlogin "$z" 'cat >/root/send.py' <send.py; done
send() { inside "$1" "python3 /root/send.py $2 $3 $4"; } # zone its-number how-many kind
packets() { vmadm events -jr "$1" | jq -c --arg t "${2:-drop}" 'select(.type == $t) | .detail.packets[]'; }
told() { packets "$1" "${3:-drop}" | jq -se "map(select($2)) | length > 0" >/dev/null; }
sum() { packets "$1" | jq -s "map(select($2).count) | add // 0"; }

# counted it is in any case
send "$a" 1 2 40
send "$a" 1 2 lie
eq "what the receiver's firewall refused" "$(vmadm info "$b" | jq -c '.nics[0] | [.interface, .mac, .dropped["fw-in"]]')" '["net0","02:08:20:00:09:02",2]'
eq "what the sender may not send" "$(vmadm info "$a" | jq -c '.nics[0].dropped["ip-nospoof"]')" 2
like "what it has sent" "$(vmadm info "$a" | jq '.nics[0].sent_packets')" '^[1-9]'

# nobody has asked
send "$a" 1 3 41
send "$a" 1 3 lie
sleep 4
eq "nothing is told where nobody asked" "$(packets "$a"; packets "$b")" ""

# a VM's, live
check "log_drops of the receiver" vmadm update "$b" log_drops=true
eq "which is a property" "$(vmadm get "$b" | jq .log_drops)" true
send "$a" 1 3 42
check "what its firewall drops" await 20 told "$b" '.reason == "fw-in" and .from == "10.9.9.1" and .to == "10.9.9.2" and .to_port == 42 and .protocol == "udp"'
eq "each of them" "$(sum "$b" '.to_port == 42')" 3
eq "what was before is not there" "$(sum "$b" '.to_port == 41')" 0
eq "nor is there anything of the sender's" "$(packets "$a")" ""
check "log_drops of the liar" vmadm update "$a" log_drops=true
send "$a" 1 2 lie
check "what it may not send" await 20 told "$a" '.reason == "ip-nospoof" and .from == "10.9.9.77" and .nic == "net0" and .from_mac == "02:08:20:00:09:01"'

# bytes of a zone are no text
send "$a" 1 1 junk
check "a frame of another protocol" await 20 told "$a" '.ethertype == "0x88b5"'
unlike "nothing of its bytes is in the log" "$(vmadm events -r "$a" | cat -v)" '\^\[|\[31m'
check "each line is JSON" test "$(vmadm events -jr | jq -s length)" = "$(vmadm events -jr | wc -l)"

# a flood is a few lines, and hides nobody else
check "off again for the sender" vmadm update "$a" log_drops=false
n0=$(vmadm events -jr "$b" | wc -l)
inside "$a" 'setsid python3 /root/send.py 1 60000 many >/dev/null 2>&1 &'
send "$d" 3 1 4711
check "one frame of another zone beside a flood" await 30 told "$b" '.from == "10.9.9.3" and .to_port == 4711'
await 60 eval '[ "$(inside "$a" "pgrep -f send.py" | wc -l)" = 0 ]'
sleep 12
send "$a" 1 1 43
check "what the flood was too much for is counted" await 30 eval 'vmadm events -jr "$b" | jq -se "any(.detail.not_logged > 10000)" >/dev/null'
le "and it is a few events" "$(($(vmadm events -jr "$b" | wc -l) - n0))" 15
eq "none of it is the sender's" "$(packets "$a" | jq -c 'select(.reason == "fw-in")')" ""

# a worker that is killed: what came meanwhile is told by the next
pid=$(awk '{print $1}' "$NODE_RUN/$b/worker")
kill -STOP "$pid"
send "$d" 3 2 4712
kill -KILL "$pid"
check "what came while the worker was away" await 40 told "$b" '.to_port == 4712 and .count == 2'

# rules
check "off" vmadm update "$b" log_drops=false
r=$(fwadm add -j -e --log -O "$OWN" "FROM any TO vm $b BLOCK udp PORT 55" | jq -r '.rules[0].uuid')
eq "a rule that logs" "$(fwadm get "$r" | jq .log)" true
w=$(fwadm add -j -e --log -O "$OWN" "FROM any TO vm $b ALLOW udp PORT 56" | jq -r '.rules[0].uuid')
for p in 55 56 57; do send "$d" 3 1 $p; done
check "what it blocks, with its uuid" await 30 told "$b" ".to_port == 55 and .rule == \"$r\""
check "what another one lets in" await 30 told "$b" ".to_port == 56 and .rule == \"$w\"" allow
eq "and nothing else" "$(sum "$b" '.to_port == 57')" 0
check "no more" fwadm update "$r" --no-log
eq "it says so" "$(fwadm get "$r" | jq '.log // false')" false
sleep 3
send "$d" 3 1 55
sleep 4
eq "one line of it there is, and no second" "$(sum "$b" '.to_port == 55')" 1

# the next life
check "again" vmadm update "$b" log_drops=true
check "a reboot" vmadm reboot "$b"
send "$d" 3 1 4713
check "is told of too" await 40 told "$b" '.to_port == 4713'
for z in "$a" "$b" "$d"; do check "delete" vmadm delete "$z"; done
