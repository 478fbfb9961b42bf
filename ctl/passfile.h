/* The file of initial passwords for printing: login,name,initial_password, mode 0600, never an existing file. */
#ifndef KOSMO_CTL_PASSFILE_H
#define KOSMO_CTL_PASSFILE_H

#include "common/buf.h"
#include "common/err.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct passfile {
	int fd, dir;
	pid_t attendant; /* 0: none */
	int attend;	 /* a pipe to it */
	char path[PATH_MAX];
	const char *base; /* within path */
	struct buf buf;
	size_t rows;
};
#define PASSFILE_NONE                                                                                                  \
	{                                                                                                              \
		.fd = -1, .dir = -1, .attend = -1                                                                      \
	}

/* Makes the file and keeps its folder open for the fsync. path NULL: ./initial-passwords-DATE.csv. The caller does this
 * while it still is who typed the command. */
enum err passfile_open(struct passfile *p, const char *path, struct errmsg *m);
/* For Excel: a file that begins with a byte order mark is read as UTF-8. Before the first row. */
void passfile_bom(struct passfile *p);
/* A line of other cells. One that a spreadsheet would take for a formula gets an apostrophe before it. */
enum err passfile_line(struct passfile *p, const char *const *cells, size_t n, struct errmsg *m);
enum err passfile_add(struct passfile *p, const char *login, const char *name, const char *password, struct errmsg *m);
/* All rows so far, and the file's name, are on disk when this returns. */
enum err passfile_sync(struct passfile *p, struct errmsg *m);
/* keep false: the file is emptied and removed, also where its folder was only the former user's to write in. *ret_left:
 * that failed, and it is there still. ret_left may be NULL. */
void passfile_close(struct passfile *p, bool keep, bool *ret_left);

#endif
