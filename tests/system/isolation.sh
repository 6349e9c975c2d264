#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# The promises of SECURITY.md, by number, tried by the zone's own root.
. "$(dirname "$0")/lib.sh"
need_root
node iso
pool

mkzone z prey '"max_shm_memory":64'
mkzone y neighbour
in_z() { zlogin "$z" "$@"; }
sh_z() { zlogin "$z" "$*"; }

# S1 locked mounts
while read -r target opts; do
	case $target in /proc/sys | /usr | /sys | /proc | /dev | /) ;; *) continue ;; esac
	check_not "S1 umount $target" in_z umount "$target"
	case ,$opts, in *,ro,*) check_not "S1 remount $target rw" in_z mount -o remount,bind,rw "$target" ;; esac
	case ,$opts, in *,nodev,*) check_not "S1 clear nodev on $target" in_z mount -o remount,bind,dev,rw "$target" ;; esac
	case ,$opts, in *,nosuid,*) check_not "S1 clear nosuid on $target" in_z mount -o remount,bind,suid,nodev "$target" ;; esac
done < <(in_z cat /proc/self/mounts | awk '{print $2, $4}')
check_not "S1 /usr is read-only" in_z touch /usr/x
check_not "S1 /proc/sys is read-only" sh_z 'echo 1 >/proc/sys/kernel/shmmni'
check_not "S1 masked folders stay masked" in_z umount /usr/local

# S1, S12 what shares a tmpfs (docs/decisions/one-tmpfs.md): /dev, /run and what is the host's; /dev/shm and /run/lock; /tmp
n_tmpfs() { awk '/ - tmpfs /{print $3}' "/proc/$(vmadm get "$1" | jq .pid)/mountinfo" | sort -u | wc -l; }
shared() { awk -v a="$1" -v b="$2" '$5 == a {x = $3} $5 == b {y = $3} END {print x == y}' "/proc/$(vmadm get "$z" | jq .pid)/mountinfo"; }
eq "S1 tmpfs: three where /tmp and /dev/shm differ in size, else two" "$(n_tmpfs "$z") $(n_tmpfs "$y")" "3 2"
eq "S12 what everybody writes is not where its root does" "$(shared /dev/shm /run) $(shared /dev/shm /run/lock) $(shared /run /dev) $(shared /run /tmp)" "0 1 1 0"
check_not "S1 nothing can be linked from one folder of it to another" sh_z 'touch /run/l && ln /run/l /dev/l'
eq "S1 no way up from any" "$(sh_z 'cd /run/..; ls -d dev etc; cd /.zonecontrol/..; ls -d dev etc' | tr '\n' ' ')" "dev etc dev etc "
check_not "S12 a zone that fills /run" sh_z 'head -c 1G /dev/zero >/run/fill'
check_not "S12 has filled /dev" sh_z 'echo word >/dev/fill && grep -q word /dev/fill'
eq "S12 and not what is the host's in it" "$(in_z head -1 /.zonecontrol/zone)" "zonename $z"
check_not "S1 which stays closed" in_z touch /.zonecontrol/x
check_not "S1 also to its owner's rights" in_z chmod 777 /usr/src
eq "S1 and empty where it covers" "$(in_z ls -A /usr/src)" ""
check "S12 /dev/shm, /run/lock and /tmp have room" sh_z 'for d in /dev/shm /run/lock /tmp; do echo word >$d/x && grep -q word $d/x && rm $d/x || exit 1; done'
check "S12 and it is the zone's to clear" sh_z 'rm -f /run/fill /run/l /dev/fill && echo word >/dev/fill && rm /dev/fill'
eq "S12 each of its own size" "$(sh_z 'stat -fc "%b %S" /tmp /dev/shm' | awk '{print $1 * $2 / 1048576}' | tr '\n' ' ')$(zlogin "$y" 'stat -fc "%b %S" /tmp /dev/shm' | awk '{print $1 * $2 / 1048576}' | tr '\n' ' ')" "256 64 256 256 "
check_not "S12 a user who fills /dev/shm" sh_z 'su -s /bin/sh nobody -c "head -c 1G /dev/zero >/dev/shm/fill"'
check "S12 leaves its root /run" sh_z 'echo word >/run/x && grep -q word /run/x && rm /run/x /dev/shm/fill'

