/* SQLite behind db.h: WAL, synchronous=FULL, one connection a handle.
 *
 * Nothing here opens the database file but SQLite: closing any other descriptor of it would drop the locks that this
 * process's connections hold (fcntl(2)). */
#include "config.h"

#include "common/clock.h"
#include "keeper/store/db_sqlite.h"
#include "keeper/store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define APPLICATION_ID 0x4b4f534d /* "KOSM", in the file's header */
#define PAGE_SIZE      4096
#define WAL_PAGES      32000 /* who commits beyond this writes the log back; a keeper's housekeeping comes long before */
#define WAL_PAGES_BULK 16000 /* so that a page that many rows touch is copied once, not every time */
#define WAL_WAIT_MS    500   /* at most so long for others to let the log start over */
#define CACHE_KIB_BULK 32768
#define BULK_PAUSE_NS                                                                                                  \
	400000 /* between bulk transactions: longer than a waiter's nap, so that logins get their turn                 \
		*/
#define BUSY_NAP_NS   200000
#define BUSY_NAP_MANY 100 /* naps until they become longer */
#define BUSY_NAP_LONG 1000000

struct db_stmt {
	struct db *db;
	sqlite3_stmt *stmt;
	int params;
};

static enum err from_sqlite(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return ERR_NONE;
	case SQLITE_NOMEM:
		return ERR_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_INTERRUPT:
	case SQLITE_PROTOCOL: /* somebody stood still between two of its locks */
		return ERR_BUSY;
	case SQLITE_CONSTRAINT:
		return rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ? ERR_EXISTS : ERR_INTERNAL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_SCHEMA:
	case SQLITE_ERROR: /* all our texts are prepared by a test: a table or column is missing */
		return ERR_CORRUPT;
	case SQLITE_TOOBIG:
		return ERR_TOOBIG;
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_NOLFS:
		return ERR_IO;
	default:
		return ERR_INTERNAL;
	}
}

enum err sq_failure(int rc)
{
	enum err e = from_sqlite(rc);

	return e != ERR_NONE ? e : ERR_INTERNAL;
}

/* The driver's callers pass on codes alone; the words are for the program that logs. */
static enum err noted(struct db *db, int rc)
{
	if ((rc & 0xff) != SQLITE_CONSTRAINT && db->failed == ERR_NONE) {
		db->failed = sq_failure(rc);
		sq_explain(db->sq, rc, sqlite3_db_filename(db->sq, "main"), &db->why);
	}
	return sq_failure(rc);
}

static void nap(long ns)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* Even, short naps instead of SQLite's growing ones: an import in another process frees the lock every 10 ms. */
static int on_busy(void *arg, int tries)
{
	struct db *db = arg;

	if (db->deadline == 0)
		db->deadline = clock_mono_ms() + STORE_BUSY_MS;
	if (clock_mono_ms() >= db->deadline)
		return 0;
	nap(tries < BUSY_NAP_MANY ? BUSY_NAP_NS : BUSY_NAP_LONG);
	return 1;
}

