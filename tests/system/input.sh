#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 400
# Bad input, from the command line inwards: each is refused by name, quickly, and leaves nothing.
. "$(dirname "$0")/lib.sh"
need_root
node input
pool

nothing() { # what
	eq "$1: nothing is left" "$(vmadm list -H | wc -l) $(ls "$NODE_POOL" | grep -cE '^[0-9a-f]{8}-') $(ls "$NODE_POOL/.tmp" 2>/dev/null | wc -l)" "0 0 0"
}
refuse() { # pattern json
	fails 1 "$1" vmadm create <<<"$2"
}
ok_json='"brand":"joyent-minimal","alias":"x"'

# ---- JSON ----
refuse 'JSON|parse|line 1' 'garbage'
refuse 'JSON|parse|line' '{"brand":"joyent-minimal"'
refuse 'JSON|parse|line' "{$ok_json}}"
refuse 'JSON|parse|line' "{$ok_json} trailing"
refuse 'duplicate' "{$ok_json,\"alias\":\"y\"}"
refuse "'\\[' or '\\{' expected" '"a string"'
refuse "'\\[' or '\\{' expected" '42'
refuse 'standard input is empty' ''
refuse 'standard input is empty' $'\n \n'
refuse 'deep|nest|depth' "$(printf '{"tags":%s1%s}' "$(printf '{"a":%.0s' {1..5000})" "$(printf '}%.0s' {1..5000})")"
fails 1 'large|big|bytes|MiB' vmadm create < <(head -c 104857600 /dev/zero | tr '\0' ' ')
fails 1 'JSON|UTF|line' vmadm create < <(head -c 65536 /dev/urandom)
refuse 'NUL|JSON|\\u0000|line' '{"brand":"joyent-minimal","alias":"a\u0000b"}'
fails 1 'No such file' vmadm create -f /nonexistent
fails 1 'directory|Is a dir' vmadm create -f /
fails 1 'is a terminal' script -qec 'vmadm create' /dev/null
nothing "JSON"

# ---- values ----
refuse 'max_physical_memory.*max_physical_memroy|max_physical_memroy.*max_physical_memory' "{$ok_json,\"max_physical_memroy\":128}"
refuse 'no_such' "{$ok_json,\"no_such\":1}"
refuse 'brand' '{"alias":"x"}'
refuse 'brand' '{"brand":"solaris8"}'
refuse 'brand' '{"brand":{"a":1}}'
refuse 'quota' "{$ok_json,\"quota\":-1}"
refuse 'quota' "{$ok_json,\"quota\":\"much\"}"
refuse 'quota' "{$ok_json,\"quota\":1.5}"
refuse 'too big integer' "{$ok_json,\"quota\":99999999999999999999999}"
refuse 'max_lwps' "{$ok_json,\"max_lwps\":true}"
refuse 'autoboot' "{$ok_json,\"autoboot\":\"maybe\"}"
refuse 'uuid' "{$ok_json,\"uuid\":\"../../etc\"}"
refuse 'uuid' "{$ok_json,\"uuid\":\"ABCDEF00-0000-4000-8000-000000000000\"}"
refuse 'zonename' "{$ok_json,\"zonename\":\"../x\"}"
refuse 'hostname' "{$ok_json,\"hostname\":\"a b\\nc\"}"
refuse 'tags' "{$ok_json,\"tags\":{\"a\":{\"b\":1}}}"
refuse 'limit_priv' "{$ok_json,\"limit_priv\":\"default,fly\"}"
refuse 'limit_priv|sys_module' "{$ok_json,\"limit_priv\":\"default,sys_module\"}"
refuse 'image_uuid' '{"brand":"lx","alias":"x"}'
refuse 'image|installed' '{"brand":"lx","alias":"x","image_uuid":"11111111-2222-4333-8444-555555555555"}'
refuse 'filesystems' "{$ok_json,\"filesystems\":[{\"source\":\"/tmp\"}]}"
refuse 'filesystems|target' "{$ok_json,\"filesystems\":[{\"type\":\"lofs\",\"source\":\"/tmp\",\"target\":\"../x\"}]}"
# later capabilities: checked, then refused by name
refuse 'nics' "{$ok_json,\"nics\":[{\"nic_tag\":\"admin\",\"ip\":\"dhcp\"}]}"
refuse 'mtu' "{$ok_json,\"nics\":[{\"nic_tag\":\"admin\",\"mtu\":1}]}"
refuse 'delegate_dataset' "{$ok_json,\"delegate_dataset\":true}"
refuse 'bhyve|brand' '{"brand":"bhyve","ram":128}'
nothing "values"

