#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# alone: its figures are the whole machine's
# S13: one zone takes all it can get of each table that the kernel shares; its neighbour and the host still get theirs,
# and what it took was counted as its memory.
. "$(dirname "$0")/lib.sh"
need_root
node tab
pool 3G
exhaust=$T_BUILD/tests/system/exhaust
[ -x "$exhaust" ] || skip "exhaust is not built"

mkzone z greedy '"max_physical_memory":512,"max_lwps":400'
mkzone y neighbour
for x in "$z" "$y"; do zlogin "$x" 'cat >/root/exhaust && chmod 700 /root/exhaust' <"$exhaust"; done
mem=$(cgdir "$z" memory)

# Kernel memory of the host that nobody can have back, and memory at all, in MiB. Others work here too: in halves of GiB.
host_mem() { awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo; }
zone_mem() { echo $(($(cat "$mem/memory.usage_in_bytes" 2>/dev/null || cat "$mem/memory.current") >> 20)); }

# A zone that takes all of its own memory may lose its own init. It is started again, the first time at once, then
# later and later: so that this is no wait of the next check, and the next check is not of a zone that is down.
fresh() {
	[ "$(vmadm get "$z" | jq '.init_restarts // 1')" = 0 ] || vmadm stop "$z" -F >/dev/null 2>&1
	vmadm start "$z" >/dev/null 2>&1
	await 20 timeout 20 zlogin "$z" true || not_ok "the zone is there before it is tried again" "$(zlogin "$z" true 2>&1)"
}

# what, at most so many, "refused" = it has to be refused before that
take() {
	local what=$1 max=$2 free got
	fresh
	: >got
	free=$(host_mem)
	exec {hold}> >(exec zlogin "$z" "exec /root/exhaust $what $max" >got 2>/dev/null)
	await 60 bash -c 'grep -q . got || ! kill -0 "$1"' - $!
	got=$(cat got)
	if [ -z "$got" ]; then
		# Killed for its memory, or at it still
		ok "S13 $what: it is ended by its own limits"
	else
		case ${3:-} in
		refused) unlike "S13 $what: it is refused in time ($got)" "$got" 'enough$' ;;
		none) like "S13 $what: it gets none ($got)" "$got" '^0 ' ;;
		*) ok "S13 $what: $got" ;;
		esac
	fi
	le "S13 $what: no more of the host's memory than it may have" $((free - $(host_mem))) $((512 + 128 + 512))
	check "S13 $what: the neighbour gets one" timeout 20 zlogin "$y" "/root/exhaust $what 1"
	check "S13 $what: so does the host" timeout 20 unshare -mi sh -c "exec 9<$exhaust && mount -t tmpfs t /tmp && exec /proc/self/fd/9 $what 1"
	check "S13 $what: one can still log in" await 20 timeout 20 zlogin -S "$z" true
	exec {hold}>&-
	await 20 bash -c '! kill -0 "$1"' - $!
}

take instances 100000 refused
take watches 60000
take epolls 500000
take files 200000
take memfds 100000
take ptys 100000 refused
take timers 200000 refused
take signals 200000 refused
take mqs 10000 refused
take shmbig 200 refused
take shms 100000 refused
take sems 100000 refused
take msgs 100000 refused
take netns 2000 refused
take mntns 3000 refused
take utsns 2000 refused
take cgroupns 2000 refused
take pidns 600 refused
take mounts 20000
take unixs 20000
take pipes 20000
take tcp 2000 refused
take udp 2000
take jit 8000
take names 300000
take locks 5000
take maps 200000 refused
take forks 2000 refused
take memory 4000
check_not "S13 S8 no IPC namespace but its own" zlogin "$z" '/root/exhaust ipcns 1'
# What the kernel charges to nobody: the zone must not have any of it at all.
for what in neighs rings aio; do
	check "S13 $what: the host can" unshare -n "$exhaust" $what 1
	check_not "S13 $what: a zone can't" zlogin "$z" "/root/exhaust $what 1"
	check_not "S13 $what: nor in a network namespace that it makes" zlogin "$z" "unshare -n /root/exhaust $what 1"
done

