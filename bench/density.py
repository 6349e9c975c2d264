#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Many zones: bench/density.py minimal|debian [N]

minimal: N (1000) running joyent-minimal zones: alive, create time of the last and the first hundred, memory per zone.
debian:  the same of a Debian image with a trivial init, then 100 idle ones with systemd: file pages and memory.
"""
import glob
import os
import re
import statistics
import subprocess
import sys
import time

import lib

KIND = sys.argv[1] if len(sys.argv) > 1 else "minimal"
N = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
BATCH = 100 if N >= 200 else max(1, N // 2)


def meminfo():
    with open("/proc/meminfo") as f:
        return {k: int(v.split()[0]) for k, v in (l.split(":") for l in f)}


def slabs():
    """KiB of each kind of the kernel's objects, as whole slabs: what MemAvailable misses."""
    with open("/proc/slabinfo") as f:
        rows = [l.split() for l in f.readlines()[2:]]
    return {r[0]: int(r[14]) * int(r[5]) * 4 for r in rows}


def kinds(before, after, show=24):
    """The objects that a zone is made of, most memory first. Boot with slab_nomerge to see each under its own name."""
    diff = sorted(((after[k] - before.get(k, 0)) / N, k) for k in after)[::-1]
    print("  objects of the kernel, KiB a zone: " + ", ".join("%s %.1f" % (k, v) for v, k in diff[:show] if v >= 0.5))
    return {k: v for v, k in diff if v >= 0.1}


def settle():
    """Until the memory that is available stops moving."""
    last = 0
    for _ in range(20):
        time.sleep(0.5)
        now = meminfo()["MemAvailable"]
        if abs(now - last) < 512:
            break
        last = now


def drop():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")


def alive(uuids):
    states = dict(l.split(":") for l in lib.sh("vmadm", "list", "-p", "-o", "uuid,state").split())
    return sum(states.get(u) == "running" for u in uuids)


def private(pids):
    total = 0
    for p in pids:
        try:
            with open("/proc/%d/smaps_rollup" % p) as f:
                total += sum(int(l.split()[1]) for l in f if l.startswith("Private_"))
        except OSError:
            pass
    return total


def supervisors():
    """pids of all keepers and workers, from their cgroup."""
    pids = set()
    for d in glob.glob("/sys/fs/cgroup/unified/**/cloister-%s/_sup" % lib.NODE, recursive=True) or \
            glob.glob("/sys/fs/cgroup/**/cloister-%s/_sup" % lib.NODE, recursive=True):
        with open(d + "/cgroup.procs") as f:
            pids |= {int(x) for x in f.read().split()}
    return pids


def zone_pids(u):
    pids = set()
    top = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
    for d, _, files in os.walk(glob.glob("%s/**/cloister-%s/%s" % (top, lib.NODE, u), recursive=True)[0]):
        with open(d + "/cgroup.procs") as f:
            pids |= {int(x) for x in f.read().split()}
    return pids


def instances(u):
    """File system instances that are this zone's alone."""
    def devices(pid):
        with open("/proc/%s/mountinfo" % pid) as f:
            return {l.split()[2] for l in f}
    return len(set().union(*(devices(p) for p in zone_pids(u))) - devices("self"))


def tables(n=40):
    """
    KiB that every memory cgroup pays for file system instances: the kernel keeps an entry for each number that an instance
    has ever had in this boot, 64 to a block of 1 KiB. Told from what n new cgroups take.
    """
    top = "/sys/fs/cgroup/memory" if os.path.isdir("/sys/fs/cgroup/memory") else "/sys/fs/cgroup"
    dirs = ["%s/cloister-%s-probe%d" % (top, lib.NODE, i) for i in range(n)]

    def blocks():
        with open("/proc/slabinfo") as f:
            return next(int(l.split()[1]) for l in f if l.startswith("kmalloc-1k "))
    was = blocks()
    try:
        for d in dirs:
            os.mkdir(d)
        return (blocks() - was) / n
    finally:
        for d in dirs:
            if os.path.isdir(d):
                os.rmdir(d)


