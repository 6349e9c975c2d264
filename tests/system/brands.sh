#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 600
# Every brand of OS virtualization from create to power-off: its init, its console, how it ends, and what it sees.
. "$(dirname "$0")/lib.sh"
need_root
node brands
pool 6G

ms() { date +%s%3N; }
zoneid() { vmadm get "$1" | jq .zoneid; }
booted_again() { vmadm get "$1" | jq -e ".state == \"running\" and .zoneid > $2"; } # uuid zoneid
stops_within() { # what seconds uuid [option…]
	local t0
	t0=$(ms)
	check "$1: stop" vmadm stop "${@:3}"
	le "$1: in less than $2 s" $(($(ms) - t0)) $(($2 * 1000))
	eq "$1: is stopped" "$(vmadm get "$3" | jq -r .state)" stopped
}
from_inside() { # what uuid
	local id
	id=$(zoneid "$2")
	zlogin "$2" reboot >/dev/null 2>&1
	check "$1: reboot inside boots it again" await 30 booted_again "$2" "$id"
	eq "$1: autoboot is still on" "$(vmadm get "$2" | jq .autoboot)" true
	until [ "$1" != "$sd" ] || sd_running "$2"; do read -rt 0.1 <> <(:); done
	zlogin "$2" poweroff >/dev/null 2>&1
	check "$1: poweroff inside stops it" await 30 is_state "$2" stopped
	eq "$1: and sets autoboot false" "$(vmadm get "$2" | jq .autoboot)" false
	eq "$1: exit status of an orderly end" "$(vmadm get "$2" | jq .exit_status)" 0
}
sd=none
sd_running() { [ "$(zlogin "$1" systemctl is-system-running 2>/dev/null)" = running ]; }
sd_up() { # what uuid
	check "$1: systemd reaches running" await 60 sd_running "$2" ||
		echo "# $(zlogin "$2" 'systemctl is-system-running; systemctl --failed --no-pager' 2>&1 | tr '\n' '|')"
	eq "$1: no unit has failed" "$(zlogin "$2" 'systemctl --failed --no-legend --no-pager')" ""
	echo "# $1: $(zlogin "$2" systemd-analyze 2>&1 | head -1)"
}

# ---- joyent-minimal: our own small init ----

