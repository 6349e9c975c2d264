# Images: a tarball in, a zone out of it.
# needs: pool
$ mkdir -p r/bin r/etc && cp /bin/busybox r/bin/ && ln -s busybox r/bin/sh && echo root:x:0:0::/root:/bin/sh >r/etc/passwd && tar cf r.tar -C r .
$ imgadm import --name tiny --version 1.0 --uuid 5ab554ff-1d5f-4b94-8e8d-0a512dd1d599 r.tar
Imported image <uuid1> (tiny@1.0)
$ imgadm list -H -o name,version,type
tiny                1.0           lx-dataset
$ imgadm show 5ab554ff-1d5f-4b94-8e8d-0a512dd1d599 | jq -r .name
tiny
$ imgadm import --uuid 5ab554ff-1d5f-4b94-8e8d-0a512dd1d599 r.tar
imgadm import: image <uuid1> is installed already
[1]
$ echo '{"brand":"lx","alias":"t","autoboot":false,"image_uuid":"5ab554ff-1d5f-4b94-8e8d-0a512dd1d599"}' | vmadm create
Successfully created VM <uuid2>
$ imgadm delete 5ab554ff-1d5f-4b94-8e8d-0a512dd1d599
imgadm delete: image <uuid1> is in use by VM <uuid2> (t)
[1]
$ vmadm delete t
Successfully deleted VM <uuid2>
$ imgadm delete 5ab554ff-1d5f-4b94-8e8d-0a512dd1d599
Deleted image <uuid1>
$ imgadm get 5ab554ff-1d5f-4b94-8e8d-0a512dd1d599
imgadm get: image <uuid1> is not installed
  `imgadm list` shows what is installed
[3]
$ imgadm import no-such-file.tar
imgadm import: no-such-file.tar: No such file or directory (ENOENT)
[1]
