# SPDX-License-Identifier: MPL-2.0
# What every system test begins with:
#
#	#!/bin/bash
#	# timeout: 120                       (seconds; 300 unless told)
#	. "$(dirname "$0")/lib.sh"
#	need_root
#	node web                             (CLOISTER_NODE=tNNN-web unless set; PATH with vmadm…; a clean node, gone at the end)
#	pool                                 (a small pool of its own)
#	mkzone z a1 '"max_lwps":100'         (a joyent-minimal zone with alias a1; its uuid in $z)
#	check "it runs" zlogin $z true
#	fails 1 'No such zone' vmadm get 00000000-0000-0000-0000-000000000001
#	eq "hostname" "$(zlogin $z hostname)" a1
#
# Output is TAP: each check prints "ok N - what" or "not ok N - what" and why. The exit status is 0, 1 (a check
# failed) or 77 (skip). Nothing a test makes outlives it: see node_clean.

set -uo pipefail
export LC_ALL=C TZ=UTC

T_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
T_SRC=$(cd "$T_DIR/../.." && pwd)
T_BUILD=${CLOISTER_BUILD:-$T_SRC/build}
T_N=0 T_BAD=0 T_NODES=() T_TMP=

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# The whole test can't run here: says why, in words that name what is missing.
skip() {
	echo "# skip: $*"
	echo "1..0 # SKIP $*"
	exit 77
}

# One check can't run here.
skip_check() { # what reason
	T_N=$((T_N + 1))
	echo "ok $T_N - $1 # SKIP $2"
}

ok() {
	T_N=$((T_N + 1))
	echo "ok $T_N - $1"
}

