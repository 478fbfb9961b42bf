#include "config.h"

#include "keeper/cose.h"
#include "tests/unit/second_opinion.h"
#include "tests/unit/unit.h"
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/es384.h>
#include <fido/rs256.h>
#include <openssl/evp.h>

static void client_hash(struct passkey_bytes client, uint8_t ret[static 32])
{
	assert_int_equal(EVP_Digest(client.p, client.n, ret, NULL, EVP_sha256(), NULL), 1);
}

bool second_registration(const struct passkey_expected *x, int32_t alg, struct passkey_bytes client,
			 struct passkey_bytes auth, struct passkey_bytes signature)
{
	uint8_t hash[32];
	fido_cred_t *c = fido_cred_new();
	assert_non_null(c);
	client_hash(client, hash);
	bool ok = fido_cred_set_type(c, alg) == FIDO_OK && fido_cred_set_clientdata_hash(c, hash, 32) == FIDO_OK &&
		  fido_cred_set_rp(c, x->rp_id, NULL) == FIDO_OK &&
		  fido_cred_set_uv(c, x->require_uv ? FIDO_OPT_TRUE : FIDO_OPT_OMIT) == FIDO_OK &&
		  fido_cred_set_fmt(c, "packed") == FIDO_OK &&
		  fido_cred_set_authdata_raw(c, auth.p, auth.n) == FIDO_OK &&
		  fido_cred_set_sig(c, signature.p, signature.n) == FIDO_OK && fido_cred_verify_self(c) == FIDO_OK;
	fido_cred_free(&c);
	return ok;
}

/* libfido2 takes the keys as OpenSSL has them, so ours is built by our own code first; what cannot be built is a no. */
static bool verify(const fido_assert_t *a, int32_t alg, EVP_PKEY *key)
{
	bool ok = false;
	es256_pk_t *es256 = es256_pk_new();
	es384_pk_t *es384 = es384_pk_new();
	rs256_pk_t *rs256 = rs256_pk_new();
	eddsa_pk_t *eddsa = eddsa_pk_new();
	if (alg == PASSKEY_ES256)
		ok = es256_pk_from_EVP_PKEY(es256, key) == FIDO_OK && fido_assert_verify(a, 0, alg, es256) == FIDO_OK;
	else if (alg == PASSKEY_ES384)
		ok = es384_pk_from_EVP_PKEY(es384, key) == FIDO_OK && fido_assert_verify(a, 0, alg, es384) == FIDO_OK;
	else if (alg == PASSKEY_RS256)
		ok = rs256_pk_from_EVP_PKEY(rs256, key) == FIDO_OK && fido_assert_verify(a, 0, alg, rs256) == FIDO_OK;
	else if (alg == PASSKEY_EDDSA)
		ok = eddsa_pk_from_EVP_PKEY(eddsa, key) == FIDO_OK && fido_assert_verify(a, 0, alg, eddsa) == FIDO_OK;
	es256_pk_free(&es256);
	es384_pk_free(&es384);
	rs256_pk_free(&rs256);
	eddsa_pk_free(&eddsa);
	return ok;
}

static EVP_PKEY *key_of(struct passkey_bytes cose)
{
	struct cbor c = cbor_over(cose.p, cose.n);
	struct cose_key k;
	EVP_PKEY *key = NULL;
	if (cose_take(&c, &k) == PASSKEY_OK)
		(void)cose_key(&k, &key);
	return key;
}

bool second_assertion(const struct passkey_expected *x, int32_t alg, struct passkey_bytes cose,
		      struct passkey_bytes client, struct passkey_bytes auth, struct passkey_bytes signature)
{
	uint8_t hash[32];
	fido_assert_t *a = fido_assert_new();
	EVP_PKEY *key = key_of(cose);
	assert_non_null(a);
	client_hash(client, hash);
	bool ok = key && fido_assert_set_clientdata_hash(a, hash, 32) == FIDO_OK &&
		  fido_assert_set_rp(a, x->rp_id) == FIDO_OK && fido_assert_set_count(a, 1) == FIDO_OK &&
		  fido_assert_set_up(a, FIDO_OPT_TRUE) == FIDO_OK &&
		  fido_assert_set_uv(a, x->require_uv ? FIDO_OPT_TRUE : FIDO_OPT_OMIT) == FIDO_OK &&
		  fido_assert_set_authdata_raw(a, 0, auth.p, auth.n) == FIDO_OK &&
		  fido_assert_set_sig(a, 0, signature.p, signature.n) == FIDO_OK && verify(a, alg, key);
	EVP_PKEY_free(key);
	fido_assert_free(&a);
	return ok;
}
