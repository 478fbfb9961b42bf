#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"
#include <strings.h>

/* The columns of the texts in sql.c. Those before LAST_LOGIN are under the MAC, in this order. */
enum person_column {
	PERSON_ID,
	PERSON_LOGIN,
	PERSON_ROLE,
	PERSON_DISABLED,
	PERSON_EXPIRES,
	PERSON_LOCALE,
	PERSON_PROFILE,
	PERSON_ADDRESS,
	PERSON_EMAIL_VERIFIED,
	PERSON_PASSWORD,
	PERSON_INITIAL,
	PERSON_INITIAL_FROM,
	PERSON_INITIAL_USED,
	PERSON_BIRTH_CONFIRMED,
	PERSON_TERMS,
	PERSON_METHOD,
	PERSON_CREATED,
	PERSON_BATCH,
	PERSON_PASSWORD_SET, /* from here on under the MAC where they are not 0: schemas 2 and 3 brought them */
	PERSON_PASSWORD_EXPIRED,
	PERSON_EMAIL_OPTIONAL,
	PERSON_FROZEN,
	PERSON_LAST_LOGIN,
	PERSON_MAC,
	PERSON__STORED,
	PERSON_PUBLISHED = PERSON__STORED /* the batch's */
};

#define PERSON_MAC_VERSION 1

void person_wipe(struct person *p)
{
	secret_wipe(p, sizeof(*p));
}

void person_set_password(struct person *p, const char *hash, int64_t now)
{
	size_t n = strnlen(hash, sizeof(p->password) - 1);

	secret_wipe(p->password, sizeof(p->password));
	memcpy(p->password, hash, n);
	p->password_set = n > 0 ? now : 0;
	p->password_expired = false;
}

/* ---- the MAC ---- */

static void mac_value(struct buf *b, const struct db_value *v)
{
	buf_addc(b, (char)v->type);
	if (v->type == DB_INT) {
		buf_add_u64(b, (uint64_t)v->i);
	} else {
		buf_add_u32(b, (uint32_t)v->n);
		buf_add(b, v->p, v->n);
	}
}

/* id, kind, confirmed, algorithm, digits, period, sealed secret: the first columns of SQL_AUTHENTICATORS. */
static enum err mac_authenticators(struct store *st, const struct id *person)
{
	enum { COVERED = 7 };
	struct query q;
	enum db_step step;
	int n = 0;

	if (query_open(&q, st, SQL_AUTHENTICATORS, ARGS(V_ID(person), V_INT(AUTHENTICATORS_MAX + 1))) != ERR_NONE)
		return q.e;
	while ((step = query_step(&q)) == DB_ROW && n < AUTHENTICATORS_MAX) {
		for (int i = 0; i < COVERED; i++) {
			struct db_value v = query_value(&q, i);

			mac_value(&st->mac, &v);
		}
		n++;
	}
	if (step == DB_ROW)
		q.e = ERR_CORRUPT;
	query_close(&q);
	buf_addc(&st->mac, (char)n);
	return q.e;
}

/* Over the covered columns as they are or will be stored, and the set of authenticators (none: a person just made). */
static enum err mac_make(struct store *st, const struct db_value *v, bool authenticators,
			 uint8_t ret[static DIGEST_LEN])
{
	struct seal_part part;
	struct id id;
	enum err e = ERR_NONE;

	if (v[PERSON_ID].type != DB_BLOB || v[PERSON_ID].n != ID_LEN)
		return ERR_CORRUPT;
	memcpy(id.b, v[PERSON_ID].p, ID_LEN);
	buf_wipe(&st->mac);
	buf_addc(&st->mac, PERSON_MAC_VERSION);
	for (int i = 0; i < PERSON_LAST_LOGIN; i++) {
		if (i >= PERSON_PASSWORD_SET && v[i].type == DB_INT && v[i].i == 0)
			continue;
		if (i >= PERSON_PASSWORD_SET)
			buf_addc(&st->mac, (char)i);
		mac_value(&st->mac, &v[i]);
	}
	if (authenticators)
		e = mac_authenticators(st, &id);
	else
		buf_addc(&st->mac, 0);
	if (e != ERR_NONE)
		return e;
	if (st->mac.failed)
		return ERR_NOMEM;
	part = (struct seal_part){st->mac.data, st->mac.len};
	return seal_mac(st->seal, SEAL_PERSON, &part, 1, ret);
}

