#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# Fabrics: two nodes, each with a network namespace of the test's own for its host, and zones on one switch that both have.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.sh"
need_root
node netfabric
two_hosts "$NODE-2"
two ip addr add 192.0.2.9/24 dev e0

# ---- what is refused ----
fails 1 'needs vni=' one cloister net fabric add f0 vni=7
fails 1 'vni: 1 to 16777215' one cloister net fabric add f0 vni=16777216 local=192.0.2.1 peers=192.0.2.2
fails 1 'is no address' one cloister net fabric add f0 vni=7 local=192.0.2.1 peers=192.0.2.300
fails 1 'another address family' one cloister net fabric add f0 vni=7 local=192.0.2.1 peers=fd00::2
fails 1 'no end of its own' one cloister net fabric add f0 vni=7 local=192.0.2.1 peers=192.0.2.1
fails 1 'told twice' one cloister net fabric add f0 vni=7 local=192.0.2.1 peers=192.0.2.2,192.0.2.2
fails 1 'carries 1500 bytes, of which a tunnel needs 50' one cloister net fabric add f0 vni=7 local=192.0.2.1 peers=192.0.2.2 mtu=1451
fails 1 'local has to be an address of this host' one cloister net fabric add f0 vni=7 local=192.0.2.5 peers=192.0.2.2
printf '02:08:20:00:03:02 10.7.0.2\n' >bad
fails 1 'line 1: not "mac ip end"' one cloister net fabric add f0 vni=7 local=192.0.2.1 file="$PWD/bad"
eq "none of which left a tag" "$(one nictagadm list -p)" ""

run one cloister net fabric add f0 vni=7 local=192.0.2.1 peers=192.0.2.2
[ "$RC" = 0 ] || ! grep -q 'no vxlan' <<<"$OUT" || skip "this kernel has no vxlan"
eq "a fabric" "$RC $OUT" "0 "
check "and the other host's" two cloister net fabric add f0 vni=7 local=192.0.2.2 peers=192.0.2.1
fails 1 'another fabric has vni 7' one cloister net fabric add f1 vni=7 local=192.0.2.1 peers=192.0.2.2
eq "list" "$(one cloister net fabric list -p)" $'f0\t7\t1450\t192.0.2.1\t192.0.2.2\t0'
fails 1 'is a fabric' one nictagadm delete f0
nic() { echo "\"nics\":[{\"nic_tag\":\"f0\",\"mac\":\"02:08:20:00:03:0$1\",\"ips\":[\"10.7.0.$1/24\",\"fd00:7::$1/64\"]}]"; }
fails 1 'has no VLANs' vmadm create <<<'{"brand":"joyent-minimal","nics":[{"nic_tag":"f0","vlan_id":3,"ips":["10.7.0.9/24"]}]}'
fails 1 'above that of nic tag' vmadm create <<<'{"brand":"joyent-minimal","nics":[{"nic_tag":"f0","mtu":1500,"ips":["10.7.0.9/24"]}]}'
mkzone a f1 "$(nic 1)"
export CLOISTER_NODE=$N2
mkzone b f2 "$(nic 2)"
mkzone c f3 "$(nic 3)"
export CLOISTER_NODE=$N1
in1() { CLOISTER_NODE=$N1 zlogin "$@" </dev/null; }
in2() { CLOISTER_NODE=$N2 zlogin "$@" </dev/null; }

cat >tcp.py <<'PY'
import socket, sys
fam = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
s = socket.socket(fam)
s.settimeout(30)
n = 4 << 20
if sys.argv[1] == "serve":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sys.argv[2], 7)); s.listen(); print("ready", flush=True)
    c, who = s.accept()
    got = 0
    while got < n:
        d = c.recv(1 << 16)
        if not d: break
        got += len(d)
    c.sendall(b"%d" % got); print(who[0], flush=True)
else:
    s.connect((sys.argv[2], 7)); s.sendall(bytes(n)); print(s.recv(100).decode())
