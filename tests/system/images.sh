#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
#
# Images: what comes in, what is kept of it, what is refused, who uses it, and what a kill leaves. The archives and
# layouts are made by mkimages.py, with the hostile ones in lists of "file <tab> what the message must say".
. "$(dirname "$0")/lib.sh"
need_root
command -v busybox >/dev/null || skip "busybox-static is needed as a root filesystem"
command -v zstd >/dev/null && command -v xz >/dev/null && command -v jq >/dev/null || skip "zstd, xz and jq are needed"
node images
pool
mkdir m
python3 "$T_DIR/mkimages.py" "$T_TMP/m" "$(command -v busybox)" || { not_ok "the archives for this test"; exit 1; }
cd m || exit 1

uuid_of() { imgadm list -Ho uuid "name=$1" | head -1; }
tree() { echo "$NODE_POOL/images/$1/root"; }
images() { imgadm list -Ho uuid | grep -vc 0000c101; }
# Nothing but what is listed: no half image, nothing in .tmp.
clean() { # what
	eq "$1: nothing else is left" "$(find "$NODE_POOL/images" -mindepth 1 -maxdepth 1 ! -name '.*' 2>/dev/null | wc -l) $(ls -A "$NODE_POOL/.tmp" 2>/dev/null | wc -l)" \
		"$(imgadm list -Ho uuid | wc -l) 0"
}

# ---- tarballs ----

for f in root.tar root-gnu.tar root.tar.gz root.tar.xz root.tar.zst; do
	check "import $f" imgadm import --name "t-$f" "$f"
	like "$f: says which" "$OUT" '^Imported image [0-9a-f-]{36} \(t-root'
	r=$(tree "$(uuid_of "t-$f")")
	eq "$f: content" "$("$r/bin/busybox" echo hi) $(readlink "$r/bin/sh")" "hi busybox"
	eq "$f: setuid, owner" "$(stat -c '%a %u:%g' "$r/bin/su")" "4755 0:65535"
	eq "$f: time" "$(stat -c %Y "$r/bin/su" "$r/etc" | sort -u)" 1000000000
	eq "$f: hard link" "$(stat -c %i "$r/bin/hard")" "$(stat -c %i "$r/bin/busybox")"
	eq "$f: a device of the usual kind is left out" "$(ls -A "$r/dev")" ""
	[ -p "$r/run/fifo" ] && ok "$f: fifo" || not_ok "$f: fifo"
done
r=$(tree "$(uuid_of t-root.tar)")
eq "attributes: user.* kept, trusted.* dropped, ACL kept" "$(python3 -c "import os; print(sorted(os.listxattr('$r/bin/ping')))")" "['system.posix_acl_access', 'user.note']"
eq "os-release becomes the description" "$(imgadm get "$(uuid_of t-root.tar)" | jq -r .manifest.description)" "Tiny 1.0"
check "standard input" bash -c 'imgadm import --name piped - <root.tar.gz'
check "a sparse file" imgadm import --name sp --max-size 100M sparse.tar
le "a sparse file stays sparse (KiB)" "$(du -k "$(tree "$(uuid_of sp)")/etc/big" | cut -f1)" 1024
eq "and whole" "$(tail -c +33554433 "$(tree "$(uuid_of sp)")/etc/big" | head -c 6)" middle
check_not "the tree is read-only" touch "$r/x"
while IFS=$'\t' read -r f pat; do
	fails 1 "$pat" imgadm import "$f"
done <hostile.list
fails 1 'An image server' imgadm import 11111111-2222-4333-8444-555555555555
{ printf '\xeb\x63\x90'; head -c 1M /dev/zero; } >disk.raw
fails 1 'a machine.s disk: --type zvol' imgadm import disk.raw
fails 1 '^imgadm install: nowhere.json: No such file' imgadm install -m nowhere.json -f root.tar.gz
fails 1 'more than 10485760 bytes' imgadm import --max-size 10M bomb.tar.gz
fails 1 'more than 1000 entries' imgadm import --max-entries 1000 many.tar.gz
fails 1 'is a zfs send|zfs receive' imgadm import bad-zfs
[ ! -e /tmp/cloister-pwned ] && [ ! -e /etc/cloister-pwned ] && ok "nothing was written outside" || not_ok "nothing was written outside"
imgadm import bad-escape.tar 2>&1 | grep -q $'\x1b' && not_ok "an escape sequence reaches the terminal" || ok "no escape sequence reaches the terminal"
clean "S20: after the hostile ones"

# ---- OCI ----

for l in oci oci-zstd oci-plain oci-nested oci.tar; do
	check "import $l" imgadm import --name "o-$l" "$l"
	r=$(tree "$(uuid_of "o-$l")")
	eq "$l: whiteouts and opaque folders" "$(cd "$r" && find etc gone old file-then-dir 2>/dev/null | sort | tr '\n' ' ')" \
		"etc etc/b etc/conf file-then-dir file-then-dir/x old old/new old/sub old/sub/kept "
	eq "$l: through a link, inside" "$(cat "$r/usr/bin/tool")" "through the link"
	eq "$l: hard link to a lower layer" "$(stat -c %i "$r/usr/bin/hard")" "$(stat -c %i "$r/usr/bin/busybox")"
