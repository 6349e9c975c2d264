# What a stranger meets first.
$ cloister version | sed 's/[0-9.]*$/N/'
cloister N
$ cloister no-such 2>&1 | head -1
cloister: unknown command "no-such"
[2]
$ vmadm no-such 2>&1 | head -1
vmadm: unknown command "no-such"
[2]
