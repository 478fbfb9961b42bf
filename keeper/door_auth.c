#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/dialogue.h"
#include "keeper/door_auth.h"
#include "keeper/mail.h"
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define ANSWER_MAX 512 /* PAM_MAX_RESP_SIZE */

static void dialogue_free(void *p)
{
	struct dialogue *d = p;
	attempt_clear(&d->attempt);
	buf_free(&d->change.current);
	buf_free(&d->change.fresh);
	secret_wipe(d, sizeof *d);
	free(d);
}

/* Words of outside bytes for our log and audit: printable ASCII, the rest as '?'. */
static void clean(char *ret, size_t cap, const char *s)
{
	size_t i = 0;
	for (; s && s[i] && i + 1 < cap; i++)
		ret[i] = isgraph((unsigned char)s[i]) ? s[i] : '?';
	ret[i] = '\0';
}

static bool same_conf(const struct keeper *k, const char *path)
{
	if (!strcmp(path, k->conf->file))
		return true;
	char *real = realpath(path, NULL);
	bool same = !strcmp(real ? real : path, k->conf->file);
	free(real);
	return same;
}

static bool phase_from(const char *name, enum dialogue_phase *ret)
{
	static const struct {
		const char *name;
		enum dialogue_phase phase;
	} phases[] = {{"auth", DIALOGUE_AUTH},
		      {"account", DIALOGUE_ACCOUNT},
		      {"password.check", DIALOGUE_CHECK},
		      {"password", DIALOGUE_CHANGE}};
	for (size_t i = 0; name && i < sizeof phases / sizeof *phases; i++)
		if (!strcmp(phases[i].name, name)) {
			*ret = phases[i].phase;
			return true;
		}
	return false;
}

/* The public key that sshd verified, "ssh-ed25519 AAAA..." up to the line's end; NULL: none. */
static const char *key_verified(const struct keeper *k, const struct wire_msg *m, const char *service)
{
	const char *info = wire_str(m, "sshauth");
	if (!info || !policy_names(k->conf->pam_key_services, service))
		return NULL;
	/* sshd writes one method a line: "publickey ssh-ed25519 AAAA..." */
	for (const char *line = info; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, "publickey ", 10))
			return line + 10;
	}
	return NULL;
}

/* Of a peer that is not trusted only the uid is believed: no key, no network, no password that others have checked. */
static enum err begin_origin(struct keeper *k, struct request *r, struct dialogue *d, const char *rhost,
			     struct origin *o)
{
	char address[64];
	bool trusted = server_peer(r)->trusted;
	const char *key = trusted ? key_verified(k, &r->msg, d->service) : NULL;
	clean(address, sizeof address, trusted ? rhost : NULL);
	origin_terminal(o, k->conf, address);
	o->own_uid = !trusted || wire_get(&r->msg, "own") != NULL;
	o->local = trusted && !address[0];
	o->teaches = trusted;
	if (d->policy.password == POLICY_KEY)
		d->policy.password = key ? POLICY_SKIP : POLICY_ASK;
	if (!trusted)
		d->policy.password = POLICY_ASK;
	return key ? origin_key(o, k->seal, key, strcspn(key, "\n")) : ERR_NONE;
}

/* A peer that is not trusted asks for its own account, and nothing that it claims is believed. */
static enum err begin_dialogue(struct keeper *k, struct request *r, struct dialogue *d, struct errmsg *why)
{
	const struct wire_msg *m = &r->msg;
	const struct peer *peer = server_peer(r);
	const char *phase = wire_str(m, "phase"), *service = wire_str(m, "service"), *user = wire_str(m, "user");
	const char *rhost = wire_str(m, "rhost"), *conf = wire_str(m, "conf"), *tty = wire_str(m, "tty");
	if (!phase_from(phase, &d->phase) || !service || !user)
		return err_set(why, ERR_INVALID,
			       "a message without phase, service or user: module and keeper differ in version?");
	if (wire_get(m, "conf") && (!conf || !same_conf(k, conf)))
		return err_set(why, ERR_DENIED,
			       "the module's conf= is not the file this keeper runs on (%s): mend conf= or socket=",
			       k->conf->file);
	enum err e = policy_pam_options(m, &d->policy, why);
	if (e)
		return e;
	if (d->phase >= DIALOGUE_CHECK && d->policy.password != POLICY_ASK)
		return err_set(why, ERR_INVALID,
			       "password= has no meaning on a password line, where the present one is always asked: "
			       "remove it");
	if (d->policy.passkey == POLICY_PASSKEY_ALONE &&
	    (d->phase >= DIALOGUE_CHECK || d->policy.password == POLICY_SKIP))
		return err_set(why, ERR_INVALID,
			       "passkey=alone takes the password's place, which is %s here: write passkey=allowed",
			       d->phase >= DIALOGUE_CHECK ? "changed" : "not asked");
	if (!peer->trusted && !peer_owns_login(peer, user))
		return err_set(why, ERR_DENIED, "uid %lu asked for an account that is not its own",
			       (unsigned long)peer->uid);
	char place[72];
	struct origin origin;
	clean(d->service, sizeof d->service, service);
	snprintf(place, sizeof place, "pam:%s", d->service);
	d->qr = qr_form_for(tty ? tty : "");
	d->change.only_expired = wire_get(m, "expired") != NULL;
	e = begin_origin(k, r, d, rhost, &origin);
	if (e)
		return err_set(why, e, "%s", err_text(e));
	attempt_init(&d->attempt, DOOR_PAM, place, &origin, user);
	d->seat = d->phase == DIALOGUE_AUTH && origin.local && wire_get(m, "seat") &&
		  d->policy.passkey != POLICY_PASSKEY_FORBIDDEN && !strcmp(k->conf->passkey_console, "yes");
	d->attempt.mailcode = mailcode_policy_at(d->policy.mailcode_given ? d->policy.mailcode
									  : mailcode_policy_of(k->conf->mailcode_pam),
						 policy_passkey(k->conf, &d->policy) != POLICY_PASSKEY_FORBIDDEN);
	return ERR_NONE;
}

