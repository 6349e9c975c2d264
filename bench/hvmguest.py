#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""usage: bench/hvmguest.py [ROUNDS [boot] [disk] [net] [null]]: a machine's Linux guest: its boot, its disk and its network, against QEMU as an operator types it by hand.

By hand: the bare file, a tap at a Linux bridge, and nothing that a machine has beside what is measured (no jail, no balloon, no places for hot-plug). Its files
lie in the machine's own pool, cloned from the same image. The guest is Debian's kernel for clouds with guest.c in its initial file system, the one that the tests
have; both guests run at once, and are asked in turns. One boot differs from the next by more than one round does (where kernel and modules lie is drawn anew), so
there are several, and a figure is the median over boots of the median of a boot's rounds.
null: a second machine by hand takes its turns with them, and the two by hand are held against each other: what this bench can't tell apart.
"""
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import time

import lib
import lxd
import netpeers

RAM, DATA = 192, 256  # MiB
WORDS = "console=ttyS0 quiet loglevel=1 panic=1 mitigations=off tsc=reliable"
AT = {"machine": "10.87.1.1", "by hand": "10.87.2.1", "by hand again": "10.87.2.3"}
PEER = {k: v.rpartition(".")[0] + ".2" for k, v in AT.items()}
INIT = """#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
while read -r m; do insmod /mod/$m 2>/dev/null; done </mod/order
ip link set lo up; ip link set eth0 up
echo 1 >/proc/sys/vm/nr_hugepages
echo GUEST UP >/dev/ttyS0
exec /bin/bench agent >/dev/ttyS0 2>&1
"""
# what the guest is asked, and the unit that a round's time becomes
DISK = {"read, in order": ("read /dev/vdb 1048576 128 seq", "MiB/s", 128),
        "read, 4 KiB anywhere": ("read /dev/vdb 4096 1500 rand", "/s", 1500),
        "write, in order, flushed": ("write /dev/vdb 1048576 64 seq 0", "MiB/s", 64),
        "write, 4 KiB anywhere, 128 a flush": ("write /dev/vdb 4096 768 rand 128", "/s", 768),
        "write, 4 KiB, each flushed": ("write /dev/vdb 4096 40 rand 1", "/s", 40)}
NET = {"TCP out of the guest": ("send {IP} 64", "MiB/s", 64),
       "TCP into the guest": ("fetch {IP} 64", "MiB/s", 64),
       "a byte there and one back": ("ask {IP} 600", "/s", 600)}


def program(tmp):
    out = os.path.join(tmp, "guest")
    subprocess.run(["cc", "-O2", "-static", "-D_GNU_SOURCE", "-o", out, os.path.join(lib.SRC, "bench/guest.c")], check=True)
    return out


def image(tmp, prog):
    """The tests' guest with ours in it; kernel and initrd by themselves as well."""
    add, raw = os.path.join(tmp, "add"), os.path.join(tmp, "linux.raw")
    os.makedirs(add + "/bin")
    with open(add + "/init", "w") as f:
        f.write(INIT)
    os.chmod(add + "/init", 0o755)
    subprocess.run(["cp", prog, add + "/bin/bench"], check=True)
    p = subprocess.run(["bash", "-c", '. "$1/lib.sh"; . "$1/guest.sh"; T_TMP=$2 G_ADD=$3; need_guest && mkguest "$4" && echo "kernel $(ls "$G_KERNEL"/boot/vmlinuz-*)"',
                        "image", os.path.join(lib.SRC, "tests/system"), tmp, add, raw], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    kernel = re.search(r"^kernel (\S+)$", p.stdout, re.M)
    if p.returncode or not kernel:
        raise RuntimeError("no guest: " + p.stdout.strip()[-300:])
    at = 2048 + (os.path.getsize(kernel[1]) + 511) // 512
    with open(raw, "rb") as f, open(os.path.join(tmp, "initrd"), "wb") as out:
        f.seek(at * 512)
        out.write(f.read())
    return raw, kernel[1], os.path.join(tmp, "initrd")


class Talk:
    """A guest that can be asked."""

    def connect(self, path):
        end = time.time() + 30
        while True:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(120)
            try:
                self.s.connect(path)
                break
            except OSError:
                self.s.close()
                if time.time() > end:
                    raise
                time.sleep(0.05)
        self.f = self.s.makefile("r")

    def ask(self, what):
        """Seconds that it took inside."""
        self.s.sendall(what.encode() + b"\n")
        line = self.f.readline(200)
        if not re.fullmatch(r"\d+\n", line):
            raise RuntimeError("%s: %s: %s" % (self.NAME, what, line.strip() or "the guest is gone"))
        return int(line) / 1e9

    def configure(self):
        self.ask("sh ip addr add %s/24 dev eth0; ip link set eth0 mtu 1500" % AT[self.NAME])
        for name in DISK:
            if "write, in order" in name:  # the whole disk has blocks, and a place in the host's cache
                self.ask("write /dev/vdb 1048576 %d seq 0" % DATA)


class Ours(Talk):
    NAME = "machine"

    def __init__(self, img, ip=AT[NAME], **kernel):
        """kernel, initrd, kernel_args: it starts with those."""
        self.uuid = lib.create(brand="kvm", ram=RAM, vcpus=1, autoboot=False, **kernel,
                               disks=[{"boot": True, "model": "virtio", "image_uuid": img}, {"model": "virtio", "size": DATA}],
                               nics=[{"nic_tag": "bench0", "ips": [ip + "/24"], "model": "virtio"}])
        self.log = "/var/log/cloister-%s/vms/%s/console.log" % (lib.NODE, self.uuid)

    def start(self):
        self.mark = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        lib.sh("vmadm", "start", self.uuid)

    def talk(self):
        self.connect("%s/%s/agent.sock" % (lib.RUN, self.uuid))
        self.configure()

    def accel(self):
        return json.loads(lib.sh("vmadm", "info", self.uuid, "accelerator"))["accelerator"]

    def stop(self):
        lib.sh("vmadm", "stop", self.uuid, "-F")


class Box:
    """A cgroup that weighs what the machine's node does: what else runs here takes as much from one as from the other."""

    def __init__(self, machine):
        pid = json.loads(lib.sh("vmadm", "get", machine.uuid))["pid"]
        with open("/proc/%d/cgroup" % pid) as f:
            lines = [l.strip().split(":", 2) for l in f]
        for names, base, weight in (("cpu", "/sys/fs/cgroup/cpu", "cpu.shares"), ("", "/sys/fs/cgroup", "cpu.weight")):
            path = next((p for _, c, p in lines if names in c.split(",")), "").split("/" + machine.uuid)[0]
            if path and os.path.exists(base + path + "/" + weight):
                break
        else:
            raise RuntimeError("no cgroup of the machine's has a weight")
        self.dir = base + path + "-by-hand"
        os.makedirs(self.dir, exist_ok=True)
        with open(base + path + "/" + weight) as f, open(self.dir + "/" + weight, "w") as to:
            to.write(f.read())

    def enter(self):
        with open(self.dir + "/cgroup.procs", "w") as f:
            f.write("0")


class Hand(Talk):
    NAME, p = "by hand", None

    def __init__(self, tmp, img, accel, ns, box, boot=(), nth=0):
        """nth: 0 or 1, of two that run at once."""
        self.NAME = ("by hand", "by hand again")[nth]
        self.box, self.mark = box, 0
        self.log, self.sock = (os.path.join(tmp, "by-hand%d%s" % (nth, end)) for end in (".log", ".agent"))
        files = [os.path.join(lib.POOL, "by-hand%d%s" % (nth, end)) for end in (".boot", ".data")]
        lib.sh("cp", "--reflink=always", "%s/images/%s/root/disk" % (lib.POOL, img), files[0])
        lib.sh("truncate", "-s", "%dM" % DATA, files[1])
        drives = [a for f in files for a in ("-drive", "file=%s,if=virtio,format=raw,cache=writeback" % f)]
        self.argv = ["ip", "netns", "exec", ns, "qemu-system-x86_64", "-machine", "q35", "-accel", accel, "-cpu", "host" if accel == "kvm" else "max", "-smp", "1",
                     "-m", str(RAM), "-display", "none", "-serial", "file:" + self.log, "-monitor", "none", *drives,
                     "-netdev", "tap,id=n,ifname=tap%d,script=no,downscript=no" % nth, "-device", "virtio-net-pci,netdev=n,mac=90:b8:d0:00:00:0%d" % (nth + 1),
                     "-chardev", "socket,id=agent,path=%s,server=on,wait=off" % self.sock, "-device", "virtio-serial-pci",
                     "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0", *boot]

    def start(self):
        if os.path.exists(self.log):
            os.unlink(self.log)
        self.p = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, preexec_fn=self.box.enter)

    def talk(self):
        self.connect(self.sock)
        self.configure()

    def stop(self):
        self.p.kill()
        self.p.wait()


