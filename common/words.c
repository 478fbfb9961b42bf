#include "config.h"

#include "common/site_file.h"
#include "common/text.h"
#include "common/words.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words_langs[2] = {"ja", "en"};

static enum err words_control(const char *s, bool lines, const char *path, struct errmsg *m)
{
	unsigned line = 1;

	for (const char *end = s + strlen(s); s < end; s++) {
		if (*s == '\n' && !lines)
			return err_set(m, ERR_INVALID, "%s:%u: more than one line; keep the name on the first", path,
				       line + 1);
		if (*s != '\n' && text_control(s, (size_t)(end - s)))
			return err_set(m, ERR_INVALID, "%s:%u: a control character; remove it", path, line);
		line += *s == '\n';
	}
	return ERR_NONE;
}

/* WHAT.LANG.txt into *ret, which stays NULL where there is none. */
static enum err words_file(const struct conf *conf, const char *what, const char *lang, size_t max, bool lines,
			   char **ret, struct errmsg *m)
{
	char name[64], path[4096];
	AUTO_BUF b = BUF_INIT;
	enum err r;

	snprintf(name, sizeof name, "%s.%s.txt", what, lang);
	snprintf(path, sizeof path, "%s/%s", conf->site_dir, name);
	r = site_file_text(conf->site_dir, name, max, &b, m);
	while (r == ERR_NONE && b.len && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	if (r == ERR_NONE)
		r = words_control((const char *)b.data, lines, path, m);
	if (r != ERR_NONE)
		return r;
	*ret = strdup((const char *)b.data);
	return *ret ? ERR_NONE : ERR_NOMEM;
}

/* Of both languages: its own file, else the option, else the other language's file. */
static enum err words_pair(const struct conf *conf, const char *what, const char *option, size_t max, bool lines,
			   words_complain *complain, void *arg, char *ret[2])
{
	char *text[2] = {NULL, NULL};

	for (size_t i = 0; i < 2; i++) {
		struct errmsg m = {""};
		enum err r = words_file(conf, what, words_langs[i], max, lines, &text[i], &m);

		if (r == ERR_NOMEM)
			goto fail;
		if (r != ERR_NONE && r != ERR_NOTFOUND)
			complain(arg, m.text);
	}
	for (size_t i = 0; i < 2; i++) {
		const char *other = text[1 - i] && !option[0] ? text[1 - i] : option;

		ret[i] = strdup(text[i] ? text[i] : other);
		if (!ret[i])
			goto fail;
	}
	free(text[0]);
	free(text[1]);
	return ERR_NONE;
fail:
	free(text[0]);
	free(text[1]);
	return ERR_NOMEM;
}

enum err words_load(const struct conf *conf, words_complain *complain, void *arg, struct words *ret)
{
	struct words w = {{NULL, NULL}, {NULL, NULL}};
	enum err r = words_pair(conf, "organisation", conf->organisation, WORDS_ORGANISATION_MAX, false, complain, arg,
				w.organisation);

	if (r == ERR_NONE)
		r = words_pair(conf, "contact", conf->contact, WORDS_CONTACT_MAX, true, complain, arg, w.contact);
	if (r == ERR_NONE)
		*ret = w;
	else
		words_free(&w);
	return r;
}

void words_free(struct words *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < 2; i++) {
		free(w->organisation[i]);
		free(w->contact[i]);
	}
	*w = (struct words){{NULL, NULL}, {NULL, NULL}};
}

static size_t words_lang(const char *lang)
{
	return strcmp(lang, "ja") == 0 ? 0 : 1;
}

const char *words_organisation(const struct words *w, const char *lang)
{
	return w->organisation[words_lang(lang)];
}

const char *words_contact(const struct words *w, const char *lang)
{
	return w->contact[words_lang(lang)];
}
