#include "config.h"

#include "keeper/store/inside.h"

#define KEY(k) V_ID(&(k)->owner), V_INT((k)->kind), V_INT((k)->lane), V_ID(&(k)->what)

/* The first columns of SQL_COUNTER_GET and SQL_COUNTER_LIST. */
static struct counter load(struct query *q)
{
	return (struct counter){.failures = query_int(q, 0),
				.not_before = query_int(q, 1),
				.seen = query_int(q, 2),
				.refused = query_int(q, 3),
				.refused_from = query_int(q, 4),
				.expires = query_int(q, 5)};
}

enum err store_counter_get(struct store *st, const struct counter_key *k, struct counter *ret)
{
	struct counter c = {0};
	struct query q;
	enum err e = query_first(&q, st, SQL_COUNTER_GET, ARGS(KEY(k)));

	if (e == ERR_NONE) {
		c = load(&q);
		e = q.e;
	} else if (e == ERR_NOTFOUND) {
		e = ERR_NONE;
	}
	query_close(&q);
	if (e == ERR_NONE)
		*ret = c;
	return e;
}

enum err store_counter_set(struct store *st, const struct counter_key *k, const struct counter *was,
			   const struct counter *c)
{
	int64_t changes = 0;
	enum err e = store_write(st, SQL_COUNTER_SET,
				 ARGS(KEY(k), V_INT(c->failures), V_INT(c->not_before), V_INT(c->seen),
				      V_INT(c->refused), V_INT(c->refused_from), V_INT(c->expires),
				      V_INT(was->failures), V_INT(was->not_before), V_INT(was->seen)),
				 &changes);

	return e == ERR_NONE && changes == 0 ? ERR_EXISTS : e;
}

enum err store_counter_clear(struct store *st, const struct counter_key *k)
{
	return store_write(st, SQL_COUNTER_CLEAR, ARGS(KEY(k)), NULL);
}

enum err store_counter_clear_all(struct store *st, const struct id *owner, int kind, int64_t *ret_n)
{
	return kind < 0 ? store_write(st, SQL_COUNTER_CLEAR_ALL, ARGS(V_ID(owner)), ret_n)
			: store_write(st, SQL_COUNTER_CLEAR_KIND, ARGS(V_ID(owner), V_INT(kind)), ret_n);
}

enum err store_counter_list(struct store *st, const struct id *owner, struct counter_row *ret, size_t max,
			    size_t *ret_n)
{
	struct query q;
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e = query_open(&q, st, SQL_COUNTER_LIST, ARGS(V_ID(owner), V_INT(max)));

	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW) {
		struct counter_row *r = &ret[n++];

		r->counter = load(&q);
		r->key.owner = *owner;
		r->key.kind = (int)query_range(&q, 6, 0, INT16_MAX);
		r->key.lane = (int)query_range(&q, 7, 0, INT16_MAX);
		query_id(&q, 8, &r->key.what);
		e = q.e;
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE)
		*ret_n = n;
	return e;
}

enum err store_counter_total(struct store *st, const struct counter_key *k, int64_t *ret_sum, int64_t *ret_not_before)
{
	struct query q;
	int64_t sum = 0, not_before = 0;
	enum err e = query_first(&q, st, SQL_COUNTER_TOTAL, ARGS(V_INT(k->lane), V_ID(&k->owner), V_INT(k->kind)));

	if (e == ERR_NONE) {
		sum = query_int(&q, 0);
		not_before = query_int(&q, 1);
		e = q.e;
	}
	query_close(&q);
	if (e == ERR_NONE) {
		*ret_sum = sum;
		*ret_not_before = not_before;
	}
	return e;
}
