#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 200
# The machine goes down while a VM is being made or taken away: no process, nothing in /run (so no intent either), and of
# what was written last, database and pool each have kept what they have. `cloister boot` leaves a VM in a named state
# that delete clears, or nothing; and never takes away what `pool import` would bring back.
. "$(dirname "$0")/lib.sh"
need_root
node power
pool 2G

sql() { python3 - "$NODE_STATE/node.db" "$@" <<'P'; }
import sqlite3, sys
d = sqlite3.connect(sys.argv[1], isolation_level=None)
for q in sys.argv[2:]:
    d.execute(q)
P
forget_row() { sql "DELETE FROM vm WHERE uuid = '$1'" "DELETE FROM record WHERE uuid = '$1'"; }

leftovers() { # uuid
	find /sys/fs/cgroup -maxdepth 5 -name "$1" 2>/dev/null
	ls -d "$NODE_POOL/$1" "$NODE_RUN/$1" "$NODE_LOG/vms/$1" 2>/dev/null
	grep -F "$1" /proc/self/mountinfo
	vmadm list -H -o uuid | grep -F "$1"
}
known() { vmadm get "$1" >/dev/null 2>&1; }

n=0
next() { n=$((n + 1)) u=$(printf '22222222-3333-4333-8444-%012d' $n); }
cut_create() { # failpoint
	next
	CLOISTER_FAIL="$1:kill" vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\",\"alias\":\"cut$n\"}" >/dev/null 2>&1
	power_cut
}
cleared() { # what: by boot, or in a named state and by delete
	local was=gone
	check "$1: boot" cloister boot
	if known "$u"; then
		was=$(vmstate "$u")
		like "$1: a named state" "$was" '^(failed|stopped|running)$'
		check "$1: delete clears it" vmadm delete "$u"
	fi
	eq "$1: nothing is left (it was $was)" "$(leftovers "$u")" ""
}

# ---- create, killed everywhere ----
next
out=$(vmadm -v create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\"}" 2>&1)
steps=$(sed -nE "s/^[a-z-]+ [0-9a-f-]{36}: ((create|boot)-[a-z-]+) +[0-9.]+ ms$/\1/p" <<<"$out" | sort -u)
check "there are steps to kill at" test "$(wc -l <<<"$steps")" -ge 9
vmadm delete "$u" >/dev/null 2>&1
for s in $steps; do
	for at in "$s" "$s+"; do
		cut_create "$at"
		cleared "cut at $at"
	done
done

# ---- the database lost the row: its last commit did not get to the disk ----
for at in create-root+ create-record; do
	cut_create "$at"
	forget_row "$u"
	check "row lost, cut at $at: there is a root" test -d "$NODE_POOL/$u/root"
	check "row lost, cut at $at: boot" cloister boot
	eq "row lost, cut at $at: nothing is left" "$(leftovers "$u")" ""
	cut_create "$at"
	forget_row "$u"
	check "row lost, cut at $at: the same uuid can be made at once" vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\"}"
	check "row lost, cut at $at: and runs" zlogin "$u" true
	check "row lost, cut at $at: and goes" vmadm delete "$u"
done
cut_create create-boot+
forget_row "$u"
check "row lost, record there: boot" cloister boot
check "row lost, record there: nothing was taken away" test -d "$NODE_POOL/$u/root"
check "row lost, record there: import" cloister pool import
check "row lost, record there: it can be used" vmadm start "$u"
check "row lost, record there: and goes" vmadm delete "$u"
eq "row lost, record there: nothing is left" "$(leftovers "$u")" ""

# ---- the pool lost what the database has ----
cut_create create-record
btrfs -q subvolume delete "$NODE_POOL/$u/root"
rm -rf "${NODE_POOL:?}/$u"
cleared "root lost"

# ---- the pool lost the end of a create that was done ----
mkzone z done
echo kept >"$NODE_POOL/$z/cores/kept"
chmod 1700 "$NODE_POOL/$z"
rm "$NODE_POOL/$z/config/record.json"
power_cut
check "record lost: boot" cloister boot
check "record lost: it runs" await 10 zlogin "$z" true
eq "record lost: it is there again" "$(jq -r .uuid "$NODE_POOL/$z/config/record.json")" "$z"
eq "record lost: and nothing else of it was touched" "$(stat -c %a "$NODE_POOL/$z") $(cat "$NODE_POOL/$z/cores/kept")" "700 kept"

# ---- a VM that was wholly made is no leftover, whatever else is lost ----
mkzone y whole '"autoboot":false'
forget_row "$y"
rm "$NODE_POOL/$y/config/record.json"
power_cut
cloister boot >/dev/null 2>&1
check "row and record of a whole VM lost: its data stays" test -d "$NODE_POOL/$y/root"
btrfs -q subvolume delete "$NODE_POOL/$y/root"
rm -rf "${NODE_POOL:?}/$y"

# ---- delete, killed everywhere ----
out=$(vmadm -v delete "$z" 2>&1)
for s in $(sed -nE "s/^[a-z-]+ [0-9a-f-]{36}: (delete-[a-z-]+) +[0-9.]+ ms$/\1/p" <<<"$out" | sort -u); do
	for at in "$s" "$s+"; do
		mkzone x victim
		CLOISTER_FAIL="$at:kill" vmadm delete "$x" >/dev/null 2>&1
		power_cut
		check "delete cut at $at: boot" eval 'cloister boot || true'
		if known "$x"; then
			like "delete cut at $at: a named state" "$(vmstate "$x")" '^(running|stopped|missing)$'
			check "delete cut at $at: delete clears it" vmadm delete "$x"
		fi
		eq "delete cut at $at: nothing is left" "$(leftovers "$x")" ""
	done
done

# ---- nor does the pool keep anything: quota groups, clones that were being made ----
for c in "filesystem sync" "subvolume sync" "filesystem sync"; do btrfs $c "$NODE_POOL" >/dev/null; done
check "boot" cloister boot
groups=/sys/fs/btrfs/$(findmnt -no UUID "$NODE_POOL")/qgroups
check "there are quota groups" test -d "$groups"
eq "but none of VMs" "$(ls "$groups" | grep '^1_')" ""
eq "nothing half made" "$(ls -A "$NODE_POOL/.tmp" 2>/dev/null)" ""
