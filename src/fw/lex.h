/* SPDX-License-Identifier: MPL-2.0 */
/* Words of the rule language, and what a parser says of them. For the files of this folder. */
#ifndef CLOISTER_FW_LEX_H
#define CLOISTER_FW_LEX_H

#include "fw/rule.h"

enum fw_tok { FW_TOK_END, FW_TOK_WORD, FW_TOK_STRING, FW_TOK_MARK };

struct fw_lex {
	const char *text, *p;      /* p: behind the token */
	const char *at;            /* its first byte */
	enum fw_tok tok;
	char mark;                 /* of MARK: ( ) = , */
	char word[FW_WORD_MAX + 1]; /* of WORD and STRING, escapes undone */
	struct err *e;
};

/* The next token; -EINVAL. */
int fw_next(struct fw_lex *l);
/* Whether the token is this word of the language (unquoted, in any case); word in lower case. */
bool fw_is(const struct fw_lex *l, const char *word);
bool fw_is_mark(const struct fw_lex *l, char c);
/* Of the words that stand between targets: as a tag's name they have to be quoted. */
bool fw_reserved(const char *word);
/* "column 7: …", by where the token is; -EINVAL. */
int fw_bad(const struct fw_lex *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What stands there, for messages: the end of the rule, or the token in quotes. buf of 48 bytes; returned. */
const char *fw_what(const struct fw_lex *l, char out[48]);
/* A decimal number up to max without leading zeros: a 010 is ten to some and eight to others. */
int fw_number(const struct fw_lex *l, const char *text, unsigned max, const char *what, unsigned *out);

/* target.c, parse_ports.c: from the token that stands, to the one behind. */
int fw_parse_side(struct fw_lex *l, const char *name, struct fw_side *s);
int fw_parse_ports(struct fw_lex *l, struct fw_rule *r);

#endif
