#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""usage: bench/hvmmigrate.py [ROUNDS [idle] [writes]]: a machine of 256 MiB that goes to another node of this host, against QEMU by hand over TCP without TLS.

Its guest sleeps, or writes 96 MiB of memory and 16 MiB of disk as fast as it can (tests/system/writer.c). By hand is what a script with QMP does: an NBD
server there, a mirror of each disk, memory behind them, the mirrors' end in the guest's last moment; downtime-limit as vmadm has it, twice as much after
each half second that brought nothing. Downtime by hand is from its event STOP to RESUME of the other QEMU; the machine's is vmadm's own, which counts the news' way
back as well. Each has a guest that runs all the time; the one that is not asked has its processors stopped.
"""
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

import lib

RAM, WRITES, DATA = 256, 96, 16  # MiB
LIMIT, LIMIT_MAX, NEED = 100, 2000, 0.5  # as src/node/migrate.c has them: ms, ms, s
INIT = """#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
while read -r m; do insmod /mod/$m 2>/dev/null; done </mod/order
echo GUEST UP >/dev/ttyS0
%s
while :; do sleep 1000; done
"""
GUESTS = {"idle": "", "writes": "/bin/writer %d /dev/vdb %d >/dev/ttyS0" % (WRITES, DATA)}


def image(tmp, kind):
    """The tests' guest, which does nothing but this."""
    add, raw = os.path.join(tmp, "add-" + kind), os.path.join(tmp, kind + ".raw")
    os.makedirs(add + "/bin")
    shutil.copy(os.path.join(lib.BUILD, "tests/system/writer"), add + "/bin/writer")
    with open(add + "/init", "w") as f:
        f.write(INIT % GUESTS[kind])
    os.chmod(add + "/init", 0o755)
    p = subprocess.run(["bash", "-c", '. "$1/lib.sh"; . "$1/guest.sh"; T_TMP=$2 G_ADD=$3; need_guest && mkguest "$4"', "image", os.path.join(lib.SRC, "tests/system"),
                        tmp, add, raw], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if p.returncode or not os.path.exists(raw):
        sys.exit("no guest: " + p.stdout.strip()[-300:])
    return raw


def wait_up(log):
    end = time.time() + 120
    while time.time() < end:
        if os.path.exists(log) and b"GUEST UP" in open(log, "rb").read():
            time.sleep(3)  # what it writes is there when it is measured
            return
        time.sleep(0.1)
    sys.exit("%s: the guest is not up" % log)


class Qemu:
    all = []

    def __init__(self, folder, accel, incoming):
        self.log, sock = os.path.join(folder, "com1"), os.path.join(folder, "qmp")
        argv = ["qemu-system-x86_64", "-machine", "q35,accel=" + accel, "-cpu", "host" if accel == "kvm" else "max", "-m", str(RAM), "-nodefaults",
                "-display", "none", "-serial", "file:" + self.log, "-qmp", "unix:%s,server=on,wait=off" % sock]
        for d in ("d0", "d1"):
            argv += ["-blockdev", "driver=raw,node-name=%s,file.driver=file,file.filename=%s/%s" % (d, folder, d), "-device", "virtio-blk-pci,drive=" + d]
        self.p = subprocess.Popen(argv + (["-incoming", "defer"] if incoming else []), stdin=subprocess.DEVNULL)
        Qemu.all.append(self)
        self.events = {}
        end = time.time() + 30
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(sock)
                break
            except OSError:
                s.close()
                if time.time() > end or self.p.poll() is not None:
                    sys.exit("QEMU does not start")
                time.sleep(0.01)
        s.settimeout(60)
        self.f = s.makefile("rw")
        self.f.readline()
        self.do("qmp_capabilities")

    def do(self, command, **args):
        self.f.write(json.dumps({"execute": command, "arguments": args}) + "\n")
        self.f.flush()
        while True:
            m = json.loads(self.f.readline())
            if "event" in m:
                self.events[m["event"]] = m["timestamp"]["seconds"] * 1000 + m["timestamp"]["microseconds"] / 1000
            elif "error" in m:
                sys.exit("QEMU by hand: %s: %s" % (command, m["error"]["desc"]))
            else:
                return m["return"]

    def until(self, what, query, *args):
        end = time.time() + 300
        while not what(self.do(query)):
            if time.time() > end:
                sys.exit("QEMU by hand: %s does not come to an end" % query)
            time.sleep(0.005)

    def end(self):
        self.p.kill()
        self.p.wait()


class Hand:
    def __init__(self, tmp, raw, accel):
        self.accel, self.n = accel, 0
        self.base = os.path.join(lib.POOL, "hand-" + os.path.basename(tmp) + "-" + os.path.basename(raw))
        self.q = Qemu(self.folder(raw), accel, False)
        wait_up(self.q.log)

    def folder(self, raw=None):
        self.n += 1
        d = "%s.%d" % (self.base, self.n)
        os.makedirs(d)
        for name, size in (("d0", 32), ("d1", DATA)):
            with open(os.path.join(d, name), "wb") as f:
                f.truncate(size << 20)
        if raw:
            shutil.copyfile(raw, os.path.join(d, "d0"))
        return d

    def processes(self):
        return [self.q.p.pid]

    def go(self):
        """(total, downtime), ms."""
        there, q, port = Qemu(self.folder(), self.accel, True), self.q, 20000 + os.getpid() % 10000
        begin = time.time() * 1000
        there.do("migrate-incoming", uri="tcp:127.0.0.1:%d" % port)
        there.do("nbd-server-start", addr={"type": "inet", "data": {"host": "127.0.0.1", "port": str(port + 1)}})
        for d in ("d0", "d1"):
            there.do("block-export-add", **{"type": "nbd", "id": d, "node-name": d, "name": d, "writable": True})
            q.do("blockdev-add", **{"driver": "nbd", "node-name": "to-" + d, "export": d, "discard": "unmap", "detect-zeroes": "unmap",
                                    "server": {"type": "inet", "host": "127.0.0.1", "port": str(port + 1)}})
            q.do("blockdev-mirror", **{"job-id": d, "device": d, "target": "to-" + d, "sync": "full", "copy-mode": "write-blocking"})
        q.until(lambda jobs: all(j["status"] == "ready" for j in jobs), "query-jobs")
        q.do("migrate-set-parameters", **{"max-bandwidth": 1 << 40, "downtime-limit": LIMIT})
        q.do("migrate-set-capabilities", capabilities=[{"capability": c, "state": True} for c in ("auto-converge", "pause-before-switchover", "events")])
        q.do("migrate", uri="tcp:127.0.0.1:%d" % port)
        limit, best, best_at = LIMIT, None, time.time()

        def standing(m):
            nonlocal limit, best, best_at
            if m.get("status") in ("failed", "cancelled"):
                sys.exit("QEMU by hand: %s" % m)
            left = m.get("ram", {}).get("remaining", 0)
            if best is None or left < best:
                best, best_at = left, time.time()
            if limit * 2 <= LIMIT_MAX and time.time() - best_at > NEED:
                limit, best_at = limit * 2, time.time()
                q.do("migrate-set-parameters", **{"downtime-limit": limit})
            return m.get("status") == "pre-switchover"
        q.until(standing, "query-migrate")
        for d in ("d0", "d1"):
            q.do("block-job-cancel", device=d)
        q.until(lambda jobs: not jobs, "query-jobs")
        there.do("nbd-server-stop")
        q.do("migrate-continue", state="pre-switchover")
        there.until(lambda s: s["running"] and "RESUME" in there.events, "query-status")  # its event may come behind the answer
        total = there.events["RESUME"] - begin
        down = there.events["RESUME"] - q.events["STOP"]
        q.end()
        self.q = there
        return total, down


class Machine:
    def __init__(self, raw, kind):
        lib.sh("imgadm", "import", "--type", "zvol", "--name", kind, raw)
        img = lib.sh("imgadm", "list", "-Ho", "uuid", "name=" + kind).strip()
        self.uuid = lib.create(brand="kvm", ram=RAM, autoboot=True,
                               disks=[{"boot": True, "model": "virtio", "image_uuid": img}, {"model": "virtio", "size": DATA}])
        self.at, self.to = lib.NODE, lib.SECOND
        wait_up("/var/log/cloister-%s/vms/%s/console.log" % (lib.NODE, self.uuid))

    def processes(self):
        with lib.on(self.at):
            return [json.loads(lib.sh("vmadm", "get", self.uuid))["pid"]]

    def go(self):
        where = "127.0.0.1:%d" % (30000 + os.getpid() % 10000)
        with lib.on(self.to):
            r = subprocess.Popen(["vmadm", "receive", "-l", where], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while "Listening" not in (line := r.stdout.readline()):
            if not line:
                sys.exit("vmadm receive ends")
        with lib.on(self.at):
            text = lib.timed(["vmadm", "migrate", self.uuid, where])[1]
        r.communicate(timeout=60)
        self.at, self.to = self.to, self.at
        m = re.search(r"total (\d+) ms, .*downtime (\d+) ms", text)
        return int(m[1]), int(m[2])


def alone(x, others):
    """One goes while the others stand: what they would take of the processors is not the same for each."""
    pids = [p for o in others for p in o.processes()]
    for p in pids:
        os.kill(p, signal.SIGSTOP)
    try:
        return x.go()
    finally:
        for p in pids:
            os.kill(p, signal.SIGCONT)


def measure(tmp, kind, n):
    raw = image(tmp, kind)
    m = Machine(raw, kind)
    with lib.on(m.at):
        accel = json.loads(lib.sh("vmadm", "info", m.uuid, "accelerator"))["accelerator"]
    hand = Hand(tmp, raw, accel)
    total, down = {"machine": [], "by hand": []}, {"machine": [], "by hand": []}
    for i in range(n):
        for name, x, o in ([("machine", m, hand), ("by hand", hand, m)] if i % 2 else [("by hand", hand, m), ("machine", m, hand)]):
            t, d = alone(x, [o])
            total[name].append(t)
            down[name].append(d)
    hand.q.end()
    with lib.on(m.at):
        lib.sh("vmadm", "delete", m.uuid)
    lib.table("%s: total" % kind, total, base="by hand")
    lib.table("%s: downtime" % kind, down, base="by hand")
    bars = [lib.bar("migration, guest %s: downtime beside QEMU by hand" % kind,
                    statistics.median(a - b for a, b in zip(down["machine"], down["by hand"])), 100, " ms", lib.quarters(down["machine"])),
            lib.bar("migration, guest %s: total against QEMU by hand" % kind, lib.ratio(total, "machine", "by hand"), 1.5, " ×",
                    lib.spread(total, "machine", "by hand"))]
    return accel, {"total": total, "downtime": down}, bars


def main(tmp):
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if not lib.have("qemu-system-x86_64"):
        sys.exit("needs qemu-system-x86_64")
    lib.second()
    with lib.on(lib.SECOND):
        b = lib.sh("cloister", "peer", "show").strip()
        lib.sh("cloister", "peer", "add", "a", subprocess.run(["cloister", "peer", "show"], env={**os.environ, "CLOISTER_NODE": lib.NODE}, capture_output=True,
                                                              text=True, check=True).stdout.strip())
    lib.sh("cloister", "peer", "add", "b", b)
    bars, figures, accel = [], {}, ""
    try:
        for kind in sys.argv[2:] or GUESTS:
            accel, figures[kind], more = measure(tmp, kind, n)
            bars += more
    finally:
        for q in Qemu.all:
            q.end()
    print("accelerator: " + accel)
    lib.report("hvmmigrate", {"accelerator": accel, "figures": figures, "bars": bars})


if __name__ == "__main__":
    lib.run(main)
