# SPDX-License-Identifier: MPL-2.0
"""A quiet tenant's synced 4 KiB beside one that writes all it can to the same pool; a part of bench/limits.py."""
import os
import statistics
import subprocess
import time

import lib
from box import Cannot, read

WAYS = [  # what the noisy one is told, and the scheduler of the pool's device
    ("no limits", {}, None),
    ("a ceiling of 10 MiB/s", {"io_write_bps": 10 << 20}, None),
    ("a ceiling of 10 MiB/s and 20 operations/s", {"io_write_bps": 10 << 20, "io_write_iops": 20}, None),
    ("bfq", {}, "bfq"),
    ("bfq, zfs_io_priority 1 against 100", {"zfs_io_priority": 1}, "bfq"),
]
OFF = {"io_write_bps": 0, "io_write_iops": 0, "zfs_io_priority": 100}
NOISE = "while [ ! -e /root/stop ]; do /root/limits write /root/noise-%d 32 direct; done"


def scheduler(name=None):
    """Of the pool's loop device: what it is, or set to name; "" where there is none to set."""
    own = [x.split()[0] for x in lib.sh("losetup", "-nO", "NAME,BACK-FILE").splitlines() if "/cloister-%s/" % lib.NODE in x]
    path = "/sys/block/%s/queue/scheduler" % os.path.basename(own[0]) if own else ""
    try:
        if name:
            with open(path, "w") as f:
                f.write(name)
        return read(path).split("[")[1].split("]")[0]
    except (OSError, IndexError):
        return ""


def measure(party, tries):
    """p99 in us of each way, "alone" first, a list of rounds each; where this host can't, [] and what it said, by way."""
    quiet, noisy = party.zone(), party.zone()
    was = scheduler()
    got, said = {name: [] for name in ["alone"] + [w[0] for w in WAYS]}, {}

    def p99():
        v = sorted(float(x) for x in lib.sh("zlogin", quiet, "cd /root && ./interfere victim fsync 150").split())
        return v[int(len(v) * 0.99)]

    def beside():
        lib.sh("zlogin", noisy, "rm -f /root/stop")
        p = [subprocess.Popen(["zlogin", noisy, NOISE % i], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for i in range(4)]
        try:
            time.sleep(2)
            return p99()
        finally:
            lib.sh("zlogin", noisy, "touch /root/stop")
            for one in p:
                one.wait()

    try:
        with open(lib.build_c("interfere", "-static"), "rb") as f:
            subprocess.run(["zlogin", quiet, "cat >/root/interfere; chmod +x /root/interfere"], stdin=f, check=True)
        for _ in range(tries):
            got["alone"].append(p99())
            for name, limits, sched in WAYS:
                if sched and scheduler(sched) != sched:
                    continue
                try:
                    party.update(noisy, limits)
                    got[name].append(beside())
                    party.update(noisy, {k: OFF[k] for k in limits})
                except Cannot as e:
                    said[name] = str(e)
                if sched:
                    scheduler(was)
    finally:
        if was:
            scheduler(was)
        party.free += [quiet, noisy]
    return got, said


def ratio(got, name, base):
    return statistics.median(a / b for a, b in zip(got[name], got[base])) if got[name] else None
