# vmadm validate: what is wrong, as an object on standard error; nothing is changed.
$ echo '{"brand":"joyent-minimal"}' | vmadm validate create
VALID 'create' payload for joyent-minimal brand VMs.
$ echo '{"brand":"joyent-minimal","quota":"much","max_lwps":true,"zzz":1}' | vmadm validate create
{
  "bad_values": [
    "quota",
    "max_lwps"
  ],
  "bad_properties": [
    "zzz"
  ],
  "missing_properties": []
}
[1]
$ echo '{"quota":1}' | vmadm validate create
{
  "bad_values": [],
  "bad_properties": [],
  "missing_properties": [
    "brand"
  ]
}
[1]
$ echo '{"brand":"solaris8"}' | vmadm validate create
{
  "bad_values": [],
  "bad_properties": [],
  "missing_properties": [],
  "bad_brand": "solaris8"
}
[1]
$ echo '{"brand":"joyent-minimal","nics":[{"nic_tag":"admin","mtu":1,"ip":"10.0.0.300"}]}' | vmadm validate create
{
  "bad_values": [
    "nics.*.mtu",
    "nics.*.ip"
  ],
  "bad_properties": [],
  "missing_properties": []
}
[1]
$ echo '{"quota":-1}' | vmadm validate update joyent-minimal
{
  "bad_values": [
    "quota"
  ],
  "bad_properties": [],
  "missing_properties": []
}
[1]
$ echo '{"brand":"joyent-minimal","quota":1,"quota":2}' | vmadm validate create
vmadm validate: line 1 column 43: duplicate object key near '"quota"'
[1]
$ echo '[{"brand":"joyent-minimal"},{"brand":"foo"}]' | vmadm validate create
[
  {},
  {
    "bad_values": [],
    "bad_properties": [],
    "missing_properties": [],
    "bad_brand": "foo"
  }
]
[1]
$ echo '[{"brand":"joyent-minimal"},{"brand":"joyent"}]' | vmadm validate create
VALID 'create' payload for several brand VMs.
$ echo '[{"quota":1}]' | vmadm validate update joyent
vmadm validate: an update is one object; an array creates several VMs
[1]
$ echo '{' | vmadm validate create
vmadm validate: line 2 column 0: string or '}' expected near end of file
[1]
$ vmadm validate
usage:
  vmadm validate create|update [<brand>] [-f <file>]
[2]
