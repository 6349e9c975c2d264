#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# Start of a machine to its guest's user space under KVM, beside QEMU by hand with the same machine type, processor, memory and disk; by hand:
#	sudo tests/host/run 6.12 systemd host:userspace
# The table is in build/host/1/system/userspace.log. No bar is asserted, as the host is emulated; fails if a start does not come to its end.
. "$(dirname "$0")/../system/lib.sh"
. "$T_DIR/guest.sh"
need_root
need_guest
node userspace
pool
mkguest "$T_TMP/g.raw" || { not_ok "a guest for this"; exit 1; }
run imgadm import --type zvol --name guest "$T_TMP/g.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
run vmadm create <<<"{\"brand\":\"kvm\",\"alias\":\"u\",\"autoboot\":false,\"ram\":192,\"vcpus\":1,\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"}]}"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
cp --reflink=auto "$T_TMP/g.raw" "$NODE_POOL/hand.raw"
ready() { grep -q 'GUEST READY' "$1" 2>/dev/null; }
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.2f", b - a}'; }
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

# The processor and type that the product asks for, so that both ask for the same.
run vmadm start "$M"
eq "it starts" "$RC" 0
mapfile -d '' -t words <"/proc/$(vmadm get "$M" | jq .pid)/cmdline"
for ((i = 0; i < ${#words[@]}; i++)); do
	case ${words[i]} in -cpu) cpu=${words[i + 1]} ;; -machine | -M) machine=${words[i + 1]%%,*} ;; -accel) accel=${words[i + 1]} ;; esac
done
vmadm stop -F "$M" >/dev/null 2>&1
echo "# $accel, machine $machine, processor $cpu"
[ -n "$accel" ] && [ -n "$machine" ] && [ -n "$cpu" ] || { not_ok "its words" "${words[*]}"; exit 1; }
hand() { # more words…
	local t=$EPOCHREALTIME p
	: >hand.log
	qemu-system-x86_64 -accel "$accel" -machine "$machine" -cpu "$cpu" -smp 1 -m 192 -nodefaults -no-user-config -display none -serial file:hand.log "$@" &
	p=$!
	await 90 ready hand.log && since "$t"
	kill -KILL $p
	wait $p 2>/dev/null
}
ours() {
	local t=$EPOCHREALTIME n
	n=$(console_log "$M" | grep -c 'GUEST READY')
	vmadm start "$M" >/dev/null 2>&1 || return
	await 90 eval "[ \"\$(console_log $M | grep -c 'GUEST READY')\" -gt $n ]" && since "$t"
	vmadm stop -F "$M" >/dev/null 2>&1
}
for i in 1 2 3 4 5; do
	a=$(ours) b=$(hand -drive "file=$NODE_POOL/hand.raw,format=raw,if=virtio,cache=writeback")
	[ -n "$a" ] && [ -n "$b" ] || not_ok "round $i: machine '$a', by hand '$b'"
	echo "$a" >>ours
	echo "$b" >>hand
	echo "# round $i: machine $a s, by hand $b s"
done
echo "# median: machine $(median <ours) s, by hand $(median <hand) s"
eq "all rounds" "$(cat ours hand | grep -c .)" 10
