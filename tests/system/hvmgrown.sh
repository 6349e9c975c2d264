#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 500
# A machine that got memory and processors while it ran, to disk and back, to a snapshot and back, and to another node: what lies in that memory, what of it the
# guest has, which processors are there, limits; and that it changes on afterwards. States that say something else than they bring.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/twonodes.sh"
need_root
need_guest
node hvmgrown
two_nodes "$NODE-b"
MIB=$((1 << 20))
G_LIMIT=60

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
	run vmadm create <<<"{\"brand\":\"kvm\",\"alias\":\"$1\",\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$2\"}],$3}"
	M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
	[ -n "$M" ] || { not_ok "machine $1" "$OUT"; exit 1; }
	R=/zones-$CLOISTER_NODE/$M/root
}
limit() { # of the kernel, MiB
	local d
	d=$(NODE=$CLOISTER_NODE cgdir "$M" memory)
	echo $(($(cat "$d/memory.limit_in_bytes" 2>/dev/null || cat "$d/memory.max" "$d/all/memory.max" 2>/dev/null | grep -v max | head -1) / MIB))
}
memory() { vmadm info "$M" memory | jq -c "[.memory.started_with, .memory.added] | map(. / $MIB | floor)"; }
cores() { qmp query-hotpluggable-cpus | jq -c '[.return[] | select(."qom-path") | .props."core-id"] | sort'; }
qmp() { # command [arguments]
	python3 - "/run/cloister-$CLOISTER_NODE/$M/qmp.sock" "$1" "${2:-{\}}" <<-'X'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		f = s.makefile("rw")
		f.readline()
		for say in {"execute": "qmp_capabilities"}, {"execute": sys.argv[2], "arguments": json.loads(sys.argv[3])}:
		    f.write(json.dumps(say) + "\n")
		    f.flush()
		    while "event" in (said := json.loads(f.readline())):
		        pass
		print(json.dumps(said))
	X
}
has() { # what [ram, limit] memory cores
	eq "$1: record and limit, memory, processors" "$(vmadm get "$M" | jq -c .ram) $(limit) $(memory) $(cores)" "$2"
}
whole() { # what
	check "$1: its guest has its memory" g "$M" 'md5sum </u/x; grep -c ^processor /proc/cpuinfo'
	eq "$1: every byte, and as many processors" "$(tr -d '\r' <<<"$G_OUT")" "$SUM"
}
online() { g "$M" "i=0; while [ ! -e /sys/devices/system/cpu/cpu$1/online ] && [ \$i -lt 100 ]; do sleep 0.1; i=\$((i+1)); done; echo 1 >/sys/devices/system/cpu/cpu$1/online"; }

machine m1 "$IMG" '"ram":256,"max_ram":768,"max_vcpus":4'
check "its guest is up" guest_up "$M"
check "it takes memory in use when it gets some" g "$M" 'echo online >/sys/devices/system/memory/auto_online_blocks'
check "more of both" vmadm update "$M" ram=512 vcpus=2
check "the guest uses the processor" online 1
# each MiB another text; more than what it started with can hold
check "and fills the memory" g "$M" 'mkdir /u && mount -t tmpfs -o size=700m t /u && yes "what is known of it" | head -c 1048500 >/tmp/m && for i in $(seq 220); do echo "this is MiB $i"; cat /tmp/m; done >/u/x && md5sum </u/x; grep -c ^processor /proc/cpuinfo'
SUM=$(tr -d '\r' <<<"$G_OUT")
has "grown" "512 1536 [256,256] [0,1]"

# ---- suspend, resume ----
U=$(console_log "$M" | grep -c 'GUEST READY')
check "suspend" vmadm suspend "$M"
eq "its state" "$(vmstate "$M")" suspended
fails 1 'is suspended.*memory knows' vmadm update "$M" ram=640
check "resume" vmadm resume "$M"
eq "its guest did not boot" "$(console_log "$M" | grep -c 'GUEST READY')" "$U"
has "resumed" "512 1536 [256,256] [0,1]"
whole resumed
check "more memory than that" vmadm update "$M" ram=640
check "and processors" vmadm update "$M" vcpus=3
check "which the guest uses" online 2
has "grown again" "640 1664 [256,384] [0,1,2]"
check "it has use for it" g "$M" 'cp /u/x /u/y && cmp /u/x /u/y && rm /u/y; echo 3 >/proc/sys/vm/drop_caches'
check "less" vmadm update "$M" ram=560
has "the guest has given some back" "560 1584 [256,304] [0,1,2]"
SUM=${SUM%2}3

# ---- a checkpoint ----
check "a checkpoint" vmadm create-snapshot "$M" one -m
check "the guest goes on" g "$M" 'rm /u/x; : >/u/later'
check "and grows" vmadm update "$M" ram=768 vcpus=4
run vmadm rollback-snapshot "$M" one
like "back" "$OUT" 'is suspended'
fails 1 'has 560 MiB and 3 processors' vmadm resume "$M"
fails 1 'is suspended.*memory knows' vmadm update "$M" ram=560 vcpus=2
check "its record may be that machine's again" vmadm update "$M" ram=560 vcpus=3
check "resume" vmadm resume "$M"
has "at the checkpoint" "560 1584 [256,304] [0,1,2]"
whole "at the checkpoint"
check "without what came later" g "$M" 'test ! -e /u/later'
check "delete-snapshot" vmadm delete-snapshot "$M" one

