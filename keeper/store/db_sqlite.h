/* What the files of the SQLite driver share. */
#ifndef KOSMO_STORE_DB_SQLITE_H
#define KOSMO_STORE_DB_SQLITE_H

#include "keeper/store/db.h"
#include "keeper/store/db_files.h"
#include <limits.h>
#include <sqlite3.h>

struct db {
	sqlite3 *sq;
	struct db_stmt *begin_read, *begin_write, *commit, *rollback, *mark, *undo, *release;
	int64_t deadline; /* of the wait that is going on */
	int wal_pages;	  /* frames in the log after the last commit */
	int wal_limit;
	bool bulk;
	bool worked;	   /* something was committed since the owner asked last */
	struct errmsg why; /* what failed since then, the first of it */
	enum err failed;   /* its code; ERR_NONE: nothing */
	struct db_files files;
};

/* For a call that failed: never ERR_NONE. */
enum err sq_failure(int rc);
/* The same in words: what is wrong with the file, and what to do (db_sqlite_why.c). */
void sq_explain(sqlite3 *sq, int rc, const char *path, struct errmsg *m);
void sq_unwritable(const char *path, const char *why, struct errmsg *m);
/* The real path of the folder with the file's own name. */
enum err sq_real_path(const char *where, char ret[static PATH_MAX], struct errmsg *m);
enum err sq_sync_folder(const char *path);

enum err sq_copy(struct db *db, const char *to, struct errmsg *m);
enum err sq_check(struct db *db, struct errmsg *m);

#endif
