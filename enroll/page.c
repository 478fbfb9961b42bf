#include "config.h"

#include "common/i18n.h"
#include "common/text.h"
#include "enroll/log.h"
#include "enroll/page.h"
#include "enroll/shops.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PAGE_TERMS_MAX ((size_t)512 * 1024)

static const struct {
	const char *title, *text, *button;
} page_errors[PAGE__MAX] = {
    [PAGE_BAD] = {N_("This could not be read"),
		  N_("What the browser sent was not complete. Please go back to the first page and try again."),
		  N_("To the first page")},
    [PAGE_NOTFOUND] = {N_("There is no such page"),
		       N_("The address may have been cut or typed wrong. Please go on from the first page."),
		       N_("To the first page")},
    [PAGE_METHOD] = {N_("This page cannot be opened like this"), N_("Please go on from the first page."),
		     N_("To the first page")},
    [PAGE_TOOBIG] = {N_("That was too long"), N_("Please go back, shorten what you typed and send it again."),
		     N_("To the first page")},
    [PAGE_FORM] = {N_("This could not be read"), N_("Please use the forms of this site, from the first page on."),
		   N_("To the first page")},
    [PAGE_HOST] = {N_("This site has another address"), N_("Please press the button. It leads to the right address."),
		   N_("To the site")},
    [PAGE_CROWDED] = {N_("Too much at once"),
		      N_("Many requests are coming from your network. Please wait a few seconds and try again."),
		      N_("Try again")},
    [PAGE_INTERNAL] =
	{N_("Something went wrong here"),
	 N_("It is not your fault. Please try again in a few minutes. If it happens again, please ask the help desk."),
	 N_("Try again")},
    [PAGE_ABSENT] = {N_("This service is not running at the moment"),
		     N_("It is probably being restarted. Please wait a minute and press the button. Nothing that you "
			"finished is lost."),
		     N_("Try again")},
    [PAGE_BUSY] = {N_("Very many people are here at the moment"),
		   N_("Please wait a moment and press the button. Nothing that you finished is lost."),
		   N_("Try again")},
    [PAGE_UNSURE] =
	{N_("The answer did not come in time"),
	 N_("Please wait a moment and press the button. You then see whether your last step has been taken in."),
	 N_("Go on")},
};

/* Splits at blank lines, in place; a line break within a paragraph stays. */
static void page_paragraphs(struct values *vs, char *p)
{
	size_t n = 0;

	while (*p) {
		char *end;

		p += strspn(p, "\n");
		if (!*p)
			return;
		end = strstr(p, "\n\n");
		if (end)
			*end = '\0';
		values_add_item(vs, "terms", n++, "text", p);
		p = end ? end + 1 : p + strlen(p);
	}
}

/* Drops carriage returns, a byte order mark and blanks at line ends, so that a blank line is two line feeds. */
static void page_normalise(struct buf *b)
{
	size_t out = 0, from = 0;

	if (b->len >= 3 && memcmp(b->data, "\xef\xbb\xbf", 3) == 0)
		from = 3;
	for (size_t i = from; i < b->len; i++) {
		uint8_t c = b->data[i];

		if (c == '\r')
			continue;
		while (c == '\n' && out && (b->data[out - 1] == ' ' || b->data[out - 1] == '\t'))
			out--;
		b->data[out++] = c;
	}
	b->len = out;
	b->data[out] = '\0';
}

/* site_dir/terms.LANG.txt, or the other language's if there is none. */
static enum err page_terms(const struct page_context *pc, struct values *vs, struct buf *ret)
{
	const char *other = strcmp(pc->lang, "ja") == 0 ? "en" : "ja";
	const char *langs[2] = {pc->lang, other};
	char path[4096];
	enum err r = ERR_NOTFOUND;

