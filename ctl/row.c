#include "config.h"

#include "common/base64url.h"
#include "common/secret.h"
#include "ctl/row.h"
#include <stdio.h>
#include <string.h>

static const char *const row_names[ROW__COLUMNS] = {
    [ROW_LOGIN] = "login", [ROW_NAME] = "name",		[ROW_BIRTH] = "birth_date", [ROW_EMAIL] = "email",
    [ROW_ROLE] = "role",   [ROW_PASSWORD] = "password", [ROW_TOTP] = "totp_secret", [ROW_LOCALE] = "locale",
};
#define ROW_KNOWN "the columns are login, name, birth_date, email, role, password, totp_secret, locale"

/* ---- the first line ---- */

/* Only what may be shown on a terminal is quoted back. */
static const char *row_shown(const struct buf *b)
{
	const char *s = buf_str(b);
	for (size_t i = 0; s && s[i]; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s = NULL;
	return s && strlen(s) <= 64 ? s : "?";
}

static int row_named(const char *s)
{
	for (int i = 0; s && i < ROW__COLUMNS; i++)
		if (strcasecmp(s, row_names[i]) == 0)
			return i;
	return -1;
}

static void row_trim(const char **s, size_t *n)
{
	while (*n && strchr(" \t\r\n", (*s)[0]) && (*s)[0])
		(*s)++, (*n)--;
	while (*n && strchr(" \t\r\n", (*s)[*n - 1]) && (*s)[*n - 1])
		(*n)--;
}

bool row_header(const struct sheet_row *s, struct row_columns *ret, char *why)
{
	struct row_columns c = {.n = s->n};
	for (size_t i = 0; i < s->n; i++) {
		AUTO_BUF b = BUF_INIT;
		const char *p = s->cell[i];
		size_t n = s->len[i];
		row_trim(&p, &n);
		buf_add(&b, p, n);
		int k = row_named(buf_str(&b));
		if (k < 0 || i >= ROW__COLUMNS || c.has[k]) {
			(void)snprintf(why, 512, "%s \"%s\"; " ROW_KNOWN, k < 0 ? "unknown column" : "repeated column",
				       k < 0 ? row_shown(&b) : row_names[k]);
			return false;
		}
		c.column[i] = (enum row_column)k;
		c.has[k] = true;
	}
	if (!c.has[ROW_LOGIN]) {
		(void)snprintf(why, 512, "the column login is missing; " ROW_KNOWN);
		return false;
	}
	*ret = c;
	return true;
}

/* ---- cells ---- */

static bool row_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text_control(s + i, n - i))
			return true;
	return false;
}

const char *row_name(const char *s, size_t n, char ret[static NAME_MAX_BYTES + 1])
{
	row_trim(&s, &n);
	if (n > NAME_MAX_BYTES)
		return "name: it is longer than 256 bytes";
	if (!text_utf8_valid(s, n))
		return "name: it is not text";
	if (row_control(s, n))
		return "name: it holds a line break or another control character";
	memcpy(ret, s, n);
	ret[n] = '\0';
	return NULL;
}

const char *row_birth(const char *s, size_t n, struct date today, struct date *ret)
{
	struct date d = {0};
	row_trim(&s, &n);
	switch (text_birth_date(s, n, today, &d)) {
	case DATE_OK:
	case DATE_EMPTY:
		*ret = d;
		return NULL;
	case DATE_NOSUCH:
		return "birth_date: there is no such day";
	case DATE_FUTURE:
		return "birth_date: it is in the future";
	case DATE_OLD:
		return "birth_date: it is before the Meiji era";
	case DATE_FORM:
		break;
	}
	return "birth_date: it cannot be understood; write it as 1980-01-31";
}

const char *row_email(const char *s, size_t n, char ret[static EMAIL_MAX + 1])
{
	AUTO_BUF b = BUF_INIT;
	row_trim(&s, &n);
	if (n && (text_email(s, n, &b) || !buf_str(&b) || b.len > EMAIL_MAX))
		return "email: it is no email address";
	(void)snprintf(ret, EMAIL_MAX + 1, "%s", n ? buf_str(&b) : "");
	return NULL;
}

