#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"
#include <openssl/sha.h>

/* The columns of SQL_PASSKEY_GET. */
enum { PASSKEY_SEALED, PASSKEY_SIGN_COUNT, PASSKEY_BACKED_UP };

#define FLAG_ELIGIBLE 1
#define FLAG_UV	      2
#define FORM	      1 /* of the sealed column */

void store_passkey_wipe(struct store_passkey *p, size_t n)
{
	secret_wipe(p, n * sizeof(*p));
}

/* What the row is found by: nobody learns from it whose credential is whose. */
static enum err credential_digest(struct store *st, const uint8_t *id, size_t n, uint8_t ret[static DIGEST_LEN])
{
	static const char purpose[] = "credential";
	struct seal_part part[] = {{purpose, strlen(purpose)}, {id, n}};

	return seal_mac(st->seal, SEAL_INDEX, part, sizeof(part) / sizeof(part[0]), ret);
}

static struct seal_where where(const struct authenticator *a)
{
	return (struct seal_where){.table = "passkey", .column = "sealed", .row = a->id, .owner = a->person};
}

/* ---- what does not change, as bytes ---- */

static void constant_put(const struct store_passkey *p, struct buf *b)
{
	const struct passkey *c = &p->credential;

	buf_addc(b, FORM);
	buf_add_u32(b, (uint32_t)c->alg);
	buf_addc(b, (char)((c->eligible ? FLAG_ELIGIBLE : 0) | (c->uv_initialized ? FLAG_UV : 0)));
	buf_addc(b, (char)p->transports);
	buf_add(b, c->aaguid, sizeof(c->aaguid));
	buf_add(b, p->user, sizeof(p->user));
	part_put(b, c->id, c->id_len);
	part_put(b, c->key, c->key_len);
}

struct reader {
	const uint8_t *p;
	size_t left;
};

static bool take(struct reader *r, void *ret, size_t n)
{
	if (n > r->left)
		return false;
	memcpy(ret, r->p, n);
	r->p += n;
	r->left -= n;
	return true;
}

static bool take_part(struct reader *r, uint8_t *ret, size_t cap, size_t *ret_n)
{
	uint8_t len[2];

	if (!take(r, len, sizeof(len)))
		return false;
	*ret_n = (size_t)len[0] << 8 | len[1];
	return *ret_n > 0 && *ret_n <= cap && take(r, ret, *ret_n);
}

static bool constant_get(const struct buf *b, struct store_passkey *ret)
{
	struct passkey *c = &ret->credential;
	struct reader r = {b->data, b->len};
	uint8_t head[7];

	if (!take(&r, head, sizeof(head)) || head[0] != FORM)
		return false;
	c->alg = (int32_t)((uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4]);
	c->eligible = head[5] & FLAG_ELIGIBLE;
	c->uv_initialized = head[5] & FLAG_UV;
	ret->transports = head[6];
	return take(&r, c->aaguid, sizeof(c->aaguid)) && take(&r, ret->user, sizeof(ret->user)) &&
	       take_part(&r, c->id, sizeof(c->id), &c->id_len) && take_part(&r, c->key, sizeof(c->key), &c->key_len) &&
	       r.left == 0;
}

/* ---- reading ---- */

/* Of an authenticator that was just read, its MAC verified. */
static enum err load(struct store *st, const struct authenticator *a, struct store_passkey *ret)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct seal_where w = where(a);
	struct query q;
	enum err e = query_first(&q, st, SQL_PASSKEY_GET, ARGS(V_ID(&a->id), V_ID(&a->person)));

	memset(ret, 0, sizeof(*ret));
	ret->as = *a;
	if (e == ERR_NONE) {
		struct db_value box = query_blob(&q, PASSKEY_SEALED);

		ret->credential.sign_count = (uint32_t)query_range(&q, PASSKEY_SIGN_COUNT, 0, UINT32_MAX);
		ret->credential.backed_up = query_range(&q, PASSKEY_BACKED_UP, 0, 1) == 1;
		buf_wipe(&st->plain);
		e = q.e == ERR_NONE ? seal_unbox(st->seal, &w, box.p, box.n, &st->plain) : q.e;
	}
	query_close(&q);
	if (e == ERR_NOTFOUND) /* an authenticator without its other half */
		return ERR_CORRUPT;
	if (e != ERR_NONE)
		return e;
	SHA256(st->plain.data, st->plain.len, digest);
	if (!secret_equal(digest, sizeof(digest), a->secret, a->secret_len) || !constant_get(&st->plain, ret))
		return ERR_CORRUPT;
	return ERR_NONE;
}

enum err store_passkeys(struct store *st, const struct id *person, struct store_passkey *ret, size_t max, size_t *ret_n)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t all = 0, n = 0;
	enum err e = store_read_begin(st);

	if (e != ERR_NONE)
		return e;
	e = authenticators_read(st, person, au, AUTHENTICATORS_MAX, &all);
	for (size_t i = 0; e == ERR_NONE && i < all && n < max; i++)
		if (au[i].kind == FACTOR_PASSKEY)
			e = load(st, &au[i], &ret[n++]);
	store_read_end(st);
	authenticator_wipe(au, all);
	if (e == ERR_NONE)
		*ret_n = n;
	else
		store_passkey_wipe(ret, n);
	return e;
}

