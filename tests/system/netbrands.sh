#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# The network of zones with systemd: joyent over the host's files and lx with a Debian image. A lease and static addresses, resolvers, names,
# NAT, a firewall; systemd-networkd and dhclient, which may not change what they find. The host is a pretended one, as in netnat.sh.
if [ -z "${NETNAT_HOST:-}" ]; then
	. "$(dirname "$0")/lib.sh"
	need_root
	# the mirror is not to be reached from there
	deb=$(mktemp -d)
	(cd "$deb" && timeout 60 apt-get download isc-dhcp-client) >/dev/null 2>&1
	NETNAT_HOST=1 DHCLIENT=$deb exec unshare -n bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need_root
node netbrands
for p in ip nft nsenter busybox; do command -v "$p" >/dev/null || skip "needs $p"; done
pool 6G
ip link set lo up

# ---- the world: one who answers at 198.51.100.1 ----
ip link add up0 type veth peer name world0 && ip addr add 198.51.100.2/24 dev up0 && ip link set up0 up
unshare -n sleep 400 &
world=$!
await 10 eval '[ "$(readlink /proc/$world/ns/net)" != "$(readlink /proc/$$/ns/net)" ] && grep -q "^sleep" /proc/$world/comm'
ip link set world0 netns "$world"
in_world() { nsenter --net="/proc/$world/ns/net" "$@"; }
in_world ip addr add 198.51.100.1/24 dev world0 && in_world ip link set world0 up
ip route add default via 198.51.100.1

check "an etherstub" nictagadm add -l stub0
check "with all services" cloister net set stub0 subnet=10.77.0.0/24 subnet6=fd00:77::/64 dhcp=on ra=on dns=on nat=on domain=zones.test
mkzone m mini '"nics":[{"nic_tag":"stub0","ips":["10.77.0.200/24"],"gateway":"10.77.0.1","primary":true}]'
inside() { zlogin "$@" </dev/null; }
bring() { zlogin "$1" 'cat >/root/busybox; chmod 755 /root/busybox' <"$(command -v busybox)"; }
bring "$m"
inside "$m" 'printf "import socket\ns = socket.create_server((\"10.77.0.200\", 7))\nwhile True:\n    c, who = s.accept(); c.sendall(who[0].encode()); c.close()\n" >/root/who.py; python3 /root/who.py >/dev/null 2>&1 &'

sd_running() { [ "$(inside "$1" systemctl is-system-running 2>/dev/null)" = running ]; }
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"primary\":true,$1}]"; }
address() { inside "$1" "ip -4 -o addr show dev $2" | awk '{print $4}'; }
# By the zone's own program, or by one that is brought along.
pings() { inside "$1" "p=ping; command -v ping >/dev/null || p='/root/busybox ping'; \$p -c1 -W$3 $2"; } # zone whom seconds
works() { # what zone
	like "$1: names" "$(inside "$2" 'getent hosts mini.zones.test; getent hosts mini')" '^10\.77\.0\.200 '
	check "$1: pings by name" pings "$2" mini.zones.test 5
	check "$1: by its short name" pings "$2" mini 5
	check "$1: and what is outside, by NAT" pings "$2" 198.51.100.1 5
	like "$1: TCP" "$(inside "$2" 'bash -c "exec 3<>/dev/tcp/10.77.0.200/7; timeout 5 cat <&3"' 2>&1)" '^10\.77\.0\.'
}