# Prints the rest of its arguments, then standard input if it is not the test's own, as the reason.
not_ok() { # what [why…]
	T_N=$((T_N + 1)) T_BAD=$((T_BAD + 1))
	echo "not ok $T_N - $1"
	shift
	[ $# -eq 0 ] || printf '%s\n' "$*" | sed -n '1,40s/^/#   /p'
}

# The command succeeds. It runs in this shell: functions and assignments work. $OUT is what it printed (both streams).
check() { # what command…
	local what=$1 rc
	shift
	run "$@"
	rc=$RC
	if [ "$rc" = 0 ]; then ok "$what"; else not_ok "$what" "exit $rc: $*"$'\n'"$OUT"; fi
	return "$rc"
}

# The command does not succeed (any status but 0, and not by a signal).
check_not() { # what command…
	local what=$1
	shift
	run "$@"
	if [ "$RC" != 0 ] && [ "$RC" -lt 128 ]; then ok "$what"; else not_ok "$what" "exit $RC: $*"$'\n'"$OUT"; fi
}

# The command fails with this exit status ("1|2" takes either) and says something that matches the pattern (grep -E).
fails() { # exit pattern command…
	local want=$1 pat=$2
	shift 2
	run "$@"
	if [[ $RC =~ ^($want)$ ]] && grep -qE -- "$pat" <<<"$OUT"; then
		ok "refused ($pat): ${*:1:9}"
	else
		not_ok "refused ($pat): ${*:1:9}" "exit $RC, wanted $want and /$pat/"$'\n'"$OUT"
	fi
}

eq() { # what got want
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:    $2"$'\n'"wanted: $3"; fi
}

like() { # what text pattern
	if grep -qE -- "$3" <<<"$2"; then ok "$1"; else not_ok "$1" "/$3/ does not match:"$'\n'"$2"; fi
}

unlike() { # what text pattern
	if grep -qE -- "$3" <<<"$2"; then not_ok "$1" "/$3/ matches:"$'\n'"$2"; else ok "$1"; fi
}

# Numbers: le "what" 12 20 says 12 <= 20.
le() { # what got limit
	if awk -v a="$2" -v b="$3" 'BEGIN {exit !(a + 0 <= b + 0)}'; then ok "$1 ($2)"; else not_ok "$1" "$2 is more than $3"; fi
}

# Sets OUT (both streams) and RC; standard input is the caller's.
run() {
	local f
	f=$(mktemp)
	"$@" >"$f" 2>&1
	RC=$?
	OUT=$(tr -d '\000' <"$f")
	rm -f "$f"
	return 0
}

# Until the command succeeds, for at most so many seconds: for what the kernel or a zone does in its own time. Where the
# machine is emulated (T_SLOW, tests/host), that time is longer.
await() { # seconds command…
	local end=$((SECONDS + $1 * ${T_SLOW:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		read -rt 0.05 <> <(:) || :
	done
}

# ---- the node ----

# Installs the build into build/stage, so that tests use the links and the folders that users have.
stage() {
	local stage=$T_BUILD/stage
	[ -f "$T_BUILD/build.ninja" ] || skip "not built: run make first"
	(
		flock 9
		if [ ! -e "$stage/.done" ] || [ -n "$(find "$T_BUILD/src" -type f \( -perm -u+x -o -name '*.bpf.o' \) -newer "$stage/.done" -print -quit)" ]; then
			meson install -C "$T_BUILD" --destdir "$stage" --no-rebuild --quiet >"$T_BUILD/stage.log" 2>&1 &&
				touch "$stage/.done"
		fi
	) 9>"$T_BUILD/.stage.lock" || skip "could not stage the build: see $T_BUILD/stage.log"
	export CLOISTER_LIBEXEC=$stage/usr/local/libexec/cloister
	export CLOISTER_SELF=$stage/usr/local/bin/cloister
	export PATH=$stage/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
}

# Two checkouts may be tested on one machine at the same time: each has names of its own.
node_name() { # name
	local sum
	sum=$(cksum <<<"$T_SRC")
	printf 't%03x-%s' $((${sum%% *} % 4096)) "$1"
}

node() { # name
	export CLOISTER_NODE=${CLOISTER_NODE:-$(node_name "$1")}
	case $CLOISTER_NODE in default | '') skip "will not test on the default node" ;; esac
	NODE=$CLOISTER_NODE
	NODE_STATE=/var/lib/cloister-$NODE NODE_RUN=/run/cloister-$NODE NODE_ETC=/etc/cloister-$NODE
	NODE_LOG=/var/log/cloister-$NODE NODE_POOL=/zones-$NODE
	stage
	T_NODES+=("$NODE")
	node_clean "$NODE"
	T_TMP=$(mktemp -d "/tmp/$NODE.XXXXXX")
	cd "$T_TMP" || exit 1
	trap t_exit EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# A second node of this test (its commands: cloister --node NAME …, or CLOISTER_NODE=NAME).
another_node() { # name
	T_NODES+=("$1")
	node_clean "$1"
}

t_exit() {
	local rc=$?
	trap - EXIT HUP INT TERM
	cd /
	if [ -z "${KEEP:-}" ]; then
		local n
		for n in "${T_NODES[@]}"; do node_clean "$n"; done
		[ -z "$T_TMP" ] || rm -rf "$T_TMP"
	fi
	[ "$rc" = 77 ] && exit 77
	echo "1..$T_N"
	[ "$rc" = 0 ] && [ "$T_BAD" -gt 0 ] && rc=1
	[ "$rc" = 0 ] && [ "$T_N" = 0 ] && { echo "# no check ran"; rc=1; }
	exit "$rc"
}

# The cgroup directories of a node, in all hierarchies.
node_cgroups() { # node
	awk '$0 ~ / - cgroup2? / {print $5}' /proc/self/mountinfo | sort -u | while read -r m; do
		find "$m" -maxdepth 4 -type d -name "cloister-$1" 2>/dev/null
	done
}

# Takes away everything a node has, by force and without its programs: also after a kill -9 of all of them.
node_clean() { # node
	local n=$1 cg pid i mnt dev
	case $n in default | '' | */* | *..*) return 1 ;; esac
	for cg in $(node_cgroups "$n"); do
		[ ! -w "$cg/cgroup.kill" ] || echo 1 >"$cg/cgroup.kill"
		for pid in $(find "$cg" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u); do
			[ "$pid" = $$ ] || [ "$pid" = 0 ] || kill -KILL "$pid" 2>/dev/null
		done
	done
	for i in {1..100}; do
		[ -n "$(for cg in $(node_cgroups "$n"); do find "$cg" -name cgroup.procs -exec cat {} + 2>/dev/null; done)" ] || break
		read -rt 0.05 <> <(:) || :
	done
	for cg in $(node_cgroups "$n"); do
		find "$cg" -depth -type d -exec rmdir {} + 2>/dev/null
	done
	for i in {1..5}; do
		mnt=$(awk -v n="$n" '$5 ~ "^/(zones|run/cloister|var/lib/cloister)-" n "(/|$)" || index($5, "/tmp/" n ".") == 1 {print $5}' /proc/self/mountinfo | sort -r)
		[ -n "$mnt" ] || break
		while read -r m; do umount -n "$(printf %b "$m")" 2>/dev/null || umount -nl "$(printf %b "$m")" 2>/dev/null; done <<<"$mnt"
	done
	for dev in $(losetup -nO NAME,BACK-FILE 2>/dev/null | awk -v p="/var/lib/cloister-$n/" -v t="/tmp/$n." 'index($2, p) == 1 || index($2, t) == 1 {print $1}'); do
		losetup -d "$dev" 2>/dev/null
	done
	# The folder of a test that was killed: node() made it, and nobody else's is called so.
	find /tmp -maxdepth 1 -type d -user root -name "$n.??????" -exec rm -rf --one-file-system {} +
	# Away under another name first: a straggler must not find a database whose log is gone, or the other way round.
	for i in run var/lib etc var/log; do
		[ ! -e "/$i/cloister-$n" ] || { mv -T "/$i/cloister-$n" "/$i/gone-$n.$$" && rm -rf --one-file-system "/$i/gone-$n.$$"; } || rm -rf --one-file-system "/$i/cloister-$n"
	done
	# Never below a mount: if the pool could not be taken away, its content stays.
	rmdir "/zones-$n" 2>/dev/null || [ ! -e "/zones-$n" ] || mountpoint -q "/zones-$n" || rm -rf --one-file-system "/zones-$n"
	return 0
}

# The node's processes and cgroups go, as when the machine does; its run directory too unless told to keep it.
power_cut() { # [keep]
	local cg
	for cg in $(node_cgroups "$NODE"); do [ ! -w "$cg/cgroup.kill" ] || echo 1 >"$cg/cgroup.kill"; done
	await 10 eval '[ -z "$(for cg in $(node_cgroups "$NODE"); do find "$cg" -name cgroup.procs -exec cat {} + 2>/dev/null; done)" ]'
	for cg in $(node_cgroups "$NODE"); do find "$cg" -depth -type d -exec rmdir {} + 2>/dev/null; done
	[ "${1:-}" = keep ] || rm -rf "$NODE_RUN"
}

# A disk of 2 MiB with the guest of bootsector.s, built with everything else: where tests run there may be no assembler.
bootsector() { # file
	cat "$T_BUILD/tests/system/bootsector.bin" >"$1" && truncate -s 2M "$1"
}

# A pool of its own for this node, 2 GiB unless told.
pool() { # [size]
	run cloister pool create --size "${1:-2G}"
	[ "$RC" = 0 ] || { not_ok "a pool for this test" "$OUT"; exit 1; }
}

# ---- zones ----

# Creates (and boots) a VM and puts its uuid in the variable. extra: JSON members, without braces.
mkzone() { # variable alias [extra [brand]]
	local json="{\"brand\":\"${4:-joyent-minimal}\",\"alias\":\"$2\"${3:+,$3}}" u
	run vmadm create <<<"$json"
	u=$(sed -n 's/^Successfully created VM //p' <<<"$OUT" | head -1)
	printf -v "$1" %s "$u"
	[ "$RC" = 0 ] && [ -n "$u" ] && return 0
	not_ok "create zone $2" "exit $RC: $json"$'\n'"$OUT"
	return 1
}

vmstate() { vmadm lookup -j -o state "uuid=$1" 2>/dev/null | jq -r '.[0].state // empty'; }

# The zone's directory in one hierarchy: cgdir UUID v2 | cpu | memory | pids … Where v2 holds memory or processes, those
# limits are one level below, and so is the zone's own tree (cgtop UUID).
cgdir() { # uuid controller
	local m d
	if [ "$2" = v2 ]; then
		m=$(awk '$0 ~ / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)
	else
		m=$(awk -v c="$2" '$0 ~ / - cgroup / && "," $NF "," ~ "," c "," {print $5; exit}' /proc/self/mountinfo)
		[ -n "$m" ] || m=$(awk '$0 ~ / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)
	fi
	d=$(find "$m" -maxdepth 5 -type d -path "*/cloister-$NODE/$1" 2>/dev/null | head -1)
	case $2 in memory | pids) [ ! -e "$d/all/$2.max" ] || d=$d/all ;; esac
	printf '%s\n' "$d"
}
cgtop() { find "$(cgdir "$1" v2)" -mindepth 1 -maxdepth 2 -type d -name zone | head -1; } # uuid


# ---- images ----

# Debian with systemd in $IMG, imported from an archive that the first test to ask bootstraps (a minute or two, from
# the packages' mirror): kept for a week below /var/tmp, since a dozen tests and benchmarks ask.
debian_image() {
	local dir=/var/tmp/cloister-test-cache f u
	f=$dir/debian-$(dpkg --print-architecture).tar.zst
	mkdir -p -m 0700 "$dir"
	[ "$(stat -c %u "$dir")" = 0 ] || skip "$dir is not root's"
	(
		flock 9
		[ -z "$(find "$f" -mtime -7 2>/dev/null)" ] || exit 0
		run imgadm bootstrap debian -q
		u=$(imgadm list -Hp -o uuid name=~debian | head -1)
		[ "$RC" = 0 ] && [ -n "$u" ] && tar -C "$NODE_POOL/images/$u/root" --xattrs --numeric-owner -cf - . | zstd -q -T0 -o "$f.new" -f &&
			mv "$f.new" "$f"
		[ -f "$f" ] || { echo "$OUT" >&2; exit 1; }
	) 9>"$dir/.lock" || skip "no Debian image: imgadm bootstrap failed, and there is no archive of an earlier one"
	import_image "$f" debian
}

# An image of a root filesystem archive or an OCI layout in $IMG.
import_image() { # path name [option…]
	run imgadm import "$1" -q --name "$2" "${@:3}"
	IMG=$(imgadm list -Hp -o uuid "name=$2" | tail -1)
	[ "$RC" = 0 ] && [ -n "$IMG" ] || { not_ok "import image $2" "$OUT"; exit 1; }
}

# A root of busybox alone in a folder: its applets, a user, and what is given as inittab.
busybox_root() { # folder [inittab]
	local b
	b=$(command -v busybox) && file -L "$b" 2>/dev/null | grep -q dynamically && b=
	[ -n "$b" ] || skip "needs busybox-static"
	mkdir -p "$1"/{bin,sbin,etc,root,tmp,proc,sys,dev,run,var,usr/bin,usr/sbin,home/web}
	cp "$b" "$1/bin/busybox"
	"$b" --list | grep -vx busybox | while read -r a; do ln -sf /bin/busybox "$1/bin/$a"; done
	ln -sf /bin/busybox "$1/sbin/init"
	printf 'root::0:0:root:/root:/bin/sh\nweb:x:1234:1235:web:/home/web:/bin/sh\n' >"$1/etc/passwd"
	printf 'root:x:0:\nweb:x:1235:\nlogs:x:1300:web\n' >"$1/etc/group"
	[ $# -lt 2 ] || printf '%s\n' "$2" >"$1/etc/inittab"
}

# An OCI image layout of one layer: the root's folder and the image's config object ({"Entrypoint": …}).
oci_layout() { # folder root config
	local dir=$1 layer config manifest arch
	arch=$(dpkg --print-architecture)
	mkdir -p "$dir/blobs/sha256"
	put() { # type file → descriptor
		local sum
		sum=$(sha256sum <"$2" | cut -d' ' -f1)
		mv "$2" "$dir/blobs/sha256/$sum"
		jq -nc --arg t "$1" --arg d "sha256:$sum" --argjson s "$(stat -c %s "$dir/blobs/sha256/$sum")" '{mediaType:$t,digest:$d,size:$s}'
	}
	tar -C "$2" --numeric-owner --owner=0 --group=0 -cf "$dir/layer" .
	local diff
	diff=sha256:$(sha256sum <"$dir/layer" | cut -d' ' -f1)
	gzip -1 "$dir/layer"
	layer=$(put application/vnd.oci.image.layer.v1.tar+gzip "$dir/layer.gz")
	jq -nc --arg a "$arch" --argjson c "$3" --arg d "$diff" \
		'{architecture:$a,os:"linux",config:$c,rootfs:{type:"layers",diff_ids:[$d]}}' >"$dir/config"
	config=$(put application/vnd.oci.image.config.v1+json "$dir/config")
	jq -nc --argjson c "$config" --argjson l "$layer" \
		'{schemaVersion:2,mediaType:"application/vnd.oci.image.manifest.v1+json",config:$c,layers:[$l]}' >"$dir/manifest"
	manifest=$(put application/vnd.oci.image.manifest.v1+json "$dir/manifest")
	echo '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci-layout"
	jq -nc --argjson m "$manifest" '{schemaVersion:2,manifests:[$m]}' >"$dir/index.json"
}

console_log() { cat "$NODE_LOG/vms/$1/console.log.1" "$NODE_LOG/vms/$1/console.log" 2>/dev/null; } # uuid
console_says() { grep -qE -- "$2" <(console_log "$1"); } # uuid pattern
is_state() { [ "$(vmadm get "$1" | jq -r .state)" = "$2" ]; } # uuid state
