#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 60
# A stranger at `vmadm receive`: who reads what it says has not this node's key, and who has it signs once and nothing more (S45).
. "$(dirname "$0")/lib.sh"
need_root
node peer
pool 1G

AT=127.0.0.1:$((20000 + RANDOM % 10000))
cloister peer show >/dev/null
vmadm receive -l "$AT" -a >receive.out 2>&1 &
LISTENER=$!
check "it listens" await 20 grep -q Listening receive.out

cat >probe.py <<'P'
import base64, ctypes, os, re, socket, struct, sys
def secret(pem):
    der = base64.b64decode("".join(l for l in open(pem).read().splitlines() if "-" not in l))
    at = der.index(b"\x02\x01\x01\x04") + 4  # an EC key: version 1, and the number, with a zero ahead of it or shorter as it happens to be
    return der[at + 1:at + 1 + der[at]].lstrip(b"\0")
def holds(pid, key):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            a, b = (int(x, 16) for x in re.match(r"(\w+)-(\w+) r", line).groups()) if re.match(r"\w+-\w+ r", line) else (0, 0)
            try:
                mem.seek(a)
                text = mem.read(b - a) if b else b""
            except (OSError, ValueError, OverflowError):
                continue
            if key in text or key[::-1] in text:  # as it is stored, or as a number in memory
                return True
    return False
def asks(pid):  # the end of the pair at which that process asks for a signature
    p = os.pidfd_open(pid)
    for n in os.listdir(f"/proc/{pid}/fd"):
        fd = ctypes.CDLL(None, use_errno=True).syscall(438, p, int(n), 0)  # pidfd_getfd
        try:
            s = socket.socket(fileno=fd)
            if s.type & 15 == socket.SOCK_SEQPACKET:
                return s
        except OSError:
            pass
# 37: ECDSA with SHA-256; 12: with SHA-1
def said(s, algo, text):
    s.settimeout(10)
    try:
        s.send(struct.pack("I", algo) + text)
        return len(s.recv(1024))
    except OSError:
        return 0
if sys.argv[1] == "holds":
    print("yes" if holds(int(sys.argv[2]), secret(sys.argv[3])) else "no")
else:
    s = asks(int(sys.argv[2]))
    print(*[1 if said(s, *a) > 60 else 0 for a in {"twice": [(37, b"x" * 32), (37, b"y" * 32)], "text": [(37, b"x" * 33)], "weak": [(12, b"x" * 20)]}[sys.argv[1]]])
P
children() { pgrep -P "$1"; }
stranger() { # → $FD; $READS, who reads what it says; $SIGNS, who has the key
	exec {FD}<>"/dev/tcp/${AT%:*}/${AT#*:}" || return 1
	await 10 eval 'READS=$(children $LISTENER) && [ "$(wc -w <<<"$READS")" = 1 ] && [ "$(awk "/Seccomp:/ {print \$2}" "/proc/$READS/status")" = 2 ]' || return 1
	await 5 eval 'SIGNS=$(children $READS) && [ "$(awk "/Seccomp:/ {print \$2}" "/proc/$SIGNS/status")" = 2 ]' || SIGNS=
}
leaves() {
	exec {FD}>&-
	await 20 eval '[ -z "$(children $LISTENER)" ] && [ -z "$SIGNS" -o ! -e "/proc/$SIGNS" ]'
}
check "a stranger" stranger
eq "S45 who reads what it says has not this node's key" "$(python3 probe.py holds "$READS" "$NODE_ETC/tls/key.pem")" no
eq "S45 another process has it" "$(python3 probe.py holds "${SIGNS:-0}" "$NODE_ETC/tls/key.pem")" yes
eq "S45 with no descriptor but the way to it, and stderr" "$(ls "/proc/$SIGNS/fd" | xargs)" "0 1 2"
eq "S45 and no rights" "$(awk '/^(Uid|CapEff|NoNewPrivs|Seccomp):/ {print $2}' "/proc/$SIGNS/status" | xargs)" "4294901763 0000000000000000 1 2"
check "which end with it" leaves
check "a stranger" stranger
eq "S45 it signs once" "$(python3 probe.py twice "$READS")" "1 0"
check "gone" leaves
for what in text weak; do
	check "a stranger" stranger
	eq "S45 nothing but a digest: $what" "$(python3 probe.py "$what" "$READS")" 0
	check "gone" leaves
done
kill "$LISTENER"
wait "$LISTENER" 2>/dev/null
