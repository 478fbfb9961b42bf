#include "config.h"

#include "enroll/colours.h"
#include "enroll/contact.h"
#include "enroll/logo.h"
#include "enroll/markdown.h"
#include "enroll/markup.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>
#include <strings.h>

/* A site's own files: the first byte says which. */

static void heard(void *arg, enum fault f, const char *sentence)
{
	(void)arg;
	CHECK(f >= FAULT_LEFT_OUT && f <= FAULT_WARNING);
	for (; *sentence; sentence++)
		CHECK((unsigned char)*sentence >= ' ');
}
static const struct faults faults = {heard, NULL};

static void link_tag(void *arg, const struct markup_tag *tag)
{
	struct markup_text href = markup_value(tag, "href");

	(void)arg;
	CHECK(!markup_is(tag->name, "script") && !markup_is(tag->name, "img") && !markup_is(tag->name, "style"));
	for (size_t i = 0; i < tag->n; i++)
		CHECK(tag->attribute[i].name.n < 3 || strncasecmp(tag->attribute[i].name.s, "on", 2) != 0);
	CHECK(!href.s || strncasecmp(href.s, "https://", 8) == 0 || strncasecmp(href.s, "http://", 7) == 0 ||
	      strncasecmp(href.s, "mailto:", 7) == 0 || strncasecmp(href.s, "tel:", 4) == 0);
}

/* What stands in for a template: no tag of its own kind, links that may be there. */
static void page(const struct buf *b)
{
	if (!b->len)
		return;
	CHECK(!memchr(b->data, '{', b->len) || !memmem(b->data, b->len, "{{", 2));
	markup_tags((const char *)b->data, b->len, link_tag, NULL);
}

static void markdown(const char *text, size_t n)
{
	AUTO_BUF html = BUF_INIT, plain = BUF_INIT;

	if (markdown_html("t.md", text, n, &faults, &html) == ERR_NONE)
		page(&html);
	markdown_plain(text, &plain);
	page(&plain);
}

static void contact(const char *text)
{
	AUTO_BUF html = BUF_INIT, unbraced = BUF_INIT;

	contact_html(text, &html);
	markdown_unbraced(&unbraced, html.data ? (const char *)html.data : "", html.len);
	page(&unbraced);
}

static void colours(const char *text)
{
	AUTO_BUF css = BUF_INIT;

	if (colours_css("c.conf", text, &faults, &css) == ERR_NONE)
		CHECK(css.len < 400 &&
		      strspn(buf_str(&css), "\nabcdefghijklmnopqrstuvwxyz0123456789:;{}-#@ ()") == css.len);
}

static void drawn_tag(void *arg, const struct markup_tag *tag)
{
	(void)arg;
	CHECK(!markup_is(tag->name, "script") && !markup_is(tag->name, "a") && !markup_is(tag->name, "foreignobject"));
	for (size_t i = 0; i < tag->n; i++)
		CHECK(tag->attribute[i].name.n < 3 || strncasecmp(tag->attribute[i].name.s, "on", 2) != 0);
}

static void logo(const uint8_t *p, size_t n)
{
	struct errmsg m = {""};

	/* braces mean nothing there, but to whoever looks */
	if (logo_svg(p, n, &m) == ERR_NONE && !memmem(p, n, "{{", 2))
		markup_tags((const char *)p, n, drawn_tag, NULL);
	(void)logo_png(p, n, &m);
}

static void tag(void *arg, const struct markup_tag *t)
{
	const char *end = arg;

	CHECK(t->name.n && t->name.s + t->name.n <= end);
	for (size_t i = 0; i < t->n; i++)
		CHECK(t->attribute[i].name.n && t->attribute[i].name.s + t->attribute[i].name.n <= end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text;

	if (n < 1)
		return 0;
	text = malloc(n);
	CHECK(text);
	memcpy(text, data + 1, n - 1);
	text[n - 1] = '\0';
	switch (data[0]) {
	case 'm':
		markdown(text, strlen(text));
		break;
	case 'c':
		contact(text);
		break;
	case 'f':
		colours(text);
		break;
	case 'l':
		logo(data + 1, n - 1);
		break;
	case 't':
		markup_tags(text, n - 1, tag, text + n - 1);
		break;
	default:
		break;
	}
	free(text);
	return 0;
}
