#include "config.h"

#include "keeper/auth_data.h"
#include <string.h>

#define HASH_LEN 32
#define HEAD_LEN (HASH_LEN + 1 + 4)

enum passkey_check auth_data_head(struct passkey_bytes b, struct auth_data *ret)
{
	if (!b.p || b.n < HEAD_LEN || b.n > PASSKEY_AUTH_MAX)
		return PASSKEY_AUTH_FORM;
	const uint8_t *count = b.p + HASH_LEN + 1;
	*ret = (struct auth_data){
	    .whole = b,
	    .rp_id_hash = b.p,
	    .flags = b.p[HASH_LEN],
	    .sign_count = (uint32_t)count[0] << 24 | (uint32_t)count[1] << 16 | (uint32_t)count[2] << 8 | count[3],
	    .rest = cbor_over(b.p + HEAD_LEN, b.n - HEAD_LEN),
	};
	return PASSKEY_OK;
}

enum passkey_check auth_data_credential(struct auth_data *a)
{
	if (!(a->flags & AUTH_DATA_AT))
		return PASSKEY_NO_CREDENTIAL;
	if (cbor_left(&a->rest) < PASSKEY_AAGUID_LEN + 2)
		return PASSKEY_AUTH_FORM;
	a->aaguid = a->rest.p;
	const uint8_t *len = a->rest.p + PASSKEY_AAGUID_LEN;
	a->id.n = (size_t)len[0] << 8 | len[1];
	a->rest.p = a->id.p = len + 2;
	if (a->id.n == 0 || a->id.n > PASSKEY_ID_MAX)
		return PASSKEY_ID_LENGTH;
	if (cbor_left(&a->rest) < a->id.n)
		return PASSKEY_AUTH_FORM;
	a->rest.p += a->id.n;
	return cose_take(&a->rest, &a->key);
}

/* Section 9.5: a map by extension identifiers. */
static bool auth_data_extensions(struct cbor *c)
{
	struct cbor_key key = {NULL, 0};
	const char *id;
	size_t pairs, n;
	if (!cbor_map(c, &pairs))
		return false;
	while (pairs--)
		if (!cbor_key_text(c, &key, &id, &n) || !cbor_skip(c, CBOR_DEPTH_MAX - 1))
			return false;
	return true;
}

enum passkey_check auth_data_tail(struct auth_data *a)
{
	if (a->flags & AUTH_DATA_ED && !auth_data_extensions(&a->rest))
		return PASSKEY_EXTENSIONS;
	return cbor_at_end(&a->rest) ? PASSKEY_OK : PASSKEY_AUTH_FORM;
}
