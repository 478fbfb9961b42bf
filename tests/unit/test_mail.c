/* The mails' texts, and the words for why one was not taken. */
#include "config.h"

#include "common/i18n.h"
#include "keeper/mail_text.h"
#include "tests/unit/unit.h"

/* Is it one of the words of a list? */
static bool listed(const char *list, const char *word, size_t n)
{
	for (const char *p = list; *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");
		if (len == n && !memcmp(p, word, n))
			return true;
		p += len;
	}
	return false;
}

static void check_holes(const struct mail_text_row *t, const char *text)
{
	for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{')) {
		size_t n = strcspn(p + 1, "}");
		assert_true(listed(t->needs, p + 1, n) || listed(t->may, p + 1, n));
	}
}

/* A row that was forgotten would be a NULL in somebody's mail. */
static void test_table(void **state)
{
	(void)state;
	for (size_t i = 1; i < MAIL_TEXTS; i++) {
		const struct mail_text_row *t = &mail_texts[i];
		assert_non_null(t->name);
		assert_non_null(t->needs);
		assert_non_null(t->may);
		assert_true(t->subject[0] && t->body[0] && t->body[strlen(t->body) - 1] == '\n');
		assert_int_equal(strspn(t->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(t->name));
		for (size_t j = 1; j < i; j++)
			assert_string_not_equal(t->name, mail_texts[j].name);
		check_holes(t, t->body);
		check_holes(t, t->subject);
		char needs[128], *save = NULL;
		(void)snprintf(needs, sizeof needs, "%s", t->needs);
		for (char *w = strtok_r(needs, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
			char hole[64];
			(void)snprintf(hole, sizeof hole, "{%s}", w);
			assert_non_null(strstr(t->body, hole));
		}
	}
}

static const struct {
	const char *reason, *words;
} reasons[] = {
    {"550 5.1.1 (address): Recipient address rejected: User unknown", "there is no such mailbox"},
    {"5.1.1 user unknown", "there is no such mailbox"},
    {"550 no such user here", "there is no such mailbox"},
    {"550-5.1.10 null MX", "what follows the @ takes no mail"},
    {"452 4.2.2 mailbox over quota", "the mailbox is full"},
    {"552 5.2.2 over quota", "the mailbox is full"},
    {"554 5.7.1 blocked", "it was taken for unwanted mail, or mails from outside are not accepted there"},
    {"550 5.7.26 DMARC", "it was taken for unwanted mail, or mails from outside are not accepted there"},
    {"535 5.7.8 authentication credentials invalid", "our mail server did not let us in"},
    {"4.4.7 message expired", "it could not be delivered in time"},
    {"4.4.1 no answer", "the mail server could not be reached"},
    {"Could not resolve host: mail.example.jp", "the mail server could not be reached"},
    {"SSL: no alternative certificate subject name matches target host name 'mx'",
     "no secure connection to the mail server could be made"},
    {"it could not be delivered in time", "it could not be delivered in time"},
    {"the mail program is not running", "the mail program is not running"},
    {"5.1.1.1 no such status", "the mail server did not take it"},
    {"5.1234.1", "the mail server did not take it"},
    {"9.1.1", "the mail server did not take it"},
    {"550", "there is no such mailbox"},
    {"5501 what", "the mail server did not take it"},
    {"5.", "the mail server did not take it"},
    {"5.7.", "the mail server did not take it"},
    {"", "the mail server did not take it"},
};

static void test_reasons(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(reasons); i++) {
		AUTO_BUF en = BUF_INIT;
		AUTO_BUF ja = BUF_INIT;
		mail_reason_words("en", reasons[i].reason, &en);
		mail_reason_words("ja", reasons[i].reason, &ja);
		assert_string_equal(buf_str(&en), reasons[i].words);
		assert_string_equal(buf_str(&ja), i18n("ja", reasons[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_reasons)};

	i18n_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