mkzone z mini '"hostname":"mini-host"'
eq "minimal: zinit is process 1" "$(zlogin "$z" cat /proc/1/comm)" zinit
eq "minimal: host name" "$(zlogin "$z" hostname)" mini-host
eq "minimal: which resolves" "$(zlogin "$z" 'hostname -f; getent hosts mini-host | wc -l')" mini-host.local$'\n'1
eq "minimal: and in /etc/hostname" "$(zlogin "$z" cat /etc/hostname)" mini-host
zlogin "$z" 'mkdir -p /etc/zinit.d; cd /etc/zinit.d
printf "#!/bin/sh\necho svc-a up >/dev/console\nexec sleep 4321\n" >a
printf "#!/bin/sh\ntrap \"echo b ends >/dev/console; echo b >>/var/tmp/ended; exit 0\" TERM\nwhile :; do sleep 0.05; done\n" >b
printf "#!/bin/sh\necho once >>/var/tmp/once\n" >c
printf "#!/bin/sh\nexit 1\n" >not-executable; chmod +x a b c'
check "minimal: reboot" vmadm reboot "$z"
check "minimal: services of /etc/zinit.d run" await 10 zlogin "$z" 'pgrep -f "sleep 4321" && pgrep -f zinit.d/b'
check "minimal: the console has what they say" await 5 console_says "$z" 'svc-a up'
p=$(zlogin "$z" 'pgrep -f "sleep 4321"')
zlogin "$z" "kill $p"
check "minimal: a service that died is started again" await 10 zlogin "$z" "pgrep -f 'sleep 4321' | grep -vx $p"
check "minimal: one that has done its work is not" await 5 zlogin "$z" 'test -s /var/tmp/once'
eq "minimal: as often as it booted" "$(zlogin "$z" cat /var/tmp/once)" once
zlogin "$z" 'sh -c "(sleep 0.1 &) ; exit 0"'
check "minimal: orphans are reaped" await 5 zlogin "$z" '! ps -eo stat= | grep -q ^Z'
stops_within "minimal" 3 "$z"
check "minimal: start" vmadm start "$z"
eq "minimal: a service was asked to end before it was ended" "$(zlogin "$z" 'sort -u /var/tmp/ended')" b
from_inside "minimal" "$z"
# init_name: as everywhere, a program that is not there is no running zone
check "minimal: init_name" vmadm update "$z" init_name=/root/app
fails 1 '/root/app.*(ENOENT|No such file)' vmadm start "$z"
like "minimal: and what to do" "$OUT" 'init_name'
eq "minimal: it is off" "$(vmstate "$z")" stopped
vmadm update "$z" init_name= >/dev/null 2>&1
vmadm start "$z" >/dev/null 2>&1
zlogin "$z" 'printf "#!/no/interpreter\n" >/root/app; chmod 0644 /root/app'
vmadm update "$z" init_name=/root/app >/dev/null 2>&1
fails 1 '/root/app.*(EACCES|Permission)' vmadm reboot "$z"
vmadm update "$z" init_name= >/dev/null 2>&1
vmadm start "$z" >/dev/null 2>&1
zlogin "$z" 'chmod +x /root/app'
vmadm update "$z" init_name=/root/app >/dev/null 2>&1
# what only exec can tell: init ends with the shell's status, and restart_init says what then
stops_within "minimal" 3 "$z"
vmadm update "$z" restart_init=false >/dev/null 2>&1
vmadm start "$z" >/dev/null 2>&1
check "minimal: an interpreter that is not there ends the zone" await 5 is_state "$z" stopped
eq "minimal: its exit status" "$(vmadm get "$z" | jq -c '[.exit_status,.state]')" '[127,"stopped"]'
check "minimal: the console has why" console_says "$z" "root/app: can't be executed: No such file"
vmadm update "$z" restart_init=true >/dev/null 2>&1
vmadm start "$z" >/dev/null 2>&1
check "minimal: with restart_init it is started again, with a back-off" await 10 eval '[ "$(vmadm get "$z" | jq .init_restarts)" -ge 2 ]'
eq "minimal: exit status" "$(vmadm get "$z" | jq .exit_status)" 127
like "minimal: events tell it" "$(vmadm events -r "$z" 2>/dev/null || vmadm events "$z")" 'restart-init'
vmadm stop -F "$z" >/dev/null 2>&1
vmadm update "$z" init_name= restart_init=true >/dev/null 2>&1
vmadm start "$z" >/dev/null 2>&1
zlogin "$z" 'printf "#!/bin/sh\necho app is up\nread x </root/end 2>/dev/null && exit \$x\nexec sleep 999\n" >/root/app'
vmadm update "$z" init_name=/root/app >/dev/null 2>&1
check "minimal: reboot" vmadm reboot "$z"
check "minimal: init_name runs under zinit" await 10 console_says "$z" 'app is up'
eq "minimal: process 1 is still zinit" "$(zlogin "$z" cat /proc/1/comm)" zinit
zlogin "$z" 'echo; pkill sleep'
check "minimal: which runs it again" await 10 zlogin "$z" 'pgrep sleep'
zlogin "$z" 'echo 5 >/root/end'
vmadm update "$z" restart_init=false >/dev/null 2>&1
vmadm reboot "$z" >/dev/null 2>&1
check "minimal: without restart_init the VM ends with the program" await 5 is_state "$z" stopped
eq "minimal: and keeps its status" "$(vmadm get "$z" | jq .exit_status)" 5
check "minimal: delete" vmadm delete "$z"

# ---- the host's /usr, patched ----

