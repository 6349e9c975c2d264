#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Traffic between two zones of one switch, against a bare veth, a bridge, a bridge with nftables, macvlan and LXD's bridge.

    bench/net.py [ROUNDS [ZONES]]

All of one figure's traffic is on one processor that is busy all the while (net.c): time is CPU. Contenders take turns; the
ratios are medians of the ratios of one round. The same with ZONES other zones (1,000) on the switch, and what a NIC adds to
`vmadm create` at 10 zones and at ZONES.
"""
import json
import os
import random
import statistics
import subprocess
import sys
import time

import lib
import lxd

N = int(sys.argv[1]) if len(sys.argv) > 1 else 15
ZONES = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
SECONDS = "0.2"
CPU = str(max(os.sched_getaffinity(0)))
KINDS = {"rr": ("request/response, p50", "p50", "us"), "crr": ("connect, request, close", "mean", "us"),
         "udp": ("64-byte packet", "us", "us"), "tcp": ("bulk TCP", "s_per_gb", "s/GB")}
PREFIX = "bench-%s-" % lib.NODE
NFT = """table ip bench { chain forward { type filter hook forward priority 0; policy drop;
  ct state established,related accept
  ct state invalid drop
  ip saddr 10.80.3.0/24 ip daddr 10.80.3.0/24 accept
 }
}
"""


def ns_clean():
    """Network namespaces of a run that was killed, and ours."""
    for n in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        if n.startswith(PREFIX):
            lib.quiet("ip", "netns", "delete", n)


def ns(name):
    lib.sh("ip", "netns", "add", PREFIX + name)
    lib.sh("ip", "-n", PREFIX + name, "link", "set", "lo", "up")
    return PREFIX + name


def path(n):
    return "/run/netns/" + n


def address(n, dev, cidr):
    lib.sh("ip", "-n", n, "addr", "add", cidr, "dev", dev)
    lib.sh("ip", "-n", n, "link", "set", dev, "up")


def veth():
    a, b = ns("va"), ns("vb")
    lib.sh("ip", "-n", a, "link", "add", "e0", "numtxqueues", "1", "numrxqueues", "1", "type", "veth", "peer", "name", "e0", "netns", b)
    address(a, "e0", "10.80.1.1/24")
    address(b, "e0", "10.80.1.2/24")
    return path(a), path(b), "10.80.1.2"


def bridge(name, net, rules=None):
    a, b, s = ns(name + "a"), ns(name + "b"), ns(name + "s")
    lib.sh("ip", "-n", s, "link", "add", "br0", "type", "bridge")
    lib.sh("ip", "-n", s, "link", "set", "br0", "up")
    call = "1" if rules else "0"
    lib.sh("ip", "netns", "exec", s, "sh", "-c",
           "for i in arp ip ip6; do f=/proc/sys/net/bridge/bridge-nf-call-${i}tables; [ ! -e $f ] || echo %s >$f; done" % call)
    if rules:
        lib.sh("ip", "netns", "exec", s, "nft", "-f", "-", stdin=rules)
    for n, port, ip in ((a, "pa", 1), (b, "pb", 2)):
        lib.sh("ip", "-n", n, "link", "add", "e0", "type", "veth", "peer", "name", port, "netns", s)
        lib.sh("ip", "-n", s, "link", "set", port, "master", "br0", "up")
        address(n, "e0", "%s.%d/24" % (net, ip))
    return path(a), path(b), net + ".2"


def macvlan():
    a, b, s = ns("ma"), ns("mb"), ns("ms")
    lib.sh("ip", "-n", s, "link", "add", "e0", "type", "veth", "peer", "name", "e1")
    lib.sh("ip", "-n", s, "link", "set", "e0", "up")
    lib.sh("ip", "-n", s, "link", "set", "e1", "up")
    for n, ip in ((a, 1), (b, 2)):
        lib.sh("ip", "-n", s, "link", "add", "link", "e0", "name", "m%d" % ip, "netns", n, "type", "macvlan", "mode", "bridge")
        address(n, "m%d" % ip, "10.80.4.%d/24" % ip)
    return path(a), path(b), "10.80.4.2"


def init_of(u):
    with open("%s/%s/zone" % (lib.RUN, u)) as f:
        return next(line.split()[1] for line in f if line.startswith("init "))


def nic(ip, tag="bench0"):
    return {"nic_tag": tag, "ips": [ip]}


def zones(net, **more):
    u = [lib.create(brand="joyent-minimal", nics=[nic("%s.%d/16" % (net, i))], **more) for i in (1, 2)]
    return ("/proc/%s/ns/net" % init_of(u[0]), "/proc/%s/ns/net" % init_of(u[1]), net + ".2")


class Peer:
    """LXD's own bridge, between namespaces of ours: its launch needs an image and says nothing more of the path."""

    def __init__(self, tmp):
        tree = os.path.join(tmp, "lxdtree")
        os.makedirs(os.path.join(tree, "dev"))
        for d in ("bin", "etc", "proc", "sys", "tmp", "run"):
            os.makedirs(os.path.join(tree, d))
        subprocess.run(["cc", "-O2", "-static", "-D_GNU_SOURCE", "-o", tree + "/bin/init", os.path.join(lib.SRC, "bench/init.c")], check=True)
        self.d = lxd.Lxd(tmp, tree, "/bin/init", net=True)
        self.pids = []

    def pair(self):
        self.d.lxc("network", "create", "benchbr0", "ipv4.address=10.80.5.254/24", "ipv6.address=none", "ipv4.nat=false", "ipv4.dhcp=false",
                   "dns.mode=none")
        self.d.lxc("network", "attach-profile", "benchbr0", "default", "eth0")
        out = []
        for i in (1, 2):
            name = "%s-%d" % (lxd.NAME, i)
            self.d.lxc("launch", lxd.NAME, name)
            text = subprocess.run(["lxc", "query", "/1.0/instances/%s/state" % name], env=self.d.env, stdout=subprocess.PIPE, check=True).stdout
            pid = str(json.loads(text)["pid"])
            # of the daemon's process namespace: ours is found by its parent's
            pid = self.outer(pid)
            for cmd in (["addr", "add", "10.80.5.%d/24" % i, "dev", "eth0"], ["link", "set", "eth0", "up"]):
                lib.sh("nsenter", "-t", pid, "-n", "ip", *cmd)
            out.append("/proc/%s/ns/net" % pid)
        return out[0], out[1], "10.80.5.2"

    def outer(self, inner):
        """A process of the daemon's namespace, as we know it."""
        me = os.readlink("/proc/self/ns/pid")
        for p in os.listdir("/proc"):
            if not p.isdigit():
                continue
            try:
                with open("/proc/%s/status" % p) as f:
                    ids = next(line.split()[1:] for line in f if line.startswith("NSpid:"))
            except (OSError, StopIteration):
                continue
            if len(ids) == 3 and ids[1] == inner and os.readlink("/proc/%s/ns/pid" % p) != me and self.is_lxd(p):
                return p
        raise RuntimeError("its init is not found")

    def is_lxd(self, p):
        with open("/proc/%s/cgroup" % p) as f:
            return lxd.NAME in f.read()

    def stop(self):
        for i in (1, 2):
            self.d.lxc("delete", "-f", "%s-%d" % (lxd.NAME, i), ok=False)
        self.d.stop()