# S2 the pool is nosuid, nodev and closed to the host's other users
like "S2 pool mount flags" "$(findmnt -no OPTIONS "$NODE_POOL")" 'nosuid.*nodev|nodev.*nosuid'
eq "S2 zonepath is root's alone" "$(stat -c '%u %a' "$NODE_POOL/$z")" "0 700"

# S3 own ids
pid=$(vmadm get "$z" | jq .pid) pid2=$(vmadm get "$y" | jq .pid)
check_not "S3 two zones share no id" test "$(awk '{print $2}' "/proc/$pid/uid_map")" = "$(awk '{print $2}' "/proc/$pid2/uid_map")"
eq "S3 65536 ids" "$(awk '{print $1, $3}' "/proc/$pid/uid_map")" "0 65536"
check_not "S3 no ids beyond its own" in_z chown 70000 /root

# S4 capabilities and no way to more
caps=$(sed -n 's/^CapBnd:\t//p' "/proc/$pid/status")
for c in 16 17 25 33 38 39; do
	check_not "S4 capability $c is out of the bounding set" test $(((0x$caps >> c) & 1)) = 1
done
check_not "S4 no device nodes" in_z mknod /root/sda b 8 0
check_not "S4 no host time" in_z date -s 2001-01-01
check_not "S4 no hostname of the host" sh_z 'hostname hacked-host && false; [ $(hostname) != hacked-host ]; exit $?' # inside it may; outside it must not show
unlike "S4 the host's name is untouched" "$(uname -n)" hacked-host

# S5 system call filter
like "S5 a filter is on" "$(grep ^Seccomp: "/proc/$pid/status")" '2$'
check_not "S5 no new user namespace" in_z unshare -U true
check "S5 other namespaces work" in_z unshare -m true
check_not "S5 no kernel log" in_z dmesg
check_not "S5 no swapon" sh_z 'truncate -s 1M /root/sw; mkswap /root/sw >/dev/null; swapon /root/sw; [ $? = 0 ]'

# S6 devices
eq "S6 only named nodes" "$(in_z find /dev -maxdepth 1 -type b)" ""
check_not "S6 no kmsg" in_z cat /dev/kmsg
check_not "S6 no loop devices" in_z losetup -f

# S7 masked paths
for f in /proc/kcore /proc/sysrq-trigger /proc/keys /sys/firmware/dmi /sys/kernel/debug/x; do
	eq "S7 $f gives nothing" "$(in_z cat $f 2>/dev/null | head -c 10)" ""
done
check "S7 the host sees what each zone has on its disk" bash -c 'ls /sys/fs/btrfs/*/qgroups/1_*'
eq "S7 a zone does not" "$(in_z find /sys/fs/btrfs -mindepth 1)" ""
check_not "S16 no sysrq" sh_z 'echo b >/proc/sysrq-trigger'
check_not "S16 no core_pattern" sh_z 'echo "|/tmp/x" >/proc/sys/kernel/core_pattern'
check_not "S15 no release_agent" sh_z 'echo /tmp/x >/sys/fs/cgroup/release_agent'
# The kernel lets a cgroup namespace mount v1 hierarchies; what it shows there is the zone's own part, and nothing of it can be written.
check_not "S15 a cgroup v1 mount of its own gives it no limit" sh_z 'mount -t cgroup -o memory none /mnt && cd /mnt && { echo -1 >memory.limit_in_bytes || echo -1 >memory.memsw.limit_in_bytes || mkdir x || echo /tmp/x >release_agent; }'
for h in cpuset devices freezer blkio cpuacct net_cls perf_event; do
	grep -q "^$h[[:space:]]*[1-9]" /proc/cgroups || continue
	eq "S15 a mount of $h shows none of the host's cgroups" "$(sh_z "mount -t cgroup -o $h none /mnt && find /mnt -mindepth 1 -type d")" ""
	sh_z 'umount /mnt' >/dev/null 2>&1
done
check_not "S15 its limits are out of reach" sh_z 'echo max >/sys/fs/cgroup/../pids.max'

