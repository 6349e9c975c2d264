#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 120
# Limits hold for a whole machine, its monitor with it; one whose guest halts costs next to nothing; and what can't have an effect is refused.
. "$(dirname "$0")/lib.sh"
need_root
[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
node hvmlimits
pool

bootsector one.raw || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name boot one.raw
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
DISK="\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"}]"
no() { # pattern members
	fails 1 "$1" vmadm create <<<"{\"brand\":\"kvm\",\"ram\":64,$2}"
}

# ---- settings that would have no effect ----
no 'limit_priv of brand kvm' '"limit_priv":"default,proc_clock_highres"'
no 'order=cd,once=d' '"boot":"order=ax"'
no 'order=cd,once=d' '"boot":"cd"'
no 'hyperv: it needs KVM' '"hyperv":true,"accelerator":"tcg"'
eq "and nothing of these is left" "$(vmadm list -H | wc -l)" 0

run vmadm create <<<"{\"brand\":\"kvm\",\"ram\":64,\"alias\":\"m1\",\"boot\":\"order=dc\",$DISK}"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
press() { # letter: until the guest has echoed it, last of all
	local i
	for i in 1 2 3 4 5; do
		timeout 30 "$T_DIR/onpty.py" -t 10 "onnected;;<$1;;$1;;<\\r~." zlogin -C "$M" >/dev/null
		! await 5 eval "grep -q '$1' <(console_log '$M' | tr -d '\\r' | tail -n 1)" || return 0
	done
	return 1
}
# Under a cap its monitor may be too slow to answer; one that was not asked is no number.
used() { await 20 eval 'U=$(vmadm info "$M" | jq .usage.cpu_ns) && [ -n "$U" ]' && echo "$U"; }
check "its guest runs" await 30 console_says "$M" 'GUEST UP'
fails 1 'limit_priv of brand kvm' vmadm update "$M" limit_priv=default
fails 1 'hyperv: it needs KVM' vmadm update "$M" hyperv=true accelerator=tcg

# ---- its memory ----
PID=$(vmadm get "$M" | jq .pid)
eq "the balloon is as large as its memory" "$(vmadm info "$M" balloon | jq .balloon.actual)" $((64 << 20))
eq "a guest without a driver says nothing of its own" "$(vmadm info "$M" memory | jq -c '.memory | keys')" '["added","balloon","started_with","updated"]'
eq "what its disk has read and written" "$(vmadm info "$M" blockstats | jq '.blockstats[0].stats.rd_bytes >= 512')" true
eq "of its memory nothing is merged with others'" "$(awk '/^VmFlags/ && / mg( |$)/ {n++} END {print n + 0}' "/proc/$PID/smaps")" 0
eq "nor in a core" "$(awk '/^Size:/ {s = $2} /^VmFlags/ && s == 65536 {print / dd( |$)/ ? "left out" : "in it"}' "/proc/$PID/smaps" | sort -u)" "left out"

# What the kernel has, not what the record says: max_swap bounds memory and swap together, and is no more than its memory unless given.
PHYS=$(vmadm get "$M" | jq .max_physical_memory) SWAP=$(cgdir "$M" memory)/memory.swap.max
if [ -d "$(cgdir "$M" memory)" ] && [ ! -e "$(cgdir "$M" memory)/memory.limit_in_bytes" ]; then
	eq "the host swaps none of it out" "$(cat "$SWAP")" 0
	check "more of both together" vmadm update "$M" max_swap=$((PHYS + 100))
	eq "is what it may swap, at once" "$(cat "$SWAP")" $((100 << 20))
	check "and none" vmadm update "$M" max_swap="$PHYS"
	eq "is none" "$(cat "$SWAP")" 0
else
	skip_check "the host swaps none of it out" "memory is limited by cgroup v1 here, which has no limit on swap alone"
fi

# ---- its processors ----
check "a cap" vmadm update "$M" cpu_cap=20
check "a guest that spins" press s
share() { # seconds: % of a processor that the whole machine has used meanwhile
	local a b t
	a=$(used) t=$(date +%s%N)
	read -rt "$1" <> <(:) || :
	b=$(used)
	[ -n "$a" ] && [ -n "$b" ] || { echo 999; return; } # more than any limit
	echo $(((b - a) * 100 / ($(date +%s%N) - t)))
}
le "is held to it, with its monitor" "$(share 5)" 24
check "another" vmadm update "$M" cpu_cap=50
le "at once" "$(share 4)" 56
check "reset" vmadm reboot "$M" -F
check "it runs" await 60 eval '[ "$(console_log "$M" | grep -c "GUEST UP")" -ge 2 ]'
check "without a cap" vmadm update "$M" cpu_cap=0
check "a guest that halts" press h
# 18 interrupts a second of its board's clock; where processors are emulated 7 % were seen, 15 % where these got a third of one: the guest
# above, which spins, would have all of one
le "costs next to nothing" "$(share 5)" $((${T_SLOW:-1} > 1 ? 25 : 2))
check "delete" vmadm delete "$M"