# ---- what waits for a start is none of it ----
check "other room, from the next start on" vmadm update "$M" max_ram=1024
fails 1 'changes that wait for its next start' vmadm suspend "$M"
check "the room that it has" vmadm update "$M" max_ram=768

# ---- to another node ----
listen
run go
eq "migrate" "$RC" 0
[ "$RC" = 0 ] || echo "# $OUT"
echo "# $(grep downtime <<<"$OUT")"
wait "$LISTENER"
turn_round
has "there" "560 1584 [256,304] [0,1,2]"
whole "there"

# ---- all of its room ----
check "it grows" vmadm update "$M" ram=768 vcpus=4
check "a processor more" online 3
check "suspend" vmadm suspend "$M"
check "resume" vmadm resume "$M"
SUM=${SUM%3}4
has "resumed" "768 1792 [256,512] [0,1,2,3]"
whole "resumed"
check "booted anew" vmadm reboot "$M" -F
eq "all of it is plain" "$(memory) $(cores)" "[768,0] [0,1,2,3]"
check "delete" vmadm delete "$M"
turn_round

# ---- a guest that has more than its record says, for it does not give that back ----
machine m3 "$IMG" '"ram":256,"max_ram":768'
check "its guest is up" guest_up "$M"
check "it takes memory in use when it gets some" g "$M" 'echo online >/sys/devices/system/memory/auto_online_blocks'
(exec 3>k; env CLOISTER_FAIL=update-store:stop vmadm update "$M" ram=512 3>&- & echo $! >&3; wait) >/dev/null 2>&1 &
check "a command that is about to store it" await 60 eval '[ -s k ] && grep -q "^State:.T" "/proc/$(cat k)/status"'
# what a kernel has of files it can't move
check "its guest uses it" g "$M" 'mkdir /u && mount -t tmpfs t /u && cd /u && seq 20000 | xargs touch && seq 3000000 | head -c 20000000 >/u/x && md5sum </u/x; grep -c ^processor /proc/cpuinfo'
SUM=$(tr -d '\r' <<<"$G_OUT")
kill -KILL "$(cat k)"
run vmadm update "$M" alias=killed
like "it does not give it back" "$OUT" 'did not give back more than'
kept() { # what: it may give back some of it at any time
	local limit has
	limit=$(limit)
	has=$(memory | jq '.[1]')
	le "$1, than its record says" 4 "$has"
	le "$1: its limit has room for that" $((1280 + has)) "$limit"
}
kept "it has more"
check "suspend" vmadm suspend "$M"
check "resume" vmadm resume "$M"
kept "it has more again"
whole "with more than its record says"
check "it may have that" vmadm update "$M" ram=512
has "then its record says so" "512 1536 [256,256] [0]"
check "delete" vmadm delete "$M"

# ---- a processor beyond an empty place; states that say something else ----
machine m2 "$BOOT" '"ram":64,"max_ram":256,"max_vcpus":3'
check "a guest that takes nothing" await 30 console_says "$M" 'GUEST UP'
check "suspend" vmadm suspend "$M"
check "as one of before had it" python3 "$T_DIR/restate.py" "$R/state" 'del h["layout"]["size"]'
check "resume" vmadm resume "$M"
run qmp device_add "$(qmp query-hotpluggable-cpus | jq -c '.return[] | select(.props."core-id" == 2) | .props + {driver: .type, id: "cpu2"}')"
fails 1 'changes that wait for its next start' vmadm suspend "$M"
check "so many" vmadm update "$M" vcpus=2
has "a place is empty" "64 1088 [64,0] [0,2]"
check "suspend" vmadm suspend "$M"
cp "$R/state" state
wrong() { # what expression pattern
	cp state "$R/state"
	check "$1" python3 "$T_DIR/restate.py" "$R/state" "s = h['layout']['size']; $2"
	fails 1 "$3" vmadm resume "$M"
}
wrong "a room that the record has not" 's["room"] = 1024' 'room for 1088 MiB and 3 processors'
wrong "more of it than there is" 's["asked"] = 194' 'is damaged'
wrong "a core that can't be" 's["cores"] = [0, 3]' 'is damaged'
wrong "as many cores as nobody has" 's["vcpus"] = 1 << 20' 'is damaged'
wrong "more processors than the record has" 's["cores"] = [0, 1, 2]; h["layout"]["vcpus"] = 3' 'has 64 MiB and 3 processors'
wrong "memory that the record has not" 's["asked"] = 32' 'has 96 MiB and 2 processors'
check "a record that has it" vmadm update "$M" ram=96
fails 1 'says that 32 MiB were added to it, and brings 0 of 0' vmadm resume "$M"
eq "nothing of it runs" "$(vmstate "$M") $(vmadm get "$M" | jq .pid)" "suspended null"
cp state "$R/state"
check "the record that was" vmadm update "$M" ram=64
check "resume" vmadm resume "$M"
has "as it was" "64 1088 [64,0] [0,2]"
check "the empty place is taken" vmadm update "$M" vcpus=3
eq "by the next" "$(cores)" "[0,1,2]"
check "delete" vmadm delete "$M"
