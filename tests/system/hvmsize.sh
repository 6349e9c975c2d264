#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# Memory and processors of a machine become more and less while it runs, as far as its guest goes along; limits follow, and its next start has all of it plain.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
need_guest
node hvmsize
pool
MIB=$((1 << 20))

mkguest g.raw || { not_ok "a guest"; exit 1; }
bootsector one.raw || { not_ok "a guest without a driver"; exit 1; }
import() { # name file
	run imgadm import --type zvol --name "$1" "$2"
	IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
}
import boot one.raw
BOOT=$IMG
import g g.raw
machine() { # name image members
	run vmadm create <<<"{\"brand\":\"kvm\",\"alias\":\"$1\",\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$2\"}]${3:+,$3}}"
	M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
	[ -n "$M" ] || { not_ok "machine $1" "$OUT"; exit 1; }
}
total() { # MiB that the guest says it has
	g "$M" 'grep MemTotal /proc/meminfo' && awk '/MemTotal/ {print int($2 / 1024)}' <<<"$G_OUT"
}
limit() { # of the kernel, MiB
	local d
	d=$(cgdir "$M" memory)
	echo $(($(cat "$d/memory.limit_in_bytes" 2>/dev/null || cat "$d/memory.max" "$d/all/memory.max" 2>/dev/null | grep -v max | head -1) / MIB))
}
added() { vmadm info "$M" memory | jq ".memory.added / $MIB | floor"; }
cpus() { vmadm info "$M" cpus | jq '.cpus | length'; }

fails 1 'ram: 512 is more than max_ram, 300' vmadm create <<<'{"brand":"kvm","ram":512,"max_ram":300}'
fails 1 'vcpus: 4 is more than max_vcpus, 2' vmadm create <<<'{"brand":"kvm","vcpus":4,"max_vcpus":2}'
machine m1 "$IMG" '"ram":256,"max_ram":768,"max_vcpus":3'
check "its guest is up" guest_up "$M"
eq "with what it has, and no more" "$(added) $(cpus) $(limit)" "0 1 1280"
HAS=$(total)
le "of which it sees as much" "$HAS" 256
check "it takes memory in use when it gets some" g "$M" 'echo online >/sys/devices/system/memory/auto_online_blocks'

# ---- more ----
fails 1 'ram: 800 is more than max_ram, 768' vmadm update "$M" ram=800
fails 1 'steps of 2 MiB from the 256' vmadm update "$M" ram=301
eq "nothing of that is left" "$(vmadm get "$M" | jq .ram) $(added) $(limit)" "256 0 1280"
check "more memory" vmadm update "$M" ram=512
check_not "of which nothing waits for a start" grep -qw 'ram' <<<"$OUT"
eq "record, monitor and limit" "$(vmadm get "$M" | jq -c '[.ram,.max_physical_memory]') $(added) $(limit)" "[512,1536] 256 1536"
le "the guest has it" $((HAS + 240)) "$(total)"
check "and uses it" g "$M" 'mount -t tmpfs -o size=400m t /tmp && dd if=/dev/zero of=/tmp/x bs=1M count=250 2>/dev/null && wc -c </tmp/x'
check "more processors" vmadm update "$M" vcpus=3
check_not "at once" grep -q 'vcpus' <<<"$OUT"
eq "it has them" "$(cpus)" 3
[ ! -e /proc/self/schedstat ] || eq "kstat tells of each, and of all" "$(kstat -p 'vmm:::/^vcpus?$/' | cut -d: -f3,4 | tr '\t\n' '= ')" "vcpu0:vcpu=0 vcpu1:vcpu=1 vcpu2:vcpu=2 vm:vcpus=3 "
check "the guest sees them" g "$M" 'for i in 1 2 3 4 5 6 7 8 9 10; do [ -e /sys/devices/system/cpu/cpu2/online ] && break; sleep 1; done; echo 1 >/sys/devices/system/cpu/cpu1/online; echo 1 >/sys/devices/system/cpu/cpu2/online; grep -c ^processor /proc/cpuinfo'
eq "all" "$(tr -d '\r' <<<"$G_OUT" | tail -1)" 3

# ---- less ----
HAVE=3
if [ "$(vmadm info "$M" accelerator | jq -r .accelerator)" = tcg ]; then
	fails 1 'can have fewer with its next start only' vmadm update "$M" vcpus=2
else
	check "less processors" vmadm update "$M" vcpus=2
	HAVE=2
