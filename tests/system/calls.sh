#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# What system calls tell a zone of itself: sched_getaffinity(2) and sysinfo(2), answered by its worker.
# timeout: 300
. "$(dirname "$0")/lib.sh"
need_root
calls=$T_BUILD/tests/system/calls
[ -x "$calls" ] || skip "calls is not built"
node calls
pool
cpus=$(nproc)

mkzone z a1 '"max_physical_memory":256,"cpu_cap":50' || exit 1
mkzone y a2 '"max_physical_memory":320' || exit 1
for x in "$z" "$y"; do zlogin "$x" 'cat >/root/calls && chmod 755 /root/calls' <"$calls"; done
in_z() { timeout 60 zlogin "$z" "$@"; }
in_y() { timeout 60 zlogin "$y" "$@"; }
worker() { cut -d' ' -f1 "$NODE_RUN/$1/worker"; }
keeper() { sed -n 's/^keeper \([0-9]*\).*/\1/p' "$NODE_RUN/$1/zone"; }
hand() { pgrep -P "$(worker "$1")" -f -- '--worker' | head -1; }
listeners() { ls -l "/proc/$1/fd" | grep -c 'seccomp notify'; } # pid
[ "$(listeners "$(keeper "$z")")" -ge 1 ] || skip "this kernel has no filter whose calls wait for their answer (Linux 5.19)"

# ---- processors ----
eq "nproc of a cap of 50" "$(in_z nproc)" 1
eq "without a cap it is what it may run on" "$(in_y nproc)" "$cpus"
eq "the same one as in /sys" "$(in_z /root/calls mask)" "$(in_z cat /sys/devices/system/cpu/online) "
eq "getconf" "$(in_z getconf _NPROCESSORS_ONLN)" 1
if in_z command -v python3 >/dev/null; then
	eq "python" "$(in_z "python3 -c 'import os; print(len(os.sched_getaffinity(0)))'")" 1
fi
if in_z command -v taskset >/dev/null; then
	eq "taskset of itself" "$(in_z 'taskset -cp $$' | sed 's/.*: //')" "$(in_z cat /sys/devices/system/cpu/online)"
	# before Linux 6.11 the kernel itself answers for another process: docs/limits.md
	if [ "$(uname -r | awk -F. '{print $1 * 1000 + $2}')" -ge 6011 ]; then
		eq "taskset of another" "$(in_z taskset -cp 1 | sed 's/.*: //')" "$(in_z cat /sys/devices/system/cpu/online)"
	fi
fi
eq "a process that is not there" "$(in_z /root/calls cpus 999999)" "errno 3"
eq "a process of the host" "$(in_z /root/calls cpus $$)" "errno 3"
eq "pinned to one it sees that one" "$(in_y /root/calls pinned)" 1
for cap in 100 101 150 0; do
	want=$(((cap + 99) / 100))
	[ $want != 0 ] && [ $want -lt "$cpus" ] || want=$cpus
	vmadm update "$z" cpu_cap=$cap >/dev/null
	eq "live: the next call after a cap of $cap" "$(in_z nproc)" "$want"
done
vmadm update "$z" cpu_cap=50 >/dev/null
eq "live: and after 50 again" "$(in_z nproc)" 1
if command -v java >/dev/null && in_z test -x "$(readlink -f "$(command -v java)")"; then
	like "a JVM" "$(in_z java -Xshare:off -Xlog:gc+init -version 2>&1)" 'CPUs: [0-9]+ total, 1 available'
fi

# ---- memory, load, uptime ----
value() { tr ' ' '\n' | sed -n "s/^$1=//p"; }
info=$(in_z /root/calls sysinfo)
eq "sysinfo: the cap" "$(value total <<<"$info")" $((256 << 20))
le "sysinfo: free is less" "$(value free <<<"$info")" $((256 << 20))
le "sysinfo: what is free there is free in /proc" $((($(value free <<<"$info") / 1024 - $(in_z cat /proc/meminfo | awk '/MemFree/ {print $2}')))) 4096
le "sysinfo: its own threads" "$(value procs <<<"$info")" 20
le "sysinfo: its own uptime" "$(value up <<<"$info")" $(($(in_z cat /proc/uptime | cut -d. -f1) + 1))
le "sysinfo: which is not the host's" "$(value up <<<"$info")" $(($(cut -d. -f1 /proc/uptime) - 1))
eq "another zone has its own" "$(in_y /root/calls sysinfo | value total)" $((320 << 20))
eq "sysconf(_SC_PHYS_PAGES)" "$(in_z getconf _PHYS_PAGES)" 65536
le "sysconf(_SC_AVPHYS_PAGES)" "$(in_z getconf _AVPHYS_PAGES)" 65536
in_z dd if=/dev/zero of=/tmp/f bs=1M count=64 2>/dev/null
le "what it writes to /tmp is in sysinfo's shared memory" $((64 << 20)) "$(in_z /root/calls sysinfo | value shared)"
in_z rm /tmp/f
if in_z command -v busybox >/dev/null; then
	adds_up() { [ "$(in_z busybox free -k | awk '/^Mem/ {print $2, ($3 < $2), ($4 < $2)}')" = "262144 1 1" ]; }
	check "free of busybox" await 5 adds_up
	like "uptime of busybox" "$(in_z busybox uptime)" 'up +[0-9]+ min.*load average: [0-9]\.'
