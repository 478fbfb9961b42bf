/* kosmoctl mail bounce: a mail server's report about a mail that it had taken. It runs for whoever mails to mail.from:
 * the report is read before the configuration, the key or the store are opened. */
#include "config.h"

#include "ctl/commands.h"
#include "keeper/dsn.h"
#include "keeper/mail_message.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* All of it, even what is too long to count: a mail server whose pipe breaks would call that a failure. */
static enum err mailcmd_read(struct buf *ret)
{
	for (;;) {
		uint8_t *to = buf_room(ret, 16384);
		if (!to)
			return ERR_NOMEM;
		ssize_t n = read(STDIN_FILENO, to, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? ERR_IO : ERR_NONE;
		if (ret->len <= DSN_MAX)
			ret->len += (size_t)n;
	}
}

/* ERR_NOTFOUND: the row is not there any more; ERR_EXISTS: nothing to note. Only what was handed over can come back:
 * no report keeps a mail from being sent. */
static enum err mailcmd_bounce_tx(struct ctl *c, const struct dsn *d)
{
	struct mail m = {.tries = 0};
	enum err e = ctl_begin(c);
	if (!e)
		e = store_mail_status(c->st, &d->mail, &m);
	if (!e && (m.state != MAIL_SENT || (d->action == DSN_DELAYED && m.reason[0])))
		e = ERR_EXISTS;
	if (!e) {
		if (d->action == DSN_FAILED)
			m.state = MAIL_REFUSED;
		(void)snprintf(m.reason, sizeof m.reason, "%s", d->reason);
		e = store_mail_report(c->st, &m);
	}
	if (!e) {
		char status[16];
		(void)snprintf(status, sizeof status, "%.*s", (int)strcspn(d->reason, " "), d->reason);
		e = ctl_audit(c, &m.person, d->action == DSN_FAILED ? "mail.bounced" : "mail.delayed", status);
	}
	if (!e)
		e = ctl_commit(c);
	ctl_rollback(c);
	mail_clear(&m);
	return e;
}

enum ctl_exit mailcmd_bounce(struct ctl *c, const struct args *a)
{
	AUTO_BUF report = BUF_INIT;
	struct dsn d;
	struct errmsg why = {""};
	char domain[256];
	(void)a;
	enum err e = mailcmd_read(&report);
	if (!e)
		e = dsn_parse(report.data, report.len, &d, &why);
	if (e == ERR_NOTFOUND || e == ERR_TOOBIG) {
		ctl_say("no delivery report, and left alone: %s", why.text);
		return CTL_OK;
	}
	if (e) {
		(void)ctl_failed(e, "standard input", NULL);
		return CTL_TEMPFAIL;
	}
	if (d.action == DSN_OTHER) {
		ctl_say("it reports no trouble, and is left alone");
		return CTL_OK;
	}
	if (ctl_conf(c))
		return CTL_TEMPFAIL;
	mail_domain(c->conf, domain, sizeof domain);
	if (strcmp(domain, d.domain) != 0) {
		ctl_say("a delivery report about a mail of another sender, and left alone");
		return CTL_OK;
	}
	if (ctl_store(c))
		return CTL_TEMPFAIL;
	e = mailcmd_bounce_tx(c, &d);
	if (e == ERR_NOTFOUND || e == ERR_EXISTS) {
		ctl_say("a delivery report about a mail that %s",
			e == ERR_NOTFOUND ? "is not known (any more)" : "is noted already, or still waits");
		return CTL_OK;
	}
	if (e) {
		(void)ctl_failed(e, "the outbox", NULL);
		return CTL_TEMPFAIL;
	}
	return CTL_OK;
}