def drift(figures, bars, name, before, per):
    """
    With all zones gone the machine has to be what it was, or other work has come or gone meanwhile and the difference of
    its memory was not the zones' (or the zones have left something behind).
    """
    drop()
    settle()
    kib = (before["MemAvailable"] - meminfo()["MemAvailable"]) / N
    figures[name]["drift_kib"] = kib
    print("  after their end %.0f KiB a zone are missing, of %.0f" % (kib, per))
    bars.append(lib.bar("%s: drift of the machine's memory meanwhile / figure" % name, abs(kib) / abs(per), 0.1))


def by_hand(figures, n=100):
    """What the kernel takes for single things that a zone is made of, without Cloister: n of each, beside a process that sleeps."""
    cg = "/sys/fs/cgroup/memory" if os.path.isdir("/sys/fs/cgroup/memory") else "/sys/fs/cgroup"
    rows = [("a process that sleeps", []), ("net namespace", ["--net"]), ("ipc namespace", ["--ipc"]), ("user namespace", ["--user"]),
            ("mount namespace", ["--mount"]), ("uts and cgroup namespaces", ["--uts", "--cgroup"]), ("a memory cgroup", None)]
    took = {}
    for what, flags in rows:
        settle()
        before, made, dirs = meminfo()["MemAvailable"], [], []
        try:
            for i in range(n):
                if flags is None:
                    dirs.append("%s/cloister-%s-hand%d" % (cg, lib.NODE, i))
                    os.makedirs(dirs[-1], exist_ok=True)  # one that was killed has left its own
                else:
                    made.append(subprocess.Popen((["unshare"] + flags if flags else []) + ["sleep", "inf"]))
            time.sleep(2)
            settle()
            took[what] = (before - meminfo()["MemAvailable"]) / n - (took["a process that sleeps"] if flags else 0)
        finally:
            for p in made:
                p.kill()
            for p in made:
                p.wait()
            for d in dirs:
                os.rmdir(d)
    print("  by hand, without Cloister, KiB: " + ", ".join("%s %.0f" % x for x in took.items()))
    figures["by_hand_kib"] = took


def fill(figures, bars, name, **payload):
    drop()
    settle()
    held = tables()
    settle()
    before, objects = meminfo(), slabs()
    ms, made = [], []
    for _ in range(N):
        u = lib.uuid()
        ms.append(lib.timed(["vmadm", "create"], lib.json.dumps(dict(payload, uuid=u)).encode())[0])
        made.append(u)
    up = alive(made)
    settle()
    sup = supervisors()
    zpids = [p for u in made[:20] for p in zone_pids(u)]
    own, inits = private(sup), private(zpids) / 20 * N
    drop()
    settle()
    after, objects_after = meminfo(), slabs()
    need = instances(made[-1]) * N / 64
    first, last = statistics.median(ms[:BATCH]), statistics.median(ms[-BATCH:])
    per = (before["MemAvailable"] - after["MemAvailable"]) / N
    kernel = per - (own + inits) / N
    slab = {k: (after[k] - before[k]) / N for k in
            ("SUnreclaim", "SReclaimable", "KernelStack", "PageTables", "Percpu", "VmallocUsed", "AnonPages", "Shmem", "Cached", "Buffers", "MemFree") if k in after}
    print("\n%d running %s zones" % (N, name))
    print("  create, median: first %d %.2f ms, last %d %.2f ms" % (BATCH, first, BATCH, last))
    print("  memory per idle zone %.0f KiB (MemAvailable, caches dropped): kernel %.0f, keeper and worker %.0f private, "
          "the zone's own %.0f private" % (per, kernel, own / N, inits / N))
    print("  of the kernel's: " + ", ".join("%s %.0f" % x for x in slab.items()))
    objects = kinds(objects, objects_after)
    print("  also of the kernel's: %.0f in tables of file system instances, which never shrink in a boot; %d instances a zone need "
          "%.0f, the tables were made for %.0f before the first zone" % (max(held, need), instances(made[-1]), need, held))
    print("  so on a machine just booted: %.0f KiB a zone" % (per - max(0, held - need)))
    bars.append(lib.bar("%s: zones not alive of %d" % (name, N), N - up, 0))
    bars.append(lib.bar("%s: create, last %d / first %d" % (name, BATCH, BATCH), last / first, 1.3))
    figures[name] = {"first_ms": first, "last_ms": last, "kib_per_zone": per, "kernel_kib": kernel, "supervisor_kib": own / N,
                     "slab": slab, "objects": objects, "instances": instances(made[-1]), "tables_kib": need, "tables_before_kib": held}
    return made, per, own / N, before


