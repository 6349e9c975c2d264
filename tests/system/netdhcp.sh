#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# waits
# "dhcp" on an uplink: a DHCP server outside, that is busybox's udhcpd, and one that lies. The host is a network namespace of the test's own,
# and so is what lies outside; a veth pair is the cable.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.sh"
need_root
busybox --list 2>/dev/null | grep -qx udhcpd || skip "needs busybox-static"
node netdhcp
pool
mkdir -p "$NODE_ETC"
echo usage_interval=15 >"$NODE_ETC/node.conf" # how often a zone's worker looks who asks for it

cabled_host
lan ip addr add 10.8.0.254/24 dev l0

# ---- the server ----
SERVER=
server() { # lease [option…]
	local pid
	cat >udhcpd.conf <<CONF
start 10.8.0.100
end 10.8.0.120
interface l0
lease_file $T_TMP/leases
pidfile $T_TMP/udhcpd.pid
min_lease 1
opt subnet 255.255.255.0
opt router 10.8.0.254
opt dns 10.8.0.53 10.8.0.54
opt domain home.test
opt lease $1
CONF
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@" >>udhcpd.conf
	touch leases
	setpriv --pdeathsig KILL nsenter -t "$LAN" -n busybox udhcpd -f -S udhcpd.conf >udhcpd.out 2>&1 &
	SERVER=$!
}
no_server() { kill -KILL "$SERVER" 2>/dev/null; wait "$SERVER" 2>/dev/null; SERVER=; }

check "an uplink" host nictagadm add ext0 up0
nic() { echo "\"nics\":[{\"nic_tag\":\"ext0\",\"interface\":\"net0\",\"mac\":\"02:08:20:00:03:0$1\",\"ips\":[${2:-\"dhcp\"}]${3:+,$3}}]"; }
inside() { zlogin "$@" </dev/null; }
addr() { inside "$1" "ip -4 -o addr show ${2:-net0}" | grep -o 'inet 10[0-9./]*' | cut -d' ' -f2; }
has() { addr "$1" | grep -q "^10\.8\.0\.1[0-2][0-9]/24$"; }
has_not() { [ -z "$(addr "$1")" ]; }
events() { vmadm events "$1" -p -o kind 2>/dev/null || vmadm events "$1"; }
dir() { echo "$NODE_RUN"/net/dhcp/u*; }
keeper() { awk '{print $1}' "$(dir)/pid"; }
client() { pgrep -P "$(keeper)" -x cloister-dhcp; }

# ---- a zone is up before its address is ----
mkzone a web "$(nic 1)"
eq "it runs, without an address" "$(addr "$a")" ""
check "who asks runs" eval 'kill -0 "$(keeper)" && [ -n "$(client)" ]'
like "the record says dhcp" "$(vmadm get "$a" | jq -r '.nics[0].ip')" '^dhcp$'
server 10
check "a server comes, and it has an address" await 30 has "$a"
ip=$(addr "$a")
eq "with the way out" "$(inside "$a" 'ip -4 route show default' | xargs)" "default via 10.8.0.254 dev net0 proto static"
eq "and the name servers" "$(inside "$a" 'cat /etc/resolv.conf' | xargs)" "search home.test nameserver 10.8.0.53 nameserver 10.8.0.54"
lan python3 - <<'PY' >serve.out 2>&1 &
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.8.0.254", 7))
while True:
    d, who = s.recvfrom(100)
    s.sendto(d, who)
PY
servers=$!
cat >ask.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
if len(sys.argv) > 1: s.bind((sys.argv[1], 0))
s.sendto(b"x", ("10.8.0.254", 7))
print(s.recv(9) == b"x", s.getsockname()[0] if len(sys.argv) > 1 else "")
PY
zlogin "$a" 'cat >/root/ask.py' <ask.py
reaches() { inside "$1" "python3 /root/ask.py ${ip%/*}" 2>&1 | tail -1 | grep -q True; }
check "it is reached there" await 10 reaches "$a"
like "an event" "$(events "$a")" 'dhcp-lease'
leased() { rm -f leases; touch leases; kill -USR1 "$SERVER"; await 5 test -s leases; busybox dumpleases -f leases; }
like "the server knows it by its name" "$(leased)" '02:08:20:00:03:01 +10\.8\.0\.1[0-9]+ +web '
# T1 is 5 s
until_of() { awk -v m=02:08:20:00:03:01 '$3 == m {print $8}' "$(dir)/table"; }
first=$(until_of)
check "renewed in time" await 20 eval '[ "$(until_of)" -gt $((first + 3000)) ]'
check "with no gap" has "$a"
# ---- what knows its address ----
mkzone b db "$(nic 2 '"10.8.0.2/24"'),\"firewall_enabled\":true"
zlogin "$b" 'cat >/root/serve.py' <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.8.0.2", 7))
print("ready", flush=True)
while True:
    d, who = s.recvfrom(100)
    s.sendto(d, who)