# ---- validate says it as an object ----
run vmadm validate create <<<'{"brand":"joyent-minimal","quota":"much","zzz":1}'
eq "validate exits 1" "$RC" 1
eq "validate: bad_values" "$(jq -c .bad_values <<<"$OUT")" '["quota"]'
eq "validate: bad_properties" "$(jq -c .bad_properties <<<"$OUT")" '["zzz"]'
run vmadm validate create <<<'{"quota":1}'
eq "validate: missing_properties" "$(jq -c .missing_properties <<<"$OUT")" '["brand"]'
run vmadm validate create <<<"{$ok_json}"
eq "validate: a good one" "$RC $OUT" "0 VALID 'create' payload for joyent-minimal brand VMs."

# ---- names ----
fails 1 'No such zone configured' vmadm get 00000000-0000-4000-8000-000000000001
fails 1 '.' vmadm start nobody
fails 1 '.' vmadm get ../../etc/passwd
fails 1 '.' vmadm get "$(printf 'a%.0s' {1..100000})"
fails 2 'usage' vmadm get
fails 2 'usage' vmadm start
fails 2 'unknown' vmadm frobnicate
mkzone a twin '"autoboot":false'
mkzone b twin '"autoboot":false'
fails 1 "$a" vmadm get twin
fails 1 "$b" vmadm delete twin
check "a prefix of eight" vmadm get "${a:0:8}"
fails 1 '.' vmadm get "${a:0:7}"
refuse 'uuid|exists|taken' "{$ok_json,\"uuid\":\"$a\"}"
fails 1 'quota' vmadm update "$a" quota=much
fails 1 'no_such' vmadm update "$a" no_such=1
fails 1 'snapshot|name' vmadm create-snapshot "$a" ../x
fails 1 'snapshot|name' vmadm create-snapshot "$a" "$(printf 'a%.0s' {1..65})"
fails 1 'snapshot' vmadm rollback-snapshot "$a" none
check "an update of what can't change is ignored" bash -c 'vmadm get "$1" | vmadm update "$1"' - "$a"
check "delete" vmadm delete "$a"
check "delete" vmadm delete "$b"
nothing "names"

# ---- images ----
mkdir -p r/bin r/etc
cp /bin/busybox r/bin/ 2>/dev/null && ln -s busybox r/bin/sh
echo root:x:0:0::/:/bin/sh >r/etc/passwd
images() { imgadm list -j 2>/dev/null | jq -r '.[] | (.manifest // .).uuid' | grep -v 00000000-0000-0000-0000 | wc -l; }
bad_image() { # what pattern file
	fails 1 "$2" imgadm import "$3"
	eq "$1: no image is left" "$(images) $(find "$NODE_POOL/images" "$NODE_POOL/.tmp" -mindepth 1 -maxdepth 1 ! -name '.*' ! -name '00000000-*' 2>/dev/null | wc -l)" "0 0"
}
evil() { # file python-body: tar t, function add(name, **attributes)
	python3 - "$1" "$2" <<'P'
import io, sys, tarfile
t = tarfile.open(sys.argv[1], 'w')
def add(name, data=b'', **kw):
    i = tarfile.TarInfo(name)
    i.size = len(data)
    for k, v in kw.items():
        setattr(i, k, v)
    t.addfile(i, io.BytesIO(data))
add('etc', type=tarfile.DIRTYPE, mode=0o755)
exec(sys.argv[2])
t.close()
P
}
canary=/tmp/$NODE.canary
rm -f "$canary"
evil abs.tar "add('$canary', b'x')"
evil dotdot.tar "add('../../../../..$canary', b'x')"
evil link.tar "add('etc/l', type=tarfile.SYMTYPE, linkname='/tmp'); add('etc/l/$NODE.canary', b'x')"
evil hard.tar "add('etc/h', type=tarfile.LNKTYPE, linkname='/etc/shadow')"
evil hardup.tar "add('etc/h', type=tarfile.LNKTYPE, linkname='../../../../../etc/shadow')"
evil dev.tar "add('etc/d', type=tarfile.BLKTYPE, devmajor=8, devminor=0)"
evil id.tar "add('etc/f', b'x', uid=70000)"
bad_image "S20 absolute name" 'absolute name' abs.tar
bad_image "S20 name with .." '"\.\."' dotdot.tar
bad_image "S20 through a link" 'symbolic link' link.tar
bad_image "S20 hard link to the host" 'hard link.*absolute' hard.tar
bad_image "S20 hard link upwards" 'hard link.*"\.\."' hardup.tar
bad_image "S20 block device" 'block device' dev.tar
bad_image "S20 id beyond the range" '70000' id.tar
check_not "S20 nothing was written outside" test -e "$canary"
tar cf good.tar -C r .
head -c 5000 good.tar >short.tar
gzip -c good.tar | head -c 2000 >short.tar.gz
head -c 100000 /dev/urandom >noise.tar
: >empty.tar
bad_image "S20 truncated tar" '[Tt]runcated' short.tar
bad_image "S20 truncated gzip" '[Tt]runcated' short.tar.gz
bad_image "S20 noise" '[Uu]nrecognized' noise.tar
bad_image "S20 empty archive" 'empty' empty.tar
bad_image "S20 no archive" 'No such file' /nonexistent

