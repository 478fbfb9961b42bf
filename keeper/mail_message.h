/* A mail's bytes: RFC 5322, 2045, 2047, 3834. */
#ifndef KOSMO_MAIL_MESSAGE_H
#define KOSMO_MAIL_MESSAGE_H

#include "common/buf.h"
#include "common/conf.h"
#include "keeper/seal.h"

struct mail_parts {
	const struct id *id; /* of its row in the outbox: the Message-ID is made of it */
	const char *to, *lang;
	const char *subject,
	    *body;   /* UTF-8; the subject may hold anything, it becomes one line; the body's ends are \n */
	bool notice; /* bears mail.list_unsubscribe, if that is set */
	int64_t now;
};

/* Headers and body, with CRLF; no line over 76 characters but of addresses and URIs that are longer. Nothing in
 * organisation, subject or body can make a header. ERR_INVALID: to, or mail.from, is no address. */
enum err mail_compose(const struct conf *conf, const struct mail_parts *m, struct buf *ret);

/* What stands behind the @ of our Message-IDs: the sender's domain, else the site's. */
void mail_domain(const struct conf *conf, char *ret, size_t cap);

#endif
