#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# Who somebody is, is each zone's own business: the same login with different passwords in two sparse zones, over sshd
# and PAM; the tools that keep users; setuid programs of the shared /usr.
. "$(dirname "$0")/lib.sh"
need_root
[ -x /usr/sbin/sshd ] && command -v sshpass >/dev/null || skip "needs openssh-server and sshpass"
command -v expect >/dev/null || skip "needs expect"
node auth
pool

mkzone a alpha || exit 1
mkzone b beta || exit 1

# The zone's own sshd, on its own loopback. Its network is closed: the client is run inside too.
sshd_up() { # zone
	zlogin "$1" 'install -d -m 0755 /run/sshd && ssh-keygen -q -A && /usr/sbin/sshd -o ListenAddress=127.0.0.1 -o UseDNS=no' &&
		await 10 zlogin "$1" 'ss -ltn | grep -q 127.0.0.1:22'
}
ssh_as() { # zone user password command
	zlogin "$1" "SSHPASS='$3' sshpass -e ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o NumberOfPasswordPrompts=1 -o PreferredAuthentications=password -o PubkeyAuthentication=no '$2@127.0.0.1' '$4'"
}

denied() { fails 255 'Permission denied' ssh_as "$@"; }

for z in "$a" "$b"; do
	check "useradd" zlogin "$z" 'useradd -m -s /bin/bash ann && useradd -m -s /bin/bash bob && groupadd crew && usermod -aG crew ann'
	eq "an id of the zone's own" "$(zlogin "$z" id -u ann)" 1000
done
check "chpasswd" zlogin "$a" 'echo ann:alpha-Secret-1 | chpasswd && echo root:alpha-Root-1 | chpasswd'
check "chpasswd in the other" zlogin "$b" 'echo ann:beta-Secret-2 | chpasswd && echo root:beta-Root-2 | chpasswd'
eq "hashes are in the zone's own shadow" "$(zlogin "$a" 'grep -cF "ann:\$y\$" /etc/shadow')" 1
check "which nobody else reads" zlogin "$a" '! su ann -c "cat /etc/shadow" 2>/dev/null'
check "sshd" sshd_up "$a"
check "sshd in the other" sshd_up "$b"
for pair in "$a:alpha:alpha-Secret-1:beta-Secret-2" "$b:beta:beta-Secret-2:alpha-Secret-1"; do
	IFS=: read -r z name good bad <<<"$pair"
	eq "$name: its own password" "$(ssh_as "$z" ann "$good" 'hostname; id -un; id -Gn' 2>&1)" "$name"$'\n'ann$'\n'"ann crew"
	denied "$z" ann "$bad" true
	denied "$z" root "$name-Root-1" true
done
if [ "$(zlogin "$a" 'cut -d" " -f2 /etc/ssh/ssh_host_ed25519_key.pub')" != "$(zlogin "$b" 'cut -d" " -f2 /etc/ssh/ssh_host_ed25519_key.pub')" ]; then
	ok "each zone has host keys of its own"
else
	not_ok "each zone has host keys of its own"
fi

