/* A driver that holds back, around each call that may take one of the database's locks, what could stop the program. */
#include "config.h"

#include "keeper/store/db.h"
#include "keeper/store/store.h"

static void (*held)(bool on);

/* Evaluates to what the call returns. */
#define HELD(type, call)                                                                                               \
	held(true);                                                                                                    \
	type r = (call);                                                                                               \
	held(false);                                                                                                   \
	return r
#define HELD_VOID(call)                                                                                                \
	held(true);                                                                                                    \
	(call);                                                                                                        \
	held(false)

static enum err held_create(const char *where, struct db **ret, struct errmsg *m)
{
	HELD(enum err, db_sqlite.create(where, ret, m));
}

static enum err held_keep(struct db *db, const char *where, struct errmsg *m)
{
	HELD(enum err, db_sqlite.keep(db, where, m));
}

static void held_drop(struct db *db, const char *where)
{
	HELD_VOID(db_sqlite.drop(db, where));
}

static enum err held_open(const char *where, bool alone, struct db **ret, struct errmsg *m)
{
	HELD(enum err, db_sqlite.open(where, alone, ret, m));
}

static void held_close(struct db *db)
{
	HELD_VOID(db_sqlite.close(db));
}

static enum err held_begin(struct db *db, enum db_tx kind, int64_t deadline_ms)
{
	HELD(enum err, db_sqlite.begin(db, kind, deadline_ms));
}

static enum err held_commit(struct db *db)
{
	HELD(enum err, db_sqlite.commit(db));
}

static void held_rollback(struct db *db)
{
	HELD_VOID(db_sqlite.rollback(db));
}

static enum err held_prepare(struct db *db, const char *sql, struct db_stmt **ret)
{
	HELD(enum err, db_sqlite.prepare(db, sql, ret)); /* the first one reads the schema */
}

static enum db_step held_step(struct db_stmt *s, enum err *ret_err)
{
	HELD(enum db_step, db_sqlite.step(s, ret_err));
}

static enum err held_copy(struct db *db, const char *to, struct errmsg *m)
{
	HELD(enum err, db_sqlite.copy(db, to, m));
}

static enum err held_check(struct db *db, struct errmsg *m)
{
	HELD(enum err, db_sqlite.check(db, m));
}

static void held_bulk(struct db *db)
{
	HELD_VOID(db_sqlite.bulk(db));
}

static void held_tidy(struct db *db, bool housekeeping)
{
	HELD_VOID(db_sqlite.tidy(db, housekeeping));
}

static struct db_driver driver = {.create = held_create,
				  .keep = held_keep,
				  .drop = held_drop,
				  .open = held_open,
				  .close = held_close,
				  .begin = held_begin,
				  .commit = held_commit,
				  .rollback = held_rollback,
				  .prepare = held_prepare,
				  .step = held_step,
				  .copy = held_copy,
				  .check = held_check,
				  .bulk = held_bulk,
				  .tidy = held_tidy};

void store_hold(void (*hold)(bool on))
{
	driver.dialect = db_sqlite.dialect;
	driver.mark = db_sqlite.mark;
	driver.unmark = db_sqlite.unmark;
	driver.finish = db_sqlite.finish;
	driver.bind = db_sqlite.bind;
	driver.column = db_sqlite.column;
	driver.changes = db_sqlite.changes;
	driver.reset = db_sqlite.reset;
	driver.intact = db_sqlite.intact;
	driver.health = db_sqlite.health;
	held = hold;
}

const struct db_driver *db_driver(void)
{
	return held != NULL ? &driver : &db_sqlite;
}
