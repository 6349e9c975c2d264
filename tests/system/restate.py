#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""usage: restate.py FILE 'EXPRESSION'    the head of a suspended machine's state made another one, its length and sum with it

The expression changes h, the head (hvm/qsaved.h). The sum is src/base/sum64.h's: for states of a few MiB.
"""
import json
import struct
import sys

M = (1 << 64) - 1


def step(h, w):
    h ^= w
    return ((h << 29 | h >> 35) & M) * 0x9E3779B97F4A7C15 & M


def sum64(b):
    h = 0xCBF29CE484222325
    whole = len(b) // 8
    for w in struct.unpack(f"<{whole}Q", b[: whole * 8]):
        h = step(h, w)
    h = step(step(h, int.from_bytes(b[whole * 8 :], "little")), len(b))
    return h ^ h >> 32


path, change = sys.argv[1:]
b = open(path, "rb").read()
n = struct.unpack("<I", b[16:20])[0]
assert b[:16] == b"CLOISTER-STATE-1" and b[-32:-16] == b"CLOISTER-WHOLE-1"
assert struct.unpack("<QQ", b[-16:]) == (len(b) - 32, sum64(b[:-32])), "the sum is another one"
h = json.loads(b[24 : 24 + n])
exec(change)
head = json.dumps(h, separators=(",", ":")).encode()
out = b[:16] + struct.pack("<II", len(head), 0) + head + b[24 + n : -32]
with open(path, "wb") as f:
    f.write(out + b"CLOISTER-WHOLE-1" + struct.pack("<QQ", len(out), sum64(out)))
