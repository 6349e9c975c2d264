# A VM's life, as a script sees it: data on standard output, messages on standard error.
# needs: pool
$ vmadm list
UUID                                  TYPE  RAM      STATE             ALIAS
$ echo '{"brand":"joyent-minimal","alias":"web","hostname":"web","max_physical_memory":128,"max_lwps":100,"quota":1}' | vmadm create
Successfully created VM <uuid1>
$ vmadm list
UUID                                  TYPE  RAM      STATE             ALIAS
<uuid1>  OS    128      running           web
$ vmadm list -p -o alias,state,brand,ram,quota,max_lwps
web:running:joyent-minimal:128:1:100
$ vmadm list -H -o alias state=~RUN
web
$ zlogin web hostname
web
$ zlogin web 'exit 42'
[42]
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
new
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
STATE             ALIAS
stopped           web
$ zlogin web true
zlogin: login allowed only to running zones (web is 'installed').
[1]
$ vmadm lookup -1 alias=nobody
Requested unique lookup but found 0 results.
[1]
$ vmadm lookup -j -o alias,state
[
{
  "alias": "web",
  "state": "stopped"
}
]
$ vmadm delete web
Successfully deleted VM <uuid1>
$ vmadm get web
zoneadm: web: No such zone configured
[1]
$ vmadm get 00000000-0000-4000-8000-000000000001
zoneadm: 00000000-0000-4000-8000-000000000001: No such zone configured
[1]
