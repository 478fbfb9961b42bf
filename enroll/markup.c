#include "config.h"

#include "enroll/markup.h"
#include <string.h>
#include <strings.h>

struct cursor {
	const char *p, *end;
	unsigned line;
};

static bool markup_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool markup_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void markup_step(struct cursor *c)
{
	c->line += *c->p == '\n';
	c->p++;
}

/* Over {{...}} at the cursor. */
static bool markup_braces(struct cursor *c)
{
	const char *close;

	if (c->end - c->p < 4 || c->p[0] != '{' || c->p[1] != '{')
		return false;
	close = memmem(c->p + 2, (size_t)(c->end - c->p - 2), "}}", 2);
	if (!close)
		return false;
	while (c->p < close + 2)
		markup_step(c);
	return true;
}

static void markup_until(struct cursor *c, const char *stops)
{
	while (c->p < c->end && !strchr(stops, *c->p))
		if (!markup_braces(c))
			markup_step(c);
}

static struct markup_text markup_quoted(struct cursor *c)
{
	char quote = *c->p;
	struct markup_text t = {c->p + 1, 0};

	markup_step(c);
	while (c->p < c->end && *c->p != quote)
		if (!markup_braces(c))
			markup_step(c);
	t.n = (size_t)(c->p - t.s);
	if (c->p < c->end)
		markup_step(c);
	return t;
}

static void markup_attribute(struct cursor *c, struct markup_tag *tag)
{
	struct markup_text name = {c->p, 0}, value = {"", 0};

	markup_until(c, " \t\n\r=>/\"'");
	name.n = (size_t)(c->p - name.s);
	if (name.n == 0) { /* a stray quote or slash */
		markup_step(c);
		return;
	}
	if (c->p < c->end && *c->p == '=') {
		markup_step(c);
		if (c->p < c->end && (*c->p == '"' || *c->p == '\'')) {
			value = markup_quoted(c);
		} else {
			value.s = c->p;
			markup_until(c, " \t\n\r>");
			value.n = (size_t)(c->p - value.s);
		}
	}
	if (tag->n < MARKUP_ATTRIBUTES) {
		tag->attribute[tag->n].name = name;
		tag->attribute[tag->n++].value = value;
	}
}

static void markup_tag(struct cursor *c, struct markup_tag *tag)
{
	tag->n = 0;
	tag->line = c->line;
	c->p++;
	tag->name = (struct markup_text){c->p, 1};
	c->p++; /* a letter, or the slash before one */
	while (c->p < c->end && !markup_space(*c->p) && !strchr(">/{", *c->p))
		c->p++;
	tag->name.n = (size_t)(c->p - tag->name.s);
	while (c->p < c->end && *c->p != '>') {
		if (markup_space(*c->p))
			markup_step(c);
		else if (!markup_braces(c))
			markup_attribute(c, tag);
	}
}

void markup_tags(const char *s, size_t n, void (*visit)(void *arg, const struct markup_tag *tag), void *arg)
{
	struct cursor c = {s, s + n, 1};
	struct markup_tag tag;

	while (c.p < c.end) {
		bool close = c.end - c.p > 2 && c.p[1] == '/';

		if (c.end - c.p > 3 && strncmp(c.p, "<!--", 4) == 0) {
			const char *to = memmem(c.p + 4, (size_t)(c.end - c.p - 4), "-->", 3);

			while (c.p < (to ? to : c.end))
				markup_step(&c);
		} else if (*c.p == '<' && c.end - c.p > 1 && markup_letter(c.p[1 + close])) {
			markup_tag(&c, &tag);
			visit(arg, &tag);
		} else if (!markup_braces(&c)) {
			markup_step(&c);
		}
	}
}

bool markup_is(struct markup_text t, const char *word)
{
	return t.s && strlen(word) == t.n && strncasecmp(t.s, word, t.n) == 0;
}

struct markup_text markup_value(const struct markup_tag *tag, const char *name)
{
	for (size_t i = 0; i < tag->n; i++)
		if (markup_is(tag->attribute[i].name, name))
			return tag->attribute[i].value;
	return (struct markup_text){NULL, 0};
}
