#include "config.h"

#include "keeper/cose.h"
#include "tests/unit/passkey_make.h"
#include "tests/unit/unit.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>

static const struct {
	int32_t alg;
	const char *type, *group, *digest;
	int64_t kind, curve;
} algs[] = {
    {PASSKEY_ES256, "EC", "P-256", "SHA256", COSE_EC2, 1}, {PASSKEY_ES384, "EC", "P-384", "SHA384", COSE_EC2, 2},
    {PASSKEY_ES512, "EC", "P-521", "SHA512", COSE_EC2, 3}, {PASSKEY_EDDSA, "ED25519", NULL, NULL, COSE_OKP, 6},
    {PASSKEY_ED448, "ED448", NULL, NULL, COSE_OKP, 7},	   {PASSKEY_RS256, "RSA", NULL, "SHA256", COSE_RSA, 0},
};
static EVP_PKEY *keys[COUNT(algs)];

static size_t alg_row(int32_t alg)
{
	size_t i = 0;
	while (i < COUNT(algs) && algs[i].alg != alg)
		i++;
	assert_true(i < COUNT(algs));
	return i;
}

EVP_PKEY *make_key(int32_t alg)
{
	size_t i = alg_row(alg);
	if (keys[i])
		return keys[i];
	keys[i] = algs[i].group			     ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", algs[i].group)
		  : strcmp(algs[i].type, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
						     : EVP_PKEY_Q_keygen(NULL, NULL, algs[i].type);
	assert_non_null(keys[i]);
	return keys[i];
}

void make_keys_free(void)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		EVP_PKEY_free(keys[i]);
		keys[i] = NULL;
	}
}

/* ---- CBOR ---- */

void make_head(struct buf *b, unsigned kind, uint64_t n)
{
	kind <<= 5;
	if (n < 24) {
		buf_addc(b, (char)(kind | n));
	} else if (n < 0x100) {
		buf_addc(b, (char)(kind | 24));
		buf_addc(b, (char)n);
	} else if (n < 0x10000) {
		buf_addc(b, (char)(kind | 25));
		buf_add_u16(b, (uint16_t)n);
	} else {
		buf_addc(b, (char)(kind | 26));
		buf_add_u32(b, (uint32_t)n);
	}
}

void make_text(struct buf *b, const char *s)
{
	make_head(b, CBOR_TEXT, strlen(s));
	buf_adds(b, s);
}

void make_bytes(struct buf *b, const void *p, size_t n)
{
	make_head(b, CBOR_BYTES, n);
	buf_add(b, p, n);
}

void make_int(struct buf *b, int64_t v)
{
	make_head(b, v < 0, (uint64_t)(v < 0 ? -1 - v : v));
}

struct passkey_bytes make_view(const struct buf *b)
{
	return (struct passkey_bytes){b->data, b->len};
}

static void add_member(struct buf *b, int64_t label, const void *p, size_t n)
{
	make_int(b, label);
	make_bytes(b, p, n);
}

static void add_number(struct buf *b, EVP_PKEY *key, const char *name, int64_t label)
{
	uint8_t bytes[1024];
	BIGNUM *n = NULL;
	assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
	add_member(b, label, bytes, (size_t)BN_bn2bin(n, bytes));
	BN_free(n);
}

void make_cose(int32_t alg, EVP_PKEY *key, struct buf *ret)
{
	size_t i = alg_row(alg), n = 0;
	uint8_t p[256];
	make_head(ret, CBOR_MAP, algs[i].kind == COSE_EC2 ? 5 : 4);
	make_int(ret, 1);
	make_int(ret, algs[i].kind);
	make_int(ret, 3);
	make_int(ret, alg);
	if (algs[i].kind == COSE_RSA) {
		add_number(ret, key, OSSL_PKEY_PARAM_RSA_N, -1);
		add_number(ret, key, OSSL_PKEY_PARAM_RSA_E, -2);
		return;
	}
	make_int(ret, -1);
	make_int(ret, algs[i].curve);
	assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, p, sizeof p, &n), 1);
	if (algs[i].kind == COSE_OKP) {
		add_member(ret, -2, p, n);
		return;
	}
	add_member(ret, -2, p + 1, n / 2);
	add_member(ret, -3, p + 1 + n / 2, n / 2);
}

void make_sign(int32_t alg, EVP_PKEY *key, const void *p, size_t n, struct buf *ret)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[1024];
	size_t len = sizeof sig;
	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, algs[alg_row(alg)].digest, NULL, NULL, key, NULL), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, p, n), 1);
	EVP_MD_CTX_free(ctx);
	buf_add(ret, sig, len);
}

/* ---- ceremonies ---- */

void make_splice(const struct make *m, enum part part, struct buf *b)
{
	for (size_t i = 0; i < COUNT(m->splice); i++) {
		const struct splice *s = &m->splice[i];
		AUTO_BUF whole = BUF_INIT;
		if (s->part != part)
			continue;
		size_t at = s->at == MAKE_END ? b->len : s->at < 0 ? b->len - (size_t)-s->at : (size_t)s->at;
		assert_true(at <= b->len);
		size_t drop = s->drop == MAKE_REST ? b->len - at : s->drop;
		assert_true(at + drop <= b->len);
		buf_add(&whole, b->data, at);
		buf_add(&whole, s->put, s->n);
		buf_add(&whole, b->data + at + drop, b->len - at - drop);
		buf_wipe(b);
		buf_add(b, whole.data, whole.len);
	}
}

