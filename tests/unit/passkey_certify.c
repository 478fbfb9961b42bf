#include "config.h"

#include "keeper/cbor.h"
#include "tests/unit/passkey_certify.h"
#include "tests/unit/unit.h"
#include <openssl/core_names.h>
#include <openssl/x509v3.h>

static const struct certify *certify_of(const struct make *m)
{
	static const struct certify plain = {.alg = 0};
	return m->how ? m->how : &plain;
}

static int32_t leaf_alg(const struct certify *c)
{
	return c->leaf.alg ? c->leaf.alg : PASSKEY_ES256;
}

static void add_alg(struct buf *b, const struct certify *c)
{
	make_text(b, "alg");
	make_int(b, c->alg ? c->alg : leaf_alg(c));
}

static void add_sig(struct buf *b, const struct certify *c, EVP_PKEY *key, const struct buf *text)
{
	AUTO_BUF sig = BUF_INIT;
	make_sign(leaf_alg(c), key, text->data, text->len - c->bad_signature, &sig);
	make_text(b, "sig");
	make_bytes(b, sig.data, sig.len);
}

void certify_packed(const struct make *m, const struct buf *auth, const struct buf *client,
		    const struct buf *signed_bytes, struct buf *ret)
{
	const struct certify *c = certify_of(m);
	EVP_PKEY *key = chain_key(&c->leaf, m);
	X509 *x = chain_begin(key, c->chain, c->leaf.days);
	(void)auth, (void)client;
	chain_subject(x, &c->leaf);
	chain_constrain(x, &c->leaf);
	chain_sign(x, key, c->chain);
	make_head(ret, CBOR_MAP, 3);
	add_alg(ret, c);
	add_sig(ret, c, key, signed_bytes);
	chain_put(ret, x, key, c->chain);
	X509_free(x);
	EVP_PKEY_free(key);
}

void certify_u2f(const struct make *m, const struct buf *auth, const struct buf *client, const struct buf *signed_bytes,
		 struct buf *ret)
{
	const struct certify *c = certify_of(m);
	AUTO_BUF text = BUF_INIT;
	EVP_PKEY *key = chain_key(&c->leaf, m);
	X509 *x = chain_begin(key, CHAIN_WHOLE, c->leaf.days);
	(void)client;
	chain_subject(x, &c->leaf);
	chain_constrain(x, &c->leaf);
	chain_sign(x, key, CHAIN_WHOLE);
	buf_addc(&text, '\0');
	buf_add(&text, auth->data, 32);
	buf_add(&text, signed_bytes->data + signed_bytes->len - 32, 32);
	buf_add(&text, auth->data + 55, 32); /* the id */
	buf_addc(&text, 4);
	buf_add(&text, auth->data + 87 + 10, 32);
	buf_add(&text, auth->data + 87 + 45, 32);
	make_head(ret, CBOR_MAP, 2);
	add_sig(ret, c, key, &text);
	chain_put(ret, x, key, c->chain == CHAIN_WITH_ROOT ? CHAIN_WHOLE : CHAIN_LEAF);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* ---- TPM (TPM 2.0 Library, part 2: 12.2.4, 10.12.12) ---- */

static void splice(const struct splice *s, struct buf *b)
{
	const struct make m = {.splice = {*s}};
	if (s->part)
		make_splice(&m, s->part, b);
}

static void add_sized(struct buf *b, const void *p, size_t n)
{
	buf_add_u16(b, (uint16_t)n);
	buf_add(b, p, n);
}

static void add_area(const struct make *m, struct buf *ret)
{
	uint8_t p[520];
	size_t n = 0;
	BIGNUM *modulus = NULL;
	bool rsa = m->alg == PASSKEY_RS256;
	EVP_PKEY *key = make_key(rsa ? PASSKEY_RS256 : PASSKEY_ES256);
	buf_add_u16(ret, rsa ? 0x0001 : 0x0023);
	buf_add_u16(ret, 0x000b);
	buf_add_u32(ret, 0x00060472);
	add_sized(ret, "policy", 6);
	buf_add_u16(ret, 0x0010); /* no symmetric algorithm */
	buf_add_u16(ret, rsa ? 0x0014 : 0x0018);
	buf_add_u16(ret, 0x000b);
	if (rsa) {
		assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus), 1);
		buf_add_u16(ret, 2048);
		buf_add_u32(ret, 0); /* 65537 */
		add_sized(ret, p, (size_t)BN_bn2bin(modulus, p));
		BN_free(modulus);
		return;
	}
	buf_add_u16(ret, 0x0003);
	buf_add_u16(ret, 0x0010); /* no key derivation */
	assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, p, sizeof p, &n), 1);
	add_sized(ret, p + 1, 32);
	add_sized(ret, p + 33, 32);
}

