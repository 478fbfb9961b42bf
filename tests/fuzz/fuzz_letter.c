/* The text of a letter: what is taken are whole blocks, whose placeholders are all filled and whose values are what
 * they were, and what is not says in which line. Written down again it is the same letter. */
#include "config.h"

#include "common/buf.h"
#include "common/fill.h"
#include "common/letter_text.h"
#include "common/text.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static const struct fill values[] = {
    {"organisation", "<b>&amp;"}, {"name", "\x01"}, {"login", "\x01"}, {"url", "\x01"}, {"valid", "\x01"},
    {"contact", "</span>"},	  {NULL, NULL}};
static const char *const words[LETTER_KINDS] = {
    [LETTER_TO] = "to",	    [LETTER_LOGO] = "logo", [LETTER_FROM] = "from",	    [LETTER_TITLE] = "title",
    [LETTER_HEAD] = "head", [LETTER_STEP] = "step", [LETTER_HINT] = "hint",	    [LETTER_LOGIN] = "login",
    [LETTER_QR] = "qr",	    [LETTER_FOOT] = "foot", [LETTER_PASSWORD] = "password",
};

static void look(const struct letter_block *b)
{
	AUTO_BUF filled = BUF_INIT;
	CHECK(b->kind < LETTER_KINDS && b->text && text_utf8_valid(b->text, strlen(b->text)));
	CHECK(!strpbrk(b->text, "\x01\t\r\n\x1b\x7f") && (b->kind != LETTER_GAP || !b->text[0]));
	fill(&filled, b->text, values);
	CHECK(!filled.failed && b->filled == (strchr(b->text, '{') != NULL));
	CHECK(!strchr(buf_str(&filled), '{'));
	CHECK(b->filled || !strcmp(buf_str(&filled), b->text));
}

static void write_down(const struct letter_text *t, struct buf *ret)
{
	buf_adds(ret, "\xef\xbb\xbf"); /* a text of its own may begin with one */
	for (size_t i = 0; i < t->n; i++) {
		const char *word = words[t->block[i].kind];
		if (word)
			buf_addf(ret, ".%s ", word);
		buf_addf(ret, "%s\n", t->block[i].text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct letter_text t = {.n = 7}, again;
	struct errmsg m = {""};
	AUTO_BUF down = BUF_INIT;
	size_t count[LETTER_KINDS] = {0};
	enum err e = letter_text_parse("letter", data, n, &t, &m);
	if (e) {
		CHECK(e == ERR_INVALID && t.n == 7 && !strncmp(m.text, "letter:", 7));
		return 0;
	}
	CHECK(t.n <= LETTER_TEXT_BLOCKS_MAX);
	for (size_t i = 0; i < t.n; i++) {
		look(&t.block[i]);
		count[t.block[i].kind]++;
	}
	CHECK(count[LETTER_LOGIN] == 1 && count[LETTER_PASSWORD] == 1 && count[LETTER_QR] <= 1 &&
	      count[LETTER_LOGO] <= 1);
	write_down(&t, &down);
	if (down.len <= LETTER_TEXT_BYTES_MAX) {
		CHECK(letter_text_parse("again", buf_str(&down), down.len, &again, &m) == ERR_NONE && again.n == t.n);
		for (size_t i = 0; i < t.n; i++)
			CHECK(again.block[i].kind == t.block[i].kind && !strcmp(again.block[i].text, t.block[i].text));
		letter_text_free(&again);
	}
	letter_text_free(&t);
	return 0;
}
