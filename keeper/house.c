#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "keeper/failures.h"
#include "keeper/house.h"
#include "keeper/mail_template.h"
#include <syslog.h>

#define SWEEP_EVERY  600 /* seconds */
#define SWEEP_ROWS   500
#define PRUNE_MOST   20 /* transactions a sweep: a clock that is wrong for an hour must not cost the whole log */
#define NOTE_EVERY   60
#define REMIND_AGAIN 60 /* after a failure */
#define MAILS_SETTLE 2	/* for somebody who writes just now */

static void sweep(const struct keeper *k, struct store *st, bool (*stop)(void *), void *arg)
{
	int64_t now = clock_now(), keep = k->conf->audit_keep_days * 86400;
	bool more = true;
	enum err e = ERR_NONE;
	while (!e && more && !stop(arg)) /* others' transactions between them */
		e = store_sweep(st, now, SWEEP_ROWS, &more);
	if (e && e != ERR_BUSY && e != ERR_IO) /* these are said for the database as a whole: keeper/health.h */
		daemon_log(LOG_AUTHPRIV | LOG_ERR, "store: sweeping failed: %s", err_text(e));
	e = ERR_NONE;
	more = keep > 0;
	for (int i = 0; !e && more && i < PRUNE_MOST && !stop(arg); i++)
		e = store_audit_prune(st, now - keep, SWEEP_ROWS, &more);
	if (e && e != ERR_BUSY && e != ERR_IO)
		daemon_log(LOG_AUTHPRIV | LOG_ERR, "audit: old entries stay: %s; see kosmoctl audit --verify",
			   err_text(e));
}

void house_note(struct house *h, struct store *st)
{
	struct audit_head head;
	char mac[2 * AUDIT_NOTE_LEN + 1];
	enum err e = store_audit_head(st, &head);
	if (e == ERR_CORRUPT)
		daemon_log(LOG_AUTHPRIV | LOG_ERR,
			   "audit: the log's head was changed: no login can be noted, all are refused");
	if (e || head.seq == h->seq)
		return;
	audit_note_text(head.mac, mac);
	daemon_log(LOG_AUTHPRIV | LOG_NOTICE, "audit head seq=%lld mac=%s", (long long)head.seq, mac);
	h->seq = head.seq;
}

static void complain(void *arg, const char *sentence)
{
	(void)arg;
	daemon_log(LOG_AUTHPRIV | LOG_WARNING, "%s; the house's own text is used", sentence);
}

void house_mails(const struct keeper *k, int64_t settle)
{
	if (k->mails)
		mail_site_look(k->mails, clock_now(), settle, complain, NULL);
}

static bool remind(struct house *h, struct keeper *k, struct store *st, int64_t mono, bool *ret_mailed)
{
	if (mono < h->remind_at)
		return false;
	enum err e = remind_step(&h->remind, k, st, clock_now(), ret_mailed);
	if (e && e != ERR_BUSY && e != ERR_IO)
		daemon_log(LOG_AUTHPRIV | LOG_ERR, "reminders: not sent for now: %s", err_text(e));
	if (e)
		h->remind_at = mono + REMIND_AGAIN;
	return !e && h->remind.walking;
}

bool house_keep(struct house *h, struct keeper *k, struct store *st, bool (*stop)(void *), void *arg, bool *ret_mailed)
{
	int64_t now = clock_mono_ms() / 1000;
	if (!h->noted || now - h->noted >= NOTE_EVERY) {
		h->noted = now;
		house_note(h, st);
	}
	if (!h->swept || now - h->swept >= SWEEP_EVERY) {
		h->swept = now;
		sweep(k, st, stop, arg);
	}
	failures_write(k, st, clock_now());
	house_mails(k, MAILS_SETTLE);
	bool more = !stop(arg) && remind(h, k, st, now, ret_mailed);
	store_tidy(st); /* so that no login has to write the log back */
	return more;
}
