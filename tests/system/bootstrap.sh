#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 600
#
# Debian from its packages: the image has nothing of this machine, boots to "running" and makes host keys of its own.
. "$(dirname "$0")/lib.sh"
need_root
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
node bootstrap
pool 3G
fails 2 'distribution is' imgadm bootstrap fedora
fails 1 'not a suite' imgadm bootstrap debian '../x'
fails 1 'not a list of packages' imgadm bootstrap debian bookworm --include '-x'
fails 1 'status|debootstrap' imgadm bootstrap debian bookworm --mirror file:/nonexistent
like "and where its output is" "$OUT" 'bootstrap.log'
eq "a failed one leaves nothing" "$(imgadm list -Ho uuid | wc -l) $(ls -A "$NODE_POOL/.tmp" | wc -l)" "0 0"
t0=$SECONDS
run imgadm bootstrap debian --include openssh-server --name deb
if [ "$RC" != 0 ] && grep -qE 'Failed getting release|Unable to connect|Couldn.t download|could not resolve|Invalid Release' <<<"$OUT"; then
	skip "no mirror can be reached: $OUT"
fi
eq "bootstrap" "$RC$([ "$RC" = 0 ] || echo " $OUT")" 0
echo "# $((SECONDS - t0)) s"
u=$(imgadm list -Ho uuid name=deb)
r=$NODE_POOL/images/$u/root
eq "no host keys, no device nodes, no caches" "$(ls "$r"/etc/ssh/ssh_host_* 2>/dev/null; ls -A "$r/dev" "$r/var/lib/apt/lists" "$r/var/cache/apt" | grep -v :)" ""
eq "no machine id, no name" "$(cat "$r/etc/machine-id" "$r/etc/hostname" 2>/dev/null)" ""
eq "root is locked" "$(sed -n 's/^root:\([^:]*\):.*/\1/p' "$r/etc/shadow")" '*'
eq "no mount is left" "$(grep -c "$NODE_POOL/" /proc/self/mountinfo)" 0
eq "description" "$(imgadm show "$u" | jq -r .description | cut -d' ' -f1)" Debian
for z in one two; do mkzone "$z" "$z" "\"image_uuid\":\"$u\",\"max_physical_memory\":512" lx || exit 1; done
for z in $one $two; do
	await 60 zlogin "$z" 'systemctl is-system-running | grep -qvE "starting|initializing"'
	eq "it runs" "$(zlogin "$z" systemctl is-system-running 2>&1)" running
	eq "sshd runs" "$(zlogin "$z" systemctl is-active ssh 2>&1)" active
done
k1=$(zlogin "$one" cat /etc/ssh/ssh_host_ed25519_key.pub) k2=$(zlogin "$two" cat /etc/ssh/ssh_host_ed25519_key.pub)
[ -n "$k1" ] && [ "$k1" != "$k2" ] && ok "each has keys of its own" || not_ok "each has keys of its own" "$k1 $k2"
eq "no inode number stands for two files" "$(zlogin "$one" 'find / -xdev -links 1 -type f -printf "%i\n" | sort | uniq -d | wc -l')" 0
check "a copy of a tree is no loop" zlogin "$one" 'cp -a /var /root/v'
check "packages work" zlogin "$one" 'dpkg --audit && dpkg -l | grep -q openssh-server'
t0=$SECONDS
check "it shuts down" vmadm stop "$one"
le "in its time (s)" "$((SECONDS - t0))" 30
check "an image of it" imgadm create one name=copy
check "a VM of that" mkzone three three "\"image_uuid\":\"$(imgadm list -Ho uuid name=copy)\",\"max_physical_memory\":512" lx
await 60 zlogin "$three" 'systemctl is-system-running | grep -qvE "starting|initializing"'
eq "it runs, too" "$(zlogin "$three" systemctl is-system-running 2>&1)" running
