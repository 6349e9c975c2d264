# SPDX-License-Identifier: MPL-2.0
"""What traffic between two zones is held against: namespaces of ours with a veth, bridges or macvlan between them, and LXD's own bridge.

Each maker returns two network namespaces, as paths, and the address of the second. What this machine can't have raises Cannot, with the reason.
A veth of ours has one queue at each end, whosever it is: with more, the kernel computes a hash for each packet to choose one.
"""
import json
import os
import subprocess
import time

import lib
import lxd

PREFIX = "bench-%s-" % lib.NODE
ONE = ("numtxqueues", "1", "numrxqueues", "1")
PORT = 7007  # net.c's
# what a tenant of a Linux bridge would have: ten rules, the one that lets the traffic in not the first of them
STATEFUL = """table ip bench { chain forward { type filter hook forward priority 0; policy drop;
  ct state established,related counter accept
  ct state invalid drop
  ip saddr 192.0.2.7 tcp dport 1-65535 drop
  ip daddr {NET}.2 tcp dport { 80, 443 } accept
  ip saddr 10.99.0.0/16 tcp dport 22 accept
  tcp dport 25 drop
  ip daddr 192.0.2.0/24 drop
  icmp type echo-request accept
  ip saddr {NET}.0/24 tcp dport {PORT} counter accept
  ip saddr {NET}.0/24 udp dport {PORT} counter accept
 }
}
"""
# and what keeps its senders from lying
PROTECTION = """table bridge bench {
 set senders { type ifname . ether_addr . ipv4_addr; elements = { {SENDERS} } }
 chain prerouting { type filter hook prerouting priority -300; policy drop;
  ether type ip iifname . ether saddr . ip saddr @senders counter accept
  ether type arp iifname . ether saddr . arp saddr ip @senders accept
 }
}
"""


class Cannot(Exception):
    """Says why."""


def ns_clean():
    """Network namespaces of a run that was killed, and ours."""
    for n in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        if n.startswith(PREFIX):
            lib.quiet("ip", "netns", "delete", n)


