#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# What zones have used: nothing is lost, nothing counted twice, whoever is killed; and it adds up to the host's counters.
. "$(dirname "$0")/lib.sh"
need_root
node usage
mkdir -p "$NODE_ETC"
echo usage_interval=1 >"$NODE_ETC/node.conf"
pool

usage() { cloister usage -j "$@"; }
cpu() { usage "$1" | jq '[.rows[].cpu_seconds] | add // 0'; }
kernel_cpu() { awk '$1 == "usage_usec" {print $2 / 1e6}' "$(cgdir "$1" v2)/cpu.stat"; } # uuid: of this boot
worker() { cut -d' ' -f1 "$NODE_RUN/$1/worker"; }
# (where the machine is emulated, what others take from it is charged to whoever runs: a login that has ended, say)
near() { awk -v a="$2" -v b="$3" -v d="$4" -v t="${T_SLOW:+3}" 'BEGIN {d *= t ? t : 1; exit !(a - b <= d && b - a <= d)}' && ok "$1 ($2, $3)" || not_ok "$1" "$2 is not within $4 of $3"; }
burn() { zlogin "$1" 'i=0; while [ $i -lt '$((300000 / ${T_SLOW:-1}))' ]; do i=$((i+1)); done'; }

mkzone z u1 '"max_physical_memory":256'
check "a worker makes the zone's file" await 20 test -s "$NODE_STATE/usage/$z"
burn "$z"
near "processor time is the kernel's" "$(cpu "$z")" "$(kernel_cpu "$z")" 0.05

# whoever is killed
w=$(worker "$z")
kill -KILL "$w"
burn "$z"
check "a killed worker is replaced" await 20 eval '[ -n "$(worker "$z")" ] && [ "$(worker "$z")" != "$w" ]'
near "a killed worker costs nothing" "$(cpu "$z")" "$(kernel_cpu "$z")" 0.05
kill -KILL "$(awk '$1 == "keeper" {print $2}' "$NODE_RUN/$z/zone")" "$(worker "$z")"
burn "$z"
near "nor do keeper and worker together" "$(cpu "$z")" "$(kernel_cpu "$z")" 0.05
for i in {1..20}; do
	timeout -s KILL 0.0$((i % 10 + 1)) cloister usage >/dev/null 2>&1
done
near "nor a command that is killed anywhere" "$(cpu "$z")" "$(kernel_cpu "$z")" 0.05
for i in {1..10}; do cloister usage >/dev/null & done
wait
near "many commands at once count nothing twice" "$(cpu "$z")" "$(kernel_cpu "$z")" 0.05

# the end of a life: what the cgroup knew when it went is in the file
burn "$z"
before=$(kernel_cpu "$z")
check "stop" vmadm stop "$z" -F
stopped=$(cpu "$z")
check "what was used before a stop is kept" awk -v a="$stopped" -v b="$before" 'BEGIN {exit !(a >= b && a < b + 2)}'
eq "and does not change while it is down" "$(cpu "$z")" "$stopped"
check "start" vmadm start "$z"
burn "$z"
near "after a start it goes on from there" "$(cpu "$z")" "$(awk -v a="$stopped" -v b="$(kernel_cpu "$z")" 'BEGIN {print a + b}')" 0.1
i=$(awk '$1 == "init" {print $2}' "$NODE_RUN/$z/zone")
before=$(cpu "$z")
kill -KILL "$i"
check "an init that was killed" await 20 eval '[ "$(awk "\$1 == \"init\" {print \$2}" "$NODE_RUN/$z/zone" 2>/dev/null || echo "$i")" != "$i" ]'
check "loses nothing of it" awk -v a="$(cpu "$z")" -v b="$before" 'BEGIN {exit !(a >= b)}'