PY
inside "$b" 'exec python3 /root/serve.py' >b.out 2>&1 &
servers+=" $!"
await 20 grep -q ready b.out
zlogin "$a" 'sed s/10.8.0.254/10.8.0.2/ /root/ask.py >/root/askb.py'
neighbour() { inside "$a" "python3 /root/askb.py" 2>&1 | tail -1 | grep -q True; }
check_not "a neighbour's firewall" neighbour
check "a rule that names the VM" fwadm add <<<"{\"rule\":\"FROM vm $a TO vm $b ALLOW udp PORT 7\",\"enabled\":true,\"global\":true}"
check "knows its address" neighbour
counts() { cloister net status -p | awk -F'\t' -v z="$1" '$1 == z {print $10}' | tr , '\n' | sed -n "s/^$2=//p"; }
cat >as.py <<'PY'
import socket, struct, sys
mac = lambda t: bytes.fromhex(t.replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("l0", 0))
s.send(mac("02:08:20:00:03:02") + mac("02:00:00:00:00:fe") + b"\x08\x00" + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, socket.inet_aton(sys.argv[1]), socket.inet_aton("10.8.0.2")) + struct.pack("!HHHH", 9, 9, 8, 0))
PY
before=$(counts uplink own-address)
lan python3 as.py "${ip%/*}"
eq "S41 nobody outside has it" "$(counts uplink own-address)" $((${before:-0} + 1))

# ---- who asks ----
st() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(client)/status"; }
like "a user id of its own" "$(st Uid)" '^(42949[0-9]{5})	\1	\1	\1$'
for set in CapInh CapPrm CapEff CapBnd CapAmb; do eq "S42 no capability in $set" "$(st $set)" 0000000000000000; done
eq "S42 no new ones, and a filter" "$(st NoNewPrivs) $(st Seccomp)" "1 2"
eq "S42 its root is its folder" "$(readlink "/proc/$(client)/root")" "$(dir)"
was=$(client)
kill -KILL "$was"
check "killed, there is another" await 15 eval '[ -n "$(client)" ] && [ "$(client)" != "$was" ]'
check "the address stays" has "$a"
first=$(until_of)
check "and is renewed" await 25 eval '[ "$(until_of)" -gt $((first + 3000)) ]'
eq "it is the same" "$(addr "$a")" "$ip"

# ---- past the rules comes an answer, and nothing else from a server's port ----
check "a firewall" vmadm update "$a" firewall_enabled=true
cat >by67.py <<'PY'
import socket, struct, sys
ip, own = socket.inet_aton, bytes.fromhex("020820000301")
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("l0", 0))
def send(what, dst=own):
    s.send(dst + bytes.fromhex("0200000000fe") + b"\x08\x00" + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(what), 0, 0, 64, 17, 0, ip("10.8.0.254"), ip(sys.argv[1]))
           + struct.pack("!HHHH", 67, 68, 8 + len(what), 0) + what)
def bootp(op, chaddr, cookie):
    return bytes([op, 1, 6, 0]) + bytes(24) + chaddr + bytes(10 + 64 + 128) + cookie + b"\xff" + b"." * 60
