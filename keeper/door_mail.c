/* The code's questions at the terminal: the first one, and the second one after Enter, which brings a code by mail and
 * shows where a passkey approves; with passkey=alone that comes first.
 *
 * Enter leads everybody to the same second question. What depends on who it is comes after that was sent, as one
 * transaction for everybody: that it took place, and how long it took, tells nothing. */
#include "config.h"

#include "common/daemon.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/dialogue.h"
#include "keeper/mail.h"
#include <stdint.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#define ASIDE_MS  5
#define TYPED_MAX APPROVAL_TRIES /* codes at one question, where a passkey may approve */

/* Never refused: who gets no mail has something written all the same. */
static const struct quota quota_none = {.name = "mailcode-none", .most = INT64_MAX, .window = 3600};

/* [tx] Are mailed codes this person's way here and now? FORBIDDEN: no. LAST: it is the only one. */
static enum err way(struct store *st, const struct attempt *a, const struct person *p, enum mailcode_policy *ret)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	bool disabled = false;
	enum err e = factor_confirmed(st, &p->id, au, &n);
	if (e)
		return e;
	enum mailcode_policy last = a->mailcode == MAILCODE_LAST_APP ? MAILCODE_LAST_APP : MAILCODE_LAST;
	enum mailcode_policy w = !mailcode_usable(p, au, n, a->mailcode) ? MAILCODE_FORBIDDEN
				 : mailcode_usable(p, au, n, last)	 ? MAILCODE_LAST
									 : MAILCODE_ALLOWED;
	authenticator_wipe(au, n);
	e = limits_disabled(st, &p->id, FACTOR_MAILCODE, &disabled);
	if (!e)
		*ret = disabled ? MAILCODE_FORBIDDEN : w;
	return e;
}

/* [tx] Who gets no mail costs one all the same: it is taken back, and a write of the name's own is committed. */
static enum err send_none(struct keeper *k, struct store *st, const struct attempt *a, int64_t now)
{
	static const struct fill values[] = {{"code", "000000"}, {NULL, NULL}};
	static const struct id nobody;
	struct id bucket;
	int64_t wait;
	enum err e = mail_queue(k, st, &nobody, "nobody@localhost", k->conf->language, MAIL_CODE, values, now,
				MAILCODE_LIFE, NULL);
	store_rollback(st);
	if (!e)
		e = store_begin(st);
	if (!e)
		e = limits_bucket(k->seal, a->login, &bucket);
	return e ? e : limits_take(st, k->seal, &quota_none, &bucket, now, true, &wait);
}

/* [tx] */
static enum err send(struct keeper *k, struct store *st, struct attempt *a, int64_t now, bool *ret_sent)
{
	struct person p;
	enum mailcode_policy w = MAILCODE_FORBIDDEN;
	memset(&p, 0, sizeof p);
	enum err e = attempt_find(st, a, now, &p);
	if (!e && a->found && a->password_right)
		e = way(st, a, &p, &w);
	if (!e && w != MAILCODE_FORBIDDEN)
		e = mailcode_send(k, st, &p, CODE_LOGIN, p.locale[0] ? p.locale : k->conf->language, now, ret_sent);
	if (!e && !*ret_sent)
		e = send_none(k, st, a, now);
	person_wipe(&p);
	return e;
}

/* For the time after the reply: copies of the connection's. */
struct after {
	struct attempt attempt;
	struct approval_request approval;
	char service[64];
	bool trusted, mails, alone;
};

/* [tx] */
static enum err write_after(struct keeper *k, struct store *st, struct after *w, int64_t now, bool *ret_sent)
{
	enum err e = w->mails ? send(k, st, &w->attempt, now, ret_sent) : ERR_NONE;
	if (!e && w->approval.created)
		e = approval_put(k, st, &w->attempt, &w->approval, w->service, w->alone);
	return e;
}

static void after_reply(struct keeper *k, struct store *st, struct after *w, int64_t now)
{
	/* whoever just got the question, and may answer at once, is neither kept from a processor nor behind this in
	 * the store's queue: as long as a mail takes */
	const struct timespec aside = {.tv_nsec = ASIDE_MS * 1000000L};
	bool sent = false;
	(void)nanosleep(&aside, NULL);
	enum err e = store_begin(st);
	if (!e) {
		e = write_after(k, st, w, now, &sent);
		if (!e)
			e = store_commit(st);
		if (e)
			store_rollback(st);
	}
	if (!e && sent && k->wake_outbox)
		k->wake_outbox(k->wake_arg);
	if (e && dialogue_may_log(w->trusted))
		daemon_log(LOG_AUTHPRIV | LOG_ERR,
			   "what was asked for at a terminal could not be mailed or written: %s", err_text(e));
	attempt_clear(&w->attempt);
	secret_wipe(w, sizeof *w);
}

