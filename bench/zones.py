# SPDX-License-Identifier: MPL-2.0
"""Zones as a contender of bench/limits.py, with the words that the peers take (peers.py)."""
import glob
import os
import subprocess

import lib
import peers
from box import Box, V1, V2, read

CPUS = os.cpu_count()


def group(u, ctl=None):
    top = V1.get(ctl, V2)
    return (glob.glob("%s/cloister-%s/%s" % (top, lib.NODE, u)) + glob.glob("%s/*/*/cloister-%s/%s" % (top, lib.NODE, u)))[0]


def quota(u):
    d = group(u, "cpu")
    q, p = read(d, "cpu.max").split() if "cpu" not in V1 else (read(d, "cpu.cfs_quota_us").strip(), read(d, "cpu.cfs_period_us"))
    return -1 if q in ("max", "-1") else int(q) * 100 / int(p)


class Zones:
    """Zones as a contender: made once, their limits set and taken back live."""
    name = "cloister"
    DEFAULT = {"cpu_cap": 0, "cpu_shares": 100, "cpu_baseline": 0, "cpu_burst_time": "", "io_write_bps": 0}
    ALL = {"cpu_cap": CPUS * 100, "cpu_baseline": CPUS * 50, "cpu_burst_time": 100000, "cpu_shares": 1000, "max_lwps": 1000,
           "io_write_bps": 10 << 30, "io_read_bps": 10 << 30, "io_write_iops": 1000000, "io_read_iops": 1000000, "image_sharing": "private"}

    def __init__(self, prog):
        self.prog, self.free, self.full = prog, [], None

    def zone(self, **limits):
        u = lib.create(brand="joyent-minimal", **{"max_physical_memory": 512, "quota": 4, **limits})
        with open(self.prog, "rb") as f:
            subprocess.run(["zlogin", u, "cat >/root/limits; chmod +x /root/limits"], stdin=f, check=True)
        for f, v in (("cpu.shares", "262144"), ("cpu.weight", "10000")):
            path = os.path.join(os.path.dirname(group(u, "cpu")), f)
            if os.path.exists(path):
                with open(path, "w") as out:
                    out.write(v)
        return u

    @staticmethod
    def properties(limits):
        k = {}
        if "cap" in limits:
            k["cpu_cap"] = limits["cap"]
        if "burst" in limits:
            k.update(cpu_cap=100, cpu_baseline=limits["cap"], cpu_burst_time=limits["burst"])
        if "shares" in limits:
            k["cpu_shares"] = limits["shares"]
        if "memory" in limits:
            k["max_physical_memory"] = k["max_swap"] = limits["memory"] // (1 << 20)
        if "write_bps" in limits:
            k["io_write_bps"] = limits["write_bps"]
        return k

    def update(self, u, properties):
        return peers.ask(["vmadm", "update", u] + ["%s=%s" % x for x in properties.items()]) if properties else 0

    def start(self, *words, **limits):
        if "pids" in limits:  # all limits together
            self.full = self.full or self.zone(**self.ALL)
            return self.run(self.full, Box(words))
        u = self.free.pop() if self.free else self.zone()
        self.update(u, self.properties(limits))
        return self.run(u, Box(words))

    @staticmethod
    def run(u, b):
        b.zone = u
        b.proc = subprocess.Popen(["zlogin", u, " ".join(["/root/limits"] + b.words)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return b.settle()

    @staticmethod
    def end(b):
        b.kill()
        b.proc.wait()

    def change(self, b, **limits):
        return self.update(b.zone, self.properties(limits))

    def give(self, u):
        self.update(u, self.DEFAULT)
        self.update(u, {"max_physical_memory": 512, "max_swap": 512})
        self.free.append(u)

    def stop(self, *boxes):
        for b in boxes:
            b.rest()
        for b in boxes:
            self.end(b)
            if b.zone != self.full:
                self.give(b.zone)

    def close(self):
        pass
