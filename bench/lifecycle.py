#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""create, start, stop -F, get, zlogin, snapshots and delete as whole commands, against the floor of each, and the peers.

    bench/lifecycle.py [ROUNDS]

The VM is an lx VM of a Debian image, with limits. Its init, everybody's here, writes the time at which it was exec'd:
"to exec" is from the start of the command to that, the other figure the whole command. Peers start the same tree, ready
made: they clone nothing.
"""
import glob
import os
import random
import statistics
import subprocess
import sys
import time

import lib
import lxd

N = int(sys.argv[1]) if len(sys.argv) > 1 else 30
INIT = "/bench/init"


def calm():
    """Nothing of the one before is left to be done: its dirty pages, the pool's cleaner, the kernel's RCU queues."""
    lib.sh("sync", "-f", lib.POOL)
    time.sleep(0.05)


class Pair:
    """Times of both kinds, by name."""

    def __init__(self):
        self.exec, self.whole = {}, {}

    def once(self, name, argv, stamp, stdin=None, keep=True):
        """stamp: pattern of the path where init's file will be."""
        with lib.tempfile.TemporaryFile() as out, lib.tempfile.TemporaryFile() as src:
            if stdin:
                src.write(stdin)
                src.seek(0)
            t0 = time.time_ns()
            p = subprocess.run(argv, stdin=src, stdout=out, stderr=out)
            whole = (time.time_ns() - t0) / 1e6
            out.seek(0)
            text = out.read().decode(errors="replace")
        if p.returncode:
            raise RuntimeError("%s: exit %d: %s" % (" ".join(argv), p.returncode, text.strip()))
        if keep:
            self.exec.setdefault(name, []).append((read_stamp(stamp, t0) - t0) / 1e6)
            self.whole.setdefault(name, []).append(whole)
        return text

    def tables(self, title, base):
        lib.table(title + ": from the start of the command to the exec of init", self.exec, base)
        lib.table(title + ": the whole command", self.whole, base)

    def figures(self):
        return {"to_exec": lib.summary(self.exec), "whole": lib.summary(self.whole)}


def read_stamp(pattern, after):
    for _ in range(20000):
        for p in glob.glob(pattern):
            try:
                with open(p) as f:
                    ns = int(f.read() or 0)
            except (OSError, ValueError):
                continue
            if ns > after:
                return ns
        time.sleep(0.0005)
    raise RuntimeError("no init has written " + pattern)


def payload(image, u, **more):
    return lib.json.dumps({"brand": "lx", "image_uuid": image, "uuid": u, "max_physical_memory": 256, "cpu_cap": 100,
                           "init_name": INIT, **more}).encode()


def main(tmp):
    floor = lib.build_c("floor", "-static")
    image = lib.debian(tmp)
    dataset = "%s/images/%s" % (lib.POOL, image)
    floor_takes(image)
    figures, bars = {}, []
    creates(floor, image, dataset, tmp, figures, bars)
    launches(image, tmp, figures, bars)
    back_to_back(floor, image, dataset, figures)
    rest(floor, image, dataset, figures, bars)
    lib.report("lifecycle", {"figures": figures, "bars": bars})


def floor_takes(image):
    """What the node makes once for all its zones, the floor is given too: the system call filter, the device list."""
    u = lib.uuid()
    lib.timed(["vmadm", "create"], payload(image, u))
    lib.timed(["vmadm", "delete", u])
    os.environ["FLOOR_SECCOMP"] = max(glob.glob(lib.RUN + "/seccomp-*"), key=os.path.getmtime)
    with open("/proc/self/mountinfo") as f:
        v2 = next(line.split()[4] for line in f if " - cgroup2 " in line)
    dirs = glob.glob("%s/cloister-%s" % (v2, lib.NODE)) + glob.glob("%s/cloister.slice/*/cloister-%s" % (v2, lib.NODE))
    os.environ["FLOOR_CGROUP"] = os.path.relpath(dirs[0], v2)


