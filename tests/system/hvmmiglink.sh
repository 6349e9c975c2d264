#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 180
# A machine on its way to another node: the link cut after so many bytes, in each phase; strangers; a VM of its name that is there already; a pool without room;
# --keep and --back.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/twonodes.sh"
need_root
need_guest
node hvmmiglink
two_nodes "$NODE-b"

# All of its connections end when so many bytes have gone through in either direction; those that come later go through whole.
cat >relay.py <<'X'
import asyncio, sys
port, to, left = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
through, cut, all = 0, False, set()
async def copy(r, w):
    global through, cut
    try:
        while d := await r.read(65536):
            if not cut and 0 <= left < through + len(d):
                d = d[:left - through]
                cut = True
                w.write(d)
                for o in list(all):
                    o.transport.abort()
                print("cut", flush=True)
                return
            through += len(d)
            w.write(d)
            await w.drain()
        w.write_eof()
    except OSError:
        w.transport.abort()
async def one(r, w):
    r2, w2 = await asyncio.open_connection("127.0.0.1", to)
    all.update((w, w2))
    await asyncio.gather(copy(r, w2), copy(r2, w))
    w.close(), w2.close()
    all.difference_update((w, w2))
    with open("through", "w") as f:
        f.write("%d\n" % through)
async def main():
    s = await asyncio.start_server(one, "127.0.0.1", port)
    print("ready", flush=True)
    await s.serve_forever()
asyncio.run(main())
X
relay() { # bytes, -1 = never
	: >relay.out
	python3 relay.py $((PORT + 1)) "$PORT" "$1" >relay.out 2>&1 &
	RELAY=$!
	AT=127.0.0.1:$((PORT + 1)) ON=127.0.0.1:$PORT
	await 20 grep -q ready relay.out
}
relay_ended() { kill "$RELAY" 2>/dev/null; wait "$RELAY" 2>/dev/null; }

counting_guest g.raw || { not_ok "a guest for this test"; exit 1; }
counting_machine g.raw
check "its guest counts" await 90 counts "$HERE"

# ---- what the other node refuses, before anything is copied ----
A=$(cloister peer show)
there cloister peer remove a
listen -a
fails 1 'not known there' go
like "S45 a node that is not known is refused, by its fingerprint" "$(cat receive.out)" "cloister peer add NAME $A"
printf 'GET / HTTP/1.0\r\n\r\n' | timeout 5 python3 -c 'import socket,sys; s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.sendall(b"\0" * 70000); print(s.recv(10))' "$PORT" >/dev/null 2>&1
there cloister peer add a "$A"
check "what is no TLS ends nothing: it listens" kill -0 "$LISTENER"
run there vmadm create <<<"{\"brand\":\"kvm\",\"uuid\":\"$M\",\"ram\":64,\"autoboot\":false,\"disks\":[{\"boot\":true,\"model\":\"virtio\",\"size\":5}]}"
eq "a VM of its uuid is there" "$RC" 0
fails 1 'exists' go
like "that is said there too" "$(cat receive.out)" 'Refused a machine of a: .*exists'
check "it is what it was" there vmadm delete "$M"
fill() { # what goes on there takes some of it meanwhile
	local slack
	for slack in 4 6 8 12; do
		fallocate -l $(($(df --output=avail -B1 "/zones-$THERE" | tail -1) - slack * 1000000)) "/zones-$THERE/filler" && return
	done
	return 1
}
# What was deleted before gives its room back when btrfs gets round to it.
keep_full() {
	local i=0 left
	while kill -0 "$GO" 2>/dev/null; do
		left=$(df --output=avail -B1 "/zones-$THERE" | tail -1)
		[ "$left" -lt 8000000 ] || fallocate -l $((left - 4000000)) "/zones-$THERE/filler$((i++))" 2>/dev/null
		sleep 0.3
	done
}
unfill() { rm -f "/zones-$THERE"/filler*; sync -f "/zones-$THERE"; }
fill
fails 1 'MiB left' go
like "that is said there too" "$(cat receive.out)" 'Refused a machine of a: .*MiB left'
unfill
one_runs "refused" "$HERE"
ended
listen -a
# stopped ahead of its disks: the first of them go at once, whatever the bandwidth
CLOISTER_FAIL=migrate-disks:stop timeout 100 vmadm migrate "$M" "$AT" --downtime 1500 --bandwidth 2M >migrate.out 2>&1 &
GO=$!
check "it is on its way" await 20 grep -q 'is coming' receive.out
stopped() { V=$(cat "/proc/$GO/task/$GO/children") && [ "$(cut -d' ' -f3 "/proc/${V% }/stat")" = T ]; }
check "and waits" await 20 stopped
check "and its room is taken away" fill
kill -CONT ${V% }
keep_full
wait $GO
eq "that ends it" "$?" 1
unfill
one_runs "no room behind the offer: $(head -1 migrate.out)" "$HERE"
ended

# ---- a node that takes up the other's time ----
listen --stall 2
go --bandwidth 1M >migrate.out 2>&1 &
GO=$!
check "it is on its way once more" await 20 grep -q 'is coming' receive.out
Q=$(vmadm get "$M" | jq -r .pid)
kill -STOP "$Q"
check "nothing of it comes: it is given up there" await 20 grep -q 'nothing of it has come for 2 s' receive.out
kill -CONT "$Q"
wait $GO
eq "and here" "$?" 1
one_runs "nothing came" "$HERE"
ended
# what it announced is little, and what it sends is not (here: what lies there grows)
listen
go --bandwidth 1M >migrate.out 2>&1 &
GO=$!
check "it is on its way with more" await 20 grep -q 'is coming' receive.out
check "more is written there than was said" fallocate -n -l 600M "/zones-$THERE/$M/root/disk0"
check "it is given up there" await 20 grep -q 'its disks come to [56][0-9]* MiB, and there is room for' receive.out
wait $GO
eq "and here, again" "$?" 1
one_runs "too much came" "$HERE"
ended

# ---- the link ----
relay -1
listen
check "there, by way of a relay" go
one_runs "there" "$THERE"
ended
relay_ended
ALL=$(cat through)
le "what went through is as much as its disks and some memory" 30000000 "$ALL"
turn_round
for n in 300 9000 20000000 $((ALL * 6 / 10)) $((ALL * 95 / 100)); do
	relay "$n"
	listen -a
	run go
	if [ "$RC" = 0 ]; then where=$THERE; else where=$HERE; fi
	one_runs "cut after $n bytes (exit $RC)" "$where"
	like "it was cut" "$(cat relay.out)" cut
	ended
	relay_ended
	[ "$where" = "$HERE" ] || turn_round
done

# ---- kept ----
AT=127.0.0.1:$PORT ON=$AT
listen
check "it goes, and is kept" go --keep
ended
eq "here it is stopped, and is not booted with the host" "$(vmstate "$M") $(vmadm get "$M" | jq .autoboot)" "migrated false"
fails 1 'has gone to another node' vmadm start "$M"
eq "there it runs" "$(status_of "$THERE")" running
check "its guest counts there" await 30 counts "$THERE"
check "it is lost there" there vmadm delete "$M"
check "and taken back" vmadm migrate "$M" --back
check "it starts" vmadm start "$M"
check "and boots" guest_up "$M" 1

no_number_twice "S45 a machine runs once, wherever its link is cut"
