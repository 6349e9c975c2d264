#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# cloister whose: processes, ports, addresses and paths have an owner, and it is said which.
. "$(dirname "$0")/lib.sh"
need_root
command -v perl >/dev/null || skip "needs perl"
node whose
pool
a='' b=''
mkdir -p "$T_TMP/lent/sub"
mkzone a red '"filesystems":[{"type":"lofs","source":"'"$T_TMP/lent"'","target":"/mnt/lent"}]' || exit 1
mkzone b blue || exit 1

# ---- pids ----
init=$(vmadm get "$a" | jq .pid)
eq "a zone's init" "$(cloister whose -p "$init")" "pid $init: zone red ($a), pid 1 in it: zinit"
eq "ourselves" "$(cloister whose -p $$)" "pid $$: the global zone's: bash"
gone=$(bash -c 'echo $$')
eq "nobody" "$(cloister whose -p "$gone"; echo $?)" "$gone: nobody's
1"
eq "JSON" "$(cloister whose -p -j "$init" | jq -c '[.asked, .owners[0].zone, .owners[0].uuid, .owners[0].command]')" "[\"$init\",\"red\",\"$a\",\"zinit\"]"
if command -v unshare >/dev/null; then
	unshare -U sleep 1000 & other=$!
	await 10 eval '[ "$(cat /proc/$other/comm)" = sleep ]'
	like "a stranger's container" "$(cloister whose -p "$other")" "no zone's of this node"
	kill "$other"
fi
# a cgroup of the zone's own that is named like another zone's place
zlogin red "mkdir -p '/sys/fs/cgroup/0::/$b' && sleep 1001 & echo \$! >'/sys/fs/cgroup/0::/$b/cgroup.procs' 2>/dev/null; echo up; wait" >up3 2>&1 </dev/null &
await 20 grep -q up up3
pid=$(cloister pgrep -z red -f '^sleep 1001')
like "a cgroup's name makes it no other's" "$(cloister whose -p "$pid")" "^pid $pid: zone red "

# ---- ports: each zone has its own of each number ----
listen() { # zone kind family address port
	local set="socket(S,PF_${3},SOCK_$2,0) or die; setsockopt(S,SOL_SOCKET,SO_REUSEADDR,1);"
	local where="pack_sockaddr_in($5,inet_aton(q($4)))"
	[ "$3" = INET ] || where="pack_sockaddr_in6($5,inet_pton(AF_INET6,q($4)))"
	zlogin "$1" "exec perl -MSocket=:all -e '\$|=1; $set bind(S,$where) or die \$!; $([ "$2" = DGRAM ] || echo 'listen(S,5) or die;') print qq(ready\\n); sleep 1000'" \
		>"ready-$1-$2-$3-$5" 2>&1 </dev/null &
	await 20 grep -q ready "ready-$1-$2-$3-$5" || cat "ready-$1-$2-$3-$5"
}
listen red STREAM INET 0.0.0.0 18080
listen blue STREAM INET 127.0.0.1 18080
listen blue DGRAM INET 0.0.0.0 18081
listen red STREAM INET6 ::1 18082
p1=$(cloister pgrep -z red -f 18080) p2=$(cloister pgrep -z blue -f 18080) p3=$(cloister pgrep -z blue -f 18081) p4=$(cloister pgrep -z red -f 18082)
eq "two zones listen there" "$(cloister whose :18080 | sort)" "tcp 0.0.0.0:18080: zone red ($a), pid $p1: perl
tcp 127.0.0.1:18080: zone blue ($b), pid $p2: perl"
eq "UDP" "$(cloister whose 18081/udp)" "udp 0.0.0.0:18081: zone blue ($b), pid $p3: perl"
eq "and not TCP" "$(cloister whose 18081/tcp)" "18081/tcp: nobody's"
eq "IPv6" "$(cloister whose 18082/tcp)" "tcp [::1]:18082: zone red ($a), pid $p4: perl"
like "a number is a pid or a port" "$(cloister whose 18082)" "tcp .*zone red"
# many sockets on one port, of two processes: each has its own
zlogin red 'exec perl -MSocket=:all -e '\''$|=1; fork; for (1..300) { socket(my $s,PF_INET,SOCK_DGRAM,0) or die; setsockopt($s,SOL_SOCKET,15,1); bind($s,pack_sockaddr_in(18090,INADDR_ANY)) or die $!; push @s,$s } print qq(ready\n); sleep 1000'\' >ready-many 2>&1 </dev/null &
await 20 eval '[ "$(grep -c ready ready-many)" = 2 ]' || cat ready-many
eq "many sockets of two processes" "$(cloister whose -j 18090/udp | jq -c '[(.owners | length), ([.owners[].pid] | unique | length), ([.owners[] | select(.pid == null)] | length)]')" "[600,2,0]"
port=$((20000 + RANDOM % 10000))
perl -MSocket -e 'socket(S,PF_INET,SOCK_STREAM,0); bind(S,sockaddr_in('$port',inet_aton("127.0.0.1"))) or die; listen(S,5); open(F,">",$ARGV[0]); close F; sleep 1000' "$T_TMP/up" & mine=$!
await 20 test -e "$T_TMP/up"
eq "the global zone's" "$(cloister whose :$port)" "tcp 127.0.0.1:$port: the global zone's, pid $mine: perl"
kill "$mine"
check "and then nobody's" await 10 eval '[ "$(cloister whose :$port)" = ":$port: nobody'"'"'s" ]'
net=$(readlink /proc/self/ns/net)
eq "who asks stays where it is" "$(readlink /proc/self/ns/net)" "$net"
eq "many ports: one answer each" "$(cloister whose -j :18080 | jq '.owners | length')" 2

