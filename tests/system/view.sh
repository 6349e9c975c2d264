#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# What a zone sees of itself: /proc/meminfo, stat, loadavg…, and that it can do no harm by reading them.
# timeout: 300
. "$(dirname "$0")/lib.sh"
need_root
[ -c /dev/fuse ] || skip "no /dev/fuse"
node view
pool

mkzone z a1 '"max_physical_memory":256,"cpu_cap":50' || exit 1
mkzone y a2 '"max_physical_memory":320' || exit 1
in_z() { zlogin "$z" "$@"; }
worker() { cut -d' ' -f1 "$NODE_RUN/$1/worker"; }
field() { awk -v k="$1:" '$1 == k {print $2}'; }
quick() { timeout $((20 * ${T_SLOW:-1})) zlogin "$z" cat /proc/meminfo; }

# ---- S23 its own numbers ----
mem=$(in_z cat /proc/meminfo)
eq "S23 MemTotal is the cap" "$(field MemTotal <<<"$mem")" 262144
eq "S23 another zone has its own" "$(zlogin "$y" cat /proc/meminfo | field MemTotal)" 327680
le "S23 free is no more than total" "$(field MemFree <<<"$mem")" 262144
le "S23 available is no more than total" "$(field MemAvailable <<<"$mem")" 262144
used=$(field Cached <<<"$mem")
in_z dd if=/dev/zero of=/tmp/f bs=1M count=64 2>/dev/null
more() { [ "$(in_z cat /proc/meminfo | field Shmem)" -ge 65536 ]; }
check "S23 what it writes to /tmp is in its Shmem" await 5 more
le "S23 and no longer free" "$(in_z cat /proc/meminfo | field MemFree)" $((262144 - 65536))
in_z rm /tmp/f
# which one depends on its uuid
like "S23 one processor for a cap of 50" "$(in_z cat /sys/devices/system/cpu/online)" '^[0-9]+$'
eq "S23 in cpuinfo" "$(in_z grep -c ^processor /proc/cpuinfo)" 1
eq "S23 in stat" "$(in_z "grep -c '^cpu[0-9]' /proc/stat")" 1
vmadm update "$z" cpu_cap=0 >/dev/null
all() { [ "$(in_z "grep -c '^cpu[0-9]' /proc/stat")" = "$(zlogin "$y" nproc)" ]; }
check "S23 without a cap it sees all" await 5 all
vmadm update "$z" cpu_cap=50 >/dev/null
like "S23 boot time of the zone" "$(in_z grep btime /proc/stat)" '^btime [0-9]+$'
le "S23 which is not the host's" "$(awk '/btime/ {print $2}' /proc/stat)" "$(in_z grep btime /proc/stat | cut -d' ' -f2)"
spin() { [ "$(in_z "awk '/^cpu / {print \$2 + \$4}' /proc/stat")" -ge "$1" ]; }
in_z 'timeout 2 sh -c "while :; do :; done"; :'
check "S23 what it burns is in its stat" await 10 spin 20
eq "S23 the other zone's is not" "$(($(zlogin "$y" "awk '/^cpu / {print \$2 + \$4}' /proc/stat") < $(in_z "awk '/^cpu / {print \$2 + \$4}' /proc/stat")))" 1
# Of its threads and not the host's: four that spin, looked at twice with five seconds in between.
in_z ": >/tmp/spin; for i in 1 2 3 4; do timeout $((25 * ${T_SLOW:-1})) sh -c 'while [ -e /tmp/spin ]; do :; done' & done; wait" >/dev/null 2>&1 &
spinners=$!
runs() { [ "$(in_z cat /proc/loadavg | awk '{split($4, a, "/"); print a[1]}')" -ge 3 ]; }
check "S23 four that spin are four that run" await 22 runs
rises() { in_z cat /proc/loadavg | awk '{exit !($1 > 0.1 && $1 < 6)}'; }
check "S23 and its load rises" await 22 rises
in_z rm -f /tmp/spin
wait "$spinners"
like "S23 loadavg" "$(in_z cat /proc/loadavg)" '^[0-9]+\.[0-9][0-9] [0-9]+\.[0-9][0-9] [0-9]+\.[0-9][0-9] [0-9]+/[0-9]+ 0 *$'
like "S23 vmstat" "$(in_z cat /proc/vmstat)" '^pgfault [1-9]'
like "S23 swaps" "$(in_z cat /proc/swaps)" '^Filename'
check "S23 diskstats" in_z cat /proc/diskstats
[ ! -e /proc/pressure/cpu ] || like "S23 pressure" "$(in_z cat /proc/pressure/cpu)" '^some avg10='
[ "$(field SwapTotal </proc/meminfo)" -gt 0 ] || eq "S23 swap total" "$(in_z cat /proc/meminfo | field SwapTotal)" "$(field SwapTotal </proc/meminfo)"