mkzone z sparse
mkzone y sparse2
tool=/usr/lib/cloister-test-$$
put_tool() { printf '#!/bin/sh\necho %s\n' "$1" >"$tool.new"; chmod 0755 "$tool.new"; mv "$tool.new" "$tool"; }
trap 'rm -f "$tool" "$tool.new"; t_exit' EXIT
put_tool one
eq "patch: a zone sees what the host installs" "$(zlogin "$z" "$tool")" one
put_tool two
eq "patch: and its next exec is the new one" "$(zlogin "$z" "$tool")" two
eq "patch: in every zone" "$(zlogin "$y" "$tool")" two
check_not "patch: no zone can do that" zlogin "$z" "echo x >>$tool"
check_not "patch: nor by remounting" zlogin "$z" "mount -o remount,rw /usr"
eq "patch: what the host has in /usr/local is not seen" "$(zlogin "$z" 'cd /usr/local && find . -mindepth 1 | sort | tr "\n" " "')" \
	"./bin ./bin/kstat ./bin/zonememstat ./bin/zonename ./bin/zonestat ./sbin ./sbin/mdata-delete ./sbin/mdata-execute ./sbin/mdata-get ./sbin/mdata-list ./sbin/mdata-put ./sbin/zoneadm "
rm -f "$tool"
check_not "patch: gone on the host, gone in the zone" zlogin "$z" "test -e $tool"
vmadm delete "$z" >/dev/null 2>&1
vmadm delete "$y" >/dev/null 2>&1

# ---- joyent: the host's own init ----

host_init=$(readlink -f /sbin/init || :)
if [ "${host_init##*/}" = systemd ]; then
	sd=joyent
	t0=$(ms)
	mkzone z joy "" joyent
	sd_up joyent "$z"
	echo "# joyent: create to running: $(($(ms) - t0)) ms"
	eq "joyent: cgroup2 only" "$(zlogin "$z" 'grep -c " - cgroup" /proc/self/mountinfo; grep -c " - cgroup2 " /proc/self/mountinfo' | tr '\n' ' ')" "1 1 "
	check "joyent: it manages its own subtree" zlogin "$z" 'systemd-run --quiet --wait --slice=test.slice -p Type=oneshot true'
	check "joyent: the console shows boot" await 10 console_says "$z" 'Reached target.*[Mm]ulti-[Uu]ser'
	check "joyent: and offers a login" await 10 console_says "$z" 'joy console'
	eq "joyent: host name" "$(zlogin "$z" hostname)" joy
	check "joyent: the journal works" zlogin "$z" 'logger -t brandtest hello-journal; journalctl --sync; journalctl -t brandtest | grep -q hello-journal'
	stops_within joyent 10 "$z"
	check "joyent: console shows the end" console_says "$z" 'Reached target.*[Pp]ower'
	unlike "joyent: without a failure" "$(console_log "$z")" 'FAILED'
	check "joyent: start" vmadm start "$z"
	check "joyent: running again" await 30 sd_running "$z"
	id=$(zoneid "$z")
	check "joyent: reboot" vmadm reboot "$z"
	check "joyent: a new zone" booted_again "$z" "$id"
	check "joyent: running again" await 30 sd_running "$z"
	eq "joyent: the journal kept the boots" "$(zlogin "$z" 'journalctl --list-boots --no-pager | grep -cE "^ *-?[0-9]"')" 3
	from_inside joyent "$z"
	check "joyent: delete" vmadm delete "$z"
else
	skip_check "joyent: systemd" "this host's init is ${host_init:-unknown}"
fi

# ---- lx: a distribution's own root ----

