# A VM's life, as a script sees it: data on standard output, messages on standard error.
# needs: pool
$ vmadm list
vmadm: unknown command "list"
usage:
  vmadm console <uuid|alias>
        connect to a VM's console; ~. leaves
  vmadm create [-f <file>] [--dry-run]
        make VMs from JSON on standard input
  vmadm get <uuid|alias>
        print all properties of a VM as JSON
  vmadm info <uuid|alias>
        what the kernel holds for a running VM: zone, usage, limits
  vmadm sysrq <uuid|alias> nmi|screenshot
        not available yet
  vmadm receive [-f <file>]
        not available yet
  vmadm send <uuid|alias>
        not available yet
  vmadm delete <uuid|alias>
        halt a VM and take it away with all its data
  vmadm kill [-s <signal>] <uuid|alias>
        send a signal to a VM's init (TERM unless told)
  vmadm reboot <uuid|alias> [-F]
        shut a VM down and boot it again
  vmadm stop <uuid|alias> [-F] [-t <seconds>]
        shut a VM down (-F: halt it) and clear autoboot
  vmadm start <uuid|alias>
        boot a VM and set autoboot
  vmadm reprovision <uuid|alias> [-f <file>]
        a new root from {"image_uuid": ...}; record and quota stay, snapshots go
  vmadm delete-snapshot <uuid|alias> <name>
        take a snapshot away
  vmadm rollback-snapshot <uuid|alias> <name>
        put a snapshot in the root's place; a running VM is halted and started again
  vmadm create-snapshot <uuid|alias> <name>
        keep a VM's root as it is now
  vmadm update <uuid|alias> [-f <file>] [--dry-run] [property=value ...]
        change properties, from the command line or JSON on standard input
  vmadm validate create|update [<brand>] [-f <file>]
        check a payload and change nothing
[2]
$ echo '{"brand":"joyent-minimal","alias":"web","hostname":"web","max_physical_memory":128,"max_lwps":100,"quota":1}' | vmadm create
Successfully created VM <uuid1>
$ vmadm list
vmadm: unknown command "list"
usage:
  vmadm console <uuid|alias>
        connect to a VM's console; ~. leaves
  vmadm create [-f <file>] [--dry-run]
        make VMs from JSON on standard input
  vmadm get <uuid|alias>
        print all properties of a VM as JSON
  vmadm info <uuid|alias>
        what the kernel holds for a running VM: zone, usage, limits
  vmadm sysrq <uuid|alias> nmi|screenshot
        not available yet
  vmadm receive [-f <file>]
        not available yet
  vmadm send <uuid|alias>
        not available yet
  vmadm delete <uuid|alias>
        halt a VM and take it away with all its data
  vmadm kill [-s <signal>] <uuid|alias>
        send a signal to a VM's init (TERM unless told)
  vmadm reboot <uuid|alias> [-F]
        shut a VM down and boot it again
  vmadm stop <uuid|alias> [-F] [-t <seconds>]
        shut a VM down (-F: halt it) and clear autoboot
  vmadm start <uuid|alias>
        boot a VM and set autoboot
  vmadm reprovision <uuid|alias> [-f <file>]
        a new root from {"image_uuid": ...}; record and quota stay, snapshots go
  vmadm delete-snapshot <uuid|alias> <name>
        take a snapshot away
  vmadm rollback-snapshot <uuid|alias> <name>
        put a snapshot in the root's place; a running VM is halted and started again
  vmadm create-snapshot <uuid|alias> <name>
        keep a VM's root as it is now
  vmadm update <uuid|alias> [-f <file>] [--dry-run] [property=value ...]
        change properties, from the command line or JSON on standard input
  vmadm validate create|update [<brand>] [-f <file>]
        check a payload and change nothing
[2]
$ vmadm list -p -o alias,state,brand,ram,quota,max_lwps
vmadm: unknown command "list"
usage:
  vmadm console <uuid|alias>
        connect to a VM's console; ~. leaves
  vmadm create [-f <file>] [--dry-run]
        make VMs from JSON on standard input
  vmadm get <uuid|alias>
        print all properties of a VM as JSON
  vmadm info <uuid|alias>
        what the kernel holds for a running VM: zone, usage, limits
  vmadm sysrq <uuid|alias> nmi|screenshot
        not available yet
  vmadm receive [-f <file>]
        not available yet
  vmadm send <uuid|alias>
        not available yet
  vmadm delete <uuid|alias>
        halt a VM and take it away with all its data
  vmadm kill [-s <signal>] <uuid|alias>
        send a signal to a VM's init (TERM unless told)
  vmadm reboot <uuid|alias> [-F]
        shut a VM down and boot it again
  vmadm stop <uuid|alias> [-F] [-t <seconds>]
        shut a VM down (-F: halt it) and clear autoboot
  vmadm start <uuid|alias>
        boot a VM and set autoboot
  vmadm reprovision <uuid|alias> [-f <file>]
        a new root from {"image_uuid": ...}; record and quota stay, snapshots go
  vmadm delete-snapshot <uuid|alias> <name>
        take a snapshot away
  vmadm rollback-snapshot <uuid|alias> <name>
        put a snapshot in the root's place; a running VM is halted and started again
  vmadm create-snapshot <uuid|alias> <name>
        keep a VM's root as it is now
  vmadm update <uuid|alias> [-f <file>] [--dry-run] [property=value ...]
        change properties, from the command line or JSON on standard input
  vmadm validate create|update [<brand>] [-f <file>]
        check a payload and change nothing