# ---- real programs ----
if command -v free vmstat top uptime >/dev/null; then
	eq "free" "$(in_z free -k | awk '/^Mem/ {print $2}')" 262144
	eq "free adds up" "$(in_z free -kw | awk '/^Mem/ {d = $2 - $3 - $8; print d < 0 ? -d < 4096 : d < 4096}')" 1
	like "top" "$(in_z top -bn1)" 'MiB Mem : +256\.0 total'
	like "vmstat" "$(in_z vmstat 1 2 | tail -1)" '^ *[0-9]+ +[0-9]+ +0 '
	like "uptime" "$(in_z uptime)" 'up +[0-9]+ min'
fi

# ---- what can't be done with it ----
for f in meminfo stat loadavg pressure/cpu; do
	check_not "S23 $f can't be written" in_z "echo 1 >/proc/$f"
	check_not "S23 nor removed" in_z rm -f "/proc/$f"
	check_not "S23 nor its mode changed" in_z chmod 777 "/proc/$f"
done
check_not "S23 nor unmounted" in_z umount /proc/meminfo
check_not "S23 nor unmounted by force" in_z umount -f /proc/meminfo
check_not "S23 nor remounted" in_z mount -o remount,rw /proc/meminfo
eq "S23 beyond its end there is nothing" "$(in_z 'dd if=/proc/meminfo bs=1 skip=1000000 count=10 2>/dev/null | wc -c')" 0
eq "S23 nor at the end of all offsets" "$(in_z 'dd if=/proc/stat iflag=skip_bytes skip=9223372036854775000 count=1 2>/dev/null | wc -c')" 0
eq "S23 byte by byte it is the same" "$(in_z 'dd if=/proc/cpuinfo bs=7 2>/dev/null | grep -c ^processor')" 1
eq "S23 in one large read too" "$(in_z 'dd if=/proc/cpuinfo bs=16M 2>/dev/null | grep -c ^processor')" 1
eq "S23 without the page cache" "$(in_z 'dd if=/proc/cpuinfo bs=4096 iflag=direct 2>/dev/null | grep -c ^processor')" 1
eq "S23 no NUL in any of them" "$(in_z 'cat /proc/meminfo /proc/stat /proc/loadavg /proc/vmstat /proc/cpuinfo /proc/swaps /proc/diskstats | tr -dc "\000" | wc -c')" 0
eq "names" "$(in_z ls /proc/pressure | tr '\n' ' ')" "cpu io memory "
fails 1 'No such file' in_z cat /proc/pressure/nothing

# ---- the worker is killed ----
old=$(worker "$z")
in_z 'i=0; while [ $i -lt 2000 ]; do read -r l </proc/meminfo || exit 1; i=$((i+1)); done; echo read >/tmp/done' &
reader=$!
kill -KILL "$old"
other() { [ "$(worker "$z")" != "$old" ] && kill -0 "$(worker "$z")"; }
check "another worker comes" await 10 other
check "and the view is there" quick
check "no reader fails meanwhile" wait "$reader"
for i in 1 2 3 4; do
	in_z 'for f in meminfo stat vmstat loadavg cpuinfo; do cat /proc/$f; done' >/dev/null &
	pids[i]=$!
	kill -KILL "$(worker "$z")" 2>/dev/null
	wait "${pids[i]}" || not_ok "a reader while the worker was killed, $i"
