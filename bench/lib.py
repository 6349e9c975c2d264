# SPDX-License-Identifier: MPL-2.0
"""What the benchmarks share: a node of their own, timing of whole commands in turn, tables and JSON.

A figure is the median over rounds; within a round every contender runs once, so that a machine whose speed drifts
drifts for all of them, and ratios are medians of the ratios of one round.
"""
import contextlib
import glob
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

SRC = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("CLOISTER_BUILD", os.path.join(SRC, "build"))
NODE = os.environ.get("CLOISTER_NODE", "bench")
POOL = "/zones-" + NODE
RUN = "/run/cloister-" + NODE
TMP = "/var/tmp/bench-%s." % NODE
SECOND = NODE + "2"  # another node, of benchmarks that compare one that is full with one that is not


def environment():
    """PATH and the rest so that the commands are the ones that were built."""
    stage = os.path.join(BUILD, "stage")
    if have("meson"):  # not in the test host, which is given the stage
        subprocess.run(["meson", "install", "-C", BUILD, "--destdir", stage, "--no-rebuild", "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
    prefix = os.path.join(stage, "usr/local")
    os.environ["CLOISTER_NODE"] = NODE
    os.environ["CLOISTER_LIBEXEC"] = os.path.join(prefix, "libexec/cloister")
    os.environ["CLOISTER_SELF"] = os.path.join(prefix, "bin/cloister")
    os.environ["PATH"] = os.path.join(prefix, "bin") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def clean():
    """Takes the bench's node away, whatever state it is in (tests/system/lib.sh knows how), and what the floor has left."""
    for kill in glob.glob("/sys/fs/cgroup/unified/floor-be9c*/cgroup.kill") + glob.glob("/sys/fs/cgroup/floor-be9c*/cgroup.kill"):
        subprocess.run([build_c("floor", "-static"), "stop", os.path.basename(os.path.dirname(kill))[6:]])
    lib = os.path.join(SRC, "tests/system/lib.sh")
    subprocess.run(["bash", "-c", '. "$1"; node_clean "$2"; node_clean "$3"', "clean", lib, NODE, SECOND], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    for left in glob.glob(TMP + "*"):  # of one that was killed
        shutil.rmtree(left, ignore_errors=True)


def node(size=os.environ.get("POOL_SIZE", "8G")):
    """A clean node with a pool; the caller calls clean() at the end."""
    if os.geteuid() != 0:
        sys.exit("this benchmark needs root")
    environment()
    clean()
    subprocess.run(["cloister", "pool", "create", "--size", size], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def second(size="1G"):
    """The second node, with a pool; clean() takes it away too."""
    with on(SECOND):
        sh("cloister", "pool", "create", "--size", size)


@contextlib.contextmanager
def on(name):
    """Commands are for that node meanwhile."""
    before = os.environ["CLOISTER_NODE"]
    os.environ["CLOISTER_NODE"] = name
    try:
        yield
    finally:
        os.environ["CLOISTER_NODE"] = before


def build_c(name, *flags):
    """Compiles bench/NAME.c into the build folder; returns the program."""
    out = os.path.join(BUILD, "bench-" + name)
    if os.path.exists(out) and not have("cc"):  # the test host is given that too
        return out
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", out, os.path.join(SRC, "bench", name + ".c"), *flags], check=True)
    return out


def timed(argv, stdin=None, ok=True):
    """Milliseconds of one whole command, and what it printed."""
    # a file, not a pipe: what the command leaves running would hold a pipe open
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as src:
        if stdin:
            src.write(stdin)
            src.seek(0)
        t = time.perf_counter()
        p = subprocess.run(argv, stdin=src, stdout=out, stderr=out)
        ms = (time.perf_counter() - t) * 1e3
        out.seek(0)
        text = out.read().decode(errors="replace")
    if ok and p.returncode:
        sys.exit("%s: exit %d: %s" % (" ".join(argv), p.returncode, text.strip()))
    return ms, text


def quiet(*argv, stdin=None):
    return subprocess.run(argv, input=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def rounds(n, contenders):
    """contenders: {name: function returning ms}. Returns {name: [ms per round]}, one warm-up round thrown away."""
    res = {k: [] for k in contenders}
    for i in range(n + 1):
        for k, f in contenders.items():
            ms = f()
            if i:
                res[k].append(ms)
    return res


def ratio(res, a, b):
    return statistics.median(x / y for x, y in zip(res[a], res[b]))


def quarters(v):
    """Where the middle half of the values lies."""
    v = list(v)
    return tuple(statistics.quantiles(v, n=4, method="inclusive")[::2]) if len(v) > 1 else (v[0], v[0])


def spread(res, a, b):
    """Of the ratios of which ratio() is the median."""
    return quarters(x / y for x, y in zip(res[a], res[b]))


def table(title, res, base=None, unit="ms"):
    print("\n%s" % title)
    print("  %-34s %9s %9s %9s%s" % ("", "min", "median", "max", "   ratio" if base else ""))
    for k, v in res.items():
        r = "  %6.2f" % ratio(res, k, base) if base else ""
        print("  %-34s %9.3f %9.3f %9.3f %s%s" % (k, min(v), statistics.median(v), max(v), unit, r))


def report(name, figures):
    """One line of JSON, last."""
    print(json.dumps({"bench": name, "cpus": os.cpu_count(), "kernel": os.uname().release, "figures": figures}))


def summary(res):
    return {k: {"min": min(v), "median": statistics.median(v), "max": max(v)} for k, v in res.items()}


def have(prog):
    return shutil.which(prog) is not None


SEQ = [0]


def uuid():
    SEQ[0] += 1
    return "be9c0000-0000-4000-8000-%012d" % SEQ[0]


def programs(tmp):
    """bench/{init,http,work}.c, static, in a folder to be put into an image."""
    out = os.path.join(tmp, "add", "bench")
    os.makedirs(out, exist_ok=True)
    for p in ("init", "http", "work"):
        subprocess.run(["cc", "-O2", "-static", "-D_GNU_SOURCE", "-o", os.path.join(out, p),
                        os.path.join(SRC, "bench", p + ".c")], check=True)
    return os.path.join(tmp, "add")


CACHE = "/var/tmp/cloister-bench-debian.tar"


def debian(tmp):
    """Imports a Debian root with our programs in /bench; returns the image's uuid. The root is made once and kept."""
    if not os.path.exists(CACHE):
        print("making a Debian root from its packages (kept in %s) …" % CACHE, flush=True)
        out = sh("imgadm", "bootstrap", "debian", "--name", "bootstrap")
        image = sh("imgadm", "list", "-Ho", "uuid", "name=bootstrap").strip()
        if not image:
            sys.exit(out)
        sh("tar", "-C", "%s/images/%s/root" % (POOL, image), "--numeric-owner", "-cf", CACHE + ".new", ".")
        os.rename(CACHE + ".new", CACHE)
        sh("imgadm", "delete", image)
    tar = os.path.join(tmp, "debian.tar")
    shutil.copyfile(CACHE, tar)
    sh("tar", "-C", programs(tmp), "--owner=0", "--group=0", "-rf", tar, "./bench")
    sh("imgadm", "import", tar, "--name", "bench-debian")
    os.unlink(tar)
    return sh("imgadm", "list", "-Ho", "uuid", "name=bench-debian").strip()


def sh(*argv, stdin=None, ok=True):
    """What a command prints; ends the benchmark if it fails."""
    p = subprocess.run(argv, input=stdin.encode() if stdin else None, stdin=None if stdin else subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if ok and p.returncode:
        sys.exit("%s: exit %d: %s" % (" ".join(argv), p.returncode, p.stderr.decode(errors="replace").strip()))
    return p.stdout.decode(errors="replace")


def create(**payload):
    u = payload.setdefault("uuid", uuid())
    sh("vmadm", "create", stdin=json.dumps(payload))
    return u


def bar(what, value, limit, unit="", half=None):
    """One line: is the bar met? half: where the middle half of what value is the median of lies. Returns it for the figures."""
    print("  %-84s %9.*f%s  bar %g%s  %s%s" % (what, 3 if half else 2, value, unit, limit, unit, "met" if value <= limit else "MISSED",
                                               "  (half of the rounds: %.3f to %.3f)" % half if half else ""))
    out = {"what": what, "value": round(value, 3), "bar": limit, "met": value <= limit}
    return dict(out, half=[round(x, 3) for x in half]) if half else out


def run(main):
    """A benchmark from the command line: a node of its own, gone at the end however it comes."""
    def stop(sig, frame):
        raise SystemExit(128 + sig)
    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(s, stop)
    try:
        node()
        with tempfile.TemporaryDirectory(prefix=os.path.basename(TMP), dir=os.path.dirname(TMP)) as tmp:
            main(tmp)
    finally:
        for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(s, signal.SIG_IGN)
        clean()
