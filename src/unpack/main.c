/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unpack/tree.h"

#define LINE 1400

static void put_line(const char *head, const char *fmt, va_list ap)
{
	char text[900], line[LINE];
	size_t n = (size_t)snprintf(line, sizeof line, "%s", head);
	const char *p = line;

	vsnprintf(text, sizeof text, fmt, ap);
	/* names come from outside: no control characters reach anyone's terminal */
	for (const char *s = text; *s && n < sizeof line - 8; s++) {
		if ((unsigned char)*s < 32 || *s == 127)
			n += (size_t)snprintf(line + n, 6, "\\x%02x", (unsigned char)*s);
		else
			line[n++] = *s;
	}
	line[n++] = '\n';
	while (n) {
		ssize_t w = write(FD_STATUS, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			_exit(3); /* nobody listens: the caller is gone, and the tree with it */
		p += w;
		n -= (size_t)w;
	}
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line("", fmt, ap);
	va_end(ap);
}

void fail(int code, const char *fmt, ...)
{
	char head[16];
	va_list ap;

	snprintf(head, sizeof head, "e %d ", code);
	va_start(ap, fmt);
	put_line(head, fmt, ap);
	va_end(ap);
	_exit(1);
}

void *need(void *p)
{
	if (!p)
		fail(ENOMEM, "out of memory");
	return p;
}

static uint64_t number(const char *s)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || !*s || *end || *s == '-')
		fail(EINVAL, "\"%s\" is not a number", s);
	return v;
}

static void hex(const char *s, char *out, size_t len)
{
	if (strlen(s) != len || strspn(s, "0123456789abcdef") != len)
		fail(EINVAL, "\"%s\" is not a digest in lower-case hex", s);
	memcpy(out, s, len + 1);
}

static void options(struct unpack *u, int argc, char **argv)
{
	static const struct option lo[] = {
		{"layer", no_argument, NULL, 'l'},
		{"digest", no_argument, NULL, 'd'},
		{"disk", no_argument, NULL, 'k'},
		{"sha256", required_argument, NULL, '2'},
		{"sha1", required_argument, NULL, '1'},
		{"diff", required_argument, NULL, 'D'},
		{"size", required_argument, NULL, 's'},
		{"max-bytes", required_argument, NULL, 'b'},
		{"max-entries", required_argument, NULL, 'e'},
		{NULL, 0, NULL, 0},
	};
	int o;

	opterr = 0;
	u->size = -1;
	u->max_bytes = 64ULL << 30;
	u->max_entries = 4000000;
	while ((o = getopt_long(argc, argv, "", lo, NULL)) != -1) {
		switch (o) {
		case 'l':
			u->layer = true;
			break;
		case 'd':
			u->digest = true;
			break;
		case 'k':
			u->disk = true;
			break;
		case '2':
			hex(optarg, u->sha256, 64);
			break;
		case '1':
			hex(optarg, u->sha1, 40);
			break;
		case 'D':
			hex(optarg, u->diff, 64);
			break;
		case 's':
			u->size = (int64_t)number(optarg);
			break;
		case 'b':
			u->max_bytes = number(optarg);
			break;
		case 'e':
			u->max_entries = number(optarg);
			break;
		default:
			fail(EINVAL, "cloister-unpack: bad option");
		}
	}
	if (optind < argc)
		fail(EINVAL, "cloister-unpack: unexpected \"%s\"", argv[optind]);
}

static void tree(struct unpack *u)
{
	struct archive_entry *ae;

	for (;;) {
		int r;

		u->end_before = (uint64_t)archive_filter_bytes(u->inner, 0);
		r = archive_read_next_header(u->inner, &ae);
		u->end_after = (uint64_t)archive_filter_bytes(u->inner, 0);
		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN)
			fail(EBADMSG, "%s", archive_error_string(u->inner));
		if (++u->entries > u->max_entries)
			fail(EFBIG, "more than %llu entries", (unsigned long long)u->max_entries);
		entry_unpack(u, ae);
	}
	tree_finish(u);
}

int main(int argc, char **argv)
{
	static struct unpack u;
	struct stat st;
	char sum[65];

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (fcntl(FD_STATUS, F_GETFD) < 0 || fstat(FD_IN, &st) < 0) {
		fprintf(stderr, "cloister-unpack: run by imgadm, with descriptors 3, 4 and 5\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	options(&u, argc, argv);
	if (S_ISDIR(st.st_mode))
		fail(EISDIR, "the archive is a folder");
	/* names in pax headers are UTF-8; the built-in locale needs no files */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		fail(ENOTSUP, "locale C.UTF-8 is missing");
	u.parent_fd = -1;
	lock_in(&u);
	if (u.disk) {
		disk_unpack(&u, sum);
	} else {
		stream_open(&u);
		if (!u.digest)
			tree(&u);
		stream_finish(&u, sum);
	}
	say("ok %llu %llu %llu %s", (unsigned long long)u.entries, (unsigned long long)u.bytes,
	    (unsigned long long)u.in_bytes, sum);
	_exit(0); /* nothing to flush; what runs at exit would find its system calls gone */
}
