#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Settings of switches, the router, NAT and forwards. The host here is a pretended one: this test runs in a network namespace of
# its own, and a second one is the world outside it. Nothing touches the machine's own network.
if [ -z "${NETNAT_HOST:-}" ]; then
	. "$(dirname "$0")/lib.sh"
	need_root
	NETNAT_HOST=1 exec unshare -n bash "$0" "$@"
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
for i in range(int(sys.argv[2]) if len(sys.argv) > 2 else 10):
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
reach() { inside "$1" "python3 /root/ping.py $2 ${3:-}"; }
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

# ---- NAT ----
# the world: 198.51.100.0/24, in which the host is .1, its router and everybody else .254
unshare -n sleep 600 &
world=$!
PIDS=("$world")
# none of them outlives the test
trap 'rc=$?; kill "${PIDS[@]}" 2>/dev/null; (exit $rc); t_exit' EXIT
outside() { nsenter -t "$world" -n "$@"; }
await 5 outside true
ip link add wan0 type veth peer name wan1 && ip link set wan1 netns "$world"
ip addr add 198.51.100.1/24 dev wan0 && ip link set wan0 up && ip route add default via 198.51.100.254
outside sh -c 'ip link set lo up; ip addr add 198.51.100.254/24 dev wan1; ip link set wan1 up'
cat >serve.py <<'PY'
import socket, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", int(sys.argv[1])))
s.listen(50)
print("ready", flush=True)
while True:
    c, who = s.accept()
    c.sendall((sys.argv[2] + " " + who[0] + "\n").encode())
    c.close()
PY
cat >ask.py <<'PY'
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), int(sys.argv[3]) if len(sys.argv) > 3 else 5)
s.settimeout(5)
print(s.makefile().readline().strip())
PY
zlogin "$a" 'cat >/root/ask.py' <ask.py
zlogin "$a" 'cat >/root/serve.py' <serve.py
ask() { inside "$1" "python3 /root/ask.py $2 $3 ${4:-}" 2>&1 | tail -1; }
no_ask() { ask "$@" 2; } # where no answer is expected: with time for a packet that was lost to go once more
serve() { # log command…
	local log=$1
	shift
	: >"$log"
	"$@" >"$log" 2>&1 &
	PIDS+=($!)
	await 20 grep -q ready "$log"
}
serve out.log nsenter -t "$world" -n python3 serve.py 80 outside
serve own.log python3 serve.py 81 host
unlike "without nat nothing gets out" "$(no_ask "$a" 198.51.100.254 80)" outside
check "gateway of the router" set_ stub0 gateway=10.77.0.1
tables() { nft list tables | sort; }
forwarding() { cat /proc/sys/net/ipv4/conf/{wan0,lan0,all}/forwarding | tr '\n' ' '; }
was=$(tables; forwarding)
check "nat" set_ stub0 nat=on
eq "a table of ours at the host" "$(tables)" "table inet cloister_${NODE//-/_}"
eq "the host forwards where its default route is, nothing else" "$(forwarding)" "1 0 0 "
like "status" "$(cloister net status)" '^nat: by cloister[0-9a-f]{6}; nothing of this host'
eq "a zone reaches the world, as the host" "$(ask "$a" 198.51.100.254 80)" "outside 198.51.100.1"
unlike "S27 but nothing of the host's own" "$(no_ask "$a" 198.51.100.1 81)" '^host'
unlike "S27 by no address of it" "$(no_ask "$a" 10.76.0.1 81)" '^host'
check "the gateway answers" reach "$a" 10.77.0.1
check "another switch with nat" set_ stub1 subnet=10.78.0.0/24 nat=on
mkzone b n2 '"nics":[{"nic_tag":"stub1","ips":["10.78.0.2/24"],"gateway":"10.78.0.1","primary":true}]'
zlogin "$b" 'cat >/root/ask.py' <ask.py
zlogin "$b" 'cat >/root/ping.py' <ping.py
zlogin "$b" 'cat >/root/serve.py' <serve.py
eq "is there too" "$(ask "$b" 198.51.100.254 80)" "outside 198.51.100.1"
serve zone.log inside "$a" "python3 /root/serve.py 80 zone-a"
unlike "S27 zones of two switches don't meet in the router" "$(no_ask "$b" 10.77.0.2 80)" zone-a
check_not "S27 nor does one reach the other's gateway" reach "$b" 10.77.0.1 3

