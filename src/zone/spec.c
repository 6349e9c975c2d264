/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/spec.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

#define SPEC_MAX   (1u << 20)
#define FIELDS_MAX 8

/* One row per record whose value is a plain field of struct zspec. STRV records stand once per string. */
enum ftype { F_STR, F_STRV, F_U64, F_U32, F_HEX, F_BOOL };
struct field {
	const char *key;
	enum ftype type;
	size_t off;
};
#define FIELD(k, t) {#k, t, offsetof(struct zspec, k)}
static const struct field fields[] = {
	FIELD(uuid, F_STR),	    FIELD(zonename, F_STR),   FIELD(hostname, F_STR),  FIELD(domain, F_STR),
	FIELD(brand, F_STR),	    FIELD(zoneid, F_U64),     FIELD(id_base, F_U32),   FIELD(run_dir, F_STR),
	FIELD(log_dir, F_STR),	    FIELD(log_max, F_U64),    FIELD(bootid, F_STR),    FIELD(cloister, F_STR),
	FIELD(node, F_STR),	    FIELD(shared, F_BOOL),    FIELD(root_path, F_STR), FIELD(lower, F_STRV),
	FIELD(upper, F_STR),	    FIELD(work, F_STR),	      FIELD(root_ro, F_BOOL),  FIELD(argv, F_STRV),
	FIELD(env, F_STRV),	    FIELD(user, F_STR),	      FIELD(cwd, F_STR),       FIELD(docker, F_BOOL),
	FIELD(restart_init, F_BOOL), FIELD(init_restarts, F_U64), FIELD(no_console, F_BOOL), FIELD(notify, F_BOOL), FIELD(scripts, F_BOOL),
	FIELD(nics, F_BOOL),	   	 FIELD(cg_v2_zone, F_STR),
	FIELD(join, F_STRV),	    FIELD(sup_join, F_STRV),  FIELD(caps, F_HEX),      FIELD(seccomp, F_STR),
	FIELD(memlock, F_U64),	    FIELD(nofile, F_U64),     FIELD(ptys, F_U64),      FIELD(systemd, F_STR),
	FIELD(slice, F_U64),	    FIELD(root_empty, F_BOOL), FIELD(own, F_STR),	    FIELD(all, F_STR),	      FIELD(settings, F_STR),
};

static const struct field *field_find(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!strcmp(fields[i].key, key))
			return &fields[i];
	return NULL;
}

static void *at(const struct zspec *z, const struct field *f)
{
	return (char *)z + f->off;
}

static void strv_free(char ***v)
{
	for (char **s = *v; s && *s; s++)
		free(*s);
	free(*v);
	*v = NULL;
}

static void strv_add(char ***v, char *s)
{
	size_t n = 0;

	while (*v && (*v)[n])
		n++;
	/* Doubling, told from n alone: the array is full at every power of two. */
	if (!*v || (n + 1 >= 2 && !((n + 1) & n)))
		*v = xrealloc(*v, (n + 1) * 2 * sizeof **v);
	(*v)[n] = s;
	(*v)[n + 1] = NULL;
}

void zspec_done(struct zspec *z)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (fields[i].type == F_STR)
			free(*(char **)at(z, &fields[i]));
		else if (fields[i].type == F_STRV)
			strv_free(at(z, &fields[i]));
	}
	for (unsigned i = 0; i < z->nmounts; i++) {
		free(z->mounts[i].source);
		free(z->mounts[i].target);
		free(z->mounts[i].fstype);
		free(z->mounts[i].data);
	}
	for (unsigned i = 0; i < z->ndevs; i++)
		free(z->devs[i].name);
	for (unsigned i = 0; i < z->nfiles; i++) {
		free(z->files[i].path);
		free(z->files[i].text);
	}
	for (unsigned i = 0; i < z->nsysctls; i++) {
		free(z->sysctls[i].name);
		free(z->sysctls[i].value);
	}
	for (unsigned i = 0; i < z->nfds; i++)
		free(z->fds[i].path);
	free(z->fds);
	free(z->mounts);
	free(z->devs);
	free(z->files);
	free(z->sysctls);
	memset(z, 0, sizeof *z);
}

/* "\t" before, then the text escaped; NULL is written as \0 (backslash, zero) to tell it from "". */
static void put(struct buf *out, const char *s)
{
	buf_add(out, "\t", 1);
	if (!s) {
		buf_puts(out, "\\0");
		return;
	}
	for (;;) {
		size_t n = strcspn(s, "\t\n\\");

		buf_add(out, s, n);
		s += n;
		if (!*s)
			return;
		buf_puts(out, *s == '\t' ? "\\t" : *s == '\n' ? "\\n" : "\\\\");
		s++;
	}
}

static void put_record(struct buf *out, const char *key, const char *value)
{
	buf_puts(out, key);
	put(out, value);
	buf_add(out, "\n", 1);
}

