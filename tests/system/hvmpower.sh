#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# What a machine's guest was told is on its disk is there after a power cut of the host. The pool's device is a file on a file system of
# its own, which can be copied at one moment (a reflink): the copy has what the device had been given by then, and nothing of what the host
# had in memory only. A second disk that is written to without a flush shows that such a cut does lose things.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
need_guest
command -v mkfs.btrfs >/dev/null || skip "needs mkfs.btrfs (package btrfs-progs)"
node hvmpower
OUTER=$NODE_STATE/outer CUT=$NODE_STATE/cut # where the node's end takes them away too
mkdir -p "$OUTER" "$CUT"
truncate -s 8G "$T_TMP/outer.img"
mkfs.btrfs -q "$T_TMP/outer.img" && mount -o loop "$T_TMP/outer.img" "$OUTER" || skip "no btrfs on a loop device"
run cloister pool create --size 3G --file "$OUTER/pool.img"
[ "$RC" = 0 ] || { not_ok "a pool on that" "$OUT"; exit 1; }

mkguest "$T_TMP/g.raw" || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name guest "$T_TMP/g.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
run vmadm create <<<"{\"brand\":\"kvm\",\"alias\":\"db\",\"ram\":192,\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"},
	{\"model\":\"virtio\",\"size\":16},{\"model\":\"virtio\",\"size\":16}]}"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
check "its guest is up" guest_up "$M"

# ---- records ----
# one block each; the second disk has its own, unflushed: past the guest's cache, no further
cat >"$T_TMP/write" <<'END'
i=1; while [ $i -le 400 ]; do printf "%-511s\n" "record $i" >/r; dd if=/r of=/dev/vdc bs=512 seek=$i oflag=direct conv=notrunc 2>/dev/null; dd if=/r of=/dev/vdb bs=512 seek=$i conv=notrunc,fsync 2>/dev/null && echo "ACK $i"; i=$((i+1)); done >/dev/ttyS0 &
END
records() { # file: numbers of the records on it
	tr -d '\0' <"$1" | sed -n 's/^record \([0-9]*\) *$/\1/p' | sort -n
}
acked() { console_log "$M" | tr -d '\r' | sed -n 's/^ACK \([0-9]*\)$/\1/p' | tail -1; }
# everything from before is on the disk: what a cut loses is what was written from here on
sync -f "$NODE_POOL"
check "its guest begins to write" g "$M" "$(cat "$T_TMP/write")"
check "it has been told of 40 records" await 60 eval '[ "$(acked)" -ge 40 ]'
N=$(acked)
eq "and the host's cache has what nobody flushed" "$(records "$NODE_POOL/$M/root/disk2" | awk -v n="$N" '$1 <= n' | wc -l)" "$N"
# as the pool's file is: it is not copied when it is written to
touch "$OUTER/cut.img" && chattr +C "$OUTER/cut.img"
check "the power is cut" cp --reflink=always "$OUTER/pool.img" "$OUTER/cut.img"
check "it went on meanwhile" await 60 eval '[ "$(acked)" -gt "$N" ]'
check "it ends" vmadm stop "$M" -F
# a copy of a file system that is mounted is not mounted beside it
check "the pool goes" cloister pool destroy --yes -F
btrfs device scan --forget >/dev/null 2>&1
if ! check "what the device had is a pool" mount -o loop "$OUTER/cut.img" "$CUT"; then
	exit 1
fi
missing() { # disk up to
	comm -23 <(seq "$2" | sort) <(records "$CUT/$M/root/$1" | sort) | sort -n | tr '\n' ' '
}
eq "every record that the guest had fsynced before, of $N" "$(missing disk1 "$N")" ""
check "of those that nobody flushed some are lost: it was a cut" test -n "$(missing disk2 "$N")"
