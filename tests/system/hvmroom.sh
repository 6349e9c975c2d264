#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# What a machine's disk takes of the pool when its blocks are written over and over: as a guest does it that means no harm, the room is there; as one that
# means harm does, it ends at the limit; and defragmenting gives back what was held. The file is written to from outside: it is the file that counts.
. "$(dirname "$0")/lib.sh"
need_root
[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
node hvmroom
pool 3G
Z=/zones-$CLOISTER_NODE
MIB=1048576

run vmadm create <<<'{"brand":"kvm","ram":64,"quota":1,"alias":"m","autoboot":false,"disks":[{"model":"virtio","size":64}]}'
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
unlike "of a quota there is nothing to warn of" "$OUT" 'nothing bounds'
D=$Z/$M/root/disk0
used() { sync -f "$Z"; vmadm info "$M" | jq .usage.quota_bytes; }
limit() { vmadm info "$M" | jq .limits.quota_bytes; }
# once: each block of 4 KiB, in any order; mixed: pieces of 4 to 64 KiB, anywhere, four times as much as there is; shifted: all of it, N times, each 4 KiB further
write() { # how [N]
	python3 - "$D" "$@" <<'P'
import os, random, sys
random.seed(3)
f, size = os.open(sys.argv[1], os.O_RDWR), 64 << 20
data = random.randbytes(1 << 20)
if sys.argv[2] == 'whole':
	todo = [(i << 20, 1 << 20) for i in range(64)]
elif sys.argv[2] == 'once':
	todo = [(i * 4096, 4096) for i in random.sample(range(size // 4096), size // 4096)]
elif sys.argv[2] == 'mixed':
	todo, n = [], 0
	while n < 4 * size:
		at, k = random.randrange(size // 4096) * 4096, 4096 << random.choice((0, 0, 1, 2, 3, 4))
		todo.append((at, min(k, size - at)))
		n += k
else:
	todo = [(at, min(1 << 20, size - at)) for n in range(int(sys.argv[3])) for at in range(n * 4096, size, 1 << 20)]
for i, (at, n) in enumerate(todo):
	os.pwrite(f, data[:n], at)
	if sys.argv[2] == 'shifted' and at + n == size or sys.argv[2] != 'shifted' and i % 512 == 511:
		os.fsync(f)
os.fsync(f)
P
}

check "start" vmadm start "$M"

# ---- no harm is meant ----
check "all of the disk is written" write whole
check "what else lies there takes nearly all of the quota" fallocate -l $((1016 * MIB)) "$Z/$M/root/filler"
check "each block is written once more, in any order" write once
check "and pieces of any size" write mixed
N=$(used)
echo "# a disk of 64 MiB holds $((N / MIB - 1016))"
le "that holds more than the disk is large, which is what this is about" $(((1016 + 100) * MIB)) "$N"

# ---- harm is meant ----
fails 1 'Disk quota exceeded' write shifted 16
N=$(used)
le "that ends at the limit" "$N" "$(limit)"
like "why says what it is" "$(cloister why -t 0.2 "$M" 2>&1)" 'quota: its quota with room for its disks of 64M, 1\.[0-9]+G in all, is full.* 64M of that; .*overwritten blocks hold'

# ---- and given back ----
if command -v btrfs >/dev/null; then
	SUM=$(sha256sum <"$D")
	check "a larger quota for the time" vmadm update "$M" quota=2
	check "defragmented" btrfs filesystem defragment -f -t 128M "$D"
	N=$(used)
	echo "# then it holds $((N / MIB - 1016))"
	le "it holds little more than it is large" "$N" $(((1016 + 80) * MIB))
	eq "with what is on it" "$(sha256sum <"$D")" "$SUM"
	check "the quota as it was" vmadm update "$M" quota=1
else
	skip_check "defragmented" "needs btrfs (package btrfs-progs)"
fi

# ---- no bound at all ----
run vmadm update "$M" quota=0
like "quota 0 is warned of" "$OUT" 'quota 0: nothing bounds what this VM takes of the pool'
eq "and is what it says" "$(limit) $(vmadm get "$M" | jq .quota)" "0 0"
run vmadm create --dry-run <<<'{"brand":"kvm","ram":64,"quota":0,"autoboot":false,"disks":[{"model":"virtio","size":64}]}'
like "so it is where a machine is made" "$OUT" 'nothing bounds what this VM takes'
