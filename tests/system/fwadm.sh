#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 500
# Firewalls of zones by rules: real connections, and that rules, tags, addresses and owners take effect on what runs.
. "$(dirname "$0")/lib.sh"
need_root
node fwadm
pool

check "an etherstub" nictagadm add -l stub0
nic() { echo "\"nics\":[{\"nic_tag\":\"stub0\",\"mac\":\"02:08:20:00:01:0$1\",\"ips\":[\"10.9.1.$1/24\",\"fd00:91::$1/64\"]}]"; }
OWN=e6c73bd2-fae4-4e0a-af76-2c05d088b066
mkzone a fa "$(nic 1),\"owner_uuid\":\"$OWN\",\"tags\":{\"role\":\"web\"}"
mkzone b fb "$(nic 2),\"owner_uuid\":\"$OWN\",\"firewall_enabled\":true"
mkzone d fd "$(nic 3)"

inside() { zlogin "$@" </dev/null; }
# a server for all of a test: what it is sent comes back
cat >srv.py <<'PY'
import socket, threading, sys
def one(c):
    try:
        while True:
            d = c.recv(100)
            if not d: return
            c.sendall(d)
    except OSError: pass
for fam, ip, port in ((socket.AF_INET, "0.0.0.0", 7), (socket.AF_INET, "0.0.0.0", 8), (socket.AF_INET6, "::", 7)):
    s = socket.socket(fam)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if fam == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((ip, port))
    s.listen()
    def serve(s=s):
        while True: threading.Thread(target=one, args=(s.accept()[0],), daemon=True).start()
    threading.Thread(target=serve).start()
open("/root/ready", "w")
PY
cat >ask.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.settimeout(float(sys.argv[3]))
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.sendall(b"hello")
    print(s.recv(100).decode())
except OSError as e: print("nothing" if isinstance(e, TimeoutError) else e)
PY
serve() {
	zlogin "$1" 'cat >/root/srv.py' <srv.py
	zlogin "$1" 'cat >/root/ask.py' <ask.py
	inside "$1" 'rm -f /root/ready; setsid python3 /root/srv.py >/dev/null 2>&1 &'
	await 30 inside "$1" 'test -e /root/ready' || not_ok "a server in $1" "it does not come up"
}
for z in "$a" "$b" "$d"; do serve "$z"; done
# what is let through answers well within this; what is not is waited for that long
T=2
ask() { inside "$1" "python3 /root/ask.py $2 ${3:-7} ${4:-$T}"; }
passes() { eq "$1" "$(ask "$2" "$3" "${4:-7}" 20)" hello; }
stays_out() { eq "$1" "$(ask "$2" "$3" "${4:-7}")" nothing; }
rule() { local u; u=$(fwadm add -j -e "$@" | jq -r '.rules[0].uuid'); echo "$u"; }

# without rules
eq "status" "$(fwadm status "$b")" running
eq "of a VM without one" "$(fwadm status "$a")" stopped
stays_out "S25 nothing comes in" "$a" 10.9.1.2
stays_out "S25 nor by IPv6" "$a" fd00:91::2
passes "what it begins is answered" "$b" 10.9.1.1
passes "also by IPv6" "$b" fd00:91::1
passes "who has no firewall has none" "$d" 10.9.1.1

# a rule by tag
u=$(rule -O "$OWN" "FROM tag role = web TO vm $b ALLOW tcp PORT 7")
eq "rules of the VM" "$(fwadm rules "$b" -p -o uuid)" "$u"
eq "vms of the rule" "$(fwadm vms "$u")" "$b"
passes "the rule lets its tag in" "$a" 10.9.1.2
passes "by IPv6 too" "$a" fd00:91::2
stays_out "on that port alone" "$a" 10.9.1.2 8
stays_out "and nobody else" "$d" 10.9.1.2
like "stats" "$(fwadm stats "$b")" ' [1-9][0-9]* +[0-9]+ in  allow FROM tag role = web'
like "and what no rule decided" "$(fwadm stats "$b")" ' in  block default'
check "the other gets the tag" vmadm update "$d" <<<'{"set_tags":{"role":"web"}}'
stays_out "S25 but it is another owner's" "$d" 10.9.1.2
check "it is the same owner's" vmadm update "$d" "owner_uuid=$OWN"
passes "now it is let in" "$d" 10.9.1.2
check "another value of the tag" vmadm update "$d" <<<'{"set_tags":{"role":"db"}}'
stays_out "is another tag" "$d" 10.9.1.2
check "and back" vmadm update "$d" <<<'{"set_tags":{"role":"web"}}'
passes "is let in again" "$d" 10.9.1.2
check "the tag goes" vmadm update "$d" <<<'{"remove_tags":["role"]}'
stays_out "and the rule with it" "$d" 10.9.1.2
passes "the first one still has it" "$a" 10.9.1.2

