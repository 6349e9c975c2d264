/* SPDX-License-Identifier: MPL-2.0 */
/* Calls that block in the kernel for as long as moving data takes, made by a child that this process watches. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "store/btrfs_job.h"

struct answer {
	int r;
	struct btrfs_scrub scrub;
};

int pool_job_run(struct ctx *c, struct pool_job *j, struct err *e)
{
	struct answer a = {.r = -EIO};
	_fd_ int in = -1;
	bool stopped = false;
	int p[2], st;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	in = p[0];
	pid = fork();
	if (pid < 0) {
		close(p[1]);
		return err_sys(e, errno, "fork");
	}
	if (pid == 0) {
		a.r = j->call(j);
		a.scrub = j->scrub;
		_exit(write(p[1], &a, sizeof a) == (ssize_t)sizeof a ? 0 : 1);
	}
	close(p[1]);
	for (;;) {
		struct pollfd f[2] = {{.fd = in, .events = POLLIN}, {.fd = stopped ? -1 : c->cancel, .events = POLLIN}};
		uint64_t done = 0, total = 0;

		if (poll(f, 2, 200) < 0 && errno != EINTR)
			break;
		if (f[0].revents)
			break;
		if (!stopped && j->cancel && ctx_check(c, NULL) < 0) {
			stopped = true;
			j->cancel(j->fd);
		}
		if (c->progress && j->progress(j, &done, &total) == 0)
			c->progress(c, j->what, done, total);
	}
	if (read(in, &a, sizeof a) != (ssize_t)sizeof a)
		a.r = -EIO;
	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	j->scrub = a.scrub;
	return stopped && a.r == -ECANCELED ? err_set(e, ECANCELED, "interrupted") : a.r;
}

int pool_call_scrub(struct pool_job *j)
{
	return btrfs_scrub_dev(j->fd, j->devid, &j->scrub);
}

int pool_progress_scrub(struct pool_job *j, uint64_t *done, uint64_t *total)
{
	struct btrfs_scrub s;
	int r = btrfs_scrub_progress(j->fd, j->devid, &s);

	if (r == 0)
		*done = j->base + s.bytes;
	*total = j->total;
	return r;
}

static int call_balance(struct pool_job *j)
{
	return btrfs_balance(j->fd, j->profile);
}

static int progress_balance(struct pool_job *j, uint64_t *done, uint64_t *total)
{
	return btrfs_balance_progress(j->fd, done, total);
}

int pool_call_replace(struct pool_job *j)
{
	return btrfs_dev_replace(j->fd, j->devid, j->path);
}

int pool_progress_replace(struct pool_job *j, uint64_t *done, uint64_t *total)
{
	unsigned p = 0;
	int r = btrfs_dev_replace_progress(j->fd, &p);

	*done = p;
	*total = 1000;
	return r;
}

int pool_call_remove(struct pool_job *j)
{
	return btrfs_dev_remove(j->fd, j->devid);
}

static int one_used(const struct btrfs_dev *d, void *arg)
{
	struct pool_job *j = arg;

	if (d->devid == j->devid)
		j->profile = BTRFS_SINGLE, j->base = d->used;
	return 0;
}

/* What is left on the device shrinks to nothing. */
int pool_progress_remove(struct pool_job *j, uint64_t *done, uint64_t *total)
{
	int r = btrfs_dev_each(j->fd, one_used, j);

	*done = j->total > j->base ? j->total - j->base : 0;
	*total = j->total;
	return r < 0 ? r : 0;
}

int pool_job_balance(struct ctx *c, int fd, enum btrfs_profile p, struct err *e)
{
	struct pool_job j = {.fd = fd, .what = p == BTRFS_MIRROR ? "mirroring" : "unmirroring", .call = call_balance,
		.progress = progress_balance, .profile = p};
	int r = pool_job_run(c, &j, e);

	return r < 0 ? err_sys(e, r, "%s", j.what) : 0;
}
