#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# alone
# Pools and datasets on the real kernel: file, devices, folder; quotas; a full pool; kills; import.
. "$(dirname "$0")/lib.sh"
need_root
node pool
Z=$NODE_POOL U=11111111-2222-4333-8444-555555555555 V=22222222-2222-4333-8444-555555555555
S=$T_BUILD/tests/system/store_check
[ -x "$S" ] || skip "store_check is not built"
[ -e /dev/btrfs-control ] || skip "this kernel has no btrfs"
[ -x /usr/sbin/mkfs.btrfs ] || skip "mkfs.btrfs is not installed"
field() { cloister pool status -p | cut -d: -f"$1"; }
used() { "$S" usage "$1" | cut -d' ' -f2; }
LOOPS=()
loop() { # variable size: a block device
	local f=$T_TMP/$1.disk d
	fallocate -l "$2" "$f" && d=$(losetup -f --show "$f") || { skip_check "loop device $1" "none free"; exit 1; }
	LOOPS+=("$d")
	printf -v "$1" %s "$d"
}
done_() {
	local d
	umount -l "$T_TMP/mnt" 2>/dev/null
	umount "$Z" 2>/dev/null
	for d in "${LOOPS[@]}"; do losetup -d "$d" 2>/dev/null; done
}
trap 'rc=$?; done_; (exit $rc); t_exit' EXIT

# A pool of somebody else's lies on a device here, unmounted, from the beginning to the end: no import takes it unasked.
loop FOREIGN 128M
mkfs.btrfs -qf -L cloister:somebody "$FOREIGN"

# ---- refusals ----
fails 1 'this node has no pool' cloister pool status
fails 1 'no pool' cloister pool destroy --yes
fails 1 'ENODEV.*no pool' "$S" open
fails 1 'at least 256 MiB' cloister pool create -s 10M
fails 2 'not a size' cloister pool create -s soon
fails 2 'usage' cloister pool
fails 2 'unknown verb' cloister pool mend
fails 1 'Block device required|No such file' cloister pool create /dev/null
fails 1 'is not on btrfs' cloister pool create -M /proc
fails 1 'are free' cloister pool create -s 9T
check_not "a create that failed leaves no file" test -e "$NODE_STATE/pool.img"
check_not "… and no settings" test -e "$NODE_STATE/pool.conf"

