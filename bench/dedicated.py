# SPDX-License-Identifier: MPL-2.0
"""What others run on a processor that is a zone's own; a part of bench/limits.py."""
import glob
import os
import subprocess
import time

from box import Box, read
from zones import CPUS, group


def run_ns(cpu):
    """What ran on a processor; of a task that runs now, up to when it began."""
    return next(int(x.split()[7]) for x in read("/proc/schedstat").splitlines() if x.startswith("cpu%d " % cpu))


def bound_ns(cpu):
    """What the kernel's own threads of this processor ran."""
    ns = 0
    for d in glob.glob("/proc/[0-9]*"):
        try:
            if not read(d, "maps") and "\nCpus_allowed_list:\t%d\n" % cpu in read(d, "status"):
                ns += int(read(d, "schedstat").split()[0])
        except OSError:
            pass
    return ns


def used_ns(u):
    return int(read(group(u), "cpu.stat").split()[1]) * 1000


def measure(party, prog):
    """ns that all, the zone and the processor's own threads ran on it, by name; nothing where this kernel can't."""
    u = party.zone()
    try:
        if not os.path.exists(os.path.join(group(u), "cpuset.cpus.exclusive")) or not os.path.exists("/proc/schedstat") or CPUS < 2:
            return {}
        party.update(u, {"dedicated_cpus": 1})
        cpu = int(read(group(u), "cpuset.cpus.effective"))
        a = run_ns(cpu), used_ns(u), bound_ns(cpu)
        b = party.run(u, Box(("hog", 20)))
        others = [subprocess.Popen([prog, "hog", "20"]) for _ in range(CPUS)]
        for p in others:
            p.wait()
        b.result()
        party.end(b)
        time.sleep(1)
        took = [y - x for x, y in zip(a, (run_ns(cpu), used_ns(u), bound_ns(cpu)))]
        party.update(u, {"dedicated_cpus": 0})
        return dict(zip(("all_ns", "zone_ns", "bound_kthreads_ns"), took))
    finally:
        party.free.append(u)
