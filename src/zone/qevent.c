/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/qevent.h"

#include <errno.h>
#include <string.h>

#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

/* Behind `"key": `, as QEMU writes it; NULL = it is not there. */
static const char *behind(const char *line, size_t n, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = line; (p = memmem(p, n - (size_t)(p - line), key, len)); p++) {
		const char *at = p + len, *end = line + n;

		if (p > line && p[-1] == '"' && end - at > 3 && at[0] == '"' && at[1] == ':' && at[2] == ' ')
			return at + 3;
	}
	return NULL;
}

static void word(const char *line, size_t n, const char *key, char out[QEVENT_WORD])
{
	const char *p = behind(line, n, key), *end = line + n;
	size_t k = 0;

	if (p && p < end && *p++ == '"')
		for (; p < end && k < QEVENT_WORD - 1 && *p && strchr(WORD, *p); p++)
			out[k++] = *p;
	out[k] = 0;
}

static bool is_true(const char *line, size_t n, const char *key)
{
	const char *p = behind(line, n, key);

	return p && (size_t)(line + n - p) >= 4 && !memcmp(p, "true", 4);
}

/* A quota that is full is no ENOSPC to QEMU: its words are all that tells. */
static bool quota_full(const char *line, size_t n)
{
	static const char words[] = "\"Disk quota exceeded\"";
	const char *p = behind(line, n, "reason");

	return p && (size_t)(line + n - p) >= strlen(words) && !memcmp(p, words, strlen(words));
}

int qevent_read(const char *line, size_t n, struct qevent *out)
{
	struct qevent q;

	word(line, n, "event", q.name);
	if (!q.name[0])
		return -ENOMSG;
	word(line, n, "reason", q.reason);
	word(line, n, "action", q.action);
	word(line, n, "operation", q.operation);
	word(line, n, "device", q.device);
	if (!q.device[0])
		word(line, n, "node-name", q.device);
	q.guest = is_true(line, n, "guest");
	q.nospace = is_true(line, n, "nospace") || quota_full(line, n);
	*out = q;
	return 0;
}

bool qevent_status(const char *line, size_t n, char out[QEVENT_WORD])
{
	char status[QEVENT_WORD];

	if (!behind(line, n, "return"))
		return false;
	word(line, n, "status", status);
	if (!status[0])
		return false;
	memcpy(out, status, sizeof status);
	return true;
}
