# SPDX-License-Identifier: MPL-2.0
"""The zones of bench/net: two with link protection, two with a firewall as well, the thousand others with their 10,000 rules; and what commands cost there."""
import concurrent.futures
import json
import os
import random
import statistics
import time

import lib

TENANT = "be9c0000-0000-4000-9000-000000000000"
# of the two with a firewall; the ones that let the traffic in stand among others, as a tenant's do
RULES = ["FROM any TO tag role = web ALLOW tcp (PORT 80 AND PORT 443)",
         "FROM tag role = metrics TO all vms ALLOW tcp PORTS 9100-9110",
         "FROM subnet 10.99.0.0/16 TO all vms ALLOW tcp PORT 22",
         "FROM any TO all vms ALLOW icmp TYPE 8",
         "FROM tag role = web TO tag role = db ALLOW tcp PORT 5432",
         "FROM tag role = web TO tag role = db ALLOW tcp PORT 7007",
         "FROM tag role = web TO tag role = db ALLOW udp PORT 7007",
         "FROM all vms TO any BLOCK tcp PORT 25",
         "FROM all vms TO subnet 192.0.2.0/24 BLOCK tcp PORT all",
         "FROM ip 192.0.2.7 TO all vms BLOCK tcp PORT all PRIORITY 10"]
# of each of the thousand
EACH = ["FROM any TO vm {} ALLOW tcp PORT 80",
        "FROM any TO vm {} ALLOW tcp PORT 443",
        "FROM subnet 10.99.0.0/16 TO vm {} ALLOW tcp PORT 22",
        "FROM tag role = app TO vm {} ALLOW tcp PORT 5432",
        "FROM any TO vm {} ALLOW icmp TYPE 8",
        "FROM tag role = metrics TO vm {} ALLOW tcp PORTS 9100-9110",
        "FROM vm {} TO any BLOCK tcp PORT 25",
        "FROM vm {} TO any BLOCK udp PORT 1900",
        "FROM vm {} TO subnet 192.0.2.0/24 BLOCK tcp PORT all",
        "FROM ip 192.0.2.7 TO vm {} BLOCK tcp PORT all PRIORITY 10"]
CREATES = ("", " with a NIC", " with a NIC and a firewall")