fi
eq "that many are there" "$(cpus)" "$HAVE"
fails 1 'did not give back more than' vmadm update "$M" ram=256
eq "what is in use stays, with its limit" "$(vmadm get "$M" | jq -c '[.ram,.max_physical_memory]') $(added) $(limit)" "[512,1536] 256 1536"
check "the guest frees it" g "$M" 'rm /tmp/x; echo 3 >/proc/sys/vm/drop_caches'
check "less memory" vmadm update "$M" ram=384
eq "everywhere" "$(vmadm get "$M" | jq -c '[.ram,.max_physical_memory]') $(added) $(limit)" "[384,1408] 128 1408"
fails 1 'can not become less' vmadm update "$M" ram=128
fails 1 'can not become less' vmadm update "$M" max_physical_memory=1300

# ---- its guest resets itself; and it is booted anew ----
if [ "$HAVE" = 2 ]; then
	check "processors once more" vmadm update "$M" vcpus=3
	check "and away" vmadm update "$M" vcpus=2
fi
check "the guest reboots by itself" g "$M" '(sleep 1; reboot -f) & true'
check "it comes up" guest_up "$M" 2
eq "with what it had" "$(cpus)" "$HAVE"
check "reboot" vmadm reboot "$M" -F
check "it comes up" guest_up "$M" 3
eq "all of it is plain now" "$(vmadm info "$M" memory | jq -c '[.memory.started_with, .memory.added]') $(cpus)" "[$((384 * MIB)),0] $HAVE"
if [ "$HAVE" = 2 ]; then
	check "one that it started with goes too" vmadm update "$M" vcpus=1
	eq "when the guest lets go" "$(cpus)" 1
fi

# ---- a command that is killed behind it, and a guest that has made use of it ----
check "it takes memory in use" g "$M" 'echo online >/sys/devices/system/memory/auto_online_blocks'
(exec 3>"$T_TMP/k"; env CLOISTER_FAIL=update-store:stop vmadm update "$M" ram=768 3>&- & echo $! >&3; wait) >/dev/null 2>&1 &
check "a command that is about to store it" await 60 eval '[ -s "$T_TMP/k" ] && grep -q "^State:.T" "/proc/$(cat "$T_TMP/k")/status"'
G_LIMIT=60
check "its guest uses it" g "$M" 'mkdir -p /u && mount -t tmpfs -o size=600m t /u && dd if=/dev/zero of=/u/x bs=1M count=330 2>/dev/null && wc -c </u/x'
kill -KILL "$(cat "$T_TMP/k")"
run vmadm update "$M" alias=killed
like "the next command says that it does not give it back" "$OUT" 'not as before: ram: the guest did not give back more than'
room() { # its limit has room for what it has, which is more than its record says
	le "$1" $((1280 + $(vmadm info "$M" memory | jq .memory.added) / MIB)) "$(limit)"
	le "$1, which is more than the record says" 1409 "$(limit)"
}
eq "its record is the old one" "$(vmadm get "$M" | jq .ram)" 384
room "its limit has room for what it has"
SECONDS=0
run vmadm update "$M" alias=m1
le "the one after that does not wait for it" $SECONDS 15
room "and leaves the limit"
check "another limit" vmadm update "$M" cpu_cap=350
room "takes nothing from it"
check "delete" vmadm delete "$M"

# ---- no room, no driver ----
machine m2 "$BOOT" '"ram":64'
check "a guest without room" await 30 console_says "$M" 'GUEST UP'
check "more of both" vmadm update "$M" ram=128 vcpus=2
eq "waits for its next start" "$(grep -c 'ram' <<<"$OUT") $(added) $(cpus)" "1 0 1"
check "room" vmadm update "$M" max_ram=256
check "is there then" vmadm reboot "$M" -F
check "it runs" await 60 eval '[ "$(console_log "$M" | grep -c "GUEST UP")" -ge 2 ]'
check "more for a guest without a driver" vmadm update "$M" ram=192
eq "is offered, and it is said that it took none" "$(grep -c 'has taken 0 of 64 MiB' <<<"$OUT") $(added)" "1 0"
eq "its limit has room for it" "$(limit)" 1216
check "less is as before" vmadm update "$M" ram=128
eq "with nothing offered" "$(vmadm get "$M" | jq .ram) $(limit)" "128 1152"
check "delete" vmadm delete "$M"
