#include "config.h"

#include "common/clock.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/attempt.h"
#include "keeper/door_auth.h"
#include "keeper/mail.h"
#include "keeper/policy.h"
#include "keeper/require.h"
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define ANSWER_MAX 512 /* PAM_MAX_RESP_SIZE */

enum waiting { WAITING_BEGIN, WAITING_PASSWORD, WAITING_CODE, WAITING_NOTHING };

struct dialogue {
	enum waiting waiting;
	bool account; /* phase account: no questions */
	struct policy_pam policy;
	struct attempt attempt;
	char service[64];
};

static void dialogue_free(void *p)
{
	struct dialogue *d = p;
	attempt_clear(&d->attempt);
	secret_wipe(d, sizeof *d);
	free(d);
}

static void send_ask(const struct keeper *k, struct request *r, const char *msgid)
{
	AUTO_BUF b = BUF_INIT;
	wire_begin(&b, r->msg.id, "ask");
	wire_puts(&b, "text", i18n(k->conf->pam_language, msgid));
	wire_puts(&b, "echo", "0");
	bool bad = wire_end(&b) != ERR_NONE;
	server_reply(r, &b, bad); /* what cannot be asked is refused: the closed connection says so */
}

static void send_verdict(struct request *r, enum verdict v)
{
	AUTO_BUF b = BUF_INIT;
	wire_begin(&b, r->msg.id, "verdict");
	wire_puts(&b, "verdict", verdict_name(v));
	if (wire_end(&b))
		buf_wipe(&b);
	server_reply(r, &b, true);
}

/* The one line of a decision. Unknown names are never in it: people type passwords there. */
static void log_decision(const struct dialogue *d, enum verdict v, const char *how)
{
	const struct attempt *a = &d->attempt;
	syslog(LOG_AUTHPRIV | (v == VERDICT_ALLOW ? LOG_INFO : LOG_NOTICE),
	       "%s service=%s user=%s rhost=%s verdict=%s%s%s", d->account ? "account" : "auth", d->service,
	       a->found ? a->login : "(unknown)", a->origin.shown[0] ? a->origin.shown : "-", verdict_name(v),
	       how[0] ? " by " : "", how);
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
	o->own_uid = !trusted;
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
	const char *rhost = wire_str(m, "rhost"), *conf = wire_str(m, "conf");
	if (!phase || (strcmp(phase, "auth") && strcmp(phase, "account")) || !service || !user)
		return err_set(why, ERR_INVALID,
			       "a message without phase, service or user: module and keeper differ in version?");
	if (wire_get(m, "conf") && (!conf || !same_conf(k, conf)))
		return err_set(why, ERR_DENIED,
			       "the module's conf= is not the file this keeper runs on (%s): mend conf= or socket=",
			       k->conf->file);
	enum err e = policy_pam_options(m, &d->policy, why);
	if (e)
		return e;
	if (!peer->trusted && !peer_owns_login(peer, user))
		return err_set(why, ERR_DENIED, "uid %lu asked for an account that is not its own",
			       (unsigned long)peer->uid);
	char place[72];
	struct origin origin;
	clean(d->service, sizeof d->service, service);
	snprintf(place, sizeof place, "pam:%s", d->service);
	d->account = !strcmp(phase, "account");
	e = begin_origin(k, r, d, rhost, &origin);
	if (e)
		return err_set(why, e, "%s", err_text(e));
	attempt_init(&d->attempt, DOOR_PAM, place, &origin, user);
	return ERR_NONE;
}

/* ALLOW: nothing stands against this account. IGNORE: not ours (members are nobody here). */
static enum verdict account_verdict(struct keeper *k, struct store *st, struct attempt *a, int64_t now)
{
	struct person p;
	struct facts f;
	if (!text_login_staff(a->login))
		return VERDICT_IGNORE;
	enum err e = store_person_by_login(st, a->login, &p);
	if (e)
		return e == ERR_NOTFOUND	      ? VERDICT_IGNORE
		       : e == ERR_BUSY || e == ERR_IO ? VERDICT_UNAVAILABLE
						      : VERDICT_INTERNAL;
	enum verdict v = VERDICT_INTERNAL;
	if (p.role != ROLE_STAFF) {
		v = VERDICT_IGNORE;
	} else {
		a->found = true;
		a->person = p.id;
		if (p.disabled)
			v = VERDICT_DISABLED;
		else if (p.expires && now >= p.expires)
			v = VERDICT_EXPIRED;
		else if (!require_facts(st, k->conf, &p, now, &f))
			v = require_first(&f, DOOR_PAM) ? VERDICT_UNFINISHED : VERDICT_ALLOW;
	}
	person_wipe(&p);
	return v;
}

