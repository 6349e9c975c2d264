#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What the numbers cost: bench/stat.py [N]

N (200) running zones; processor time of one sample of all of them by zonestat, from reports of 21 samples less those of
one, and so without its start; what the host alone costs is measured first, the rest is scaled to 1,000 zones. With what zonestat shows unless told, and with -x (pressure, I/O).
Beside that the processor time of one listing of all zones' processes (one each), start included: names only, and with users and arguments.
"""
import resource
import statistics
import sys

import lib

N = int(sys.argv[1]) if len(sys.argv) > 1 else 200
ROUNDS, SAMPLES = 5, 50


def cpu_ms(*argv):
    """User and system time of a command."""
    was = resource.getrusage(resource.RUSAGE_CHILDREN)
    lib.sh(*argv)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (now.ru_utime + now.ru_stime - was.ru_utime - was.ru_stime) * 1e3


def sample_ms(options):
    one, many = (cpu_ms("zonestat", "-H", *options, "0.02", str(n)) for n in (1, SAMPLES + 1))
    return (many - one) / SAMPLES


def main(tmp):
    bars, res = [], {}
    ways = {"zonestat": [], "zonestat -x": ["-x"]}
    host = {name: statistics.median(sample_ms(o) for _ in range(ROUNDS)) for name, o in ways.items()}
    for _ in range(N):
        lib.create(brand="joyent-minimal", max_physical_memory=64)
    for _ in range(ROUNDS):
        for name, options in ways.items():
            res.setdefault(name, []).append(host[name] + (sample_ms(options) - host[name]) * 1000 / N)
            res.setdefault(name + ", the host alone", [host[name]])
        for options in ([], ["-f"]):
            res.setdefault(" ".join(["cloister ps"] + options), []).append(cpu_ms("cloister", "ps", "-H", *options) * 1000 / N)
    lib.table("processor time of a sample or a listing, for 1,000 zones as %d are" % N, res)
    for name in ("zonestat", "zonestat -x"):
        bars.append(lib.bar("%s: one sample of 1,000 zones" % name, statistics.median(res[name]), 20, " ms"))
    lib.report("stat", {"figures": lib.summary(res), "bars": bars})


lib.run(main)
