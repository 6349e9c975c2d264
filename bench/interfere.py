#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""One attacker zone against one victim on every shared resource: the victim's p99 with and without.

    bench/interfere.py [ROUNDS] [KIND…]

Both zones have the same shares and limits; the attacker's cap leaves the victim a processor's worth. A round is the victim
alone, then under attack, then alone again: what it takes alone twice in a row shows how much of a ratio is noise.
"""
import os
import statistics
import subprocess
import sys

import lib

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 5
N, BAR = 500, 1.2


def p99(text):
    v = sorted(float(x) for x in text.split())
    return v[int(len(v) * 0.99)] if v else float("nan")


def main(tmp):
    prog = lib.build_c("interfere", "-static")
    kinds = [a for a in sys.argv[1:] if not a.isdigit()] or lib.sh(prog, "kinds").split()
    cap = 100 * (os.cpu_count() - 1) or 50
    limits = dict(brand="joyent-minimal", max_physical_memory=256, max_swap=256, max_lwps=1000, quota=2, cpu_shares=100)
    zone = {"victim": lib.create(**limits), "attacker": lib.create(cpu_cap=cap, **limits)}
    for z in zone.values():
        with open(prog, "rb") as f:
            subprocess.run(["zlogin", z, "cat >/root/interfere; chmod +x /root/interfere"], stdin=f, check=True)

    def victim(kind):
        return p99(lib.sh("zlogin", zone["victim"], "cd /root && ./interfere victim %s %d" % (kind, N)))

    def attacked(kind):
        a = subprocess.Popen(["zlogin", zone["attacker"], "cd /root && ./interfere attack %s 20" % kind],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            if a.stdout.readline().strip() != b"ready":
                sys.exit("%s: the attacker could not begin" % kind)
            return victim(kind)
        finally:
            # its processes end with the zone's login, not with our end of it
            subprocess.run(["zlogin", "-S", zone["attacker"], "kill -9 -1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            a.wait()
            subprocess.run(["zlogin", zone["attacker"], "rm -f /root/a*"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    bars, figures = [], {}
    print("%-9s %28s %10s %9s %9s" % ("", "victim's p99, us: alone", "attacked", "ratio", "noise"))
    for kind in kinds:
        alone, under, again = [], [], []
        for _ in range(ROUNDS):
            alone.append(victim(kind))
            under.append(attacked(kind))
            again.append(victim(kind))
        ratio = statistics.median(u / ((a + b) / 2) for u, a, b in zip(under, alone, again))
        noise = statistics.median(max(a, b) / min(a, b) for a, b in zip(alone, again))
        print("%-9s %28.1f %10.1f %9.2f %9.2f" % (kind, statistics.median(alone + again), statistics.median(under), ratio, noise),
              flush=True)
        figures[kind] = {"alone": alone, "attacked": under, "again": again, "noise": round(noise, 3)}
        bars.append({"what": "%s: victim's p99 under attack" % kind, "value": round(ratio, 3), "bar": BAR, "met": ratio <= BAR})
    for b in bars:
        lib.bar(b["what"], b["value"], b["bar"])
    lib.report("interfere", {"figures": figures, "bars": bars})


lib.run(main)
