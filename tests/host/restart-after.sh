#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 120
# After restart-before and an orderly restart of the machine: what ended how, and what came back by itself.
. "$(dirname "$0")/../system/lib.sh"
need_root
. "$(dirname "$0")/restart.inc"
[ -e "$keep/zones" ] || skip "restart-before did not run, or the machine did not come back with its disk"
stage
unset CLOISTER_NODE
. "$keep/zones"
trap t_exit EXIT
check_not "another boot" cmp -s "$keep/boot_id" /proc/sys/kernel/random/boot_id
echo "# it was up again $(($(date +%s) - $(cut -d. -f1 /proc/uptime) - $(cat "$keep/time"))) s after it had been told to restart"
check "cloister.service has started" await 60 systemctl is-active cloister.service
eq "no unit of ours has failed" "$(systemctl list-units --failed --plain --no-legend 'cloister*')" ""
unlike "the pool went down in order" "$(dmesg | grep -i btrfs)" 'tree-log replay|log tree|error|corrupt'
eq "autoboot: it runs" "$(vmstate "$a")" running
eq "stopped: it does not" "$(vmstate "$b")" stopped
eq "autoboot taken away: it does not" "$(vmstate "$c")" stopped
eq "autoboot: it runs" "$(vmstate "$d")" running
for u in "$a" "$d"; do check "it was ended in order, and came up" await 20 noted "$u" "up ended up"; done
eq "all limits are what they were" "$(diff "$keep/held" <(all_held "$a"))" ""
check "daemon-reload" systemctl daemon-reload
eq "and stay that" "$(diff "$keep/held" <(all_held "$a"))" ""
check "start of the one that stayed down" vmadm start "$c"
check "it too was ended in order" await 20 noted "$c" "up ended up"
# cloister-zones.service had it stopped: process 1 would only have sent it a signal
check "the zone of the other node was halted" grep -q "halt $e: halt-zone" /var/log/cloister-other/operation.log
export CLOISTER_NODE=other
check "the other node is started by hand" cloister boot
eq "its zone runs" "$(vmstate "$e")" running
check "it too was ended in order" await 20 noted "$e" "up ended up"
