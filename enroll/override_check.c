#include "config.h"

#include "enroll/forms.h"
#include "enroll/markup.h"
#include "enroll/override_check.h"
#include "enroll/routes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names ---- */

/* What every page has, whatever it shows. */
static const char *const override_common[] = {"head", "foot", "errors", "steps", "contact", NULL};

struct names {
	char **name;
	size_t n, cap;
	bool failed;
};

static bool names_have(const struct names *ns, const char *s, size_t n)
{
	for (size_t i = 0; i < ns->n; i++)
		if (strlen(ns->name[i]) == n && memcmp(ns->name[i], s, n) == 0)
			return true;
	return false;
}

static void names_add(struct names *ns, const char *s, size_t n)
{
	if (ns->failed || names_have(ns, s, n))
		return;
	if (ns->n == ns->cap) {
		char **p = reallocarray(ns->name, ns->cap + 64, sizeof *p);

		ns->failed = !p;
		if (!p)
			return;
		ns->name = p;
		ns->cap += 64;
	}
	ns->name[ns->n] = strndup(s, n);
	ns->failed = !ns->name[ns->n];
	ns->n += !ns->failed;
}

static void names_free(struct names *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		free(ns->name[i]);
	free(ns->name);
}

/* The {placeholders} of a text to translate, and the names of all else. */
static void names_piece(void *arg, enum template_piece kind, const char *s, size_t n)
{
	struct names *ns = arg;

	if (kind == PIECE_NAME)
		names_add(ns, s, n);
	for (const char *p = s; kind == PIECE_TRANSLATE && (p = memchr(p, '{', (size_t)(s + n - p))) != NULL; p++) {
		const char *close = memchr(p, '}', (size_t)(s + n - p));

		if (close && close > p + 1)
			names_add(ns, p + 1, (size_t)(close - p - 1));
	}
}

static bool override_is_page(const struct templates *built, const char *name)
{
	struct names ns = {.n = 0};
	bool page;

	templates_walk(built, name, names_piece, &ns);
	page = names_have(&ns, "css_url", 7);
	names_free(&ns);
	return page;
}

/* A page has the values that the built-in one shows; a part may stand in any page. */
static bool override_names(const struct override *o, const struct templates *ts, const struct templates *built,
			   const struct faults *fs)
{
	struct names known = {.n = 0}, own = {.n = 0};
	bool ok = true;

	if (override_is_page(built, o->name))
		templates_walk(built, o->name, names_piece, &known);
	else
		templates_each(built, names_piece, &known);
	for (size_t i = 0; override_common[i]; i++)
		templates_walk(built, override_common[i], names_piece, &known);
	templates_walk(ts, o->name, names_piece, &own);
	for (size_t i = 0; i < own.n; i++) {
		const char *name = own.name[i];

		if (names_have(&known, name, strlen(name)) || strncmp(name, "e.", 2) == 0)
			continue;
		faults_say(fs, FAULT_LEFT_OUT,
			   "%s: there is no value {{%s}} here; kosmoctl site template %s shows those there are",
			   o->path, name, templates_have(built, o->name) ? o->name : "NAME");
		ok = false;
	}
	ok = ok && !known.failed && !own.failed;
	names_free(&known);
	names_free(&own);
	return ok;
}

/* ---- tags ---- */

struct tags {
	const struct override *o;
	const struct faults *fs;
	size_t said;
};

static void tags_say(struct tags *t, const struct markup_tag *tag, const char *before, struct markup_text what,
		     const char *after)
{
	faults_say(t->fs, FAULT_LEFT_OUT, "%s:%u: %s%.*s%s", t->o->path, tag->line, before,
		   (int)(what.n < 80 ? what.n : 80), what.s ? what.s : "", after);
	t->said++;
}

/* A local path that no page answers. */
static bool tags_dead(struct markup_text href)
{
	char path[256];
	const char *rest;
	size_t n = 0;
	int allow;

	if (!href.s || href.n == 0 || href.s[0] != '/' || (href.n > 1 && href.s[1] == '/'))
		return false;
	while (n < href.n && n < sizeof path - 1 && !strchr("?#{", href.s[n]))
		n++;
	if (n == href.n || href.s[n] != '{') {
		snprintf(path, sizeof path, "%.*s", (int)n, href.s);
		return !routes_find(ROUTE_GET, path, &rest, &allow);
	}
	return false;
}

