#include "config.h"

#include "common/base64url.h"
#include "common/daemon.h"
#include "common/secret.h"
#include "keeper/attempt.h"
#include "keeper/birth.h"
#include "keeper/forgot.h"
#include "keeper/mail.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define FAMILY_MAX 32 /* people of one address that are looked at */

/* Not the common one: a stranger who knows an address would use it up, and learns here nothing of what was right. */
static const struct quota quota_birth_ids = {.name = "birth-ids", .most = 5, .window = 86400};
static const struct quota quota_ids = {.name = "ids", .most = 5, .window = 3600};
static const struct quota quota_ids_sent = {.name = "ids-sent", .most = 5, .window = 3600, .apart = 60};

enum err forgot_name(const char *typed, struct forgot_name *ret)
{
	AUTO_BUF b = BUF_INIT;
	enum err e = text_login(typed, strlen(typed), &b);
	if ((e && e != ERR_INVALID) || b.failed)
		return ERR_NOMEM;
	ret->nobody = e || !buf_str(&b) || b.len > LOGIN_MAX;
	snprintf(ret->login, sizeof ret->login, "%s", ret->nobody ? typed : buf_str(&b));
	return ERR_NONE;
}

enum err forgot_find(struct keeper *k, struct store *st, const struct forgot_name *name, struct person *ret,
		     bool *ret_found, struct id *ret_owner)
{
	struct id bucket;
	enum err e = limits_bucket(k->seal, name->login, &bucket);
	if (e)
		return e;
	e = name->nobody ? ERR_NOTFOUND : store_person_by_login(st, name->login, ret);
	if (e && e != ERR_NOTFOUND)
		return e;
	*ret_found = !e;
	*ret_owner = e ? bucket : ret->id;
	return e ? store_person_nobody(st) : ERR_NONE;
}

/* Is it the confirmed address of somebody else too? Whatever state their account is in: the mailbox is theirs. */
static enum err shared(struct store *st, const struct person *p, bool *ret)
{
	struct id id[FAMILY_MAX];
	struct person other;
	size_t n = 0;
	enum err e = store_person_by_email(st, p->email, id, FAMILY_MAX, &n);
	bool more = n == FAMILY_MAX;
	memset(&other, 0, sizeof other);
	for (size_t i = 0; !e && !more && i < n; i++) {
		if (!memcmp(&id[i], &p->id, sizeof id[i]))
			continue;
		e = store_person_by_id(st, &id[i], &other);
		more = !e && other.email_verified;
	}
	person_wipe(&other);
	if (!e)
		*ret = more;
	return e;
}

enum err reset_way(struct store *st, const struct person *p, const struct facts *f, int64_t now, enum reset_way *ret)
{
	bool several = false;
	enum reset_way way = RESET_NONE;
	enum err e = ERR_NONE;
	if (!attempt_usable(p, DOOR_WEB, now) || p->frozen || !p->email_verified || !p->password[0])
		way = RESET_NONE;
	else if (f->strong)
		way = RESET_FACTOR;
	else if (p->role == ROLE_MEMBER && p->birth.year) {
		e = shared(st, p, &several);
		way = several ? RESET_SHARED : RESET_BIRTH;
	}
	if (!e)
		*ret = way;
	return e;
}

void forgot_asked_free(void *asked)
{
	if (asked)
		secret_wipe(asked, sizeof(struct forgot_asked));
	free(asked);
}

/* ---- the work after the answer ---- */

struct work {
	struct keeper *k;
	struct store *st;
	const struct forgot_asked *asked;
	bool mailed;
};

/* [tx] p NULL: nobody's. */
static enum err note(struct work *w, const struct person *p, const char *event, const char *detail)
{
	struct audit row = {
	    .time = w->asked->now, .event = event, .door = "web", .address = w->asked->from, .detail = detail};
	if (p)
		row.person = p->id;
	return store_audit(w->st, &row);
}

/* Who asks may be a stranger: a mail is in its reader's language where that is known. */
static const char *language(const struct work *w, const struct person *p)
{
	return p->locale[0] ? p->locale : w->asked->lang;
}

static enum err send(struct work *w, const struct person *p, enum mail_text text, const struct fill *values,
		     struct id *ret_id)
{
	enum err e =
	    mail_queue(w->k, w->st, &p->id, p->email, language(w, p), text, values, w->asked->now, RESET_LIFE, ret_id);
	w->mailed = w->mailed || !e;
	return e;
}

static enum err mail_link(struct work *w, const struct person *p)
{
	struct code row = {.person = p->id,
			   .purpose = CODE_RESET,
			   .created = w->asked->now,
			   .expires = w->asked->now + RESET_LIFE,
			   .bound = true};
	uint8_t random[32];
	unsigned number = 0;
	char code[8] = "";
	AUTO_BUF token = BUF_INIT;
	AUTO_BUF link = BUF_INIT;
	memcpy(row.binding, w->asked->browser, sizeof row.binding);
	snprintf(row.address, sizeof row.address, "%s", p->email);
	enum err e = secret_random(random, sizeof random);
	if (!e)
		e = secret_uniform(1000000, &number);
	if (!e)
		e = id_new(&row.id);
	if (e)
		goto out;
	base64url_encode(&token, random, sizeof random);
	snprintf(code, sizeof code, "%06u", number % 1000000);
	buf_addf(&link, "%s/mail/%s", w->k->conf->url, buf_str(&token) ? buf_str(&token) : "");
	if (!buf_str(&token) || !buf_str(&link)) {
		e = ERR_NOMEM;
		goto out;
	}
	const struct fill values[] = {{"name", p->name}, {"code", code}, {"link", buf_str(&link)}, {NULL, NULL}};
	e = send(w, p, MAIL_RESET, values, &row.mail);
	if (!e)
		e = store_code_put(w->st, &row, code, buf_str(&token));
out:
	secret_wipe(random, sizeof random);
	secret_wipe(code, sizeof code);
	secret_wipe(&number, sizeof number);
	return e;
}

