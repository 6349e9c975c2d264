#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# Processors of a zone's own: nobody else runs there, the kernel's own threads of each processor apart; they are refused
# when they are not there, and come back when the zone ends, however it ends.
. "$(dirname "$0")/lib.sh"
need_root
node cpus
pool
V2=$(awk '$0 ~ / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)
cpus=$(nproc --all)

fails 1 'dedicated_cpus: must be' vmadm create <<<'{"brand":"joyent-minimal","dedicated_cpus":"some"}'
fails 1 'dedicated_cpus: must be' vmadm create <<<'{"brand":"joyent-minimal","dedicated_cpus":"3-1"}'
# The kernel says what it can in a zone's cgroup.
mkzone z probe '' || exit 1
able=$(ls "$(cgdir "$z" v2)/cpuset.cpus.exclusive" 2>/dev/null)
vmadm stop -F "$z" && vmadm delete "$z" || exit 1
if [ -z "$able" ]; then
	fails 1 "can't give a zone processors of its own" vmadm create <<<'{"brand":"joyent-minimal","dedicated_cpus":1}'
	eq "and nothing is left" "$(vmadm list -H)" ""
	mkzone z a '' || exit 1
	fails 1 "can't give a zone processors of its own" vmadm update "$z" dedicated_cpus=1
	eq "not in the record either" "$(vmadm get "$z" | jq .dedicated_cpus)" null
	check "none is fine" vmadm update "$z" dedicated_cpus=0
	check "stopped" vmadm stop -F "$z"
	fails 1 "can't give a zone processors of its own" vmadm update "$z" dedicated_cpus=1
	eq "nor then" "$(vmadm get "$z" | jq .dedicated_cpus)" null
	fails 1 "can't give a zone processors of its own" vmadm create <<<'{"brand":"joyent-minimal","alias":"later","autoboot":false,"dedicated_cpus":1}'
	fails 1 "can't give a zone processors of its own" vmadm create --dry-run <<<'{"brand":"joyent-minimal","dedicated_cpus":1}'
	eq "and nothing is left of it" "$(vmadm list -Ho uuid)" "$z"
	check "delete" vmadm delete "$z"
	exit 0
fi
[ "$cpus" -ge 2 ] || skip "needs two processors"

last=$((cpus - 1))
fails 1 'of which the global zone keeps one' vmadm create <<<"{\"brand\":\"joyent-minimal\",\"dedicated_cpus\":$cpus}"
fails 1 'would leave no processor' vmadm create <<<"{\"brand\":\"joyent-minimal\",\"dedicated_cpus\":\"0-$last\"}"
fails 1 'no processor 900' vmadm create <<<'{"brand":"joyent-minimal","dedicated_cpus":"900-900"}'
fails 1 'no processor 900' vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"dedicated_cpus":"900-900"}'
fails 1 'would leave no processor' vmadm create <<<"{\"brand\":\"joyent-minimal\",\"autoboot\":false,\"dedicated_cpus\":\"0-$last\"}"
eq "nothing is left of these" "$(vmadm list -H)" ""