def empty(made):
    t = time.perf_counter()
    for u in made:
        lib.quiet("vmadm", "delete", u)
    print("  delete of all: %.2f ms each" % ((time.perf_counter() - t) * 1e3 / len(made)))


def booted(made):
    """create returns when systemd says that it is ready: what it starts then comes into memory a little later."""
    for u in made:
        lib.quiet("zlogin", u, "systemctl", "is-system-running", "--wait")
    time.sleep(3)
    settle()


def idle_systemd(figures, bars, image, n=100):
    """File pages of the image: what mincore(2) finds resident of the image's files, with one zone (one copy) and with all,
    and to the latter what is resident in the zones' own layers of files that the image has too (copied up, or in a native
    folder). Files that the zones have written themselves (journals) are data of their own, and printed beside it."""
    tree = "%s/images/%s/root" % (lib.POOL, image)
    drop()
    settle()
    m0 = meminfo()["MemAvailable"]
    made = [lib.create(brand="lx", image_uuid=image, max_physical_memory=512)]
    booted(made)
    one = resident([tree])
    for _ in range(n - 1):
        made.append(lib.create(brand="lx", image_uuid=image, max_physical_memory=512))
    booted(made)
    up = alive(made)
    m2 = meminfo()["MemAvailable"]
    own = sum(private(zone_pids(u)) for u in made[:10]) / 10
    print("\n%d idle Debian zones with systemd, of one image; %d running" % (n, up))
    every, copied, written = resident([tree]), resident(made_trees(made), tree, True), resident(made_trees(made), tree, False)
    print("  of the image's files resident: %.1f MiB with one, %.1f MiB with all; in the zones' own layers %.1f MiB; "
          "written by the zones themselves (journals) %.1f MiB" % (one, every, copied, written))
    print("  memory per zone %.1f MiB (MemAvailable), private memory of its processes %.1f MiB" % ((m0 - m2) / 1024 / n, own / 1024))
    bars.append(lib.bar("%d Debian zones: file pages / one copy" % n, (every + copied) / one, 1.2))
    figures["systemd"] = {"one_mib": one, "all_mib": every, "copied_up_mib": copied, "own_files_mib": written,
                          "mib_per_zone": (m0 - m2) / 1024 / n}
    return made


def made_trees(made):
    return [t for u in made for t in glob.glob("%s/%s/root/upper" % (lib.POOL, u)) + glob.glob("%s/%s/root/root" % (lib.POOL, u))]


def resident(trees, image=None, shared=None):
    """MiB of the trees' files that are in memory, by mincore(2) through fincore(1); only those that image has (shared), or not."""
    total = 0
    for tree in trees:
        files = []
        for d, _, names in os.walk(tree):
            for x in names:
                p = os.path.join(d, x)
                if os.path.isfile(p) and not os.path.islink(p) and \
                        (image is None or os.path.lexists(image + p[len(tree):]) == shared):
                    files.append(p)
        for i in range(0, len(files), 200):
            out = lib.sh("fincore", "-nrb", "-o", "RES", *files[i:i + 200], ok=False)
            total += sum(int(x) for x in out.split() if re.fullmatch(r"\d+", x))
    return total / 1048576


def main(tmp):
    figures, bars = {}, []
    if KIND == "minimal":
        made, per, sup, before = fill(figures, bars, "joyent-minimal", brand="joyent-minimal", max_physical_memory=128)
        bars.append(lib.bar("joyent-minimal: memory per idle zone", per, 700, " KiB"))
        bars.append(lib.bar("keeper and worker, private", sup, 256, " KiB"))
        empty(made)
        drift(figures, bars, "joyent-minimal", before, per)
        by_hand(figures)
    else:
        image = lib.debian(tmp)
        made, _, _, _ = fill(figures, bars, "debian", brand="lx", image_uuid=image, init_name="/bench/init", max_physical_memory=128)
        empty(made)
        empty(idle_systemd(figures, bars, image, min(100, N)))
    lib.report("density-" + KIND, {"figures": figures, "bars": bars})


lib.run(main)
