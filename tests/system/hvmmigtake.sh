#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# As hvmmigcut, with the command that takes the machine in: it ends, or is killed, at each of its steps, and exactly one of the two
# runs afterwards, with its disk whole.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/twonodes.sh"
need_root
need_guest
node hvmmigtake
two_nodes "$NODE-b"

counting_guest g.raw || { not_ok "a guest for this test"; exit 1; }
counting_machine g.raw
check "its guest counts" await 90 counts "$HERE"

# ---- the target's: while it is not its own, and while it can still be given back ----
for p in receive-boot receive-memory receive-go receive-taken receive-loaded; do
	listen CLOISTER_FAIL="$p:error"
	fails 1 'the other node refuses|link' go
	one_runs "$p fails" "$HERE"
	ended
done
# it has been told to go on, and may have
listen CLOISTER_FAIL=receive-answer:error
check "the monitor there does not answer: it has gone" go
one_runs "unanswered" "$THERE"
ended
turn_round
# one that is killed comes again, and is asked
for p in receive-boot receive-memory receive-go receive-taken; do
	listen CLOISTER_FAIL="$p:kill"
	again &
	AGAIN=$!
	run go
	eq "$p, killed: it has not gone" "$RC" 1
	wait $AGAIN
	one_runs "$p, killed" "$HERE"
	ended
done
# all of it is there: the guest goes on there, whoever lives
for p in receive-loaded receive-runs; do
	listen CLOISTER_FAIL="$p:kill"
	again &
	AGAIN=$!
	run go
	eq "$p, killed: it has gone" "$RC" 0
	wait $AGAIN
	ended
	one_runs "$p, killed" "$THERE"
	turn_round
done

# ---- its monitor hangs, and then the command is killed: the other node hears whose it is all the same ----
# step, who has it: what has been told to go on may have run
for p in "receive-loaded HERE" "receive-runs THERE"; do
	where=${p#* } p=${p% *}
	listen CLOISTER_FAIL="$p:stop"
	go >go.out 2>&1 &
	GO=$!
	check "$p: all of it is there" await 60 grep -q '^State:.T' "/proc/$LISTENER/status"
	Q=$(there vmadm get "$M" | jq -r .pid)
	kill -STOP "$Q"
	again &
	AGAIN=$!
	kill -KILL "$LISTENER"
	SECONDS=0
	wait $GO
	eq "$p, killed, its monitor hangs: it goes where it has to" "$?" "$([ "$where" = THERE ]; echo $?)"
	unlike "$p: and it is known" "$(cat go.out)" 'nobody knows'
	le "$p: in time" $SECONDS 45
	kill -CONT "$Q" 2>/dev/null
	wait $AGAIN
	one_runs "$p, killed, its monitor hung" "${!where}"
	ended
done
turn_round

no_number_twice "S45 a machine runs once, whatever ends on its way"
