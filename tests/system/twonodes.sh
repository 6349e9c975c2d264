# SPDX-License-Identifier: MPL-2.0
# Two nodes on this machine that know each other, and a machine whose guest counts, for tests of migration; to be sourced after guest.sh.
#
#	two_nodes NAME                     (the second; $HERE has the machine, $THERE is where it goes; second_node NAME: they don't know each other yet)
#	counting_guest g.raw; counting_machine g.raw        → $M (a_machine g.raw [MiB]: one with a guest of another kind, or one that counts later: it_counts)
#	listen [NAME=value…] [option…]     (vmadm receive at $AT, its output in receive.out); ended
#	go [option…]                       (vmadm migrate)
#	one_runs "what" "$HERE"            (there it runs, counts on and finds its disk whole; on the other node nothing is left)
#	turn_round                         (it has gone: what was there is here)
#	no_number_twice "what"
#
# The guest writes each number to a block of its second disk, then reads the last 64 numbers and 2 MiB of random bytes back from it, and says
# "TICK n OK" or BAD. Both consoles are followed from the beginning: they go with the VM where it is taken away.

second_node() { # name [size of its pool]
	pool 1G
	HERE=$NODE THERE=$1 MADE=$NODE
	another_node "$THERE"
	run there cloister pool create --size "${2:-1G}"
	[ "$RC" = 0 ] || { not_ok "a pool for the other node" "$OUT"; exit 1; }
	PORT=$((20000 + RANDOM % 10000))
	AT=127.0.0.1:$PORT
}
two_nodes() { # name [size of its pool]
	second_node "$@"
	at "$HERE" cloister peer add b "$(at "$THERE" cloister peer show)" && at "$THERE" cloister peer add a "$(at "$HERE" cloister peer show)" ||
		{ not_ok "two nodes know each other"; exit 1; }
	: >said
}
at() { local n=$1; shift; CLOISTER_NODE=$n "$@"; } # node command…
there() { at "$THERE" "$@"; }

counting_guest() { # file
	mkdir -p add/bin
	cat >add/bin/count <<-'X'
		#!/bin/sh
		dd if=/dev/urandom of=/dev/vdb bs=65536 count=32 2>/dev/null
		n=0
		while [ $n -lt 64 ]; do printf '%511d\n' $n; n=$((n + 1)); done | dd of=/dev/vdb bs=512 seek=8192 conv=fsync 2>/dev/null
		n=63
		want=$(dd if=/dev/vdb bs=65536 count=32 2>/dev/null | md5sum)
		while :; do
			n=$((n + 1)) sum=0
			printf '%511d\n' $n | dd of=/dev/vdb bs=512 seek=$((8192 + n % 64)) conv=fsync,notrunc 2>/dev/null || echo "TICK $n BAD: write"
			echo 3 >/proc/sys/vm/drop_caches
			dd if=/dev/vdb bs=512 skip=8192 count=64 2>/dev/null >/tmp/numbers
			while read -r x; do sum=$((sum + x)); done </tmp/numbers
			is=OK
			[ $sum = $((64 * n - 2016)) ] || is="BAD: numbers $sum"
			[ "$(dd if=/dev/vdb bs=65536 count=32 2>/dev/null | md5sum)" = "$want" ] || is="BAD: disk"
			echo "TICK $n $is"
			sleep 0.2
		done
	X
	chmod 755 add/bin/count
	G_ADD=$PWD/add mkguest "$1"
}

