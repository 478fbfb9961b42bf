/* What the tests of passkeys expect, and the two calls, which return nothing when they refuse. */
#ifndef KOSMO_PASSKEY_CASE_H
#define KOSMO_PASSKEY_CASE_H

#include "tests/unit/passkey_make.h"

extern const int32_t case_offered[3], case_every[6];
extern uint8_t case_user[PASSKEY_USER_LEN];

/* What make_registration and make_assertion make fits this; user verification is required. */
struct passkey_expected case_expected(void);
enum passkey_check case_register(const struct passkey_expected *x, const struct made *m, struct passkey *ret);

struct login {
	struct passkey stored;
	bool handle_required;
	struct passkey_bytes id, handle;
};
/* The credential as a registration would have stored it, with a counter of 0; alg 0: ES256. */
struct login case_login(const struct made *m, int32_t alg);
/* passkey_assert, and beside it passkey_assert_hash, which must say the same but for what the browser says. */
enum passkey_check case_assert(const struct passkey_expected *x, const struct login *l, const struct made *m,
			       struct passkey_used *ret);

#endif
