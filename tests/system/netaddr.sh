#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# Addresses: leases, router advertisements and names from a switch's responder, and what zones may not do to it or in its place.
# The host here is a pretended one, in a network namespace of its own: what the responder asks of other name servers stays there.
if [ -z "${NETADDR_HOST:-}" ]; then
	. "$(dirname "$0")/lib.sh"
	need_root
	NETADDR_HOST=1 exec unshare -n "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need_root
node netaddr
pool
ip link set lo up

check "an etherstub" nictagadm add -l stub0
check "and another" nictagadm add -l stub1
nic() { echo "\"nics\":[{\"nic_tag\":\"${3:-stub0}\",\"interface\":\"net0\",\"mac\":\"02:08:20:00:00:0$1\",\"ips\":[$2]}]"; }
vm() { echo "{\"brand\":\"joyent-minimal\",$1}"; }

# ---- who serves nobody is no server ----
fails 1 'no DHCP server of ours' vmadm create <<<"$(vm "$(nic 1 '"dhcp"')")"
check "a switch without DHCP" cloister net set stub0 subnet=10.77.0.0/29
fails 1 'cloister net set stub0 .*dhcp=on' vmadm create <<<"$(vm "$(nic 1 '"dhcp"')")"
check "services" cloister net set stub0 subnet=10.77.0.0/29 subnet6=fd00:77::/64 dhcp=on ra=on dns=on domain=zones.test mtu=1400

# ---- the process ----
dir() { echo "$NODE_RUN"/net/netd/r*v0; }
pid() { awk '{print $1}' "$(dir)/pid"; }
lives() { [ -n "$(pid 2>/dev/null)" ] && kill -0 "$(pid)" 2>/dev/null; }
eq "nobody is there, so nothing runs" "$(ls "$NODE_RUN/net/netd" 2>/dev/null)" ""
mkzone a web "$(nic 1 '"dhcp","addrconf"')"
check "the first zone starts it" lives
st() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(pid)/status"; }
like "a user id of its own" "$(st Uid)" '^(42949[0-9]{5})	\1	\1	\1$'
eq "no groups" "$(st Groups | tr -d ' ')" ""
for set in CapInh CapPrm CapEff CapBnd CapAmb; do eq "S26 no capability in $set" "$(st $set)" 0000000000000000; done
eq "S26 no new ones" "$(st NoNewPrivs)" 1
eq "S26 a filter" "$(st Seccomp)" 2
eq "S26 its root is its folder" "$(readlink "/proc/$(pid)/root")" "$(dir)"
eq "it is nobody's child here" "$(st PPid)" "$(awk '{print $4}' "/proc/$(pid)/stat")"
eq "descriptors: none but its own" "$(for f in /proc/"$(pid)"/fd/*; do readlink "$f"; done | grep -v -e '^socket:' -e '^anon_inode:' -e '^/dev/null$' -e "^$(dir)" | head -3)" ""
like "S26 a zone's root does not see it" "$(zlogin "$a" "ls /proc | grep -c '^$(pid)\$'" </dev/null)" '^0$'

# ---- the lease ----
inside() { zlogin "$@" </dev/null; }
lease() { awk -v m="$1" '$1 == "zone" && $3 == m {print $4}' "$(dir)/table"; }
ip=$(lease 02:08:20:00:00:01)
like "one of the subnet's, not the gateway's" "$ip" '^10\.77\.0\.[2-6]$'
like "which the zone has" "$(inside "$a" 'ip -4 -o addr show net0')" "inet $ip/29 "
slaac=fd00:77::8:20ff:fe00:1
check "it forms an address of the prefix" await 20 eval '[[ $(inside "$a" "ip -6 -o addr show net0 scope global") == *"$slaac/64"* ]]'
eq "with the MTU of the advertisement" "$(inside "$a" 'cat /proc/sys/net/ipv6/conf/net0/mtu')" 1400
unlike "and no route to who does not route" "$(inside "$a" 'ip -6 route show default')" via

# a client of its own gets the very same
if [ -x /usr/bin/busybox ]; then
	zlogin "$a" 'cat >/root/busybox; chmod 755 /root/busybox' </usr/bin/busybox
	zlogin "$a" 'cat >/root/said; chmod 755 /root/said' <<'SH'
