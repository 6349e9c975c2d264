#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Runs a command on a terminal: onpty.py [-s ROWSxCOLS] [-t SECONDS] SCRIPT COMMAND...

SCRIPT: steps separated by ";;": "text" waits until it has been printed since the last step, "<text" types it (\\r, \\n,
\\x1a as in C), "!RxC" resizes, "@SIG" sends the command a signal. Prints what came out; exits as the command did,
124 if a wait timed out, and 125 if the terminal was left in another mode than before.
"""
import fcntl, os, pty, select, signal, struct, sys, termios, time

args = sys.argv[1:]
size, limit = "24x80", 10.0
while args and args[0] in ("-s", "-t"):
    if args[0] == "-s":
        size = args[1]
    else:
        limit = float(args[1])
    args = args[2:]
script, command = args[0], args[1:]


def resize(fd, s):
    rows, cols = map(int, s.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


master, slave = pty.openpty()
resize(master, size)
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for i in range(3):
        os.dup2(slave, i)
    os.closerange(3, 100)
    os.execvp(command[0], command)
out, seen, status = b"", 0, None


def pump(until, end):
    global out, status
    while time.time() < end:
        if until is not None and until in out[seen:]:
            return True
        if select.select([master], [], [], 0.05)[0]:
            out += os.read(master, 65536)
        elif status is None:
            p, s = os.waitpid(pid, os.WNOHANG)
            if p:
                status = os.waitstatus_to_exitcode(s)
        elif until is None:
            return True
        else:
            return until in out[seen:]
    return False


late = False
for step in script.split(";;") if script else []:
    if step[:1] == "<":
        os.write(master, step[1:].encode().decode("unicode_escape").encode())
    elif step[:1] == "!":
        resize(master, step[1:])
    elif step[:1] == "@":
        os.kill(pid, getattr(signal, "SIG" + step[1:]))
    else:
        end = time.time() + limit
        if not pump(step.encode(), end):
            late = True
            print("onpty.py: never came: %r" % step)
            break
        seen = out.index(step.encode(), seen) + len(step)
if not pump(None, time.time() + (1 if late else limit)):
    late = True
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
sys.stdout.write(out.decode(errors="replace").replace("\r", ""))
if late:
    sys.exit(124)
if termios.tcgetattr(slave) != before:
    print("onpty.py: the terminal was left in another mode")
    sys.exit(125)
sys.exit(status if status >= 0 else 128 - status)