# ---- forwards ----
from_world() { outside python3 ask.py 198.51.100.1 "$1" 2>&1 | tail -1; }
fails 1 'is there twice' set_ stub0 forwards=tcp:8080=10.77.0.2:80,tcp:198.51.100.1:8080=10.77.0.2:81
fails 1 'outside the subnet' set_ stub0 forwards=tcp:8080=10.78.0.2:80
fails 1 'a program of this host waits at tcp:81' set_ stub0 forwards=tcp:81=10.77.0.2:80
check "forwards" set_ stub0 forwards=tcp:8080=10.77.0.2:80,tcp:10.76.0.1:8081=n1:80,tcp:8082=later:80
like "one to a VM that there is not is told" "$OUT" 'tcp:8082 goes nowhere for now'
eq "the world reaches the zone, which sees who it is" "$(from_world 8080)" "zone-a 198.51.100.254"
like "on the address that was given alone" "$(from_world 8081)" 'refused'
like "the host reaches it as well" "$(python3 ask.py 198.51.100.1 8080 2>&1)" '^zone-a'
like "by name" "$(python3 ask.py 10.76.0.1 8081 2>&1)" '^zone-a'
fails 1 'switch stub0 has tcp:8080' set_ stub1 forwards=tcp:8080=10.78.0.2:80
mkzone d later '"nics":[{"nic_tag":"stub0","ips":["10.77.0.9/24"],"gateway":"10.77.0.1","primary":true}]'
zlogin "$d" 'cat >/root/serve.py' <serve.py
serve zone.log inside "$d" "python3 /root/serve.py 80 zone-d"
eq "to a VM by name, from its boot on" "$(from_world 8082)" "zone-d 198.51.100.254"
check "with the VM it goes" vmadm delete "$d"
like "and leads nowhere" "$(from_world 8082)" 'refused'

# ---- a default route that comes later ----
ip route del default
echo 0 >/proc/sys/net/ipv4/conf/wan0/forwarding
like "status" "$(cloister net status)" 'no default route'
ip route add default via 198.51.100.254
like "and when it goes by another interface" "$(cloister net status)" 'forwarding of wan0 is off'
check "a VM that boots" vmadm reboot "$b" -F
eq "has it" "$(ask "$b" 198.51.100.254 80)" "outside 198.51.100.1"

# ---- a host that drops what it forwards, as with Docker ----
nft 'table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }'
unlike "nothing gets through then" "$(no_ask "$a" 198.51.100.254 80)" outside
check "set says so" set_ stub0 domain=example.org
like "what drops" "$OUT" 'this host drops what it forwards \(chain FORWARD of table ip filter\): nft insert rule'
remedy=$(cloister net status | sed -n 's/^nat: this host drops.*): //p')
check "what status tells to do" bash -ec "$remedy"
eq "helps" "$(ask "$a" 198.51.100.254 80)" "outside 198.51.100.1"
eq "for forwards too" "$(from_world 8080)" "zone-a 198.51.100.254"
like "and status knows" "$(cloister net status)" 'nothing of this host is known'
nft delete table ip filter

# ---- flush ruleset, with which many an /etc/nftables.conf begins ----
nft flush ruleset
like "status" "$(cloister net status)" 'table inet .* is not there'
like "S27 open meanwhile" "$(ask "$a" 10.76.0.1 81)" '^host'
check "the next boot of a VM" vmadm reboot "$b" -F
eq "brings the table back" "$(tables)" "table inet cloister_${NODE//-/_}"
unlike "S27 and with it what it keeps from zones" "$(no_ask "$a" 10.76.0.1 81)" '^host'
eq "out" "$(ask "$a" 198.51.100.254 80)" "outside 198.51.100.1"
eq "and in" "$(from_world 8080)" "zone-a 198.51.100.254"

