#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""usage: bench/hvm.py [ROUNDS]: machines (brand kvm) against the same QEMU by hand: the same options, the same disk, no jail.

start      vmadm start, to the guest's first instruction (QEMU says that it runs), and to the command's end, when it is stored that the VM is started
memory     what a machine with Debian's kernel in 256 MiB takes beside the guest's RAM: QEMU, and the keeper and the worker of its zone (Pss)
idle       processor time of a machine whose guest halts (HLT)
clone      vmadm create of a machine from an image of 10 GiB, of which 1 GiB is there; not started
A row of another is a function in ROWS: it gets the Machine and the rounds, and returns bars.
"""
import datetime
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

import hvmguest
import lib

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = b"GUEST UP"
GIB = 1 << 30
LARGE = {"256 pieces of 4 MiB": 4 << 20, "8192 pieces of 128 KiB": 128 << 10}  # the latter is what a pool makes of data that it compresses


def guest(tmp):
    """The boot sector of the tests, as a disk."""
    raw = os.path.join(tmp, "g.raw")
    shutil.copy(os.path.join(lib.BUILD, "tests/system/bootsector.bin"), raw)
    os.truncate(raw, 2 << 20)
    return raw


def linux(tmp):
    """Debian's kernel with a small user space, as a disk."""
    return hvmguest.image(tmp, hvmguest.program(tmp))[0]


def pss(pid, ram=0):
    """Pss in MiB; of a monitor without its guest's RAM, which is the one mapping of just that size (MiB)."""
    with open("/proc/%d/smaps" % pid) as f:
        sizes = re.findall(r"^Size:\s+(\d+) kB(?:\n(?!Size:).*)*?\nPss:\s+(\d+)", f.read(), re.M)
    rams = [i for i, (size, _) in enumerate(sizes) if ram and int(size) == ram << 10]
    if len(rams) != (1 if ram else 0):
        sys.exit("process %d has %d mappings of %d MiB, one was expected" % (pid, len(rams), ram))
    return sum(int(p) for i, (_, p) in enumerate(sizes) if i not in rams) / 1024


def ran(pid):
    """Processor time of a process with all its threads, ms."""
    tasks = "/proc/%d/task" % pid
    return sum(int(open("%s/%s/schedstat" % (tasks, t)).read().split()[0]) for t in os.listdir(tasks)) / 1e6


class Hand:
    """QEMU as somebody would start it who wants what the machine has, and no zone."""

    def __init__(self, tmp, cmdline, disk):
        self.sock, self.log = os.path.join(tmp, "hand.qmp"), os.path.join(tmp, "hand.log")
        self.argv, skip = [], False
        for i, a in enumerate(cmdline):
            if skip:
                skip = False
                continue
            if a == "-add-fd":
                skip = True
                continue
            a = re.sub(r"socket,id=qmp,fd=\d+", "socket,id=qmp,path=" + self.sock, a)
            a = re.sub(r"socket,id=(\w+),fd=\d+", r"socket,id=\1,path=" + self.sock + r".\1", a)
            a = a.replace("stdio,id=com1,signal=off", "file,id=com1,path=" + self.log)
            a = re.sub(r"/dev/fdset/\d+", disk, a)
            self.argv.append(a)

    def start(self):
        """Milliseconds until it says that it runs."""
        t = time.perf_counter()
        self.p = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL)
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(self.sock)
                break
            except OSError:
                s.close()
                time.sleep(0.0005)
        f = s.makefile("rw")
        f.readline()
        for c, word in (("qmp_capabilities", "return"), ("cont", "RESUME")):  # as we do it: answers come when the guest leaves QEMU the time
            f.write(json.dumps({"execute": c}) + "\n")
            f.flush()
            while word not in f.readline():
                pass
        ms = (time.perf_counter() - t) * 1e3
        s.close()
        return ms

    def up(self):
        wait(self.log)

    def stop(self):
        self.p.kill()
        self.p.wait()
        for f in os.listdir(os.path.dirname(self.sock)):
            if f.startswith("hand."):
                os.unlink(os.path.join(os.path.dirname(self.sock), f))


