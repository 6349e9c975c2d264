#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Fails unless every promise of SECURITY.md has a check of its number in tests/system, and every number is promised.

usage: promises.py SOURCE-ROOT
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
promised = re.findall(r'^\| (S\d+) \|', (root / 'SECURITY.md').read_text(), re.M)
checked = {}
for f in sorted((root / 'tests/system').glob('*.sh')):
    # the number stands in the name of a check: the first words of its message
    for name in re.findall(r'''["']((?:S\d+ )+)''', f.read_text()):
        for s in name.split():
            checked.setdefault(s, set()).add(f.name)
bad = [f'{s} is promised and has no check' for s in promised if s not in checked]
bad += [f'{s} is promised twice' for s in sorted(set(promised)) if promised.count(s) > 1]
bad += [f'{s} is checked in {" ".join(sorted(fs))} and not promised' for s, fs in sorted(checked.items()) if s not in promised]
for b in bad:
    print('# ' + b)
print('1..1')
print(f'{"not ok" if bad or not promised else "ok"} 1 - {len(promised)} promises have their checks')
sys.exit(1 if bad or not promised else 0)
