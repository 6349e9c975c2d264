#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 120
# A machine's screen: the socket, the TCP port that the zone's worker has, the password, what can be asked and pressed (info, sysrq).
. "$(dirname "$0")/lib.sh"
need_root
[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
command -v openssl >/dev/null || skip "needs openssl"
node hvmscreen
pool

vm() { # members: a payload of brand kvm
	printf '{"brand":"kvm","ram":64,%s}' "$1"
}
create() { # variable members
	run vmadm create <<<"$(vm "$2")"
	printf -v "$1" %s "$(sed -n 's/^Successfully created VM //p' <<<"$OUT")"
	[ -n "${!1}" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
}
rfb() { timeout 30 "$T_DIR/rfb.py" "$@"; }
vnc() { vmadm info "$1" vnc | jq -r ".vnc.$2"; }
worker() { cut -d' ' -f1 "$NODE_RUN/$1/worker"; }
listens() { ss -Hltn "sport = :$1" | awk '{print $4}'; }

# ---- what can't be ----
fails 1 'vnc_password.*8' vmadm create <<<"$(vm '"vnc_password":"123456789"')"
fails 1 'vga: std, cirrus, vmware or none' vmadm create <<<"$(vm '"vga":"qxl"')"
fails 1 'spice_port is not available: .*by VNC' vmadm create <<<"$(vm '"spice_port":0')"
mkdir -p "$NODE_ETC"
echo vnc_host=nowhere >"$NODE_ETC/node.conf"
fails 1 'vnc_host: "nowhere" is no IP address' vmadm list
echo vnc_host=0.0.0.0 >"$NODE_ETC/node.conf"
fails 1 'needs a vnc_password' vmadm create <<<"$(vm '"vnc_port":0')"
rm "$NODE_ETC/node.conf"

# ---- a socket, and no port ----
create M '"alias":"m1","disks":[{"model":"virtio","size":4}]'
eq "without vnc_port there is the socket alone" "$(vmadm info "$M" vnc | jq -c .vnc)" "{\"socket\":\"$NODE_RUN/$M/vm.vnc\",\"password\":false,\"clients\":0}"
eq "it is root's alone" "$(stat -c '%a %u' "$NODE_RUN/$M/vm.vnc")" "600 0"
like "there is a screen at it" "$(rfb "$NODE_RUN/$M/vm.vnc")" '^[0-9]+x[0-9]+ open'
eq "and the monitor listens at no port" "$(nsenter -t "$(vmadm get "$M" | jq .pid)" -n ss -Hltn | wc -l)" 0

# ---- a port ----
check "a port of a machine that runs" vmadm update "$M" vnc_port=893
eq "one below 5900 is no display" "$(vmadm info "$M" vnc | jq -c '.vnc | [.port, .display]')" '[893,null]'
check "any that is free" vmadm update "$M" vnc_port=0
PORT=$(vnc "$M" port)
eq "display is the port less 5900" "$(vnc "$M" display)" $((PORT - 5900))
eq "it is this host's alone" "$(listens "$PORT") $(vnc "$M" host)" "127.0.0.1:$PORT 127.0.0.1"
like "there is the screen too" "$(rfb "127.0.0.1:$PORT")" 'update [0-9]{5,} bytes'
eq "whose socket the monitor does not have" "$(ss -Hltnp "sport = :$PORT" | grep -c qemu)" 0
kill -KILL "$(worker "$M")"
check "a worker that was killed takes it up again" await 20 rfb "127.0.0.1:$PORT"
exec {busy}< <(exec python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(60)')
HOLDER=$!
read -r TAKEN <&"$busy"
fails 1 "vnc_port $TAKEN: listen at 127.0.0.1: .*in use" vmadm update "$M" vnc_port="$TAKEN"
eq "then it has the one that it had" "$(vmadm get "$M" | jq .vnc_port) $(rfb "127.0.0.1:$(vnc "$M" port)" | grep -c update)" "0 1"
fails 1 "vnc_port $TAKEN: listen at 127.0.0.1: .*in use" vmadm create <<<"$(vm "\"alias\":\"m9\",\"vnc_port\":$TAKEN")"
eq "a machine that can't have its port does not run" "$(vmadm lookup alias=m9 state=running)" ""
for m in $(vmadm lookup alias=m9); do vmadm delete "$m"; done
kill "$HOLDER"
wait "$HOLDER" 2>/dev/null
check "when it is free" await 10 vmadm update "$M" vnc_port="$TAKEN"
fails 1 "vnc_port: $TAKEN is taken by VM $M" vmadm create <<<"$(vm "\"vnc_port\":$TAKEN")"
eq "the old one is closed" "$(listens "$PORT")" ""
# places are few, and who connects to say nothing holds none for long
for i in {1..12}; do exec {s}<>"/dev/tcp/127.0.0.1/$TAKEN"; done
le "connections it has at most" "$(ss -Htn state established "sport = :$TAKEN" | wc -l)" 8
check "the zone's console works meanwhile" vmadm info "$M" status
check "-1 closes it, and who is connected goes" vmadm update "$M" vnc_port=-1
eq "all of them" "$(ss -Htn state established "sport = :$TAKEN" | wc -l) $(listens "$TAKEN")" "0 "

# ---- a password ----
check "a password where there was none is for the next boot" vmadm update "$M" vnc_password=hunter2
like "and that is said" "$OUT" 'next boot|vnc_password'
eq "until then it is open" "$(vnc "$M" password)" false
check "with a fixed port" vmadm update "$M" vnc_port="$TAKEN"
for i in 1 2 3; do check "reboot $i: the port is there again" vmadm stop "$M" -F; check "start $i" vmadm start "$M"; done
eq "now it wants one" "$(rfb "127.0.0.1:$TAKEN" 2>&1)" "wants a password"
eq "and no other one" "$(rfb "127.0.0.1:$TAKEN" hunter3 2>&1)" "wrong password"
like "this one" "$(rfb "127.0.0.1:$TAKEN" hunter2 2>&1)" '^[0-9x]+ password'
check "another one at once" vmadm update "$M" vnc_password=other
unlike "of which no boot is needed" "$OUT" 'next boot'
like "takes effect" "$(rfb "127.0.0.1:$TAKEN" other 2>&1)" '^[0-9x]+ password'
eq "and the old one has none" "$(rfb "127.0.0.1:$TAKEN" hunter2 2>&1)" "wrong password"
unlike "it stands on no command line" "$(tr '\0' ' ' <"/proc/$(vmadm get "$M" | jq .pid)/cmdline")" 'other|hunter'
echo vnc_host=0.0.0.0 >"$NODE_ETC/node.conf"
check "with a password it may be seen from elsewhere" vmadm update "$M" vnc_port=0
eq "there" "$(listens "$(vnc "$M" port)")" "0.0.0.0:$(vnc "$M" port)"
fails 1 'needs a vnc_password' vmadm update "$M" vnc_password=
rm "$NODE_ETC/node.conf"

# ---- info, sysrq ----
eq "info of types" "$(vmadm info "$M" status,cpus kvm | jq -c 'keys')" '["cpus","kvm","status"]'
eq "all of them, each on its own, beside the zone's" "$(vmadm info "$M" all | jq -c '[has("zone", "status", "block", "blockstats", "chardev", "pci", "vnc", "version", "balloon")] | unique')" '[true]'
fails 1 'unknown type; accelerator, all, balloon' vmadm info "$M" disk
fails 1 'by VNC' vmadm info "$M" spice
check "a picture of the screen" vmadm sysrq "$M" screenshot
F=/zones-$CLOISTER_NODE/$M/root/tmp/vm.ppm
like "is a file of root's" "$(head -c 2 "$F") $(stat -c '%a %u' "$F")" '^P6 600 0$'
like "as large as the screen" "$(sed -n 2p "$F" | tr -d '\0')" '^[0-9]+ [0-9]+$'
check "an NMI" vmadm sysrq "$M" nmi
fails 2 '"crash" is neither nmi nor screenshot' vmadm sysrq "$M" crash
fails 2 'a VM, and nmi or screenshot' vmadm sysrq "$M"
check "stop" vmadm stop "$M" -F
fails 1 'not running' vmadm sysrq "$M" screenshot
check "no graphics adapter, and a screen that says so" vmadm update "$M" vga=none
check "start" vmadm start "$M"
fails 1 'Its vga is none: .vmadm update' vmadm sysrq "$M" screenshot
check "delete" vmadm delete "$M"
eq "its port is free" "$(ss -Hltn | awk '{print $4}' | grep -c ":$TAKEN$")" 0
