#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 600
# SIGKILL before and after every step of create, start, stop, update and delete of a VM with NICs: the next command leaves nothing of it
# in the switch (ports, links, maps, shaper classes, firewall) and in the database (leases, addresses taken), and a VM that is there works.
. "$(dirname "$0")/lib.sh"
need_root
node netsteps
pool
for p in nsenter ip tc nft; do command -v "$p" >/dev/null || skip "needs $p"; done

check "an etherstub" nictagadm add -l stub0
check "with leases" cloister net set stub0 subnet=10.77.0.0/24 dhcp=on
check "a rule for all" fwadm add -g -e 'FROM any TO all vms ALLOW tcp PORT 7'
mkzone b other '"autoboot":true,"nics":[{"nic_tag":"stub0","ips":["10.77.0.200/24"]}]'

in_switch() { nsenter --net="$NODE_RUN/net/ns" "$@"; }
sql() { python3 - "$NODE_STATE/node.db" "$@" <<'P'; }
import sqlite3, sys
d = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
for row in d.execute(sys.argv[2]):
    print(*row)
P
map() { ! command -v bpftool >/dev/null || echo "$1 $(bpftool map dump pinned "$NODE_RUN/net/bpf/$1" 2>/dev/null | grep -cE '^key|"key"')"; }
inventory() {
	echo "ports $(cloister net status -p | wc -l)"
	in_switch ip -o link show | grep -oE 'z[0-9]+n[0-9]+' | sort -u
	for w in shaper-out0 shaper-in0; do echo "$w $(in_switch tc class show dev $w 2>/dev/null | wc -l)"; done
	for m in ports fdb neighbours addrs flood counters blocked fw_zones fw_sets shapes shape_flows shape_slots; do map $m; done
	ls "$NODE_RUN/net" | grep -E '^[0-9a-f-]{36}$'
	sql "SELECT kind, name FROM netobj WHERE kind NOT IN ('fwrule') ORDER BY 1, 2" | grep -v " nextfree"
	flowadm show-flow -p -o flow
}
clean=$(inventory)
like "an inventory" "$clean" '^ports 2'

steps_of() { sed -nE "s/^[a-z-]+ [0-9a-f-]{36}: ([a-z-]+) +[0-9.]+ ms$/\1/p" <<<"$1" | sort -u; }
nics='"nics":[{"nic_tag":"stub0","mac":"02:08:20:00:07:01","ips":["dhcp"],"maxbw":50,"blocked_outgoing_ports":["25"],"allowed_ips":["10.78.0.0/24"]},{"nic_tag":"stub0","mac":"02:08:20:00:07:02","ips":["10.77.0.201/24","10.77.0.202/24","10.77.0.203/24","10.77.0.204/24","10.77.0.205/24","fd00:77::1/64"]}],"firewall_enabled":true,"tags":{"role":"x"}'
json() { echo "{\"brand\":\"joyent-minimal\",\"alias\":\"victim\",\"uuid\":\"$1\",$nics}"; }
number=0
fresh() { number=$((number + 1)); printf -v u '22222222-2222-4333-8444-%012d' $number; }
# Any next command that changes something clears up.
next() {
	vmadm create <<<'{"brand":"joyent-minimal","alias":"next","nics":[{"nic_tag":"stub0","mac":"02:08:20:00:07:01","ips":["10.77.0.201/24"]}]}' >next.out 2>&1 ||
		not_ok "$1: its link address and address are free" "$(cat next.out)"
	vmadm delete next >/dev/null 2>&1
}
nothing() { # where
	await 10 eval '[ "$(inventory)" = "$clean" ]'
	eq "$1: nothing is left" "$(diff <(echo "$clean") <(inventory))" ""
}
# It has its addresses, its ceiling and its firewall.
whole() { # where
	check "$1: it has its leased address" await 10 eval 'zlogin "$u" "ip -4 -o addr show dev net0" </dev/null | grep -q "10\.77\.0\."'
	eq "$1: and its ceiling" "$(in_switch tc class show dev shaper-out0 | grep -c "root rate ${2:-50}Mbit")" 1
	eq "$1: three ports and the router's" "$(cloister net status -p | wc -l)" 4
}

