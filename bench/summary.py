#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""All bars of a run as one table and one file: bench/summary.py FOLDER NAME…"""
import json
import os
import sys

BARS = []
for name in sys.argv[2:]:
    found = None
    try:
        with open(os.path.join(sys.argv[1], name + ".txt")) as f:
            for line in f:
                if line.startswith("{"):
                    found = json.loads(line)
    except (OSError, ValueError) as e:
        print("%s: %s" % (name, e))
    if not found:
        BARS.append({"bench": name, "what": "gave no figures", "met": False})
        continue
    for b in found.get("figures", {}).get("bars", []):
        BARS.append(dict(b, bench=name))
    for m in found.get("results", []):
        if m["bar_ms"] > 0:
            BARS.append({"bench": name, "what": "%s, %d VMs" % (m["what"], m["vms"]), "value": round(m["p50_ms"], 3),
                         "bar": m["bar_ms"], "met": m["p50_ms"] <= m["bar_ms"]})

print("\n%-8s %-86s %10s %10s" % ("", "", "value", "bar"))
for b in BARS:
    if "value" in b:
        print("%-8s %-86s %10.2f %10g  %s" % (b["bench"], b["what"], b["value"], b["bar"], "met" if b["met"] else "MISSED"))
    else:
        print("%-8s %-86s %24s" % (b["bench"], b["what"], "MISSED"))
print("%d of %d bars met" % (sum(b["met"] for b in BARS), len(BARS)))
with open(os.path.join(sys.argv[1], "bars.json"), "w") as f:
    json.dump({"cpus": os.cpu_count(), "kernel": os.uname().release, "bars": BARS}, f, indent=1)