struct logged_in {
	const struct keeper *k;
	const struct dialogue *d;
	int64_t now;
	struct ticket ticket;
};

static enum err logged_in(struct store *st, const struct person *p, void *arg)
{
	struct logged_in *l = arg;
	enum err e = store_person_seen(st, &p->id, l->now);
	return e ? e
		 : ticket_make(l->k->seal, p, l->d->service,
			       l->d->policy.password != POLICY_SKIP && l->d->attempt.password_right, l->now,
			       &l->ticket);
}

static void on_password(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	enum verdict v = dialogue_password(k, st, d, wire_get(&r->msg, "text"), now);
	if (v == VERDICT_ALLOW) {
		door_mail_ask(k, st, r, d, now);
	} else {
		d->waiting = WAITING_NOTHING;
		dialogue_log(d, v, "");
		dialogue_end(r, NULL, v, NULL);
	}
}

static void on_code(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	const struct wire_field *f = wire_get(&r->msg, "text");
	const struct factor *how = NULL;
	struct logged_in l = {.k = k, .d = d, .now = now};
	enum verdict v = attempt_factor(k, st, &d->attempt, (const char *)f->data, f->len, l.now, &how, logged_in, &l);
	dialogue_log(d, v, how ? how->name : "");
	if ((v == VERDICT_DENY || v == VERDICT_THROTTLED || v == VERDICT_LOCKED) && door_mail_again(k, r, d))
		return;
	d->waiting = WAITING_NOTHING;
	/* waits and locks are nobody's business before the verdict */
	dialogue_end(r, NULL, v == VERDICT_THROTTLED || v == VERDICT_LOCKED ? VERDICT_DENY : v,
		     v == VERDICT_ALLOW ? &l.ticket : NULL);
}

/* What the key signed is looked at together with the password: one verdict, at the end. */
static void on_signature(struct keeper *k, struct store *st, struct request *r, struct dialogue *d,
			 const struct passkey_assertion *signature, int64_t now)
{
	struct logged_in l = {.k = k, .d = d, .now = now};
	struct assertion x = {.r = signature, .client_hash = d->key_hash};
	enum verdict v = attempt_passkey(k, st, &d->attempt, &x, now, logged_in, &l);
	d->waiting = WAITING_NOTHING;
	dialogue_log(d, v, v == VERDICT_ALLOW ? d->attempt.right->name : "");
	dialogue_end(r, NULL, v, v == VERDICT_ALLOW ? &l.ticket : NULL);
}

static void on_key(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	struct passkey_assertion signature;
	/* to a login without a name the credential would give one: whosever it is */
	if (d->attempt.login[0] && door_key_signed(&r->msg, &signature))
		on_signature(k, st, r, d, &signature, now);
	else
		door_mail_enter(k, st, r, d, now, door_key_why(&r->msg));
}

static void on_answer(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	const struct wire_field *f = wire_get(&r->msg, "text");
	if (!f || f->len > ANSWER_MAX || !text_utf8_valid(f->data, f->len) || !wire_str(&r->msg, "text")) {
		d->waiting = WAITING_NOTHING;
		dialogue_log(d, VERDICT_DENY, "a reply that is no text");
		dialogue_end(r, NULL, VERDICT_DENY, NULL);
	} else if (d->phase == DIALOGUE_CHANGE) {
		door_change_answer(k, st, r, d, wire_str(&r->msg, "text"), now);
	} else if (d->waiting == WAITING_PASSWORD) {
		on_password(k, st, r, d, now);
	} else if (d->waiting == WAITING_CODE && !f->len) {
		if (!d->seat || d->key_tried || !door_key_enter(k, st, r, d, now))
			door_mail_enter(k, st, r, d, now, NULL);
	} else if (d->waiting == WAITING_APPROVAL && !f->len) {
		d->waiting = WAITING_PASSWORD;
		dialogue_ask(k, r, NULL, N_("Password: "));
	} else {
		on_code(k, st, r, d, now);
	}
}