static bool tags_elsewhere(struct markup_text url)
{
	return url.s &&
	       ((url.n > 1 && url.s[0] == '/' && url.s[1] == '/') ||
		(url.n > 4 && strncasecmp(url.s, "http", 4) == 0) || (url.n > 4 && strncasecmp(url.s, "data", 4) == 0));
}

static void tags_tag(void *arg, const struct markup_tag *tag)
{
	struct markup_text src = markup_value(tag, "src"), href = markup_value(tag, "href");
	struct tags *t = arg;

	if (markup_is(tag->name, "style"))
		tags_say(t, tag, "the policy of the site stops <", tag->name, ">; colours belong in colours.conf");
	if (markup_is(tag->name, "script") && !src.s)
		tags_say(t, tag, "the policy of the site stops a <", tag->name,
			 "> that stands in the page; take it out");
	if (tags_elsewhere(src) || (markup_is(tag->name, "link") && tags_elsewhere(href)))
		tags_say(t, tag, "the policy of the site stops what comes from elsewhere (", src.s ? src : href,
			 "); take it out");
	if (markup_is(tag->name, "a") && tags_dead(href))
		tags_say(t, tag, "no page is called ", href, "");
	if (markup_is(tag->name, "base") || markup_is(tag->name, "iframe") || markup_is(tag->name, "object"))
		tags_say(t, tag, "the policy of the site stops <", tag->name, ">; take it out");
	for (size_t i = 0; i < tag->n; i++) {
		struct markup_text name = tag->attribute[i].name;

		if (markup_is(name, "style") || (name.n > 2 && strncasecmp(name.s, "on", 2) == 0))
			tags_say(t, tag, "the policy of the site stops the attribute ", name, "; take it out");
	}
}

static bool override_tags(const struct override *o, const struct faults *fs)
{
	struct tags t = {o, fs, 0};

	markup_tags((const char *)o->src.data, o->src.len, tags_tag, &t);
	return t.said == 0;
}

/* ---- all ---- */

static bool override_forms(const struct override *o, const struct templates *ts, const struct templates *built,
			   const struct faults *fs)
{
	struct forms ours = forms_of(built, o->name), own = forms_of(ts, o->name);
	bool ok = !ours.failed && !own.failed && forms_compare(o->path, &ours, &own, fs) == 0;

	forms_free(&ours);
	forms_free(&own);
	return ok;
}

/* Of a name that is not built in: a part, if another of the site's own contains it. */
static bool override_wanted(const struct overrides *os, const struct override *o)
{
	char tag[2][OVERRIDE_NAME + 8];

	snprintf(tag[0], sizeof tag[0], "{{>%s}}", o->name);
	snprintf(tag[1], sizeof tag[1], "{{> %s}}", o->name);
	for (size_t i = 0; i < os->n; i++) {
		const char *text = buf_str(&os->o[i].src);

		if (text && (strstr(text, tag[0]) || strstr(text, tag[1])))
			return true;
	}
	return false;
}

static bool override_good(const struct overrides *os, const struct override *o, const struct templates *ts,
			  const struct faults *fs)
{
	struct errmsg m = {""};
	/* with a dot: generated, nobody's to replace */
	bool built = templates_have(os->built, o->name) && !strchr(o->name, '.'), ok;

	if (!built && !override_wanted(os, o)) {
		faults_say(fs, FAULT_LEFT_OUT,
			   "%s: no page is called %s, and none of the site's own contains it; kosmoctl site template "
			   "lists the names",
			   o->path, o->name);
		return false;
	}
	if (templates_check_one(ts, o->name, &m) != ERR_NONE) {
		const char *colon = strchr(m.text, ':');

		if (colon && strncmp(m.text, o->name, (size_t)(colon - m.text)) == 0)
			faults_say(fs, FAULT_LEFT_OUT, "%s%s", o->path, colon);
		else
			faults_say(fs, FAULT_LEFT_OUT, "%s: in it, %s", o->path, m.text);
		return false;
	}
	ok = override_names(o, ts, os->built, fs);
	ok = override_tags(o, fs) && ok;
	return (!built || override_forms(o, ts, os->built, fs)) && ok;
}

bool override_check(struct overrides *os, const struct templates *ts, const struct faults *fs)
{
	bool bad = false;

	for (size_t i = 0; i < os->n; i++)
		if (!os->o[i].bad && !override_good(os, &os->o[i], ts, fs))
			os->o[i].bad = bad = true;
	return bad;
}