debian_image
deb=$IMG
sd=lx
t0=$(ms)
mkzone z deb "\"image_uuid\":\"$deb\",\"max_physical_memory\":512" lx
echo "# lx: create until its init says it is up: $(($(ms) - t0)) ms"
eq "lx: create returns when its init is up" "$(vmadm get "$z" | jq -r .state)" running
sd_up lx "$z"
eq "lx: process 1" "$(zlogin "$z" cat /proc/1/comm)" systemd
eq "lx: it has its own /usr" "$(zlogin "$z" 'touch /usr/lib/own && rm /usr/lib/own && echo yes')" yes
eq "lx: cgroup2 only" "$(zlogin "$z" 'grep -c " - cgroup" /proc/self/mountinfo; grep -c " - cgroup2 " /proc/self/mountinfo' | tr '\n' ' ')" "1 1 "
check "lx: it manages its own subtree" zlogin "$z" 'systemd-run --quiet --wait --slice=test.slice -p Type=oneshot true'
check "lx: the journal works" zlogin "$z" 'logger -t brandtest hello-journal; journalctl --sync; journalctl -t brandtest | grep -q hello-journal'
check "lx: the console shows boot" await 10 console_says "$z" 'Reached target.*[Mm]ulti-[Uu]ser'
eq "lx: host name" "$(zlogin "$z" hostname)" deb
check "lx: a package manager that works" zlogin "$z" 'dpkg -l bash >/dev/null && dpkg --audit'
check "lx: login makes a session" zlogin "$z" 'useradd -m ann && su - ann -c "test \$(id -un) = ann && cd && touch x"'
check "lx: zlogin -l" zlogin -l ann "$z" 'test "$(id -un):$PWD" = ann:/home/ann'
if command -v expect >/dev/null; then
	zlogin "$z" 'echo root:console-Word-5 | chpasswd'
	cat >login.exp <<-'E'
		set timeout 15
		spawn vmadm console [lindex $argv 0]
		expect "login:" { send "root\r" } timeout { send "\r"; expect "login:"; send "root\r" }
		expect "assword:" { send "console-Word-5\r" }
		expect "#" { send "echo logged-\$((40 + 2)) on \$(tty)\r" }
		expect "logged-42 on /dev/console" { send "exit\r" } timeout { exit 1 }
		expect "login:" { send "~." }
		expect eof
	E
	check "lx: login at the console" expect login.exp "$z"
fi
eq "lx: host name resolves" "$(zlogin "$z" hostname -f)" deb.local
stops_within lx 10 "$z"
check "lx: console shows the end" console_says "$z" 'Reached target.*[Pp]ower'
unlike "lx: without a failure" "$(console_log "$z")" 'FAILED'
check "lx: start" vmadm start "$z"
check "lx: running again" await 30 sd_running "$z"
check "lx: what was written is there" zlogin "$z" 'test -e /home/ann/x'
from_inside lx "$z"

# provisioning
vmadm delete "$z" >/dev/null 2>&1
mkzone z prov "\"image_uuid\":\"$deb\",\"nowait\":true" lx
# one look: it may be up before the next
eq "nowait: create returns at once, state and on its way to" "$(vmadm get "$z" | jq -r '.state + " " + .transition_to')" "provisioning running"
check "nowait: running when its init says so" await 60 is_state "$z" running
check "nowait: by then it is up" sd_running "$z"
check "nowait: delete" vmadm delete "$z"
mkzone z prov "\"image_uuid\":\"$deb\",\"nowait\":true" lx
check "stop -F while provisioning" vmadm stop -F "$z"
eq "is a failure" "$(vmadm get "$z" | jq -r .state)" failed
fails 1 'is failed' vmadm start "$z"
check "delete clears it" vmadm delete "$z"
mkzone z prov "\"image_uuid\":\"$deb\",\"nowait\":true" lx
check "reboot -F while provisioning" vmadm reboot -F "$z"
eq "goes on provisioning" "$(vmadm get "$z" | jq -r .state)" provisioning
kill -KILL "$(awk '/^keeper/ {print $2}' "$NODE_RUN/$z/zone")"
run vmadm get "$z" # any later command finds it
check "with its keeper killed it is not lost" await 30 bash -c "vmadm start $z; vmadm get $z | jq -e '.state == \"running\"'"
check "delete" vmadm delete "$z"
# what its root says on that socket may be anything
mkzone z prov "\"image_uuid\":\"$deb\",\"nowait\":true" lx
zlogin "$z" 'for i in $(seq 300); do head -c 900 /dev/urandom; echo; done >/tmp/x; perl -MSocket -e "
socket(S, AF_UNIX, SOCK_DGRAM, 0); open F, q{/tmp/x}; while (<F>) { send S, q{XREADY=1
READY=10
} . \$_, MSG_DONTWAIT, pack_sockaddr_un(q{/.zonecontrol/notify}) }"' >/dev/null 2>&1
check "noise on the notify socket is no READY" await 60 is_state "$z" running
check "delete" vmadm delete "$z"

