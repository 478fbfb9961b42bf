#include "config.h"

#include "keeper/passkey_statement.h"
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

#define OID_AAGUID "1.3.6.1.4.1.45724.1.1.4"

/* What OpenSSL cannot make sense of, in whatever extension, is refused too. */
bool certificate_is_leaf(X509 *x)
{
	uint32_t flags = X509_get_extension_flags(x);
	return X509_get_version(x) == X509_VERSION_3 && flags & EXFLAG_BCONS && !(flags & (EXFLAG_CA | EXFLAG_INVALID));
}

int certificate_extension(X509 *x, const char *oid, struct passkey_bytes *ret, bool *ret_critical)
{
	ASN1_OBJECT *name = OBJ_txt2obj(oid, 1);
	int r = -1, at;
	if (!name)
		return -1;
	at = X509_get_ext_by_OBJ(x, name, -1);
	if (at < 0) {
		r = 0;
	} else if (X509_get_ext_by_OBJ(x, name, at) < 0) {
		X509_EXTENSION *e = X509_get_ext(x, at);
		const ASN1_OCTET_STRING *s = X509_EXTENSION_get_data(e);
		*ret = (struct passkey_bytes){ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
		*ret_critical = X509_EXTENSION_get_critical(e);
		r = 1;
	}
	ASN1_OBJECT_free(name);
	return r;
}

bool certificate_aaguid(X509 *x, const uint8_t aaguid[static PASSKEY_AAGUID_LEN])
{
	static const uint8_t head[2] = {V_ASN1_OCTET_STRING, PASSKEY_AAGUID_LEN};
	struct passkey_bytes value;
	bool critical;
	int there = certificate_extension(x, OID_AAGUID, &value, &critical);
	if (there <= 0)
		return there == 0;
	return !critical && value.n == sizeof head + PASSKEY_AAGUID_LEN && memcmp(value.p, head, sizeof head) == 0 &&
	       memcmp(value.p + sizeof head, aaguid, PASSKEY_AAGUID_LEN) == 0;
}

bool certificate_key_is(X509 *x, const EVP_PKEY *key)
{
	const EVP_PKEY *own = X509_get0_pubkey(x);
	return own && EVP_PKEY_eq(own, key) == 1;
}
