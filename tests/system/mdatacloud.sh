#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 900
# cloud-init as Debian ships it: in a zone of brand lx, and in a machine's guest, where its SmartOS data source asks over the second serial port.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
need_root
command -v mke2fs >/dev/null || skip "needs mke2fs (package e2fsprogs)"
node mdatacloud
pool 6G

# Debian with cloud-init in $IMG, from an archive that is kept for a month. Made in a zone: the host fetches the packages that the zone's list
# of packages lacks, the zone unpacks them.
cloud_image() {
	local dir=/var/tmp/cloister-test-cache f d=$T_TMP/debs i maker
	f=$dir/debian-cloud-init-$(dpkg --print-architecture).tar.zst
	debian_image
	if [ -z "$(find "$f" -mtime -30 2>/dev/null)" ]; then
		mkzone maker maker "\"image_uuid\":\"$IMG\",\"max_physical_memory\":1024" lx || exit 1
		mkdir -p "$d/partial"
		zlogin "$maker" cat /var/lib/dpkg/status </dev/null >"$T_TMP/status"
		timeout 300 apt-get -qq -y -d --no-install-recommends -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Dir::State::status="$T_TMP/status" \
			-o Dir::Cache::archives="$d" install cloud-init </dev/null >&2 || skip "cloud-init can't be had from apt's sources"
		tar -C "$d" -cf - . | zlogin "$maker" 'mkdir /root/debs && tar -C /root/debs -xf -'
		for i in 1 2 3 4; do # the first times for what others depend on before they are unpacked
			zlogin "$maker" 'cd /root/debs && DEBIAN_FRONTEND=noninteractive dpkg -i *.deb' </dev/null >"$T_TMP/dpkg" 2>&1 && break
		done
		zlogin "$maker" 'rm -rf /root/debs /var/lib/cloud /var/log/journal/*; : >/etc/machine-id; command -v cloud-init' </dev/null || { cat "$T_TMP/dpkg"; exit 1; }
		vmadm stop -F "$maker" >/dev/null 2>&1
		run imgadm create "$maker" name=made
		i=$(imgadm list -Hp -o uuid name=made | tail -1)
		[ "$RC" = 0 ] && [ -n "$i" ] && tar -C "$NODE_POOL/images/$i/root" --xattrs --numeric-owner -cf - . | zstd -q -T0 -o "$f.$$" -f && mv "$f.$$" "$f"
		vmadm delete "$maker" >/dev/null 2>&1
	fi
	import_image "$f" cloud
}
cloud_image
CLOUD='"cloud-init:user-data":"#cloud-config\nwrite_files:\n- path: /root/by-cloud-init\n  content: \"by it\"\nlocale: false\n"'

