/* The text of the letter: each fault with its line, and values that are text, whatever they look like. */
#include "config.h"

#include "common/fill.h"
#include "common/letter_text.h"
#include "unit.h"

#define NEEDED ".login ID\n.password Password\n"

static enum err parse(const char *s, struct letter_text *ret, struct errmsg *m)
{
	return letter_text_parse("letter.ja.txt", s, strlen(s), ret, m);
}

static void kinds(void **state)
{
	static const char s[] = "\xef\xbb\xbf# not shown\r\n.title  A letter \r\n\r\n  Dear {name}\n.logo\n.qr Code\n"
				".to {name}\n.from x\n.head x\n.step x\n.hint x\n" NEEDED ".foot {contact}";
	static const enum letter_kind each[] = {
	    LETTER_TITLE, LETTER_GAP,  LETTER_PARAGRAPH, LETTER_LOGO,  LETTER_QR,	LETTER_TO,  LETTER_FROM,
	    LETTER_HEAD,  LETTER_STEP, LETTER_HINT,	 LETTER_LOGIN, LETTER_PASSWORD, LETTER_FOOT};
	struct letter_text t;
	struct errmsg m = {""};
	(void)state;
	assert_int_equal(parse(s, &t, &m), ERR_NONE);
	assert_int_equal(t.n, COUNT(each));
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(t.block[i].kind, each[i]);
	assert_string_equal(t.block[0].text, "A letter");
	assert_false(t.block[0].filled);
	assert_string_equal(t.block[2].text, "  Dear {name}");
	assert_true(t.block[2].filled);
	assert_string_equal(t.block[3].text, "");
	letter_text_free(&t);
	assert_int_equal(t.n, 0);
}

static void faults(void **state)
{
	static const struct {
		const char *text, *line, *why;
	} each[] = {
	    {NEEDED ".titel x\n", ":3:", "unknown block"},
	    {NEEDED "# x\n\n.\n", ":5:", "unknown block"},
	    {NEEDED ".Title x\n", ":3:", "unknown block"},
	    {NEEDED ".titlex\n", ":3:", "unknown block"},
	    {"x\n{pasword}\n" NEEDED, ":2:", "unknown {placeholder}"},
	    {"{password}\n" NEEDED, ":1:", "unknown {placeholder}"},
	    {"{name\n" NEEDED, ":1:", "unknown {placeholder}"},
	    {"{}\n" NEEDED, ":1:", "unknown {placeholder}"},
	    {"{name} {nam}\n" NEEDED, ":1:", "unknown {placeholder}"},
	    {".title {title}\n" NEEDED, ":1:", "unknown {placeholder}"},
	    {NEEDED ".login again\n", ":3:", "a second"},
	    {NEEDED ".password again\n", ":3:", "a second"},
	    {".qr\n.qr\n" NEEDED, ":2:", "a second"},
	    {".logo\n.logo\n" NEEDED, ":2:", "a second"},
	    {".login x\n", ":2:", "one .login and one .password"},
	    {".password x\ny", ":3:", "one .login and one .password"},
	    {"", ":1:", "one .login and one .password"},
	    {NEEDED "a\tb\n", ":3:", "control"},
	    {NEEDED "a\x1b[31m\n", ":3:", "control"},
	    {NEEDED "a\x7f\n", ":3:", "control"},
	    {NEEDED "a\rb\n", ":3:", "control"},
	    {NEEDED "\xe3\x81\n", ":3:", "no UTF-8"},
	    {NEEDED "\xc0\xaf\n", ":3:", "no UTF-8"},
	    {NEEDED "\xed\xa0\x80\n", ":3:", "no UTF-8"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(each); i++) {
		struct letter_text t = {.n = 7};
		struct errmsg m = {""};
		if (parse(each[i].text, &t, &m) != ERR_INVALID || t.n != 7 ||
		    strncmp(m.text, "letter.ja.txt:", 14) != 0 || strstr(m.text, each[i].line) != m.text + 13 ||
		    !strstr(m.text, each[i].why))
			fail_msg("%s: %s", each[i].text, m.text);
	}
}

/* As large as may be, one more; and what is no text at all. */
static void sizes(void **state)
{
	static char s[LETTER_TEXT_BYTES_MAX + 2];
	struct letter_text t;
	struct errmsg m = {""};
	const size_t needed = sizeof NEEDED - 1;
	(void)state;
	memset(s, 'x', sizeof s);
	memcpy(s, NEEDED, needed);
	assert_int_equal(letter_text_parse("f", s, LETTER_TEXT_BYTES_MAX, &t, &m), ERR_NONE);
	letter_text_free(&t);
	assert_int_equal(letter_text_parse("f", s, LETTER_TEXT_BYTES_MAX + 1, &t, &m), ERR_INVALID);
	assert_non_null(strstr(m.text, "larger than"));
	memset(s + needed, '\n', LETTER_TEXT_BLOCKS_MAX - 1);
	assert_int_equal(letter_text_parse("f", s, needed + LETTER_TEXT_BLOCKS_MAX - 2, &t, &m), ERR_NONE);
	assert_int_equal(t.n, LETTER_TEXT_BLOCKS_MAX);
	letter_text_free(&t);
	assert_int_equal(letter_text_parse("f", s, needed + LETTER_TEXT_BLOCKS_MAX - 1, &t, &m), ERR_INVALID);
	assert_string_equal(m.text, "f:121: too many lines for one sheet");
	s[needed] = '\0';
	assert_int_equal(letter_text_parse("f", s, needed + 1, &t, &m), ERR_INVALID);
	assert_string_equal(m.text, "f: it is no text");
	assert_int_equal(letter_text_parse("f", NULL, 0, &t, &m), ERR_INVALID);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(kinds), cmocka_unit_test(faults),
						  cmocka_unit_test(sizes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
