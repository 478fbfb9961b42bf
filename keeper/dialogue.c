#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/dialogue.h"
#include "keeper/require.h"
#include <pthread.h>
#include <string.h>
#include <syslog.h>

#define STRANGERS_LINES 5 /* a second */

/* One frame behind another. */
static void add(struct buf *frames, struct buf *frame)
{
	if (wire_end(frame))
		frames->failed = true;
	else
		buf_add(frames, frame->data, frame->len);
}

static void tell(struct request *r, const char *text, struct buf *frames)
{
	AUTO_BUF b = BUF_INIT;
	if (!text)
		return;
	wire_begin(&b, r->msg.id, "tell");
	wire_puts(&b, "text", text);
	wire_puts(&b, "error", "0");
	add(frames, &b);
}

static void ask(struct request *r, const char *told, const char *text)
{
	AUTO_BUF frames = BUF_INIT, b = BUF_INIT;
	tell(r, told, &frames);
	wire_begin(&b, r->msg.id, "ask");
	wire_puts(&b, "text", text);
	wire_puts(&b, "echo", "0");
	add(&frames, &b);
	if (frames.failed)
		buf_wipe(&frames);
	server_reply(r, &frames, frames.failed); /* what cannot be asked is refused: the closed connection says so */
}

void dialogue_ask(const struct keeper *k, struct request *r, const char *told, const char *msgid)
{
	ask(r, told, i18n(k->conf->pam_language, msgid));
}

void dialogue_ask_below(const struct keeper *k, struct request *r, const struct buf *above, const char *msgid)
{
	AUTO_BUF text = BUF_INIT;
	const char *question = i18n(k->conf->pam_language, msgid);
	buf_add(&text, above->data, above->len);
	buf_adds(&text, question);
	ask(r, NULL, above->failed || !buf_str(&text) ? question : buf_str(&text));
}

void dialogue_end(struct request *r, const char *told, enum verdict v, const struct ticket *t)
{
	AUTO_BUF frames = BUF_INIT, b = BUF_INIT;
	tell(r, told, &frames);
	wire_begin(&b, r->msg.id, "verdict");
	wire_puts(&b, "verdict", verdict_name(v));
	if (t)
		wire_puts(&b, "ticket", t->text);
	add(&frames, &b);
	if (frames.failed)
		buf_wipe(&frames);
	server_reply(r, &frames, true);
}

bool dialogue_may_log(bool trusted)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int64_t second;
	static unsigned lines;
	if (trusted)
		return true;
	int64_t now = clock_mono_ms() / 1000;
	pthread_mutex_lock(&lock);
	if (now != second)
		lines = 0;
	second = now;
	bool may = lines < STRANGERS_LINES;
	lines += may;
	pthread_mutex_unlock(&lock);
	return may;
}

void dialogue_log(const struct dialogue *d, enum verdict v, const char *how)
{
	static const char *const phases[DIALOGUE__PHASES] = {
	    [DIALOGUE_AUTH] = "auth",
	    [DIALOGUE_ACCOUNT] = "account",
	    [DIALOGUE_CHECK] = "password",
	    [DIALOGUE_CHANGE] = "password",
	};
	const struct attempt *a = &d->attempt;
	if (v != VERDICT_ALLOW && !dialogue_may_log(d->trusted))
		return;
	daemon_log(LOG_AUTHPRIV | (v == VERDICT_ALLOW ? LOG_INFO : LOG_NOTICE),
		   "%s service=%s user=%s rhost=%s verdict=%s%s%s", phases[d->phase], d->service,
		   a->found ? a->login : "(unknown)", a->origin.shown[0] ? a->origin.shown : "-", verdict_name(v),
		   how[0] ? " by " : "", how);
}

enum verdict dialogue_verdict(enum err e)
{
	return e == ERR_BUSY || e == ERR_IO ? VERDICT_UNAVAILABLE : VERDICT_INTERNAL;
}

enum verdict dialogue_standing(struct keeper *k, struct store *st, struct attempt *a, int64_t now, struct person *ret)
{
	struct facts f;
	if (!text_login_staff(a->login))
		return VERDICT_IGNORE;
	enum err e = store_person_by_login(st, a->login, ret);
	if (e)
		return e == ERR_NOTFOUND ? VERDICT_IGNORE : dialogue_verdict(e);
	if (ret->role != ROLE_STAFF)
		return VERDICT_IGNORE;
	a->found = true;
	a->person = ret->id;
	if (ret->disabled || ret->frozen)
		return VERDICT_DISABLED;
	if (ret->expires && now >= ret->expires)
		return VERDICT_EXPIRED;
	/* whose only way is forbidden in the browser may still have it here */
	enum mailcode_policy web = mailcode_policy_web(k->conf);
	e = require_facts_by(st, k->conf, ret, a->mailcode > web ? a->mailcode : web, now, &f);
	if (e)
		return dialogue_verdict(e);
	return require_first(&f, DOOR_PAM) ? VERDICT_UNFINISHED : VERDICT_ALLOW;
}

/* [tx] Which hash it was that the password matched, so that only this one is replaced. */
static enum err note_present(struct store *st, struct dialogue *d)
{
	struct person p;
	if (d->phase != DIALOGUE_CHANGE || !d->attempt.password_right)
		return ERR_NONE;
	enum err e = store_person_by_id(st, &d->attempt.person, &p);
	if (!e)
		memcpy(d->change.present, p.password, sizeof d->change.present);
	person_wipe(&p);
	return e;
}

enum verdict dialogue_password(struct keeper *k, struct store *st, struct dialogue *d, const struct wire_field *text,
			       int64_t now)
{
	struct attempt *a = &d->attempt;
	enum err e = attempt_password(k, st, &k->auth_gate, a, (const char *)text->data, text->len, now);
	if (!e)
		e = store_begin(st);
	if (!e) {
		e = attempt_password_settle(k, st, a, now);
		if (!e)
			e = note_present(st, d);
		if (!e)
			e = store_commit(st);
		if (e)
			store_rollback(st);
	}
	if (e)
		a->password_right = false;
	else
		attempt_wake(k, a);
	return e ? dialogue_verdict(e) : VERDICT_ALLOW;
}
