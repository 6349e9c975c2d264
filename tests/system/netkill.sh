#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# SIGKILL of every process of ours under traffic: a steady sender loses nothing and nothing comes twice, a port is closed
# until it is whole, and what a killed command has left goes with the next.
. "$(dirname "$0")/lib.sh"
need_root
node netkill
pool
for p in nsenter ip tc; do command -v "$p" >/dev/null || skip "needs $p"; done

check "an etherstub" nictagadm add -l stub0
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:02:0$1\",\"ips\":[\"10.9.2.$1/24\"${2:-}]}]"; }
mkzone a k1 "$(nic 1)"
mkzone b k2 "$(nic 2)"
inside() { zlogin "$@" </dev/null; }

# Numbers, one a millisecond; whoever counts them knows which are missing and which came twice.
cat >steady.py <<'PY'
import os, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "take":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind(("10.9.2.2", 7))
    print("ready", flush=True)
    seen, twice = set(), 0
    while True:
        n, = struct.unpack("!I", s.recv(100))
        if n == 0xffffffff:
            break
        twice += n in seen
        seen.add(n)
    print("got", len(seen), "twice", twice, flush=True)
else:
    s.connect(("10.9.2.2", 7))
    n = 0
    while not os.path.exists("/root/stop"):
        s.send(struct.pack("!I", n))
        n += 1
        if n == 100:
            print("going", flush=True)
        time.sleep(0.001)
    time.sleep(0.2)
    s.send(struct.pack("!I", 0xffffffff))
    print("sent", n, flush=True)
PY
for z in "$a" "$b"; do zlogin "$z" 'cat >/root/steady.py' <steady.py; done
: >take.out
: >send.out
zlogin "$b" 'python3 /root/steady.py take >/root/take.out 2>&1 &' </dev/null
check "the receiver is there" await 20 inside "$b" 'grep -q ready /root/take.out'
zlogin "$a" 'python3 /root/steady.py send >/root/send.out 2>&1 &' </dev/null
check "the sender sends" await 20 inside "$a" 'grep -q going /root/send.out'

in_switch() { nsenter --net="$NODE_RUN/net/ns" "$@"; }
links() { in_switch ip -o link show | grep -o 'z[0-9]*n[0-9]*' | sort -u; }
ports() { cloister net status -p | wc -l; }
newest() { links | sort -V | tail -1; }
is_up() { in_switch ip -o link show dev "$1" | grep -q '[<,]UP[,>]'; }
has_program() { in_switch tc qdisc show dev "$1" ingress | grep -q 'ingress_block 1 '; }
stopped() { grep -q '^State:.*T' "/proc/$1/status"; }
u=be000000-0000-4000-8000-000000000003
vm() { echo "{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\",\"max_lwps\":100,$(nic 3 ',"10.9.2.13/32","10.9.2.14/32","10.9.2.15/32","10.9.2.16/32"')}"; }
gone() { check "the next command clears up" vmadm update "$b" "alias=k$RANDOM"; await 20 eval '[ "$(ports)" = 2 ]'; }

like "by clsact" "$(cloister net status)" 'by clsact'
check "the block has the program" eval 'in_switch tc filter show block 1 | grep -q from_vnic'

# halted between two steps, looked at, and killed there
for at in nic-link nic-program nic-port nic-up; do
	CLOISTER_FAIL=$at:stop vmadm create <<<"$(vm)" >/dev/null 2>&1 &
	pid=$!
	check "$at: create halts there" await 20 stopped "$pid"
	l=$(newest)
	case $at in
	nic-link) check_not "S24 its port is closed" is_up "$l" ;;
	nic-program | nic-port)
		check_not "S24 its port is closed" is_up "$l"
		check "S24 and behind the program" has_program "$l"
		;;
	nic-up) check "S24 it is open behind the program" has_program "$l" ;;
	esac
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	gone
	check_not "no VM" vmadm get "$u"
	check "no port of it" await 20 eval '[ "$(ports)" = 2 ]'
	check "nor its link" await 20 eval '[ "$(links | wc -l)" = 2 ]'
done

# the same when one goes
for at in nic-flood nic-forget; do
	check "create" vmadm create <<<"$(vm)"
	CLOISTER_FAIL=$at:kill vmadm stop -F "$u" >/dev/null 2>&1
	check "killed at $at of its stop: the next goes on" vmadm delete "$u"
	check "no port of it" await 20 eval '[ "$(ports)" = 2 ]'
	check "nor its link" await 20 eval '[ "$(links | wc -l)" = 2 ]'
done
map() { bpftool map dump pinned "$NODE_RUN/net/bpf/$1" 2>/dev/null | grep -cE '^key|"key"'; }
if command -v bpftool >/dev/null; then
	# two and how many they are; the second time the last had been in the list twice
	eq "nothing of it is in the list of a broadcast" "$(map flood)" 3
	eq "nor among addresses" "$(map fdb) $(map neighbours) $(map addrs) $(map counters)" "2 2 0 2"
fi

# keeper and worker of both
for z in "$a" "$b"; do
	kill -KILL "$(cat "$NODE_RUN/$z/worker" 2>/dev/null | grep -o '[0-9]*' | head -1)" 2>/dev/null
	kill -KILL "$(awk '$1 == "keeper" {print $2}' "$NODE_RUN/$z/zone")"
done
# an upgrade of the program, killed in its middle, and whole
timeout -s KILL 0.02 cloister net upgrade >/dev/null 2>&1
check "the program is replaced" cloister net upgrade

before=$(inside "$a" 'cat /root/send.out')
unlike "it was sending all the while" "$before" sent
check "stop it" inside "$a" 'touch /root/stop'
check "the sender ends" await 20 inside "$a" 'grep -q sent /root/send.out'
check "the receiver too" await 20 inside "$b" 'grep -q got /root/take.out'
sent=$(inside "$a" 'sed -n "s/^sent //p" /root/send.out')
eq "no packet of $sent was lost, none came twice" "$(inside "$b" 'sed -n "s/^got //p" /root/take.out')" "$sent twice 0"
for z in "$a" "$b"; do check "delete" vmadm delete "$z"; done
eq "no ports" "$(ports)" 0