#!/bin/sh
[ "$1" = bound ] && echo "$ip $subnet $mtu $domain $dns $hostname $serverid ${router:-none} $lease" >/root/got
exit 0
SH
	check "udhcpc asks" inside "$a" 'timeout 30 /root/busybox udhcpc -i net0 -n -q -f -t 5 -T 2 -s /root/said'
	eq "and has all of it" "$(inside "$a" 'cat /root/got')" "$ip 255.255.255.248 1400 zones.test 10.77.0.1 web 10.77.0.1 none 86400"
else
	skip_check "udhcpc" "no busybox"
fi

# frames of our own: what clients do that udhcpc does not, and what nobody may do
cat >dhcp.py <<'PY'
import socket, struct, sys, time
mac = lambda t: bytes.fromhex(t.replace(":", ""))
me, lease, how = mac(sys.argv[1]), sys.argv[2], sys.argv[3]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
s.bind(("net0", 0x800))
def udp(src, dst, sp, dp, b):
    u = struct.pack("!HHHH", sp, dp, 8 + len(b), 0) + b
    h = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(u), 0, 0, 64, 17, 0, socket.inet_aton(src), socket.inet_aton(dst))
    c = sum(struct.unpack("!10H", h)); c = (c & 65535) + (c >> 16); c = ~(c + (c >> 16)) & 65535
    return h[:10] + struct.pack("!H", c) + h[12:] + u
def bootp(kind, opts=b"", ci="0.0.0.0", ch=None, op=1, flags=0, xid=0x11223344):
    return struct.pack("!BBBBIHH", op, 1, 6, 0, xid, 0, flags) + socket.inet_aton(ci) + bytes(12) + (ch or me) + bytes(10 + 192) + bytes([99, 130, 83, 99, 53, 1, kind]) + opts + b"\xff"
def send(b, src="0.0.0.0", dst="255.255.255.255", eth=None):
    s.send(b"\xff" * 6 + (eth or me) + b"\x08\x00" + udp(src, dst, 68, 67, b))
def answer(t=5):
    end = time.time() + t
    while (left := end - time.time()) > 0:
        s.settimeout(left)
        try: f = s.recv(2000)
        except TimeoutError: break
        if f[23] == 17 and f[34:38] == b"\0\x43\0\x44" and f[46:50] == b"\x11\x22\x33\x44" and f[0:6] == me:
            o = f[42 + 240:]
            return {2: "offer", 5: "ack", 6: "nak"}[o[2]] + " " + socket.inet_ntoa(f[42 + 16:42 + 20]) + " to " + socket.inet_ntoa(f[30:34])
    return "nothing"
want = lambda a: b"\x32\x04" + socket.inet_aton(a)
if how == "offer": send(bootp(1)); print(answer())
elif how == "broadcast": send(bootp(1, flags=0x8000)); print(answer())
elif how == "reboot": send(bootp(3, want(lease))); print(answer())
elif how == "wrong": send(bootp(3, want("10.77.0.99"))); print(answer())
elif how == "other": send(bootp(3, want(lease) + b"\x36\x04\x0a\x4d\x00\x05")); print(answer(1))
elif how == "inform": send(bootp(8, ci=lease), src=lease); print(answer())
elif how == "release": send(bootp(7, ci=lease), src=lease); send(bootp(4, want(lease))); send(bootp(1)); print(answer())
elif how == "flood":
    for i in range(2000): m = b"\x02\x08\x21" + struct.pack("!I", i)[1:]; send(bootp(1, ch=m), eth=m)
    for i in range(2000): send(bootp(1, ch=b"\x02\x08\x21" + struct.pack("!I", i)[1:]))
elif how == "id": send(bootp(1, b"\x3d\x03\x01\x02\xff")); print(answer())
elif how == "otherid": send(bootp(1, b"\x3d\x03\x01\x02\xfe")); print(answer(1))
elif how == "own": [send(bootp(1)) for i in range(3000)]
elif how == "serve": s.send(b"\xff" * 6 + me + b"\x08\x00" + udp(lease, "255.255.255.255", 67, 68, bootp(5, op=2)))
elif how == "broken":
    good = bootp(1)
    for i in range(len(good)): send(good[:i])
    for o in (b"\x3d\xff", b"\x3d\xff" + b"x" * 255, b"\x34\x01\x03", b"\x35\x00", b"\x32\x03abc", bytes(1200)): send(bootp(1, o))
