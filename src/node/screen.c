/* SPDX-License-Identifier: MPL-2.0 */
#include "node/screen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/sock.h"
#include "model/vm.h"
#include "zone/settings.h"

#define ANSWER_MS 5000
#define DISPLAY_0 5900      /* port of display 0 */
#define SHOT_MAX  (64u << 20) /* bytes of a screenshot */
#define SHOT_SET  200       /* number of its fdset */

static bool has_password(const json_t *rec)
{
	const char *s = vm_str(rec, "vnc_password");

	return s && *s;
}

static bool this_host_only(const struct ctx *c)
{
	unsigned char a[16] = {0};

	if (inet_pton(AF_INET, c->node.vnc_host, a) == 1)
		return a[0] == 127;
	return inet_pton(AF_INET6, c->node.vnc_host, a) == 1 && !memcmp(a, &in6addr_loopback, sizeof a);
}

static int without_password(const struct ctx *c, struct err *e)
{
	err_set(e, EINVAL, "vnc_port: at %s everybody who reaches that address would have the machine's screen: it needs a vnc_password",
		c->node.vnc_host);
	return err_hint(e, "vnc_host in %s/node.conf says where it is; 127.0.0.1 needs no password.", c->node.etc);
}

int screen_check(const struct ctx *c, const json_t *rec, struct err *e)
{
	return vm_int(rec, "vnc_port", -1) >= 0 && !has_password(rec) && !this_host_only(c) ? without_password(c, e) : 0;
}

void screen_settings(const struct ctx *c, const json_t *rec, struct buf *out)
{
	int64_t port = vm_int(rec, "vnc_port", -1);

	if (port >= 0)
		buf_printf(out, "vnc_host %s\nvnc_port %lld\n", c->node.vnc_host, (long long)port);
}

static int set_password(const json_t *rec, struct qmp *q, struct err *e)
{
	json_t *a = json_pack("{s:s,s:s}", "protocol", "vnc", "password", vm_str(rec, "vnc_password"));

	return qmp_do(q, "set_password", a, ANSWER_MS, NULL, e);
}

/* A descriptor under a name for the next command that wants one: a blank between two commands brings it. */
static int give(struct qmp *q, const char *name, int fd, struct err *e)
{
	int r = sock_send_fd(q->fd, ' ', fd);

	if (r < 0)
		return err_sys(e, r, "QEMU's control socket");
	return qmp_say(q, "getfd", json_pack("{s:s}", "fdname", name), ANSWER_MS, e);
}

static int open_run(const struct vm *v, struct err *e)
{
	_free_ char *path = xprintf("%s/%s", v->c->node.run, v->uuid);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "%s", path) : fd;
}

int screen_port_failed(const struct ctx *c, const json_t *rec, int r, struct err *e)
{
	if (r == -EADDRINUSE || r == -EADDRNOTAVAIL || r == -EACCES)
		return err_sys(e, r, "vnc_port %lld: listen at %s", (long long)vm_int(rec, "vnc_port", 0), c->node.vnc_host);
	return r;
}

/* The worker has had its settings since it began; here it says whether it could do what they ask. */
static int open_port(struct vm *v, struct err *e)
{
	struct err we = ERR_INIT;
	int r;

	if (vm_int(v->rec, "vnc_port", -1) < 0)
		return 0;
	r = settings_tell(v->c, v->uuid, &we);
	/* it has just died: the next one begins with the port */
	if (r == -ESRCH || r == 0)
		return 0;
	err_set(e, -r, "%s", we.msg);
	return screen_port_failed(v->c, v->rec, r, e);
}

int screen_open(struct vm *v, struct qmp *q, struct err *e)
{
	_fd_ int run = open_run(v, e);
	_fd_ int sock = run < 0 ? -1 : sock_serve(run, SCREEN_SOCK, e);
	int r = run < 0 || sock < 0 ? -e->code : 0;

	if (r == 0 && has_password(v->rec))
		r = set_password(v->rec, q, e);
	if (r == 0)
		r = give(q, "screen", sock, e);
	if (r == 0)
		r = qmp_say(q, "display-update", json_pack("{s:s,s:[{s:s,s:s}]}", "type", "vnc", "addresses", "type", "fd", "str", "screen"), ANSWER_MS, e);
	if (r < 0)
		return err_add(e, "screen");
	return open_port(v, e);
}

bool screen_password_live(const json_t *old, const json_t *rec)
{
	return has_password(old) == has_password(rec);
}

static int ask(struct qmp *q, json_t **vnc, struct err *e)
{
	return qmp_do(q, "query-vnc", NULL, ANSWER_MS, vnc, e);
}