def do(*argv, stdin=None):
    p = subprocess.run(argv, input=stdin, stdin=None if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        raise Cannot("%s: %s" % (" ".join(argv), p.stderr.strip()))
    return p.stdout


def ns(name):
    do("ip", "netns", "add", PREFIX + name)
    do("ip", "-n", PREFIX + name, "link", "set", "lo", "up")
    return PREFIX + name


def path(n):
    return "/run/netns/" + n


def address(n, dev, cidr):
    do("ip", "-n", n, "addr", "add", cidr, "dev", dev)
    do("ip", "-n", n, "link", "set", dev, "up")


def veth():
    a, b = ns("va"), ns("vb")
    do("ip", "-n", a, "link", "add", "e0", *ONE, "type", "veth", "peer", "name", "e0", *ONE, "netns", b)
    address(a, "e0", "10.80.1.1/24")
    address(b, "e0", "10.80.1.2/24")
    return path(a), path(b), "10.80.1.2"


def link_address(n, dev):
    return json.loads(do("ip", "-j", "-n", n, "link", "show", "dev", dev))[0]["address"]


def bridge(name, net, rules=""):
    a, b, s = ns(name + "a"), ns(name + "b"), ns(name + "s")
    do("ip", "-n", s, "link", "add", "br0", "type", "bridge")
    do("ip", "-n", s, "link", "set", "br0", "up")
    for n, port, ip in ((a, "pa", 1), (b, "pb", 2)):
        do("ip", "-n", n, "link", "add", "e0", *ONE, "type", "veth", "peer", "name", port, *ONE, "netns", s)
        do("ip", "-n", s, "link", "set", port, "master", "br0", "up")
        address(n, "e0", "%s.%d/24" % (net, ip))
    # a bridge asks iptables and nftables about IP where br_netfilter is, and that is set for each network namespace
    do("ip", "netns", "exec", s, "sh", "-c",
       "for i in arp ip ip6; do f=/proc/sys/net/bridge/bridge-nf-call-${i}tables; [ ! -e $f ] || echo %d >$f || exit; done" % bool(rules))
    if rules:
        if not os.path.exists("/proc/sys/net/bridge"):
            raise Cannot("this kernel has no br_netfilter, without which a bridge's packets meet no stateful rule")
        senders = ", ".join('"%s" . %s . %s.%d' % (port, link_address(n, "e0"), net, ip) for n, port, ip in ((a, "pa", 1), (b, "pb", 2)))
        for k, v in (("{SENDERS}", senders), ("{NET}", net), ("{PORT}", str(PORT))):
            rules = rules.replace(k, v)
        do("ip", "netns", "exec", s, "nft", "-f", "-", stdin=rules)
    return path(a), path(b), net + ".2"


def bridge_nft():
    return bridge("n", "10.80.3", STATEFUL)


def bridge_nft_protected():
    return bridge("p", "10.80.6", STATEFUL + PROTECTION)


def macvlan():
    a, b, s = ns("ma"), ns("mb"), ns("ms")
    do("ip", "-n", s, "link", "add", "e0", *ONE, "type", "veth", "peer", "name", "e1", *ONE)
    do("ip", "-n", s, "link", "set", "e0", "up")
    do("ip", "-n", s, "link", "set", "e1", "up")
    for n, ip in ((a, 1), (b, 2)):
        do("ip", "-n", s, "link", "add", "link", "e0", "name", "m%d" % ip, "netns", n, "type", "macvlan", "mode", "bridge")
        address(n, "m%d" % ip, "10.80.4.%d/24" % ip)
    return path(a), path(b), "10.80.4.2"


# as netzones.EACH
CHAIN = """ chain z%d {
  tcp dport 80 accept
  tcp dport 443 accept
  ip saddr 10.99.0.0/16 tcp dport 22 accept
  ip saddr @app tcp dport 5432 accept
  icmp type echo-request accept
  ip saddr @metrics tcp dport 9100-9110 accept
  tcp dport 25 drop
  udp dport 1900 drop
  ip daddr 192.0.2.0/24 drop
  ip saddr 192.0.2.7 tcp dport 1-65535 drop
 }
"""


def nft_load(tmp, count, rounds):
    """Milliseconds of loading ten rules for each of so many zones with nftables, by one command, in place of those before."""
    n, rules = ns("l"), os.path.join(tmp, "rules.nft")
    zones = ["10.85.%d.%d" % (1 + i // 200, i % 200 + 1) for i in range(count)]
    with open(rules, "w") as f:
        f.write("table ip bench\ndelete table ip bench\ntable ip bench {\n set app { type ipv4_addr; elements = { %s } }\n set metrics { type ipv4_addr; }\n" % ", ".join(zones))
        f.writelines(CHAIN % i for i in range(count))
        f.write(" map zones { type ipv4_addr : verdict; elements = { %s } }\n" % ", ".join("%s : jump z%d" % (z, i) for i, z in enumerate(zones)))
        f.write(" chain forward { type filter hook forward priority 0; policy drop;\n  ct state established,related accept\n  ip daddr vmap @zones\n }\n}\n")
    took = []
    for i in range(rounds + 1):
        t = time.perf_counter()
        do("ip", "netns", "exec", n, "nft", "-f", rules)
        if i:
            took.append((time.perf_counter() - t) * 1e3)
    return took


class Lxd:
    """Its own bridge, between two containers of it whose init is ours: its usual images say nothing more of the path."""

    def __init__(self, tmp):
        tree = os.path.join(tmp, "lxdtree")
        for d in ("bin", "dev", "etc", "proc", "sys", "tmp", "run"):
            os.makedirs(os.path.join(tree, d))
        subprocess.run(["cc", "-O2", "-static", "-D_GNU_SOURCE", "-o", tree + "/bin/init", os.path.join(lib.SRC, "bench/init.c")], check=True)
        self.d = lxd.Lxd(tmp, tree, "/bin/init", net=True)
        self.d.lxc("network", "create", "benchbr0", "ipv4.address=10.80.5.254/24", "ipv6.address=none", "ipv4.nat=false", "ipv4.dhcp=false",
                   "dns.mode=none")
        self.d.lxc("network", "attach-profile", "benchbr0", "default", "eth0")

    def pair(self, **first):
        """In place of the pair before. first: settings of the first one's NIC, as limits_egress."""
        self.drop()
        out = []
        for i in (1, 2):
            name = "%s-%d" % (lxd.NAME, i)
            self.d.lxc("init", lxd.NAME, name)
            if first and i == 1:
                self.d.lxc("config", "device", "override", name, "eth0", *("%s=%s" % (k.replace("_", "."), v) for k, v in first.items()))
            self.d.lxc("start", name)
            text = subprocess.run(["lxc", "query", "/1.0/instances/%s/state" % name], env=self.d.env, stdout=subprocess.PIPE, check=True).stdout
            # of the daemon's process namespace: ours is found by its parent's
            pid = self.outer(str(json.loads(text)["pid"]))
            for cmd in (["addr", "add", "10.80.5.%d/24" % i, "dev", "eth0"], ["link", "set", "eth0", "up"]):
                do("nsenter", "-t", pid, "-n", "ip", *cmd)
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
        raise Cannot("its init is not found")

    def is_lxd(self, p):
        with open("/proc/%s/cgroup" % p) as f:
            return lxd.NAME in f.read()

    def drop(self):
        for i in (1, 2):
            self.d.lxc("delete", "-f", "%s-%d" % (lxd.NAME, i), ok=False)

    def stop(self):
        self.drop()
        self.d.stop()
