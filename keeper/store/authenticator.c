#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"

/* The columns of SQL_AUTHENTICATORS and SQL_AUTHENTICATOR_GET. */
enum {
	AUTHENTICATOR_ID,
	AUTHENTICATOR_KIND,
	AUTHENTICATOR_CONFIRMED,
	AUTHENTICATOR_ALGORITHM,
	AUTHENTICATOR_DIGITS,
	AUTHENTICATOR_PERIOD,
	AUTHENTICATOR_SECRET,
	AUTHENTICATOR_NAME,
	AUTHENTICATOR_LAST_STEP,
	AUTHENTICATOR_CREATED,
	AUTHENTICATOR_LAST_USED
};

#define EXTRA_LEN 5

void authenticator_wipe(struct authenticator *a, size_t n)
{
	secret_wipe(a, n * sizeof(*a));
}

static struct seal_where name_where(const struct authenticator *a)
{
	return (struct seal_where){.table = "authenticator", .column = "name", .row = a->id, .owner = a->person};
}

/* The plain columns that say what the secret is for. */
static struct seal_where secret_where(const struct authenticator *a, uint8_t extra[static EXTRA_LEN])
{
	extra[0] = (uint8_t)a->kind;
	extra[1] = a->confirmed;
	extra[2] = (uint8_t)a->algorithm;
	extra[3] = (uint8_t)a->digits;
	extra[4] = (uint8_t)a->period;
	return (struct seal_where){.table = "authenticator",
				   .column = "secret",
				   .row = a->id,
				   .owner = a->person,
				   .extra = extra,
				   .extra_len = EXTRA_LEN};
}

static enum err seal_name(struct store *st, const struct authenticator *a, struct buf *ret)
{
	struct seal_where w = name_where(a);

	return seal_box(st->seal, &w, a->name, strlen(a->name), ret);
}

static enum err seal_secret(struct store *st, const struct authenticator *a, struct buf *ret)
{
	uint8_t extra[EXTRA_LEN];
	struct seal_where w = secret_where(a, extra);

	return seal_box(st->seal, &w, a->secret, a->secret_len, ret);
}

static enum err unseal(struct store *st, struct authenticator *a, struct db_value name, struct db_value secret)
{
	uint8_t extra[EXTRA_LEN];
	struct seal_where w = name_where(a);
	enum err e;

	buf_wipe(&st->plain);
	e = seal_unbox(st->seal, &w, name.p, name.n, &st->plain);
	if (e != ERR_NONE)
		return e;
	if (st->plain.len >= sizeof(a->name) || buf_str(&st->plain) == NULL)
		return ERR_CORRUPT;
	memcpy(a->name, buf_str(&st->plain), st->plain.len + 1);

	w = secret_where(a, extra);
	buf_wipe(&st->plain);
	e = seal_unbox(st->seal, &w, secret.p, secret.n, &st->plain);
	if (e != ERR_NONE)
		return e;
	if (st->plain.len > sizeof(a->secret))
		return ERR_CORRUPT;
	a->secret_len = st->plain.len;
	if (a->secret_len > 0)
		memcpy(a->secret, st->plain.data, a->secret_len);
	buf_wipe(&st->plain);
	return ERR_NONE;
}

static enum err load(struct query *q, const struct id *person, struct authenticator *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->person = *person;
	query_id(q, AUTHENTICATOR_ID, &ret->id);
	ret->kind = (enum factor_kind)query_range(q, AUTHENTICATOR_KIND, FACTOR_TOTP, FACTOR_PASSKEY);
	ret->confirmed = query_range(q, AUTHENTICATOR_CONFIRMED, 0, 1) == 1;
	ret->algorithm = (int)query_range(q, AUTHENTICATOR_ALGORITHM, 0, UINT8_MAX);
	ret->digits = (int)query_range(q, AUTHENTICATOR_DIGITS, 0, UINT8_MAX);
	ret->period = (int)query_range(q, AUTHENTICATOR_PERIOD, 0, UINT8_MAX);
	ret->last_step = query_int(q, AUTHENTICATOR_LAST_STEP);
	ret->created = query_int(q, AUTHENTICATOR_CREATED);
	ret->last_used = query_int(q, AUTHENTICATOR_LAST_USED);
	return q->e == ERR_NONE
		   ? unseal(q->st, ret, query_blob(q, AUTHENTICATOR_NAME), query_blob(q, AUTHENTICATOR_SECRET))
		   : q->e;
}

enum err authenticators_read(struct store *st, const struct id *person, struct authenticator *ret, size_t max,
			     size_t *ret_n)
{
	struct query q = {.st = st};
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e = person_verify(st, person);

	if (e == ERR_NONE)
		e = query_open(&q, st, SQL_AUTHENTICATORS, ARGS(V_ID(person), V_INT(max)));
	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW)
		e = load(&q, person, &ret[n++]);
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE)
		*ret_n = n;
	else
		authenticator_wipe(ret, n);
	return e;
}

enum err store_authenticators(struct store *st, const struct id *person, struct authenticator *ret, size_t max,
			      size_t *ret_n)
{
	enum err e = store_read_begin(st);

	if (e != ERR_NONE)
		return e;
	e = authenticators_read(st, person, ret, max, ret_n);
	store_read_end(st);
	return e;
}

static enum err count(struct store *st, const struct id *person, size_t *ret)
{
	struct query q;
	enum db_step step = DB_DONE;
	enum err e = query_open(&q, st, SQL_AUTHENTICATORS, ARGS(V_ID(person), V_INT(AUTHENTICATORS_MAX)));