PY
zlogin "$a" 'cat >/root/dhcp.py' <dhcp.py
says() { inside "$a" "python3 /root/dhcp.py 02:08:20:00:00:01 $ip $1"; }
eq "an offer, to its own card" "$(says offer)" "offer $ip to $ip"
eq "for who can't take it yet" "$(says broadcast)" "offer $ip to 255.255.255.255"
eq "a client that has been booted again" "$(says reboot)" "ack $ip to $ip"
eq "what it may not have" "$(says wrong)" "nak 0.0.0.0 to 255.255.255.255"
eq "another server's offer is its own affair" "$(says other)" "nothing"
eq "inform" "$(says inform)" "ack 0.0.0.0 to $ip"
eq "what it releases or declines stays its own" "$(says release)" "offer $ip to $ip"

dropped() { cloister net status -p | awk -F'\t' -v z="$1" '$1 == z {print $10}' | tr , '\n' | sed -n "s/^$2=//p"; }
check "S26 a flood of clients" says flood
eq "S26 none passes with another link address" "$(dropped "$a" mac-nospoof)" 2000
eq "S26 nor for another client" "$(dropped "$a" dhcp-nospoof)" 2000
check "broken ones" says broken
check "one's own flood" says own
check "S26 a zone that answers" says serve
eq "S26 is no server" "$(dropped "$a" dhcp-nospoof)" 2001
# ---- client ids ----
eq "any client id" "$(says otherid)" "offer $ip to $ip"
ids() { vmadm update "$a" <<<"{\"update_nics\":[{\"mac\":\"02:08:20:00:00:01\",\"allowed_dhcp_cids\":[$1]}]}"; }
fails 1 'allowed_dhcp_cids' ids "\"$(printf '%0512d' 0)\""
check "some alone" ids '"0102FF","000100012a"'
eq "S24 that one" "$(says id)" "offer $ip to $ip"
eq "S24 none, which is its link address's" "$(says offer)" "offer $ip to $ip"
eq "S24 another" "$(says otherid)" nothing
eq "S24 is dropped" "$(dropped "$a" dhcp-nospoof)" 2002
check "other ones" ids '"0102fe"'
eq "S24 at once" "$(says otherid) $(says id)" "offer $ip to $ip nothing"
check "no list" ids ''
eq "any again" "$(says id)" "offer $ip to $ip"
check "a list of its next boot" ids '"0102ff"'
check "boot" vmadm reboot "$a" -F
eq "S24 from the boot on" "$(says id) $(says otherid)" "offer $ip to $ip nothing"
check "no list" ids ''

check "it still runs" lives
check "and answers" await 10 eval '[ "$(says offer)" = "offer $ip to $ip" ]'

# ---- another zone: another address, names ----
mkzone b db "$(nic 2 '"dhcp"')"
ipb=$(lease 02:08:20:00:00:02)
like "a lease of its own" "$ipb" '^10\.77\.0\.[2-6]$'
check_not "which is not the first one's" [ "$ip" = "$ipb" ]
mkzone s static "$(nic 3 '"10.77.0.6/29","fd00:77::6/64"')" || mkzone s static "$(nic 3 '"10.77.0.5/29","fd00:77::6/64"')"
ips=$(vmadm get "$s" | jq -r '.nics[0].ip')
fails 1 "the address $ip on nic tag stub0 is taken by VM $a" vmadm create <<<"$(vm "$(nic 4 "\"$ip/29\"")")"
cat >up.py <<'PY'
import socket, struct, threading
def answer(q):
    i = 12
    while q[i]: i += q[i] + 1
    return q[:2] + b"\x81\x80" + q[4:6] + b"\0\1\0\0\0\0" + q[12:i + 5] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 53))
t = socket.socket(); t.setsockopt(1, 2, 1); t.bind(("127.0.0.1", 53)); t.listen()
def tcp():
    while True:
        c, _ = t.accept(); n = struct.unpack("!H", c.recv(2))[0]; a = answer(c.recv(n)); c.sendall(struct.pack("!H", len(a)) + a); c.close()
