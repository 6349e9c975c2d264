#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# The switch's program is replaced under running zones, and what one of them may have copied to all others is bounded.
. "$(dirname "$0")/lib.sh"
need_root
node netupgrade
pool

like "nothing to upgrade yet" "$(cloister net upgrade)" 'no switch'
check "an etherstub" nictagadm add -l stub0
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:01:0$1\",\"ips\":[\"10.9.1.$1/24\"]${2:-}}]"; }
mkzone a u1 "$(nic 1)"
mkzone b u2 "$(nic 2 ',"maxbw":1000')" # with programs at shaper wires too
inside() { zlogin "$@" </dev/null; }

# Question and answer, each waited for: whoever loses one frame says so.
cat >pp.py <<'PY'
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "serve":
    s.bind(("10.9.1.2", 7))
    print("ready", flush=True)
    while True:
        d, who = s.recvfrom(100)
        s.sendto(d, who)
s.settimeout(10)
s.connect(("10.9.1.2", 7))
n = 0
while not os.path.exists("/root/stop"):
    s.send(b"%d" % n)
    if s.recv(100) != b"%d" % n: sys.exit("not the answer")
    n += 1
    if n == 100: print("begun", flush=True)
print("done", n)
PY
for z in "$a" "$b"; do zlogin "$z" 'cat >/root/pp.py' <pp.py; done
inside "$b" 'exec python3 /root/pp.py serve' >served 2>&1 &
server=$!
check "a server" await 20 grep -q ready served
inside "$a" 'exec python3 /root/pp.py ask' >asked 2>&1 &
client=$!
check "traffic" await 20 grep -q begun asked
sent() { cloister net status -p | awk -F'\t' -v z="$a" '$1 == z {print $6}'; }
before=$(sent)
for i in {1..10}; do run cloister net upgrade; [ "$RC" = 0 ] || break; done
eq "ten upgrades under traffic" "$RC $OUT" "0 "

# another object of the same layout: taken by itself when the node boots
mkdir other && cp -a "$CLOISTER_LIBEXEC/." other/ && printf 'other' >>other/switch.bpf.o
sum=$(cat "$NODE_RUN/net/object")
check "boot with the same program" cloister boot
eq "which changes nothing" "$(cat "$NODE_RUN/net/object")" "$sum"
check "boot with another one" env CLOISTER_LIBEXEC="$PWD/other" cloister boot
check_not "which is the one that runs now" [ "$(cat "$NODE_RUN/net/object")" = "$sum" ]

# what sets hold is as the store says when the command ends, whoever has put it there
if command -v bpftool >/dev/null; then
	check "a rule" fwadm add -g -e "FROM tag role = web TO all vms ALLOW udp PORT 7"
	check "a tag" vmadm update "$b" set_tags='{"role":"web"}'
	members() { bpftool map dump pinned "$NODE_RUN/net/bpf/fw_sets" 2>/dev/null | grep -cE '^key|"key"'; }
	one_goes() { bpftool map delete pinned "$NODE_RUN/net/bpf/fw_sets" key hex $(bpftool -j map dump pinned "$NODE_RUN/net/bpf/fw_sets" | jq -r '.[0].key | map(ltrimstr("0x")) | join(" ")'); }
	m=$(members)
	check "an element goes, as if the last program had not known it" one_goes
	check "upgrade" cloister net upgrade
	eq "the set has it" "$(members)" "$m"
	check "once more" one_goes
	check "boot with another program" eval 'printf more >>other/switch.bpf.o; CLOISTER_LIBEXEC="$PWD/other" cloister boot'
	eq "the set has it" "$(members)" "$m"
	check "away with the rule" fwadm delete "$(fwadm list -p -o uuid)"
fi

# another layout, though no size differs: refused, and nothing changes
if command -v clang >/dev/null; then
	cp -r "$T_SRC/src/bpf" layout
	sed -i 's/__u8 vrrp; .*/__u8 n4;/; t; s/^\t__u8 n4;/\t__u8 vrrp;/' layout/switch.h
	check "an object of another layout" clang -O2 -g -std=gnu17 -target bpf -mcpu=v3 -I"/usr/include/$(uname -m)-linux-gnu" -c layout/switch.bpf.c -o other/switch.bpf.o
	sum=$(cat "$NODE_RUN/net/object")
	fails 1 'another form \(map ports\)' env CLOISTER_LIBEXEC="$PWD/other" cloister net upgrade
	check "boot goes on with the old one, and says so" env CLOISTER_LIBEXEC="$PWD/other" cloister boot
	like "by name" "$OUT" 'another form \(map ports\)'
	eq "which still runs" "$(cat "$NODE_RUN/net/object")" "$sum"
	# nor of what lies in maps in maps, of which the kernel keeps no types
	cp "$T_SRC/src/bpf/switch.h" layout/
	sed -i 's/^\t__u8 block;$/\t__u8 XX;/; s/^\t__u8 peer; .*/\t__u8 block;/; s/XX/peer/' layout/switch.h
	check "an object that reads rules otherwise" clang -O2 -g -std=gnu17 -target bpf -mcpu=v3 -I"/usr/include/$(uname -m)-linux-gnu" -c layout/switch.bpf.c -o other/switch.bpf.o
	fails 1 'another form \(map inner_layout\)' env CLOISTER_LIBEXEC="$PWD/other" cloister net upgrade
	eq "nothing changes" "$(cat "$NODE_RUN/net/object")" "$sum"
else
	skip_check "an object of another layout" "needs clang"
fi
check "back to ours" cloister net upgrade
zlogin "$a" 'touch /root/stop' </dev/null
wait "$client"
like "no frame was lost" "$(cat asked)" 'done [0-9]+$'
check "counters went on" [ "$(sent)" -gt "$((before + 0))" ]
kill "$server"
wait "$server" 2>/dev/null

# ---- a flood of broadcasts ----
cat >flood.py <<'PY'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("net0", 0))
f = b"\xff" * 6 + bytes.fromhex("020820000101") + b"\x08\x06" + bytes.fromhex("0001080006040001" "020820000101" "0a090101" "000000000000" "0a0901c8")
for i in range(200000): s.send(f)
PY
zlogin "$a" 'cat >/root/flood.py' <flood.py
dropped() { cloister net status -p | awk -F'\t' -v z="$a" '$1 == z {print $10}' | tr , '\n' | sed -n "s/^broadcast-rate=//p"; }
recv() { cloister net status -p | awk -F'\t' -v z="$b" '$1 == z {print $8}'; }
n=$(recv) t=$EPOCHREALTIME
check "a zone may send 200,000 broadcasts" inside "$a" 'exec python3 /root/flood.py'
t=$(awk -v a="$t" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}')
le "the neighbour gets what a second and the bucket allow" $(($(recv) - n)) "$(awk -v t="$t" 'BEGIN {print int(20000 * (t + 1) + 100)}')"
check "the rest is counted by its own name" [ "$(dropped)" -ge 1 ]
for z in "$a" "$b"; do check "delete" vmadm delete "$z"; done
