# Links, without a running VM: help, lists, and what is refused.
# needs: root
$ dladm --help
usage:
  dladm delete-vnic <vnic>
        delete a VNIC of the global zone
  dladm create-vnic -l <tag> [-m <mac>|random] [-v <vlan>] [-p <prop>=<value>[,…]] <vnic>
        make a VNIC of the global zone on a nic tag
  dladm delete-etherstub <etherstub>
        delete an etherstub that nobody uses
  dladm create-etherstub <etherstub>
        make a switch of this host alone, as `nictagadm add -l` does
  dladm reset-linkprop [-p <prop>[,…]] [-z <zone>] <link>
        set properties of a VNIC to their defaults
  dladm set-linkprop -p <prop>=<value>[,…] [-z <zone>] <link>
        set properties of a VNIC; a VM's record keeps them
  dladm show-linkprop [-c -o <field>[,…]] [-p <prop>[,…]] [-Z] [-z <zone>[,…]] [<link>]
        list properties of links: protection, allowed-ips, maxbw, priority
  dladm show-etherstub [<etherstub>]
        list the etherstubs
  dladm show-vnic [-p -o <field>[,…]] [-z <zone>[,…]] [-s [-i <seconds>]] [<link>]
        list VNICs with what they are on, link address, VLAN and zone
  dladm show-link [-p -o <field>[,…]] [-Z] [-z <zone>[,…]] [-s [-i <seconds>]] [<link>]
        list links: interfaces, etherstubs, VNICs; -s: what they carried
$ dladm show-etherstub
$ dladm create-etherstub stub0
$ dladm create-etherstub stub0
dladm create-etherstub: nic tag "stub0" already exists
[1]
$ dladm create-etherstub -x stub1
usage:
  dladm create-etherstub <etherstub>
[2]
$ dladm show-etherstub
LINK
stub0
$ dladm show-vnic
$ dladm show-vnic -p -o link,colour
dladm show-vnic: unknown output field "colour"
[1]
$ dladm show-vnic nope0
dladm show-vnic: link nope0 does not exist
[1]
$ dladm show-link nope0
dladm show-link: link nope0 does not exist
[1]
$ dladm show-link -p
dladm show-link: -p needs -o
[1]
$ dladm show-link -p -o link -s
$ dladm show-link -i 1
dladm show-link: -i goes with -s
usage:
  dladm show-link [-p -o <field>[,…]] [-Z] [-z <zone>[,…]] [-s [-i <seconds>]] [<link>]
[2]
$ dladm show-link -s -i soon
dladm show-link: -i takes seconds
usage:
  dladm show-link [-p -o <field>[,…]] [-Z] [-z <zone>[,…]] [-s [-i <seconds>]] [<link>]
[2]
$ dladm create-vnic vnic0
dladm create-vnic: -l names what it is to be on
usage:
  dladm create-vnic -l <tag> [-m <mac>|random] [-v <vlan>] [-p <prop>=<value>[,…]] <vnic>
[2]
$ dladm create-vnic -l nope vnic0
dladm create-vnic: nic tag "nope" does not exist
  `nictagadm list` shows those that do; `nictagadm add -l nope` makes a switch of this host alone.
[1]
$ dladm create-vnic -l stub0 -v 4095 vnic0
dladm create-vnic: -v takes a VLAN, 0 to 4094
usage:
  dladm create-vnic -l <tag> [-m <mac>|random] [-v <vlan>] [-p <prop>=<value>[,…]] <vnic>
[2]
$ dladm create-vnic -l stub0 -v x vnic0
dladm create-vnic: -v takes a VLAN, 0 to 4094
usage:
  dladm create-vnic -l <tag> [-m <mac>|random] [-v <vlan>] [-p <prop>=<value>[,…]] <vnic>
[2]
$ dladm create-vnic -l stub0 -m 02:08:20:00:00 vnic0
dladm create-vnic: link address "02:08:20:00:00": a unicast address like 02:08:20:d7:4f:11
[1]
$ dladm create-vnic -l stub0 -m 03:08:20:00:00:01 vnic0
dladm create-vnic: link address "03:08:20:00:00:01": a unicast address like 02:08:20:d7:4f:11
[1]
$ dladm create-vnic -l stub0 -m 00:00:00:00:00:00 vnic0
dladm create-vnic: link address "00:00:00:00:00:00": a unicast address like 02:08:20:d7:4f:11
[1]
$ dladm create-vnic -l stub0 a/b
dladm create-vnic: link name "a/b": 2 to 15 of A-Z a-z 0-9 _, a letter first and a digit last
[1]
$ dladm create-vnic -l stub0 aname-of-many-letters0
dladm create-vnic: link name "aname-of-many-letters0": 2 to 15 of A-Z a-z 0-9 _, a letter first and a digit last
[1]
$ dladm create-vnic -l stub0 -p mtu=99 vnic0
dladm create-vnic: mtu can't be set
[1]
$ dladm create-vnic -l stub0 -p colour=red vnic0
dladm create-vnic: unknown link property "colour"
usage:
  dladm create-vnic -l <tag> [-m <mac>|random] [-v <vlan>] [-p <prop>=<value>[,…]] <vnic>
[2]
$ dladm create-vnic -l stub0 -p maxbw=lots vnic0
dladm create-vnic: maxbw of a link of the global zone is not available yet
[1]
$ dladm create-vnic -l stub0 -p protection=none-of-these vnic0
dladm create-vnic: protection: "none-of-these" is none of mac-nospoof,restricted,ip-nospoof,dhcp-nospoof
[1]
$ dladm create-vnic -l stub0 -p allowed-ips=10.0.0.1/33 vnic0
dladm create-vnic: allowed-ips: "10.0.0.1/33" is no address
[1]
$ dladm create-vnic -l stub0 -p allowed-ips=fd00::1/129 vnic0
dladm create-vnic: allowed-ips: "fd00::1/129" is no address
[1]
$ dladm create-vnic -l stub0 -p priority=urgent vnic0
dladm create-vnic: priority of a link of the global zone is not available yet
[1]
$ dladm set-linkprop -p maxbw=10M nope0
dladm set-linkprop: link nope0 does not exist
[1]
$ dladm set-linkprop nope0
usage:
  dladm set-linkprop -p <prop>=<value>[,…] [-z <zone>] <link>
[2]
$ dladm set-linkprop -p maxbw nope0
dladm set-linkprop: a property is name=value
usage:
  dladm set-linkprop -p <prop>=<value>[,…] [-z <zone>] <link>
[2]
$ dladm reset-linkprop nope0
dladm reset-linkprop: link nope0 does not exist
[1]
$ dladm show-linkprop -p colour
dladm show-linkprop: unknown link property "colour"
usage:
  dladm show-linkprop [-c -o <field>[,…]] [-p <prop>[,…]] [-Z] [-z <zone>[,…]] [<link>]
[2]
$ dladm show-linkprop -z 00000000-0000-4000-8000-000000000001
$ dladm delete-vnic nope0
dladm delete-vnic: link nope0 does not exist
[1]
$ dladm delete-etherstub nope
dladm delete-etherstub: nic tag "nope" does not exist
  `nictagadm list` shows those that do; `nictagadm add -l nope` makes a switch of this host alone.
[1]
$ dladm delete-etherstub stub0
$ dladm show-etherstub
$ dladm frobnicate
dladm: unknown command "frobnicate"
  `dladm help` lists them all
[2]