# update, disable, enable
check "another port" fwadm update "$u" "FROM tag role = web TO vm $b ALLOW tcp PORTS 8-9"
stays_out "no more on the old" "$a" 10.9.1.2
passes "but on the new" "$a" 10.9.1.2 8
check "disable" fwadm disable "$u"
stays_out "S25 a disabled rule lets nobody in" "$a" 10.9.1.2 8
check "enable" fwadm enable "$u"
passes "an enabled one does" "$a" 10.9.1.2 8
check "dry-run of delete" fwadm delete -n "$u"
passes "changes nothing" "$a" 10.9.1.2 8
check "delete" fwadm delete "$u"
stays_out "a deleted one lets nobody in" "$a" 10.9.1.2 8

# which rule decides
allow=$(rule -g "FROM any TO all vms ALLOW tcp PORT all")
block=$(rule -g "FROM ip 10.9.1.3 TO all vms BLOCK tcp PORT 7")
passes "inbound ALLOW beats BLOCK" "$d" 10.9.1.2
check "a higher priority" fwadm update "$block" "FROM ip 10.9.1.3 TO all vms BLOCK tcp PORT 7 PRIORITY 1"
stays_out "beats that" "$d" 10.9.1.2
passes "for whom it names" "$a" 10.9.1.2
out=$(rule -g "FROM vm $b TO subnet 10.9.1.0/30 BLOCK tcp PORTS 1-7")
stays_out "outbound BLOCK" "$b" 10.9.1.1
passes "of these ports" "$b" 10.9.1.1 8
passes "and addresses" "$b" fd00:91::1
# an old connection lives on, a new one is not let begin
check "all go" fwadm delete "$allow" "$block" "$out"
stays_out "and nothing comes in" "$a" 10.9.1.2

# several at once, remote VMs
jq -n --arg b "$b" --arg o "$OWN" '{rules:[{enabled:true,owner_uuid:$o,rule:"FROM tag role = far TO vm \($b) ALLOW tcp PORT 7"},
	{enabled:true,owner_uuid:$o,rule:"FROM tag role = far TO vm \($b) ALLOW tcp PORT 8"}],
	remoteVMs:[{uuid:"5baca016-6dda-11e3-a6f2-730593c54f04",owner_uuid:$o,nics:[{ip:"10.9.1.3"}],tags:{role:"far"}}]}' >both.json
check "rules and a remote VM" fwadm add -f both.json
passes "whose address is let in" "$d" 10.9.1.2
passes "by both rules" "$d" 10.9.1.2 8
stays_out "and none else" "$a" 10.9.1.2
check "another address" fwadm update <<<'{"remoteVMs":[{"uuid":"5baca016-6dda-11e3-a6f2-730593c54f04","ips":["10.9.1.1"]}]}'
stays_out "the old one is out" "$d" 10.9.1.2
passes "the new one in" "$a" 10.9.1.2
check "delete it" fwadm delete-rvm 5baca016-6dda-11e3-a6f2-730593c54f04
stays_out "and its address is nobody's" "$a" 10.9.1.2
fails 1 'is a VM of this host' fwadm add-rvm <<<"{\"uuid\":\"$a\",\"ips\":[\"1.2.3.4\"]}"