static bool row_is(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

const char *row_role(const char *s, size_t n, enum role *ret)
{
	row_trim(&s, &n);
	if (n && !row_is(s, n, "member") && !row_is(s, n, "staff"))
		return "role: it is neither member nor staff";
	*ret = !n ? 0 : row_is(s, n, "staff") ? ROLE_STAFF : ROLE_MEMBER;
	return NULL;
}

const char *row_locale(const char *s, size_t n, char ret[static 8])
{
	row_trim(&s, &n);
	if (n && !row_is(s, n, "ja") && !row_is(s, n, "en"))
		return "locale: it is neither ja nor en";
	(void)snprintf(ret, 8, "%s", !n ? "" : row_is(s, n, "ja") ? "ja" : "en");
	return NULL;
}

const char *row_password(const char *s, size_t n, size_t min, const char *const *personal, char *ret)
{
	AUTO_BUF b = BUF_INIT;
	if (text_nfkc(s, n, &b) || !buf_str(&b) || b.len > 512)
		return "password: it is too long, or no text";
	switch (password_quality(buf_str(&b), min, personal)) {
	case PASSWORD_FINE:
		break;
	case PASSWORD_SHORT:
		return "password: it is too short";
	case PASSWORD_LONG:
		return "password: it is too long";
	case PASSWORD_BYTES:
		return "password: it holds control characters";
	case PASSWORD_COMMON:
	case PASSWORD_SAME:
		return "password: it is too easy to guess";
	case PASSWORD_PERSONAL:
		return "password: the login, name, address or birth date is in it";
	}
	memcpy(ret, b.data, b.len + 1);
	return NULL;
}

/* A hash of a kind that libxcrypt checks is taken as it is; what only looks like one is no password that anybody chose.
 */
static const char *row_secret(const char *s, size_t n, const struct row_rules *rules, struct row *r)
{
	char birth[11] = "";
	if (!n)
		return NULL;
	if (memchr(s, '\0', n))
		return "password: it is not text";
	if (password_hash_known(s) && n < PASSWORD_HASH_MAX) {
		memcpy(r->password, s, n + 1);
		r->hashed = true;
		return NULL;
	}
	if (s[0] == '$' && n > 8 && strchr(s + 1, '$'))
		return "password: this crypt(3) hash is of a kind that is not accepted";
	if (r->birth.year)
		text_date_iso(r->birth, birth);
	const char *const personal[] = {r->login, r->name, r->email, birth, NULL};
	return row_password(s, n, rules->password_min, personal, r->password);
}

static const char *row_totp(const char *s, size_t n, struct row *r)
{
	AUTO_BUF b = BUF_INIT;
	row_trim(&s, &n);
	if (!n)
		return NULL;
	if (base32_decode(&b, s, n) || b.failed)
		return "totp_secret: it is not base32";
	if (b.len < 10 || b.len > sizeof r->totp)
		return "totp_secret: it is not 10 to 64 bytes long";
	memcpy(r->totp, b.data, b.len);
	r->totp_len = b.len;
	return NULL;
}

static const char *row_login(const char *s, size_t n, struct row *r)
{
	AUTO_BUF b = BUF_INIT;
	row_trim(&s, &n);
	if (!n)
		return "login: it is empty";
	if (text_login(s, n, &b) || !buf_str(&b) || b.len > LOGIN_MAX)
		return "login: it is not 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter, a digit or _";
	memcpy(r->login, b.data, b.len + 1);
	return NULL;
}

static const char *row_cell(enum row_column c, const char *s, size_t n, const struct row_rules *rules, struct row *r)
{
	switch (c) {
	case ROW_LOGIN:
		return row_login(s, n, r);
	case ROW_NAME:
		return row_name(s, n, r->name);
	case ROW_BIRTH:
		return row_birth(s, n, rules->today, &r->birth);
	case ROW_EMAIL:
		return row_email(s, n, r->email);
	case ROW_ROLE:
		return row_role(s, n, &r->role);
	case ROW_TOTP:
		return row_totp(s, n, r);
	case ROW_LOCALE:
		return row_locale(s, n, r->locale);
	case ROW_PASSWORD: /* needs the others: row_check does it last */
	case ROW__COLUMNS:
		break;
	}
	return NULL;
}

const char *row_check(const struct row_columns *c, const struct row_rules *rules, const struct sheet_row *s,
		      struct row *ret)
{
	const char *why = NULL;
	struct row r = {.line = s->line};
	if (s->n != c->n)
		why = s->n < c->n ? "it has fewer cells than the first line" : "it has more cells than the first line";
	for (size_t i = 0; !why && i < c->n; i++)
		why = row_cell(c->column[i], s->cell[i], s->len[i], rules, &r);
	if (!why && r.role == ROLE_STAFF && !text_login_staff(r.login))
		why = "login: staff have at most 32 of a-z 0-9 _ -, beginning with a letter or _";
	for (size_t i = 0; !why && i < c->n; i++)
		if (c->column[i] == ROW_PASSWORD)
			why = row_secret(s->cell[i], s->len[i], rules, &r);
	if (!why)
		*ret = r;
	row_wipe(&r);
	return why;
}

const char *row_check_new(const struct row_rules *rules, const struct row *r)
{
	if (rules->system_login(rules->arg, r->login, r->role))
		return "login: a system account has it; --allow-system-login accepts it";
	/* The wizard asks for it, to be sure that the paper reached its person. */
	if (r->role != ROLE_STAFF && !r->birth.year)
		return "birth_date: a member needs one";
	return NULL;
}

void row_wipe(struct row *r)
{
	secret_wipe(r, sizeof *r);
}
