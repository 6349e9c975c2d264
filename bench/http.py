#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""128 zones on one CPU, each serving HTTP on its own loopback, against 128 plain processes on that CPU.

    bench/http.py [N] [SECONDS] [ROUNDS] [SETS]

The same row, made anew, differs by more than its rounds do. So zones and processes are made SETS times; a ratio is the median over the rounds of one set, and what is told is the
median and the span of the sets' ratios. One client, on another CPU, holds a connection into each and asks on all of them at once, so that the servers' CPU is
what they wait for. Rounds are short and alternate. The plain processes listen on the host's loopback, with a port each,
and stand in one cgroup of the node's weight, as all zones do: what else the machine does takes as much from either.

Between the two stand processes that get what a zone is made of by hand, one thing after the other (many.c): what of a
zone's cost is the kernel's, and where. CPU time for a request is the servers' own, by the scheduler's count.
"""
import glob
import os
import statistics
import subprocess
import sys
import time

import lib

N = int(sys.argv[1]) if len(sys.argv) > 1 else 128
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 1
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
SETS = int(sys.argv[4]) if len(sys.argv) > 4 else 5
PORT = 20000


def pin(cpu):
    return ["taskset", "-c", str(cpu)]


def idle(cpu):
    with open("/proc/stat") as f:
        v = [int(x) for x in next(l for l in f if l.startswith("cpu%d " % cpu)).split()[1:]]
    return v[3] + v[4], sum(v[:8])


V2 = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
MEMORY = {"memory.limit_in_bytes": 64 << 20, "memory.kmem.tcp.limit_in_bytes": 16 << 20, "memory.max": 64 << 20}


def put(path, text, must=True):
    if must or os.path.exists(path):
        with open(path, "w") as f:
            f.write(str(text))


class Groups:
    """Cgroups for the servers of one row: tops are hierarchies; the first has the CPU, and there the row weighs as much as the node."""

    def __init__(self, row, tops):
        self.base = [(t, "%s/bench-%s" % (t, row)) for t in tops]
        self.dirs = []
        for top, base in self.base:
            self.make(base, controllers=True)
            for weight in ("cpu.shares", "cpu.weight"):
                for node in glob.glob("%s/**/cloister-%s/%s" % (top, lib.NODE, weight), recursive=True):
                    with open(node) as f:
                        put("%s/%s" % (base, weight), f.read())

    def make(self, d, controllers=False):
        os.makedirs(d, exist_ok=True)
        self.dirs.append(d)
        if controllers and os.path.exists(d + "/cgroup.controllers"):
            with open(d + "/cgroup.controllers") as f:
                for c in f.read().split():
                    put(d + "/cgroup.subtree_control", "+" + c)

    def all_in_one(self, pids):
        self.make(self.base[0][1] + "/one")
        for p in pids:
            put(self.base[0][1] + "/one/cgroup.procs", p)

    def one_each(self, pids):
        for top, base in self.base:
            for p in pids:
                d = "%s/%d" % (base, p)
                self.make(d)
                for name, value in MEMORY.items():
                    put("%s/%s" % (d, name), value, must=False)
                if top == V2:  # limits above, the zone's own tree below
                    self.make(d + "/zone")
                put((d + "/zone" if top == V2 else d) + "/cgroup.procs", p)

    def close(self):
        for d in sorted(set(self.dirs), reverse=True):
            for _ in range(100):
                try:
                    os.rmdir(d)
                    break
                except OSError:
                    time.sleep(0.02)


class Made:
    """The servers of one row, by many.c."""

    def __init__(self, row, number, programs, features, tops, one):
        self.groups = Groups(row, tops)
        self.process = subprocess.Popen(pin(SERVERS) + [programs["many"], programs["http"], str(N), str(PORT + N * number)] + features,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.lines = []
            for line in self.process.stdout:
                if not line.strip():
                    break
                self.lines.append(line)
            if len(self.lines) != N:
                sys.exit("%s: only %d of %d servers" % (row, len(self.lines), N))
            pids = [int(l.split()[0]) for l in self.lines]
            if one:
                self.groups.all_in_one(pids)
            else:
                self.groups.one_each(pids)
        except BaseException:
            self.close()
            raise

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.groups.close()


LAST = len(os.sched_getaffinity(0)) - 1
SERVERS, CLIENT = LAST, 0


def rows():
    """name, features, hierarchies with a cgroup for each server; cumulative."""
    tops, res = [], []
    for name in ("cpu", "memory", "pids"):
        d = "/sys/fs/cgroup/" + name
        if os.path.isdir(d):
            tops.append(d)
            res.append(("+ %s cgroup" % name, [], list(tops)))
    tops.append(V2)
    res.append(("+ cgroup of v2", [], list(tops)))
    res.append(("+ net namespace", ["net"], list(tops)))
    res.append(("+ other namespaces", ["net", "ns"], list(tops)))
    programs = glob.glob("%s/seccomp-*" % lib.RUN)
    if programs:
        res.append(("+ filter", ["net", "ns", "filter=" + programs[0]], list(tops)))
    return res


def zones(image, made):
    """A running zone for each server; their uuids are added to made."""
    for _ in range(N):
        u = lib.uuid()
        payload = {"brand": "lx", "image_uuid": image, "uuid": u, "init_name": "/bench/http", "max_physical_memory": 64}
        made.append(u)
        subprocess.run(pin(SERVERS) + ["vmadm", "create"], input=lib.json.dumps(payload).encode(), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = []
    node = glob.glob("%s/**/cloister-%s" % (V2, lib.NODE), recursive=True)[0]
    for u in made:
        d = glob.glob("%s/%s/**/zone" % (node, u), recursive=True)[0]
        with open(d + "/cgroup.procs") as f:
            lines.append("%s 80 1\n" % f.read().split()[0])
    return lines


def one_set(image, programs):
    """All rows' servers, made for it and ended: {row: ([requests/s], [median], [p99], [CPU us], [idle %])}."""
    lines, made, uuids = {}, [], []
    first = "/sys/fs/cgroup/cpu" if os.path.isdir("/sys/fs/cgroup/cpu") else V2
    client = Groups("client", [first])
    try:
        in_zones = zones(image, uuids)
        made.append(Made("plain", 0, programs, [], [first], True))
        lines[PLAIN] = made[0].lines
        for i, (name, features, tops) in enumerate(rows()):
            made.append(Made(str(i), i + 1, programs, features, tops, False))
            lines[name] = made[-1].lines
        lines["zones"] = in_zones
        client.make(client.base[0][1] + "/one")
        res = {k: ([], [], [], [], []) for k in lines}
        for i in range(ROUNDS + 1):
            for k in (list(lines) if i % 2 else reversed(list(lines))):
                a = idle(SERVERS)
                p = subprocess.run(pin(CLIENT) + [programs["http"], "load", str(SECONDS)], input="".join(lines[k]), text=True,
                                   stdout=subprocess.PIPE, check=True,
                                   preexec_fn=lambda: put(client.base[0][1] + "/one/cgroup.procs", "0"))
                b = idle(SERVERS)
                if i:
                    for to, v in zip(res[k], [float(x) for x in p.stdout.split()] + [100 * (b[0] - a[0]) / max(1, b[1] - a[1])]):
                        to.append(v)
    finally:
        for m in made:
            m.close()
        client.close()
        for u in uuids:
            lib.quiet("vmadm", "delete", u)
    return res


