# SPDX-License-Identifier: MPL-2.0
# A Linux guest for tests of machines (brand kvm), to be sourced after lib.sh: Debian's cloud kernel and busybox, on a raw disk that boots by itself.
#
#	need_guest                    (skips where a package is missing)
#	G_ADD=folder                  (what else shall be in its root)
#	guest_files folder            (kernel and initrd alone, to be started with $G_WORDS)
#	mkguest "$T_TMP/g.raw"        (4 s once, 1 s with the kernel in the cache; 32 MB)
#	… vmadm create, with "ram": 192 …
#	check "up" guest_up UUID
#	g UUID 'ip -4 addr show dev eth0'     → exit status of the command inside, its output in $G_OUT
#
# What is typed at its first serial port it runs, a line at a time (guest/init below); the power button ends it. No ";;" in a command.
# On a disk: GRUB's two parts, and behind them kernel and initial file system as blocks, so that no tool for file systems is needed.

G_N=0 G_OUT=

need_guest() {
	local p
	[ "$(uname -m)" = x86_64 ] || skip "its kernel is for x86-64"
	[ -x /usr/bin/qemu-system-x86_64 ] || skip "needs qemu-system-x86_64 (package qemu-system-x86)"
	for p in grub-mkimage:grub-common cpio:cpio modprobe:kmod busybox:busybox-static python3:python3; do
		command -v "${p%%:*}" >/dev/null || skip "needs ${p%%:*} (package ${p##*:})"
	done
	[ -f /usr/lib/grub/i386-pc/boot.img ] || skip "needs GRUB for BIOS (package grub-pc-bin)"
}

# The kernel package unpacked in $G_KERNEL: fetched once by apt, kept below /var/tmp (in the test host it is there from the start).
guest_kernel() {
	local dir=/var/tmp/cloister-test-cache p
	p=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}')
	[ -n "$p" ] || p=$(find "$dir" -maxdepth 1 -name 'linux-image-*' -printf '%f\n' 2>/dev/null | head -1)
	[ -n "$p" ] || skip "the package index knows no linux-image-cloud-amd64 (apt-get update?)"
	mkdir -p -m 0700 "$dir"
	[ "$(stat -c %u "$dir")" = 0 ] || skip "$dir is not root's"
	(
		flock 9
		[ ! -e "$dir/$p/done" ] || exit 0
		rm -rf "$dir/$p" "$dir/new.$p"
		mkdir -p "$dir/new.$p"
		cd "$dir/new.$p" && timeout 300 apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$p" </dev/null >&2 &&
			dpkg-deb -x "$p"_*.deb . && rm -f "$p"_*.deb && depmod -b . "$(ls lib/modules)" && touch done && mv "$dir/new.$p" "$dir/$p"
	) 9>"$dir/.kernel.lock" || skip "the package $p can't be had from apt's sources"
	G_KERNEL=$dir/$p
}

guest_init() {
	cat <<'END'
#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
while read -r m; do insmod /mod/$m 2>/dev/null; done </mod/order
ip link set lo up
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo
(for e in /dev/input/event*; do dd if=$e bs=24 count=1 >/dev/null 2>&1 && [ "$(cat /sys/class/input/${e##*/}/device/name)" = "Power Button" ] && echo BUTTON && poweroff -f & done)
echo "GUEST READY $(uname -r)"
while read -r n c; do
	echo "BEGIN $n"
	(eval "$c") </dev/null
	echo "END $n $?"
	echo "OVER $n."
done
poweroff -f
END
}

# udhcpc's script: what it was told is in /dhcp, address and routes are set.
guest_dhcp() {
	cat <<'END'
#!/bin/sh
set >/dhcp.$interface
case $1 in
deconfig) ip addr flush dev $interface; ip link set $interface up ;;
bound | renew)
	[ -z "$mtu" ] || ip link set $interface mtu $mtu
	ip addr replace $ip/$mask dev $interface
	for r in $router; do ip route replace default via $r dev $interface; done
	: >/etc/resolv.conf
	for d in $dns; do echo "nameserver $d" >>/etc/resolv.conf; done
	[ -z "$hostname" ] || hostname $hostname
	;;
esac
END
}

# What qemu-ga would be, as far as snapshots go: /bin/agent MODE. refuse, silent and lie are what an enemy's would do.
guest_agent() {
	cat <<'END'
#!/bin/sh
for p in /sys/class/virtio-ports/*; do [ "$(cat $p/name)" = org.qemu.guest_agent.0 ] && port=/dev/${p##*/}; done
exec 3<>$port
while :; do
	read -r l <&3 || { sleep 0.2; continue; } # nobody is there at the other end
	[ $1 != silent ] || continue
	case $l in
	*guest-sync-delimited*)
		id=${l##*\"id\":}; id=${id%%[!0-9]*}
		[ $1 != lie ] || id="1}{"
		printf '{"return":7}\n\377{"return": %s}\n' "$id" >&3
		[ $1 != lie ] || while :; do printf '{"return": 1}\n\377[[[[[[[[\n'; done >&3
		;;
	*guest-fsfreeze-freeze*)
		[ $1 = ok ] || { printf '{"error": {"class": "x", "desc": "not \\u001b[2J me"}}\n' >&3; continue; }
		echo FROZEN >/dev/ttyS0
		printf '{"return": 1}\n' >&3
		;;
	*guest-set-time*) echo "CLOCK ${l##*time}" >/dev/ttyS0; printf '{"return": {}}\n' >&3 ;;
	*guest-fsfreeze-thaw*) echo THAWED >/dev/ttyS0; printf '{"return": 1}\n' >&3 ;;
	esac