def creates(floor, image, dataset, tmp, figures, bars):
    pair = Pair()
    commit = []

    def ours(name, **more):
        u = lib.uuid()
        pair.once(name, ["vmadm", "create"], "%s/%s/root/*/stamp" % (lib.POOL, u), payload(image, u, **more), keep)
        lib.quiet("vmadm", "delete", u)

    def cold(name, **more):
        for d in glob.glob("%s/images/.warm/%s/*" % (lib.POOL, image)):
            lib.sh("btrfs", "subvolume", "delete", d, ok=False)
        ours(name, **more)

    def floors(name, *words):
        u = lib.uuid()
        text = pair.once(name, [floor, "create", lib.POOL, dataset if "private" in words else dataset + "/root", u, INIT, *words],
                         "%s/floor-%s/root/*/stamp" % (lib.POOL, u), keep=keep)
        if keep and "sync" in words:
            commit.append(int(text.split("fdatasync_us ")[1].split()[0]) / 1e3)
        lib.quiet(floor, "destroy", lib.POOL, u)

    turns = [lambda: floors("floor, overlay", "sync"), lambda: ours("vmadm create, shared root, warm"),
             lambda: cold("vmadm create, shared root, cold"),
             lambda: floors("floor, snapshot", "private", "sync"), lambda: ours("vmadm create, private root, warm", image_sharing="private"),
             lambda: cold("vmadm create, private root, cold", image_sharing="private")]
    for name, once in peers(dataset + "/root", tmp, pair).items():
        def turn(name=name, once=once):
            once(name, keep)
        try:
            keep = False
            turn()
            turns.append(turn)
        except (RuntimeError, OSError) as e:
            print("skipped: %s: %s" % (name, e))
    for i in range(N + 1):
        keep = i > 0
        # what comes before weighs: the order is another in each round, and each begins with nothing left to do
        random.shuffle(turns)
        for t in turns:
            calm()
            t()
    pair.tables("create, with one commit", "floor, overlay")
    lib.table("of which the floor's fdatasync", {"fdatasync": commit})
    figures["create"] = pair.figures()
    for kind, base in (("shared", "floor, overlay"), ("private", "floor, snapshot")):
        for heat, limit in (("warm", 1.0), ("cold", 1.3)):
            bars.append(lib.bar("create, %s root, %s / floor" % (kind, heat),
                                lib.ratio(pair.exec, "vmadm create, %s root, %s" % (kind, heat), base), limit))
    for p in pair.exec:
        if p.startswith(("lxc-start", "runc", "crun")):
            bars.append(lib.bar("create, shared root, warm / " + p,
                                lib.ratio(pair.exec, "vmadm create, shared root, warm", p), 1))


def back_to_back(floor, image, dataset, figures):
    pair, made = Pair(), []
    for _ in range(50):
        u = lib.uuid()
        pair.once("vmadm create", ["vmadm", "create"], "%s/%s/root/*/stamp" % (lib.POOL, u), payload(image, u))
        made.append(u)
    for u in made:
        lib.quiet("vmadm", "delete", u)
    made = []
    for _ in range(50):
        u = lib.uuid()
        pair.once("floor, overlay", [floor, "create", lib.POOL, dataset + "/root", u, INIT, "sync"],
                  "%s/floor-%s/root/*/stamp" % (lib.POOL, u))
        made.append(u)
    for u in made:
        lib.quiet(floor, "destroy", lib.POOL, u)
    pair.tables("create, 50 back to back", "floor, overlay")
    figures["back_to_back"] = pair.figures()


def rest(floor, image, dataset, figures, bars):
    z, f = lib.uuid(), lib.uuid()
    lib.timed(["vmadm", "create"], payload(image, z))
    pid = lib.timed([floor, "create", lib.POOL, dataset + "/root", f, INIT])[1].split()[-1]
    res, pair = {k: [] for k in ("floor stop", "vmadm stop -F")}, Pair()
    for i in range(N + 1):
        calm()
        a = lib.timed([floor, "stop", f])[0]
        calm()
        b = lib.timed(["vmadm", "stop", "-F", z])[0]
        calm()
        pid = pair.once("floor start", [floor, "start", lib.POOL, dataset + "/root", f, INIT],
                        "%s/floor-%s/root/*/stamp" % (lib.POOL, f), keep=i > 0).split()[-1]
        calm()
        pair.once("vmadm start", ["vmadm", "start", z], "%s/%s/root/*/stamp" % (lib.POOL, z), keep=i > 0)
        if i:
            res["floor stop"].append(a)
            res["vmadm stop -F"].append(b)
    pair.tables("start", "floor start")
    bars.append(lib.bar("start / floor, to exec", lib.ratio(pair.exec, "vmadm start", "floor start"), 1.3))
    lib.table("stop -F", res, "floor stop")
    bars.append(lib.bar("stop -F / floor", lib.ratio(res, "vmadm stop -F", "floor stop"), 1.3))
    figures["start"], figures["stop"] = pair.figures(), lib.summary(res)

    record = "%s/%s/config/record.json" % (lib.POOL, z)
    row, db = lib.build_c("floorget", "-static", "-lsqlite3", "-lm"), "/var/lib/cloister-%s/node.db" % lib.NODE
    res = lib.rounds(N * 2, {
        "floor get (opens the store, one row)": lambda: lib.timed([row, db, z])[0],
        "reading a file": lambda: lib.timed([floor, "get", record])[0],
        "cloister version": lambda: lib.timed(["cloister", "version"])[0],
        "vmadm get": lambda: lib.timed(["vmadm", "get", z])[0],
    })
    lib.table("get", res, "floor get (opens the store, one row)")
    bars.append(lib.bar("get / floor", lib.ratio(res, "vmadm get", "floor get (opens the store, one row)"), 1.3))
    bars.append(lib.bar("get", statistics.median(res["vmadm get"]), 3, " ms"))
    figures["get"] = lib.summary(res)

    res = lib.rounds(N * 2, {
        "floor login (setns + exec)": lambda: lib.timed([floor, "login", pid, "/bin/true"])[0],
        "zlogin Z true": lambda: lib.timed(["zlogin", z, "true"])[0],
    })
    lib.table("login", res, "floor login (setns + exec)")
    bars.append(lib.bar("zlogin / floor", lib.ratio(res, "zlogin Z true", "floor login (setns + exec)"), 2))
    figures["login"] = lib.summary(res)
    snapshots(floor, image, z, figures, bars)
    lib.quiet(floor, "destroy", lib.POOL, f)
    lib.quiet("vmadm", "delete", z)


