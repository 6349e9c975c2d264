#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# zlogin: statuses, pipes, terminals, users, full zones, and what a hostile zone gets out of a login (nothing).
. "$(dirname "$0")/lib.sh"
need_root
node zlogin
pool
PTY=$T_DIR/onpty.py
z=
mkzone z web '"max_physical_memory":128,"max_lwps":120,"tmpfs":128,"quota":1,
	"filesystems":[{"type":"lofs","source":"'"$T_BUILD"'/tests/system","target":"/opt/t","options":["ro"]}]'
mkzone off off '"autoboot":false'
in_zone() { zlogin "$z" "$@" </dev/null; }
in_zone 'useradd -m -s /bin/bash -u 1000 web 2>/dev/null || { echo "web:x:1000:1000::/home/web:/bin/bash" >>/etc/passwd; echo "web:x:1000:" >>/etc/group; mkdir -p /home/web; chown 1000:1000 /home/web; }
	echo "ops:x:777:web" >>/etc/group
	echo "ghost:x:1001:1000::/home/none:/bin/none" >>/etc/passwd
	echo "high:x:70000:1000::/:/bin/sh" >>/etc/passwd
	echo "locked:x:1002:1000::/:/usr/sbin/nologin" >>/etc/passwd' >/dev/null

# ---- statuses ----
for s in 0 1 42 255; do
	in_zone "exit $s"
	eq "exit status $s" $? $s
done
in_zone 'kill -TERM $$'
eq "ended by a signal: 128+n" $? 143
in_zone /no/such/file 2>/dev/null
eq "not found: 127" $? 127
in_zone /etc/passwd 2>/dev/null
eq "not executable: 126" $? 126
zlogin -l ghost "$z" true </dev/null 2>/dev/null
eq "the user's shell is not there: 127" $? 127
in_zone 'exec >/dev/null 2>&1; sleep 1000 & exit 9'
eq "an orphan in the background does not keep us" $? 9
eq "its output does not either" "$(timeout 20 zlogin "$z" 'yes & echo first; exit 0' </dev/null | head -c 6; echo "${PIPESTATUS[0]}")" "first
0"
in_zone 'pkill yes; pkill sleep; true'

# ---- words, names ----
eq "words are joined as one line" "$(in_zone echo 'a  b' '$((1+2))' '; echo c')" "a b 3
c"
eq "by alias" "$(zlogin web hostname </dev/null)" "$(in_zone hostname)"
eq "by the beginning of its uuid" "$(zlogin "${z:0:9}" echo ok </dev/null)" ok
fails 1 "^zlogin: login allowed only to running zones \\(off is 'installed'\\)\\.$" zlogin off true
fails 1 "zone 'nope' unknown" zlogin nope true
fails 1 "unknown" zlogin 00000000-0000-4000-8000-000000000009 true
fails 1 "'global'" zlogin global true
fails 2 "which zone" zlogin
fails 2 "unknown option -x" zlogin -x web
fails 2 "one character" zlogin -e ab web
fails 2 "takes no user" zlogin -C -l web web
fails 2 "use -C" zlogin -I web

# ---- pipes ----
head -c 20000000 /dev/urandom >data
zlogin "$z" cat <data >back
eq "20 MB through it, from a file to a file" "$(cmp data back && echo same)" same
eq "the same through pipes" "$(cat data | zlogin "$z" 'cat | cat' | md5sum)" "$(md5sum <data)"
eq "standard error is apart" "$(zlogin "$z" 'echo out; echo err >&2' </dev/null 2>&1 >/dev/null)" err
eq "-n: nothing on standard input" "$(echo text | zlogin -n "$z" cat)" ""
eq "end of file arrives" "$(printf 'a\nb\n' | zlogin "$z" wc -l)" 2
eq "a reader that goes away" "$(timeout 20 zlogin "$z" 'yes; echo $? >&2' </dev/null 2>&1 | head -1)" y
eq "a program that does not read" "$(head -c 1000000 /dev/zero | zlogin "$z" 'echo finished')" finished
eq "/dev/stdout and /dev/stderr can be opened" "$(zlogin "$z" 'echo o >/dev/stdout; echo e >/dev/stderr' </dev/null 2>&1)" "o
e"
eq "and by a user" "$(zlogin -l web "$z" 'echo o >/dev/stdout' </dev/null)" o
timeout -s TERM 1 zlogin "$z" 'trap "echo got; exit 3" TERM; while :; do sleep 0.1; done' </dev/null >sig
eq "a signal goes to the program" "$(cat sig)" got
eq "a shell without a terminal reads commands" "$(echo 'echo $((6*7)); exit 5' | zlogin "$z"; echo $?)" "42
5"

