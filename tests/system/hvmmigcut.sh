#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# A machine on its way to another node whose command ends, or is killed, at each step: exactly one of the two runs afterwards, or can be made
# to, and its disk is whole. The guest counts: at each number it writes a block, and reads all of its disk; one that ran twice would have said a number twice.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/twonodes.sh"
need_root
need_guest
node hvmmigcut
two_nodes "$NODE-b"

counting_guest g.raw || { not_ok "a guest for this test"; exit 1; }
counting_machine g.raw
check "its guest counts" await 90 counts "$HERE"

# ---- the source's command, ahead of "go": as if nothing had been ----
for p in migrate-offer migrate-mirrors migrate-memory migrate-stopped migrate-level; do
	fails_at "$p"
done
for p in migrate-mirrors migrate-level; do
	listen
	(CLOISTER_FAIL=$p:kill go) >migrate.out 2>&1
	# by the process beside it: its guest's console is looked at, and no command asked, which would see to it too
	N=$(last_of "$HERE")
	check "$p, killed: nobody types anything, and it goes on at once" await 15 eval '[ "$(last_of "$HERE")" -gt "${N:-0}" ]'
	one_runs "$p, killed" "$HERE"
	ended
done
# behind it only the other node knows
listen -a
(CLOISTER_FAIL=migrate-go:kill go) >migrate.out 2>&1
check "migrate-go, killed: there it is given up" await 30 eval '[ -z "$(there vmadm list -Hp -o uuid)" ]'
# each of these would let its guest go on, or make another machine of it than the one that is there
fails 1 'may be another node' vmadm update "$M" ram=256
fails 1 'may be another node' vmadm suspend "$M"
fails 1 'may be another node' vmadm create-snapshot -m "$M" s1
fails 1 'may be another node' vmadm create-snapshot "$M" s1
check "asked whose it is" vmadm migrate "$M" --resume
one_runs "migrate-go, killed, resumed" "$HERE"
ended

# ---- wishes: ^C is heard, and all of it is taken back ----
listen
go --bandwidth 1M >migrate.out 2>&1 &
GO=$!
check "it is on its way" await 20 grep -q 'is coming' receive.out
await 20 is_state "$M" migrating
kill -INT $(pgrep -xf "vmadm migrate $M .*")
wait $GO
like "interrupted, it says so" "$(cat migrate.out)" 'cancelled|interrupted|Canceled'
one_runs "interrupted" "$HERE"
ended
listen -a
go --bandwidth 1M >migrate.out 2>&1 &
GO=$!
check "it is on its way again" await 20 grep -q 'is coming' receive.out
await 20 is_state "$M" migrating
kill -INT "$LISTENER"
wait "$LISTENER"
eq "the other command, told to, ends" "$?" 0
wait $GO
like "and says why" "$(cat migrate.out)" 'other node refuses: (interrupted|it was cancelled there)|the link to the other node is cut'
one_runs "interrupted there" "$HERE"
ended

no_number_twice "S45 a machine runs once, whatever ends on its way"