magic = bytes([99, 130, 83, 99])
send(b"hello")
send(bootp(1, own, magic))
send(bootp(2, b"\2" * 6, magic))
send(bootp(2, own, b"\0\0\0\0"))
send(bootp(2, own, magic)[:200])
send(bootp(2, own, magic))
PY
cat >at68.py <<'PY'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
s.bind(("net0", 0))
s.settimeout(6)
print("ready", flush=True)
seen = []
try:
    while True:
        d = s.recv(2000)
        if d[23] == 17 and d[34:38] == b"\0\x43\0\x44" and d[6:12].hex() == "0200000000fe":
            seen.append(len(d))
            s.settimeout(1)
except socket.timeout:
    print("seen", *seen)
PY
zlogin "$a" 'cat >/root/at68.py' <at68.py
# what its kernel does not take is seen by a packet socket all the same: it is in the zone
inside "$a" 'exec python3 /root/at68.py' >at68.out 2>&1 &
await 10 grep -q ready at68.out
where=$(addr "$a")
lan python3 by67.py "${where%/*}"
check "S42 something has come" await 15 grep -q seen at68.out
eq "S42 the answer alone" "$(sed -n 's/^seen //p' at68.out)" 343
check "no firewall" vmadm update "$a" firewall_enabled=false

# ---- a client inside ----
zlogin "$a" 'cat >/root/busybox; chmod 755 /root/busybox' </usr/bin/busybox
zlogin "$a" 'cat >/root/said; chmod 755 /root/said' <<'SH'
#!/bin/sh
[ "$1" = bound ] && echo "$ip $subnet" >/root/got
exit 0
SH
check "udhcpc in the zone asks the same server" inside "$a" 'timeout 30 /root/busybox udhcpc -i net0 -n -q -f -t 5 -T 2 -s /root/said'
eq "and has the same" "$(inside "$a" 'cat /root/got')" "${ip%/*} 255.255.255.0"

# ---- booted again, stopped ----
check "reboot" vmadm reboot "$a" -F
eq "it has its address from the start" "$(addr "$a")" "$ip"
check "stop" vmadm stop "$a" -F
# by itself it would last for five seconds yet
given_back() { leased | grep -q '^02:08:20:00:03:01.* expired$'; }
check "it is given back" await 3 given_back
eq "nobody asks any more" "$(ls "$NODE_RUN/net/dhcp")" ""
check "start" vmadm start "$a"
check "it asks for the same" await 20 has "$a"
eq "and has it" "$(addr "$a")" "$ip"

# ---- the server goes ----
no_server
check "without it the address goes" await 40 has_not "$a"
eq "the way out too" "$(inside "$a" 'ip -4 route show default')" ""
like "an event" "$(events "$a")" 'dhcp-lost'
check_not "a rule that names the VM knows it no more" neighbour
server 10
check "it comes again, with the server" await 70 has "$a"

# ---- the server says no ----
no_server
rm -f leases
sed 's/10.8.0.100/10.8.0.200/; s/10.8.0.120/10.8.0.210/' udhcpd.conf >other.conf
touch leases
setpriv --pdeathsig KILL nsenter -t "$LAN" -n busybox udhcpd -f -S other.conf >udhcpd.out 2>&1 &
SERVER=$!
check "another network's server: another address" await 40 eval 'addr "$a" | grep -q "^10\.8\.0\.2[01][0-9]/24$"'
eq "and not the old one beside it" "$(addr "$a" | wc -l)" 1
no_server

# ---- a server that lies ----
cat >liar.py <<'PY'
import socket, struct, sys
yi, mask, how = sys.argv[1], sys.argv[2], sys.argv[3]
vlan = int(sys.argv[4]) if len(sys.argv) > 4 else 0
ip = socket.inet_aton
me = bytes.fromhex("0200000000fe")
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("l0", 0))
s.setsockopt(263, 8, 1)
print("ready", flush=True)
def answer(q, kind, opts):
    m = b"\x02\x01\x06\x00" + q[4:8] + bytes(8) + ip(yi) + bytes(8) + q[28:44] + bytes(192) + bytes([99, 130, 83, 99, 53, 1, kind, 54, 4]) + ip("10.8.0.254") + opts + b"\xff"
    u = struct.pack("!HHHH", 67, 68, 8 + len(m), 0) + m
    h = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(u), 0, 0, 64, 17, 0, ip("10.8.0.254"), b"\xff" * 4)
    c = sum(struct.unpack("!10H", h)); c = (c & 65535) + (c >> 16); c = ~(c + (c >> 16)) & 65535
    tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
    s.send(q[28:34] + me + tag + b"\x08\x00" + h[:10] + struct.pack("!H", c) + h[12:] + u)
