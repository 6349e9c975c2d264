# What needs a later capability is refused by name, never accepted and ignored.
# needs: pool
$ echo '{"brand":"joyent-minimal","nics":[{"nic_tag":"admin","ips":["dhcp"]}]}' | vmadm create
$ echo '{"brand":"joyent-minimal","firewall_enabled":true}' | vmadm create
$ echo '{"brand":"joyent-minimal","delegate_dataset":true}' | vmadm create
$ echo '{"brand":"joyent-minimal","zfs_io_priority":50}' | vmadm create
$ echo '{"brand":"kvm","ram":256,"disks":[{"size":1024}]}' | vmadm create
$ echo '{"brand":"bhyve","ram":256}' | vmadm create
$ vmadm list -H
$ vmadm send 00000000-0000-4000-8000-000000000001
$ vmadm receive
$ vmadm sysrq 00000000-0000-4000-8000-000000000001 nmi
$ imgadm avail