fi

# ---- as exact as the kernel ----
for x in z y; do
	check "edges ($x)" timeout 60 zlogin "${!x}" /root/calls edges
	narrow=$(timeout 60 zlogin "${!x}" /root/calls narrow)
	[ "$narrow" = none ] || eq "32-bit programs ($x)" "$narrow" "cpus=$(zlogin "${!x}" nproc) total=$([ $x = z ] && echo $((256 << 20)) || echo $((320 << 20))) unit=1"
done
check "into a page that its own worker has to bring" in_z /root/calls view
check "a listener in a zone's own filter is refused" in_z /root/calls nested
check "callers that are killed" in_z /root/calls killed 100
pid=$(hand "$z")
if check "the hand that writes is there" test -n "$pid"; then
	eq "it has no capability" "$(grep -E '^Cap(Prm|Eff|Amb)' "/proc/$pid/status" | awk '{print $2}' | sort -u)" 0000000000000000
	eq "it is the zone's first id" "$(awk '/^Uid/ {print $2, $3, $4, $5}' "/proc/$pid/status" | tr ' ' '\n' | sort -u)" "$(stat -c %u "/proc/$(sed -n 's/^init \([0-9]*\).*/\1/p' "$NODE_RUN/$z/zone")")"
	eq "and has nothing open" "$(ls -l "/proc/$pid/fd" | grep -c -v -e 'total' -e 'eventfd')" 0
fi

# ---- logins ----
one() { [ "$(listeners "$(keeper "$1")")" = 1 ] && [ "$(listeners "$(worker "$1")")" = 1 ]; }
check "listeners of logins go with them" await 5 one "$z"
in_z 'setsid sh -c "sleep 2; nproc >/tmp/late; sleep 100" >/dev/null 2>&1 </dev/null &'
late() { [ "$(in_z cat /tmp/late)" = 1 ]; }
check "what a login has left behind is still told" await 10 late
eq "zlogin -S asks nobody" "$(timeout 20 zlogin -S "$z" nproc)" "$cpus"

# ---- the worker is killed ----
killed() { # by how much
	local i old
	for i in 1 2 3 4 5; do
		sleep 0.7
		old=$(worker "$z")
		kill -KILL "$old" 2>/dev/null
		for _ in {1..40}; do [ "$(worker "$z")" = "$old" ] || break; sleep 0.05; done
	done
}
in_z /root/calls flood 8 9000 >flood.out 2>&1 &
flood=$!
sleep 0.3
killed
check "no call fails while the worker is killed" wait "$flood"
like "nor is one wrong" "$(cat flood.out)" '^calls [0-9]+ wrong 0$'
in_y /root/calls flood 8 3000 >flood.out 2>&1 &
flood=$!
for _ in {1..20}; do
	sleep 0.1
	pid=$(hand "$y")
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
done
check "nor while its hand is" wait "$flood"
like "none is wrong" "$(cat flood.out)" '^calls [0-9]+ wrong 0$'
eq "the worker is the same" "$(kill -0 "$(worker "$y")" && echo there)" there

# ---- it stands still (so does bash, which sorts its words, and asks how much memory there is to do it in) ----
pid=$(worker "$z")
# they are inside before it stands still, and ask when it does: after ten seconds of that there is another one
in_z ': >/tmp/here1; until [ -e /tmp/go ]; do sleep 0.1; done; nproc' >stopped.out 2>&1 &
reader=$!
in_z ': >/tmp/here2; until [ -e /tmp/go ]; do sleep 0.1; done; timeout -s KILL 1 nproc; echo $? >/tmp/rc' >/dev/null 2>&1 &
victim=$!
await 10 in_z 'test -e /tmp/here1 && test -e /tmp/here2'
kill -STOP "$pid"
timeout 20 zlogin -S "$z" touch /tmp/go
eq "another zone asks while this one's worker stands still" "$(in_y nproc)" "$cpus"
eq "zlogin -S comes in, and what it runs may ask" "$(timeout 20 zlogin -S "$z" nproc)" "$cpus"
check "who waits can be killed" wait "$victim"
eq "and was waiting" "$(timeout 20 zlogin -S "$z" cat /tmp/rc)" 137
kill -CONT "$pid"
check "continued, it answers" wait "$reader"
eq "rightly" "$(cat stopped.out)" 1

