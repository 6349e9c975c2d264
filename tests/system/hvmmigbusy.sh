#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 200
# A machine whose guest writes memory and disk as fast as it can goes to another node: it comes to an end by itself, stands for no longer than was said, and
# no page and no block is lost (writer.c looks at each).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/twonodes.sh"
need_root
need_guest
node hvmmigbusy
two_nodes "$NODE-b"

mkdir -p add/bin && cp "$T_BUILD/tests/system/writer" add/bin/
G_ADD=$PWD/add mkguest g.raw || { not_ok "a guest for this test"; exit 1; }
a_machine g.raw 256
check "its guest writes" g "$M" 'writer 96 /dev/vdb 16 >/dev/ttyS0 2>&1 &'
passes() { log_of "$1" | tr -d '\r' | sed -n "s/^$2 \([0-9]*\) OK/\1/p" | tail -1; } # node MEMORY|DISK
writes() { local m d; m=$(passes "$1" MEMORY) d=$(passes "$1" DISK); await 30 eval "[ \"\$(passes $1 MEMORY)\" -gt $((${m:-0} + 1)) ] && [ \"\$(passes $1 DISK)\" -gt $((${d:-0} + 1)) ]"; } # node
check "memory and disk" writes "$HERE"

listen
check "it comes to an end by itself" timeout 150 vmadm migrate "$M" "$AT"
echo "# $OUT"
limit=$(sed -n 's/.*(target \([0-9]*\) ms).*/\1/p' <<<"$OUT") stood=$(sed -n 's/.*downtime \([0-9]*\) ms.*/\1/p' <<<"$OUT")
le "it was let stand for two seconds at most" "$limit" 2000
[ "$limit" = 100 ] || like "and for longer than usual with a word" "$OUT" "writes faster than its memory goes: it may stand $limit ms"
# beside what is left of its memory: mirrors' ends, two nodes' commands and one processor for all of it
le "it stood for as long as was said, twice over and a second at most" "$stood" $((limit * 2 + 1000))
wait "$LISTENER"
check "it writes on, and two passes find all that it wrote" writes "$THERE"
eq "no page and no block differs" "$(log_of "$THERE" | grep -a BAD | head -3)" ""