done
i=$(uuid_of o-oci)
eq "entrypoint, env, user, folder" "$(imgadm show "$i" | jq -c '[.type, .oci.argv, .oci.env, .oci.user, .oci.cwd]')" \
	'["docker",["/bin/sh","-c","exit 7"],["PATH=/bin","A=b c"],"1000:1000","/etc"]'
fails 1 'several images fit: one, two' imgadm import oci-two
like "and how to choose" "$OUT" 'ref NAME'
check "choose one" imgadm import --name two --ref two oci-two
eq "it is that one" "$(imgadm show "$(uuid_of two)" | jq -c .oci.argv)" '["/bin/two"]'
check "links in layers resolve inside" imgadm import --name links oci-links
eq "what went through them" "$(cd "$(tree "$(uuid_of links)")/etc" && ls | tr '\n' ' ')" "a cloister-pwned cloister-pwned2 conf "
[ ! -e /etc/cloister-pwned ] && [ ! -e /etc/cloister-pwned2 ] && ok "nothing reached the host" || not_ok "nothing reached the host"
while IFS=$'\t' read -r f pat; do
	fails 1 "$pat" imgadm import "$f"
done <oci-hostile.list
clean "after the hostile layouts"

# ---- install ----

check "install" imgadm install -m good.json -f root.tar.gz
check "install by sha256" imgadm install -m sha256.json -f root.tar.gz
fails 1 'installed already' imgadm install -m good.json -f root.tar.gz
check "delete and install again" imgadm delete 11111111-2222-4333-8444-555555555555
fails 1 'its origin' imgadm install -m child.json -f root.tar.gz
check "again" imgadm install -m good.json -f root.tar.gz
check "a child" imgadm install -m child.json -f root.tar.gz
eq "ancestry" "$(imgadm ancestry 11111111-2222-4333-8444-555555555557 | awk 'NR > 1 {print substr($1, 36)}' | tr -d '\n')" 75
fails 1 'in use by image 11111111-2222-4333-8444-555555555557' imgadm delete 11111111-2222-4333-8444-555555555555
check "the child goes first" imgadm delete 11111111-2222-4333-8444-555555555557
check "then the origin" imgadm delete 11111111-2222-4333-8444-555555555555
for t in 'sha1:sha1 is .* should be 0{40}' 'sha256:sha256 is' 'size:truncated' 'less:longer than' 'v:must be 2' 'uuid:uuid' 'type:zvol' \
	'origin:origin' 'disabled:disabled' 'name:printable' 'dup:duplicate' 'json:line'; do
	fails 1 "${t#*:}" imgadm install -m "bad-${t%%:*}.json" -f root.tar.gz
done
head -c 100000 root.tar.gz >cut.tar.gz
fails 1 'truncated' imgadm install -m good.json -f cut.tar.gz
fails 2 'usage' imgadm install -m good.json
fails 2 'usage' imgadm import
fails 2 'no column' imgadm list -o nonsense
fails 3 'not installed' imgadm get 99999999-2222-4333-8444-555555555555
fails 3 'not installed' imgadm delete 99999999-2222-4333-8444-555555555555
fails 1 'not a uuid' imgadm get x
for v in sources avail update publish; do fails 1 'not available yet' imgadm $v; done
clean "after install"

# what a manifest says reaches the terminal without its escape sequences: ESC, and U+009B, which is ESC [
jq '.published_at = "\u001b]0;x\u0007" | .owner = "\u009b31m" | .uuid = "11111111-2222-4333-8444-55555555555a"' good.json >esc.json
check "install from a manifest with escape sequences" imgadm install -m esc.json -f root.tar.gz
for o in '' -p; do
	LC_ALL=C unlike "S17 imgadm list $o shows none" "$(imgadm list $o -o name,published,owner)" $'\x1b|\x07|\xc2\x9b'
done
check "delete it" imgadm delete 11111111-2222-4333-8444-55555555555a
jq '.name = "a\u009b31mb"' good.json >esc.json
fails 1 'printable' imgadm install -m esc.json -f root.tar.gz
jq '.type = "a\u009b31mb"' good.json >esc.json
LC_ALL=C unlike "S17 nor does an error" "$(imgadm install -m esc.json -f root.tar.gz 2>&1)" $'\xc2\x9b'

# ---- list ----

eq "columns" "$(imgadm list | head -1 | tr -s ' ')" "UUID NAME VERSION OS TYPE PUB"
eq "filters" "$(imgadm list -Ho name type=docker name=~o-oci- | tr '\n' ' ')" "o-oci-zstd o-oci-plain o-oci-nested "
eq "parsable" "$(imgadm list -p -o name,type name=two)" "two:docker"
eq "JSON" "$(imgadm list -j name=two | jq -r '.[0].manifest.name + " " + .[0].zpool')" "two zones"
eq "a prefix will do" "$(imgadm show "$(uuid_of two | cut -c1-9)" | jq -r .name)" two