def up(x):
    """Until the guest's init has its kernel's modules."""
    end = time.time() + 90
    while time.time() < end:
        if os.path.exists(x.log):
            with open(x.log, "rb") as f:
                f.seek(x.mark)
                if b"GUEST UP" in f.read():
                    return
        if isinstance(x, Hand) and x.p.poll() is not None:
            raise RuntimeError("QEMU by hand has ended")
        time.sleep(0.004)
    raise RuntimeError("%s: the guest is not up" % x.log)


def bridge():
    """(namespace with a bridge and tap0 and tap1 at it, namespace of the peer)"""
    s, peer, net = netpeers.ns("hvms"), netpeers.ns("hvmp"), PEER["by hand"]
    netpeers.do("ip", "-n", s, "link", "add", "br0", "type", "bridge")
    netpeers.do("ip", "-n", s, "link", "set", "br0", "up")
    for tap in ("tap0", "tap1"):
        netpeers.do("ip", "-n", s, "tuntap", "add", tap, "mode", "tap", "vnet_hdr")
        netpeers.do("ip", "-n", s, "link", "set", tap, "master", "br0", "up")
    netpeers.do("ip", "-n", peer, "link", "add", "e0", *netpeers.ONE, "type", "veth", "peer", "name", "p0", *netpeers.ONE, "netns", s)
    netpeers.do("ip", "-n", s, "link", "set", "p0", "master", "br0", "up")
    netpeers.address(peer, "e0", net + "/24")
    netpeers.do("ip", "netns", "exec", s, "sh", "-c",
                "for i in arp ip ip6; do f=/proc/sys/net/bridge/bridge-nf-call-${i}tables; [ ! -e $f ] || echo 0 >$f || exit; done")
    return s, peer


