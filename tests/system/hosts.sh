# SPDX-License-Identifier: MPL-2.0
# Hosts that are network namespaces of a test's own, with a cable (a veth pair) between two of them; to be sourced after lib.sh.
#
#	namespace; X=$NS_PID               (one that ends with this test, whatever ends it: its process's id)
#	cabled_host                        → host COMMAND…, which has up0, up, for its uplink; lan COMMAND…: what lies outside it, by l0
#	two_hosts NAME                     → one COMMAND…, two COMMAND…: each a node with a pool, the second is NAME; 192.0.2.1 and 192.0.2.2, at e0
#	hosts_end                          (and the processes that are named)

HOSTS=
namespace() {
	setpriv --pdeathsig KILL unshare -n sleep 100000 &
	NS_PID=$!
	HOSTS+=" $NS_PID"
	await 10 eval '[ "$(readlink /proc/$NS_PID/ns/net)" != "$(readlink /proc/self/ns/net)" ] && [ "$(cat /proc/$NS_PID/comm)" = sleep ]'
}
hosts_end() { # pid…
	local pid
	for pid in "$@" $HOSTS; do kill -KILL "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; done
	HOSTS=
}

host() { nsenter -t "$HOST" -n "$@"; }
lan() { nsenter -t "$LAN" -n "$@"; }
cabled_host() {
	namespace; HOST=$NS_PID
	namespace; LAN=$NS_PID
	host ip link add up0 type veth peer name l0 netns "$LAN"
	host ip link set lo up
	host ip link set up0 up
	lan ip link set l0 up
}

one() { CLOISTER_NODE=$N1 nsenter -t "$H1" -n "$@"; }
two() { CLOISTER_NODE=$N2 nsenter -t "$H2" -n "$@"; }
two_hosts() { # name
	local h
	pool
	N1=$NODE N2=$1
	another_node "$N2"
	run cloister --node "$N2" pool create --size 1G
	[ "$RC" = 0 ] || { not_ok "a pool for the other node" "$OUT"; exit 1; }
	namespace; H1=$NS_PID
	namespace; H2=$NS_PID
	one ip link add e0 type veth peer name e0 netns "$H2"
	for h in one two; do $h ip link set lo up; $h ip link set e0 up; done
	one ip addr add 192.0.2.1/24 dev e0
	two ip addr add 192.0.2.2/24 dev e0
}
