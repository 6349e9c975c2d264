#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# A zone whose root does its worst, and its neighbour: the promises of SECURITY.md from S12 on.
. "$(dirname "$0")/lib.sh"
need_root
node nb
pool 3G

limits='"max_physical_memory":256,"max_lwps":200,"quota":1,"tmpfs":64'
mkzone z bad "$limits"
mkzone y good "$limits"
py() { zlogin "$1" /usr/bin/python3 - ; }
fine() { # after what
	local t0=$EPOCHREALTIME
	check "$1: the neighbour runs, forks and writes" zlogin "$y" 'echo x >/root/f && cat /root/f && ls / | head -1'
	check "$1: the host writes to the pool" touch "$NODE_POOL/$y/config/.probe"
	rm -f "$NODE_POOL/$y/config/.probe"
	check "$1: one can still log in" timeout 20 zlogin -S "$z" true
	le "$1: within seconds" "$(awk -v a="$t0" -v b="$EPOCHREALTIME" 'BEGIN {print b - a}')" 15
}
up() { await 15 zlogin "$z" true; }

# ---- S12: at its limits ----
zlogin "$z" 'i=0; while [ $i -lt 400 ]; do sleep 25 & i=$((i+1)); done' >/dev/null 2>&1 &
job=$!
check "S12 processes: the limit holds" await 10 bash -c '[ "$(cat "$1/pids.current")" -ge 190 ]' - "$(cgdir "$z" pids)"
le "S12 processes: not past it" "$(cat "$(cgdir "$z" pids)/pids.current")" 200
fine "S12 processes"
zlogin -S "$z" 'kill -9 -1' >/dev/null 2>&1
wait "$job"
up

run zlogin "$z" 'head -c 600m /dev/zero | tail >/dev/null'
fine "S12 memory"
up
run zlogin "$z" 'dd if=/dev/urandom of=/root/fill bs=1M count=3000 2>&1'
like "S12 disk: the quota stops it" "$OUT" 'quota|No space'
le "S12 disk: not past the quota" "$(zlogin "$z" 'du -sm /root/fill' | cut -f1)" 1024
fine "S12 disk"
# S18: none of the ways around it
check_not "S18 no subvolume of its own" py "$z" <<'P'
import fcntl, os, struct
fd = os.open('/root', os.O_RDONLY)
fcntl.ioctl(fd, 0x5000940e, struct.pack('q4088s', 0, b'sub'))
P
check "S18 a snapshot of a full zone" vmadm create-snapshot "$z" s1
run zlogin "$z" 'rm -f /root/fill; dd if=/dev/urandom of=/root/fill2 bs=1M count=3000 2>&1'
check_not "S18 snapshot and new data share one quota" test "$(zlogin "$z" 'du -sm /root' | cut -f1)" -gt 300
check "S18 the snapshot can go" vmadm delete-snapshot "$z" s1
check "S18 a full zone can be emptied" zlogin "$z" 'rm -f /root/fill*'
# btrfs gives a deleted snapshot's room back in its own time, at the next commit (30 s).
check "S18 and written to again" await 45 zlogin "$z" 'touch /root/x'
run zlogin "$z" 'dd if=/dev/zero of=/tmp/fill bs=1M count=500 2>&1'
like "S12 /tmp is bounded" "$OUT" 'No space'
fine "S12 /tmp"
zlogin "$z" 'rm -f /tmp/fill'
zlogin "$z" 'timeout 3 yes "$(head -c 1000 /dev/zero | tr "\0" x)" >/dev/console' >/dev/null 2>&1
le "S12 console: its log is bounded" "$(du -sm "$NODE_LOG" | cut -f1)" 40
fine "S12 console"

# ---- S13: shared tables of the kernel ----
exhaust='
import sys
held = []
try:
    while len(held) < 200000:
        held.append(one())
except OSError as e:
    print(len(held), e.strerror)