# All of one brand. link: what its first NIC is called; extra: more of the payload
brand() { # name brand link extra
	local z ip file link=$3
	mkzone z "$1" "$(nic '"ips":["dhcp","addrconf"]'),\"firewall_enabled\":true,\"dns_domain\":\"zones.test\"$4" "$2" || return
	check "$1: systemd reaches running" await 60 sd_running "$z"
	bring "$z"
	ip=$(address "$z" "$3")
	like "$1: a lease" "$ip" '^10\.77\.0\.[0-9]+/24$'
	check "$1: an address that it formed" await 20 eval 'inside "$z" "ip -6 -o addr show dev $link scope global" | grep -q "fd00:77::"'
	like "$1: a default route" "$(inside "$z" 'ip route show default')" "via 10.77.0.1 dev $3"
	file=$(inside "$z" 'cat /etc/resolv.conf')
	like "$1: the switch's resolver" "$file" '^nameserver 10\.77\.0\.1$'
	like "$1: and domain" "$file" '^search zones.test'
	works "$1" "$z"

	# firewall
	check_not "$1: S25 nobody pings it" pings "$m" "${ip%/*}" 1
	check "$1: a rule" fwadm add -g -e "FROM any TO vm $z ALLOW icmp TYPE 8"
	check "$1: and they do" pings "$m" "${ip%/*}" 5
	inside "$z" 'systemd-run --quiet --unit=who --collect bash -c "while :; do sleep 1; done | nc -lk 9 2>/dev/null || python3 -m http.server 9"' >/dev/null 2>&1
	check_not "$1: S25 nor reaches a port" inside "$m" "timeout 2 bash -c 'exec 3<>/dev/tcp/${ip%/*}/9'"

	# one that would manage links finds them as they are, and leaves them so
	check "$1: systemd-networkd with a file for its link" inside "$z" "printf '[Match]\nName=$3\n[Network]\nAddress=10.77.0.250/24\nDHCP=yes\n' >/etc/systemd/network/10-all.network; systemctl enable --quiet systemd-networkd; systemctl start systemd-networkd; true"
	inside "$z" 'sleep 3; systemctl is-active systemd-networkd; ip -br addr' >networkd.$1 2>&1
	eq "$1: the address is what it was" "$(address "$z" "$3")" "$ip"
	works "$1 beside networkd" "$z"
	check "$1: reboot with it enabled" vmadm reboot "$z" -F
	check "$1: it comes up" await 60 eval 'inside "$z" "systemctl is-system-running" | grep -qE "running|degraded"'
	eq "$1: with its address" "$(address "$z" "$3")" "$ip"
	works "$1 after a boot" "$z"
	inside "$z" 'systemctl disable --quiet --now systemd-networkd; rm /etc/systemd/network/10-all.network; systemctl reset-failed' >/dev/null 2>&1

	# a client of its own gets the same lease, and no other
	if [ -f dhclient.tar ]; then
		zlogin "$z" 'tar -xf - -C /root' <dhclient.tar
		inside "$z" "mkdir -p /var/lib/dhcp; timeout 30 /root/sbin/dhclient -1 -d -sf /bin/true -lf /root/leases $3" >dhclient.$1 2>&1 &
		check "$1: dhclient has the same lease" await 25 eval 'inside "$z" "grep -q \"fixed-address ${ip%/*};\" /root/leases"'
		inside "$z" 'pkill dhclient'
		wait $!
	else
		skip_check "$1: dhclient" "no package isc-dhcp-client here"
	fi

	# static, given to it while it runs
	check "$1: a static address, live" vmadm update "$z" <<<"{\"update_nics\":[{\"mac\":\"$(vmadm get "$z" | jq -r '.nics[0].mac')\",\"ips\":[\"10.77.0.210/24\"],\"gateway\":\"10.77.0.1\"}]}"
	eq "$1: at once" "$(address "$z" "$3")" 10.77.0.210/24
	works "$1, static" "$z"
	check "$1: reboot" vmadm reboot "$z"
	check "$1: systemd reaches running" await 60 sd_running "$z"
	eq "$1: a static address at boot" "$(address "$z" "$3")" 10.77.0.210/24
	works "$1, static after a boot" "$z"
	check "$1: delete" vmadm delete "$z"
}
if dpkg-deb -x "$DHCLIENT"/isc-dhcp-client_*.deb dh 2>/dev/null; then
	tar -C dh -cf dhclient.tar ./sbin/dhclient
fi
rm -rf "$DHCLIENT"
if [ -x /usr/lib/systemd/systemd ]; then
	brand joyent joyent net0 ""
else
	skip_check "joyent" "this host has no systemd"
fi
debian_image
brand lx lx eth0 ",\"image_uuid\":\"$IMG\""
check "delete" vmadm delete "$m"
kill "$world" 2>/dev/null
