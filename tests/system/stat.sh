#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# Numbers for every zone: what zonestat shows is what the zone does, and the lines add up to the host.
. "$(dirname "$0")/lib.sh"
need_root
node stat
pool

eq "a node without zones has its two lines" "$(zonestat -H -o name 0.05 1)" "[total]
[system]"
a='' b=''
mkzone a busy '"cpu_cap":50,"max_lwps":100,"filesystems":[{"type":"lofs","source":"'"$(dirname "$CLOISTER_SELF")"'","target":"/opt/cloister","options":["ro"]}]' || exit 1
mkzone b idle '"cpu_shares":300,"max_physical_memory":64,"ram":64' || exit 1
ida=$(vmadm get "$a" | jq .zoneid)

# ---- one report ----
check "a report" zonestat 0.2 1
like "a header" "$OUT" '^ZONE +CPU +%HOST +%CAP +%SHARE +MEM +%CAP +SWAP +LWPS$'
like "the host" "$OUT" '^\[total\] '
like "what is no zone's" "$OUT" '^\[system\] '
like "a zone by its alias" "$OUT" '^idle +[0-9.]+ '
eq "-H has no header" "$(zonestat -H 0.1 1 | grep -c .)" 4
eq "two reports, each with its header" "$(zonestat 0.1 2 | grep -c ^ZONE)" 2
eq "-x has pressure and I/O" "$(zonestat -x 0.1 1 | head -1 | grep -c 'READ .*WRITE .*P:CPU .*P:MEM .*P:IO .*RECV .*SENT .*STEAL$')" 1

# ---- what is shown is what the kernel counts ----
j=$(zonestat -j 0.2 1)
eq "JSON has a version" "$(jq .v <<<"$j")" 1
eq "both zones" "$(jq -r '.zones[].uuid' <<<"$j" | sort)" "$(printf '%s\n' "$a" "$b" | sort)"
zone() { jq -r --arg u "$1" ".zones[] | select(.uuid == \$u) | $2" <<<"$j"; }
eq "zoneid" "$(zone "$a" .zoneid)" "$ida"
eq "the cap on memory" "$(zone "$b" .memory_limit)" $((64 << 20))
eq "the cap on lwps" "$(zone "$a" .lwps_limit)" 100
eq "no cap on the other's processors" "$(zone "$b" .cpu_cap)" null
eq "processors of the host" "$(jq .cpus <<<"$j")" "$(getconf _NPROCESSORS_ONLN)"
eq "memory of the host" "$(jq '.memory / 1024' <<<"$j")" "$(awk '/^MemTotal/ {print $2}' /proc/meminfo)"
sums() { jq -c '[.total, .system] as [$t, $s] | [("cpu", "memory", "swap", "lwps") as $k |
	($t[$k] - $s[$k] - ([.zones[][$k]] | add)) | if . < 0.0005 and . > -0.0005 then 0 else . end]' <<<"$1"; }
eq "total = system + zones" "$(sums "$j")" '[0,0,0,0]'

# three threads more are three lwps more
before=$(zone "$b" .lwps)
zlogin "$b" 'sleep 1000 & sleep 1000 & sleep 1000 & echo started; wait' >started 2>&1 </dev/null &
check "three processes run in it" await 20 grep -q started started
j=$(zonestat -j 0.05 1)
le "they are counted" $((before + 3)) "$(zone "$b" .lwps)"
eq "total = system + zones" "$(sums "$j")" '[0,0,0,0]'

# 32 MiB in a file of tmpfs are 32 MiB of memory
zlogin "$b" 'head -c 33554432 /dev/zero >/tmp/x' </dev/null
j=$(zonestat -j 0.05 1)
le "a file of 32 MiB in /tmp is memory" 33554432 "$(zone "$b" .memory)"
eq "and a part of its cap" "$(zone "$b" '(.memory_cap - .memory * 100 / .memory_limit) | if . < 0.06 and . > -0.06 then "yes" else . end')" yes

