#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# The processes of zones, seen from the global zone: whose they are is the kernel's word, and what they call themselves does nothing.
. "$(dirname "$0")/lib.sh"
need_root
node ps
pool
a='' b=''
mkzone a red '"max_lwps":200,"filesystems":[{"type":"lofs","source":"'"$T_BUILD/tests/system"'","target":"/opt/t","options":["ro"]}]' || exit 1
mkzone b blue '"max_lwps":200' || exit 1
check "nothing but the two inits" cloister ps
eq "one line each, and a header" "$(cloister ps | wc -l)" 3
like "header" "$(cloister ps | head -1)" '^ZONE +PID +ZPID +TTY +TIME +COMMAND$'
eq "by zone, by pid" "$(cloister ps -p -o zone,zpid)" "blue:1
red:1"

# ---- processes that a zone makes ----
zlogin red 'sleep 7001 & sleep 7002 & echo up; wait' >up 2>&1 </dev/null &
check "two sleeps in it" await 20 grep -q up up
host=$(cloister pgrep -z red -f '^sleep 7001')
like "a host pid" "$host" '^[0-9]+$'
eq "which is the sleep" "$(tr '\0' ' ' <"/proc/$host/cmdline")" "sleep 7001 "
eq "its pid in the zone" "$(cloister pgrep -z red -Z -f '^sleep 7001')" "$(awk '/^NSpid/ {print $3}' "/proc/$host/status")"
eq "the other zone has none" "$(cloister pgrep -z blue sleep; echo $?)" 1
eq "both" "$(cloister pgrep -c -z red sleep)" 2
eq "everywhere" "$(cloister pgrep -c sleep)" 2
eq "exact" "$(cloister pgrep -x -c -z red slee)" 0
eq "names" "$(cloister pgrep -l -z red -f '^sleep 7001$')" "$host red sleep 7001"
eq "by uuid" "$(cloister pgrep -c -z "$a" sleep)" 2
eq "by id" "$(cloister pgrep -c -z "$(vmadm get "$a" | jq .zoneid)" sleep)" 2
like "ps -f" "$(cloister ps -f -z red)" "^red +0 +$host +[0-9]+ +[0-9]+ +[0-9:]{8} +\\? +00:00:0[0-9] sleep 7001\$"
j=$(cloister ps -j -z red)
p() { jq -r --argjson p "$host" ".processes[] | select(.pid == \$p) | $1" <<<"$j"; }
eq "JSON: zone, arguments, users" "$(p '[.zone, .args, .uid, .huid] | @csv')" "\"red\",\"sleep 7001\",0,$(stat -c %u "/proc/$host")"
eq "JSON: numbers as the kernel has them" "$(p '[.ppid, .sid, .nlwp] | @csv')" "$(awk '{print $4 "," $6 "," $20}' "/proc/$host/stat")"
eq "columns" "$(cloister ps -z red -o pid,s -H | grep -c .)" "$(cloister ps -z red -p | wc -l)"

# ---- what is asked of the kernel: no more than is shown ----
if command -v strace >/dev/null; then
	strace -f -o trace cloister ps -e >/dev/null 2>&1
	eq "no arguments are read when none are shown" "$(grep -c 'cmdline\|"status"' trace)" "$(grep -c '"status"' trace)"
	strace -f -o trace cloister ps -o pid,comm >/dev/null 2>&1
	eq "and no ids" "$(grep -c 'cmdline\|"status"' trace)" 0
fi

# ---- trees ----
like "a tree of the zone" "$(cloister ptree -z red)" "^ +$host +[0-9]+ +sleep 7001\$"
eq "its branch: the ancestors and itself" "$(cloister ptree "$host" | sed '1!s/^ *[0-9]* *[0-9]* *//' | tail -1)" "sleep 7001"
eq "whose it is" "$(cloister ptree "$host" | head -1)" red
fails 1 'in none of these zones' cloister ptree $$
fails 1 'in none of these zones' cloister ptree -z blue "$host"