/* A password that has expired is changed where it was just typed, in this very process: not in cron's or root's su, and
 * not after a key. */
static void on_account(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	struct person p;
	bool asked = false;
	memset(&p, 0, sizeof p);
	enum verdict v = st && now > 0 ? dialogue_standing(k, st, &d->attempt, now, &p) : VERDICT_UNAVAILABLE;
	if (v == VERDICT_ALLOW && d->policy.password != POLICY_SKIP && policy_password_due(k->conf, &p, now) &&
	    ticket_good(k->seal, &p, d->service, wire_str(&r->msg, "ticket"), now, &asked) && asked)
		v = VERDICT_CHANGE;
	person_wipe(&p);
	if (v != VERDICT_ALLOW && v != VERDICT_IGNORE)
		dialogue_log(d, v, "");
	d->waiting = WAITING_NOTHING;
	dialogue_end(r, NULL, v, NULL);
}

static void on_begin(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	struct errmsg why;
	d->trusted = server_peer(r)->trusted;
	d->begun = now > 0 ? now : 0;
	enum err e = begin_dialogue(k, r, d, &why);
	if (e) {
		if (dialogue_may_log(d->trusted))
			daemon_log(LOG_AUTHPRIV | LOG_ERR, "pam_kosmo refused: %s", why.text);
		d->waiting = WAITING_NOTHING;
		dialogue_end(r, NULL, VERDICT_INTERNAL, NULL);
	} else if (d->phase == DIALOGUE_ACCOUNT) {
		on_account(k, st, r, d, now);
	} else if (d->phase != DIALOGUE_AUTH) {
		door_change_begin(k, st, r, d, now);
	} else if (d->policy.password == POLICY_SKIP) {
		d->attempt.password_right = d->attempt.no_password = true;
		door_mail_ask(k, st, r, d, now);
	} else if (d->policy.passkey == POLICY_PASSKEY_ALONE) {
		door_mail_alone(k, st, r, d, now);
	} else {
		d->waiting = WAITING_PASSWORD;
		dialogue_ask(k, r, NULL, N_("Password: "));
	}
}

static struct dialogue *dialogue_of(struct request *r)
{
	void **place = server_state(r, dialogue_free);
	if (!*place)
		*place = calloc(1, sizeof(struct dialogue));
	return *place;
}

enum auth_work door_auth_work(struct request *r)
{
	const struct dialogue *d = dialogue_of(r);
	if (!strcmp(r->msg.kind, "begin")) {
		const char *phase = wire_str(&r->msg, "phase");
		struct policy_pam p;
		struct errmsg why;
		bool auth = phase && !strcmp(phase, "auth");
		/* of a stranger the user database is asked (a directory that may be slow), and a path of theirs looked
		 * at; and where the first question is already for the code, the store may have to say which */
		return auth && server_peer(r)->trusted && !policy_pam_options(&r->msg, &p, &why) &&
			       p.passkey != POLICY_PASSKEY_ALONE && (p.password == POLICY_ASK || !p.prompt_by_method)
			   ? AUTH_NOW
			   : AUTH_FAST;
	}
	/* a new password is weighed and hashed */
	return d && (d->waiting == WAITING_PASSWORD || d->waiting == WAITING_NEW || d->waiting == WAITING_AGAIN)
		   ? AUTH_HASH
		   : AUTH_FAST;
}

bool door_auth_known(struct keeper *k, struct store *st, struct request *r)
{
	struct dialogue *d = dialogue_of(r);
	return d && attempt_known(k, st, &d->attempt, clock_now());
}

void door_auth_run(struct keeper *k, struct store *st, struct request *r)
{
	struct dialogue *d = dialogue_of(r);
	int64_t now = clock_now();
	bool begin = !strcmp(r->msg.kind, "begin");
	const char *due = d && d->waiting == WAITING_KEY ? "key" : "answer";
	if (!d || (!begin && strcmp(r->msg.kind, due)) || begin != (d->waiting == WAITING_BEGIN) ||
	    d->waiting == WAITING_NOTHING)
		dialogue_end(r, NULL, VERDICT_INTERNAL, NULL);
	else if (begin)
		on_begin(k, st, r, d, now);
	else if (!st || now <= 0) { /* by a clock that cannot be read nothing has begun or expired */
		dialogue_log(d, VERDICT_UNAVAILABLE, "");
		dialogue_end(r, NULL, VERDICT_UNAVAILABLE, NULL);
	} else if (d->waiting == WAITING_KEY)
		on_key(k, st, r, d, now);
	else
		on_answer(k, st, r, d, now);
}

void door_auth_busy(struct keeper *k, struct request *r)
{
	(void)k;
	daemon_log(LOG_AUTHPRIV | LOG_WARNING, "refused: too many logins at once");
	dialogue_end(r, NULL, VERDICT_UNAVAILABLE, NULL);
}