# a loop uses what its cap leaves it, and comes first
zlogin "$a" 'echo looping; while :; do :; done' >looping 2>&1 </dev/null &
check "a loop runs" await 20 grep -q looping looping
j=$(zonestat -j 2 1)
le "the loop's cpu is under its cap" "$(zone "$a" .cpu)" 0.6
le "but it is there" 0.1 "$(zone "$a" .cpu)"
eq "%CAP is cpu of cap" "$(zone "$a" '(.cpu_cap - .cpu * 200) | if . < 0.2 and . > -0.2 then "yes" else . end')" yes
eq "%HOST is cpu of all processors" "$(jq --arg u "$a" '.cpus as $n | .zones[] | select(.uuid == $u) | (.cpu_host - .cpu * 100 / $n) |
	if . < 0.11 and . > -0.11 then "yes" else . end' -r <<<"$j")" yes
eq "%SHARE is cpu of what 100 of 400 shares are" "$(jq --arg u "$a" '.cpus as $n | .zones[] | select(.uuid == $u) |
	(.cpu_share - .cpu * 400 / $n) | if . < 0.3 and . > -0.3 then "yes" else . end' -r <<<"$j")" yes
eq "the busy one comes first" "$(jq -r '.zones[0].uuid' <<<"$j")" "$a"
eq "total = system + zones" "$(sums "$j")" '[0,0,0,0]'
eq "sorted by memory" "$(zonestat -H -s memory -o name 0.05 1 | sed -n 3p)" idle
eq "sorted by name" "$(zonestat -H -s name -o name 0.05 1 | tail -2)" "busy
idle"

# the host's disks are in [total]; what of it is zones' where that is counted
eq "I/O of the host" "$(zonestat -j 0.1 1 | jq '[.total.read, .total.written, .total.reads, .total.writes] | all(. != null and . >= 0)')" true
touch writing
while [ -e writing ]; do dd if=/dev/zero of="$NODE_STATE/some" bs=1M count=8 conv=fsync 2>/dev/null; done &
written() { v=$(zonestat -p -o written 0.3 1 | head -1); [ "${v%%.*}" -gt 1000000 ]; }
check "what is written to a disk of the host is in it" await 20 written
rm writing
wait $!
rm -f "$NODE_STATE/some"
if zonestat -p -o read -z idle 0.05 1 | tail -1 | grep -qx -- -; then
	eq "no zone's I/O is counted here, so what is no zone's is not known" "$(zonestat -p -o read,written 0.05 1 | sed -n 2p)" "-:-"
else
	eq "I/O too: total = system + zones" "$(zonestat -j 0.2 1 | jq -c '[("read", "written") as $k | .total[$k] - .system[$k] - ([.zones[][$k] // 0] | add)]')" '[0,0]'
fi

# ---- columns, zones, programs ----
eq "columns" "$(zonestat -H -o uuid,name,zoneid -z busy 0.05 1 | tail -1 | tr -s ' ')" "$a busy $ida"
eq "one zone: the host's lines and its own" "$(zonestat -H -o name -z idle 0.05 1 | tr '\n' ' ')" "[total] [system] idle "
eq "for programs" "$(zonestat -p -o name,uuid,memory_limit -z "$b" 0.05 1 | tail -1)" "idle:$b:$((64 << 20))"

# ---- limits are not read each time, but a change shows ----
zonestat -p -o name,lwps_limit,memory_limit -z idle 0.05 >series &
pid=$!
check "reports come" await 20 grep -q '^idle:2000:' series
check "another limit" vmadm update "$b" max_lwps=150
check "shows" await 20 grep -q '^idle:150:' series
echo 77 >"$(cgdir "$b" pids)/pids.max"
check "and one that somebody has written into the cgroup" await 20 grep -q '^idle:77:' series
kill "$pid"
wait "$pid" 2>/dev/null
check "back" vmadm update "$b" max_lwps=2000
eq "at the next first sample" "$(zonestat -p -o lwps_limit -z idle 0.05 1 | tail -1)" 2000

# ---- zones that come and go between two samples ----
zonestat -p -o name,lwps 0.1 >series &
pid=$!
check "reports come" await 20 grep -q '^busy:' series
check "one goes" vmadm stop -F busy
check "and its line too" await 20 bash -c 'tail -3 series | grep -q "^\[system\]" && ! tail -6 series | grep -q "^busy:"'
check "it comes again" vmadm start busy
check "and its line" await 20 bash -c 'tail -4 series | grep -q "^busy:[0-9]"'
check "zonestat still runs" kill "$pid"
wait "$pid" 2>/dev/null

