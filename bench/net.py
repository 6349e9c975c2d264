#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Traffic between two zones of one switch, and what it is held against (netpeers.py); what a NIC adds to a zone's life; rules by the thousand.

    bench/net.py [ROUNDS [ZONES]]

All of one figure's traffic is on one processor that is busy all the while (net.c): time is CPU. There are two nodes: one whose switch has four
zones, and one with ZONES more (1,000), each of which has a firewall of ten rules. Contenders of both, and all others, take turns within a round; a ratio is the
median of those of one round, and beside it stands where the middle half of them lies.
"""
import json
import os
import random
import subprocess
import sys
import time

import lib
import netpeers
import netzones

N = int(sys.argv[1]) if len(sys.argv) > 1 else 15
ZONES = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
SECONDS = "0.2"
CPU = str(max(os.sched_getaffinity(0)))
KINDS = {"rr": ("request/response, p50", "p50", "us"), "crr": ("connect, request, close", "mean", "us"),
         "udp": ("64-byte packet", "us", "us"), "tcp": ("bulk TCP", "s_per_gb", "s/GB")}
VETH, BRIDGE, OURS = "bare veth", "bridge without rules", ("protection", "protection, firewall")
FULL = ["%s; %d others" % (n, ZONES) for n in OURS]
# what of net.c's three datagrams gets there: to the port, to the next one, in another's name
MEANT = {OURS[0]: (1, 1, 0), OURS[1]: (1, 0, 0), FULL[0]: (1, 1, 0), FULL[1]: (1, 0, 0), "bridge with nftables": (1, 0, 1),
         "bridge with nftables, protection": (1, 0, 0)}


def one(prog, kind, where, lost=None):
    p = subprocess.run([prog, kind, *where, CPU, SECONDS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        raise RuntimeError("%s: %s" % (kind, p.stderr.strip()))
    d = json.loads(p.stdout)
    if kind == "check":
        return d["port"], d["next"], d["lie"]
    if kind == "udp" and d["got"] != d["sent"]:
        lost.append(d["sent"] - d["got"])
    return d[KINDS[kind][1]]


def checked(prog, name, where):
    """The row is what its name says: its rules are in force, and no others."""
    got, want = one(prog, "check", where), MEANT.get(name, (1, 1, 1))
    if got != want:
        raise netpeers.Cannot("of a datagram to the port, to another port, in another's name there arrived %s, and it should be %s" % (got, want))
    return where


def show(title, v, unit):
    print("\n%s" % title)
    print("  %-34s %9s %9s %9s %6s %8s %17s" % ("", "min", "median", "max", "", "÷ veth", "half of them"))
    for n, x in v.items():
        s = sorted(x)
        print("  %-34s %9.3f %9.3f %9.3f %-6s %8.3f %8.3f %8.3f" % (n, s[0], lib.statistics.median(s), s[-1], unit, lib.ratio(v, n, VETH), *lib.spread(v, n, VETH)))


def traffic(prog, who, rounds, title=None):
    """{kind: {name: [figure per round]}}"""
    res, lost = {k: {n: [] for n in who} for k in KINDS}, {n: [] for n in who}
    for i in range(rounds + 1):
        for k in KINDS:
            turns = list(who)
            random.shuffle(turns)
            for n in turns:
                v = one(prog, k, who[n], lost[n])
                if i:
                    res[k][n].append(v)
    for k, (what, _, unit) in KINDS.items():
        if title:
            show("%s: %s" % (title, what), res[k], unit)
    for n, l in lost.items():
        if l:
            print("  %s lost %d packets" % (n, sum(l)))
    return res


def held(res, kind, a, b, limit, bars):
    bars.append(lib.bar("%s: %s / %s" % (KINDS[kind][0], a, b), lib.ratio(res[kind], a, b), limit, half=lib.spread(res[kind], a, b)))


def compare(res, bars):
    for z in OURS:
        held(res, "rr", z, VETH, 1.12, bars)
        held(res, "tcp", z, VETH, 1.05, bars)
        for k in ("rr", "crr", "udp"):
            held(res, k, z, BRIDGE, 1, bars)
    for one_zone, many in zip(OURS, FULL) if ZONES else ():
        for k in KINDS:
            held(res, k, many, one_zone, 1.03, bars)


def peers(prog, tmp, who):
    """Those that can; returns LXD to be stopped, or None."""
    for name, make in (("bridge with nftables", netpeers.bridge_nft), ("bridge with nftables, protection", netpeers.bridge_nft_protected),
                       ("macvlan", netpeers.macvlan)):
        try:
            who[name] = checked(prog, name, make())
        except (netpeers.Cannot, RuntimeError) as e:
            print("%s: cannot: %s" % (name, e))
    lxd = None
    try:
        lxd = netpeers.Lxd(tmp)
        who["LXD's bridge"] = checked(prog, "LXD's bridge", lxd.pair())
    except (netpeers.Cannot, RuntimeError, OSError, subprocess.SubprocessError) as e:
        print("LXD's bridge: cannot: %s" % e)
    return lxd


def nft(tmp):
    try:
        return {"nft -f, as many": netpeers.nft_load(tmp, ZONES, 5)}
    except netpeers.Cannot as e:
        print("nft -f: cannot: %s" % e)
    return {}


def main(tmp):
    prog = lib.build_c("net")
    figures, bars, lxd = {}, [], None
    lib.second()
    few, many = netzones.switch(lib.SECOND), netzones.switch(lib.NODE)
    who = {VETH: netpeers.veth()}
    for fw, name in enumerate(OURS):
        who[name] = few[fw]
    for fw, name in enumerate(FULL if ZONES else ()):
        who[name] = many[fw]
    who[BRIDGE] = netpeers.bridge("b", "10.80.2")
    for name, where in who.items():
        checked(prog, name, where)
    # the two nodes' switches are the same as yet: how far rows of the same kind are from each other
    before = traffic(prog, who, 5) if ZONES else None
    netzones.fill(ZONES, 6)
    figures["create at 10"] = lib.summary(netzones.creates(N, 10, bars))
    if ZONES:
        uuids = netzones.fill(0, ZONES)
        figures["rules"] = lib.summary(netzones.load(tmp, uuids, 5, bars, nft(tmp)))
        time.sleep(2)
        figures["create at %d" % ZONES] = lib.summary(netzones.creates(N, ZONES, bars))
    try:
        lxd = peers(prog, tmp, who)
        for name, where in who.items():
            checked(prog, name, where)
        res = traffic(prog, who, N, "two zones")
    finally:
        if lxd:
            lxd.stop()
    figures["traffic"] = {k: lib.summary(v) for k, v in res.items()}
    print()
    compare(res, bars)
    if ZONES:
        print("\nbefore the node had more than its four zones, the same rows of the two nodes stood to each other as")
        for k in KINDS:
            print("  %-34s" % KINDS[k][0] + "".join("  %s %.3f" % (a, lib.ratio(before[k], b, a)) for a, b in zip(OURS, FULL)))
    lib.report("net", {"figures": figures, "bars": bars})


netpeers.ns_clean()
try:
    lib.run(main)
finally:
    netpeers.ns_clean()