/* above: what is shown over the question. Nothing of r and d may be touched from the reply on. */
static void ask_then_write(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now,
			   const struct buf *above, const char *msgid, bool mails)
{
	struct after w = {
	    .attempt = d->attempt, .approval = d->approval, .trusted = d->trusted, .mails = mails, .alone = d->alone};
	memcpy(w.service, d->service, sizeof w.service);
	d->typed = 0;
	dialogue_ask_below(k, r, above, msgid);
	if (st && now > 0)
		after_reply(k, st, &w, now);
}

static bool approves(const struct keeper *k, const struct dialogue *d)
{
	return policy_passkey(k->conf, &d->policy) != POLICY_PASSKEY_FORBIDDEN;
}

static void ask_mailed(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now,
		       const char *why, const char *approve, const char *told, const char *msgid)
{
	AUTO_BUF above = BUF_INIT, shown = BUF_INIT;
	if (why)
		buf_addf(&above, "%s\n", i18n(k->conf->pam_language, why));
	d->waiting = WAITING_MAILED;
	d->attempt.asked = FACTOR_MAILCODE;
	d->alone = false;
	memset(&d->approval, 0, sizeof d->approval);
	if (approve && approves(k, d))
		door_approve_show(k, d, now, approve, &shown);
	buf_add(&above, shown.data, shown.len);
	if (!shown.len && told)
		buf_addf(&above, "%s\n", i18n(k->conf->pam_language, told));
	ask_then_write(k, st, r, d, now, &above, msgid, true);
}

void door_mail_enter(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now,
		     const char *why)
{
	ask_mailed(k, st, r, d, now, why,
		   N_("If what you typed was right, a code has been mailed to you;\nor approve with a passkey at"),
		   N_("If what you typed was right, a code has been mailed to you."), N_("Code: "));
}

static const char alone_question[] = N_("Code (Enter for password): ");

void door_mail_alone(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	AUTO_BUF above = BUF_INIT;
	d->waiting = WAITING_APPROVAL;
	d->attempt.asked = FACTOR_MAILCODE;
	d->alone = true;
	door_approve_show(k, d, now, N_("Approve with a passkey at"), &above);
	ask_then_write(k, st, r, d, now, &above, alone_question, false);
}

bool door_mail_again(struct keeper *k, struct request *r, struct dialogue *d)
{
	AUTO_BUF above = BUF_INIT;
	bool asked = d->waiting == WAITING_MAILED || d->waiting == WAITING_APPROVAL;
	if (!asked || !approves(k, d) || ++d->typed >= TYPED_MAX)
		return false;
	buf_addf(&above, "%s\n", i18n(k->conf->pam_language, N_("That was not right.")));
	dialogue_ask_below(k, r, &above, d->waiting == WAITING_MAILED ? N_("Code: ") : alone_question);
	return true;
}

/* Whoever this cannot be said of is asked as everybody is. */
static bool only_way(struct store *st, const struct attempt *asking, int64_t now)
{
	struct attempt a = *asking;
	struct person p;
	enum mailcode_policy w = MAILCODE_FORBIDDEN;
	memset(&p, 0, sizeof p);
	bool only = !attempt_find(st, &a, now, &p) && a.found && !way(st, &a, &p, &w) && w == MAILCODE_LAST;
	person_wipe(&p);
	attempt_clear(&a);
	return only;
}

void door_mail_ask(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	if (d->policy.prompt_by_method && d->attempt.password_right && st && now > 0 &&
	    only_way(st, &d->attempt, now)) {
		ask_mailed(k, st, r, d, now, NULL, NULL, NULL, N_("Code from the mail: "));
	} else {
		d->waiting = WAITING_CODE;
		d->attempt.asked = FACTOR_NONE; /* after passkey=alone's own question */
		dialogue_ask(k, r, NULL, d->seat ? N_("Code (Enter: security key, or another way): ") : N_("Code: "));
	}
}
