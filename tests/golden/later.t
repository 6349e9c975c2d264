# What needs a later capability is refused by name, never accepted and ignored.
# needs: pool
$ echo '{"brand":"joyent-minimal","nics":[{"nic_tag":"admin","ips":["dhcp"]}]}' | vmadm create
vmadm create: nics: nic tag "admin" does not exist
[1]
$ echo '{"brand":"joyent-minimal","delegate_dataset":true}' | vmadm create
vmadm create: delegate_dataset is not available yet: it needs delegated datasets
[1]
$ echo '{"brand":"kvm","ram":256,"disks":[{"size":1024}]}' | vmadm create
vmadm create: disks.0.model is missing (or disk_driver)
[1]
$ echo '{"brand":"bhyve","ram":256}' | vmadm create
vmadm create: brand bhyve is not available yet: it needs our own machine monitor
[1]
$ vmadm list -H
$ vmadm send 00000000-0000-4000-8000-000000000001
vmadm send: where to?
usage:
  vmadm migrate <uuid|alias> <host:port> [--downtime <ms>] [--bandwidth <bytes>] [--limit <seconds>] [--stall <seconds>] [--keep] [--without-snapshots] | <uuid|alias> --resume|--back
[2]
$ vmadm receive
vmadm receive: where to listen?
usage:
  vmadm receive -l <address:port> [-a] [--limit <seconds>] [--stall <seconds>]
[2]
$ imgadm avail
imgadm avail: not available yet: this node has no image server to ask
  `imgadm import`, `install` and `bootstrap` bring images from files and packages
[1]
