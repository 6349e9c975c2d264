#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 120
# Resource controls: as the kernel holds them, and as busy programs feel them. First on cgroups alone, then, where
# zones can be made, through vmadm and prctl.
. "$(dirname "$0")/lib.sh"
need_root
node limits
cg=$T_BUILD/tests/system/cgroup_check
[ -x "$cg" ] || skip "cgroup_check is not built"
A=aaaaaaaa-0000-4000-8000-00000000000a B=bbbbbbbb-0000-4000-8000-00000000000b C=cccccccc-0000-4000-8000-00000000000c
value() { awk -v k="$1" '$1 == k {print $2}' <<<"$OUT"; } # name → number, from $OUT

# Numbers within tolerance, in percent. In an emulated machine (T_SLOW) the time that the host takes away is charged to
# whoever had the processor: three times the tolerance, of three times the seconds, and the best of three.
slow=${T_SLOW:+3}
within() { awk -v a="$1" -v b="$2" -v t="$(($3 * ${slow:-1}))" 'BEGIN {d = a - b; if (d < 0) d = -d; exit !(d <= b * t / 100)}'; } # got wanted percent
near() { # what got wanted percent
	if within "$2" "$3" "$4"; then ok "$1 ($2, wanted $3)"; else not_ok "$1" "got $2, wanted $3 within $4 %"; fi
}
ratio() { awk -v a="$(value "$1")" -v b="$(value "$2")" 'BEGIN {print (b ? a / b : 0)}'; }
hogs() { # what runs; seconds; what has to be near; arguments of cgroup_check
	local i what=$1 seconds=$(($2 * ${slow:-1})) good=$3
	for ((i = 1; ; i++)); do
		run "$cg" hogs "$seconds" "${@:4}"
		if [ "$RC" != 0 ] || [ $i -ge "${slow:-1}" ] || eval "$good"; then break; fi
		printf '# once more, it was not near: %s\n' "${OUT//$'\n'/, }"
	done
	if [ "$RC" = 0 ]; then ok "$what"; else not_ok "$what" "exit $RC"$'\n'"$OUT"; fi
}

# ---- CPU: three busy zones on one processor ----
hogs "hogs with shares 100, 200 and 400 run" 4 'within "$(ratio $B $A)" 2 10 && within "$(ratio $C $A)" 4 10' 0 $A:100:0:1 $B:200:0:1 $C:400:0:3
near "200 shares get twice what 100 get" "$(ratio $B $A)" 2 10
near "400 shares get four times that, whatever the number of processes" "$(ratio $C $A)" 4 10
hogs "a hog with a cap of 20 % runs" 3 'within "$(value $A)" 20 8' 1 $A:100:20:2
near "a cap of 20 % gives 20 %" "$(value $A)" 20 8
hogs "caps bind in idle time too, shares do not" 3 'within "$(value $A)" 15 8' 1 $A:1000:15:1 $B:10:0:1
near "1000 shares with a cap of 15 %" "$(value $A)" 15 8

# ---- memory ----
check "a zone's cgroups" "$cg" run $A true
check "64 MiB" "$cg" set $A memory 64M 64M
run "$cg" run $A python3 -c 'x = bytearray(200 << 20)'
eq "past the limit it is killed" "$RC" 137
run "$cg" usage $A
eq "the kernel counted the kill" "$(value oom_kills)" 1
eq "the limit is read back" "$(value memory_limit)" $((64 << 20))
"$cg" run $A python3 -c 'import signal; x = b"x" * (48 << 20); print("up", flush=True); signal.pause()' >up &
check "a program holds 48 MiB" await 20 grep -q up up
fails 1 'could not reclaim' "$cg" set $A memory 16M 16M
run "$cg" usage $A
eq "a limit that could not be had leaves the old one" "$(value memory_limit)" $((64 << 20))
check "up again, past the old swap limit" "$cg" set $A memory 512M 600M
check "it still runs, and ends with its cgroup" "$cg" destroy $A
wait
eq "nothing of it is left" "$(for d in $(node_cgroups "$NODE"); do ls -d "$d/$A"; done 2>/dev/null)" ""

# ---- processes and devices ----
check "a zone's cgroups" "$cg" run $B true
check "20 processes" "$cg" set $B pids 20
cat >forks.py <<-'END'
	import os, signal
	p = []
	try:
	    for i in range(40):
	        p.append(os.fork())
	        if p[-1] == 0:
	            signal.pause()
	except BlockingIOError:
	    print(len(p) + 1, "processes")
	for i in p:
	    os.kill(i, signal.SIGKILL)
END
run "$cg" run $B python3 forks.py
eq "the 21st fails" "$OUT" "20 processes"
check "the default devices open" "$cg" run $B bash -c ': >/dev/null; head -c1 /dev/urandom; : </dev/zero'
check_not "others do not" "$cg" run $B bash -c ': </dev/kmsg'
check "as many as you like again" "$cg" set $B pids 0
check "away" "$cg" destroy $B $C
check "and once more: nothing is there" "$cg" destroy $B