static enum err row_mac(struct query *q, uint8_t ret[static DIGEST_LEN])
{
	struct db_value v[PERSON_LAST_LOGIN];

	for (int i = 0; i < PERSON_LAST_LOGIN; i++)
		v[i] = query_value(q, i);
	return q->e == ERR_NONE ? mac_make(q->st, v, true, ret) : q->e;
}

static enum err row_verify(struct query *q)
{
	uint8_t mac[DIGEST_LEN];
	struct db_value stored = query_blob(q, PERSON_MAC);
	enum err e = row_mac(q, mac);

	if (e != ERR_NONE)
		return e;
	return secret_equal(mac, sizeof(mac), stored.p, stored.n) ? ERR_NONE : ERR_CORRUPT;
}

enum err person_verify(struct store *st, const struct id *id)
{
	struct query q;
	enum err e;

	if (st->looking && !id_zero(id) && memcmp(&st->verified, id, ID_LEN) == 0)
		return ERR_NONE;
	e = query_first(&q, st, SQL_PERSON_ROW, ARGS(V_ID(id)));

	if (e == ERR_NONE)
		e = row_verify(&q);
	query_close(&q);
	return e;
}

enum err person_remac(struct store *st, const struct id *id)
{
	uint8_t mac[DIGEST_LEN];
	struct query q;
	enum err e = query_first(&q, st, SQL_PERSON_ROW, ARGS(V_ID(id)));

	if (e == ERR_NONE)
		e = row_mac(&q, mac);
	query_close(&q);
	if (e == ERR_NONE)
		e = store_write_one(st, SQL_PERSON_MAC, ARGS(V_BLOB(mac, sizeof(mac)), V_ID(id)));
	return e;
}

/* ---- the profile: name, birth date and address in one sealed column ---- */

static struct seal_where profile_where(const struct id *id)
{
	return (struct seal_where){.table = "person", .column = "profile", .row = *id, .owner = *id};
}

/* Into st->box. */
static enum err profile_seal(struct store *st, const struct person *p)
{
	struct seal_where w = profile_where(&p->id);

	buf_wipe(&st->plain);
	part_put(&st->plain, p->name, strlen(p->name));
	part_put(&st->plain, p->email, strlen(p->email));
	buf_add_u16(&st->plain, (uint16_t)p->birth.year);
	buf_addc(&st->plain, (char)p->birth.month);
	buf_addc(&st->plain, (char)p->birth.day);
	if (st->plain.failed)
		return ERR_NOMEM;
	buf_wipe(&st->box);
	return seal_box(st->seal, &w, st->plain.data, st->plain.len, &st->box);
}

static enum err profile_open(struct store *st, struct db_value box, struct person *p)
{
	struct seal_where w = profile_where(&p->id);
	const uint8_t *at, *end;
	enum err e;

	buf_wipe(&st->plain);
	e = seal_unbox(st->seal, &w, box.p, box.n, &st->plain);
	if (e != ERR_NONE)
		return e;
	at = st->plain.data;
	end = at + st->plain.len;
	e = part_text(&at, end, p->name, sizeof(p->name));
	if (e == ERR_NONE)
		e = part_text(&at, end, p->email, sizeof(p->email));
	if (e != ERR_NONE)
		return e;
	if (end - at != 4)
		return ERR_CORRUPT;
	p->birth = (struct date){(int16_t)(at[0] << 8 | at[1]), (int8_t)at[2], (int8_t)at[3]};
	return ERR_NONE;
}

/* The blind index of a canonical address: 64 bits are enough to find by, and every hit is compared after unsealing. */
static enum err address_index(struct store *st, const char *email, int64_t *ret)
{
	uint8_t mac[DIGEST_LEN];
	char lower[EMAIL_MAX + 1];
	size_t n = 0;
	uint64_t v = 0;
	enum err e;

	for (; n < EMAIL_MAX && email[n] != '\0'; n++)
		lower[n] = (char)(email[n] >= 'A' && email[n] <= 'Z' ? email[n] + ('a' - 'A') : email[n]);
	e = seal_mac(st->seal, SEAL_INDEX, &(struct seal_part){lower, n}, 1, mac);
	if (e != ERR_NONE)
		return e;
	for (int i = 0; i < 8; i++)
		v = v << 8 | mac[i];
	*ret = (int64_t)v;
	return ERR_NONE;
}