def zone():
    """A zone on the machine's switch: its network namespace."""
    u = lib.create(brand="joyent-minimal", nics=[{"nic_tag": "bench0", "ips": [PEER["machine"] + "/24"]}])
    with open("%s/%s/zone" % (lib.RUN, u)) as f:
        return "/proc/%s/ns/net" % next(line.split()[1] for line in f if line.startswith("init "))


def serve(prog, ns):
    p = subprocess.Popen(["nsenter", "--net=" + ns, prog, "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if p.stdout.readline() != b"serving\n":
        raise RuntimeError("no server in " + ns)
    return p


def asked(sets, n, kinds, who):
    """{what: {contender: [figure per boot]}}: the median of that boot's rounds."""
    res = {k: {x.NAME: [] for x in who} for k in kinds}
    for _ in range(sets):
        for x in who:
            x.start()
        for x in who:
            up(x)
            x.talk()
        got = {k: {x.NAME: [] for x in who} for k in kinds}
        for i in range(n + 1):
            for k, (what, _, amount) in kinds.items():
                turns = list(who)
                random.shuffle(turns)
                for x in turns:
                    v = amount / x.ask(what.replace("{IP}", PEER[x.NAME]))
                    if i:
                        got[k][x.NAME].append(v)
        for k in kinds:
            for x in who:
                res[k][x.NAME].append(statistics.median(got[k][x.NAME]))
        for x in who:
            x.stop()
    return res


def better(what, res, limit):
    """A bar from below: of these more is better."""
    value, half = lib.ratio(res, "machine", "by hand"), lib.spread(res, "machine", "by hand")
    print("  %-84s %9.3f ×  bar %g ×  %s  (half of the boots: %.3f to %.3f)" % (what, value, limit, "met" if value >= limit else "MISSED", *half))
    return {"what": what, "value": round(value, 3), "bar": limit, "least": True, "met": value >= limit, "half": [round(x, 3) for x in half]}


def boots(n, who):
    """Milliseconds to the guest's user space, each alone."""
    def once(x):
        t = time.perf_counter()
        x.start()
        up(x)
        ms = (time.perf_counter() - t) * 1e3
        x.stop()
        return ms
    return lib.rounds(n, {k: lambda x=x: once(x) for k, x in who.items()})


def lxd_says(tmp):
    """What LXD's machines would need, in its words."""
    tree = os.path.join(tmp, "tree")
    os.makedirs(tree + "/sbin")
    try:
        d = lxd.Lxd(tmp, tree, "/sbin/init")
    except (RuntimeError, OSError, subprocess.SubprocessError) as e:
        return str(e)
    try:
        d.lxc("init", "--empty", "--vm", lxd.NAME)
        return "it makes one; not measured"
    except (RuntimeError, subprocess.SubprocessError) as e:
        return str(e)
    finally:
        d.stop()


def boot_rows(tmp, n, who):
    res = boots(max(n // 2, 3), who)
    lib.table("to the user space of Debian's kernel", res, base="QEMU by hand")
    print("  LXD's machine: cannot: " + lxd_says(tmp))
    pairs = (("vmadm start", "QEMU by hand"), ("vmadm start, kernel", "QEMU by hand, -kernel"))
    return [lib.bar("%s to the guest's user space, against %s" % pair, lib.ratio(res, *pair), 1, " ×", lib.spread(res, *pair)) for pair in pairs]


def io_rows(n, kinds, who):
    got = asked(max(n, 2), 3, kinds, who)
    for k, (_, unit, _) in kinds.items():
        lib.table(k, got[k], base="by hand", unit=unit)
    print()
    for k in got:
        if "by hand again" in got[k]:
            pair = (got[k], "by hand again", "by hand")
            print("  %-84s %9.3f ×  (half of the boots: %.3f to %.3f)" % (k + ", by hand again / by hand", lib.ratio(*pair), *lib.spread(*pair)))
    return [better("virtio-%s: %s, machine / by hand" % ("blk" if k in DISK else "net", k), got[k], 0.97) for k in got]


def rows(tmp, n, parts):
    """The bars of those parts."""
    prog = program(tmp)
    raw, kernel, initrd = image(tmp, prog)
    lib.sh("nictagadm", "add", "-l", "bench0")
    lib.sh("imgadm", "import", "--type", "zvol", "--name", "bench-linux", raw)
    img = lib.sh("imgadm", "list", "-Ho", "uuid", "name=bench-linux").strip()
    kinds = {**(DISK if "disk" in parts else {}), **(NET if "net" in parts else {})}
    servers, hands, bars, box = [], [], [], None
    try:
        ns, peer = bridge()
        servers = [serve(prog, zone()), serve(prog, netpeers.path(peer))]
        ours = Ours(img)
        ours.start()
        accel, box = ours.accel(), Box(ours)
        ours.stop()
        hands = [Hand(tmp, img, accel, ns, box, nth=i) for i in range(2 if "null" in parts else 1)]
        if "boot" in parts:
            bars += boot_rows(tmp, n, {"vmadm start": ours, "QEMU by hand": hands[0],
                                       "vmadm start, kernel": Ours(img, "10.87.1.4", kernel=os.path.realpath(kernel), initrd=initrd, kernel_args=WORDS),
                                       "QEMU by hand, -kernel": Hand(tmp, img, accel, ns, box, ("-kernel", kernel, "-initrd", initrd, "-append", WORDS))})
        if kinds:
            bars += io_rows(n, kinds, (ours, *hands))
    finally:
        for x in hands:
            if x.p:
                x.stop()
        for p in servers:
            p.kill()
            p.wait()
        if box:
            os.rmdir(box.dir)
        netpeers.ns_clean()
    return bars

def main(tmp):
    bars = rows(tmp, int(sys.argv[1]) if len(sys.argv) > 1 else 9, sys.argv[2:] or ["boot", "disk", "net"])
    lib.report("hvmguest", {"bars": bars})


if __name__ == "__main__":
    lib.run(main)
