#include "config.h"

#include "common/letter_text.h"
#include "common/text.h"
#include <stdlib.h>
#include <string.h>

const char *const letter_placeholders[] = {"organisation", "name", "login", "url", "valid", "contact", NULL};

static const struct {
	const char *word;
	size_t most; /* of this kind; 0: any number */
} kinds[LETTER_KINDS] = {
    [LETTER_TO] = {"to", 0},	   [LETTER_LOGO] = {"logo", 1},	  [LETTER_FROM] = {"from", 0},
    [LETTER_TITLE] = {"title", 0}, [LETTER_HEAD] = {"head", 0},	  [LETTER_STEP] = {"step", 0},
    [LETTER_HINT] = {"hint", 0},   [LETTER_LOGIN] = {"login", 1}, [LETTER_PASSWORD] = {"password", 1},
    [LETTER_QR] = {"qr", 1},	   [LETTER_FOOT] = {"foot", 0},
};

struct reader {
	const char *file;
	size_t line;
	size_t count[LETTER_KINDS];
	struct letter_text *t;
	struct errmsg *m;
};

static enum err bad(const struct reader *r, const char *what)
{
	return err_set(r->m, ERR_INVALID, "%s:%zu: %s", r->file, r->line, what);
}

static bool placeholder(const char *s, size_t n)
{
	for (size_t i = 0; letter_placeholders[i]; i++)
		if (strlen(letter_placeholders[i]) == n && memcmp(letter_placeholders[i], s, n) == 0)
			return true;
	return false;
}

static enum err check_filled(const struct reader *r, const char *s, bool *ret)
{
	*ret = false;
	while ((s = strchr(s, '{')) != NULL) {
		size_t n = strcspn(++s, "}");
		if (s[n] == '\0' || !placeholder(s, n))
			return bad(r, "unknown {placeholder}; they are {organisation} {name} {login} {url} {valid} "
				      "{contact}");
		*ret = true;
	}
	return ERR_NONE;
}

/* The kind of ".word text", and where its text begins. */
static bool word_kind(const char *s, enum letter_kind *ret, const char **ret_text)
{
	size_t n = strcspn(++s, " ");
	for (int k = 0; k < LETTER_KINDS; k++)
		if (kinds[k].word && strlen(kinds[k].word) == n && memcmp(kinds[k].word, s, n) == 0) {
			*ret = (enum letter_kind)k;
			*ret_text = s + n + strspn(s + n, " ");
			return true;
		}
	return false;
}

/* line: without its end, a C string. */
static enum err take(struct reader *r, const char *line)
{
	struct letter_block b = {.kind = line[0] ? LETTER_PARAGRAPH : LETTER_GAP};
	const char *text = line;
	if (line[0] == '#')
		return ERR_NONE;
	if (line[0] == '.' && !word_kind(line, &b.kind, &text))
		return bad(r, "unknown block; they are .to .logo .from .title .head .step .hint .login .password .qr "
			      ".foot");
	if (kinds[b.kind].most && r->count[b.kind]++ == kinds[b.kind].most)
		return bad(r, "a second block of this kind");
	if (r->t->n == LETTER_TEXT_BLOCKS_MAX)
		return bad(r, "too many lines for one sheet");
	enum err e = check_filled(r, text, &b.filled);
	if (e)
		return e;
	b.text = strdup(text);
	if (!b.text)
		return ERR_NOMEM;
	r->t->block[r->t->n++] = b;
	return ERR_NONE;
}

static enum err take_all(struct reader *r, char *s)
{
	while (*s) {
		size_t n = strcspn(s, "\n");
		char *next = s[n] ? s + n + 1 : s + n;
		s[n] = '\0';
		while (n && (s[n - 1] == '\r' || s[n - 1] == ' '))
			s[--n] = '\0';
		r->line++;
		if (!text_utf8_valid(s, n))
			return bad(r, "it is no UTF-8");
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
				return bad(r, "a control character (a tab?); use spaces");
		enum err e = take(r, s);
		if (e)
			return e;
		s = next;
	}
	r->line++;
	if (!r->count[LETTER_LOGIN] || !r->count[LETTER_PASSWORD])
		return bad(r, "a letter needs one .login and one .password");
	return ERR_NONE;
}

enum err letter_text_parse(const char *file, const void *p, size_t n, struct letter_text *ret, struct errmsg *m)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct letter_text t = {.n = 0};
	struct reader r = {.file = file, .t = &t, .m = m};
	const char *s = p;
	if (n > LETTER_TEXT_BYTES_MAX)
		return err_set(m, ERR_INVALID, "%s: larger than %d bytes", file, LETTER_TEXT_BYTES_MAX);
	if (n && memchr(p, '\0', n))
		return err_set(m, ERR_INVALID, "%s: it is no text", file);
	if (n >= 3 && memcmp(s, bom, 3) == 0) {
		s += 3;
		n -= 3;
	}
	char *copy = strndup(n ? s : "", n);
	enum err e = copy ? take_all(&r, copy) : ERR_NOMEM;
	free(copy);
	if (e)
		letter_text_free(&t);
	else
		*ret = t;
	return e;
}

void letter_text_free(struct letter_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->block[i].text);
	t->n = 0;
}