/* ---- reading ---- */

static bool query_bool(struct query *q, int i)
{
	return query_range(q, i, 0, 1) == 1;
}

/* The row that q stands on, verified. */
static enum err load(struct query *q, struct person *ret)
{
	struct db_value v;
	enum err e = row_verify(q);

	if (e != ERR_NONE)
		return e;
	memset(ret, 0, sizeof(*ret));
	query_id(q, PERSON_ID, &ret->id);
	if (q->st->looking)
		q->st->verified = ret->id;
	query_text(q, PERSON_LOGIN, ret->login, sizeof(ret->login));
	ret->role = (enum role)query_range(q, PERSON_ROLE, ROLE_MEMBER, ROLE_STAFF);
	ret->disabled = query_bool(q, PERSON_DISABLED);
	ret->expires = query_int(q, PERSON_EXPIRES);
	query_text(q, PERSON_LOCALE, ret->locale, sizeof(ret->locale));
	ret->email_verified = query_bool(q, PERSON_EMAIL_VERIFIED);
	query_text(q, PERSON_PASSWORD, ret->password, sizeof(ret->password));
	v = query_blob(q, PERSON_INITIAL);
	ret->has_initial = v.type == DB_BLOB;
	if (ret->has_initial)
		query_bytes(q, PERSON_INITIAL, ret->initial, sizeof(ret->initial));
	ret->initial_from = query_int(q, PERSON_INITIAL_FROM);
	ret->initial_used = query_bool(q, PERSON_INITIAL_USED);
	ret->birth_confirmed = query_bool(q, PERSON_BIRTH_CONFIRMED);
	ret->terms = query_int(q, PERSON_TERMS);
	ret->method = (enum factor_kind)query_range(q, PERSON_METHOD, FACTOR_NONE, FACTOR_PASSKEY);
	ret->created = query_int(q, PERSON_CREATED);
	query_id0(q, PERSON_BATCH, &ret->batch);
	ret->password_set = query_int(q, PERSON_PASSWORD_SET);
	ret->password_expired = query_bool(q, PERSON_PASSWORD_EXPIRED);
	ret->email_optional = query_bool(q, PERSON_EMAIL_OPTIONAL);
	ret->frozen = query_int(q, PERSON_FROZEN);
	ret->last_login = query_int(q, PERSON_LAST_LOGIN);
	if (ret->initial_from == 0 && !id_zero(&ret->batch))
		ret->initial_from = query_int(q, PERSON_PUBLISHED);
	v = query_blob(q, PERSON_PROFILE);
	return q->e == ERR_NONE ? profile_open(q->st, v, ret) : q->e;
}

static enum err load_one(struct store *st, enum sql id, const struct db_value *v, size_t n, struct person *ret)
{
	struct person p;
	struct query q = {.st = st};
	enum err e = store_read_begin(st);

	if (e == ERR_NONE)
		e = query_first(&q, st, id, v, n);
	if (e == ERR_NONE)
		e = load(&q, &p);
	query_close(&q);
	store_read_end(st);
	if (e == ERR_NONE)
		*ret = p;
	person_wipe(&p);
	return e;
}

enum err person_opens(struct store *st, const uint8_t *key)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	struct store_passkey pk[AUTHENTICATORS_MAX];
	struct person p;
	struct id id;
	size_t n = 0;
	enum err e;

	memcpy(id.b, key, ID_LEN);
	e = load_one(st, SQL_PERSON_ROW, ARGS(V_ID(&id)), &p);
	if (e == ERR_NONE) {
		e = store_authenticators(st, &id, au, AUTHENTICATORS_MAX, &n);
		authenticator_wipe(au, n);
	}
	n = 0;
	if (e == ERR_NONE) {
		e = store_passkeys(st, &id, pk, AUTHENTICATORS_MAX, &n);
		store_passkey_wipe(pk, n);
	}
	person_wipe(&p);
	return e;
}

enum err store_person_by_login(struct store *st, const char *login, struct person *ret)
{
	return load_one(st, SQL_PERSON_BY_LOGIN, ARGS(V_TEXT(login)), ret);
}

enum err store_person_by_id(struct store *st, const struct id *id, struct person *ret)
{
	return load_one(st, SQL_PERSON_BY_ID, ARGS(V_ID(id)), ret);
}

