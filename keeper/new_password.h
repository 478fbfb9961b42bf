/* A new password of one's own, whichever door it is chosen at: what it must be, in words, and what follows from it. */
#ifndef KOSMO_NEW_PASSWORD_H
#define KOSMO_NEW_PASSWORD_H

#include "keeper/keeper.h"

/* What was typed, judged. current: the present one in NFKC, or NULL. nfkc: receives what would be hashed. */
enum password_verdict new_password_check(const struct keeper *k, const struct person *p, const char *typed,
					 const char *current, struct buf *nfkc);
/* What is wrong with it, in a sentence; NULL: nothing. b holds the sentence where it is made up. */
const char *new_password_words(const struct keeper *k, const char *lang, enum password_verdict v, struct buf *b);

/* [tx] In place of the present one: stored, the sessions but `except` (NULL: all) end, the owner is told (lang NULL: in
 * their language; *ret_mailed is set if a mail was queued), and by, which says where, is audited as password.changed.
 */
enum err new_password_change(struct keeper *k, struct store *st, struct person *p, const char *hash,
			     const uint8_t *except, const struct audit *by, const char *lang, bool *ret_mailed);

#endif