# ---- a pool on a file ----
check "create" cloister pool create -s 1G
fails 1 'has a pool' cloister pool create -s 1G
OPTS=$(awk -v z="$Z" '$5 == z {print $6 "," $NF}' /proc/self/mountinfo)
for o in nosuid nodev noatime compress=zstd:1; do like "mounted $o" ",$OPTS," ",$o,"; done
le "the backing file is preallocated" 1073741824 "$(($(stat -c '%b * %B' "$NODE_STATE/pool.img")))"
DEV=$(losetup -nO NAME,BACK-FILE | awk -v f="$NODE_STATE/pool.img" '$2 == f {print $1}')
like "a loop device, freed by itself, direct I/O" "$(losetup -nO AUTOCLEAR,DIO "$DEV" | tr -d ' ')" '^11$'
eq "no discard reaches the file" "$(cat "/sys/block/${DEV#/dev/}/queue/discard_max_bytes")" 0
fstrim "$Z" 2>/dev/null
le "… not even by fstrim" 1073741824 "$(($(stat -c '%b * %B' "$NODE_STATE/pool.img")))"
eq "state" "$(field 2)" ONLINE
like "status as JSON" "$(cloister pool status -j | jq -r '.v, .state, .kind, (.capabilities | join(","))' | tr '\n' ' ')" '^1 ONLINE file .*(squota|qgroup)'
like "the zonepaths' folder shows nothing to others" "$(stat -c %a "$Z")" '^711$'

# ---- datasets ----
check "create a dataset" "$S" create "$U/root" 1
eq "mode and owner" "$(stat -c '%a %u %a' "$Z/$U/root")" "755 0 755"
eq "the folder on the way is closed" "$(stat -c %a "$Z/$U")" 700
fails 1 EEXIST "$S" create "$U/root" 1
for n in ../x /x x/../../y . .. 'a//b' a/ ''; do fails 1 'is not the name' "$S" create "$n" 0; done
ln -s /etc "$Z/$U/link"
fails 1 'ELOOP|ENOTDIR' "$S" create "$U/link/x" 0
check_not "no link is followed" test -e /etc/x
rm "$Z/$U/link"
mkdir "$Z/$U/plain"
fails 1 ENOTTY "$S" destroy "$U/plain"
check "a missing one is destroyed already" "$S" destroy "$U/none"
check_not "exists" "$S" exists "$U/none"
echo one >"$Z/$U/root/f"
check "snapshot" "$S" snapshot "$U/root" "$U/snap/a" ro 1
echo two >"$Z/$U/root/f"
fails 1 . touch "$Z/$U/snap/a/x"
like "each names it with its time" "$("$S" each "$U/snap")" "^a $(date -u +%Y-)"
check "rollback" "$S" rollback "$U/snap/a" "$U/root" 1
eq "its content is back" "$(cat "$Z/$U/root/f")" one
check "rollback again, from the same snapshot" "$S" rollback "$U/snap/a" "$U/root" 1
eq ".tmp is empty" "$(ls -A "$Z/.tmp")" ""
check "rename" "$S" rename "$U/snap/a" "$U/snap/b"
fails 1 EEXIST "$S" rename "$U/snap/b" "$U/root"
check "read-only" "$S" readonly "$U/root" on
fails 1 'Read-only' touch "$Z/$U/root/x"
check "writable" "$S" readonly "$U/root" off

# ---- quota ----
check "quota of 40 MiB, read back" "$S" quota 1 40M
eq "the limit" "$("$S" usage 1 | cut -d' ' -f1)" 41943040
dd if=/dev/urandom of="$Z/$U/root/big" bs=1M count=20 status=none
sync -f "$Z"
check "snapshot within the quota" "$S" snapshot "$U/root" "$U/snap/c" ro 1
SIMPLE=$(grep -c quota=simple "$NODE_STATE/pool.conf")
if [ "$SIMPLE" = 1 ]; then
	btrfs -q subvolume create "$Z/$U/root/nest" && btrfs -q subvolume create "$Z/$U/root/nest/deep" &&
		btrfs -q subvolume create "$Z/$U/root/nest/deep/er" && btrfs -q subvolume snapshot "$Z/$U/root/nest" "$Z/$U/root/nest/copy"
	fails 1 'quota exceeded' dd if=/dev/urandom of="$Z/$U/root/nest/big" bs=1M count=30
	fails 1 'quota exceeded' dd if=/dev/urandom of="$Z/$U/root/nest/deep/er/big" bs=1M count=30 oflag=direct
	fails 1 'quota exceeded' dd if=/dev/urandom of="$Z/$U/root/nest/copy/big" bs=1M count=30 oflag=direct
	btrfs property set "$Z/$U/root/nest/deep" ro true 2>/dev/null
else
	skip_check "nested subvolumes count" "this kernel has no simple quotas"
	fails 1 'quota exceeded' dd if=/dev/urandom of="$Z/$U/root/big2" bs=1M count=30
fi
sync -f "$Z"
le "never past the limit" "$(used 1)" 41943040
rm -f "$Z/$U/root/f"
check_not "a file can be deleted at the limit" test -e "$Z/$U/root/f"
check "snapshot at the limit" "$S" snapshot "$U/root" "$U/snap/d" ro 1
check "rollback at the limit, nested subvolumes and all" "$S" rollback "$U/snap/c" "$U/root" 1
eq "nothing of the old root is left" "$(btrfs subvolume list "$Z" | grep -c 'nest\|\.tmp')" 0
btrfs subvolume sync "$Z" >/dev/null
if [ "$SIMPLE" = 1 ]; then
	check "nested again" btrfs -q subvolume create "$Z/$U/root/nest"
	btrfs -q subvolume create "$Z/$U/root/nest/deep"
	btrfs property set "$Z/$U/root/nest" ro true
	ln -s /etc "$Z/$U/root/nest.link"
fi
check "image data shared by a clone is not charged" "$S" snapshot "$U/snap/c" "$V/root" rw 2
"$S" quota 2 10M
sync -f "$Z"
[ "$SIMPLE" = 1 ] && le "… the clone of 20 MiB counts for less than 1" "$(used 2)" 1048576
check "no limit" "$S" quota 1 0
eq "none is set" "$("$S" usage 1 | cut -d' ' -f1)" 0
for d in root snap/b snap/c snap/d; do check "destroy $d" "$S" destroy "$U/$d"; done
check "drop the group" "$S" drop 1
fails 1 ENOENT "$S" usage 1
check "the id starts from nothing again" "$S" quota 1 5M
le "… used" "$(used 1)" 0
"$S" drop 1
"$S" create clone 0 && dd if=/dev/urandom of="$Z/clone/f" bs=1M count=3 status=none && sync -f "$Z"
"$S" quota 3 4M
if [ "$SIMPLE" = 1 ]; then
	check "a dataset made outside joins a group" "$S" join clone 3
	le "… with what it holds" 3145728 "$(used 3)"
	fails 1 'quota exceeded' dd if=/dev/urandom of="$Z/clone/g" bs=1M count=3
fi
"$S" destroy clone && "$S" drop 3

# ---- what kills leave ----
CLOISTER_FAIL=rollback-exchange:kill "$S" snapshot "$V/root" "$V/snap/a" ro 2
( CLOISTER_FAIL=rollback-exchange:kill exec "$S" rollback "$V/snap/a" "$V/root" 2 ) 2>/dev/null
eq "a rollback that was killed left its copy" "$(ls -A "$Z/.tmp" | wc -l)" 1
( CLOISTER_FAIL=rollback-destroy:kill exec "$S" rollback "$V/snap/a" "$V/root" 2 ) 2>/dev/null
mkdir "$Z/.tmp/$U" && btrfs -q subvolume create "$Z/.tmp/$U/x"
check "recover" "$S" recover
eq "… leaves only what others made" "$(ls -A "$Z/.tmp")" "$U"
btrfs -q subvolume delete "$Z/.tmp/$U/x" && rmdir "$Z/.tmp/$U"
check "the VM's root is whole" test -e "$Z/$V/root/big"

# ---- a full pool ----
"$S" create fill/root 9 && "$S" create fill2/root 9 && "$S" snapshot fill2/root fill2/snap/a ro 9
cp -r /usr/share/doc/bash /usr/share/doc/tar "$Z/fill2/root" 2>/dev/null
"$S" snapshot fill2/root fill2/snap/b ro 9
dd if=/dev/urandom of="$Z/fill/root/big" bs=4M 2>/dev/null
sync -f "$Z"
# and the room of the trees
python3 - "$Z/fill/root" <<'PY'
import os, sys
full = i = 0
while full < 20 and i < 1000000:
    path = f'{sys.argv[1]}/s{i}'
    i += 1
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        os.setxattr(path, b'user.x', os.urandom(3600))
        full = 0
    except OSError:
        full += 1
print(f'# {i} small files')
PY
sync -f "$Z"
fails 1 'No space' dd if=/dev/urandom of="$Z/fill/root/more" bs=1M count=1
eq "status warns" "$(field 9)" 95
like "so does what writes" "$("$S" warn 2>&1)" 'more than 95 %'
R0=$(field 8)
check "snapshot on a full pool" "$S" snapshot fill2/root fill2/snap/c ro 9
check "rollback on a full pool" "$S" rollback fill2/snap/b fill2/root 9
check "rollback again" "$S" rollback fill2/snap/a fill2/root 9
check "create on a full pool" "$S" create fill3/root 9
check "make room for a record" "$S" room
check "write a record on a full pool" bash -c "mkdir -p $Z/fill3/config && head -c 6000 /dev/urandom >$Z/fill3/config/r && sync -f $Z"
echo "# reserve: $R0 before, $(field 8) after, state $(field 2)"
check "delete on a full pool" "$S" destroy fill/root
btrfs subvolume sync "$Z" >/dev/null
sync -f "$Z"
for d in fill2/root fill2/snap/a fill2/snap/b fill2/snap/c fill3/root; do "$S" destroy "$d"; done
btrfs subvolume sync "$Z" >/dev/null
sync -f "$Z"
check "recover makes the reserve again" "$S" recover
le "… in full" 1 "$(field 8)"
eq "state" "$(field 2)" ONLINE
eq "no warning" "$(field 9)" 0
check "the others' data is whole" test "$(stat -c %s "$Z/$V/root/big")" = 20971520
rm -rf "$Z/fill" "$Z/fill2" "$Z/fill3"
like "scrub" "$(cloister pool scrub)" 'read, 0 errors'

# ---- grow ----
fails 1 "can't be made smaller" cloister pool grow 512M
check "grow" cloister pool grow 1280M
eq "the size is there" "$(field 5)" 1342177280
le "… preallocated" 1342177280 "$(($(stat -c '%b * %B' "$NODE_STATE/pool.img")))"

# ---- lost, attached, imported ----
mkdir -p "$Z/$V/config" && echo '{"uuid":"v"}' >"$Z/$V/config/record.json"
eq "records" "$("$S" records | grep -v "$U")" "$V {\"uuid\":\"v\"}"
rm -r "${Z:?}/$U"
check "detach" "$S" detach
eq "no loop device stays" "$(losetup -nO BACK-FILE | grep -c "$NODE_STATE")" 0
fails 1 'ENODEV.*not attached' "$S" open
fails 1 MISSING cloister pool status
check "attach, as at boot" "$S" attach
check "attach twice" "$S" attach
eq "data is there" "$(stat -c %s "$Z/$V/root/big")" 20971520
( cd "$Z" && fails 1 'Device or resource busy' cloister pool destroy -F )
eq "a refused destroy changes nothing" "$(field 2)" ONLINE
"$S" detach
mv "$NODE_STATE/pool.img" "$T_TMP/moved.img" && rm "$NODE_STATE/pool.conf"
fails 1 'no pool' "$S" attach
fails 1 'there is no pool' cloister pool import /etc/passwd
fails 1 "$V stays out: VM record" cloister pool import "$T_TMP/moved.img"
like "import from the file alone, without what is no VM" "$OUT" '0 VMs and 0 images imported'
eq "its VM is there" "$("$S" records | grep -c "$V")" 1
fails 1 'stays out' cloister pool import
eq "attached again by its new name" "$("$S" detach && "$S" attach && field 2)" ONLINE
fails 1 'VMs are on it' cloister pool destroy --yes
fails 1 'say --yes|VMs are on it' cloister pool destroy </dev/null
check "destroy -F" cloister pool destroy -F
check_not "the file is gone" test -e "$T_TMP/moved.img"
check_not "the mount point too" test -e "$Z"

# ---- VMs of a lost node ----
states() { local u; for u in "$a" "$b"; do vmadm get "$u" | jq -r .state; done | tr '\n' ' '; }
check "a pool for VMs" cloister pool create -s 1G
if mkzone a web1 '"autoboot":false,"quota":1' && mkzone b web2 '"autoboot":false,"quota":2'; then
	check "snapshot" vmadm create-snapshot "$a" s1
	dd if=/dev/urandom of="$Z/$a/root/upper/data" bs=1M count=30 status=none
	sync -f "$Z"
	vmadm get "$a" | jq -S 'del(.server_uuid)' >"$T_TMP/before"
	fails 1 '2 VMs are on it' cloister pool destroy --yes
	"$S" detach
	eq "a lost pool's VMs are missing" "$(states)" 'missing missing '
	rm -r "$NODE_STATE/node.db"* "$NODE_STATE/pool.conf"
	( CLOISTER_FAIL=import-rows:kill exec cloister pool import "$NODE_STATE/pool.img" ) >/dev/null 2>&1
	eq "import killed half way" $? 137
	eq "its VMs can't be started yet" "$(states)" 'failed failed '
	check "import again" cloister pool import
	like "… says what it found" "$OUT" '2 VMs known already'
	eq "they are back" "$(states)" 'stopped stopped '
	eq "… as they were" "$(vmadm get "$a" | jq -S 'del(.server_uuid)' | diff "$T_TMP/before" - && echo same)" same
	rm -r "$NODE_STATE/node.db"* "$NODE_STATE/pool.conf" # and the pool is still mounted
	rm -r "$NODE_STATE/usage" # as another host has it
	sed -i 's/"create_timestamp": *"20[0-9][0-9]/"create_timestamp":"2020/' "$Z/$b/config/record.json"
	check "import in one go" cloister pool import
	like "… and nobody pays here for the time before" "$(cloister usage -j --from 2020-01-01 "$b" | jq -c '[.rows[].data_byte_seconds] | add < 1e12')" true
	like "… says what it found" "$OUT" '2 VMs and [1-9] images imported'
	eq "quota of the first" "$(btrfs qgroup show -re --raw "$Z" | awk '$1 ~ "^1/" && $4 == 1073741824' | wc -l)" 1
	eq "quota of the second" "$(btrfs qgroup show -re --raw "$Z" | awk '$1 ~ "^1/" && $4 == 2147483648' | wc -l)" 1
	le "what it holds counts" 31457280 "$(btrfs qgroup show -re --raw "$Z" | awk '$4 == 1073741824 {print $2}')"
	check "rollback" vmadm rollback-snapshot "$a" s1
	check_not "… did it" test -e "$Z/$a/root/upper/data"
	check "start" vmadm start "$a"
	fails 1 '1 VMs run on it' cloister pool destroy -F
	check "delete" bash -c "vmadm delete $a && vmadm delete $b"
	eq "no group is left" "$(btrfs qgroup show "$Z" | grep -c '^1/')" 0
fi
check "destroy" cloister pool destroy -F

# ---- killed in the middle of create and destroy ----
for s in pool-conf pool-conf+ pool-file+ pool-format+ pool-mount+ pool-quota+ pool-layout+ pool-online pool-online+; do
	( CLOISTER_FAIL=$s:kill exec cloister pool create -s 256M ) >/dev/null 2>&1
	eq "create killed at $s" $? 137
	case $s in
	pool-online+) fails 1 'has a pool' cloister pool create -s 256M ;;
	pool-format+ | pool-layout+) check "… destroy clears it" cloister pool destroy --yes ;;
	*) check "… a second one clears it and works" cloister pool create -s 256M ;;
	esac
	cloister pool destroy --yes >/dev/null 2>&1
	check_not "… nothing is left" test -e "$NODE_STATE/pool.img" -o -e "$Z" -o -e "$NODE_STATE/pool.conf"
	( CLOISTER_FAIL=$s:error exec cloister pool create -s 256M ) >/dev/null 2>&1
	eq "create failing at $s" $? 1
	check_not "… undoes itself" test -e "$NODE_STATE/pool.img" -o -e "$NODE_STATE/pool.conf"
	rmdir "$Z" 2>/dev/null
