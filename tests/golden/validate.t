# vmadm validate: what is wrong, as an object on standard error; nothing is changed.
$ echo '{"brand":"joyent-minimal"}' | vmadm validate create
$ echo '{"brand":"joyent-minimal","quota":"much","max_lwps":true,"zzz":1}' | vmadm validate create
$ echo '{"quota":1}' | vmadm validate create
$ echo '{"brand":"solaris8"}' | vmadm validate create
$ echo '{"brand":"joyent-minimal","nics":[{"nic_tag":"admin","mtu":1,"ip":"10.0.0.300"}]}' | vmadm validate create
$ echo '{"quota":-1}' | vmadm validate update joyent-minimal
$ echo '{"brand":"joyent-minimal","quota":1,"quota":2}' | vmadm validate create
$ echo '{' | vmadm validate create
$ vmadm validate
