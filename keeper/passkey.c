/* The numbers in comments are the steps of sections 7.1 and 7.2 of Web Authentication Level 3. */
#include "config.h"

#include "common/secret.h"
#include "keeper/client_data.h"
#include "keeper/passkey.h"
#include "keeper/passkey_attest.h"
#include <openssl/evp.h>
#include <string.h>

#define HASH_LEN 32

static const char *const check_name[PASSKEY_CHECK__MAX] = {
    [PASSKEY_OK] = "ok",
    [PASSKEY_CLIENT_FORM] = "client-form",
    [PASSKEY_TYPE] = "type",
    [PASSKEY_CHALLENGE] = "challenge",
    [PASSKEY_ORIGIN] = "origin",
    [PASSKEY_CROSS_ORIGIN] = "cross-origin",
    [PASSKEY_TOP_ORIGIN] = "top-origin",
    [PASSKEY_OBJECT_FORM] = "object-form",
    [PASSKEY_AUTH_FORM] = "auth-form",
    [PASSKEY_RP] = "rp",
    [PASSKEY_UP] = "up",
    [PASSKEY_UV] = "uv",
    [PASSKEY_BACKUP] = "backup",
    [PASSKEY_NO_CREDENTIAL] = "no-credential",
    [PASSKEY_ID_LENGTH] = "id-length",
    [PASSKEY_KEY_FORM] = "key-form",
    [PASSKEY_ALG] = "alg",
    [PASSKEY_POINT] = "point",
    [PASSKEY_EXTENSIONS] = "extensions",
    [PASSKEY_ATT_FORMAT] = "att-format",
    [PASSKEY_ATT_STATEMENT] = "att-statement",
    [PASSKEY_ATT_SIGNATURE] = "att-signature",
    [PASSKEY_ATT_CHAIN] = "att-chain",
    [PASSKEY_AAGUID] = "aaguid",
    [PASSKEY_NOT_ASKED] = "not-asked",
    [PASSKEY_USER_HANDLE] = "user-handle",
    [PASSKEY_ELIGIBILITY] = "eligibility",
    [PASSKEY_SIGNATURE] = "signature",
    [PASSKEY_INTERNAL] = "internal",
};

const char *passkey_check_name(enum passkey_check c)
{
	const char *name = c > PASSKEY_UNDECIDED && c < PASSKEY_CHECK__MAX ? check_name[c] : NULL;
	return name ? name : "undecided";
}

static bool bytes_are(struct passkey_bytes b, const char *s)
{
	return b.n == strlen(s) && memcmp(b.p, s, b.n) == 0;
}

static bool one_of(struct passkey_bytes b, const char *const *list)
{
	for (; list && *list; list++)
		if (bytes_are(b, *list))
			return true;
	return false;
}

static bool sha256(const void *p, size_t n, uint8_t ret[static HASH_LEN])
{
	unsigned len = 0;
	return EVP_Digest(p, n, ret, &len, EVP_sha256(), NULL) == 1 && len == HASH_LEN;
}

/* A page that is framed by one of another origin says so, and newer browsers say by which. A page that is in no frame
 * has no top origin. */
static enum passkey_check check_frame(const struct passkey_expected *x, const struct client_data *c)
{
	if (!c->cross_origin)
		return c->top_origin.p ? PASSKEY_TOP_ORIGIN : PASSKEY_OK;
	if (!x->cross_origin && !x->top_origin) /* 7.1 step 10, 7.2 step 13 */
		return PASSKEY_CROSS_ORIGIN;
	if (!c->top_origin.p)
		return x->cross_origin ? PASSKEY_OK : PASSKEY_TOP_ORIGIN;
	return one_of(c->top_origin, x->top_origin) ? PASSKEY_OK : PASSKEY_TOP_ORIGIN; /* 7.1 step 11, 7.2 step 14 */
}

/* 7.1 steps 5 to 12, 7.2 steps 8 to 14 and 20. */
static enum passkey_check check_client(const struct passkey_expected *x, const char *type, struct passkey_bytes json,
				       uint8_t ret_hash[static HASH_LEN])
{
	struct client_data c;
	if (!client_data_parse(json, &c))
		return PASSKEY_CLIENT_FORM;
	if (!bytes_are(c.type, type))
		return PASSKEY_TYPE;
	enum passkey_check r = client_data_challenge(&c, x->challenge);
	if (r != PASSKEY_OK)
		return r;
	if (!one_of(c.origin, x->origin))
		return PASSKEY_ORIGIN;
	r = check_frame(x, &c);
	if (r != PASSKEY_OK)
		return r;
	return sha256(json.p, json.n, ret_hash) ? PASSKEY_OK : PASSKEY_INTERNAL;
}

/* 7.1 steps 14 to 17, 7.2 steps 15 to 18. */
static enum passkey_check check_authenticator(const struct passkey_expected *x, const struct auth_data *a)
{
	uint8_t hash[HASH_LEN];
	if (!sha256(x->rp_id, strlen(x->rp_id), hash))
		return PASSKEY_INTERNAL;
	if (memcmp(hash, a->rp_id_hash, HASH_LEN) != 0)
		return PASSKEY_RP;
	if (!(a->flags & AUTH_DATA_UP))
		return PASSKEY_UP;
	if (x->require_uv && !(a->flags & AUTH_DATA_UV))
		return PASSKEY_UV;
	if (a->flags & AUTH_DATA_BS && !(a->flags & AUTH_DATA_BE))
		return PASSKEY_BACKUP;
	return PASSKEY_OK;
}

