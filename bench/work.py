#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A CPU-bound program, one that works on files, an empty system call: in a zone and on the host, by turns.

    bench/work.py [ROUNDS]

The host's files are in snapshots of what the zones' roots are snapshots of, so that both work on the same trees. The bar
is on the program that makes, writes, reads, stats and removes files, where a zone's programs write; what the calls cost
that only look at files, and the empty one, stands beside it, and so do files below the rest of a shared root.
"""
import os
import statistics
import subprocess
import sys

import lib

N = int(sys.argv[1]) if len(sys.argv) > 1 else 9


def main(tmp):
    image = lib.debian(tmp)
    work = os.path.join(tmp, "add/bench/work")
    zone = {k: lib.create(brand="lx", image_uuid=image, init_name="/bench/init", max_physical_memory=1024, image_sharing=k)
            for k in ("shared", "private")}
    host = {}
    for kind, of, to in (("private", image, "root/root"), ("shared", ".upper/" + image, "upper/root")):
        snap = "%s/bench-%s" % (lib.POOL, kind)
        lib.sh("btrfs", "subvolume", "snapshot", "%s/images/%s" % (lib.POOL, of), snap)
        host[kind] = os.path.join(snap, to)
    shm = "/dev/shm/cloister-bench"
    os.makedirs(shm, exist_ok=True)

    def on_host(*a):
        return float(lib.sh(work, *a))

    def in_zone(kind, *a):
        return float(lib.sh("zlogin", zone[kind], "/bench/work", *a))

    def on_files(*a):
        return {"host": lambda: on_host(*a, host["private"]), "host, as shared": lambda: on_host(*a, host["shared"]),
                "private root": lambda: in_zone("private", *a, "/root"), "shared root": lambda: in_zone("shared", *a, "/root"),
                "shared root, /opt": lambda: in_zone("shared", *a, "/opt")}

    tests = {
        "cpu": {"host": lambda: on_host("cpu"), "zone": lambda: in_zone("private", "cpu")},
        "files: make, write, read, stat, remove": on_files("files"),
        "files: stat, open, read, close": on_files("read"),
        "files on tmpfs": {"host": lambda: on_host("files", shm), "zone": lambda: in_zone("private", "files", "/dev/shm")},
        "empty system call (ns)": {"host": lambda: on_host("syscall"), "zone": lambda: in_zone("private", "syscall")},
    }
    base = {"shared root": "host, as shared", "shared root, /opt": "host, as shared"}
    limit = {("cpu", "zone"): 1.01, ("files: make, write, read, stat, remove", "private root"): 1.03,
             ("files: make, write, read, stat, remove", "shared root"): 1.03}
    bars, figures = [], {}
    try:
        for name, runs in tests.items():
            # by turns, and each turn from the other end, so that neither is always first
            res = {k: [] for k in runs}
            for i in range(N + 1):
                for k in (list(runs) if i % 2 else reversed(list(runs))):
                    v = runs[k]()
                    if i:
                        res[k].append(v)
            print("\n" + name)
            for k, v in res.items():
                h = res[base.get(k, "host")]
                r, least = statistics.median(x / y for x, y in zip(v, h)), min(v) / min(h)
                print("  %-22s min %.4f  median %.4f   over the host: median of rounds %.3f, minima %.3f" %
                      (k, min(v), statistics.median(v), r, least))
                if (name, k) in limit:
                    bars.append(lib.bar("%s: %s / host" % (name, k), least, limit[name, k]))
            figures[name] = res
    finally:
        os.rmdir(shm)
    lib.report("work", {"figures": figures, "bars": bars})


lib.run(main)