done
for s in pool-destroy pool-wipe; do
	cloister pool create -s 256M >/dev/null 2>&1
	( CLOISTER_FAIL=$s:kill exec cloister pool destroy --yes ) >/dev/null 2>&1
	eq "destroy killed at $s" $? 137
	check "… a second one finishes" cloister pool destroy --yes
	check_not "… nothing is left" test -e "$NODE_STATE/pool.img" -o -e "$Z" -o -e "$NODE_STATE/pool.conf"
done
eq "no loop device stays" "$(losetup -nO BACK-FILE | grep -c "$NODE_STATE")" 0

# ---- full quotas, which older kernels have ----
check "create with full quotas" cloister pool create -s 512M -q full
like "it says so" "$(cloister pool status)" 'full: slow'
"$S" create "$U/root" 1 && "$S" quota 1 20M
fails 1 'quota exceeded' dd if=/dev/urandom of="$Z/$U/root/f" bs=1M count=30
check "snapshot" "$S" snapshot "$U/root" "$U/snap/a" ro 1
rm "$Z/$U/root/f"
sync -f "$Z"
le "what the snapshot keeps still counts" 15000000 "$(used 1)"
fails 1 'quota exceeded' dd if=/dev/urandom of="$Z/$U/root/f" bs=1M count=30
check "rollback" "$S" rollback "$U/snap/a" "$U/root" 1
check "destroy all" bash -c "'$S' destroy $U/root && '$S' destroy $U/snap/a && '$S' drop 1"
cloister pool destroy -F >/dev/null 2>&1

