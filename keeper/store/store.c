#include "config.h"

#include "common/clock.h"
#include "keeper/store/inside.h"
#include "keeper/store/migrate.h"
#include <stdlib.h>

static const struct seal_where key_check = {.table = "schema_version", .column = "key_check"};
static const char key_check_text[] = "kosmo store";

bool id_zero(const struct id *id)
{
	static const struct id zero;

	return memcmp(id->b, zero.b, ID_LEN) == 0;
}

/* ---- statements ---- */

/* Within a transaction an error is final: whatever was done before must not be committed without it. */
static enum err failed(struct store *st, enum err e)
{
	if (st->writing && st->failed == ERR_NONE)
		st->failed = e;
	return e;
}

enum err query_open(struct query *q, struct store *st, enum sql id, const struct db_value *v, size_t n)
{
	enum err e = ERR_NONE;

	*q = (struct query){.st = st};
	if (st->writing && st->failed != ERR_NONE) {
		q->e = st->failed; /* the database may have undone the transaction: what came now would stand alone */
		return q->e;
	}
	if (st->at->stmt[id] == NULL)
		e = st->drv->prepare(st->at->db, sql_text[id], &st->at->stmt[id]);
	if (e == ERR_NONE) {
		q->s = st->at->stmt[id];
		e = st->drv->bind(q->s, v, n);
	}
	if (e != ERR_NONE) {
		query_close(q);
		q->e = failed(st, e);
	}
	return e;
}

enum db_step query_step(struct query *q)
{
	enum db_step step = q->st->drv->step(q->s, &q->e);

	if (step == DB_ERROR)
		(void)failed(q->st, q->e);
	return step;
}

enum err query_first(struct query *q, struct store *st, enum sql id, const struct db_value *v, size_t n)
{
	enum err e = query_open(q, st, id, v, n);

	if (e != ERR_NONE)
		return e;
	switch (query_step(q)) {
	case DB_ROW:
		return ERR_NONE;
	case DB_DONE:
		return ERR_NOTFOUND;
	case DB_ERROR:
		break;
	}
	return q->e;
}

void query_close(struct query *q)
{
	if (q->s != NULL)
		q->st->drv->reset(q->s);
	q->s = NULL;
}

struct db_value query_value(struct query *q, int i)
{
	struct db_value v = q->st->drv->column(q->s, i);

	if (v.type == DB_FAILED && q->e == ERR_NONE)
		q->e = failed(q->st, ERR_NOMEM);
	return v;
}

static struct db_value column(struct query *q, int i, enum db_type want)
{
	struct db_value v = query_value(q, i);

	if (v.type != want && q->e == ERR_NONE)
		q->e = ERR_CORRUPT;
	return v;
}

int64_t query_int(struct query *q, int i)
{
	return column(q, i, DB_INT).i;
}

int64_t query_range(struct query *q, int i, int64_t min, int64_t max)
{
	int64_t v = query_int(q, i);

	if (v >= min && v <= max)
		return v;
	q->e = q->e == ERR_NONE ? ERR_CORRUPT : q->e;
	return min;
}

void query_bytes(struct query *q, int i, void *ret, size_t n)
{
	struct db_value v = column(q, i, DB_BLOB);

	if (v.type == DB_BLOB && v.n == n)
		memcpy(ret, v.p, n);
	else if (q->e == ERR_NONE)
		q->e = ERR_CORRUPT;
}

void query_id(struct query *q, int i, struct id *ret)
{
	query_bytes(q, i, ret->b, ID_LEN);
}

void query_id0(struct query *q, int i, struct id *ret)
{
	if (query_value(q, i).type == DB_NULL)
		*ret = (struct id){0};
	else
		query_id(q, i, ret);
}

void query_text(struct query *q, int i, char *ret, size_t cap)
{
	struct db_value v = column(q, i, DB_TEXT);

	if (v.type == DB_TEXT && v.n < cap && (v.n == 0 || memchr(v.p, '\0', v.n) == NULL)) {
		if (v.n > 0)
			memcpy(ret, v.p, v.n);
		ret[v.n] = '\0';
	} else if (q->e == ERR_NONE) {
		q->e = ERR_CORRUPT;
	}
}

struct db_value query_blob(struct query *q, int i)
{
	struct db_value v = query_value(q, i);

	if (v.type != DB_BLOB && v.type != DB_NULL && q->e == ERR_NONE)
		q->e = ERR_CORRUPT;
	return v.type == DB_BLOB ? v : V_NULL;
}

enum err store_write_first(struct query *q, struct store *st, enum sql id, const struct db_value *v, size_t n)
{
	*q = (struct query){.st = st, .e = ERR_INTERNAL};
	st->writes++;
	return st->writing ? query_first(q, st, id, v, n) : ERR_INTERNAL;
}

enum err store_write(struct store *st, enum sql id, const struct db_value *v, size_t n, int64_t *ret_changes)
{
	struct query q;
	enum err e = store_write_first(&q, st, id, v, n);

