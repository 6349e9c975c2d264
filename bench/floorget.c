/* SPDX-License-Identifier: MPL-2.0 */
/* The floor of `vmadm get`: floorget DATABASE UUID opens the node's database, reads one record and writes it out. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	const char *text;

	if (argc != 3 || sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "select text from record where uuid=?", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_bind_text(st, 1, argv[2], -1, SQLITE_STATIC) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW) {
		fprintf(stderr, "floorget: %s\n", db ? sqlite3_errmsg(db) : "usage: floorget DATABASE UUID");
		return 1;
	}
	text = (const char *)sqlite3_column_text(st, 0);
	if (write(1, text, strlen(text)) < 0)
		return 1;
	sqlite3_finalize(st);
	sqlite3_close(db);
	return 0;
}