int screen_change(struct vm *v, const json_t *old, const json_t *rec, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/qmp.sock", v->c->node.run, v->uuid);
	_qmp_ struct qmp q = QMP_INIT;
	_json_ json_t *vnc = NULL;
	int r;

	if (!brand_hvm(v->brand))
		return 0;
	r = qmp_open(path, ANSWER_MS, &q, e);
	if (r == 0 && has_password(old) && has_password(rec) && !json_equal(json_object_get(old, "vnc_password"), json_object_get(rec, "vnc_password")))
		r = set_password(rec, &q, e);
	/* what the machine was started with counts, not what the record says it will have at its next boot */
	if (r == 0 && vm_int(rec, "vnc_port", -1) >= 0 && !this_host_only(v->c)) {
		r = ask(&q, &vnc, e);
		if (r == 0 && str_eq(json_string_value(json_object_get(vnc, "auth")), "none"))
			r = without_password(v->c, e);
	}
	return r < 0 ? err_add(e, "screen") : 0;
}

/* What the worker listens at, which it has written down. 0 = nothing. */
static long port_now(const struct vm *v)
{
	_free_ char *path = xprintf("%s/%s/vnc.port", v->c->node.run, v->uuid);
	_buf_ struct buf b = BUF_INIT;

	return file_read(AT_FDCWD, path, 64, &b, NULL) < 0 ? 0 : strtol(buf_str(&b), NULL, 10);
}

int screen_info(const struct vm *v, struct qmp *q, json_t **out, struct err *e)
{
	_json_ json_t *vnc = NULL;
	json_t *o;
	long port;
	int r = ask(q, &vnc, e);

	if (r < 0)
		return r;
	o = json_object();
	port = vm_int(v->rec, "vnc_port", -1) >= 0 ? port_now(v) : 0;
	if (port > 0) {
		json_object_set_new(o, "host", json_string(v->c->node.vnc_host));
		json_object_set_new(o, "port", json_integer(port));
		if (port >= DISPLAY_0)
			json_object_set_new(o, "display", json_integer(port - DISPLAY_0));
	}
	json_object_set_new(o, "socket", json_sprintf("%s/%s/" SCREEN_SOCK, v->c->node.run, v->uuid));
	json_object_set_new(o, "password", json_boolean(!str_eq(json_string_value(json_object_get(vnc, "auth")), "none")));
	json_object_set_new(o, "clients", json_integer((json_int_t)json_array_size(json_object_get(vnc, "clients"))));
	*out = o;
	return 0;
}

/* QEMU writes into memory of ours, for it may write on when it has said that it is done; from there as much as a screen can be. */
static int shot_text(struct qmp *q, struct buf *out, struct err *e)
{
	_free_ char *file = xprintf("/dev/fdset/%d", SHOT_SET);
	_fd_ int mem = memfd_create("screen", MFD_CLOEXEC), fd = -1;
	char self[32];
	int r;

	snprintf(self, sizeof self, "/proc/self/fd/%d", mem);
	/* a file that is opened for writing and no more is what it takes for such a set */
	fd = mem < 0 ? -1 : open(self, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "memory for a screenshot");
	r = sock_send_fd(q->fd, ' ', fd);
	if (r < 0)
		return err_sys(e, r, "QEMU's control socket");
	r = qmp_do(q, "add-fd", json_pack("{s:i}", "fdset-id", SHOT_SET), ANSWER_MS, NULL, e);
	if (r == 0) {
		struct err ignored = ERR_INIT;

		r = qmp_do(q, "screendump", json_pack("{s:s}", "filename", file), ANSWER_MS, NULL, e);
		qmp_do(q, "remove-fd", json_pack("{s:i}", "fdset-id", SHOT_SET), ANSWER_MS, NULL, &ignored);
	}
	if (r == 0 && lseek(mem, 0, SEEK_SET) < 0)
		r = err_sys(e, errno, "screenshot");
	if (r == 0)
		r = file_read(AT_FDCWD, self, SHOT_MAX, out, e);
	if (r == 0 && (out->len < 3 || memcmp(out->p, "P6\n", 3)))
		r = err_set(e, EPROTO, "QEMU has written no picture");
	return r;
}

int screen_shot(struct vm *v, struct qmp *q, char **path, struct err *e)
{
	_free_ char *dir = vm_path(v, "root/tmp"), *file = xprintf("%s/vm.ppm", dir);
	_buf_ struct buf b = BUF_INIT;
	int r = shot_text(q, &b, e);

	if (r == 0 && mkdir(dir, 0700) < 0 && errno != EEXIST)
		r = err_sys(e, errno, "%s", dir);
	if (r == 0)
		r = file_replace(file, b.p, b.len, 0600, 0, e);
	if (r == 0)
		*path = take(file);
	return r;
}
