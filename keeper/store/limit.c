#include "config.h"

#include "keeper/store/inside.h"

enum err store_counter_get(struct store *st, const uint8_t key[static DIGEST_LEN], struct counter *ret)
{
	struct counter c = {0};
	struct query q;
	enum err e = query_first(&q, st, SQL_COUNTER_GET, ARGS(V_BLOB(key, DIGEST_LEN)));

	if (e == ERR_NONE) {
		c.failures = query_int(&q, 0);
		c.not_before = query_int(&q, 1);
		c.seen = query_int(&q, 2);
		e = q.e;
	} else if (e == ERR_NOTFOUND) {
		e = ERR_NONE;
	}
	query_close(&q);
	if (e == ERR_NONE)
		*ret = c;
	return e;
}

enum err store_counter_set(struct store *st, const uint8_t key[static DIGEST_LEN], const struct counter *c)
{
	return store_write(st, SQL_COUNTER_SET,
			   ARGS(V_BLOB(key, DIGEST_LEN), V_INT(c->failures), V_INT(c->not_before), V_INT(c->seen)),
			   NULL);
}

enum err store_counter_clear(struct store *st, const uint8_t key[static DIGEST_LEN])
{
	return store_write(st, SQL_COUNTER_CLEAR, ARGS(V_BLOB(key, DIGEST_LEN)), NULL);
}