/* ---- registration ---- */

struct attestation_object {
	struct passkey_bytes format, statement, auth_data;
};

static bool object_member(struct cbor *c, const char *name, size_t n, struct attestation_object *ret)
{
	const char *format;
	if (n == 3 && !memcmp(name, "fmt", n) && !ret->format.p) {
		bool ok = cbor_text(c, &format, &ret->format.n);
		ret->format.p = ok ? (const uint8_t *)format : NULL;
		return ok;
	}
	if (n == 7 && !memcmp(name, "attStmt", n) && !ret->statement.p) {
		ret->statement.p = c->p;
		bool ok = cbor_skip(c, CBOR_DEPTH_MAX - 1);
		ret->statement.n = (size_t)(c->p - ret->statement.p);
		return ok;
	}
	return n == 8 && !memcmp(name, "authData", n) && !ret->auth_data.p &&
	       cbor_bytes(c, &ret->auth_data.p, &ret->auth_data.n);
}

/* Section 6.5.4: three members, each once. It is the client that writes this map, and some that people use (extensions
 * that keep passkeys) order it in their own way: that is no reason to turn anybody away. */
static bool object_parse(struct passkey_bytes b, struct attestation_object *ret)
{
	struct cbor c = cbor_over(b.p, b.n);
	const char *name;
	size_t pairs, n;
	memset(ret, 0, sizeof *ret);
	if (!b.p || b.n > PASSKEY_ATTEST_MAX || !cbor_map(&c, &pairs) || pairs != 3)
		return false;
	for (size_t i = 0; i < pairs; i++)
		if (!cbor_text(&c, &name, &n) || !object_member(&c, name, n, ret))
			return false;
	return cbor_at_end(&c);
}

/* 7.1 step 20: one of those that were offered. */
static enum passkey_check check_key(const struct passkey_expected *x, const struct cose_key *k, EVP_PKEY **ret)
{
	for (size_t i = 0; i < x->algs; i++)
		if (x->alg[i] == k->alg)
			return cose_key(k, ret);
	return PASSKEY_ALG;
}

/* What is signed: authenticatorData and the hash behind it. n is at most PASSKEY_AUTH_MAX: auth_data_head saw to it. */
static size_t signed_bytes(const struct auth_data *a, const uint8_t hash[static HASH_LEN],
			   uint8_t ret[static PASSKEY_AUTH_MAX + HASH_LEN])
{
	memcpy(ret, a->whole.p, a->whole.n);
	memcpy(ret + a->whole.n, hash, HASH_LEN);
	return a->whole.n + HASH_LEN;
}

/* 7.1 steps 22 to 24. */
static enum passkey_check check_attestation(const struct passkey_expected *x, const struct attestation_object *o,
					    const struct auth_data *a, EVP_PKEY *key,
					    const uint8_t hash[static HASH_LEN])
{
	uint8_t text[PASSKEY_AUTH_MAX + HASH_LEN];
	size_t n = signed_bytes(a, hash, text);
	const struct passkey_attested about = {a, key, text, n, text + n - HASH_LEN};
	return passkey_attest(x->trust, x->now, o->format, o->statement, &about);
}

static void passkey_fill(const struct auth_data *a, struct passkey *ret)
{
	struct passkey p;
	memset(&p, 0, sizeof p);
	memcpy(p.id, a->id.p, a->id.n);
	p.id_len = a->id.n;
	memcpy(p.key, a->key.whole.p, a->key.whole.n);
	p.key_len = a->key.whole.n;
	p.alg = (int32_t)a->key.alg;
	p.sign_count = a->sign_count;
	p.eligible = a->flags & AUTH_DATA_BE;
	p.backed_up = a->flags & AUTH_DATA_BS;
	p.uv_initialized = a->flags & AUTH_DATA_UV;
	memcpy(p.aaguid, a->aaguid, PASSKEY_AAGUID_LEN);
	*ret = p;
}

enum passkey_check passkey_register(const struct passkey_expected *x, const struct passkey_attestation *r,
				    struct passkey *ret)
{
	struct attestation_object object;
	struct auth_data a;
	uint8_t hash[HASH_LEN];
	EVP_PKEY *key = NULL;
	enum passkey_check c = check_client(x, "webauthn.create", r->client_data, hash); /* 5 to 12 */
	if (c != PASSKEY_OK)
		goto out;
	c = PASSKEY_OBJECT_FORM; /* 13 */
	if (!object_parse(r->attestation, &object))
		goto out;
	if ((c = auth_data_head(object.auth_data, &a)) != PASSKEY_OK ||
	    (c = check_authenticator(x, &a)) != PASSKEY_OK ||		      /* 14 to 17 */
	    (c = auth_data_credential(&a)) != PASSKEY_OK ||		      /* 13, 25 */
	    (c = check_key(x, &a.key, &key)) != PASSKEY_OK ||		      /* 20 */
	    (c = auth_data_tail(&a)) != PASSKEY_OK ||			      /* 13, 21 */
	    (c = check_attestation(x, &object, &a, key, hash)) != PASSKEY_OK) /* 22 to 24 */
		goto out;
	passkey_fill(&a, ret); /* 27 */
out:
	EVP_PKEY_free(key);
	return c;
}