static enum verdict password_answer(struct keeper *k, struct store *st, struct dialogue *d, const struct wire_field *f,
				    int64_t now)
{
	struct attempt *a = &d->attempt;
	enum err e = attempt_password(k, st, &k->auth_gate, a, (const char *)f->data, f->len, now);
	if (!e)
		e = store_begin(st);
	if (!e) {
		e = attempt_password_settle(k, st, a, now);
		if (!e)
			e = store_commit(st);
		if (e)
			store_rollback(st);
	}
	if (e)
		a->password_right = false;
	return !e ? VERDICT_ALLOW : e == ERR_BUSY || e == ERR_IO ? VERDICT_UNAVAILABLE : VERDICT_INTERNAL;
}

static enum err logged_in(struct store *st, const struct person *p, void *arg)
{
	const int64_t *now = arg;
	return store_person_seen(st, &p->id, *now);
}

static void on_answer(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	const struct wire_field *f = wire_get(&r->msg, "text");
	if (!f || f->len > ANSWER_MAX || !text_utf8_valid(f->data, f->len)) {
		log_decision(d, VERDICT_DENY, "a reply that is no text");
		send_verdict(r, VERDICT_DENY);
		return;
	}
	if (d->waiting == WAITING_PASSWORD) {
		enum verdict v = password_answer(k, st, d, f, now);
		if (v != VERDICT_ALLOW) {
			log_decision(d, v, "");
			send_verdict(r, v);
			return;
		}
		d->waiting = WAITING_CODE;
		send_ask(k, r, N_("Code: "));
		return;
	}
	const struct factor *how = NULL;
	enum verdict v = attempt_factor(k, st, &d->attempt, (const char *)f->data, f->len, now, &how, logged_in, &now);
	d->waiting = WAITING_NOTHING;
	log_decision(d, v, how ? how->name : "");
	if (v == VERDICT_ALLOW && how && how->kind == FACTOR_RECOVERY)
		(void)mail_recovery_used(k, st, &d->attempt.person, NULL, now); /* the login stands also without */
	/* waits and locks are nobody's business before the verdict */
	send_verdict(r, v == VERDICT_THROTTLED || v == VERDICT_LOCKED ? VERDICT_DENY : v);
}

static void on_begin(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	struct errmsg why;
	enum err e = begin_dialogue(k, r, d, &why);
	if (e) {
		syslog(LOG_AUTHPRIV | LOG_ERR, "pam_kosmo refused: %s", why.text);
		send_verdict(r, VERDICT_INTERNAL);
		return;
	}
	if (d->account) {
		enum verdict v = st && now > 0 ? account_verdict(k, st, &d->attempt, now) : VERDICT_UNAVAILABLE;
		if (v != VERDICT_ALLOW && v != VERDICT_IGNORE)
			log_decision(d, v, "");
		d->waiting = WAITING_NOTHING;
		send_verdict(r, v);
		return;
	}
	bool skip = d->policy.password == POLICY_SKIP;
	d->attempt.password_right = skip;
	d->waiting = skip ? WAITING_CODE : WAITING_PASSWORD;
	send_ask(k, r, skip ? N_("Code: ") : N_("Password: "));
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
		/* of a stranger the user database is asked (a directory that may be slow), and a path of theirs looked
		 * at */
		return phase && !strcmp(phase, "auth") && server_peer(r)->trusted ? AUTH_NOW : AUTH_FAST;
	}
	return d && d->waiting == WAITING_PASSWORD ? AUTH_HASH : AUTH_FAST;
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
	if (!d || (!begin && strcmp(r->msg.kind, "answer")) || begin != (d->waiting == WAITING_BEGIN) ||
	    d->waiting == WAITING_NOTHING)
		send_verdict(r, VERDICT_INTERNAL);
	else if (begin)
		on_begin(k, st, r, d, now);
	else if (!st || now <= 0) /* by a clock that cannot be read nothing has begun or expired */
		send_verdict(r, VERDICT_UNAVAILABLE);
	else
		on_answer(k, st, r, d, now);
}

void door_auth_busy(struct keeper *k, struct request *r)
{
	(void)k;
	syslog(LOG_AUTHPRIV | LOG_WARNING, "refused: too many logins at once");
	send_verdict(r, VERDICT_UNAVAILABLE);
}