static void add_info(const struct buf *area, const struct buf *signed_bytes, struct buf *ret)
{
	uint8_t extra[32], name[34] = {0x00, 0x0b};
	assert_int_equal(EVP_Digest(signed_bytes->data, signed_bytes->len, extra, NULL, EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_Digest(area->data, area->len, name + 2, NULL, EVP_sha256(), NULL), 1);
	buf_add_u32(ret, 0xff544347);
	buf_add_u16(ret, 0x8017);
	add_sized(ret, "signer", 6);
	add_sized(ret, extra, sizeof extra);
	buf_add_u64(ret, 1);
	buf_add_u64(ret, 2);
	buf_addc(ret, 1);
	buf_add_u64(ret, 3);
	add_sized(ret, name, sizeof name);
	add_sized(ret, "qualified", 9);
}

static X509 *tpm_certificate(const struct certify *c, EVP_PKEY *key)
{
	X509 *x = chain_begin(key, c->chain, c->leaf.days);
	const char *use = c->leaf.use ? c->leaf.use : "2.23.133.8.3";
	if (c->leaf.subject)
		chain_subject(x, &c->leaf);
	chain_constrain(x, &c->leaf);
	if (*use)
		chain_extend(x, NID_ext_key_usage, use);
	if (!c->leaf.no_names)
		chain_tpm_names(x, c->leaf.no_manufacturer);
	chain_sign(x, key, c->chain);
	return x;
}

void certify_tpm(const struct make *m, const struct buf *auth, const struct buf *client, const struct buf *signed_bytes,
		 struct buf *ret)
{
	const struct certify *c = certify_of(m);
	AUTO_BUF area = BUF_INIT;
	AUTO_BUF info = BUF_INIT;
	EVP_PKEY *key = chain_key(&c->leaf, m);
	X509 *x = tpm_certificate(c, key);
	(void)auth, (void)client;
	add_area(m, &area);
	splice(&c->area, &area);
	add_info(&area, signed_bytes, &info);
	splice(&c->info, &info);
	make_head(ret, CBOR_MAP, 6);
	add_alg(ret, c);
	add_sig(ret, c, key, &info);
	make_text(ret, "ver");
	make_text(ret, "2.0");
	chain_put(ret, x, key, c->chain);
	make_text(ret, "pubArea");
	make_bytes(ret, area.data, area.len);
	make_text(ret, "certInfo");
	make_bytes(ret, info.data, info.len);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* ---- phones ---- */

void certify_android(const struct make *m, const struct buf *auth, const struct buf *client,
		     const struct buf *signed_bytes, struct buf *ret)
{
	const struct certify *c = certify_of(m);
	const struct leaf leaf = {.credential_key = !c->leaf.alg};
	EVP_PKEY *key = chain_key(&leaf, m);
	X509 *x = chain_begin(key, CHAIN_WHOLE, 0);
	/* SEQUENCE of 46 bytes: 3, 1, 3, 1, challenge */
	uint8_t value[49] = {0x30, 0x2e, 2, 1, 3, 10, 1, 1, 2, 1, 3, 10, 1, 1, 4, 32};
	(void)auth, (void)client;
	memcpy(value + 16, signed_bytes->data + signed_bytes->len - 32, 32);
	value[40] ^= c->stale;
	chain_subject(x, &leaf);
	chain_constrain(x, &leaf);
	if (!c->no_extension)
		chain_extend_raw(x, "1.3.6.1.4.1.11129.2.1.17", false, value, 48 + c->surplus);
	chain_sign(x, key, CHAIN_WHOLE);
	make_head(ret, CBOR_MAP, 3);
	add_alg(ret, c);
	add_sig(ret, c, key, signed_bytes);
	chain_put(ret, x, key, CHAIN_WHOLE);
	X509_free(x);
	EVP_PKEY_free(key);
}

void certify_apple(const struct make *m, const struct buf *auth, const struct buf *client,
		   const struct buf *signed_bytes, struct buf *ret)
{
	const struct certify *c = certify_of(m);
	const struct leaf leaf = {.credential_key = !c->leaf.alg};
	EVP_PKEY *key = chain_key(&leaf, m);
	X509 *x = chain_begin(key, CHAIN_WHOLE, 0);
	uint8_t value[40] = {0x30, 0x24, 0xa1, 0x22, 4, 32, [38] = 5, [39] = 0};
	(void)auth, (void)client;
	assert_int_equal(EVP_Digest(signed_bytes->data, signed_bytes->len, value + 6, NULL, EVP_sha256(), NULL), 1);
	value[20] ^= c->stale;
	value[1] = (uint8_t)(value[1] + 2 * c->surplus);
	value[3] = (uint8_t)(value[3] + 2 * c->surplus);
	chain_subject(x, &leaf);
	chain_constrain(x, &leaf);
	if (!c->no_extension)
		chain_extend_raw(x, "1.2.840.113635.100.8.2", false, value, c->surplus ? 40 : 38);
	chain_sign(x, key, CHAIN_WHOLE);
	make_head(ret, CBOR_MAP, 1);
	chain_put(ret, x, key, CHAIN_WHOLE);
	X509_free(x);
	EVP_PKEY_free(key);
}
