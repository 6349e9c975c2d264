# Settings of switches. No router is made: there is no gateway without a subnet.
# needs: root
$ nictagadm add -l stub0
$ cloister net set stub0 domain=example.net mtu=1400
$ cloister net get
stub0               domain      example.net
stub0               mtu         1400
$ cloister net get -j stub0
{
  "domain": "example.net",
  "mtu": 1400,
  "tag": "stub0",
  "vlan_id": 0
}
$ cloister net set stub0 subent=10.77.0.0/24
cloister net: switch stub0: a switch has no setting "subent"
  Did you mean subnet?
[1]
$ cloister net set stub0 subnet=10.77.0.1/24
cloister net: switch stub0: subnet=10.77.0.1/24: an IPv4 network like 10.77.0.0/24, of 8 to 30 bits
[1]
$ cloister net set stub0 nat=on
cloister net: switch stub0: nat needs subnet
[1]
$ cloister net set stub0 forwards=tcp:80
cloister net: switch stub0: forwards=tcp:80: at most 64 like tcp:8080=web:80 or udp:192.0.2.1:53=10.0.0.5:53, separated by commas
[1]
$ cloister net set stub0/4095 mtu=1400
cloister net: switch stub0/4095: stub0/4095: a VLAN is 0 to 4094
[1]
$ cloister net set nope mtu=1400
cloister net: switch nope: nic tag "nope" does not exist
[1]
$ nictagadm delete stub0
nictagadm delete: nic tag stub0: its switch stub0 has settings
  `cloister net unset stub0` takes them away.
[1]
$ cloister net unset stub0 mtu
$ cloister net get stub0
stub0               domain      example.net
$ cloister net unset stub0
$ cloister net get stub0
cloister net: switch stub0 has no settings
[1]
$ cloister net get
$ nictagadm delete stub0