	if (e == ERR_NOTFOUND) /* no row comes back, as it must be */
		e = ERR_NONE;
	if (e == ERR_NONE && ret_changes != NULL)
		*ret_changes = st->drv->changes(st->at->db);
	query_close(&q);
	return e;
}

int64_t store_writes(const struct store *st)
{
	return st->writes;
}

enum err store_write_one(struct store *st, enum sql id, const struct db_value *v, size_t n)
{
	int64_t changes = 0;
	enum err e = store_write(st, id, v, n, &changes);

	return e == ERR_NONE && changes == 0 ? ERR_NOTFOUND : e;
}

/* ---- parts of a sealed column ---- */

void part_put(struct buf *b, const void *p, size_t n)
{
	if (n > UINT16_MAX)
		b->failed = true;
	buf_add_u16(b, (uint16_t)n);
	buf_add(b, p, n);
}

enum err part_text(const uint8_t **p, const uint8_t *end, char *ret, size_t cap)
{
	size_t n;

	if (end - *p < 2)
		return ERR_CORRUPT;
	n = (size_t)(*p)[0] << 8 | (*p)[1];
	if ((size_t)(end - *p) - 2 < n || n >= cap || memchr(*p + 2, '\0', n) != NULL)
		return ERR_CORRUPT;
	memcpy(ret, *p + 2, n);
	ret[n] = '\0';
	*p += 2 + n;
	return ERR_NONE;
}

/* ---- transactions ---- */

/* The turn goes on, or everything that is in it is committed. ret: this store's part is in it, and what became of it.
 */
static void part_done(const struct store *st, enum err *ret)
{
	struct store *leader = st->at;
	enum err e;

	if (turn_pass(&leader->turn, ret))
		return;
	e = st->drv->commit(leader->db);
	turn_end(&leader->turn, e);
	if (ret != NULL)
		*ret = e;
}

static void part_left(struct store *st)
{
	st->at = st;
	st->writing = false;
}

enum err store_begin(struct store *st)
{
	int64_t deadline = clock_mono_ms() + STORE_BUSY_MS;
	struct turn *t = NULL;
	enum err e;

	if (st->writing)
		return ERR_INTERNAL;
	st->turn = (struct turn){.leader = st, .db = st->path};
	e = turn_take(&st->turn, deadline, &t);
	if (e != ERR_NONE)
		return e;
	st->at = t->leader;
	st->writing = true;
	st->failed = ERR_NONE;
	if (st->at != st) {
		e = st->drv->mark(st->at->db);
		if (e != ERR_NONE)
			part_done(st, NULL);
	} else {
		e = st->drv->begin(st->db, DB_TX_WRITE, deadline);
		if (e != ERR_NONE) {
			st->drv->rollback(st->db);
			turn_end(&st->turn, e);
		}
	}
	if (e != ERR_NONE)
		part_left(st);
	return e;
}

enum err store_commit(struct store *st)
{
	enum err e = st->failed;

	if (!st->writing)
		return ERR_INTERNAL;
	if (e == ERR_NONE && st->at != st)
		e = st->drv->unmark(st->at->db, true);
	if (e != ERR_NONE) {
		store_rollback(st);
		return e;
	}
	part_done(st, &e);
	part_left(st);
	st->drv->tidy(st->db, false);
	return e;
}

void store_rollback(struct store *st)
{
	struct store *leader = st->at;

	if (!st->writing)
		return;
	if (leader == st) {
		st->drv->rollback(st->db);
		turn_end(&st->turn, ERR_IO); /* nobody waits: who leads does so before all others */
	} else if (st->drv->unmark(leader->db, false) == ERR_NONE) {
		part_done(st, NULL);
	} else { /* none of it is done, and all are told so */
		st->drv->rollback(leader->db);
		turn_end(&leader->turn, ERR_IO);
	}
	part_left(st);
}

enum err store_read_begin(struct store *st)
{
	return st->writing || st->looking ? ERR_NONE
					  : st->drv->begin(st->db, DB_TX_READ, clock_mono_ms() + STORE_BUSY_MS);
}

void store_read_end(struct store *st)
{
	if (!st->writing && !st->looking)
		st->drv->rollback(st->db); /* nothing was written: the cheapest end that cannot fail */
}

enum err store_look(struct store *st)
{
	enum err e = st->writing || st->looking ? ERR_INTERNAL : store_read_begin(st);

	st->looking = e == ERR_NONE;
	return e;
}

void store_look_end(struct store *st)
{
	st->looking = false;
	st->verified = (struct id){0};
	store_read_end(st);
}

/* ---- creating, opening ---- */

struct store *store_new(const struct seal *seal)
{
	struct store *st = calloc(1, sizeof(*st));

	if (st != NULL) {
		st->drv = db_driver();
		st->at = st;
		st->seal = seal;
		st->schema = STORE_SCHEMA;
	}
	return st;
}

static void statements_finish(struct store *st)
{
	for (int i = 0; i < SQL__MAX; i++) {
		st->drv->finish(st->stmt[i]);
		st->stmt[i] = NULL;
	}
}

