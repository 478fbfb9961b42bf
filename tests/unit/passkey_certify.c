#include "config.h"

#include "keeper/cbor.h"
#include "tests/unit/passkey_certify.h"
#include "tests/unit/unit.h"
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY 86400

static struct authority {
	EVP_PKEY *key;
	X509 *x;
} root, ca, foreign;

/* ---- certificates ---- */

static void add_name(X509_NAME *name, const char *what, const char *value, const char *missing)
{
	if (!missing || strcmp(what, missing) != 0)
		assert_int_equal(
		    X509_NAME_add_entry_by_txt(name, what, MBSTRING_UTF8, (const uint8_t *)value, -1, -1, 0), 1);
}

static X509 *begin(EVP_PKEY *key, const struct authority *issuer, int days)
{
	static long serial;
	X509 *x = X509_new();
	assert_non_null(x);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	ASN1_TIME_set(X509_getm_notBefore(x), CERTIFY_NOW + (days - 1) * DAY);
	ASN1_TIME_set(X509_getm_notAfter(x), CERTIFY_NOW + (days + 1) * DAY);
	X509_set_pubkey(x, key);
	if (issuer)
		X509_set_issuer_name(x, X509_get_subject_name(issuer->x));
	return x;
}

static void extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void extend_raw(X509 *x, const char *oid, bool critical, const void *p, size_t n)
{
	ASN1_OBJECT *name = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	assert_int_equal(ASN1_OCTET_STRING_set(value, p, (int)n), 1);
	X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, name, critical, value);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(name);
}

static void authority_make(struct authority *a, const char *name, const struct authority *issuer)
{
	if (a->x)
		return;
	a->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	a->x = begin(a->key, issuer, 0);
	add_name(X509_get_subject_name(a->x), "CN", name, NULL);
	if (!issuer)
		X509_set_issuer_name(a->x, X509_get_subject_name(a->x));
	extend(a->x, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(a->x, issuer ? issuer->key : a->key, EVP_sha256()) > 0);
}

static void authorities(void)
{
	authority_make(&root, "root", NULL);
	authority_make(&ca, "ca", &root);
	authority_make(&foreign, "root", NULL); /* of the same name */
}

void certify_free(void)
{
	struct authority *all[] = {&root, &ca, &foreign};
	for (size_t i = 0; i < COUNT(all); i++) {
		X509_free(all[i]->x);
		EVP_PKEY_free(all[i]->key);
		memset(all[i], 0, sizeof *all[i]);
	}
}

static void add_pem(const X509 *x, struct buf *ret)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	assert_int_equal(PEM_write_bio_X509(b, x), 1);
	long n = BIO_get_mem_data(b, &p);
	buf_add(ret, p, (size_t)n);
	BIO_free(b);
}

void certify_root(struct buf *ret)
{
	authorities();
	add_pem(root.x, ret);
}

void certify_ca(struct buf *ret)
{
	authorities();
	add_pem(ca.x, ret);
}

/* ---- leaves ---- */

static void add_part(X509_NAME *name, const char *oid)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	assert_int_equal(X509_NAME_add_entry_by_OBJ(name, o, MBSTRING_UTF8, (const uint8_t *)"id:0", -1, -1, 0), 1);
	ASN1_OBJECT_free(o);
}

static void add_tpm_names(X509 *x, bool no_manufacturer)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	X509_NAME *name = X509_NAME_new();
	if (!no_manufacturer)
		add_part(name, "2.23.133.2.1");
	add_part(name, "2.23.133.2.2");
	add_part(name, "2.23.133.2.3");
	GENERAL_NAME_set0_value(one, GEN_DIRNAME, name);
	sk_GENERAL_NAME_push(names, one);
	assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 1, X509V3_ADD_APPEND), 1);
	GENERAL_NAMES_free(names);
}

static void add_subject(X509 *x, const struct leaf *l)
{
	X509_NAME *name = X509_get_subject_name(x);
	add_name(name, "C", "AA", l->missing);
	add_name(name, "O", "Kosmo Test", l->missing);
	add_name(name, "OU", l->unit ? l->unit : "Authenticator Attestation", l->missing);
	add_name(name, "CN", "a model", l->missing);
}

