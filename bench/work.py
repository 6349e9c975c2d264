#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A CPU-bound program, one that works on files, an empty system call: in a zone and on the host, by turns.

    bench/work.py [ROUNDS]

The host's files are in a subvolume of the same pool; in the zone they are in its root and in /tmp's own file system.
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
    host = lib.POOL + "/bench-host"
    subprocess.run(["btrfs", "subvolume", "create", host], check=True, stdout=subprocess.DEVNULL)
    shm = "/dev/shm/cloister-bench"
    os.makedirs(shm, exist_ok=True)

    def on_host(*a):
        return float(lib.sh(work, *a))

    def in_zone(kind, *a):
        return float(lib.sh("zlogin", zone[kind], "/bench/work", *a))

    tests = {
        "cpu": ({"host": ("cpu",)}, {"zone": ("private", "cpu")}),
        "files: make, write, read, stat, remove": ({"host": ("files", host)},
                                                   {"zone, private root": ("private", "files", "/root"),
                                                    "zone, shared root": ("shared", "files", "/root")}),
        "files: read and stat": ({"host": ("read", host)}, {"zone, private root": ("private", "read", "/root"),
                                                             "zone, shared root": ("shared", "read", "/root")}),
        "files on tmpfs": ({"host": ("files", shm)}, {"zone": ("private", "files", "/dev/shm")}),
        "empty system call (ns)": ({"host": ("syscall",)}, {"zone": ("private", "syscall")}),
    }
    limit = {"cpu": 1.01, "files: make, write, read, stat, remove": 1.03, "files: read and stat": 1.03}
    bars, figures = [], {}
    try:
        for name, (h, zones) in tests.items():
            runs = {"host": lambda h=h: on_host(*h["host"])}
            runs.update({k: (lambda a=a: in_zone(*a)) for k, a in zones.items()})
            # by turns, and each turn from the other end, so that neither is always first
            res = {k: [] for k in runs}
            for i in range(N + 1):
                for k in (list(runs) if i % 2 else reversed(list(runs))):
                    v = runs[k]()
                    if i:
                        res[k].append(v)
            print("\n" + name)
            for k, v in res.items():
                r = statistics.median(x / y for x, y in zip(v, res["host"]))
                print("  %-22s min %.4f  median %.4f   ratio of medians per round %.3f, of minima %.3f" %
                      (k, min(v), statistics.median(v), r, min(v) / min(res["host"])))
                if k != "host" and name in limit:
                    bars.append(lib.bar("%s: %s / host" % (name.split(":")[0] + name[len(name.split(":")[0]):], k), min(v) / min(res["host"]), limit[name]))
            figures[name] = res
    finally:
        os.rmdir(shm)
    lib.report("work", {"figures": figures, "bars": bars})


lib.run(main)