static int on_wal(void *arg, sqlite3 *sq, const char *name, int pages)
{
	struct db *db = arg;

	(void)sq;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

static void sqlite_once(void)
{
	/* The counters of memory cost a process-wide mutex at every allocation. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)sqlite3_initialize();
}

/* ---- statements ---- */

static enum err sq_prepare(struct db *db, const char *sql, struct db_stmt **ret)
{
	struct db_stmt *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return ERR_NOMEM;
	db->deadline = 0;
	rc = sqlite3_prepare_v3(db->sq, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
	if (rc != SQLITE_OK || s->stmt == NULL) {
		free(s);
		return noted(db, rc);
	}
	s->db = db;
	s->params = sqlite3_bind_parameter_count(s->stmt);
	*ret = s;
	return ERR_NONE;
}

static void sq_finish(struct db_stmt *s)
{
	if (s == NULL)
		return;
	(void)sqlite3_finalize(s->stmt);
	free(s);
}

static enum err sq_bind(struct db_stmt *s, const struct db_value *v, size_t n)
{
	if (n != (size_t)s->params)
		return ERR_INTERNAL;
	for (int i = 0; i < s->params; i++) {
		int rc = SQLITE_MISUSE;

		switch (v[i].type) {
		case DB_NULL:
			rc = sqlite3_bind_null(s->stmt, i + 1);
			break;
		case DB_INT:
			rc = sqlite3_bind_int64(s->stmt, i + 1, v[i].i);
			break;
		case DB_TEXT:
			rc = sqlite3_bind_text64(s->stmt, i + 1, v[i].n > 0 ? v[i].p : "", v[i].n, SQLITE_STATIC,
						 SQLITE_UTF8);
			break;
		case DB_FAILED:
			break;
		case DB_BLOB: /* SQLite takes a NULL pointer for NULL */
			rc = sqlite3_bind_blob64(s->stmt, i + 1, v[i].n > 0 ? v[i].p : "", v[i].n, SQLITE_STATIC);
			break;
		}
		if (rc != SQLITE_OK)
			return from_sqlite(rc);
	}
	return ERR_NONE;
}

static enum db_step sq_step(struct db_stmt *s, enum err *ret_err)
{
	int rc;

	s->db->deadline = 0;
	rc = sqlite3_step(s->stmt);
	if (rc == SQLITE_ROW)
		return DB_ROW;
	if (rc == SQLITE_DONE)
		return DB_DONE;
	*ret_err = noted(s->db, rc);
	return DB_ERROR;
}

static struct db_value sq_column(struct db_stmt *s, int i)
{
	struct db_value v = {.type = DB_NULL};

	switch (sqlite3_column_type(s->stmt, i)) {
	case SQLITE_INTEGER:
		v.type = DB_INT;
		v.i = sqlite3_column_int64(s->stmt, i);
		break;
	case SQLITE_TEXT:
		v.type = DB_TEXT;
		v.p = sqlite3_column_text(s->stmt, i);
		v.n = (size_t)sqlite3_column_bytes(s->stmt, i);
		break;
	case SQLITE_BLOB:
		v.type = DB_BLOB;
		v.p = sqlite3_column_blob(s->stmt, i);
		v.n = (size_t)sqlite3_column_bytes(s->stmt, i);
		break;
	default: /* NULL, or a float that nobody of us wrote: readers refuse what they don't expect */
		break;
	}
	/* an empty blob has no address either; behind what memory did not suffice for its length still stands */
	if ((v.type == DB_TEXT || v.type == DB_BLOB) && v.p == NULL &&
	    (v.type == DB_TEXT || v.n > 0 || sqlite3_errcode(s->db->sq) == SQLITE_NOMEM))
		v = (struct db_value){.type = DB_FAILED};
	return v;
}

static int64_t sq_changes(struct db *db)
{
	return sqlite3_changes(db->sq);
}

static void sq_reset(struct db_stmt *s)
{
	(void)sqlite3_reset(s->stmt);
}

/* ---- transactions ---- */

static int run(struct db *db, struct db_stmt **s, const char *sql)
{
	int rc;

	if (*s == NULL && (sq_prepare(db, sql, s) != ERR_NONE || *s == NULL))
		return SQLITE_NOMEM;
	rc = sqlite3_step((*s)->stmt);
	(void)sqlite3_reset((*s)->stmt);
	if (rc == SQLITE_DONE)
		return SQLITE_OK;
	(void)noted(db, rc);
	return rc;
}

static void sq_rollback(struct db *db)
{
	/* no handle: memory did not even suffice for one */
	if (db->sq != NULL && !sqlite3_get_autocommit(db->sq))
		(void)run(db, &db->rollback, NULL);
}

static enum err sq_begin(struct db *db, enum db_tx kind, int64_t deadline_ms)
{
	if (db->bulk && kind == DB_TX_WRITE)
		nap(BULK_PAUSE_NS);
	db->deadline = deadline_ms;
	return from_sqlite(kind == DB_TX_WRITE ? run(db, &db->begin_write, "BEGIN IMMEDIATE")
					       : run(db, &db->begin_read, "BEGIN"));
}

static enum err sq_commit(struct db *db)
{
	struct errmsg m;
	int rc;

	/* an error that was noted may have undone it all; COMMIT would complain in the words of a damaged file */
	if (sqlite3_get_autocommit(db->sq))
		return ERR_IO;
	/* What would go into a file that nobody finds again must not be acknowledged. */
	if (db_files_same(&db->files, &m) != ERR_NONE) {
		db->failed = ERR_IO;
		db->why = m;
		sq_rollback(db);
		return ERR_IO;
	}
	db->deadline = 0;
	rc = run(db, &db->commit, "COMMIT");
	if (rc == SQLITE_OK)
		db->worked = true;
	else
		sq_rollback(db);
	return from_sqlite(rc);
}

static enum err sq_mark(struct db *db)
{
	/* an error may have undone the transaction; outside of one a savepoint would begin its own */
	return sqlite3_get_autocommit(db->sq) ? ERR_IO : from_sqlite(run(db, &db->mark, "SAVEPOINT part"));
}

static enum err sq_unmark(struct db *db, bool keep)
{
	if (sqlite3_get_autocommit(db->sq))
		return ERR_IO;
	if (!keep) {
		enum err e = from_sqlite(run(db, &db->undo, "ROLLBACK TO part"));

		if (e != ERR_NONE)
			return e;
	}
	return from_sqlite(run(db, &db->release, "RELEASE part"));
}

/* ---- opening ---- */

/* The real path of the folder with the file's own name: SQLITE_OPEN_NOFOLLOW would refuse a link anywhere in the path,
 * but only the file itself matters. */
enum err sq_real_path(const char *where, char ret[static PATH_MAX], struct errmsg *m)
{
	const char *slash = strrchr(where, '/');
	const char *name = slash != NULL ? slash + 1 : where;
	char dir[PATH_MAX], real[PATH_MAX];
	int n = slash != NULL ? snprintf(dir, sizeof(dir), "%.*s", (int)(slash - where + 1), where)
			      : snprintf(dir, sizeof(dir), ".");

	if (n < 0 || (size_t)n >= sizeof(dir) || name[0] == '\0')
		return err_set(m, ERR_INVALID, "%s: not a path of a store", where);
	if (realpath(dir, real) == NULL)
		return err_set(m, errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : ERR_IO, "%s: %s", dir,
			       strerror(errno));
	n = snprintf(ret, PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
	if (n < 0 || n >= PATH_MAX)
		return err_set(m, ERR_INVALID, "%s: path too long", where);
	return ERR_NONE;
}

static void sq_close(struct db *db)
{
	if (db == NULL)
		return;
	sq_rollback(db);
	sq_finish(db->begin_read);
	sq_finish(db->begin_write);
	sq_finish(db->commit);
	sq_finish(db->rollback);
	sq_finish(db->mark);
	sq_finish(db->undo);
	sq_finish(db->release);
	if (!db_files_may_tidy(&db->files))
		(void)sqlite3_db_config(db->sq, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close(db->sq);
	db_files_drop(&db->files); /* only now: until then its log is in use */
	free(db);
}

static enum err pragmas(struct db *db, const char *path, struct errmsg *m)
{
	static const struct {
		int option, value;
	} config[] = {
	    {SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
	    {SQLITE_DBCONFIG_ENABLE_VIEW, 0}, {SQLITE_DBCONFIG_DQS_DDL, 0},	   {SQLITE_DBCONFIG_DQS_DML, 0},
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < sizeof(config) / sizeof(config[0]); i++)
		rc = sqlite3_db_config(db->sq, config[i].option, config[i].value, NULL);
	/* the cache holds the inner pages of a million people's trees: with the preset 2 MB a login read them anew */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db->sq,
				  "PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON;"
				  "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA cache_size=-8192;"
				  "PRAGMA journal_size_limit=16777216",
				  NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return ERR_NONE;
	sq_explain(db->sq, rc, path, m);
	return sq_failure(rc);
}

static enum err connect(const char *path, bool alone, struct db **ret, struct errmsg *m)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct db *db = calloc(1, sizeof(*db));
	enum err e;
	int rc;

	if (db == NULL) {
		(void)err_set(m, ERR_NOMEM, "out of memory");
		return ERR_NOMEM;
	}
	(void)pthread_once(&once, sqlite_once);
	rc = sqlite3_open_v2(path, &db->sq, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		e = sq_failure(rc);
		if (db->sq != NULL)
			sq_explain(db->sq, rc, path, m);
		else
			(void)err_set(m, e, "out of memory");
		goto out;
	}
	(void)sqlite3_extended_result_codes(db->sq, 1);
	(void)sqlite3_busy_handler(db->sq, on_busy, db);
	(void)sqlite3_wal_hook(db->sq, on_wal, db);
	db->wal_limit = WAL_PAGES;
	/* before anything is read: then the lock is that nobody else has the file open */
	if (alone)
		(void)sqlite3_exec(db->sq, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL);
	e = pragmas(db, path, m);
	/* made while there is memory: a transaction that cannot be ended would lock everybody out */
	if (e == ERR_NONE && (e = sq_prepare(db, "ROLLBACK", &db->rollback)) != ERR_NONE)
		(void)err_set(m, e, "%s: %s", path, err_text(e));
	if (e == ERR_NONE) {
		*ret = db;
		db = NULL;
	}
out:
	sq_close(db);
	return e;
}

/* One number or word that a pragma answers. */
static enum err ask(struct db *db, const char *sql, char *ret, size_t cap)
{
	struct db_stmt *s;
	const unsigned char *text;
	enum err e = sq_prepare(db, sql, &s);

	if (e != ERR_NONE)
		return e;
	switch (sq_step(s, &e)) {
	case DB_ROW:
		text = sqlite3_column_text(s->stmt, 0);
		if (text != NULL)
			(void)snprintf(ret, cap, "%s", (const char *)text);
		else
			e = ERR_NOMEM;
		break;
	case DB_DONE:
		e = noted(db, SQLITE_NOTADB);
		break;
	case DB_ERROR:
		break;
	}
	sq_finish(s);
	return e;
}

static enum err sq_open(const char *where, bool alone, struct db **ret, struct errmsg *m)
{
	char path[PATH_MAX], word[32] = "", ours[32];
	struct stat sb;
	struct db *db = NULL;
	enum err e = sq_real_path(where, path, m);

	if (e != ERR_NONE)
		return e;
	if (lstat(path, &sb) != 0)
		return errno == ENOENT
			   ? err_set(m, ERR_NOTFOUND,
				     "%s: no such database; restore it from the backup (of a new instance kosmoctl "
				     "init makes it)",
				     path)
			   : err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(sb.st_mode))
		return err_set(m, ERR_DENIED, "%s: not a regular file (symbolic links are refused)", path);
	if ((sb.st_mode & 077) != 0)
		return err_set(m, ERR_DENIED, "%s: others than its owner have access: chmod 600 it", path);
	/* SQLite would fall back to reading, and leave a log behind that nobody can write */
	if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0) {
		sq_unwritable(path, strerror(errno), m);
		return ERR_IO;
	}
	e = db_files_joinable(path, m);
	if (e != ERR_NONE)
		return e;
	e = connect(path, alone, &db, m);
	if (e != ERR_NONE)
		return e;
	e = ask(db, "PRAGMA application_id", word, sizeof(word));
	(void)snprintf(ours, sizeof(ours), "%d", APPLICATION_ID);
	if (e == ERR_NONE && strcmp(word, ours) != 0)
		e = noted(db, SQLITE_NOTADB);
	if (e == ERR_NONE)
		e = ask(db, "PRAGMA journal_mode", word, sizeof(word));
	if (e == ERR_NONE && strcmp(word, "wal") != 0)
		e = noted(db, SQLITE_NOTADB);
	if (db->failed != ERR_NONE)
		(void)err_set(m, e, "%s", db->why.text);
	if (e == ERR_NONE && !alone) /* that one has no -shm, and nobody beside it */
		e = db_files_note(&db->files, path, m);
	if (e == ERR_NONE)
		*ret = db;
	else
		sq_close(db);
	return e;
}

/* ---- creating: under another name until it is whole ---- */

static enum err new_name(const char *where, char path[static PATH_MAX], char fresh[static PATH_MAX], struct errmsg *m)
{
	enum err e = sq_real_path(where, path, m);
	int n;

	if (e != ERR_NONE)
		return e;
	n = snprintf(fresh, PATH_MAX, "%s.new", path);
	return n > 0 && n < PATH_MAX ? ERR_NONE : err_set(m, ERR_INVALID, "%s: path too long", where);
}

static void sq_drop(struct db *db, const char *where)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	sq_close(db);
	if (new_name(where, path, fresh, NULL) == ERR_NONE)
		(void)unlink(fresh);
}

static enum err sq_create(const char *where, struct db **ret, struct errmsg *m)
{
	char path[PATH_MAX], fresh[PATH_MAX], sql[128];
	struct stat sb;
	struct db *db = NULL;
	enum err e = new_name(where, path, fresh, m);
	int fd, rc;

	if (e != ERR_NONE)
		return e;
	if (lstat(path, &sb) == 0)
		return err_set(m, ERR_EXISTS, "%s: exists already", path);
	(void)unlink(fresh); /* of an attempt that was cut short */
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(m, ERR_IO, "%s: %s", fresh, strerror(errno));
	(void)close(fd);
	e = connect(fresh, false, &db, m);
	if (e != ERR_NONE)
		goto fail;
	/* -wal and -shm get the owner and mode of the database's file. */
	(void)snprintf(sql, sizeof(sql), "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA application_id=%d",
		       PAGE_SIZE, APPLICATION_ID);
	rc = sqlite3_exec(db->sq, sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		e = sq_failure(rc);
		(void)err_set(m, e, "%s: %s", fresh, sqlite3_errmsg(db->sq));
		goto fail;
	}
	*ret = db;
	return ERR_NONE;
fail:
	sq_drop(db, where);
	return e;
}

enum err sq_sync_folder(const char *path)
{
	char dir[PATH_MAX];
	enum err e;
	int fd;

	(void)snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	fd = open(dir[0] != '\0' ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	e = fsync(fd) == 0 ? ERR_NONE : ERR_IO;
	(void)close(fd);
	return e;
}

static enum err sq_keep(struct db *db, const char *where, struct errmsg *m)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	enum err e = new_name(where, path, fresh, m);

	sq_close(db); /* the last one: the log goes into the file, and away */
	if (e != ERR_NONE)
		return e;
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_NOREPLACE) != 0 || sq_sync_folder(path) != ERR_NONE) {
		e = err_set(m, errno == EEXIST ? ERR_EXISTS : ERR_IO, "%s: %s", path, strerror(errno));
		(void)unlink(fresh);
	}
	return e;
}

