#include "config.h"

#include "common/site_file.h"
#include "enroll/markdown.h"
#include "enroll/terms.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const terms_langs[2] = {"ja", "en"};

/* WHAT.LANG.md, else WHAT.LANG.txt. ERR_NOTFOUND: neither; ERR_INVALID: said. */
static enum err terms_read(const struct conf *conf, const struct faults *fs, const char *what, const char *lang,
			   struct buf *html)
{
	char md[64], txt[64], path[4096];
	AUTO_BUF src = BUF_INIT;
	struct errmsg m = {""};
	bool plain = false;
	enum err r;

	snprintf(md, sizeof md, "%s.%s.md", what, lang);
	snprintf(txt, sizeof txt, "%s.%s.txt", what, lang);
	snprintf(path, sizeof path, "%s/%s", conf->site_dir, md);
	r = site_file_text(conf->site_dir, md, MARKDOWN_MAX, &src, &m);
	if (r == ERR_NOTFOUND) {
		plain = true;
		r = site_file_text(conf->site_dir, txt, MARKDOWN_MAX, &src, &m);
	}
	if (r == ERR_NOMEM || r == ERR_NOTFOUND)
		return r;
	if (r != ERR_NONE) {
		faults_say(fs, FAULT_LEFT_OUT, "%s", m.text);
		return ERR_INVALID;
	}
	if (!plain)
		return markdown_html(path, (const char *)src.data, src.len, fs, html);
	markdown_plain((const char *)src.data, html);
	return html->failed ? ERR_NOMEM : ERR_NONE;
}

static enum err terms_one(const struct conf *conf, const struct faults *fs, struct templates *ts, const char *what,
			  size_t lang, bool *ret)
{
	AUTO_BUF html = BUF_INIT;
	char name[64];
	struct errmsg m = {""};
	enum err r = conf->terms_version ? terms_read(conf, fs, what, terms_langs[lang], &html) : ERR_NOTFOUND;

	if (r == ERR_NOMEM)
		return r;
	*ret = r == ERR_NONE;
	if (!*ret)
		buf_wipe(&html);
	snprintf(name, sizeof name, "%s.%s", what, terms_langs[lang]);
	return templates_add(ts, name, html.data ? (const char *)html.data : "", html.len, &m);
}

static void terms_date(const struct conf *conf, struct terms *t)
{
	int year, month, day;

	if (sscanf(conf->terms_date, "%4d-%2d-%2d", &year, &month, &day) != 3)
		return;
	const struct date d = {.year = (int16_t)year, .month = (int8_t)month, .day = (int8_t)day};
	for (int i = 0; i < 2; i++)
		i18n_date(terms_langs[i], d, t->date[i]);
}

enum err terms_load(const struct conf *conf, const struct faults *fs, struct templates *ts, struct terms *ret)
{
	struct terms t = {.text = {false, false}};
	enum err r = ERR_NONE;

	for (size_t i = 0; i < 2 && r == ERR_NONE; i++) {
		r = terms_one(conf, fs, ts, "terms", i, &t.text[i]);
		if (r == ERR_NONE)
			r = terms_one(conf, fs, ts, "terms.changes", i, &t.changes[i]);
	}
	if (r != ERR_NONE)
		return r;
	if (conf->terms_version && !t.text[0] && !t.text[1])
		faults_say(fs, FAULT_LEFT_OUT,
			   "%s/terms.ja.md: no terms to show, and terms.version is %lld: nobody can agree and go on; "
			   "write them there (or terms.ja.txt), or set terms.version = 0",
			   conf->site_dir, (long long)conf->terms_version);
	else if (conf->terms_version && !(t.text[0] && t.text[1]))
		faults_say(fs, FAULT_WARNING,
			   "%s/terms.%s.md: no terms in this language; its readers see the other one with a note",
			   conf->site_dir, terms_langs[t.text[0] ? 1 : 0]);
	terms_date(conf, &t);
	*ret = t;
	return ERR_NONE;
}
