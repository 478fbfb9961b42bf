#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/attempt.h"
#include "keeper/mail.h"
#include "keeper/new_password.h"
#include <stdio.h>
#include <string.h>

static enum password_verdict quality(const struct keeper *k, const struct person *p, const char *nfkc)
{
	char iso[11] = "", digits[16] = "", local[EMAIL_MAX + 1];
	snprintf(local, sizeof local, "%.*s", (int)strcspn(p->email, "@"), p->email);
	if (p->birth.year) {
		text_date_iso(p->birth, iso);
		snprintf(digits, sizeof digits, "%04d%02d%02d", p->birth.year, p->birth.month, p->birth.day);
	}
	const char *personal[8];
	size_t n = 0;
	const char *const all[] = {p->login, p->name, p->email, local, iso, digits};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i][0])
			personal[n++] = all[i];
	personal[n] = NULL;
	enum password_verdict v = password_quality(nfkc, (size_t)k->conf->password_min, personal);
	secret_wipe(local, sizeof local);
	return v;
}

enum password_verdict new_password_check(const struct keeper *k, const struct person *p, const char *typed,
					 const char *current, struct buf *nfkc)
{
	buf_wipe(nfkc);
	if (text_nfkc(typed, strlen(typed), nfkc) || !buf_str(nfkc))
		return PASSWORD_BYTES;
	const char *text = buf_str(nfkc);
	if (current && secret_equal(current, strlen(current), text, strlen(text)))
		return PASSWORD_SAME;
	enum password_verdict v = quality(k, p, text);
	return v != PASSWORD_FINE				   ? v
	       : attempt_initial_matches(k, p, text, strlen(text)) ? PASSWORD_SAME
								   : PASSWORD_FINE;
}

const char *new_password_words(const struct keeper *k, const char *lang, enum password_verdict v, struct buf *b)
{
	char least[24];
	snprintf(least, sizeof least, "%lld", (long long)k->conf->password_min);
	const struct fill values[] = {{"least", least}, {NULL, NULL}};
	switch (v) {
	case PASSWORD_FINE:
		return NULL;
	case PASSWORD_SHORT:
		fill(b, i18n(lang, N_("The password must have {least} characters or more.")), values);
		return buf_str(b);
	case PASSWORD_LONG:
		return i18n(lang, N_("The password must have 128 characters or fewer."));
	case PASSWORD_BYTES:
		return i18n(lang, N_("The password holds a character that cannot be used. Please leave it out."));
	case PASSWORD_COMMON:
		return i18n(
		    lang,
		    N_("This password is easy to guess. Please choose another one, for example three words that do not "
		       "belong together."));
	case PASSWORD_PERSONAL:
		return i18n(lang,
			    N_("The password holds your name, user ID, email address or birth date. Please choose "
			       "another one."));
	case PASSWORD_SAME:
		break;
	}
	return i18n(lang, N_("This is the password that you have now. Please choose a new one."));
}

enum err new_password_change(struct keeper *k, struct store *st, struct person *p, const char *hash,
			     const uint8_t *except, const struct audit *by, const char *lang, bool *ret_mailed)
{
	struct audit row = *by;
	row.person = p->id;
	row.event = "password.changed";
	person_set_password(p, hash, by->time);
	enum err e = store_person_save(st, p);
	if (!e)
		e = store_session_end_all(st, &p->id, except);
	if (!e) /* whoever knew the old one may have asked for it */
		e = store_code_drop(st, &p->id, CODE_NEW_EMAIL);
	if (!e) /* nothing is forgotten any more */
		e = store_code_drop(st, &p->id, CODE_RESET);
	if (!e)
		e = mail_notice(k, st, p, lang, MAIL_PASSWORD_CHANGED, NULL, NULL, by->time, ret_mailed);
	return e ? e : store_audit(st, &row);
}
