#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# A machine goes to another node while it runs: what has to be known of each other, what comes across, and commands that end on the way. Two nodes on
# this machine, each with its pool and its state.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/twonodes.sh"
need_root
need_guest
node hvmmigrate
second_node "$NODE-b"

listened() { wait "$LISTENER"; LISTEN_RC=$?; }
state_there() { there vmadm get "$1" 2>/dev/null | jq -r .state; }

# ---- who knows whom ----
A=$(cloister peer show) B=$(there cloister peer show)
like "a node has a fingerprint" "$A" '^[0-9a-f]{64}$'
eq "its own" "$([ "$A" != "$B" ] && echo yes)" yes
eq "and keeps it" "$(cloister peer show)" "$A"
fails 1 'no fingerprint' cloister peer add b abc
fails 1 'no name' cloister peer add ../b "$B"

mkguest g.raw
run imgadm import --type zvol --name g g.raw
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
run vmadm create <<<"{\"brand\":\"kvm\",\"ram\":192,\"alias\":\"m1\",\"autoboot\":true,\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"},{\"model\":\"virtio\",\"size\":64,\"io_read_iops\":60000}]}"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
check "its guest runs" guest_up "$M"

fails 1 'Nobody listens' vmadm migrate "$M" "$AT"
listen
fails 1 'not known here' vmadm migrate "$M" "$AT"
check "this node knows the other" cloister peer add b "$B"
fails 1 "not known there" vmadm migrate "$M" "$AT"
like "and the other says how to get to know it" "$(cat receive.out)" "cloister peer add NAME $A"
for ((i = 0; i < 20; i++)); do (exec 3<>"/dev/tcp/${AT%:*}/$PORT" && printf 'x%.0s' {1..99} >&3) done
few() { [ "$(ps --ppid "$LISTENER" -o pid= | wc -l)" -le 3 ]; }
check "who is no node and has gone leaves no process" await 20 eval '(exec 3<>"/dev/tcp/${AT%:*}/$PORT"); few'
check "the other knows this one" there cloister peer add a "$A"

# ---- it goes, but not yet ----
fails 1 'Input/output error' env CLOISTER_FAIL=migrate-level:error timeout 60 vmadm migrate "$M" "$AT"
eq "given up in its guest's last moment, it runs on here" "$(vmadm info "$M" status | jq -r .status.status)" running
check "there nothing is left" await 20 eval '[ -z "$(there vmadm list -Hp -o uuid)" ]'
check "the guest works" g "$M" 'echo kept >/tmp/kept; dd if=/dev/urandom of=/dev/vdb bs=65536 count=64 conv=fsync 2>/dev/null; md5sum </dev/vdb'
SUM=$G_OUT
env CLOISTER_FAIL=migrate-go:kill timeout 60 vmadm migrate "$M" "$AT" >/dev/null 2>&1
check "killed behind its last word: there it is given up" await 20 eval '[ -z "$(there vmadm list -Hp -o uuid)" ]'
fails 1 'may be another node' vmadm start "$M"
fails 1 'may be another node' vmadm reboot "$M" -F
unlike "its guest stands" "$(vmadm info "$M" status | jq -r .status.status)" '^running$'
ended
run there vmadm create <<<"{\"uuid\":\"$M\",\"brand\":\"kvm\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"model\":\"virtio\",\"size\":4}]}"
listen -a
fails 1 'came another way' timeout 60 vmadm migrate "$M" --resume
unlike "its guest stands" "$(vmadm info "$M" status | jq -r .status.status)" '^running$'
ended
there vmadm delete "$M"
listen -a
check "asked whose it is" vmadm migrate "$M" --resume
like "it is this node's" "$OUT" "is this node's"
eq "and goes on" "$(vmadm info "$M" status | jq -r .status.status)" running
ended

# ---- a node that hangs: the guest here is cut loose from it ----
listen
timeout 60 vmadm migrate "$M" "$AT" --bandwidth 2M --stall 3 >hang.out 2>&1 &
H=$!
await 10 grep -q "is coming" receive.out
sleep 1
Q=$(there vmadm get "$M" | jq -r .pid)
kill -STOP "$Q"
g "$M" '(dd if=/dev/urandom of=/dev/vdb bs=65536 seek=200 count=4 conv=fsync 2>/dev/null; echo written >/tmp/written) & echo begun' # waits for the other node
T0=$SECONDS
wait "$H"
check "given up, it is not waited for" [ $((SECONDS - T0)) -le 45 ]
check "its guest writes on" await 20 eval 'g "$M" "cat /tmp/written" && grep -q written <<<"$G_OUT"'
check "whole" g "$M" 'sync; md5sum </dev/vdb'
SUM=$G_OUT
like "it is said that the other hangs" "$(cat hang.out)" 'nothing of its .* has gone for 3 s'
kill -KILL "$Q"
ended
listen
strangers=()
for ((i = 0; i < 60; i++)); do
	exec {fd}<>"/dev/tcp/${AT%:*}/$PORT" && strangers+=("$fd")
done
eq "60 strangers who say nothing" "${#strangers[@]}" 60
check "migrate, past them" timeout 100 vmadm migrate "$M" "$AT"
for fd in "${strangers[@]}"; do exec {fd}>&-; done
like "what it took is said" "$OUT" 'total [0-9]+ ms, .*downtime [0-9]+ ms \(target [0-9]+ ms\)'
echo "# $OUT"
listened
eq "the other command ends well" "$LISTEN_RC" 0
eq "here it is gone" "$(vmadm list -Hp -o uuid)$(ls "$NODE_POOL" | grep "$M")" ""
eq "there it runs" "$(state_there "$M")" running
export CLOISTER_NODE=$THERE NODE_LOG=/var/log/cloister-$THERE
eq "its disks have their ceilings" "$(vmadm info "$M" block | jq -c '.block[].inserted | select(.["node-name"] == "disk1") | .iops_rd')" 60000
check "its guest is the same one" g "$M" 'cat /tmp/kept'
like "with what it had in memory" "$G_OUT" kept
check "and on its disk" g "$M" 'echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/vdb'
eq "no block differs" "$G_OUT" "$SUM"
export CLOISTER_NODE=$HERE