# ---- devices ----
loop A 1G; loop B 1G; loop C 1152M; loop D 1152M
mkfs.ext4 -q "$A"
fails 1 'mkfs.btrfs' cloister pool create "$A"
check_not "a device with a file system is left alone" test -e "$NODE_STATE/pool.conf"
check "-F overwrites it" cloister pool create -F "$A"
"$S" create "$V/root" 1 && dd if=/dev/urandom of="$Z/$V/root/f" bs=1M count=64 status=none
SUM=$(sha256sum <"$Z/$V/root/f")
fails 1 "only device" cloister pool remove "$A"
mkfs.ext4 -q "$B"
fails 1 'holds something' cloister pool add -m "$B"
check "add a mirror" cloister pool add -m -F "$B"
eq "data is on both" "$(btrfs filesystem df "$Z" | grep -c RAID1)" 3
eq "… only" "$(btrfs filesystem df "$Z" | grep -vc 'RAID1\|GlobalReserve')" 0
fails 1 'not a device of the pool' cloister pool replace "$D" "$C"
check "replace" cloister pool replace "$B" "$C"
like "the new one is in" "$(cloister pool status)" "$C"
check "remove: the mirror is given up" cloister pool remove "$C"
unlike "… and the device is out" "$(cloister pool status)" "$C"
check "add again" cloister pool add -m -F "$C"
like "scrub reads both" "$(cloister pool scrub)" 'read, 0 errors'
sync -f "$Z"
"$S" detach
dd if=/dev/zero of="$C" bs=1M seek=130 count=900 status=none conv=notrunc
btrfs device scan -u >/dev/null 2>&1
check "attach with a damaged half" "$S" attach
like "scrub repairs it" "$(cloister pool scrub)" ' [1-9][0-9]* corrected, 0 not'
eq "data is whole" "$(sha256sum <"$Z/$V/root/f")" "$SUM"
like "status counts errors" "$(cloister pool status)" '[1-9][0-9]* errors'
"$S" detach
rm "$NODE_STATE/pool.conf"
fails 1 "$V stays out" cloister pool import # by looking at the disks
eq "the mirror is known" "$(grep -c mirror=yes "$NODE_STATE/pool.conf")" 1
"$S" detach
losetup -d "$C"
btrfs device scan -u >/dev/null 2>&1
check "attach without one device" "$S" attach
eq "state" "$(field 2)" DEGRADED
check "replace what is missing" cloister pool replace -F missing "$D"
eq "state" "$(field 2)" ONLINE
eq "data is whole" "$(sha256sum <"$Z/$V/root/f")" "$SUM"
check "grow to what the devices have" cloister pool grow
check "destroy" cloister pool destroy -F
fails 2 '' blkid -p "$A"
fails 1 "no pool cloister:$NODE was found.* cloister:somebody on $FOREIGN" cloister pool import
check "a pool again" cloister pool create -F "$A"
"$S" detach
rm "$NODE_STATE/pool.conf"
mkfs.btrfs -qf -L "cloister:$NODE" "$B"
fails 1 "more than one pool cloister:$NODE: .*(on $A.*on $B|on $B.*on $A)" cloister pool import
check_not "neither is taken" test -e "$NODE_STATE/pool.conf"
wipefs -qa "$B"
check "of the node's own pool and somebody else's it takes its own" cloister pool import
like "… which is" "$(cloister pool status)" " $A "
check "destroy" cloister pool destroy -F
fails 1 "$FOREIGN is btrfs, but no pool of ours" cloister pool import "$FOREIGN" # looked at when it is named

