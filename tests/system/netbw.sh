#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 360
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

# Mbit/s that a zone's kernel counts as received while a command (of one that sends for longer than that) runs
meanwhile() { # receiver command…
	local to=$1 pid got
	shift
	"$@" >/dev/null 2>sender.err &
	pid=$!
	inside "$to" '/root/netbw rx net0 1' >/dev/null
	got=$(inside "$to" '/root/netbw rx net0 3' | awk '{printf "%.1f", $1 * 8 / $2 / 1e6}')
	wait "$pid"
	echo "$got"
}
flow() { # receiver sender command…
	meanwhile "$1" inside "$2" "${*:3}"
}
between() { # what value low high
	if awk -v v="$2" -v lo="$3" -v hi="$4" 'BEGIN {exit !(v >= lo && v <= hi)}'; then ok "$1 ($2)"; else not_ok "$1" "$2 is not in $3…$4"; fi
}
between "TCP, outbound" "$(flow "$b" "$a" /root/netbw tcp 10.9.0.2 1 6)" 10 23
between "TCP, inbound" "$(flow "$a" "$b" /root/netbw tcp 10.9.0.1 4 6)" 10 23
between "UDP at full speed, outbound" "$(flow "$b" "$a" /root/netbw udp 10.9.0.2 5003 1200 6)" 10 23

# ---- a zone's own tricks: more than the ceiling and what may come at once never passes ----
mac_b=02:08:20:00:00:02
between "raw frames" "$(flow "$b" "$a" /root/netbw raw net0 $mac_b 1400 6)" 8 22
between "small ones" "$(flow "$b" "$a" /root/netbw raw net0 $mac_b 60 6)" 2 22
between "broadcasts" "$(flow "$b" "$a" /root/netbw raw net0 ff:ff:ff:ff:ff:ff 1400 6)" 8 22
between "sixteen TCP streams beside a flood of UDP" "$(flow "$b" "$a" '/root/netbw udp 10.9.0.2 5003 1200 6 & /root/netbw tcp 10.9.0.2 16 6; wait')" 10 23
between "small UDP, inbound" "$(flow "$a" "$b" /root/netbw udp 10.9.0.1 5003 100 6)" 5 22
# What a zone's root is refused, and what it would come to if he were not: with all capabilities over the zone's namespaces, and no filter of calls.
fails 1 'PACKET_QDISC_BYPASS: Protocol not available' inside "$a" "/root/netbw direct net0 $mac_b 60 1"
fails 2 'Operation not permitted' inside "$a" 'tc qdisc replace dev net0 root pfifo limit 10000'
unbound() { nsenter --target "$(vmadm get "$a" | jq .pid)" --user --mount --net "$@" </dev/null; }
between "raw frames past the zone's qdiscs" "$(meanwhile "$b" unbound /root/netbw direct net0 $mac_b 1400 6)" 8 22
eq "they were sent" "$(cat sender.err)" ""
between "small ones" "$(meanwhile "$b" unbound /root/netbw direct net0 $mac_b 60 6)" 2 22
for q in 'pfifo limit 10000' 'htb default 0' 'tbf rate 900mbit burst 1m limit 100m'; do
	check "a qdisc of its own: $q" unbound tc qdisc replace dev net0 root $q
	like "it is there" "$(unbound tc qdisc show dev net0 root)" "qdisc ${q%% *} .*root"
	between "it changes nothing" "$(flow "$b" "$a" /root/netbw udp 10.9.0.2 5003 1200 6)" 8 22
done
check "away with it" unbound tc qdisc del dev net0 root

# a small packet does not wait behind large ones: as a count, not as a time
inside "$a" '/root/netbw tcp 10.9.0.2 4 5' >/dev/null 2>&1 &
pid=$!
lost=$(inside "$a" '/root/netbw probe 10.9.0.2 64 100 3' | awk '{print $2}')
le "no small packet is lost beside four streams" "${lost:-999}" 3
wait "$pid"

# ---- live ----
update() { echo "{\"update_nics\":[{\"mac\":\"02:08:20:00:00:01\",$1}]}" | vmadm update "$a"; }
classes() { nsenter --net="$NODE_RUN/net/ns" tc class show dev shaper-out0 | wc -l; }
check "another ceiling, live" update '"maxbw":50'
between "and it holds" "$(flow "$b" "$a" /root/netbw tcp 10.9.0.2 2 6)" 25 55
like "the kernel's own classes say so" "$(nsenter --net="$NODE_RUN/net/ns" tc class show dev shaper-in0)" 'root rate 50Mbit ceil 50Mbit'
check "a priority" update '"priority":"high"'
like "it is in the classes" "$(nsenter --net="$NODE_RUN/net/ns" tc class show dev shaper-out0)" 'prio 1 rate 45Mbit ceil 50Mbit'
fails 1 'would do nothing' update '"maxbw":0'
check "away with both" update '"maxbw":0,"priority":"medium"'
eq "no class is left" "$(classes)" 0
got=$(flow "$b" "$a" /root/netbw tcp 10.9.0.2 1 6)
le "without a ceiling it is faster than any it had" 60 "$got"

