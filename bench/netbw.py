#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Ceilings on bandwidth: bench/netbw.py [--quick] [caps] [lxd] [many] [cubic] [bbr]

caps: a zone with maxbw 10, 100, 1000 Mbit/s and one without on an etherstub; TCP with 1 and 4 streams, out of the capped zone and into it, with each
congestion control that the kernel has. Bytes on the wire as its shaper wire counted them (all classes, each segment's headers), against the
ceiling; beside that a probe of the capped zone, 64 bytes of UDP and back, 1 % of the ceiling.
lxd: what LXD makes of a limit of 100 Mbit/s, one stream, bytes at the receiver's NIC.
many: as many bytes a second, of UDP, by one VNIC with a ceiling and by 200 that share it: processor time of the whole host for a second of it, without
that of the idle host; p99 of a probe of one of them.
"""
import json
import os
import re
import statistics
import subprocess
import sys
import time

import lib
import netpeers

QUICK = "--quick" in sys.argv
PARTS = [a for a in sys.argv[1:] if a in ("caps", "lxd", "many")] or ["caps", "lxd", "many"]
WANTED = [a for a in sys.argv[1:] if a in ("cubic", "bbr")] or ["cubic", "bbr"]
SECONDS = 3 if QUICK else 4
ROUNDS = 1 if QUICK else 2
MANY, TOTAL = 200, 400  # VNICs; Mbit/s together
PROG = os.path.join(lib.BUILD, "tests/system/netbw")


def congestion():
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control") as f:
        have = f.read().split()
    for cc in WANTED:
        if cc not in have:
            print("this kernel has no %s" % cc)
    return [cc for cc in WANTED if cc in have]


def zone(n, **nic):
    """A zone with the program in it."""
    net = dict(nic_tag="bw0", interface="net0", ips=["10.9.%d.%d/16" % (n // 250, n % 250 + 1)], **nic)
    uuid = lib.create(brand="joyent-minimal", nics=[net])
    with open(PROG, "rb") as f:
        subprocess.run(["zlogin", uuid, "cat >/root/netbw; chmod 755 /root/netbw"], stdin=f, check=True)
    return uuid


def ip(n):
    return "10.9.%d.%d" % (n // 250, n % 250 + 1)


def start(uuid, *args):
    return subprocess.Popen(["zlogin", uuid, "/root/netbw " + " ".join(str(a) for a in args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def serve(uuid):
    p = start(uuid, "serve")
    p.stdout.readline()
    return p


def wire(direction):
    """Bytes that the ceilings of one direction have let pass, and when."""
    ns = os.path.join(lib.RUN, "net/ns")
    text = subprocess.run(["nsenter", "--net=" + ns, "tc", "-s", "class", "show", "dev", "shaper-" + direction + "0"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    t = time.monotonic()
    return sum(int(n) for n in re.findall(r"root .*\n Sent (\d+) bytes", text)), t


def setbw(uuid, mbit):
    subprocess.run(["vmadm", "update", uuid], input=json.dumps({"update_nics": [{"mac": mac_of(uuid), "maxbw": mbit}]}), text=True, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def mac_of(uuid):
    out = subprocess.run(["vmadm", "get", uuid], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)["nics"][0]["mac"]


def tcp(uuid, *args):
    """In the zone's network namespace, by the host's root: a zone may choose its congestion control only among what the host allows."""
    with open(os.path.join(lib.RUN, uuid, "zone")) as f:
        pid = next(line.split()[1] for line in f if line.startswith("init "))
    return subprocess.Popen(["nsenter", "--net=/proc/%s/ns/net" % pid, PROG, "tcp"] + [str(a) for a in args])


def answers(out):
    """p50 and p99 of what a probe has printed; of one that got no answer there are none."""
    return (float(out[2]), float(out[3])) if len(out) == 4 and out[2] != "-" else (float("nan"),) * 2


def one_cap(capped, free, mbit, streams, direction, cc):
    """Ratio of bytes on the wire to the ceiling, and p50 and p99 of the probe in microseconds."""
    frm, to = (capped, 1) if direction == "out" else (free, 0)
    load = tcp(frm, ip(to), streams, SECONDS + 2.5, cc)
    time.sleep(1)
    probe = start(capped, "probe", ip(1), 64, mbit * 1e6 / 100 / 8 / 106, SECONDS)
    a, t0 = wire(direction)
    time.sleep(SECONDS - 0.3)
    b, t1 = wire(direction)
    out = probe.communicate()[0].decode().split()
    load.wait()
    p50, p99 = answers(out)
    return (b - a) * 8 / (t1 - t0) / 1e6 / mbit, p50, p99


def caps(bars, figures):
    capped, free = zone(0, maxbw=10), zone(1)
    servers = [serve(capped), serve(free)]
    print("\n%6s %8s %4s %6s  %14s  %9s %9s" % ("Mbit/s", "streams", "way", "", "wire/ceiling", "p50 us", "p99 us"))
    off, slow = 0.0, 0.0
    for mbit in (10, 100, 1000):
        setbw(capped, mbit)
        for cc in congestion():
            for streams in (1, 4):
                for direction in ("out", "in"):
                    got = [one_cap(capped, free, mbit, streams, direction, cc) for _ in range(ROUNDS)]
                    r, p50, p99 = (statistics.median(g[i] for g in got) for i in range(3))
                    print("%6d %8d %4s %6s  %14.3f  %9.1f %9.1f" % (mbit, streams, direction, cc, r, p50, p99), flush=True)
                    figures["%d-%d-%s-%s" % (mbit, streams, direction, cc)] = {"wire": r, "p50": p50, "p99": p99}
                    off, slow = max(off, abs(r - 1) * 100), max(slow, p50)
    bars.append(lib.bar("maxbw: bytes on the wire, farthest from the ceiling", off, 5, " %"))
    bars.append(lib.bar("maxbw: a small packet beside it, slowest p50", slow / 1000, 1, " ms"))
    for p in servers:
        p.terminate()
    return capped, free


def inside(ns, *argv):
    return subprocess.Popen(["nsenter", "--net=" + ns, PROG] + [str(a) for a in argv], stdout=subprocess.PIPE, text=True)


def received(ns):
    text = subprocess.run(["nsenter", "--net=" + ns, "ip", "-j", "-s", "link", "show", "dev", "eth0"], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(text)[0]["stats64"]["rx"]["bytes"], time.monotonic()


def lxd_cap(pair, mbit, direction, cc):
    """As one_cap(), of what the receiver's NIC has counted."""
    ends = [(pair[0], "10.80.5.1"), (pair[1], "10.80.5.2")]
    frm, to = ends if direction == "out" else reversed(ends)
    run = inside(frm[0], "tcp", to[1], 1, SECONDS + 2.5, cc)
    time.sleep(1)
    probe = inside(pair[0], "probe", "10.80.5.2", 64, mbit * 1e6 / 100 / 8 / 106, SECONDS)
    a, t0 = received(to[0])
    time.sleep(SECONDS - 0.3)
    b, t1 = received(to[0])
    out = probe.communicate()[0].split()
    run.communicate()
    p50, p99 = answers(out)
    return (b - a) * 8 / (t1 - t0) / 1e6 / mbit, p50, p99


def lxd_way(peer, figures, mbit, direction):
    pair = peer.pair(**{"limits_egress" if direction == "out" else "limits_ingress": "%dMbit" % mbit})
    servers = [inside(ns, "serve") for ns in pair[:2]]
    try:
        for p in servers:
            p.stdout.readline()
        for cc in congestion():
            got = [lxd_cap(pair, mbit, direction, cc) for _ in range(ROUNDS)]
            r, p50, p99 = (statistics.median(g[i] for g in got) for i in range(3))
            print("%6d %8d %4s %6s  %14.3f  %9.1f %9.1f" % (mbit, 1, direction, cc, r, p50, p99), flush=True)
            figures["lxd-%d-1-%s-%s" % (mbit, direction, cc)] = {"wire": r, "p50": p50, "p99": p99}
    finally:
        for p in servers:
            p.kill()
            p.wait()


def lxd(tmp, figures, mbit=100):
    peer = None
    print("\nLXD, limits.egress or limits.ingress of %d Mbit/s, one stream" % mbit)
    try:
        for direction in ("out", "in"):
            try:
                peer = peer or netpeers.Lxd(tmp)
                lxd_way(peer, figures, mbit, direction)
            except (netpeers.Cannot, RuntimeError, OSError, subprocess.SubprocessError) as e:
                print("%6d %8d %4s  cannot: %s" % (mbit, 1, direction, " ".join(str(e).split())))
                if not peer:
                    break
    finally:
        if peer:
            peer.stop()


def busy():
    """Seconds of all processors that were not idle."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:9]]
    return (sum(v) - v[3] - v[4] - v[7]) / os.sysconf("SC_CLK_TCK")


def load(senders, probe):
    """Processor time of a second while all send as fast as they may, and Mbit/s on the wire; p50 and p99 of a probe."""
    all_ = [start(u, "udp", ip(1), 5003, 1200, SECONDS + 6) for u in senders]
    time.sleep(3)
    p = start(probe, "probe", ip(1), 64, 100, SECONDS)
    (a, t0), c0 = wire("out"), busy()
    time.sleep(SECONDS)
    (b, t1), c1 = wire("out"), busy()
    out = p.communicate()[0].decode().split()
    for q in all_:
        q.wait()
    return (c1 - c0) / (t1 - t0), (b - a) * 8 / (t1 - t0) / 1e6, float(out[2]), float(out[3])


def many(bars, figures):
    free = zone(1)
    server = serve(free)
    one = zone(0, maxbw=TOTAL)
    zones = [zone(n, maxbw=TOTAL // MANY) for n in range(2, MANY + 2)]
    c0 = busy()
    time.sleep(SECONDS)
    idle = (busy() - c0) / SECONDS
    res = {"one": [], "many": []}
    for _ in range(ROUNDS + 1):
        res["one"].append(load([one], one))
        res["many"].append(load(zones, zones[0]))
    print("\n%d Mbit/s of UDP, datagrams of 1200 bytes; the idle host: %.3f" % (TOTAL, idle))
    print("%-24s %12s %10s %9s %9s" % ("", "CPU s per s", "Mbit/s", "p50 us", "p99 us"))
    med = {}
    for k, name in (("one", "one VNIC"), ("many", "%d VNICs" % MANY)):
        # a second of it at the rate that was reached
        med[k] = [statistics.median(x[i] for x in res[k]) for i in range(4)]
        med[k][0] = (med[k][0] - idle) * TOTAL / med[k][1]
        print("%-24s %12.3f %10.1f %9.1f %9.1f" % (name, *med[k]))
    figures["many"] = med
    bars.append(lib.bar("%d VNICs with ceilings against one, CPU at the same rate" % MANY, med["many"][0] / med["one"][0], 1.5, " x"))
    server.terminate()


def main(tmp):
    bars, figures = [], {}
    lib.sh("nictagadm", "add", "-l", "bw0")
    made = caps(bars, figures) if "caps" in PARTS else ()
    for u in made:
        lib.quiet("vmadm", "delete", u)
    if "lxd" in PARTS:
        lxd(tmp, figures)
    if "many" in PARTS:
        many(bars, figures)
    lib.report("netbw", {"figures": figures, "bars": bars})


lib.run(main)
