/* What libfido2 says of the same bytes. It checks no clientDataJSON (it takes its hash), no counter, no backup flags,
 * no user handle, no certificate chain and no trailing bytes; of the algorithms ES512 and Ed448 are unknown to it, and
 * RSA of other than 2048 bits; "none" and "self" of other formats than packed it cannot verify. */
#ifndef KOSMO_SECOND_OPINION_H
#define KOSMO_SECOND_OPINION_H

#include "keeper/passkey.h"

/* packed self attestation under this alg */
bool second_registration(const struct passkey_expected *x, int32_t alg, struct passkey_bytes client,
			 struct passkey_bytes auth, struct passkey_bytes signature);
/* key: COSE_Key, as stored */
bool second_assertion(const struct passkey_expected *x, int32_t alg, struct passkey_bytes key,
		      struct passkey_bytes client, struct passkey_bytes auth, struct passkey_bytes signature);

#endif
