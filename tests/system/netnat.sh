#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Settings of switches, the router, NAT and forwards. The host here is a pretended one: this test runs in a network namespace of
# its own, and a second one is the world outside it. Nothing touches the machine's own network.
if [ -z "${NETNAT_HOST:-}" ]; then
	. "$(dirname "$0")/lib.sh"
	need_root
	NETNAT_HOST=1 exec unshare -n "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need_root
node netnat
pool
ip link set lo up

check "an etherstub" nictagadm add -l stub0
check "another" nictagadm add -l stub1

# ---- what is refused ----
set_() { cloister net set "$@"; }
fails 1 'does not exist' set_ nope subnet=10.77.0.0/24
fails 1 '0 to 4094' set_ stub0/5000 subnet=10.77.0.0/24
fails 2 'not key=value' set_ stub0 subnet
fails 1 'no setting "subnets"' set_ stub0 subnets=10.77.0.0/24
fails 1 'Did you mean subnet' set_ stub0 subnets=10.77.0.0/24
for bad in 10.77.0.1/24 10.77.0.0 10.77.0.0/33 10.0.0.0/4 127.0.0.0/8 224.0.0.0/24 fd00::/64 x; do
	fails 1 'an IPv4 network like' set_ stub0 "subnet=$bad"
done
fails 1 'an IPv6 network like' set_ stub0 subnet6=fe80::/64
fails 1 'outside subnet' set_ stub0 subnet=10.77.0.0/24 gateway=10.78.0.1
fails 1 'broadcast' set_ stub0 subnet=10.77.0.0/24 gateway=10.77.0.255
fails 1 'needs subnet' set_ stub0 gateway=10.77.0.1
fails 1 'nat needs subnet' set_ stub0 nat=on
fails 1 'ra needs a subnet6 of 64 bits' set_ stub0 subnet6=fd00:77::/80 ra=on
fails 1 'on or off' set_ stub0 nat=maybe
fails 1 '576 to 9000' set_ stub0 mtu=100
fails 1 'at most 64 like' set_ stub0 forwards=tcp:80
fails 1 'forwards needs nat' set_ stub0 subnet=10.77.0.0/24 forwards=tcp:80=10.77.0.2:80
eq "nothing was kept" "$(cloister net get -j)" "{}"
fails 1 'has no settings' cloister net get stub0

# ---- a route of the host, another switch's subnet ----
ip link add lan0 type veth peer name lan1 && ip addr add 10.76.0.1/16 dev lan0 && ip link set lan0 up
fails 1 'this host has a route to 10.76.0.0/16 \(lan0\)' set_ stub0 subnet=10.76.3.0/24
check "unless forced" set_ -f stub0 subnet=10.76.3.0/24
check "set" set_ stub0 subnet=10.77.0.0/24 gateway= subnet6=fd00:77::/64
eq "a gateway that nobody gave is the first address" "$(cloister net get -j stub0 | jq -c '[.gateway, .gateway6]')" '["10.77.0.1","fd00:77::1"]'
fails 1 'switch stub0 has 10.77.0.0/24' set_ stub1 subnet=10.77.0.0/16
fails 1 'switch stub0 has fd00:77::/64' set_ stub1/7 subnet6=fd00:77::/96

# ---- the router ----
in_router() { nsenter --net="$NODE_RUN/net/router" "$@"; }
addrs() { in_router ip -br addr | awk '$1 ~ /^r/ {$2 = ""; sub(/@[^ ]*/, ""); print}' | sed 's/ fe80[^ ]*//; s/  */ /g' | sort; }
id=$(cloister net status -p | awk -F'\t' '$1 == "router" {print $4}')
eq "an interface with the gateways" "$(addrs)" "r${id}v0 10.77.0.1/24 fd00:77::1/64"
mkzone a n1 '"nics":[{"nic_tag":"stub0","ips":["10.77.0.2/24","fd00:77::2/64"],"gateway":"10.77.0.1","primary":true}]'
inside() { zlogin "$@" </dev/null; }
cat >ping.py <<'PY'
import os, socket, struct, sys
six = ":" in sys.argv[1]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
h = struct.pack("!BBHHH", 128 if six else 8, 0, 0, os.getpid() & 0xffff, 1) + bytes(48)
n = sum(struct.unpack("!28H", h))
n = (n >> 16) + (n & 0xffff)
s.settimeout(1)
for i in range(10):
    s.sendto(h if six else h[:2] + struct.pack("!H", ~(n + (n >> 16)) & 0xffff) + h[4:], (sys.argv[1], 0))
    try:
        while True:
            d, who = s.recvfrom(200)
            if (d[0] == 129) if six else (d[20] == 0):
                sys.exit(0)
    except socket.timeout:
        pass
sys.exit("no answer")
PY
zlogin "$a" 'cat >/root/ping.py' <ping.py
reach() { inside "$1" "python3 /root/ping.py $2"; }
check "a zone reaches its gateway" reach "$a" 10.77.0.1
check "by IPv6" reach "$a" fd00:77::1
was=$(in_router ip -o link show "r${id}v0" | cut -d: -f1)
check "set it once more" set_ stub0 domain=example.net
eq "the interface stayed" "$(in_router ip -o link show "r${id}v0" | cut -d: -f1)" "$was"
check "another gateway" set_ stub0 gateway=10.77.0.254
eq "is there" "$(addrs)" "r${id}v0 10.77.0.254/24 fd00:77::1/64"
check "a VLAN of it is another switch" set_ stub0/7 subnet=10.79.0.0/24
eq "with its own interface" "$(addrs | tail -1)" "r${id}v7 10.79.0.1/24"
check "and goes" cloister net unset stub0/7
eq "alone" "$(addrs)" "r${id}v0 10.77.0.254/24 fd00:77::1/64"