threading.Thread(target=tcp, daemon=True).start()
print("ready", flush=True)
while True:
    q, who = u.recvfrom(2000)
    a = answer(q)
    u.sendto(b"\xff\xff" + a[2:], who)          # whoever foresees the port has not foreseen the id
    u.sendto(a[:13] + b"X" + a[14:], who)       # nor the question
    u.sendto(a, who)
PY
cat >ask.py <<'PY'
import socket, struct, sys
def ask(name, kind, way, server):
    q = struct.pack("!HHHHHH", 0x1234, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack("!HH", kind, 1)
    if way == "tcp":
        s = socket.create_connection((server, 53), 10); s.sendall(struct.pack("!H", len(q)) + q); n = struct.unpack("!H", s.recv(2))[0]; a = s.recv(n)
    else:
        s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); s.sendto(q, (server, 53)); a = s.recv(4000)
    assert a[:2] == b"\x12\x34"
    if a[3] & 15 or not a[7]: return {0: "empty", 3: "nxdomain", 5: "refused", 2: "servfail"}[a[3] & 15]
    r = a[len(q) + 12:]
    if kind == 1: return socket.inet_ntoa(r[-4:])
    if kind == 28: return socket.inet_ntop(socket.AF_INET6, r[-16:])
    out = []
    while r[0]: out.append(r[1:1 + r[0]].decode()); r = r[1 + r[0]:]
    return ".".join(out)