where() { cat "$(cgdir "$1" v2)/cpuset.cpus.effective"; }
hosts() { cat "$V2/cpuset.cpus.effective"; }
all=$(hosts)
mkzone z a '"dedicated_cpus":1' || exit 1
eq "one processor is the zone's" "$(where "$z")" "$last"
eq "and no longer the host's" "$(taskset -cp $$ | sed 's/.*: //')" "$(hosts)"
unlike "in no way" "$(hosts)" "(^|[,-])$last\$"
eq "the zone runs there" "$(zlogin "$z" 'sed -n "s/^Cpus_allowed_list:[^0-9]*//p" /proc/self/status')" "$last"
# Tasks that may run there, but for the zone's and those bound to each processor by the kernel itself.
strangers() {
	local t n=0
	for t in /proc/[0-9]*/task/[0-9]*; do
		grep -q "/$z" "$t/cgroup" 2>/dev/null && continue
		[ "$(readlink "${t%/task/*}/exe" 2>/dev/null)" ] || continue
		taskset -cp "${t##*/}" 2>/dev/null | grep -qE "(: |[,-])$last\$" && { n=$((n + 1)); echo "# $t $(cat "$t/comm")"; }
	done
	echo "$n"
}
eq "no program of the host may run there" "$(strangers | tail -1)" 0

# What ran there meanwhile: the zone's own time against the processor's.
busy() { awk -v c="cpu$1" '$1 == c {printf "%.0f", ($2 + $3 + $4 + $7 + $8) * 10000}' /proc/stat; } # µs
zones() { awk '$1 == "usage_usec" {print $2}' "$(cgdir "$z" v2)/cpu.stat"; }
zlogin "$z" 'sh -c "while :; do :; done" & echo $! >/tmp/hog' >/dev/null
b0=$(busy "$last") z0=$(zones)
timeout 5 bash -c 'while :; do :; done'
b1=$(busy "$last") z1=$(zones)
echo "# processor $last: $((b1 - b0)) us busy, of that the zone $((z1 - z0))"
le "foreign time on it, per mille (ticks of 10 ms and the kernel's own threads included)" $((((b1 - b0) - (z1 - z0)) * 1000 / (b1 - b0))) 20
zlogin "$z" 'kill $(cat /tmp/hog)'

if [ "$cpus" = 2 ]; then
	fails 1 'dedicated_cpus' vmadm create <<<'{"brand":"joyent-minimal","alias":"b","dedicated_cpus":1}'
	fails 1 "another's already: of zone $z" vmadm create <<<"{\"brand\":\"joyent-minimal\",\"alias\":\"b\",\"dedicated_cpus\":\"$last-$last\"}"
fi
# Its memory is that of its processors' nodes, as the zone has it; nothing is said of it where there is one node.
all_mems=$(cat "$V2/cpuset.mems.effective")
near() { # processor
	local n
	[[ $all_mems == *[-,]* ]] || { echo "$all_mems"; return; }
	for n in /sys/devices/system/node/node[0-9]*/cpu"$1"; do n=${n%/*} && echo "${n##*/node}"; done
}
mems() { cat "$(cgdir "$1" v2)/cpuset.mems.effective"; }
eq "its memory is near" "$(mems "$z")" "$(near "$last")"
eq "for its programs too" "$(zlogin "$z" 'sed -n "s/^Mems_allowed_list:[^0-9]*//p" /proc/self/status')" "$(near "$last")"
[[ $all_mems == *[-,]* ]] || eq "on a machine with one node it is not bound" "$(cat "$(cgdir "$z" v2)/cpuset.mems")" ""

mkzone y b '' || exit 1
unlike "another zone is not there" "$(where "$y")" "(^|[,-])$last\$"
fails 1 "another's already: of zone $z" vmadm update "$y" "dedicated_cpus=$last-$last"
eq "and has none of its own" "$(vmadm get "$y" | jq .dedicated_cpus)" null
check "given back live" vmadm update "$z" dedicated_cpus=0
eq "the host has all" "$(hosts)" "$all"
eq "so has the zone" "$(where "$z")" "$all"
eq "and all memory" "$(mems "$z")" "$all_mems"
check "taken by the other live" vmadm update "$y" "dedicated_cpus=$last-$last"
eq "there" "$(where "$y")" "$last"
fails 1 'no processor 900' vmadm update "$y" dedicated_cpus=900-900
eq "who can't get others keeps what it has" "$(where "$y") $(vmadm get "$y" | jq -r .dedicated_cpus)" "$last $last-$last"
check "moved" vmadm update "$y" dedicated_cpus=0-0
eq "to the first" "$(where "$y") $(hosts)" "0 $(seq -s, 1 "$last" | sed 's/^\([0-9]*\),.*,\([0-9]*\)$/\1-\2/')"
eq "and its memory with it" "$(mems "$y")" "$(near 0)"
check "back" vmadm update "$y" dedicated_cpus=1
check "an update that fails half way" eval 'CLOISTER_FAIL=update-store:error vmadm update "$y" dedicated_cpus=0; [ $? = 1 ]'
eq "leaves it" "$(where "$y")" "$last"
check "stopped" vmadm stop -F "$y"
eq "it is given back" "$(hosts)" "$all"
fails 1 'no processor 900' vmadm update "$y" dedicated_cpus=900-900
eq "a stopped one is told at once what it can never have" "$(vmadm get "$y" | jq -r .dedicated_cpus)" 1
check "started" vmadm start "$y"
eq "taken again" "$(where "$y")" "$last"
power_cut keep
check "after a crash another can have it" vmadm update "$z" alias=a
check "start" vmadm start "$z"
check "it" vmadm update "$z" "dedicated_cpus=$last-$last"
eq "has it" "$(where "$z")" "$last"
check "away" eval 'vmadm stop -F "$z" && vmadm delete "$z" && vmadm delete "$y"'
eq "the host has all" "$(hosts)" "$all"
