/* A CSV file (RFC 4180) as Japanese offices save it: UTF-8 with or without a byte order mark, or CP932 (Excel's
 * "Shift_JIS"); lines ending in LF, CRLF or CR. Rows stream through one window of bounded size; cells come out in
 * UTF-8. */
#ifndef KOSMO_CTL_SHEET_H
#define KOSMO_CTL_SHEET_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHEET_ROW_MAX 16384 /* bytes of a row */
#define SHEET_CELLS   16    /* cells of a row; more are a bad row */

enum sheet_result {
	SHEET_END = 0,
	SHEET_ROW,
	SHEET_BAD,   /* this row is no CSV or no text: row->line and why are set; the next call goes on behind it */
	SHEET_FAILED /* reading failed (errno) or out of memory */
};

struct sheet_row {
	uint32_t line; /* where it begins, from 1 */
	size_t n;
	const char *cell[SHEET_CELLS]; /* NUL-terminated, outer white space of unquoted cells dropped; may hold NULs */
	size_t len[SHEET_CELLS];
};

struct sheet;

/* Reads the whole file once to find out its encoding: UTF-8 if it begins with a mark or if at least as many lines are
 * UTF-8 as are not, else CP932. The descriptor stays the caller's. ERR_INVALID for UTF-16, ERR_TOOBIG over 2^32 lines,
 * ERR_INTERNAL where the system cannot convert CP932, ERR_IO, ERR_NOMEM. */
enum err sheet_open(int fd, struct sheet **ret);
/* Back to the first row. */
enum err sheet_rewind(struct sheet *s);
void sheet_close(struct sheet *s); /* wipes what it held */

/* The next row that is not blank. row's cells and *ret_why live until the next call. A row of which no cell holds
 * anything is skipped. */
enum sheet_result sheet_next(struct sheet *s, struct sheet_row *row, const char **ret_why);

bool sheet_excel(const struct sheet *s);	   /* CP932, or UTF-8 with a mark: Excel made it */
const char *sheet_encoding(const struct sheet *s); /* "UTF-8", "CP932" */
int64_t sheet_position(const struct sheet *s);	   /* bytes read, for a progress bar */
/* The file is still the one that was opened: same size and time of change. */
bool sheet_unchanged(const struct sheet *s);

#endif
