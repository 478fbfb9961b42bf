#include "config.h"

#include "common/site_file.h"
#include "enroll/colours.h"
#include "enroll/contact.h"
#include "enroll/logo.h"
#include "enroll/markdown.h"
#include "enroll/override.h"
#include "enroll/site.h"
#include <stdio.h>
#include <string.h>

#define SITE_OWN_HTML ((size_t)6 * 1024) /* what a page has beside the terms' text */

/* ---- templates ---- */

struct generating {
	struct site *site;
	const struct faults *fs;
	bool again; /* the files were read, and said what is wrong with them, already */
};

static void site_silence(void *arg, enum fault f, const char *sentence)
{
	(void)arg;
	(void)f;
	(void)sentence;
}

static enum err site_contact(struct templates *ts, const char *name, const char *text)
{
	AUTO_BUF html = BUF_INIT, plain = BUF_INIT;
	struct errmsg m;

	contact_html(text, &html);
	markdown_unbraced(&plain, html.data ? (const char *)html.data : "", html.len);
	if (html.failed || plain.failed)
		return ERR_NOMEM;
	return templates_add(ts, name, plain.data ? (const char *)plain.data : "", plain.len, &m);
}

static enum err site_generated(void *arg, struct templates *ts)
{
	const struct faults silence = {site_silence, NULL};
	struct generating *g = arg;
	struct site *s = g->site;
	enum err r = terms_load(s->conf, g->again ? &silence : g->fs, ts, &s->terms);

	g->again = true;
	if (r == ERR_NONE)
		r = site_contact(ts, "contact.ja", words_contact(&s->words, "ja"));
	if (r == ERR_NONE)
		r = site_contact(ts, "contact.en", words_contact(&s->words, "en"));
	return r;
}

/* ---- colours ---- */

static enum err site_colours(struct site *s, const struct faults *fs)
{
	static const char name[] = "colours.conf";
	const struct asset *css = assets_find(&s->assets, "kosmo.css");
	AUTO_BUF text = BUF_INIT, own = BUF_INIT;
	struct errmsg m = {""};
	char path[4096];
	enum err r = site_file_text(s->conf->site_dir, name, COLOURS_MAX, &text, &m);

	snprintf(path, sizeof path, "%s/%s", s->conf->site_dir, name);
	if (r == ERR_NONE)
		r = colours_css(path, (const char *)text.data, fs, &own);
	else if (r != ERR_NOTFOUND)
		faults_say(fs, FAULT_LEFT_OUT, "%s", m.text);
	if (r == ERR_NOMEM)
		return r;
	if (r != ERR_NONE || !css)
		return ERR_NONE;
	buf_add(&s->css, css->data, css->len);
	buf_add(&s->css, own.data, own.len);
	return s->css.failed ? ERR_NOMEM : assets_put(&s->assets, "kosmo.css", s->css.data, s->css.len, false);
}

/* ---- logos ---- */

static const struct {
	const char *name;
	enum err (*check)(const uint8_t *p, size_t n, struct errmsg *m);
	bool dark;
} site_logos[] = {
    {"logo.svg", logo_svg, false},
    {"logo.png", logo_png, false},
    {"logo-dark.svg", logo_svg, true},
    {"logo-dark.png", logo_png, true},
};

/* Of each pair the first that there is. */
static enum err site_logo(struct site *s, size_t which, const struct faults *fs)
{
	const char *name = site_logos[which].name, **url = site_logos[which].dark ? &s->logo_dark_url : &s->logo_url;
	struct buf *b = &s->logo[site_logos[which].dark];
	struct errmsg m = {""};
	enum err r;

	if (b->len)
		return ERR_NONE;
	r = site_file_read(s->conf->site_dir, name, LOGO_MAX, b, &m);
	if (r == ERR_NONE) {
		r = site_logos[which].check(b->data, b->len, &m);
		if (r == ERR_NONE)
			r = assets_put(&s->assets, name, b->data, b->len, true);
		else
			faults_say(fs, FAULT_LEFT_OUT, "%s/%s: %s", s->conf->site_dir, name, m.text);
	} else if (r == ERR_TOOBIG) {
		faults_say(fs, FAULT_LEFT_OUT, "%s (with it a page would be over %zu KB; save it smaller or simpler)",
			   m.text, SITE_PAGE_MAX / 1024);
	} else if (r != ERR_NOTFOUND && r != ERR_NOMEM) {
		faults_say(fs, FAULT_LEFT_OUT, "%s", m.text);
	}
	if (r == ERR_NONE)
		*url = assets_find(&s->assets, name)->url;
	else
		buf_wipe(b);
	return r == ERR_NOMEM ? r : ERR_NONE;
}

