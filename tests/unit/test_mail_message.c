/* A mail's bytes: folding, encoded-words, what cannot become a header; a site's own texts, good and bad. */
#include "config.h"

#include "common/clock.h"
#include "common/i18n.h"
#include "common/text.h"
#include "keeper/mail_message.h"
#include "keeper/mail_template.h"
#include "keeper/mail_text.h"
#include "tests/unit/unit.h"
#include <openssl/evp.h>

#define TEXT(s) ((char *)(uintptr_t)(s)) /* conf has strings of its own, which nothing here writes to */

static const struct id id = {{1, 2, 3}};

static struct conf base(void)
{
	return (struct conf){.url = TEXT("https://id.example.jp:8443"),
			     .organisation = TEXT(""),
			     .contact = TEXT(""),
			     .mail_from = TEXT("info@example.jp"),
			     .mail_code_in_subject = TEXT("no"),
			     .mail_list_unsubscribe = TEXT(""),
			     .site_dir = TEXT("")};
}

static char *compose(const struct conf *c, const char *to, const char *subject, const char *body, bool notice)
{
	AUTO_BUF b = BUF_INIT;
	const struct mail_parts m = {
	    .id = &id, .to = to, .lang = "ja", .subject = subject, .body = body, .notice = notice, .now = 1700000000};
	assert_int_equal(mail_compose(c, &m, &b), ERR_NONE);
	char *s = strdup(buf_str(&b));
	assert_non_null(s);
	return s;
}

/* Lines end in CRLF, none is over 76; the header of a name, unfolded, with its encoded-words decoded. */
static char *header(const char *mail, const char *name)
{
	AUTO_BUF b = BUF_INIT;
	const char *p = strstr(mail, name);
	assert_non_null(p);
	for (p += strlen(name); *p; p++) {
		if (*p == '\r' && p[2] != ' ')
			break;
		if (!strncmp(p, "\r\n =?", 5) && b.len && p[-1] == '=' && p[-2] == '?') {
			p += 2; /* the white space between encoded-words is none */
			continue;
		}
		if (*p == '\r' || *p == '\n')
			continue;
		if (strncmp(p, "=?", 2) != 0) {
			buf_addc(&b, *p);
			continue;
		}
		const char *end = strstr(p + 10, "?=");
		unsigned char word[80];
		assert_int_equal(strncmp(p, "=?UTF-8?B?", 10), 0);
		assert_non_null(end);
		size_t n = (size_t)(end - p) - 10;
		assert_true(n + 12 <= 75 && n % 4 == 0);
		int got = EVP_DecodeBlock(word, (const unsigned char *)p + 10, (int)n);
		got -= (end[-1] == '=') + (end[-2] == '=');
		assert_true(got > 0 && text_utf8_valid((char *)word, (size_t)got)); /* no character is cut */
		buf_add(&b, word, (size_t)got);
		p = end + 1;
	}
	char *s = strdup(buf_str(&b));
	assert_non_null(s);
	return s;
}

static void check_lines(const char *mail)
{
	for (const char *p = mail; *p;) {
		const char *end = strstr(p, "\r\n");
		assert_non_null(end);
		assert_true(end - p <= 76);
		assert_null(memchr(p, '\n', (size_t)(end - p)));
		assert_null(memchr(p, '\r', (size_t)(end - p)));
		p = end + 2;
	}
}

static void repeat(char *to, const char *unit, size_t times)
{
	*to = '\0';
	while (times--)
		to = stpcpy(to, unit);
}

static void test_folding(void **state)
{
	static const char *const unit[] = {"a", "b ", "健", "é", "😀", "x健", "\\", "\"", "=?"};
	static char text[1000], back[1100];
	(void)state;
	for (size_t u = 0; u < COUNT(unit); u++)
		for (size_t n = 1; n < 150; n++) {
			struct conf c = base();
			repeat(text, unit[u], n);
			c.organisation = text;
			char *mail = compose(&c, "a@example.jp", text, "x\n", false);
			char *subject = header(mail, "\r\nSubject: "), *from = header(mail, "From: ");
			check_lines(mail);
			size_t len = strlen(text);
			len -= len && text[len - 1] == ' ';
			assert_int_equal(strlen(subject), len);
			assert_memory_equal(subject, text, len);
			/* unquoted */
			size_t k = 0;
			bool quoted = !strncmp(mail, "From: \"", 7);
			for (const char *p = from + quoted; *p && k < sizeof back - 1; p++) {
				if (quoted && *p == '\\' && p[1])
					p++;
				else if (quoted && *p == '"')
					continue;
				back[k++] = *p;
			}
			back[k] = '\0';
			assert_memory_equal(back, text, len);
			assert_string_equal(back + len, " <info@example.jp>");
			free(subject);
			free(from);
			free(mail);
		}
}

