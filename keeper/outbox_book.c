#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/outbox_book.h"
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define RETRY_FIRST 10 /* seconds; doubles up to */
#define RETRY_MOST  900
#define CLAIM_TURNS 64 /* rows looked at in one transaction: others wait for it */

static int64_t retry_after(int tries)
{
	int64_t wait = tries > 6 ? RETRY_MOST : (int64_t)RETRY_FIRST << (tries > 0 ? tries - 1 : 0);
	unsigned jitter = 0;
	if (wait > RETRY_MOST)
		wait = RETRY_MOST;
	secret_uniform((unsigned)wait / 4 + 1, &jitter);
	return wait + jitter;
}

static void outcome(struct mail *m, const struct sending *s)
{
	snprintf(m->reason, sizeof m->reason, "%s", s->result == SENDING_SENT ? "" : s->reason);
	if (s->result == SENDING_SENT) {
		m->state = MAIL_SENT;
		m->sent = clock_now();
	} else if (s->result == SENDING_NEVER) {
		m->state = MAIL_REFUSED;
	} else {
		m->next_try = clock_now() + retry_after(m->tries);
		if (m->next_try >= m->expires)
			m->state = MAIL_EXPIRED;
	}
}

void book_done(struct outbox_book *b, struct mail *m, const struct sending *s)
{
	outcome(m, s);
	/* the server's words may name people: they stay in the sealed row, the mailer logs the reply's code */
	if (m->state != MAIL_SENT)
		daemon_log(LOG_AUTHPRIV | LOG_WARNING, "mail: try %d failed, %s", m->tries,
			   m->state == MAIL_WAITING ? "will be tried again" : "given up");
	buf_free(&m->message);
	b->done[b->n_done++] = *m;
	secret_wipe(m, sizeof *m);
}

size_t book_bulk(const struct outbox_book *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->n_ready; i++)
		n += !b->ready[i].urgent;
	return n;
}

/* ---- in a transaction ---- */

static enum err write_done(const struct outbox_book *b, struct store *st)
{
	enum err e = ERR_NONE;
	for (size_t i = 0; !e && i < b->n_done; i++) {
		e = store_mail_settle(st, &b->done[i]);
		if (e == ERR_NOTFOUND) /* its person was deleted meanwhile */
			e = ERR_NONE;
	}
	return e;
}

static bool is_short(const struct mail *m, int64_t now)
{
	return m->next_try - now <= OUTBOX_LEASE / 2 || m->next_try - now > OUTBOX_LEASE;
}

static enum err extend(struct store *st, struct mail *m, int64_t now)
{
	int64_t was = m->next_try;
	if (!is_short(m, now))
		return ERR_NONE;
	m->next_try = now + OUTBOX_LEASE;
	enum err e = store_mail_claim(st, m, m->tries, was);
	m->next_try = was; /* until it is committed */
	return e;
}

static enum err write_leases(struct outbox_book *b, struct store *st, int64_t now)
{
	enum err e = ERR_NONE;
	for (size_t i = 0; !e && i < b->n_lanes; i++)
		if (b->lanes[i].busy) {
			e = extend(st, &b->lanes[i].mail, now);
			if (e == ERR_NOTFOUND) /* it is gone, or somebody else's: too late, it is on its way */
				e = ERR_NONE;
		}
	for (size_t i = 0; !e && i < b->n_ready; i++) {
		e = extend(st, &b->ready[i], now);
		if (e != ERR_NOTFOUND)
			continue;
		e = ERR_NONE;
		mail_clear(&b->ready[i]);
		memmove(&b->ready[i], &b->ready[i + 1], (b->n_ready - i - 1) * sizeof b->ready[0]);
		memset(&b->ready[--b->n_ready], 0, sizeof b->ready[0]);
		i--;
	}
	return e;
}

static void leases_written(struct outbox_book *b, int64_t now)
{
	for (size_t i = 0; i < b->n_lanes; i++)
		if (b->lanes[i].busy && is_short(&b->lanes[i].mail, now))
			b->lanes[i].mail.next_try = now + OUTBOX_LEASE;
	for (size_t i = 0; i < b->n_ready; i++)
		if (is_short(&b->ready[i], now))
			b->ready[i].next_try = now + OUTBOX_LEASE;
}

/* NULL: it is not. */
static struct mail *in_hand(struct outbox_book *b, const struct id *id)
{
	for (size_t i = 0; i < b->n_ready; i++)
		if (!memcmp(&b->ready[i].id, id, sizeof *id))
			return &b->ready[i];
	for (size_t i = 0; i < b->n_lanes; i++)
		if (b->lanes[i].busy && !memcmp(&b->lanes[i].mail.id, id, sizeof *id))
			return &b->lanes[i].mail;
	return NULL;
}

