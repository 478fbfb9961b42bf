#include "config.h"

#include "keeper/store/inside.h"

#define DEVICE_KEPT  ((int64_t)400 * 86400)
#define ADDRESS_KEPT ((int64_t)30 * 86400)

enum err store_known_is(struct store *st, const struct id *person, enum known_kind kind, const struct id *digest,
			int64_t now, int64_t *ret_seen)
{
	struct query q;
	int64_t seen = 0;
	enum err e = query_first(&q, st, SQL_KNOWN_GET, ARGS(V_ID(person), V_INT(kind), V_ID(digest), V_INT(now)));

	if (e == ERR_NONE) {
		seen = query_int(&q, 0);
		e = q.e;
	}
	query_close(&q);
	if (e == ERR_NONE)
		*ret_seen = seen;
	return e;
}

enum err store_known_add(struct store *st, const struct id *person, enum known_kind kind, const struct id *digest,
			 int64_t now)
{
	int64_t expires = now + (kind == KNOWN_DEVICE ? DEVICE_KEPT : ADDRESS_KEPT);
	enum err e = store_write(st, SQL_KNOWN_ADD,
				 ARGS(V_ID(person), V_INT(kind), V_ID(digest), V_INT(now), V_INT(expires)), NULL);

	return e == ERR_NONE
		   ? store_write(st, SQL_KNOWN_OLDEST, ARGS(V_ID(person), V_INT(kind), V_INT(KNOWN_MAX)), NULL)
		   : e;
}

enum err store_known_end(struct store *st, const struct id *person, enum known_kind kind, const struct id *digest)
{
	return store_write(st, SQL_KNOWN_END, ARGS(V_ID(person), V_INT(kind), V_ID(digest)), NULL);
}

enum err store_known_end_all(struct store *st, const struct id *person)
{
	return store_write(st, SQL_KNOWN_END_ALL, ARGS(V_ID(person)), NULL);
}
