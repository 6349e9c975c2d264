#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# SIGKILL of fwadm, flowadm, dladm, net set and vmadm at any moment of what they change, and of the switch's responder, under traffic: what may pass
# loses nothing, what may not never passes, and the next command has what was left half done.
. "$(dirname "$0")/lib.sh"
need_root
node netkillcmd
pool
for p in nsenter ip tc python3; do command -v "$p" >/dev/null || skip "needs $p"; done

check "an etherstub" nictagadm add -l stub0
check "with a responder" cloister net set stub0 subnet=10.77.0.0/24 dhcp=on dns=on
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:03:0$1\",\"ips\":[\"10.77.0.20$1/24\"]}],\"firewall_enabled\":true"; }
mkzone a c1 "$(nic 1)"
mkzone b c2 "$(nic 2)"
mkzone d c3 '"nics":[{"nic_tag":"stub0","ips":["dhcp"]}]'
inside() { zlogin "$@" </dev/null; }
check "b takes UDP at port 7" fwadm add -g -e "FROM any TO vm $b ALLOW udp PORT 7"

# Numbers, one a millisecond: to port 7, which is open; to port 8, which is not; and to 7 from another's address.
cat >steady.py <<'PY'
import os, socket, struct, sys, time
udp = lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "take":
    s, none = udp(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind(("10.77.0.202", 7))
    none.bind(("net0", 0x800))
    none.setblocking(False)
    print("ready", flush=True)
    seen, twice, leaked = set(), 0, 0
    n = 0
    while n != 0xffffffff:
        n, = struct.unpack("!I", s.recv(100))
        twice += n in seen
        seen.add(n)
        try:
            while True:
                f = none.recv(200)
                leaked += len(f) > 38 and f[23] == 17 and (f[36:38] != b"\0\7" or f[26:30] != socket.inet_aton("10.77.0.201")) and f[6:12] == bytes.fromhex("020820000301")
        except BlockingIOError:
            pass
    print("got", len(seen) - 1, "twice", twice, "leaked", leaked, flush=True)
else:
    s, closed, raw = udp(), udp(), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.connect(("10.77.0.202", 7))
    closed.connect(("10.77.0.202", 8))
    lie = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 32, 0, 0, 64, 17, 0, socket.inet_aton("10.77.0.99"), socket.inet_aton("10.77.0.202"))
    n = 0
    while not os.path.exists("/root/stop"):
        s.send(struct.pack("!I", n))
        try:
            closed.send(b"none")
        except OSError:
            pass
        raw.sendto(lie + struct.pack("!HHHHI", 7, 7, 12, 0, n), ("10.77.0.202", 0))
        n += 1
        if n == 100:
            print("going", flush=True)
        time.sleep(0.001)
    time.sleep(0.2)
    s.send(struct.pack("!I", 0xffffffff))
    print("sent", n, flush=True)
PY
for z in "$a" "$b"; do zlogin "$z" 'cat >/root/steady.py' <steady.py; done
zlogin "$b" 'python3 /root/steady.py take >/root/take.out 2>&1 &' </dev/null
check "the receiver is there" await 20 inside "$b" 'grep -q ready /root/take.out'
zlogin "$a" 'python3 /root/steady.py send >/root/send.out 2>&1 &' </dev/null
check "the sender sends" await 20 inside "$a" 'grep -q going /root/send.out'

in_switch() { nsenter --net="$NODE_RUN/net/ns" "$@"; }
classes() { for w in shaper-out0 shaper-in0; do in_switch tc class show dev $w 2>/dev/null; done | wc -l; }
sets() { ! command -v bpftool >/dev/null || bpftool map dump pinned "$NODE_RUN/net/bpf/$1" 2>/dev/null | grep -cE '^key|"key"'; }
eq "no class yet" "$(classes)" 0
fw0="$(sets fw_sets) $(sets fw_zones)"

# Each command is killed at 24 moments of its life.
cut_short() { # what command…
	local i n=0
	for i in {1..24}; do
		{ timeout -s KILL "0.0$(printf %02d $((i * 2 - 1)))" "${@:2}" >cut.out 2>&1; } 2>/dev/null
		[ $? != 137 ] || n=$((n + 1))
	done
	# on a machine that is fast enough some end by themselves; all of them would show nothing
	check "$1: some of them were killed" test "$n" -gt 0
}
cut_short "add-flow" flowadm add-flow -z "$a" -l net0 -a transport=tcp,remote_port=99 -p maxbw=10M f1
run flowadm add-flow -z "$a" -l net0 -a transport=tcp,remote_port=99 -p maxbw=10M f1
eq "add-flow: it is there once" "$(flowadm show-flow -p -o flow)" f1
cut_short "set-flowprop" flowadm set-flowprop -p maxbw=20M f1
check "set-flowprop: again" flowadm set-flowprop -p maxbw=30M f1
like "set-flowprop: the kernel has it" "$(in_switch tc class show dev shaper-out0)" 'ceil 30Mbit'
cut_short "remove-flow" flowadm remove-flow -z "$a" f1
run flowadm remove-flow -z "$a" f1
eq "remove-flow: it is not there" "$(flowadm show-flow -p -o flow)" ""
check "remove-flow: another command of that VM" vmadm update "$a" alias=c1x
eq "remove-flow: nor its classes" "$(classes)" 0