enum err store_person_by_email(struct store *st, const char *email, struct id *ret, size_t max, size_t *ret_n)
{
	struct person p;
	struct query q = {.st = st};
	enum db_step step = DB_DONE;
	int64_t index = 0, other = 0;
	size_t n = 0;
	enum err e = address_index(st, email, &index);

	if (e == ERR_NONE)
		e = store_read_begin(st);
	if (e != ERR_NONE)
		return e;
	e = query_open(&q, st, SQL_PERSON_BY_ADDRESS, ARGS(V_INT(index)));
	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW) {
		e = load(&q, &p);
		if (e == ERR_NONE)
			e = address_index(st, p.email, &other);
		if (e == ERR_NONE && p.email[0] != '\0' && other == index && strcasecmp(p.email, email) == 0)
			ret[n++] = p.id;
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	store_read_end(st);
	person_wipe(&p);
	if (e == ERR_NONE)
		*ret_n = n;
	return e;
}

enum err store_person_page(struct store *st, const char *after, struct person *ret, size_t max, size_t *ret_n)
{
	struct query q = {.st = st};
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e = store_read_begin(st);

	if (e != ERR_NONE)
		return e;
	e = query_open(&q, st, SQL_PERSON_PAGE, ARGS(V_TEXT(after), V_INT(max)));
	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW)
		e = load(&q, &ret[n++]);
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	store_read_end(st);
	if (e == ERR_NONE)
		*ret_n = n;
	else
		secret_wipe(ret, n * sizeof(*ret));
	return e;
}

static enum err count(struct store *st, enum sql id, const struct db_value *v, size_t n, int64_t *ret)
{
	struct query q;
	enum err e = query_first(&q, st, id, v, n);

	if (e == ERR_NONE) {
		int64_t found = query_int(&q, 0);

		e = q.e;
		if (e == ERR_NONE)
			*ret = found;
	}
	query_close(&q);
	return e;
}

enum err store_person_count(struct store *st, int64_t *ret)
{
	int64_t all = 0, hidden = 0;
	enum err e = store_read_begin(st);

	if (e != ERR_NONE)
		return e;
	e = count(st, SQL_PERSON_ALL, NULL, 0, &all);
	if (e == ERR_NONE)
		e = count(st, SQL_PERSON_HIDDEN, NULL, 0, &hidden);
	store_read_end(st);
	if (e == ERR_NONE)
		*ret = all - hidden;
	return e;
}

enum err store_person_hidden(struct store *st, const char *login, bool *ret)
{
	int64_t n = 0;
	enum err e = count(st, SQL_PERSON_HIDDEN_ONE, ARGS(V_TEXT(login)), &n);

	if (e == ERR_NONE)
		*ret = n > 0;
	return e;
}

/* ---- writing ---- */

/* All columns but the MAC; the bytes are p's and st->box's. */
static enum err fill(struct store *st, const struct person *p, int64_t initial_from,
		     struct db_value v[static PERSON__STORED])
{
	int64_t index = 0;
	enum err e = profile_seal(st, p);

	if (e == ERR_NONE && p->email[0] != '\0')
		e = address_index(st, p->email, &index);
	if (e != ERR_NONE)
		return e;
	v[PERSON_ID] = V_ID(&p->id);
	v[PERSON_LOGIN] = V_TEXT(p->login);
	v[PERSON_ROLE] = V_INT(p->role);
	v[PERSON_DISABLED] = V_INT(p->disabled);
	v[PERSON_EXPIRES] = V_INT(p->expires);
	v[PERSON_LOCALE] = V_TEXT(p->locale);
	v[PERSON_PROFILE] = V_BUF(&st->box);
	v[PERSON_ADDRESS] = p->email[0] != '\0' ? V_INT(index) : V_NULL;
	v[PERSON_EMAIL_VERIFIED] = V_INT(p->email_verified);
	v[PERSON_PASSWORD] = V_TEXT(p->password);
	v[PERSON_INITIAL] = p->has_initial ? V_BLOB(p->initial, sizeof(p->initial)) : V_NULL;
	v[PERSON_INITIAL_FROM] = V_INT(initial_from);
	v[PERSON_INITIAL_USED] = V_INT(p->initial_used);
	v[PERSON_BIRTH_CONFIRMED] = V_INT(p->birth_confirmed);
	v[PERSON_TERMS] = V_INT(p->terms);
	v[PERSON_METHOD] = V_INT(p->method);
	v[PERSON_CREATED] = V_INT(p->created);
	v[PERSON_BATCH] = V_ID0(&p->batch);
	v[PERSON_PASSWORD_SET] = V_INT(p->password_set);
	v[PERSON_PASSWORD_EXPIRED] = V_INT(p->password_expired);
	v[PERSON_EMAIL_OPTIONAL] = V_INT(p->email_optional);
	v[PERSON_FROZEN] = V_INT(p->frozen);
	v[PERSON_LAST_LOGIN] = V_INT(p->last_login);
	return ERR_NONE;
}

