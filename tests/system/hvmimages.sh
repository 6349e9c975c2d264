#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 200
# Images that are disks (type zvol): raw, packed, qcow2; by manifest; of a machine. And those that come from an enemy.
. "$(dirname "$0")/lib.sh"
need_root
[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
command -v qemu-img >/dev/null || skip "needs qemu-img (package qemu-utils), which makes the disks for this test"
command -v zstd >/dev/null && command -v xz >/dev/null || skip "zstd and xz are needed"
node hvmimages
pool
P=/zones-$CLOISTER_NODE
uuid_in() { grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1; }
disk() { echo "$P/images/$1/root/disk"; }

# 40 MiB: words that pack, words that don't, holes, an end that is no whole cluster
python3 - <<'PY'
import random
random.seed(7)
f = open('whole.raw', 'wb')
f.truncate((40 << 20) - 512)
for at, block in ((0, b'\xeb\x63' + b'boot' * 100), (1 << 20, b'word ' * 300000), (9 << 20, random.randbytes(3 << 20)), ((40 << 20) - 4608, b'the end!' * 512)):
    f.seek(at)
    f.write(block)
PY
WANT=$(sha256sum <whole.raw)
qemu-img convert -f raw -O qcow2 whole.raw v3.qcow2
qemu-img convert -f raw -O qcow2 -o compat=0.10 whole.raw v2.qcow2
qemu-img convert -f raw -O qcow2 -c whole.raw packed.qcow2
qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd whole.raw zstd.qcow2
qemu-img convert -f raw -O qcow2 -o cluster_size=512 whole.raw small.qcow2
qemu-img convert -f raw -O qcow2 -c -o cluster_size=2M whole.raw large.qcow2
gzip -k whole.raw
xz -k0 whole.raw
zstd -q whole.raw
bzip2 -k whole.raw
for f in whole.raw v3.qcow2 v2.qcow2 packed.qcow2 zstd.qcow2 small.qcow2 large.qcow2 whole.raw.gz whole.raw.xz whole.raw.zst whole.raw.bz2; do
	run imgadm import --type zvol "$f"
	u=$(uuid_in)
	eq "import $f: the disk, byte by byte" "$(head -c $(((40 << 20) - 512)) "$(disk "$u")" | sha256sum)" "$WANT"
	eq "$f: in whole MiB, with holes" "$(stat -c %s "$(disk "$u")") $(imgadm get "$u" | jq .manifest.image_size) $(($(du -k "$(disk "$u")" | cut -f1) < 8192))" "$((40 << 20)) 40 1"
done
like "named by the file" "$(imgadm list -Ho name)" '^v3$'
run bash -c 'imgadm import --type zvol --name piped - <whole.raw.gz'
eq "by a pipe" "$(head -c $(((40 << 20) - 512)) "$(disk "$(uuid_in)")" | sha256sum)" "$WANT"
qemu-img create -q -f qcow2 empty.qcow2 1M
run imgadm import --type zvol empty.qcow2
eq "a disk with nothing on it" "$(tr -d '\0' <"$(disk "$(uuid_in)")" | wc -c)" 0
HAVE=$(imgadm list -Ho uuid | wc -l)

# ---- what is refused ----
python3 - <<'PY'
import struct, zlib, random
good = bytearray(open('v3.qcow2', 'rb').read())
def make(name, at, fmt, value, src=good):
    b = bytearray(src)
    struct.pack_into('>' + fmt, b, at, value)
    open(name + '.bad', 'wb').write(b)
l1 = struct.unpack_from('>Q', good, 40)[0]
l2 = struct.unpack_from('>Q', good, l1)[0] & 0xfffffffffffe00
make('backing', 8, 'Q', 112)
make('encrypted', 32, 'I', 2)
make('external', 72, 'Q', 4)
make('corrupt', 72, 'Q', 2)
make('extended', 72, 'Q', 16)
make('unknown', 72, 'Q', 1 << 40)
make('version', 4, 'I', 9)
make('bits0', 20, 'I', 0)
make('bits63', 20, 'I', 63)
make('absurd', 24, 'Q', 1 << 60)
make('nothing', 24, 'Q', 0)
make('l1short', 36, 'I', 0)
make('l1huge', 40, 'Q', 1 << 62)
make('l1odd', 40, 'Q', l1 + 8)
make('l1entry', l1, 'Q', 0x7fffffffffffffff)
make('l1far', l1, 'Q', 1 << 40)
make('l2far', l2, 'Q', 1 << 63 | 1 << 40)
make('l2odd', l2, 'Q', 1 << 63 | 0x10200 | 0x100)
make('l2packed', l2, 'Q', 1 << 62 | 0x10000)
make('headlen', 100, 'I', 4)
open('cut.bad', 'wb').write(good[:60])
open('cuttable.bad', 'wb').write(good[:l1])
# a header alone: its disk is there, and empty of all but what it says
PY
while read -r f pat; do
	fails 1 "$pat" imgadm import --type zvol "$f.bad"
done <<'L'
backing backing.file
encrypted encrypted
external another.file
corrupt marked.as.corrupt
extended extended
unknown not.known
version version
bits0 impossible.size
bits63 impossible.size
absurd larger.than
nothing empty
l1short too.short
l1huge none.can.be|first.table
l1odd none.can.be
l1entry damaged
l1far behind.its.end
l2far behind.its.end
l2odd damaged
l2packed packed.cluster
headlen impossible.length
cut ends.in.its.header
cuttable ends.in|behind
L
fails 1 'larger than an import may be' imgadm import --type zvol --max-size 1M v3.qcow2
fails 1 'more than 1048576 bytes' imgadm import --type zvol --max-size 1M whole.raw.gz
fails 1 'larger than an import may be' imgadm import --type zvol --max-size 1M whole.raw
gzip -k v3.qcow2
fails 1 'packed qcow2' imgadm import --type zvol v3.qcow2.gz
fails 1 'pipe.s or a packed qcow2' bash -c 'cat v3.qcow2 | imgadm import --type zvol --name x -'
qemu-img convert -f raw -O vmdk whole.raw x.vmdk
fails 1 'VMDK' imgadm import --type zvol x.vmdk
head -c 2000000 whole.raw.gz >cut.gz
fails 1 'truncated|gzip' imgadm import --type zvol cut.gz
# many at random: an answer each time, and never a signal
python3 - <<'PY'
import random
good = open('small.qcow2', 'rb').read()[:300000]
random.seed(3)
for i in range(12):
    b = bytearray(good)
    for _ in range(1 + i * 3):
        b[random.randrange(112, len(b))] = random.randrange(256)
    open(f'r{i}.bad', 'wb').write(b)
PY
BAD=0
for i in $(seq 0 11); do
	run imgadm import --type zvol --name "r$i" "r$i.bad"
	[ "$RC" = 0 ] && imgadm delete "$(uuid_in)" >/dev/null
	grep -qE 'signal|no reason' <<<"$OUT" && BAD=$((BAD + 1))
done
eq "damaged at random: said, or what it then is" "$BAD" 0
eq "of what was refused nothing is left" "$(imgadm list -Ho uuid | wc -l) $(ls -A "$P/.tmp" | wc -l)" "$HAVE 0"

# ---- by manifest ----
manifest() { # file members
	jq -n --arg s "$(sha1sum "$1" | cut -d' ' -f1)" --argjson n "$(stat -c %s "$1")" --argjson more "$2" \
		'{v: 2, uuid: "aaaaaaaa-0000-4000-8000-000000000001", owner: "00000000-0000-0000-0000-000000000000", name: "disk", version: "1", state: "active",
		  disabled: false, public: true, type: "zvol", os: "linux", nic_driver: "virtio", disk_driver: "scsi", cpu_type: "qemu64", image_size: 64,
		  files: [{sha1: $s, size: $n, compression: "gzip"}]} + $more' >m.json
}
I=aaaaaaaa-0000-4000-8000-000000000001
manifest whole.raw.gz '{"image_size":8}'
fails 1 'more than the image_size' imgadm install -m m.json -f whole.raw.gz
manifest whole.raw.gz '{"image_size":"8"}'
fails 1 'image_size' imgadm install -m m.json -f whole.raw.gz
manifest whole.raw.gz '{"image_size":8388608}'
fails 1 'image_size of its manifest, 8388608 MiB, is more than a disk may have: 68719476736 bytes .*--max-size' imgadm install -m m.json -f whole.raw.gz
manifest whole.raw.gz '{"image_size":65}'
fails 1 'image_size of its manifest, 65 MiB, is more than .*--max-size' imgadm install -m m.json -f whole.raw.gz --max-size 64M
manifest whole.raw.gz '{}'
fails 1 'sha1|should be' imgadm install -m m.json -f whole.raw.xz
check "a manifest and its packed disk, as large as may be" imgadm install -m m.json -f whole.raw.gz --max-size 64M
eq "as large as the manifest says" "$(stat -c %s "$(disk $I)")" $((64 << 20))
run vmadm create <<<'{"brand":"kvm","ram":64,"alias":"m","autoboot":false,"disks":[{"boot":true,"image_uuid":"'$I'"}]}'
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
eq "a VM has what its image asks for" "$(vmadm get "$M" | jq -c '[.disk_driver, .cpu_type, .disks[0].size, .disks[0].image_size]')" '["scsi","qemu64",64,64]'
run vmadm create <<<'{"brand":"kvm","ram":64,"disk_driver":"virtio","autoboot":false,"disks":[{"boot":true,"image_uuid":"'$I'"}]}'
eq "unless it says otherwise" "$(vmadm get "$(sed -n 's/^Successfully created VM //p' <<<"$OUT")" | jq -r .disk_driver)" virtio

