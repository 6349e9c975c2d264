#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 60
# The multi-call program: names, usage, exit statuses, bad surroundings.
. "$(dirname "$0")/lib.sh"
need_root
node cli

check "version" cloister version
like "version has a number" "$OUT" '^cloister [0-9]+\.[0-9]+'
fails 2 'unknown command "no-such"' cloister no-such
fails 2 '^usage:' cloister
fails 2 'did you mean create-snapshot\?' vmadm snapshot x y
fails 2 'did you mean list\?' vmadm lst
eq "short, and where all of them are" "$(vmadm no-such 2>&1)" 'vmadm: unknown command "no-such"
  `vmadm help` lists them all'
check "help of one command" vmadm help start
like "is that one's, by any of its names" "$OUT $(vmadm help boot | wc -l)" '^usage:
  vmadm start .*
        boot a VM.* 3$'
fails 2 'unknown command "foo"' vmadm help foo
check "help goes to standard output" cloister help
check "of another program" cloister help vmadm
fails 1 'node name' cloister --node 'No/Good' version
fails 1 'node name' env CLOISTER_NODE=../x cloister version
eq "nothing but the log folder was made" "$(ls -d /run/cloister-"$NODE" /zones-"$NODE" /var/lib/cloister-"$NODE" 2>/dev/null)" ""
for p in vmadm imgadm zoneadm zonecfg zonename prctl sysinfo zonestat zonememstat kstat; do
	eq "$p is a link to cloister" "$(readlink "$(command -v $p)")" cloister
done
# an option that there is not: told by whom, and how it is used
bad=
while IFS=$'\x1f' read -r p v synopsis help arg of; do
	[[ $synopsis == *-[a-zA-Z]* && -z $of && $help != "not available yet" ]] || continue
	run "$p" ${v:+"$v"} --no-such-option </dev/null
	[ "$RC" = 2 ] && head -1 <<<"$OUT" | grep -qE "^($p${v:+ $v}: |usage:)" && grep -q "^  $p${v:+ $v}" <<<"$OUT" && grep -q '^usage:' <<<"$OUT" ||
		bad+="$p $v: $RC: ${OUT:0:300}"$'\n'
done < <(cloister commands | tr '\t' '\037')
eq "every command says of itself that it has no such option" "$bad" ""
eq "output on a full device is an error" "$(cloister version 2>&1 >/dev/full; echo $?)" "cloister version: standard output: No space left on device (ENOSPC)
1"