static void put_field(const struct zspec *z, const struct field *f, struct buf *out)
{
	const void *p = at(z, f);

	switch (f->type) {
	case F_STR:
		if (*(char *const *)p)
			put_record(out, f->key, *(char *const *)p);
		break;
	case F_STRV:
		for (char *const *s = *(char ***)p; s && *s; s++)
			put_record(out, f->key, *s);
		break;
	case F_U64:
		if (*(const uint64_t *)p)
			buf_printf(out, "%s\t%llu\n", f->key, *(const unsigned long long *)p);
		break;
	case F_HEX:
		buf_printf(out, "%s\t%llx\n", f->key, *(const unsigned long long *)p);
		break;
	case F_U32:
		buf_printf(out, "%s\t%u\n", f->key, *(const uint32_t *)p);
		break;
	case F_BOOL:
		if (*(const bool *)p)
			buf_printf(out, "%s\t1\n", f->key);
		break;
	}
}

void zspec_write(const struct zspec *z, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		put_field(z, &fields[i], out);
	for (unsigned i = 0; i < z->nmounts; i++) {
		const struct zmount *m = &z->mounts[i];

		buf_printf(out, "mount\t%d\t%u", (int)m->kind, m->flags);
		put(out, m->source);
		put(out, m->target);
		put(out, m->fstype);
		put(out, m->data);
		buf_add(out, "\n", 1);
	}
	for (unsigned i = 0; i < z->ndevs; i++) {
		const struct zdev *d = &z->devs[i];

		buf_printf(out, "dev\t%c\t%u\t%u\t%o", d->type, d->major, d->minor, d->mode);
		put(out, d->name);
		buf_add(out, "\n", 1);
	}
	for (unsigned i = 0; i < z->nfiles; i++) {
		buf_printf(out, "file\t%o", z->files[i].mode);
		put(out, z->files[i].path);
		put(out, z->files[i].text ? z->files[i].text : "");
		buf_add(out, "\n", 1);
	}
	for (unsigned i = 0; i < z->nsysctls; i++) {
		buf_puts(out, "sysctl");
		put(out, z->sysctls[i].name);
		put(out, z->sysctls[i].value);
		buf_add(out, "\n", 1);
	}
	for (unsigned i = 0; i < z->nfds; i++) {
		buf_printf(out, "fd\t%u\t%d", z->fds[i].number, (int)z->fds[i].kind);
		put(out, z->fds[i].path);
		buf_add(out, "\n", 1);
	}
}

/* Undoes the escapes in place. 1 = it is the NULL mark, 0 = text, -EINVAL. */
static int unescape(char *s)
{
	char *w = s;

	if (!strcmp(s, "\\0"))
		return 1;
	for (; *s; s++) {
		if (*s != '\\') {
			*w++ = *s;
			continue;
		}
		s++;
		if (*s != 't' && *s != 'n' && *s != '\\')
			return -EINVAL;
		*w++ = *s == 't' ? '\t' : *s == 'n' ? '\n' : '\\';
	}
	*w = 0;
	return 0;
}

