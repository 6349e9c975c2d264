#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Fails on an include that points up, or sideways between folders of one layer (ARCHITECTURE.md, "Layers").

usage: layers.py SRCDIR
"""
import pathlib
import re
import sys

# Lowest first. Folders of one line may not include each other, except as ALSO says.
LAYERS = [
    ['base', 'bpf'],
    ['kern'],
    ['model', 'state'],
    ['store', 'image', 'brand', 'net'],
    ['fw', 'hvm', 'mdata'],
    ['zone', 'stat'],
    ['node'],
    ['cmd', 'zoneadmd', 'zinit', 'inside', 'unpack', 'netload', 'netd', 'mdatad', 'tlsd'],
]
ALSO = {('image', 'store')}  # an image is a dataset
# Programs that a zone's root could reach: small, so nothing above L1 but the named folders and headers.
ONLY = {
    'zinit': {'base', 'kern', 'zinit'},
    'inside': {'base', 'kern', 'mdata', 'zone', 'inside'},
    'mdata': {'base', 'mdata'},
    'mdatad': {'base', 'kern/giveup.h', 'mdata', 'mdatad'},
    'unpack': {'base', 'kern', 'unpack'},
    'netload': {'netload'},
    'netd': {'kern/giveup.h', 'netd'},
    'tlsd': {'base', 'kern', 'tlsd'},
    'bpf': {'bpf'},
    'zoneadmd': {'base', 'kern', 'zone', 'zoneadmd'},
}

level = {d: i for i, row in enumerate(LAYERS) for d in row}
include = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def main(src: pathlib.Path) -> int:
    bad = []
    for d in sorted(p.name for p in src.iterdir() if p.is_dir()):
        if d not in level and any((src / d).rglob('*.[ch]')):
            bad.append(f'{src / d}: this folder has no layer: add it to {sys.argv[0]} and ARCHITECTURE.md')
    files = [f for d in level for f in sorted((src / d).rglob('*.[ch]'))]
    for f in files:
        mine = f.relative_to(src).parts[0]
        for n, line in enumerate(f.read_text().splitlines(), 1):
            m = include.match(line)
            if not m:
                continue
            theirs = m.group(1).split('/')[0]
            if '/' not in m.group(1) or theirs == mine or theirs not in level:
                continue
            up = level[theirs] >= level[mine] and (mine, theirs) not in ALSO
            if up or (mine in ONLY and not ONLY[mine] & {theirs, m.group(1)}):
                bad.append(f'{f}:{n}: {mine} must not include {m.group(1)}')
    for b in bad:
        print('# ' + b)
    if not files:
        print('Bail out! no sources found')
        return 1
    print('1..1')
    print(f'{"not ok" if bad else "ok"} 1 - {len(files)} files include downwards only')
    return 1 if bad else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
