/* What was forgotten, and what a mail may do about it (design.md, "The browser's rules"). Everything here depends on
 * whether somebody exists, so it is done when the answer is out (call_later), or with the same work for nobody. */
#ifndef KOSMO_FORGOT_H
#define KOSMO_FORGOT_H

#include "keeper/keeper.h"
#include "keeper/origin.h"
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

/* Whom the mails and codes of a forgotten password are counted for. A browser or an address that the person has logged
 * in from has them to itself: strangers, who share theirs, cannot use those up (keeper/forgot_count.c). */
struct forgot_asker {
	struct id own;	   /* the known browser or address; of strangers the person or bucket */
	struct id browser; /* this one, for this person or bucket */
	struct id network; /* if counts: of a stranger */
	bool counts;
	int64_t room; /* times the usual mails of the network */
};
/* owner: as of forgot_find. */
enum err forgot_asker(struct keeper *k, struct store *st, const struct forgot_name *name, const struct origin *o,
		      const uint8_t browser[static DIGEST_LEN], bool found, const struct id *owner, int64_t now,
		      struct forgot_asker *ret);
/* [tx] Takes a mail. ERR_DENIED: none left. */
enum err forgot_take_mail(struct store *st, const struct seal *s, const struct forgot_asker *a, int64_t now);
/* [tx] One try of the code that this browser was mailed: taken from its 5 an hour (ERR_DENIED and *ret_spent: none
 * left) and from the asker's 5 an hour and 20 a day, then store_code_try_in. What is not usable is wrong after the same
 * work, and counted for this browser alone. ERR_NONE gives them back. */
enum err forgot_try(struct store *st, const struct seal *s, const struct forgot_asker *a, const struct id *owner,
		    const uint8_t browser[static DIGEST_LEN], bool usable, const char *canonical, int64_t now,
		    bool *ret_spent);

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
	struct origin origin;
	char lang[8], from[64];
	int64_t now;
};
void forgot_asked_free(void *asked);
void forgot_mail_reset(struct keeper *k, struct store *st, void *asked);
void forgot_mail_ids(struct keeper *k, struct store *st, void *asked);

#endif
