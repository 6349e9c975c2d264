#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 120
# The default node on a machine of its own, as a user has it: units enabled, zones with autoboot and without. The machine
# then restarts in order, and restart-after looks at what came back.
. "$(dirname "$0")/../system/lib.sh"
need_root
grep -qw process1=systemd /proc/cmdline || skip "not in the test host, or systemd is not process 1: the default node is left alone"
stage
unset CLOISTER_NODE
. "$(dirname "$0")/restart.inc"
trap t_exit EXIT
mkdir -p "$keep"
check "a pool" cloister pool create --size 2G
check "cloister.service is enabled and starts" systemctl enable --now cloister.service
check "zones' unit runs" systemctl is-active cloister-zones.service
mkzone a auto "$limits"',"autoboot":true' || exit 1
mkzone b stopped '"autoboot":true' || exit 1
mkzone c once '"autoboot":true' || exit 1
mkzone d slow '"autoboot":true' || exit 1
check "limits are there" test "$(all_held "$a" | wc -l)" -ge 10
all_held "$a" >"$keep/held"
for u in "$a" "$c" "$d"; do check "a service that notes when it ends" noting "$u"; done
for u in "$a" "$c" "$d"; do check "it runs" await 20 noted "$u" up; done
check "b is stopped, which takes its autoboot" vmadm stop "$b" -F
check "c runs, but is not to come back" vmadm update "$c" autoboot=false
# A login at work does not hold the machine up.
setsid zlogin "$d" 'trap "" TERM HUP; sleep 4242' </dev/null >/dev/null 2>&1 &
check "a login that does not want to go" await 20 pgrep -f 'sleep 424[2]'
# A node that no unit knows: nobody starts it, but its zones end in order too.
export CLOISTER_NODE=other
check "another node's pool" cloister pool create --size 1G
mkzone e elsewhere '"autoboot":true' || exit 1
check "a service that notes when it ends" noting "$e"
check "it runs" await 20 noted "$e" up
unset CLOISTER_NODE
declare -p a b c d e >"$keep/zones"
cp /proc/sys/kernel/random/boot_id "$keep/boot_id"
date +%s >"$keep/time"
sync
