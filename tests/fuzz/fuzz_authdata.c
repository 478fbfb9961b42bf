/* Any bytes as authenticator data: what is taken lies within it, each byte is somebody's, and the key in it is refused
 * or built. */
#include "config.h"

#include "keeper/auth_data.h"
#include "tests/fuzz/fuzz.h"
#include <openssl/evp.h>
#include <string.h>

static void look_key(const struct cose_key *k)
{
	EVP_PKEY *key = NULL;
	enum passkey_check r = cose_key(k, &key);
	CHECK(r == PASSKEY_OK || r == PASSKEY_ALG || r == PASSKEY_KEY_FORM || r == PASSKEY_POINT);
	CHECK((r == PASSKEY_OK) == (key != NULL));
	CHECK(!key || cose_fits(k->alg, key));
	EVP_PKEY_free(key);
}

static bool look_credential(struct auth_data *a, const uint8_t *data, size_t n)
{
	enum passkey_check r = auth_data_credential(a);
	CHECK(r == PASSKEY_OK || r == PASSKEY_AUTH_FORM || r == PASSKEY_ID_LENGTH || r == PASSKEY_KEY_FORM);
	if (r != PASSKEY_OK)
		return false;
	CHECK(a->aaguid == data + 37 && a->id.p == data + 55 && a->id.n > 0 && a->id.n <= PASSKEY_ID_MAX);
	CHECK(a->key.whole.p == a->id.p + a->id.n && a->key.whole.n <= PASSKEY_KEY_MAX);
	CHECK(a->rest.p == a->key.whole.p + a->key.whole.n && a->rest.p <= data + n);
	look_key(&a->key);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct auth_data a;
	enum passkey_check r = auth_data_head((struct passkey_bytes){data, n}, &a);
	CHECK((r == PASSKEY_OK) == (n >= 37 && n <= PASSKEY_AUTH_MAX));
	if (r != PASSKEY_OK)
		return 0;
	CHECK(a.flags == data[32] && a.rp_id_hash == data);
	if (a.flags & AUTH_DATA_AT) {
		if (!look_credential(&a, data, n))
			return 0;
	} else {
		CHECK(auth_data_credential(&a) == PASSKEY_NO_CREDENTIAL);
	}
	r = auth_data_tail(&a);
	CHECK(r == PASSKEY_OK || r == PASSKEY_AUTH_FORM || r == PASSKEY_EXTENSIONS);
	CHECK(r != PASSKEY_OK || a.rest.p == data + n);
	return 0;
}