enum err store_person_nobody(struct store *st)
{
	struct person p = {.name = "Yamada Hanako"};
	struct db_value v[PERSON__STORED];
	uint8_t mac[DIGEST_LEN];
	enum err e = fill(st, &p, 0, v);

	if (e == ERR_NONE)
		e = mac_make(st, v, true, mac);
	return e == ERR_NONE ? profile_open(st, v[PERSON_PROFILE], &p) : e;
}

static bool person_sane(const struct person *p)
{
	return !id_zero(&p->id) && p->login[0] != '\0' && (p->role == ROLE_MEMBER || p->role == ROLE_STAFF);
}

enum err store_person_add(struct store *st, const struct person *p)
{
	struct db_value v[PERSON__STORED];
	uint8_t mac[DIGEST_LEN];
	int64_t changes = 0;
	enum err e;

	if (!st->writing || !person_sane(p))
		return ERR_INTERNAL;
	e = fill(st, p, id_zero(&p->batch) ? p->initial_from : 0, v);
	if (e == ERR_NONE)
		e = mac_make(st, v, false, mac);
	if (e != ERR_NONE)
		return e;
	v[PERSON_MAC] = V_BLOB(mac, sizeof(mac));
	e = store_write(st, SQL_PERSON_ADD, v, PERSON__STORED, &changes);
	return e == ERR_NONE && changes == 0 ? ERR_EXISTS : e;
}

enum err store_person_save(struct store *st, const struct person *p)
{
	struct db_value v[PERSON__STORED + 1];
	uint8_t mac[DIGEST_LEN];
	enum err e;

	if (!st->writing || !person_sane(p))
		return ERR_INTERNAL;
	/* A row that someone else wrote must not get a right MAC through us. */
	e = person_verify(st, &p->id);
	if (e == ERR_NONE)
		e = fill(st, p, p->initial_from, v);
	if (e == ERR_NONE)
		e = mac_make(st, v, true, mac);
	if (e != ERR_NONE)
		return e;
	v[PERSON_MAC] = V_BLOB(mac, sizeof(mac));
	v[PERSON__STORED] = v[PERSON_ID];
	e = store_write_one(st, SQL_PERSON_SAVE, v + 1, PERSON__STORED);
	return e == ERR_NONE && p->password[0] != '\0' ? letter_remove(st, &p->id) : e;
}

enum err store_person_seen(struct store *st, const struct id *id, int64_t now)
{
	return store_write_one(st, SQL_PERSON_SEEN, ARGS(V_INT(now), V_ID(id)));
}

enum err person_erase(struct store *st, const struct id *id)
{
	static const enum sql parts[] = {SQL_AUTHENTICATOR_DELETE_ALL, SQL_RECOVERY_DELETE_ALL, SQL_CODE_DELETE_ALL,
					 SQL_MAIL_DELETE_ALL,	       SQL_COUNTER_CLEAR_ALL,	SQL_KNOWN_END_ALL};
	enum err e = store_session_end_all(st, id, NULL);

	if (e == ERR_NONE)
		e = passkey_remove_all(st, id);
	if (e == ERR_NONE)
		e = approval_remove_all(st, id);
	if (e == ERR_NONE)
		e = letter_remove(st, id);
	if (e == ERR_NONE)
		e = logins_remove_all(st, id);
	if (e == ERR_NONE)
		e = deadline_remove(st, id);
	for (size_t i = 0; e == ERR_NONE && i < sizeof(parts) / sizeof(parts[0]); i++)
		e = store_write(st, parts[i], ARGS(V_ID(id)), NULL);
	return e == ERR_NONE ? store_write_one(st, SQL_PERSON_DELETE, ARGS(V_ID(id))) : e;
}

enum err store_person_delete(struct store *st, const struct id *id)
{
	return person_erase(st, id);
}
