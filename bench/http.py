#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""128 zones on one CPU, each serving HTTP on its own loopback, against 128 plain processes on that CPU.

    bench/http.py [N] [SECONDS] [ROUNDS]

A closed loop of one connection per server; the clients run in the zones' own namespaces, on another CPU. Rounds alternate.
The plain servers run in 128 network namespaces' stead on the host's own loopback, with a port each.
"""
import glob
import os
import statistics
import subprocess
import sys
import time

import lib

N = int(sys.argv[1]) if len(sys.argv) > 1 else 128
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 4
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
PORT = 20000


def pin(cpu):
    return ["taskset", "-c", str(cpu)]


def result(paths):
    total, hist = 0, {}
    for p in paths:
        with open(p) as f:
            words = f.read().split()
        if not words:
            sys.exit("a client failed: %s" % p)
        total += int(words[0])
        for w in words[1:]:
            k, v = w.split(":")
            hist[int(k)] = hist.get(int(k), 0) + int(v)
    seen = 0
    for k in sorted(hist):
        seen += hist[k]
        if seen >= total * 0.99:
            return total / SECONDS, k / 100
    return total / SECONDS, 0


def clients(argvs, outs):
    files = [open(o, "wb") for o in outs]
    procs = [subprocess.Popen(a, stdin=subprocess.DEVNULL, stdout=f) for a, f in zip(argvs, files)]
    for p in procs:
        p.wait(timeout=60 + SECONDS)
    for f in files:
        f.close()
    return result(outs)


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
    plain = [subprocess.Popen(pin(servers) + [http, "serve", str(PORT + i)]) for i in range(N)]
    outs = [os.path.join(tmp, "c%d" % i) for i in range(N)]
    res = {"zones": ([], []), "plain processes": ([], [])}
    try:
        time.sleep(0.5)
        for _ in range(ROUNDS):
            for k in res:
                start = "%.3f" % (time.time() + 3)
                tail = [start, str(SECONDS), "-"]
                if k == "zones":
                    argvs = [pin(client) + ["nsenter", "-t", pid[u], "-n", http, "load", "80"] + tail for u in zones]
                else:
                    argvs = [pin(client) + [http, "load", str(PORT + i)] + tail for i in range(N)]
                rate, p99 = clients(argvs, outs)
                res[k][0].append(rate)
                res[k][1].append(p99)
    finally:
        for p in plain:
            p.kill()
            p.wait()
    print("\n%d HTTP servers on one CPU, clients on another" % N)
    for k, (rate, p99) in res.items():
        print("  %-18s %9.0f requests/s   p99 %8.2f ms   (medians of %d rounds)" % (k, statistics.median(rate), statistics.median(p99), ROUNDS))
    z, p = res["zones"], res["plain processes"]
    slower = statistics.median(b / a for a, b in zip(z[0], p[0]))
    longer = statistics.median(a / b for a, b in zip(z[1], p[1]))
    bars = [lib.bar("throughput: plain / zones", slower, 1.05), lib.bar("p99: zones / plain", longer, 1.05)]
    lib.report("http", {"rates": {k: v[0] for k, v in res.items()}, "p99_ms": {k: v[1] for k, v in res.items()}, "bars": bars})


lib.run(main)