done
check "killed again and again, it comes back" quick
pid=$(worker "$z")
kill -STOP "$pid"
in_z cat /proc/stat >stopped.out 2>&1 &
reader=$!
eq "S23 another zone reads while this one's worker stands still" "$(timeout $((20 * ${T_SLOW:-1})) zlogin "$y" cat /proc/meminfo | field MemTotal)" 327680
kill -CONT "$pid"
check "stopped and continued: the reader gets its answer" wait "$reader"
like "which is whole" "$(cat stopped.out)" '^softirq'

# No room, or something else in the place of the file that a request lies in: it is served all the same.
# (The other zone's: a worker that has died often is not started again at once.)
other_y() { [ "$(worker "$y")" != "$old" ] && kill -0 "$(worker "$y")"; }
replaced() { old=$(worker "$y") && kill -KILL "$old" && await 30 other_y; }
quick_y() { timeout $((20 * ${T_SLOW:-1})) zlogin "$y" cat /proc/meminfo; }
rm "$NODE_RUN/$y/view" && mkdir "$NODE_RUN/$y/view"
check "another worker comes without that file" replaced
check "and the view is there" quick_y
rmdir "$NODE_RUN/$y/view"
# A sparse one would have to grow where there may be no room: writing to it would be a signal.
truncate -s 8192 "$NODE_RUN/$y/view"
check "another worker comes with a file that has no pages" replaced
check "and the view is there" quick_y
le "the file has them" 16 "$(stat -c %b "$NODE_RUN/$y/view")"
# Nothing is known of the zone any more: who reads is told so, and does not wait.
mv "$NODE_RUN/$y/spec" "$NODE_RUN/$y/spec.aside"
check "another worker comes without a spec" replaced
fails 1 'Input/output error' timeout $((20 * ${T_SLOW:-1})) cat "/proc/$(sed -n 's/^init \([0-9]*\).*/\1/p' "$NODE_RUN/$y/zone")/root/proc/meminfo"
mv "$NODE_RUN/$y/spec.aside" "$NODE_RUN/$y/spec"
check "and another with it" replaced
check "the view is there" quick_y

# The keeper dies: the next one takes the connection from the worker.
kill -KILL "$(sed -n 's/^keeper \([0-9]*\).*/\1/p' "$NODE_RUN/$z/zone")"
check "adopted by another keeper" vmadm start "$z"
check "the view is there" quick

# ---- hostile readers ----
cpu_of() { awk '{print $14 + $15}' "/proc/$1/stat"; }
in_z 'for i in $(seq 100); do timeout 6 sh -c "while :; do dd if=/proc/meminfo iflag=direct of=/dev/null; stat -f /proc/stat; cat /proc/vmstat; done" >/dev/null 2>&1 & done; wait' &
flood=$!
busy() { [ "$(in_z cat /proc/loadavg | awk '{split($4, a, "/"); print a[2]}')" -gt 100 ]; }
await 10 busy
w=$(worker "$z") t0=$(date +%s%N) c0=$(cpu_of "$w")
eq "S23 100 readers: another zone reads" "$(timeout $((30 * ${T_SLOW:-1})) zlogin "$y" cat /proc/meminfo | field MemTotal)" 327680
wait "$flood"
c1=$(cpu_of "$w") t1=$(date +%s%N)
# (emulated, it is charged what others take from the machine while it runs)
le "S23 the worker took a twentieth of a processor, and what it had saved" $((c1 - c0)) $((((t1 - t0) / 10000000 / 20 * 3 / 2 + 15) * (${T_SLOW:+2} + 1)))
check "afterwards it reads as before" quick

# ---- the zone ends with a reader inside ----
kill -STOP "$(worker "$z")"
in_z 'cat /proc/vmstat' >/dev/null 2>&1 &
reader=$!
inside() { [ "$(in_z ps ax | grep -c 'cat /proc/vmstat')" -gt 0 ]; }
check "the zone stops although its worker stands still" timeout $((100 * ${T_SLOW:-1})) vmadm stop -F "$z"
wait "$reader" 2>/dev/null
check "and boots again" vmadm start "$z"
check "with its view" quick
check "an orderly stop" vmadm stop "$z"
check "nothing of a connection is left" eval '! grep -rqs "$z" /proc/self/mountinfo'
