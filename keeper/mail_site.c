/* The folder of a site's own mail texts. */
#include "config.h"

#include "common/i18n.h"
#include "common/words.h"
#include "keeper/mail_template.h"
#include "keeper/mail_text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LANGUAGES  2
#define VALUES_MAX 24
#define FILES_MAX  1000 /* looked at in the folder */

struct mail_site {
	const struct conf *conf;
	struct words words;
	pthread_mutex_t lock; /* of t: held while a mail is filled, which is a matter of microseconds */
	struct mail_template t[MAIL_TEXTS][LANGUAGES];
	uint64_t seen; /* of the folder at the last look; 0: never */
};

/* What one look brings. */
struct look {
	const struct conf *conf;
	struct mail_template t[MAIL_TEXTS][LANGUAGES];
	uint64_t print;
	int64_t newest; /* when something was changed last */
	size_t good;
	mail_complain complain;
	void *arg;
};

static int language(const char *lang)
{
	for (int i = 0; mail_languages[i]; i++)
		if (!strcmp(mail_languages[i], lang))
			return i;
	return -1;
}

static void say(const struct look *l, const char *file, const char *what)
{
	struct errmsg m;
	err_set(&m, ERR_INVALID, "%s: %s", file, what);
	l->complain(l->arg, m.text);
}

static enum err read_file(int dir, const char *name, const char *path, struct buf *ret, struct errmsg *m)
{
	struct stat st;
	enum err e = ERR_NONE;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		e = err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		e = err_set(m, ERR_INVALID, "%s is not a regular file; move it away", path);
	else if (st.st_mode & S_IWOTH)
		e = err_set(m, ERR_DENIED, "%s can be written by everybody; chmod o-w it", path);
	while (!e && ret->len <= MAIL_TEMPLATE_MAX) {
		uint8_t *to = buf_room(ret, 4096);
		ssize_t n = to ? read(fd, to, 4096) : -1;
		if (n < 0 && to && errno == EINTR)
			continue;
		if (n < 0)
			e = err_set(m, ERR_IO, "%s: %s", path, to ? strerror(errno) : err_text(ERR_NOMEM));
		if (n <= 0)
			break;
		ret->len += (size_t)n;
	}
	close(fd);
	return e;
}

/* NAME.LANG.txt; anything else that ends in .txt is a mistake, the rest is an editor's or somebody's notes. */
static void take(struct look *l, int dir, const char *name)
{
	char path[4096];
	struct errmsg m = {""};
	struct mail_template t = {NULL, NULL};
	AUTO_BUF bytes = BUF_INIT;
	size_t n = strcspn(name, ".");
	enum mail_text text = mail_text_by_name(name, n);
	int lang = -1;
	for (int i = 0; name[n] == '.' && mail_languages[i]; i++)
		if (!strncmp(name + n + 1, mail_languages[i], 2) && !strcmp(name + n + 3, ".txt"))
			lang = i;
	snprintf(path, sizeof path, "%s/mail/%s", l->conf->site_dir, name);
	if (!text || lang < 0) {
		say(l, path,
		    "no mail is called so; kosmoctl mail template lists their names, and the file is NAME.ja.txt or "
		    "NAME.en.txt");
		return;
	}
	enum err e = read_file(dir, name, path, &bytes, &m);
	if (!e)
		e = mail_template_parse(l->conf, text, path, bytes.data, bytes.len, &t, &m);
	if (e) {
		l->complain(l->arg, m.text);
		return;
	}
	l->t[text][lang] = t;
	l->good++;
}

static void stir(struct look *l, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++) /* FNV-1a: to see a change, not to hide one */
		l->print = (l->print ^ ((const uint8_t *)p)[i]) * UINT64_C(0x100000001b3);
}

static bool is_text(const char *name)
{
	size_t n = strlen(name);
	return name[0] != '.' && n > 4 && !strcmp(name + n - 4, ".txt");
}

/* Goes through the folder: with read, each file is taken; without, only what it looks like from outside. */
static void walk(struct look *l, DIR *d, bool read)
{
	const struct dirent *entry;
	size_t files = 0;
	rewinddir(d);
	while (files++ < FILES_MAX && (entry = readdir(d)) != NULL) {
		struct stat st;
		if (!is_text(entry->d_name))
			continue;
		if (read) {
			take(l, dirfd(d), entry->d_name);
			continue;
		}
		memset(&st, 0, sizeof st);
		if (fstatat(dirfd(d), entry->d_name, &st, 0) < 0)
			st.st_size = -1;
		const int64_t facts[] = {(int64_t)st.st_ino, st.st_size,	 st.st_mtim.tv_sec,  st.st_mtim.tv_nsec,
					 st.st_ctim.tv_sec,  st.st_ctim.tv_nsec, (int64_t)st.st_mode};
		stir(l, entry->d_name, strlen(entry->d_name) + 1);
		stir(l, facts, sizeof facts);
		if (st.st_mtim.tv_sec > l->newest)
			l->newest = st.st_mtim.tv_sec;
	}
}

