#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# What happened to zones and in them, as the event log tells it: limits that are hit, inits that crash, what verbs did.
. "$(dirname "$0")/lib.sh"
need_root
node events
mkdir -p "$NODE_ETC"
printf "usage_interval=1\nthrottled_after=3\n" >"$NODE_ETC/node.conf"
pool

events() { vmadm events -j -r "$@"; }
has() { # uuid jq-condition
	events "$1" | jq -se "any(.[]; $2)" >/dev/null
}
worker() { cut -d' ' -f1 "$NODE_RUN/$1/worker"; }

mkzone z e1 '"max_physical_memory":64,"max_swap":256,"max_lwps":60'
await 5 test -s "$NODE_RUN/$z/worker"

# memory
limit=$(jq -r .max_physical_memory <(vmadm get "$z"))
zlogin "$z" 'tail /dev/zero >/dev/null' >/dev/null 2>&1
check "an OOM kill is an event" await 20 has "$z" '.type == "oom"'
oom=$(events "$z" | jq -c 'select(.type == "oom")' | head -1)
eq "with the zone" "$(jq -r .zonename <<<"$oom")" "$z"
eq "the limit" "$(jq -r .detail.limit <<<"$oom")" $((limit * 1048576))
eq "the victim" "$(jq -r '.detail.victims[0].name' <<<"$oom")" tail
like "its size" "$(jq -r '.detail.victims[0].bytes' <<<"$oom")" '^[1-9][0-9]{6,8}$'
like "its pid on the host" "$(jq -r '.detail.victims[0].host_pid' <<<"$oom")" '^[1-9][0-9]*$'

# processes: a fork bomb is refused thousands of times, and is a line or two
zlogin "$z" 'for i in 1 2 3; do (for k in $(seq 1 400); do sleep 20 & done) 2>/dev/null & done; wait' >/dev/null 2>&1 &
check "a fork bomb is an event" await 30 has "$z" '.type == "lwps-limit"'
read -rt 3 <> <(:)
wait
lwps=$(events "$z" | jq -c 'select(.type == "lwps-limit")' | head -1)
eq "with the limit" "$(jq -r .detail.limit <<<"$lwps")" 60
like "and how often it was hit" "$(jq -r .detail.count <<<"$lwps")" '^[1-9]'
le "which is few events" "$(events "$z" | jq -r 'select(.type == "lwps-limit") | .seq' | wc -l)" 4

# the worker's death: what the kernel counted meanwhile is told by the next
n=$(events "$z" | jq -r 'select(.type == "oom") | .detail.count' | awk '{s += $1} END {print s}')
kill -STOP "$(worker "$z")"
# -S: the shell would wait for what the worker answers
zlogin -S "$z" 'tail /dev/zero >/dev/null' >/dev/null 2>&1
kill -KILL "$(worker "$z")"
kills() { events "$z" | jq -r 'select(.type == "oom") | .detail.count' | awk '{s += $1} END {print s + 0}'; }
check "an OOM kill while the worker was dying is told by its successor" await 40 eval '[ "$(kills)" -gt "$n" ]'
check "once" eval '[ "$(kills)" = $((n + 1)) ]'

# a name is the zone's own text
zlogin "$z" 'cp /usr/bin/tail "/root/x) total-vm:1" 2>/dev/null; "/root/x) total-vm:1" /dev/zero >/dev/null' >/dev/null 2>&1
check "a hostile name is no more than a name" await 40 has "$z" '.type == "oom" and (.detail.victims // [] | any(.name == "x) total-vm:1"))'

# quota and the pool are looked at with each sample
mkzone q e2 '"quota":1'
zlogin "$q" 'dd if=/dev/urandom of=/root/full bs=1M count=1100' >/dev/null 2>&1
check "a full quota is an event" await 60 has "$q" '.type == "quota-limit" and .detail.limit == 1073741824'
check "delete" vmadm delete "$q"

room() { df --output=size,avail -B1 "$NODE_POOL" | awk 'NR == 2 {printf "%d", $2 - $1 * 0.15}'; }
fill() { # the VM that was deleted gives back what it had in its own time: to the mark again, from either side
	local n size
	n=$(room) size=$(stat -c %s "$NODE_POOL/filler" 2>/dev/null || echo 0)
	if [ "$n" -lt 0 ]; then truncate -s $((size + n > 0 ? size + n : 0)) "$NODE_POOL/filler"; else fallocate -l $((size + n + 1)) "$NODE_POOL/filler"; fi
	sync -f "$NODE_POOL"
}
check "a pool that fills up is an event of the node" await 90 eval 'fill; cloister events -j -r | jq -se "any(.[]; .type == \"pool-space\" and .detail.level == 80 and .zonename == null)" >/dev/null'
rm -f "$NODE_POOL/filler"

# throttled for long
mkzone t e3 '"cpu_cap":10'
zlogin "$t" 'while :; do :; done' >/dev/null 2>&1 &
loop=$!
check "a zone held back by its cap for long is an event" await 60 has "$t" '.type == "throttled" and .detail.throttled > 0'
check "delete" vmadm delete "$t" 
wait "$loop"

# init
mkzone i e4
field() { awk -v k="$2" '$1 == k {print $2}' "$NODE_RUN/$1/zone" 2>/dev/null; }
was=$(field "$i" init)
kill -KILL "$was"
check "a crash of init is an event with its signal" await 20 has "$i" '.type == "restart-init" and .detail.signal == 9 and .detail.restarts == 1'
zlogin "$i" 'reboot -f' >/dev/null 2>&1 || zlogin "$i" 'kill -INT 1' >/dev/null 2>&1
check "a reboot from inside" await 20 has "$i" '.type == "reboot" and .detail.init == "reboot"'
await 20 eval '[ "$(vmstate "$i")" = running ]'
mkzone l e5
for n in {1..5}; do
	was=$(field "$l" init)
	kill -KILL "$was"
	await 30 eval 'now=$(field "$l" init); [ -n "$now" ] && [ "$now" != "$was" ]'