static void test_injection(void **state)
{
	struct conf c = base();
	(void)state;
	c.organisation = TEXT("A\r\nBcc: x@example.org\r\n\r\nBody");
	char *mail = compose(&c, "a@example.jp", "S\nX-Evil: 1\r\n\r\n\x01", "body\n", false);
	assert_null(strstr(mail, "\nBcc"));
	assert_null(strstr(mail, "\nX-Evil"));
	assert_null(strchr(mail, 1));
	check_lines(mail);
	free(mail);
	static const char *const bad[] = {"",
					  "a",
					  "@example.jp",
					  "a@",
					  "a@b@c",
					  "a@example.jp\r\nBcc: b@example.jp",
					  "a@example.jp>",
					  "<a@example.jp",
					  "a b@example.jp",
					  "a@example..jp",
					  "\"a\"@example.jp",
					  "健@example.jp"};
	for (size_t i = 1; i < COUNT(bad); i++) {
		AUTO_BUF b = BUF_INIT;
		const struct mail_parts m = {.id = &id, .to = bad[i], .lang = "ja", .subject = "", .body = ""};
		bool quoted = !strcmp(bad[i], "@example.jp") || !strcmp(bad[i], "a@b@c");
		if (!quoted)
			assert_int_equal(mail_compose(&c, &m, &b), ERR_INVALID);
	}
}