# ---- names that want to be more ----
zlogin red "cd /tmp && cp /bin/sleep 'a) R 1 1' 2>/dev/null; exec -a \$'x\\033[2J\\ny\\t\\\\ \\342\\200\\256z' sleep 7003" </dev/null >/dev/null 2>&1 &
check "a process with a name for terminals" await 20 cloister pgrep -z red -f '^x.*7003$'
out=$(cloister ps -f -z red | grep 7003)
like "no control character comes out" "$out" 'x\\033\[2J\\012y\\011\\\\ \\342\\200\\256z 7003$'
eq "on one line" "$(cloister ps -f -H -z red | wc -l)" "$(cloister ps -p -z red -o pid | wc -l)"
eq "JSON holds it" "$(cloister ps -j -z red | jq -r '.processes[] | select(.args | test("7003")) | .args')" 'x\033[2J\012y\011\\ \342\200\256z 7003'
zlogin red "printf 'a) Z 1\\033[2J\$(' >/proc/self/comm; sleep 1000; :" </dev/null >/dev/null 2>&1 &
check "brackets and an escape in a name" await 20 cloister pgrep -z red '^a\) Z 1'
like "shown as they are" "$(cloister ps -z red)" 'a\) Z 1\\033\[2J\$\('
long=$(cloister ps -f -z red -H | awk '{if (length > n) n = length} END {print n}')
zlogin red "exec -a \$(head -c 100000 /dev/zero | tr '\\0' A) sleep 7004" </dev/null >/dev/null 2>&1 &
check "arguments without an end" await 20 eval 'cloister ps -f -z red | grep -q AAAA'
le "are cut" "$(cloister ps -f -z red -H | awk '{if (length > n) n = length} END {print n}')" 4400
le "before it was shorter" "$long" 400


# ---- signals ----
global=$(sleep 7001 >/dev/null & echo $!)
check "one by its arguments" cloister pkill -z red -f '^sleep 7001'
eq "with pattern and signal in the audit log" "$(cloister audit --json -n 20 | jq -c 'select(.command == "pkill") | .after' | tail -1)" \
	'{"pattern":"^sleep 7001","signal":15,"full":true}'
check "has gone" await 20 eval '[ ! -d "/proc/$host" ] || grep -q "^State:.Z" "/proc/$host/status"'
check "the global zone's of the same name has not" kill -0 "$global"
fails 1 '^$' cloister pkill -z blue sleep
check "the global zone's still not" kill -0 "$global"
kill "$global"
check "stop it" cloister pkill -STOP -z red -f '^sleep 7002'
check "it is stopped" await 20 eval '[ "$(cloister ps -z red -p -o s,args | grep ":sleep 7002")" = "T:sleep 7002" ]'
check "a number" cloister pkill -9 -z red -f '^sleep 7002'
check "it has gone" await 20 eval '! cloister pgrep -z red -f "^sleep 7002"'
eq "counted, in every zone" "$(cloister pkill -c -s 0 -e .)" "$(cloister pgrep -c .)"
zlogin blue 'sleep 7005 & sleep 1; sleep 7005 & echo up; wait' >up2 2>&1 </dev/null &
check "two of one name" await 20 grep -q up up2
new=$(cloister pgrep -n -z blue sleep)
check "the newest" cloister pkill -n -z blue sleep
check "has gone" await 20 eval '[ "$(cloister pgrep -c -z blue sleep)" = 1 ]'
check_not "that one" cloister ptree "$new"

# a pid that is reused between the list and the signal: the zone's processes come and go, and a stranger's never gets it
zlogin blue 'while :; do sleep 0.01; done' >/dev/null 2>&1 </dev/null &
check "many come and go" await 20 cloister pgrep -z blue sleep
sleep 1000 & mine=$!
hits=0
for _ in {1..100}; do ! cloister pkill -KILL -z blue sleep || hits=$((hits + 1)); done
le "signals were sent" 1 "$hits"
check "the global zone's sleep lives" kill -0 "$mine"
kill "$mine"

# ---- processes that come and go while we look ----
for _ in {1..30}; do cloister ps -f -z blue >/dev/null || { not_ok "ps while they come and go"; break; }; done

# ---- wrong ----
check "stop one" vmadm stop -F blue
fails 1 "zone 'blue' does not run" cloister ps -z blue
eq "it is in no list" "$(cloister ps -p -o zone | sort -u)" red
fails 1 "zone 'nope' unknown" cloister ps -z nope
fails 1 "zone '999999' unknown" cloister ps -z 999999
fails 2 'no such column' cloister ps -o pid,nope
fails 2 '-e is every zone' cloister ps -e -z red
fails 2 'two formats' cloister ps -j -p
fails 2 'which columns' cloister ps -f -o pid
fails 2 'named by -z' cloister ps red
fails 2 'in which zone' cloister pkill sleep
fails 2 'no such signal' cloister pkill -NOPE -z red sleep
fails 2 'no such signal' cloister pkill -s 999 -z red sleep
fails 2 'one pattern' cloister pgrep -z red
fails 2 'Unmatched' cloister pgrep -z red '('
fails 2 'by its pid' cloister ptree abc
