#include "config.h"

#include "common/i18n.h"
#include "keeper/mail.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NOTICE_LIFE 86400 /* seconds after which news is no news */

static const struct {
	const char *subject, *body;
	bool urgent; /* somebody waits for it */
} texts[] = {
    [MAIL_VERIFY] = {N_("Please confirm your e-mail address"),
		     N_("Please confirm that this is your e-mail address.\n\n"
			"Type this confirmation code on the page that you have open:\n\n    {code}\n\n"
			"or open this page and press the button there:\n\n{link}\n\n"
			"Both can be used for 24 hours.\n\n"
			"If you did not ask for this mail, please ignore it. Nothing will change.\n"),
		     true},
    [MAIL_GUARD] = {N_("Your confirmation code"),
		    N_("Your confirmation code is:\n\n    {code}\n\n"
		       "Please type it on the login page within 10 minutes. Never tell it to anyone.\n\n"
		       "If you are not logging in just now, please ignore this mail, and change your password soon.\n"),
		    true},
    [MAIL_CODE] = {N_("Your one-time code"),
		   N_("Your one-time code is:\n\n    {code}\n\n"
		      "Please type it where you are logging in, within 10 minutes. Never tell it to anyone.\n\n"
		      "If you are not logging in just now, somebody knows your password: please ignore this mail, and "
		      "change your "
		      "password soon.\n"),
		   true},
    [MAIL_APP_ADDED] = {N_("An authenticator app was added"),
			N_("An authenticator app was added to your account: {name} ({time})\n\n"
			   "If this was not you, please contact us at once.\n")},
    [MAIL_APP_REMOVED] = {N_("An authenticator app was removed"),
			  N_("An authenticator app was removed from your account: {name} ({time})\n\n"
			     "If this was not you, please contact us at once.\n")},
    [MAIL_PASSWORD_CHANGED] = {N_("Your password was changed"),
			       N_("The password of your account was changed. ({time})\n\n"
				  "If this was not you, please contact us at once.\n")},
    [MAIL_RECOVERY_USED] = {N_("A recovery code was used"),
			    N_("A recovery code was used to log in to your account. ({time})\n"
			       "Recovery codes left: {left}\n\n"
			       "If this was not you, please contact us at once.\n")},
};

static void add_base64(struct buf *b, const void *p, size_t n)
{
	uint8_t *room = buf_room(b, 4 * ((n + 2) / 3) + 1);
	if (room)
		b->len += (size_t)EVP_EncodeBlock(room, p, (int)n);
}

/* Bytes of the longest prefix of s (n bytes) that is at most max and ends between characters. */
static size_t utf8_prefix(const char *s, size_t n, size_t max)
{
	if (n <= max)
		return n;
	while (max > 0 && ((uint8_t)s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

/* RFC 2047: encoded-words of at most 75 characters, split between characters, folded; ASCII stays as it is. */
static void add_words(struct buf *b, const char *s)
{
	size_t n = strlen(s);
	bool ascii = true;
	for (size_t i = 0; i < n; i++)
		ascii = ascii && s[i] >= ' ' && s[i] < 127;
	if (ascii && n < 60) {
		buf_adds(b, s);
		return;
	}
	for (bool first = true; n; first = false) {
		size_t part = utf8_prefix(s, n, 42); /* 42 bytes are 56 in base64, with "=?UTF-8?B?" and "?=" 68 */
		buf_adds(b, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		add_base64(b, s, part);
		buf_adds(b, "?=");
		s += part;
		n -= part;
	}
}

static void add_date(struct buf *b, int64_t now)
{
	static const char *const day[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const month[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t t = now;
	struct tm tm;
	if (!gmtime_r(&t, &tm)) {
		b->failed = true;
		return;
	}
	buf_addf(b, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", day[tm.tm_wday], tm.tm_mday, month[tm.tm_mon],
		 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

enum err mail_compose(const struct conf *conf, const char *to, const char *subject, const char *body,
		      const struct id *id, int64_t now, struct buf *ret)
{
	const char *at = strchr(conf->mail_from, '@');
	buf_adds(ret, "From: ");
	if (conf->organisation[0]) {
		/* a display name of its own encoded-words, never a quoted string that needs escaping */
		AUTO_BUF quoted = BUF_INIT;
		add_words(&quoted, conf->organisation);
		bool encoded = quoted.data && !strncmp((char *)quoted.data, "=?", 2);
		if (encoded) {
			buf_add(ret, quoted.data, quoted.len);
		} else {
			buf_addc(ret, '"');
			for (const char *p = conf->organisation; *p; p++) {
				if (*p == '"' || *p == '\\')
					buf_addc(ret, '\\');
				buf_addc(ret, *p);
			}
			buf_addc(ret, '"');
		}
		buf_adds(ret, "\r\n ");
	}
	buf_addf(ret, "<%s>\r\nTo: <%s>\r\nSubject: ", conf->mail_from, to);
	add_words(ret, subject);
	buf_adds(ret, "\r\n");
	add_date(ret, now);
	buf_adds(ret, "Message-ID: <");
	for (size_t i = 0; i < ID_LEN; i++)
		buf_addf(ret, "%02x", id->b[i]);
	buf_addf(ret, "@%s>\r\n", at ? at + 1 : "localhost");
	buf_adds(ret,
		 "MIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\nContent-Type: text/plain; charset=UTF-8\r\n"
		 "Content-Transfer-Encoding: base64\r\n\r\n");
	size_t n = strlen(body);
	AUTO_BUF crlf = BUF_INIT;
	for (size_t i = 0; i < n; i++) {
		if (body[i] == '\n')
			buf_addc(&crlf, '\r');
		buf_addc(&crlf, body[i]);
	}
	for (size_t i = 0; i < crlf.len; i += 57) { /* 57 bytes are a line of 76 */
		add_base64(ret, crlf.data + i, crlf.len - i < 57 ? crlf.len - i : 57);
		buf_adds(ret, "\r\n");
	}
	return ret->failed || crlf.failed ? ERR_NOMEM : ERR_NONE;
}

enum err mail_queue(struct keeper *k, struct store *st, const struct id *person, const char *to, const char *lang,
		    enum mail_text text, const struct fill *values, int64_t now, int64_t life, struct id *ret_id)
{
	AUTO_BUF body = BUF_INIT;
	struct mail m = {.person = *person,
			 .state = MAIL_WAITING,
			 .urgent = texts[text].urgent,
			 .created = now,
			 .next_try = now,
			 .expires = now + life};
	fill(&body, i18n(lang, texts[text].body), values);
	if (k->conf->contact[0])
		buf_addf(&body, "\n-- \n%s\n%s\n", k->conf->organisation, k->conf->contact);
	else if (k->conf->organisation[0])
		buf_addf(&body, "\n-- \n%s\n", k->conf->organisation);
	snprintf(m.recipient, sizeof m.recipient, "%s", to);
	enum err e = id_new(&m.id);
	if (!e)
		e = buf_str(&body) ? mail_compose(k->conf, to, i18n(lang, texts[text].subject), buf_str(&body), &m.id,
						  now, &m.message)
				   : ERR_NOMEM;
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
	size_t left = 0;
	char n[24];
	bool queued = false;
	enum err e = store_begin(st);
	if (e)
		return e;
	memset(&p, 0, sizeof p);
	e = store_person_by_id(st, person, &p);
	if (!e)
		e = store_recovery_left(st, person, &left);
	snprintf(n, sizeof n, "%zu", left);
	if (!e)
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
