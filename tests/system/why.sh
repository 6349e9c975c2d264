#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# cloister why: a fault is injected, and the first line names it.
. "$(dirname "$0")/lib.sh"
need_root
command -v perl >/dev/null || skip "needs perl"
node why
pool 3G
why() { cloister why -t 1 "$1" 2>&1; }
first() { why "$1" | head -1; }
# The first line becomes such: faults take a moment to be felt, on a busy machine longer.
says() { # what zone pattern
	local end=$((SECONDS + 40 * ${T_SLOW:-1})) line
	while :; do
		line=$(first "$2")
		! grep -qE -- "$3" <<<"$line" || { ok "$1"; return; }
		[ "$SECONDS" -lt "$end" ] || { not_ok "$1" "/$3/ does not match: $(why "$2")"; return; }
	done
}
bg() { # zone commands: in the background, until the zone or the test ends
	zlogin "$1" "$2" >/dev/null 2>&1 </dev/null &
}
z=''

# ---- nothing ----
mkzone z idle || exit 1
says "an idle zone" idle '^idle: nothing: '
like "the page has numbers" "$(why idle)" '^  memory +[0-9.]+[KMG]? of '
like "and the host's" "$(why idle)" '^the host: [0-9.]+ of [0-9]+ processors used'
j=$(cloister why -j -t 0.2 idle)
eq "JSON" "$(jq -c '[.v, .zone, .uuid, .cause, .findings]' <<<"$j")" "[1,\"idle\",\"$z\",\"nothing\",[]]"
eq "with numbers" "$(jq '.numbers | .processes >= 1 and .memory > 0 and .lwps_limit == 2000' <<<"$j")" true

# ---- its own cap ----
mkzone z capped '"cpu_cap":10' || exit 1
bg capped 'while :; do :; done'
says "cpu_cap" capped '^capped: cpu_cap: held back by its cap of 10 % '
eq "JSON names it" "$(cloister why -j -t 1 capped | jq -r .cause)" cpu_cap
vmadm stop -F capped >/dev/null

# ---- its own ceiling on I/O, and a burst that is spent ----
if [ -n "$(awk '$0 ~ / - cgroup / && "," $NF "," ~ ",blkio,"' /proc/self/mountinfo)" ] ||
	grep -qw io "$(awk '$0 ~ / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)/cgroup.controllers"; then
	mkzone z writer '"io_write_bps":524288' || exit 1
	bg writer 'head -c 1M /dev/urandom >/tmp/r; while :; do dd if=/tmp/r of=/var/tmp/f bs=64k oflag=direct conv=notrunc; done'
	says "a ceiling" writer '^writer: io_write_bps: held back by its ceiling of 512K bytes a second; .* % of the time, [^;]*$'
	vmadm update writer io_write_bps_max=1048576 io_burst_time=1 >/dev/null 2>&1
	says "a burst that is spent" writer '^writer: io_write_bps: .* its burst \(io_burst_time\) is spent'
	vmadm stop -F writer >/dev/null
else
	skip_check "a ceiling" "no io controller"
fi

# ---- a neighbour with higher shares ----
mkzone z small '"cpu_shares":2' || exit 1
mkzone n big '"cpu_shares":2000' || exit 1
bg big 'for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; wait'
bg small 'while :; do :; done'
says "a neighbour" small '^small: cpu: waits for a processor in [0-9]+ % of the time, .* others use them: .*big [0-9.]+'
vmadm stop -F big >/dev/null
vmadm stop -F small >/dev/null

# ---- memory ----
mkzone z tight '"max_physical_memory":64,"ram":64' || exit 1
zlogin tight 'head -c 150000000 /dev/zero | tr "\0" "a" >/var/big' </dev/null
bg tight 'for i in 1 2 3; do while :; do cat /var/big >/dev/null; done & done; wait'
says "a cap on memory that thrashes" tight '^tight: memory: has [0-9.]+[KMG]* of its max_physical_memory of 64'
cloister pkill -KILL -z tight -f 'cat|big' >/dev/null
zlogin tight "perl -e '\$x = \"x\" x 300_000_000'" >/dev/null 2>&1 </dev/null
says "killed for memory" tight '^tight: memory: [0-9]+ of its processes were killed'
vmadm stop -F tight >/dev/null

# ---- processes ----
mkzone z forks '"max_lwps":30' || exit 1
bg forks 'perl -e "while (1) { my \$p = fork; if (defined \$p && !\$p) { sleep 3; exit } select undef, undef, undef, 0.01 unless defined \$p }"'
says "refused forks" forks '^forks: max_lwps: [0-9]+ forks were refused .* of its max_lwps of 30 '
vmadm stop -F forks >/dev/null

