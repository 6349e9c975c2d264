# SPDX-License-Identifier: MPL-2.0
"""Archives and OCI layouts for images.sh, good ones and hostile ones: mkimages.py FOLDER ROOT-TARBALL"""
import gzip, hashlib, io, json, os, platform, shutil, subprocess, sys, tarfile

out, busybox = sys.argv[1], sys.argv[2]
arch = {'x86_64': 'amd64', 'aarch64': 'arm64'}[platform.machine()]
os.chdir(out)


def file(t, name, data=b'hi', **k):
    i = tarfile.TarInfo(name)
    i.size, i.mtime = len(data), 1000000000
    for a, b in k.items():
        setattr(i, a, b)
    t.addfile(i, io.BytesIO(data))


def entry(t, name, kind, **k):
    i = tarfile.TarInfo(name)
    i.type, i.mtime = kind, 1000000000
    for a, b in k.items():
        setattr(i, a, b)
    t.addfile(i)


def tar(fn, mode='w', fmt=tarfile.PAX_FORMAT):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode=mode, format=fmt) as t:
        fn(t)
    return b.getvalue()


def put(name, data):
    with open(name, 'wb') as f:
        f.write(data)


D, L, H = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE

# ---- root filesystems ----


def root(t):
    for d in ('.', './bin', './etc', './usr', './dev', './proc', './sys', './tmp', './run', './root'):
        entry(t, d, D, mode=0o755)
    with open(busybox, 'rb') as f:
        file(t, './bin/busybox', f.read(), mode=0o755)
    entry(t, './bin/sh', L, linkname='busybox')
    entry(t, './bin/hard', H, linkname='./bin/busybox')
    file(t, './etc/os-release', b'ID=tiny\nPRETTY_NAME="Tiny 1.0"\n', mode=0o644)
    file(t, './bin/su', b'suid', mode=0o4755, uid=0, gid=65535)
    file(t, './bin/ping', b'ping', mode=0o755, pax_headers={'SCHILY.xattr.user.note': 'kept', 'SCHILY.xattr.trusted.x': 'dropped',
         'SCHILY.acl.access': 'user::rwx,user:1000:r--,group::r-x,mask::r-x,other::r-x'})
    entry(t, './dev/null', tarfile.CHRTYPE, devmajor=1, devminor=3)
    entry(t, './run/fifo', tarfile.FIFOTYPE, mode=0o600)
    entry(t, './etc/abs', L, linkname='/etc/passwd')


plain = tar(root)
put('root.tar', plain)
put('root-gnu.tar', tar(root, fmt=tarfile.GNU_FORMAT))
put('root.tar.gz', gzip.compress(plain))
subprocess.run(['xz', '-k', '-T1', '-0', 'root.tar'], check=True)
subprocess.run(['zstd', '-q', '-k', 'root.tar'], check=True)
sparse = tar(lambda t: file(t, 'etc/x'))
with open('sparse-file', 'wb') as f:
    f.truncate(64 << 20)
    f.seek(32 << 20)
    f.write(b'middle')
os.makedirs('sparse-root/etc')
shutil.move('sparse-file', 'sparse-root/etc/big')
subprocess.run(['tar', '-C', 'sparse-root', '-Scf', 'sparse.tar', '.'], check=True)
shutil.rmtree('sparse-root')

# ---- hostile tarballs: name → (how, what the message says) ----