eq "of the image it has the disk alone, in a folder of root's" "$(ls -A "$P/$M/root") $(stat -c '%u %g %a' "$P/$M/root")" "disk0 0 0 755"
eq "and that is its own" "$(cmp -n $(((40 << 20) - 512)) "$P/$M/root/disk0" whole.raw && echo same) $(btrfs property get "$P/$M/root" ro)" "same ro=false"
J=$(imgadm list -Ho uuid name=piped)
run vmadm create <<<'{"brand":"kvm","ram":64,"alias":"two","autoboot":false,"disks":[{"size":5},{"boot":true,"image_uuid":"'$I'","size":80},{"image_uuid":"'$J'"}]}'
K=$P/$(vmadm lookup -1 alias=two)/root
eq "disks of two images, and one of none" "$(ls -A "$K" | tr '\n' ' ')$(stat -c %s "$K/disk0" "$K/disk1" "$K/disk2" | tr '\n' ' ')$(tr -d '\0' <"$K/disk0" | wc -c)" "disk0 disk1 disk2 $((5 << 20)) $((80 << 20)) $((40 << 20)) 0"
eq "each is its image's" "$(for d in 1 2; do cmp -n $(((40 << 20) - 512)) "$K/disk$d" whole.raw && echo same; done | tr '\n' ' ')" "same same "