[2]
$ vmadm list -H -o alias state=~RUN
vmadm: unknown command "list"
usage:
  vmadm console <uuid|alias>
        connect to a VM's console; ~. leaves
  vmadm create [-f <file>] [--dry-run]
        make VMs from JSON on standard input
  vmadm get <uuid|alias>
        print all properties of a VM as JSON
  vmadm info <uuid|alias>
        what the kernel holds for a running VM: zone, usage, limits
  vmadm sysrq <uuid|alias> nmi|screenshot
        not available yet
  vmadm receive [-f <file>]
        not available yet
  vmadm send <uuid|alias>
        not available yet
  vmadm delete <uuid|alias>
        halt a VM and take it away with all its data
  vmadm kill [-s <signal>] <uuid|alias>
        send a signal to a VM's init (TERM unless told)
  vmadm reboot <uuid|alias> [-F]
        shut a VM down and boot it again
  vmadm stop <uuid|alias> [-F] [-t <seconds>]
        shut a VM down (-F: halt it) and clear autoboot
  vmadm start <uuid|alias>
        boot a VM and set autoboot
  vmadm reprovision <uuid|alias> [-f <file>]
        a new root from {"image_uuid": ...}; record and quota stay, snapshots go
  vmadm delete-snapshot <uuid|alias> <name>
        take a snapshot away
  vmadm rollback-snapshot <uuid|alias> <name>
        put a snapshot in the root's place; a running VM is halted and started again
  vmadm create-snapshot <uuid|alias> <name>
        keep a VM's root as it is now
  vmadm update <uuid|alias> [-f <file>] [--dry-run] [property=value ...]
        change properties, from the command line or JSON on standard input
  vmadm validate create|update [<brand>] [-f <file>]
        check a payload and change nothing
[2]
$ zlogin web hostname
web
$ zlogin web 'exit 42'
$ echo piped | zlogin web cat
piped
$ zlogin web no-such-program
/bin/bash: line 1: no-such-program: command not found
[127]
$ vmadm start web
VM <uuid1> is already running
$ vmadm update web max_lwps=50 quota=2
Successfully updated VM <uuid1>
$ vmadm get web | jq -c '[.max_lwps, .quota, .state, .zone_state, .type]'
[50,2,"running","running","OS"]
$ vmadm update web max_lwps=none
vmadm update: max_lwps: must be a whole number from 1 to 4194304
[1]
$ vmadm update web max_lpws=9
vmadm update: unknown property max_lpws: did you mean max_lwps?
[1]
$ vmadm create-snapshot web one
Created snapshot one for VM <uuid1>
$ zlogin web 'echo new >/root/file; cat /root/file'

$ vmadm get web | jq -c '[.snapshots[].name]'
["one"]
$ vmadm rollback-snapshot web one
Rolled back snapshot one for VM <uuid1>
$ zlogin web cat /root/file
cat: /root/file: No such file or directory
[1]
$ vmadm delete-snapshot web one
Deleted snapshot one for VM <uuid1>
$ vmadm delete-snapshot web one
vmadm delete-snapshot: VM <uuid1> has no snapshot "one"
[1]
$ vmadm reboot web
Successfully completed reboot for VM <uuid1>
$ vmadm stop web
Successfully completed stop for VM <uuid1>
$ vmadm stop web
VM <uuid1> is already stopped
$ vmadm reboot web
vmadm reboot: VM <uuid1> is not running
[1]
$ vmadm list -o state,alias
vmadm: unknown command "list"
usage:
  vmadm console <uuid|alias>
        connect to a VM's console; ~. leaves
  vmadm create [-f <file>] [--dry-run]
        make VMs from JSON on standard input
  vmadm get <uuid|alias>
        print all properties of a VM as JSON
  vmadm info <uuid|alias>
        what the kernel holds for a running VM: zone, usage, limits
  vmadm sysrq <uuid|alias> nmi|screenshot
        not available yet
  vmadm receive [-f <file>]
        not available yet
  vmadm send <uuid|alias>
        not available yet
  vmadm delete <uuid|alias>
        halt a VM and take it away with all its data
  vmadm kill [-s <signal>] <uuid|alias>
        send a signal to a VM's init (TERM unless told)
  vmadm reboot <uuid|alias> [-F]
        shut a VM down and boot it again
  vmadm stop <uuid|alias> [-F] [-t <seconds>]
        shut a VM down (-F: halt it) and clear autoboot
  vmadm start <uuid|alias>
        boot a VM and set autoboot
  vmadm reprovision <uuid|alias> [-f <file>]
        a new root from {"image_uuid": ...}; record and quota stay, snapshots go
  vmadm delete-snapshot <uuid|alias> <name>
        take a snapshot away
  vmadm rollback-snapshot <uuid|alias> <name>
        put a snapshot in the root's place; a running VM is halted and started again
  vmadm create-snapshot <uuid|alias> <name>
        keep a VM's root as it is now
  vmadm update <uuid|alias> [-f <file>] [--dry-run] [property=value ...]
        change properties, from the command line or JSON on standard input
  vmadm validate create|update [<brand>] [-f <file>]
        check a payload and change nothing
