#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""How well limits hold, and what they cost, in zones and in the peers: bench/limits.py [--quick] [PART…]

    caps shares burst memory io tenants dedicated overhead watching      (all of them; a beginning of a name will do)

Every row is measured the same way for all (box.py): one after the other, in the same run, each by itself. Bars are on
zones. Deviations are in percent of what was set; CPU time of operations is compared with the host's by turns, minima.
The cgroup above zones, and the one above peers, gets a large weight for the while, so that what else runs on the machine
takes little of what a limit allows. What a peer can't be asked for stands there with what it said.
"""
import os
import statistics
import sys
import time

import dedicated
import lib
import peers
import tenants
from box import Box, Cannot, V1, rate, read
from zones import Zones, quota

QUICK = "--quick" in sys.argv
PARTS = [a for a in sys.argv[1:] if a != "--quick"]
SECONDS, ROUNDS, TRIES, MIB = (8, 3, 1, 80) if QUICK else (10, 5, 3, 150)
CPUS = os.cpu_count()
BARS, FIG, CELLS, ABSENT = [], {}, {}, {}
M = 1 << 20


def bar(what, value, limit, unit=" %"):
    BARS.append(lib.bar(what, value, limit, unit))


def off(got, want):
    return abs(got / want - 1) * 100


def cell(row, party, value, word="", note=""):
    """One figure of one contender, with a word for what became of it; a Cannot is kept with its reason."""
    if isinstance(value, Cannot):
        value, word, note = None, "cannot", str(value)
    CELLS.setdefault(row, {})[party] = {k: v for k, v in (("value", value), ("word", word), ("note", note)) if v not in ("", None)}


def together(party, boxes, seconds):
    """boxes: (words, limits) each; what each had, in percent of a processor. They end."""
    made = []
    try:
        for words, limits in boxes:
            made.append(party.start("held", *words, **limits))
        for b in made:
            b.go()
        time.sleep(1)
        return rate(made, seconds)
    finally:
        party.stop(*made)


def caps(party):
    for some in ((10, 25, 50), (150,)):
        some = [c for c in some if c < CPUS * 100]
        rows = ["cap of %d %%, over %d s: off by %%" % (c, SECONDS) for c in some]
        try:
            got = together(party, [(("hog", 120, 2), {"cap": c}) for c in some], SECONDS)
        except Cannot as e:
            got = [e] * len(some)
        for row, c, g in zip(rows, some, got):
            cell(row, party.name, g if isinstance(g, Cannot) else off(g, c))
            if party.name == "cloister":
                bar("cap of %d %%, over %d s (got %.2f)" % (c, SECONDS, g), off(g, c), 2)


def shares(party):
    def one(weights, words):
        return [(words, {"shares": w}) for w in weights]
    few, wide = (100, 200, 400), (10, 1000)
    # on two processors the two that are pinned run at the same time
    runs = [[("1:2:4 on one CPU", few, ("hog", 120, 1, 0))], [("1:100 on one CPU", wide, ("hog", 120, 1, 1 % CPUS))]]
    runs = [runs[0] + runs[1]] if CPUS > 1 else runs
    for run in runs + ([[("1:2:4 on %d" % CPUS, few, ("hog", 120, CPUS))]] if CPUS > 1 else []):
        try:
            got = together(party, [b for _, weights, words in run for b in one(weights, words)], SECONDS)
        except Cannot as e:
            got = [e] * 5
        for what, weights, _ in run:
            mine, got = got[:len(weights)], got[len(weights):]
            row = "shares %s: off by %%" % what
            if isinstance(mine[0], Cannot):
                cell(row, party.name, mine[0])
                continue
            worst = max(off(g / sum(mine), w / sum(weights)) for g, w in zip(mine, weights))
            cell(row, party.name, worst)
            if party.name == "cloister":
                bar("shares %s (got %s)" % (what, ":".join("%.2f" % (g / mine[0]) for g in mine)), worst, 5)


def until(f, limit=60):
    t = time.monotonic()
    while not f():
        if time.monotonic() - t > limit:
            sys.exit("nothing happened in %d s" % limit)
        time.sleep(0.02)
    return time.monotonic()


def bursts(party):
    """Zones alone: baseline 25, cap 100, 5 s."""
    u, clamped, level, back = party.zone(), [], [], []
    party.update(u, {"cpu_cap": 100, "cpu_baseline": 25, "cpu_burst_time": 5})
    for _ in range(3):
        time.sleep(7)
        b = Box(("hog", 60))
        party.run(u, b)
        t = time.monotonic() - b.used()
        clamped.append(until(lambda: quota(u) == 25) - t)
        level.append(rate([b], 10)[0])
        party.end(b)
        t = time.monotonic()
        back.append(until(lambda: quota(u) == 100) - t)
    party.give(u)
    FIG["burst"] = {"clamped_s": clamped, "level": level, "back_s": back}
    bar("burst: 5 s until clamped (%.2f s)" % statistics.median(clamped), off(statistics.median(clamped), 5), 5)
    bar("burst: 25 %% after (%.2f)" % statistics.median(level), off(statistics.median(level), 25), 5)
    bar("burst: 5 s to earn back (%.2f s)" % statistics.median(back), off(statistics.median(back), 5), 5)


def burst(party):
    if party.name == "cloister":
        bursts(party)
    row, b = "burst of 5 s above 25 %: CPU s above it in 7 s", None
    try:
        b = party.start("rest", 6, "hog", 60, cap=25, burst=5)
        until(lambda: b.used() > 0.01)
        had = rate([b], 7)[0]
        cell(row, party.name, (had - 25) / 100 * 7, note="" if party.name == "cloister" else b.bursts())
    except Cannot as e:
        cell(row, party.name, e)
    finally:
        party.stop(*([b] if b else []))


def shrink(party, held):
    """512 to 256 MiB while a program holds memory and the page cache is busy: seconds, what became of it, what was said."""
    b = party.start("hold", held, "/var/tmp/c", memory=512 * M)
    try:
        b.until("up")
        time.sleep(3)
        t, said = time.perf_counter(), ""
        try:
            party.change(b, memory=256 * M)
        except Cannot as e:
            said = str(e)
        s = time.perf_counter() - t
        time.sleep(1)
        killed, limit = any(l.startswith("status") for l in b.lines()), b.memory()[0]
    finally:
        party.stop(b)
    word = "killed" if killed else "refused" if said and limit > 256 else "failed" if said else "ignored" if limit > 256 else "done"
    return s, word, said


def memory(party):
    row = "memory cap of 256 MiB: most that it had, MiB"
    try:
        b = party.start("hold", 400, memory=256 * M)
        try:
            b.until("status")
            most = b.memory()[1]
        finally:
            party.stop(b)
        cell(row, party.name, most)
        if party.name == "cloister":
            bar("memory cap of 256 MiB: most that it had", most, 256, " MiB")
    except Cannot as e:
        cell(row, party.name, e)
    for what, held in (("100 MiB held, page cache", 100), ("400 MiB held", 400)):
        row = "512 to 256 MiB under load, %s: s" % what
        try:
            got = sorted(shrink(party, held) for _ in range(TRIES))
            s, word, note = got[len(got) // 2]
            cell(row, party.name, s, word, note)
            if party.name == "cloister":
                if word not in ("done", "refused"):
                    sys.exit("%s: %s: %s" % (row, word, note))
                bar("512 to 256 MiB under load, %s: %s in" % (what, word), s, 5, " s")
        except Cannot as e:
            cell(row, party.name, e)


def io(party):
    for how in ("direct", "fsync") + (() if "blkio" in V1 else ("buffered",)):
        row = "I/O ceiling of 10 MiB/s, %s: MiB/s" % how
        try:
            b = party.start("write", "/var/tmp/f", MIB, how, write_bps=10 * M)
            try:
                got = MIB / b.result(120)[0]
            finally:
                party.stop(b)
            cell(row, party.name, got)
            if party.name == "cloister":
                bar("I/O ceiling of 10 MiB/s, %s (got %.2f)" % (how, got), off(got, 10), 5)
        except Cannot as e:
            cell(row, party.name, e)
    if "blkio" in V1 and party.name == "cloister":
        print("  %-58s cannot: cgroup v1 charges what is written back later to nobody" % "I/O ceiling, buffered")


def own_processor(zones, prog):
    f = FIG["dedicated"] = dedicated.measure(zones, prog)
    if not f:
        print("  %-58s cannot: two processors, cpuset.cpus.exclusive and /proc/schedstat" % "foreign run time on a dedicated processor")
        return
    bar("foreign run time on a dedicated processor, %.1f s busy" % (f["all_ns"] / 1e9),
        abs(f["all_ns"] - f["zone_ns"] - f["bound_kthreads_ns"]) * 100 / f["all_ns"], 0.1)
    bar("with the kernel's own threads of that processor", abs(f["all_ns"] - f["zone_ns"]) * 100 / f["all_ns"], 1)


def two_tenants(zones):
    got, said = tenants.measure(zones, TRIES + 2)
    FIG["tenants_fsync_p99_us"] = got
    print("  a quiet tenant's synced 4 KiB beside one that writes all it can, p99 (median of %d rounds)" % (TRIES + 2))
    for name, v in got.items():
        if v:
            print("    %-44s %9.0f us %7.2f x alone" % (name, statistics.median(v), tenants.ratio(got, name, "alone")))
        else:
            print("    %-44s cannot: %s" % (name, said.get(name, "this kernel has no such scheduler")))
    r = tenants.ratio(got, tenants.WAYS[1][0], tenants.WAYS[0][0])
    if r is not None:
        bar("two tenants: p99 beside one with a ceiling, over one without", r, 1, " x")


def watching():
    """What the workers of idle zones with a baseline use."""
    n = 50
    us = [lib.create(brand="joyent-minimal", max_physical_memory=64, cpu_cap=100, cpu_baseline=25, cpu_burst_time=60) for _ in range(n)]
    pids = [int(read(lib.RUN, u, "worker").split()[0]) for u in us]

    def spent():
        return sum(int(read("/proc/%d/schedstat" % p).split()[0]) for p in pids) / 1e6
    time.sleep(70)
    a = spent()
    time.sleep(60)
    ms = (spent() - a) / 60 * 1000 / n
    bar("workers of 1,000 idle zones with a baseline, a second (as %d)" % n, ms, 20, " ms")


WHOLE = {"cap": CPUS * 100, "shares": 1000, "memory": 512 * M, "pids": 1000, "write_bps": 10 << 30}


def overhead(parties, prog):
    """All by turns, the host among them; with all the limits that one has."""
    host = lib.POOL + "/bench-host"
    kinds, limits = ("cpu", "fork", "pipe", "files"), {}

    def turn(p, least):
        b = p.start("all", "/var/tmp", **least)
        try:
            return b.result(120)
        finally:
            p.stop(b)

    for p in parties:
        notes = []
        for least in (WHOLE, {k: v for k, v in WHOLE.items() if k != "write_bps"}, {}):
            try:
                turn(p, least)
                limits[p] = least
                break
            except Cannot as e:
                notes.append(str(e))
        for k in kinds:
            cell("%s: CPU time over the host's, %%" % k, p.name, Cannot(notes[-1]) if p not in limits else 0,
                 note="" if not notes else "without %s: %s" % ("a ceiling" if least else "limits", notes[0]))
    # the host works in a tree as full as a zone's: in an empty one making a file takes 6 % less
    lib.sh("btrfs", "subvolume", "snapshot", "%s/%s/root" % (lib.POOL, parties[0].full), host)
    host += "/var/tmp"
    os.makedirs(host, exist_ok=True)
    took = {p.name: [] for p in limits}
    took["host"] = []
    turns = [("host", lambda: [float(x) for x in lib.sh(prog, "all", host).split()])]
    turns += [(p.name, lambda p=p: turn(p, limits[p])) for p in limits]
    for i in range(ROUNDS):
        for name, f in turns if i % 2 else reversed(turns):
            took[name].append(f())
    FIG["overhead_us"] = {name: dict(zip(kinds, zip(*v))) for name, v in took.items()}
    for i, k in enumerate(kinds):
        for name, v in took.items():
            if name == "host":
                continue
            over = (min(x[i] for x in v) / min(x[i] for x in took["host"]) - 1) * 100
            CELLS["%s: CPU time over the host's, %%" % k][name]["value"] = over
            if name == "cloister":
                bar("%s: CPU time of one in a zone with all limits, over the host's" % k, over, 1 if k == "cpu" else 5)


def beside(names):
    print("\n  %-56s" % "the same in the peers" + "".join("%13s" % n for n in names))
    notes = {}
    for row, cells in CELLS.items():
        text = ""
        for n in names:
            c = cells.get(n, {})
            text += "%13s" % (" ".join(filter(None, ("%.2f" % c["value"] if "value" in c else "", c.get("word", "")))) or "-")
            if c.get("note"):
                notes.setdefault((n, c["note"]), []).append(row.split(":")[0])
        print("  %-56s%s" % (row, text))
    for (n, note), rows in notes.items():
        print("  %s, %s: %s" % (n, rows[0] + (" and %d more" % (len(rows) - 1) if len(rows) > 1 else ""), note))
    for n, why in ABSENT.items():
        print("  %s is left out: %s" % (n, why))


def first():
    """What measures is not kept from a processor by what it measures, whose cgroups weigh so much; what it starts is not so."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError as e:
        print("no real-time priority for what measures: %s" % e)


