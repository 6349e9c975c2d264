# Nic tags: what is said of them, and what is refused.
# needs: root
$ nictagadm --help
usage:
  nictagadm confirm <name>
        keep an uplink that was added with --confirm
  nictagadm delete [-f] <name>
        delete a nic tag that no VM uses, and give its device back; -f: that one is used
  nictagadm vms <name>
        list the VMs with a NIC on it
  nictagadm exists [-l] <name>…
        exit 0 if all of them exist; prints those that don't
  nictagadm list [-l] [-p [-d <delimiter>]]
        list the nic tags; -l: etherstubs alone
  nictagadm add [-p mtu=N] -l <name> | [--host] [--confirm <seconds>] <name> <mac|device>
        make a nic tag: -l, an etherstub, is a switch of this host alone; else one with an uplink
$ nictagadm list
NAME           MACADDRESS         LINK           TYPE
$ nictagadm add -l stub0
$ nictagadm add -l stub0
nictagadm add: nic tag "stub0" already exists
[1]
$ nictagadm add -l -p mtu=9000 jumbo0
$ nictagadm list
NAME           MACADDRESS         LINK           TYPE
jumbo0         -                  -              etherstub
stub0          -                  -              etherstub
$ nictagadm list -l -p -d,
jumbo0,-,-,etherstub
stub0,-,-,etherstub
$ nictagadm exists stub0 jumbo0
$ nictagadm exists stub0 nope other
nope
other
[1]
$ nictagadm vms stub0
$ nictagadm vms nope
nictagadm vms: nic tag "nope" does not exist
  `nictagadm list` shows those that do; `nictagadm add -l nope` makes a switch of this host alone.
[1]
$ nictagadm add
usage:
  nictagadm add [-p mtu=N] -l <name> | [--host] [--confirm <seconds>] <name> <mac|device>
[2]
$ nictagadm add -l
usage:
  nictagadm add [-p mtu=N] -l <name> | [--host] [--confirm <seconds>] <name> <mac|device>
[2]
$ nictagadm add -l a-b
nictagadm add: nic tag "a-b": 1 to 31 of A-Z a-z 0-9 _ /
[1]
$ nictagadm add -l a2345678901234567890123456789012
nictagadm add: nic tag "a2345678901234567890123456789012": 1 to 31 of A-Z a-z 0-9 _ /
[1]
$ nictagadm add -l -p mtu=100 tiny0
nictagadm add: -p takes mtu=576 to mtu=9000
usage:
  nictagadm add [-p mtu=N] -l <name> | [--host] [--confirm <seconds>] <name> <mac|device>
[2]
$ nictagadm add -l -p mtu=many tiny0
nictagadm add: -p takes mtu=576 to mtu=9000
usage:
  nictagadm add [-p mtu=N] -l <name> | [--host] [--confirm <seconds>] <name> <mac|device>
[2]
$ nictagadm add -l -p colour=red tiny0
nictagadm add: -p takes mtu=576 to mtu=9000
usage:
  nictagadm add [-p mtu=N] -l <name> | [--host] [--confirm <seconds>] <name> <mac|device>
[2]
$ nictagadm add ext0 nodevice0
nictagadm add: there is no device nodevice0 in this network namespace
  What is in another one belongs to whom that is: `ip link` shows what is here.
[1]
$ nictagadm add ext0 02:08:20:00:00:zz
nictagadm add: there is no device 02:08:20:00:00:zz in this network namespace
  What is in another one belongs to whom that is: `ip link` shows what is here.
[1]
$ nictagadm add ext0 lo
nictagadm add: lo is no Ethernet device
[1]
$ nictagadm add --confirm soon ext0 nodevice0
nictagadm add: --confirm takes 1 to 3600 seconds
usage:
  nictagadm add [-p mtu=N] -l <name> | [--host] [--confirm <seconds>] <name> <mac|device>
[2]
$ nictagadm confirm stub0
nictagadm confirm: nic tag stub0 has no uplink: there is nothing to confirm
[1]
$ nictagadm confirm nope
nictagadm confirm: uplink nope does not exist
[1]
$ nictagadm delete nope
nictagadm delete: nic tag "nope" does not exist
  `nictagadm list` shows those that do; `nictagadm add -l nope` makes a switch of this host alone.
[1]
$ nictagadm delete jumbo0
$ nictagadm frobnicate
nictagadm: unknown command "frobnicate"
  `nictagadm help` lists them all
[2]
$ nictagadm list -o name
nictagadm list: invalid option -- 'o'
usage:
  nictagadm list [-l] [-p [-d <delimiter>]]
[2]