# ---- a zone ----
mkzone z lx1 "\"image_uuid\":\"$IMG\",\"max_physical_memory\":512,\"hostname\":\"cloudy\",\"customer_metadata\":{$CLOUD,\"root_authorized_keys\":\"ssh-ed25519 AAAA me\",\"user-script\":\"#!/bin/sh\\necho x >>/root/runs\\n\"}" lx || exit 1
inz() { zlogin "$z" "$@" 2>/dev/null </dev/null; }
is_done() { inz 'cloud-init status' | grep -q 'status: done'; }
check "cloud-init is done" await 180 is_done
like "its data source is our seed" "$(inz 'cat /run/cloud-init/result.json')" 'DataSourceNoCloud \[seed=/var/lib/cloud/seed/nocloud\]'
eq "without an error" "$(inz 'jq -c .v1.errors /run/cloud-init/result.json || python3 -c "import json; print(json.dumps(json.load(open(\"/run/cloud-init/result.json\"))[\"v1\"][\"errors\"]))"')" "[]"
eq "what its user data asks for is done" "$(inz 'cat /root/by-cloud-init')" 'by it'
eq "it knows which VM it is" "$(inz 'cat /var/lib/cloud/data/instance-id; hostname' | xargs)" "$z cloudy"
eq "and leaves the network to us" "$(inz 'ls /etc/network/interfaces.d/50-cloud-init /etc/netplan 2>/dev/null')" ''
ran() { [ "$(inz 'wc -l </root/runs')" = "$1" ]; } # times
check "user-script is run" await 60 ran 1
eq "by systemd" "$(inz 'systemctl is-active mdata.service')" active
eq "keys" "$(inz 'cat /root/.ssh/authorized_keys | tail -1')" "ssh-ed25519 AAAA me"
eq "/native, as SmartOS has it" "$(inz '/native/usr/sbin/mdata-get sdc:uuid; stat -c %F /native/.zonecontrol/metadata.sock' | xargs)" "$z socket"
check_not "S1 /native is read-only" zlogin "$z" 'touch /native/x || touch /native/.zonecontrol/x'
check_not "S1 and stays" zlogin "$z" 'umount /native/.zonecontrol || umount -l /native'
eq "cloud-init's own client of the service" "$(inz 'python3 -c "
from cloudinit.sources import DataSourceSmartOS as d
c = d.JoyentMetadataSocketClient(d.METADATA_SOCKFILE)
c.open_transport()
print(c.get(\"sdc:uuid\"), c.get(\"nope\"), sorted(c.list()))
c.put(\"k\", \"by cloud-init\")
c.delete(\"k2\")
print(c.get(\"k\"))"')" "$z None ['cloud-init:user-data', 'root_authorized_keys', 'user-script']
by cloud-init"
eq "seen outside" "$(vmadm get "$z" | jq -r .customer_metadata.k)" "by cloud-init"
check "reboot" vmadm reboot "$z"
check "user-script is run at each boot" await 90 ran 2
vmadm stop -F "$z" >/dev/null 2>&1

# ---- a machine: the same root on its second disk, in the guest of guest.sh ----
[ "$(uname -m)" = x86_64 ] && [ -x /usr/bin/qemu-system-x86_64 ] || { skip_check "in a machine" "needs qemu-system-x86_64"; exit 0; }
need_guest
mkguest "$T_TMP/g.raw" || { not_ok "a guest for this test"; exit 1; }
root=$NODE_POOL/images/$IMG/root
truncate -s $(($(du -sm "$root" | cut -f1) * 3 / 2 + 200))M "$T_TMP/d.raw"
check "its root as a disk" mke2fs -q -t ext4 -d "$root" "$T_TMP/d.raw"
for f in g d; do
	run imgadm import --type zvol --name "$f" "$T_TMP/$f.raw"
	printf -v "$f" %s "$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)"
	rm -f "$T_TMP/$f.raw"
done
run vmadm create <<<"{\"brand\":\"kvm\",\"ram\":512,\"alias\":\"m1\",\"hostname\":\"machine\",\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$g\"},{\"model\":\"virtio\",\"image_uuid\":\"$d\"}],
	\"customer_metadata\":{$CLOUD,\"root_authorized_keys\":\"ssh-ed25519 AAAA guest\",\"user-script\":\"#!/bin/sh\\ntrue\\n\"}}"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
check "its guest is up" guest_up "$M"
G_LIMIT=300
check "with Debian's root" g "$M" 'mkdir /d; mount -t ext4 /dev/vdb /d && for m in dev proc sys; do mount --bind /$m /d/$m; done; mount -t tmpfs run /d/run'
check "ds-identify finds it by itself" g "$M" 'chroot /d /bin/sh -c "/usr/lib/cloud-init/ds-identify --force; cat /run/cloud-init/cloud.cfg"'
like "SmartOS is in its list" "$G_OUT" 'datasource_list: \[ SmartOS'
check "cloud-init's first stage" g "$M" 'chroot /d cloud-init init --local >/dev/null 2>&1'
check "and its second" g "$M" 'chroot /d cloud-init init >/dev/null 2>&1'
g "$M" 'cat /d/var/lib/cloud/data/instance-id; readlink -f /d/var/lib/cloud/instance; cat /d/run/cloud-init/status.json'
like "its data source is SmartOS's" "$G_OUT" 'DataSourceSmartOS'
like "it knows which VM it is" "$G_OUT" "$M"
g "$M" 'cat /d/root/.ssh/authorized_keys /d/root/by-cloud-init; cat /d/var/lib/cloud/instance/scripts/* /d/var/lib/cloud/scripts/per-boot/* | tail -5'
like "keys" "$G_OUT" 'ssh-ed25519 AAAA guest'
