#include "config.h"

#include "keeper/store/inside.h"

/* ---- one person's own ---- */

static struct seal_where where(const struct id *person)
{
	return (struct seal_where){.table = "deadline", .column = "sealed", .row = *person, .owner = *person};
}

static enum err unseal(struct store *st, const struct id *person, struct db_value box, int64_t *ret)
{
	struct seal_where w = where(person);
	uint64_t v = 0;
	enum err e;

	buf_wipe(&st->plain);
	e = seal_unbox(st->seal, &w, box.p, box.n, &st->plain);
	if (e == ERR_NONE && st->plain.len != 8)
		e = ERR_CORRUPT;
	if (e != ERR_NONE)
		return e;
	for (size_t i = 0; i < 8; i++)
		v = v << 8 | st->plain.data[i];
	if (v == 0 || v > INT64_MAX)
		return ERR_CORRUPT;
	*ret = (int64_t)v;
	return ERR_NONE;
}

enum err store_deadline_get(struct store *st, const struct id *person, int64_t *ret)
{
	struct query q;
	enum err e;

	if (st->schema < SCHEMA_DEADLINES) {
		*ret = DEADLINE_NONE;
		return ERR_NONE;
	}
	e = query_first(&q, st, SQL_DEADLINE_GET, ARGS(V_ID(person)));
	if (e == ERR_NONE)
		e = unseal(st, person, query_blob(&q, 0), ret);
	query_close(&q);
	return e;
}

enum err deadline_opens(struct store *st, const uint8_t *key)
{
	struct id person;
	int64_t until;

	memcpy(person.b, key, ID_LEN);
	return store_deadline_get(st, &person, &until);
}

enum err store_deadline_put(struct store *st, const struct id *person, int64_t until)
{
	struct seal_where w = where(person);
	enum err e;

	if (st->schema < SCHEMA_DEADLINES)
		return ERR_DENIED;
	if (until == 0)
		return store_write(st, SQL_DEADLINE_DELETE, ARGS(V_ID(person)), NULL);
	if (until < 0)
		return ERR_INTERNAL;
	buf_wipe(&st->plain);
	buf_add_u64(&st->plain, (uint64_t)until);
	if (st->plain.failed)
		return ERR_NOMEM;
	buf_wipe(&st->box);
	e = seal_box(st->seal, &w, st->plain.data, st->plain.len, &st->box);
	return e == ERR_NONE ? store_write(st, SQL_DEADLINE_PUT, ARGS(V_ID(person), V_BUF(&st->box)), NULL) : e;
}

enum err deadline_remove(struct store *st, const struct id *person)
{
	enum err e;

	if (st->schema < SCHEMA_DEADLINES)
		return ERR_NONE;
	e = store_write(st, SQL_DEADLINE_DELETE, ARGS(V_ID(person)), NULL);
	return e == ERR_NONE ? store_write(st, SQL_REMINDER_DELETE, ARGS(V_ID(person)), NULL) : e;
}

/* ---- who has not finished ---- */

enum err store_unfinished_page(struct store *st, int64_t now, struct id *after, size_t most, struct id *ret,
			       size_t *ret_n, bool *ret_end)
{
	struct query q;
	enum db_step step = DB_DONE;
	struct id at = *after;
	size_t seen = 0, n = 0;
	enum err e = query_open(&q, st, SQL_UNFINISHED, ARGS(V_INT(now), V_ID(after), V_INT(most)));

	for (; e == ERR_NONE && seen < most && (step = query_step(&q)) == DB_ROW; seen++) {
		query_id(&q, 0, &at);
		if (query_range(&q, 1, 0, 1) == 1)
			ret[n++] = at;
		e = q.e;
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE) {
		*after = at;
		*ret_n = n;
		*ret_end = seen < most;
	}
	return e;
}

enum err store_unfinished_count(struct store *st, int64_t now, int64_t *ret)
{
	struct query q;
	enum err e = query_first(&q, st, SQL_UNFINISHED_COUNT, ARGS(V_INT(now)));

	if (e == ERR_NONE) {
		int64_t n = query_int(&q, 0);

		e = q.e;
		if (e == ERR_NONE)
			*ret = n;
	}
	query_close(&q);
	return e;
}

/* ---- who was told ---- */

enum err store_reminder_get(struct store *st, const struct id *person, int64_t *ret_until, int64_t *ret_mark)
{
	struct query q;
	enum err e;

	if (st->schema < SCHEMA_DEADLINES)
		return ERR_NOTFOUND;
	e = query_first(&q, st, SQL_REMINDER_GET, ARGS(V_ID(person)));
	if (e == ERR_NONE) {
		int64_t until = query_int(&q, 0), mark = query_int(&q, 1);

		e = q.e;
		if (e == ERR_NONE) {
			*ret_until = until;
			*ret_mark = mark;
		}
	}
	query_close(&q);
	return e;
}

enum err store_reminder_take(struct store *st, const struct id *person, int64_t until, int64_t mark)
{
	int64_t changes = 0;
	enum err e;

	if (st->schema < SCHEMA_DEADLINES)
		return ERR_DENIED;
	e = store_write(st, SQL_REMINDER_TAKE, ARGS(V_ID(person), V_INT(until), V_INT(mark)), &changes);
	return e == ERR_NONE && changes == 0 ? ERR_EXISTS : e;
}