# a torn record: the one before it counts
before=$(cpu "$z")
check "stop" vmadm stop "$z" -F
f=$NODE_STATE/usage/$z
size=$(stat -c %s "$f")
eq "records are of one size" $((size % 256)) 0
printf 'torn torn torn' | dd of="$f" bs=1 seek=$((size - 100)) conv=notrunc status=none
after=$(cpu "$z")
check "a torn record costs what came after the one before it" awk -v a="$after" -v b="$before" 'BEGIN {exit !(a > 0 && a <= b + 2)}'
printf 'half a record' >>"$f"
eq "so does half a record at the end" "$(cpu "$z")" "$after"
check "the zone starts" vmadm start "$z"
burn "$z"
near "and is counted on" "$(cpu "$z")" "$(awk -v a="$after" -v b="$(kernel_cpu "$z")" 'BEGIN {print a + b}')" 0.1

# a power cut
before=$(cpu "$z")
power_cut
check "boot after a power cut" cloister boot
check "what was sampled is there" awk -v a="$(cpu "$z")" -v b="$before" 'BEGIN {exit !(a >= b && a < b + 3)}'
[ "$(vmstate "$z")" = running ] || vmadm start "$z" >/dev/null 2>&1
before=$(cpu "$z")
life=$(kernel_cpu "$z")
burn "$z"
near "the new life is added to the old" "$(awk -v a="$(cpu "$z")" -v b="$before" 'BEGIN {print a - b}')" \
	"$(awk -v a="$(kernel_cpu "$z")" -v b="$life" 'BEGIN {print a - b}')" 0.2

# memory: a byte-second is a byte for a second
mkzone m u2 '"max_physical_memory":256'
await 20 test -s "$NODE_STATE/usage/$m"
zlogin "$m" 'dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2>/dev/null'
read -r a s <<<"$(usage "$m" | jq -r '.rows[0] | "\(.memory_byte_seconds) \(.seconds)"')"
read -rt 4 <> <(:)
read -r a2 s2 <<<"$(usage "$m" | jq -r '.rows[0] | "\(.memory_byte_seconds) \(.seconds)"')"
mib=$(awk -v a="$a" -v b="$a2" -v s="$s" -v t="$s2" 'BEGIN {printf "%d", (b - a) / (t - s) / 1048576}')
check "100 MiB for a second are 100 MiB-seconds ($mib)" test "$mib" -ge 95 -a "$mib" -le 140

# one worker samples all zones where samples are wanted each second; when it has gone another does
lead() { cut -d' ' -f1 "$NODE_STATE/usage/host.lock"; }
sampled() { # uuid: once more from now on; one that uses nothing is not written
	touch "$T_TMP/now"
	await 4 test "$NODE_STATE/usage/$1" -nt "$T_TMP/now"
}
check "one of the workers leads" await 10 eval '[ "$(lead)" = "$(worker "$z")" ] || [ "$(lead)" = "$(worker "$m")" ]'
old=$(lead)
b=$z
[ "$old" = "$(worker "$z")" ] && b=$m
w=$(worker "$b")
# begun before its worker is stopped: that answers some of the zone's system calls
spin() { timeout 60 zlogin "$1" 'echo up; while :; do i=; done' </dev/null >"$T_TMP/up.$1" 2>&1 & await 10 test -s "$T_TMP/up.$1"; }
spin "$z"
spin "$m"
kill -STOP "$w"
check "it samples the other's zone too" sampled "$b"
check "and again" sampled "$b"
kill -CONT "$w"
kill -KILL "$old"
check "when it was killed another leads" await 10 eval '[ "$(lead)" != "$old" ] && kill -0 "$(lead)"'
check "which samples the one zone" sampled "$z"
check "and the other" sampled "$m"
mkzone n u3
check "a zone that comes is sampled" await 20 test -s "$NODE_STATE/usage/$n"
spin "$n"
kill -STOP "$(worker "$n")"
check "by who leads" sampled "$n"
kill -CONT "$(worker "$n")"
check "and goes" vmadm delete "$n"
check_not "for good" sampled "$n"
for n in "$z" "$m"; do zlogin -S "$n" 'kill -9 -1' >/dev/null 2>&1; done
near "nothing was counted twice" "$(cpu "$b")" "$(kernel_cpu "$b")" 0.2