# ---- users ----
eq "-l: ids and groups of the zone's own files" "$(zlogin -l web "$z" 'id -u; id -G; echo $HOME $USER $LOGNAME $SHELL; pwd' </dev/null)" "1000
1000 777
/home/web web web /bin/bash
/home/web"
eq "a user has no capabilities" "$(zlogin -l web "$z" 'grep -E "Cap(Prm|Eff|Amb)" /proc/self/status | sort -u -k2' </dev/null | awk '{print $2}')" 0000000000000000
fails 1 'user "nobody-here" in the zone' zlogin -l nobody-here "$z" true
fails 1 'user "high"' zlogin -l high "$z" true
zlogin -l locked "$z" true </dev/null >/dev/null 2>&1
eq "a shell that refuses is asked" $? 1
useradd -M only-host-$$ 2>/dev/null && {
	fails 1 'in the zone' zlogin -l only-host-$$ "$z" true
	userdel only-host-$$
}
eq "without /etc/passwd root still gets in" "$(in_zone 'mv /etc/passwd /etc/p; exit 0'; in_zone 'id -u; mv /etc/p /etc/passwd')" 0
eq "-S needs none of the zone's files" "$(in_zone 'mv /etc /etc2'; zlogin -S "$z" 'mv /etc2 /etc; echo ok' </dev/null)" ok

