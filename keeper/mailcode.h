/* One-time codes by mail: when they may be used, and how one is sent (design.md, "Limits"). What is typed goes the way
 * of every factor: keeper/attempt.h. */
#ifndef KOSMO_MAILCODE_H
#define KOSMO_MAILCODE_H

#include "keeper/keeper.h"

#define MAILCODE_LIFE 600

/* Where a person has registered this way (an authenticator row of FACTOR_MAILCODE). */
enum mailcode_policy {
	MAILCODE_FORBIDDEN = 0,
	MAILCODE_LAST = 1,     /* only for whom nothing better is registered */
	MAILCODE_LAST_APP = 2, /* the same where passkeys are no way: only an app is better there */
	MAILCODE_ALLOWED = 3
};

/* "allowed", "last", "forbidden", as conf_options has them. */
enum mailcode_policy mailcode_policy_of(const char *word);
/* passkeys: whether they are a way at that door; else a registered one is nothing better there. */
enum mailcode_policy mailcode_policy_at(enum mailcode_policy policy, bool passkeys);
/* In the browser, by the configuration. */
enum mailcode_policy mailcode_policy_web(const struct conf *c);

/* Whether the policy has room for them beside an app, or a passkey, that is registered. */
bool mailcode_fits(enum mailcode_policy policy, bool app, bool passkey);
/* au: the person's confirmed authenticators. */
bool mailcode_usable(const struct person *p, const struct authenticator *au, size_t n, enum mailcode_policy policy);

/* [tx] Mails a new code of purpose CODE_LOGIN or CODE_GUARD to the person's address, and it alone is good from then on.
 * *ret_sent false: one was sent a moment ago, or too many lately; nothing is done then. The caller wakes the outbox
 * after the commit. Both purposes share what may be sent. */
enum err mailcode_send(struct keeper *k, struct store *st, const struct person *p, enum code_purpose purpose,
		       const char *lang, int64_t now, bool *ret_sent);
/* Seconds until mailcode_send would send again, 0: now. Reads only. */
enum err mailcode_wait(struct keeper *k, struct store *st, const struct id *person, int64_t now, int64_t *ret_wait);

/* [tx] One try of a code of these purposes: taken from the person's 5 an hour and 20 a day, whatever the code, then
 * store_code_try. ERR_DENIED with *ret_wait > 0: none left for so many seconds, nothing was checked. ERR_NONE gives
 * them back. */
enum err mailcode_try(struct store *st, const struct seal *seal, const struct id *person, enum code_purpose purpose,
		      const char *canonical, int64_t now, int64_t *ret_wait);

/* [tx] The same work for a name of which no such code is taken here; nothing comes of it. */
enum err mailcode_try_none(struct store *st, const struct seal *seal, const char *login, const char *canonical,
			   int64_t now);

/* Seconds for which none is looked at, whatever the code, for too many were wrong; 0: one would be. Reads only. */
enum err mailcode_spent(struct store *st, const struct seal *seal, const struct id *person, int64_t now,
			int64_t *ret_wait);

#endif
