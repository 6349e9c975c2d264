#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 1200
# Start of a machine to its guest's user space under KVM, beside QEMU by hand; by hand:
#	sudo tests/host/run 6.12 systemd host:userspace
# The table is in build/host/1/system/userspace.log. No bar is asserted, as the host is emulated; fails if a start does not come to its end.
#
#	machine         vmadm start, to what its guest says at its console
#	same devices    its monitor's own words, without jail, keeper and filter of ours
#	with a screen   what an operator types: type, processor, memory, disk, serial port, and QEMU's own default of a screen (-vga std)
#	bare            the same without the screen: firmware has nothing to draw on
#	-kernel         bare, and neither firmware's disk nor GRUB is waited for
#	with kernel     a machine with the property: the same disk, and kernel, initrd and words beside it
#	same, -kernel   that one's monitor's own words
#
# Beside seconds stand accesses to devices that left the guest for the monitor (io and mmio exits of KVM): they are the same however busy the host is.
. "$(dirname "$0")/../system/lib.sh"
. "$T_DIR/guest.sh"
need_root
need_guest
node userspace
pool
mkdir -p "$T_TMP/add"
guest_init | sed '/GUEST READY/i read -r up rest </proc/uptime; echo "KERNEL $up"' >"$T_TMP/add/init"
chmod 755 "$T_TMP/add/init"
G_ADD=$T_TMP/add mkguest "$T_TMP/g.raw" || { not_ok "a guest for this"; exit 1; }
run imgadm import --type zvol --name guest "$T_TMP/g.raw"
IMG=$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$OUT" | head -1)
run vmadm create <<<"{\"brand\":\"kvm\",\"alias\":\"u\",\"autoboot\":false,\"ram\":192,\"vcpus\":1,\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"}]}"
M=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$M" ] || { not_ok "a machine is created" "$OUT"; exit 1; }
cp --reflink=auto "$T_TMP/g.raw" "$NODE_POOL/hand.raw"
cp "$G_KERNEL"/boot/vmlinuz-* kernel
dd if="$T_TMP/g.raw" of=initrd bs=512 skip=$((2048 + ($(stat -c %s kernel) + 511) / 512)) status=none
run vmadm create <<<"{\"brand\":\"kvm\",\"alias\":\"k\",\"autoboot\":false,\"ram\":192,\"vcpus\":1,\"kernel\":\"$PWD/kernel\",\"initrd\":\"$PWD/initrd\",\"kernel_args\":\"$G_WORDS\",\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"image_uuid\":\"$IMG\"}]}"
D=$(sed -n 's/^Successfully created VM //p' <<<"$OUT")
[ -n "$D" ] || { not_ok "a machine with a kernel is created" "$OUT"; exit 1; }

# The processors of an emulated host have nothing to spare for one who looks again and again: this one sleeps until the file grows.
come() { # file, from which byte on
	local rc=0 from
	exec {from}< <(exec tail -c "+$(($2 + 1))" -F "$1" 2>/dev/null)
	timeout $((90 * ${T_SLOW:-1})) grep -qam1 'GUEST READY' <&"$from" || rc=$?
	kill $! 2>/dev/null || :
	exec {from}<&-
	return $rc
}
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.2f", b - a}'; }
# Of all guests that run, which is one; "-" where it is not KVM that runs it, or the host does not tell.
exits() { cat /sys/kernel/debug/kvm/{io_exits,mmio_exits} 2>/dev/null | awk '{n += $1} END {print n ? n : "-"}'; }
# seconds in all, until the kernel's first instruction, of the kernel; exits
row() { awk -v all="$2" -v k="$(tail -c "+$(($4 + 1))" "$3" | sed -n 's/^KERNEL \([0-9.]*\).*/\1/p' | tail -1)" -v x="$5" 'BEGIN {print all, all - k, k, x}' >>"$1.rows"; }