# S8 IPC sysctls
for s in shmmax shmall shmmni msgmni sem; do check_not "S8 kernel.$s" sh_z "echo 1000000 >/proc/sys/kernel/$s"; done

# S9 no host descriptor
fds=$(for p in $(cat "$(cgtop "$z")/cgroup.procs"); do ls -l /proc/$p/fd 2>/dev/null; done | sed -n 's/.*-> //p')
unlike "S9 init holds no path of the host" "$fds" "cloister|$NODE_POOL|/var/lib"
unlike "S9 a login holds none either" "$(in_z ls -l /proc/self/fd | sed -n 's/.*-> //p')" "cloister|$NODE_POOL|/var/lib"
check_not "S9 /proc/1/exe can't be written" sh_z 'echo x >/proc/1/exe'

# S10 path confinement: the zone replaces what the host would write to
echo untouched >"$T_TMP/target"
vmadm stop "$z" -F 2>/dev/null
rootdir=$NODE_POOL/$z/root/upper
rm -rf "$rootdir/etc"
mkdir -p "$T_TMP/hostetc"
ln -s "$T_TMP/hostetc" "$rootdir/etc"
run vmadm start "$z"
eq "S10 an /etc that points outside is not written through" "$(ls "$T_TMP/hostetc")" ""
check_not "S10 the boot left no half zone" test "$(vmstate "$z")" = provisioning
vmadm stop "$z" -F 2>/dev/null
rm -f "$rootdir/etc"
for d in dev proc sys tmp run; do
	rm -rf "${rootdir:?}/$d"
	ln -s "$T_TMP/hostetc" "$rootdir/$d"
	run vmadm start "$z"
	eq "S10 /$d as a link to the host" "$(ls "$T_TMP/hostetc")" ""
	unlike "S10 nothing is mounted on the host" "$(findmnt -no TARGET)" "$T_TMP"
	vmadm stop "$z" -F 2>/dev/null
	rm -f "$rootdir/$d"
done
check "S10 it starts once they are gone" vmadm start "$z"

# S11 reboot(2) ends its own zone and nothing else
up=$(cut -d. -f1 /proc/uptime)
zlogin "$z" reboot -f >/dev/null 2>&1
check "S11 the zone is back" await 20 zlogin "$z" true
check "S11 the neighbour runs on" zlogin "$y" true
check "S11 so does the host" test "$(cut -d. -f1 /proc/uptime)" -ge "$up"

# S14 processes and signals
eq "S14 it sees its own processes alone" "$(sh_z 'ls /proc | grep -c "^[0-9]"' | awk '{print ($1 < 12)}')" 1
check_not "S14 no signal to the host" in_z kill -0 $$
check_not "S14 no ptrace of the login's outside" sh_z 'grep -q cloiste[r] /proc/*/cmdline'

# S12 one zone at its limits, the neighbour works (more in neighbours.sh)
vmadm update "$z" max_lwps=100 >/dev/null 2>&1
sh_z 'i=0; while [ $i -lt 300 ]; do sleep 30 & i=$((i+1)); done' >/dev/null 2>&1
check "S12 processes: the neighbour forks" zlogin "$y" /bin/true
check "S12 and a login to the full zone still works" zlogin -S "$z" true
vmadm stop "$z" -F 2>/dev/null && vmadm start "$z" 2>/dev/null
# whoever starts it may stand before all others; the zone may not
vmadm stop "$z" -F 2>/dev/null
check "S12 a start from a real-time session" chrt -f 20 nice -n -5 vmadm start "$z"
eq "S12 gives the zone no such class" "$(ps -o cls=,ni= -p "$(vmadm get "$z" | jq .pid)" | xargs)" "TS 0"
eq "S12 nor its keeper" "$(ps -o cls=,ni= -p "$(awk '/^keeper/ {print $2}' "$NODE_RUN/$z/zone")" | xargs)" "TS 0"
eq "S12 nor does a login" "$(chrt -f 20 nice -n -5 zlogin "$z" 'cut -d" " -f19,40,41 /proc/self/stat')" "0 0 0"

for x in "$z" "$y"; do check "delete" vmadm delete "$x"; done