	for (size_t i = 0; i < 2 && r == ERR_NOTFOUND; i++) {
		int n = snprintf(path, sizeof path, "%s/terms.%s.txt", pc->site->conf->site_dir, langs[i]);

		if (n < 0 || (size_t)n >= sizeof path)
			return ERR_TOOBIG;
		r = assets_read(path, PAGE_TERMS_MAX, ret);
	}
	if (r == ERR_NONE && (ret->len == 0 || !text_utf8_valid(ret->data, ret->len)))
		r = ERR_INVALID;
	if (r != ERR_NONE) {
		log_error("%s: %s: no terms to show; write them there as UTF-8 text", path,
			  r == ERR_IO ? strerror(errno) : err_text(r));
		return r;
	}
	page_normalise(ret);
	page_paragraphs(vs, (char *)ret->data);
	return ERR_NONE;
}

static void page_own(const struct page_context *pc, struct values *vs)
{
	const struct conf *c = pc->site->conf;

	values_add(vs, "lang", pc->lang);
	values_add(vs, strcmp(pc->lang, "ja") == 0 ? "is_ja" : "is_en", "1");
	values_add(vs, "path", pc->path);
	values_add(vs, "org", c->organisation);
	values_add(vs, "contact", c->contact);
	values_add(vs, "css_url", pc->site->assets.css_url);
	values_add(vs, "js_url", pc->site->assets.js_url);
	for (const struct shop *s = shops; s->link; s++) {
		const struct asset *picture = assets_find(&pc->site->assets, s->file);

		values_add(vs, s->link, s->url);
		values_add(vs, s->picture, picture ? picture->url : NULL);
	}
}

static enum err page_view(const struct wire_msg *view, struct values *vs)
{
	size_t errors = 0;

	for (size_t i = 0; i < view->n; i++) {
		const struct wire_field *f = &view->field[i];
		const char *text = (const char *)f->data;

		if (memchr(f->data, '\0', f->len))
			return ERR_INVALID;
		if (strncmp(f->name, "v.", 2) == 0) {
			values_add(vs, f->name + 2, text);
		} else if (strncmp(f->name, "e.", 2) == 0) {
			values_add(vs, f->name, text);
			values_add_item(vs, "errors", errors, "field", f->name + 2);
			values_add_item(vs, "errors", errors, "text", text);
			errors++;
		}
	}
	if (errors)
		values_add(vs, "has_errors", "1");
	return ERR_NONE;
}

enum err page_render(const struct page_context *pc, const char *page, const struct wire_msg *view,
		     const char *const *pairs, struct buf *ret)
{
	struct values vs = VALUES_INIT;
	AUTO_BUF terms = BUF_INIT;
	enum err r = ERR_NONE;

	page_own(pc, &vs); /* first: the first of a name wins */
	for (; pairs && pairs[0]; pairs += 2)
		values_add(&vs, pairs[0], pairs[1]);
	if (view)
		r = page_view(view, &vs);
	if (r == ERR_NONE && strcmp(page, "terms") == 0)
		r = page_terms(pc, &vs, &terms);
	if (r == ERR_NONE)
		r = values_seal(&vs);
	if (r == ERR_NONE)
		r = template_render(pc->site->templates, page, &vs, pc->lang, i18n, ret);
	values_free(&vs);
	if (r != ERR_NONE)
		buf_wipe(ret);
	return r;
}

/* What is left when even the error page fails. */
static void page_plain(const struct page_context *pc, const char *title, const char *text, struct buf *ret)
{
	buf_addf(ret, "<!doctype html>\n<html lang=\"%s\">\n<meta charset=\"utf-8\">\n<title>", pc->lang);
	template_escape(ret, title, strlen(title));
	buf_adds(ret, "</title>\n<h1>");
	template_escape(ret, title, strlen(title));
	buf_adds(ret, "</h1>\n<p>");
	template_escape(ret, text, strlen(text));
	buf_adds(ret, "</p>\n");
}

void page_error(const struct page_context *pc, enum page_error e, const char *again, struct buf *ret)
{
	const char *title = i18n(pc->lang, page_errors[e].title), *text = i18n(pc->lang, page_errors[e].text);
	const char *pairs[] = {"title",	      title,
			       "text",	      text,
			       "button_text", i18n(pc->lang, page_errors[e].button),
			       "button_href", again ? again : "/",
			       NULL};
	enum err r = page_render(pc, "error", NULL, pairs, ret);

	if (r == ERR_NONE)
		return;
	log_error("the page \"error\" cannot be shown: %s", err_text(r));
	page_plain(pc, title, text, ret);
}