PY
zlogin "$a" 'cat >/root/tcp.py' <tcp.py
for z in "$b" "$c"; do CLOISTER_NODE=$N2 zlogin "$z" 'cat >/root/tcp.py' <tcp.py; done
# server's zone and address, asker's zone: 4 MiB by TCP
talk() {
	: >served
	"$1" "$2" "exec python3 /root/tcp.py serve $3" >served 2>&1 &
	local pid=$! text
	await 20 grep -q ready served
	text=$("$4" "$5" "exec timeout 30 python3 /root/tcp.py ask $3" 2>&1 | tail -1)
	[ "$text" = 4194304 ] || kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	echo "$text from $(tail -1 served)"
}
eq "the NIC's MTU is the fabric's" "$(in1 "$a" 'cat /sys/class/net/net0/mtu')" 1450
eq "from one host to the other" "$(talk in2 "$b" 10.7.0.2 in1 "$a")" "4194304 from 10.7.0.1"
eq "and back" "$(talk in1 "$a" 10.7.0.1 in2 "$b")" "4194304 from 10.7.0.2"
eq "IPv6" "$(talk in2 "$b" fd00:7::2 in1 "$a")" "4194304 from fd00:7::1"
eq "two of one host" "$(talk in2 "$b" 10.7.0.2 in2 "$c")" "4194304 from 10.7.0.3"

# ---- who is no end ----
counts() { cloister net status -p | awk -F'\t' -v z=fabrics '$1 == z {print $10}' | tr , '\n' | sed -n "s/^$1=//p"; }
received() { cloister net status -p | awk -F'\t' -v z="$a" '$1 == z {print $8}'; }
cat >send.py <<'PY'
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
mac = lambda t: bytes.fromhex(t.replace(":", ""))
src, sip = sys.argv[4], sys.argv[5]
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, socket.inet_aton(sip), socket.inet_aton("10.7.0.1")) + struct.pack("!HHHH", 9, 9, 8, 0)
for i in range(int(sys.argv[3])):
    s.sendto(struct.pack("!II", 0x08000000, int(sys.argv[2]) << 8) + mac("02:08:20:00:03:01") + mac(src) + b"\x08\x00" + ip, ("192.0.2.1", 4789))
PY
n=$(received)
check "by hand: from an end that is known" two python3 send.py 192.0.2.2 7 5 02:08:20:00:03:02 10.7.0.2
check "its frames arrive" await 10 eval '[ "$(received)" -ge $((n + 5)) ]'
check "from another address" two python3 send.py 192.0.2.9 7 3 02:08:20:00:03:02 10.7.0.2
check "from an end, with another VXLAN id" two python3 send.py 192.0.2.2 8 4 02:08:20:00:03:02 10.7.0.2
check "S41 neither passes" await 10 eval '[ "$(counts unknown-peer)" = 7 ]'
check "with the MAC and the address of one who is here" two python3 send.py 192.0.2.2 7 6 02:08:20:00:03:01 10.7.0.2
check "S41 nor do these" await 10 eval '[ "$(counts own-address)" = 6 ]'

# ---- who is where told by a file: no frame is flooded for somebody unknown ----
check "delete" vmadm delete "$a"
check "delete" one cloister net fabric delete f0
eq "its tag has gone" "$(one nictagadm list -p)" ""
printf '# who is at the other host\n02:08:20:00:03:02 10.7.0.2 192.0.2.2\n02:08:20:00:03:02 fd00:7::2 192.0.2.2\n' >hosts
check "with a file" one cloister net fabric add f0 vni=7 local=192.0.2.1 file="$PWD/hosts"
eq "list" "$(one cloister net fabric list -p)" $'f0\t7\t1450\t192.0.2.1\t192.0.2.2\t2'
mkzone a f1 "$(nic 1)"
zlogin "$a" 'cat >/root/tcp.py' <tcp.py
eq "to one whom the file has" "$(talk in2 "$b" 10.7.0.2 in1 "$a")" "4194304 from 10.7.0.1"

# ---- down and up ----
check "shutdown" one cloister shutdown
eq "nothing is left" "$(awk -v d="/run/cloister-$N1/net/" 'index($5, d) == 1' /proc/self/mountinfo)" ""
check "boot" one cloister boot
await 20 is_state "$a" running || vmadm start "$a"
eq "it is back" "$(talk in2 "$b" 10.7.0.2 in1 "$a")" "4194304 from 10.7.0.1"
check "delete" vmadm delete "$a"
for z in "$b" "$c"; do CLOISTER_NODE=$N2 vmadm delete "$z" >/dev/null; done
check "delete" one cloister net fabric delete f0
check "delete" two cloister net fabric delete f0
hosts_end