# OCI layouts
oci() { # dir [python that may change things before they are written]
	python3 - "$1" "${2:-}" <<'P'
import gzip, hashlib, io, json, os, sys, tarfile
d = sys.argv[1]
os.makedirs(f'{d}/blobs/sha256', exist_ok=True)
def blob(b, name=None):
    h = hashlib.sha256(b).hexdigest()
    open(f'{d}/blobs/sha256/{name or h}', 'wb').write(b)
    return {'digest': f'sha256:{name or h}', 'size': len(b)}
buf = io.BytesIO()
t = tarfile.open(fileobj=buf, mode='w')
t.add('r', '.')
t.close()
tar = buf.getvalue()
layer_name = manifest_name = None
index_extra = {}
exec(sys.argv[2].split('@@')[0])
layer = dict(blob(gzip.compress(tar), layer_name), mediaType='application/vnd.oci.image.layer.v1.tar+gzip')
config = {'architecture': 'amd64', 'os': 'linux', 'config': {'Entrypoint': ['/bin/busybox', 'sh'], 'Env': ['A=b'], 'User': '0'},
          'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(tar).hexdigest()]}}
if '@@' in sys.argv[2]:
    exec(sys.argv[2].split('@@')[1])
conf = dict(blob(json.dumps(config).encode()), mediaType='application/vnd.oci.image.config.v1+json')
man = dict(blob(json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'config': conf, 'layers': [layer]}).encode(), manifest_name),
           mediaType='application/vnd.oci.image.manifest.v1+json')
json.dump({'schemaVersion': 2, 'manifests': [man], **index_extra}, open(f'{d}/index.json', 'w'))
json.dump({'imageLayoutVersion': '1.0.0'}, open(f'{d}/oci-layout', 'w'))
P
}
oci o-layer 'layer_name = "0" * 64'
oci o-manifest 'manifest_name = "1" * 64'
oci o-diff '@@config["rootfs"]["diff_ids"] = ["sha256:" + "2" * 64]'
oci o-path 'layer_name = "../../../../../../etc/hostname"'
oci o-missing && rm -f o-missing/blobs/sha256/*
oci o-garbage && head -c 4096 /dev/urandom >o-garbage/index.json
oci o-nolayout && rm -f o-nolayout/oci-layout
oci o-ver && echo '{"imageLayoutVersion":"9"}' >o-ver/oci-layout
bad_image "S20 OCI: layer's digest" 'layer.*sha256 is .* should be 0{64}' o-layer
bad_image "S20 OCI: manifest's digest" 'sha256 is .* should be 1{64}' o-manifest
bad_image "S20 OCI: unpacked layer's digest" 'unpacked layer .* should be 2{64}' o-diff
bad_image "S20 OCI: a path as digest" 'not 64 lower-case hex' o-path
bad_image "S20 OCI: missing blob" 'No such file' o-missing
bad_image "S20 OCI: garbage index" 'index' o-garbage
bad_image "S20 OCI: no oci-layout" 'oci-layout' o-nolayout
bad_image "S20 OCI: unknown version" 'version 9' o-ver

check "a good tarball" imgadm import good.tar
img=$(imgadm list -j | jq -r '.[] | (.manifest // .).uuid' | grep -v 00000000-0000-0000-0000 | head -1)
refuse 'lx-dataset|type' '{"brand":"joyent","alias":"x","image_uuid":"'"$img"'"}'
fails 3 'not installed' imgadm get 11111111-2222-4333-8444-555555555555
mkzone l lxone "\"image_uuid\":\"$img\",\"autoboot\":false" lx
fails 1 "$l|lxone" imgadm delete "$img"
check "delete the VM" vmadm delete "$l"
check "then the image can go" imgadm delete "$img"