# ---- the keeper is killed ----
# who is told something has a login that both know: a keeper that is killed while it hands one on takes it along
in_z 'nproc >/tmp/told; exec /root/calls flood 2 6000' >flood.out 2>&1 &
flood=$!
await 10 in_z 'test -s /tmp/told'
kill -KILL "$(keeper "$z")"
eq "without a keeper a login is told by the worker" "$(in_z nproc)" 1
check "adopted by another keeper" vmadm start "$z"
check "no call fails meanwhile" wait "$flood"
like "nor is wrong" "$(cat flood.out)" '^calls [0-9]+ wrong 0$'
eq "nproc" "$(in_z nproc)" 1
check "listeners go with their logins" await 5 eval '[ "$(listeners "$(keeper "$z")")" -le 2 ]'
old=$(worker "$z")
kill -KILL "$old"
other() { [ "$(worker "$z")" != "$old" ] && kill -0 "$(worker "$z")"; }
check "another worker" await 90 other
eq "which has what the keeper has" "$(in_z nproc)" 1

# ---- what its init runs ----
in_z 'printf "#!/bin/sh\nwhile :; do nproc >/tmp/mine.new && mv /tmp/mine.new /tmp/mine; sleep 0.2; done\n" >/root/app && chmod 755 /root/app'
vmadm stop -F "$z" >/dev/null
vmadm update "$z" init_name=/root/app >/dev/null
check "a program that no login has started" vmadm start "$z"
mine() { [ "$(timeout 20 zlogin -S "$z" cat /tmp/mine)" = "$1" ]; }
check "is told the same" await 10 mine 1
vmadm update "$z" cpu_cap=0 >/dev/null
check "and what changes" await 10 mine "$cpus"
vmadm update "$z" cpu_cap=50 >/dev/null

# ---- a flood ----
cpu_of() { awk '{print $14 + $15}' "/proc/$1/stat" 2>/dev/null || echo 0; }
used() { echo $(($(cpu_of "$(worker "$z")") + $(cpu_of "$(hand "$z")"))); }
in_z nproc >/dev/null
in_z /root/calls sysinfo >/dev/null
t0=$(date +%s%N) c0=$(used)
in_z /root/calls flood 100 5000 >flood.out 2>&1 &
flood=$!
sleep 1
eq "another zone asks meanwhile" "$(in_y nproc)" "$cpus"
check "its own view is there meanwhile" timeout 20 zlogin -S "$z" cat /proc/meminfo
check "its own console too" eval 'timeout 20 vmadm info "$z" >/dev/null'
wait "$flood"
c1=$(used) t1=$(date +%s%N)
like "100 threads are told, in their own time" "$(cat flood.out)" '^calls [0-9]+ wrong 0$'
# its view has as much again
le "worker and hand took a twentieth of a processor for it, and what they had saved" $((c1 - c0)) $(((t1 - t0) / 10000000 / 20 * 2 + 25))

# ---- a worker that stands still ----
w=$(worker "$z")
kill -STOP "$w"
eq "who asks while the worker is stopped gets its answer from another" "$(timeout $((40 * ${T_SLOW:-1})) zlogin "$z" nproc)" 1
check_not "the stopped one is dead" kill -0 "$w"
w=$(worker "$z")
kill -STOP "$w"
read -rt 2 <> <(:)
kill -CONT "$w"
read -rt 11 <> <(:)
eq "one that was stopped for a moment goes on" "$(worker "$z")" "$w"

# ---- the zone ends while calls wait ----
kill -STOP "$(worker "$z")"
in_z nproc >/dev/null 2>&1 &
reader=$!
sleep 0.5
check "the zone stops although its worker stands still" timeout 100 vmadm stop -F "$z"
wait "$reader" 2>/dev/null
check "and boots again" vmadm start "$z"
eq "with its numbers" "$(in_z nproc)" 1
w=$(worker "$z") k=$(keeper "$z")
in_z /root/calls sysinfo >/dev/null
h=$(hand "$z")
check "an orderly stop" vmadm stop "$z"
gone() { ! kill -0 "$w" 2>/dev/null && ! kill -0 "$k" 2>/dev/null && ! kill -0 "$h" 2>/dev/null; }
check "worker, hand and keeper have gone" await 5 gone