static void test_headers(void **state)
{
	struct conf c = base();
	(void)state;
	c.mail_list_unsubscribe = TEXT("mailto:stop@example.jp");
	char *mail = compose(&c, "a..b.@docomo.example.jp", "", "body\n", true);
	assert_non_null(strstr(mail, "From: <info@example.jp>\r\n"));
	assert_non_null(strstr(mail, "To: <\"a..b.\"@docomo.example.jp>\r\nSubject: \r\n"));
	assert_non_null(strstr(mail, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
	assert_non_null(strstr(mail, "Message-ID: <01020300000000000000000000000000@example.jp>\r\n"));
	assert_non_null(strstr(mail, "\r\nList-Unsubscribe: <mailto:stop@example.jp>\r\n"));
	assert_non_null(strstr(mail, "\r\nAuto-Submitted: auto-generated\r\n"));
	assert_non_null(strstr(mail, "7bit\r\n\r\nbody\r\n"));
	free(mail);
	c.mail_from = TEXT("");
	mail = compose(&c, "a@example.jp", "s", "body\n", false);
	assert_non_null(strstr(mail, "From: <kosmo@id.example.jp>\r\n"));
	assert_non_null(strstr(mail, "@id.example.jp>\r\n"));
	assert_null(strstr(mail, "List-Unsubscribe"));
	free(mail);
}

/* Quoted-printable, read back. */
static void test_quoted(void **state)
{
	struct conf c = base();
	char line[400], got[1000] = "";
	(void)state;
	for (size_t n = 70; n < 240; n++) {
		repeat(line, "=", n / 3);
		memset(line + n / 3, 'x', n - n / 3);
		strcpy(line + n, n % 2 ? " \n" : "\n-- \n");
		char *mail = compose(&c, "a@example.jp", "s", line, false);
		size_t k = 0;
		check_lines(mail);
		if (n > 76)
			assert_non_null(strstr(mail, "quoted-printable"));
		for (const char *p = strstr(mail, "\r\n\r\n") + 4; *p; p++) {
			unsigned v = (unsigned char)*p;
			if (!strncmp(p, "=\r\n", 3)) {
				p += 2;
				continue;
			}
			if (*p == '\r')
				continue;
			if (*p == '=' && strstr(mail, "quoted-printable")) {
				assert_int_equal(sscanf(p + 1, "%2X", &v), 1);
				p += 2;
			}
			got[k++] = (char)v;
		}
		got[k] = '\0';
		assert_string_equal(got, line);
		free(mail);
	}
}

/* ---- texts of a site's own ---- */

static const struct {
	enum mail_text text;
	const char *bytes, *complaint; /* NULL: good */
} templates[] = {
    {MAIL_CODE, "Subject: Your code\n\nIt is {code}.\n", NULL},
    {MAIL_CODE, "\xef\xbb\xbfSubject: コード\r\n\r\n{code}\r\n{organisation} {contact} {url}\r\n", NULL},
    {MAIL_VERIFY, "Subject: x\n\n{code}\n{link}\n", NULL},
    {MAIL_VERIFY, "Subject: x\n\n{code}\n", "f:3: {link} is missing"},
    {MAIL_CODE, "", "f:1: there is no text"},
    {MAIL_CODE, "Subject: x\n", "f:1: there is no text"},
    {MAIL_CODE, "Subject: x\n\n \n", "f:3: there is no text"},
    {MAIL_CODE, "Your code\n\n{code}\n", "f:1: not \"Subject: ...\""},
    {MAIL_CODE, "subject: x\n\n{code}\n", "f:1: not \"Subject: ...\""},
    {MAIL_CODE, "Subject: \n\n{code}\n", "f:1: the subject is empty"},
    {MAIL_CODE, "Subject: x\nBcc: all@example.jp\n\n{code}\n", "f:2: not empty"},
    {MAIL_CODE, "Subject: x\r Bcc: all@example.jp\n\n{code}\n", "f:1: a control character"},
    {MAIL_CODE, "Subject: x\n\n{code}", "f:3: the last line has no end"},
    {MAIL_CODE, "Subject: x\n\n{code}\nTyped {Code}\n",
     "f:4: { begins no placeholder of this mail (\"{Code}\"); it has: code "},
    {MAIL_CODE, "Subject: x\n\n{code}\n{link}\n", "f:4: { begins no placeholder of this mail (\"{link}\")"},
    {MAIL_CODE, "Subject: x\n\n{code} {\n", "f:3: { begins no placeholder"},
    {MAIL_CODE, "Subject: {code}\n\n{code}\n", "f:1: {code} in the subject"},
    {MAIL_VERIFY, "Subject: {link}\n\n{code} {link}\n", "f:1: {link} in the subject"},
    {MAIL_CODE, "Subject: x\n\n{code}\xff\n", "f:3: not UTF-8"},
    {MAIL_CODE, "Subject: x\n\n{code}\x1b[31m\n", "f:3: a control character"},
    {MAIL_WAY_ADDED, "Subject: {name}\n\n{time}\n", NULL},
};

static void test_templates(void **state)
{
	struct conf c = base();
	static char big[20000] = "Subject: x\n\n{code}\n";
	struct mail_template t;
	struct errmsg m;
	(void)state;
	for (size_t i = 0; i < COUNT(templates); i++) {
		memset(&t, 0, sizeof t);
		m.text[0] = '\0';
		enum err e = mail_template_parse(&c, templates[i].text, "f", templates[i].bytes,
						 strlen(templates[i].bytes), &t, &m);
		if (templates[i].complaint) {
			assert_int_equal(e, ERR_INVALID);
			assert_memory_equal(m.text, templates[i].complaint, strlen(templates[i].complaint));
			assert_null(t.body);
		} else {
			assert_int_equal(e, ERR_NONE);
		}
		mail_template_free(&t);
	}
	static const char nul[] = "Subject: x\n\n{code}\0\n";
	assert_int_equal(mail_template_parse(&c, MAIL_CODE, "f", nul, sizeof nul - 1, &t, &m), ERR_INVALID);
	memset(big + 20, 'x', sizeof big - 21);
	assert_int_equal(mail_template_parse(&c, MAIL_CODE, "f", big, sizeof big, &t, &m), ERR_TOOBIG);
	memset(big, 'x', 300);
	memcpy(big, "Subject:", 8);
	memcpy(big + 300, "\n\n{code}\n", 9);
	assert_int_equal(mail_template_parse(&c, MAIL_CODE, "f", big, 309, &t, &m), ERR_INVALID);
	assert_non_null(strstr(m.text, "longer than 200"));
}

/* What is printed to start from is good as it is, in each language. */
static void test_shown(void **state)
{
	struct conf c = base();
	(void)state;
	for (size_t i = 1; i < MAIL_TEXTS; i++)
		for (size_t l = 0; mail_languages[l]; l++) {
			AUTO_BUF b = BUF_INIT;
			struct mail_template t;
			struct errmsg m = {""};
			assert_int_equal(mail_template_show((enum mail_text)i, mail_languages[l], &b), ERR_NONE);
			enum err e =
			    mail_template_parse(&c, (enum mail_text)i, mail_texts[i].name, b.data, b.len, &t, &m);
			assert_string_equal(m.text, "");
			assert_int_equal(e, ERR_NONE);
			mail_template_free(&t);
			assert_int_equal(mail_text_by_name(mail_texts[i].name, strlen(mail_texts[i].name)), i);
		}
	assert_int_equal(mail_text_by_name("", 0), 0);
	assert_int_equal(mail_text_by_name("codes", 5), 0);
}

static void heard(void *arg, const char *sentence)
{
	snprintf(arg, 512, "%s", sentence);
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/mail/%s", folder, name);
	unit_write(path, text, strlen(text));
}

static void expect(struct mail_site *s, const struct conf *c, const char *lang, const char *subject, const char *body)
{
	AUTO_BUF got = BUF_INIT;
	AUTO_BUF text = BUF_INIT;
	const struct fill values[] = {{"code", "123456"}, {NULL, NULL}};
	assert_int_equal(mail_site_fill(s, c, MAIL_CODE, lang, values, &got, &text), ERR_NONE);
	assert_string_equal(buf_str(&got), subject);
	assert_non_null(strstr(buf_str(&text), body));
}

/* A folder that changes while the keeper runs; what is at fault is said once, and the house's own text goes out. */
static void test_site(void **state)
{
	struct conf c = base();
	struct mail_site *s;
	char said[512] = "", *folder = strdup(unit_path(*state, "mail"));
	size_t n = 9;
	c.site_dir = *state;
	c.organisation = TEXT("組合");
	assert_int_equal(mkdir(folder, 0755), 0);
	put(c.site_dir, "../contact.ja.txt", "窓口\n電話 03\n");
	put(c.site_dir, "../organisation.ja.txt", "みほん\n");
	assert_int_equal(mail_site_open(&c, &s), ERR_NONE);
	mail_site_look(s, 1, 0, heard, said);
	expect(s, &c, "en", "Your one-time code", "Your one-time code is:");
	expect(s, &c, "en", "Your one-time code", "\n-- \n組合\n");
	expect(s, &c, "ja", "Your one-time code", "\n-- \nみほん\n窓口\n電話 03\n");
	put(c.site_dir, "code.en.txt", "Subject: {organisation}\n\nTake {code}.\n");
	put(c.site_dir, ".code.ja.txt", "nothing");
	put(c.site_dir, "code.ja.txt~", "nothing");
	for (int64_t off = -50; off <= 50; off += 50) { /* too fresh to be sure of, by a clock set back as well */
		mail_site_look(s, clock_now() + off, 60, heard, said);
		expect(s, &c, "en", "Your one-time code", "Your one-time code is:");
	}
	mail_site_look(s, clock_now() + 61, 60, heard, said);
	assert_string_equal(said, "");
	expect(s, &c, "en", "組合", "Take 123456.\n");
	expect(s, &c, "ja", i18n("ja", "Your one-time code"), "123456");
	c.mail_code_in_subject = TEXT("yes");
	expect(s, &c, "en", "123456 - 組合", "Take");
	expect(NULL, &c, "en", "123456 - Your one-time code", "\n-- \n");
	put(c.site_dir, "code.en.txt", "Subject: Code {code}\n\nTake {code}.\n");
	mail_site_look(s, 1, 0, heard, said);
	expect(s, &c, "en", "Code 123456", "Take");
	put(c.site_dir, "code.en.txt", "Subject: Code\n\nTake it, whole.\n");
	mail_site_look(s, 1, 0, heard, said);
	assert_non_null(strstr(said, "/mail/code.en.txt:3: {code} is missing"));
	expect(s, &c, "en", "123456 - Your one-time code", "Your one-time code is:");
	said[0] = '\0';
	mail_site_look(s, 1, 0, heard, said);
	assert_string_equal(said, "");
	mail_site_check(&c, heard, said, &n);
	assert_non_null(strstr(said, "code.en.txt:3: "));
	assert_int_equal(n, 0);
	put(c.site_dir, "code.en.txt", "Subject: Code\n\nTake {code}.\n");
	put(c.site_dir, "verfy.en.txt", "Subject: x\n\nx\n");
	mail_site_check(&c, heard, said, &n);
	assert_non_null(strstr(said, "verfy.en.txt: no mail is called so"));
	assert_int_equal(n, 1);
	put(c.site_dir, "verfy.en.txt", "");
	assert_int_equal(remove(unit_path(folder, "verfy.en.txt")), 0);
	assert_int_equal(chmod(unit_path(folder, "code.en.txt"), 0666), 0);
	mail_site_look(s, 1, 0, heard, said);
	assert_non_null(strstr(said, "can be written by everybody"));
	expect(s, &c, "en", "123456 - Your one-time code", "Your one-time code is:");
	mail_site_close(s);
	mail_site_close(NULL);
	free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_folding),
	    cmocka_unit_test(test_injection),
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_quoted),
	    cmocka_unit_test(test_templates),
	    cmocka_unit_test(test_shown),
	    cmocka_unit_test_setup_teardown(test_site, unit_folder, unit_folder_gone),
	};

	i18n_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
