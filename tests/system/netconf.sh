#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# timeout: 240
# What a zone is told of its network: resolvers, in a file that is written inside, and static routes; at boot and live, in each brand.
. "$(dirname "$0")/lib.sh"
need_root
node netconf
pool

check "an etherstub" nictagadm add -l stub0
inside() { zlogin "$@" </dev/null; }
resolv() { inside "$1" 'cat /etc/resolv.conf'; }
hexroutes() { inside "$1" "awk '\$2 != \"Destination\" {print \$1, \$2, \$3, \$8}' /proc/net/route" | sort; }
nic='"nics":[{"nic_tag":"stub0","ips":["10.9.0.1/24"],"primary":true},{"nic_tag":"stub0","ips":["10.8.0.1/24","fd00:8::1/64"]}]'

# ---- refused ----
no() { vmadm create <<<"{\"brand\":\"joyent-minimal\",$nic,$1}"; }
fails 1 'no network of a static address' no '"routes":{"10.2.0.0/16":"10.7.0.1"}'
fails 1 'the VM has 2 NICs' no '"routes":{"10.2.0.0/16":"nics[2]"}'
fails 1 'one is IPv4 and the other IPv6' no '"routes":{"10.2.0.0/16":"fd00:8::2"}'
fails 1 'bad_values|IP addresses' no '"resolvers":["example.net"]'

# ---- at boot ----
mkzone a n1 "$nic"',"resolvers":["192.0.2.53","2001:db8::53"],"dns_domain":"example.net","routes":{"10.2.0.0/16":"10.9.0.254","10.3.0.3":"nics[1]","fd00:2::/48":"fd00:8::2"}'
eq "resolvers" "$(resolv "$a")" $'search example.net\nnameserver 192.0.2.53\nnameserver 2001:db8::53'
eq "of the zone's root, for all to read" "$(inside "$a" 'stat -c "%u %g %a" /etc/resolv.conf')" "0 0 644"
eq "routes" "$(hexroutes "$a")" "$(printf '%s\n' 'net0 0000020A FE00090A 0000FFFF' 'net0 0000090A 00000000 00FFFFFF' 'net1 0000080A 00000000 00FFFFFF' 'net1 0300030A 00000000 FFFFFFFF' | sort)"
like "IPv6" "$(inside "$a" 'grep -E "^fd00000200000000.* 30 " /proc/net/ipv6_route')" 'net1$'
eq "get shows them" "$(vmadm get "$a" | jq -c '[.resolvers[0], .routes["10.3.0.3"]]')" '["192.0.2.53","nics[1]"]'

# ---- live ----
check "other routes" vmadm update "$a" <<<'{"set_routes":{"10.4.0.0/16":"10.9.0.253","10.3.0.3":"10.8.0.9"},"remove_routes":["10.2.0.0/16"]}'
eq "are there at once" "$(hexroutes "$a")" "$(printf '%s\n' 'net0 0000040A FD00090A 0000FFFF' 'net0 0000090A 00000000 00FFFFFF' 'net1 0000080A 00000000 00FFFFFF' 'net1 0300030A 0900080A FFFFFFFF' | sort)"
fails 1 'no network of a static address' vmadm update "$a" <<<'{"set_routes":{"10.5.0.0/16":"10.7.0.1"}}'
check "other resolvers, not maintained" vmadm update "$a" resolvers=192.0.2.54
eq "the zone's file is its own" "$(resolv "$a" | sed -n 2p)" "nameserver 192.0.2.53"
inside "$a" 'echo "# mine" >/etc/resolv.conf'
check "nor at the next boot" vmadm reboot "$a" -F
eq "its own" "$(resolv "$a")" "# mine"
eq "with its routes" "$(hexroutes "$a" | wc -l)" 4
check "maintained" vmadm update "$a" maintain_resolvers=true
eq "at once" "$(resolv "$a")" $'search example.net\nnameserver 192.0.2.54'
check "and changed" vmadm update "$a" <<<'{"resolvers":["192.0.2.55"]}'
eq "too" "$(resolv "$a" | sed -n 2p)" "nameserver 192.0.2.55"
inside "$a" 'echo "# mine" >/etc/resolv.conf'
check "and at each boot" vmadm reboot "$a" -F
eq "kept" "$(resolv "$a" | sed -n 2p)" "nameserver 192.0.2.55"

