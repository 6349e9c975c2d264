# needs: pool
# What the global zone sees of a zone's processes.
$ echo '{"brand":"joyent-minimal","alias":"web"}' | vmadm create 2>&1 | sed 's/VM .*/VM/'
Successfully created VM
$ cloister ps -o zone,zpid,s,comm
ZONE                ZPID S COMMAND
web                    1 S zinit
$ cloister ps -p -o zone,uid,zpid,nlwp,comm
web:0:1:1:zinit
$ cloister ps -j -z web -o zone,zpid,comm
{"v":1,"processes":[{"zone":"web","zpid":1,"comm":"zinit"}]}
$ cloister pgrep -c -z web zinit
1
$ cloister pgrep -z web nothing
[1]
$ cloister ptree -z web | sed 's/[0-9][0-9]* */N /'
web
  N 1       /.zonecontrol/native/zinit
$ cloister pkill -z web -NOPE zinit 2>&1 | head -1
cloister pkill: invalid option -- 'N'
[2]
$ cloister pkill zinit 2>&1 | head -1
cloister pkill: in which zone? -z, or -e for every one
[2]
$ cloister ps -z db
cloister ps: zone 'db' unknown
[1]
