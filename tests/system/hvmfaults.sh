#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# Machines that don't do as they are told: a deaf guest, one that panics, resets itself or faults; a monitor that is killed, or hangs; a keeper that is dead;
# what a reset does with a record that has changed; and what each of these is called afterwards.
. "$(dirname "$0")/lib.sh"
need_root
[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
node hvmfaults
pool

bootsector one.raw || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name boot one.raw
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
run vmadm create <<<"{\"brand\":\"kvm\",\"ram\":64,\"alias\":\"m1\",\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"}]}"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
ups() { console_log "$M" | grep -c 'GUEST UP'; }
up() { # after a number of earlier ones
	await 30 eval "[ \"\$(ups)\" -gt $1 ]"
}
field() { vmadm get "$M" | jq -r "$1"; }
# Types a letter at its console until that has had an effect: a console that is slow to come up may lose one.
press() { # letter command…
	local i
	for i in 1 2 3 4 5; do
		timeout 30 "$T_DIR/onpty.py" -t 10 "onnected;;<$1;;$1;;<\\r~." zlogin -C "$M" >/dev/null
		! await 5 "${@:2}" || return 0
	done
	return 1
}
said() { grep -q "$1" <(console_log "$M" | tr -d "\r" | tail -n 1); } # letter: in the last line
event() { vmadm events -j "$M" | jq -c "select(.type == \"$1\") | .detail" | tail -1; }
happened() { await 20 eval "[ -n \"\$(event $1)\" ]"; }
check "its guest runs" up 0
eq "what runs it is said" "$(vmadm info "$M" accelerator | jq -r .accelerator | grep -cE '^(kvm|tcg)$')" 1

# ---- what a guest does ----
check "a guest that panics is an event" press p happened guest-panic
eq "and goes on as it likes" "$(vmstate "$M") $(vmadm info "$M" status | jq -r .status.status)" "running running"
N=$(ups)
check "a triple fault is a reset" press t up "$N"
check "and a reset from inside an event" happened guest-reset
eq "still the same monitor" "$(field .state)" running
check "a guest that does not listen" press d said d
SECONDS=0
check "stop -t of a deaf guest" vmadm stop "$M" -t 3
le "does not wait longer than it was told" $SECONDS 15
eq "and it is stopped" "$(vmstate "$M")" stopped

# ---- what happens to the monitor ----
N=$(ups)
check "start" vmadm start "$M"
check "it runs" up "$N"
check "kill: TERM to the monitor" vmadm kill "$M"
check "ends it" await 20 is_state "$M" stopped
eq "which is not as if the guest had been switched off" "$(field .autoboot)" true
N=$(ups)
check "start" vmadm start "$M"
check "it runs" up "$N"
check "switched off from inside" press q is_state "$M" stopped
eq "it stays off" "$(field .autoboot)" false
N=$(ups)
check "start" vmadm start "$M"
check "it runs" up "$N"
kill -KILL "$(field .pid)"
check "a monitor that is killed" await 20 is_state "$M" stopped
eq "is said to be, with its signal" "$(event stop | jq -c '[.init, .signal]')" '["signal",9]'
N=$(ups)
check "start" vmadm start "$M"
check "it runs" up "$N"
kill -KILL "$(awk '{print $1}' <(ps -o ppid= -p "$(field .pid)"))"
eq "without its keeper it runs on" "$(vmadm info "$M" status | jq -r .status.status)" running
check "and is stopped as any" timeout 60 vmadm stop "$M" -t 10
eq "stopped" "$(vmstate "$M")" stopped

# ---- an earlier start's complaint is not this one's ----
mkdir -p "$NODE_LOG/vms/$M"
echo 'qemu-system-x86_64: an old complaint' >>"$NODE_LOG/vms/$M/console.log"
D=$NODE_POOL/$M/root/disk0
python3 - "$D" <<'P' &
import fcntl, os, struct, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
# as QEMU locks its image: bytes 100 and on, for an open file
fcntl.fcntl(fd, 37, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 100, 200, 0))
time.sleep(60)
P
HOLDER=$!
await 5 eval '[ -n "$(grep -E "OFDLCK.*:$(stat -c %i "$D") " /proc/locks)" ]'
run vmadm start "$M"
like "the last words are those of this start" "$OUT" 'QEMU ended at once: .*lock'
unlike "not of another" "$OUT" 'old complaint'
kill "$HOLDER"
wait "$HOLDER" 2>/dev/null

# ---- reset, and a record that has changed ----
N=$(ups)
check "start" vmadm start "$M"
check "it runs" up "$N"
PID=$(field .pid)
N=$(ups)
check "reboot -F" vmadm reboot "$M" -F
check "it comes up" up "$N"
eq "in the same monitor" "$(field .pid)" "$PID"
check "more memory, for its next start" vmadm update "$M" ram=96
N=$(ups)
check "reboot -F of one that has been changed" vmadm reboot "$M" -F
check "it comes up" up "$N"
eq "as what its record says" "$(tr '\0' ' ' <"/proc/$(field .pid)/cmdline" | grep -o -- '-m [0-9]*M')" "-m 96M"

# ---- a monitor that hangs ----
# Its socket has room for seventeen who are never taken.
PID=$(field .pid)
kill -STOP "$PID"
SECONDS=0
for i in $(seq 20); do timeout 20 kstat -p disk::: >/dev/null 2>&1; [ $? != 124 ] || break; done
eq "kstat of all does not wait for it, however often" "$i" 20
le "half a second each" $SECONDS 60
if [ -e /proc/self/schedstat ]; then
	eq "how its processors are served the kernel tells" "$(kstat -p vmm::vm:vcpus | cut -f2)" 1
	like "zonestat too" "$(timeout 20 zonestat -p -o name,steal -z "$M" 0.2 1 | tail -1)" ':0\.000$'
	SECONDS=0
	timeout 20 zonestat -x 0.2 1 >/dev/null
	le "and waits for nobody" $SECONDS 2
else
	skip_check "how its processors are served" "this kernel does not count how long a thread waits (CONFIG_SCHED_INFO)"
fi
fails 1 'QEMU does not answer' timeout 60 vmadm info "$M" status
SECONDS=0
timeout 60 vmadm info "$M" >info.out 2>info.err
eq "info of all fails" $? 1
le "as soon" $SECONDS 15
eq "with all that the kernel holds" "$(jq -c '[.zone.pid, .usage.memory_bytes > 0, .limits.memory_bytes > 0]' info.out)" "[$PID,true,true]"
like "and why the rest is missing" "$(jq -r .monitor info.out)" '^QEMU does not answer'
like "which is said" "$(cat info.err)" 'info: what its monitor was to say is missing: QEMU does not answer'
eq "so with its types" "$(timeout 60 vmadm info "$M" all 2>/dev/null | jq -c '[.zone.pid, has("monitor")]')" "[$PID,true]"
check "stop" timeout 90 vmadm stop "$M" -t 5
eq "halts it" "$(vmstate "$M")" stopped

# ---- the pool goes elsewhere ----
check "shutdown" await 60 cloister shutdown # another test may have looked at its mounts
mv "$NODE_STATE" "$T_TMP/state"
mkdir -p "$NODE_STATE"
check "the pool alone brings it back" cloister pool import "$T_TMP/state/pool.img"
N=$(ups)
check "start" vmadm start "$M"
check "it runs" up "$N"

check "delete" vmadm delete "$M"
rm -rf "$T_TMP/state"
