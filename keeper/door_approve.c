/* What the terminal shows of a request that a passkey may approve in the browser: the same for everybody. What is
 * written of it, and for whom, comes after the reply (door_mail.c). */
#include "config.h"

#include "common/i18n.h"
#include "keeper/dialogue.h"
#include <string.h>

void door_approve_show(const struct keeper *k, struct dialogue *d, int64_t now, const char *msgid, struct buf *ret)
{
	AUTO_BUF url = BUF_INIT;
	AUTO_BUF capitals = BUF_INIT;
	const enum qr_form form = d->policy.qr == QR_AUTO ? d->qr : d->policy.qr;
	memset(&d->approval, 0, sizeof d->approval);
	if (!d->begun || approval_request(d->begun, now, &d->approval))
		return; /* the other ways work */
	d->attempt.approval.id = d->approval.id;
	d->attempt.approval.alone = d->alone;
	approval_url(k->conf, &d->approval, &url);
	approval_url_qr(k->conf, &d->approval, &capitals);
	/* the code begins on a line of its own: what stands before it is the client's */
	buf_addf(ret, "%s\n%s\n", i18n(k->conf->pam_language, msgid), buf_str(&url) ? buf_str(&url) : "");
	if (buf_str(&capitals))
		(void)qr_text(buf_str(&capitals), form, ret); /* without one the address remains */
}
