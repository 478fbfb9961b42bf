/* kosmoctl import: checks the whole file first, then applies it in short transactions; one publish makes the new
 * visible. */
#ifndef KOSMO_CTL_IMPORT_H
#define KOSMO_CTL_IMPORT_H

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/passfile.h"
#include "ctl/progress.h"
#include "ctl/row.h"
#include "ctl/sheet.h"
#include "ctl/syslogin.h"

struct import {
	struct ctl *c;
	const char *file;
	bool dry, skip_bad, letters;
	int fd;
	int64_t size;
	struct sheet *sheet;
	struct row_columns columns;
	struct row_rules rules;
	struct syslogin system;
	const struct args *args;
	struct passfile pass;
	struct errmsg m; /* why it failed, where that is known better than by an enum err */
	struct progress bar;
	/* lines that are left out: ascending once import_check is through */
	uint32_t *bad;
	size_t n_bad, cap_bad;
	/* what came of it */
	int64_t n_rows, n_letters, n_new, n_updated, n_unchanged, n_email, n_role;
	bool published, dropped, unsure; /* unsure: the commit that publishes failed */
	struct json json;
	enum { REPORT_NONE, REPORT_BAD, REPORT_DIFFERENCES } part; /* the JSON array that is open */
};

/* First pass: every row, every reason, duplicates. CTL_OK also where there are bad lines (n_bad). Changes nothing. */
enum ctl_exit import_check(struct import *im);
/* Second pass: rows that are not bad. Nothing of it is visible but updates, until import_publish. */
enum ctl_exit import_apply(struct import *im, const struct id *batch);
/* Hashes the plain passwords of n rows, several at a time; r[i]->password becomes the hash. */
enum err import_hash(struct row *const *r, size_t n);

void import_report_begin(struct import *im);
/* First of 0: a line of its own fault; else the line that has the same login. */
void import_report_bad(struct import *im, uint32_t line, const char *why, uint32_t first);
void import_report_difference(struct import *im, const struct row *r, const char *column, const char *file,
			      const char *store);
/* Closes what is open and, unless the run failed, says what came of it. */
void import_report_end(struct import *im, enum ctl_exit result);

#endif
