# Flows, without a running VM: help, and what is refused before a link is looked for and after.
# needs: root
$ flowadm --help
usage:
  flowadm reset-flowprop [-p <prop>[,…]] <flow>
        take maxbw, priority or both away
  flowadm set-flowprop -p <prop>=<value>[,…] <flow>
        set maxbw (100K to 1000G) or priority (low, medium, high)
  flowadm remove-flow [-z <zone>] [-l <link>] <flow>|all
        take flows away
  flowadm add-flow [-z <zone>] -l <link> -a <attr>=<value>[,…] [-p <prop>=<value>[,…]] <flow>
        make a flow of a VNIC: transport, local_port, remote_port, local_ip, remote_ip, dsfield; maxbw, priority
  flowadm show-flowprop [-c] [-z <zone>] [-l <link>] [-o <field>[,…]] [-p <prop>[,…]] [<flow>]
        list what is set of flows
  flowadm show-flow [-s [-i <seconds>]] [-p] [-z <zone>] [-l <link>] [-o <field>[,…]] [<flow>]
        list flows; -s: what they carried
$ flowadm show-flow
$ flowadm show-flow nope
flowadm show-flow: flow nope does not exist
[1]
$ flowadm show-flow -p -o flow,colour
flowadm show-flow: unknown output field "colour"
[1]
$ flowadm show-flow -i 1
flowadm show-flow: -i goes with -s
usage:
  flowadm show-flow [-s [-i <seconds>]] [-p] [-z <zone>] [-l <link>] [-o <field>[,…]] [<flow>]
[2]
$ flowadm show-flowprop
$ flowadm add-flow
flowadm add-flow: -l says of which link
usage:
  flowadm add-flow [-z <zone>] -l <link> -a <attr>=<value>[,…] [-p <prop>=<value>[,…]] <flow>
[2]
$ flowadm add-flow -l net0 web
flowadm add-flow: -a says of which packets
usage:
  flowadm add-flow [-z <zone>] -l <link> -a <attr>=<value>[,…] [-p <prop>=<value>[,…]] <flow>
[2]
$ flowadm add-flow -l net0 -a transport=tcp web
flowadm add-flow: link net0 does not exist
[1]
$ flowadm add-flow -l 00000000-0000-4000-8000-000000000001/net0 -a transport=tcp -p maxbw=1M web
flowadm add-flow: 00000000-0000-4000-8000-000000000001: No such zone configured
[1]
$ flowadm add-flow -l net0 -a transport=tcp,local_port=80 'a flow'
flowadm add-flow: flow "a flow": a name has 1 to 31 letters, digits, _ - . and a letter first, and is not "all"
[1]
$ flowadm remove-flow nope
flowadm remove-flow: flow nope does not exist
[1]
$ flowadm remove-flow
usage:
  flowadm remove-flow [-z <zone>] [-l <link>] <flow>|all
[2]
$ flowadm set-flowprop -p maxbw=1M nope
flowadm set-flowprop: flow nope does not exist
[1]
$ flowadm set-flowprop nope
usage:
  flowadm set-flowprop -p <prop>=<value>[,…] <flow>
[2]
$ flowadm reset-flowprop nope
flowadm reset-flowprop: flow nope does not exist
[1]
$ flowadm frobnicate
flowadm: unknown command "frobnicate"
  `flowadm help` lists them all
[2]