/* ---- login ---- */

/* The stored key, held again against all that was asked of it when it came. */
static enum passkey_check stored_key(const struct passkey *stored, EVP_PKEY **ret)
{
	struct cbor c = cbor_over(stored->key, stored->key_len);
	struct cose_key k;
	if (stored->key_len > sizeof stored->key)
		return PASSKEY_KEY_FORM;
	enum passkey_check r = cose_take(&c, &k);
	if (r != PASSKEY_OK)
		return r;
	if (!cbor_at_end(&c))
		return PASSKEY_KEY_FORM;
	return k.alg == stored->alg ? cose_key(&k, ret) : PASSKEY_ALG;
}

/* 7.2 step 21. */
static enum passkey_check check_signature(const struct passkey *stored, const struct auth_data *a,
					  const uint8_t hash[static HASH_LEN], struct passkey_bytes signature)
{
	uint8_t text[PASSKEY_AUTH_MAX + HASH_LEN];
	EVP_PKEY *key = NULL;
	enum passkey_check r = stored_key(stored, &key);
	if (r == PASSKEY_OK)
		r = cose_verify(stored->alg, key, text, signed_bytes(a, hash, text), signature);
	EVP_PKEY_free(key);
	return r;
}

/* 7.2 step 5. */
static enum passkey_check check_asked(const struct passkey *stored, struct passkey_bytes id)
{
	if (!id.p || id.n == 0 || stored->id_len > sizeof stored->id || id.n != stored->id_len)
		return PASSKEY_NOT_ASKED;
	return memcmp(id.p, stored->id, id.n) == 0 ? PASSKEY_OK : PASSKEY_NOT_ASKED;
}

/* 7.2 step 6. */
static enum passkey_check check_user(const uint8_t user[static PASSKEY_USER_LEN], bool required,
				     struct passkey_bytes handle)
{
	if (!handle.p)
		return required ? PASSKEY_USER_HANDLE : PASSKEY_OK;
	return secret_equal(user, PASSKEY_USER_LEN, handle.p, handle.n) ? PASSKEY_OK : PASSKEY_USER_HANDLE;
}

/* 7.2 steps 15 to 22, over the hash of what the client says. */
static enum passkey_check assert_hash(const struct passkey_expected *x, const struct passkey *stored,
				      const uint8_t hash[static HASH_LEN], const struct passkey_assertion *r,
				      struct passkey_used *ret)
{
	struct auth_data a;
	enum passkey_check c = auth_data_head(r->auth_data, &a);
	if (c != PASSKEY_OK || (c = check_authenticator(x, &a)) != PASSKEY_OK) /* 15 to 18 */
		return c;
	if (!(a.flags & AUTH_DATA_BE) == stored->eligible) /* 19 */
		return PASSKEY_ELIGIBILITY;
	if (a.flags & AUTH_DATA_AT) /* section 6.1: never in an assertion */
		return PASSKEY_AUTH_FORM;
	if ((c = auth_data_tail(&a)) != PASSKEY_OK ||
	    (c = check_signature(stored, &a, hash, r->signature)) != PASSKEY_OK) /* 21 */
		return c;
	struct passkey_used used = {
	    .sign_count = a.sign_count, .backed_up = a.flags & AUTH_DATA_BS, .user_verified = a.flags & AUTH_DATA_UV};
	used.counter_back = (a.sign_count || stored->sign_count) && a.sign_count <= stored->sign_count; /* 22 */
	used.backup_flip = used.backed_up != stored->backed_up;
	*ret = used;
	return PASSKEY_OK;
}

enum passkey_check passkey_assert(const struct passkey_expected *x, const struct passkey *stored,
				  const uint8_t user[static PASSKEY_USER_LEN], bool handle_required,
				  const struct passkey_assertion *r, struct passkey_used *ret)
{
	uint8_t hash[HASH_LEN];
	enum passkey_check c = check_asked(stored, r->id);						/* 5 */
	if (c != PASSKEY_OK || (c = check_user(user, handle_required, r->user_handle)) != PASSKEY_OK || /* 6 */
	    (c = check_client(x, "webauthn.get", r->client_data, hash)) != PASSKEY_OK) /* 8 to 14, 20 */
		return c;
	return assert_hash(x, stored, hash, r, ret);
}

enum passkey_check passkey_assert_hash(const struct passkey_expected *x, const struct passkey *stored,
				       const uint8_t client_hash[static 32], const struct passkey_assertion *r,
				       struct passkey_used *ret)
{
	enum passkey_check c = check_asked(stored, r->id);
	return c == PASSKEY_OK ? assert_hash(x, stored, client_hash, r, ret) : c;
}
