/* Sessions of the browser door: tokens, their digests, what level they have reached. */
#include "config.h"

#include "common/secret.h"
#include "keeper/call.h"
#include "keeper/policy.h"
#include "keeper/recent.h"
#include <stdio.h>
#include <string.h>

#define TWICE_LIFE 60 /* seconds in which a form that went out twice is taken for a double click */

enum err session_token(char ret[static TOKEN_TEXT + 1])
{
	return token_new(ret);
}

enum err session_digest(const struct call *c, const char *token, uint8_t ret[static DIGEST_LEN])
{
	const struct seal_part part[] = {{token, strlen(token)}};
	return seal_mac(c->k->seal, SEAL_SESSION, part, 1, ret);
}

enum err session_csrf(const struct call *c, char ret[static TOKEN_TEXT + 1])
{
	uint8_t d[DIGEST_LEN];
	const struct seal_part part[] = {{c->token, strlen(c->token)}};
	enum err e = seal_mac(c->k->seal, SEAL_CSRF, part, 1, d);
	return e ? e : token_text(d, ret);
}

bool session_token_form(const char *s)
{
	return s && strlen(s) == TOKEN_TEXT &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == TOKEN_TEXT;
}

/* A registered factor is asked before anything else, also where the session began before it was registered elsewhere.
 */
static bool half(const struct call *c)
{
	return c->session.level == SESSION_HALF || c->anew || (c->facts.confirmed && !c->session.stepped_up);
}

/* Long enough to print a sheet, or to set up a new phone. */
bool session_proven_lately(const struct call *c)
{
	int64_t at = c->session.stepped_up;
	return at && c->now >= at && c->now - at < LOST_LIFE;
}

