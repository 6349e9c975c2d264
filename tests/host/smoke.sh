#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 120
# A zone's life on a pure cgroup v2 host in one go: what a new user does first, and every limit as the kernel holds it.
. "$(dirname "$0")/../system/lib.sh"
need_root
node smoke
v() { cat "$(cgdir "$z" "${1%%.*}")/$1"; } # file of the cgroup that has the limit
check "sysinfo" cloister sysinfo
check "a pool" cloister pool create --size 2G
mkzone z one '"cpu_shares":250,"cpu_cap":50,"max_physical_memory":128,"tmpfs":100,"max_swap":256,"max_lwps":300,"quota":1' || exit 1
like "the zone's own init is pid 1" "$(zlogin "$z" cat /proc/1/comm)" '^zinit$'
eq "hostname" "$(zlogin "$z" uname -n)" one
eq "cpu.weight" "$(v cpu.weight)" 250
eq "cpu.max" "$(v cpu.max)" "50000 100000"
eq "memory.max" "$(v memory.max)" $((128 << 20))
eq "memory.swap.max" "$(v memory.swap.max)" $((128 << 20))
eq "pids.max" "$(v pids.max)" 300
eq "its processes are in it, and so is the login" "$(zlogin "$z" cat /proc/self/cgroup)" "0::/../login"
check "update live" vmadm update "$z" cpu_shares=100 cpu_cap=0 max_physical_memory=200 max_swap=256 max_lwps=150
eq "cpu.weight" "$(v cpu.weight)" 100
eq "cpu.max" "$(v cpu.max)" "max 100000"
eq "memory.max" "$(v memory.max)" $((200 << 20))
eq "memory.swap.max" "$(v memory.swap.max)" $((56 << 20))
eq "pids.max" "$(v pids.max)" 150
# past its limits
zlogin "$z" 'head -c 300M /dev/zero | tail -c 250M >/dev/null' >/dev/null 2>&1
check "memory: what is too big is killed, and counted" grep -qE '^oom_kill [1-9]' "$(cgdir "$z" v2)/memory.events"
check "the zone is still there" zlogin "$z" true
# a login into a full zone is born beside it (/tmp and /dev/shm differ in size, else they are one tmpfs and hold 128 MiB together)
zlogin "$z" 'for d in /tmp /dev/shm; do dd if=/dev/zero of=$d/fill bs=64k; done' >/dev/null 2>&1
like "memory used up: in, and told so" "$(zlogin "$z" 'cat /proc/self/cgroup; ls -l /tmp/fill' 2>&1)" 'used up its memory'
eq "beside it" "$(zlogin "$z" cat /proc/self/cgroup 2>/dev/null)" "0::/../../rescue"
check "where it can make room" zlogin "$z" rm /tmp/fill /dev/shm/fill
zlogin "$z" 'for i in $(seq 160); do sleep 1000 & done' >/dev/null 2>&1
like "processes used up: in, and told so" "$(zlogin "$z" 'ls / | wc -l' 2>&1)" 'used up its processes'
zlogin "$z" 'pkill sleep' 2>/dev/null
check "room again: an ordinary login" await 20 eval '[ "$(zlogin "$z" cat /proc/self/cgroup)" = 0::/../login ]'
eq "the place beside it is gone" "$(find /sys/fs/cgroup -path "*/$z/rescue")" ""
# (32 MiB written many times by cat are one extent that is shared: cat reflinks)
run zlogin "$z" 'head -c 1100M /dev/urandom >/root/big; sync /root/big'
like "quota: a write past it fails" "$OUT" 'Disk quota exceeded|No space left'
check "and the file can be removed" zlogin "$z" 'rm /root/big; sync; echo x >/root/f'
check "the device filter holds" zlogin "$z" 'mknod /root/kmsg c 1 11 2>/dev/null; ! head -c1 /root/kmsg'
check "snapshot" vmadm create-snapshot "$z" s1
zlogin "$z" 'echo y >/root/f'
check "rollback" vmadm rollback-snapshot "$z" s1
eq "content is back" "$(zlogin "$z" cat /root/f)" x
check "reboot" vmadm reboot "$z"
eq "limits after a reboot" "$(v cpu.weight) $(v memory.max) $(v pids.max)" "100 $((200 << 20)) 150"
check "stop" vmadm stop "$z" -F
eq "its cgroup is gone" "$(cgdir "$z" v2)" ""
check "start" vmadm start "$z"
check "delete" vmadm delete "$z"
eq "no cgroup is left" "$(find /sys/fs/cgroup -name "$z")" ""
