#include "config.h"

#include "common/i18n.h"
#include "keeper/agent.h"
#include "keeper/notice.h"
#include "keeper/require.h"
#include <stdio.h>
#include <string.h>

static const struct rule {
	enum mail_text text;
	struct quota quota;
} rules[] = {
    {MAIL_LANE_CLOSED, {.name = "notice-lane", .most = 1, .window = 86400}},
    {MAIL_FACTOR_DISABLED, {.name = "notice-disabled", .most = 3, .window = 86400}},
    {MAIL_FACTOR_ENABLED, {.name = "notice-enabled", .most = 3, .window = 86400}},
    {MAIL_NEW_BROWSER, {.name = "notice-browser", .most = 10, .window = 86400}},
    {MAIL_NEW_PLACE, {.name = "notice-place", .most = 10, .window = 86400}},
    {MAIL_PASSKEY_COPY, {.name = "notice-copy", .most = 3, .window = 86400}},
    {MAIL_PASSKEY_STORED, {.name = "notice-stored", .most = 3, .window = 86400}},
};
/* Stands for the mail where there is nobody to write to: as much is written into the store. */
static const struct quota no_mail = {.name = "notice-none", .most = INT64_MAX, .window = 86400};

/* Whose quotas these are: nothing that stands against the person, and nothing for kosmoctl user unlock to forget. */
static enum err quotas_of(const struct keeper *k, const struct id *owner, struct id *ret)
{
	uint8_t d[DIGEST_LEN];
	const struct seal_part part[] = {{"notice", 6}, {owner->b, ID_LEN}};
	enum err e = seal_mac(k->seal, SEAL_COUNTER, part, 2, d);
	if (!e)
		memcpy(ret->b, d, ID_LEN);
	return e;
}

/* owner: p's id, or a bucket of unknown names with p NULL. */
static enum err tell(struct keeper *k, struct store *st, const struct id *owner, const struct person *p,
		     enum mail_text text, const struct fill *values, int64_t now, bool *ret_told)
{
	const struct rule *r = rules;
	int64_t wait;
	struct id quotas;
	while (r->text != text)
		r++;
	enum err e = quotas_of(k, owner, &quotas);
	if (!e)
		e = limits_take(st, k->seal, &r->quota, &quotas, now, false, &wait);
	if (e)
		return e == ERR_DENIED ? ERR_NONE : e;
	if (!p || !p->email_verified)
		return limits_take(st, k->seal, &no_mail, &quotas, now, false, &wait);
	e = mail_tell(k, st, p, p->email, text, values, now, MAIL_NEWS_LIFE, NULL);
	if (!e)
		*ret_told = true;
	return e;
}

enum err notice_closed(struct keeper *k, struct store *st, struct attempt *a, int64_t now)
{
	struct person p;
	const struct limit *l = &a->limit;
	memset(&p, 0, sizeof p);
	enum err e = l->person ? store_person_by_id(st, &l->key.owner, &p) : store_person_nobody(st);
	if (!e)
		e = tell(k, st, &l->key.owner, l->person ? &p : NULL, MAIL_LANE_CLOSED, NULL, now, &a->told);
	person_wipe(&p);
	return e;
}

enum err notice_factor(struct keeper *k, struct store *st, const struct id *person, enum mail_text text,
		       enum factor_kind kind, int64_t now, bool *ret_told)
{
	struct person p;
	memset(&p, 0, sizeof p);
	enum err e = store_person_by_id(st, person, &p);
	const struct fill values[] = {
	    {"name", i18n(mail_language(k, &p),
			  kind == FACTOR_MAILCODE ? N_("Codes by email") : N_("Codes from your authenticator app"))},
	    {NULL, NULL}};
	if (!e)
		e = tell(k, st, &p.id, &p, text, values, now, ret_told);
	person_wipe(&p);
	return e;
}

enum err notice_passkey(struct keeper *k, struct store *st, const struct person *p, enum mail_text text,
			const char *name, bool backed_up, int64_t now, bool *ret_told)
{
	const struct fill values[] = {
	    {"name", name},
	    {"where",
	     i18n(mail_language(k, p),
		  backed_up
		      ? N_("It is now also kept in your account with the maker of the device (Apple, Google or "
			   "another one), so that your other devices can use it.")
		      : N_("It is no longer kept in your account with the maker of the device, only on the device "
			   "itself. If you lose the device, it is lost too."))},
	    {NULL, NULL}};
	return tell(k, st, &p->id, p, text, values, now, ret_told);
}

static enum err recovery_used(struct keeper *k, struct store *st, struct attempt *a, const struct person *p,
			      int64_t now)
{
	char n[24];
	size_t left = 0;
	struct facts f = {0};
	enum err e = require_facts(st, k->conf, p, now, &f);
	if (!e)
		e = store_recovery_left(st, &p->id, &left);
	snprintf(n, sizeof n, "%zu", left);
	/* who logs in with a sheet uses one each time */
	return e || (f.sheet && left > SHEET_LOW)
		   ? e
		   : mail_notice(k, st, p, NULL, MAIL_RECOVERY_USED, NULL, n, now, &a->told);
}

static bool wanted(const struct conf *conf)
{
	return conf->notice_new_login && !strcmp(conf->notice_new_login, "yes");
}

enum err notice_in(struct keeper *k, struct store *st, struct attempt *a, const struct person *p, enum factor_kind kind,
		   const struct learned *l, int64_t now)
{
	const char *lang = mail_language(k, p), *colon = strchr(a->place, ':');
	AUTO_BUF agent = BUF_INIT;
	enum err e = kind == FACTOR_RECOVERY ? recovery_used(k, st, a, p, now) : ERR_NONE;
	bool unknown = a->door == DOOR_WEB ? l->device : l->address;
	/* to whom nothing is known yet nothing is new */
	if (e || !unknown || a->step_up || !p->last_login || !wanted(k->conf))
		return e;
	agent_words(lang, a->agent ? a->agent : "", &agent);
	const struct fill values[] = {{"agent", buf_str(&agent)},
				      {"service", colon ? colon + 1 : a->place},
				      {"address", a->origin.shown[0] ? a->origin.shown : i18n(lang, N_("not known"))},
				      {NULL, NULL}};
	if (!buf_str(&agent))
		return ERR_NOMEM;
	return tell(k, st, &p->id, p, a->door == DOOR_WEB ? MAIL_NEW_BROWSER : MAIL_NEW_PLACE, values, now, &a->told);
}