'
inotify='import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def one():
    fd = libc.inotify_init1(0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd
'
ptys='import os
def one():
    return os.openpty()
'
files='import os
def one():
    return os.open("/dev/null", os.O_RDONLY)
'
for t in inotify ptys files; do
	# It keeps all it could get until the pipe is closed.
	exec {hold}> >(zlogin "$z" "/usr/bin/python3 -c '${!t}$exhaust
sys.stdout.flush()
sys.stdin.read()'" >"$T_TMP/$t.out" 2>&1)
	check "S13 $t: used up" await 30 grep -q '^[0-9]' "$T_TMP/$t.out"
	check "S13 $t: the neighbour still gets one" zlogin "$y" "/usr/bin/python3 -c '${!t}
one()'"
	check "S13 $t: so does the host" python3 -c "${!t}
one()"
	check "S13 $t: one can still log in" timeout 20 zlogin -S "$z" true
	exec {hold}>&-
done
run py "$z" <<'P'
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
n = sum(libc.syscall(248, b'user', b'k%d' % i, b'x', 1, -4) >= 0 for i in range(5000))
print('keys', n)
P
eq "S13 no keys to use up" "$OUT" "keys 0"
check_not "S13 no kernel log to flood" zlogin "$z" 'test -c /dev/kmsg && echo x >/dev/kmsg'

# ---- S14: nobody else's processes and namespaces ----
mine=$(vmadm get "$y" | jq .pid)
check_not "S14 no signal to the neighbour's init" zlogin "$z" "kill -0 $mine"
eq "S14 its namespaces are its own" "$(for n in user pid mnt net uts ipc cgroup time; do
	[ "$(readlink "/proc/$(vmadm get "$z" | jq .pid)/ns/$n")" != "$(readlink "/proc/$mine/ns/$n")" ] &&
		[ "$(readlink "/proc/$mine/ns/$n")" != "$(readlink "/proc/1/ns/$n")" ] || echo "$n"
done)" ""

# ---- S15: cgroups ----
for c in memory pids cpu cpuset devices freezer blkio; do
	run zlogin "$z" "mkdir -p /mnt/$c && mount -t cgroup -o $c none /mnt/$c && cd /mnt/$c && { find . -maxdepth 1 -type f -writable | head -3; mkdir sub 2>/dev/null && echo MADE; }"
	unlike "S15 $c: a v1 mount has nothing that can be written" "$OUT" '^\./|MADE'
done
run zlogin "$z" 'find /sys/fs/cgroup -maxdepth 1 -name "*.max" -writable; find / -xdev -name release_agent -writable 2>/dev/null'
eq "S15 no limit and no release_agent can be written" "$OUT" ""
check_not "S15 no process moves out" zlogin "$z" 'echo $$ >/sys/fs/cgroup/../cgroup.procs'

# ---- S16: what would run a program of the zone's as the host ----
before=$(cat /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe 2>/dev/null)
for f in kernel/core_pattern kernel/modprobe kernel/hotplug kernel/sysrq kernel/panic vm/drop_caches fs/binfmt_misc/register kernel/yama/ptrace_scope; do
	check_not "S16 /proc/sys/$f" zlogin "$z" "cat /proc/sys/$f >/dev/null && echo 1 >/proc/sys/$f"
done
check_not "S16 uevent_helper" zlogin "$z" 'echo /x >/sys/kernel/uevent_helper'
run zlogin "$z" 'mkdir -p /mnt/p && mount -t proc proc /mnt/p && echo "|/x" >/mnt/p/sys/kernel/core_pattern && echo WRITTEN'
unlike "S16 not through a proc of its own" "$OUT" WRITTEN
run zlogin "$z" 'mkdir -p /mnt/s && mount -t sysfs s /mnt/s && echo /x >/mnt/s/kernel/uevent_helper && echo WRITTEN'
unlike "S16 not through a sysfs of its own" "$OUT" WRITTEN
run zlogin "$z" 'mkdir -p /mnt/b && mount -t binfmt_misc b /mnt/b && echo ":x:M::zz::/bin/sh:F" >/mnt/b/register && echo WRITTEN'
eq "S16 the host's values are untouched" "$(cat /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe 2>/dev/null)" "$before"
eq "S16 no binary format was registered" "$(ls /proc/sys/fs/binfmt_misc 2>/dev/null | grep -x x)" ""

# ---- S17: terminals ----
like "S17 a login's terminal is of the zone's own devpts" "$(python3 "$T_DIR/onpty.py" '' zlogin -i "$z" tty | tr -d '\r')" '^/dev/pts/[0-9]+$'
run py "$z" <<'P'
import fcntl, os, termios
m, s = os.openpty()
for what, arg in ((termios.TIOCSTI, b'x'), (termios.TIOCLINUX, b'\x02')):
    try:
        fcntl.ioctl(s, what, arg)
        print('done')
    except OSError as e:
        print(e.errno)
P
eq "S17 TIOCSTI and TIOCLINUX say EPERM" "$OUT" $'1\n1'

# ---- S19: our processes in its reach ----
supervisors() { sort -n "$(node_cgroups "$NODE" | grep -m1 "$(awk '$0 ~ / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)/")/_sup/cgroup.procs" | tr '\n' ' '; }
ours() { # keepers and workers; a worker also has a hand, which comes and goes
	local v
	for v in "$z" "$y"; do
		awk '$1 == "keeper" {print $2}' "$NODE_RUN/$v/zone"
		cut -d' ' -f1 "$NODE_RUN/$v/worker"
	done
}
keeper=$(ours)
run timeout 30 zlogin "$z" 'kill -9 -1; kill -STOP -1; kill -9 $$'
eq "S19 our supervisors live on" "$(ours)" "$keeper"
eq "S19 there are two for each zone" "$(wc -w <<<"$keeper")" 4
eq "S19 that stand where supervisors do" "$(for p in $keeper; do grep -cw "$p" <<<"$(supervisors)"; done | tr -d '\n')" 1111
check "S19 the zone is there" up
check "S19 and so is the neighbour" zlogin "$y" true

# ---- S21: its own accounts ----
for p in "$z one" "$y two"; do
	check "S21 an account in ${p#* }" zlogin "${p% *}" "useradd -m -s /bin/sh op && useradd -m -s /bin/sh ask && echo op:${p#* } | chpasswd"
done
cat >login.exp <<'X'
set timeout 15
log_user 0
spawn zlogin -i -l ask [lindex $argv 0] "su op -s /bin/sh -c 'echo I am \$(id -un)'"
expect {assword:} {} timeout {exit 3} eof {exit 4}
send "[lindex $argv 1]\r"
expect {I am op} {exit 0} {ailure} {exit 5} timeout {exit 6} eof {exit 7}
X
login() { expect -f login.exp "$1" "$2"; }
check "S21 its password opens the zone" login "$z" one
check_not "S21 another zone's does not" login "$y" one
check "S21 that has its own" login "$y" two
eq "S21 the host knows no such user" "$(getent passwd op)" ""

# ---- S22: nothing of the host but the packaged /usr ----
canary=canary-$NODE
for d in /etc /root /home /opt /srv /var/lib /usr/local /usr/src /tmp /run; do
	[ -d "$d" ] || continue
	echo secret >"$d/$canary"
	check_not "S22 $d of the host is not seen" zlogin "$z" "ls $d/$canary"
	rm -f "$d/$canary"
done
eq "S22 what it binds from the host" "$(zlogin "$z" 'cat /proc/self/mountinfo' | awk -v own="/$z/root/" '$5 !~ "^/(proc|sys|dev|tmp|run)(/|$)" && $5 != "/" && !index($4, own) {print $5}' |
	grep -vxE '/usr|/usr/local|/usr/src|/etc/alternatives|/etc/ld.so.cache|/etc/ssl/certs|/checkpoints|/mnt/.*|/native|/\.zonecontrol.*|/lib.*|/bin|/sbin|/\.zonecontrol|/var/lib/dpkg.*' | tr '\n' ' ')" ""
check_not "S22 no disk of the host" zlogin "$z" 'head -c 1 /dev/vda /dev/sda'

check "delete" vmadm delete "$z"
check "delete" vmadm delete "$y"