# ---- a folder of a mount ----
mkfs.btrfs -qf "$A" && mkdir -p "$T_TMP/mnt" && mount "$A" "$T_TMP/mnt"
check "create in a folder of a mount" cloister pool create -M "$T_TMP/mnt"
OPTS=$(awk -v z="$Z" '$5 == z {print $6}' /proc/self/mountinfo)
like "nosuid, nodev" "$OPTS" 'nosuid,nodev'
"$S" create "$U/root" 1 && "$S" quota 1 20M
fails 1 'quota exceeded' dd if=/dev/urandom of="$Z/$U/root/f" bs=1M count=30
check "rollback there" bash -c "'$S' snapshot $U/root $U/snap/a ro 1 && '$S' rollback $U/snap/a $U/root 1"
fails 1 'make the file system' cloister pool grow
check "detach, attach" bash -c "'$S' detach && '$S' attach"
"$S" detach
umount "$T_TMP/mnt"
fails 1 ENODEV "$S" attach
mount "$A" "$T_TMP/mnt"
rm "$NODE_STATE/pool.conf"
echo mine >"$T_TMP/mnt/file"
fails 1 "$U stays out" cloister pool import "$T_TMP/mnt/cloister-$NODE"
eq "imported from the folder" "$(field 2)" ONLINE
check "destroy" cloister pool destroy -F
eq "the mount keeps what was not ours" "$(ls "$T_TMP/mnt")" file