# ---- the dataset's quota ----
mkzone z full '"quota":1' || exit 1
if zlogin full 'i=0; for s in 500 400 300 200 100 50 20 10 5 2 1 1 1; do while fallocate -l ${s}M /var/f$i; do i=$((i + 1)); done; done' </dev/null >fill 2>&1; [ -s fill ]; then
	zlogin full 'sync' </dev/null >/dev/null 2>&1
	says "a full quota" full '^full: quota: its quota of 1G is full'
else
	skip_check "a full quota" "it does not fill"
fi
vmadm stop -F full >/dev/null

# ---- /tmp ----
mkzone z tmp '"tmpfs":16' || exit 1
zlogin tmp 'head -c 100000000 /dev/zero >/tmp/x' </dev/null >/dev/null 2>&1
says "a full /tmp" tmp '^tmp: tmpfs: /tmp is full \(16M\)'
# its root names folders: what we print is no terminal's command, and JSON all the same
if zlogin tmp 'rm /tmp/x; d=$(printf "/mnt/a\033[31m\377b"); mkdir -p "$d" && mount -t tmpfs -o size=1m x "$d" && head -c 2000000 /dev/zero >"$d/x"; grep -q "tmpfs.*size=1024k" /proc/mounts' </dev/null >/dev/null 2>&1; then
	says "a folder with an ESC in its name" tmp '^tmp: tmpfs: /mnt/a\\033\[31m\\377b is full'
	eq "no ESC is printed" "$(why tmp | LC_ALL=C tr -cd '\033\377' | wc -c)" 0
	check "and JSON is JSON" eval 'cloister why -j -t 0.2 tmp | iconv -f UTF-8 -t UTF-8 | jq -e ".cause == \"tmpfs\""'
else
	skip_check "a folder with an ESC in its name" "a zone mounts no tmpfs here"
fi
vmadm stop -F tmp >/dev/null

# ---- descriptors ----
mkzone z fds || exit 1
bg fds 'ulimit -n 40; perl -e "my @f; while (open my \$f, q(<), q(/dev/null)) { push @f, \$f } sleep 1000"'
says "a full table of descriptors" fds '^fds: descriptors: process [0-9]+ \(perl\) has all 40 descriptors open'

# ---- frozen, stopped ----
cg=$(cgdir "$z" v2)
echo 1 >"$cg/cgroup.freeze"
says "a frozen zone" fds '^fds: frozen: its cgroup is frozen'
echo 0 >"$cg/cgroup.freeze"
cloister pkill -STOP -z fds . >/dev/null
cloister pkill -STOP -z fds -f . >/dev/null
says "stopped processes" fds '^fds: stopped: [0-9]+ of its [0-9]+ processes are stopped'
vmadm stop -F fds >/dev/null

# ---- a file system that does not answer ----
if command -v fsfreeze >/dev/null; then
	mkzone z disk || exit 1
	zlogin disk true </dev/null
	bg disk 'sleep 0.5; while :; do echo x >>/var/log-of-mine; sync; done'
	await 20 eval 'cloister pgrep -z disk -f log-of-mine'
	sleep 1
	fsfreeze -f "$NODE_POOL"
	trap 'fsfreeze -u "$NODE_POOL" 2>/dev/null; t_exit' EXIT
	says "a disk that does not answer" disk '^disk: disk: [1-9][0-9]* of its processes \(.*\) waited for a disk'
	fsfreeze -u "$NODE_POOL"
	trap t_exit EXIT
	vmadm stop -F disk >/dev/null
else
	skip_check "a disk that does not answer" "no fsfreeze"
fi

# ---- an init that does not stay ----
mkzone z loop || exit 1
for _ in 1 2 3; do
	await 30 eval 'cloister pgrep -z loop zinit'
	pid=$(vmadm get "$z" | jq .pid)
	kill -KILL "$pid"
	await 30 eval '[ "$(vmadm get "$z" | jq -r .pid)" != "$pid" ]'
done
says "an init in a loop" loop '^loop: restarts: its init has ended and been started again [23] times'
check "stop it" vmadm stop -F loop
like "one that does not run says so" "$(why loop)" 'not-running: it does not run; its state is installed'
eq "JSON has both" "$(cloister why -j loop | jq -c '[.findings[].cause]')" '["restarts","not-running"]'
eq "its exit status is 0" "$(cloister why loop >/dev/null; echo $?)" 0

# ---- wrong ----
fails 1 "zone 'nope' unknown" cloister why nope
fails 2 'which zone' cloister why
fails 2 'seconds' cloister why -t 0 idle