def commit_ms(path):
    """What one durable write costs on the disk that holds the records: in each of the commands below there is one."""
    with open(path, "wb") as f:
        t = time.perf_counter()
        f.write(bytes(4096))
        f.flush()
        os.fdatasync(f.fileno())
        return (time.perf_counter() - t) * 1e3


def snapshots(floor, image, z, figures, bars):
    """Each command beside its own system calls, of the same round and of a dataset of the same kind. delete returns when
    the deletion is on the disk, so there the commit is one of them."""
    home, record = "%s/%s" % (lib.POOL, z), "/var/lib/cloister-%s/bench" % lib.NODE
    template = "%s/images/.upper/%s" % (lib.POOL, image)
    lib.timed(["vmadm", "stop", "-F", z])

    def call(*argv):
        calm()
        return int(lib.sh(floor, *argv).split()[-1]) / 1e3

    def verb(*argv):
        calm()
        return lib.timed(["vmadm", *argv])[0]
    res = {k: [] for k in ("ioctl: snapshot", "ioctl: delete", "one fdatasync", "create-snapshot", "rollback-snapshot",
                           "delete-snapshot", "ioctls: delete, commit", "delete")}
    for i in range(N):
        once = {"ioctl: snapshot": call("snapshot", home + "/root", home, "bench"), "ioctl: delete": call("unsnapshot", home, "bench")}
        once["one fdatasync"] = commit_ms(record)
        for v in ("create", "rollback", "delete"):
            once[v + "-snapshot"] = verb(v + "-snapshot", z, "s")
        u = lib.uuid()
        lib.timed(["vmadm", "create"], payload(image, u, autoboot=False))
        call("snapshot", template, home, "bench")
        turns = [("ioctls: delete, commit", lambda: call("unsnapshot", home, "bench", "sync")), ("delete", lambda: verb("delete", u))]
        for k, f in turns if i % 2 else reversed(turns):
            once[k] = f()
        for k, v in once.items():
            res[k].append(v)
    os.unlink(record)
    lib.table("snapshots and delete of a stopped VM", res)
    for v, c in (("create-snapshot", "ioctl: snapshot"), ("rollback-snapshot", "ioctl: snapshot"),
                 ("delete-snapshot", "ioctl: delete"), ("delete", "ioctls: delete, commit")):
        over = statistics.median(a - 1.5 * b for a, b in zip(res[v], res[c]))
        bars.append(lib.bar("%s: beyond 1.5 times its call" % v, over, 5, " ms"))
    figures["snapshots"] = lib.summary(res)