# ---- the platform image ----

check "platform image" imgadm platform
p=$(tree 00000000-0000-0000-0000-00000000c101)
eq "root is locked" "$(cut -d: -f2 "$p/etc/shadow" | sort -u)" '*'
for f in etc/hostname etc/ssh/ssh_host_rsa_key etc/ssh/ssh_host_ed25519_key etc/apt/sources.list etc/sudoers.d var/lib/dpkg/status root/.ssh; do
	[ ! -e "$p/$f" ] && ok "not the host's: $f" || not_ok "not the host's: $f" "$(ls -ld "$p/$f")"
done
eq "machine-id is empty" "$(stat -c %s "$p/etc/machine-id")" 0
users=$(awk -F: '$3 >= 1000 && $3 < 65534 {print $1}' /etc/passwd)
eq "no person of the host's" "$(cut -d: -f1 "$p/etc/passwd" | grep -Fxf <(echo "$users:none" | tr ':' '\n' | grep .) || :)" ""
eq "no password of the host's" "$(cut -d: -f2 /etc/shadow | grep '^\$' | while read -r h; do grep -rlF -- "$h" "$p/etc"; done)" ""
for f in $(cd "$p/etc" && find . -type f); do
	[ -f "/etc/$f" ] && [ "$(stat -c %a "/etc/$f")" = 600 ] && echo "$f"
done >secret
eq "nothing that only root reads on the host" "$(cat secret)" ""
for f in bin/sh usr etc/pam.d/common-auth etc/pam.d/su etc/login.defs etc/nsswitch.conf etc/passwd etc/profile; do
	[ -e "$p/$f" ] || [ -L "$p/${f%%/*}" ] && ok "has $f" || not_ok "has $f"
done
v=$(imgadm show 00000000-0000-0000-0000-00000000c101 | jq -r .version)
check "again" imgadm platform
eq "the same packages, the same image" "$(imgadm show 00000000-0000-0000-0000-00000000c101 | jq -r .version)" "$v"
fails 1 'built-in' imgadm delete 00000000-0000-0000-0000-00000000c101

# ---- in use, and images of VMs ----

check "an image for zones" imgadm import --name bb root.tar
bb=$(uuid_of bb)
if mkzone z im1 "\"image_uuid\":\"$bb\",\"autoboot\":false" lx; then
	fails 1 "in use by VM $z" imgadm delete "$bb"
	check "vacuum leaves what is used" imgadm vacuum -f
	eq "one is left" "$(imgadm list -Ho name | grep -v platform)" bb
	clean "after vacuum"
	up=$NODE_POOL/$z/root/upper
	mkdir -p "$up/etc" && echo made >"$up/etc/made" && mknod "$up/bin" c 0 0
	check "an image of a VM" imgadm create im1 name=snap version=3
	s=$(uuid_of snap)
	eq "what the VM wrote is in it" "$(cat "$(tree "$s")/etc/made") $(ls -A "$(tree "$s")" | grep -c '^bin$')" "made 0"
	eq "its origin" "$(imgadm show "$s" | jq -r '.origin + " " + .version + " " + .type')" "$bb 3 lx-dataset"
	check "delete it" imgadm delete "$s"
	check "delete the VM" vmadm delete "$z"
fi
if mkzone z im2 "\"image_uuid\":\"$bb\",\"autoboot\":false,\"image_sharing\":\"private\"" lx; then
	echo private >"$NODE_POOL/$z/root/root/etc/made"
	check "an image of a private root" imgadm create im2 name=priv
	eq "with its content" "$(cat "$(tree "$(uuid_of priv)")/etc/made")" private
	check "delete it" imgadm delete "$(uuid_of priv)"
	check "delete the VM" vmadm delete "$z"
fi
clean "after the VMs"

# ---- kill at every step ----

for s in image-record image-dataset image-fill image-manifest image-sync image-place image-readonly image-upper image-activate image-activate+; do
	n=$(images)
	CLOISTER_FAIL=$s:kill imgadm import --name killed root.tar.gz >/dev/null 2>&1
	run imgadm vacuum -n # any command that writes clears up
	eq "killed at $s: images" "$(images)" "$((n + $([ "$s" = image-activate+ ] && echo 1 || echo 0)))"
	clean "killed at $s"
	eq "killed at $s: uppers" "$(ls "$NODE_POOL/images/.upper" | wc -l)" "$(imgadm list -Ho uuid | wc -l)"
	[ "$s" != image-activate+ ] || imgadm delete "$(uuid_of killed)" >/dev/null
	CLOISTER_FAIL=$s:error imgadm import --name failed root.tar.gz >/dev/null 2>&1
	clean "failed at $s"
done

# ---- a pool that comes to a new node brings its images ----

b=$(images)
mv "$NODE_STATE/node.db" "$NODE_STATE/node.db.away" && rm -f "$NODE_STATE"/node.db-*
check "import the pool" cloister pool import
eq "its images are back" "$(images)" "$b"