# ---- addresses ----
like "loopback is everyone's" "$(cloister whose 127.0.0.1)" "each zone's own"
eq "an address that nobody has" "$(cloister whose 203.0.113.77; echo $?)" "203.0.113.77: nobody's
1"
eq "a MAC that nobody has" "$(cloister whose 02:08:20:d7:4f:11; echo $?)" "02:08:20:d7:4f:11: nobody's
1"
mac=$(cat /sys/class/net/*/address 2>/dev/null | grep -v 00:00:00:00:00:00 | head -1)
if [ -n "$mac" ]; then like "the host's own MAC" "$(cloister whose "$mac")" "the global zone's, interface "; else skip_check "the host's own MAC" "it has no interface"; fi
# an interface and an address in a zone, put there from outside
pidns=$(vmadm get "$b" | jq .pid)
if command -v nsenter >/dev/null && command -v ip >/dev/null && nsenter -t "$pidns" -n ip link add wx0 type veth peer name wx1 2>/dev/null; then
	nsenter -t "$pidns" -n ip link set wx0 address 02:08:20:00:00:77
	nsenter -t "$pidns" -n ip addr add 203.0.113.7/24 dev wx0
	eq "an interface in a zone" "$(cloister whose 02:08:20:00:00:77)" "02:08:20:00:00:77: zone blue ($b), interface wx0"
	like "an address in a zone" "$(cloister whose 203.0.113.7)" "^203.0.113.7: zone blue \\($b\\), interface "
	nsenter -t "$pidns" -n ip addr add 2001:db8::7/64 dev wx0
	like "IPv6" "$(cloister whose 2001:DB8::7)" "zone blue \\($b\\), interface "
else
	skip_check "an interface in a zone" "no veth here"
fi

# ---- paths ----
eq "a zonepath" "$(cloister whose "$NODE_POOL/$a/config")" "$NODE_POOL/$a/config: zone red ($a), its zonepath"
eq "lent" "$(cloister whose "$T_TMP/lent/sub")" "$T_TMP/lent/sub: zone red ($a), lent to it as /mnt/lent/sub"
zlogin red 'ln -s /etc/passwd /var/pw; ln -s /etc /mnt/lent/etc' </dev/null
link=$(find "$NODE_POOL/$a" -name pw -path '*/var/pw' | head -1)
eq "a zone's link is not followed" "$(cloister whose "$link")" "$link: zone red ($a), its zonepath"
eq "nor in what was lent to it" "$(cloister whose "$T_TMP/lent/etc/passwd")" "$T_TMP/lent/etc/passwd: zone red ($a), lent to it as /mnt/lent/etc/passwd"
fails 1 'symbolic link' cloister files "$link"
fails 1 'symbolic link' cloister files "$T_TMP/lent/etc/passwd"
fails 1 'without' cloister whose "$NODE_POOL/$a/root/../../x"
ln -s "$T_TMP/lent" "$T_TMP/mine"
eq "the host's are" "$(cloister whose "$T_TMP/mine/sub")" "$T_TMP/lent/sub: zone red ($a), lent to it as /mnt/lent/sub"
like "no terminal's command" "$(cloister whose "$T_TMP/lent/$(printf 'a\033b')")" 'a.033b: zone red .* as /mnt/lent/a.033b$'
eq "no zone's" "$(cloister whose /etc/passwd; echo $?)" "/etc/passwd: nobody's
1"
check "a stopped zone has its path still" vmadm stop -F red
eq "zonepath" "$(cloister whose "$NODE_POOL/$a")" "$NODE_POOL/$a: zone red ($a), its zonepath"
# a process in its cgroup all the same
sleep 1002 & left=$!
dead=$(dirname "$(cgdir "$b" v2)")/$a
mkdir -p "$dead" && { echo "$left" >"$dead/cgroup.procs" || echo "$left" >"$dead/$(basename "$dead")/cgroup.procs"; } 2>/dev/null
if grep -q "/$a" "/proc/$left/cgroup"; then
	eq "a process of a zone that does not run" "$(cloister whose -p "$left")" "pid $left: zone $a, of a zone that does not run: sleep"
else
	skip_check "a process of a zone that does not run" "it cannot be put there"
fi
kill "$left"; wait "$left" 2>/dev/null
rmdir "$dead" 2>/dev/null
eq "but no port" "$(cloister whose :18082)" ":18082: nobody's"

# ---- wrong ----
fails 2 'is no pid' cloister whose nonsense
fails 2 'is no pid' cloister whose 80/sctp
fails 2 'is no pid' cloister whose :99999
fails 2 'is no pid' cloister whose 0
fails 2 'whose what' cloister whose