# ---- ptys of instances that it mounts itself, in which its own number does not count ----
: >got
exec {hold}> >(exec zlogin "$z" "exec /root/exhaust ownptys 100000" >got 2>/dev/null)
await 20 grep -q . got
like "S13 ownptys: it gets what is not kept for others ($(cat got))" "$(cat got)" '^[1-4]?[0-9]{1,3} No space'
check "S13 ownptys: the neighbour gets one" timeout 20 zlogin "$y" '/root/exhaust ptys 1'
check "S13 ownptys: a login with a terminal" timeout 20 script -qec "zlogin -i $y test -t 0" /dev/null
check "S13 ownptys: a zone boots" timeout 20 vmadm reboot "$y" -F
check "S13 ownptys: the host gets one" timeout 20 script -qec true /dev/null
exec {hold}>&-
await 20 bash -c '! kill -0 "$1"' - $!

# ---- the same table, from both sides at once ----
ptys=$(cat /proc/sys/kernel/pty/max)
le "S13 there are ptys for thousands of zones" 1000000 "$ptys"
le "S13 and requests of asynchronous I/O, and processes" 4000000 "$(sort -n /proc/sys/fs/aio-max-nr /proc/sys/kernel/pid_max | head -1)"

# ---- what a zone makes the kernel log ----
before=$(dmesg | wc -c)
zlogin "$z" 'i=0; while [ $i -lt 300 ]; do sh -c "kill -SEGV \$\$" 2>/dev/null; mount -t ext4 /nowhere /mnt; mount -t overlay -o lowerdir=/nowhere,upperdir=/x,workdir=/y o /mnt; mount -t tmpfs -o nonsense t /mnt; i=$((i + 1)); done' >/dev/null 2>&1
le "S13 it makes the kernel's log grow by little" $(($(dmesg | wc -c) - before)) 65536

# ---- /dev/shm, /run and /tmp are its memory ----
for d in /dev/shm /run /tmp; do
	fresh
	run zlogin "$z" "head -c 2000m /dev/zero >$d/fill; stat -c %s $d/fill"
	le "S12 $d ends within its memory" "$(zone_mem)" 512
	zlogin -S "$z" "rm -f $d/fill"
done
check "S12 the zone is there" await 20 zlogin "$z" true
check "S12 and its neighbour" zlogin "$y" true

# ---- the place beside a full zone, where logins are accounted then, is no way round its limits ----
fresh
zlogin "$z" 'dd if=/dev/zero of=/dev/shm/fill bs=64k' >/dev/null 2>&1
like "S13 a full zone: logins have a place of their own" "$(zlogin "$z" true 2>&1)" 'used up its memory'
take tcp 2000 refused
take udp 2000
zlogin -S "$z" 'rm -f /dev/shm/fill'

# ---- the console ----
worker=$(awk '{print $1}' "$NODE_RUN/$z/worker")
ticks() { awk '{print $14 + $15}' "/proc/$worker/stat"; }
zlogin "$z" 'timeout 4 sh -c "while :; do head -c 60000 /dev/zero | tr \"\\0\" x; done >/dev/console"' &
flood=$!
read -rt 1 <> <(:) || :
t0=$(ticks)
read -rt 2 <> <(:) || :
le "S12 a flooded console costs the host little (ticks of 10 ms in 2 s)" $(($(ticks) - t0)) 60
check "S12 and can be looked at" timeout 10 script -qec "timeout --foreground 1 zlogin -C $z; true" /dev/null
wait "$flood"
le "S12 its log is bounded (MiB)" "$(du -sm "$NODE_LOG/vms/$z" | cut -f1)" 8
check "S12 the neighbour's console works" bash -c "zlogin $y 'echo from-the-neighbour >/dev/console'; grep -q from-the-neighbour $NODE_LOG/vms/$y/console.log"

# ---- a zone that only reboots ----
t0=$SECONDS
for i in 1 2 3 4; do
	await 10 zlogin "$z" true
	zlogin -S "$z" 'reboot -f' >/dev/null 2>&1
	await 5 bash -c '[ "$(vmadm get "$1" | jq -r .state)" != running ]' - "$z"
done
check "S11 a zone that does nothing but reboot comes back" await 20 zlogin "$z" true
le "S11 but makes the host no more work than once in two seconds" 6 $((SECONDS - t0))

for x in "$z" "$y"; do check "delete" vmadm delete "$x"; done
