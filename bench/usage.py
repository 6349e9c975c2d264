#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What accounting costs: bench/usage.py [N]

N (200) running idle zones; processor time of all their workers over a window, less that of the same workers sampling once
an hour only, at a sample a second and at the default of a minute; each scaled to 1,000 zones. Then private memory of the
workers before and after an hour's worth of samples (3,600 where SAMPLES says so, else 60 at one a second, and the growth of
each is what counts), and the size of a zone's file.
"""
import glob
import json
import os
import statistics
import subprocess
import sys
import time

import lib

N = int(sys.argv[1]) if len(sys.argv) > 1 else 200
WINDOW = float(os.environ.get("WINDOW", "20"))
ROUNDS = 3
SAMPLES = int(os.environ.get("SAMPLES", "60"))
ETC = "/etc/cloister-" + lib.NODE


def workers():
    out = []
    for f in glob.glob(lib.RUN + "/*-*-*-*-*/worker"):
        with open(f) as t:
            out.append(int(t.read().split()[0]))
    return out


def cpu_ns(pids):
    """Of all threads' run time, to the nanosecond."""
    s = 0
    for p in pids:
        with open("/proc/%d/schedstat" % p) as f:
            s += int(f.read().split()[0])
    return s


def private_kib(pids):
    s = 0
    for p in pids:
        with open("/proc/%d/smaps_rollup" % p) as f:
            s += sum(int(l.split()[1]) for l in f if l.startswith("Private"))
    return s


def interval(seconds):
    """Sets it, and has the workers start again: a setting of the node is read then."""
    os.makedirs(ETC, exist_ok=True)
    with open(ETC + "/node.conf", "w") as f:
        f.write("usage_interval=%d\n" % seconds)
    old = workers()
    for p in old:
        os.kill(p, 9)
    end = time.monotonic() + 120
    while len(set(workers()) - set(old)) < N:
        if time.monotonic() > end:
            raise SystemExit("the workers did not come back")
        time.sleep(0.2)
    time.sleep(4)  # past the first sample


def percent(seconds):
    """Of one processor, for 1,000 zones."""
    p = workers()
    was, t = cpu_ns(p), time.monotonic()
    time.sleep(seconds)
    return (cpu_ns(p) - was) / (time.monotonic() - t) / 1e7 * 1000 / N


def truth():
    """What zones are billed for of a processor against what their programs say they have used, under load, and what is left for nobody."""
    zs = [lib.create(brand="joyent-minimal", max_physical_memory=64) for _ in range(3)]

    def billed():
        rows = json.loads(lib.sh("cloister", "usage", "-j"))["rows"]
        return {r.get("uuid", r["zone"]): r.get("cpu_seconds", 0) for r in rows}
    was = billed()
    hogs = [subprocess.Popen(["zlogin", z, "i=0; while [ $i -lt %d ]; do i=$((i+1)); done; times" % (3000000 * (k + 1))], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True) for k, z in enumerate(zs)]
    own = []
    for p in hogs:
        user, system = p.communicate()[0].splitlines()[0].split()
        own.append(sum(60 * float(t[:-1].split("m")[0]) + float(t[:-1].split("m")[1]) for t in (user, system)))
    now = billed()
    got = [now[z] - was.get(z, 0) for z in zs]
    for z in zs:
        lib.sh("vmadm", "delete", z)
    rest = now["[total]"] - was["[total]"] - sum(now[k] - was.get(k, 0) for k in now if k != "[total]")
    print("three zones' processor seconds: billed %s, by their own count %s; total less all lines: %.3f" % (
        " ".join("%.2f" % g for g in got), " ".join("%.2f" % o for o in own), rest))
    return [lib.bar("a zone's billed processor time off its program's own, at most", max(abs(g / o - 1) * 100 for g, o in zip(got, own)), 1, " %"),
            lib.bar("sum of all lines off the host's total", abs(rest) / (now["[total]"] - was["[total]"]) * 100, 1, " %")]


def main(tmp):
    res = {}
    for _ in range(N):
        lib.create(brand="joyent-minimal", max_physical_memory=64)
    for i in range(ROUNDS):
        for name, every, window in (("a sample an hour", 3600, WINDOW), ("a sample a second", 1, WINDOW), ("a sample a minute", 60, 60)):
            if every != 60 or i == 0:
                interval(every)
                res.setdefault(name, []).append(percent(window))
    lib.table("workers of 1,000 zones as %d are: percent of a processor" % N, res, unit="%")
    interval(1)
    p = workers()
    before = private_kib(p)
    time.sleep(SAMPLES)
    grown = private_kib(p) - before
    size = max(os.path.getsize(f) for f in glob.glob("/var/lib/cloister-%s/usage/*-*-*-*-*" % lib.NODE))
    idle, second = statistics.median(res["a sample an hour"]), statistics.median(res["a sample a second"])
    print("private memory of %d workers: %d KiB, %+d KiB after %d samples; a zone's file: %d bytes" % (N, before, grown, SAMPLES, size))
    bars = truth() + [lib.bar("accounting of 1,000 zones once a second", second - idle, 2, " % of a processor"),
            lib.bar("growth of a worker in %d samples" % SAMPLES, grown / N, 4, " KiB")]
    lib.report("usage", {"figures": lib.summary(res), "private_kib": before / N, "grown_kib": grown / N, "file_bytes": size, "bars": bars})


lib.run(main)