# passwd(1) and su(1): setuid in the shared /usr, and effective inside alone
cat >passwd.exp <<'E2'
set timeout 10
spawn zlogin -i -l ann [lindex $argv 0] passwd
expect "urrent password:" { send "alpha-Secret-1\r" }
expect "ew password:" { send "Changed-Word-77\r" }
expect "ew password:" { send "Changed-Word-77\r" }
expect "successfully" { expect eof; exit 0 }
exit 1
E2
check "passwd, as the user, at a terminal" expect passwd.exp "$a"
check "the new one is good" ssh_as "$a" ann Changed-Word-77 true
denied "$a" ann alpha-Secret-1 true
check "the other zone's is as before" ssh_as "$b" ann beta-Secret-2 true
cat >su.exp <<'E2'
set timeout 10
spawn zlogin -i -l ann [lindex $argv 0] [lindex $argv 2]
expect "assword:" { send "[lindex $argv 1]\r" }
expect "uid is 0" { expect eof; exit 0 }
exit 1
E2
check "su to root with the zone's root password" expect su.exp "$a" alpha-Root-1 'su -c "echo uid is $(id -u root)"'
check_not "not with the other zone's" expect su.exp "$a" beta-Root-2 'su -c "echo uid is $(id -u root)"'
pid=$(vmadm get "$a" | jq .pid)
check "root by su is the zone's root, not the host's" zlogin "$a" 'su ann -c "su --help" >/dev/null; test "$(stat -c %u:%a /usr/bin/su)" = 0:4755'
like "(the host sees it as)" "$(awk '/^Uid:/ {print $2}' "/proc/$pid/status")" '^[0-9]{9,}$'
zlogin -l ann "$a" 'exec sleep 77' &
bg=$!
await 5 pgrep -f '^sleep 77'
like "(and its users as)" "$(awk '/^Uid:/ {print $2}' "/proc/$(pgrep -f '^sleep 77' | head -1)/status")" '^[0-9]{9,}$'
zlogin "$a" 'pkill -f "sleep 77"'
wait $bg 2>/dev/null
if zlogin "$a" 'command -v sudo' >/dev/null; then
	zlogin "$a" 'echo "ann ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/ann; chmod 440 /etc/sudoers.d/ann'
	eq "sudo" "$(zlogin -l ann "$a" 'sudo -n id -u' 2>/dev/null)" 0
else
	skip_check "sudo" "this host has none"
fi

# keys
check "a key of its own lets in" zlogin "$b" 'su - bob -c "mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N \"\" -f .ssh/id_ed25519 && cp .ssh/id_ed25519.pub .ssh/authorized_keys && ssh -o BatchMode=yes -o StrictHostKeyChecking=no bob@127.0.0.1 true"'

# nothing of the host's
eq "no account of the host's people" "$(zlogin "$a" 'getent passwd | awk -F: "\$3 >= 1000 && \$3 < 60000 {print \$1}"' | sort | tr '\n' ' ')" "ann bob "
host=$(getent shadow root | cut -d: -f2)
[ -n "$host" ] && [ "${#host}" -gt 4 ] && unlike "not the host's shadow" "$(zlogin "$a" cat /etc/shadow)" "$(sed 's/[][$.*^/\\]/./g' <<<"$host")"
check "usermod, chage, userdel" zlogin "$a" 'usermod -c "Ann of alpha" ann && chage -M 90 ann && getent passwd ann | grep -q "Ann of alpha" && userdel -r bob && ! id bob'
check "lock" zlogin "$a" 'usermod -L ann'
denied "$a" ann Changed-Word-77 true
check "the same name in the other zone is not" ssh_as "$b" ann beta-Secret-2 true

# the same by the host's own init, with its unit and a session of logind
if [ "$(basename "$(readlink -f /sbin/init)")" = systemd ]; then
	mkzone j gamma '"max_physical_memory":512' joyent || exit 1
	await 30 zlogin "$j" 'systemctl is-system-running | grep -qx running'
	zlogin "$j" 'useradd -m -s /bin/bash ann && echo ann:gamma-Secret-3 | chpasswd && ssh-keygen -q -A'
	check "joyent: systemctl start ssh" zlogin "$j" 'systemctl start ssh && systemctl is-active ssh'
	await 10 zlogin "$j" 'ss -ltn | grep -q :22'
	eq "joyent: login by password, with a session" "$(ssh_as "$j" ann gamma-Secret-3 'id -un; loginctl list-sessions --no-legend | grep -c ann' 2>&1)" ann$'\n'1
	denied "$j" ann beta-Secret-2 true
	check "joyent: systemctl enable outlives a reboot" zlogin "$j" 'systemctl enable ssh'
	vmadm reboot "$j" >/dev/null 2>&1
	check "joyent: sshd is up again" await 30 zlogin "$j" 'ss -ltn | grep -q :22'
else
	skip_check "joyent: sshd as a unit" "this host's init is not systemd"
fi
