# SPDX-License-Identifier: MPL-2.0
"""LXD as a peer: a daemon of our own, on a btrfs folder of the benchmark's pool, with the same image; gone at the end.

It has mount, network and process namespaces to itself and its state in our folder, so that it neither finds nor leaves
anything of the machine's; what it makes of cgroups is taken away after it. Nothing is downloaded.
"""
import glob
import os
import subprocess
import time

import lib

NAME = "cloister-bench"
LIMITS = {"limits.memory": "256MiB", "limits.processes": "2000", "limits.cpu.allowance": "100ms/100ms"}

# it looks for interfaces in /sys, which otherwise is that of the machine's network namespace
SYSFS = "mount --rbind /sys/fs/cgroup {0}/cgroup && mount -t sysfs sysfs /sys && mount --rbind {0}/cgroup /sys/fs/cgroup; "


def cgroups():
    return set(glob.glob("/sys/fs/cgroup/*/lxc.*") + glob.glob("/sys/fs/cgroup/lxc.*"))


BEFORE = cgroups()


class Lxd:
    def __init__(self, tmp, tree, init, profile=LIMITS, net=False):
        """tree: the root filesystem to launch; profile: settings of all that are launched; net: it is to make bridges.
        Raises RuntimeError that says why it can't be."""
        for p in ("lxd", "lxc", "rsync", "unsquashfs"):
            if not lib.have(p):
                raise RuntimeError("%s is not installed" % p)
        self.dir = os.path.join(tmp, "lxd")
        os.makedirs(self.dir + "/cgroup")
        os.chmod(tmp, 0o711)  # the root of its container, which has no rights here, goes through
        self.env = dict(os.environ, LXD_DIR=self.dir, HOME=tmp)
        # its lxc-monitors are no children of its: the process namespace ends them, and it ends with us, however we do
        self.proc = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "--propagation", "private", "sh", "-c",
             (SYSFS.format(self.dir) if net else "") + "ip link set lo up; exec lxd --group root --logfile %s/log" % self.dir],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            self.settle()
            self.fill(tmp, tree, init, profile)
        except BaseException:
            self.stop()
            raise

    def lxc(self, *argv, ok=True):
        p = subprocess.run(["lxc", *argv], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=120)
        if ok and p.returncode:
            raise RuntimeError("lxc %s: %s" % (" ".join(argv), p.stdout.decode(errors="replace").strip()[-300:]))
        return p.returncode

    def settle(self):
        end = time.monotonic() + 40
        while self.lxc("query", "/1.0", ok=False):
            if self.proc.poll() is not None or time.monotonic() > end:
                raise RuntimeError("its daemon does not come up here: " + self.last_words())
            time.sleep(0.2)

    def last_words(self):
        try:
            with open(self.dir + "/log") as f:
                return ([l for l in f if "level=err" in l] or ["no word in its log"])[-1].strip()[-300:]
        except OSError:
            return "it has not even begun its log"

    def fill(self, tmp, tree, init, profile):
        pool = lib.POOL + "/bench-lxd"
        self.lxc("storage", "create", "default", "btrfs", "source=" + pool)
        self.lxc("profile", "device", "add", "default", "root", "disk", "path=/", "pool=default")
        for k, v in {**profile, "raw.lxc": "lxc.init.cmd=" + init}.items():
            self.lxc("profile", "set", "default", k, v)
        meta, root = os.path.join(tmp, "meta.tar"), os.path.join(tmp, "lxdroot.tar")
        with open(os.path.join(tmp, "metadata.yaml"), "w") as f:
            f.write("architecture: %s\ncreation_date: 1700000000\nproperties:\n  description: %s\n" % (os.uname().machine, NAME))
        lib.sh("tar", "-C", tmp, "-cf", meta, "metadata.yaml")
        lib.sh("tar", "-C", tree, "--numeric-owner", "-cf", root, ".")
        self.lxc("image", "import", meta, root, "--alias", NAME)
        os.unlink(root)

    def launch(self):
        """Milliseconds of one `lxc launch`; what it made is deleted again."""
        t = time.perf_counter()
        self.lxc("launch", NAME, NAME)
        ms = (time.perf_counter() - t) * 1e3
        self.lxc("delete", "-f", NAME)
        return ms

    def stop(self):
        self.lxc("delete", "-f", NAME, ok=False)
        self.proc.terminate()
        try:
            self.proc.wait(15)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        for c in cgroups() - BEFORE:
            subprocess.run(["find", c, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], stderr=subprocess.DEVNULL)
