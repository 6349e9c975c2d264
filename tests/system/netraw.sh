#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Raw frames against each rule of link protection, and their twins that pass when the NIC has the property: from a zone, in pieces
# (as a packet socket's ring sends them), and from a tap, with the program attached by each way there is.
. "$(dirname "$0")/lib.sh"
need_root
node "netraw${NET_ATTACH:-}"
[ -z "${NET_ATTACH:-}" ] || { mkdir -p "$NODE_ETC" && echo "net_attach=$NET_ATTACH" >"$NODE_ETC/node.conf"; } # netrawtcx.sh
for p in python3 nsenter; do command -v "$p" >/dev/null || skip "needs $p"; done
pool

check "an etherstub" nictagadm add -l stub0
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"interface\":\"net0\",\"mac\":\"02:08:20:00:00:0$1\",\"ips\":[\"10.0.0.$1/24\",\"fd00::$1/64\"]}]"; }
mkzone a n1 "$(nic 1)"
mkzone b n2 "$(nic 2)"
like "which way the program stands before the ports" "$(cloister net status)" "^switch: eBPF by ${NET_ATTACH:-clsact}\$"

# Frames in hexadecimal, one on a line: sent by send() or by a ring, said back as they arrive.
cat >raw.py <<'PY'
import mmap, socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3) if sys.argv[1] == "take" else 0)
s.bind(("net0", 3 if sys.argv[1] == "take" else 0))
send = s.send
if sys.argv[1] == "ring":
    s.setsockopt(263, 13, struct.pack("IIII", 4096, 1, 2048, 2))  # PACKET_TX_RING: two slots of 2048 bytes
    ring, slot = mmap.mmap(s.fileno(), 4096), 0
    def send(b):
        global slot
        at, slot = 2048 * slot, 1 - slot
        ring[at + 32:at + 32 + len(b)] = b
        ring[at:at + 16] = struct.pack("LII", 1, len(b), len(b))
        s.send(b"")
print("ready", flush=True)
if sys.argv[1] == "take":
    while True:
        b, who = s.recvfrom(2048)
        if who[2] != socket.PACKET_OUTGOING:
            print(b.hex(), flush=True)
for line in sys.stdin:
    send(bytes.fromhex(line))
    print("-", flush=True)
PY
zlogin "$a" 'cat >/root/raw.py' <raw.py
of() { nsenter --target "$(vmadm get "$1" | jq .pid)" --net "${@:2}"; } # zone command…: in its network namespace
of "$b" python3 raw.py take >taken 2>&1 &
taker=$!
check "the neighbour takes what comes" await 20 grep -q ready taken

# A frame of the corpus: file, title.
frame() {
	awk -v t="# $2" '$0 == t {on = 1; next} on && /^$/ {exit} on {sub(/#.*/, ""); printf "%s", $0} END {print ""}' "$T_SRC/tests/fuzz/corpus/switch/$1" | tr -d ' '
}
dropped() { cloister net status -p | awk -F'\t' -v z="$a" '$1 == z {print $10}'; }
# Sends it, and a datagram behind it that passes whatever the NIC may do; what has come before that one has come.
number=0
sent() { # frame → GOT: 1 if it arrived; WHY: the reason if it was dropped
	local was now mark reply
	number=$((number + 1))
	mark=$(printf '02082000000202082000000108004500002000000000401100000a0000010a000002270f270f000c0000%08x' $number)
	was=$(dropped)
	printf '%s\n' "$1" >&"${to[1]}"
	read -rt 20 WHY <&"${to[0]}"
	printf '%s\n' "$mark" >&"${to[1]}"
	read -rt 20 reply <&"${to[0]}"
	await 10 grep -q "^$mark" taken || not_ok "frames arrive" "not the one behind $1"
	GOT=$(sed -n "/$(printf '%08x' $((number - 1)))\$/,\$p" taken | grep -c "^$1")
	now=$(dropped)
	# a sender that does not say it has the counters of the zone's port
	[ "$WHY" != none ] || WHY=
	[ "$WHY" != - ] || WHY=$(diff <(tr , '\n' <<<"$was") <(tr , '\n' <<<"$now") | sed -n 's/^> \(.*\)=.*/\1/p' | tr '\n' ' ')
	WHY=${WHY% }
}