while True:
    d, anc, flags, who = s.recvmsg(2000, 200)
    if who[2] == 4 or d[12:14] != b"\x08\x00" or d[23] != 17 or d[36:38] != b"\0\x43": continue
    q = d[42:]
    kind = q[242]
    print("asked", kind, flush=True)
    opts = b"\x01\x04" + ip(mask) + b"\x33\x04" + struct.pack("!I", 600) + b"\x03\x04" + ip("10.8.0.254")
    if how == "broken" and kind == 1:
        for n in range(11): answer(q, 2, opts[:n]) # with the eleventh and the end there is all that it needs
        for o in (b"\x0f\xff", b"\x34\x01\x03", b"\x79\x05" + bytes(5), b"\x3d\xff" + b"x" * 255, bytes(1000)): answer(q, 2, o)
        for k in range(256): answer(q, k, b"")
    elif how == "unasked":
        for k in (2, 5, 6): answer(q[:4] + bytes(4) + q[8:], k, opts)
    elif kind == 1: answer(q, 2, opts)
    elif kind == 3: answer(q, 5, opts)
PY
liar() {
	[ -z "${LIAR:-}" ] || { kill -KILL "$LIAR"; wait "$LIAR" 2>/dev/null; }
	LIAR=
	[ $# -gt 0 ] || return 0
	: >liar.out
	setpriv --pdeathsig KILL nsenter -t "$LAN" -n python3 liar.py "$@" >liar.out 2>&1 &
	LIAR=$!
	await 10 grep -q ready liar.out
}
fresh() { vmadm stop "$a" -F >/dev/null && vmadm start "$a" >/dev/null; } # so that it asks at once
asked() { grep -c "^asked $1\$" liar.out; }
for lie in "127.0.0.9 255.0.0.0" "224.0.0.9 255.255.255.0" "0.0.0.9 255.255.255.0" "10.8.0.255 255.255.255.0" "10.8.0.77 255.0.255.0" "10.8.0.254 255.255.255.0" "10.8.0.77 0.0.0.0"; do
	liar ${lie/ /  } offer
	fresh
	await 10 eval '[ "$(asked 1)" -gt 0 ]' || not_ok "it asks" "$(cat liar.out)"
	eq "S42 $lie is no offer" "$(asked 3) $(addr "$a")" "0 "
done
liar 10.8.0.88 255.255.255.0 unasked
fresh
check "S42 answers to what nobody asked" await 12 eval '[ "$(asked 1)" -gt 1 ]'
eq "S42 are none" "$(asked 3) $(addr "$a")" "0 "
liar 10.8.0.88 255.255.255.0 broken
was=$(client)
fresh
check "S42 broken ones" await 12 eval '[ "$(asked 1)" -gt 1 ]'
eq "S42 are none" "$(asked 3) $(addr "$a")" "0 "
liar 10.8.0.2 255.255.255.0 offer
fresh
check "S42 the address of another zone is declined" await 20 eval '[ "$(asked 4)" -gt 0 ]'
eq "S42 and never set" "$(addr "$a")" ""
like "an event says whose" "$(events "$a")" 'dhcp-refused'
eq "the other has it" "$(addr "$b")" "10.8.0.2/24"
liar 10.8.0.99 255.255.255.0 offer 7
fresh
check "an answer on another VLAN" await 12 eval '[ "$(asked 1)" -gt 1 ]'
eq "is none" "$(asked 3) $(addr "$a")" "0 "
mkzone v vlan "$(nic 3 '"dhcp"' '"vlan_id":7')"
check "a NIC of that VLAN has it" await 20 eval '[ "$(addr "$v")" = 10.8.0.99/24 ]'
check "delete" vmadm delete "$v"
check "which gives it back" await 10 eval '[ "$(asked 7)" -gt 0 ]'
liar

# ---- killed on its way: what comes next does all of it ----
fresh
zoneid() { vmadm get "$a" | jq .zoneid; }
news() { cloister zone-lease "$a" 02:08:20:00:03:01 "${BOOT:-$(zoneid)}" "$@"; }
got() { news got 10.8.0.77/24 $(($(awk '{printf "%d", $1 * 1000}' /proc/uptime) + 300000)) 10.8.0.254 10.8.0.254 10.8.0.53 - 172.16.0.0/12=10.8.0.254; }
for step in lease-stored lease-sets; do
	CLOISTER_FAIL=$step:kill got >/dev/null 2>&1
	eq "killed at $step, it has no address" "$(addr "$a")" ""
	check_not "and no rule knows one" neighbour
	check "the next news" got
	eq "give it" "$(addr "$a")" 10.8.0.77/24
	check "to rules too" neighbour
	CLOISTER_FAIL=lease-port:kill news expired >/dev/null 2>&1
	eq "killed while it goes, it has none" "$(addr "$a")" ""
	check "the next" news expired
	eq "has no more to do" "$(addr "$a")" ""
	check_not "and rules know none" neighbour
	check "once more" got
	CLOISTER_FAIL=lease-gone:kill news expired >/dev/null 2>&1
	check "killed before it is stored" news expired
	eq "it has none" "$(addr "$a")" ""
done
check "a route" got
eq "of those that no router is for" "$(inside "$a" 'ip -4 route show 172.16.0.0/12' | xargs)" "172.16.0.0/12 via 10.8.0.254 dev net0 proto static"
fails 2 'can be no lease' news got 10.8.0.77/4 99999999999 10.8.0.254 - - - -
fails 2 'can be no lease' news got 10.8.0.77/24 99999999999 10.8.0.254 - - 'a b' -
for no in 127.0.0.1/8 10.8.0.255/24 224.0.0.1/24 10.8.0.2/24; do
	fails 3 '.' news got $no 99999999999 10.8.0.254 - - - -
	eq "S42 $no is none" "$(addr "$a" | grep -c "^$no")" 0
done

# ---- what an earlier boot was given is not the next one's ----
BOOT=$(zoneid)
check "a lease" got
fresh
check_not "another boot" test "$(zoneid)" = "$BOOT"
check "news of the one before" got
eq "are none" "$(addr "$a")" ""
BOOT=

# ---- no zone answers ----
server 10
fresh
check "an address" await 20 has "$a"
no_server
mkzone s srv "$(nic 4 '"10.8.0.4/24"' '"dhcp_server":true')"
zlogin "$s" 'cat >/root/busybox; chmod 755 /root/busybox' </usr/bin/busybox
sed "s/^interface.*/interface net0/; s|^lease_file.*|lease_file /root/leases|; s|^pidfile.*|pidfile /root/pid|" udhcpd.conf | zlogin "$s" 'cat >/root/udhcpd.conf; touch /root/leases'
inside "$s" 'exec timeout 60 /root/busybox udhcpd -f -S /root/udhcpd.conf' >/dev/null 2>&1 &
servers+=" $!"
check "S42 a zone does not answer for a server outside" await 40 has_not "$a"
check "delete" vmadm delete "$s"

# ---- live changes ----
server 10
nics() { vmadm update "$a" <<<"{\"update_nics\":[{\"mac\":\"02:08:20:00:03:01\",\"ips\":[$1]}]}"; }
check "static, live" nics '"10.8.0.9/24"'
eq "is all that it has" "$(addr "$a")" 10.8.0.9/24
eq "and nobody asks" "$(ls "$NODE_RUN/net/dhcp")" ""
check "dhcp, live" nics '"dhcp"'
check "asks" await 20 has "$a"
was=$(keeper)
kill -KILL "$was"
await 5 eval '! kill -0 $was 2>/dev/null'
check "who asks is killed, and the next command" vmadm update "$a" alias=web2
check "starts it" eval 'kill -0 "$(keeper)"'
was=$(keeper)
kill -KILL "$was"
check "without one the zone's worker sees it" await 40 eval '[ "$(keeper)" != "$was" ] && kill -0 "$(keeper)"'
like "and tells" "$(events "$a")" dhcp-stopped
like "status has the lease" "$(cloister net status)" "^dhcp: $a 02:08:20:00:03:01 has 10\\.8\\.0\\.1[0-9]+/24 from 10\\.8\\.0\\.254 until "
check "settings of a switch with leases from outside" cloister net set ext0 resolvers=10.8.0.53
check "none" cloister net unset ext0
first=$(until_of)
check "which renews" await 25 eval '[ "$(until_of)" -gt $((first + 3000)) ]'
# ---- addresses of its own making, by a router outside ----
check "both, live" nics '"dhcp","addrconf"'
cat >ra.py <<'PY'
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
i = socket.if_nametoindex("l0")
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:8::")
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, ("ff02::1", 0, 0, i))
PY
advertised() { lan python3 ra.py; inside "$a" 'ip -6 -o addr show net0 scope global' | grep -q '2001:db8:8:0:8:20ff:fe00:301/64'; }
check "an advertisement from outside forms one" await 10 advertised
like "and says the way out" "$(inside "$a" 'ip -6 route show default')" '^default via fe80:.* dev net0'
check "the lease is there too" await 20 has "$a"
check "delete" vmadm delete "$a"
check "is given back" await 5 given_back
check "delete" vmadm delete "$b"
check "the device goes back" host nictagadm delete ext0