PLAIN = "plain processes"


def main(tmp):
    image = lib.debian(tmp)
    programs = {"http": os.path.join(tmp, "add/bench/http"), "many": lib.build_c("many")}
    sets = [one_set(image, programs) for _ in range(SETS)]
    names = list(sets[0])
    hand = names[-2]

    def ratios(a, b, what):
        """One of each set."""
        return [statistics.median(x / y for x, y in zip(s[a][what], s[b][what])) for s in sets]

    def told(a, b, what):
        r = ratios(a, b, what)
        return "%.3f (%.3f-%.3f)" % (statistics.median(r), min(r), max(r))

    print("\n%d HTTP servers on one CPU, clients on another; each row has what those above it have" % N)
    print("medians of %d sets of processes with %d rounds each; ratios: the median of the sets' (least-most)" % (SETS, ROUNDS))
    print("  %-20s %10s %10s %10s %8s %7s   %-22s %s" %
          ("", "requests/s", "median ms", "p99 ms", "CPU us", "idle %", "requests, of plain's", "CPU, of plain's"))
    for k in names:
        m = [statistics.median(statistics.median(s[k][i]) for s in sets) for i in range(5)]
        print("  %-20s %10.0f %10.2f %10.2f %8.3f %7.1f   %-22s %s" % (k, *m, told(k, PLAIN, 0), told(k, PLAIN, 3)))
    bars = []
    for what, a, b, i, limit in (("throughput: plain / zones", PLAIN, "zones", 0, 1.05), ("p99: zones / plain", "zones", PLAIN, 2, 1.05),
                                 ("throughput: the same made by hand / zones", hand, "zones", 0, 1.05)):
        r = ratios(a, b, i)
        bars.append(dict(lib.bar("%s (%.2f-%.2f)" % (what, min(r), max(r)), statistics.median(r), limit), of_sets=r))
    lib.report("http", {"rates": {k: [s[k][0] for s in sets] for k in names}, "p99_ms": {k: [s[k][2] for s in sets] for k in names},
                        "cpu_us": {k: [s[k][3] for s in sets] for k in names}, "bars": bars})


lib.run(main)
