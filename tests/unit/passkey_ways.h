/* Ways in which a ceremony is broken, each in one place. */
#ifndef KOSMO_PASSKEY_WAYS_H
#define KOSMO_PASSKEY_WAYS_H

#include "tests/unit/passkey_make.h"

enum second {
	SECOND_SAME,	  /* libfido2 gives the same verdict */
	SECOND_OTHERWISE, /* it is laxer (or, of what is accepted, stricter), known so */
	SECOND_CANNOT	  /* it cannot be asked that */
};

struct way {
	const char *name;
	enum passkey_check check;
	struct make make;
	bool eligible; /* of the stored credential */
	enum second second;
};

extern const struct way ways_client[], ways_head[], ways_registration[], ways_assertion[];
extern const size_t ways_clients, ways_heads, ways_registrations, ways_assertions;

#endif
