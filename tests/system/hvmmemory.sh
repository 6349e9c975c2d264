#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# waits
# A machine's memory while it runs: what its guest leaves unused is taken while the host is short, and given back when the guest needs it; pages
# that machines have in common are kept once where they are to be.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
need_guest
node hvmmemory
pool
MIB=$((1 << 20))
conf() { # line: in node.conf, in place of the one that it had of that name
	mkdir -p "/etc/cloister-$CLOISTER_NODE"
	sed -i "/^${1%%=*}=/d" "/etc/cloister-$CLOISTER_NODE/node.conf" 2>/dev/null
	echo "$1" >>"/etc/cloister-$CLOISTER_NODE/node.conf"
}
rss() { # of the monitor, MiB
	awk '/^VmRSS/ {print int($2 / 1024)}' "/proc/$(vmadm get "$1" | jq .pid)/status"
}
held() { # by its balloon, MiB
	vmadm info "$1" memory | jq ".memory.balloon / $MIB | floor"
}

mkguest g.raw || { not_ok "a guest"; exit 1; }
run imgadm import --type zvol --name g g.raw
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
machine() { # name members
	run vmadm create <<<"{\"brand\":\"kvm\",\"alias\":\"$1\",\"ram\":256,\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"}]${2:+,$2}}"
	M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
	[ -n "$M" ] || { not_ok "machine $1" "$OUT"; exit 1; }
}

conf balloon_below=101
fails 1 'balloon_below: "101" is not 0 to 100' vmadm list
conf balloon_below=100 # always

# ---- the balloon ----
fails 1 'memory_reservation: 2000 is more than max_physical_memory' vmadm create <<<"{\"brand\":\"kvm\",\"ram\":256,\"memory_reservation\":2000}"
machine m1 '"memory_reservation":128'
check "its guest is up" guest_up "$M"
check "a guest that is idle has memory taken" await 60 eval '[ "$(held "$M")" -ge 60 ]'
await 30 eval '[ "$(held "$M")" -ge 120 ]'
le "but no more than its reservation leaves" "$(held "$M")" 128
check "the guest says so" g "$M" 'grep MemAvailable /proc/meminfo'
le "what it could still use is less" "$(awk '/MemAvailable/ {print int($2 / 1024)}' <<<"$G_OUT")" 120
# what was touched and is taken is the host's again
check "the guest fills memory" g "$M" 'mount -t tmpfs -o size=90m t /tmp && dd if=/dev/zero of=/tmp/x bs=1M count=60 2>/dev/null'
check "it gets back all of it" await 20 eval '[ "$(held "$M")" = 0 ]'
check "and uses it" g "$M" 'dd if=/dev/zero of=/tmp/y bs=1M count=25 2>/dev/null && wc -c </tmp/y'
FULL=$(rss "$M")
check "it is left alone for a while" eval '! await 20 eval "[ \"\$(held $M)\" != 0 ]"'
check "the guest lets go of it" g "$M" 'rm /tmp/x /tmp/y; echo 3 >/proc/sys/vm/drop_caches'
check "and is asked again, later" await 90 eval '[ "$(held "$M")" -ge 80 ]'
le "what is taken the monitor does not have" "$(rss "$M")" $((FULL - 40))

# ---- under pressure: more than it has left, in one go ----
check "it needs its memory at once" g "$M" 'mount -o remount,size=200m /tmp; dd if=/dev/zero of=/tmp/x bs=1M count=150 2>/dev/null; wc -c </tmp/x'
eq "it has it" "$(grep -c 157286400 <<<"$G_OUT")" 1
check "no process of it was killed" g "$M" '! dmesg | grep -i "out of memory\|oom-kill"'
check "the balloon holds nothing" await 20 eval '[ "$(held "$M")" = 0 ]'
check "the guest frees it" g "$M" 'rm /tmp/x'

# ---- who decides ----
check "without a reservation nothing is held" vmadm update "$M" memory_reservation=0
check "at once" await 10 eval '[ "$(held "$M")" = 0 ]'
check "delete" vmadm delete "$M"
conf balloon_below=0
machine m2 '"memory_reservation":128'
check "a guest where the node says never" guest_up "$M"
check_not "keeps what it has" await 25 eval '[ "$(held "$M")" != 0 ]'
check "delete" vmadm delete "$M"

# ---- page sharing ----
KSM=/sys/kernel/mm/ksm
if [ ! -w $KSM/run ]; then
	skip_check "page sharing" "this kernel has no KSM"
	exit 0
fi
WAS=$(cat $KSM/run) PAGES=$(cat $KSM/pages_to_scan) SLEEP=$(cat $KSM/sleep_millisecs)
ksm_back() { echo "$PAGES" >$KSM/pages_to_scan; echo "$SLEEP" >$KSM/sleep_millisecs; echo "$WAS" >$KSM/run; }
trap 'ksm_back' HUP INT TERM
if [ "$WAS" = 0 ]; then
	machine m3 '"page_sharing":true'
	check "where nothing is shared the operator is told" grep -q "nothing is shared before $KSM/run is 1" <<<"$OUT"
else
	machine m3 '"page_sharing":true'
fi
A=$M
machine m4
B=$M
check "both are up" eval 'guest_up "$A" && guest_up "$B"'
flags() { awk '/^Size:/ {s = $2} /^VmFlags/ && s == 262144 {print / mg( |$)/ ? "shared" : "its own"}' "/proc/$(vmadm get "$1" | jq .pid)/smaps" | sort -u; }
eq "the guest's memory may be merged" "$(flags "$A")" shared
eq "another's may not" "$(flags "$B")" "its own"
merging() { sed -n 's/^ksm_merging_pages //p' "/proc/$(vmadm get "$1" | jq .pid)/ksm_stat" 2>/dev/null || cat "/proc/$(vmadm get "$1" | jq .pid)/ksm_merging_pages"; }
echo 5000 >$KSM/pages_to_scan
echo 20 >$KSM/sleep_millisecs
echo 1 >$KSM/run
check "pages that are equal are kept once" await 60 eval '[ "$(merging "$A")" -ge 500 ]'
eq "of the other none" "$(merging "$B")" 0
ksm_back
check "delete" vmadm delete "$A"
check "delete" vmadm delete "$B"
