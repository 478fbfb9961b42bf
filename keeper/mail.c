#include "config.h"

#include "keeper/mail_message.h"
#include "keeper/mail_template.h"
#include "keeper/mail_text.h"
#include "keeper/require.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NOTICE_LIFE 86400 /* seconds after which news is no news */

/* News that nobody asked for: only these can be unsubscribed from. */
static bool is_notice(const struct mail_text_row *t)
{
	return !t->urgent && !strstr(t->needs, "code") && !strstr(t->needs, "link") && !strstr(t->may, "code") &&
	       !strstr(t->may, "link");
}

enum err mail_make(struct mail_site *site, const struct conf *conf, enum mail_text text, const char *lang,
		   const struct fill *values, const char *to, const struct id *id, int64_t now, struct buf *ret)
{
	AUTO_BUF subject = BUF_INIT;
	AUTO_BUF body = BUF_INIT;
	enum err e = mail_site_fill(site, conf, text, lang, values, &subject, &body);
	const struct mail_parts parts = {.id = id,
					 .to = to,
					 .lang = lang,
					 .subject = buf_str(&subject),
					 .body = buf_str(&body),
					 .notice = is_notice(&mail_texts[text]),
					 .now = now};
	if (!e && (!parts.subject || !parts.body))
		e = ERR_INVALID;
	return e ? e : mail_compose(conf, &parts, ret);
}

enum err mail_queue(struct keeper *k, struct store *st, const struct id *person, const char *to, const char *lang,
		    enum mail_text text, const struct fill *values, int64_t now, int64_t life, struct id *ret_id)
{
	struct mail m = {.person = *person,
			 .state = MAIL_WAITING,
			 .urgent = mail_texts[text].urgent,
			 .created = now,
			 .next_try = now,
			 .expires = now + life};
	snprintf(m.recipient, sizeof m.recipient, "%s", to);
	enum err e = id_new(&m.id);
	if (!e)
		e = mail_make(k->mails, k->conf, text, lang, values, to, &m.id, now, &m.message);
	if (!e)
		e = store_mail_put(st, &m);
	if (!e && ret_id)
		*ret_id = m.id;
	mail_clear(&m);
	return e;
}

void mail_time(const char *lang, int64_t t, char ret[static MAIL_TIME])
{
	time_t when = t;
	struct tm tm;
	ret[0] = '\0';
	if (!localtime_r(&when, &tm))
		return;
	snprintf(ret, MAIL_TIME, !strcmp(lang, "ja") ? "%d年%d月%d日 %d時%02d分" : "%04d-%02d-%02d %02d:%02d",
		 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min);
}

static const char *language_of(const struct keeper *k, const struct person *p)
{
	return p->locale[0] ? p->locale : k->conf->language;
}

enum err mail_notice(struct keeper *k, struct store *st, const struct person *p, const char *lang, enum mail_text text,
		     const char *name, const char *left, int64_t now, bool *ret_queued)
{
	char when[MAIL_TIME];
	if (!p->email_verified)
		return ERR_NONE;
	lang = lang ? lang : language_of(k, p);
	mail_time(lang, now, when);
	const struct fill values[] = {
	    {"time", when}, {"name", name ? name : ""}, {"left", left ? left : ""}, {NULL, NULL}};
	enum err e = mail_queue(k, st, &p->id, p->email, lang, text, values, now, NOTICE_LIFE, NULL);
	if (!e)
		*ret_queued = true;
	return e;
}

enum err mail_recovery_used(struct keeper *k, struct store *st, const struct id *person, const char *lang, int64_t now)
{
	struct person p;
	struct facts f = {0};
	size_t left = 0;
	char n[24];
	bool queued = false;
	enum err e = store_begin(st);
	if (e)
		return e;
	memset(&p, 0, sizeof p);
	e = store_person_by_id(st, person, &p);
	if (!e)
		e = require_facts(st, k->conf, &p, now, &f);
	if (!e)
		e = store_recovery_left(st, person, &left);
	snprintf(n, sizeof n, "%zu", left);
	/* who logs in with a sheet uses one each time */
	if (!e && (!f.sheet || left <= SHEET_LOW))
		e = mail_notice(k, st, &p, lang, MAIL_RECOVERY_USED, NULL, n, now, &queued);
	if (!e)
		e = store_commit(st);
	if (e)
		store_rollback(st);
	else if (queued && k->wake_outbox)
		k->wake_outbox(k->wake_arg);
	person_wipe(&p);
	return e;
}