def wait(log, after=0):
    """Until the guest has said that it is up."""
    end = time.time() + 180
    while time.time() < end:
        if os.path.exists(log):
            with open(log, "rb") as f:
                if f.read()[after:].count(HEAD):
                    return
        time.sleep(0.02)
    sys.exit("%s: the guest is not up" % log)


class Machine:
    def __init__(self, tmp, name="bench", raw=None, ram=128):
        self.tmp, self.raw, self.ram = tmp, raw or guest(tmp), ram
        lib.sh("imgadm", "import", "--type", "zvol", "--name", name, self.raw)
        image = lib.sh("imgadm", "list", "-Ho", "uuid", "name=" + name).strip()
        self.uuid = lib.create(brand="kvm", ram=ram, autoboot=False, disks=[{"boot": True, "model": "virtio", "image_uuid": image}])
        self.log = "/var/log/cloister-%s/vms/%s/console.log" % (lib.NODE, self.uuid)
        self.start()
        with open("/proc/%d/cmdline" % self.pid()) as f:
            argv = f.read().split("\0")[:-1]
        self.stop()
        self.hand = Hand(tmp, argv, self.raw)

    def start(self):
        """Milliseconds until QEMU said that it runs, which stands in the node's log, and until the command's end."""
        self.mark = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        oplog = "/var/log/cloister-%s/operation.log" % lib.NODE
        at, began = os.path.getsize(oplog), time.time()
        ms = lib.timed(["vmadm", "start", self.uuid])[0]
        with open(oplog) as f:
            f.seek(at)
            when = re.findall(r"^(\S+)Z \d+ boot %s: boot-machine " % self.uuid, f.read(), re.M)
        runs = datetime.datetime.fromisoformat(when[-1]).replace(tzinfo=datetime.timezone.utc)
        return (runs.timestamp() - began) * 1e3, ms

    def up(self):
        wait(self.log, self.mark)

    def stop(self):
        lib.sh("vmadm", "stop", self.uuid, "-F")

    def pid(self):
        return json.loads(lib.sh("vmadm", "get", self.uuid))["pid"]

    def all(self):
        """Of QEMU, its keeper and its worker."""
        init = self.pid()
        keeper = int(re.search(r"^PPid:\s+(\d+)", open("/proc/%d/status" % init).read(), re.M)[1])
        worker = int(open("%s/%s/worker" % (lib.RUN, self.uuid)).read().split()[0])
        return init, keeper, worker


def start(m, n):
    whole = []

    def machine():
        ms, all_ms = m.start()
        m.stop()
        whole.append(all_ms)
        return ms

    def hand():
        ms = m.hand.start()
        m.hand.stop()
        return ms
    res = lib.rounds(n, {"vmadm start": machine, "QEMU by hand": hand})
    res["vmadm start, to its end"] = whole[-len(res["vmadm start"]):]
    lib.table("to the guest's first instruction", res, base="QEMU by hand")
    return [lib.bar("vmadm start, against the same QEMU by hand", lib.ratio(res, "vmadm start", "QEMU by hand"), 1.3, " ×",
                    lib.spread(res, "vmadm start", "QEMU by hand"))]


def settled(measure):
    """Pss of each process, when it stays what it is: QEMU gives back what its start took, tens of MiB, one or two seconds after it."""
    last, same, end = None, 0, time.time() + 30
    while same < 3:
        if time.time() > end:
            sys.exit("memory does not settle: %s" % last)
        time.sleep(1)
        now = measure()
        same = same + 1 if last and all(abs(a - b) < 0.2 for a, b in zip(now, last)) else 0
        last = now
    return last


