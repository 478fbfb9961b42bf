#include "config.h"

#include "common/i18n.h"
#include "common/text.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static const struct date today = {2025, 10, 15};

static void dates(const char *s, size_t n)
{
	struct date d = {0}, again = {0};
	char iso[11];
	enum date_error e = text_birth_date(s, n, today, &d);

	CHECK((e == DATE_OK) == (d.year != 0));
	if (e != DATE_OK)
		return;
	text_date_iso(d, iso);
	CHECK(strcmp(iso, "1868-10-23") >= 0 && strcmp(iso, "2025-10-15") <= 0);
	CHECK(text_birth_date(iso, 10, today, &again) == DATE_OK);
	CHECK(again.year == d.year && again.month == d.month && again.day == d.day);
}

/* Canonical once is canonical for good. */
static void settled(enum err (*canonical)(const char *, size_t, struct buf *), const char *s, size_t n)
{
	AUTO_BUF once = BUF_INIT, twice = BUF_INIT;

	if (canonical(s, n, &once) != ERR_NONE) {
		CHECK(once.len == 0);
		return;
	}
	CHECK(buf_str(&once) && text_utf8_valid(buf_str(&once), once.len));
	CHECK(canonical(buf_str(&once), once.len, &twice) == ERR_NONE);
	CHECK(once.len == twice.len && strcmp(buf_str(&once), buf_str(&twice)) == 0);
}

static void codes(const char *s, size_t n)
{
	AUTO_BUF code = BUF_INIT;

	if (text_code(s, n, &code) != ERR_NONE)
		return;
	CHECK(text_utf8_valid(code.data, code.len));
	CHECK(strpbrk(buf_str(&code), " \t\r\n-.ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
}

static void emails(const char *s, size_t n)
{
	AUTO_BUF mail = BUF_INIT, key = BUF_INIT;
	enum err e = text_email(s, n, &mail);

	CHECK(e == text_email_key(s, n, &key));
	if (e != ERR_NONE)
		return;
	CHECK(mail.len <= EMAIL_MAX && key.len == mail.len);
	CHECK(strpbrk(buf_str(&mail), " \t\r\n<>,;:\"") == NULL);
}

static void languages(const uint8_t *data, size_t n)
{
	char *s = strndup((const char *)data, n);
	const char *is;

	CHECK(s);
	is = i18n_pick(s, "??");
	CHECK(strcmp(is, "ja") == 0 || strcmp(is, "en") == 0 || strcmp(is, "??") == 0);
	text_login_staff(s);
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *s = (const char *)data;

	dates(s, n);
	settled(text_nfkc, s, n);
	settled(text_login, s, n);
	settled(text_email, s, n);
	settled(text_email_key, s, n);
	codes(s, n);
	emails(s, n);
	languages(data, n);
	return 0;
}