def peers(tree, tmp, pair):
    """Name to function(name, keep): start of the same tree without a clone by what is installed, with limits."""
    found = {}
    root = os.path.join(tmp, "rootfs")
    subprocess.run(["cp", "-a", "--reflink=auto", tree, root], check=True)
    stamp = root + "/stamp"
    if lib.have("lxc-start"):
        conf = os.path.join(tmp, "lxc.conf")
        with open(conf, "w") as f:
            f.write("lxc.rootfs.path = dir:%s\nlxc.init.cmd = %s\nlxc.uts.name = p\nlxc.net.0.type = empty\n"
                    "lxc.mount.auto = proc sys\nlxc.apparmor.profile = unchanged\nlxc.cgroup.memory.limit_in_bytes = 268435456\n"
                    "lxc.cgroup.pids.max = 2000\nlxc.cgroup.cpu.cfs_quota_us = 100000\n" % (root, INIT))

        def lxc(name, keep):
            try:
                pair.once(name, ["lxc-start", "-n", "cloister-bench", "-f", conf, "-P", tmp], stamp, keep=keep)
            finally:
                lib.quiet("lxc-stop", "-k", "-n", "cloister-bench", "-P", tmp)
        found["lxc-start, no clone"] = lxc
    for oci in ("crun", "runc"):
        if lib.have(oci):
            found[oci + ", no clone"] = oci_runtime(oci, root, stamp, tmp, pair)
    if lib.have("bwrap"):
        found["bwrap, no clone, no limits"] = foreground(["bwrap", "--unshare-all", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev",
                                                          "--die-with-parent", INIT], stamp, pair)
    if lib.have("systemd-nspawn"):
        found["systemd-nspawn, no clone"] = foreground(["systemd-nspawn", "-q", "--register=no", "--keep-unit", "-D", root, "--as-pid2",
                                                        INIT], stamp, pair)
    return found


def foreground(argv, stamp, pair):
    """Programs that stay: until init was exec'd, then ended."""
    def once(name, keep):
        t0 = time.time_ns()
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            while p.poll() is None and not glob.glob(stamp):
                time.sleep(0.0005)
            if p.poll() is not None:
                raise RuntimeError(p.stderr.read().decode(errors="replace").strip()[:200] or "it ended")
            ns = read_stamp(stamp, t0)
            if keep:
                pair.exec.setdefault(name, []).append((ns - t0) / 1e6)
                pair.whole.setdefault(name, []).append((time.time_ns() - t0) / 1e6)
        finally:
            p.kill()
            p.wait()
            p.stderr.close()
            if os.path.exists(stamp):
                os.unlink(stamp)
    return once


def oci_runtime(oci, root, stamp, tmp, pair):
    bundle = os.path.join(tmp, oci)
    os.makedirs(bundle)
    spec = {
        "ociVersion": "1.0.2", "hostname": "p", "root": {"path": root},
        "process": {"user": {"uid": 0, "gid": 0}, "args": [INIT], "cwd": "/", "env": ["PATH=/bin"]},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                   {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]}],
        "linux": {"namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
                  "resources": {"memory": {"limit": 268435456}, "pids": {"limit": 2000}, "cpu": {"quota": 100000, "period": 100000}}},
    }
    with open(os.path.join(bundle, "config.json"), "w") as f:
        lib.json.dump(spec, f)
    argv = [oci, "run", "--detach", "-b", bundle, "cb-" + oci]
    delete = [oci, "delete", "--force", "cb-" + oci]
    if oci == "crun" and os.path.isdir("/sys/fs/cgroup/unified"):
        # it takes a host with a unified mount for one whose controllers are there
        def bare(a):
            return ["unshare", "-m", "--propagation", "private", "sh", "-c", 'umount /sys/fs/cgroup/unified && exec "$@"', "sh", *a]
        argv, delete = bare(argv), bare(delete)

    def once(name, keep):
        try:
            pair.once(name, argv, stamp, keep=keep)
        finally:
            lib.quiet(*delete)
    return once


def launches(image, tmp, figures, bars):
    """lxc launch of the same image, with the same init and limits, by turns with vmadm create."""
    try:
        peer = lxd.Lxd(tmp, "%s/images/%s/root" % (lib.POOL, image), INIT)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
        print("\nlxc launch: cannot: %s" % e)
        return
    res = {"vmadm create": [], "lxc launch": []}
    try:
        peer.launch()  # unpacks the image
        for _ in range(min(N, 7)):
            calm()
            u = lib.uuid()
            res["vmadm create"].append(lib.timed(["vmadm", "create"], payload(image, u))[0])
            lib.quiet("vmadm", "delete", u)
            calm()
            res["lxc launch"].append(peer.launch())
    except (RuntimeError, subprocess.TimeoutExpired) as e:
        print("\nlxc launch: cannot: %s" % e)
        return
    finally:
        peer.stop()
    lib.table("create, against LXD on the same pool: the whole command", res, "vmadm create")
    bars.append(lib.bar("20 times vmadm create / lxc launch", 20 * lib.ratio(res, "vmadm create", "lxc launch"), 1))
    figures["lxd"] = lib.summary(res)


lib.run(main)
