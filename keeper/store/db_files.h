/* Are the files of an open SQLite database still the ones at its path? Moved, removed or cut short under a running
 * program they still take writes, and nobody who opens the path later finds these. */
#ifndef KOSMO_STORE_DB_FILES_H
#define KOSMO_STORE_DB_FILES_H

#include "common/err.h"
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define DB_FILES 3 /* the database, -wal, -shm */

struct db_files {
	char path[PATH_MAX]; /* "" : not looked after */
	struct {
		dev_t dev;
		ino_t ino;
	} at[DB_FILES];
	off_t size; /* of the database: it only grows while it is open */
	struct db_files *next;
};

/* Of a connection that has read once, so that all three are there. ERR_IO if one is not. Entered in the process's list
 * of open databases: drop takes it out. */
enum err db_files_note(struct db_files *f, const char *path, struct errmsg *m);
void db_files_drop(struct db_files *f);

/* ERR_NONE, or why the connection must be used no more. */
enum err db_files_same(struct db_files *f, struct errmsg *m);
/* Closing the last connection writes the log back and removes it: false where that would touch what is not ours. */
bool db_files_may_tidy(const struct db_files *f);
/* Before another connection to path is opened: do those that this process has see these same files? Else their logs
 * would mix. */
enum err db_files_joinable(const char *path, struct errmsg *m);

#endif
