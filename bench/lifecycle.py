#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""create, start, stop -F, get, zlogin, snapshots and delete as whole commands, against the floor of each, and the peers.

    bench/lifecycle.py [ROUNDS] [IMAGE_TARBALL]

Without a tarball the lx image is a busybox root, made here; peers run on the same tree where they are installed.
"""
import json
import os
import subprocess
import sys
import tempfile

import lib

N = int(sys.argv[1]) if len(sys.argv) > 1 else 30
TARBALL = sys.argv[2] if len(sys.argv) > 2 else None
SEQ = 0


def uuid():
    global SEQ
    SEQ += 1
    return "be9c0000-0000-4000-8000-%012d" % SEQ


def tarball(tmp):
    if TARBALL:
        return TARBALL
    root = os.path.join(tmp, "root")
    for d in ("bin", "sbin", "etc", "dev", "proc", "sys", "run", "tmp", "root", "var"):
        os.makedirs(os.path.join(root, d))
    bb = "/bin/busybox" if os.path.exists("/bin/busybox") else "/usr/bin/busybox"
    subprocess.run(["cp", bb, os.path.join(root, "bin/busybox")], check=True)
    for a in ("sh", "true", "sleep", "cat", "ls"):
        os.symlink("busybox", os.path.join(root, "bin", a))
    src = os.path.join(tmp, "init.c")
    with open(src, "w") as f:
        f.write("#include <unistd.h>\nint main(void) { for (;;) pause(); }\n")
    subprocess.run(["cc", "-O2", "-static", "-o", os.path.join(root, "sbin/init"), src], check=True)
    out = os.path.join(tmp, "image.tar")
    subprocess.run(["tar", "-C", root, "-cf", out, "."], check=True)
    return out


def payload(image, u, **more):
    return json.dumps({"brand": "lx", "image_uuid": image, "uuid": u, "max_physical_memory": 256, "cpu_cap": 100,
                       "nowait": True, **more}).encode()


def main():
    lib.node()
    floor = lib.build_c("floor")
    with tempfile.TemporaryDirectory() as tmp:
        out = subprocess.run(["imgadm", "import", tarball(tmp), "--name", "bench"], check=True, stderr=subprocess.STDOUT,
                             stdout=subprocess.PIPE).stdout.decode()
        image = [w for w in out.replace(".", " ").split() if len(w) == 36 and w.count("-") == 4][-1]
        measure(floor, image, tmp)


def measure(floor, image, tmp):
    dataset = "%s/images/%s" % (lib.POOL, image)
    tree = dataset + "/root"
    figures = {}

    def create(**more):
        u = uuid()
        ms, _ = lib.timed(["vmadm", "create"], payload(image, u, **more))
        lib.quiet("vmadm", "delete", u)
        return ms

    def floor_create(*words):
        name = uuid()
        src = dataset if "private" in words else tree
        ms, _ = lib.timed([floor, "create", lib.POOL, src, name, "/sbin/init", *words])
        lib.quiet(floor, "destroy", lib.POOL, name)
        return ms

    contenders = {
        "floor, overlay": lambda: floor_create(),
        "floor, overlay + fdatasync": lambda: floor_create("sync"),
        "vmadm create, shared root": lambda: create(),
        "floor, snapshot": lambda: floor_create("private"),
        "floor, snapshot + fdatasync": lambda: floor_create("private", "sync"),
        "vmadm create, private root": lambda: create(image_sharing="private"),
    }
    contenders.update(peers(tree, tmp))
    res = lib.rounds(N, contenders)
    lib.table("create: from the start of the command to the exec of init", res, "floor, overlay + fdatasync")
    figures["create"] = lib.summary(res)

    back = {"vmadm create, 50 back to back": [], "floor, 50 back to back": []}
    made = []
    for _ in range(50):
        u = uuid()
        back["vmadm create, 50 back to back"].append(lib.timed(["vmadm", "create"], payload(image, u))[0])
        made.append(u)
    for u in made:
        lib.quiet("vmadm", "delete", u)
    made = []
    for _ in range(50):
        u = uuid()
        back["floor, 50 back to back"].append(lib.timed([floor, "create", lib.POOL, tree, u, "/sbin/init", "sync"])[0])
        made.append(u)
    for u in made:
        lib.quiet(floor, "destroy", lib.POOL, u)
    lib.table("the same without a delete between", back, "floor, 50 back to back")
    figures["back_to_back"] = lib.summary(back)

    z, f = uuid(), uuid()
    lib.timed(["vmadm", "create"], payload(image, z))
    lib.timed([floor, "create", lib.POOL, tree, f, "/sbin/init"])
    res = {k: [] for k in ("floor stop", "vmadm stop -F", "floor start", "vmadm start")}
    for _ in range(N):
        res["floor stop"].append(lib.timed([floor, "stop", f])[0])
        res["vmadm stop -F"].append(lib.timed(["vmadm", "stop", "-F", z])[0])
        ms, out = lib.timed([floor, "start", lib.POOL, tree, f, "/sbin/init"])
        pid = out.split()[-1]
        res["floor start"].append(ms)
        res["vmadm start"].append(lib.timed(["vmadm", "start", z])[0])
    lib.table("start", {k: res[k] for k in ("floor start", "vmadm start")}, "floor start")
    lib.table("stop -F", {k: res[k] for k in ("floor stop", "vmadm stop -F")}, "floor stop")
    figures["start_stop"] = lib.summary(res)

    record = "%s/%s/config/record.json" % (lib.POOL, z)
    res = lib.rounds(N * 2, {
        "/bin/true": lambda: lib.timed(["/bin/true"])[0],
        "floor get (read a file)": lambda: lib.timed([floor, "get", record])[0],
        "vmadm get": lambda: lib.timed(["vmadm", "get", z])[0],
    })
    lib.table("get", res, "floor get (read a file)")
    figures["get"] = lib.summary(res)

    res = lib.rounds(N * 2, {
        "floor login (setns + exec)": lambda: lib.timed([floor, "login", pid, "/bin/true"])[0],
        "zlogin Z true": lambda: lib.timed(["zlogin", z, "true"])[0],
    })
    lib.table("login", res, "floor login (setns + exec)")
    figures["login"] = lib.summary(res)

    res = {"create-snapshot": [], "rollback-snapshot": [], "delete-snapshot": [], "delete": []}
    lib.timed(["vmadm", "stop", "-F", z])
    for _ in range(N):
        res["create-snapshot"].append(lib.timed(["vmadm", "create-snapshot", z, "s"])[0])
        res["rollback-snapshot"].append(lib.timed(["vmadm", "rollback-snapshot", z, "s"])[0])
        res["delete-snapshot"].append(lib.timed(["vmadm", "delete-snapshot", z, "s"])[0])
        u = uuid()
        lib.timed(["vmadm", "create"], payload(image, u, autoboot=False))
        res["delete"].append(lib.timed(["vmadm", "delete", u])[0])
    lib.table("snapshots and delete of a stopped VM", res)
    figures["snapshots"] = lib.summary(res)
    lib.quiet(floor, "destroy", lib.POOL, f)
    lib.quiet("vmadm", "delete", z)
    lib.report("lifecycle", figures)


def peers(tree, tmp):
    """Start (no clone) of the same tree by what is installed; each as a whole command that ends once init was exec'd."""
    found = {}
    if lib.have("lxc-start"):
        conf = os.path.join(tmp, "lxc.conf")
        with open(conf, "w") as f:
            f.write("lxc.rootfs.path = dir:%s\nlxc.init.cmd = /sbin/init\nlxc.uts.name = p\nlxc.net.0.type = empty\n"
                    "lxc.mount.auto = proc sys\n" % copy_tree(tree, tmp, "lxc"))

        def lxc():
            ms, _ = lib.timed(["lxc-start", "-n", "cloister-bench", "-f", conf, "-P", tmp], ok=False)
            lib.quiet("lxc-stop", "-k", "-n", "cloister-bench", "-P", tmp)
            return ms
        found["lxc-start (no clone)"] = lxc
    for oci in ("crun", "runc"):
        if lib.have(oci):
            found[oci + " (no clone)"] = oci_runtime(oci, tree, tmp)
    return found