	*ret = 0;
	while (e == ERR_NONE && (step = query_step(&q)) == DB_ROW)
		++*ret;
	query_close(&q);
	return step == DB_ERROR ? q.e : e;
}

static bool sane(const struct authenticator *a)
{
	return !id_zero(&a->id) && !id_zero(&a->person) && a->kind > FACTOR_NONE && a->kind <= FACTOR_PASSKEY &&
	       a->secret_len <= sizeof(a->secret) && a->algorithm >= 0 && a->algorithm <= UINT8_MAX && a->digits >= 0 &&
	       a->digits <= UINT8_MAX && a->period >= 0 && a->period <= UINT8_MAX;
}

enum err store_authenticator_add(struct store *st, const struct authenticator *a)
{
	AUTO_BUF name = BUF_INIT, secret = BUF_INIT;
	size_t n = 0;
	enum err e;

	if (!st->writing || !sane(a))
		return ERR_INTERNAL;
	e = person_verify(st, &a->person);
	if (e == ERR_NONE)
		e = count(st, &a->person, &n);
	if (e == ERR_NONE && n >= AUTHENTICATORS_MAX)
		e = ERR_TOOBIG;
	if (e == ERR_NONE)
		e = seal_name(st, a, &name);
	if (e == ERR_NONE)
		e = seal_secret(st, a, &secret);
	if (e == ERR_NONE)
		e = store_write(st, SQL_AUTHENTICATOR_ADD,
				ARGS(V_ID(&a->person), V_ID(&a->id), V_INT(a->kind), V_INT(a->confirmed),
				     V_INT(a->algorithm), V_INT(a->digits), V_INT(a->period), V_BUF(&secret),
				     V_BUF(&name), V_INT(a->last_step), V_INT(a->created), V_INT(a->last_used)),
				NULL);
	return e == ERR_NONE ? person_remac(st, &a->person) : e;
}

static enum err get(struct store *st, const struct id *person, const struct id *id, struct authenticator *ret)
{
	struct query q = {.st = st};
	enum err e;

	if (!st->writing)
		return ERR_INTERNAL;
	e = person_verify(st, person);
	if (e == ERR_NONE)
		e = query_first(&q, st, SQL_AUTHENTICATOR_GET, ARGS(V_ID(person), V_ID(id)));
	if (e == ERR_NONE)
		e = load(&q, person, ret);
	query_close(&q);
	return e;
}

static enum err set_name(struct authenticator *a, const char *name)
{
	size_t n = strlen(name);

	if (n >= sizeof(a->name))
		return ERR_TOOBIG;
	memcpy(a->name, name, n + 1);
	return ERR_NONE;
}

enum err store_authenticator_confirm(struct store *st, const struct id *person, const struct id *id, const char *name)
{
	AUTO_BUF name_box = BUF_INIT, secret_box = BUF_INIT;
	struct authenticator a = {.kind = FACTOR_NONE};
	enum err e = get(st, person, id, &a);

	if (e == ERR_NONE)
		e = set_name(&a, name);
	a.confirmed = true;
	if (e == ERR_NONE)
		e = seal_name(st, &a, &name_box);
	if (e == ERR_NONE)
		e = seal_secret(st, &a, &secret_box);
	authenticator_wipe(&a, 1);
	if (e == ERR_NONE)
		e = store_write_one(st, SQL_AUTHENTICATOR_CONFIRM,
				    ARGS(V_BUF(&secret_box), V_BUF(&name_box), V_ID(person), V_ID(id)));
	return e == ERR_NONE ? person_remac(st, person) : e;
}

enum err store_authenticator_rename(struct store *st, const struct id *person, const struct id *id, const char *name)
{
	AUTO_BUF box = BUF_INIT;
	struct authenticator a = {.kind = FACTOR_NONE};
	enum err e = get(st, person, id, &a);

	if (e == ERR_NONE)
		e = set_name(&a, name);
	if (e == ERR_NONE)
		e = seal_name(st, &a, &box);
	authenticator_wipe(&a, 1);
	if (e == ERR_NONE)
		e = store_write_one(st, SQL_AUTHENTICATOR_RENAME, ARGS(V_BUF(&box), V_ID(person), V_ID(id)));
	return e == ERR_NONE ? person_remac(st, person) : e;
}

enum err store_authenticator_remove(struct store *st, const struct id *person, const struct id *id)
{
	enum err e = st->writing ? person_verify(st, person) : ERR_INTERNAL;

	if (e == ERR_NONE)
		e = store_write_one(st, SQL_AUTHENTICATOR_REMOVE, ARGS(V_ID(person), V_ID(id)));
	if (e == ERR_NONE)
		e = passkey_remove(st, person, id);
	return e == ERR_NONE ? person_remac(st, person) : e;
}

enum err store_authenticator_used(struct store *st, const struct id *id, int64_t now)
{
	return store_write_one(st, SQL_AUTHENTICATOR_USED, ARGS(V_INT(now), V_ID(id)));
}

enum err store_totp_consume(struct store *st, const struct id *id, uint64_t step, int64_t now)
{
	struct query q;
	enum err e;

	if (step > INT64_MAX)
		return ERR_INVALID;
	e = store_write_first(&q, st, SQL_TOTP_CONSUME, ARGS(V_INT(step), V_INT(now), V_ID(id)));
	query_close(&q);
	return e == ERR_NOTFOUND ? ERR_EXISTS : e;
}