static enum err site_pictures(struct site *s, const struct faults *fs)
{
	enum err r = ERR_NONE;

	for (size_t i = 0; r == ERR_NONE && i < sizeof site_logos / sizeof *site_logos; i++)
		r = site_logo(s, i, fs);
	if (s->logo_dark_url && !s->logo_url) {
		faults_say(fs, FAULT_WARNING, "%s/logo-dark: is shown in the dark alone; add logo.svg or logo.png",
			   s->conf->site_dir);
		s->logo_dark_url = NULL;
	}
	return r;
}

/* ---- all ---- */

static void site_measure(void *arg, enum template_piece kind, const char *s, size_t n)
{
	size_t *sum = arg;

	(void)s;
	*sum += kind == PIECE_TEXT ? n : 0;
}

/* The heaviest page is that of the terms. */
static void site_weigh(const struct site *s, const struct faults *fs)
{
	const struct asset *css = assets_find(&s->assets, "kosmo.css"), *js = assets_find(&s->assets, "kosmo.js");
	size_t logo = s->logo[0].len > s->logo[1].len ? s->logo[0].len : s->logo[1].len, terms[2] = {0, 0}, sum;

	templates_walk(s->templates, "terms.ja", site_measure, &terms[0]);
	templates_walk(s->templates, "terms.en", site_measure, &terms[1]);
	sum = (terms[0] > terms[1] ? terms[0] : terms[1]) + logo + SITE_OWN_HTML;
	sum += (css ? css->len : 0) + (js ? js->len : 0);
	if (sum > SITE_PAGE_MAX)
		faults_say(fs, FAULT_WARNING,
			   "%s: the page of the terms weighs %zu KB with its pictures, over %zu: slow on a bad line; "
			   "shorten the terms or the logo",
			   s->conf->site_dir, sum / 1024, SITE_PAGE_MAX / 1024);
}

static void site_word_fault(void *arg, const char *sentence)
{
	faults_say(arg, FAULT_LEFT_OUT, "%s", sentence);
}

static enum err site_files(struct site *s, const struct faults *fs, struct errmsg *m)
{
	struct generating g = {.site = s, .fs = fs};
	struct faults say = *fs;
	enum err r = words_load(s->conf, site_word_fault, &say, &s->words);

	if (r == ERR_NONE)
		r = site_colours(s, fs);
	if (r == ERR_NONE)
		r = site_pictures(s, fs);
	if (r != ERR_NONE)
		return err_set(m, r, "%s: %s", s->conf->site_dir, err_text(r));
	return overrides_templates(s->conf->site_dir, site_generated, &g, fs, &s->templates, m);
}

enum err site_load(const struct conf *conf, const struct faults *fs, struct site *ret, struct errmsg *m)
{
	struct site s = {.conf = conf};
	enum err r;

	s.https = strncmp(conf->url, "https://", 8) == 0;
	/* Browsers take the __Host- prefix from secure origins only. */
	s.session_cookie = s.https ? "__Host-kosmo" : "kosmo";
	s.device_cookie = s.https ? "__Host-kosmo-device" : "kosmo-device";
	s.back_cookie = s.https ? "__Host-kosmo-back" : "kosmo-back";
	r = proxies_parse(conf->web_trusted_proxies, &s.proxies, m);
	if (r == ERR_NONE)
		r = assets_load(&s.assets, m);
	if (r == ERR_NONE)
		r = site_files(&s, fs, m);
	if (r != ERR_NONE) {
		site_free(&s);
		return r;
	}
	s.css_url = assets_url(&s.assets, ".css");
	s.js_url = assets_url(&s.assets, ".js");
	site_weigh(&s, fs);
	*ret = s;
	return ERR_NONE;
}

void site_free(struct site *s)
{
	if (!s)
		return;
	templates_free(s->templates);
	assets_free(&s->assets);
	words_free(&s->words);
	buf_free(&s->css);
	buf_free(&s->logo[0]);
	buf_free(&s->logo[1]);
	*s = (struct site){0};
}
