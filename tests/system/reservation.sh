#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 120
# Reserved memory: what the kernel holds, what contradicts itself, and who keeps its pages when another needs memory.
. "$(dirname "$0")/lib.sh"
need_root
node reserve
pool
V2=$(awk '$0 ~ / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)

fails 1 'memory_reservation: 300 is more than max_physical_memory, 256' vmadm create <<<'{"brand":"joyent-minimal","max_physical_memory":256,"memory_reservation":300}'
fails 1 'memory_reservation: must be' vmadm create <<<'{"brand":"joyent-minimal","memory_reservation":-1}'
mkzone z a '"max_physical_memory":256' || exit 1
fails 1 'memory_reservation: 257 is more' vmadm update "$z" memory_reservation=257
d=$(cgdir "$z" memory)
if [ ! -e "$d/memory.low" ]; then
	fails 1 "can't reserve memory for a zone" vmadm update "$z" memory_reservation=100
	fails 1 "can't reserve memory for a zone" vmadm create <<<'{"brand":"joyent-minimal","memory_reservation":100}'
	eq "the record is as it was" "$(vmadm get "$z" | jq .memory_reservation)" null
	check "none is fine" vmadm update "$z" memory_reservation=0
	check "stopped" vmadm stop -F "$z"
	fails 1 "can't reserve memory for a zone" vmadm update "$z" memory_reservation=100
	fails 1 "can't reserve memory for a zone" vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"memory_reservation":100}'
	eq "nor for one that is stopped" "$(vmadm list -Ho uuid) $(vmadm get "$z" | jq .memory_reservation)" "$z null"
	check "delete" vmadm delete "$z"
	exit 0
fi
if ! awk -v m="$V2" '$5 == m && / - cgroup2 /' /proc/self/mountinfo | grep -q memory_recursiveprot; then
	fails 1 'without memory_recursiveprot' vmadm update "$z" memory_reservation=100
	mount -o remount,memory_recursiveprot "$V2" || skip "memory_recursiveprot can't be had"
fi
run vmadm update "$z" memory_reservation=100
if [ "$RC" != 0 ] && grep -q 'not protected itself' <<<"$OUT"; then
	ok "what is above the zones has to be protected first"
	for s in cloister-zones.service cloister.slice; do systemctl set-property --runtime "$s" MemoryLow=infinity; done
	run vmadm update "$z" memory_reservation=100
fi
eq "reserved" "$RC $(cat "$d/memory.low")" "0 $((100 << 20))"
eq "and of the node" "$(cat "$(dirname "$(cgdir "$z" v2)")/memory.low")" $((100 << 20))
mkzone y b '"max_physical_memory":256,"memory_reservation":50' || exit 1
eq "of both together" "$(cat "$(dirname "$(cgdir "$z" v2)")/memory.low")" $((150 << 20))
check "given back" vmadm update "$y" memory_reservation=0
eq "of one" "$(cat "$(dirname "$(cgdir "$z" v2)")/memory.low")" $((100 << 20))

mem=$(awk '$1 == "MemTotal:" {print int($2 / 1024) + 1}' /proc/meminfo)
fails 1 "is more than this host's memory" vmadm create <<<"{\"brand\":\"joyent-minimal\",\"autoboot\":false,\"max_physical_memory\":$mem,\"memory_reservation\":$mem}"
eq "nothing is left of it" "$(vmadm list -H | wc -l)" 2

# Both have 60 MiB in the page cache; the node's cgroup is asked for 80 MiB: who has reserved keeps its own.
for u in "$z" "$y"; do zlogin "$u" 'dd if=/dev/urandom of=/var/tmp/f bs=1M count=60 conv=fsync' >/dev/null 2>&1; done
file() { awk '$1 == "file" {print $2}' "$(cgdir "$1" memory)/memory.stat"; }
echo "# page cache: reserved $(file "$z"), not $(file "$y")"
if [ -e "$(dirname "$d")/../memory.reclaim" ]; then
	echo 80M >"$(dirname "$d")/../memory.reclaim" 2>/dev/null
	echo "# after reclaim: reserved $(file "$z"), not $(file "$y")"
	le "the reserved zone keeps its pages" $((30 << 20)) "$(file "$z")"
	le "the other gives up most of its own" "$(file "$y")" $((20 << 20))
else
	skip_check "reclaim" "no memory.reclaim"
fi
check "stop" vmadm stop -F "$z"
check "delete" eval 'vmadm delete "$z" && vmadm stop -F "$y" && vmadm delete "$y"'