static int to_num(const char *s, int base, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long v;

	if (!*s || strspn(s, base == 16 ? "0123456789abcdef" : base == 8 ? "01234567" : "0123456789") != strlen(s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, base);
	if (errno || *end || v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

/* A copy of a string field, NULL for the NULL mark and for a missing one. */
static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static int parse_field(struct zspec *z, const struct field *f, char **v, unsigned n)
{
	void *p = at(z, f);
	uint64_t num = 0;

	if (n != 1 || !v[0])
		return -EINVAL;
	switch (f->type) {
	case F_STR:
		if (*(char **)p)
			return -EEXIST;
		*(char **)p = xstrdup(v[0]);
		return 0;
	case F_STRV:
		strv_add(p, xstrdup(v[0]));
		return 0;
	case F_U64:
	case F_HEX:
		if (to_num(v[0], f->type == F_HEX ? 16 : 10, UINT64_MAX, &num) < 0)
			return -EINVAL;
		*(uint64_t *)p = num;
		return 0;
	case F_U32:
		if (to_num(v[0], 10, UINT32_MAX, &num) < 0)
			return -EINVAL;
		*(uint32_t *)p = (uint32_t)num;
		return 0;
	case F_BOOL:
		if (to_num(v[0], 10, 1, &num) < 0)
			return -EINVAL;
		*(bool *)p = num;
		return 0;
	}
	return -EINVAL;
}

#define GROW(array, count) \
	((array) = ((count) & ((count) - 1)) ? (array) : xrealloc((array), ((count) ? (count) * 2 : 1) * sizeof *(array)))

static int parse_mount(struct zspec *z, char **v, unsigned n)
{
	uint64_t kind, flags;

	if (n != 6 || !v[0] || !v[1] || !v[3] || to_num(v[0], 10, ZM_FOLDER, &kind) < 0 ||
	    to_num(v[1], 10, ZM_ALL, &flags) < 0)
		return -EINVAL;
	GROW(z->mounts, z->nmounts);
	z->mounts[z->nmounts++] = (struct zmount){
		.kind = (enum zmount_kind)kind,
		.flags = (unsigned)flags,
		.source = dup_or_null(v[2]),
		.target = xstrdup(v[3]),
		.fstype = dup_or_null(v[4]),
		.data = dup_or_null(v[5]),
	};
	return 0;
}

static int parse_dev(struct zspec *z, char **v, unsigned n)
{
	uint64_t major, minor, mode;

	if (n != 5 || !v[0] || !v[1] || !v[2] || !v[3] || !v[4] || (strcmp(v[0], "c") && strcmp(v[0], "b")) ||
	    to_num(v[1], 10, UINT32_MAX, &major) < 0 || to_num(v[2], 10, UINT32_MAX, &minor) < 0 ||
	    to_num(v[3], 8, 07777, &mode) < 0)
		return -EINVAL;
	GROW(z->devs, z->ndevs);
	z->devs[z->ndevs++] = (struct zdev){
		.name = xstrdup(v[4]),
		.type = v[0][0],
		.major = (uint32_t)major,
		.minor = (uint32_t)minor,
		.mode = (unsigned)mode,
	};
	return 0;
}

static int parse_file(struct zspec *z, char **v, unsigned n)
{
	uint64_t mode;

	if (n != 3 || !v[0] || !v[1] || !v[2] || to_num(v[0], 8, 07777, &mode) < 0)
		return -EINVAL;
	GROW(z->files, z->nfiles);
	z->files[z->nfiles++] = (struct zfile){.path = xstrdup(v[1]), .mode = (unsigned)mode, .text = xstrdup(v[2])};
	return 0;
}

static int parse_sysctl(struct zspec *z, char **v, unsigned n)
{
	if (n != 2 || !v[0] || !v[1])
		return -EINVAL;
	GROW(z->sysctls, z->nsysctls);
	z->sysctls[z->nsysctls++] = (struct zsysctl){.name = xstrdup(v[0]), .value = xstrdup(v[1])};
	return 0;
}

static int parse_fd(struct zspec *z, char **v, unsigned n)
{
	uint64_t number, kind;

	if (n != 3 || !v[0] || !v[1] || !v[2] || to_num(v[0], 10, ZFD_MAX, &number) < 0 || number < ZFD_MIN ||
	    to_num(v[1], 10, ZFD_SENT, &kind) < 0 || (strchr(v[2], '/') && (kind >= ZFD_LISTEN || v[2][0] != '/')))
		return -EINVAL;
	for (unsigned i = 0; i < z->nfds; i++)
		if (z->fds[i].number == number)
			return -EEXIST;
	GROW(z->fds, z->nfds);
	z->fds[z->nfds++] = (struct zfd){.number = (unsigned)number, .kind = (enum zfd_kind)kind, .path = xstrdup(v[2])};
	return 0;
}

static int parse_line(struct zspec *z, char *line)
{
	static const struct {
		const char *key;
		int (*parse)(struct zspec *, char **, unsigned);
	} records[] = {{"mount", parse_mount}, {"dev", parse_dev}, {"file", parse_file}, {"sysctl", parse_sysctl}, {"fd", parse_fd}};
	char *v[FIELDS_MAX], *key = line;
	const struct field *f;
	unsigned n = 0;

	for (char *s = strchr(line, '\t'); s; s = strchr(s, '\t')) {
		*s++ = 0;
		if (n == FIELDS_MAX)
			return -EINVAL;
		v[n++] = s;
	}
	for (unsigned i = 0; i < n; i++) {
		int r = unescape(v[i]);

		if (r < 0)
			return r;
		if (r)
			v[i] = NULL;
	}
	f = field_find(key);
	if (f)
		return parse_field(z, f, v, n);
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		if (!strcmp(records[i].key, key))
			return records[i].parse(z, v, n);
	return -ENOENT;
}

int zspec_parse(const char *text, size_t n, struct zspec *out, struct err *e)
{
	struct zspec z = {0};
	_free_ char *copy = NULL;
	unsigned no = 0;

	if (n > SPEC_MAX)
		return err_set(e, EFBIG, "zone spec: more than %u bytes", SPEC_MAX);
	if (memchr(text, 0, n))
		return err_set(e, EINVAL, "zone spec: a NUL byte");
	if (n && text[n - 1] != '\n')
		return err_set(e, EINVAL, "zone spec: the last line is cut off");
	copy = xalloc(n + 1);
	memcpy(copy, text, n);
	for (char *line = copy, *next; *line; line = next) {
		char *end = strchr(line, '\n');
		int r;

		*end = 0;
		next = end + 1;
		no++;
		r = parse_line(&z, line);
		if (r == -ENOENT)
			err_set(e, EINVAL, "zone spec: line %u: unknown record \"%.40s\"", no, line);
		else if (r == -EEXIST)
			err_set(e, EINVAL, "zone spec: line %u: \"%.40s\" stands twice", no, line);
		else if (r < 0)
			err_set(e, EINVAL, "zone spec: line %u: bad value of \"%.40s\"", no, line);
		if (r < 0) {
			zspec_done(&z);
			return -EINVAL;
		}
	}
	*out = z;
	return 0;
}
