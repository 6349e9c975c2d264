#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# cloister files: what a zone's processes have open, where that is in the zone and on the host, and who has a file of the host open.
. "$(dirname "$0")/lib.sh"
need_root
node files
pool
a='' b='' c=''
mkdir -p "$T_TMP/lent"
echo data >"$T_TMP/lent/file"
mkzone a red '"filesystems":[{"type":"lofs","source":"'"$T_TMP/lent"'","target":"/mnt/lent"}]' || exit 1
mkzone b blue '"filesystems":[{"type":"lofs","source":"'"$T_TMP/lent"'","target":"/data"}]' || exit 1
run_in() { # zone commands: a shell that then waits, as "up" has been said
	zlogin "$1" "$2; echo up; sleep 1000; :" >"up.$3" 2>&1 </dev/null &
	check "a process in $1" await 20 grep -q up "up.$3"
}
run_in red 'echo hello >/var/tmp/log; exec 7>>/var/tmp/log 8</mnt/lent/file 9<>/tmp/scratch; printf 12345 >&9; rm /tmp/scratch; exec 6</dev/null; exec 5<"/usr/bin"' r
run_in blue 'exec 8</data/file; read x <&8' b
check "a list" cloister files -z red
j=$(cloister files -j -z red)
pid=$(jq -r '[.files[] | select(.fd == "7")][0].pid' <<<"$j")
f() { jq -r --argjson p "$pid" ".files[] | select(.pid == \$p and .fd == \"$1\") | $2" <<<"$j"; }
eq "appending" "$(f 7 '[.type, .mode, .size, .path] | @csv')" '"REG","wa",6,"/var/tmp/log"'
h=$(f 7 .host_path)
eq "it is there on the host" "$(cat "$h")" hello
eq "that very file" "$(stat -Lc %i "$h")" "$(stat -Lc %i "/proc/$pid/fd/7")"
eq "reading a lent file" "$(f 8 '[.type, .mode, .size, .position, .path, .host_path] | @csv')" "\"REG\",\"r\",5,0,\"/mnt/lent/file\",\"$T_TMP/lent/file\""
eq "a deleted one" "$(f 9 '[.type, .mode, .size, .position, .path, .deleted, .host_path] | @csv')" '"REG","rw",5,5,"/tmp/scratch",true,'
eq "a device" "$(f 6 '[.type, .path] | @csv')" '"CHR","/dev/null"'
eq "a folder, the host's" "$(f 5 '[.type, .path, .host_path] | @csv')" "\"DIR\",\"/usr/bin\",\"$(realpath /usr/bin)\""
eq "its folder" "$(f cwd .type)" DIR
eq "its program" "$(f exe .path)" "$(jq -r --argjson p "$pid" '[.files[] | select(.pid == $p and .fd == "exe")][0].path' <<<"$j")"
eq "pid in the zone" "$(f 7 .zone_pid)" "$(awk '/^NSpid/ {print $3}' "/proc/$pid/status")"
eq "none of the other zone's" "$(jq -r '[.files[].zone] | unique | join(" ")' <<<"$j")" red
like "as text" "$(cloister files -z red '/mnt/*')" "^red +$pid +\\S+ +8 REG  r +5 +0 /mnt/lent/file = $T_TMP/lent/file\$"
like "a pattern for the host's path" "$(cloister files -H -z red "$T_TMP/lent/*" | head -1)" ' /mnt/lent/file = '
eq "no file fits: 1" "$(cloister files -z red '/nope/*'; echo $?)" 1

# ---- who has a file of the host open ----
eq "both zones" "$(cloister files -H "$T_TMP/lent/file" | awk '{print $1}' | sort -u | tr '\n' ' ')" "blue red "
eq "the positions of both" "$(cloister files -j "$T_TMP/lent/file" | jq -c '[.files[] | select(.command == "bash" or .command == "sh" or .command == "dash") | [.zone, .position]] | unique')" '[["blue",5],["red",0]]'
eq "a file in a zonepath" "$(cloister files -H "$h" | awk '{print $1, $4}' | sort -u | head -1)" "red 7"
eq "nobody: 1" "$(cloister files /etc/passwd; echo $?)" 1
ln -s "$T_TMP/lent/file" link
eq "by a link" "$(cloister files -H "$T_TMP/link" | awk '{print $1}' | sort -u | tr '\n' ' ')" "blue red "

# ---- names and mounts that lie ----
run_in red "cd /tmp; exec 7>\"\$(printf 'x\\n\\033[2Jred 1 (deleted)')\"" l
out=$(cloister files -z red '/tmp/x*')
like "no control character comes out" "$out" '/tmp/x\\012\\033\[2Jred 1 \(deleted\)$'
eq "it is not deleted" "$(cloister files -j -z red '/tmp/x*' | jq '.files[0].deleted')" false
# a file that is named like one of the host's, where the zone has another mount: it is not shown as that
zlogin red 'mkdir -p /tmp/etc; echo mine >/tmp/etc/shadow; cd /tmp/etc; exec 7<shadow; echo up; sleep 1000; :' >up.s 2>&1 </dev/null &
await 20 grep -q up up.s
eq "the zone's shadow is not the host's" "$(cloister files -j -z red '/tmp/etc/shadow' | jq -r '[.files[] | select(.host_path == "/etc/shadow")] | length')" 0
eq "and nobody has that open" "$(cloister files /etc/shadow; echo $?)" 1

# ---- a root that is an overlay of the image and the zone's own ----
busybox_root root
tar -C root -cf root.tar .
import_image root.tar bb
mkzone c lx '"image_uuid":"'"$IMG"'"' lx || exit 1
zlogin lx 'echo mine >/etc/new; exec 7</etc/passwd 8</etc/new; echo up; sleep 1000; :' >up.o 2>&1 </dev/null &
check "a process in lx" await 20 grep -q up up.o
j=$(cloister files -j -z lx)
h() { jq -r ".files[] | select(.fd == \"$1\") | .host_path" <<<"$j" | head -1; }
eq "a file of the image" "$(cmp "$(h 7)" root/etc/passwd && echo same)" same
eq "a file of its own" "$(cat "$(h 8)")" mine
eq "who has that open" "$(cloister files -H "$(h 8)" | awk '{print $1}' | sort -u)" lx

# ---- many ----
run_in blue 'for i in $(seq 10 200); do eval "exec $i</dev/null"; done 2>/dev/null' m
le "each descriptor has its line" 190 "$(cloister files -H -z blue '/dev/null' | awk '{print $4}' | sort -u | wc -l)"

# ---- a process that makes whoever reads its fdinfo wait: an epoll, held over a page fault that nobody serves ----
cat >hold.py <<'EOF'
import ctypes, fcntl, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.epoll_wait.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
u = libc.syscall({"x86_64": 323, "aarch64": 282}[platform.machine()], os.O_CLOEXEC)
if u < 0: sys.exit(3)
fcntl.ioctl(u, 0xc018aa3f, struct.pack("QQQ", 0xaa, 0, 0))
page = libc.mmap(None, 4096, 3, 0x22, -1, 0)
fcntl.ioctl(u, 0xc020aa00, struct.pack("QQQQ", page, 4096, 1, 0))
ep, ev = libc.epoll_create1(0), libc.eventfd(1, 0)
libc.epoll_ctl(ep, 1, ev, struct.pack("=IQ", 1, 0) if platform.machine() == "x86_64" else struct.pack("IIQ", 1, 0, 0))
open("held", "w").close()
libc.epoll_wait(ep, page, 1, -1)
EOF
python3 hold.py & hold=$!
if await 20 test -e held && [ -e "/proc/$hold" ] && echo "$hold" >"$(cgtop "$a")/cgroup.procs"; then
	await 10 eval 'grep -q "^State:.D\|^State:.S" "/proc/$hold/status"'
	eq "it is left, and said so: 1" "$(timeout 60 cloister files -z red >red.out 2>red.err; echo $?)" 1
	like "by its pid" "$(cat red.err)" "process $hold of zone red makes"
	le "what the others have open is there" 1 "$(grep -c "^red .*/mnt/lent/file" red.out)"
	eq "in JSON" "$(timeout 60 cloister files -j -z red 2>/dev/null | jq -c .unread)" "[$hold]"
	eq "who has it open, all the same" "$(timeout 60 cloister files -H "$T_TMP/lent/file" 2>/dev/null | awk '{print $1}' | sort -u | tr '\n' ' ')" "blue red "
else
	skip_check "a process that makes whoever reads its descriptors wait" "no userfaultfd here"
fi
kill -9 "$hold" 2>/dev/null
wait "$hold" 2>/dev/null

# ---- wrong ----
fails 2 'a zone \(-z\)' cloister files
fails 2 'a zone \(-z\)' cloister files relative
fails 2 'one pattern' cloister files -z red a b
fails 1 'No such file' cloister files "$T_TMP/nope"
fails 1 "zone 'nope' unknown" cloister files -z nope