ov = lambda k: {'SCHILY.xattr.' + k: 'y'}
hostile = {
    'absolute': (lambda t: file(t, '/etc/x'), 'absolute name'),
    'dotdot': (lambda t: file(t, 'a/../../x'), r'"\.\." in a name'),
    'uid': (lambda t: file(t, 'etc/x', uid=65536), 'owner 65536'),
    'gid': (lambda t: file(t, 'etc/x', gid=1 << 31), 'owner 0:2147483648'),
    'negative': (lambda t: file(t, 'etc/x', uid=-2), 'owner'),
    'link-out': (lambda t: entry(t, 'etc/l', L, linkname='../../etc'), 'leaves the root'),
    'link-abs-out': (lambda t: entry(t, 'etc/l', L, linkname='/../../etc'), 'leaves the root'),
    'through': (lambda t: (entry(t, 'etc', L, linkname='/tmp'), file(t, 'etc/cloister-pwned')), 'through a symbolic link'),
    'through2': (lambda t: (entry(t, 'a', D), entry(t, 'a/b', L, linkname='.'), file(t, 'a/b/c')), 'through a symbolic link'),
    'hard-out': (lambda t: entry(t, 'etc/h', H, linkname='../../../etc/shadow'), 'hard link'),
    'hard-abs': (lambda t: entry(t, 'etc/h', H, linkname='/etc/shadow'), 'hard link'),
    'hard-through': (lambda t: (entry(t, 'l', L, linkname='/etc'), entry(t, 'h', H, linkname='l/shadow')), 'through a symbolic link'),
    'hard-missing': (lambda t: entry(t, 'etc/h', H, linkname='etc/none'), 'not in the tree'),
    'hard-dir': (lambda t: (entry(t, 'etc', D), entry(t, 'h', H, linkname='etc')), 'folder'),
    'block': (lambda t: entry(t, 'etc/sda', tarfile.BLKTYPE, devmajor=8, devminor=0), "can't bring devices"),
    'dev-odd': (lambda t: entry(t, 'dev/kvm2', tarfile.CHRTYPE, devmajor=240, devminor=1), "can't bring devices"),
    'whiteout-dev': (lambda t: entry(t, 'etc/passwd', tarfile.CHRTYPE, devmajor=0, devminor=0), "can't bring devices"),
    'overlay': (lambda t: file(t, 'etc/x', pax_headers=ov('trusted.overlay.redirect')), 'steer the overlay'),
    'overlay-user': (lambda t: file(t, 'etc/x', pax_headers=ov('user.overlay.opaque')), 'steer the overlay'),
    'acl-id': (lambda t: file(t, 'etc/x', pax_headers={'SCHILY.acl.access': 'user::rwx,user:70000:rwx,group::r-x,mask::rwx,other::---'}),
               'ACL for id 70000'),
    'deep': (lambda t: file(t, 'etc/' + 'd/' * 300 + 'x'), 'deep'),
    'long': (lambda t: file(t, 'etc/' + 'n' * 300), '255 bytes'),
    'root-file': (lambda t: file(t, '.'), 'root is not a folder'),
    'escape': (lambda t: file(t, 'etc/\x1b]0;pwned\x07/../x'), r'\\x1b'),
}
with open('hostile.list', 'w') as lst:
    for name, (fn, pat) in hostile.items():
        put('bad-%s.tar' % name, tar(fn))
        lst.write('bad-%s.tar\t%s\n' % (name, pat))
    where = {m.name.removeprefix('./'): m for m in tarfile.open('root.tar').getmembers()}
    cut = {
        'bad-cut-data.tar': (plain[:where['bin/busybox'].offset_data + 5000], 'Truncated'),
        'bad-cut-entry.tar': (plain[:where['etc/os-release'].offset], 'truncated'),
        'bad-cut-gz.tar.gz': (gzip.compress(plain)[:-9], 'truncated'),
        'bad-cut-gz2.tar.gz': (gzip.compress(plain)[:20000], 'truncated'),
        'bad-cut-xz.tar.xz': (open('root.tar.xz', 'rb').read()[:-40], 'truncated|xz|Lzma'),
        'bad-cut-zst.tar.zst': (open('root.tar.zst', 'rb').read()[:-40], '[Tt]runcated|[Zz]std'),
        'bad-empty': (b'', 'empty'),
        'bad-noise': (os.urandom(5000), 'Unrecognized.*has to be a tar archive'),
        'bad-nothing.tar': (tar(lambda t: file(t, 'README')), 'neither a root filesystem'),
        'bad-zfs': (bytes(8) + bytes([0xac, 0xcb, 0xba, 0xf5, 2, 0, 0, 0]) + bytes(5000), 'zfs send stream'),
        'bad-docker.tar': (tar(lambda t: file(t, 'manifest.json', b'[]')), 'docker archive'),
    }
    for name, (data, pat) in cut.items():
        put(name, data)
        lst.write('%s\t%s\n' % (name, pat))
put('bomb.tar.gz', gzip.compress(tar(lambda t: file(t, 'etc/zero', bytes(64 << 20)))))
put('many.tar.gz', gzip.compress(tar(lambda t: [file(t, 'etc/%d' % i, b'') for i in range(3000)])))

# ---- OCI ----


class Layout:
    def __init__(self, name):
        self.name, self.diff, self.layers = name, [], []
        os.makedirs(name + '/blobs/sha256')

    def blob(self, data, media):
        h = hashlib.sha256(data).hexdigest()
        put('%s/blobs/sha256/%s' % (self.name, h), data)
        return {'mediaType': media, 'digest': 'sha256:' + h, 'size': len(data)}

    def layer(self, fn, how='gzip'):
        data = tar(fn) if callable(fn) else fn
        self.diff.append('sha256:' + hashlib.sha256(data).hexdigest())
        if how == 'gzip':
            data = gzip.compress(data, mtime=0)
        elif how == 'zstd':
            data = subprocess.run(['zstd', '-qc'], input=data, stdout=subprocess.PIPE, check=True).stdout
        self.layers.append(self.blob(data, 'application/vnd.oci.image.layer.v1.tar' + ('+' + how if how else '')))

    def image(self, a=arch, **config):
        c = {'architecture': a, 'os': 'linux', 'rootfs': {'type': 'layers', 'diff_ids': self.diff}, 'config': config}
        m = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
             'config': self.blob(json.dumps(c).encode(), 'application/vnd.oci.image.config.v1+json'), 'layers': self.layers}
        return self.blob(json.dumps(m).encode(), m['mediaType'])

    def index(self, manifests, nested=False):
        i = {'schemaVersion': 2, 'manifests': manifests}
        if nested:
            d = self.blob(json.dumps(i).encode(), 'application/vnd.oci.image.index.v1+json')
            i = {'schemaVersion': 2, 'manifests': [d]}
        put(self.name + '/index.json', json.dumps(i).encode())
        put(self.name + '/oci-layout', b'{"imageLayoutVersion":"1.0.0"}')


