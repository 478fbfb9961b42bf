#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"

/* A row is worth nothing for another person or under another id. */
static enum err digest(struct store *st, const struct id *person, const struct id *id, const char *text,
		       uint8_t ret[static DIGEST_LEN])
{
	static const char purpose[] = "recovery";
	struct seal_part part[] = {
	    {purpose, strlen(purpose)}, {id->b, ID_LEN}, {person->b, ID_LEN}, {text, strlen(text)}};

	return seal_mac(st->seal, SEAL_CODE, part, sizeof(part) / sizeof(part[0]), ret);
}

enum err store_recovery_replace(struct store *st, const struct id *person, const char *const *codes, size_t n)
{
	uint8_t d[DIGEST_LEN];
	struct id id;
	enum err e = store_write(st, SQL_RECOVERY_DELETE_ALL, ARGS(V_ID(person)), NULL);

	for (size_t i = 0; e == ERR_NONE && i < n; i++) {
		e = id_new(&id);
		if (e == ERR_NONE)
			e = digest(st, person, &id, codes[i], d);
		if (e == ERR_NONE)
			e = store_write(st, SQL_RECOVERY_ADD, ARGS(V_ID(person), V_ID(&id), V_BLOB(d, sizeof(d))),
					NULL);
	}
	return e;
}

enum err store_recovery_left(struct store *st, const struct id *person, size_t *ret)
{
	struct query q;
	enum err e = query_first(&q, st, SQL_RECOVERY_LEFT, ARGS(V_ID(person)));

	if (e == ERR_NONE) {
		int64_t n = query_range(&q, 0, 0, UINT16_MAX);

		e = q.e;
		if (e == ERR_NONE)
			*ret = (size_t)n;
	}
	query_close(&q);
	return e;
}

/* Compares with every unused one, whether or not an earlier one matched. */
static enum err find(struct store *st, const struct id *person, const char *text, struct id *ret, bool *ret_found)
{
	uint8_t d[DIGEST_LEN], stored[DIGEST_LEN];
	struct id id;
	struct query q;
	enum db_step step = DB_DONE;
	enum err e = query_open(&q, st, SQL_RECOVERY_LIST, ARGS(V_ID(person)));

	while (e == ERR_NONE && (step = query_step(&q)) == DB_ROW) {
		query_id(&q, 0, &id);
		query_bytes(&q, 1, stored, sizeof(stored));
		e = q.e;
		if (e == ERR_NONE)
			e = digest(st, person, &id, text, d);
		if (e == ERR_NONE && secret_equal(d, sizeof(d), stored, sizeof(stored))) {
			*ret = id;
			*ret_found = true;
		}
	}
	query_close(&q);
	return step == DB_ERROR ? q.e : e;
}

enum err store_recovery_consume(struct store *st, const struct id *person, const char *canonical, int64_t now)
{
	struct id id = {0};
	struct query q;
	bool found = false;
	enum err e = st->writing && now > 0 ? find(st, person, canonical, &id, &found) : ERR_INTERNAL;

	if (e == ERR_NONE && !found)
		e = ERR_DENIED;
	if (e != ERR_NONE)
		return e;
	e = store_write_first(&q, st, SQL_RECOVERY_CONSUME, ARGS(V_INT(now), V_ID(person), V_ID(&id)));
	query_close(&q);
	return e == ERR_NOTFOUND ? ERR_DENIED : e;
}
