/* The factors beside the password: one table {kind, what it takes, verify}. A factor's rule is written once, for both
 * doors. */
#ifndef KOSMO_FACTOR_H
#define KOSMO_FACTOR_H

#include "keeper/store/store.h"

enum door { DOOR_WEB = 1, DOOR_PAM = 2 };

/* What a factor is checked against: the person as loaded within this transaction. */
struct factor_check {
	struct store *st;
	const struct person *person;
	const struct authenticator *authenticator; /* the confirmed ones */
	size_t n;
	int64_t now;
};

struct factor {
	enum factor_kind kind;
	const char *name; /* as in audit rows: "totp" */
	/* Could this canonical text (text_code) be meant for it? */
	bool (*takes)(const char *canonical);
	/* [tx] Checks and consumes: ERR_NONE, ERR_DENIED (wrong), ERR_EXISTS (right, but used before). */
	enum err (*verify)(const struct factor_check *c, const char *canonical);
};

extern const struct factor factors[]; /* ends with kind FACTOR_NONE */

/* The factor that takes this text; NULL if none does. */
const struct factor *factor_for(const char *canonical);

/* [tx] What is in use after loading: the person's confirmed authenticators. ret holds AUTHENTICATORS_MAX. */
enum err factor_confirmed(struct store *st, const struct id *person, struct authenticator *ret, size_t *ret_n);

#endif