def base(t):
    for d in ('usr', 'usr/bin', 'etc', 'etc/conf', 'gone', 'old', 'old/sub'):
        entry(t, d, D, mode=0o755)
    entry(t, 'bin', L, linkname='usr/bin')
    with open(busybox, 'rb') as f:
        file(t, 'usr/bin/busybox', f.read(), mode=0o755)
    entry(t, 'usr/bin/sh', L, linkname='busybox')
    for n in ('etc/a', 'etc/b', 'etc/conf/x', 'gone/f', 'old/f', 'old/sub/f', 'file-then-dir'):
        file(t, n, b'lower', mode=0o644)


def second(t):
    file(t, 'etc/.wh.a')
    file(t, '.wh.gone')
    file(t, 'old/new', b'upper', mode=0o644)
    file(t, 'old/.wh..wh..opq')
    file(t, 'old/sub/kept', b'upper', mode=0o644)
    file(t, 'bin/tool', b'through the link', mode=0o755)
    entry(t, 'file-then-dir', D, mode=0o755)
    file(t, 'file-then-dir/x', b'y')
    file(t, 'etc/conf', b'a file now', mode=0o600, uid=1000, gid=1000)
    entry(t, 'usr/bin/hard', H, linkname='usr/bin/busybox')


def good(name, how='gzip', nested=False, extra=()):
    l = Layout(name)
    l.layer(base, how)
    l.layer(second, how)
    d = l.image(Entrypoint=['/bin/sh', '-c'], Cmd=['exit 7'], Env=['PATH=/bin', 'A=b c'], User='1000:1000', WorkingDir='/etc')
    if nested:
        d['platform'] = {'os': 'linux', 'architecture': arch}
    l.index([d] + list(extra), nested)
    return l, d


good('oci')
good('oci-zstd', 'zstd')
good('oci-plain', '')
other = {'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'digest': 'sha256:' + '0' * 64, 'size': 3,
         'platform': {'os': 'linux', 'architecture': 'mips'}}
good('oci-nested', nested=True, extra=[other])
subprocess.run(['tar', '-C', 'oci', '-cf', 'oci.tar', '.'], check=True)
l, d = good('oci-two')
d1 = dict(d, annotations={'org.opencontainers.image.ref.name': 'one'})
l2 = Layout('oci-two/x')
l.diff, l.layers = [], []
l.layer(base)
d2 = dict(l.image(Cmd=['/bin/two']), annotations={'org.opencontainers.image.ref.name': 'two'})
l.index([d1, d2])

bad = []


def broken(name, pat, change):
    n = 'bad-oci-' + name
    l, d = good(n)
    change(n, l, d)
    bad.append((n, pat))


def rewrite(path, fn):
    data = open(path, 'rb').read()
    put(path, fn(data))


def blob(n, d):
    return '%s/blobs/%s' % (n, d['digest'].replace(':', '/'))


def hostile_layer(fn):
    def change(n, l, d):
        l.layer(fn)
        l.index([l.image()])
    return change


def same_size(data):
    return data[:-1] + bytes([data[-1] ^ 1])


broken('layer-digest', 'sha256', lambda n, l, d: rewrite(blob(n, l.layers[0]), lambda x: x[:4] + b'\x01' + x[5:]))
broken('layer-short', 'truncated|size|bytes', lambda n, l, d: rewrite(blob(n, l.layers[0]), lambda x: x[:-10]))
broken('layer-long', 'longer', lambda n, l, d: rewrite(blob(n, l.layers[0]), lambda x: x + b'x'))
broken('layer-missing', 'No such file', lambda n, l, d: os.unlink(blob(n, l.layers[1])))
broken('layer-link', 'ELOOP|symbolic', lambda n, l, d: (os.unlink(blob(n, l.layers[1])), os.symlink('/etc/shadow', blob(n, l.layers[1]))))
broken('manifest-digest', 'sha256', lambda n, l, d: rewrite(blob(n, d), same_size))
broken('index-json', 'index', lambda n, l, d: rewrite(n + '/index.json', lambda x: x[:-3]))
broken('index-dup', 'duplicate', lambda n, l, d: rewrite(n + '/index.json', lambda x: b'{"schemaVersion":2,"schemaVersion":2,"manifests":[]}'))
broken('version', 'version', lambda n, l, d: put(n + '/oci-layout', b'{"imageLayoutVersion":"2.0.0"}'))
broken('arch', 'this machine is', lambda n, l, d: l.index([l.image(a='mips')]))
broken('none', 'no image for linux', lambda n, l, d: l.index([other]))
broken('digest-path', 'not 64', lambda n, l, d: l.index([dict(d, digest='sha256:../../../../etc/passwd')]))
broken('digest-kind', 'only sha256', lambda n, l, d: l.index([dict(d, digest='md5:' + '0' * 32)]))


