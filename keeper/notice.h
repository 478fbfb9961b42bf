/* What became of a login that its owner should hear of, by mail, in the attempt's own transaction. Each kind only so
 * often: strangers shall not fill anybody's mailbox. The caller wakes the outbox after the commit if a->told. */
#ifndef KOSMO_NOTICE_H
#define KOSMO_NOTICE_H

#include "keeper/attempt.h"
#include "keeper/mail.h"

/* All [tx]. */
/* The attempt's lane was closed by it. A name that nobody has gets the same work, and no mail. */
enum err notice_closed(struct keeper *k, struct store *st, struct attempt *a, int64_t now);
/* A factor of a person is disabled, or works again (MAIL_FACTOR_*). *ret_told is set if a mail was queued. */
enum err notice_factor(struct keeper *k, struct store *st, const struct id *person, enum mail_text text,
		       enum factor_kind kind, int64_t now, bool *ret_told);
/* About the passkey of that name: MAIL_PASSKEY_*. */
enum err notice_passkey(struct keeper *k, struct store *st, const struct person *p, enum mail_text text,
			const char *name, bool backed_up, int64_t now, bool *ret_told);
/* p is in by a factor of this kind: a recovery code; a browser, or an address at the terminal, that was not known. */
enum err notice_in(struct keeper *k, struct store *st, struct attempt *a, const struct person *p, enum factor_kind kind,
		   const struct learned *l, int64_t now);

#endif