# ---- zones ----
if ! grep -qP '^vmadm\tcreate\t' <<<"$(cloister commands)"; then
	skip_check "limits of zones" "vmadm create is not there"
	exit 0
fi
pool
z=
mkzone z lim '"cpu_shares":250,"cpu_cap":50,"max_physical_memory":128,"max_swap":256,"max_lwps":300,"max_locked_memory":4' || exit 1
p() { prctl -P -t privileged -n "zone.$1" -i zone lim | awk 'NR > 1 {print $3}'; }
eq "prctl reads cpu-shares" "$(p cpu-shares)" 250
# what the kernel's scheduler is asked for, ns; 0: it has no slices of one's own
asks() {
	python3 -c '
import ctypes, struct, sys
b = ctypes.create_string_buffer(56)
if ctypes.CDLL(None).syscall({"x86_64": 315}.get(__import__("os").uname().machine, 275), int(sys.argv[1]), b, 56, 0) != 0:
    sys.exit("sched_getattr")
print(struct.unpack_from("Q", b, 24)[0])' "$1"
}
init=$(vmadm get "$z" | jq .pid) plain=$(asks 0)
if [ "$plain" -gt 0 ]; then
	eq "more shares than most: its programs ask for shorter time slices" "$(asks "$init")" 300000
	zlogin lim 'exec sleep 600' </dev/null >/dev/null 2>&1 &
	check "a login" await 20 cloister pgrep -z lim -x sleep
	login=$(cloister pgrep -z lim -x sleep)
	eq "those of logins too" "$(asks "$login")" 300000
	check "fewer shares" vmadm update "$z" cpu_shares=140
	eq "what runs asks for longer ones" "$(asks "$init") $(asks "$login")" "500000 500000"
	check "as many as most" vmadm update "$z" cpu_shares=100
	eq "what runs has the kernel's own" "$(asks "$init") $(asks "$login")" "$plain $plain"
	zlogin lim 'exec tail -f /dev/null' </dev/null >/dev/null 2>&1 &
	check "another login" await 20 cloister pgrep -z lim -x tail
	eq "has the kernel's own as well" "$(asks "$(cloister pgrep -z lim -x tail)")" "$plain"
	check "back" vmadm update "$z" cpu_shares=250
	eq "all of it again" "$(asks "$init") $(asks "$login")" "300000 300000"
	check "both logins end" cloister pkill -KILL -z lim 'sleep|tail'
	wait
fi
eq "prctl reads cpu-cap" "$(p cpu-cap)" 50
eq "prctl reads max-physical-memory" "$(p max-physical-memory)" $((128 << 20))
eq "prctl reads max-swap" "$(p max-swap)" $((256 << 20))
eq "prctl reads max-lwps" "$(p max-lwps)" 300
eq "prctl reads max-locked-memory" "$(p max-locked-memory)" $((4 << 20))
check "prctl sets cpu-cap" prctl -n zone.cpu-cap -r -v 25 -i zone lim
eq "it holds" "$(p cpu-cap)" 25
eq "and the record has it" "$(vmadm get "$z" | jq .cpu_cap)" 25
check "vmadm update sets shares, memory and processes at once" vmadm update "$z" cpu_shares=400 max_physical_memory=200 max_lwps=150
eq "shares" "$(p cpu-shares)" 400
fails 1 'cpu_shares: 0 is less than this host can weigh' vmadm update "$z" cpu_shares=0
eq "shares that can't be are not taken as others" "$(p cpu-shares) $(vmadm get "$z" | jq .cpu_shares)" "400 400"
fails 1 'cpu_shares: 0 is less' vmadm create <<<'{"brand":"joyent-minimal","alias":"none","cpu_shares":0}'
eq "memory" "$(p max-physical-memory)" $((200 << 20))
eq "processes" "$(p max-lwps)" 150
check "cpu_cap=0 takes the cap away" vmadm update "$z" cpu_cap=0
eq "no privileged value is left" "$(p cpu-cap)" ""
check "locked memory is lowered on what runs" vmadm update "$z" max_locked_memory=2
eq "in the kernel" "$(p max-locked-memory)" $((2 << 20))
fails 1 'whole number of MiB' prctl -n zone.max-swap -r -v 1000001 -i zone lim
fails 2 'no such resource control' prctl -n zone.nothing -i zone lim
check "stop" vmadm stop -F "$z"
fails 1 'No controllable process' prctl -i zone lim
eq "its cgroups are gone" "$(for d in $(node_cgroups "$NODE"); do ls -d "$d/$z"; done 2>/dev/null)" ""
check "delete" vmadm delete "$z"
