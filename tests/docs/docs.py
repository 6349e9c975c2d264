#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What people read is complete and true: manual pages, completion, promises, links, licence headers.

usage: docs.py SRCROOT BUILDROOT
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

src, build = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
n = bad = 0


def check(what, problems):
    global n, bad
    n += 1
    problems = list(problems)
    bad += bool(problems)
    print(f'{"not " if problems else ""}ok {n} - {what}')
    for p in problems:
        print('#   ' + str(p))


def pages():
    made = [p for p in (build / 'man').glob('*.[1-9]')] if (build / 'man').is_dir() else []
    return sorted((src / 'man').glob('*.[1-9]')) + sorted(made)


# ---- manual pages ----
for p in pages():
    out = subprocess.run(['mandoc', '-T', 'lint', '-W', 'style', str(p)], capture_output=True, text=True).stdout
    check(f'{p.name}: mandoc -T lint', [l for l in out.splitlines()
                                        if 'referenced manual not found' not in l and 'outdated mandoc.db' not in l])

have = {p.name for p in pages()}
elsewhere = {'debootstrap.8', 'tcpdump.8'}
check('manual pages refer to pages that are there',
      (f'{p.name}: {m[0]}({m[1]})' for p in pages() for m in re.findall(r'^\.Xr (\S+) (\d)', p.read_text(), re.M)
       if f'{m[0]}.{m[1]}' not in have | elsewhere))

# ---- commands ----
table = [l.split('\t') for l in
         subprocess.run([build / 'src/cmd/cloister', 'commands'], capture_output=True, text=True).stdout.splitlines()]
check('there is a table of commands', [] if len(table) > 1 else ['cloister commands printed nothing'])
text = {p.stem: p.read_text() for p in pages()}


def documented(prog, verb):
    if prog not in text:
        return False
    return not verb or re.search(rf'^\.(It|Nm|Fl|Ar|Op)?.*\bCm ([\w|:-]+ )*{re.escape(verb)}\b', text[prog], re.M)


check('every command is in its manual page', (f'{t[0]} {t[1]}' for t in table if not documented(t[0], t[1])))
check('every command has a line of help', (f'{t[0]} {t[1]}' for t in table if not t[3] and not t[5]))

completion = (src / 'packaging/cloister.bash').read_text()
progs = re.search(r'^complete -F _cloister (.*)$', completion, re.M).group(1).split()
check('every program with operands completes', sorted({t[0] for t in table} - set(progs) - {'zonename'}))
check('the completion is a shell program',
      subprocess.run(['bash', '-n', src / 'packaging/cloister.bash'], capture_output=True, text=True).stderr.splitlines())

# Completion in action, on a copy of the program that is found by name.
links = build / 'tests/docs/bin'
links.mkdir(parents=True, exist_ok=True)
for t in {t[0] for t in table} | {'cloister'}:
    l = links / t
    l.unlink(missing_ok=True)
    l.symlink_to(build / 'src/cmd/cloister')


def complete(*words, first=''):
    script = f'''PATH={links}:$PATH; . {src}/packaging/cloister.bash; {first}
COMP_WORDS=({" ".join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; _cloister; printf '%s\\n' "${{COMPREPLY[@]}}"'''
    return subprocess.run(['bash', '-c', script], capture_output=True, text=True).stdout.split()


for prog in sorted({t[0] for t in table if t[1]}):
    verbs = {t[1] for t in table if t[0] == prog}
    check(f'{prog} completes its verbs', sorted(verbs - set(complete(prog, ''))))

for verb, words in {'start': ['order=', 'once=', 'cdrom=', 'disk='], 'sysrq': ['nmi', 'screenshot'], 'info': ['balloon', 'vnc'],
                    'create-snapshot': ['-m']}.items():
    check(f'vmadm {verb} completes what goes behind the VM', sorted(set(words) - set(complete('vmadm', verb, 'x', ''))))

check('vmadm help completes verbs, and is one', sorted({'create', 'create-snapshot'} - set(complete('vmadm', 'help', 'crea'))) + [w for w in ['help'] if w not in complete('vmadm', 'h')])
for words in [('=',), ('=', f'{src}/packaging/cloister.b')]:
    got = complete('vmadm', 'start', 'x', 'cdrom', *words, first=f'cd {src}/packaging')
    check(f'the file of cdrom{words} is completed', [] if [w for w in got if w.endswith('cloister.bash')] else [str(got)])

# What a VM may have put where names are looked for: its metadata. It is neither run nor offered.
trap = links / 'ran'
trap.unlink(missing_ok=True)
said = json.dumps({'customer_metadata': {'snapshots': 'x', 't"name': f'$(touch {trap})', 'name': f'`touch {trap}`'},
                   'snapshots': [{'name': 'good'}]}, indent=2)
got = complete('vmadm', 'rollback-snapshot', 'x', '', first=f'vmadm() {{ printf %s {shlex.quote(said)}; }}')
check('a snapshot is completed', [] if 'good' in got else [str(got)])
check("completion runs nothing of a VM's", [w for w in got if w != 'good'] + [f.name for f in [trap] if f.exists()])

# ---- promises ----
promises = set(re.findall(r'^\| (S\d+) \|', (src / 'SECURITY.md').read_text(), re.M))
tests = '\n'.join(f.read_text() for f in (src / 'tests/system').glob('*.sh'))
named = set(re.findall(r'["\'](S\d+)\b', tests))
check('every promise of SECURITY.md has its check', sorted(promises - named, key=lambda s: int(s[1:])))
check('every numbered check has its promise', sorted(named - promises))

# ---- documents ----
docs = [p for p in [*src.glob('*.md'), *(src / 'docs').rglob('*.md')]]
check('links between documents lead somewhere',
      (f'{p.relative_to(src)}: {l}' for p in docs for l in re.findall(r'\]\((?!https?:|#)([^)#]+)', p.read_text())
       if not (p.parent / l).exists()))
listed = set(re.findall(r'\((\S+\.md)\)', (src / 'docs/decisions/README.md').read_text()))
check('every decision is listed',
      sorted({p.name for p in (src / 'docs/decisions').glob('*.md')} - listed - {'README.md'}))

# ---- licence ----
tracked = subprocess.run(['git', '-C', src, 'ls-files'], capture_output=True, text=True).stdout.split('\n')
tracked = [t for t in tracked if t] or [str(p.relative_to(src)) for d in ('src', 'tools', 'tests') for p in (src / d).rglob('*')]
code = [f for f in tracked if (re.search(r'\.(c|h|py|sh|bash|def|inc)$|meson\.build$|^Makefile$|^tools/|^\.ci/|/run$', f)
                               or re.match(r'man/.*\.\d$', f)) and 'corpus/' not in f and (src / f).is_file()]
check(f'{len(code)} files have an SPDX header',
      (f for f in code if 'SPDX-License-Identifier: ' not in '\n'.join((src / f).read_text(errors='replace').split('\n')[:3])))

print(f'1..{n}')
sys.exit(bad > 0)