# ---- flows ----
fails 1 'needs transport' flowadm add-flow -z "$a" -l net0 -a local_port=80 web
fails 1 'no attribute' flowadm add-flow -z "$a" -l net0 -a colour=red web
fails 1 'has no NIC net7' flowadm add-flow -z "$a" -l net7 -a transport=tcp web
fails 1 'would do nothing' flowadm add-flow -z "$a" -l net0 -a transport=udp -p priority=high web
check "a flow of a NIC without a ceiling" flowadm add-flow -l "$a/net0" -a transport=udp,remote_port=5003 -p maxbw=10M bulk
eq "show-flow" "$(flowadm show-flow -p -o flow,proto,rport,link)" "bulk:udp:5003:$a/net0"
fails 1 'already exists' flowadm add-flow -z "$a" -l net0 -a transport=udp -p maxbw=1M bulk
fails 1 'says the same' flowadm add-flow -z "$a" -l net0 -a transport=udp,remote_port=5003 -p maxbw=1M other
between "its packets alone have a ceiling" "$(flow "$b" "$a" /root/netbw udp 10.9.0.2 5003 1200 6)" 5 11.5
between "also where they are taken apart" "$(flow "$b" "$a" /root/netbw udp 10.9.0.2 5003 8000 6)" 4 11.5
got=$(flow "$b" "$a" /root/netbw tcp 10.9.0.2 1 6)
le "others do not" 60 "$got"
check "a ceiling of the NIC above it" update '"maxbw":40'
check "another flow, with a priority" flowadm add-flow -z "$a" -l net0 -a transport=tcp,remote_port=5001 -p priority=high first
got=$(flow "$b" "$a" '/root/netbw udp 10.9.0.2 5003 1200 6 & /root/netbw tcp 10.9.0.2 4 6; wait')
between "all of them together stay below the NIC's" "$got" 20 46
sent=$(flowadm show-flow -s -p -o obytes first)
bulk=$(flowadm show-flow -s -p -o obytes bulk)
le "who has priority sent more" "$bulk" "$sent"
check "set-flowprop" flowadm set-flowprop -p maxbw=5M bulk
eq "show-flowprop" "$(flowadm show-flowprop -c -o property,value -p maxbw bulk)" "maxbw:5M"
between "and it holds" "$(flow "$b" "$a" /root/netbw udp 10.9.0.2 5003 1200 6)" 2 5.8
fails 1 'has the flow' vmadm update "$a" <<<'{"remove_nics":["02:08:20:00:00:01"]}'

# after a boot it is as it was
check "stop" vmadm stop "$a" -F
eq "no class of it is left" "$(classes)" 0
check "set-flowprop while it is down" flowadm set-flowprop -p maxbw=8M bulk
check "start" vmadm start "$a"
between "the flow is back" "$(flow "$b" "$a" /root/netbw udp 10.9.0.2 5003 1200 6)" 4 9.2
check "reset-flowprop" flowadm reset-flowprop -p maxbw bulk
check "remove-flow" flowadm remove-flow -z "$a" all
eq "none is left" "$(flowadm show-flow)" ""
fails 1 'does not exist' flowadm remove-flow bulk
like "the NIC's ceiling stays" "$(nsenter --net="$NODE_RUN/net/ns" tc class show dev shaper-out0)" 'root rate 40Mbit'

# both have one: first the sender's, then the receiver's
check "the other has one too" eval 'echo "{\"update_nics\":[{\"mac\":\"$mac_b\",\"maxbw\":15}]}" | vmadm update "$b"'
between "the lower one counts" "$(flow "$b" "$a" /root/netbw tcp 10.9.0.2 2 6)" 7 17

# who has net_admin may do what he likes in there
check "net_admin" vmadm update "$a" limit_priv=default,net_admin
check "from its next boot on" vmadm reboot "$a" -F
check "a zone's root sets a qdisc" inside "$a" 'tc qdisc replace dev net0 root pfifo limit 10000'
like "it is there" "$(inside "$a" 'tc qdisc show dev net0 root')" 'qdisc pfifo .*limit 10000p'
between "it changes nothing: UDP" "$(flow "$b" "$a" /root/netbw udp 10.9.0.2 5003 1200 6)" 5 17
between "raw frames" "$(flow "$b" "$a" /root/netbw raw net0 $mac_b 1400 6)" 5 17
for z in "$a" "$b"; do check "delete" vmadm delete "$z"; done
eq "nothing is left" "$(classes)" 0