void store_close(struct store *st)
{
	if (st == NULL)
		return;
	store_rollback(st);
	store_audit_forget(st);
	statements_finish(st);
	st->drv->close(st->db);
	buf_free(&st->plain);
	buf_free(&st->box);
	buf_free(&st->mac);
	free(st->path);
	free(st);
}

enum err store_file_check(struct store *st, struct errmsg *m)
{
	return st->writing ? ERR_INTERNAL : st->drv->check(st->db, m);
}

static enum err write_schema(struct store *st)
{
	AUTO_BUF box = BUF_INIT;
	enum err e = store_begin(st);

	if (e == ERR_NONE)
		e = migrate_run(st->drv, st->db, 0);
	if (e == ERR_NONE)
		e = seal_box(st->seal, &key_check, key_check_text, sizeof(key_check_text), &box);
	if (e == ERR_NONE)
		e = store_write(st, SQL_SCHEMA_SET, ARGS(V_INT(STORE_SCHEMA), V_BUF(&box)), NULL);
	if (e == ERR_NONE)
		e = chain_begin(st);
	if (e == ERR_NONE)
		e = store_commit(st);
	store_rollback(st);
	return e;
}

enum err store_create(const char *path, const struct seal *seal, struct errmsg *m)
{
	struct store *st = store_new(seal);
	enum err e;

	if (st == NULL)
		return err_set(m, ERR_NOMEM, "out of memory");
	e = st->drv->create(path, &st->db, m);
	if (e == ERR_NONE) {
		e = write_schema(st);
		statements_finish(st);
		if (e == ERR_NONE) {
			e = st->drv->keep(st->db, path, m);
		} else {
			st->drv->drop(st->db, path);
			(void)err_set(m, e, "%s: cannot make the store: %s", path, err_text(e));
		}
		st->db = NULL;
	}
	store_close(st);
	return e;
}

enum err schema_read(struct store *st, const char *path, int64_t *ret_version, struct errmsg *m)
{
	struct query q;
	int64_t version = 0;
	enum err e = query_first(&q, st, SQL_SCHEMA_GET, NULL, 0);

	if (e == ERR_NONE) {
		struct db_value box = query_blob(&q, 1);

		version = query_int(&q, 0);
		e = q.e;
		buf_wipe(&st->plain);
		if (e == ERR_NONE && seal_unbox(st->seal, &key_check, box.p, box.n, &st->plain) != ERR_NONE) {
			query_close(&q);
			return err_set(m, ERR_CORRUPT,
				       "%s: was made with another key: restore the key from the backup of this store",
				       path);
		}
	}
	query_close(&q);
	if (e == ERR_NOTFOUND || e == ERR_CORRUPT)
		return err_set(m, ERR_CORRUPT, "%s: not a store of this program, or damaged", path);
	if (e != ERR_NONE)
		return err_set(m, e, "%s: %s", path, err_text(e));
	*ret_version = version;
	return ERR_NONE;
}

enum err schema_too_new(const char *path, int64_t version, struct errmsg *m)
{
	return err_set(m, ERR_DENIED,
		       "%s: has schema %lld, this program knows %d: a newer version's `kosmoctl store upgrade` has "
		       "changed it, install that version here too",
		       path, (long long)version, STORE_SCHEMA);
}

static enum err check_schema(struct store *st, const char *path, struct errmsg *m)
{
	int64_t version = 0;
	enum err e = schema_read(st, path, &version, m);

	if (e != ERR_NONE)
		return e;
	if (version < STORE_SCHEMA_OLDEST)
		return err_set(m, ERR_DENIED,
			       "%s: has schema %lld, this program needs %d: run `kosmoctl store upgrade`", path,
			       (long long)version, STORE_SCHEMA);
	st->schema = version;
	return version > STORE_SCHEMA + 1 ? schema_too_new(path, version, m) : ERR_NONE;
}

enum err store_open(const char *path, const struct seal *seal, struct store **ret, struct errmsg *m)
{
	struct store *st = store_new(seal);
	enum err e;

	if (st == NULL)
		return err_set(m, ERR_NOMEM, "out of memory");
	st->path = strdup(path);
	e = st->path != NULL ? st->drv->open(path, false, &st->db, m) : err_set(m, ERR_NOMEM, "out of memory");
	if (e == ERR_NONE)
		e = check_schema(st, path, m);
	if (e == ERR_NONE)
		*ret = st;
	else
		store_close(st);
	return e;
}

enum err store_intact(struct store *st, struct errmsg *m)
{
	return st->drv->intact(st->db, m);
}

enum err store_health(struct store *st, bool *ret_worked, struct errmsg *m)
{
	return st->drv->health(st->db, ret_worked, m);
}

void store_bulk(struct store *st)
{
	st->drv->bulk(st->db);
}

void store_tidy(struct store *st)
{
	if (!st->writing)
		st->drv->tidy(st->db, true);
}