/* ---- the rest ---- */

static void sq_bulk(struct db *db)
{
	char sql[64];

	(void)snprintf(sql, sizeof(sql), "PRAGMA cache_size=-%d", CACHE_KIB_BULK);
	(void)sqlite3_exec(db->sq, sql, NULL, NULL, NULL);
	db->wal_limit = WAL_PAGES_BULK;
	db->bulk = true;
}

/* The long part holds up nobody. But a log starts over only when all of it is in the file: if others wrote meanwhile
 * and it has become long, the short rest is copied with the write lock held, once those who read are done. */
static void sq_tidy(struct db *db, bool housekeeping)
{
	int in_log = -1, in_file = -1, rc;

	if (!housekeeping && db->wal_pages < db->wal_limit)
		return;
	rc = sqlite3_wal_checkpoint_v2(db->sq, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &in_file);
	if (rc == SQLITE_OK && in_log > in_file && in_log >= WAL_PAGES_BULK) {
		db->deadline = clock_mono_ms() + WAL_WAIT_MS;
		(void)sqlite3_wal_checkpoint_v2(db->sq, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	}
	db->wal_pages = 0;
}

static enum err sq_intact(struct db *db, struct errmsg *m)
{
	return db_files_same(&db->files, m);
}

static enum err sq_health(struct db *db, bool *ret_worked, struct errmsg *m)
{
	enum err e = db->failed;

	*ret_worked = db->worked;
	if (e != ERR_NONE)
		*m = db->why;
	db->failed = ERR_NONE;
	db->worked = false;
	return e;
}

const struct db_driver db_sqlite = {
    .dialect = DB_DIALECT_SQLITE,
    .create = sq_create,
    .keep = sq_keep,
    .drop = sq_drop,
    .open = sq_open,
    .close = sq_close,
    .begin = sq_begin,
    .commit = sq_commit,
    .rollback = sq_rollback,
    .mark = sq_mark,
    .unmark = sq_unmark,
    .prepare = sq_prepare,
    .finish = sq_finish,
    .bind = sq_bind,
    .step = sq_step,
    .column = sq_column,
    .changes = sq_changes,
    .reset = sq_reset,
    .copy = sq_copy,
    .check = sq_check,
    .bulk = sq_bulk,
    .tidy = sq_tidy,
    .intact = sq_intact,
    .health = sq_health,
};
