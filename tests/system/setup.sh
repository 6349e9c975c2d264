#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 600
# alone
# From plan to purge, below a folder of its own and on a node of its own: the same scripts that a user runs.
# In a network of its own, for quickstart makes one for its zone, which the host has a part in.
[ "$(id -u)" != 0 ] || [ -n "${SETUP_HOST:-}" ] || SETUP_HOST=1 exec unshare -n bash "$0" "$@"
. "$(dirname "$0")/lib.sh"
need_root
node setup
cd "$T_SRC" || exit 1
root=$T_TMP/root
export DESTDIR=$root CLOISTER_POOL_SIZE=2G BUILD=$T_BUILD
unset CLOISTER_LIBEXEC CLOISTER_SELF
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset MAKEFLAGS MAKELEVEL

# What there is of this node and of the installation: names, sizes, times.
footprint() {
	nft list ruleset
	find "$root" "$NODE_STATE" "$NODE_RUN" "$NODE_ETC" "$NODE_LOG" "$NODE_POOL" -maxdepth 2 -printf '%p %s %T@\n' 2>/dev/null | sort
	dpkg-query -W | md5sum
}

before=$(footprint)
check "plan" make -s plan
plan=$OUT
for w in "switch default" nftables packages pool.img /zones-"$NODE" first "$root/usr/local/bin" libexec/cloister systemd "2G, preallocated"; do
	like "plan speaks of $w" "$plan" "$w"
done
eq "plan changed nothing" "$(footprint)" "$before"
check "plan works without rights" setpriv --reuid=65534 --regid=65534 --clear-groups make -s plan
fails 1 'needs root' setpriv --reuid=65534 --regid=65534 --clear-groups tools/quickstart

check "quickstart" make -s quickstart
like "quickstart shows the zone's own kernel line" "$OUT" '^ +Linux first '
like "quickstart shows times" "$OUT" '[0-9]\.[0-9][0-9] s'
eq "quickstart names four commands to go on with" "$(grep -c '^   sudo ' <<<"$OUT")" 4
export CLOISTER_LIBEXEC=$root/usr/local/libexec/cloister CLOISTER_SELF=$root/usr/local/bin/cloister
PATH=$root/usr/local/bin:$PATH
eq "the zone runs" "$(vmadm list -H -o state,alias)" "running           first"
eq "with a network" "$(vmadm get first | jq -c '.nics[0] | [.nic_tag, .ips[0], .gateway]')" '["default","10.77.0.2/24","10.77.0.1"]'
eq "that has NAT" "$(cloister net get -j default | jq .nat)" true
like "for which this host has a table" "$(nft list tables)" "cloister_${NODE//-/_}"
like "quickstart says what the host lacks for it" "$OUT" 'no default route'
uuid=$(vmadm lookup alias=first) boot=$(vmadm get first | jq -r .boot_timestamp)
check "each of the four commands exists" bash -c 'for c in zlogin vmadm imgadm; do command -v $c; done'

check "quickstart again" make -s quickstart
eq "it made no second zone" "$(vmadm list -p -o uuid)" "$uuid"
eq "and left the first one running" "$(vmadm get first | jq -r .boot_timestamp)" "$boot"

check "a stopped zone" vmadm stop -F first
check "quickstart starts it" make -s quickstart
eq "it runs" "$(vmadm list -H -o state)" running

check "shutdown" cloister shutdown
check_not "the pool is detached" mountpoint -q "$NODE_POOL"
like "autoboot stays" "$(vmadm get first | jq .autoboot)" true
check "boot" cloister boot
check "the zone is back" await 20 bash -c '[ "$(vmadm list -H -o state)" = running ]'

man=$(find "$root/usr/local/share/man" -name '*.[178]' | wc -l)
le "manual pages are installed" 11 "$man"
check "completion is installed" test -e "$root/usr/local/share/bash-completion/completions/vmadm"
check "completion offers the alias" bash -c '. "$1"; COMP_WORDS=(vmadm get fi); COMP_CWORD=2; _cloister; [ "${COMPREPLY[*]}" = first ]' - \
	"$root/usr/local/share/bash-completion/completions/cloister"
for u in cloister.service cloister-zones.service cloister.slice; do
	check "unit $u" test -f "$root/usr/local/lib/systemd/system/$u"
done
if command -v systemd-analyze >/dev/null; then
	cp "$root"/usr/local/lib/systemd/system/cloister* "$T_TMP"
	sed -i "s|/usr/local/bin/|$root/usr/local/bin/|" "$T_TMP"/*.service
	run systemd-analyze verify "$T_TMP"/cloister.service "$T_TMP"/cloister-zones.service
	eq "systemd accepts the units" "$(grep cloister <<<"$OUT" | grep -v 'KillMode=none')" ""
else
	skip_check "systemd accepts the units" "no systemd-analyze here"
fi

fails 2 'YES=1' make -s purge </dev/null
eq "a purge without an answer left all as it was" "$(vmadm list -p -o uuid)" "$uuid"
pid=$(vmadm get first | jq .pid)
state=$(ls -d "$NODE_STATE" "$NODE_POOL")
check "uninstall" make -s uninstall
eq "no file of ours is left" "$(find "$root" -type f -o -type l)" ""
eq "no folder either" "$(find "$root" -mindepth 1 -name '*cloister*')" ""
eq "pool and records are" "$(ls -d "$NODE_STATE" "$NODE_POOL")" "$state"
check "and the zone runs" kill -0 "$pid"

check "install" make -s install
eq "the zone is known again" "$(vmadm list -H -o uuid,state)" "$uuid  running"
check "purge" make -s purge YES=1
eq "nothing of the node is left" "$(ls -d "$NODE_STATE" "$NODE_RUN" "$NODE_ETC" "$NODE_LOG" "$NODE_POOL" 2>/dev/null)" ""
eq "no rule of ours is left at the host" "$(nft list ruleset)" ""
eq "no interface" "$(ip -br link | grep -c '^cloister')" 0
eq "no cgroup either" "$(node_cgroups "$NODE")" ""
eq "no loop device either" "$(losetup -nO BACK-FILE | grep -c "cloister-$NODE/")" 0