/* The session of the call's token as it is now; c->in tells whether it leads to somebody. */
static enum err read_session(struct call *c)
{
	uint8_t d[DIGEST_LEN];
	session_clear(&c->session);
	person_wipe(&c->person);
	c->in = c->half = c->anew = c->reset = c->late = false;
	c->unmet = NULL;
	enum err e = session_digest(c, c->token, d);
	if (!e)
		e = store_session_get(c->st, d, c->now, c->k->conf->session_idle, &c->session);
	if (!e && c->now >= policy_session_ends(c->k->conf, &c->session))
		return ERR_NONE;
	if (!e)
		e = store_person_by_id(c->st, &c->session.person, &c->person);
	if (!e && attempt_usable(&c->person, DOOR_WEB, c->now)) {
		e = require_facts(c->st, c->k->conf, &c->person, c->now, &c->facts);
		if (e)
			return e;
		c->facts.proven = session_proven_lately(c);
		if (c->session.level == SESSION_RESET || c->session.level == SESSION_RESET_READY) {
			c->reset = true;
			return ERR_NONE;
		}
		c->unmet = require_first(&c->facts, DOOR_WEB);
		c->anew = c->session.level == SESSION_ANEW;
		c->half = half(c);
		c->in = true;
		c->late = c->facts.unfinished && enrol_late(&c->facts.enrol, c->now);
		if (c->anew)
			e = lost_anew_lives(c, &c->in);
	}
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

bool session_used(const struct session *s, int64_t now)
{
	return now - s->seen >= 60 || now < s->seen;
}

enum err session_seen(struct store *st, const uint8_t digest[static DIGEST_LEN], int64_t now)
{
	enum err e = store_begin(st);
	if (e)
		return e;
	e = store_session_seen(st, digest, now);
	if (!e)
		e = store_commit(st);
	if (e)
		store_rollback(st);
	return e;
}

static enum err touch(struct call *c)
{
	if (!session_used(&c->session, c->now))
		return ERR_NONE;
	enum err e = session_seen(c->st, c->session.digest, c->now);
	if (e == ERR_NOTFOUND) { /* it ended this moment */
		c->in = c->reset = false;
		e = ERR_NONE;
	}
	return e;
}

enum err session_load(struct call *c)
{
	const char *cookie = wire_str(c->m, "session");
	if (!session_token_form(cookie)) {
		c->token_new = true;
		return session_token(c->token);
	}
	memcpy(c->token, cookie, TOKEN_TEXT + 1);
	enum err e = read_session(c);
	return !e && (c->in || c->reset) ? touch(c) : e;
}

enum err session_look(struct call *c)
{
	const char *cookie = wire_str(c->m, "session");
	if (!session_token_form(cookie))
		return ERR_NONE;
	memcpy(c->token, cookie, TOKEN_TEXT + 1);
	return read_session(c);
}

enum err session_again(struct call *c)
{
	const struct id was = c->person.id;
	const bool stranger = !c->in && !c->reset;
	enum err e = read_session(c);
	if (e)
		return e;
	if (stranger || ((c->in || c->reset) && memcmp(&was, &c->person.id, sizeof was) != 0))
		return ERR_INTERNAL;
	return call_allowed(c) ? ERR_NONE : ERR_DENIED;
}

enum err session_end(struct call *c)
{
	if (!c->in && !c->reset)
		return ERR_NONE;
	return store_session_end(c->st, c->session.digest);
}

/* A login's life is counted from its beginning: proving a factor once more, or a new password, does not prolong it. */
static void session_life(const struct call *c, bool same, struct session *s)
{
	const struct conf *conf = c->k->conf;
	if (same && s->level == SESSION_FULL && c->session.level == SESSION_FULL) {
		s->created = c->session.created;
		s->expires = c->session.expires;
		return;
	}
	bool short_lived = s->level == SESSION_HALF || s->level == SESSION_RESET || s->level == SESSION_RESET_READY;
	s->expires = c->now + (short_lived			     ? HALF_LIFE
			       : s->kept && s->level == SESSION_FULL ? conf->session_keep
								     : conf->session_max);
}

static enum err token_by(const struct call *c, const char *proof, char ret[static TOKEN_TEXT + 1])
{
	uint8_t d[DIGEST_LEN];
	const struct seal_part part[] = {{"by", 2}, {c->token, strlen(c->token)}, {proof, strlen(proof)}};
	enum err e = seal_mac(c->k->seal, SEAL_SESSION, part, 3, d);
	if (!e)
		e = token_text(d, ret);
	secret_wipe(d, sizeof d);
	return e;
}

/* [tx] Who has got to the end of the wizard is in: no attempt said so. */
static enum err wizard_ended(struct call *c, const struct session *s)
{
	struct origin o;
	enum err e = call_origin(c, &o);
	return e ? e : recent_web(c->st, &s->person, &o, s->agent, s->factor, "", s->password, c->now);
}

/* proof NULL: the token is random. */
static enum err start(struct call *c, const struct id *person, enum session_level level, enum factor_kind factor,
		      const char *proof)
{
	struct session s = {.person = *person, .level = level, .created = c->now, .seen = c->now};
	bool same = (c->in || c->reset) && !memcmp(&c->person.id, person, sizeof *person);
	s.kept =
	    (c->keep == KEEP_AS_BEFORE ? same && c->session.kept : c->keep == KEEP_YES) && c->k->conf->session_keep;
	session_life(c, same, &s);
	s.stepped_up = factor ? c->now : same ? c->session.stepped_up : 0;
	s.factor = factor ? factor : same ? c->session.factor : FACTOR_NONE;
	s.password = c->password_right || (same && c->session.password);
	snprintf(s.agent, sizeof s.agent, "%s", c->agent);
	snprintf(s.address, sizeof s.address, "%s", c->address);
	if (same && c->session.scratch.len)
		buf_add(&s.scratch, c->session.scratch.data, c->session.scratch.len);
	session_settle(c, false);
	enum err e = s.scratch.failed ? ERR_NOMEM : session_end(c);
	if (!e)
		e = proof ? token_by(c, proof, c->next.token) : session_token(c->next.token);
	if (!e)
		e = session_digest(c, c->next.token, s.digest);
	if (!e)
		e = store_session_add(c->st, &s);
	if (!e && same && c->session.level == SESSION_WIZARD && level == SESSION_FULL)
		e = wizard_ended(c, &s);
	c->next.session = s;
	if (e)
		session_settle(c, false);
	return e;
}

enum err session_start(struct call *c, const struct id *person, enum session_level level, enum factor_kind factor)
{
	return start(c, person, level, factor, NULL);
}

enum err session_start_by(struct call *c, const struct id *person, enum session_level level, const char *proof)
{
	return start(c, person, level, FACTOR_NONE, proof);
}

bool session_twice(struct call *c, const char *proof, enum session_level level)
{
	char token[TOKEN_TEXT + 1];
	uint8_t d[DIGEST_LEN];
	struct session s = {.level = SESSION_HALF};
	enum err e = token_by(c, proof, token);
	if (!e)
		e = session_digest(c, token, d);
	if (!e)
		e = store_session_get(c->st, d, c->now, c->k->conf->session_idle, &s);
	bool twice = !e && s.level == level && c->now >= s.created && c->now - s.created < TWICE_LIFE;
	if (twice) {
		memcpy(c->token, token, sizeof c->token);
		c->token_new = true;
	}
	session_clear(&s);
	secret_wipe(token, sizeof token);
	return twice;
}

void session_settle(struct call *c, bool committed)
{
	if (committed && c->next.token[0]) {
		memcpy(c->token, c->next.token, sizeof c->token);
		c->token_new = true;
		session_clear(&c->session);
		c->session = c->next.session;
		memset(&c->next.session, 0, sizeof c->next.session);
	}
	session_clear(&c->next.session);
	secret_wipe(c->next.token, sizeof c->next.token);
}

void session_left(struct call *c)
{
	c->in = c->reset = false;
	c->token_new = !session_token(c->token);
}

int64_t session_keeps(const struct call *c)
{
	return c->in && c->session.kept && c->session.level == SESSION_FULL
		   ? policy_session_ends(c->k->conf, &c->session) - c->now
		   : 0;
}

enum err session_name(const struct call *c, const struct session *s, char ret[static 2 * ID_LEN + 1])
{
	const struct seal_part part[] = {{s->digest, DIGEST_LEN}, {s->person.b, ID_LEN}};
	uint8_t d[DIGEST_LEN];
	struct id id;
	enum err e = seal_mac(c->k->seal, SEAL_NAME, part, 2, d);
	if (e)
		return e;
	memcpy(id.b, d, ID_LEN);
	id_hex(&id, ret);
	return ERR_NONE;
}

bool session_stepped_up(const struct call *c)
{
	return c->session.stepped_up && c->now - c->session.stepped_up < STEP_UP_LIFE &&
	       c->now >= c->session.stepped_up;
}