# busybox-like roots
busybox_root bb1 '::sysinit:/bin/echo sysinit ran
::respawn:/bin/sleep 5555
::shutdown:/bin/echo shutdown ran'
tar -C bb1 -cf bb1.tar .
import_image "$PWD/bb1.tar" busybox
bb=$IMG
mkzone z bb "\"image_uuid\":\"$bb\"" lx
eq "busybox: process 1" "$(zlogin "$z" 'readlink /proc/1/exe')" /bin/busybox
check "busybox: its inittab runs" await 5 zlogin "$z" 'ps | grep -q "[s]leep 5555"'
check "busybox: console" await 5 console_says "$z" 'sysinit ran'
eq "busybox: host name" "$(zlogin "$z" hostname)" bb
stops_within busybox 6 "$z"
check "busybox: its shutdown ran" console_says "$z" 'shutdown ran'
check "busybox: start" vmadm start "$z"
id=$(zoneid "$z")
check "busybox: reboot" vmadm reboot "$z"
check "busybox: a new zone" booted_again "$z" "$id"
from_inside busybox "$z"
check "busybox: delete" vmadm delete "$z"
busybox_root bb2
tar -C bb2 -cf bb2.tar .
import_image "$PWD/bb2.tar" busybox-plain
mkzone z bb2 "\"image_uuid\":\"$IMG\"" lx
check "busybox without an inittab: login" zlogin "$z" true
stops_within "busybox without an inittab" 6 "$z"
check "delete" vmadm delete "$z"

# ---- docker: an entrypoint is init ----

fails 1 'give init_name' vmadm create <<<'{"brand":"joyent-minimal","docker":true}'
printf '#!/bin/sh\ntrap "exit 9" TERM\necho pid $$ in $PWD\nwhile :; do sleep 0.1; done\n' >"$tool.new"
chmod 0755 "$tool.new"
mv "$tool.new" "$tool"
mkzone z dk-min "\"docker\":true,\"init_name\":\"$tool\""
check "docker (joyent-minimal): init_name is process 1" await 5 console_says "$z" 'pid 1 in /'
stops_within "docker (joyent-minimal)" 3 "$z"
eq "docker (joyent-minimal): exit status" "$(vmadm get "$z" | jq .exit_status)" 9
vmadm delete "$z" >/dev/null 2>&1
rm -f "$tool"