# ---- the host is there itself ----
no_server
host ip addr add 10.8.0.9/24 dev up0
check "the host keeps its address there" host nictagadm add --host ext0 up0
liar 10.8.0.9 255.255.255.0 offer
mkzone a web "$(nic 1)"
check "S42 which is no zone's" await 20 eval '[ "$(asked 4)" -gt 0 ]'
eq "S42 but the host's" "$(addr "$a") $(host ip -4 -o addr show up0 | grep -o '10.8.0.9/24')" " 10.8.0.9/24"
liar
check "delete" vmadm delete "$a"
check "the device goes back" host nictagadm delete ext0
host ip addr flush dev up0
server 10
check "to the host" host ip link show up0

# ---- one with a client of its own, as a machine's guest: watched at the device by which it asks ----
host ip link set up0 down
host ip link set up0 address 02:08:20:00:03:09 up
mkdir watch
echo "zone 11111111-2222-3333-4444-555555555555 02:08:20:00:03:09 0 - - - - watch 5" >watch/table
# and a dozen whose time is over soon, all at once
for i in {10..21}; do
	echo "zone 11111111-2222-3333-4444-555555555555 02:08:20:00:04:$i 9 - - 10.9.0.$i $(($(awk '{printf "%d", $1 * 1000}' /proc/uptime) + 2000)) ask 5"
