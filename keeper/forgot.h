/* What was forgotten, and what a mail may do about it (design.md, "The browser's rules"). Everything here depends on
 * whether somebody exists, so it is done when the answer is out (call_later), or with the same work for nobody. */
#ifndef KOSMO_FORGOT_H
#define KOSMO_FORGOT_H

#include "keeper/keeper.h"
#include "keeper/require.h"

#define RESET_LIFE 1800 /* seconds of a reset's link and code */

/* A typed user ID: canonical, or whatever picks a bucket. */
struct forgot_name {
	char login[LOGIN_MAX + 1];
	bool nobody; /* no login at all */
};
enum err forgot_name(const char *typed, struct forgot_name *ret);

/* Loads whoever it is; *ret_owner is whom their tries and mails are counted for: of a name that nobody has, a bucket,
 * after the same work. */
enum err forgot_find(struct keeper *k, struct store *st, const struct forgot_name *name, struct person *ret,
		     bool *ret_found, struct id *ret_owner);

enum reset_way {
	RESET_NONE = 0,	  /* no mail resets this password: the help desk does */
	RESET_SHARED = 1, /* nor this one's: the address is several people's, and nothing but mail would be asked */
	RESET_FACTOR = 2, /* mail, then the second factor */
	RESET_BIRTH = 3	  /* mail, then the birth date: mailed codes are all there is, or nothing yet */
};
enum err reset_way(struct store *st, const struct person *p, const struct facts *f, int64_t now, enum reset_way *ret);

/* Somebody asks: the later's own copy (malloc'd; wiped and freed by forgot_asked_free). */
struct forgot_asked {
	struct forgot_name name;   /* a password, or */
	char email[EMAIL_MAX + 1]; /* a user ID: as the index has it */
	struct date birth;
	uint8_t browser[DIGEST_LEN]; /* that asks: it alone may go on */
	char lang[8], from[64];
	int64_t now;
};
void forgot_asked_free(void *asked);
void forgot_mail_reset(struct keeper *k, struct store *st, void *asked);
void forgot_mail_ids(struct keeper *k, struct store *st, void *asked);

#endif
