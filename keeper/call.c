#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/failures.h"
#include "keeper/method.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

const char *call_field(const struct call *c, const char *name)
{
	char key[64];
	snprintf(key, sizeof key, "f.%s", name);
	const char *s = wire_str(c->m, key);
	return s && text_utf8_valid(s, strlen(s)) ? s : "";
}

bool call_has(const struct call *c, const char *name)
{
	return call_field(c, name)[0] != '\0';
}

void view_page(struct call *c, const char *page)
{
	if (!c->decided)
		wire_puts(&c->view, "page", page);
	c->decided = true;
}

void view_redirect(struct call *c, const char *path)
{
	if (c->decided)
		return;
	/* as portal.url says so, not as our pages do, "/" is the portal's: ours would lead in a circle */
	bool home = !strcmp(path, "/") && path != c->k->conf->portal_url;
	wire_puts(&c->view, "redirect", home ? call_home(c) : path);
	c->arrived = c->arrived || (c->back[0] && !strcmp(path, c->back));
	c->decided = true;
}

void view_status(struct call *c, int status)
{
	wire_puti(&c->view, "status", status);
}

void view_put(struct call *c, const char *name, const char *value)
{
	char key[64];
	snprintf(key, sizeof key, "v.%s", name);
	wire_puts(&c->view, key, value);
}

void view_num(struct call *c, const char *name, int64_t value)
{
	char b[24];
	snprintf(b, sizeof b, "%" PRId64, value);
	view_put(c, name, b);
}

void view_item(struct call *c, const char *list, size_t i, const char *name, const char *value)
{
	char key[64];
	snprintf(key, sizeof key, "v.%s.%zu.%s", list, i, name);
	wire_puts(&c->view, key, value);
}

void view_error(struct call *c, const char *field, const char *text)
{
	char key[64];
	snprintf(key, sizeof key, "e.%s", field);
	wire_puts(&c->view, key, text);
	c->errors++;
}

void view_trouble(struct call *c, int status, const char *title, const char *text, const char *button, const char *href)
{
	view_status(c, status);
	view_put(c, "title", title);
	view_put(c, "text", text);
	view_put(c, "button_text", button);
	view_put(c, "button_href", href);
	view_page(c, "error");
}

static bool passing(enum err e)
{
	return e == ERR_BUSY || e == ERR_IO || e == ERR_TIMEOUT;
}

static void trouble_busy(struct call *c)
{
	view_trouble(c, 503, T(c, N_("That did not work")),
		     T(c, N_("The service is busy just now. Nothing that you did before is lost. Please wait a minute "
			     "and try again.")),
		     T(c, N_("Try again")), call_page(c));
	wire_puti(&c->view, "retry", 10);
}

void view_busy(struct call *c)
{
	if (c->decided)
		return;
	later_settle(&c->later, c->k, NULL, true);
	trouble_busy(c);
}

/* The number goes to the journal at once, and into the audit log when the store may be what failed no longer. */
static void note_failure(struct call *c, enum err e, const char *what)
{
	struct failure f = {.time = c->now};
	char when[MAIL_TIME];
	if (failure_id(f.id))
		f.id[0] = '\0';
	if (c->in || c->reset)
		f.person = c->person.id;
	snprintf(f.address, sizeof f.address, "%s", c->address ? c->address : "");
	snprintf(f.what, sizeof f.what, "%s: %s: %s", call_action(c), what, err_text(e));
	daemon_log(LOG_AUTHPRIV | LOG_ERR, "web: failure %s: %s", f.id, f.what);
	if (!f.id[0])
		return;
	failures_add(c->k, &f);
	mail_time(c->lang, c->now, when);
	view_put(c, "failure", f.id);
	view_put(c, "failure_time", when);
}

void view_failure(struct call *c, enum err e, const char *what)
{
	if (c->decided)
		return;
	later_settle(&c->later, c->k, NULL, true);
	note_failure(c, e, what);
	if (passing(e))
		trouble_busy(c);
	else
		view_trouble(c, 500, T(c, N_("That did not work")),
			     T(c, N_("Something went wrong on our side. It is not your fault, and nothing that you did "
				     "before is lost. Please try again.")),
			     T(c, N_("Try again")), call_page(c));
}

