#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""One attacker zone against one victim on every shared resource: the victim's p99 with and without.

    bench/interfere.py [ROUNDS] [KIND…]

Both zones have the same shares and limits; the attacker's cap leaves the victim a processor's worth. A round is the victim

    alone      (at its begin and its end: what it takes alone twice in a row shows how much of a ratio is noise)
    attacked
    burnt      against as many processes of the attacker's that only use their processors: what is left of the
               attack's ratio against that is the resource, and not that processors are busy
    shares     attacked, but it has ten times the cpu_shares of the attacker
    ceilings   attacked, but the attacker has ceilings on all that a ceiling can be set on

Ratios are medians over rounds, of one round's figures each. A run during which others than the two zones used more than a
tenth of a processor (programs: the kernel's threads work for the zones too) is measured again, three times at most; `others`
is what they used at the most in the runs that count.
"""
import os
import statistics
import subprocess
import sys
import time

import lib

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 3
N, BAR, OTHERS = 300, 1.2, 0.1
CEILINGS = dict(cpu_cap=25, max_lwps=100, max_physical_memory=128, io_read_bps=10 << 20, io_write_bps=10 << 20, io_read_iops=200,
                io_write_iops=200)


def quantile(v, q):
    v = sorted(v)
    return v[int(len(v) * q)] if v else float("nan")


def tree(zone):
    """The zone's cgroup of v2: its cpu.stat is there on all hosts."""
    for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        path = "%s/cloister-%s/%s/cpu.stat" % (top, lib.NODE, zone)
        if os.path.exists(path):
            return path
    sys.exit("the cgroup of %s is not where it was looked for" % zone)


def user_time(stats):
    """Seconds of processor time that programs outside of the zones have used."""
    host = sum(int(x) for x in open("/proc/stat").readline().split()[1:3]) / os.sysconf("SC_CLK_TCK")
    return host - sum(int(dict(x.split() for x in open(s))["user_usec"]) for s in stats) / 1e6


def main(tmp):
    prog = lib.build_c("interfere", "-static")
    kinds = [a for a in sys.argv[1:] if not a.isdigit()] or lib.sh(prog, "kinds").split()
    plain = dict(cpu_cap=100 * (os.cpu_count() - 1) or 50, max_lwps=1000, max_physical_memory=256, io_read_bps=0, io_write_bps=0,
                 io_read_iops=0, io_write_iops=0)
    limits = dict(brand="joyent-minimal", max_physical_memory=256, max_swap=256, max_lwps=1000, quota=2, cpu_shares=100)
    v, a = lib.create(**limits), lib.create(**dict(limits, cpu_cap=plain["cpu_cap"]))
    stats = [tree(v), tree(a)]
    for z in (v, a):
        with open(prog, "rb") as f:
            subprocess.run(["zlogin", z, "cat >/root/interfere; chmod +x /root/interfere"], stdin=f, check=True)

    def update(zone, **props):
        lib.sh("vmadm", "update", zone, *("%s=%d" % p for p in props.items()))

    def alone(kind):
        return [float(x) for x in lib.sh("zlogin", v, "cd /root && ./interfere victim %s %d" % (kind, N)).split()]

    def against(what, kind):
        p = subprocess.Popen(["zlogin", a, "cd /root && ./interfere %s %s 20" % (what, kind)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            if p.stdout.readline().strip() != b"ready":
                sys.exit("%s: the attacker could not begin" % kind)
            return alone(kind)
        finally:
            # its processes end with the zone's login, not with our end of it
            subprocess.run(["zlogin", "-S", a, "kill -9 -1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            p.wait()
            subprocess.run(["zlogin", a, "rm -f /root/a*"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def shares(kind):
        update(v, cpu_shares=1000)
        try:
            return against("attack", kind)
        finally:
            update(v, cpu_shares=100)

    def ceilings(kind):
        update(a, **CEILINGS)
        try:
            return against("attack", kind)
        finally:
            update(a, **plain)

    runs = {"alone": alone, "attacked": lambda k: against("attack", k), "burnt": lambda k: against("burn", k), "shares": shares,
            "ceilings": ceilings, "again": alone}

    def undisturbed(f, kind):
        for _ in range(4):
            u, t = user_time(stats), time.monotonic()
            r = f(kind)
            others = (user_time(stats) - u) / (time.monotonic() - t)
            if others <= OTHERS:
                break
        return r, others

    bars, figures = [], {}
    print("victim's times in us; ratios of p99\n%-9s %7s %7s %9s | %8s %6s %6s %6s %8s %6s %6s" % (
        "", "p50", "p99", "attacked", "attacked", "p50", "burnt", "shares", "ceilings", "noise", "others"))
    for kind in kinds:
        rows, others = [], 0
        for _ in range(ROUNDS):
            row = {}
            for name, f in runs.items():
                t, o = undisturbed(f, kind)
                row[name] = {"p50": quantile(t, 0.5), "p99": quantile(t, 0.99)}
                others = max(others, o)
            rows.append(row)

        def ratio(name, q="p99"):
            return statistics.median(2 * r[name][q] / (r["alone"][q] + r["again"][q]) for r in rows)
        noise = statistics.median(max(r["alone"]["p99"], r["again"]["p99"]) / min(r["alone"]["p99"], r["again"]["p99"]) for r in rows)
        print("%-9s %7.0f %7.0f %9.0f | %8.2f %6.2f %6.2f %6.2f %8.2f %6.2f %6.2f" % (
            kind, statistics.median(r["alone"]["p50"] for r in rows), statistics.median(r["alone"]["p99"] for r in rows),
            statistics.median(r["attacked"]["p99"] for r in rows), ratio("attacked"), ratio("attacked", "p50"), ratio("burnt"),
            ratio("shares"), ratio("ceilings"), noise, others), flush=True)
        figures[kind] = {"rounds": rows, "noise": round(noise, 3), "others": round(others, 3)}
        for name, what in (("attacked", "under attack"), ("shares", "…, with ten times the shares"), ("ceilings", "…, attacker with ceilings")):
            r = ratio(name)
            bars.append({"what": "%s: victim's p99 %s" % (kind, what), "value": round(r, 3), "bar": BAR, "met": r <= BAR})
    for b in bars:
        lib.bar(b["what"], b["value"], b["bar"])
    lib.report("interfere", {"figures": figures, "bars": bars})


lib.run(main)
