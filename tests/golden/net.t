# `cloister net` and `cloister snoop` where there is little to see: help, lists, and what is refused.
# needs: root
$ cloister net --help
usage:
  cloister net status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]
        the switch, its ports, what was dropped and why; settings of a nic tag's switch
$ cloister net
usage:
  cloister net status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]
[2]
$ cloister net status
no switch: the first NIC that boots makes it
$ cloister net status -p
$ cloister net upgrade
no switch: the first NIC that boots makes it, with the installed program
$ cloister net status extra
usage:
  cloister net status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]
[2]
$ cloister net frobnicate
cloister net: unknown verb "frobnicate"
usage:
  cloister net status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]
[2]
$ cloister net get
$ cloister net get nope
cloister net: nic tag "nope" does not exist
[1]
$ nictagadm add -l stub0
$ cloister net set stub0
cloister net: set needs a nic tag and key=value
usage:
  cloister net status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]
[2]
$ cloister net set stub0 subnet
cloister net: "subnet" is not key=value
usage:
  cloister net status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]
[2]
$ cloister net set stub0 subnet=10.0.0.0/33
cloister net: switch stub0: subnet=10.0.0.0/33: an IPv4 network like 10.77.0.0/24, of 8 to 30 bits
[1]
$ cloister net set stub0 subnet=10.0.0/24
cloister net: switch stub0: subnet=10.0.0/24: an IPv4 network like 10.77.0.0/24, of 8 to 30 bits
[1]
$ cloister net set stub0 subnet=fd00::/64
cloister net: switch stub0: subnet=fd00::/64: an IPv4 network like 10.77.0.0/24, of 8 to 30 bits
[1]
$ cloister net set stub0 subnet=169.254.0.0/16
cloister net: switch stub0: subnet=169.254.0.0/16: an IPv4 network like 10.77.0.0/24, of 8 to 30 bits
[1]
$ cloister net set stub0 subnet=224.0.0.0/8
cloister net: switch stub0: subnet=224.0.0.0/8: an IPv4 network like 10.77.0.0/24, of 8 to 30 bits
[1]
$ cloister net set stub0 gateway=10.0.0.1
cloister net: switch stub0: gateway needs subnet
[1]
$ cloister net set stub0 mtu=67
cloister net: switch stub0: mtu=67: 576 to 9000
[1]
$ cloister net set stub0 mtu=100000
cloister net: switch stub0: mtu=100000: 576 to 9000
[1]
$ cloister net set stub0 dhcp=maybe
cloister net: switch stub0: dhcp=maybe: on or off
[1]
$ cloister net set stub0 resolvers=192.0.2.300
cloister net: switch stub0: resolvers=192.0.2.300: at most 16 addresses, separated by commas
[1]
$ cloister net set stub0/x subnet=10.77.0.0/24
cloister net: switch stub0/x: nic tag "stub0/x" does not exist
[1]
$ cloister net unset stub0 mtu
$ cloister net unset stub0 colour
cloister net: switch stub0: a switch has no setting "colour"
[1]
$ cloister net fabric
cloister net: fabric add NAME vni=N local=ADDRESS peers=ADDRESS[,...]|file=FILE [mtu=N], fabric list [-p], or fabric delete NAME
usage:
  cloister net status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]
[2]
$ cloister net fabric list
NAME                 VNI   MTU LOCAL           ENDS HOSTS
$ cloister net fabric add
cloister net: fabric add NAME vni=N local=ADDRESS peers=ADDRESS[,...]|file=FILE [mtu=N], fabric list [-p], or fabric delete NAME
usage:
  cloister net status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]
[2]
$ cloister net fabric add fab0
cloister net: fabric add NAME vni=N local=ADDRESS peers=ADDRESS[,...]|file=FILE [mtu=N], fabric list [-p], or fabric delete NAME
usage:
  cloister net status [-p] | upgrade | up | fabric add|list|delete … | set [-f] TAG[/VLAN] key=value… | get [-j] [TAG[/VLAN]] | unset [-f] TAG[/VLAN] [key…]
[2]
$ cloister net fabric add -v 0 -l 192.0.2.1 fab0
cloister net: nic tag "-v": 1 to 31 of A-Z a-z 0-9 _ /
[1]
$ cloister net fabric add fab0 vni=16777216 local=192.0.2.1
cloister net: vni: 1 to 16777215
[1]
$ cloister net fabric add fab0 vni=7 local=192.0.2.300
cloister net: it needs vni=, local=, and peers= or file=
[1]
$ cloister net fabric add stub0 vni=7 local=192.0.2.1
cloister net: it needs vni=, local=, and peers= or file=
[1]
$ cloister net fabric delete nope
cloister net: fabric nope does not exist
[1]
$ cloister snoop --help
usage:
  cloister snoop [-z <zone>] [-o <file>|-] [-c <frames>] [-s <bytes>] <vnic> [<filter>]
        the frames of one VNIC, both directions, for tcpdump and wireshark
$ cloister snoop
cloister snoop: which VNIC?
usage:
  cloister snoop [-z <zone>] [-o <file>|-] [-c <frames>] [-s <bytes>] <vnic> [<filter>]
[2]
$ cloister snoop net0
cloister snoop: link net0 does not exist
[1]
$ cloister snoop -z 00000000-0000-4000-8000-000000000001 net0
cloister snoop: link net0 does not exist
[1]
$ cloister snoop -c none net0
cloister snoop: -c takes a number of frames
usage:
  cloister snoop [-z <zone>] [-o <file>|-] [-c <frames>] [-s <bytes>] <vnic> [<filter>]
[2]
$ cloister snoop -s 1x net0
cloister snoop: -s takes 14 to 262144 bytes
usage:
  cloister snoop [-z <zone>] [-o <file>|-] [-c <frames>] [-s <bytes>] <vnic> [<filter>]
[2]
$ cloister snoop nope0 tcp port 99999
cloister snoop: filter: "99999" is no port
usage:
  cloister snoop [-z <zone>] [-o <file>|-] [-c <frames>] [-s <bytes>] <vnic> [<filter>]
[2]
$ cloister snoop nope0 'host 10.0.0.300'
cloister snoop: filter: "10.0.0.300" is no address
usage:
  cloister snoop [-z <zone>] [-o <file>|-] [-c <frames>] [-s <bytes>] <vnic> [<filter>]
[2]
$ cloister snoop nope0 'port 80 and'
cloister snoop: filter: something is missing at its end
usage:
  cloister snoop [-z <zone>] [-o <file>|-] [-c <frames>] [-s <bytes>] <vnic> [<filter>]
[2]
