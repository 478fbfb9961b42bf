#include "config.h"

#include "keeper/cbor.h"
#include "tests/unit/passkey_chain.h"
#include "tests/unit/unit.h"
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

void chain_extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

void chain_extend_raw(X509 *x, const char *oid, bool critical, const void *p, size_t n)
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
	chain_extend(a->x, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(a->x, issuer ? issuer->key : a->key, EVP_sha256()) > 0);
}

static void authorities(void)
{
	authority_make(&root, "root", NULL);
	authority_make(&ca, "ca", &root);
	authority_make(&foreign, "root", NULL); /* of the same name */
}

void chain_free(void)
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

void chain_root(struct buf *ret)
{
	authorities();
	add_pem(root.x, ret);
}

void chain_ca(struct buf *ret)
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

void chain_tpm_names(X509 *x, bool no_manufacturer)
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

void chain_subject(X509 *x, const struct leaf *l)
{
	X509_NAME *name = X509_get_subject_name(x);
	add_name(name, "C", "AA", l->missing);
	add_name(name, "O", "Kosmo Test", l->missing);
	add_name(name, "OU", l->unit ? l->unit : "Authenticator Attestation", l->missing);
	add_name(name, "CN", "a model", l->missing);
}

void chain_constrain(X509 *x, const struct leaf *l)
{
	if (l->version)
		X509_set_version(x, l->version - 1);
	if (!l->unconstrained)
		chain_extend(x, NID_basic_constraints, l->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	for (int i = 0; l->aaguid && i < 1 + l->aaguid_twice; i++)
		chain_extend_raw(x, "1.3.6.1.4.1.45724.1.1.4", l->aaguid_critical, l->aaguid, 18);
}

EVP_PKEY *chain_key(const struct leaf *l, const struct make *m)
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

X509 *chain_begin(EVP_PKEY *key, enum chain chain, int days)
{
	return begin(key, leaf_issuer(chain), days);
}

void chain_sign(X509 *x, EVP_PKEY *own, enum chain chain)
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
	chain_subject(x, &plain);
	chain_constrain(x, &plain);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

void chain_put(struct buf *b, X509 *leaf, EVP_PKEY *key, enum chain chain)
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