/* Whose it is said to be; that they have it is still to be seen. */
static enum err owner_of(struct store *st, const uint8_t *credential, size_t n, struct id *ret)
{
	uint8_t digest[DIGEST_LEN];
	struct query q;
	enum err e = st->schema < SCHEMA_PASSKEYS ? ERR_NOTFOUND : credential_digest(st, credential, n, digest);

	if (e != ERR_NONE)
		return e;
	e = query_first(&q, st, SQL_PASSKEY_FIND, ARGS(V_BLOB(digest, sizeof(digest))));
	if (e == ERR_NONE) {
		query_id(&q, 1, ret);
		e = q.e;
	}
	query_close(&q);
	return e;
}

enum err store_passkey_find(struct store *st, const uint8_t *credential, size_t n, struct store_passkey *ret)
{
	struct store_passkey pk[AUTHENTICATORS_MAX];
	struct id person;
	size_t all = 0;
	enum err e = owner_of(st, credential, n, &person);

	if (e == ERR_NONE)
		e = store_passkeys(st, &person, pk, AUTHENTICATORS_MAX, &all);
	if (e != ERR_NONE)
		return e;
	e = ERR_CORRUPT; /* the index points at somebody who does not have it */
	for (size_t i = 0; i < all && e != ERR_NONE; i++)
		if (pk[i].credential.id_len == n && memcmp(pk[i].credential.id, credential, n) == 0) {
			*ret = pk[i];
			e = ERR_NONE;
		}
	store_passkey_wipe(pk, all);
	return e;
}

/* ---- writing ---- */

static bool sane(const struct store_passkey *p)
{
	return p->as.kind == FACTOR_PASSKEY && p->credential.id_len > 0 && p->credential.id_len <= PASSKEY_ID_MAX &&
	       p->credential.key_len > 0 && p->credential.key_len <= PASSKEY_KEY_MAX && p->transports <= UINT8_MAX;
}

static enum err add_row(struct store *st, const struct store_passkey *p, const struct buf *constant)
{
	uint8_t digest[DIGEST_LEN];
	AUTO_BUF box = BUF_INIT;
	struct seal_where w = where(&p->as);
	int64_t changes = 0;
	enum err e = credential_digest(st, p->credential.id, p->credential.id_len, digest);

	if (e == ERR_NONE)
		e = seal_box(st->seal, &w, constant->data, constant->len, &box);
	if (e == ERR_NONE)
		e = store_write(st, SQL_PASSKEY_ADD,
				ARGS(V_ID(&p->as.id), V_ID(&p->as.person), V_BLOB(digest, sizeof(digest)), V_BUF(&box),
				     V_INT(p->credential.sign_count), V_INT(p->credential.backed_up)),
				&changes);
	return e == ERR_NONE && changes == 0 ? ERR_EXISTS : e;
}

enum err store_passkey_add(struct store *st, const struct store_passkey *p)
{
	AUTO_BUF constant = BUF_INIT;
	struct authenticator a = p->as;
	enum err e;

	if (!st->writing || !sane(p))
		return ERR_INTERNAL;
	if (st->schema < SCHEMA_PASSKEYS)
		return ERR_DENIED;
	constant_put(p, &constant);
	if (constant.failed)
		return ERR_NOMEM;
	a.confirmed = true;
	a.secret_len = SHA256_DIGEST_LENGTH;
	SHA256(constant.data, constant.len, a.secret);
	e = add_row(st, p, &constant);
	if (e == ERR_NONE)
		e = store_authenticator_add(st, &a);
	authenticator_wipe(&a, 1);
	return e;
}

enum err store_passkey_used(struct store *st, const struct store_passkey *p, const struct passkey_used *used,
			    int64_t now)
{
	enum err e = store_write_one(
	    st, SQL_PASSKEY_USED,
	    ARGS(V_INT(used->sign_count), V_INT(used->backed_up), V_ID(&p->as.id), V_INT(p->credential.sign_count)));

	if (e == ERR_NOTFOUND)
		return ERR_EXISTS;
	return e == ERR_NONE ? store_authenticator_used(st, &p->as.id, now) : e;
}

enum err passkey_remove(struct store *st, const struct id *person, const struct id *authenticator)
{
	int64_t changes = 0;
	enum err e = st->schema < SCHEMA_PASSKEYS
			 ? ERR_NONE
			 : store_write(st, SQL_PASSKEY_REMOVE, ARGS(V_ID(authenticator)), &changes);

	return e == ERR_NONE && changes > 0 ? approval_remove_all(st, person) : e;
}

enum err passkey_remove_all(struct store *st, const struct id *person)
{
	return st->schema < SCHEMA_PASSKEYS ? ERR_NONE
					    : store_write(st, SQL_PASSKEY_DELETE_ALL, ARGS(V_ID(person)), NULL);
}

enum err store_spend(struct store *st, const uint8_t digest[static DIGEST_LEN], int64_t expires)
{
	int64_t changes = 0;
	enum err e = st->schema < SCHEMA_PASSKEYS
			 ? ERR_DENIED
			 : store_write(st, SQL_SPEND, ARGS(V_BLOB(digest, DIGEST_LEN), V_INT(expires)), &changes);

	return e == ERR_NONE && changes == 0 ? ERR_EXISTS : e;
}