# Cut off where no map names the classes, not yet or no more. A VNIC's go after those of its flows: with eight, one as good as always is found later than it.
CLOISTER_FAIL=shape-classes:kill flowadm add-flow -z "$d" -l net0 -a transport=udp,remote_port=1 -p maxbw=10M g1 >/dev/null 2>&1
eq "add-flow killed at shape-classes: they are there" "$(classes)" 12
check "add-flow killed at shape-classes: another command" vmadm update "$d" alias=c3x
eq "add-flow killed at shape-classes: those in force alone" "$(classes)" 12
CLOISTER_FAIL=shape-forget:kill flowadm remove-flow -z "$d" g1 >/dev/null 2>&1
eq "remove-flow killed at shape-forget: they are there" "$(classes)" 12
check "remove-flow killed at shape-forget: another command" vmadm update "$d" alias=c3
eq "remove-flow killed at shape-forget: none" "$(classes)" 0
for i in {1..8}; do flowadm add-flow -z "$d" -l net0 -a transport=udp,remote_port=$i -p maxbw=10M g$i; done
for at in shape-flag shape-forget; do
	CLOISTER_FAIL=$at:kill vmadm stop "$d" -F >/dev/null 2>&1
	await 10 eval '[ "$(vmstate "$d")" != running ]'
	eq "stop killed at $at: they are there" "$(classes)" 54
	check "stop killed at $at: start" vmadm start "$d"
	eq "stop killed at $at: those in force alone" "$(classes)" 54
done
check "all flows away" flowadm remove-flow -z "$d" all
eq "and their classes" "$(classes)" 0

cut_short "set-linkprop" dladm set-linkprop -z "$a" -p allowed-ips=10.77.0.210,10.77.0.211,10.77.0.212,10.77.0.213,10.77.0.214 net0
check "set-linkprop: again" dladm set-linkprop -z "$a" -p allowed-ips=10.77.0.215 net0
like "set-linkprop: it is what it is" "$(vmadm get "$a" | jq -c '.nics[0].allowed_ips')" '\["10.77.0.215"\]'
cut_short "update_nics" vmadm update "$a" update_nics='[{"mac":"02:08:20:00:03:01","allowed_ips":["10.77.0.216"]}]'
cut_short "add_nics" bash -c 'echo "{\"add_nics\":[{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:03:11\",\"ips\":[\"dhcp\"],\"maxbw\":7}]}" | exec vmadm update "$0"' "$a"
vmadm update "$a" <<<'{"remove_nics":["02:08:20:00:03:11"]}' >/dev/null 2>&1
check "add_nics: another command" vmadm update "$a" alias=c1y
eq "add_nics: it is gone with its classes and port" "$(vmadm get "$a" | jq '.nics | length') $(classes) $(cloister net status -p | wc -l)" "1 0 4"

cut_short "fwadm add" fwadm add -g -e "FROM any TO vm $b ALLOW tcp PORT 80"
cut_short "fwadm add of a tag" fwadm add -g -e "FROM tag role = web TO vm $b ALLOW tcp PORT 81"
cut_short "a tag" vmadm update "$a" set_tags='{"role":"web"}'
for r in $(fwadm list -p -o uuid,rule | grep -v 'udp PORT 7' | cut -d: -f1); do
	cut_short "fwadm disable" fwadm disable "$r"
	check "fwadm delete" fwadm delete "$r"
	break
done
for r in $(fwadm list -p -o uuid,rule | grep -v 'udp PORT 7' | cut -d: -f1); do
	timeout -s KILL 0.01 fwadm delete "$r" >/dev/null 2>&1
	fwadm delete "$r" >/dev/null 2>&1
done
check "no tag" vmadm update "$a" remove_tags='["role"]'
check "a rule, and away: what was left half done is done" eval 'fwadm add -g -e "FROM any TO vm $b ALLOW tcp PORT 82" && fwadm delete "$(fwadm list -p -o uuid,rule | sed -n "s/:.*PORT 82//p")"'
eq "fwadm: one rule" "$(fwadm list -p -o rule | wc -l)" 1
# nobody has the tag: a rule that names it lets nobody in, whatever a killed command has left in its set
check "fwadm: a rule for who has a tag that a had" fwadm add -g -e "FROM tag role = web TO vm $b ALLOW udp PORT 8"
eq "fwadm: its set is empty, and lists in the kernel are as they were" "$(sets fw_sets) $(sets fw_zones)" "$fw0"
check "fwadm: away with it" fwadm delete "$(fwadm list -p -o uuid,rule | sed -n "s/:.*PORT 8\$//p")"
cut_short "net set" cloister net set stub0 domain=example.net
check "net set: again" cloister net set stub0 domain=example.org
cut_short "net upgrade" cloister net upgrade

# the responder: its switch goes on, and the next command has it again
pid=$(awk '{print $1}' "$NODE_RUN"/net/netd/r*v0/pid)
kill -KILL "$pid"
check "the responder has died" await 5 eval '! kill -0 "$pid"'
check "another command" vmadm reboot "$d" -F
check "it is there again" await 10 eval 'p=$(awk "{print \$1}" "$NODE_RUN"/net/netd/r*v0/pid); [ "$p" != "$pid" ] && kill -0 "$p"'

unlike "it was sending all the while" "$(inside "$a" 'cat /root/send.out')" sent
check "stop it" inside "$a" 'touch /root/stop'
check "the sender ends" await 20 inside "$a" 'grep -q sent /root/send.out'
check "the receiver too" await 20 inside "$b" 'grep -q got /root/take.out'
sent=$(inside "$a" 'sed -n "s/^sent //p" /root/send.out')
eq "S24 S25 no packet of $sent was lost, none came twice, none that may not pass has passed" "$(inside "$b" 'sed -n "s/^got //p" /root/take.out')" "$sent twice 0 leaked 0"
for z in "$a" "$b" "$d"; do check "delete" vmadm delete "$z"; done