fresh
out=$(vmadm -v create <<<"$(json "$u")" 2>&1)
create=$(steps_of "$out" | grep -E '^(create|boot)-')
check "there are steps to kill at" test "$(wc -l <<<"$create")" -ge 9
whole "made"
out=$(vmadm -v update "$u" <<<'{"update_nics":[{"mac":"02:08:20:00:07:01","maxbw":60}]}' 2>&1)
update=$(steps_of "$out" | grep '^update-')
out=$(vmadm -v stop "$u" -F 2>&1; vmadm -v start "$u" 2>&1)
start=$(steps_of "$out" | grep '^boot-')
out=$(vmadm -v delete "$u" 2>&1)
delete=$(steps_of "$out" | grep '^delete-')
nothing "deleted"
inner="nic-link nic-program nic-flood nic-port nic-up shape-classes"

for s in $create $inner; do
	for at in "$s" "$s+"; do
		case $s in nic-* | shape-*) [ "$at" = "$s" ] || continue ;; esac
		fresh
		CLOISTER_FAIL="$at:kill" vmadm create <<<"$(json "$u")" >/dev/null 2>&1
		# one that is there already keeps what is its own
		vmadm get "$u" >/dev/null 2>&1 || next "create killed at $at"
		vmadm delete "$u" >/dev/null 2>&1
		vmadm update "$b" "alias=other$number" >/dev/null 2>&1
		nothing "create killed at $at"
	done
	fresh
	CLOISTER_FAIL="$s:error" vmadm create <<<"$(json "$u")" >/dev/null 2>&1
	vmadm get "$u" >/dev/null 2>&1 && vmadm delete "$u" >/dev/null 2>&1
	nothing "create failing at $s"
done

fresh
vmadm create <<<"$(json "$u")" >/dev/null 2>&1
check "a flow" flowadm add-flow -z "$u" -l net0 -a transport=udp -p maxbw=1M bulk
for s in $start $inner; do
	for at in "$s" "$s+"; do
		case $s in nic-* | shape-*) [ "$at" = "$s" ] || continue ;; esac
		vmadm stop "$u" -F >/dev/null 2>&1
		CLOISTER_FAIL="$at:kill" vmadm start "$u" >/dev/null 2>&1
		check "start killed at $at: the next start works" vmadm start "$u"
		whole "start killed at $at"
	done
done
for s in stop-killed halt-end nic-flood shape-flag shape-forget nic-forget; do
	CLOISTER_FAIL="$s:kill" vmadm stop "$u" -F >/dev/null 2>&1
	# it runs until its last process has ended, and a start would say so
	await 10 eval '[ "$(vmstate "$u")" != running ]'
	check "stop killed at $s: the next start works" vmadm start "$u"
	whole "stop killed at $s"
done
for s in $update; do
	for at in "$s" "$s+"; do
		CLOISTER_FAIL="$at:kill" vmadm update "$u" >/dev/null 2>&1 <<<'{"update_nics":[{"mac":"02:08:20:00:07:01","maxbw":70}],"add_nics":[{"nic_tag":"stub0","mac":"02:08:20:00:07:03","ips":["dhcp"],"maxbw":5}],"remove_nics":["02:08:20:00:07:02"]}'
		n=$(vmadm get "$u" | jq '.nics | length')
		rate=$(vmadm get "$u" | jq '.nics[0].maxbw')
		like "update killed at $at: before or after" "$n $rate" '^2 [57]0$'
		check "another command" vmadm update "$u" "alias=victim$RANDOM"
		vmadm update "$u" >/dev/null 2>&1 <<<"{\"update_nics\":[{\"mac\":\"02:08:20:00:07:01\",\"maxbw\":50}]$(vmadm get "$u" | jq -e '.nics[] | select(.mac == "02:08:20:00:07:03")' >/dev/null && echo ',"remove_nics":["02:08:20:00:07:03"],"add_nics":[{"nic_tag":"stub0","mac":"02:08:20:00:07:02","ips":["10.77.0.201/24","10.77.0.202/24","10.77.0.203/24","10.77.0.204/24","10.77.0.205/24","fd00:77::1/64"]}]')}"
		whole "update killed at $at, and put back"
	done
done
check "delete" vmadm delete "$u"
nothing "after it"

for s in $delete nic-forget nic-flood shape-flag shape-forget; do
	for at in "$s" "$s+"; do
		case $s in nic-* | shape-*) [ "$at" = "$s" ] || continue ;; esac
		fresh
		vmadm create <<<"$(json "$u")" >/dev/null 2>&1
		CLOISTER_FAIL="$at:kill" vmadm delete "$u" >/dev/null 2>&1
		vmadm update "$b" "alias=other$number" >/dev/null 2>&1
		! vmadm get "$u" >/dev/null 2>&1 || vmadm delete "$u" >/dev/null 2>&1
		next "delete killed at $at"
		nothing "delete killed at $at"
	done
done
check "delete" vmadm delete "$b"
