#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# A machine whose command was cut off where its guest waits: for its state, as that was loaded, for its first instruction, with its file systems frozen. What comes
# next neither loses its memory nor lets it go half way.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
need_guest
node hvmcut
pool
Z=/zones-$CLOISTER_NODE
status() { vmadm info "$M" status | jq -r .status.status; }
states() { find "$R" -maxdepth 1 \( -name 'state*' -o -name checkpoint \) -printf '%f '; }

mkguest "$T_TMP/g.raw" || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name g "$T_TMP/g.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
run vmadm create <<<'{"brand":"kvm","ram":192,"quota":1,"alias":"m","disks":[{"boot":true,"model":"virtio","image_uuid":"'"$IMG"'"}]}'
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
R=$Z/$M/root
check "its guest is up" guest_up "$M"

# ---- frozen, and nobody comes ----
said() { [ "$(console_log "$M" | tr -d '\r' | grep -cE '^(FROZEN|THAWED)$')" = "$1" ]; }
check "an agent" g "$M" '/bin/agent ok >/dev/null 2>&1 & sleep 1'
run env CLOISTER_FAIL=snapshot-frozen:kill vmadm create-snapshot "$M" frozen
eq "a snapshot whose command is killed while the guest is frozen" "$RC" 137
check "it is thawed without another command" await 30 said 2
check "and nothing is left to clear up" await 10 eval '[ -z "$(ls "$NODE_RUN/intents")" ]'
check "one that is not killed" vmadm create-snapshot "$M" held
check "thaws once" await 10 said 4
eq "and leaves no process behind" "$(pgrep -fc "cloister --node $CLOISTER_NODE [a-z-]*guard")" 0
(exec 3>"$T_TMP/k"; env CLOISTER_FAIL=snapshot-frozen:stop vmadm create-snapshot "$M" queued 3>&- & echo $! >&3; wait) >/dev/null 2>&1 &
check "frozen, and its command stands" await 60 eval '[ -s "$T_TMP/k" ] && grep -q "^State:.T" "/proc/$(cat "$T_TMP/k")/status"'
vmadm update "$M" alias=behind >/dev/null 2>&1 &
B=$!
check "another waits for its lock" await 10 eval 'ls -l /proc/$B/fd | grep -q "locks/$M"'
kill -KILL "$(cat "$T_TMP/k")"
wait $B
eq "and has it when that is killed" "$? $(vmadm get "$M" | jq -r .alias)" "0 behind"
check "it is thawed all the same" await 10 said 6
check "and nothing is left to clear up" await 10 eval '[ -z "$(ls "$NODE_RUN/intents")" ]'

# ---- a resume that was cut off ----
check "words for its memory" g "$M" 'echo kept >/tmp/f'
for at in boot-machine resume-loaded; do
	check "suspend" vmadm suspend "$M"
	run env CLOISTER_FAIL=$at:kill vmadm resume "$M"
	eq "a resume, killed at $at" "$RC" 137
	S=$(status)
	like "its guest waits" "$S" '^(inmigrate|paused)$'
	fails 1 'its resume was cut off' vmadm create-snapshot "$M" nightly
	fails 1 'its resume was cut off' vmadm create-snapshot "$M" nightly -m
	fails 1 'its resume was cut off' vmadm suspend "$M"
	fails 1 'its resume was cut off' vmadm reboot "$M"
	fails 1 'its resume was cut off' vmadm reboot "$M" -F
	vmadm update "$M" alias="$at" >/dev/null
	eq "its memory is there, and its guest waits on" "$(states)$(status)" "state $S"
	run env CLOISTER_FAIL=suspend-write:kill vmadm suspend "$M"
	vmadm update "$M" alias="again-$at" >/dev/null
	eq "nor is it lost by what clears up after a suspend" "$(states)$(status)" "state $S"
	check "start goes on with it" vmadm start "$M"
	check "where it was" g "$M" 'test "$(cat /tmp/f)" = kept'
	eq "no state is left" "$(states)" ""
done

# ---- a start that was cut off ----
check "stop" vmadm stop "$M" -F
run env CLOISTER_FAIL=boot-machine:kill vmadm start "$M"
eq "a start, killed before its guest is let go" "$RC $(status)" "137 prelaunch"
fails 1 'its start was cut off' vmadm create-snapshot "$M" early -m
fails 1 'its start was cut off' vmadm suspend "$M"
run env CLOISTER_FAIL=suspend-write:kill vmadm suspend "$M"
vmadm update "$M" alias=prelaunch >/dev/null
eq "not one instruction of it has run" "$(status) $(states)" "prelaunch "
check "a snapshot of its disks" vmadm create-snapshot "$M" disks
eq "leaves it there" "$(status)" prelaunch
U=$(console_log "$M" | grep -c 'GUEST READY')
check "start lets it go" vmadm start "$M"
check "it boots" guest_up "$M" $((U + 1))
eq "its zone is empty" "$(ls "/proc/$(vmadm get "$M" | jq .pid)/root/usr" 2>/dev/null)" ""
check "delete" vmadm delete "$M"
