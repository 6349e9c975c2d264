#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# The metadata service as zones have it: what they read and write of it, what they may not, and what floods and garbage do to others.
. "$(dirname "$0")/lib.sh"
need_root
node mdata
pool

status() { # zone command… → its exit status
	zlogin "$@" >/dev/null 2>&1 </dev/null
	echo $?
}
inz() { zlogin "$@" 2>/dev/null </dev/null; }
# The service's processes of a zone, as long as it is in use.
servers() { # uuid
	local p
	for p in $(pgrep -f -- "--node $NODE zone-mdata $1"); do echo "$p"; pgrep -P "$p"; done
}
cpu() { # uuid → ms of processor that they have used
	local p n=0
	for p in $(servers "$1"); do n=$((n + $(awk '{print ($14 + $15) * 10}' "/proc/$p/stat" 2>/dev/null || echo 0))); done
	echo "$n"
}
# Bytes to the socket, as they are; what comes back until it is silent.
raw() { # zone seconds
	inz "$1" "python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(\"/.zonecontrol/metadata.sock\")
s.settimeout($2)
s.sendall(eval(sys.argv[1]))
try:
    while True:
        b = s.recv(65536)
        if not b: break
        sys.stdout.buffer.write(b)
except OSError: pass
' '$3'"
}

check "a network" nictagadm add -l stub0
mkzone a web '"nics":[{"nic_tag":"stub0","ip":"192.0.2.2","netmask":"255.255.255.0","primary":true}],'\
'"customer_metadata":{"a":"1","dots":".\n..x\n","n":7,"yes":true,"empty":""},"internal_metadata":{"root_pw":"geheim","secret":"no","operator-script2":"x"},
	"tags":{"role":"db"},"owner_uuid":"00000000-1111-4222-8333-444444444444","resolvers":["192.0.2.1"],"routes":{"10.9.0.0/16":"192.0.2.9"}' || exit 1
mkzone b other '"customer_metadata":{"a":"of b"}' || exit 1

# ---- reading ----
eq "a value" "$(inz "$a" mdata-get a)" 1
eq "status of one" "$(status "$a" mdata-get a)" 0
eq "no such key" "$(status "$a" mdata-get nope)" 1
eq "it says so" "$(zlogin "$a" mdata-get nope 2>&1 </dev/null)" "No metadata for 'nope'"
eq "a wrong command line" "$(status "$a" mdata-get) $(status "$a" mdata-put) $(status "$a" mdata-list x) $(status "$a" mdata-delete a b)" "3 3 3 3"
eq "lines that begin with dots" "$(inz "$a" mdata-get dots)" $'.\n..x'
eq "a number and a boolean" "$(inz "$a" mdata-get n) $(inz "$a" mdata-get yes)" "7 true"
eq "an empty value" "$(inz "$a" mdata-get empty) $(status "$a" mdata-get empty)" " 0"
eq "each zone its own" "$(inz "$b" mdata-get a)" "of b"
eq "keys" "$(inz "$a" mdata-list | sort | xargs)" "a dots empty n root_pw yes"
eq "_pw is internal" "$(inz "$a" mdata-get root_pw)" geheim
eq "other internal metadata is not read" "$(status "$a" mdata-get secret)" 1
for p in "uuid $a" "zonename $a" "alias web" "brand joyent-minimal" "max_physical_memory 256" "owner_uuid 00000000-1111-4222-8333-444444444444" "state running" \
	"tags.role db" 'resolvers ["192.0.2.1"]' "server_uuid $(sysinfo | jq -r .UUID)"; do
	eq "sdc:${p%% *}" "$(inz "$a" mdata-get "sdc:${p%% *}")" "${p#* }"
done
eq "sdc:routes" "$(inz "$a" mdata-get sdc:routes | jq -c '.[0] | [.linklocal, .dst, .gateway]')" '[false,"10.9.0.0/16","192.0.2.9"]'
eq "sdc: nothing that is secret" "$(for k in internal_metadata customer_metadata vnc_password root_pw; do status "$a" mdata-get "sdc:$k"; done | xargs)" "1 1 1 1"

eq "sdc:nics" "$(inz "$a" mdata-get sdc:nics | jq -c '.[0] | [.ips, .primary]') $(inz "$a" mdata-get sdc:nics.0.netmask)" '[["192.0.2.2/24"],true] 255.255.255.0'

