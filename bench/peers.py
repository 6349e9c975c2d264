#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The peers that bench/limits.py measures beside zones: crun, runc, podman, lxc, LXD, systemd-nspawn, each where it is installed.

Each takes the same words: cap (percent of a processor), shares, burst (seconds' worth is what SmartOS means; they are given
the most that the kernel's own lets them ask for), memory (bytes), pids, write_bps (of the pool's device). What one can't do
raises Cannot with its own words. Their state is in folders of ours, their cgroups below one of ours that weighs as much as
the node, what they run is found by its command line. Run by itself it takes away what a killed run has left.
"""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import box
import lib
from box import Box, Cannot, V1, V2

STATE = "/run/bench-peers-" + lib.NODE
PARENT = "bench-peers-" + lib.NODE
PERIOD = 100000
# crun takes a host with a v2 tree beside v1 for one whose controllers are there
BARE = ["unshare", "-m", "--propagation", "private", "sh", "-c", 'umount "$0" && exec "$@"', V2 or ""] if V1 and V2 else []


def ask(argv, seconds=60, **kw):
    """Runs it; returns the seconds it took. Raises Cannot with what it said."""
    # a file, not a pipe: what it leaves running would hold a pipe open
    with tempfile.TemporaryFile() as out:
        t = time.perf_counter()
        try:
            p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=seconds, **kw)
        except (OSError, subprocess.TimeoutExpired) as e:
            raise Cannot(str(e)) from e
        took = time.perf_counter() - t
        out.seek(0)
        text = out.read().decode(errors="replace")
    if p.returncode:
        said = [l.strip() for l in text.splitlines() if l.strip() and "level=warning" not in l]
        # what follows the first is its usage, or what it makes of it
        raise Cannot(said[0][-240:] if said else "exit %d" % p.returncode)
    return took


def device():
    """The block device that the pool is on."""
    return lib.sh("findmnt", "-nro", "SOURCE", "-T", lib.POOL).split("[")[0].strip()


def number(dev):
    n = os.stat(dev).st_rdev
    return os.major(n), os.minor(n)


class Peer:
    name, program, burst_reason = "", "", ""

    def __init__(self, prog):
        if not lib.have(self.program):
            raise Cannot("%s is not installed" % self.program)
        self.prog, self.boxes = prog, []

    def tree(self, b):
        """A root for the box, on the pool: the program and empty folders."""
        root = "%s/peers/%s" % (lib.POOL, b.name)
        for d in ("proc", "sys", "dev", "usr", "var/tmp", "run", "tmp", "etc"):
            os.makedirs(os.path.join(root, d), exist_ok=True)
        shutil.copy(self.prog, root + "/limits")
        return root

    def start(self, *words, **limits):
        b = Box(words)
        self.boxes.append(b)
        try:
            self.begin(b, ["/limits"] + b.words, limits)
            return b.settle()
        except BaseException:
            self.stop(b)
            raise

    def stop(self, *boxes):
        boxes = boxes or list(self.boxes)
        # what ends one does not have to fight for a processor with what is in the others
        for b in boxes:
            b.rest()
        for b in boxes:
            try:
                self.finish(b)
            except Cannot:
                pass
            b.kill()
            self.boxes.remove(b)

    def close(self):
        self.stop()


class Oci(Peer):
    """crun and runc, by a bundle each."""

    def __init__(self, prog, oci):
        self.name = self.program = oci
        super().__init__(prog)
        self.argv = (BARE if oci == "crun" else []) + [oci, "--root", STATE + "/" + oci]

    @staticmethod
    def resources(limits):
        r = {"cpu": {}, "memory": {}}
        if "cap" in limits:
            r["cpu"].update(quota=limits["cap"] * PERIOD // 100, period=PERIOD)
        if "burst" in limits:
            r["cpu"]["burst"] = limits["cap"] * PERIOD // 100
        if "shares" in limits:
            r["cpu"]["shares"] = limits["shares"]
        if "memory" in limits:
            r["memory"] = {"limit": limits["memory"], "swap": limits["memory"]}
        if "pids" in limits:
            r["pids"] = {"limit": limits["pids"]}
        if "write_bps" in limits:
            major, minor = number(device())
            r["blockIO"] = {"throttleWriteBpsDevice": [{"major": major, "minor": minor, "rate": limits["write_bps"]}]}
        return r

    def begin(self, b, argv, limits):
        bundle = "%s/peers/%s.bundle" % (lib.POOL, b.name)
        os.makedirs(bundle)
        spec = {
            "ociVersion": "1.0.2", "hostname": "p", "root": {"path": self.tree(b)},
            "process": {"user": {"uid": 0, "gid": 0}, "args": argv, "cwd": "/", "env": ["PATH=/bin"]},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]}],
            "linux": {"namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
                      "cgroupsPath": "/%s/%s" % (PARENT, b.name), "resources": self.resources(limits)},
        }
        with open(bundle + "/config.json", "w") as f:
            json.dump(spec, f)
        ask(self.argv + ["run", "--detach", "-b", bundle, b.name])

    def change(self, b, **limits):
        path = "%s/peers/%s.bundle/update" % (lib.POOL, b.name)
        with open(path, "w") as f:
            json.dump(self.resources(limits), f)
        return ask(self.argv + ["update", "-r", path, b.name])

    def finish(self, b):
        ask(self.argv + ["delete", "--force", b.name])


class Podman(Peer):
    name = program = "podman"

    def __init__(self, prog):
        super().__init__(prog)
        self.runtime = "crun" if lib.have("crun") else "runc"
        self.argv = (BARE if self.runtime == "crun" else []) + [
            "podman", "--root", lib.POOL + "/peers/podman", "--runroot", STATE + "/podman", "--runtime", self.runtime,
            "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--storage-driver", "vfs"]

    @staticmethod
    def options(limits):
        o = []
        if "cap" in limits:
            o += ["--cpus", "%g" % (limits["cap"] / 100)]
        if "burst" in limits:
            o += ["--cpu-burst", "%d" % (limits["cap"] * PERIOD // 100)]
        if "shares" in limits:
            o += ["--cpu-shares", str(limits["shares"])]
        if "memory" in limits:
            o += ["--memory", str(limits["memory"]), "--memory-swap", str(limits["memory"])]
        if "pids" in limits:
            o += ["--pids-limit", str(limits["pids"])]
        if "write_bps" in limits:
            o += ["--device-write-bps", "%s:%d" % (device(), limits["write_bps"])]
        return o

    def begin(self, b, argv, limits):
        # conmon leaves a file where it is, when memory is short
        ask(self.argv + ["run", "--detach", "--name", b.name, "--network", "none", "--log-driver", "none", "--cgroup-parent", "/" + PARENT]
            + self.options(limits) + ["--rootfs", self.tree(b)] + argv, cwd=STATE)

    def change(self, b, **limits):
        return ask(self.argv + ["update"] + self.options(limits) + [b.name])

    def finish(self, b):
        ask(self.argv + ["rm", "--force", "--time", "0", b.name])


class Lxc(Peer):
    name, program = "lxc", "lxc-start"

    @staticmethod
    def files(limits):
        """Files of the kernel with their values; lxc has no words of its own."""
        quota = limits.get("cap", 0) * PERIOD // 100
        major, minor = number(device())
        v1 = {"cap": ("cpu", "cpu.cfs_quota_us", quota), "burst": ("cpu", "cpu.cfs_burst_us", quota),
              "shares": ("cpu", "cpu.shares", limits.get("shares")), "memory": ("memory", "memory.limit_in_bytes", limits.get("memory")),
              "pids": ("pids", "pids.max", limits.get("pids")),
              "write_bps": ("blkio", "blkio.throttle.write_bps_device", "%d:%d %s" % (major, minor, limits.get("write_bps")))}
        v2 = {"cap": ("cpu.max", "%d %d" % (quota, PERIOD)), "burst": ("cpu.max.burst", quota), "shares": ("cpu.weight", limits.get("shares")),
              "memory": ("memory.max", limits.get("memory")), "pids": ("pids.max", limits.get("pids")),
              "write_bps": ("io.max", "%d:%d wbps=%s" % (major, minor, limits.get("write_bps")))}
        return [("cgroup", *v1[k][1:]) if v1[k][0] in V1 else ("cgroup2", *v2[k]) for k in v1 if k in limits]

    def begin(self, b, argv, limits):
        conf = "%s/peers/%s.conf" % (lib.POOL, b.name)
        with open(conf, "w") as f:
            f.write("lxc.rootfs.path = dir:%s\nlxc.init.cmd = %s\nlxc.uts.name = p\nlxc.net.0.type = empty\nlxc.mount.auto = proc sys\n"
                    "lxc.apparmor.profile = unchanged\nlxc.cgroup.dir.container = %s/%s\nlxc.cgroup.dir.monitor = %s/%s-monitor\n" %
                    (self.tree(b), " ".join(argv), PARENT, b.name, PARENT, b.name))
            for kind, name, value in self.files(limits):
                f.write("lxc.%s.%s = %s\n" % (kind, name, value))
        log = STATE + "/lxc.log"
        if os.path.exists(log):
            os.unlink(log)
        try:
            ask(["lxc-start", "-n", b.name, "-f", conf, "-P", STATE + "/lxc", "-o", log, "-l", "ERROR"])
        except Cannot:
            said = [l.split(" - ")[-1].strip() for l in box.read(log).splitlines()] if os.path.exists(log) else []
            if said:
                raise Cannot(said[0]) from None
            raise

    def change(self, b, **limits):
        return sum(ask(["lxc-cgroup", "-n", b.name, "-P", STATE + "/lxc", name, str(value)]) for _, name, value in self.files(limits))

    def finish(self, b):
        ask(["lxc-stop", "-k", "-n", b.name, "-P", STATE + "/lxc"])


class Lxd(Peer):
    """Instances of one image, made once and used again: making one is not what is measured."""
    name, program = "lxd", "lxd"

    def __init__(self, prog):
        super().__init__(prog)
        import lxd
        b = Box([])
        self.tmp = tempfile.mkdtemp(prefix=os.path.basename(lib.TMP), dir=os.path.dirname(lib.TMP))
        try:
            self.lxd = lxd.Lxd(self.tmp, self.tree(b), "/limits", profile={})
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
            shutil.rmtree(self.tmp, ignore_errors=True)
            raise Cannot(str(e)) from e
        self.free, self.made = [], 0

    def lxc(self, *argv):
        return ask(["lxc", *argv], env=self.lxd.env)

    def state(self, instance):
        p = subprocess.run(["lxc", "query", "/1.0/instances/%s/state" % instance], env=self.lxd.env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        return json.loads(p.stdout or "{}").get("status")

    @staticmethod
    def keys(limits):
        k = {}
        if "cap" in limits:
            k["limits.cpu.allowance"] = "%dms/100ms" % limits["cap"]
        if "burst" in limits:
            k["limits.cpu.burst"] = "%dms" % limits["cap"]
        if "shares" in limits:  # percent without a period is a weight, of 1024
            k["limits.cpu.allowance"] = "%d%%" % max(1, limits["shares"] // 10)
        if "memory" in limits:
            k["limits.memory"] = "%dB" % limits["memory"]
        if "pids" in limits:
            k["limits.processes"] = str(limits["pids"])
        return k

    def begin(self, b, argv, limits):
        if not self.free:
            self.made += 1
            self.free.append("i%d" % self.made)
            self.lxc("init", "cloister-bench", self.free[0])
        b.instance = self.free.pop()
        b.keys = self.keys(limits)
        for k, v in {**b.keys, "raw.lxc": "lxc.init.cmd=" + " ".join(argv)}.items():
            self.lxc("config", "set", b.instance, k, v)
        if "write_bps" in limits:
            self.lxc("config", "device", "override", b.instance, "root", "limits.write=%dB" % limits["write_bps"])
            b.keys["device"] = ""
        self.lxc("start", b.instance)

    def change(self, b, **limits):
        return sum(self.lxc("config", "set", b.instance, k, v) for k, v in self.keys(limits).items())

    def finish(self, b):
        if not hasattr(b, "instance"):
            return
        self.free.append(b.instance)
        try:
            self.lxc("stop", "-f", b.instance)
        except Cannot:
            pass  # it has stopped by itself, or is about to
        end = time.monotonic() + 20
        while time.monotonic() < end and self.state(b.instance) != "Stopped":
            time.sleep(0.1)
        if b.keys.pop("device", None) is not None:
            self.lxc("config", "device", "remove", b.instance, "root")
        for k in b.keys:
            self.lxc("config", "unset", b.instance, k)

    def close(self):
        super().close()
        for i in range(self.made):
            self.lxd.lxc("delete", "-f", "i%d" % (i + 1), ok=False)
        self.lxd.stop()
        shutil.rmtree(self.tmp, ignore_errors=True)


class Nspawn(Peer):
    """Limits are properties of its scope, which only a running systemd makes; without any it does with ours."""
    name, program = "nspawn", "systemd-nspawn"

    @staticmethod
    def properties(limits):
        p = []
        if "cap" in limits:
            p.append("CPUQuota=%d%%" % limits["cap"])
        if "burst" in limits:
            p.append("CPUQuotaBurstSec=%dms" % limits["cap"])
        if "shares" in limits:
            p.append("CPUWeight=%d" % limits["shares"])
        if "memory" in limits:
            p += ["MemoryMax=%d" % limits["memory"], "MemorySwapMax=0"]
        if "pids" in limits:
            p.append("TasksMax=%d" % limits["pids"])
        if "write_bps" in limits:
            p.append("IOWriteBandwidthMax=%s %d" % (device(), limits["write_bps"]))
        return p

    def begin(self, b, argv, limits):
        b.log = tempfile.TemporaryFile()
        b.proc = subprocess.Popen(
            ["systemd-nspawn", "-q", "--register=no", "-M", b.name, "-D", self.tree(b), "--private-network"]
            + (["--property=" + p for p in self.properties(limits)] if limits else ["--keep-unit"]) + argv,
            stdin=subprocess.DEVNULL, stdout=b.log, stderr=b.log, start_new_session=True)
        try:
            b.settle(15)
        except Cannot:
            b.log.seek(0)
            said = b.log.read().decode(errors="replace").split("\n")
            raise Cannot(next((l.strip() for l in said if l.strip()), "nothing of it runs")) from None

    def change(self, b, **limits):
        return ask(["systemctl", "set-property", "--runtime", b.name + ".scope"] + self.properties(limits))

    def finish(self, b):
        if b.proc:
            b.proc.kill()
            b.proc.wait()


def all_of(prog):
    """The peers that are here, of those in $PEERS if it says any, and why the others are not."""
    clean()
    os.makedirs(STATE + "/lxc")
    os.makedirs(lib.POOL + "/peers", exist_ok=True)
    for top, weight, value in ((V1.get("cpu"), "cpu.shares", "262144"), (V1.get("cpu") or V2, "cpu.weight", "10000")):
        if top:
            os.makedirs("%s/%s" % (top, PARENT), exist_ok=True)
            path = "%s/%s/%s" % (top, PARENT, weight)
            if os.path.exists(path):
                with open(path, "w") as f:
                    f.write(value)
    found, absent, asked = [], {}, os.environ.get("PEERS", "").replace(",", " ").split()
    for name, make in (("crun", lambda: Oci(prog, "crun")), ("runc", lambda: Oci(prog, "runc")), ("podman", lambda: Podman(prog)),
                       ("lxc", lambda: Lxc(prog)), ("lxd", lambda: Lxd(prog)), ("nspawn", lambda: Nspawn(prog))):
        if asked and name not in asked:
            absent[name] = "not asked for (PEERS)"
            continue
        try:
            found.append(make())
        except Cannot as e:
            absent[name] = str(e)
    return found, absent


def clean():
    """What any run has left, this one or one that was killed: processes by their command line, then cgroups and folders."""
    box.kill_all()
    for _ in range(100):
        if not box.ours():
            break
        time.sleep(0.05)
    for d in glob.glob("/sys/fs/cgroup/%s" % PARENT) + glob.glob("/sys/fs/cgroup/*/%s" % PARENT):
        for _ in range(40):
            subprocess.run(["find", d, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], stderr=subprocess.DEVNULL)
            if not os.path.exists(d):
                break
            time.sleep(0.05)
    with open("/proc/self/mountinfo") as f:
        below = [l.split()[4] for l in f if l.split()[4].startswith(STATE + "/")]
    for m in reversed(below):
        subprocess.run(["umount", "-nl", m], stderr=subprocess.DEVNULL)
    shutil.rmtree(STATE, ignore_errors=True)


if __name__ == "__main__":
    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(s, signal.SIG_IGN)
    clean()
    sys.exit(0)
