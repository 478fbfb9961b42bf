/* clientDataJSON (Web Authentication Level 3, section 5.8.1): a small strict JSON reader (RFC 8259) for this one
 * object. UTF-8 alone, a byte order mark before it is skipped (hash the raw bytes all the same), a member twice is
 * refused after unescaping, members that are not known may hold any valid value of at most CLIENT_DATA_DEPTH levels. */
#ifndef KOSMO_CLIENT_DATA_H
#define KOSMO_CLIENT_DATA_H

#include "keeper/passkey.h"

#define CLIENT_DATA_DEPTH   16
#define CLIENT_DATA_MEMBERS 64 /* of the object itself */

struct client_data {
	struct passkey_bytes type, challenge, origin; /* unescaped, not ended by a NUL */
	struct passkey_bytes top_origin;	      /* p NULL: not there */
	bool cross_origin;			      /* false if not there */
	uint8_t text[PASSKEY_CLIENT_MAX];	      /* what the above point into: copy no such struct */
};

/* False: over PASSKEY_CLIENT_MAX bytes, or not as above; *ret is then worth nothing. */
bool client_data_parse(struct passkey_bytes json, struct client_data *ret);
/* PASSKEY_OK if its challenge is exactly the base64url form (RFC 4648 section 5, no padding) of these bytes, which are
 * at least 16; else PASSKEY_CHALLENGE, or PASSKEY_INTERNAL without memory. Constant time. */
enum passkey_check client_data_challenge(const struct client_data *c, struct passkey_bytes challenge);

#endif
