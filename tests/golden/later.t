# What needs a later capability is refused by name, never accepted and ignored.
# needs: pool
$ echo '{"brand":"joyent-minimal","nics":[{"nic_tag":"admin","ips":["dhcp"]}]}' | vmadm create
vmadm create: nics is not available yet: it needs the virtual network
[1]
$ echo '{"brand":"joyent-minimal","firewall_enabled":true}' | vmadm create
vmadm create: firewall_enabled is not available yet: it needs the firewall
[1]
$ echo '{"brand":"joyent-minimal","delegate_dataset":true}' | vmadm create
vmadm create: delegate_dataset is not available yet: it needs delegated datasets
[1]
$ echo '{"brand":"joyent-minimal","zfs_io_priority":50}' | vmadm create
vmadm create: zfs_io_priority is not available yet: it needs limits to come
[1]
$ echo '{"brand":"kvm","ram":256,"disks":[{"size":1024}]}' | vmadm create
vmadm create: disks.0.model is missing (or disk_driver)
[1]
$ echo '{"brand":"bhyve","ram":256}' | vmadm create
vmadm create: brand bhyve is not available yet: it needs hardware virtual machines
[1]
$ vmadm list -H
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
$ vmadm send 00000000-0000-4000-8000-000000000001
vmadm send: not available yet
[1]
$ vmadm receive
vmadm receive: not available yet
[1]
$ vmadm sysrq 00000000-0000-4000-8000-000000000001 nmi
vmadm sysrq: not available yet
[1]
$ imgadm avail
imgadm avail: not available yet: this node has no image server to ask
  `imgadm import`, `install` and `bootstrap` bring images from files and packages
[1]