# Autoboot, so that what must not boot with the host has something to forbid.
a_machine() { # file [MiB]
	local img
	run imgadm import --type zvol --name g "$1"
	img=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
	run vmadm create <<<"{\"brand\":\"kvm\",\"ram\":${2:-192},\"alias\":\"m1\",\"autoboot\":true,\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$img\"},{\"model\":\"virtio\",\"size\":16}]}"
	M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
	[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
	check "its guest runs" guest_up "$M" || exit 1
}

counting_machine() { # file
	a_machine "$1"
	it_counts
}
it_counts() {
	g "$M" 'count >/dev/ttyS0 2>&1 &' || { not_ok "it counts" "$G_OUT"; exit 1; }
	tail --pid=$$ -q -n +1 -s 0.05 ---disable-inotify --max-unchanged-stats=1 -F "/var/log/cloister-$HERE/vms/$M/console.log" "/var/log/cloister-$THERE/vms/$M/console.log" >said 2>/dev/null &
	T_FOLLOW=$!
}

log_of() { cat "/var/log/cloister-$1/vms/$M/console.log" 2>/dev/null; } # node
last_of() { log_of "$1" | tr -d '\r' | sed -n 's/^TICK \([0-9]*\) .*/\1/p' | tail -1; } # node
counts() { local a; a=$(last_of "$1"); read -rt 0.5 <> <(:); [ "$(last_of "$1")" -gt "${a:-0}" ]; } # node
status_of() { at "$1" vmadm info "$M" status 2>/dev/null | jq -r '.status.status // empty' 2>/dev/null; } # node
has_it() { [ -n "$(at "$1" vmadm list -Hp -o uuid "uuid=$M" 2>/dev/null)" ] || [ -e "/zones-$1/$M" ]; } # node
# Its guest may stand for long: where processors are translated and scarce, what is tested here is not for how long.
go() { timeout 100 vmadm migrate "$M" "$AT" --downtime 1500 "$@"; } # [option…]

# The commands with which the nodes are asked are the first that come after what ended: they find what it left.
one_runs() { # what node
	local what=$1 at=$2 other=$HERE before
	[ "$at" != "$HERE" ] || other=$THERE
	before=$(last_of "$at")
	if ! await 30 eval "[ \"\$(status_of $at)\" = running ]"; then
		not_ok "$what: it runs" "$at: $(status_of "$at") $(at "$at" vmadm list -H 2>&1); $(cat receive.out migrate.out 2>/dev/null)"
	elif ! await 30 eval "! has_it $other"; then
		not_ok "$what: and once" "$(at "$other" vmadm list -H 2>&1; ls "/zones-$other")"
	elif ! await 30 eval "[ \"\$(last_of $at)\" -gt ${before:-0} ]"; then
		not_ok "$what: it counts on" "$(log_of "$at" | tail -3)"
	elif grep -q 'TICK.*BAD' said <(log_of "$at"); then
		not_ok "$what: its disk is whole" "$(grep -h 'TICK.*BAD' said <(log_of "$at") | head -3)"
	else
		ok "$what: one runs, and its disk is whole"
	fi
}

# A command that listens on the other node, with what is given before it in its environment.
listen() { # [NAME=value…] [option…]
	local env=()
	while [[ ${1:-} == *=* ]]; do env+=("$1"); shift; done
	rm -f receive.out
	env "${env[@]}" CLOISTER_NODE="$THERE" vmadm receive -l "${ON:-$AT}" "$@" >receive.out 2>&1 &
	LISTENER=$!
	await 20 grep -q Listening receive.out
}
# The one that was killed is followed by one that answers, until it has: in a child.
again() {
	rm -f again.pid
	tail --pid="$LISTENER" -f /dev/null
	CLOISTER_NODE="$THERE" timeout 60 vmadm receive -l "${ON:-$AT}" -a >again.out 2>&1 &
	echo $! >again.pid
}
ended() {
	kill "$LISTENER" $(cat again.pid 2>/dev/null) 2>/dev/null
	wait "$LISTENER" 2>/dev/null
	[ ! -e again.pid ] || tail --pid="$(cat again.pid)" -f /dev/null
	rm -f again.pid
}
turn_round() {
	local h=$HERE
	HERE=$THERE THERE=$h
	export CLOISTER_NODE=$HERE NODE_LOG=/var/log/cloister-$HERE
}

no_number_twice() { # what
	kill "$T_FOLLOW" 2>/dev/null
	wait "$T_FOLLOW" 2>/dev/null
	tr -d '\r' <said | grep -oE '^TICK [0-9]+' >ticks
	le "of the numbers that it has counted to, nine in ten were seen" $((($(last_of "$HERE") - 63) * 9 / 10)) "$(sort -u ticks | wc -l)"
	eq "$1" "$(sort ticks | uniq -d | head -5)" ""
}
# A step of the source's fails: that is said, and the guest runs on.
fails_at() { # step
	listen
	CLOISTER_FAIL=$1:error go >migrate.out 2>&1
	like "$1 fails: it is said" "$(cat migrate.out)" "failpoint $1"
	one_runs "$1 fails" "$HERE"
	ended
}
