#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""How well limits hold, and what they cost: bench/limits.py [ROUNDS] [caps|shares|burst|memory|io|dedicated|overhead|watching…]

The node's cgroup gets a large weight for the while, so that what else runs on the machine takes little of what a limit
allows. Deviations are in percent of what was set. CPU time of operations is compared with the host's by turns, minima.
"""
import glob
import os
import statistics
import subprocess
import sys
import time

import lib

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 5
PARTS = [a for a in sys.argv[1:] if not a.isdigit()]
CPUS = os.cpu_count()
BARS, FIG = [], {}


def mounts():
    v1, v2 = {}, None
    for line in open("/proc/self/mountinfo"):
        left, right = line.split(" - ")
        kind, _, options = right.split()[:3]
        if kind == "cgroup2":
            v2 = v2 or left.split()[4]
        elif kind == "cgroup":
            for o in options.split(","):
                v1.setdefault(o, left.split()[4])
    return v1, v2


V1, V2 = mounts()


def group(u, ctl=None):
    top = V1.get(ctl, V2)
    found = glob.glob("%s/cloister-%s/%s" % (top, lib.NODE, u)) + glob.glob("%s/*/*/cloister-%s/%s" % (top, lib.NODE, u))
    d = found[0]
    return d + "/all" if ctl == "memory" and os.path.exists(d + "/all/memory.max") else d


def read(*path):
    with open(os.path.join(*path)) as f:
        return f.read()


def used(u):
    return int(read(group(u), "cpu.stat").split()[1]) / 1e6


def quota(u):
    d = group(u, "cpu")
    q, p = read(d, "cpu.max").split() if "cpu" not in V1 else (read(d, "cpu.cfs_quota_us").strip(), read(d, "cpu.cfs_period_us"))
    return -1 if q in ("max", "-1") else int(q) * 100 / int(p)


def update(u, **kw):
    t = time.perf_counter()
    p = subprocess.run(["vmadm", "update", u] + ["%s=%s" % x for x in kw.items()], stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    return time.perf_counter() - t, p.returncode


def start(u, command):
    return subprocess.Popen(["zlogin", u, command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def end(u, *ps):
    subprocess.run(["zlogin", "-S", u, "kill -9 -1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for p in ps:
        p.wait()


def rate(us, seconds):
    """Percent of a processor that each zone used."""
    a, t = [used(u) for u in us], time.monotonic()
    time.sleep(seconds)
    b, dt = [used(u) for u in us], time.monotonic() - t
    return [(y - x) * 100 / dt for x, y in zip(a, b)]


def off(got, want):
    return abs(got / want - 1) * 100


def bar(what, value, limit, unit=" %"):
    BARS.append(lib.bar(what, value, limit, unit))


def zone(prog, **limits):
    u = lib.create(brand="joyent-minimal", **{"max_physical_memory": 512, "quota": 4, **limits})
    with open(prog, "rb") as f:
        subprocess.run(["zlogin", u, "cat >/root/limits; chmod +x /root/limits"], stdin=f, check=True)
    return u


def heavy(u):
    d = os.path.dirname(group(u, "cpu"))
    for f, v in (("cpu.shares", "262144"), ("cpu.weight", "10000")):
        if os.path.exists(os.path.join(d, f)):
            with open(os.path.join(d, f), "w") as out:
                out.write(v)


def caps(u):
    for cap in (10, 25, 50, 150):
        if cap > CPUS * 100:
            continue
        update(u, cpu_cap=cap)
        ps = [start(u, "/root/limits hog 60") for _ in range(2)]
        time.sleep(1)
        got = rate([u], 10)[0]
        end(u, *ps)
        bar("cap of %d %%, over 10 s (got %.2f)" % (cap, got), off(got, cap), 2)
    update(u, cpu_cap=0)


def shares(zs):
    for what, weights, pin in (("1:2:4 on one CPU", (100, 200, 400), "taskset -c 0 "), ("1:2:4 on %d" % CPUS, (100, 200, 400), ""),
                               ("1:100 on one CPU", (10, 1000), "taskset -c 0 ")):
        us, ps = zs[:len(weights)], []
        for u, w in zip(us, weights):
            update(u, cpu_shares=w)
            ps.append([start(u, pin + "/root/limits hog 60") for _ in range(1 if pin else CPUS)])
        time.sleep(1)
        got = rate(us, 15)
        for u, p in zip(us, ps):
            end(u, *p)
        worst = max(off(g / sum(got), w / sum(weights)) for g, w in zip(got, weights))
        bar("shares %s (got %s)" % (what, ":".join("%.2f" % (g / got[0]) for g in got)), worst, 5)


def until(f, limit=60):
    t = time.monotonic()
    while not f():
        if time.monotonic() - t > limit:
            sys.exit("nothing happened in %d s" % limit)
        time.sleep(0.02)
    return time.monotonic()


def burst(u):
    clamped, level, back = [], [], []
    update(u, cpu_cap=100, cpu_baseline=25, cpu_burst_time=5)
    for _ in range(3):
        time.sleep(7)
        was = used(u)
        p = start(u, "/root/limits hog 60")
        t = until(lambda: used(u) > was + 0.05)
        clamped.append(until(lambda: quota(u) == 25) - t + 0.05)
        level.append(rate([u], 10)[0])
        subprocess.run(["zlogin", "-S", u, "kill -9 -1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        p.wait()
        t = time.monotonic()
        back.append(until(lambda: quota(u) == 100) - t)
    update(u, cpu_cap=0, cpu_baseline=0, cpu_burst_time="")
    FIG["burst"] = {"clamped_s": clamped, "level": level, "back_s": back}
    bar("burst: 5 s until clamped (%.2f s)" % statistics.median(clamped), off(statistics.median(clamped), 5), 5)
    bar("burst: 25 %% after (%.2f)" % statistics.median(level), off(statistics.median(level), 25), 5)
    bar("burst: 5 s to earn back (%.2f s)" % statistics.median(back), off(statistics.median(back), 5), 5)


def memory(u):
    d = group(u, "memory")
    peak = "memory.peak" if os.path.exists(d + "/memory.peak") else "memory.max_usage_in_bytes"
    update(u, max_physical_memory=256, max_swap=256)
    subprocess.run(["zlogin", u, "/root/limits hold 400"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    top = int(read(d, peak)) / (1 << 20) if os.path.exists(os.path.join(d, peak)) else float("nan")
    bar("memory cap of 256 MiB: most that it had", top, 256, " MiB")
    for what, held in (("page cache, 100 MiB held", 100), ("400 MiB held", 400)):
        update(u, max_physical_memory=512, max_swap=512)
        ps = [start(u, "/root/limits hold %d" % held)]
        ps[0].stdout.readline()
        ps.append(start(u, "while :; do /root/limits write /var/tmp/c 300 buffered; done"))
        time.sleep(3)
        s, rc = update(u, max_physical_memory=256, max_swap=256)
        end(u, *ps)
        bar("512 to 256 MiB under load, %s: %s in" % (what, "refused" if rc else "done"), s, 5, " s")
    update(u, max_physical_memory=512, max_swap=512)


def io(u):
    update(u, io_write_bps=10 << 20)
    for how in ("direct", "fsync") + (() if "blkio" in V1 else ("buffered",)):
        s = float(lib.sh("zlogin", u, "/root/limits write /var/tmp/f 150 %s%s" % (how, "; sync" if how == "buffered" else "")))
        bar("I/O ceiling of 10 MiB/s, %s (got %.2f)" % (how, 150 / s), off(150 / s, 10), 5)
    if "blkio" in V1:
        print("  %-58s cannot: cgroup v1 charges what is written back later to nobody" % "I/O ceiling, buffered")
    update(u, io_write_bps=0)


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


def dedicated(u, prog):
    if not os.path.exists(os.path.join(group(u), "cpuset.cpus.exclusive")) or not os.path.exists("/proc/schedstat") or CPUS < 2:
        print("  %-58s cannot: two processors, cpuset.cpus.exclusive and /proc/schedstat" % "foreign run time on a dedicated processor")
        return
    update(u, dedicated_cpus=1)
    cpu = int(read(group(u), "cpuset.cpus.effective"))
    a = run_ns(cpu), used(u) * 1e9, bound_ns(cpu)
    hogs = [start(u, "/root/limits hog 20")] + [subprocess.Popen([prog, "hog", "20"]) for _ in range(CPUS)]
    for p in hogs:
        p.wait()
    time.sleep(1)
    b = run_ns(cpu), used(u) * 1e9, bound_ns(cpu)
    update(u, dedicated_cpus=0)
    all_ns, zone_ns, own_ns = (y - x for x, y in zip(a, b))
    FIG["dedicated"] = {"all_ns": all_ns, "zone_ns": zone_ns, "bound_kthreads_ns": own_ns}
    bar("foreign run time on a dedicated processor, %.1f s busy" % (all_ns / 1e9), abs(all_ns - zone_ns - own_ns) * 100 / all_ns, 0.1)
    bar("with the kernel's own threads of that processor", abs(all_ns - zone_ns) * 100 / all_ns, 1)


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


def overhead(prog):
    u = zone(prog, cpu_cap=CPUS * 100, cpu_baseline=CPUS * 50, cpu_burst_time=100000, cpu_shares=1000, max_lwps=1000,
             io_write_bps=10 << 30, io_read_bps=10 << 30, io_write_iops=1000000, io_read_iops=1000000, image_sharing="private")
    host = lib.POOL + "/bench-host"
    lib.sh("btrfs", "subvolume", "create", host)
    heavy(u)
    for what, limit in (("cpu", 1), ("fork", 5), ("pipe", 5), ("files", 5)):
        z, h = [], []
        for i in range(ROUNDS + 1):
            for turn in (0, 1) if i % 2 else (1, 0):
                if turn:
                    z.append(float(lib.sh("zlogin", u, "/root/limits %s /var/tmp" % what)))
                else:
                    h.append(float(lib.sh(prog, what, host)))
        FIG[what] = {"zone_us": z, "host_us": h}
        bar("%s: CPU time of one in a zone with all limits, over the host's" % what, (min(z) / min(h) - 1) * 100, limit)


PEERS = (("", "cloister", "lxd", "podman/crun", "nspawn"),
         ("cap, percent of a CPU", "cpu_cap", "limits.cpu.allowance", "--cpus", "CPUQuota="),
         ("shares", "cpu_shares", "limits.cpu.priority, 0-10", "--cpu-shares", "CPUWeight="),
         ("bursts of seconds", "cpu_baseline", "cannot", "cannot", "cannot"),
         ("exclusive processors", "dedicated_cpus (v2)", "cannot (pins)", "cannot (pins)", "cannot (pins)"),
         ("memory, live shrink refused if not had", "max_physical_memory", "no: kills", "no: kills", "no: kills"),
         ("ceilings on I/O of the root", "io_*", "limits.read, .write", "--device-*-bps", "IO*BandwidthMax="))


def main(tmp):
    prog = lib.build_c("limits", "-static")
    zs = [zone(prog) for _ in range(3)]
    heavy(zs[0])
    print("load %s" % read("/proc/loadavg").strip())
    for name, part in (("caps", lambda: caps(zs[0])), ("shares", lambda: shares(zs)), ("burst", lambda: burst(zs[0])),
                       ("memory", lambda: memory(zs[1])), ("io", lambda: io(zs[2])), ("dedicated", lambda: dedicated(zs[1], prog)),
                       ("overhead", lambda: overhead(prog)),
                       ("watching", watching)):
        if not PARTS or name in PARTS:
            part()
    print("\nwhat can be asked for, by documentation (not measured here)")
    for row in PEERS:
        print("  %-40s %-22s %-26s %-18s %s" % row)
    print("load %s" % read("/proc/loadavg").strip())
    lib.report("limits", {"figures": FIG, "bars": BARS})


if __name__ == "__main__":
    lib.run(main)
