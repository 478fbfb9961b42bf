#include "config.h"

#include "keeper/mail_message.h"
#include "keeper/mail_template.h"
#include "keeper/mail_text.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAIL_VALUES 6 /* of a text, beside {time} */

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
	i18n_time(lang, t, ret);
}

const char *mail_language(const struct keeper *k, const struct person *p)
{
	return p->locale[0] ? p->locale : k->conf->language;
}

static enum err tell(struct keeper *k, struct store *st, const struct person *p, const char *to, const char *lang,
		     enum mail_text text, const struct fill *values, int64_t now, int64_t life, struct id *ret_id)
{
	char when[MAIL_TIME];
	struct fill all[MAIL_VALUES + 2] = {{"time", when}};
	mail_time(lang, now, when);
	for (size_t i = 0; i < MAIL_VALUES && values && values[i].name; i++)
		all[i + 1] = values[i];
	return mail_queue(k, st, &p->id, to, lang, text, all, now, life, ret_id);
}

enum err mail_tell(struct keeper *k, struct store *st, const struct person *p, const char *to, enum mail_text text,
		   const struct fill *values, int64_t now, int64_t life, struct id *ret_id)
{
	return tell(k, st, p, to, mail_language(k, p), text, values, now, life, ret_id);
}

enum err mail_notice(struct keeper *k, struct store *st, const struct person *p, const char *lang, enum mail_text text,
		     const char *name, const char *left, int64_t now, bool *ret_queued)
{
	const struct fill values[] = {{"name", name ? name : ""}, {"left", left ? left : ""}, {NULL, NULL}};
	if (!p->email_verified)
		return ERR_NONE;
	enum err e =
	    tell(k, st, p, p->email, lang ? lang : mail_language(k, p), text, values, now, MAIL_NEWS_LIFE, NULL);
	if (!e)
		*ret_queued = true;
	return e;
}