done
END
}

# Kernel and initial file system of such a guest, to boot without a disk; what mkguest puts on one.
guest_files() { # folder: kernel and initrd in it
	local i v f m
	guest_kernel
	i=$(mktemp -d "$T_TMP/guest.XXXXXX") || return 1
	v=$(ls "$G_KERNEL/lib/modules")
	mkdir -p "$i"/fs/{bin,sbin,proc,sys,dev,mod,etc,root,tmp,usr/share/udhcpc}
	cp "$(command -v busybox)" "$i/fs/bin/busybox"
	busybox --list | while read -r f; do [ "$f" = busybox ] || ln -s busybox "$i/fs/bin/$f"; done
	guest_init >"$i/fs/init"
	guest_dhcp >"$i/fs/usr/share/udhcpc/default.script"
	guest_agent >"$i/fs/bin/agent"
	chmod 755 "$i/fs/bin/agent" "$i/fs/init" "$i/fs/usr/share/udhcpc/default.script"
	mkdir -p "$i/fs/etc/udhcpc" && ln -s /usr/share/udhcpc/default.script "$i/fs/etc/udhcpc/default.script"
	for m in virtio_pci virtio_net virtio_blk virtio_scsi sd_mod nvme virtio_balloon virtio_mem virtio-rng virtio_console button evdev ext4 isofs; do
		modprobe -d "$G_KERNEL" -S "$v" --show-depends "$m" 2>/dev/null
	done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' >"$i/mods"
	while read -r f; do
		case $f in *.xz) xz -dc "$f" >"$i/fs/mod/$(basename "${f%.xz}")" ;; *) cp "$f" "$i/fs/mod/" ;; esac
		basename "${f%.xz}" >>"$i/fs/mod/order"
	done <"$i/mods"
	[ -z "${G_ADD:-}" ] || cp -a "$G_ADD/." "$i/fs/"
	(cd "$i/fs" && find . | cpio -o -H newc --quiet | gzip -1) >"$1/initrd"
	cp "$G_KERNEL"/boot/vmlinuz-* "$1/kernel"
	rm -rf "$i"
}
G_WORDS="console=ttyS0 quiet loglevel=1 panic=1 mitigations=off tsc=reliable"

mkguest() { # file [MiB]
	local i n m at
	i=$(mktemp -d "$T_TMP/disk.XXXXXX") && guest_files "$i" || return 1
	# blocks of 512 bytes from 2048 on
	n=$((($(stat -c %s "$i/kernel") + 511) / 512)) at=$((2048 + n))
	m=$((($(stat -c %s "$i/initrd") + 511) / 512))
	printf 'linux (hd0)2048+%d %s\ninitrd (hd0)%d+%d\nboot\n' "$n" "$G_WORDS" "$at" "$m" >"$i/grub.cfg"
	grub-mkimage -O i386-pc -p / -c "$i/grub.cfg" -o "$i/core" biosdisk linux && [ "$(stat -c %s "$i/core")" -lt 1000000 ] || return 1
	rm -f "$1"
	truncate -s "${2:-32}M" "$1"
	dd if=/usr/lib/grub/i386-pc/boot.img of="$1" bs=446 count=1 conv=notrunc status=none
	printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
	dd if="$i/core" of="$1" bs=512 seek=1 conv=notrunc status=none
	dd if="$i/kernel" of="$1" bs=512 seek=2048 conv=notrunc status=none
	dd if="$i/initrd" of="$1" bs=512 seek="$at" conv=notrunc status=none
	rm -rf "$i"
}

guest_up() { # uuid [how many times it has come up, 1]
	await 90 eval "[ \"\$(console_log $1 | grep -c 'GUEST READY')\" -ge ${2:-1} ]"
}

# Its exit status is the command's inside, 124 if that took longer than G_LIMIT (20 s; longer where the machine is emulated).
g() { # uuid command
	local c=$2 rc limit=$((${G_LIMIT:-20} * ${T_SLOW:-1}))
	G_N=$((G_N + 1))
	c=${c//\\/\\\\}
	G_OUT=$(timeout $((limit + 10)) "$T_DIR/onpty.py" -t "$limit" "Connected;;<$G_N $c\\r;;OVER $G_N.;;<\\r~." zlogin -C "$1")
	rc=$(sed -n "s/^END $G_N \([0-9]*\).*/\1/p" <<<"$G_OUT" | tail -1)
	# A line that was never begun with is typed again: now and then one is lost on its way where processors are scarce.
	if [ -z "$rc" ] && ! grep -q "^BEGIN $G_N" <<<"$G_OUT" && [ -z "${G_AGAIN:-}" ]; then
		G_AGAIN=1 g "$1" "$2"
		return
	fi
	G_OUT=$(sed -n "/^BEGIN $G_N\$/,/^END $G_N /p" <<<"$G_OUT" | sed '1d;$d')
	return "${rc:-124}"
}
