# Rules and remote VMs, without a running VM.
# needs: root
$ fwadm list
UUID                                 ENABLED RULE
$ fwadm list -p
$ fwadm add -g -e FROM any TO all vms ALLOW tcp PORT 22
Added rules:
UUID                                 ENABLED RULE
<uuid1> true    FROM any TO all vms ALLOW tcp PORT 22
$ fwadm add -O 00000000-0000-4000-8000-00000000000a --desc 'mail goes nowhere' from all vms to any block tcp '(port 25 and port 465)' -j | grep -v version
{
  "rules": [
    {
      "created_by": "fwadm",
      "description": "mail goes nowhere",
      "enabled": false,
      "owner_uuid": "00000000-0000-4000-8000-00000000000a",
      "rule": "FROM all vms TO any BLOCK tcp (PORT 25 AND PORT 465)",
      "uuid": "<uuid2>",
    }
  ],
  "vms": []
}
$ fwadm list -p -o enabled,rule | sort
false:FROM all vms TO any BLOCK tcp (PORT 25 AND PORT 465)
true:FROM any TO all vms ALLOW tcp PORT 22
$ fwadm list -p -d '|' -o global,owner_uuid,description,rule | sort
false|00000000-0000-4000-8000-00000000000a|mail goes nowhere|FROM all vms TO any BLOCK tcp (PORT 25 AND PORT 465)
true|||FROM any TO all vms ALLOW tcp PORT 22
$ U=$(fwadm list -p -o uuid,enabled | sed -n 's/:true$//p'); fwadm disable $U; fwadm list -p -o enabled
Disabled rules:
UUID                                 ENABLED RULE
<uuid1> false   FROM any TO all vms ALLOW tcp PORT 22
false
false
$ fwadm update $U -e 'FROM any TO tag role = web ALLOW tcp PORTS 443, 80, 8000-8100 PRIORITY 5'
Updated rules:
UUID                                 ENABLED RULE
<uuid1> true    FROM any TO tag role = web ALLOW tcp PORTS 80, 443, 8000-8100 PRIORITY 5
$ fwadm update $U -O 00000000-0000-4000-8000-00000000000a; fwadm get $U | grep -E 'global|owner'
Updated rules:
UUID                                 ENABLED RULE
<uuid1> true    FROM any TO tag role = web ALLOW tcp PORTS 80, 443, 8000-8100 PRIORITY 5
  "owner_uuid": "00000000-0000-4000-8000-00000000000a",
$ fwadm enable $U --dry-run; fwadm vms $U
Enabled rules:
UUID                                 ENABLED RULE
<uuid1> true    FROM any TO tag role = web ALLOW tcp PORTS 80, 443, 8000-8100 PRIORITY 5
$ fwadm delete $U; fwadm get $U
Deleted rule <uuid1>
fwadm get: rule <uuid1> does not exist
[1]
$ fwadm add -g FROM any TO any ALLOW tcp PORT 22
fwadm add: rule: it does not affect VMs: neither side names any
  One side has to be of tag, vm or all vms.
[1]
$ fwadm add -g FROM tag a OR tag b TO all vms ALLOW tcp PORT 22
fwadm add: rule: column 12: OR outside of parentheses can be read two ways
  Write FROM (a OR b).
[1]
$ fwadm add -g FROM tag to TO all vms ALLOW tcp PORT 22
fwadm add: rule: column 10: "to" can be read two ways: as a word of the language, or as the name of a tag
  If it is the tag's, quote it: "to".
[1]
$ fwadm add FROM any TO all vms ALLOW tcp PORT 22
fwadm add: a rule is global or has an owner_uuid: one of them is missing
  -g makes it concern the VMs of each owner, -O UUID those of one.
[1]
$ fwadm add -g -O 00000000-0000-4000-8000-00000000000a FROM any TO all vms ALLOW tcp PORT 22
fwadm add: a rule is global or has an owner_uuid, not both
[1]
$ fwadm add -g
fwadm add: no rule
usage:
  fwadm add [-f <file>] | [-e] [--log] [-g | -O <owner>] [-d <description>] <rule> [--dry-run] [-j]
