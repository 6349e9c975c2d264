#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 420
# A machine with snapshots on its way to another node: they come along, byte for byte, with their dates and sharing what they share; cut off in the midst of them
# nothing is left of them there; a node that sends them as they can't be is refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/twonodes.sh"
need_root
need_guest
command -v filefrag >/dev/null || skip "needs filefrag (package e2fsprogs)"
node hvmmigsnap
two_nodes "$NODE-b"

counting_guest g.raw || { not_ok "a guest for this test"; exit 1; }
a_machine g.raw

# ---- three snapshots: of two contents, one of them with the memory; the last has not the file that the one before has ----
vdb() { g "$M" "$1; sync" || not_ok "the guest writes" "$G_OUT"; }
snapped() { # name [option]
	check "snapshot $1" vmadm create-snapshot "$M" "$@"
	read -rt 1.1 <> <(:) # another second: dates differ
}
vdb 'echo kept >/tmp/kept; dd if=/dev/urandom of=/dev/vdb bs=65536 seek=128 count=64 conv=fsync 2>/dev/null'
snapped z-first
places() { # where the guest writes: noise, zeros and what can be compressed, a block or some
	local i
	for ((i = 0; i < 24; i++)); do
		printf '%s | dd of=/dev/vdb bs=4096 seek=%d count=%d iflag=fullblock conv=notrunc 2>/dev/null; ' \
			"$(shuf -n 1 -e 'cat /dev/urandom' 'cat /dev/zero' 'yes cloister')" $((RANDOM % 4000)) $((1 + RANDOM % 40))
	done
}
vdb "$(places):"
vdb 'dd if=/dev/urandom of=/dev/vdb bs=4096 seek=2501 count=3 conv=fsync 2>/dev/null; dd if=/dev/zero of=/dev/vdb bs=65536 seek=130 count=4 conv=fsync 2>/dev/null'
snapped memory:2 -m
vdb "$(places):"
vdb 'echo lost >/tmp/kept; dd if=/dev/urandom of=/dev/vdb bs=65536 seek=190 count=1 conv=fsync 2>/dev/null'
snapped a%3
sums() { (cd "/zones-$1/$M/snap" && md5sum -- */*); } # node
dates() { at "$1" vmadm get "$M" | jq -c '[.snapshots[] | [.name, .created_at]] | sort'; } # node
sums "$HERE" >want
DATES=$(dates "$HERE")
eq "three snapshots, and one has the memory" "$(cut -d' ' -f3 want | tr '\n' ' ')" "a%3/disk0 a%3/disk1 memory:2/checkpoint memory:2/disk0 memory:2/disk1 z-first/disk0 z-first/disk1 "
eq "of three contents" "$(grep disk1 want | cut -d' ' -f1 | sort -u | wc -l)" 3
it_counts
check "its guest counts" await 90 counts "$HERE"

nothing_there() { # what
	check "$1: nothing is left of them there" await 30 eval '[ ! -e "/zones-$THERE/$M" ]'
	eq "$1: no dataset" "$(btrfs subvolume list "/zones-$THERE" | grep -c "$M")" 0
	sums "$HERE" >now
	check "$1: here they are what they were" cmp -s want now
}

# ---- it ends in the midst of them ----
for p in migrate-snapshots migrate-snapshot; do
	fails_at "$p"
done
nothing_there "failed"
listen
(CLOISTER_FAIL=migrate-snapshot:kill go) >migrate.out 2>&1
one_runs "migrate-snapshot, killed" "$HERE"
ended
listen CLOISTER_FAIL=receive-snapshot:error
fails 1 'the other node refuses: .*failpoint receive-snapshot' go
one_runs "receive-snapshot fails" "$HERE"
ended
nothing_there "failed there"
listen CLOISTER_FAIL=receive-snapshot:kill
again &
AGAIN=$!
run go
eq "receive-snapshot, killed: it has not gone" "$RC" 1
wait $AGAIN
one_runs "receive-snapshot, killed" "$HERE"
ended
nothing_there "killed there"
listen -a
go --bandwidth 2M >migrate.out 2>&1 &
GO=$!
check "the oldest is on its way" await 30 eval '[ "$(du -k "/zones-$THERE/$M/snap/z-first/disk0" 2>/dev/null | cut -f1)" -gt 1000 ]'
run timeout 2 vmadm delete-snapshot "$M" a%3
eq "who would delete one meanwhile waits" "$RC" 124
kill -INT "$LISTENER"
wait "$LISTENER"
wait $GO
eq "it is interrupted there" "$?" 1
one_runs "interrupted there" "$HERE"
nothing_there "interrupted there"

# ---- the pool moves what is in them ----
listen
CLOISTER_FAIL=migrate-snapshots:stop timeout 100 vmadm migrate "$M" "$AT" --downtime 1500 >migrate.out 2>&1 &
GO=$!
stopped() { V=$(cat "/proc/$GO/task/$GO/children") && [ "$(cut -d' ' -f3 "/proc/${V% }/stat")" = T ]; }
check "it has looked where they lie" await 30 stopped
check "and that is elsewhere now" btrfs -q balance start --full-balance "/zones-$HERE"
kill -CONT ${V% }
wait $GO
eq "it is given up" "$?" 1
like "and says why" "$(cat migrate.out)" 'the pool moves what is in it'
one_runs "moved" "$HERE"
ended
nothing_there "moved"
listen -a

# ---- a node between the two, with the keys of both, changes what goes by ----
cat >between.py <<'X'
import asyncio, json, ssl, struct, sys
port, to, here, there, how = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(there + "/cert.pem", there + "/key.pem")
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
client.load_cert_chain(here + "/cert.pem", here + "/key.pem")
async def pump(r, w):
    try:
        while d := await r.read(65536):
            w.write(d)
            await w.drain()
    except OSError:
        pass
    w.close()
def head(kind, n, at):
    return struct.pack("<IIQ", kind, n, at)
async def records(r, w):
    names = 0
    while True:
        kind, n, at = struct.unpack("<IIQ", await r.readexactly(16))
        body = await r.readexactly(n) if kind in (1, 2, 3) else b""
        if how == "path" and kind == 1:
            body = b"../../x"
        if how == "dot" and kind == 1:
            body = b".x"
        if how == "same" and kind == 1:
            body = b"same"
        if how == "file" and kind == 2:
            body = b"../disk0"
        if how == "link" and kind == 2:
            body = b"record.json"
        if how == "beyond" and kind == 3:
            at = 1 << 40
        if how == "piece" and kind == 3:
            n, body = 1 << 30, b"x" * 65536
        if how == "again" and kind == 3:
            w.write(head(kind, n, at) + body)
        if how == "kind" and kind == 3:
            kind = 77
        if how == "early" and kind == 5:
            w.write(head(5, 0, 0))
            kind, n, body = 6, 0, b""
        w.write(head(kind, len(body) if kind in (1, 2) else n, at) + body)
        await w.drain()
async def one(r, w):
    r2, w2 = await asyncio.open_connection("127.0.0.1", to, ssl=client)
    w.write(await r2.readexactly(1))
    line = await r.readline()
    m = json.loads(line)
    if how == "fewer" and m["say"] == "offer":
        m["snapshots"]["count"] = 2
    if how == "none" and m["say"] == "offer":
        del m["snapshots"]
    if how == "many" and m["say"] == "offer":
        m["snapshots"]["count"] = 1 << 40
    if how == "much" and m["say"] == "offer":
        m["record"]["quota"] = 0
        m["snapshots"]["bytes"] = 1 << 62
    if how == "quota" and m["say"] == "offer":
        m["snapshots"]["bytes"] = 64 << 30
    if how == "little" and m["say"] == "offer":
        m["snapshots"]["bytes"] = 0
    if how == "skip" and m["say"] == "snapshots":
        w.write(b'{"say":"ok"}\n')
        while struct.unpack("<IIQ", h := await r.readexactly(16))[0] != 6:
            kind, n, at = struct.unpack("<IIQ", h)
            await r.readexactly(n if kind in (1, 2, 3) else 0)
        w.write(b'{"say":"ok"}\n')
        await w.drain()
        return
    w2.write(json.dumps(m).encode() + b"\n")
    back = asyncio.create_task(pump(r2, w))
    if m["say"] == "snapshots":
        try:
            await records(r, w2)
        except (OSError, asyncio.IncompleteReadError):
            pass
        w2.close()
    else:
        await pump(r, w2)
    await back
async def main():
    s = await asyncio.start_server(one, "127.0.0.1", port, ssl=server, limit=16 << 20)
    print("ready", flush=True)
    await s.serve_forever()
asyncio.run(main())
X
between() { # how
	: >between.out
	python3 between.py $((PORT + 1)) "$PORT" "/etc/cloister-$HERE/tls" "/etc/cloister-$THERE/tls" "$1" >between.out 2>&1 &
	BETWEEN=$!
	await 20 grep -q ready between.out
}
DIRECT=$AT
: >hostile.out
through() { # how the node between lies, what is done meanwhile
	between "$1"
	AT=127.0.0.1:$((PORT + 1))
	"${@:2}"
	AT=$DIRECT
	kill "$BETWEEN"
	wait "$BETWEEN" 2>/dev/null
}
while read -r how why; do
	through "$how" run go
	if [ "$RC" = 1 ] && grep -qE "$why" receive.out; then ok "S45 snapshots that come as they can't: $how"; else not_ok "S45 snapshots that come as they can't: $how" "$RC: $OUT; $(tail -3 receive.out)"; fi
	[ ! -e "/zones-$THERE/$M" ] || await 20 eval '[ ! -e "/zones-$THERE/$M" ]' || not_ok "$how: nothing is left there"
	: >receive.out
done <<'X'
path come in a way that can't be
dot come in a way that can't be
same comes twice
file come in a way that can't be
link come in a way that can't be
beyond come in a way that can't be
piece come in a way that can't be
again come in a way that can't be
kind come in a way that can't be
early come in a way that can't be
fewer come in a way that can't be
none snapshots come that were not offered
skip ahead of its snapshots
much MiB left
quota quota has room for
X
# what it announced is little, and what it sends is not
fallocate -l $(($(df --output=avail -B1 "/zones-$THERE" | tail -1) - 130000000)) "/zones-$THERE/filler"
through little fails 1 'snapshots come to more than [0-9]+ MiB' go
rm "/zones-$THERE/filler"
sync -f "/zones-$THERE"
through many fails 1 'the link to the other node is cut' go
check "it listens on" kill -0 "$LISTENER"
one_runs "a node that lies" "$HERE"
nothing_there "a node that lies"
eq "S45 nothing of theirs is anywhere else" "$(find "/zones-$THERE" -maxdepth 2 \( -name x -o -name .x -o -name same -o -name 'disk*' \) | head -3)" ""
ended

# ---- they come along ----
listen
check "it goes, with its snapshots" go
echo "# $OUT"
like "how many, and how much of them" "$OUT" '^snapshots 3 with [0-9.]+[KMG]?.*, total'
ended
one_runs "there" "$THERE"
sums "$THERE" >now
check "every file of them is what it was" cmp want now || diff want now
eq "their dates too" "$(dates "$THERE")" "$DATES"
turn_round
eq "none can be written to" "$(for s in z-first memory:2 a%3; do btrfs property get "/zones-$HERE/$M/snap/$s" ro; done | sort -u)" "ro=true"
extents() { filefrag -e "/zones-$HERE/$M/snap/$1/$2" | awk '$1 ~ /^[0-9]+:$/ {print $4}' | sort; }
for f in disk0 disk1; do
	check "what $f has in two of them, the pool has once" [ -n "$(comm -12 <(extents z-first $f) <(extents a%3 $f))" ]
done
cp want want.first

# ---- rolled back to each ----
back_to() { # name disk
	eq "rolled back to $1: $2" "$(md5sum <"/zones-$HERE/$M/root/$2")" "$(awk -v f="$1/$2" '$2 == f {print $1 "  -"}' want.first)"
}
vmadm stop -F "$M" >/dev/null 2>&1
for s in a%3 z-first; do
	check "rolled back to $s" vmadm rollback-snapshot "$M" "$s"
	back_to $s disk0
	back_to $s disk1
done
# a new one, of one that came: it is of today, and goes back with the others
check "a snapshot of what was rolled back to" vmadm create-snapshot "$M" later
like "is of now" "$(vmadm get "$M" | jq -r '.snapshots[] | select(.name == "later") | .created_at')" "^$(date -u +%Y-%m-%dT)"
eq "and the newest" "$(vmadm get "$M" | jq -r '[.snapshots[] | [.created_at, .name]] | sort | last | last')" later
check "rolled back to the one with the memory" vmadm rollback-snapshot "$M" memory:2
eq "it is suspended" "$(vmstate "$M")" suspended
back_to memory:2 disk1
check "it goes on from there" vmadm resume "$M"
check "where it was" g "$M" 'cat /tmp/kept'
like "with what it had in memory" "$G_OUT" kept
sums "$HERE" >want
DATES=$(dates "$HERE")
listen
check "and goes to the other node, with four" go
like "that is said" "$OUT" '^snapshots 4 with'
ended
sums "$THERE" >now
check "whole" cmp want now
eq "with their dates" "$(dates "$THERE")" "$DATES"
turn_round

# ---- and without ----
listen
check "it goes without them" go --without-snapshots
ended
eq "there it has none" "$(at "$THERE" vmadm get "$M" | jq -c .snapshots)" "[]"