# The words that the product asks for, so that those by hand ask for the same.
words() { # machine array for them
	local i w words
	local -n to=$2
	run vmadm start "$1"
	eq "it starts" "$RC" 0
	mapfile -d '' -t words <"/proc/$(vmadm get "$1" | jq .pid)/cmdline"
	for ((i = 1; i < ${#words[@]}; i++)); do
		w=${words[i]}
		case $w in
		-cpu) cpu=${words[i + 1]} ;;
		-machine) machine=${words[i + 1]%%,*} ;;
		-accel) accel=${words[i + 1]} ;;
		-S) continue ;;
		-add-fd)
			i=$((i + 1))
			continue
			;;
		-kernel | -initrd)
			to+=("$w" "${w#-}")
			i=$((i + 1))
			continue
			;;
		stdio,id=com1*) w=file,id=com1,path=hand.log ;;
		socket,id=*) w=${w%%,fd=*},path=$T_TMP/${w:10:3}.sock,server=on,wait=off ;;
		*/dev/fdset/*) w=${w%/dev/fdset/*}$NODE_POOL/hand.raw ;;
		esac
		to+=("$w")
	done
	check "its guest comes up" come "$NODE_LOG/vms/$1/console.log" 0
	vmadm stop -F "$1" >/dev/null 2>&1
}
same=() direct=()
words "$M" same
words "$D" direct
echo "# $accel, machine $machine, processor $cpu"
[ -n "$accel" ] && [ -n "$machine" ] && [ -n "$cpu" ] || { not_ok "its words" "${same[*]}"; exit 1; }
bare=(-accel "$accel" -machine "$machine" -cpu "$cpu" -smp 1 -m 192 -nodefaults -no-user-config -display none -serial file:hand.log
	-drive "file=$NODE_POOL/hand.raw,format=raw,if=virtio,cache=writeback")
hand() { # name words…
	local t p all name=$1
	shift
	: >hand.log
	rm -f "$T_TMP"/*.sock
	t=$EPOCHREALTIME
	qemu-system-x86_64 "$@" &
	p=$!
	come hand.log 0 && all=$(since "$t") && row "$name" "$all" hand.log 0 "$(exits)"
	kill -KILL $p
	wait $p 2>/dev/null
}
ours() { # name machine
	local t at all log=$NODE_LOG/vms/$2/console.log
	at=$(stat -c %s "$log")
	t=$EPOCHREALTIME
	vmadm start "$2" >/dev/null 2>&1 && since "$t" >>"$1.start" && echo >>"$1.start" && come "$log" "$at" && all=$(since "$t") &&
		row "$1" "$all" "$log" "$at" "$(exits)"
	vmadm stop -F "$2" >/dev/null 2>&1
}
median() { cut -d' ' -f"$2" "$1" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
all=("machine" "same devices" "with a screen" "bare" "-kernel" "with kernel" "same, -kernel")
for ((i = 1; i <= ${ROUNDS:-3}; i++)); do
	ours machine "$M"
	hand "same devices" "${same[@]}"
	hand "with a screen" "${bare[@]}" -vga std
	hand "bare" "${bare[@]}"
	hand "-kernel" "${bare[@]}" -kernel kernel -initrd initrd -append "$G_WORDS"
	ours "with kernel" "$D"
	hand "same, -kernel" "${direct[@]}"
	line="# round $i:"
	for n in "${all[@]}"; do line+=" $n $(tail -1 "./$n.rows" | cut -d' ' -f1) s,"; done
	echo "${line%,}"
done
printf '# %-14s %8s %16s %8s %18s\n' "median" "s" "before its kernel" "kernel" "device accesses"
for n in "${all[@]}"; do
	f=./$n.rows
	printf '# %-14s %8s %16s %8s %18s\n' "$n" "$(median "$f" 1)" "$(median "$f" 2)" "$(median "$f" 3)" "$(median "$f" 4)"
done
echo "# vmadm start itself: $(median machine.start 1) s; with a kernel $(median "with kernel.start" 1) s"
eq "all rounds" "$(cat ./*.rows | grep -c .)" $((7 * ${ROUNDS:-3}))
