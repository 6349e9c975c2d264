#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Bandwidth: a ceiling holds in both directions, by the receiving kernel's own counters, whatever a zone tries; flows below it.
. "$(dirname "$0")/lib.sh"
need_root
node netbw
pool

inside() { zlogin "$@" </dev/null; }
check "an etherstub" nictagadm add -l stub0
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"interface\":\"net0\",\"mac\":\"02:08:20:00:00:0$1\",\"ips\":[\"10.9.0.$1/24\"]${2:+,$2}}]"; }
mkzone a n1 "$(nic 1 '"maxbw":20,"allow_restricted_traffic":true')"
mkzone b n2 "$(nic 2)"
for z in "$a" "$b"; do zlogin "$z" 'cat >/root/netbw; chmod 755 /root/netbw' <"$T_BUILD/tests/system/netbw"; done
serve() { # zone
	: >"ready.$1"
	inside "$1" '/root/netbw serve' >"ready.$1" 2>&1 &
	await 20 grep -q ready "ready.$1"
}
serve "$a"; serve "$b"

# Mbit/s that a zone's kernel counts as received while another one sends for longer than that
flow() { # receiver sender command…
	local to=$1 from=$2 pid got
	shift 2
	inside "$from" "$*" >/dev/null 2>&1 &
	pid=$!
	inside "$to" '/root/netbw rx net0 1' >/dev/null
	got=$(inside "$to" '/root/netbw rx net0 3' | awk '{printf "%.1f", $1 * 8 / $2 / 1e6}')
	wait "$pid"
	echo "$got"
}
between() { # what value low high
	if awk -v v="$2" -v lo="$3" -v hi="$4" 'BEGIN {exit !(v >= lo && v <= hi)}'; then ok "$1 ($2)"; else not_ok "$1" "$2 is not in $3…$4"; fi
}
between "TCP, outbound" "$(flow "$b" "$a" /root/netbw tcp 10.9.0.2 1 6)" 10 23
between "TCP, inbound" "$(flow "$a" "$b" /root/netbw tcp 10.9.0.1 4 6)" 10 23
between "UDP at full speed, outbound" "$(flow "$b" "$a" /root/netbw udp 10.9.0.2 5003 1200 6)" 10 23