kinds = {"a": 1, "aaaa": 28, "ptr": 12}
print(ask(sys.argv[1], kinds[sys.argv[2]], sys.argv[3] if len(sys.argv) > 3 else "udp", sys.argv[4] if len(sys.argv) > 4 else "10.77.0.1"))
PY
zlogin "$a" 'cat >/root/ask.py' <ask.py
ask() { inside "$a" "python3 /root/ask.py $*" 2>&1 | tail -1; }
eq "a zone's address by its name" "$(ask db.zones.test a)" "$ipb"
eq "by its alias alone" "$(ask db a)" "$ipb"
eq "by TCP" "$(ask db.zones.test a tcp)" "$ipb"
# Since its boot: while both its addresses are still being looked for, its kernel asks from ::1, and link protection lets nobody do that.
check "its own address of the prefix is there again" await 20 eval '[[ $(inside "$a" "ip -6 -o addr show net0 scope global -tentative") == *"$slaac/64"* ]]'
eq "by IPv6" "$(ask db.zones.test a udp fd00:77::1)" "$ipb"
eq "by its uuid" "$(ask "$b.zones.test" a)" "$ipb"
eq "one that is static" "$(ask static.zones.test a) $(ask static.zones.test aaaa)" "$ips fd00:77::6"
eq "one that is formed" "$(ask web.zones.test aaaa)" "$slaac"
eq "back to the name" "$(ask "$(awk -F. '{print $4 "." $3 "." $2 "." $1}' <<<"$ipb").in-addr.arpa" ptr)" db.zones.test
eq "nobody's" "$(ask no.zones.test a)" nxdomain
eq "without resolvers nothing is asked elsewhere" "$(ask example.com a)" refused
python3 up.py >up.log &
UP=$!
check "a name server of the host" await 20 grep -q ready up.log
check "which is asked from now on" cloister net set stub0 resolvers=127.0.0.1
check "other names: by it" await 10 eval '[ "$(ask example.com a)" = 1.2.3.4 ]'
eq "by TCP" "$(ask example.com a tcp)" 1.2.3.4
check "still the zones' own" eval '[ "$(ask db a)" = "$ipb" ]'
kill "$UP"
wait "$UP" 2>/dev/null
# one that answers for example.com alone: questions wait, and places for them are a VM's, not an address's
cat >hole.py <<'PY'
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    q, who = u.recvfrom(2000)
    if q[13:14] == b"x":
        print("asked", q[14:18].decode(), flush=True)
        continue
    i = 12
    while q[i]: i += q[i] + 1
    u.sendto(q[:2] + b"\x81\x80" + q[4:6] + b"\0\1\0\0\0\0" + q[12:i + 5] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4", who)
PY
cat >many.py <<'PY'
import socket, struct
for family, to, first in ((socket.AF_INET, "10.77.0.1", 1000), (socket.AF_INET6, "fd00:77::1", 2000)):
    s = socket.socket(family, socket.SOCK_DGRAM)
    for i in range(60):
        s.sendto(struct.pack("!HHHHHH", i, 0x100, 1, 0, 0, 0) + b"\x05x%04d\x03com\0\0\1\0\1" % (first + i), (to, 53))
PY
zlogin "$a" 'cat >/root/many.py' <many.py
zlogin "$b" 'cat >/root/ask.py' <ask.py
python3 hole.py >hole.log &
UP=$!
check "a name server that leaves questions open" await 20 grep -q ready hole.log
check "120 of them, from two addresses" inside "$a" 'python3 /root/many.py'
eq "S26 another zone's is answered" "$(inside "$b" 'python3 /root/ask.py example.com a' 2>&1 | tail -1)" 1.2.3.4
eq "S26 one VM has 32 under way" "$(awk '$1 == "asked"' hole.log | sort -u | wc -l)" 32
kill "$UP"
wait "$UP" 2>/dev/null
check "nobody there" await 30 eval '[ "$(ask example.org a)" = servfail ]'
cat >bad.py <<'PY'
import socket, struct, random
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
random.seed(1)
h = struct.pack("!HHHHHH", 1, 0x100, 1, 0, 0, 0)
for q in (h, h + b"\xc0\x0c\0\1\0\1", h + (b"\x3f" + b"a" * 63) * 5 + b"\0\0\1\0\1", h + b"\x40" + b"a" * 64 + b"\0\0\1\0\1", h[:4] + b"\xff\xff" * 4, b"", h + bytes(3000)):
    s.sendto(q, ("10.77.0.1", 53))
for i in range(3000): s.sendto(random.randbytes(random.randrange(80)), ("10.77.0.1", 53))
for i in range(12):
    c = socket.create_connection(("10.77.0.1", 53), 5)
    try: c.sendall(random.randbytes(40))
    except OSError: pass
PY
zlogin "$a" 'cat >/root/bad.py' <bad.py
check "malformed questions and oversized names" inside "$a" 'python3 /root/bad.py'
check "it still answers" await 10 eval '[ "$(ask db a)" = "$ipb" ]'

# ---- a static address in place of the lease, live; a new name ----
check "another name" vmadm update "$b" alias=db2
check "is known at once" await 10 eval '[ "$(ask db2 a)" = "$ipb" ]'
eq "and the old one is not" "$(ask db.zones.test a)" nxdomain

# ---- it may die ----
old=$(pid)
kill -KILL "$old"
check "killed" await 10 eval '! kill -0 $old 2>/dev/null'
check "a zone without it has its address" inside "$a" "ip -4 -o addr show net0 | grep -q $ip/"
check "the next command" vmadm stop "$s" -F
check "starts it again" eval 'lives && [ "$(pid)" != "$old" ]'
check "with the same leases" eval '[ "$(says reboot)" = "ack $ip to $ip" ]'
now=$(pid)
check "start" vmadm start "$s"
eq "who lives is left alone" "$(pid)" "$now"

# ---- one that says nothing keeps nobody waiting for long ----
mkdir mute && ln -s "$CLOISTER_LIBEXEC"/* mute/ && rm mute/cloister-netd
printf '#!/bin/sh\nexec /bin/sleep 100\n' >mute/cloister-netd
chmod 755 mute/cloister-netd
kill -KILL "$now"
check "killed" await 10 eval '! kill -0 $now 2>/dev/null'
began=$SECONDS
fails 1 'cloister-netd did not say within 10 s that it is ready' env CLOISTER_LIBEXEC="$PWD/mute" cloister net set stub0 domain=zones.test
check "in time" [ $((SECONDS - began)) -lt 40 ]
check "nor is it left behind" await 10 eval '! lives'
check "the installed one" cloister net set stub0 domain=zones.test
check "is there" lives
eq "and answers" "$(says offer)" "offer $ip to $ip"
# whom no command knows is not given a second one beside it
now=$(pid)
mv "$(dir)/pid" pid.kept
fails 1 'a responder that no command knows has this switch' cloister net set stub0 domain=zones.test
check "it goes on" kill -0 "$now"
mv pid.kept "$(dir)/pid"
check "until it is known" cloister net set stub0 domain=zones.test
eq "and left alone" "$(pid)" "$now"

# ---- to another switch: at the next boot, and until then it has what it has ----
first=$(dir)
check "another switch with leases" cloister net set stub1 subnet=10.78.0.0/29 dhcp=on
check "a NIC that is to move there" vmadm update "$b" <<<'{"update_nics":[{"mac":"02:08:20:00:00:02","nic_tag":"stub1"}]}'
like "at the next boot" "$OUT" 'next boot of the VM: nics\.\*\.nic_tag'
like "has its address" "$(inside "$b" 'ip -4 -o addr show net0')" "inet $ipb/29 "
eq "and may send from it" "$(inside "$b" 'python3 /root/ask.py web a' 2>&1 | tail -1)" "$ip"
eq "nor does a change of its name take it" "$(vmadm update "$b" alias=db3 >/dev/null 2>&1; awk '$3 == "02:08:20:00:00:02" {print $4, $5}' "$first/table")" "$ipb db3,$b"
check "boot" vmadm reboot "$b" -F
like "it has the other's" "$(inside "$b" 'ip -4 -o addr show net0')" 'inet 10\.78\.0\.[2-6]/29 '
eq "and none of the first" "$(awk '$3 == "02:08:20:00:00:02"' "$first/table")" ""
check "back" vmadm update "$b" <<<'{"update_nics":[{"mac":"02:08:20:00:00:02","nic_tag":"stub0"}]}'
check "boot" vmadm reboot "$b" -F
like "with a lease of the first" "$(inside "$b" 'ip -4 -o addr show net0')" 'inet 10\.77\.0\.[2-6]/29 '
ipb=$(lease 02:08:20:00:00:02)
check "the other switch without" cloister net unset stub1

# ---- leases last ----
check "stop" vmadm stop "$a" -F
check "start" vmadm start "$a"
eq "the same address" "$(lease 02:08:20:00:00:01)" "$ip"
# the subnet has five addresses but the gateway's: all are given, and none twice
check "stop" vmadm stop "$s" -F
check "its static address is free" vmadm delete "$s"
for i in 4 5 6; do mkzone "z$i" "z$i" "$(nic $i '"dhcp"')"; done
eq "five zones, five addresses" "$(awk '$1 == "zone" {print $4}' "$(dir)/table" | sort -u | wc -l)" 5
fails 1 'has no free address' vmadm create <<<"$(vm "$(nic 7 '"dhcp"')")"
check "delete one" vmadm delete "$z6"
mkzone z7 z7 "$(nic 7 '"dhcp"')"
like "its address is another's now" "$(lease 02:08:20:00:00:07)" '^10\.77\.0\.'

# ---- with NAT ----
if command -v nft >/dev/null; then
	check "nat" cloister net set stub0 nat=on
	check "names through the router's rules" await 10 eval '[ "$(ask z7 a)" = "$(lease 02:08:20:00:00:07)" ]'
	eq "by TCP" "$(ask z7 a tcp)" "$(lease 02:08:20:00:00:07)"
	eq "leases too" "$(says offer)" "offer $ip to $ip"
	check "stop" vmadm stop "$z4" -F
	check "start" vmadm start "$z4"
	like "the lease has a way out" "$(inside "$z4" 'ip -4 route show default')" '^default via 10.77.0.1 dev net0'
	eq "which clients are told of" "$(awk '$1 == "router" {print $2}' "$(dir)/table")" 10.77.0.1
	check "no nat" cloister net set stub0 nat=off
else
	skip_check "NAT" "no nft"
fi

# ---- the end ----
now=$(pid)
fails 1 "has an address from dhcp here" cloister net set stub0 dhcp=off
check "a setting taken away" cloister net set -f stub0 dhcp=off ra=off dns=off
check "ends it" await 10 eval '! kill -0 $now 2>/dev/null'
eq "and nothing is left of it" "$(ls "$NODE_RUN/net/netd")" ""
check "given back while zones run" cloister net set stub0 dhcp=on dns=on
check "it is there" lives
eq "and knows them" "$(ask z7 a)" "$(lease 02:08:20:00:00:07)"
now=$(pid)
for z in "$a" "$b" "$z4" "$z5" "$z7"; do check "delete" vmadm delete "$z"; done
check "gone with the last port" await 10 eval '! kill -0 $now 2>/dev/null'
eq "no leases" "$(cloister net get -j stub0 >/dev/null; ls "$NODE_RUN/net/netd")" ""
