#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# What a zone is given of the host: file systems and devices, at create and while it runs; and what it is refused.
. "$(dirname "$0")/lib.sh"
need_root
node fs
pool

loops=()
trap 'for d in "$T_TMP"/mnt.*; do umount "$d" 2>/dev/null; done; for z in $(vmadm list -Hp -o uuid 2>/dev/null); do vmadm delete "$z" >/dev/null 2>&1; done; for d in "${loops[@]}"; do losetup -d "$d" 2>/dev/null; done; t_exit' EXIT
chmod 755 "$T_TMP"

loop_fs() { # variable type size: a loop device with a file system and a file in it
	local dev dir=$T_TMP/mnt.$2
	truncate -s "$3" "$2.img"
	case $2 in
	ext4) mkfs.ext4 -q -F ext4.img ;;
	xfs) mkfs.xfs -q -f xfs.img ;;
	btrfs) mkfs.btrfs -q -f btrfs.img ;;
	esac >/dev/null 2>&1 || return 1
	dev=$(losetup -f --show "$2.img") || return 1
	loops+=("$dev")
	printf -v "$1" %s "$dev"
	mkdir "$dir" && mount -t "$2" "$dev" "$dir" && echo "on $2" >"$dir/hello" && umount "$dir"
}
mounts() { zlogin "$1" "awk '\$5 == \"$2\"' /proc/self/mountinfo"; } # zone target
opts() { mounts "$1" "$2" | tail -1 | cut -d' ' -f6; }
fsup() { vmadm update "$1" <<<"$2"; } # zone json

mkdir -p share/sub ro
echo from-host >share/file
echo from-host >ro/file
chmod 4755 share/file
cp "$(command -v id)" share/suid && chmod 4755 share/suid
mknod share/null c 1 3

# ---- at create ----

