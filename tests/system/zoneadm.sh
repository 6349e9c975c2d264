#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# zoneadm and zonecfg: the illumos faces of a VM.
. "$(dirname "$0")/lib.sh"
need_root
node zoneadm
pool
z='' off=''
mkzone z web '"max_lwps":300,"cpu_cap":150,"filesystems":[{"type":"tmpfs","target":"/scratch","options":["size=1m"]},
	{"type":"lofs","source":"'"$(dirname "$CLOISTER_SELF")"'","target":"/opt/cloister","options":["ro"]}]'
mkzone off off '"autoboot":false'
id=$(vmadm get "$z" | jq .zoneid)

# ---- list ----
eq "list: what runs" "$(zoneadm list)" "global
$z"
eq "list -p" "$(zoneadm list -p)" "0:global:running:/::liveimg:shared
$id:$z:running:$NODE_POOL/$z:$z:joyent-minimal:excl"
eq "list -ip has installed ones" "$(zoneadm list -ip | grep -c .)" 3
like "list -cp" "$(zoneadm list -cp)" "^-:$off:installed:$NODE_POOL/$off:$off:joyent-minimal:excl$"
like "list -v has a header" "$(zoneadm list -v | head -1)" '^ *ID NAME +STATUS +PATH +BRAND +IP$'
eq "-z by alias" "$(zoneadm -z web list -p)" "$id:$z:running:$NODE_POOL/$z:$z:joyent-minimal:excl"
eq "-z of one that is off" "$(zoneadm -z off list)" "$off"
fails 1 'unknown|No such zone' zoneadm -z nope list
fails 2 'not both' zoneadm list -pv
fails 2 'unknown option -x' zoneadm list -x

self="$id:$z:running:/:$z:joyent-minimal:excl"
eq "in a zone: only itself" "$(zlogin web zoneadm list -cp </dev/null)" "$self"
eq "in a zone: its name" "$(zlogin web zonename </dev/null)" "$z"
eq "in a zone: by a login shell's own PATH" "$(zlogin web 'env -i HOME=/root bash -lc "zonename; zonename -t"' </dev/null | xargs)" "$z exclusive"
eq "in a zone: where an image without our /usr/local finds them" "$(zlogin web '/.zonecontrol/native/usr/bin/zonename; /.zonecontrol/native/usr/sbin/zoneadm list' </dev/null | xargs)" "$z $z"
fails 1 "^zoneadm: $off: No such zone configured" zlogin web "zoneadm -z $off list"
fails 2 'done in the global zone' zlogin web 'zoneadm halt'
fails 2 'usage: zonename' zlogin web 'zonename web'
check_not "in a zone: the program can't be written" zlogin web 'echo x >>/usr/local/bin/zonename'
check_not "in a zone: nor replaced" zlogin web 'ln -sf /bin/true /usr/local/bin/zonename'
check_not "in a zone: nor covered by unmounting" zlogin web 'umount /usr/local || umount /.zonecontrol/native'
eq "in a zone: our own command knows it too" "$(zlogin web /opt/cloister/cloister zoneadm list -cp </dev/null)" "$self"
fails 1 "$off: No such zone configured" zlogin web "/opt/cloister/cloister zoneadm -z $off list"

# ---- its life; autoboot stays ----
auto() { vmadm get "$1" | jq .autoboot; }
check "halt" zoneadm -z web halt
eq "halted" "$(vmstate "$z")" stopped
eq "autoboot is as it was" "$(auto "$z")" true
check "halt of a halted one" zoneadm -z web halt
check "boot" zoneadm -z web boot
eq "running" "$(vmstate "$z")" running
fails 1 'already booted' zoneadm -z web boot
check "boot of the other" zoneadm -z off boot
eq "its autoboot is as it was" "$(auto "$off")" false
check "reboot" zoneadm -z web reboot
eq "runs again" "$(zlogin web echo yes </dev/null)" yes
check "shutdown" zoneadm -z web shutdown
eq "is down" "$(vmstate "$z")" stopped
eq "autoboot is still as it was" "$(auto "$z")" true
check "verify" zoneadm -z web verify
fails 2 'ready is not available' zoneadm -z web ready
fails 2 'vmadm creates' zoneadm -z web install
fails 2 'say -F' zoneadm -z web uninstall
fails 1 'invalid for the global zone' zoneadm -z global halt
fails 2 'which zone' zoneadm boot

# ---- zonecfg ----
check "info" zonecfg -z web info
for l in "zonename: $z" "zonepath: $NODE_POOL/$z" "brand: joyent-minimal" "\\[max-lwps: 300\\]" "	dir: /scratch" \
	"	options: \\[size=1m\\]" "	\\[ncpus: 1.50\\]" "	value: \\(priv=privileged,limit=300,action=deny\\)"; do
	like "info has $l" "$OUT" "^$l\$"
done
eq "info of one property" "$(zonecfg -z web info brand)" "brand: joyent-minimal"
like "info fs" "$(zonecfg -z web info fs)" 'type: tmpfs'
check "export" zonecfg -z web export
like "export begins a zone" "$OUT" '^create -b$'
eq "every add has its end" "$(grep -cE '^add (fs|attr|rctl|device|dataset|net|capped)' <<<"$OUT")" "$(grep -c '^end$' <<<"$OUT")"
check "export -f" zonecfg -z web export -f out.cfg
eq "the file is the same" "$(cat out.cfg)" "$OUT$(zonecfg -z web export)"
fails 2 'vmadm update changes' zonecfg -z web set autoboot=false
fails 2 'unknown resource type' zonecfg -z web info nonsense
fails 1 'No such zone' zonecfg -z nope info

check "uninstall -F" zoneadm -z off uninstall -F
eq "it is gone" "$(zoneadm list -cp | grep -c "$off")" 0
