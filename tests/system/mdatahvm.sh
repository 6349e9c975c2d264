#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 300
# The metadata service of a machine: a guest asks over its second serial port.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
need_guest
node mdatahvm
pool

G_ADD=$T_TMP/add
mkdir -p "$G_ADD/bin"
for f in mdata-get mdata-put mdata-list mdata-delete; do cp "$CLOISTER_LIBEXEC/zone/usr/bin/zonename" "$G_ADD/bin/$f"; done
mkguest "$T_TMP/g.raw" 48 || { not_ok "a guest for this test"; exit 1; }
run imgadm import --type zvol --name guest "$T_TMP/g.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
run vmadm create <<<"{\"brand\":\"kvm\",\"ram\":192,\"alias\":\"m1\",\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"}],
	\"customer_metadata\":{\"a\":\"1\",\"user-script\":\"#!/bin/sh\\ntrue\\n\"},\"internal_metadata\":{\"root_pw\":\"geheim\"}}"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
G_LIMIT=60
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
check "its guest is up" guest_up "$M"
# In this shell, which counts what it has typed.
said() { # what command wanted-on-one-line
	g "$M" "$2"
	eq "$1" "$(tr -d '\r' <<<"$G_OUT" | xargs)" "$3"
}
ends() { # what command status
	g "$M" "$2 >/dev/null 2>&1"
	eq "$1" "$?" "$3"
}

said "its system's name says that there is metadata" 'cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name /sys/class/dmi/id/product_uuid' "Joyent SmartDC HVM $M"
said "a value" 'mdata-get a' 1
said "its own uuid" 'mdata-get sdc:uuid' "$M"
said "its name, which is its alias unless given" 'mdata-get sdc:hostname' m1
ends "no such key" 'mdata-get nope' 1
said "a script comes as it is" 'mdata-get user-script | wc -l' 2
said "keys" 'mdata-list | sort' "a root_pw user-script"
ends "put" 'mdata-put k v1' 0
eq "seen outside" "$(vmadm get "$M" | jq -r .customer_metadata.k)" v1
ends "delete" 'mdata-delete k' 0
ends "is gone" 'mdata-get k' 1
check "a change outside" vmadm update "$M" <<<'{"set_customer_metadata":{"a":"2"}}'
said "is seen at once" 'mdata-get a' 2
check "64 KiB" vmadm update "$M" <<<"{\"set_customer_metadata\":{\"big\":\"$(head -c 65536 /dev/zero | tr '\0' x)\"}}"
said "come whole" 'mdata-get big | wc -c' 65537

# ---- what a guest may do to the line ----
check "garbage, half a frame, and a reset in the middle of it" g "$M" 'stty -F /dev/ttyS1 115200 raw -echo; dd if=/dev/urandom of=/dev/ttyS1 bs=1k count=16 2>/dev/null; printf "V2 25 84709d1a 0f00" >/dev/ttyS1'
said "then it is answered" 'mdata-get a' 2
g "$M" 'printf "NEGOTIATE V2\nV2 25 8470" >/dev/ttyS1'
check "reset" vmadm reboot -F "$M"
check "up again" guest_up "$M" 2
said "a new beginning" 'mdata-get a' 2
kill -KILL "$(awk '{print $1}' "$NODE_RUN/$M/worker")"
said "its worker killed" 'mdata-get a' 2
for p in $(pgrep -f -- "--node $NODE zone-mdata $M"); do kill -KILL "$p"; done
said "the server killed" 'mdata-get a' 2
eq "S29 who reads a guest's bytes has no rights" "$(for p in $(pgrep -f -- "--node $NODE zone-mdata $M"); do
	awk '/^(Uid|CapEff|NoNewPrivs|Seccomp):/ {print $2}' "/proc/$(pgrep -P "$p")/status"; done | xargs)" "4294901761 0000000000000000 1 2"

# ---- a seed for those who can't ask: NoCloud ----
check "stop" vmadm stop -F "$M"
check "nocloud" vmadm update "$M" <<<'{"nocloud":true,"set_customer_metadata":{"cloud-init:user-data":"#cloud-config\n","root_authorized_keys":"ssh-ed25519 AAAA a\nssh-ed25519 AAAA b"}}'
check "start" vmadm start "$M"
check "up" guest_up "$M" 3
check "a disk of that label" g "$M" 'mkdir -p /s; for d in /dev/vd?; do dd if=$d bs=1 skip=32808 count=6 2>/dev/null | grep -q CIDATA && mount -t iso9660 -o ro $d /s && break; done; ls /s'
said "its files" 'ls /s' "meta-data network-config user-data"
g "$M" 'cat /s/meta-data'
eq "what is in them" "$(tr -d '\r' <<<"$G_OUT" | jq -c '[."instance-id", ."local-hostname", (."public-keys" | length)]')" "[\"$M\",\"m1\",2]"
said "user data" 'cat /s/user-data' '#cloud-config'
check "suspend" vmadm suspend "$M"
check "other data" vmadm update "$M" <<<'{"hostname":"other","set_customer_metadata":{"cloud-init:user-data":"#!/bin/sh\n"}}'
check "resume" vmadm resume "$M"
said "the disk under a guest stays what it was" 'echo 3 >/proc/sys/vm/drop_caches; cat /s/user-data' '#cloud-config'
check_not "it can't be written" g "$M" 'd=$(awk "\$2 == \"/s\" {print \$1}" /proc/mounts); echo x >$d'