# ---- a zone that is in the way: nothing of the host is reached, and nobody waits for it ----
echo untouched >"$T_TMP/host"
check "a link of the zone's" inside "$a" "rm -f /etc/resolv.conf; ln -s $T_TMP/host /etc/resolv.conf; mkdir -p $T_TMP; echo inside >$T_TMP/host"
check "is replaced" vmadm update "$a" <<<'{"resolvers":["192.0.2.56"]}'
eq "the host's file is as it was" "$(cat "$T_TMP/host")" untouched
eq "and what it pointed at inside" "$(inside "$a" "cat $T_TMP/host")" inside
eq "the file is written" "$(resolv "$a" | sed -n 2p)" "nameserver 192.0.2.56"
check "a fifo" inside "$a" 'rm -f /etc/resolv.conf; mkfifo /etc/resolv.conf'
check "is not waited for" timeout 20 vmadm update "$a" <<<'{"resolvers":["192.0.2.57"]}'
eq "but replaced" "$(resolv "$a" | sed -n 2p)" "nameserver 192.0.2.57"
check "a folder" inside "$a" 'rm -f /etc/resolv.conf; mkdir /etc/resolv.conf'
check "stays, with a warning" vmadm update "$a" <<<'{"resolvers":["192.0.2.58"]}'
like "that says so" "$OUT" 'resolv.conf.*at its next boot'
check "for the zone to mend" inside "$a" 'rmdir /etc/resolv.conf'

# ---- those of the switch ----
check "a switch with resolvers" cloister net set stub0 subnet=10.9.0.0/24 gateway=10.9.0.254 resolvers=192.0.2.70
mkzone b n2 '"nics":[{"nic_tag":"stub0","ips":["10.9.0.2/24"],"primary":true}]'
eq "a VM without its own has them" "$(resolv "$b")" $'search local\nnameserver 192.0.2.70'

# ---- an image's root, and a container's ----
busybox_root root $'::sysinit:/bin/mkdir -p /run\n'
ln -s ../run/systemd/resolve/stub-resolv.conf root/etc/resolv.conf
tar -C root -cf root.tar .
import_image "$T_TMP/root.tar" bb
mkzone l n3 "\"image_uuid\":\"$IMG\",\"nics\":[{\"nic_tag\":\"stub0\",\"ips\":[\"10.9.0.3/24\"],\"primary\":true}],\"resolvers\":[\"192.0.2.80\"],\"routes\":{\"10.2.0.0/16\":\"10.9.0.254\"}" lx
eq "lx: resolvers, in place of the image's link" "$(resolv "$l")" $'search local\nnameserver 192.0.2.80'
like "lx: routes" "$(hexroutes "$l")" '^eth0 0000020A FE00090A'
oci_layout oci root '{"Entrypoint":["/bin/top","-b"]}'
import_image "$T_TMP/oci" top
mkzone d n4 "\"docker\":true,\"image_uuid\":\"$IMG\",\"nics\":[{\"nic_tag\":\"stub0\",\"ips\":[\"10.9.0.4/24\"],\"primary\":true}],\"resolvers\":[\"192.0.2.81\"]" lx
eq "docker: resolvers" "$(resolv "$d" | sed -n 2p)" "nameserver 192.0.2.81"
check "which are kept for it" vmadm update "$d" <<<'{"resolvers":["192.0.2.82"]}'
eq "live" "$(resolv "$d" | sed -n 2p)" "nameserver 192.0.2.82"
for z in "$a" "$b" "$l" "$d"; do check "delete" vmadm delete "$z"; done