def one(prog, kind, where, bad):
    p = subprocess.run([prog, kind, where[0], where[1], where[2], CPU, SECONDS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if p.returncode:
        raise RuntimeError("%s: %s" % (kind, p.stderr.decode().strip()))
    d = json.loads(p.stdout)
    if kind == "udp" and d["got"] != d["sent"]:
        bad.append(d["sent"] - d["got"])
    return d[KINDS[kind][1]]


def traffic(prog, who, rounds, title):
    """{kind: {name: [figure per round]}}"""
    res, lost = {k: {n: [] for n in who} for k in KINDS}, {}
    for i in range(rounds + 1):
        for k in KINDS:
            turns = list(who)
            random.shuffle(turns)
            for n in turns:
                v = one(prog, k, who[n], lost.setdefault(n, []))
                if i:
                    res[k][n].append(v)
    base = next(iter(who))
    for k, (what, _, unit) in KINDS.items():
        lib.table("%s: %s" % (title, what), res[k], base, unit)
    for n, l in lost.items():
        if l:
            print("  %s lost %d packets" % (n, sum(l)))
    return res


def compare(prog, who, bars, figures):
    res = traffic(prog, who, N, "two zones")
    figures["traffic"] = {k: lib.summary(v) for k, v in res.items()}
    for z in [n for n in who if n.startswith("zones")]:
        bars.append(lib.bar("request/response, %s / bare veth" % z, lib.ratio(res["rr"], z, "bare veth"), 1.12))
        bars.append(lib.bar("bulk TCP, CPU, %s / bare veth" % z, lib.ratio(res["tcp"], z, "bare veth"), 1.05))
        for k in ("rr", "crr", "udp"):
            bars.append(lib.bar("%s, %s / bridge without rules" % (KINDS[k][0], z), lib.ratio(res[k], z, "bridge without rules"), 1))
    return res


def creates(rounds, count):
    """Milliseconds of create with and without a NIC, and of stop and delete, in turns."""
    res = {k: [] for k in ("create", "create with a NIC", "stop -F", "stop -F with a NIC", "delete", "delete with a NIC")}
    for i in range(rounds + 1):
        turns = [("", {}), (" with a NIC", {"nics": [nic("10.82.%d.%d/16" % (i // 200, i % 200 + 1))]})]
        random.shuffle(turns)
        for word, more in turns:
            u = lib.uuid()
            text = json.dumps({"brand": "joyent-minimal", "uuid": u, **more}).encode()
            took = {}
            for verb, argv in (("create", ["vmadm", "create"]), ("stop -F", ["vmadm", "stop", "-F", u]), ("delete", ["vmadm", "delete", u])):
                time.sleep(0.03)  # what the one before has left to the kernel
                took[verb] = lib.timed(argv, text if verb == "create" else None)[0]
            if i:
                for verb, ms in took.items():
                    res[verb + word].append(ms)
    lib.table("create, stop, delete at %d zones" % count, res)
    return res


def added(res, verb):
    return statistics.median(res[verb + " with a NIC"]) - statistics.median(res[verb])


def fill(first, count):
    """So many zones on the switch, from that number on."""
    t = time.perf_counter()
    for i in range(first, first + count):
        lib.create(brand="joyent-minimal", nics=[nic("10.81.%d.%d/16" % (1 + i // 200, i % 200 + 1))])
    print("\n%d zones with a NIC each: %.1f ms each" % (count, (time.perf_counter() - t) * 1e3 / max(count, 1)))


def main(tmp):
    prog = lib.build_c("net")
    figures, bars, peer = {}, [], None
    lib.sh("nictagadm", "add", "-l", "bench0")
    pair = zones("10.81.0")
    who = {"bare veth": veth(), "zones": pair, "bridge without rules": bridge("b", "10.80.2")}
    for name, make in (("bridge with nftables", lambda: bridge("n", "10.80.3", NFT)), ("macvlan", macvlan)):
        try:
            who[name] = make()
        except SystemExit as e:
            print("%s: cannot: %s" % (name, e))
    try:
        peer = Peer(tmp)
        who["LXD's bridge"] = peer.pair()
    except (RuntimeError, OSError, subprocess.SubprocessError, SystemExit) as e:
        print("LXD's bridge: cannot: %s" % e)
        who.pop("LXD's bridge", None)
    try:
        few = compare(prog, who, bars, figures)
    finally:
        if peer:
            peer.stop()
    fill(0, 8)
    for count in (10, ZONES):
        if count > 10:
            fill(8, count - 10)
        res = creates(N, count)
        figures["create at %d" % count] = lib.summary(res)
        for verb in ("create", "stop -F", "delete"):
            bars.append(lib.bar("%s: added by a NIC at %d zones" % (verb, count), added(res, verb), 1.5, " ms"))
    if ZONES > 10:
        three = {k: who[k] for k in ("bare veth", "zones")}
        many = traffic(prog, three, N, "two zones of %d" % ZONES)
        figures["traffic at %d" % ZONES] = {k: lib.summary(v) for k, v in many.items()}
        for k in KINDS:
            bars.append(lib.bar("%s: %d zones / 2, both over bare veth" % (KINDS[k][0], ZONES),
                                lib.ratio(many[k], "zones", "bare veth") / lib.ratio(few[k], "zones", "bare veth"), 1.03))
    lib.report("net", {"figures": figures, "bars": bars})


ns_clean()
try:
    lib.run(main)
finally:
    ns_clean()