done
check "an init that crashes again and again is an event" await 20 has "$l" '.type == "restart-loop" and .detail.restarts == 5'
eq "once" "$(events "$l" | jq -r 'select(.type == "restart-loop") | .seq' | wc -l)" 1
check "delete" vmadm delete "$l"
up=$NODE_POOL/$i/root/upper
rm -rf "${up:?}/dev"
ln -s /etc "$up/dev"
kill -KILL "$(field "$i" init)"
check "a zone that can't be booted again is an event with the reason" await 30 has "$i" '.type == "boot-failed" and (.detail.error | test("/dev in the zone.s root"))'
rm "$up/dev"

# what verbs say of themselves
check "start" vmadm start "$i"
check "update" vmadm update "$i" max_lwps=77
check "snapshot" vmadm create-snapshot "$i" s1
check "rollback" vmadm rollback-snapshot "$i" s1
check "delete snapshot" vmadm delete-snapshot "$i" s1
check "reboot" vmadm reboot "$i" -F
check "stop" vmadm stop "$i" -F
eq "each verb has its event, in order" "$(events "$i" | jq -r .type | tail -7 | tr '\n' ' ')" \
	"start update create-snapshot rollback-snapshot delete-snapshot reboot stop "
check "an update's says what changed" has "$i" '.type == "update" and .detail.changed == ["max_lwps"]'
check "a snapshot's its name" has "$i" '.type == "create-snapshot" and .detail.name == "s1"'

# readers
last=$(events | jq -r .seq | tail -1)
eq "numbers grow" "$(events | jq -r .seq | sort -nu | wc -l)" "$(events | wc -l)"
eq "--since gives what came after" "$(events --since $((last - 3)) | jq -r .seq | tr '\n' ' ')" "$((last - 2)) $((last - 1)) $last "
eq "cloister events is the same" "$(cloister events -j --since $((last - 3)))" "$(events --since $((last - 3)))"
mkfifo pipe
vmadm events -f -j --since "$last" >pipe &
follower=$!
exec 9<pipe
python3 - "$NODE_STATE/node.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=20)
db.executemany("INSERT INTO event (ns, kind) VALUES (1, ?)", [("filler-%d" % i,) for i in range(20000)])
db.commit()
PY
check "a reader that does not read holds nobody up" vmadm update "$i" max_lwps=78
le "nor makes the log of the database grow, MiB" $(($(stat -c %s "$NODE_STATE/node.db-wal" 2>/dev/null || echo 0) / 1048576)) 16
eq "and misses nothing" "$(timeout 60 head -20001 <&9 | jq -r .seq | sort -nu | sed -n '1p;$p' | tr '\n' ' ')" "$((last + 1)) $((last + 20001)) "
exec 9<&-
kill "$follower" 2>/dev/null
wait "$follower" 2>/dev/null

# bounded: a zone that causes events without end pushes out its own
quiet=$(events "$z" | wc -l)
last=$(events | jq -r .seq | tail -1)
python3 - "$NODE_STATE/node.db" "$i" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=20)
db.executemany("INSERT INTO event (ns, kind, uuid) VALUES (1, 'reboot', ?)", [(sys.argv[2],)] * 102000)
db.execute("DELETE FROM event WHERE seq < 20000 AND kind LIKE 'filler%'")
top = db.execute("SELECT max(seq) FROM event").fetchone()[0]
db.executemany("INSERT INTO event (ns, kind, uuid) VALUES (1, 'reboot', ?)", [(sys.argv[2],)] * (1023 - top % 1024))
db.commit()
PY
check "one more" vmadm update "$i" max_lwps=79
le "there are no more than so many" "$(events | wc -l)" 101024
eq "of a quiet zone all" "$(events "$z" | wc -l)" "$quiet"
like "who asks for those that were dropped is told" "$(vmadm events --since "$last" 2>&1 >/dev/null)" "events $((last + 1)) to [0-9]+ are no longer kept"
first=$(events --since "$last" 2>/dev/null | sed -n 2p | jq .seq)
eq "a program too" "$(events --since "$last" 2>/dev/null | head -1)" "{\"type\":\"events-dropped\",\"since\":$last,\"first\":$first}"
like "of that one VM too" "$(vmadm events --since "$last" "$i" 2>&1 >/dev/null)" "to $((first - 1)) of this VM are no longer kept"
python3 - "$NODE_STATE/node.db" "$first" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=20)
db.executemany("DELETE FROM event WHERE seq = ?", [(int(sys.argv[2]) + n,) for n in (10, 700, 1500)])
db.commit()
PY
eq "of several holes people are told once" "$(vmadm events --since "$first" 2>&1 >/dev/null)" \
	"3 of the events $((first + 10)) to $((first + 1500)) are no longer kept"
eq "and a program of each" "$(events --since "$first" 2>/dev/null | grep -c events-dropped)" 3
eq "who asks for the quiet one's is told of none" "$(vmadm events --since "$last" "$z" 2>&1 >/dev/null)" ""

# after a power cut all that was said is there
seq=$(events | jq -r .seq | tail -1)
power_cut
check "boot" cloister boot
check "the node's own start is an event" eval 'cloister events -j --since '"$seq"' | jq -se "any(.[]; .type == \"node-boot\" and .zonename == null)" >/dev/null'
check "and each VM's" has "$z" '.type == "start" and .detail.by == "boot"'
