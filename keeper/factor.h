/* The factors beside the password: one table {kind, what it takes, verify}. A factor's rule is written once, for both
 * doors. */
#ifndef KOSMO_FACTOR_H
#define KOSMO_FACTOR_H

#include "keeper/mailcode.h"

enum door { DOOR_WEB = 1, DOOR_PAM = 2 };

/* What a factor is checked against: the person as loaded within this transaction. */
struct factor_check {
	struct store *st;
	const struct seal *seal;
	const struct person *person;
	bool mail;				   /* mailed codes are a way of this person's at this door */
	bool anew;				   /* the admin's one-time code is taken here */
	const struct authenticator *authenticator; /* the confirmed ones */
	size_t n;
	int64_t now;
	const struct authenticator *right; /* the one whose code it was; NULL: none's */
	/* of a mailed code that was not right: */
	enum err mailed; /* ERR_DENIED, ERR_NOTFOUND: none lives, ERR_TOOBIG: this one bears no more tries */
	int64_t wait;	 /* no more tries for so many seconds, whatever the code; 0: else */
};

struct factor {
	const char *name; /* as in audit rows: "totp" */
	/* Could this canonical text (text_code) be meant for it? */
	bool (*takes)(const char *canonical);
	/* [tx] Checks and consumes: ERR_NONE, ERR_DENIED (wrong), ERR_EXISTS (right, but used before). */
	enum err (*verify)(struct factor_check *c, const char *canonical);
	enum factor_kind kind;
	bool asked; /* takes only what was typed where it was asked for: six digits may be an app's or mailed ones */
	bool anew;  /* leads to registering anew and nowhere else: it is no login, and not used up by it */
};

extern const struct factor factors[]; /* ends with kind FACTOR_NONE */

/* The factor that takes this text where `asked` was asked for (FACTOR_MAILCODE, else any that needs not be); NULL if
 * none does. */
const struct factor *factor_for(const char *canonical, enum factor_kind asked);
/* The first row of this kind; the last row, which has no name, for none. */
const struct factor *factor_of(enum factor_kind kind);
/* "totp"; "" for none. */
const char *factor_name(enum factor_kind kind);

/* [tx] What is in use after loading: the person's confirmed authenticators. ret holds AUTHENTICATORS_MAX. */
enum err factor_confirmed(struct store *st, const struct id *person, struct authenticator *ret, size_t *ret_n);

#endif