# ---- writing ----
check "put" zlogin "$a" 'mdata-put k "hello  world"'
eq "seen inside" "$(inz "$a" mdata-get k)" "hello  world"
eq "seen outside" "$(vmadm get "$a" | jq -r .customer_metadata.k)" "hello  world"
check "put from standard input" zlogin "$a" 'printf "x\ny\n" | mdata-put lines'
eq "as it was" "$(vmadm get "$a" | jq .customer_metadata.lines)" '"x\ny\n"'
eq "in the record beside the zone's data" "$(jq -r .customer_metadata.k "$NODE_POOL/$a/config/record.json")" "hello  world"
check "put of _pw" zlogin "$a" mdata-put root_pw neu
eq "is internal" "$(vmadm get "$a" | jq -r '.internal_metadata.root_pw, .customer_metadata.root_pw' | xargs)" "neu null"
check "delete" zlogin "$a" mdata-delete k
eq "is gone" "$(status "$a" mdata-get k) $(vmadm get "$a" | jq '.customer_metadata.k')" "1 null"
check "delete of what is not there" zlogin "$a" mdata-delete k
vmadm update "$a" <<<'{"set_customer_metadata":{"a":"changed"}}' >/dev/null 2>&1
eq "a change outside is seen at once" "$(inz "$a" mdata-get a)" changed
check "namespaces" vmadm update "$a" <<<'{"internal_metadata_namespaces":["ops"],"set_internal_metadata":{"ops:key":"theirs"}}'
eq "a key of one is read" "$(inz "$a" mdata-get ops:key) $(inz "$a" mdata-list | grep -c ops:)" "theirs 1"
eq "and not written" "$(status "$a" mdata-put ops:key mine) $(status "$a" mdata-delete ops:key) $(inz "$a" mdata-get ops:key)" "2 2 theirs"
eq "S29 nor is what the operator has run at the first boot" "$(status "$a" mdata-put operator-script x) $(status "$a" mdata-delete operator-script)" "2 2"
eq "S29 sdc: is not written" "$(status "$a" mdata-put sdc:alias x) $(status "$a" mdata-delete sdc:alias) $(vmadm get "$a" | jq -r .alias)" "2 2 web"
eq "S29 only root of the zone asks" "$(status "$a" 'python3 -c "
import os, socket
os.setuid(1000)
socket.socket(socket.AF_UNIX).connect(\"/.zonecontrol/metadata.sock\")"')" 1

# ---- limits ----
before=$(vmadm get "$a" | jq -c .customer_metadata)
eq "S29 a value too long" "$(status "$a" 'head -c 200000 /dev/zero | tr "\0" x | mdata-put big')" 2
eq "S29 what is not text" "$(status "$a" 'printf "\377" | mdata-put bin') $(status "$a" 'printf "a\0b" | mdata-put nul')" "2 2"
check "as long as may be" zlogin "$a" 'head -c 131072 /dev/zero | tr "\0" x | mdata-put big'
eq "comes back whole" "$(inz "$a" 'mdata-get big | wc -c')" 131073
eq "S29 more than there is room for" "$(status "$a" 'head -c 131072 /dev/zero | tr "\0" x | mdata-put big2')" 2
check "room again" zlogin "$a" mdata-delete big
eq "nothing else has changed" "$(vmadm get "$a" | jq -c .customer_metadata)" "$before"

# ---- the lines themselves ----
eq "first version" "$(raw "$a" 0.5 'b"\nGET a\nGET nope\nNEGOTIATE V3\nwhat?\n"' | xargs)" "invalid command SUCCESS changed . NOTFOUND FAILURE invalid command"
eq "second version" "$(raw "$a" 0.5 'b"NEGOTIATE V2\nV2 6 10f4241c a KEYS\nV2 6 10f4241d a KEYS\nV2 13 d72ab19c 0f00ba12 JUMP\n"' | cut -d' ' -f1,4,5 | xargs)" \
	"V2_OK V2 a SUCCESS V2 0f00ba12 FAILURE"

# ---- floods and garbage ----
t0=$SECONDS
zlogin "$a" "cat >/tmp/flood.py" <<'P'
import os, socket, sys, time
kind = sys.argv[1]
end = time.time() + 4
while time.time() < end:
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect("/.zonecontrol/metadata.sock")
        s.settimeout(1)
        while time.time() < end:
            s.sendall({"get": b"GET a\n" * 2000, "junk": os.urandom(65536), "long": b"x" * 1000000, "put": b""}[kind])
            if kind == "open":
                time.sleep(1)
    except OSError:
        pass
P
inz "$a" 'for k in get get get junk junk long long long; do python3 /tmp/flood.py $k & done
	python3 -c "
import socket, time
l = []
for i in range(100):
    s = socket.socket(socket.AF_UNIX); s.setblocking(False)
    try: s.connect(\"/.zonecontrol/metadata.sock\")
    except OSError: pass
    l.append(s)
time.sleep(4)" & wait' &
flood=$!
good=0
for i in 1 2 3 4 5 6 7 8; do [ "$(inz "$b" mdata-get a)" = "of b" ] && good=$((good + 1)); done
eq "S29 the neighbour is answered meanwhile" "$good" 8
wait "$flood"
used=$(cpu "$a") secs=$((SECONDS - t0 + 1))
le "S29 what the flood took of a processor outside, in ms of $secs s" "$used" $((secs * 1000 / 10 + 300))
le "S29 and of memory, in KiB" "$(for p in $(servers "$a"); do awk '/^Private/ {n += $2} END {print n}' "/proc/$p/smaps_rollup"; done | awk '{n += $1} END {print n + 0}')" 40000
check "S29 and it is answered itself after it" await 15 eval '[ "$(inz "$a" mdata-get a)" = changed ]'
eq "S29 who reads the zone's bytes has no rights" "$(for p in $(servers "$a"); do
	grep -q mdatad "/proc/$p/cmdline" && awk '/^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):/ {print $2}' "/proc/$p/status"; done | xargs)" "4294901761 0000000000000000 0000000000000000 1 2"

# one that the zone has taken over: it keeps to nothing by itself
mkdir taken
printf '#!/bin/sh\nwhile :; do :; done\n' >taken/cloister-mdatad
chmod 755 taken taken/cloister-mdatad
t0=$SECONDS
CLOISTER_LIBEXEC=$T_TMP/taken timeout -k 1 60 cloister zone-mdata "$a" socket 3</dev/null >taken.out 2>&1
eq "S29 one that spins is ended" "$?" 1
like "S29 and it is said why" "$(cat taken.out)" 'more of a processor than its share'
le "S29 after few seconds of a processor" $((SECONDS - t0)) 20

# what is said of a zone has an end
truncate -s 1M "$NODE_LOG/vms/$a/platform.log"
for p in $(servers "$a"); do kill -KILL "$p" 2>/dev/null; done
check "the service again" await 20 eval '[ "$(inz "$a" mdata-get a)" = changed ]'
le "platform.log is begun anew when it is full" "$(stat -c %s "$NODE_LOG/vms/$a/platform.log")" 100000
eq "and one is kept" "$(stat -c %s "$NODE_LOG/vms/$a/platform.log.1")" 1048576

# ---- our own deaths ----
for p in $(servers "$a"); do kill -KILL "$p" 2>/dev/null; done
eq "its server killed" "$(inz "$a" mdata-get a)" changed
kill -KILL "$(awk '{print $1}' "$NODE_RUN/$a/worker")"
eq "the zone's worker killed" "$(inz "$a" mdata-get a)" changed
kill -KILL "$(awk '$1 == "keeper" {print $2}' "$NODE_RUN/$a/zone")"
check "the zone's keeper killed, and adopted" vmadm update "$a" quota=11
eq "it answers" "$(inz "$a" mdata-get a)" changed
kill -KILL "$(awk '$1 == "keeper" {print $2}' "$NODE_RUN/$a/zone")"
check "killed again: a change from inside has it adopted" zlogin "$a" mdata-put after keeper
eq "and is made" "$(inz "$a" mdata-get after) $(vmadm get "$a" | jq -r .customer_metadata.after)" "keeper keeper"
# as /run is with systemd
mount --bind "$NODE_RUN" "$NODE_RUN" && mount --make-shared "$NODE_RUN"
for i in 1 2; do
	K=$(awk '$1 == "keeper" {print $2}' "$NODE_RUN/$a/zone") W=$(awk '{print $1}' "$NODE_RUN/$a/worker")
	kill -KILL "$K" "$W"
	await 5 eval '[ ! -e "/proc/$K" ] && [ ! -e "/proc/$W" ]'
	check "keeper and worker killed together, and adopted" vmadm update "$a" quota=1$i
	eq "it answers" "$(inz "$a" timeout 20 mdata-get a)" changed
	check "a change from inside" zlogin "$a" timeout 20 mdata-put both "killed$i"
	eq "is made" "$(vmadm get "$a" | jq -r .customer_metadata.both)" "killed$i"
	eq "the socket is its root's alone" "$(inz "$a" 'stat -c "%U %a" /.zonecontrol/metadata.sock')" "root 600"
done
held() { grep -c " $NODE_RUN" /proc/self/mountinfo; }
n=$(held)
check "the zone mounts over the socket" inz "$a" sh -c 'mount --bind /etc/hostname /.zonecontrol/metadata.sock || mount --bind /etc/passwd /.zonecontrol/metadata.sock'
eq "on the host that is not to be seen" "$(held)" "$n"
umount "$NODE_RUN"
idle() { [ -z "$(servers "$1")" ]; }
check "nothing runs when nobody asks" await 30 idle "$a"
check "reboot" vmadm reboot "$a"
eq "after it" "$(inz "$a" mdata-get a)" changed

# ---- at boot ----
mkzone s scripts '"mdata_exec_timeout":3,"customer_metadata":{"user-script":"#!/bin/sh\necho \"by $(id -un): $(mdata-get sdc:alias)\"\necho x >>/root/runs\n","root_authorized_keys":"ssh-ed25519 AAAA me","user-data":"for it"},
	"internal_metadata":{"operator-script":"test ! -e /root/runs && echo first >/root/op; exit 3"}'
ran() { [ "$(inz "$s" 'wc -l </root/runs')" = "$1" ]; } # times
check "user-script is run" await 20 ran 1
eq "in the zone, as its root; its output is kept" "$(inz "$s" 'cat /var/log/mdata-user-script.log')" "by root: scripts"
eq "the operator's before it, whose failure stops nothing" "$(inz "$s" 'cat /root/op')" first
eq "keys" "$(inz "$s" 'stat -c "%a %U" /root/.ssh /root/.ssh/authorized_keys; cat /root/.ssh/authorized_keys' | xargs)" "700 root 600 root ssh-ed25519 AAAA me"
eq "user-data" "$(inz "$s" 'cat /var/db/mdata-user-data')" "for it"
inz "$s" 'rm -rf /root/.ssh /var/svc/mdata-user-script; mkdir /root/x; ln -s /root/x /root/.ssh; ln -s /etc/passwd /var/svc/mdata-user-script; mdata-put root_authorized_keys new'
check "reboot" vmadm reboot "$s"
check "again at each boot" await 20 ran 2
eq "with what the zone has put there itself" "$(inz "$s" 'cat /root/.ssh/authorized_keys')" new
check "one that does not end" vmadm update "$s" <<<'{"remove_internal_metadata":["operator-script"],"set_customer_metadata":{"user-script":"#!/bin/sh\necho y >>/root/runs; sleep 1000"}}'
inz "$s" 'rm -f /var/svc/mdata-booted'
check "reboot" vmadm reboot "$s"
check "runs" await 20 ran 3
check "and is ended at the first boot, in mdata_exec_timeout" await 20 console_says "$s" 'mdata-user-script: not done within 3 seconds: killed'
eq "docker and scripts don't go together" "$(vmadm create <<<'{"brand":"lx","docker":true,"image_uuid":"00000000-0000-4000-8000-000000000001","customer_metadata":{"user-script":"x"}}' 2>&1 | grep -c entrypoint)" 1

# ---- an init that is none of ours ----
busybox_root "$T_TMP/bb" '::respawn:/bin/sleep 1000
::ctrlaltdel:/bin/poweroff'
tar -C "$T_TMP/bb" --owner=0 --group=0 -cf "$T_TMP/bb.tar" .
import_image "$T_TMP/bb.tar" bb
mkzone t other-init "\"image_uuid\":\"$IMG\",\"customer_metadata\":{\"user-script\":\"#!/bin/sh\\necho x >>/root/runs\\n\",\"root_authorized_keys\":\"k\"}" lx
there() { [ "$(inz "$t" 'cat /root/runs /root/.ssh/authorized_keys' | xargs)" = "$1" ]; }
check "keys and script too" await 20 there "x k"
eq "/native" "$(inz "$t" '/native/usr/sbin/mdata-get sdc:alias')" other-init
