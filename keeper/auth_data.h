/* Authenticator data (Web Authentication Level 3, section 6.1) and attested credential data (6.5.1). What is returned
 * points into the caller's bytes. */
#ifndef KOSMO_AUTH_DATA_H
#define KOSMO_AUTH_DATA_H

#include "keeper/cose.h"

#define AUTH_DATA_UP 0x01
#define AUTH_DATA_UV 0x04
#define AUTH_DATA_BE 0x08
#define AUTH_DATA_BS 0x10
#define AUTH_DATA_AT 0x40
#define AUTH_DATA_ED 0x80

struct auth_data {
	struct passkey_bytes whole;
	const uint8_t *rp_id_hash; /* 32 bytes */
	uint8_t flags;
	uint32_t sign_count;
	struct cbor rest; /* what the next two have not read yet */
	/* of auth_data_credential */
	const uint8_t *aaguid; /* PASSKEY_AAGUID_LEN bytes */
	struct passkey_bytes id;
	struct cose_key key;
};

/* The first 37 bytes. PASSKEY_AUTH_FORM: shorter, or over PASSKEY_AUTH_MAX. */
enum passkey_check auth_data_head(struct passkey_bytes b, struct auth_data *ret);
/* The credential behind them. PASSKEY_NO_CREDENTIAL: flag AT is not set. PASSKEY_AUTH_FORM: cut. PASSKEY_ID_LENGTH,
 * PASSKEY_KEY_FORM. */
enum passkey_check auth_data_credential(struct auth_data *a);
/* The extensions, if flag ED says that there are some; then the end. PASSKEY_EXTENSIONS, PASSKEY_AUTH_FORM. */
enum passkey_check auth_data_tail(struct auth_data *a);

#endif