[2]
$ zlogin web true
zlogin: login allowed only to running zones (web is 'installed').
[1]
$ vmadm lookup -1 alias=nobody
vmadm: unknown command "lookup"
usage:
  vmadm console <uuid|alias>
        connect to a VM's console; ~. leaves
  vmadm create [-f <file>] [--dry-run]
        make VMs from JSON on standard input
  vmadm get <uuid|alias>
        print all properties of a VM as JSON
  vmadm info <uuid|alias>
        what the kernel holds for a running VM: zone, usage, limits
  vmadm sysrq <uuid|alias> nmi|screenshot
        not available yet
  vmadm receive [-f <file>]
        not available yet
  vmadm send <uuid|alias>
        not available yet
  vmadm delete <uuid|alias>
        halt a VM and take it away with all its data
  vmadm kill [-s <signal>] <uuid|alias>
        send a signal to a VM's init (TERM unless told)
  vmadm reboot <uuid|alias> [-F]
        shut a VM down and boot it again
  vmadm stop <uuid|alias> [-F] [-t <seconds>]
        shut a VM down (-F: halt it) and clear autoboot
  vmadm start <uuid|alias>
        boot a VM and set autoboot
  vmadm reprovision <uuid|alias> [-f <file>]
        a new root from {"image_uuid": ...}; record and quota stay, snapshots go
  vmadm delete-snapshot <uuid|alias> <name>
        take a snapshot away
  vmadm rollback-snapshot <uuid|alias> <name>
        put a snapshot in the root's place; a running VM is halted and started again
  vmadm create-snapshot <uuid|alias> <name>
        keep a VM's root as it is now
  vmadm update <uuid|alias> [-f <file>] [--dry-run] [property=value ...]
        change properties, from the command line or JSON on standard input
  vmadm validate create|update [<brand>] [-f <file>]
        check a payload and change nothing
[2]
$ vmadm lookup -j -o alias,state
vmadm: unknown command "lookup"
usage:
  vmadm console <uuid|alias>
        connect to a VM's console; ~. leaves
  vmadm create [-f <file>] [--dry-run]
        make VMs from JSON on standard input
  vmadm get <uuid|alias>
        print all properties of a VM as JSON
  vmadm info <uuid|alias>
        what the kernel holds for a running VM: zone, usage, limits
  vmadm sysrq <uuid|alias> nmi|screenshot
        not available yet
  vmadm receive [-f <file>]
        not available yet
  vmadm send <uuid|alias>
        not available yet
  vmadm delete <uuid|alias>
        halt a VM and take it away with all its data
  vmadm kill [-s <signal>] <uuid|alias>
        send a signal to a VM's init (TERM unless told)
  vmadm reboot <uuid|alias> [-F]
        shut a VM down and boot it again
  vmadm stop <uuid|alias> [-F] [-t <seconds>]
        shut a VM down (-F: halt it) and clear autoboot
  vmadm start <uuid|alias>
        boot a VM and set autoboot
  vmadm reprovision <uuid|alias> [-f <file>]
        a new root from {"image_uuid": ...}; record and quota stay, snapshots go
  vmadm delete-snapshot <uuid|alias> <name>
        take a snapshot away
  vmadm rollback-snapshot <uuid|alias> <name>
        put a snapshot in the root's place; a running VM is halted and started again
  vmadm create-snapshot <uuid|alias> <name>
        keep a VM's root as it is now
  vmadm update <uuid|alias> [-f <file>] [--dry-run] [property=value ...]
        change properties, from the command line or JSON on standard input
  vmadm validate create|update [<brand>] [-f <file>]
        check a payload and change nothing
[2]
$ vmadm delete web
Successfully deleted VM <uuid1>
$ vmadm get web
zoneadm: web: No such zone configured
[1]
$ vmadm get 00000000-0000-4000-8000-000000000001
zoneadm: 00000000-0000-4000-8000-000000000001: No such zone configured
[1]
