/* What a database must be able to do for the store. db_sqlite.c is the embedded default; another driver is one more
 * struct db_driver. A struct db and its statements belong to one thread at a time. */
#ifndef KOSMO_STORE_DB_H
#define KOSMO_STORE_DB_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;	/* the driver's connection */
struct db_stmt; /* the driver's prepared statement */

enum db_type { DB_NULL, DB_INT, DB_TEXT, DB_BLOB, DB_FAILED /* a column that memory did not suffice for */ };

/* A parameter or a column. p and n hold the bytes of a text (no NUL counted) or a blob. */
struct db_value {
	enum db_type type;
	int64_t i;
	const void *p;
	size_t n;
};

enum db_step { DB_ERROR, DB_ROW, DB_DONE };
enum db_tx { DB_TX_READ /* one snapshot for several selects */, DB_TX_WRITE };
enum db_dialect { DB_DIALECT_SQLITE, DB_DIALECT__MAX };

struct db_driver {
	enum db_dialect dialect;
	/* A new, empty database that nobody sees until keep succeeds; drop instead removes it. ERR_EXISTS, ERR_IO. */
	enum err (*create)(const char *where, struct db **ret, struct errmsg *m);
	enum err (*keep)(struct db *db, const char *where, struct errmsg *m); /* closes db */
	void (*drop)(struct db *db, const char *where);			      /* closes db */
	/* ERR_NOTFOUND, ERR_CORRUPT (not ours), ERR_DENIED (unsafe file), ERR_BUSY, ERR_IO. alone: nobody else may have
	 * it open, nor open it until this is closed (ERR_BUSY). */
	enum err (*open)(const char *where, bool alone, struct db **ret, struct errmsg *m);
	void (*close)(struct db *db); /* all statements must be finished; NULL is fine */

	/* Waits for the write lock until the clock_mono_ms deadline, then ERR_BUSY. */
	enum err (*begin)(struct db *db, enum db_tx kind, int64_t deadline_ms);
	enum err (*commit)(struct db *db); /* on failure nothing is done and the transaction is over */
	void (*rollback)(struct db *db);   /* nothing if none is open */
	/* A part of an open write transaction, which may be undone alone; they do not nest. An error of unmark: the
	 * whole must be rolled back. */
	enum err (*mark)(struct db *db);
	enum err (*unmark)(struct db *db, bool keep);

	enum err (*prepare)(struct db *db, const char *sql, struct db_stmt **ret);
	void (*finish)(struct db_stmt *s);
	/* All of a statement's parameters at once, in order. The bytes must stay until reset. */
	enum err (*bind)(struct db_stmt *s, const struct db_value *v, size_t n);
	/* DB_ERROR: *ret_err says why. It is never "no more rows". */
	enum db_step (*step)(struct db_stmt *s, enum err *ret_err);
	struct db_value (*column)(struct db_stmt *s, int i); /* valid until the next step or reset */
	int64_t (*changes)(struct db *db);		     /* rows that the last statement wrote */
	void (*reset)(struct db_stmt *s);

	/* A copy as of one moment, while others write: `to` is new (ERR_EXISTS), in the database's folder, 0600,
	 * checked and on disk. */
	enum err (*copy)(struct db *db, const char *to, struct errmsg *m);
	enum err (*check)(struct db *db, struct errmsg *m); /* the file by itself: ERR_CORRUPT */

	void (*bulk)(struct db *db); /* from now on: many rows, more memory, room for others between transactions */
	/* Outside transactions, holding up nobody but the caller: what must be done once in a while. Without
	 * `housekeeping` only if it is overdue. */
	void (*tidy)(struct db *db, bool housekeeping);

	/* Before a job: ERR_NONE, or why this connection must be given up (its files were moved, replaced, cut short).
	 */
	enum err (*intact)(struct db *db, struct errmsg *m);
	/* After a job: the first failure since this was asked last, in words for the log. *ret_worked: something was
	 * committed meanwhile. */
	enum err (*health)(struct db *db, bool *ret_worked, struct errmsg *m);
};

extern const struct db_driver db_sqlite;
/* The one to use: db_sqlite, or it as store_hold wants it. */
const struct db_driver *db_driver(void);

#endif