enum err call_origin(struct call *c, struct origin *ret)
{
	const char *cookie = wire_str(c->m, "device");
	enum err e = ERR_NONE;
	origin_browser(ret, c->k->conf, c->address);
	if (session_token_form(cookie))
		memcpy(c->device, cookie, sizeof c->device);
	else if (!c->device[0])
		e = session_token(c->device);
	return e ? e : origin_device(ret, c->k->seal, c->device);
}

void call_wait(const struct call *c, int64_t seconds, struct buf *ret)
{
	char n[24];
	const char *text = seconds <= 1	    ? N_("1 second")
			   : seconds < 120  ? N_("{n} seconds")
			   : seconds < 7200 ? N_("{n} minutes")
					    : N_("{n} hours");
	int64_t unit = seconds < 120 ? 1 : seconds < 7200 ? 60 : 3600;
	snprintf(n, sizeof n, "%" PRId64, (seconds + unit - 1) / unit);
	fill(ret, T(c, text), (const struct fill[]){{"n", n}, {NULL, NULL}});
}

void call_wait_text(const struct call *c, int64_t seconds, const char *text, struct buf *ret)
{
	AUTO_BUF wait = BUF_INIT;
	time_t at = c->now + seconds + 59; /* in its minute it has begun */
	char clock[32];
	struct tm tm;
	call_wait(c, seconds, &wait);
	fill(ret, text, (const struct fill[]){{"wait", buf_str(&wait)}, {NULL, NULL}});
	if (seconds < 120 || !localtime_r(&at, &tm))
		return;
	snprintf(clock, sizeof clock, !strcmp(c->lang, "ja") ? "%d時%02d分" : "%d:%02d", tm.tm_hour, tm.tm_min);
	buf_adds(ret, " ");
	fill(ret, T(c, N_("That is at {time}.")), (const struct fill[]){{"time", clock}, {NULL, NULL}});
}

const char *call_next(const struct call *c)
{
	const struct conf *conf = c->k->conf;
	if (c->reset)
		return reset_next(c);
	if (!c->in)
		return "/login";
	if (c->late)
		return "/first/late";
	if (c->anew)
		return "/lost/new";
	if (c->half)
		return !c->facts.confirmed		? "/login/mail"
		       : c->facts.passkey		? "/login/passkey"
		       : c->facts.mail && !c->facts.app ? "/login/mail-code"
							: "/login/code";
	if (scratch_kind(&c->session) == SCRATCH_CODES && (!c->unmet || session_proven_lately(c)))
		return "/recovery";
	if (lost_state(c) != SCRATCH_NONE)
		return lost_state(c) == SCRATCH_ASK ? "/lost" : "/lost/new";
	if (c->unmet && c->unmet->id == REQ_AUTHENTICATOR)
		return method_of(c->person.method)->path;
	return c->unmet ? c->unmet->path : c->back[0] ? c->back : conf->portal_url[0] ? conf->portal_url : "/account";
}

const char *call_home(const struct call *c)
{
	return c->k->conf->portal_url[0] ? HOME_PATH : "/";
}

void call_come_back(struct call *c, const char *token)
{
	c->arrived = !token && wire_get(c->m, "back") != NULL;
	c->leave[0] = '\0';
	if (token)
		come_back_approval(token, c->leave);
}

enum err call_audit(struct call *c, const char *event, const char *detail)
{
	struct audit row = {.time = c->now, .event = event, .door = "web", .address = c->address, .detail = detail};
	if (c->in || c->reset)
		row.person = c->person.id;
	return store_audit(c->st, &row);
}

struct row {
	const char *event, *detail;
};

static enum err audit_row(struct call *c, struct person *nobody, void *arg)
{
	const struct row *r = arg;
	(void)nobody;
	return call_audit(c, r->event, r->detail);
}

enum err call_audit_alone(struct call *c, const char *event, const char *detail)
{
	struct row r = {event, detail};
	return call_transact_any(c, audit_row, &r);
}