def memory(first, n):
    m = Machine(first.tmp, "bench-linux", linux(first.tmp), 256)
    got = {"machine": [], "of it QEMU": [], "QEMU by hand": []}
    for i in range(6):
        for x in (m, m.hand) if i % 2 else (m.hand, m):
            x.start()
            x.up()
        qemu, *zone = m.all()
        *machine, hand = settled(lambda: [pss(qemu, m.ram), *map(pss, zone), pss(m.hand.p.pid, m.ram)])
        got["machine"].append(sum(machine))
        got["of it QEMU"].append(machine[0])
        got["QEMU by hand"].append(hand)
        m.stop()
        m.hand.stop()
    lib.table("memory beside the RAM of Debian's kernel in 256 MiB (Pss)", got, unit="MiB")
    more = [a - b for a, b in zip(got["machine"], got["QEMU by hand"])]
    return [lib.bar("memory of a machine beside the same QEMU by hand", statistics.median(more), 1, " MiB", lib.quarters(more))]


def idle(m, n):
    m.start()
    m.up()
    for _ in range(5):
        subprocess.run([os.path.join(lib.SRC, "tests/system/onpty.py"), "-t", "10", "onnected;;<h;;h;;<\\r~.", "zlogin", "-C", m.uuid],
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=30)
        time.sleep(0.5)
        if open(m.log, "rb").read().rstrip(b"\r").endswith(b"h"):
            break
    else:
        sys.exit("the guest has not heard that it is to halt")
    time.sleep(2)
    pids = m.all()
    a, t = [ran(p) for p in pids], time.time()
    time.sleep(10)
    used = [(ran(p) - x) / (time.time() - t) / 10 for p, x in zip(pids, a)]
    m.stop()
    print("\nidle guest, %% of a processor: QEMU %.3f, keeper %.3f, worker %.3f" % tuple(used))
    return [lib.bar("a machine whose guest halts, of a processor", sum(used), 1, " %")]


def large(tmp, name, piece):
    """An image of 10 GiB with 1 GiB in it, a piece at a time with holes between: what one is that was used before it became an image."""
    raw, count = os.path.join(tmp, "large.raw"), GIB // piece
    with open(raw, "wb") as f:
        f.truncate(10 * GIB)
        block = os.urandom(piece)
        for i in range(count):
            f.seek(i * (10 * GIB // count) // 4096 * 4096)
            f.write(block)
    lib.sh("imgadm", "import", "--type", "zvol", "--name", name, raw)
    os.unlink(raw)
    return lib.sh("imgadm", "list", "-Ho", "uuid", "name=" + name).strip()


def clone(m, n):
    def once(image):
        lib.sh("sync", "-f", lib.POOL)  # what the round before has left to be written is not this one's
        payload = {"brand": "kvm", "uuid": lib.uuid(), "ram": 128, "autoboot": False, "disks": [{"boot": True, "model": "virtio", "image_uuid": image}]}
        ms = lib.timed(["vmadm", "create"], json.dumps(payload).encode())[0]
        lib.sh("vmadm", "delete", payload["uuid"])
        return ms
    images = {name: large(m.tmp, "bench-" + name.split()[0], piece) for name, piece in LARGE.items()}
    res = lib.rounds(n, {name: lambda i=i: once(i) for name, i in images.items()})
    lib.table("vmadm create of a machine from an image of 10 GiB, 1 GiB of it there", res)
    return [lib.bar("vmadm create of a machine, 10 GiB image: " + k, statistics.median(v), 60, " ms", lib.quarters(v)) for k, v in res.items()]


ROWS = [start, memory, idle, clone]


def main(tmp):
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    if not lib.have("qemu-system-x86_64") or not lib.have("as"):
        sys.exit("needs qemu-system-x86_64 and as")
    m = Machine(tmp)
    accel = json.loads(lib.sh("sh", "-c", "vmadm start %s 2>/dev/null; vmadm info %s accelerator" % (m.uuid, m.uuid)))["accelerator"]
    m.stop()
    print("accelerator: " + accel)
    bars = [b for row in ROWS for b in row(m, n)]
    lib.report("hvm", {"accelerator": accel, "bars": bars})


if __name__ == "__main__":
    lib.run(main)
