# A VM's life, as a script sees it: data on standard output, messages on standard error.
# needs: pool
$ vmadm list
$ echo '{"brand":"joyent-minimal","alias":"web","hostname":"web","max_physical_memory":128,"max_lwps":100,"quota":1}' | vmadm create
$ vmadm list
$ vmadm list -p -o alias,state,brand,ram,quota,max_lwps
$ vmadm list -H -o alias state=~RUN
$ zlogin web hostname
$ zlogin web sh -c 'exit 42'
$ echo piped | zlogin web cat
$ zlogin web no-such-program
$ vmadm start web
$ vmadm update web max_lwps=50 quota=2
$ vmadm get web | jq -c '[.max_lwps, .quota, .state, .zone_state, .type]'
$ vmadm update web max_lwps=none
$ vmadm update web max_lpws=9
$ vmadm create-snapshot web one
$ zlogin web sh -c 'echo new >/root/file; cat /root/file'
$ vmadm get web | jq -c '[.snapshots[].name]'
$ vmadm rollback-snapshot web one
$ zlogin web cat /root/file
$ vmadm delete-snapshot web one
$ vmadm delete-snapshot web one
$ vmadm reboot web
$ vmadm stop web
$ vmadm stop web
$ vmadm reboot web
$ vmadm list -o state,alias
$ zlogin web true
$ vmadm lookup -1 alias=nobody
$ vmadm lookup -j -o alias,state
$ vmadm delete web
$ vmadm get web
$ vmadm get 00000000-0000-4000-8000-000000000001