# ---- kstat ----
ida=$(vmadm get "$a" | jq .zoneid)
idb=$(vmadm get "$b" | jq .zoneid)
value() { kstat -p "$1" | cut -f2; }
eq "the name and a tab" "$(kstat -p "caps:$ida:cpucaps_zone_$ida:value")" "caps:$ida:cpucaps_zone_$ida:value	50"
check "another cap" vmadm update "$a" cpu_cap=70
eq "shows at once" "$(value "caps:$ida::effective")" 70
eq "none for a zone without a cap" "$(kstat -p "caps:$idb:cpucaps*")" ''
eq "memory's cap" "$(value "memory_cap:$idb:$b:physcap")" $((64 << 20))
eq "by the name as illumos cuts it" "$(value "memory_cap::${b:0:30}:physcap")" $((64 << 20))
le "memory" 33554432 "$(value "memory_cap:$idb::rss")"
eq "threads that may be" "$(value "caps:$ida:lwps_zone_$ida:value")" 100
eq "init" "$(value "zones:$ida::init_pid")" "$(vmadm get "$a" | jq .pid)"
eq "zonename" "$(value "zones:$ida::zonename")" "$a"
eq "patterns and regular expressions" "$(kstat -p -m zones -s '/^init_p/' -i "[$ida$idb]*" | wc -l)" 2
zlogin "$b" 'head -c 100000000 /dev/zero >/tmp/big' >/dev/null 2>&1 </dev/null
le "a zone that ran into its cap has it counted" 1 "$(value "memory_cap:$idb::nover")"
eq "JSON" "$(kstat -j "zones:$ida" | jq -r '.[0] | [.module, .instance, .class, .data.zonename] | @csv')" "\"zones\",$ida,\"zone_misc\",\"$a\""
like "as text" "$(kstat "zones:$ida")" '^module: zones  '
eq "names alone" "$(kstat -l unix:0:system_misc:ncpus)" unix:0:system_misc:ncpus
check "there is one" kstat -q unix
eq "there is none: 1" "$(kstat -q nope; echo $?)" 1
eq "twice" "$(kstat -p unix:0:system_misc:ncpus 0.05 2 | grep -c ncpus)" 2
eq "processors of machines: no zone is one" "$(kstat -p vmm)$(zonestat -p -o steal 0.05 1 | sort -u)" -
fails 2 'not module:instance' kstat a:b:c:d:e
fails 2 'regular expression' kstat '/(/'
fails 2 'an interval' kstat unix 0

# ---- zonememstat ----
eq "header" "$(zonememstat | head -1)" '                                 ZONE  RSS(MB)  CAP(MB)  NOVER  POUT(MB) SWAP%'
like "the global zone" "$(zonememstat | sed -n 2p)" '^ +global +[0-9]+ +- +- +- +-$'
like "a zone" "$(zonememstat -H -z idle)" "^ $b +[0-9]+ +64 +[1-9][0-9]* +[0-9-]+ +[0-9.]+\$"
like "aliases" "$(zonememstat -a -z idle)" "$b idle +[0-9]+ +64 "
like "only those that ran into their cap" "$(zonememstat -Ho)" "^ $b "
eq "and no other" "$(zonememstat -Ho | wc -l)" 1
like "totals" "$(zonememstat -t | tail -1)" '^ +total +[0-9]+ +320 '
fails 2 usage zonememstat -x

