#include "config.h"

#include "common/clock.h"
#include "common/i18n.h"
#include "enroll/log.h"
#include "enroll/page.h"
#include "enroll/shops.h"
#include <stdio.h>
#include <string.h>

static const struct {
	const char *title, *text, *button;
} page_errors[PAGE__MAX] = {
    [PAGE_BAD] = {N_("This could not be read"),
		  N_("What the browser sent was not complete. Nothing is lost: the first page leads on to where you "
		     "stopped."),
		  N_("Go to the first page")},
    [PAGE_NOTFOUND] = {N_("There is no such page"),
		       N_("The address may have been cut or typed wrong. If it was a link in a mail, please press it "
			  "there again. Nothing is lost: the first page leads on to where you stopped."),
		       N_("Go to the first page")},
    [PAGE_METHOD] = {N_("This page cannot be opened like this"),
		     N_("It comes after a button only; perhaps the browser opened an old page again. Nothing is lost: "
			"the first page leads on to where you stopped."),
		     N_("Go to the first page")},
    [PAGE_TOOBIG] = {N_("That was too long"),
		     N_("Nothing that you did before is lost. Please type it once more, shorter."),
		     N_("Back to the form")},
    [PAGE_COOKIES] =
	{N_("The browser sends too much at once"),
	 N_("It has kept too many cookies of this site. Please delete them in the settings of the browser, "
	    "then press the button. Nothing that you did before is lost."),
	 N_("Try again")},
    [PAGE_FORM] = {N_("This could not be read"), N_("Please use the forms of this site, from the first page on."),
		   N_("Go to the first page")},
    [PAGE_HOST] = {N_("This site has another address"), N_("Please press the button. It leads to the right address."),
		   N_("Go to the site")},
    [PAGE_CROWDED] =
	{N_("Too much at once"),
	 N_("Many requests are coming from your network. Nothing is lost. Please wait ten seconds, then press "
	    "the button."),
	 N_("Try again")},
    [PAGE_INTERNAL] =
	{N_("Something went wrong here"),
	 N_("It is not your fault, and nothing that you finished is lost. Please try again in a few minutes. If it "
	    "happens again, please ask the help desk."),
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

/* The terms in the reader's language or, with a note, in the other one. */
static enum err page_terms(const struct page_context *pc, const struct wire_msg *view, struct values *vs)
{
	static const char *const text[2] = {"terms_ja", "terms_en"}, *const changes[2] = {"changes_ja", "changes_en"};
	const struct terms *t = &pc->site->terms;
	size_t own = strcmp(pc->lang, "ja") == 0 ? 0 : 1, at = t->text[own] ? own : 1 - own;
	int64_t version;

	if (view && wire_int(view, "v.version", &version) == ERR_NONE && version != pc->site->conf->terms_version) {
		log_error("the keeper asks for version %lld of the terms, here is version %lld: restart both",
			  (long long)version, (long long)pc->site->conf->terms_version);
		return ERR_INVALID;
	}
	if (!t->text[at]) {
		log_error("%s/terms.%s.md: no terms to show", pc->site->conf->site_dir, pc->lang);
		return ERR_NOTFOUND;
	}
	values_add(vs, text[at], "1");
	values_add(vs, "terms_lang", at == 0 ? "ja" : "en");
	if (at != own)
		values_add(vs, "terms_other", "1");
	values_add(vs, "terms_date", t->date[own]);
	if (t->changes[own] || t->changes[1 - own]) {
		values_add(vs, "changes", "1");
		at = t->changes[own] ? own : 1 - own;
		values_add(vs, changes[at], "1");
		values_add(vs, "changes_lang", at == 0 ? "ja" : "en");
	}
	return ERR_NONE;
}

static void page_own(const struct page_context *pc, struct values *vs)
{
	const struct site *s = pc->site;

	values_add(vs, "lang", pc->lang);
	values_add(vs, strcmp(pc->lang, "ja") == 0 ? "is_ja" : "is_en", "1");
	values_add(vs, "path", pc->path);
	values_add(vs, "org", words_organisation(&s->words, pc->lang));
	values_add(vs, "contact", words_contact(&s->words, pc->lang));
	values_add(vs, "css_url", s->css_url);
	values_add(vs, "js_url", s->js_url);
	values_add(vs, "logo_url", s->logo_url);
	values_add(vs, "logo_dark_url", s->logo_dark_url);
	values_add(vs, "has_terms", s->terms.text[0] || s->terms.text[1] ? "1" : NULL);
	for (const struct shop *shop = shops; shop->link; shop++) {
		const struct asset *picture = assets_find(&s->assets, shop->file);

		values_add(vs, shop->link, shop->url);
		values_add(vs, shop->picture, picture ? picture->url : NULL);
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
	enum err r = ERR_NONE;

	page_own(pc, &vs); /* first: the first of a name wins */
	for (; pairs && pairs[0]; pairs += 2)
		values_add(&vs, pairs[0], pairs[1]);
	if (view)
		r = page_view(view, &vs);
	if (r == ERR_NONE && (strcmp(page, "terms") == 0 || strcmp(page, "terms-read") == 0))
		r = page_terms(pc, view, &vs);
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
static void page_plain(const struct page_context *pc, const char *const *pairs, struct buf *ret)
{
	const char *title = pairs[1], *text = pairs[3], *button = pairs[5], *href = pairs[7];

	buf_addf(ret, "<!doctype html>\n<html lang=\"%s\">\n<meta charset=\"utf-8\">\n<title>", pc->lang);
	template_escape(ret, title, strlen(title));
	buf_adds(ret, "</title>\n<h1>");
	template_escape(ret, title, strlen(title));
	buf_adds(ret, "</h1>\n<p>");
	template_escape(ret, text, strlen(text));
	buf_adds(ret, "</p>\n<p><a href=\"");
	template_escape(ret, href, strlen(href));
	buf_adds(ret, "\">");
	template_escape(ret, button, strlen(button));
	buf_adds(ret, "</a></p>\n");
}

void page_error(const struct page_context *pc, enum page_error e, const char *again, const char *failure,
		struct buf *ret)
{
	char now[I18N_TIME] = "";
	const char *pairs[] = {"title",
			       i18n(pc->lang, page_errors[e].title),
			       "text",
			       i18n(pc->lang, page_errors[e].text),
			       "button_text",
			       i18n(pc->lang, page_errors[e].button),
			       "button_href",
			       again ? again : "/",
			       "failure",
			       failure ? failure : "",
			       "failure_time",
			       now,
			       NULL};
	enum err r;

	i18n_time(pc->lang, clock_now(), now);
	r = page_render(pc, "error", NULL, pairs, ret);
	if (r == ERR_NONE)
		return;
	log_error("the page \"error\" cannot be shown: %s", err_text(r));
	page_plain(pc, pairs, ret);
}