def main(tmp):
    first()
    prog = lib.build_c("limits", "-static")
    print("load %s" % read("/proc/loadavg").strip())
    wanted = [n for n in ("caps", "shares", "burst", "memory", "io", "tenants", "dedicated", "overhead", "watching")
              if not PARTS or any(n.startswith(p) for p in PARTS)]
    if not wanted:
        sys.exit("no such part: " + " ".join(PARTS))
    parties = [Zones(prog)]
    try:
        if set(wanted) - {"watching", "dedicated", "tenants"}:
            found, absent = peers.all_of(prog)
            parties += found
            ABSENT.update(absent)
        for name in wanted:
            if name == "watching":
                watching()
            elif name == "tenants":
                two_tenants(parties[0])
            elif name == "dedicated":
                own_processor(parties[0], prog)
            elif name == "overhead":
                overhead(parties, prog)
            else:
                for p in parties:
                    globals()[name](p)
        if CELLS:
            beside([p.name for p in parties])
    finally:
        for p in parties:
            p.close()
        peers.clean()
    print("load %s" % read("/proc/loadavg").strip())
    lib.report("limits", {"figures": FIG, "rows": CELLS, "left_out": ABSENT, "bars": BARS})


if __name__ == "__main__":
    peers.clean()
    lib.run(main)