# ---- of a machine ----
printf changed | dd of="$P/$M/root/disk0" conv=notrunc status=none
truncate -s 70M "$P/$M/root/disk0"
vmadm update "$M" <<<"{\"update_disks\":[{\"path\":\"$P/$M/root/disk0\",\"size\":70}]}" >/dev/null 2>&1
check "imgadm create of a stopped one" imgadm create "$M" name=mine version=2
N=$(uuid_in)
eq "its disk, and its drivers" "$(head -c 7 "$(disk "$N")") $(imgadm get "$N" | jq -c '.manifest | [.name, .type, .image_size, .disk_driver, .cpu_type]')" 'changed ["mine","zvol",70,"scsi","qemu64"]'
le "it shares its blocks" "$(btrfs filesystem du -s --raw "$(disk "$N")" | awk 'END {print $2}')" 0
check "a VM of that" vmadm create <<<'{"brand":"kvm","ram":64,"alias":"n","autoboot":false,"disks":[{"boot":true,"image_uuid":"'"$N"'"}]}'
eq "has it" "$(head -c 7 "$P/$(vmadm lookup -1 alias=n)/root/disk0")" changed
gzip -c "$(disk "$N")" >again.gz
check "and out and in again" imgadm import --type zvol --name again again.gz
eq "the same" "$(cmp "$(disk "$(uuid_in)")" "$(disk "$N")" && echo same)" same
check "start" vmadm start "$M"
fails 1 'is running' imgadm create "$M"
for m in $(vmadm lookup); do vmadm delete "$m" >/dev/null 2>&1; done
