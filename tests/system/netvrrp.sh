#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# A virtual router (vrrp_vrid): two NICs may be it, on two hosts of one fabric, and frames to its link address reach the one who is. Beside each stands a third zone.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.sh"
need_root
for p in python3 nsenter jq; do command -v "$p" >/dev/null || skip "needs $p"; done
node netvrrp
two_hosts "$NODE-2"
run one cloister net fabric add f0 vni=7 local=192.0.2.1 peers=192.0.2.2
[ "$RC" = 0 ] || ! grep -q 'no vxlan' <<<"$OUT" || skip "this kernel has no vxlan"
[ "$RC" = 0 ] || ! grep -q EOPNOTSUPP <<<"$OUT" || skip "this kernel has no tcx for the fabric's tunnel"
eq "a fabric" "$RC $OUT" "0 "
check "and the other host's" two cloister net fabric add f0 vni=7 local=192.0.2.2 peers=192.0.2.1

nic() { echo "\"nics\":[{\"nic_tag\":\"f0\",\"mac\":\"02:08:20:00:03:0$1\",\"ips\":[\"10.7.0.$1/24\"]${2:-}}]"; }
member=',"vrrp_vrid":7,"vrrp_primary_ip":"10.7.0.100"'
mkzone a v1 "$(nic 1 "$member")"
mkzone c v3 "$(nic 3)"
export CLOISTER_NODE=$N2
mkzone b v2 "$(nic 2 "$member")"
mkzone d v4 "$(nic 4)"
declare -A PID
for z in "$b" "$d"; do PID[$z]=$(vmadm get "$z" | jq .pid); done
export CLOISTER_NODE=$N1
for z in "$a" "$c"; do PID[$z]=$(vmadm get "$z" | jq .pid); done
of() { nsenter --target "${PID[$1]}" --net "${@:2}"; } # zone command…: in its network namespace
fails 1 'VRRP router id 7' vmadm create <<<"{\"brand\":\"joyent-minimal\",$(nic 9 "$member")}"

# As programs for VRRP do it: the virtual router's link and its address are an interface of their own.
be() {
	of "$1" sysctl -qw net.ipv4.conf.net0.arp_ignore=1
	of "$1" ip link add v7 link net0 address 00:00:5e:00:01:07 type macvlan mode bridge && of "$1" sysctl -qw net.ipv6.conf.v7.disable_ipv6=1 &&
		of "$1" ip addr add 10.7.0.100/32 dev v7 && of "$1" ip link set v7 up
}
run be "$a"
[ "$RC" = 0 ] || skip "this kernel has no macvlan: $OUT"
check "the other member too" be "$b"
# A gratuitous question, from the virtual router's link address: who takes over says so.
announce() {
	of "$1" python3 -c 'import socket
s, v, ip = socket.socket(17, 3), bytes.fromhex("00005e000107"), bytes([10, 7, 0, 100])
s.bind(("v7", 0))
s.send(b"\xff" * 6 + v + bytes.fromhex("08060001080006040001") + v + ip + b"\0" * 6 + ip)'
}
# On the virtual router's address each member answers with its name; asked is over UDP, by its link address.
cat >who.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if len(sys.argv) > 2:
    s.bind(("10.7.0.100", 7))
    print("ready", flush=True)
    while True:
        s.sendto(sys.argv[2].encode(), s.recvfrom(100)[1])
s.settimeout(float(sys.argv[1]))
for i in range(5):
    s.sendto(b"?", ("10.7.0.100", 7))
    try: print(s.recv(100).decode(), end="")
    except OSError: print("-", end="")
PY
answer() {
	setpriv --pdeathsig KILL nsenter --target "${PID[$1]}" --net python3 who.py serve "$2" >"answers-$2" 2>&1 &
	await 20 grep -q ready "answers-$2"
}
check "the first answers there" answer "$a" a
check "and the second" answer "$b" b
reaches() { # what who [seconds]: from both third zones
	local z
	for z in "$c" "$d"; do
		of "$z" ip neigh replace 10.7.0.100 lladdr 00:00:5e:00:01:07 dev net0
		eq "$1" "$(of "$z" python3 who.py "${3:-20}")" "$2$2$2$2$2"
	done
}
reaches "before anybody has announced himself it is nobody's" - 0.2
announce "$a"
reaches "the first is it" a
announce "$b"
reaches "the second takes over" b
announce "$a"
reaches "the first takes it back" a
# Whoever asks for its address is told of that link address by who has it.
of "$c" ip neigh flush all
eq "a question for its address" "$(of "$c" python3 who.py 20)" aaaaa
like "is answered with its link address" "$(of "$c" ip neigh show 10.7.0.100)" 00:00:5e:00:01:07

# ---- who may not, or may no more ----
of "$c" ip link add v7 link net0 address 00:00:5e:00:01:07 type macvlan mode bridge
of "$c" ip link set v7 up
announce "$c"
of "$c" ip link del v7
reaches "a third zone's announcement changes nothing" a
check "the first is no member any more" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:03:01","vrrp_vrid":0}]}'
announce "$a"
reaches "and gets nothing" - 0.2
announce "$b"
reaches "the second has it" b
check "the first is one again" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:03:01","vrrp_vrid":7}]}'
announce "$a"
reaches "and takes it" a
check "it ends while it is it" vmadm stop -F "$a"
announce "$b"
reaches "the second takes over from one who is gone" b
! command -v bpftool >/dev/null || eq "nothing is noted of a port that has gone" "$(bpftool map dump pinned "$NODE_RUN/net/bpf/vrrp_macs" | grep -cE '^key|"key"')" 0
check "delete" vmadm delete "$a"
check "delete" vmadm delete "$c"
export CLOISTER_NODE=$N2
for z in "$b" "$d"; do check "delete" vmadm delete "$z"; done
export CLOISTER_NODE=$N1
