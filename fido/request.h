/* What the module wants signed, as it comes over the wire. */
#ifndef KOSMO_FIDO_REQUEST_H
#define KOSMO_FIDO_REQUEST_H

#include "common/err.h"
#include "common/wire.h"
#include <stddef.h>
#include <stdint.h>

#define REQUEST_ALLOW_MAX   16
#define REQUEST_ID_MAX	    1023 /* bytes of a credential id (Web Authentication 3, section 7.1 step 25) */
#define REQUEST_RP_MAX	    253	 /* characters of a host's name */
#define REQUEST_HASH_LEN    32
#define REQUEST_SECONDS_MAX 120

/* Points into the message. */
struct request {
	const char *rp_id;
	const uint8_t *hash; /* REQUEST_HASH_LEN bytes: stands for clientDataHash */
	size_t n;	     /* at least 1 */
	struct request_bytes {
		const uint8_t *p;
		size_t n;
	} allow[REQUEST_ALLOW_MAX]; /* credential ids */
	int64_t seconds;	    /* how long a touch is waited for */
};

/* "get" with rp_id, hash, seconds, allow.0, allow.1, ...; ERR_INVALID for anything else. */
enum err request_read(const struct wire_msg *m, struct request *ret);

#endif