static enum err mail_shared(struct work *w, const struct person *p)
{
	const struct fill values[] = {{"name", p->name}, {NULL, NULL}};
	return send(w, p, MAIL_RESET_SHARED, values, NULL);
}

/* [tx] */
static enum err reset(struct work *w)
{
	struct person p;
	struct facts f;
	struct id owner;
	struct forgot_asker asker;
	bool found = false;
	enum reset_way way = RESET_NONE;
	memset(&p, 0, sizeof p);
	enum err e = forgot_find(w->k, w->st, &w->asked->name, &p, &found, &owner);
	if (!e)
		e = forgot_asker(w->k, w->st, &w->asked->name, &w->asked->origin, w->asked->browser, found, &owner,
				 w->asked->now, &asker);
	if (!e)
		e = forgot_take_mail(w->st, w->k->seal, &asker, w->asked->now);
	if (!e && found)
		e = require_facts(w->st, w->k->conf, &p, w->asked->now, &f);
	if (!e && found)
		e = reset_way(w->st, &p, &f, w->asked->now, &way);
	if (!e && (way == RESET_FACTOR || way == RESET_BIRTH))
		e = mail_link(w, &p);
	else if (!e && way == RESET_SHARED)
		e = mail_shared(w, &p);
	if (!e)
		e = note(w, found ? &p : NULL, "reset.asked",
			 way == RESET_NONE     ? "no mail"
			 : way == RESET_SHARED ? "shared address"
					       : "mailed");
	person_wipe(&p);
	return e;
}

static enum err id_owner(struct work *w, bool somebody, struct id *ret)
{
	uint8_t d[DIGEST_LEN];
	const char *email = w->asked->email;
	const struct seal_part part[] = {{"forgot-id", 9}, {email, strlen(email)}};
	enum err e = seal_mac(w->k->seal, SEAL_COUNTER, part, 2, d);
	if (e)
		return e;
	if (!somebody)
		return limits_bucket(w->k->seal, email, ret);
	memcpy(ret->b, d, ID_LEN);
	return ERR_NONE;
}

/* [tx] Those of the address whose birth date it is, in one mail; first: whom it is queued for. */
static enum err match(struct work *w, const struct id *id, struct person *first, struct buf *list)
{
	struct person p;
	bool right = false;
	enum err e = store_person_by_id(w->st, id, &p);
	if (!e && p.email_verified && attempt_usable(&p, DOOR_WEB, w->asked->now) && !p.frozen) {
		e = birth_try(w->st, w->k->seal, &quota_birth_ids, &p, w->asked->birth, w->asked->now, &right);
		e = e == ERR_DENIED ? ERR_NONE : e;
	}
	if (!e && right) {
		buf_addf(list, "    %s: %s\n", p.name, p.login);
		e = note(w, &p, "id.mailed", "");
		if (!first->login[0])
			*first = p;
	}
	person_wipe(&p);
	return e;
}

/* [tx] */
static enum err ids(struct work *w)
{
	struct id id[FAMILY_MAX], owner;
	struct person first;
	size_t n = 0;
	int64_t wait = 0;
	AUTO_BUF list = BUF_INIT;
	AUTO_BUF login = BUF_INIT;
	memset(&first, 0, sizeof first);
	enum err e = store_person_by_email(w->st, w->asked->email, id, FAMILY_MAX, &n);
	if (!e)
		e = id_owner(w, n > 0, &owner);
	if (!e)
		e = limits_take(w->st, w->k->seal, &quota_ids, &owner, w->asked->now, false, &wait);
	/* who mistyped the date need not wait, who was sent a mail must */
	if (!e)
		e = limits_look(w->st, w->k->seal, &quota_ids_sent, &owner, w->asked->now, &wait);
	if (!e && wait)
		goto out;
	for (size_t i = 0; !e && i < n; i++)
		e = match(w, &id[i], &first, &list);
	if (!e && !first.login[0])
		e = note(w, NULL, "id.asked", "nobody matches");
	if (e || !first.login[0])
		goto out;
	e = limits_take(w->st, w->k->seal, &quota_ids_sent, &owner, w->asked->now, false, &wait);
	buf_addf(&login, "%s/login", w->k->conf->url);
	const struct fill values[] = {{"list", buf_str(&list)}, {"link", buf_str(&login)}, {NULL, NULL}};
	if (!e)
		e = values[0].value && values[1].value ? send(w, &first, MAIL_IDS, values, NULL) : ERR_NOMEM;
out:
	person_wipe(&first);
	return e;
}

static void run(struct keeper *k, struct store *st, struct forgot_asked *asked, enum err (*f)(struct work *w))
{
	struct work w = {.k = k, .st = st, .asked = asked};
	enum err e = store_begin(st);
	if (!e)
		e = f(&w);
	if (!e)
		e = store_commit(st);
	if (e)
		store_rollback(st);
	else if (w.mailed && k->wake_outbox)
		k->wake_outbox(k->wake_arg);
	if (e && e != ERR_DENIED) /* asked too often: nothing was done */
		daemon_log(LOG_AUTHPRIV | LOG_ERR, "web: a mail to who forgot something failed: %s", err_text(e));
}

void forgot_mail_reset(struct keeper *k, struct store *st, void *asked)
{
	run(k, st, asked, reset);
}

void forgot_mail_ids(struct keeper *k, struct store *st, void *asked)
{
	run(k, st, asked, ids);
}
