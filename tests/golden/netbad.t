# NICs that are not made: addresses, link addresses, VLANs, MTUs, gateways, tags that are wrong, and what two VMs can't both have.
# needs: pool
$ nictagadm add -l stub0
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1"]}]}'
vmadm create: nics.*.ips: must be address/length, dhcp or addrconf
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/33"]}]}'
vmadm create: nics.*.ips: must be address/length, dhcp or addrconf
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.256/24"]}]}'
vmadm create: nics.*.ips: must be address/length, dhcp or addrconf
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.0/24"]}]}'
vmadm create: nics: the address 10.0.0.0/24 of net0 is its network's own
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.255/24"]}]}'
vmadm create: nics: the address 10.0.0.255/24 of net0 is its network's broadcast
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["127.0.0.1/8"]}]}'
vmadm create: nics: the address 127.0.0.1/8 of net0 is the loopback's
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["224.0.0.1/4"]}]}'
vmadm create: nics: the address 224.0.0.1/4 of net0 is a group's
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["fd00::1/129"]}]}'
vmadm create: nics.*.ips: must be address/length, dhcp or addrconf
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["fd00::g/64"]}]}'
vmadm create: nics.*.ips: must be address/length, dhcp or addrconf
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["::1/128"]}]}'
vmadm create: nics: the address ::1/128 of net0 is the loopback's
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["ff02::1/64"]}]}'
vmadm create: nics: the address ff02::1/64 of net0 is a group's
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24","10.0.0.1/24"]}]}'
vmadm create: nics.*.ips: 10.0.0.1/24 is given twice on nic_tag stub0
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["fd00::1/64","FD00:0::1/64"]}]}'
vmadm create: nics.*.ips: FD00:0::1/64 is given twice on nic_tag stub0
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24","dhcp","dhcp"]}]}'
vmadm create: nics.*.ips: "dhcp" is not available on nic tag stub0: its switch has no DHCP server of ours, and is no uplink by which one could be asked
  `cloister net set stub0 subnet=NETWORK dhcp=on`, or give the NIC an address.
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ip":"10.0.0.1"}]}'
vmadm create: nics.0.netmask is missing
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ip":"10.0.0.1","netmask":"255.0.255.0"}]}'
vmadm create: nics.*.netmask: must be a mask like 255.255.255.0
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ip":"10.0.0.1","netmask":"255.255.255.0","ips":["10.0.0.2/24"]}]}'
vmadm create: nics.*.ip: 10.0.0.1 is not the first of ips
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mac":"02:08:20:00:00","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.mac: must be a unicast address like 02:08:20:d7:4f:11
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mac":"02:08:20:00:00:zz","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.mac: must be a unicast address like 02:08:20:d7:4f:11
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mac":"03:08:20:00:00:01","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.mac: must be a unicast address like 02:08:20:d7:4f:11
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mac":"00:00:00:00:00:00","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.mac: must be a unicast address like 02:08:20:d7:4f:11
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mac":"ff:ff:ff:ff:ff:ff","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.mac: must be a unicast address like 02:08:20:d7:4f:11
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","vlan_id":4096,"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.vlan_id: must be a whole number from 0 to 4094
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","vlan_id":-1,"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.vlan_id: must be a whole number from 0 to 4094
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","vlan_id":"seven","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.vlan_id: must be a whole number from 0 to 4094
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mtu":575,"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.mtu: must be a whole number from 576 to 9000
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mtu":9001,"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.mtu: must be a whole number from 576 to 9000
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mtu":1279,"ips":["fd00::1/64"]}]}'
vmadm create: nics: fd00::1 of net0: IPv6 needs an MTU of 1280, and that of this NIC is 1279
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"],"primary":true,"gateway":"10.0.1.1"}]}'
vmadm create: nics: the gateway 10.0.1.1 of net0 is in none of its networks
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"],"primary":true,"gateways":["10.0.0.2","10.0.0.3"]}]}'
vmadm create: nics: net0 has two default gateways of one family, the second is 10.0.0.3
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"],"primary":true,"gateway":"10.0.0.2","gateways":["10.0.0.3"]}]}'
vmadm create: nics.*.gateway: 10.0.0.2 is not the first of gateways
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"],"primary":true,"gateway":"10.0.0.1"}]}'
vmadm create: nics: the gateway 10.0.0.1 of net0 is its own address
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"],"primary":true,"gateway":"nowhere"}]}'
vmadm create: nics.*.gateway: must be an IPv4 address
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"],"primary":true,"gateway":"fd00::1"}]}'
vmadm create: nics.*.gateway: must be an IPv4 address
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"],"primary":true},{"nic_tag":"stub0","ips":["10.1.0.1/24"],"primary":true}]}'
vmadm create: nics.*.primary: only one NIC can be primary
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"nope","ips":["10.0.0.1/24"]}]}'
vmadm create: nics: nic tag "nope" does not exist
  `nictagadm list` shows those that do; `nictagadm add -l nope` makes a switch of this host alone.
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.0.nic_tag is missing
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"a-b","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.nic_tag: must be 1 to 31 of A-Z a-z 0-9 _ /
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mac":"02:08:20:00:00:01","ips":["10.0.0.1/24"]},{"nic_tag":"stub0","mac":"02:08:20:00:00:01","ips":["10.0.0.2/24"]}]}'
vmadm create: nics.*.mac: 02:08:20:00:00:01 is given twice
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"]},{"nic_tag":"stub0","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.ips: 10.0.0.1/24 is given twice on nic_tag stub0
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","interface":"net0","ips":["10.0.0.1/24"]},{"nic_tag":"stub0","interface":"net0","ips":["10.0.0.2/24"]}]}'
vmadm create: nics.*.interface: net0 is given twice
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","interface":"lo","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.interface: must be letters and digits with a number at the end, at most 15
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","interface":"a/b","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.interface: must be letters and digits with a number at the end, at most 15
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","interface":"a-name-of-many-letters","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.interface: must be letters and digits with a number at the end, at most 15
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","vrrp_vrid":256,"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.vrrp_vrid: must be a whole number from 0 to 255
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","vrrp_vrid":7,"vrrp_primary_ip":"10.0.0.300","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.vrrp_primary_ip: must be an IP address
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","blocked_outgoing_ports":["0"],"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.blocked_outgoing_ports: must be port numbers
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","blocked_outgoing_ports":["65536"],"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.blocked_outgoing_ports: must be port numbers
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","blocked_outgoing_ports":["smtp"],"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.blocked_outgoing_ports: must be port numbers
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","allowed_ips":["10.0.0.0/40"],"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.allowed_ips: must be addresses, or address/length
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","allowed_ips":["everything"],"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.allowed_ips: must be addresses, or address/length
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","allow_unfiltered_promisc":true,"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.allow_unfiltered_promisc is not a property of brand joyent-minimal
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","model":"virtio","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.model is not a property of brand joyent-minimal
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","maxbw":-1,"ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.maxbw: must be a whole number from 0 to 1000000
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","priority":"urgent","ips":["10.0.0.1/24"]}]}'
vmadm create: nics.*.priority: must be low, medium or high
[1]
$ vmadm list -Hp -o alias
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"first","nics":[{"nic_tag":"stub0","mac":"02:08:20:00:00:01","ips":["10.0.0.1/24","fd00::1/64"],"vrrp_vrid":7,"vrrp_primary_ip":"10.0.0.101"}]}'
Successfully created VM <uuid1>
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","mac":"02:08:20:00:00:01","ips":["10.0.0.2/24"]}]}'
vmadm create: nics: the link address 02:08:20:00:00:01 is taken by VM <uuid1>
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"]}]}'
vmadm create: nics: the address 10.0.0.1 on nic tag stub0 is taken by VM <uuid1>
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["fd00:0:0::1/64"]}]}'
vmadm create: nics: the address fd00::1 on nic tag stub0 is taken by VM <uuid1>
[1]
$ vmadm create <<<'{"brand":"joyent-minimal","autoboot":false,"alias":"x","nics":[{"nic_tag":"stub0","ips":["10.0.0.2/24"],"vrrp_vrid":7,"vrrp_primary_ip":"10.0.0.102"}]}'
vmadm create: nics: the VRRP router id 7 on nic tag stub0 is taken by VM <uuid1>
[1]
$ U=$(vmadm lookup -1 alias=first); echo '{"update_nics":[{"mac":"02:08:20:00:00:09","mtu":1400}]}' | vmadm update $U
vmadm update: update_nics: the VM has none with mac 02:08:20:00:00:09
[1]
$ echo '{"update_nics":[{"mtu":1400}]}' | vmadm update $U
vmadm update: update_nics.0.mac is missing
[1]
$ echo '{"remove_nics":["02:08:20:00:00:09"]}' | vmadm update $U
vmadm update: remove_nics: the VM has none with mac 02:08:20:00:00:09
[1]
$ echo '{"add_nics":[{"nic_tag":"stub0","mac":"02:08:20:00:00:01","ips":["10.0.0.9/24"]}]}' | vmadm update $U
vmadm update: add_nics: the VM has one with mac 02:08:20:00:00:01 already
[1]
$ echo '{"add_nics":[{"nic_tag":"stub0","ips":["10.0.0.1/24"]}]}' | vmadm update $U
vmadm update: nics.*.ips: 10.0.0.1/24 is given twice on nic_tag stub0
[1]
$ echo '{"update_nics":[{"mac":"02:08:20:00:00:01","nic_tag":"nope"}]}' | vmadm update $U
vmadm update: nics: nic tag "nope" does not exist
  `nictagadm list` shows those that do; `nictagadm add -l nope` makes a switch of this host alone.
[1]
$ vmadm get $U | jq -c '.nics | length'
1