# ---- beside ufw itself, and what Docker writes by iptables ----
told() { cloister net status | sed -n 's/^nat: this host drops.*): //p'; }
beside() { # name, what the remedy has to be
	unlike "$1: nothing gets through" "$(no_ask "$a" 198.51.100.254 80)" outside
	like "$1: status says what would" "$(told)" "$2"
	check "$1: as status says" bash -ec "$(told)"
	eq "$1: out" "$(ask "$a" 198.51.100.254 80)" "outside 198.51.100.1"
	eq "$1: and in" "$(from_world 8080)" "zone-a 198.51.100.254"
	unlike "$1: S27 nothing of the host's own" "$(no_ask "$a" 198.51.100.1 81)" '^host'
	like "$1: status" "$(cloister net status)" 'nothing of this host is known'
}
if command -v ufw >/dev/null; then
	cp -a /etc/ufw ufw.etc
	# its settings and locks are this test's; its rules go into the namespace that stands for the host
	ufw() { unshare -m sh -c 'mount --bind "$1/ufw.etc" /etc/ufw && mount -t tmpfs none /run && shift && exec timeout 60 /usr/sbin/ufw "$@"' - "$HERE" "$@"; }
	HERE=$PWD
	export HERE
	export -f ufw
	check "ufw" ufw --force enable
	check "which knows the forwarded port" ufw allow 8080/tcp
	beside ufw '^ufw route allow in on cloister'
	check "ufw reload" ufw reload
	eq "ufw: after its reload" "$(ask "$a" 198.51.100.254 80)" "outside 198.51.100.1"
	check "off" ufw --force disable
	unset -f ufw
	nft flush ruleset
	check "ours again" vmadm reboot "$b" -F
else
	skip_check "ufw" "no ufw"
fi
if command -v firewalld >/dev/null && command -v dbus-daemon >/dev/null; then
	cp -a /etc/firewalld fw.etc
	# with a bus, a /run and settings of its own, which firewall-cmd finds in the namespaces of that process
	unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/dbus && mount --bind fw.etc /etc/firewalld && dbus-daemon --system --fork --print-pid=3 3>bus.pid && exec firewalld --nofork --nopid' >firewalld.log 2>&1 &
	FIREWALLD=$!
	export FIREWALLD
	PIDS+=("$FIREWALLD")
	firewall-cmd() { nsenter -t "$FIREWALLD" -m timeout 60 /usr/bin/firewall-cmd "$@"; }
	export -f firewall-cmd
	check "firewalld" await 60 eval 'firewall-cmd --state >/dev/null 2>&1'
	beside firewalld '^firewall-cmd --permanent --zone=trusted --add-interface=cloister'
	kill "$FIREWALLD" "$(cat bus.pid)"
	await 20 eval '! kill -0 "$FIREWALLD" 2>/dev/null'
	unset -f firewall-cmd
	nft flush ruleset
	check "ours again" vmadm reboot "$b" -F
else
	skip_check "firewalld" "no firewalld with dbus-daemon"
fi
docker_rules() { # Docker 20 to 27, with one published port
	local i=/usr/sbin/iptables
	ip link add docker0 type bridge && ip addr add 172.17.0.1/16 dev docker0 && ip link set docker0 up
	echo 1 >/proc/sys/net/ipv4/ip_forward
	$i -t nat -N DOCKER && $i -N DOCKER && $i -N DOCKER-ISOLATION-STAGE-1 && $i -N DOCKER-ISOLATION-STAGE-2 && $i -N DOCKER-USER &&
		$i -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER &&
		$i -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER &&
		$i -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE &&
		$i -t nat -A DOCKER -i docker0 -j RETURN &&
		$i -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 9000 -j DNAT --to-destination 172.17.0.2:80 &&
		$i -P FORWARD DROP &&
		$i -A FORWARD -j DOCKER-USER && $i -A FORWARD -j DOCKER-ISOLATION-STAGE-1 &&
		$i -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT && $i -A FORWARD -o docker0 -j DOCKER &&
		$i -A FORWARD -i docker0 ! -o docker0 -j ACCEPT && $i -A FORWARD -i docker0 -o docker0 -j ACCEPT &&
		$i -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT &&
		$i -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2 && $i -A DOCKER-ISOLATION-STAGE-1 -j RETURN &&
		$i -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP && $i -A DOCKER-ISOLATION-STAGE-2 -j RETURN && $i -A DOCKER-USER -j RETURN
}
if command -v iptables >/dev/null; then
	check "Docker's rules" docker_rules
	beside Docker '^iptables -I DOCKER-USER -i cloister'
	ip link del docker0
	echo 0 >/proc/sys/net/ipv4/ip_forward
	for dev in wan0 lan0 "$(ip -br link | awk -F'[ @]' '/^cloister/ {print $1; exit}')"; do echo 0 >"/proc/sys/net/ipv4/conf/$dev/forwarding"; done
	nft flush ruleset
	check "ours again" vmadm reboot "$b" -F
	eq "without Docker" "$(ask "$a" 198.51.100.254 80)" "outside 198.51.100.1"
