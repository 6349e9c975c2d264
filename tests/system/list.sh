#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# list, lookup, events and audit against VMs that are there, run, stop and go.
. "$(dirname "$0")/lib.sh"
need_root
node list

eq "an empty node lists the header alone" "$(vmadm list)" "UUID                                  TYPE  RAM      STATE             ALIAS"
eq "and nothing as JSON" "$(vmadm list -j)" "[]"
pool
mkzone a web1 '"ram":256,"tags":{"role":"web","n":7}'
mkzone b db1 '"ram":128,"tags":{"role":"db"},"autoboot":false'

eq "two VMs, least memory first" "$(vmadm list -H | sed 's/ *$//')" \
	"$b  OS    128      stopped           db1
$a  OS    256      running           web1"
eq "no blanks at the ends of lines" "$(vmadm list -o alias,uuid,alias | grep -c ' $')" 0
eq "columns" "$(vmadm list -o alias,state,autoboot,cpu_cap -s alias)" "ALIAS       STATE             AUTOBOOT  CPU_CAP
db1         stopped           false     -
web1        running           true      -"
eq "parsable" "$(vmadm list -p -o alias,tags.role,tags.n,cpu_cap -s -alias)" "web1:web:7:
db1:db::"
eq "JSON has types and leaves out what is not there" \
	"$(vmadm list -j -o alias,ram,tags.n -s alias | tr -d ' \n')" '[{"alias":"db1","ram":128},{"alias":"web1","ram":256,"tags.n":7}]'
eq "a filter" "$(vmadm lookup state=running)" "$a"
eq "a filter on tags" "$(vmadm lookup tags.role=db)" "$b"
eq "a pattern, in any case" "$(vmadm lookup 'alias=~^WEB')" "$a"
eq "two filters are both meant" "$(vmadm lookup 'alias=~.' ram=128)" "$b"
eq "nothing found is no error" "$(vmadm lookup alias=none; echo $?)" 0
eq "one and only" "$(vmadm lookup -1 alias=db1)" "$b"
fails 1 'Requested unique lookup but found 2 results' vmadm lookup -1
fails 1 'Requested unique lookup but found 0 results' vmadm lookup -1 alias=none
fails 2 'nearest is alias' vmadm list -o alais
fails 2 'nearest is max_lwps' vmadm list -s max_lwp
fails 2 'nearest is state' vmadm lookup stat=running
fails 2 'filter only' vmadm list -o 'nics.*.ip'
fails 2 'regular expression' vmadm lookup 'alias=~('
fails 2 'field=value' vmadm lookup alias
fails 2 '-o needs -j' vmadm lookup -o uuid
eq "the same objects as get" "$(vmadm lookup -j alias=db1 | python3 -c 'import json,sys; print(json.dumps(json.load(sys.stdin)[0],sort_keys=True))')" \
	"$(vmadm get $b | python3 -c 'import json,sys; print(json.dumps(json.load(sys.stdin),sort_keys=True))')"
eq "pid and zoneid are those of get" "$(vmadm list -p -o pid,zoneid,boot_timestamp,zone_state alias=web1)" \
	"$(vmadm get web1 | python3 -c 'import json,sys; o=json.load(sys.stdin); print(o["pid"],o["zoneid"],o["boot_timestamp"],o["zone_state"],sep=":")')"
eq "a stopped VM has none" "$(vmadm list -p -o pid,zoneid alias=db1)" ":"