def owner(i):
    """Ten zones each."""
    return "be9c0000-0000-4000-9000-%012d" % (1 + i // 10)


def nic(ip):
    return [{"nic_tag": "bench0", "ips": [ip]}]


def namespace(node, uuid):
    with open("/run/cloister-%s/%s/zone" % (node, uuid)) as f:
        return "/proc/%s/ns/net" % next(line.split()[1] for line in f if line.startswith("init "))


def pair(node, net, firewall):
    """Two zones that run: their network namespaces, the address of the second."""
    u = []
    for i, role in ((1, "web"), (2, "db")):
        u.append(lib.create(brand="joyent-minimal", owner_uuid=TENANT, tags={"role": role}, firewall_enabled=firewall, nics=nic("%s.%d/16" % (net, i))))
    return namespace(node, u[0]), namespace(node, u[1]), net + ".2"


def switch(node):
    """An etherstub with both pairs and the tenant's rules: {firewall: pair}."""
    with lib.on(node):
        lib.sh("nictagadm", "add", "-l", "bench0")
        made = {fw: pair(node, "10.84.%d" % fw, fw) for fw in (False, True)}
        add([{"enabled": True, "owner_uuid": TENANT, "rule": r} for r in RULES])
    return made


def add(rules, tmp="/dev/stdin"):
    """Milliseconds of fwadm add."""
    return lib.timed(["fwadm", "add", "-f", tmp], json.dumps({"rules": rules}).encode())[0]


def fill(first, count):
    """So many zones with a firewall, from that number on, two at a time. Their uuids."""
    def one(x):
        i, u = x
        lib.create(uuid=u, brand="joyent-minimal", owner_uuid=owner(i), tags={"role": "app"}, firewall_enabled=True,
                   nics=nic("10.85.%d.%d/16" % (1 + i // 200, i % 200 + 1)))
        return u
    todo = [(i, lib.uuid()) for i in range(first, first + count)]
    t = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = list(pool.map(one, todo))
    print("\n%d zones with a NIC and a firewall each, two at a time: %.1f ms each" % (count, (time.perf_counter() - t) * 1e3 / max(count, 1)), flush=True)
    return made


def settled():
    """Nothing of what was before is left to be done."""
    lib.sh("sync", "-f", lib.POOL)
    time.sleep(0.05)


def creates(rounds, count, bars):
    """Milliseconds of create, stop and delete, with and without a NIC, in turns; the bars of what a NIC adds."""
    res = {v + w: [] for v in ("create", "stop -F", "delete") for w in CREATES}
    for i in range(rounds + 1):
        turns = list(zip(CREATES, ({}, {"nics": nic("10.86.1.%d/16" % (i + 1))}, {"nics": nic("10.86.2.%d/16" % (i + 1)), "firewall_enabled": True})))
        random.shuffle(turns)
        for word, more in turns:
            u = lib.uuid()
            text = json.dumps({"brand": "joyent-minimal", "uuid": u, "owner_uuid": TENANT, **more}).encode()
            took = {}
            for verb, argv in (("create", ["vmadm", "create"]), ("stop -F", ["vmadm", "stop", "-F", u]), ("delete", ["vmadm", "delete", u])):
                settled()
                took[verb] = lib.timed(argv, text if verb == "create" else None)[0]
            if i:
                for verb, ms in took.items():
                    res[verb + word].append(ms)
    lib.table("create, stop, delete at %d zones" % count, res)
    for verb in ("create", "stop -F", "delete"):
        more = [a - b for a, b in zip(res[verb + " with a NIC"], res[verb])]
        # of create alone the issue has a bar; the others are held to the same
        bars.append(lib.bar("%s: added by a NIC at %d zones" % (verb, count), statistics.median(more), 1.5, " ms", lib.quarters(more)))
    more = [a - b for a, b in zip(res["create with a NIC and a firewall"], res["create"])]
    print("  %-84s %9.3f ms  no bar         (half of the rounds: %.3f to %.3f)" % ("create: added by a NIC and a firewall at %d zones" % count,
                                                                            statistics.median(more), *lib.quarters(more)))
    return res


def rules_of(uuids):
    return [{"enabled": True, "owner_uuid": owner(i), "rule": r.format(u)} for i, u in enumerate(uuids) for r in EACH]


def load(tmp, uuids, rounds, bars, peers):
    """10,000 rules by the commands: stored and in force; from the records into force alone; one rule for all; one tag. peers: {name: [ms]}"""
    rules, path = rules_of(uuids), os.path.join(tmp, "rules.json")
    with open(path, "w") as f:
        json.dump({"rules": rules}, f)
    res = {"fwadm add, all of them": [lib.timed(["fwadm", "add", "-f", path])[0]]}
    mark = "/run/cloister-%s/net/bpf/firewall-changing" % lib.NODE
    every = json.loads(lib.sh("fwadm", "add", "-j", "-e", "-g", "FROM ip 192.0.2.8 TO all vms BLOCK tcp PORT all PRIORITY 10"))["rules"][0]["uuid"]
    # its sets, and of its own lists the two of the pair
    small = json.loads(lib.sh("fwadm", "add", "-j", "-e", "-O", TENANT, "FROM ip 192.0.2.9 TO tag role = db ALLOW tcp PORT 22"))["rules"][0]["uuid"]
    turns = {"from the records into force, all": None, "fwadm enable, a rule for all": ("fwadm", "enable", every), "fwadm enable, a rule for one": ("fwadm", "enable", small),
             "vmadm update, one tag": ("vmadm", "update", uuids[0], "-f", os.path.join(tmp, "tag.json"))}
    for i in range(rounds + 1):
        for name, argv in turns.items():
            if argv is None:
                # what a command does that finds another's change half done
                os.mkdir(mark)
                argv = ("fwadm", "enable", small)
            elif argv[1] == "enable":
                lib.sh("fwadm", "disable", argv[2])
            else:
                with open(argv[-1], "w") as f:
                    json.dump({"remove_tags": ["role"]} if i % 2 else {"set_tags": {"role": "app"}}, f)
            settled()
            ms = lib.timed(argv)[0]
            if i:
                res.setdefault(name, []).append(ms)
    lib.sh("fwadm", "delete", every, small)
    res.update(peers)
    lib.table("%d rules of %d zones" % (len(rules), len(uuids)), res)
    whole = res["from the records into force, all"]
    bars.append(lib.bar("%d rules from the records into force, the whole command" % len(rules), statistics.median(whole), 50, " ms", lib.quarters(whole)))
    return res
