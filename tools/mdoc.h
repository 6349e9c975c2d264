/* SPDX-License-Identifier: MPL-2.0 */
/* Text as mdoc wants it: backslashes and a leading dot or quote escaped, lines of at most 78 bytes. */
#ifndef CLOISTER_TOOLS_MDOC_H
#define CLOISTER_TOOLS_MDOC_H

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void mdoc_word(const char *p, size_t n)
{
	if (*p == '.' || *p == '\'')
		fputs("\\&", stdout);
	for (; n; n--, p++) {
		if (*p == '\\')
			fputs("\\e", stdout);
		else
			putchar(*p);
	}
}

/* Sentences begin new lines, as mandoc asks. */
static inline void mdoc_text(const char *s)
{
	size_t col = 0;

	while (*s) {
		size_t n = strcspn(s, " ");
		int stop = n && s[n - 1] == '.' && s[n] == ' ' && isupper((unsigned char)s[n + 1]);

		if (col && col + 1 + n > 78) {
			putchar('\n');
			col = 0;
		}
		if (col) {
			putchar(' ');
			col++;
			fwrite(s, 1, n, stdout);
		} else {
			mdoc_word(s, n);
		}
		col += n;
		if (stop) {
			putchar('\n');
			col = 0;
		}
		s += n;
		s += strspn(s, " ");
	}
	if (col)
		putchar('\n');
}

/* The same with a full stop. */
static inline void mdoc_sentence(const char *s)
{
	char line[1024];
	size_t n = strlen(s);

	snprintf(line, sizeof line, "%s%s", s, n && s[n - 1] == '.' ? "" : ".");
	mdoc_text(line);
}

static inline void mdoc_head(const char *title, const char *name, const char *what)
{
	printf(".\\\" SPDX-License-Identifier: MPL-2.0\n.\\\" Made from the table by the build.\n.Dd November 21, 2026\n"
	       ".Dt %s 7\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n",
	       title, name, what);
}

#endif