# ---- a terminal ----
like "a login on a terminal" "$("$PTY" -s 31x97 '#;;<stty size; tty; id -un\r;;31 97;;/dev/pts/;;root;;<exit\r' zlogin "$z")" "Connected to zone '$z' pts/"
like "window size, and its change" "$("$PTY" -s 31x97 '31 97;;!20x60;;20 60' zlogin -i "$z" 'stty size; until stty size | grep "20 60"; do sleep 0.1; done')" '20 60'
"$PTY" '#;;<\r~.' zlogin "$z" >/dev/null
eq "~. leaves, and gives the terminal back" $? 0
"$PTY" '#;;<\r~.\r;;not found;;<exit 3\r' zlogin -E "$z" >t.out
like "-E: there is no escape" "$(cat t.out)" '~\.'
"$PTY" '#;;<\r%.' zlogin -e % "$z" >/dev/null
eq "-e: another one" $? 0
"$PTY" 'ready;;@TERM' zlogin -i "$z" 'echo ready; sleep 100' >/dev/null
eq "ended by a signal: the terminal is given back" $? 143
"$PTY" 'ready;;@HUP' zlogin -i "$z" 'echo ready; sleep 101' >/dev/null
check "the session hung up with us" await 5 eval '! in_zone pgrep -x sleep >/dev/null'
"$PTY" '' zlogin -i "$z" 'exit 77' >/dev/null
eq "-i: the status of a command on a terminal" $? 77
like "^C is the zone's" "$("$PTY" 'ready;;<\x03;;caught' zlogin -i "$z" 'trap "echo caught; exit" INT; echo ready; while :; do sleep 0.1; done')" caught
unlike "-q says nothing" "$("$PTY" '#;;<exit\r' zlogin -q "$z")" Connected
eq "the terminal belongs to who logs in" "$("$PTY" '' zlogin -q -l web -i "$z" 'stat -c %u $(tty)' | tr -d '[:space:]')" 1000
eq "-i without a terminal here" "$(echo 'echo $((7*6)); exit' | zlogin -q -i "$z" 'stty -echo; sh 2>/dev/null' | tr -d '\r' | grep -c 42)" 1
eq "with a command the person's terminal stays outside" "$("$PTY" '' zlogin "$z" 'tty; cat </dev/tty' 2>&1 | head -1)" "not a tty"
# what the zone can do to its ptys
in_zone 'mount -t tmpfs t /dev/pts && touch /dev/pts/ptmx'
fails 1 'ptmx is not what it should be' "$PTY" '' zlogin -i "$z" true
in_zone 'rm /dev/pts/ptmx; ln -s /proc/1/fd/0 /dev/pts/ptmx'
fails 1 'pseudo terminals' "$PTY" '' zlogin -i "$z" true
in_zone 'rm /dev/pts/ptmx; umount /dev/pts'
eq "no terminals left: said, not hung" "$(in_zone 'python3 -c "
import os
try:
    while 1: os.open(\"/dev/ptmx\", os.O_RDWR)
except OSError: pass
import sys; print(\"full\"); sys.stdout.flush()
import time; time.sleep(100)" & sleep 1'; "$PTY" '' zlogin -i "$z" true | grep -c 'pseudo terminal')" "full
1"
in_zone 'pkill -f ptmx; true'

# ---- the console ----
like "the console" "$("$PTY" 'Connected to zone;;<\r~.' zlogin -C "$z")" "console closed"
like "vmadm console" "$("$PTY" 'Connected;;<\r~.' vmadm console "$z")" "Connection closed"
in_zone 'echo to-the-console >/dev/console'
like "what was written before is shown" "$("$PTY" 'to-the-console;;<\r~.' zlogin -C "$z")" to-the-console
fails 1 "login allowed only to running" zlogin -C off

like "a session is in the audit log" "$(cat "$NODE_LOG/audit.log")" '"command":"zlogin","object":"'"$z"
eq "a command is not" "$(in_zone true; tail -1 "$NODE_LOG/audit.log" | grep -c '"command":"zlogin"')" 0

# ---- nothing of the host inside ----
eq "descriptors: three, all made for the zone" "$(in_zone 'ls -l /proc/self/fd | grep -vE "pipe:|/dev/null|/proc/[0-9]+/fd"' | grep -c '>')" 0
eq "from a host's file too" "$(zlogin "$z" 'ls -l /proc/self/fd' <data 2>>err.log | grep -cE ' (/tmp|data|socket:)')" 0
eq "all namespaces but none of ours" "$(for n in user pid mnt net uts ipc cgroup time; do
	[ "$(in_zone readlink /proc/self/ns/$n)" = "$(in_zone readlink /proc/1/ns/$n)" ] && [ "$(in_zone readlink /proc/self/ns/$n)" != "$(readlink /proc/self/ns/$n)" ] || echo $n
done)" ""
eq "system call filter and capabilities as init's" "$(in_zone 'grep -hE "^(Seccomp|CapBnd)" /proc/self/status')" "$(in_zone 'grep -hE "^(Seccomp|CapBnd)" /proc/1/status')"
eq "a session of its own" "$(in_zone 'test "$(ps -o sid= -p $$ | tr -d " ")" = $$ && echo leader')" leader
eq "the operator's environment stays outside" "$(SECRET=x zlogin "$z" 'env | grep -c SECRET' </dev/null)" 0
eq "so do umask, limits and ignored signals" "$(trap '' TERM; umask 000; ulimit -Sc unlimited 2>/dev/null; in_zone 'umask; ulimit -Sc; grep SigIgn /proc/self/status' | tr -s '\n\t ' ' ')" "0022 0 SigIgn: 0000000000000000 "

# A zone that watches for us and grabs at whatever it sees of us, from the fork until the exec.
sha=$(sha256sum <"$(readlink -f "$CLOISTER_SELF")")
zlogin "$z" /opt/t/login_spy </dev/null >spy.out 2>&1 &
spy=$!
await 5 grep -q ready spy.out
for _ in {1..150}; do in_zone true; done
in_zone 'pkill -INT login_spy'
wait $spy
like "the zone sees the one who comes in" "$(cat spy.out)" 'seen [1-9]'
like "and gets nothing of it" "$(cat spy.out)" ' got 0$'
timeout -s INT -k 5 2 zlogin -S "$z" '/opt/t/login_spy -k >/dev/null 2>&1 & sleep 0.2' </dev/null
timeout -s INT -k 5 2 zlogin "$z" 'sleep 0.5' </dev/null
le "a tracer that keeps the dead: we can be interrupted" $? 130
timeout -k 5 5 zlogin "$z" 'pkill -KILL login_spy' </dev/null
# CVE-2019-5736: a shell that makes the kernel run what is coming in
in_zone 'printf "#!/proc/self/exe\n" >/root/evil; chmod 755 /root/evil; cp /etc/passwd /etc/p; sed -i "s|^root:.*|root:x:0:0:root:/root:/root/evil|" /etc/passwd'
zlogin "$z" /opt/t/login_spy </dev/null >/dev/null 2>&1
zlogin -S "$z" '/opt/t/login_spy >/root/spy.out 2>&1 & sleep 0.3'  </dev/null
for _ in {1..20}; do timeout 10 zlogin "$z" "echo pwned >/proc/self/exe" </dev/null >/dev/null 2>&1; done
zlogin -S "$z" 'mv /etc/p /etc/passwd; pkill -INT login_spy; sleep 0.2' </dev/null
like "a shell that is /proc/self/exe gets nothing either" "$(in_zone 'cat /root/spy.out')" 'exe opened for writing 0'
eq "our program is what it was" "$(sha256sum <"$(readlink -f "$CLOISTER_SELF")")" "$sha"

# ---- full zones ----
id=$(vmadm get "$z" | jq .zoneid)
in_zone 'for i in $(seq 200); do sleep 1000 & done' >/dev/null 2>&1
like "all processes used up: in, and told so" "$(in_zone 'ls / | head -1; echo in' 2>&1)" '^in$'
like "told so" "$(in_zone true 2>&1)" 'used up its processes'
in_zone 'pkill sleep' 2>/dev/null
await 5 eval '[ "$(in_zone true 2>&1)" = "" ]'
eq "room again: an ordinary login" "$(in_zone 'echo in' 2>&1)" in
in_zone 'dd if=/dev/zero of=/tmp/fill bs=64k' >/dev/null 2>&1
like "memory used up by a tmpfs: in, and told so" "$(in_zone 'ls -l /tmp/fill; echo in' 2>&1)" '^in$'
like "told so" "$(in_zone true 2>&1)" 'used up its memory'
like "-S too" "$(zlogin -S "$z" 'rm /tmp/fill; echo freed' </dev/null 2>&1)" '^freed$'
eq "room again" "$(in_zone 'echo in' 2>&1)" in
eq "the zone lived through it" "$(vmadm get "$z" | jq .zoneid)" "$id"
eq "the place beside it is gone" "$(find /sys/fs/cgroup -maxdepth 5 -path "*cloister-$NODE/_rescue/$z" 2>/dev/null)" ""
in_zone 'head -c 1200000000 /dev/urandom >/root/fill' >/dev/null 2>&1
like "quota used up" "$(in_zone 'echo more >/root/more; cp /root/fill /root/fill2' 2>&1)" 'No space|quota exceeded'
eq "in nevertheless" "$(in_zone 'rm -f /root/fill /root/fill2 /root/more; echo in')" in
like "a login on a terminal as well" "$("$PTY" '#;;<exit\r' zlogin "$z")" Connected

# ---- a zone that ends ----
zlogin "$z" 'echo up; sleep 1000' </dev/null >up.out 2>&1 &
job=$!
await 5 grep -q up up.out
vmadm stop -F "$z" 2>/dev/null
wait $job
eq "a command in a zone that is halted: 137" $? 137
fails 1 "login allowed only to running zones" zlogin "$z" true
