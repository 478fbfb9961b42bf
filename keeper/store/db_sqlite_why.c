/* What SQLite and the file system say, in an admin's words: what is wrong, and what to do. */
#include "config.h"

#include "keeper/store/db_sqlite.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

void sq_unwritable(const char *path, const char *why, struct errmsg *m)
{
	(void)err_set(
	    m, ERR_IO,
	    "%s: cannot be opened for writing (%s): the disk must be writable, folder, database, -wal and -shm "
	    "must belong to uid %u, with modes 0700 and 0600",
	    path, why, (unsigned)geteuid());
}

static void broken_disk(const char *path, int rc, int sys, struct errmsg *m)
{
	if ((rc & 0xff) == SQLITE_FULL || sys == ENOSPC || sys == EDQUOT)
		(void)err_set(m, ERR_IO, "%s: the disk is full: make room on it", path);
	else
		(void)err_set(m, ERR_IO, "%s: reading or writing failed (%s): look at the disk and the kernel's log",
			      path, sys != 0 ? strerror(sys) : sqlite3_errstr(rc));
}

void sq_explain(sqlite3 *sq, int rc, const char *path, struct errmsg *m)
{
	int sys = sqlite3_system_errno(sq);
	enum err e = sq_failure(rc);

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		(void)err_set(m, e, "%s: another program has kept it locked: find it (fuser %s) and end it", path,
			      path);
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		(void)err_set(
		    m, e,
		    "%s: not a store of this program, or damaged: stop kosmo-keeper, set the file and its -wal "
		    "and -shm aside, restore the backup",
		    path);
		break;
	case SQLITE_FULL:
	case SQLITE_IOERR:
		broken_disk(path, rc, sys, m);
		break;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		sq_unwritable(path, sys != 0 ? strerror(sys) : sqlite3_errstr(rc), m);
		break;
	default:
		(void)err_set(m, e, "%s: %s", path, sqlite3_errmsg(sq));
	}
}