else
	skip_check "Docker" "no iptables"
fi

# ---- the machine comes again ----
check "shutdown" cloister shutdown
eq "nothing is left at the host" "$(tables; forwarding)" "$was"
check_not "no interface either" ip link show "$(ip -br link | awk '/^cloister/ {print $1; exit}')"
check "boot" cloister boot
await 20 is_state "$a" running
eq "all is back" "$(ask "$a" 198.51.100.254 80)" "outside 198.51.100.1"
serve zone.log inside "$a" "python3 /root/serve.py 80 zone-a"
eq "and forwards" "$(from_world 8080)" "zone-a 198.51.100.254"
kill -KILL "$(awk '$1 == "keeper" {print $2}' "$NODE_RUN/$a/zone")"
eq "a killed keeper changes nothing" "$(ask "$a" 198.51.100.254 80)" "outside 198.51.100.1"

# ---- commands that are killed, at any time: the next one finishes what they began ----
for i in 0{0..9} {10..29}; do
	timeout -s KILL "0.0$i" cloister net set stub0 "subnet=10.77.0.0/24" "gateway=10.77.0.$((1 + 10#$i % 2 * 253))" nat=$([ $((10#$i % 3)) = 0 ] && echo off || echo on) \
		$([ $((10#$i % 3)) = 0 ] && echo forwards= || echo forwards=tcp:8080=10.77.0.2:80) >/dev/null 2>&1
done
check "one that is let be" set_ stub0 gateway=10.77.0.1 nat=on forwards=tcp:8080=10.77.0.2:80
eq "puts all in order" "$(addrs)" "$(printf '%s\n' "r${id}v0 10.77.0.1/24 fd00:77::1/64" "r$((id + 1))v0 10.78.0.1/24")"
eq "out" "$(ask "$a" 198.51.100.254 80)" "outside 198.51.100.1"
eq "and in" "$(from_world 8080)" "zone-a 198.51.100.254"
eq "the other switch too" "$(ask "$b" 198.51.100.254 80)" "outside 198.51.100.1"

# ---- without nft ----
bare() { unshare -m sh -c 'mount --bind /dev/null "$(command -v nft)" && exec "$@"' - "$@"; }
was_set=$(cloister net get -j)
fails 1 'needs nftables, and there is no nft here' bare cloister net set stub0 gateway=10.77.0.254
eq "what could not be made is not kept" "$(cloister net get -j)" "$was_set"
check "nor in the way" set_ stub0 gateway=10.77.0.1

# ---- away ----
check "nat off" set_ stub0 forwards= nat=off
unlike "nothing gets out" "$(no_ask "$a" 198.51.100.254 80)" outside
eq "the other switch is as it was" "$(ask "$b" 198.51.100.254 80)" "outside 198.51.100.1"
check "unset" cloister net unset stub1
eq "nothing is left at the host" "$(tables; forwarding)" "$was"
check "unset the first" cloister net unset stub0
check_not "no router" mountpoint -q "$NODE_RUN/net/router"
eq "the zones have their ports still" "$(cloister net status -p | wc -l)" 2
check "settings" set_ stub1 subnet=10.78.0.0/24
fails 1 'has settings' nictagadm delete stub1
check "unset" cloister net unset stub1
for z in "$a" "$b"; do check "delete" vmadm delete "$z"; done
