# needs: pool
# Whose something is, what is open, and what holds a zone back.
$ echo '{"brand":"joyent-minimal","alias":"web"}' | vmadm create 2>&1 | sed 's/VM .*/VM/'
Successfully created VM
$ cloister whose -p $(cloister pgrep -z web zinit) | sed 's/pid [0-9]*:/pid N:/'
pid N: zone web (<uuid1>), pid 1 in it: zinit
$ cloister whose -p $$ | sed 's/[0-9][0-9]*/N/'
pid N: the global zone's: bash
$ cloister whose 203.0.113.1
203.0.113.1: nobody's
[1]
$ cloister whose 127.0.0.1
127.0.0.1: each zone's own, and the global zone's: it never leaves a host
$ cloister whose nonsense 2>&1 | head -1
cloister whose: "nonsense" is no pid, port, address or absolute path
[2]
$ cloister files -H -z web | awk '{print $3, $4, $5}' | sort -u | head -3
zinit 0 CHR
zinit 1 CHR
zinit 2 CHR
$ cloister files /etc/passwd
[1]
$ cloister files 2>&1 | head -1
cloister files: a zone (-z), or the absolute path of a file of the host
[2]
$ cloister why -t 0.3 web | head -1
web: nothing: nothing that the host can see holds it back
$ cloister why -j -t 0.3 web | jq -c '[.v, .cause, .findings]'
[1,"nothing",[]]
$ vmadm stop -F web 2>&1 | sed 's/VM .*/VM/'
Successfully completed stop for VM
$ cloister why web
web: not-running: it does not run; its state is installed
$ cloister why db
cloister why: zone 'db' unknown
[1]