static void add_common(X509 *x, const struct leaf *l)
{
	if (l->version)
		X509_set_version(x, l->version - 1);
	if (!l->unconstrained)
		extend(x, NID_basic_constraints, l->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	for (int i = 0; l->aaguid && i < 1 + l->aaguid_twice; i++)
		extend_raw(x, "1.3.6.1.4.1.45724.1.1.4", l->aaguid_critical, l->aaguid, 18);
}

/* A key for leaves that is none of a credential's. */
static EVP_PKEY *leaf_key(const struct leaf *l, const struct make *m)
{
	if (l->credential_key) {
		EVP_PKEY *key = make_key(m->alg ? m->alg : PASSKEY_ES256);
		EVP_PKEY_up_ref(key);
		return key;
	}
	return !l->alg || l->alg == PASSKEY_ES256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
	       : l->alg == PASSKEY_ES384	  ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384")
						  : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
}

static const struct authority *leaf_issuer(enum chain chain)
{
	authorities();
	return chain == CHAIN_FOREIGN ? &foreign : &ca;
}

static void finish(X509 *x, EVP_PKEY *own, enum chain chain)
{
	const struct authority *issuer = leaf_issuer(chain);
	if (chain == CHAIN_SELF)
		X509_set_issuer_name(x, X509_get_subject_name(x));
	assert_true(X509_sign(x, chain == CHAIN_SELF ? own : issuer->key, EVP_sha256()) > 0);
}

/* ---- x5c ---- */

static void add_der(struct buf *b, X509 *x, const char *more, size_t cut)
{
	AUTO_BUF whole = BUF_INIT;
	uint8_t *der = NULL;
	int n = i2d_X509(x, &der);
	assert_true(n > 0);
	buf_add(&whole, der, (size_t)n - cut);
	buf_adds(&whole, more);
	make_bytes(b, whole.data, whole.len);
	OPENSSL_free(der);
}

/* A leaf below the given one, which is no CA. */
static X509 *below(X509 *leaf, EVP_PKEY *key)
{
	const struct authority a = {key, leaf};
	static const struct leaf plain = {0};
	X509 *x = begin(key, &a, 0);
	add_subject(x, &plain);
	add_common(x, &plain);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

static void add_x5c(struct buf *b, X509 *leaf, EVP_PKEY *key, enum chain chain)
{
	static const size_t count[] = {2, 3, 1, 1, 2, 3, 2, 2, 9};
	make_text(b, "x5c");
	make_head(b, CBOR_ARRAY, count[chain]);
	if (chain == CHAIN_LEAF_AS_CA) {
		X509 *x = below(leaf, key);
		add_der(b, x, "", 0);
		X509_free(x);
	}
	add_der(b, leaf, chain == CHAIN_GARBAGE ? "x" : "", 0);
	if (count[chain] > 1)
		add_der(b, chain == CHAIN_FOREIGN ? foreign.x : ca.x, "", chain == CHAIN_CUT);
	for (size_t i = 2; chain == CHAIN_LONG && i < count[chain]; i++)
		add_der(b, root.x, "", 0);
	if (chain == CHAIN_WITH_ROOT)
		add_der(b, root.x, "", 0);
}

/* ---- statements ---- */

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
	EVP_PKEY *key = leaf_key(&c->leaf, m);
	X509 *x = begin(key, leaf_issuer(c->chain), c->leaf.days);
	(void)auth, (void)client;
	add_subject(x, &c->leaf);
	add_common(x, &c->leaf);
	finish(x, key, c->chain);
	make_head(ret, CBOR_MAP, 3);
	add_alg(ret, c);
	add_sig(ret, c, key, signed_bytes);
	add_x5c(ret, x, key, c->chain);
	X509_free(x);
	EVP_PKEY_free(key);
}

void certify_u2f(const struct make *m, const struct buf *auth, const struct buf *client, const struct buf *signed_bytes,
		 struct buf *ret)
{
	const struct certify *c = certify_of(m);
	AUTO_BUF text = BUF_INIT;
	EVP_PKEY *key = leaf_key(&c->leaf, m);
	X509 *x = begin(key, leaf_issuer(CHAIN_WHOLE), c->leaf.days);
	(void)client;
	add_subject(x, &c->leaf);
	add_common(x, &c->leaf);
	finish(x, key, CHAIN_WHOLE);
	buf_addc(&text, '\0');
	buf_add(&text, auth->data, 32);
	buf_add(&text, signed_bytes->data + signed_bytes->len - 32, 32);
	buf_add(&text, auth->data + 55, 32); /* the id */
	buf_addc(&text, 4);
	buf_add(&text, auth->data + 87 + 10, 32);
	buf_add(&text, auth->data + 87 + 45, 32);
	make_head(ret, CBOR_MAP, 2);
	add_sig(ret, c, key, &text);
	make_text(ret, "x5c");
	make_head(ret, CBOR_ARRAY, c->chain == CHAIN_WITH_ROOT ? 2 : 1);
	add_der(ret, x, "", 0);
	if (c->chain == CHAIN_WITH_ROOT)
		add_der(ret, ca.x, "", 0);
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
	X509 *x = begin(key, leaf_issuer(c->chain), c->leaf.days);
	const char *use = c->leaf.use ? c->leaf.use : "2.23.133.8.3";
	if (c->leaf.subject)
		add_subject(x, &c->leaf);
	add_common(x, &c->leaf);
	if (*use)
		extend(x, NID_ext_key_usage, use);
	if (!c->leaf.no_names)
		add_tpm_names(x, c->leaf.no_manufacturer);
	finish(x, key, c->chain);
	return x;
}

void certify_tpm(const struct make *m, const struct buf *auth, const struct buf *client, const struct buf *signed_bytes,
		 struct buf *ret)
{
	const struct certify *c = certify_of(m);
	AUTO_BUF area = BUF_INIT;
	AUTO_BUF info = BUF_INIT;
	EVP_PKEY *key = leaf_key(&c->leaf, m);
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
	add_x5c(ret, x, key, c->chain);
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
	EVP_PKEY *key = leaf_key(&leaf, m);
	X509 *x = begin(key, leaf_issuer(CHAIN_WHOLE), 0);
	/* SEQUENCE of 46 bytes: 3, 1, 3, 1, challenge */
	uint8_t value[49] = {0x30, 0x2e, 2, 1, 3, 10, 1, 1, 2, 1, 3, 10, 1, 1, 4, 32};
	(void)auth, (void)client;
	memcpy(value + 16, signed_bytes->data + signed_bytes->len - 32, 32);
	value[40] ^= c->stale;
	add_subject(x, &leaf);
	add_common(x, &leaf);
	if (!c->no_extension)
		extend_raw(x, "1.3.6.1.4.1.11129.2.1.17", false, value, 48 + c->surplus);
	finish(x, key, CHAIN_WHOLE);
	make_head(ret, CBOR_MAP, 3);
	add_alg(ret, c);
	add_sig(ret, c, key, signed_bytes);
	add_x5c(ret, x, key, CHAIN_WHOLE);
	X509_free(x);
	EVP_PKEY_free(key);
}

void certify_apple(const struct make *m, const struct buf *auth, const struct buf *client,
		   const struct buf *signed_bytes, struct buf *ret)
{
	const struct certify *c = certify_of(m);
	const struct leaf leaf = {.credential_key = !c->leaf.alg};
	EVP_PKEY *key = leaf_key(&leaf, m);
	X509 *x = begin(key, leaf_issuer(CHAIN_WHOLE), 0);
	uint8_t value[40] = {0x30, 0x24, 0xa1, 0x22, 4, 32, [38] = 5, [39] = 0};
	(void)auth, (void)client;
	assert_int_equal(EVP_Digest(signed_bytes->data, signed_bytes->len, value + 6, NULL, EVP_sha256(), NULL), 1);
	value[20] ^= c->stale;
	value[1] = (uint8_t)(value[1] + 2 * c->surplus);
	value[3] = (uint8_t)(value[3] + 2 * c->surplus);
	add_subject(x, &leaf);
	add_common(x, &leaf);
	if (!c->no_extension)
		extend_raw(x, "1.2.840.113635.100.8.2", false, value, c->surplus ? 40 : 38);
	finish(x, key, CHAIN_WHOLE);
	make_head(ret, CBOR_MAP, 1);
	add_x5c(ret, x, key, CHAIN_WHOLE);
	X509_free(x);
	EVP_PKEY_free(key);
}
