#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What it costs to look at oneself: bench/view.py [ROUNDS]

open+read+close of files of /proc: in a zone (its own worker answers), of the host (the kernel), and of lxcfs on a mount and in a
runtime folder of its own, read by a process in a pid namespace and memory cgroup of its own. In a loop, and with 30 ms in
between, when what the zone's kernel has is too old and the worker is asked. Then system calls: the two that the worker answers, in
the zone with a cap and in one without (which is told what the kernel has), and one that nobody is asked about.
"""
import os
import shutil
import subprocess
import sys

import lib

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
FILES = ["meminfo", "stat", "loadavg", "cpuinfo"]
LOOP, PAUSED = (1000, 0), (40, 30000)

LXCFS = r"""
set -e
mkdir -p "$1/mnt"; mount -t tmpfs none "$1/mnt"
mkdir -p "$1/run"; mount --bind "$1/run" /run
mkdir -p /run/lxcfs "$1/mnt/fs"
lxcfs -f -p /run/lxcfs.pid "$1/mnt/fs" >/dev/null 2>&1 &
l=$!
i=0; until [ -e "$1/mnt/fs/proc/meminfo" ]; do i=$((i+1)); [ $i -lt 100 ] || exit 1; sleep 0.05; done
cd /
while read -r cmd; do
	unshare -pf --mount-proc sh -c "$cmd" 2>&1 || echo failed
done
kill $l; wait $l || :
"""


def lxcfs(tmp):
    """A shell that has lxcfs mounted, in a memory cgroup where one can be made; None without lxcfs."""
    if not lib.have("lxcfs"):
        return None
    script = os.path.join(tmp, "lxcfs.sh")
    with open(script, "w") as f:
        f.write(LXCFS)
    return subprocess.Popen(["unshare", "-m", "sh", script, tmp], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(peer, cmd):
    peer.stdin.write(cmd + "\n")
    peer.stdin.flush()
    return peer.stdout.readline()


def system_calls(prog, capped):
    lib.sh("vmadm", "update", capped, "cpu_cap=50")
    free = lib.create(brand="joyent-minimal", max_physical_memory=256)
    put(prog, free)
    res = {}
    for _ in range(ROUNDS):
        for call in ("sysinfo", "sched_getaffinity", "getppid"):
            for where, zone in (("capped zone", capped), ("zone without a cap", free)):
                res.setdefault("%s, %s" % (call, where), []).append(float(lib.sh("zlogin", zone, "/root/view %s 500 2000" % call).split()[0]))
            res.setdefault("%s, host" % call, []).append(float(lib.sh(prog, call, "500", "2000").split()[0]))
    lib.table("system calls, p50 of 500, 2 ms in between", res, unit="us")
    main.figures["system calls"] = lib.summary(res)
    return [lib.bar("%s in a capped zone" % c, main.figures["system calls"]["%s, capped zone" % c]["median"], 100, " us") for c in ("sysinfo", "sched_getaffinity")]


def put(prog, zone):
    with open(prog, "rb") as f:
        subprocess.run(["zlogin", zone, "cat >/root/view && chmod 755 /root/view"], stdin=f, check=True)


def main(tmp):
    prog = lib.build_c("view", "-static")
    zone = lib.create(brand="joyent-minimal", max_physical_memory=256, cpu_cap=100)
    put(prog, zone)
    peer = lxcfs(tmp)
    shutil.copy(prog, os.path.join(tmp, "view"))
    ways = {
        "zone": lambda f, n, gap: lib.sh("zlogin", zone, "/root/view /proc/%s %d %d" % (f, n, gap)),
        "host": lambda f, n, gap: lib.sh(prog, "/proc/" + f, str(n), str(gap)),
    }
    if peer:
        ways["lxcfs"] = lambda f, n, gap: ask(peer, "%s/view %s/mnt/fs/proc/%s %d %d" % (tmp, tmp, f, n, gap))
    bars = []
    for what, (n, gap) in (("in a loop", LOOP), ("with 30 ms in between", PAUSED)):
        res = {}
        for _ in range(ROUNDS):
            for f in FILES:
                for w, run in ways.items():
                    text = run(f, n, gap).split()
                    if len(text) != 2:
                        sys.exit("%s of %s: %s" % (f, w, " ".join(text) or "nothing"))
                    res.setdefault("%s, %s" % (f, w), []).append(float(text[0]))
        lib.table("open+read+close %s, p50 of %d" % (what, n), res, unit="us")
        res_all = lib.summary(res)
        for f in FILES:
            if gap == 0:
                bars.append(lib.bar("%s in a zone, %s" % (f, what), res_all["%s, zone" % f]["median"], 15, " us"))
                if peer:
                    bars.append(lib.bar("%s against lxcfs, %s" % (f, what), lib.ratio(res, "%s, zone" % f, "%s, lxcfs" % f), 0.2))
        main.figures[what] = res_all
    if peer:
        peer.stdin.close()
        peer.wait()
    bars += system_calls(prog, zone)
    lib.report("view", {"p50_us": main.figures, "bars": bars})


main.figures = {}
lib.run(main)