def copy_tree(tree, tmp, name):
    dst = os.path.join(tmp, name)
    subprocess.run(["cp", "-a", tree, dst], check=True)
    return dst


def oci_runtime(oci, tree, tmp):
    bundle = os.path.join(tmp, oci)
    os.makedirs(bundle)
    root = copy_tree(tree, bundle, "rootfs")
    spec = {
        "ociVersion": "1.0.2", "hostname": "p", "root": {"path": root},
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/sbin/init"], "cwd": "/", "env": ["PATH=/bin"]},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                   {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]}],
        "linux": {"namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
                  "resources": {"memory": {"limit": 268435456}, "pids": {"limit": 2000}, "cpu": {"quota": 100000, "period": 100000}}},
    }
    with open(os.path.join(bundle, "config.json"), "w") as f:
        json.dump(spec, f)

    def once():
        log = open(os.path.join(bundle, "log"), "wb")
        t = lib.time.perf_counter()
        p = subprocess.run([oci, "run", "--detach", "-b", bundle, "cb-" + oci], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ms = (lib.time.perf_counter() - t) * 1e3
        if p.returncode:
            lib.sys.exit("%s: %s" % (oci, open(log.name).read().strip()))
        lib.quiet(oci, "delete", "--force", "cb-" + oci)
        return ms
    return once


if __name__ == "__main__":
    try:
        main()
    finally:
        lib.clean()
