#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Ways out of containers that have been found elsewhere, tried by a zone's root: promises of SECURITY.md by number.
. "$(dirname "$0")/lib.sh"
need_root
node esc
pool 3G
attack=$T_BUILD/tests/system/attack
[ -x "$attack" ] || skip "attack is not built"

mkzone z prey
mkzone p private '"image_sharing":"private"'
bring() { zlogin "$1" 'cat >/root/attack && chmod 700 /root/attack' <"$attack"; }
bring "$z"
bring "$p"
hit() { zlogin "$z" "/root/attack $*" </dev/null 2>&1; }
secret=the-operators-own
export SECRET=$secret
canary=$T_TMP/canary-of-the-host
mkdir "$canary"
before=$(sha256sum "$CLOISTER_SELF" "$CLOISTER_LIBEXEC"/* "$CLOISTER_LIBEXEC"/zone/* 2>/dev/null)

# ---- system calls that open other doors ----
eq "S5 what is denied is denied, by the i386 numbers too" "$(hit calls)" ""
like "S12 the host can have a lease on a program of /usr" "$("$attack" lease /usr/bin/cksum)" 'OPEN lease 1'
eq "S12 a zone can not: who starts it would wait" "$(hit lease /usr/bin/cksum)" ""
eq "S12 nor on a file of its own" "$(hit lease /root/attack)" ""
eq "S5 x32 calls are killed" "$(hit x32)" ""
eq "S5 S18 no subvolume, quota, send or search of the pool; no line typed into a terminal" "$(hit ioctls /root)" ""
eq "S18 nor on a root that is btrfs itself" "$(zlogin "$p" '/root/attack ioctls /')" ""
eq "S14 S6 no namespace but its own, no device node, no filesystem of the kernel's own" "$(hit namespaces)" ""
for n in user ipc; do check_not "S14 S8 no $n namespace beside its own, which would have the kernel's limits" zlogin "$z" "unshare --$n true"; done

# ---- what sockets show ----
eq "S5 S14 no family but those of the table, nor the audit system" "$(hit sockets)" ""
hit uevents 2 >uevents.out &
await 5 grep -q listening uevents.out
echo change >/sys/class/mem/null/uevent
wait $!
eq "S14 it does not hear of the host's devices" "$(cat uevents.out)" listening
python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind("\0" + sys.argv[1]); s.listen(); print("up", flush=True); sys.stdin.read()' "$NODE-abstract" > >(cat >abstract.out) < <(exec sleep 60) &
server=$!
await 5 grep -q up abstract.out
eq "S14 no abstract socket of the host's" "$(hit abstract "$NODE-abstract")" ""
kill "$server"

# ---- descriptors and paths of who logs in (CVE-2016-9962, CVE-2019-14271, CVE-2024-21626) ----
(
	cd "$canary" || exit
	exec 7<. 8<"$CLOISTER_SELF"
	zlogin "$z" 'ls -ld /proc/self/fd/* /proc/self/cwd /proc/self/root /proc/1/cwd /proc/1/root 2>/dev/null; ls ../../.. /proc/self/cwd/../..; tr "\0" "\n" </proc/self/environ'
) >seen.out 2>&1
unlike "S9 a login brings no descriptor, folder or variable along" "$(cat seen.out)" "$T_TMP|canary|cloister|$secret|fd/7|fd/8"
hit race 6 "$NODE_POOL" "$NODE_RUN" "$secret" bin/cloister libexec/cloister/zoneadmd "$T_TMP" >race.out &
racer=$!
await 5 zlogin "$z" 'pgrep attack'
end=$((SECONDS + 5)) n=0
while [ "$SECONDS" -lt "$end" ]; do
	(cd "$canary" && timeout 20 zlogin "$z" true </dev/null >/dev/null 2>&1)
	n=$((n + 1))
	[ $((n % 4)) != 0 ] || timeout 20 script -qec "zlogin -i $z true" /dev/null </dev/null >/dev/null 2>&1
done
wait "$racer"
eq "S9 S14 S19 on its way in a login shows and lends nothing of the host" "$(grep -v '^seen' race.out | sort | uniq -c)" ""
le "S9 it looked into many" 20 "$(sed -n 's/^seen //p' race.out)"

# ---- the program itself (CVE-2019-5736) ----
eq "S9 init's program can't be written" "$(hit exe 1)" ""
zlogin "$z" 'cp -p /etc/passwd /etc/passwd.old; printf "#!/proc/self/exe\n" >/root/evil; chmod 755 /root/evil; sed -i "s,^\(root:.*:\)[^:]*$,\1/root/evil," /etc/passwd'
hit race 3 bin/cloister >exe.out 2>/dev/null &
racer=$!
for i in 1 2 3 4 5 6; do timeout 5 zlogin "$z" true >/dev/null 2>&1; done
check "S9 zlogin -S gets into a zone whose shell is a trap" timeout 10 zlogin -S "$z" 'cp -p /etc/passwd.old /etc/passwd'
wait "$racer"
unlike "S9 a shell that is /proc/self/exe opens nothing for writing" "$(cat exe.out)" 'fd/4'
eq "S9 our programs are what they were" "$(sha256sum "$CLOISTER_SELF" "$CLOISTER_LIBEXEC"/* "$CLOISTER_LIBEXEC"/zone/* 2>/dev/null)" "$before"
for bad in 'mkfifo /etc/passwd' 'ln -s /dev/zero /etc/passwd' 'mkdir /etc/passwd' 'ln -s /proc/self/exe /etc/passwd' 'head -c 3000000 /dev/zero >/etc/passwd'; do
	zlogin -S "$z" "rm -rf /etc/passwd; $bad"
	check "S10 a login with $bad" timeout 10 zlogin "$z" true
done
zlogin -S "$z" 'rm -rf /etc/passwd; cp -p /etc/passwd.old /etc/passwd'

# ---- S7, S8, S16: nothing of /sys and /proc can be written ----
eq "S7 nothing of /sys can be written but its cgroups" "$(zlogin "$z" 'find /sys -writable ! -path "/sys/fs/cgroup*" 2>/dev/null')" ""
eq "S15 of its cgroups, where its processes are" "$(zlogin "$z" 'find /sys/fs/cgroup -maxdepth 1 -type f -writable | sort' | tr '\n' ' ')" \
	"/sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/cgroup.subtree_control /sys/fs/cgroup/cgroup.threads "
eq "S8 S16 nothing of /proc/sys but the network's" "$(zlogin "$z" 'find /proc/sys -type f -writable ! -path "/proc/sys/net/*" 2>/dev/null')" ""
eq "S7 nothing of /proc but empty covers and its own processes" \
	"$(zlogin "$z" 'for f in $(find /proc -maxdepth 3 -type f -writable ! -path "/proc/[0-9]*" ! -path "/proc/self/*" ! -path "/proc/thread-self/*" ! -path "/proc/sys/*" ! -path "/proc/net/*" 2>/dev/null); do [ -c "$f" ] || echo "$f"; done')" ""
net() { find /proc/sys/net -type f ! -path '*/conf/*' ! -path '*/neigh/*' -readable -exec grep -H . {} + 2>/dev/null | grep -v stable_secret | sort; }
net >net.before
zlogin "$z" 'find /proc/sys/net -type f -writable 2>/dev/null | while read -r f; do read -r v rest <"$f" && case $v in *[!0-9]* | "") ;; *) echo "$((v + 1)) $rest" >"$f" ;; esac; done' >/dev/null 2>&1
net >net.after
eq "S7 the switches of its network are its own: the host's did not move" "$(diff net.before net.after)" ""

# ---- S2: what its root makes is nobody's weapon outside ----
zlogin "$z" 'cp /usr/bin/id /root/suid && chmod 6755 /root/suid'
suid=$(find "$NODE_POOL/$z/root" -name suid | head -1)
eq "S2 a setuid file of the zone's is there" "$(stat -c %a "$suid")" 6755
eq "S2 and gives nothing to the host's users, even to one who gets at it" \
	"$(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search "$suid" -u 2>&1)" 65534
check_not "S2 whom the pool does not let in" setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all sh -c "'$suid' -u"

# ---- S10: links to the outside, before a boot ----
vmadm stop "$z" -F >/dev/null 2>&1
up=$NODE_POOL/$z/root/upper
for d in checkpoints .zonecontrol usr var root home lib bin; do
	for to in "$canary" ../../../../../../../.."$canary" /proc/1/root"$canary" /proc/self/cwd; do
		mv "$up/$d" "$up/.kept-$d" 2>/dev/null
		ln -sfn "$to" "$up/$d"
		run timeout 60 vmadm start "$z"
		eq "S10 /$d as a link to ${to//$canary/the host}: nothing is written there" "$(ls -A "$canary")" ""
		unlike "S10 /$d: nothing is mounted there" "$(findmnt -no TARGET)" "$T_TMP"
		vmadm stop "$z" -F >/dev/null 2>&1
		rm -rf "${up:?}/$d"
		mv "$up/.kept-$d" "$up/$d" 2>/dev/null
		[ "$d" = checkpoints ] || [ "$d" = .zonecontrol ] || break
	done
done
check "S10 it starts once they are gone" vmadm start "$z"

# ---- S10: links that come and go while we work ----
mkdir "$T_TMP/lent"
echo lent >"$T_TMP/lent/file"
zlogin "$z" "mkdir -p /d/real /dev/net; ln -s ../../../../../..$canary /d/out; ln -s ../../../../../..$canary /d/cp; ln -s / /dev/out"
hit swap /d/real /d/out 20 &
hit swap /dev/net /dev/out 20 &
hit swap /checkpoints /d/cp 20 &
n=0
for i in 1 2 3 4 5 6 7 8; do
	vmadm update "$z" <<<'{"add_filesystems":[{"type":"lofs","source":"'"$T_TMP/lent"'","target":"/d/real/a/b","options":["ro"]}]}' >/dev/null 2>&1 && n=$((n + 1))
	vmadm update "$z" <<<'{"remove_filesystems":["/d/real/a/b"]}' >/dev/null 2>&1
	vmadm update "$z" devices='[{"match":"/dev/full","mode":"0666"}]' >/dev/null 2>&1
	vmadm update "$z" devices='[]' >/dev/null 2>&1
	vmadm create-snapshot "$z" "s$i" >/dev/null 2>&1
	vmadm delete-snapshot "$z" "s$i" >/dev/null 2>&1
done
eq "S10 while it exchanges the targets of mounts: nothing is written outside" "$(ls -A "$canary")" ""
unlike "S10 nothing is mounted outside" "$(findmnt -no TARGET | grep -v "^$NODE_POOL")" "$T_TMP|canary"
unlike "S10 nothing of the host came in" "$(zlogin "$z" 'cat /proc/self/mountinfo; ls -R /d/ 2>/dev/null | head -50')" 'canary-of-the-host/'
zlogin "$z" 'pkill attack'
wait
# It may have been stopped with the names exchanged; a target that leads outside is refused at boot, rightly.
zlogin "$z" '[ ! -L /d/real ] || { rm /d/real; mv /d/out /d/real; }; [ ! -L /checkpoints ] || { rm /checkpoints; mv /d/cp /checkpoints; }'
check "S10 and it can still be administered" vmadm update "$z" alias=still
check "S10 rebooted" vmadm reboot "$z" -F

# ---- S14: cgroup v1's release_agent and the like by every way to mount (CVE-2022-0492); more in neighbours.sh ----
run zlogin "$z" 'mkdir -p /mnt/c; for o in none,name=evil rdma memory none,name=systemd misc; do mount -t cgroup -o $o c /mnt/c 2>/dev/null && { find /mnt/c -name release_agent -writable; echo /x >/mnt/c/release_agent && echo WRITTEN; mkdir /mnt/c/x && echo MADE; umount /mnt/c; }; done' 2>/dev/null
unlike "S15 no v1 hierarchy of its own, none with a release_agent" "$OUT" 'release_agent$|WRITTEN|MADE'
run zlogin "$z" 'unshare -m --propagation unchanged sh -c "mount --make-rprivate / ; umount -l /proc/sys; mount -o remount,bind,rw /proc/sys; echo 1 >/proc/sys/kernel/shmmni" 2>&1'
unlike "S1 in a mount namespace of its own all stays locked" "$(zlogin "$z" 'cat /proc/sys/kernel/shmmni')" '^1$'
run zlogin "$z" 'unshare -mpf --mount-proc sh -c "echo 1 >/proc/sys/kernel/shmmni && echo WRITTEN; cat /proc/kcore | head -c 1"'
unlike "S7 no second proc without the covers" "$OUT" WRITTEN
run zlogin "$z" 'unshare -m sh -c "mount --bind / /mnt && ls /mnt/proc /mnt/sys /mnt/usr/local; mount --rbind /proc /mnt && umount -l /mnt/sys; umount /mnt/kcore; cat /mnt/kcore | head -c 1 | wc -c"'
unlike "S7 nor by binding what is below them" "$OUT" '^1$'

# ---- S19: an init that calls itself systemd, and sends its supervisor what takes for ever to close ----
if b=$(command -v busybox) && ! file -L "$b" 2>/dev/null | grep -q dynamically; then
	busybox_root trap
	mkdir -p trap/lib/systemd
	ln -sfn ../lib/systemd/systemd trap/sbin/init
	printf '#!/bin/sh\ntrap "" TERM\nwhile :; do sleep 1000; done\n' >trap/lib/systemd/systemd
	chmod 755 trap/lib/systemd/systemd
	cp "$attack" trap/bin/
	tar -C trap -cf trap.tar .
	import_image "$PWD/trap.tar" trap
	mkzone t trap "\"image_uuid\":\"$IMG\",\"nowait\":true" lx
	eq "S19 an init that is being waited for" "$(vmstate "$t")" provisioning
	k=$(awk '/^keeper/ {print $2}' "$NODE_RUN/$t/zone")
	zlogin "$t" '/bin/attack linger /.zonecontrol/notify' >/dev/null 2>&1
	zlogin "$t" 'reboot -f' >/dev/null 2>&1
	check "S19 does not hold its keeper: the end of the zone is heard" await 15 bash -c '[ ! -d "/proc/$1" ]' - "$k"
	check "S19 and it is booted again" await 15 zlogin "$t" true
	check "delete" vmadm delete "$t"

	# ---- S9, S10: a folder to work in that is a descriptor of who starts it (CVE-2024-21626) ----
	busybox_root wd
	cat >wd/bin/where <<'S'
#!/bin/busybox sh
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	[ "$(stat -c %d:%i .)" = "$(stat -c %d:%i /)" ] && echo "$1 is inside" && exec sleep 1000
	cd ..
done
echo "$1 is OUTSIDE"
S
	chmod 755 wd/bin/where
	mkdir -p wd/srv/app
	works_in() { # folder: "" if that is refused by name, or inside of the root
		oci_layout wd-oci "$PWD/wd" "{\"Entrypoint\":[\"/bin/where\",\"$1\"],\"WorkingDir\":\"$1\"}"
		import_image "$PWD/wd-oci" "${1//\//-}"
		run vmadm create <<<"{\"brand\":\"lx\",\"docker\":true,\"alias\":\"wd\",\"image_uuid\":\"$IMG\"}"
		if [ "$RC" != 0 ]; then
			grep -q "working directory $1" <<<"$OUT" || echo "$1: $OUT"
		else
			W=$(vmadm lookup alias=wd)
			await 10 console_says "$W" "$1 is" && console_says "$W" "$1 is inside" || echo "$1: $(console_log "$W")"
			vmadm delete "$W" >/dev/null 2>&1 || echo "$1: not deleted"
		fi
		imgadm delete "$IMG" >/dev/null 2>&1
		rm -rf wd-oci
	}
	W=
	works_in /srv/app >wd.out
	eq "S9 a program's working directory is inside of its root" "$(cat wd.out)" ""
	check "S9 and it could say so" test -n "$W"
	W=
	works_in /proc/self/cwd >wd.out
	eq "S9 and not reached through a link of /proc" "$(cat wd.out)$W" ""
	(
		cd "$canary" || exit
		exec 3<. 4<. 5<. 6<. 7<. 8<. 9<.
		cd "$T_TMP" || exit
		for n in {0..24} 100; do works_in "/proc/self/fd/$n"; done
		for d in /proc/self/cwd /proc/self/root /proc/1/cwd /proc/self/fd/7/../.. /proc/thread-self/fd/8 /dev/fd/9; do works_in "$d"; done
	) >wd.out
	eq "S9 S10 also when it is the number of a descriptor" "$(cat wd.out)" ""
	eq "S9 nothing came into the host's folder" "$(ls -A "$canary")" ""

	# ---- a zone that takes its own shell and libraries away ----
	busybox_root bare
	tar -C bare -cf bare.tar .
	import_image "$PWD/bare.tar" bare
	mkzone b bare "\"image_uuid\":\"$IMG\"" lx
	check "a snapshot" vmadm create-snapshot "$b" whole
	homes=
	for n in {0..24}; do
		zlogin "$b" "sed -i 's,^root:.*,root::0:0:root:/proc/self/fd/$n:/bin/sh,' /etc/passwd"
		homes+=$(cd "$canary" && zlogin "$b" 'while [ "$(stat -c %d:%i .)" != "$(stat -c %d:%i /)" ]; do cd .. || break; i=$((${i:-0} + 1)); [ $i -lt 20 ] || { echo "OUTSIDE"; break; }; done' 2>&1 7<. 8<. 9<. | grep OUTSIDE)
	done
	eq "S9 S10 a home that is a descriptor leads nowhere outside" "$homes" ""
	check "the login works with it" zlogin "$b" true
	zlogin "$b" 'cd /; /bin/busybox rm -rf /bin /sbin /lib /usr'
	for o in -S -q; do
		run timeout 10 zlogin $o "$b" 'echo ran'
		eq "S10 zlogin $o: without a shell of its own nothing is run, of the host's neither" "$RC ${OUT//$'\n'*/}" "127 zlogin: /bin/sh: No such file or directory"
	done
	check "S11 it can be stopped" timeout 60 vmadm stop -F "$b"
	fails 1 '/sbin/init: No such file' timeout 60 vmadm start "$b"
	check "its snapshot brings it back" vmadm rollback-snapshot "$b" whole
	run vmadm start "$b"
	eq "with its shell" "$(zlogin -S "$b" 'echo ran' 2>&1)" ran
	check "delete" vmadm delete "$b"
else
	skip_check "S19 an init that holds its keeper" "needs busybox-static"
fi

for x in "$z" "$p"; do check "delete" vmadm delete "$x"; done