# What may not be sent: file, title, why | properties with which it may, "-": none.
cat >rules <<'EOF'
ethernet|another's MAC|mac-nospoof|"allow_mac_spoofing":true
ethernet|of the virtual router 7|mac-nospoof|"vrrp_vrid":7,"vrrp_primary_ip":"10.0.0.101"
arp|another's MAC|arp|"allow_mac_spoofing":true
nd|another's MAC|nd|"allow_mac_spoofing":true
nd|who has, with another's MAC|nd|"allow_mac_spoofing":true
nd|another's MAC in the second option|nd|"allow_mac_spoofing":true
nd|another's MAC in the fifth option|nd|"allow_mac_spoofing":true
arp|the virtual router answers|mac-nospoof|"vrrp_vrid":7,"vrrp_primary_ip":"10.0.0.101"
arp|another's address|arp|"allow_ip_spoofing":true
arp|an answer from nobody|arp|"allow_ip_spoofing":true
arp|claims the neighbour's|arp|"allow_ip_spoofing":true
ipv4|another's address|ip-nospoof|"allow_ip_spoofing":true
ipv4|a last one of another's|ip-nospoof|"allow_ip_spoofing":true
ipv4|from nobody|ip-nospoof|"allow_ip_spoofing":true
ipv6|from another's|ip6-nospoof|"allow_ip_spoofing":true
ipv6|from another's link-local address|ip6-nospoof|"allow_ip_spoofing":true
ipv6|formed of its MAC|ip6-nospoof|"allow_ip_spoofing":true
ipv6|from nobody|ip6-nospoof|"allow_ip_spoofing":true
nd|another's address|nd|"allow_ip_spoofing":true
nd|is another's free|nd|"allow_ip_spoofing":true
nd|another's address behind options|nd|"allow_ip_spoofing":true
nd|another's address behind three headers|nd|"allow_ip_spoofing":true
ipv4|another's address|ip-nospoof|"allowed_ips":["10.0.0.3","10.1.0.0/24","fd00::3","fd01::/64"]
ipv4|of a prefix|ip-nospoof|"allowed_ips":["10.0.0.3","10.1.0.0/24","fd00::3","fd01::/64"]
arp|another's address|arp|"allowed_ips":["10.0.0.3","10.1.0.0/24","fd00::3","fd01::/64"]
ipv6|from another's|ip6-nospoof|"allowed_ips":["10.0.0.3","10.1.0.0/24","fd00::3","fd01::/64"]
ipv6|of a prefix|ip6-nospoof|"allowed_ips":["10.0.0.3","10.1.0.0/24","fd00::3","fd01::/64"]
dhcp|discover|ip-nospoof|"allow_dhcp_spoofing":true
dhcp|an offer|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|an offer from a port of no server|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|IPv6: advertise|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|IPv6: a reply from a port of no server|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|IPv6: an advertise behind options|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|IPv6: an advertise in a fragment|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|in two parts, the first|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|in two parts, the first too small|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|of another kind of link|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|of a longer link address|dhcp-nospoof|"allow_dhcp_spoofing":true
dhcp|no question|dhcp-nospoof|"allow_dhcp_spoofing":true
ipv4|another's address|ip-nospoof|"allow_dhcp_spoofing":true
nd|there is one|ra|"allow_dhcp_spoofing":true
nd|there is one, behind options|ra|"allow_dhcp_spoofing":true
nd|there is one, behind hop by hop and options|ra|"allow_dhcp_spoofing":true
nd|a redirect|ra|"allow_dhcp_spoofing":true
dhcp|an offer|dhcp-nospoof|"dhcp_server":true
ethernet|LLDP|restricted|"allow_restricted_traffic":true
ethernet|a BPDU in 802.2|restricted|"allow_restricted_traffic":true
ethernet|from a group|mac-nospoof|-
ethernet|a VLAN tag before IPv4|vlan-tag|-
ethernet|a service tag|vlan-tag|-
arp|the same as of type 6, which Linux takes|arp|-
arp|of another operation|arp|-
ipv4|a first one without ports|fragment|-
ipv4|one over TCP's flags|fragment|-
ipv6|one over TCP's flags|fragment|-
ipv6|seven headers|fragment|-
ipv6|a first one that ends in a header|fragment|-
ipv6|a later one from nobody|ip6-nospoof|-
nd|another's address in a fragment|fragment|-
nd|there is one, in a fragment|fragment|-
nd|from farther away|nd|-
nd|an option of no length|nd|-
EOF
# What may always; the second only where the port is not blocked.
cat >honest <<'EOF'
ethernet|IPv4 in its own name
ethernet|VXLAN, which is a datagram like others
arp|it is mine
arp|an answer
arp|is mine free
ipv4|TCP
ipv4|options: a recorded route
ipv4|a first fragment
ipv4|a last one
ipv4|to a group
ipv6|UDP
ipv6|from its link-local address
ipv6|hop by hop, routing, destination
ipv6|authenticated
ipv6|a first fragment
ipv6|a later one
ipv6|a report of its groups, from nobody
dhcp|renewal
dhcp|IPv6: solicit
nd|who has
nd|is mine free
nd|it is mine
nd|is there a router
EOF
update() { echo "{\"update_nics\":[{\"mac\":\"02:08:20:00:00:01\",$1}]}" | vmadm update "$a"; }
plain='"allow_mac_spoofing":false,"allow_ip_spoofing":false,"allow_dhcp_spoofing":false,"dhcp_server":false,"allow_restricted_traffic":false,"allowed_ips":[],"blocked_outgoing_ports":[]'

