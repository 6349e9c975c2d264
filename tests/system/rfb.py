#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""rfb.py HOST:PORT|/SOCKET [password]: as far as a VNC screen (RFC 6143); prints its size and name, or how far it got. -hold S keeps it open."""
import socket, subprocess, sys, time

hold = 0
args = sys.argv[1:]
if args[0] == "-hold":
	hold, args = float(args[1]), args[2:]
where, password = args[0], args[1] if len(args) > 1 else None


def need(s, n):
	d = b""
	while len(d) < n:
		c = s.recv(n - len(d))
		if not c:
			sys.exit("closed after %r" % d)
		d += c
	return d


def des(key, data):
	"""The key's bits the other way round, as VNC has it; DES is triple DES with one key three times."""
	k = bytes(int(format(b, "08b")[::-1], 2) for b in key.ljust(8, b"\0")[:8]) * 3
	return subprocess.run(["openssl", "enc", "-des-ede3-ecb", "-nopad", "-K", k.hex()], input=data, capture_output=True, check=True).stdout


if where.startswith("/"):
	s = socket.socket(socket.AF_UNIX)
	s.settimeout(20)
	s.connect(where)
else:
	host, port = where.rsplit(":", 1)
	s = socket.create_connection((host.strip("[]"), int(port)), timeout=20)
s.sendall(need(s, 12))
kinds = need(s, need(s, 1)[0])
kind = 2 if 2 in kinds else 1
if kind == 2 and password is None:
	sys.exit("wants a password")
s.sendall(bytes([kind]))
if kind == 2:
	s.sendall(des(password.encode(), need(s, 16)))
if need(s, 4) != b"\0\0\0\0":
	sys.exit("wrong password")
s.sendall(b"\1")
init = need(s, 24)
name = need(s, int.from_bytes(init[20:24], "big")).decode()
print("%dx%d %s %s" % (int.from_bytes(init[0:2], "big"), int.from_bytes(init[2:4], "big"), "password" if kind == 2 else "open", name))
# a whole update of the screen: more than one buffer of whoever passes it on
s.sendall(b"\3\0" + bytes(4) + init[0:4])
head = need(s, 4)
n = 0
for _ in range(int.from_bytes(head[2:4], "big")):
	r = need(s, 12)
	if int.from_bytes(r[8:12], "big") == 0:
		n += len(need(s, int.from_bytes(r[4:6], "big") * int.from_bytes(r[6:8], "big") * init[4] // 8))
print("update %d bytes" % n)
sys.stdout.flush()
time.sleep(hold)