static const char *or_else(const char *s, const char *otherwise)
{
	return s ? s : otherwise;
}

static void add_client(const struct make *m, const char *type, struct buf *ret)
{
	if (m->json)
		buf_adds(ret, m->json);
	else
		buf_addf(ret, "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\",\"crossOrigin\":%s%s}",
			 or_else(m->type, type), or_else(m->challenge, MAKE_CHALLENGE), or_else(m->origin, MAKE_ORIGIN),
			 m->cross ? "true" : "false", or_else(m->more, ""));
	make_splice(m, PART_CLIENT, ret);
}

static void add_sha256(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = buf_room(b, 32);
	assert_non_null(to);
	assert_int_equal(EVP_Digest(p, n, to, NULL, EVP_sha256(), NULL), 1);
	b->len += 32;
}

static void add_auth_head(const struct make *m, uint8_t flags, struct buf *ret)
{
	const char *rp = or_else(m->rp_id, MAKE_RP);
	add_sha256(ret, rp, strlen(rp));
	buf_addc(ret, (char)(m->flags ? m->flags : flags));
	buf_add_u32(ret, m->count ? m->count : MAKE_COUNT);
}

static void add_credential(const struct make *m, struct made *ret)
{
	static const char id[] = "the credential's own id, 32 byte";
	static const uint8_t aaguid[] = {0xcb, 0x69, 0x48, 0x1e, 0x8f, 0xf7, 0x40, 0x39,
					 0x93, 0xec, 0x0a, 0x27, 0x29, 0xa1, 0x54, 0xa8};
	int32_t alg = m->alg ? m->alg : PASSKEY_ES256;
	buf_add(&ret->id, id, 32);
	make_splice(m, PART_ID, &ret->id);
	make_cose(alg, make_key(alg), &ret->key);
	make_splice(m, PART_KEY, &ret->key);
	buf_add(&ret->auth, aaguid, sizeof aaguid);
	buf_add_u16(&ret->auth, (uint16_t)ret->id.len);
	buf_add(&ret->auth, ret->id.data, ret->id.len);
	buf_add(&ret->auth, ret->key.data, ret->key.len);
}

/* Section 8.2, self attestation. */
void make_packed_self(const struct make *m, const struct buf *auth, const struct buf *client,
		      const struct buf *signed_bytes, struct buf *ret)
{
	int32_t alg = m->alg ? m->alg : PASSKEY_ES256;
	AUTO_BUF sig = BUF_INIT;
	(void)auth, (void)client;
	make_sign(alg, m->signer ? m->signer : make_key(alg), signed_bytes->data, signed_bytes->len, &sig);
	make_splice(m, PART_SIGNATURE, &sig);
	make_head(ret, CBOR_MAP, 2);
	make_text(ret, "alg");
	make_int(ret, alg);
	make_text(ret, "sig");
	make_bytes(ret, sig.data, sig.len);
}

void make_registration(const struct make *m, struct made *ret)
{
	AUTO_BUF statement = BUF_INIT;
	AUTO_BUF text = BUF_INIT;
	memset(ret, 0, sizeof *ret);
	add_client(m, "webauthn.create", &ret->client);
	add_auth_head(m, 0x45, &ret->auth);
	add_credential(m, ret);
	make_splice(m, PART_AUTH, &ret->auth);
	buf_add(&text, ret->auth.data, ret->auth.len);
	add_sha256(&text, ret->client.data, ret->client.len);
	if (m->attest)
		m->attest(m, &ret->auth, &ret->client, &text, &statement);
	else
		make_head(&statement, CBOR_MAP, 0);
	make_splice(m, PART_STATEMENT, &statement);
	make_head(&ret->object, CBOR_MAP, 3);
	make_text(&ret->object, "fmt");
	make_text(&ret->object, or_else(m->format, m->attest == make_packed_self ? "packed" : "none"));
	make_text(&ret->object, "attStmt");
	buf_add(&ret->object, statement.data, statement.len);
	make_text(&ret->object, "authData");
	make_bytes(&ret->object, ret->auth.data, ret->auth.len);
	make_splice(m, PART_OBJECT, &ret->object);
}

void make_assertion(const struct make *m, struct made *ret)
{
	int32_t alg = m->alg ? m->alg : PASSKEY_ES256;
	AUTO_BUF text = BUF_INIT;
	memset(ret, 0, sizeof *ret);
	add_client(m, "webauthn.get", &ret->client);
	add_credential(m, ret);
	buf_wipe(&ret->auth);
	add_auth_head(m, 0x05, &ret->auth);
	make_splice(m, PART_AUTH, &ret->auth);
	buf_add(&text, ret->auth.data, ret->auth.len);
	add_sha256(&text, ret->client.data, ret->client.len);
	make_sign(alg, m->signer ? m->signer : make_key(alg), text.data, text.len, &ret->signature);
	make_splice(m, PART_SIGNATURE, &ret->signature);
}

void made_free(struct made *m)
{
	buf_free(&m->client);
	buf_free(&m->id);
	buf_free(&m->key);
	buf_free(&m->auth);
	buf_free(&m->object);
	buf_free(&m->signature);
}