# ---- in a zone: itself, and the rest as [system] ----
zlogin "$b" 'rm -f /tmp/big /tmp/x' </dev/null >/dev/null 2>&1
inz() { zlogin "$1" "$2" 2>&1 </dev/null; }
eq "three lines" "$(inz idle 'zonestat -H -o name 0.2 1')" "[total]
[system]
$b"
j=$(inz idle 'zonestat -j 0.3 1')
eq "its caps" "$(zone "$b" '[.memory_limit, .lwps_limit] | @csv')" "$((64 << 20)),2000"
eq "its memory is what the global zone counts" "$(zone "$b" ".memory - $(zonestat -p -z idle -o memory 0.1 1 | tail -1) | if . < 4194304 and . > -4194304 then \"yes\" else . end")" yes
eq "the host's processors" "$(jq .cpus <<<"$j")" "$(getconf _NPROCESSORS_ONLN)"
eq "total = system + zone" "$(sums "$j")" '[0,0,0,0]'
eq "what its shares are worth it can't know" "$(zone "$b" .cpu_share)" null
zlogin "$a" 'echo looping; while :; do :; done' >again 2>&1 </dev/null &
check "a loop runs in the other zone" await 20 grep -q looping again
le "it is in [system]" 0.1 "$(inz idle 'zonestat -p -o cpu 1 1' | sed -n 2p)"
eq "its own name" "$(inz idle 'zonestat -H -o name,zoneid -z $(zonename) 0.1 1' | tail -1 | tr -s ' ')" "$b $idb"
like "another zone's it does not know" "$(inz idle "zonestat -z $a 0.1 1")" "unknown: a zone sees itself"
like "zonememstat" "$(inz idle zonememstat | sed -n 2p)" '^ +\[system\] +[0-9]+ '
like "and its line" "$(inz idle zonememstat | sed -n 3p)" "^ $b +[0-9]+ +64 "
eq "kstat" "$(inz idle "kstat -p caps::lwps_zone_*:value")" "caps:$idb:lwps_zone_$idb:value	2000"
eq "of itself alone" "$(inz idle 'kstat -p zones:::zonename' | cut -f2)" "$b"
eq "JSON of kstat" "$(inz idle 'kstat -j -m zones' | jq -r '.[0].data.zonename')" "$b"
eq "init is process 1" "$(inz idle 'kstat -p zones:::init_pid' | cut -f2)" 1
le "boot_time is about when it booted" "$(inz idle 'kstat -p zones:::boot_time' | cut -f2 | awk -v t="$(value "zones:$idb::boot_time")" '{d = $1 - t; print d < 0 ? -d : d}')" 5
like "for a user of the zone too" "$(inz idle 'setpriv --reuid 65534 --clear-groups zonestat -H -o name 0.1 1' | tail -1)" "$b"
# it is a file that can only be read: no socket, which could be sent descriptors that take for ever to close
eq "S23 the numbers are a regular file" "$(inz idle 'stat -c %F:%A /.zonecontrol/numbers')" "regular file:-r--r--r--"
like "S23 of the zone's view, read-only" "$(inz idle "awk '\$5 == \"/.zonecontrol/numbers\"' /proc/self/mountinfo")" '^.* ro,nosuid,nodev,noexec.* - fuse '
check_not "S23 which can't be written" zlogin "$b" 'echo 1 >/.zonecontrol/numbers'
check_not "S23 nor removed" zlogin "$b" 'rm -f /.zonecontrol/numbers'
check_not "S23 nor unmounted" zlogin "$b" 'umount /.zonecontrol/numbers'
check_not "S23 nor made writable" zlogin "$b" 'mount -o remount,bind,rw /.zonecontrol/numbers'
check "room for forty processes" vmadm update "$b" max_physical_memory=512 max_swap=512
# many at once hold up neither the others nor the supervisor
inz idle 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do timeout 4 sh -c "while :; do dd if=/.zonecontrol/numbers iflag=direct of=/dev/null; cat /.zonecontrol/numbers; done" >/dev/null 2>&1 & done; sleep 0.5; zonestat -H -o name 0.2 1 | wc -l; wait' >many
eq "it answers all the same" "$(cat many)" 3
check "the console works" timeout 20 zlogin -C idle </dev/null
worker() { awk '{print $1}' "$NODE_RUN/$b/worker"; }
old=$(worker)
kill -KILL "$old"
check "another worker comes" await 20 eval '[ "$(worker)" != "$old" ]'
eq "and answers" "$(inz idle 'zonestat -H -o name 0.2 1' | wc -l)" 3

# ---- wrong ----
fails 2 'no such column' zonestat -o nope
fails 2 'no such column' zonestat -s nope
fails 2 'an interval' zonestat 0
fails 2 'an interval' zonestat 1e9
fails 2 'an interval' zonestat -- -1
fails 2 'an interval' zonestat 1 0
fails 2 'an interval' zonestat 1 1 1
fails 2 'two formats' zonestat -p -j 1 1
fails 1 "zone 'nope' unknown" zonestat -z nope 1 1
like "not in a zone" "$(zlogin "$a" /opt/cloister/cloister zonestat 0.1 1 2>&1 </dev/null)" 'global zone only'