/* What cannot be read would stay the first in the queue for ever. */
static enum err give_up_unreadable(struct store *st, struct mail *m)
{
	daemon_log(LOG_AUTHPRIV | LOG_ERR, "mail: a row of the outbox was changed or damaged: given up");
	m->state = MAIL_REFUSED;
	enum err e = store_mail_settle(st, m);
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

static enum err give_up_late(struct store *st, struct mail *m)
{
	daemon_log(LOG_AUTHPRIV | LOG_WARNING, "mail: not delivered in time: given up");
	m->state = MAIL_EXPIRED;
	snprintf(m->reason, sizeof m->reason, N_("it could not be delivered in time"));
	enum err e = store_mail_settle(st, m);
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

/* One mail that is due. The try is noted before it is made: after a crash, or where nothing can be written, none
 * follows at once. ERR_NOTFOUND: nothing is due, or there is no room for it. */
static enum err claim_one(struct outbox_book *b, struct store *st, int64_t now)
{
	static const struct id none;
	struct mail m;
	memset(&m, 0, sizeof m);
	enum err e = store_mail_next(st, now, &m);
	if (e == ERR_CORRUPT && memcmp(&m.id, &none, sizeof none))
		return give_up_unreadable(st, &m);
	if (e)
		return e;
	int tries = m.tries;
	int64_t next_try = m.next_try;
	struct mail *ours = in_hand(b, &m.id); /* its lease is over (the clock went ahead), but we have it */
	if (!ours && (b->n_ready == OUTBOX_READY || (!m.urgent && book_bulk(b) >= OUTBOX_BULK))) {
		e = ERR_NOTFOUND;
	} else if (!ours && now >= m.expires) {
		e = give_up_late(st, &m);
	} else {
		m.tries += ours ? 0 : 1;
		m.next_try = now + OUTBOX_LEASE;
		e = store_mail_claim(st, &m, tries, next_try);
		if (!e && ours) {
			ours->next_try = m.next_try;
			ours->tries = m.tries;
		} else if (!e) {
			b->ready[b->n_ready++] = m;
			memset(&m, 0, sizeof m);
		} else if (e == ERR_NOTFOUND) { /* another keeper was faster: on to the next */
			e = ERR_NONE;
		}
	}
	mail_clear(&m);
	return e;
}

static enum err claim_all(struct outbox_book *b, struct store *st, int64_t now)
{
	enum err e = ERR_NONE;
	for (int i = 0; !e && i < CLAIM_TURNS; i++)
		e = claim_one(b, st, now);
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

enum err book_write(struct outbox_book *b, struct store *st, bool claim)
{
	int64_t now = clock_now();
	enum err e = store_begin(st);
	if (e)
		return e;
	e = write_done(b, st);
	if (!e)
		e = write_leases(b, st, now);
	size_t before = b->n_ready;
	if (!e && claim)
		e = claim_all(b, st, now);
	if (!e)
		e = store_commit(st);
	if (e) {
		store_rollback(st);
		while (b->n_ready > before)
			mail_clear(&b->ready[--b->n_ready]);
		return e;
	}
	leases_written(b, now);
	while (b->n_done)
		mail_clear(&b->done[--b->n_done]);
	return ERR_NONE;
}

void book_release(struct outbox_book *b, struct store *st)
{
	int64_t now = clock_now();
	enum err e = b->n_ready ? store_begin(st) : ERR_NOTFOUND;
	for (size_t i = 0; !e && i < b->n_ready; i++) {
		struct mail *m = &b->ready[i];
		int64_t was = m->next_try;
		m->next_try = now;
		m->tries--;
		e = store_mail_claim(st, m, m->tries + 1, was);
		if (e == ERR_NOTFOUND)
			e = ERR_NONE;
	}
	if (!e)
		e = store_commit(st);
	if (e)
		store_rollback(st); /* they are due again when their leases end */
	while (b->n_ready)
		mail_clear(&b->ready[--b->n_ready]);
}

int64_t book_lease(const struct outbox_book *b)
{
	int64_t first = INT64_MAX;
	for (size_t i = 0; i < b->n_ready; i++)
		if (b->ready[i].next_try < first)
			first = b->ready[i].next_try;
	for (size_t i = 0; i < b->n_lanes; i++)
		if (b->lanes[i].busy && b->lanes[i].mail.next_try < first)
			first = b->lanes[i].mail.next_try;
	return first == INT64_MAX ? first : first - OUTBOX_LEASE / 2;
}

void book_clear(struct outbox_book *b)
{
	for (size_t i = 0; i < b->n_lanes; i++)
		lane_close(&b->lanes[i]);
	while (b->n_ready)
		mail_clear(&b->ready[--b->n_ready]);
	while (b->n_done)
		mail_clear(&b->done[--b->n_done]);
}
