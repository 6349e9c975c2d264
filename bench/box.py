# SPDX-License-Identifier: MPL-2.0
"""A box: bench/limits.c in a zone, in a peer's container or on the host, found and measured from outside, the same way for all.

Its first process is `limits init TOKEN …`; by that command line it is found in /proc whatever has started it, its figures
are in its /var/tmp/TOKEN, and it stays until it is killed, so that its cgroups can be read afterwards.
"""
import itertools
import os
import signal
import time

import lib

STEM = "bench-box-%s-" % lib.NODE
COUNT = itertools.count(1)


class Cannot(Exception):
    """What a contender can't be asked for, in the words it said it with."""


def mounts():
    """Where each controller of v1 is mounted, and v2."""
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


def read(*path):
    with open(os.path.join(*path)) as f:
        return f.read()


def ours(stem=STEM):
    """Processes that run `limits init TOKEN …` with such a token, oldest first, as (token, pid)."""
    found = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            argv = read("/proc", p, "cmdline").split("\0")
        except OSError:
            continue
        if len(argv) > 3 and os.path.basename(argv[0]) == "limits" and argv[1] == "init" and argv[2].startswith(stem):
            found.append((argv[2], int(p)))
    return sorted(found, key=lambda x: x[1])


class Box:
    def __init__(self, words):
        self.token = "%s%d." % (STEM, next(COUNT))
        self.name = self.token.rstrip(".")
        self.words = ["init", self.token] + [str(w) for w in words]
        self.pid, self.proc = None, None

    def settle(self, seconds=30):
        """Waits until its first process is there."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pids = self.pids()
            if pids:
                self.pid = next((p for p in pids if self.parent(p) not in pids), pids[0])
                return self
            if self.proc and self.proc.poll() is not None:
                break
            time.sleep(0.01)
        raise Cannot("nothing of it runs")

    @staticmethod
    def parent(p):
        try:
            return int(read("/proc/%d/stat" % p).rpartition(")")[2].split()[1])
        except OSError:
            return 0

    def pids(self):
        return [p for _, p in ours(self.token)]

    def used(self, pids=None):
        """CPU seconds of its processes so far. Finding them takes a while: it can be done before."""
        total = 0
        for p in pids or self.pids():
            try:
                total += int(read("/proc/%d/schedstat" % p).split()[0])
            except (OSError, IndexError):
                pass
        return total / 1e9

    def lines(self):
        try:
            return read("/proc/%d/root/var/tmp/%s" % (self.pid, self.token)).splitlines()
        except OSError:
            return []

    def until(self, word, seconds=60):
        """Waits for such a line; returns all that there are."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = self.lines()
            if any(l.startswith(word) for l in got):
                return got
            time.sleep(0.01)
        raise Cannot("it gave no figures in %d s" % seconds)

    def result(self, seconds=60):
        got = self.until("status", seconds)
        if got[-1] != "status 0":
            raise Cannot("the program in it ended: " + got[-1])
        return [float(x) for x in got[:-1]]

    def group(self, controller, *files):
        """The nearest of its cgroups, upwards, whose first file of these it has says something else than no limit."""
        paths = dict(l.split(":", 2)[1:] for l in read("/proc/%d/cgroup" % self.pid).splitlines())
        at = next((p for k, p in paths.items() if controller in k.split(",")), None) if controller in V1 else paths.get("")
        top = V1.get(controller, V2)
        while at and at != "/":
            for f in files:
                path = top + at + "/" + f
                if os.path.exists(path):
                    v = read(path).split()[0]
                    if v not in ("max", "-1") and int(v) < 1 << 50:
                        return top + at
            at = os.path.dirname(at)
        raise Cannot("no cgroup of it has a limit")

    def bursts(self):
        """What the kernel's own burst of its cgroup is set to."""
        try:
            d = self.group("cpu", "cpu.cfs_quota_us", "cpu.max")
            return next(f + " is " + read(d, f).strip() for f in ("cpu.cfs_burst_us", "cpu.max.burst") if os.path.exists(d + "/" + f))
        except (Cannot, OSError, StopIteration) as e:
            return str(e)

    def memory(self):
        """The limit that the kernel has for it, and the most that it had, in MiB."""
        d = self.group("memory", "memory.limit_in_bytes", "memory.max")
        limit, most = (("memory.limit_in_bytes", "memory.max_usage_in_bytes") if "memory" in V1 else ("memory.max", "memory.peak"))
        return int(read(d, limit)) / (1 << 20), int(read(d, most)) / (1 << 20) if os.path.exists(d + "/" + most) else float("nan")

    def signal(self, number, pids):
        for p in pids:
            try:
                os.kill(p, number)
            except OSError:
                pass

    def work(self):
        """The processes below its first."""
        return [p for p in self.pids() if p != self.pid]

    def go(self, seconds=10):
        """Lets a program begin that stands at `held`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(read("/proc/%d/stat" % p).rpartition(")")[2].split()[0] == "T" for p in self.work()):
                return self.signal(signal.SIGCONT, self.work())
            time.sleep(0.01)
        raise Cannot("the program in it does not come up")

    def rest(self):
        """Its work ends, it stays."""
        if self.pid:
            self.signal(signal.SIGKILL, self.work())

    def kill(self):
        self.signal(signal.SIGKILL, self.pids())


def rate(boxes, seconds):
    """Percent of a processor that each used."""
    pids = [b.pids() for b in boxes]
    a, t = [b.used(p) for b, p in zip(boxes, pids)], time.monotonic()
    time.sleep(seconds)
    b, dt = [b.used(p) for b, p in zip(boxes, pids)], time.monotonic() - t
    return [(y - x) * 100 / dt for x, y in zip(a, b)]


def kill_all():
    """Also of a run that was killed."""
    for _, p in ours():
        try:
            os.kill(p, signal.SIGKILL)
        except OSError:
            pass