static enum err transact(struct call *c, bool again, call_change f, void *arg)
{
	struct person p;
	memset(&p, 0, sizeof p);
	enum err e = store_begin(c->st);
	if (e)
		return e;
	if (again)
		e = session_again(c);
	if (!e && again)
		p = c->person;
	if (!e)
		e = f(c, again ? &p : NULL, arg);
	if (!e)
		e = store_commit(c->st);
	if (e)
		store_rollback(c->st);
	session_settle(c, !e);
	if (e)
		c->mailed = false;
	call_wake(c);
	person_wipe(&p);
	return e;
}

enum err call_transact(struct call *c, call_change f, void *arg)
{
	return transact(c, true, f, arg);
}

enum err call_transact_any(struct call *c, call_change f, void *arg)
{
	return transact(c, false, f, arg);
}

void call_wake(struct call *c)
{
	if (c->mailed && c->k->wake_outbox)
		c->k->wake_outbox(c->k->wake_arg);
	c->mailed = false;
}

void call_later(struct call *c, void (*run)(struct keeper *k, struct store *st, void *arg), void *arg,
		void (*free_arg)(void *arg))
{
	later_settle(&c->later, c->k, NULL, true);
	c->later = (struct later){.run = run, .free_arg = free_arg, .arg = arg};
}

void later_settle(struct later *l, struct keeper *k, struct store *st, bool drop)
{
	const struct later now = *l;
	*l = (struct later){.run = NULL};
	if (now.run && st && !drop)
		now.run(k, st, now.arg);
	if (now.free_arg)
		now.free_arg(now.arg);
}

enum err call_mail(struct call *c, const struct person *p, const char *to, enum mail_text text,
		   const struct fill *values, int64_t life, struct id *ret_id)
{
	c->mailed = true;
	return mail_queue(c->k, c->st, &p->id, to, c->lang, text, values, c->now, life, ret_id);
}

enum err call_notice(struct call *c, const struct person *p, enum mail_text text, const char *name)
{
	return mail_notice(c->k, c->st, p, c->lang, text, name, NULL, c->now, &c->mailed);
}

void mail_words(struct call *c, const struct id *mail, struct buf *ret)
{
	struct mail m;
	char when[MAIL_TIME];
	AUTO_BUF reason = BUF_INIT;
	if (store_mail_status(c->st, mail, &m)) {
		buf_adds(ret, T(c, N_("We do not know whether the mail was sent. Please have it sent again.")));
		return;
	}
	mail_time(c->lang, m.sent ? m.sent : m.created, when);
	if (m.reason[0])
		mail_reason_words(c->lang, m.reason, &reason);
	const struct fill values[] = {
	    {"time", when}, {"reason", buf_str(&reason) ? buf_str(&reason) : ""}, {NULL, NULL}};
	if (m.state == MAIL_SENT && m.reason[0]) /* a mail server reported it */
		fill(ret, T(c, N_("The mail was sent on {time}, but it is late on its way. ({reason})")), values);
	else if (m.state == MAIL_SENT)
		fill(ret, T(c, N_("The mail was sent on {time}.")), values);
	else if (m.state == MAIL_WAITING && !m.reason[0])
		buf_adds(ret, T(c, N_("The mail is on its way out. Reload this page to see whether it was sent.")));
	else if (m.state == MAIL_WAITING)
		fill(ret, T(c, N_("The mail could not be sent yet and will be tried again. ({reason})")), values);
	else
		fill(ret, T(c, N_("The mail could not be delivered. Please check the address. ({reason})")), values);
	mail_clear(&m);
}

void view_mail(struct call *c, const struct id *mail)
{
	struct mail m;
	AUTO_BUF words = BUF_INIT;
	AUTO_BUF english = BUF_INIT;
	mail_words(c, mail, &words);
	view_put(c, "mail_state", buf_str(&words) ? buf_str(&words) : "");
	if (store_mail_status(c->st, mail, &m))
		return;
	mail_reason_words("en", m.reason, &english);
	if (m.reason[0] && buf_str(&english) && strcmp(buf_str(&english), m.reason) != 0) /* not our own words */
		view_put(c, "mail_reply", m.reason);
	mail_clear(&m);
}