# on, off
check "stop" fwadm stop "$b"
eq "is stopped" "$(fwadm status "$b")" stopped
passes "everything passes" "$d" 10.9.1.2
check "a rule meanwhile" eval 'w=$(rule -g "FROM tag role = web TO all vms ALLOW tcp PORT 7")'
passes "does not start it" "$d" 10.9.1.2
check "start" fwadm start "$b"
stays_out "closed again" "$d" 10.9.1.2
passes "with the new rule" "$a" 10.9.1.2
check "off for good" vmadm update "$b" firewall_enabled=false
passes "everything passes" "$d" 10.9.1.2
fails 1 'firewall_enabled is false' fwadm start "$b"
check "on for good" vmadm update "$b" firewall_enabled=true
stays_out "S25 closed, at once" "$d" 10.9.1.2
passes "with its rules" "$a" 10.9.1.2

# addresses
check "another address" vmadm update "$a" <<<'{"update_nics":[{"mac":"02:08:20:00:01:01","ips":["10.9.1.11/24","10.9.2.11/24"]}]}'
passes "is let in by its tag" "$a" 10.9.1.2

# boots
check "reboot" vmadm reboot "$b" -F
serve "$b"
stays_out "S25 closed after a boot" "$d" 10.9.1.2
passes "with its rules" "$a" 10.9.1.2

# two that change one rule at a time: what each has named is there
w2=$(rule -g "FROM tag none TO all vms ALLOW tcp PORT 1")
lost=0
for i in 1 2 3 4 5 6 7 8; do
	fwadm update "$w2" -d "turn $i" >/dev/null & one=$!
	fwadm update "$w2" "FROM tag none TO all vms ALLOW tcp PORT $i" >/dev/null & two=$!
	fwadm enable "$w2" >/dev/null & three=$!
	wait $one && wait $two && wait $three || lost=failed
	[ "$(fwadm get "$w2" | jq -r '.description + " " + .rule')" = "turn $i FROM tag none TO all vms ALLOW tcp PORT $i" ] || lost=$((lost + 1))
done
eq "no update is lost" "$lost" 0
fwadm delete "$w2" >/dev/null

# killed between store and switch
CLOISTER_FAIL=fwadm-stored:kill fwadm delete "$w" >/dev/null 2>&1
unlike "a killed delete has stored it" "$(fwadm list -p)" "$w"
check "the next change" eval 'w=$(rule -g "FROM any TO all vms ALLOW tcp PORT 8")'
stays_out "brings both into force" "$a" 10.9.1.2
passes "this one too" "$a" 10.9.1.2 8

# what can't be brought into force is not there
y=$(fwadm list -p | sort)
fails 1 'fwadm-force' env CLOISTER_FAIL=fwadm-force:error fwadm add -g -e 'FROM any TO all vms ALLOW tcp PORT 7'
eq "a change that failed has stored nothing" "$(fwadm list -p | sort)" "$y"
stays_out "nor let anybody in" "$a" 10.9.1.2
passes "and the rest is as it was" "$a" 10.9.1.2 8
fails 1 'fwadm-force' env CLOISTER_FAIL=fwadm-force:error fwadm delete "$w"
eq "a delete that failed neither" "$(fwadm list -p -o uuid,rule | sort)" "$(cut -d: -f1,3- <<<"$y")"
passes "and lets in whom it did" "$a" 10.9.1.2 8

# a NIC that comes to a running VM
check "another NIC" vmadm update "$b" <<<'{"add_nics":[{"nic_tag":"stub0","mac":"02:08:20:00:01:22","ips":["10.9.2.22/24"]}]}'
stays_out "S25 is closed too" "$a" 10.9.2.22
passes "and has the same rules" "$a" 10.9.2.22 8
check "it changes" vmadm update "$b" <<<'{"update_nics":[{"mac":"02:08:20:00:01:22","allow_ip_spoofing":true}]}'
stays_out "S25 a changed NIC is closed still" "$a" 10.9.2.22
check "it goes" vmadm update "$b" <<<'{"remove_nics":["02:08:20:00:01:22"]}'

