#include "config.h"

#include "ctl/why.h"
#include "keeper/limits.h"
#include "keeper/require.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define WHY_COUNTERS 256

static bool why_say(struct why *w, const char *word, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static bool why_say(struct why *w, const char *word, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(w->text, sizeof w->text, fmt, ap);
	va_end(ap);
	w->word = word;
	return true;
}

/* ---- the account ---- */

static bool why_account(const struct ctl *c, const struct person *p, int64_t now, struct why *w)
{
	char date[32];
	int64_t lapses = enrol_letter_ends(c->conf, p);
	if (p->disabled)
		return why_say(w, "disabled", "cannot log in: disabled; kosmoctl user enable undoes it");
	ctl_time_local(p->frozen, date);
	if (p->frozen)
		return why_say(
		    w, "frozen",
		    "cannot log in: frozen since %s, when the link in the mail to the former email address "
		    "was pressed (\"this was not me\"); when you know who is who, kosmoctl user enable undoes it",
		    date);
	ctl_time_local(p->expires, date);
	if (p->expires && now >= p->expires)
		return why_say(w, "expired", "cannot log in: the account expired at %s", date);
	if (p->password[0])
		return false;
	if (!p->has_initial)
		return why_say(w, "no_password",
			       "cannot log in: there is no password; kosmoctl user reissue makes one");
	text_date_iso(text_today(lapses - 1), date);
	if (now >= lapses)
		return why_say(w, "initial_lapsed",
			       "cannot log in: the initial password was good until the end of %s; kosmoctl user "
			       "reissue makes a new "
			       "one",
			       date);
	return false;
}

/* ---- the lanes ---- */

static const char *const why_places[] = {
    [LANE_DEVICE] = "with a browser of theirs",
    [LANE_KEY] = "with a key of theirs",
    [LANE_ADDRESS] = "from an address of theirs",
    [LANE_UID] = "from their own account",
    [LANE_LOCAL] = "at the host's own terminals",
    [LANE_EXEMPT] = "from the exempted networks, unless with a browser or key of theirs",
    [LANE_STRANGER] = "except with a browser or key, or from an address, that they have logged in with before",
};

static const char *why_place(int lane)
{
	return lane > 0 && lane < LANE_ALL ? why_places[lane] : "anywhere";
}

static const char *why_kind(int kind)
{
	return kind == FACTOR_NONE	 ? "passwords"
	       : kind == FACTOR_RECOVERY ? "recovery codes"
	       : kind == FACTOR_MAILCODE ? "codes by mail"
					 : "codes";
}

static bool why_lane(const struct counter_row *r, int64_t now, struct why *w)
{
	char until[32];
	const struct counter *n = &r->counter;
	/* a clock that was ahead binds nobody: the next attempt mends it */
	if (r->key.kind > FACTOR_PASSKEY || r->key.lane >= LANE_ALL || n->not_before <= now || n->seen > now)
		return false;
	if (n->not_before - now > LIMITS_CLOSED_FOR / 100) {
		ctl_time_local(n->not_before, until);
		return why_say(w, "lane_closed",
			       "cannot log in until %s %s: %" PRId64 " wrong %s in a row; kosmoctl user unlock ends it",
			       until, why_place(r->key.lane), n->failures, why_kind(r->key.kind));
	}
	int64_t wait = n->not_before - now;
	return why_say(w, "waiting", "must wait %" PRId64 " second%s %s: %" PRId64 " wrong %s in a row", wait,
		       wait == 1 ? "" : "s", why_place(r->key.lane), n->failures, why_kind(r->key.kind));
}

static bool why_disabled(const struct counter_row *r, struct why *w)
{
	return (r->key.kind == FACTOR_TOTP || r->key.kind == FACTOR_MAILCODE) && r->key.lane == LANE_ALL &&
	       r->counter.not_before == INT64_MAX &&
	       why_say(w, "factor_disabled",
		       "cannot log in with codes %s: %" PRId64 " wrong ones in a row disabled them; a recovery code or "
		       "kosmoctl user unlock enables them again",
		       r->key.kind == FACTOR_TOTP ? "of the app" : "by mail", r->counter.failures);
}

/* Apart from the lanes: five wrong codes by mail an hour and twenty a day, whatever the code. */
static enum err why_spent(struct ctl *c, const struct person *p, int64_t now, struct why *w, bool *ret_found)
{
	char until[32];
	int64_t wait = 0;
	enum err e = mailcode_spent(c->st, c->seal, &p->id, now, &wait);
	if (e)
		return e;
	ctl_time_local(now + wait, until);
	*ret_found =
	    wait > 0 && why_say(w, "mailcodes_spent",
				"cannot log in with codes by mail until %s: too many were wrong; kosmoctl user "
				"unlock ends it",
				until);
	return ERR_NONE;
}

/* Staff whose only way is one that the terminal does not take. */
static bool why_terminal(const struct ctl *c, const struct person *p, const struct facts *f, struct why *w)
{
	return p->role == ROLE_STAFF && f->mail && !f->app && !f->passkey && !f->sheet &&
	       !strcmp(c->conf->mailcode_pam, "forbidden") &&
	       why_say(
		   w, "mail_forbidden",
		   "can log in in the browser; at the terminal codes by mail, which are the only way of this person, "
		   "are forbidden (mailcode.pam), unless the service's own mailcode= allows them");
}

/* The worst of them: a factor that is disabled, the lane that is closed for longest. */
static enum err why_counters(struct ctl *c, const struct person *p, int64_t now, struct why *w, bool *ret_found)
{
	static struct counter_row row[WHY_COUNTERS];
	const struct counter_row *worst = NULL;
	size_t n = 0;
	bool found = false;
	enum err e = store_counter_list(c->st, &p->id, row, WHY_COUNTERS, &n);
	if (e)
		return e;
	for (size_t i = 0; i < n && !found; i++) {
		found = why_disabled(&row[i], w);
		struct why one = {.word = ""};
		if (why_lane(&row[i], now, &one) && (!worst || row[i].counter.not_before > worst->counter.not_before))
			worst = &row[i];
	}
	*ret_found = found || (worst && why_lane(worst, now, w));
	return ERR_NONE;
}

/* ---- what is left to do ---- */

static bool why_late(const struct facts *f, int64_t now, struct why *w)
{
	char day[11];
	if (!f->unfinished || !enrol_late(&f->enrol, now))
		return false;
	text_date_iso(text_today(f->enrol.by - 1), day);
	return why_say(w, "enrolment_late",
		       "cannot log in: the enrolment had to be finished by the end of %s; kosmoctl user extend gives "
		       "more time",
		       day);
}

static bool why_unfinished(const struct person *p, const struct facts *f, struct why *w)
{
	static const char *const steps[] = {
	    [REQ_BIRTH] = "confirming the birth date",	 [REQ_TERMS] = "accepting the terms",
	    [REQ_EMAIL] = "confirming an email address", [REQ_METHOD] = "choosing a method",
	    [REQ_PASSWORD] = "setting a password",	 [REQ_AUTHENTICATOR] = "registering an app",
	    [REQ_SHEET] = "making a new sheet of codes",
	};
	const struct requirement *web = require_first(f, DOOR_WEB);
	if (!web || (p->role == ROLE_STAFF && !require_first(f, DOOR_PAM) && p->password[0]))
		return false;
	return why_say(w, p->password[0] || p->initial_used ? "unfinished" : "not_begun",
		       "the enrolment is %s: the next step, in the browser, is %s%s",
		       p->password[0] || p->initial_used ? "unfinished" : "not begun", steps[web->id],
		       p->role == ROLE_STAFF ? "; until it is finished there is no login at the terminal" : "");
}

enum err why_person(struct ctl *c, const struct person *p, int64_t now, struct why *ret)
{
	struct why w = {.word = ""};
	struct facts f = {0};
	bool found = why_account(c, p, now, &w);
	enum err e = found ? ERR_NONE : why_counters(c, p, now, &w, &found);
	if (!e && !found)
		e = why_spent(c, p, now, &w, &found);
	if (!e && !found)
		e = require_facts(c->st, c->conf, p, now, &f);
	if (!e && !found)
		found = why_late(&f, now, &w);
	if (!e && !found && !f.password_due)
		found = why_unfinished(p, &f, &w);
	if (!e && !found && f.sheet && !f.sheet_left && f.confirmed == 1)
		found = why_say(&w, "sheet_used_up",
				"no code of their sheet is left, and there is no other way: kosmoctl user recover");
	if (!e && !found && f.password_due)
		found = why_say(&w, "password_expired",
				"can log in, and must then choose a new password: this one has expired");
	if (!e && !found)
		found = why_terminal(c, p, &f, &w);
	if (!e && !found)
		(void)why_say(&w, "",
			      p->role == ROLE_STAFF ? "can log in"
						    : "can log in in the browser; the terminal is for staff only");
	if (!e)
		*ret = w;
	return e;
}
