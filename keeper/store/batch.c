#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "keeper/store/inside.h"
#include <stdlib.h>

enum err store_batch_new(struct store *st, struct id *ret)
{
	struct id id;
	enum err e = id_new(&id);

	if (e == ERR_NONE)
		e = store_write(st, SQL_BATCH_NEW, ARGS(V_ID(&id), V_INT(clock_now())), NULL);
	if (e == ERR_NONE)
		*ret = id;
	return e;
}

enum err store_batch_publish(struct store *st, const struct id *batch, int64_t now)
{
	if (now <= 0)
		return ERR_INTERNAL;
	return store_write_one(st, SQL_BATCH_PUBLISH, ARGS(V_INT(now), V_ID(batch)));
}

static enum err stale_batch(struct store *st, struct id *ret)
{
	struct query q;
	enum err e = query_first(&q, st, SQL_BATCH_STALE, NULL, 0);

	if (e == ERR_NONE) {
		query_id(&q, 0, ret);
		e = q.e;
	}
	query_close(&q);
	return e;
}

static enum err batch_people(struct store *st, const struct id *batch, struct id *ret, size_t max, size_t *ret_n)
{
	struct query q;
	enum db_step step = DB_DONE;
	enum err e = query_open(&q, st, SQL_BATCH_PEOPLE, ARGS(V_ID(batch), V_INT(max)));
	size_t n = 0;

	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW) {
		query_id(&q, 0, &ret[n++]);
		e = q.e;
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE)
		*ret_n = n;
	return e;
}

/* Up to max people of the oldest unpublished batch, and the batch itself when none is left. */
static enum err drop_some(struct store *st, struct id *people, size_t max, size_t *ret_n, bool *ret_left)
{
	struct id batch;
	size_t n = 0;
	enum err e = stale_batch(st, &batch);

	if (e == ERR_NOTFOUND) {
		*ret_n = 0;
		*ret_left = false;
		return ERR_NONE;
	}
	if (e == ERR_NONE)
		e = batch_people(st, &batch, people, max, &n);
	for (size_t i = 0; e == ERR_NONE && i < n; i++)
		e = person_erase(st, &people[i]);
	if (e == ERR_NONE && n < max)
		e = store_write_one(st, SQL_BATCH_DELETE, ARGS(V_ID(&batch)));
	if (e != ERR_NONE)
		return e;
	e = stale_batch(st, &batch);
	if (e != ERR_NONE && e != ERR_NOTFOUND)
		return e;
	*ret_n = n;
	*ret_left = e == ERR_NONE;
	return ERR_NONE;
}

enum err store_batch_drop(struct store *st, size_t max, bool *ret_left, int64_t *ret_dropped)
{
	struct id *people;
	bool left = false;
	size_t n = 0;
	enum err e;

	if (max == 0)
		return ERR_INVALID;
	people = calloc(max, sizeof(*people));
	if (people == NULL)
		return ERR_NOMEM;
	e = store_begin(st);
	if (e == ERR_NONE)
		e = drop_some(st, people, max, &n, &left);
	if (e == ERR_NONE)
		e = store_commit(st);
	store_rollback(st);
	free(people);
	if (e == ERR_NONE) {
		*ret_left = left;
		*ret_dropped = (int64_t)n;
	}
	return e;
}