done >>watch/table
chmod 755 . watch; chmod 644 watch/table
printf '#!/bin/sh\necho "$@" >>%s/told\ncase "$*" in *02:08:20:00:04:*) exec sleep 12;; esac\n' "$T_TMP" >told.sh
chmod 755 told.sh
printf '#!/bin/sh\nexit 0\n' >script.sh
chmod 755 script.sh
: >told
exec 3<watch 4<"/proc/$HOST/ns/net" 5>watch/lock 6>watch.ready
setpriv --pdeathsig KILL "$CLOISTER_LIBEXEC/cloister-dhcp" up0 4294900001 "$T_TMP/told.sh" n </dev/null >/dev/null 2>&1 &
WATCH=$!
exec 3<&- 4<&- 5>&- 6>&-
check "it watches" await 10 grep -qx ok watch.ready
check "commands that wait are in nobody's way" await 8 eval '[ "$(grep -c "02:08:20:00:04:.. 5 expired" told)" = 12 ]'
# what the guest has of its server is told, and nothing before
check "the guest asks" host timeout 30 busybox udhcpc -i up0 -n -q -f -t 5 -T 2 -s "$T_TMP/script.sh"
check "what it got is told" await 10 grep -q 'zone-lease 11111111-2222-3333-4444-555555555555 02:08:20:00:03:09 5 got 10.8.0.1[0-9]*/24 [0-9]* 10.8.0.254' told
eq "once" "$(grep -c " got " told)" 1
check "and its end" await 40 grep -q 'zone-lease 11111111-2222-3333-4444-555555555555 02:08:20:00:03:09 5 expired$' told
kill -TERM "$WATCH"
check "it ends" await 10 eval '! kill -0 $WATCH 2>/dev/null'
hosts_end $servers $SERVER
true