# sums against the host
eq "the first line is the host's" "$(usage | jq -r '.rows[0].zone')" "[total]"
sums() { usage | jq -r '[(.rows[] | select(.zone == "[total]") | .cpu_seconds), ([.rows[] | select(.zone != "[total]") | .cpu_seconds // 0] | add)] | "\(.[0]) \(.[1])"'; }
host_cpu() { awk '$1 == "cpu" {printf "%.2f", ($2 + $3 + $4 + $7 + $8) / 100}' /proc/stat; } # awk's own six digits are whole seconds on a host that is up for long
before=$(host_cpu)
read -r t0 x0 <<<"$(sums)"
after=$(host_cpu)
burn "$z"
burn "$m"
before1=$(host_cpu)
read -r t1 x1 <<<"$(sums)"
after1=$(host_cpu)
# (where the machine is emulated, ticks are lost while others have the processors: the host then counts less than its zones,
# and [system] is never less than nothing)
total=$(awk -v a="$t0" -v b="$t1" 'BEGIN {print b - a}')
near "zones and [system] are [total]" "$(awk -v a="$x0" -v b="$x1" 'BEGIN {print b - a}')" "$total" "$(awk -v t="$total" -v s="${T_SLOW:-}" 'BEGIN {print s ? t / 12 : 0.02}')"
# read before and after each, it can't be less than between the inner two, nor more than between the outer two
check "[total] is the host's counter" awk -v a="$t0" -v b="$t1" -v lo="$before1 $after" -v hi="$after1 $before" \
	'BEGIN {split(lo, l); split(hi, h); t = b - a; print t, l[1] - l[2], h[1] - h[2]; exit !(t >= l[1] - l[2] - 0.05 && t <= h[1] - h[2] + 0.05)}'
check "of the pool's device there is I/O" test "$(usage | jq '.rows[] | select(.zone == "[unattributed]") | .written_bytes')" -gt 0

# a zone that is no more is still paid for
before=$(cpu "$m")
check "delete" vmadm delete "$m"
check "a deleted zone's use is kept" awk -v a="$(usage --hourly | jq --arg u "$m" '[.rows[] | select(.zone == $u).cpu_seconds] | add')" -v b="$before" 'BEGIN {exit !(a >= b)}'
check_not "in the file of all that were" test -e "$NODE_STATE/usage/$m"
a=$(cpu "$m")
eq "once" "$(cpu "$m")" "$a"

# formats and times
# one that never ran
u=12345678-2222-4333-8444-000000000001
for at in boot-limits boot-zone; do
	check_not "a create that fails at $at" eval 'CLOISTER_FAIL=$at:error vmadm create <<<"{\"brand\":\"joyent-minimal\",\"uuid\":\"$u\"}"'
done
eq "leaves no file" "$(ls "$NODE_STATE/usage/$u" 2>/dev/null)" ""
eq "and no line" "$(usage "$u" 2>/dev/null | jq -c '.rows[]' 2>/dev/null)" ""

eq "CSV has a line of names" "$(cloister usage --csv | head -1)" "zone,seconds,cpu_seconds,memory_byte_seconds,data_byte_seconds,read_bytes,written_bytes,reads,writes,received_bytes,sent_bytes"
eq "nothing was used in 2001" "$(usage --from 2001-01-01 --to 2001-01-02 | jq -c .rows)" '[]'
eq "the day before a time" "$(usage --to 2001-01-02 | jq -c .rows)" '[]'
fails 2 'not a time' cloister usage --from yesterday
fails 2 'yet to come' cloister usage --from 2099-01-01
fails 2 'same hour' cloister usage --from "2026-01-02 10:10" --to 2026-01-02T10:50Z
fails 2 '^cloister usage: .*option' cloister usage --nosuch
fails 2 'ends before it begins' cloister usage --from 2026-01-02 --to 2026-01-01
fails 2 'two formats' cloister usage -j --csv
fails 1 'unknown' cloister usage nosuch
echo usage_interval=0 >>"$NODE_ETC/node.conf"
fails 1 'usage_interval' cloister usage