# of a VM that goes nothing is left that lets its address in
check "rule of a VM" eval 'x=$(rule -g "FROM vm $d TO vm $b ALLOW tcp PORT 7")'
passes "it comes in" "$d" 10.9.1.2
check "it is deleted" vmadm delete "$d"
mkzone d fd "$(nic 3)"
serve "$d"
stays_out "who has its address then does not" "$d" 10.9.1.2
mkzone n nonic '"firewall_enabled":true'
eq "one without a NIC" "$(fwadm status "$n")" stopped
fails 1 'has no NIC' fwadm start "$n"
check "stop it" vmadm stop -F "$d"
fails 1 'firewall_enabled is false|is not running' fwadm start "$d"

# who boots takes a list that is ready, others are made so behind the commands' backs, and what was left goes or is used again
if command -v bpftool >/dev/null; then
	spares() { bpftool -j map dump pinned "$NODE_RUN/net/bpf/fw_spare" | jq '[.[] | .formatted.value][3:] | map(select(. > 0)) | length'; }
	lists() { bpftool -j map dump pinned "$NODE_RUN/net/bpf/fw_lists" | jq length; }
	check "lists are made ready" cloister fw-warm
	had=$(spares)
	check "of those there are enough" [ "$had" -ge 17 ]
	check "reboot" vmadm reboot -F "$b"
	eq "one was taken" "$(spares)" $((had - 1))
	serve "$b"
	passes "and holds the rules" "$a" 10.9.1.2 8
	for i in {1..40}; do fwadm disable "$w" && fwadm enable "$w"; done >/dev/null 2>&1
	check "lists are made ready" await 10 eval 'cloister fw-warm && [ "$(spares)" = 32 ]'
	le "of 80 that were left those are there that can be used" "$(lists)" 40
	passes "and the rules are in force" "$a" 10.9.1.2 8
fi

# a rule that can't be read: whom it concerns does not boot, by name and with what to do; the others do, also where all is brought into force anew
check "a rule" eval 'x=$(rule -g "FROM any TO vm $b ALLOW tcp PORT 8")'
torn() { python3 - "$NODE_STATE/node.db" "$x" "$1" <<'P'
import sqlite3, sys
d = sqlite3.connect(sys.argv[1])
d.execute("UPDATE netobj SET value = ? WHERE kind = 'rule' AND name = ?", (sys.argv[3], sys.argv[2]))
d.commit()
P
}
mkzone w fw2 '"firewall_enabled":true,"nics":[{"nic_tag":"stub0","mac":"02:08:20:00:01:05","ips":["240.9.1.5/24"]}]'
for text in '{"uuid"' "{\"enabled\":true,\"rule\":\"FROM nowhere\",\"uuid\":\"$x\"}"; do
	check "it is torn: $text" torn "$text"
	check "stop" vmadm stop -F "$b"
	mkdir -p "$NODE_RUN/net/bpf/firewall-changing"
	check "one that it does not concern boots" vmadm reboot -F "$w"
	fails 1 "rule $x can't be read" vmadm start "$b"
	like "with what to do" "$OUT" "fwadm delete $x"
	check "one that it does not concern boots" vmadm reboot -F "$w"
done
check "it is deleted" fwadm delete "$x"
check "and who was refused starts" vmadm start "$b"
serve "$b"
passes "by the rules that are left" "$a" 10.9.1.2 8
check "delete" vmadm delete "$w"

# a machine that goes down, and comes again: sets and lists are the store's
check "shutdown" cloister shutdown
check "a rule by tag, meanwhile" eval 'x=$(rule -O "$OWN" "FROM tag role = web TO vm $b ALLOW tcp PORT 7")'
check "boot" cloister boot
for z in "$a" "$b" "$d"; do
	is_state "$z" running || vmadm start "$z" >/dev/null 2>&1
	check "it runs" await 30 is_state "$z" running
	serve "$z"
done
passes "its tag is let in" "$a" 10.9.1.2
stays_out "S25 and nobody else" "$d" 10.9.1.2

for z in "$a" "$b" "$d" "$n"; do check "delete" vmadm delete "$z"; done
eq "what nobody uses is gone" "$(fwadm delete $(fwadm list -p -o uuid) 2>/dev/null; fwadm list -p)" ""
