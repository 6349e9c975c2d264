#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# Bursting: a zone that runs above its baseline is clamped to it when its seconds are spent, and let go when it has
# earned them back; whoever of its supervisors is killed meanwhile. Asserted on the kernel's own cap.
. "$(dirname "$0")/lib.sh"
need_root
node burst
pool

quota() { # uuid: the cap in the kernel, percent; -1 = none
	local d q p
	d=$(cgdir "$1" cpu)
	if [ -e "$d/cpu.max" ]; then read -r q p <"$d/cpu.max"; else q=$(cat "$d/cpu.cfs_quota_us") p=$(cat "$d/cpu.cfs_period_us"); fi
	case $q in max | -1) echo -1 ;; *) echo $((q * 100 / p)) ;; esac
}
capped_at() { [ "$(quota "$1")" = "$2" ]; }
id() { awk '$1 == "zoneid" {print $2}' "$NODE_RUN/$1/zone"; }
ks() { kstat -p "caps:$ID:cpucaps_zone_$ID:$1" | cut -f2; }
p() { prctl -P -t privileged -n "zone.$1" -i zone b1 | awk 'NR > 1 {print $3}'; }
worker() { cut -d' ' -f1 "$NODE_RUN/$1/worker"; }
keeper() { awk '$1 == "keeper" {print $2}' "$NODE_RUN/$1/zone"; }
hog() { zlogin "$z" 'sh -c "while :; do :; done" & echo $! >/tmp/hog' >/dev/null; }
no_hog() { zlogin "$z" 'kill $(cat /tmp/hog); rm -f /tmp/hog'; }

# ---- what contradicts itself ----
fails 1 'cpu_baseline: 80 is more than cpu_cap, 50' vmadm create <<<'{"brand":"joyent-minimal","cpu_cap":50,"cpu_baseline":80}'
fails 1 'cpu_burst_time: there is no cpu_baseline' vmadm create <<<'{"brand":"joyent-minimal","cpu_cap":50,"cpu_burst_time":5}'
fails 1 'cpu_baseline: must be a whole number' vmadm create <<<'{"brand":"joyent-minimal","cpu_baseline":-1}'
fails 1 'cpu_burst_time: must be a whole number' vmadm create <<<'{"brand":"joyent-minimal","cpu_baseline":1,"cpu_burst_time":"long"}'
fails 1 '"cpu_baseline"' vmadm validate create <<<'{"brand":"joyent-minimal","cpu_cap":50,"cpu_baseline":80}'

# ---- spent, clamped, earned back ----
mkzone z b1 '"cpu_cap":90,"cpu_baseline":20,"cpu_burst_time":3' || exit 1
ID=$(id "$z")
eq "it begins with its cap" "$(quota "$z")" 90
eq "kstat: value" "$(ks value)" 90
eq "kstat: effective" "$(ks effective)" 90
eq "kstat: baseline" "$(ks baseline)" 20
eq "kstat: burst_limit_sec" "$(ks burst_limit_sec)" 3
like "kstat: nwait" "$(ks nwait)" '^[0-9]+$'
eq "prctl: cpu-baseline" "$(p cpu-baseline)" 20
eq "prctl: cpu-burst-time" "$(p cpu-burst-time)" 3
eq "prctl: cpu-cap" "$(p cpu-cap)" 90
hog
check "a busy zone is clamped" await 30 capped_at "$z" 20
le "with all seconds spent" 3 "$(ks bursting_sec)"
le "all of them above" 3 "$(ks above_sec)"
eq "effective is the baseline" "$(ks effective)" 20
eq "the cap is what it was" "$(ks value) $(p cpu-cap)" "90 90"

# ---- the clamp is looked after: an update that is killed may have written the whole cap ----
d=$(cgdir "$z" cpu) above=$(ks above_sec)
if [ -e "$d/cpu.max" ]; then echo "90000 100000" >"$d/cpu.max"; else echo 90000 >"$d/cpu.cfs_quota_us"; fi
check "a cap that somebody else wrote does not last" await 30 capped_at "$z" 20
eq "it was not let go meanwhile, to burst once more" "$(ks above_sec)" "$above"