refused() { # from what file title why
	sent "$(frame "$3" "$4")"
	eq "S24 $1: $2 is dropped" "$GOT $WHY" "0 $5"
}
allowed() { # from what file title
	sent "$(frame "$3" "$4")"
	eq "$1: $2 passes" "$GOT $WHY" "1 "
}
each() { # from
	local f t w p
	while IFS='|' read -r f t w p; do refused "$1" "$f, $t" "$f" "$t" "$w"; done < <(sort -u -t'|' -k1,2 rules)
	while IFS='|' read -r f t; do allowed "$1" "$f, $t" "$f" "$t"; done <honest
	while IFS= read -r p; do
		check "$p" update "$p"
		while IFS='|' read -r f t w _; do allowed "$1, so" "$f, $t" "$f" "$t"; done < <(grep -F "|$p" rules)
		case $p in *vrrp*) continue ;; esac
		check "and back" update "$plain"
	done < <(cut -d'|' -f4 rules | grep -v '^-$' | sort -u | grep -v vrrp)
	check "in another's name, where only addresses may be any" update '"allow_ip_spoofing":true'
	refused "$1" "a client of DHCP in another's name" dhcp "in another's name" dhcp-nospoof
	check "and nothing else" update "$plain"
	allowed "$1" "TCP to port 25" ipv4 "TCP to a blocked port"
	check "blocked" update '"blocked_outgoing_ports":["25"]'
	refused "$1" "TCP to port 25" ipv4 "TCP to a blocked port" blocked-port
	refused "$1" "the same by IPv6" ipv6 "TCP to a blocked port" blocked-port
	check "and open" update "$plain"
	# the last one: a NIC keeps its virtual router
	check "a virtual router" update '"vrrp_vrid":7,"vrrp_primary_ip":"10.0.0.101"'
	while IFS='|' read -r f t _; do allowed "$1, so" "$f, $t" "$f" "$t"; done < <(grep vrrp rules)
	check "none" update '"vrrp_vrid":0'
}

from() { # what command…
	coproc to { "${@:2}" 2>sender.err; }
	local pid=$to_PID line
	read -rt 20 line <&"${to[0]}"
	eq "frames from $1" "${line:-$(cat sender.err)}" ready
	each "$1"
	exec {to[1]}>&-
	wait "$pid" 2>/dev/null
}
from "a zone" zlogin "$a" 'exec python3 /root/raw.py packet'
from "a ring" of "$a" python3 raw.py ring
if [ -c /dev/net/tun ]; then
	from "a tap" "$T_BUILD/tests/system/netraw" "$(awk 'END {print $1}' "$NODE_RUN/net/$a")"
else
	skip_check "frames from a tap" "no /dev/net/tun"
fi
kill "$taker" 2>/dev/null
for z in "$a" "$b"; do check "delete" vmadm delete "$z"; done
