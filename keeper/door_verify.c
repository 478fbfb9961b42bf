#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/secret.h"
#include "keeper/call.h"
#include "keeper/door_verify.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define WITHIN_MAX 10080 /* minutes: a week */

struct verify_seen {
	uint8_t digest[DIGEST_LEN];
	int64_t now;
};

/* What the place wants besides somebody who is logged in. */
struct need {
	bool factor, passkey;
	int64_t within; /* seconds since the last proof, at most; 0: any */
};

bool door_verify_asks(const struct request *r)
{
	return !strcmp(r->msg.kind, "verify");
}

/* ERR_INVALID for a word that is not known: what an admin meant to ask must not be left out. */
static enum err need_of(const struct wire_msg *m, struct need *ret)
{
	const char *word = wire_str(m, "need");
	struct need n = {.within = 0};
	int64_t minutes = 0;
	if (wire_get(m, "need")) {
		n.passkey = word && !strcmp(word, "passkey");
		n.factor = n.passkey || (word && !strcmp(word, "second-factor"));
		if (!n.factor)
			return ERR_INVALID;
	}
	if (wire_get(m, "within")) {
		if (wire_int(m, "within", &minutes) || minutes < 1 || minutes > WITHIN_MAX)
			return ERR_INVALID;
		n.within = 60 * minutes;
	}
	*ret = n;
	return ERR_NONE;
}

static bool is_in(const struct call *c)
{
	return c->in && !c->half && !c->anew && !c->late && !c->unmet;
}

static bool enough(const struct call *c, const struct need *n)
{
	const struct session *s = &c->session;
	if (n->factor && !s->stepped_up)
		return false;
	if (n->passkey && s->factor != FACTOR_PASSKEY)
		return false;
	return !n->within || (s->stepped_up && c->now >= s->stepped_up && c->now - s->stepped_up < n->within);
}

/* Where that is mended; "": nowhere, since passkeys are forbidden here. */
static void proof_page(const struct call *c, const struct need *n, char *ret, size_t cap)
{
	if (n->passkey && !c->facts.passkey)
		snprintf(ret, cap, "%s", require_offers(&c->facts, FACTOR_PASSKEY) ? "/passkey" : "");
	else
		snprintf(ret, cap, "%s?next=%s", confirm_path(c), n->passkey ? HOME_BY_PASSKEY : HOME_PATH);
}

/* A page that is to be read can be led elsewhere, and back. */
static void lead(struct call *c, const char *to)
{
	if (!*to || !wire_get(c->m, "page"))
		return;
	wire_puts(&c->view, "redirect", to);
	if (come_back_portal(wire_str(c->m, "uri"), c->leave) || wire_get(c->m, "back"))
		wire_puts(&c->view, "cookie.back", c->leave);
}

static const char *proven_by(const struct session *s)
{
	static const struct {
		enum factor_kind factor;
		const char *alone, *after_password;
	} words[] = {{FACTOR_TOTP, "app", "password+app"},
		     {FACTOR_MAILCODE, "mail", "password+mail"},
		     {FACTOR_RECOVERY, "recovery", "password+recovery"},
		     {FACTOR_PASSKEY, "passkey", "password+passkey"}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].factor == s->factor)
			return s->password ? words[i].after_password : words[i].alone;
	return "unknown";
}

static void answer(struct call *c, const struct need *n)
{
	char to[96];
	if (!is_in(c)) {
		view_status(c, 401);
		lead(c, call_next(c));
	} else if (!enough(c, n)) {
		view_status(c, 403);
		proof_page(c, n, to, sizeof to);
		lead(c, to);
	} else {
		view_status(c, 200);
		wire_puts(&c->view, "user", c->person.login);
		wire_puts(&c->view, "name", c->person.name);
		wire_puts(&c->view, "method", proven_by(&c->session));
		wire_puti(&c->view, "time", c->session.stepped_up);
	}
}

static struct verify_seen *seen_now(const struct call *c)
{
	struct verify_seen *s = is_in(c) && session_used(&c->session, c->now) ? calloc(1, sizeof *s) : NULL;
	if (s) {
		memcpy(s->digest, c->session.digest, sizeof s->digest);
		s->now = c->now;
	}
	return s;
}

/* An error lets nobody in: what is not 2xx refuses. */
static void refuse(struct buf *b, uint32_t id, int status)
{
	buf_wipe(b);
	b->failed = false;
	wire_begin(b, id, "verified");
	wire_puti(b, "status", status);
	wire_end(b);
}

static int status_of(enum err e)
{
	return e == ERR_INVALID ? 400 : e == ERR_BUSY || e == ERR_IO || e == ERR_TIMEOUT ? 503 : 500;
}

void door_verify_run(struct keeper *k, struct store *st, struct request *r, struct verify_seen **ret_seen)
{
	struct call c = {.k = k, .st = st, .m = &r->msg, .now = clock_now()};
	struct need n;
	struct verify_seen *seen = NULL;
	enum err e = need_of(c.m, &n);
	wire_begin(&c.view, r->msg.id, "verified");
	if (!e && (!st || c.now <= 0))
		e = ERR_IO;
	if (!e)
		e = store_look(st);
	if (!e) {
		e = session_look(&c);
		store_look_end(st);
	}
	if (!e) {
		answer(&c, &n);
		seen = seen_now(&c);
		e = wire_end(&c.view);
	}
	if (e) {
		if (status_of(e) == 500) /* what the store cannot do is said once, by health.h */
			daemon_log(LOG_AUTHPRIV | LOG_ERR, "web: a portal's question failed: %s", err_text(e));
		refuse(&c.view, r->msg.id, status_of(e));
	}
	if (seen)
		*ret_seen = seen;
	server_reply(r, &c.view, false);
	session_clear(&c.session);
	person_wipe(&c.person);
	secret_wipe(c.token, sizeof c.token);
	buf_free(&c.view);
}

void door_verify_seen(struct keeper *k, struct store *st, struct verify_seen *seen)
{
	(void)k;
	if (st)
		(void)session_seen(st, seen->digest,
				   seen->now); /* ended meanwhile, or said again by the next request */
	free(seen);
}

void door_verify_busy(struct request *r)
{
	AUTO_BUF b = BUF_INIT;
	refuse(&b, r->msg.id, 503);
	server_reply(r, &b, false);
}