[2]
$ fwadm add -x
fwadm add: invalid option -- 'x'
usage:
  fwadm add [-f <file>] | [-e] [--log] [-g | -O <owner>] [-d <description>] <rule> [--dry-run] [-j]
[2]
$ fwadm update nobody -g
fwadm update: "nobody" is not a uuid
usage:
  fwadm update [-f <file>] | <rule uuid> [-f <file>] | <rule uuid> [-e] [--log | --no-log] [-g | -O <owner>] [-d <description>] [<rule>] [--dry-run] [-j]
[2]
$ echo '{"rules":[{"rule":"FROM any TO all vms ALLOW ah","global":true},{"rule":"FROM any TO all vms PASS ah","global":true}]}' | fwadm add
fwadm add: rules.1: rule: column 21: ALLOW or BLOCK is expected here, not "PASS"
  A rule is: FROM targets TO targets ALLOW|BLOCK protocol ports or types [PRIORITY n].
[1]
$ echo '{"rule":"FROM any TO all vms ALLOW ah","global":true,"colour":"red"}' | fwadm add
fwadm add: unknown property "colour"
[1]
$ echo '{"rule":"FROM any TO all vms ALLOW ah","global":"perhaps"}' | fwadm add
fwadm add: global: true or false
[1]
$ echo '{"rules":[],"vms":[]}' | fwadm add
fwadm add: unknown property "vms": rules and remoteVMs stand alone
[1]
$ echo '{"rule":' | fwadm add
fwadm add: line 2 column 0: unexpected token near end of file
[1]
$ echo '{"uuid":"00000000-0000-4000-8000-0000000000a1","nics":[{"ip":"172.29.0.2","mac":"x"}],"tags":{"role":"web"},"ram":5}' | fwadm add-rvm
Added remote VMs:
00000000-0000-4000-8000-0000000000a1
$ echo '{"uuid":"00000000-0000-4000-8000-0000000000a1","ips":["172.29.0.2"]}' | fwadm add-rvm
fwadm add-rvm: remote VM 00000000-0000-4000-8000-0000000000a1 exists already
[1]
$ echo '{"uuid":"00000000-0000-4000-8000-0000000000a2","ips":["172.29.0"]}' | fwadm add-rvm
fwadm add-rvm: ips: "172.29.0" is not an IP address
[1]
$ echo '{"uuid":"00000000-0000-4000-8000-0000000000a2"}' | fwadm add-rvm
fwadm add-rvm: a remote VM has at least one address, in ips or nics
[1]
$ echo '{"remoteVMs":[{"uuid":"00000000-0000-4000-8000-0000000000a1","ips":["fd00:0::1"]}]}' | fwadm update
Updated remote VMs:
00000000-0000-4000-8000-0000000000a1
$ fwadm rvms
[
  {
    "ips": [
      "fd00::1"
    ],
    "tags": {
      "role": "web"
    },
    "uuid": "00000000-0000-4000-8000-0000000000a1"
  }
]
$ fwadm rvm-rules 00000000-0000-4000-8000-0000000000a1 -o rule
RULE
FROM all vms TO any BLOCK tcp (PORT 25 AND PORT 465)
$ fwadm delete-rvm 00000000-0000-4000-8000-0000000000a1; fwadm get-rvm 00000000-0000-4000-8000-0000000000a1
Deleted remote VM 00000000-0000-4000-8000-0000000000a1
fwadm get-rvm: remote VM 00000000-0000-4000-8000-0000000000a1 does not exist
[1]
$ fwadm rules 00000000-0000-4000-8000-0000000000ff
fwadm rules: 00000000-0000-4000-8000-0000000000ff: No such zone configured
[1]
$ fwadm start
fwadm start: which VM?
usage:
  fwadm start <uuid|alias>
[2]
$ fwadm list -o colour
fwadm list: no field "colour": uuid enabled log rule owner_uuid global description created_by version
usage:
  fwadm list [-j] [-p [-d <delimiter>]] [-o <field>,…]
[2]
