#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 120
# The jail of brand kvm without QEMU's own sandbox: a program in its place (monitor.c) tries what a guest would that has taken it
# over. The /usr with it is in a mount namespace of this test's; nobody else sees it.
. "$(dirname "$0")/lib.sh"
need_root
MONITOR=$T_BUILD/tests/system/monitor LIAR=$T_BUILD/tests/system/liar
[ -x "$MONITOR" ] && [ -x "$LIAR" ] || skip "monitor is not built"
if [ "${1:-}" != layered ]; then
	PLACE=$(mktemp -d) || exit 1
	export PLACE
	trap 'rmdir "$PLACE"' EXIT # what is mounted on it ends with the mount namespace
	unshare -m --propagation private "$0" layered
	exit
fi
# A file system that can be mounted with other ids, as /usr must be: links to what was there, and one program.
mount -t tmpfs -o mode=755 place "$PLACE" && mkdir -p "$PLACE"/{real,usr/bin} && mount --rbind /usr "$PLACE/real" || skip "no mounts here"
ln -s "$PLACE"/real/bin/* "$PLACE/usr/bin/" && rm -f "$PLACE/usr/bin/qemu-system-x86_64" && cp "$MONITOR" "$PLACE/usr/bin/qemu-system-x86_64"
for d in /usr/*; do [ "$d" = /usr/bin ] || ln -s "$PLACE/real/${d#/usr/}" "$PLACE/usr/"; done
mount --bind "$PLACE/usr" /usr || skip "nothing can be mounted at /usr here"
node hvmjail
pool
vm() { # members
	printf '{"brand":"kvm","ram":64,"disks":[{"model":"virtio","size":4}]%s}' "$1"
}
run vmadm create <<<"$(vm "")"; M=$(grep -oE "[0-9a-f]{8}-[0-9a-f-]{27}" <<<"$OUT" | tail -1)
[ -n "$M" ] && ok "a machine whose monitor is not QEMU" || { not_ok "a machine whose monitor is not QEMU" "$OUT"; exit 1; }
LOG=/var/log/cloister-$CLOISTER_NODE/vms/$M/console.log
check "it has tried everything" await 60 grep -q TRIED "$LOG" || exit 1
seen() { tr -d '\r' <"$LOG" | grep -E "^($1) " | sort -u; }

eq "S30 no file of anybody's is there to be read" "$(seen 'FILE' | grep -v '^FILE /\.zonecontrol/')" ""
eq "S30 of devices those that every zone has" "$(seen NODE | grep -vE ' /dev/(console|full|kvm|null|ptmx|pts/ptmx|random|tty|urandom|zero|zfd/.*)$')" ""
eq "S30 nothing can be written to" "$(seen WRITABLE)" ""
eq "S30 nor made" "$(seen 'MADE|TMPFILE')" ""
eq "S30 it holds its console, its disk and sockets that were made for it" "$(seen FD | awk '$2 < 20 && $3 != "/console" || $2 >= 20 && $3 != "socket" && $2 != 32')" ""
eq "S30 with the disk nothing but reading and writing it" "$(seen DISK)" ""
eq "S30 no other process, and no way to have one" "$(seen 'PROCESS|FORK|SIGNAL')" ""
eq "S30 no socket of any family" "$(seen SOCKET)" ""
eq "S30 no namespace, no right, no call beside" "$(seen 'NAMESPACE|RIGHT|CALL')" ""
PID=$(vmadm get "$M" | jq .pid)
eq "one filter of system calls: the zone's" "$(awk '/Seccomp_filters/ {print $2}' "/proc/$PID/status")" 1
eq "nothing of it is an error of the test's" "$(seen ERROR)" ""
check "delete" vmadm delete "$M"

# ---- one that lies about its memory: its zone's limit is the record's, or stays where it was ----
cp "$LIAR" "$PLACE/usr/bin/qemu-system-x86_64"
run vmadm create <<<"$(vm ',"max_ram":256')"; M=$(grep -oE "[0-9a-f]{8}-[0-9a-f-]{27}" <<<"$OUT" | tail -1)
limit() { # of the kernel, MiB
	local d
	d=$(cgdir "$M" memory)
	echo $(($(cat "$d/memory.limit_in_bytes" 2>/dev/null || cat "$d/memory.max") >> 20))
}
eq "a machine whose monitor lies" "$(vmstate "$M") $(limit)" "running 1088"
check "any change of its limits" vmadm update "$M" cpu_cap=300
eq "raises nothing" "$(limit)" 1088
check "more memory" vmadm update "$M" ram=128
eq "is as much" "$(limit)" 1152
check "and less again, which it says it has not given back" vmadm update "$M" ram=64
eq "lowers nothing and raises nothing" "$(limit)" 1152
check "nor does the next change" vmadm update "$M" cpu_cap=200
eq "as its record says" "$(vmadm get "$M" | jq -c '[.ram, .max_physical_memory]') $(limit)" "[64,1088] 1152"
check "delete" vmadm delete "$M"

# a program that finds nothing anywhere would show nothing
umount -l /usr
mkzone z plain
zlogin "$z" 'cat >/root/monitor && chmod 700 /root/monitor' <"$MONITOR"
FREE=$(zlogin "$z" '/root/monitor freely' </dev/null 2>&1 | cut -d' ' -f1 | sort -u | tr '\n' ' ')
like "in a zone that is no jail it finds files, sockets, processes and rights" "$FREE" '^.*CALL .*FILE FORK MADE .*PROCESS RIGHT .*SOCKET TMPFILE TRIED WRITABLE'
check "delete" vmadm delete "$z"
