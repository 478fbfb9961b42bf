/* Finished mails: texts in the person's language as RFC 5322 bytes, into the outbox. */
#ifndef KOSMO_MAIL_H
#define KOSMO_MAIL_H

#include "keeper/fill.h"
#include "keeper/keeper.h"

enum mail_text {
	MAIL_VERIFY = 1, /* {code} {link} {organisation}: address link and code */
	MAIL_GUARD,	 /* {code}: guards an unfinished enrolment */
	MAIL_APP_ADDED,	 /* {name} {time} */
	MAIL_APP_REMOVED,
	MAIL_PASSWORD_CHANGED,
	MAIL_RECOVERY_USED /* {left} {time} */
};

/* [tx] Composes and queues; *ret_id (may be NULL) is the outbox row. life: seconds until it is given up. */
enum err mail_queue(struct keeper *k, struct store *st, const struct id *person, const char *to, const char *lang,
		    enum mail_text text, const struct fill *values, int64_t now, int64_t life, struct id *ret_id);

/* The message alone (for tests): headers and body, CRLF. subject and body are UTF-8. */
enum err mail_compose(const struct conf *conf, const char *to, const char *subject, const char *body,
		      const struct id *id, int64_t now, struct buf *ret);

#endif
