#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""128 zones on one CPU, each serving HTTP on its own loopback, against 128 plain processes on that CPU.

    bench/http.py [N] [SECONDS] [ROUNDS]

One client, on another CPU, holds a connection into each and asks on all of them at once, so that the servers' CPU is
what they wait for. Rounds are short and alternate. The plain processes listen on the host's loopback, with a port each,
and stand in one cgroup of the node's weight, as all zones do: what else the machine does takes as much from either.
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
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 25
PORT = 20000


def pin(cpu):
    return ["taskset", "-c", str(cpu)]


def idle(cpu):
    with open("/proc/stat") as f:
        v = [int(x) for x in next(l for l in f if l.startswith("cpu%d " % cpu)).split()[1:]]
    return v[3] + v[4], sum(v[:8])


class Cgroup:
    """For the plain processes: beside the node's own."""

    def __init__(self):
        top = "/sys/fs/cgroup/cpu" if os.path.isdir("/sys/fs/cgroup/cpu") else "/sys/fs/cgroup"
        self.dir = top + "/bench-plain"
        os.makedirs(self.dir, exist_ok=True)
        for weight in ("cpu.shares", "cpu.weight"):
            for node in glob.glob("%s/**/cloister-%s/%s" % (top, lib.NODE, weight), recursive=True):
                with open(node) as f, open("%s/%s" % (self.dir, weight), "w") as to:
                    to.write(f.read())

    def take(self, pids):
        for p in pids:
            with open(self.dir + "/cgroup.procs", "w") as f:
                f.write(str(p))

    def close(self):
        for _ in range(100):
            try:
                return os.rmdir(self.dir)
            except OSError:
                time.sleep(0.02)


class Groups:
    """A CPU, a memory and a pids group for each process, as a zone has: what of a zone's cost is the kernel's accounting."""

    def __init__(self, beside, pids):
        self.dirs = []
        tops = [(d, "tasks") for d in ("cpu", "memory", "pids") if os.path.isdir("/sys/fs/cgroup/" + d)]
        for top, file in [("/sys/fs/cgroup/" + d, f) for d, f in tops] or [(os.path.dirname(beside.dir), "cgroup.procs")]:
            self.dirs.append(top + "/bench-groups")
            os.makedirs(self.dirs[-1], exist_ok=True)
            for weight in ("cpu.shares", "cpu.weight"):
                if os.path.exists("%s/%s" % (beside.dir, weight)) and os.path.exists("%s/%s" % (self.dirs[-1], weight)):
                    with open("%s/%s" % (beside.dir, weight)) as f, open("%s/%s" % (self.dirs[-1], weight), "w") as to:
                        to.write(f.read())
            base = self.dirs[-1]
            for p in pids:
                self.dirs.append("%s/%d" % (base, p))
                os.makedirs(self.dirs[-1], exist_ok=True)
                for limit in ("memory.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes", "memory.max"):
                    if os.path.exists("%s/%s" % (self.dirs[-1], limit)):
                        with open("%s/%s" % (self.dirs[-1], limit), "w") as f:
                            f.write(str(64 << 20))
                with open("%s/%s" % (self.dirs[-1], file), "w") as f:
                    f.write(str(p))

    def close(self):
        for d in sorted(self.dirs, reverse=True):
            for _ in range(100):
                try:
                    os.rmdir(d)
                    break
                except OSError:
                    time.sleep(0.02)


def main(tmp):
    last = len(os.sched_getaffinity(0)) - 1
    servers, client = last, 0
    image = lib.debian(tmp)
    http = os.path.join(tmp, "add/bench/http")
    zones = []
    for _ in range(N):
        u = lib.uuid()
        payload = {"brand": "lx", "image_uuid": image, "uuid": u, "init_name": "/bench/http", "max_physical_memory": 64}
        subprocess.run(pin(servers) + ["vmadm", "create"], input=lib.json.dumps(payload).encode(), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        zones.append(u)
    pid = {}
    for u in zones:
        d = glob.glob("/sys/fs/cgroup/unified/**/cloister-%s/%s/zone" % (lib.NODE, u), recursive=True)[0]
        with open(d + "/cgroup.procs") as f:
            pid[u] = f.read().split()[0]
    group = Cgroup()
    plain = [subprocess.Popen(pin(servers) + [http, "serve", str(PORT + i)]) for i in range(N)]
    group.take([p.pid for p in plain])
    limited = [subprocess.Popen(pin(servers) + [http, "serve", str(PORT + N + i)]) for i in range(N)]
    groups = Groups(group, [p.pid for p in limited])
    lines = {"zones": "".join("%s 80\n" % pid[u] for u in zones), "plain processes": "".join("0 %d\n" % (PORT + i) for i in range(N)),
             "groups alone": "".join("0 %d\n" % (PORT + N + i) for i in range(N))}
    res = {k: ([], [], [], []) for k in lines}
    try:
        time.sleep(0.5)
        for i in range(ROUNDS + 1):
            for k in (list(lines) if i % 2 else reversed(list(lines))):
                a = idle(servers)
                out = lib.sh(*pin(client), http, "load", str(SECONDS), stdin=lines[k])
                b = idle(servers)
                if i:
                    for to, v in zip(res[k], [float(x) for x in out.split()] + [100 * (b[0] - a[0]) / max(1, b[1] - a[1])]):
                        to.append(v)
    finally:
        for p in plain + limited:
            p.kill()
            p.wait()
        groups.close()
        group.close()
    print("\n%d HTTP servers on one CPU, clients on another" % N)
    for k, v in res.items():
        print("  %-18s %9.0f requests/s   median %7.2f ms   p99 %7.2f ms   servers' CPU idle %4.1f %%   (medians of %d rounds)" %
              ((k,) + tuple(statistics.median(x) for x in v) + (ROUNDS,)))
    z, p, g = res["zones"], res["plain processes"], res["groups alone"]
    print("  the same in CPU, memory and pids groups alone: throughput %.3f of plain's, zones %.3f of that" %
          (statistics.median(b / a for a, b in zip(p[0], g[0])), statistics.median(b / a for a, b in zip(g[0], z[0]))))
    slower = statistics.median(b / a for a, b in zip(z[0], p[0]))
    longer = statistics.median(a / b for a, b in zip(z[2], p[2]))
    bars = [lib.bar("throughput: plain / zones", slower, 1.05), lib.bar("p99: zones / plain", longer, 1.05)]
    lib.report("http", {"rates": {k: v[0] for k, v in res.items()}, "p99_ms": {k: v[2] for k, v in res.items()}, "bars": bars})


lib.run(main)