# ---- nobody's death is a pardon, or a second punishment ----
w=$(worker "$z")
kill -KILL "$w"
check "a killed worker is started again" await 10 eval '[ "$(worker "$z")" != "$w" ] && kill -0 "$(worker "$z")"'
eq "still clamped" "$(quota "$z")" 20
le "with what was spent" 1 "$(ks bursting_sec)" # a machine that is busy may not let it reach its baseline
check "something else changes" vmadm update "$z" max_lwps=300
eq "still clamped" "$(quota "$z")" 20
check "another cap" vmadm update "$z" cpu_cap=80
eq "still clamped" "$(quota "$z")" 20

# ---- all places at its console are taken: that is said, and not taken for a worker that has gone ----
python3 -c 'import socket, sys, time
s = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(16)]
for c in s: c.connect(sys.argv[1])
print("taken", flush=True)
time.sleep(120)' "$NODE_RUN/$z/console.sock" >"$T_TMP/lines" &
lines=$!
await 10 grep -q taken "$T_TMP/lines"
fails 1 'no room for another client' vmadm update "$z" cpu_burst_time=4
eq "nothing has changed" "$(vmadm get "$z" | jq .cpu_burst_time)" 3
kill "$lines"
check "they have gone" vmadm update "$z" max_lwps=301 cpu_shares=200
check "still clamped" await 30 capped_at "$z" 20

no_hog
check "an idle zone earns them back" await 30 capped_at "$z" 80
eq "nothing is spent now" "$(ks bursting_sec)" 0

# ---- live ----
hog
check "clamped again" await 30 capped_at "$z" 20
check "more seconds" vmadm update "$z" cpu_burst_time=600
eq "let it go at once" "$(quota "$z")" 80
check "another baseline" prctl -n zone.cpu-baseline -r -v 30 -i zone b1
eq "is the record's" "$(vmadm get "$z" | jq .cpu_baseline)" 30
check "few again" vmadm update "$z" cpu_burst_time=1
check "and it is clamped there" await 30 capped_at "$z" 30
check "without end" vmadm update "$z" cpu_burst_time=0
eq "is its cap" "$(quota "$z")" 80
fails 1 'more than cpu_cap' vmadm update "$z" cpu_cap=25
fails 1 'more than cpu_cap' vmadm update "$z" cpu_baseline=81
eq "and nothing has changed" "$(vmadm get "$z" | jq -c '[.cpu_cap,.cpu_baseline,.cpu_burst_time]') $(quota "$z")" "[80,30,0] 80"
check "a burst of one second" vmadm update "$z" cpu_burst_time=1
check "clamped" await 30 capped_at "$z" 30

# ---- keeper and worker ----
k=$(keeper "$z") w=$(worker "$z")
kill -KILL "$k" "$w"
await 10 eval '! kill -0 "$k" && ! kill -0 "$w"'
eq "without both it stays clamped" "$(quota "$z")" 30
check "whoever adopts it" vmadm update "$z" alias=b1
eq "finds it clamped" "$(quota "$z")" 30
check "and a worker that goes on" await 10 eval 'kill -0 "$(worker "$z")"'
no_hog
check "lets it go when it is earned" await 30 capped_at "$z" 80

# ---- away ----
hog
check "clamped" await 30 capped_at "$z" 30
check "no baseline any more, and so no burst time" vmadm update "$z" cpu_baseline=0
eq "is the whole cap" "$(quota "$z")" 80
eq "and no file of it" "$(ls "$NODE_RUN/$z/burst" 2>/dev/null)" ""
eq "nor kstat's" "$(ks baseline)" ""
check "none at all" vmadm update "$z" cpu_cap=0
eq "is none" "$(quota "$z")" -1
check "a baseline without a cap" vmadm update "$z" cpu_baseline=15 cpu_burst_time=1
check "is a cap when it is spent" await 30 capped_at "$z" 15
check "an update that fails half way" eval 'CLOISTER_FAIL=update-store:error vmadm update "$z" cpu_baseline=0 cpu_burst_time=null; [ $? = 1 ]'
check "leaves it clamped" await 30 capped_at "$z" 15
check "a reboot" vmadm reboot -F "$z"
eq "begins with all seconds" "$(quota "$z")" -1
check "stop" vmadm stop -F "$z"
check "delete" vmadm delete "$z"

# ---- a zone that wants none of it has none of it ----
mkzone z plain '' || exit 1
eq "no settings" "$(ls "$NODE_RUN/$z/settings" "$NODE_RUN/$z/burst" 2>/dev/null)" ""
check "delete" vmadm delete "$z"