/* No such folder is none of our own texts. */
static DIR *open_folder(struct look *l)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/mail", l->conf->site_dir);
	DIR *d = opendir(path);
	int why = d ? 0 : errno;
	stir(l, &why, sizeof why);
	if (!d && why != ENOENT)
		say(l, path, strerror(why));
	return d;
}

static void look_free(struct mail_template t[MAIL_TEXTS][LANGUAGES])
{
	for (size_t i = 0; i < MAIL_TEXTS; i++)
		for (size_t j = 0; j < LANGUAGES; j++)
			mail_template_free(&t[i][j]);
}

void mail_site_check(const struct conf *conf, mail_complain complain, void *arg, size_t *ret_n)
{
	struct look l = {.conf = conf, .complain = complain, .arg = arg};
	DIR *d = open_folder(&l);
	if (d) {
		walk(&l, d, true);
		closedir(d);
	}
	look_free(l.t);
	*ret_n = l.good;
}

static void no_complaint(void *arg, const char *sentence)
{
	(void)arg;
	(void)sentence;
}

enum err mail_site_open(const struct conf *conf, struct mail_site **ret)
{
	struct mail_site *s = calloc(1, sizeof *s);
	/* what is wrong with them, the browser door's log says */
	enum err e = s ? words_load(conf, no_complaint, NULL, &s->words) : ERR_NOMEM;
	if (e) {
		free(s);
		return e;
	}
	s->conf = conf;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return ERR_NONE;
}

void mail_site_look(struct mail_site *s, int64_t now, int64_t settle, mail_complain complain, void *arg)
{
	struct look seen = {.conf = s->conf, .print = UINT64_C(0xcbf29ce484222325), .complain = no_complaint};
	struct look l = {.conf = s->conf, .complain = complain, .arg = arg};
	struct mail_template before[MAIL_TEXTS][LANGUAGES];
	DIR *d = open_folder(&seen);
	if (d) {
		walk(&seen, d, false);
		closedir(d);
	}
	/* a clock that was set back a little dates a fresh file ahead; one from far ahead is not waited for */
	if (seen.print == s->seen || (seen.newest > now - settle && seen.newest < now + settle))
		return;
	d = open_folder(&l);
	if (d) {
		walk(&l, d, true);
		closedir(d);
	}
	pthread_mutex_lock(&s->lock);
	memcpy(before, s->t, sizeof before);
	memcpy(s->t, l.t, sizeof s->t);
	pthread_mutex_unlock(&s->lock);
	look_free(before);
	s->seen = seen.print;
}

void mail_site_close(struct mail_site *s)
{
	if (!s)
		return;
	look_free(s->t);
	words_free(&s->words);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- filling ---- */

static const char *value_of(const struct fill *values, const char *name)
{
	for (const struct fill *v = values; v && v->name; v++)
		if (!strcmp(v->name, name))
			return v->value;
	return NULL;
}

/* The house's signature, of as much as is configured. */
static void sign(const char *organisation, const char *contact, struct buf *b)
{
	if (organisation[0] || contact[0])
		buf_adds(b, "\n-- \n");
	if (organisation[0])
		buf_addf(b, "%s\n", organisation);
	if (contact[0])
		buf_addf(b, "%s\n", contact);
}

enum err mail_site_fill(struct mail_site *s, const struct conf *conf, enum mail_text text, const char *lang,
			const struct fill *values, struct buf *ret_subject, struct buf *ret_body)
{
	const struct mail_text_row *row = &mail_texts[text];
	const char *code = value_of(values, "code"), *url = conf->url ? conf->url : "";
	struct fill all[VALUES_MAX + 4];
	int at = language(lang);
	size_t n = 0;
	for (; values && values[n].name && n < VALUES_MAX; n++)
		all[n] = values[n];
	const char *organisation = s ? words_organisation(&s->words, lang) : conf->organisation;
	const char *contact = s ? words_contact(&s->words, lang) : conf->contact;
	all[n++] = (struct fill){"organisation", organisation};
	all[n++] = (struct fill){"contact", contact};
	all[n++] = (struct fill){"url", url};
	all[n] = (struct fill){NULL, NULL};
	if (s)
		pthread_mutex_lock(&s->lock);
	const struct mail_template *own = s && at >= 0 && s->t[text][at].body ? &s->t[text][at] : NULL;
	const char *subject = own ? own->subject : i18n(lang, row->subject);
	if (code && !strcmp(conf->mail_code_in_subject, "yes") && !strstr(subject, "{code}"))
		buf_addf(ret_subject, "%s - ", code);
	fill(ret_subject, subject, all);
	fill(ret_body, own ? own->body : i18n(lang, row->body), all);
	if (s)
		pthread_mutex_unlock(&s->lock);
	if (!own)
		sign(organisation, contact, ret_body);
	return ret_subject->failed || ret_body->failed ? ERR_NOMEM : ERR_NONE;
}