def diff_lie(n, l, d):
    l.diff[1] = 'sha256:' + '1' * 64
    l.index([l.image()])


broken('diff', 'unpacked layer', diff_lie)
broken('diff-count', 'diff_ids', lambda n, l, d: (l.diff.pop(), l.index([l.image()])))
broken('env', 'NAME=value', lambda n, l, d: l.index([l.image(Env=['nothing'])]))
broken('cmd', 'list of texts', lambda n, l, d: l.index([l.image(Cmd=[1])]))


def no_layers(n, l, d):
    l.layers, l.diff = [], []
    l.index([l.image()])


broken('no-layers', 'layers', no_layers)
broken('wh-dotdot', 'whiteout of nothing', hostile_layer(lambda t: file(t, 'etc/.wh...')))
broken('wh-dot', 'whiteout of nothing', hostile_layer(lambda t: file(t, 'etc/.wh..')))
broken('wh-empty', 'whiteout of nothing', hostile_layer(lambda t: file(t, 'etc/.wh.')))
broken('dotdot', 'in a name', hostile_layer(lambda t: file(t, '../x')))
broken('hard-out', 'hard link', hostile_layer(lambda t: entry(t, 'h', H, linkname='../../etc/shadow')))
broken('dev', "can't bring devices", hostile_layer(lambda t: entry(t, 'x', tarfile.BLKTYPE, devmajor=8)))

# Links in layers stay inside: what is written through them lands in the tree, never on the host.
l = Layout('oci-links')
l.layer(base)
l.layer(lambda t: (entry(t, 'abs', L, linkname='/etc'), entry(t, 'tmp', L, linkname='/etc')))
l.layer(lambda t: (file(t, 'abs/cloister-pwned', b'x'), file(t, 'tmp/cloister-pwned2', b'x'), file(t, 'abs/.wh.b')))
l.index([l.image(Cmd=['/bin/sh'])])
with open('oci-hostile.list', 'w') as f:
    for n, pat in bad:
        f.write('%s\t%s\n' % (n, pat))

# ---- install ----


def manifest(path, data, **k):
    m = {'v': 2, 'uuid': '11111111-2222-4333-8444-555555555555', 'name': 'inst', 'version': '1.0.0', 'type': 'lx-dataset', 'os': 'linux',
         'files': [{'sha1': hashlib.sha1(data).hexdigest(), 'size': len(data), 'compression': 'gzip'}]}
    m.update(k)
    put(path, json.dumps(m).encode())
    return m


gz = open('root.tar.gz', 'rb').read()
manifest('good.json', gz)
manifest('sha256.json', gz, uuid='11111111-2222-4333-8444-555555555556',
         files=[{'sha256': hashlib.sha256(gz).hexdigest(), 'size': len(gz), 'compression': 'gzip'}])
manifest('bad-sha1.json', gz, files=[{'sha1': '0' * 40, 'size': len(gz)}])
manifest('bad-sha256.json', gz, files=[{'sha256': '0' * 64, 'size': len(gz)}])
manifest('bad-size.json', gz, files=[{'sha1': hashlib.sha1(gz).hexdigest(), 'size': len(gz) + 1}])
manifest('bad-less.json', gz, files=[{'sha1': hashlib.sha1(gz).hexdigest(), 'size': len(gz) - 1}])
manifest('bad-v.json', gz, v=3)
manifest('bad-uuid.json', gz, uuid='../../etc')
manifest('bad-type.json', gz, type='lxd')
manifest('bad-origin.json', gz, origin='99999999-2222-4333-8444-555555555555')
manifest('bad-disabled.json', gz, disabled=True)
manifest('bad-name.json', gz, name='a\x1b[31mb')
manifest('child.json', gz, uuid='11111111-2222-4333-8444-555555555557', origin='11111111-2222-4333-8444-555555555555')
put('bad-dup.json', open('good.json', 'rb').read().replace(b'"v": 2', b'"v": 2, "v": 2'))
put('bad-json.json', open('good.json', 'rb').read()[:-5])