busybox_root dk
mkdir -p dk/srv/app
cat >dk/bin/entry <<'S'
#!/bin/sh
echo "pid $$ args $*"
echo "user $(id -u):$(id -g) groups $(id -G)"
echo "cwd $PWD home $HOME colour $COLOUR path $PATH"
trap 'echo asked to end; exit 7' TERM
case $1 in exit) exit "$2" ;; deaf) trap '' TERM ;; esac
while :; do sleep 0.1; done
S
chmod 0755 dk/bin/entry
oci_layout oci "$PWD/dk" '{"Entrypoint":["/bin/entry"],"Cmd":["wait","two words"],"Env":["COLOUR=blue","PATH=/bin:/sbin"],"User":"web","WorkingDir":"/srv/app"}'
import_image "$PWD/oci" app
app=$IMG
fails 1 'type docker.*not brand joyent-minimal' vmadm create <<<"{\"brand\":\"joyent-minimal\",\"docker\":true,\"image_uuid\":\"$app\"}"
mkzone z dk "\"docker\":true,\"image_uuid\":\"$app\"" lx
check "docker: entrypoint is process 1, with its arguments" await 5 console_says "$z" 'pid 1 args wait two words'
check "docker: user by name, of its own passwd" console_says "$z" 'user 1234:1235 groups 1235 1300'
check "docker: working directory, environment" console_says "$z" 'cwd /srv/app home /home/web colour blue path /bin:/sbin'
stops_within "docker" 3 "$z"
check "docker: it was asked" console_says "$z" 'asked to end'
eq "docker: exit status" "$(vmadm get "$z" | jq .exit_status)" 7
vmadm delete "$z" >/dev/null 2>&1
oci_layout oci2 "$PWD/dk" '{"Entrypoint":["/bin/entry"],"Cmd":["exit","42"]}'
import_image "$PWD/oci2" exits
mkzone z exits "\"docker\":true,\"image_uuid\":\"$IMG\"" lx
check "docker: an entrypoint that ends stops the VM" await 10 is_state "$z" stopped
eq "docker: exit status kept" "$(vmadm get "$z" | jq .exit_status)" 42
like "docker: and when" "$(vmadm get "$z" | jq -r .exit_timestamp)" '^20..-.*Z$'
check "docker: ran as root, for the image says nothing" console_says "$z" 'user 0:0'
check "docker: in /, with a default PATH" console_says "$z" 'cwd / home /root colour  path /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
eq "docker: not started again" "$(vmadm get "$z" | jq '.init_restarts // 0')" 0
vmadm delete "$z" >/dev/null 2>&1
mkzone z again "\"docker\":true,\"restart_init\":true,\"image_uuid\":\"$IMG\"" lx
check "docker: restart_init true starts it again" await 15 bash -c "vmadm get $z | jq -e '.init_restarts >= 2'"
check "docker: stop" vmadm stop -F "$z"
vmadm delete "$z" >/dev/null 2>&1
oci_layout oci3 "$PWD/dk" '{"Entrypoint":["/bin/entry","deaf"]}'
import_image "$PWD/oci3" deaf
mkzone z deaf "\"docker\":true,\"image_uuid\":\"$IMG\"" lx
await 5 console_says "$z" 'pid 1'
t0=$(ms)
check "docker: stop -t 1 of one that ignores SIGTERM" vmadm stop -t 1 "$z"
le "docker: took" $(($(ms) - t0)) 3000
le "docker: and no less than its second" 1000 $(($(ms) - t0))
eq "docker: exit status is minus the signal" "$(vmadm get "$z" | jq .exit_status)" -9
check "docker: start" vmadm start "$z"
t0=$(ms)
check "docker: stop" vmadm stop "$z"
le "docker: 10 s unless told" 10000 $(($(ms) - t0))
le "docker: and no more" $(($(ms) - t0)) 13000
vmadm delete "$z" >/dev/null 2>&1
oci_layout oci4 "$PWD/dk" '{"Entrypoint":["/bin/entry"],"User":"nobody-here"}'
import_image "$PWD/oci4" nouser
fails 1 'nobody-here.*not in the zone' vmadm create <<<"{\"brand\":\"lx\",\"docker\":true,\"image_uuid\":\"$IMG\"}"
oci_layout oci5 "$PWD/dk" '{"Entrypoint":["/bin/nothing"]}'
import_image "$PWD/oci5" nothing
fails 1 'exec /bin/nothing' vmadm create <<<"{\"brand\":\"lx\",\"docker\":true,\"image_uuid\":\"$IMG\"}"
eq "nothing is left of those" "$(vmadm list -H | wc -l)" 0