loop_fs ext4 ext4 64M || skip "needs loop devices and mkfs.ext4"
xfs='' btrfs=''
loop_fs xfs xfs 320M || xfs=
loop_fs btrfs btrfs 128M || btrfs=
list="{\"type\":\"lofs\",\"source\":\"$T_TMP/share\",\"target\":\"/data\"},
{\"type\":\"lofs\",\"source\":\"$T_TMP/ro\",\"target\":\"/srv/ro\",\"options\":[\"ro\",\"noexec\"]},
{\"type\":\"lofs\",\"source\":\"$T_TMP/ro/file\",\"target\":\"/etc/one-file\",\"options\":[\"ro\"]},
{\"type\":\"tmpfs\",\"source\":\"swap\",\"target\":\"/scratch\",\"options\":[\"size=8m\",\"noexec\"]},
{\"type\":\"ext4\",\"source\":\"$ext4\",\"target\":\"/mnt/ext4\"}"
[ -z "$xfs" ] || list+=",{\"type\":\"xfs\",\"source\":\"$xfs\",\"target\":\"/mnt/xfs\",\"options\":[\"ro\"]}"
[ -z "$btrfs" ] || list+=",{\"type\":\"btrfs\",\"source\":\"$btrfs\",\"target\":\"/mnt/btrfs\",\"options\":[\"nosuid\",\"nodevices\"]}"
mkzone z one "\"filesystems\":[$list]" || exit 1
mkzone y two || exit 1

eq "lofs: a folder of the host" "$(zlogin "$z" cat /data/file)" from-host
check "lofs: written to inside" zlogin "$z" 'echo inside >/data/new && mkdir /data/made'
eq "lofs: seen outside" "$(cat share/new)" inside
eq "lofs: root's there is root's here" "$(stat -c %u:%g share/new)" 0:0
eq "lofs: and inside" "$(zlogin "$z" stat -c %u:%g /data/file)" 0:0
like "nosuid and nodev are the default" "$(opts "$z" /data)" 'nosuid,nodev'
check_not "a device node there can't be used" zlogin "$z" 'echo x >/data/null'
eq "a setuid program there gives nothing" "$(zlogin "$z" 'useradd -M u1 2>/dev/null; su u1 -s /bin/sh -c "/data/suid -u"')" "$(zlogin "$z" id -u u1)"
check_not "a zone can't take the flags away" zlogin "$z" 'mount -o remount,suid,dev /data'
check_not "ro is read-only" zlogin "$z" 'echo x >/srv/ro/file'
check_not "and stays" zlogin "$z" 'mount -o remount,rw /srv/ro'
zlogin "$z" 'cp /bin/true /scratch/true'
check_not "noexec" zlogin "$z" /scratch/true
check "a file on a file" zlogin "$z" 'test "$(cat /etc/one-file)" = from-host'
check_not "read-only" zlogin "$z" 'echo x >/etc/one-file'
check_not "tmpfs: no more than its size" zlogin "$z" 'head -c 9M /dev/zero >/scratch/big'
check "tmpfs: but that" zlogin "$z" 'head -c 6M /dev/zero >/scratch/big'
check "tmpfs: belongs to the zone's root" zlogin "$z" 'test "$(stat -c %u /scratch)" = 0 && rm /scratch/big'
for t in ext4 xfs btrfs; do
	[ -n "${!t}" ] || { skip_check "$t" "this host can not make or mount one"; continue; }
	eq "$t: mounted" "$(zlogin "$z" cat /mnt/$t/hello)" "on $t"
	eq "$t: its root's files are the zone root's" "$(zlogin "$z" stat -c %u /mnt/$t/hello)" 0
	like "$t: nosuid, nodev" "$(opts "$z" /mnt/$t)" 'nosuid,nodev'
	if [ $t = xfs ]; then
		check_not "$t: read-only" zlogin "$z" "echo x >/mnt/$t/new"
	else
		check "$t: written" zlogin "$z" "echo x >/mnt/$t/new && chown 1000 /mnt/$t/new && test \$(stat -c %u /mnt/$t/new) = 1000"
	fi
done
check_not "the neighbour has none of it" zlogin "$y" 'test -e /data/file || test -e /mnt/ext4/hello'
eq "get shows them" "$(vmadm get "$z" | jq '.filesystems | length')" "$(jq length <<<"[$list]")"

# ---- live ----

pid=$(vmadm get "$z" | jq .pid)
add="{\"add_filesystems\":[{\"type\":\"lofs\",\"source\":\"$T_TMP/ro\",\"target\":\"/live/a\"},{\"type\":\"tmpfs\",\"target\":\"/live/b\",\"options\":[\"size=4m\"]}]}"
check "add_filesystems" fsup "$z" "$add"
eq "is there at once" "$(zlogin "$z" cat /live/a/file)" from-host
check "both" zlogin "$z" 'mountpoint -q /live/b'
check_not "its flags are locked" zlogin "$z" 'mount -o remount,suid /live/a'
check "update_filesystems" fsup "$z" '{"update_filesystems":[{"target":"/live/a","options":["ro"]}]}'
like "now read-only" "$(opts "$z" /live/a)" '^ro'
eq "mounted once" "$(mounts "$z" /live/a | wc -l)" 1
check_not "and not writable" zlogin "$z" 'echo x >/live/a/y'
zlogin "$z" 'cd /live/b && sleep 300' &
bg=$!
await 5 zlogin "$z" 'pgrep -x sleep'
check "remove_filesystems, one of them busy" fsup "$z" '{"remove_filesystems":["/live/a","/live/b","/mnt/ext4"]}'
eq "gone" "$(mounts "$z" /live/a)$(mounts "$z" /live/b)$(mounts "$z" /mnt/ext4)" ""
zlogin "$z" 'pkill -x sleep'
wait $bg 2>/dev/null
eq "gone from the record" "$(vmadm get "$z" | jq -c '[.filesystems[] | select(.target | test("live|ext4"))]')" '[]'
check "the device is free" await 10 losetup -d "$ext4"
eq "the zone ran on" "$(vmadm get "$z" | jq .pid)" "$pid"
check "after a reboot it is the same" vmadm reboot "$z"
eq "those" "$(zlogin "$z" 'ls -d /data/file /srv/ro/file; mountpoint -q /live/a || echo no')" "/data/file"$'\n'"/srv/ro/file"$'\n'no

# a setuid file that the zone's root can leave on the host: said, and written down
for m in suid nosuid; do
	mkdir "$T_TMP/mnt.$m"
	mount -t tmpfs -o size=1m,mode=755,$m none "$T_TMP/mnt.$m"
	mkdir -p "$T_TMP/mnt.$m/open" "$T_TMP/mnt.$m/shut/in"
	chmod 700 "$T_TMP/mnt.$m/shut" "$T_TMP/mnt.$m/open"
done
lend() { # source options: what is said
	fsup "$z" "{\"add_filesystems\":[{\"type\":\"lofs\",\"source\":\"$T_TMP/$1\",\"target\":\"/lent\",\"options\":[$2]}]}" 2>&1 | grep -c '^warning:.*setuid'
	[ -z "${3:-}" ] || zlogin "$z" "$3"
	fsup "$z" '{"remove_filesystems":["/lent"]}' >/dev/null 2>&1 || echo "not taken away"
}
said() { grep -c '"command":"warning: lofs without nosuid","object":"'"$z" "$NODE_LOG/audit.log"; }
n=$(said)
eq "a writable folder on a mount without nosuid: a warning" "$(lend mnt.suid/open '' 'cp /usr/bin/id /lent/id && chmod 4755 /lent/id')" 1
eq "and a line in the audit log" "$(($(said) - n))" 1
eq "it is true: there is root's setuid file" "$(stat -c %u:%a "$T_TMP/mnt.suid/open/id")" 0:4755
like "the line names the folder" "$(grep 'lofs without' "$NODE_LOG/audit.log" | tail -1)" "$T_TMP/mnt.suid/open"
n=$(said)
eq "none when it is read-only" "$(lend mnt.suid/open '"ro"')" 0
eq "none below a folder that only root can enter" "$(lend mnt.suid/shut/in '')" 0
eq "but that folder's own mode is the zone's to change" "$(lend mnt.suid/shut '"rw"')" 1
eq "none on a nosuid mount" "$(lend mnt.nosuid/open '')" 0
eq "other changes don't say it again" "$(vmadm update "$z" alias=one 2>&1 | grep -c warning)" 0
eq "the audit log has the one" "$(($(said) - n))" 1
umount "$T_TMP/mnt.suid" "$T_TMP/mnt.nosuid"

# refused, and nothing changed
before=$(zlogin "$z" 'cut -d" " -f5- /proc/self/mountinfo')
rec=$(vmadm get "$z" | jq -c .filesystems)
fails 1 'source /nowhere' fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/ok"},{"type":"lofs","source":"/nowhere","target":"/bad"}]}'
fails 1 'not a block device' fsup "$z" "{\"add_filesystems\":[{\"type\":\"ext4\",\"source\":\"$T_TMP/ext4.img\",\"target\":\"/bad\"}]}"
fails 1 'mount of its own there' fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/tmp"}]}'
fails 1 'mount of its own there' fsup "$z" "{\"add_filesystems\":[{\"type\":\"lofs\",\"source\":\"$T_TMP/ro\",\"target\":\"/usr\"}]}"
fails 1 '/usr/lib/not-there' fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/ok"},{"type":"tmpfs","target":"/usr/lib/not-there"}]}'
fails 1 'target|/proc' fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/proc/x"}]}'
fails 1 'the VM has none' fsup "$z" '{"remove_filesystems":["/never-was"]}'
zlogin "$z" 'ln -s /proc /evil; ln -s ../../../../../.. /up'
fails 1 '/evil' fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/evil/sys"}]}'
check "a link to the top leads to the zone's own top" fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/up/in-zone"}]}'
check "there" zlogin "$z" 'mountpoint -q /in-zone'
check_not "and not on the host" test -e /in-zone
check "and away again" fsup "$z" '{"remove_filesystems":["/up/in-zone"]}'
eq "after all those refusals the mounts are as before" "$(zlogin "$z" 'cut -d" " -f5- /proc/self/mountinfo')" "$before"
eq "and the record" "$(vmadm get "$z" | jq -c .filesystems)" "$rec"
check "one below another" fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/n"},{"type":"tmpfs","target":"/n/m"}]}'
fails 1 'mounted below' fsup "$z" '{"remove_filesystems":["/n"]}'
check "both at once" fsup "$z" '{"remove_filesystems":["/n","/n/m"]}'
eq "gone" "$(mounts "$z" /n)$(mounts "$z" /n/m)" ""
# a zone that plays with the place of a mount
check "a folder for games" fsup "$z" "{\"add_filesystems\":[{\"type\":\"lofs\",\"source\":\"$T_TMP/ro\",\"target\":\"/game/a\"}]}"
zlogin "$z" 'mv /game /moved && mkdir /game && ln -s /proc/sys /game/a'
check "it is taken from where the zone has moved it" fsup "$z" '{"remove_filesystems":["/game/a"]}'
check_not "the zone has lost it" zlogin "$z" 'test -e /moved/a/file'
check_not "and its /proc/sys is as read-only as before" zlogin "$z" 'echo 1 >/proc/sys/kernel/randomize_va_space'
check "the mask is there" zlogin "$z" 'mountpoint -q /proc/sys'
zlogin "$z" 'rm -rf /game /moved'
check "another" fsup "$z" "{\"add_filesystems\":[{\"type\":\"lofs\",\"source\":\"$T_TMP/ro\",\"target\":\"/game/b\"}]}"
zlogin "$z" 'mkdir /game/c && mount --bind /game/b /game/c'
fails 1 'keeps a copy' fsup "$z" '{"remove_filesystems":["/game/b"]}'
zlogin "$z" 'umount /game/c; mount --make-private /'
fails 1 'keeps a copy' fsup "$z" '{"remove_filesystems":["/game/b"]}'
check "which goes with a reboot" vmadm reboot "$z"
check "then it can be taken" fsup "$z" '{"remove_filesystems":["/game/b"]}'
check_not "gone" zlogin "$z" 'test -e /game/b/file'
CLOISTER_FAIL=update-store:error fails 1 'failpoint' fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/x"}],"remove_filesystems":["/srv/ro"]}'
eq "an update that fails is taken back: mounts" "$(zlogin "$z" 'mountpoint -q /x || echo no; cat /srv/ro/file')" no$'\n'from-host
(CLOISTER_FAIL=update-store:kill fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/x"}],"remove_filesystems":["/srv/ro"]}') >/dev/null 2>&1
run vmadm update "$z" alias=one-b
eq "one that was killed too" "$(zlogin "$z" 'mountpoint -q /x || echo no; cat /srv/ro/file')" no$'\n'from-host
eq "on a stopped VM" "$(vmadm stop "$z" >/dev/null 2>&1; fsup "$z" '{"add_filesystems":[{"type":"tmpfs","target":"/tmp","options":["size=2m"]}]}' >/dev/null 2>&1; vmadm start "$z" >/dev/null 2>&1; zlogin "$z" 'df -m --output=size /tmp | tail -1 | tr -d " "')" 2

# ---- devices ----

for d in /dev/fuse /dev/net/tun; do
	n=${d#/dev/}
	[ -c $d ] || { skip_check "$d" "this host has none"; continue; }
	check_not "$d: not there before" zlogin "$z" "test -e $d"
	check_not "$d: nor made by hand" zlogin "$z" "mknod /tmp/dev c $(stat -c '0x%t 0x%T' $d) && : <>/tmp/dev"
	check "$d: added live" fsup "$z" "{\"add_devices\":[{\"match\":\"$d\",\"mode\":\"0660\"}]}"
	eq "$d: mode and owner" "$(zlogin "$z" stat -c %a:%u $d)" 660:0
	check "$d: opens" zlogin "$z" ": <>$d"
	check_not "$d: the neighbour has none" zlogin "$y" "test -e $d"
	fails 1 'not permitted' zlogin "$y" "mkdir -p /dev/net; mknod $d c $(stat -c '0x%t 0x%T' $d)"
	check "$d: another mode" fsup "$z" "{\"update_devices\":[{\"match\":\"$d\",\"mode\":\"0600\"}]}"
	eq "$d: has it" "$(zlogin "$z" stat -c %a $d)" 600
	check "$d: reboot" vmadm reboot "$z"
	check "$d: still there" zlogin "$z" ": <>$d"
	check "$d: removed live" fsup "$z" "{\"remove_devices\":[\"$d\"]}"
	check_not "$d: gone" zlogin "$z" "test -e $d"
done
if [ -c /dev/net/tun ]; then
	fsup "$z" '{"add_devices":[{"match":"/dev/net/tun"}]}' >/dev/null 2>&1
	check_not "S4 a tun device makes no link without net_admin" zlogin "$z" 'ip tuntap add dev tap7 mode tap'
	vmadm update "$z" limit_priv=default,net_admin >/dev/null 2>&1 && vmadm reboot "$z" -F >/dev/null 2>&1
	check "tun works inside" zlogin "$z" 'ip tuntap add dev tap7 mode tap && ip -br link show tap7 && ip link del tap7'
	fsup "$z" '{"remove_devices":["/dev/net/tun"]}' >/dev/null 2>&1
fi
fails 1 '/dev/nothing' fsup "$z" '{"add_devices":[{"match":"/dev/nothing"}]}'
mkzone x dev '"devices":[{"match":"/dev/loop-control","mode":"0666"}]'
check "devices at create" zlogin "$x" 'test "$(stat -c %a /dev/loop-control)" = 666 && : <>/dev/loop-control'
vmadm delete "$x" >/dev/null 2>&1

# ---- what the zone may mount itself ----

fails 1 'ext4 in a user namespace' vmadm create <<<'{"brand":"joyent-minimal","fs_allowed":["ext4"]}'
fails 1 'nfs in a user namespace' fsup "$z" '{"fs_allowed":"nfs,tmpfs"}'
check "tmpfs is fine" fsup "$z" '{"fs_allowed":["tmpfs"]}'
check "tmpfs, mounted inside" zlogin "$z" 'mkdir -p /own && mount -t tmpfs none /own && umount /own'
if [ -c /dev/fuse ]; then
	check "fuse" fsup "$z" '{"fs_allowed":["fuse"]}'
	like "is for the next boot" "$OUT" 'next boot.*fs_allowed'
	check "reboot" vmadm reboot "$z"
	check "then it has the device" zlogin "$z" ': <>/dev/fuse'
	check "and mounts" zlogin "$z" 'mkdir -p /own && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none /own 3<>/dev/fuse && grep -q " /own fuse " /proc/mounts'
fi