# The index of what runs is no more than an index.
check "start" vmadm start db1
eq "it runs" "$(vmadm list -p -o state alias=db1)" running
kill -9 "$(vmadm list -p -o pid alias=web1)"
for i in $(seq 100); do [ "$(vmadm list -p -o init_restarts alias=web1)" = 1 ] && break; sleep 0.1; done
eq "an init that was started again is seen" "$(vmadm list -p -o state alias=web1)" running
eq "with its new pid" "$(vmadm list -p -o pid alias=web1)" "$(vmadm get web1 | python3 -c 'import json,sys; print(json.load(sys.stdin)["pid"])')"
of_zone() { awk -v k="$2" '$1 == k {print $2}' "$NODE_RUN/$1/zone"; }
mark=$(vmadm list -p -o state,pid alias=web1)
touch "$NODE_RUN/$a/halting"
eq "while its keeper lives, no file of a zone is read" "$(vmadm list -p -o state,pid alias=web1)" "$mark"
rm "$NODE_RUN/$a/halting"
kill -9 "$(of_zone "$a" keeper)"
eq "without its keeper a zone runs as before" "$(vmadm list -p -o state,pid alias=web1)" "$mark"
kill -9 "$(of_zone "$a" init)"
await 5 eval '[ "$(vmadm list -p -o state,pid alias=web1)" = stopped: ]'
eq "without both it is stopped" "$(vmadm list -p -o state,pid alias=web1)" "stopped:"
eq "and the other one is not" "$(vmadm list -p -o state alias=db1)" running
check "start" vmadm start web1
check "stop" vmadm stop -F web1
eq "it is stopped" "$(vmadm list -p -o state,pid alias=web1)" "stopped:"
eq "nothing is left of it in the index" "$(grep -ac "$a" "$NODE_RUN/index")" 0
eq "how it ended" "$(vmadm list -p -o exit_status alias=web1)" "-9"

# Damage to one record is told by name, and the others are listed.
record() { python3 -c 'import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.execute("update record set text=? where uuid=?", sys.argv[2:]); d.commit()' "$NODE_STATE/node.db" "$1" "$b"; }
good=$(jq -c . "$NODE_POOL/$b/config/record.json")
record '{' 
fails 1 "the record of VM $b .db1. is damaged" vmadm list -o alias,hostname
eq "both are listed" "$(vmadm list -p -o alias,hostname 2>/dev/null | wc -l)" 2
eq "the plain list does not even look" "$(vmadm list -H | wc -l)" 2
record "$good"

# Events: what was, and what comes while we follow.
check "events tell of a start" sh -c "vmadm events -r | grep -q ' start'"
eq "JSON lines are numbered in order" "$(vmadm events -jr | python3 -c '
import json,sys
n=[json.loads(l)["seq"] for l in sys.stdin]
print(n == sorted(set(n)) and len(n) > 3)')" True
last=$(vmadm events -jr | tail -1 | python3 -c 'import json,sys; print(json.loads(sys.stdin.read())["seq"])')
eq "nothing after the last" "$(vmadm events --since "$last" | wc -l)" 0
vmadm events -fj "$a" >"$T_TMP/follow" &
follower=$!
for i in $(seq 50); do grep -q inotify "/proc/$follower/fdinfo/"* 2>/dev/null && break; sleep 0.05; done
check "start again" vmadm start web1
for i in $(seq 50); do grep -q '"type":"start"' "$T_TMP/follow" && break; sleep 0.05; done
check "a follower sees it" grep -q '"type":"start"' "$T_TMP/follow"
kill $follower
wait $follower 2>/dev/null
fails 2 'number of an event' vmadm events --since x

# The audit log.
check "an update" vmadm update web1 cpu_cap=150
check "audit shows who, what and the change" sh -c "cloister audit -n 1 | grep -q 'root.*update.*web1\|$a.*ok.*cpu_cap: - → 150'"
eq "the log is for root alone" "$(stat -c %a "$NODE_LOG/audit.log")" 600
eq "JSON lines" "$(cloister audit -n 1 --json | python3 -c 'import json,sys; o=json.loads(sys.stdin.readline()); print(o["after"]["cpu_cap"], o["result"], o["uid"])')" "150 0 0"
printf '{"time":"cut' >>"$NODE_LOG/audit.log"
check "an update after a cut line" vmadm update web1 cpu_cap=160
eq "is a line of its own" "$(cloister audit --json 2>/dev/null | tail -1 | python3 -c 'import json,sys; print(json.loads(sys.stdin.read())["after"]["cpu_cap"])')" 160
fails 1 'damaged line' cloister audit

# A pool that is not there: VMs show as missing, and the list works.
check "stop all" vmadm stop -F web1
check "stop all" vmadm stop -F $b
mount -t tmpfs none "$NODE_POOL" # something else is in its place
eq "without its pool a VM is missing" "$(vmadm list -p -o state | sort -u)" missing
umount "$NODE_POOL"
eq "and is back" "$(vmadm list -p -o state | sort -u)" stopped
