#include "config.h"

#include "ctl/pamconf.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAMCONF_NESTED	 16   /* PAM_SUBSTACK_MAX_LEVEL, and our bound for includes */
#define PAMCONF_LINES	 1024 /* a circle of includes ends here */
#define PAMCONF_FILE_MAX (256 * 1024)

const char *const pamconf_type_name[PAMCONF_TYPES] = {"auth", "account", "password", "session"};

struct pamconf_reader {
	const char *folder;
	struct pamconf *out;
	struct errmsg *m;
	unsigned nested, depth, top; /* top: line of the outermost file */
};

bool pamconf_split(const char *text, size_t n, struct pamconf_words *ret)
{
	*ret = (struct pamconf_words){.space = malloc(n + 1)};
	if (!ret->space)
		return false;
	memcpy(ret->space, text, n);
	ret->space[n] = '\0';
	for (char *p = ret->space; *p && ret->n < sizeof ret->word / sizeof *ret->word;) {
		char *out;
		bool bracket;
		p += strspn(p, " \t\r\n");
		if (!*p || *p == '#')
			break;
		bracket = *p == '[';
		ret->word[ret->n++] = out = p += bracket;
		for (; *p && (bracket ? *p != ']' : !isspace((unsigned char)*p)); p++) {
			if (bracket && p[0] == '\\' && p[1] == ']')
				p++;
			*out++ = *p;
		}
		bracket = *p != '\0';
		*out = '\0';
		p += bracket;
	}
	return true;
}

void pamconf_words_free(struct pamconf_words *w)
{
	free(w->space);
	w->space = NULL;
	w->n = 0;
}

static void pamconf_line_free(struct pamconf_line *l)
{
	free(l->file);
	free(l->control);
	free(l->module);
	for (size_t i = 0; l->arg && i < l->n_arg; i++)
		free(l->arg[i]);
	free(l->arg);
}

void pamconf_free(struct pamconf *p)
{
	for (size_t i = 0; i < p->n; i++)
		pamconf_line_free(&p->line[i]);
	free(p->line);
	*p = (struct pamconf){0};
}

static enum err pamconf_put(struct pamconf_reader *r, const struct pamconf_line *l, const char *file,
			    const struct pamconf_words *w)
{
	struct pamconf *p = r->out;
	struct pamconf_line copy = *l;
	if (p->n == PAMCONF_LINES)
		return err_set(r->m, ERR_TOOBIG, "%s: more than %d lines; do files include each other in a circle?",
			       file, PAMCONF_LINES);
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 32;
		struct pamconf_line *more = realloc(p->line, cap * sizeof *more);
		if (!more)
			return ERR_NOMEM;
		p->line = more;
		p->cap = cap;
	}
	copy.file = strdup(file);
	copy.control = strdup(w->word[1]);
	copy.module = strdup(w->word[2]);
	copy.arg = calloc(w->n, sizeof *copy.arg);
	copy.n_arg = 0;
	bool ok = copy.file && copy.control && copy.module && copy.arg;
	for (size_t i = 3; ok && i < w->n; i++)
		ok = (copy.arg[copy.n_arg++] = strdup(w->word[i]));
	if (!ok) {
		pamconf_line_free(&copy);
		return ERR_NOMEM;
	}
	p->line[p->n++] = copy;
	return ERR_NONE;
}

static enum err pamconf_file(struct pamconf_reader *r, const char *name, int only);

static enum err pamconf_nested(struct pamconf_reader *r, const char *file, unsigned line, const char *other, int only,
			       bool substack)
{
	enum err e;
	if (r->nested == PAMCONF_NESTED)
		return err_set(r->m, ERR_INVALID, "%s:%u: files include each other more than %d deep", file, line,
			       PAMCONF_NESTED);
	r->nested++;
	r->depth += substack;
	e = pamconf_file(r, other, only);
	r->depth -= substack;
	r->nested--;
	return e == ERR_NOTFOUND
		   ? err_set(r->m, ERR_INVALID, "%s:%u: it includes %s, which is missing", file, line, other)
		   : e;
}

/* only: a type, or -1 for all. */
static enum err pamconf_take(struct pamconf_reader *r, const char *file, unsigned line, int only,
			     const struct pamconf_words *w)
{
	struct pamconf_line l = {.line = line, .top = r->nested ? r->top : line, .depth = r->depth};
	const char *type = w->word[0];
	r->top = l.top;
	if (strcasecmp(type, "@include") == 0)
		return w->n < 2 ? err_set(r->m, ERR_INVALID, "%s:%u: @include without a file", file, line)
				: pamconf_nested(r, file, line, w->word[1], only, false);
	l.missing_ok = *type == '-';
	type += l.missing_ok;
	while (l.type < PAMCONF_TYPES && strcasecmp(type, pamconf_type_name[l.type]) != 0)
		l.type++;
	if (l.type == PAMCONF_TYPES)
		return err_set(r->m, ERR_INVALID, "%s:%u: \"%.40s\" is no type: auth, account, password or session",
			       file, line, type);
	if (only >= 0 && l.type != (enum pamconf_type)only)
		return ERR_NONE;
	if (w->n < 3)
		return err_set(r->m, ERR_INVALID, "%s:%u: the line names no module", file, line);
	l.substack = strcasecmp(w->word[1], "substack") == 0;
	enum err e = ERR_NONE;
	if (strcasecmp(w->word[1], "include") != 0)
		e = pamconf_put(r, &l, file, w);
	else
		return pamconf_nested(r, file, line, w->word[2], (int)l.type, false);
	return !e && l.substack ? pamconf_nested(r, file, line, w->word[2], (int)l.type, true) : e;
}

/* *ret: the file's text, one NUL behind it. */
static enum err pamconf_load(const char *path, char **ret)
{
	struct stat st;
	size_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
	char *text = NULL;
	enum err e = ERR_IO;
	if (fstat(fd, &st) < 0)
		goto out;
	e = ERR_INVALID;
	if (!S_ISREG(st.st_mode) || st.st_size > PAMCONF_FILE_MAX)
		goto out;
	e = ERR_NOMEM;
	if (!(text = malloc(PAMCONF_FILE_MAX + 1)))
		goto out;
	e = ERR_IO;
	for (ssize_t got; (got = read(fd, text + n, PAMCONF_FILE_MAX - n)) != 0; n += (size_t)got)
		if (got < 0)
			goto out;
	text[n] = '\0';
	*ret = text;
	text = NULL;
	e = ERR_NONE;
out:
	free(text);
	(void)close(fd);
	return e;
}

/* A backslash at the end of a line joins the next to it. Returns the length with its newline, and counts them. */
static size_t pamconf_logical(char *p, unsigned *line)
{
	size_t n = 0;
	for (;;) {
		size_t k = strcspn(p + n, "\n");
		bool more = k && p[n + k - 1] == '\\' && p[n + k];
		if (more)
			p[n + k - 1] = ' ';
		n += k;
		if (!p[n])
			return n;
		++*line;
		if (!more)
			return n + 1;
		p[n++] = ' ';
	}
}

static enum err pamconf_file(struct pamconf_reader *r, const char *name, int only)
{
	char path[4096], *text;
	unsigned line = 1;
	/* libpam takes absolute names as they are. */
	int k = snprintf(path, sizeof path, "%s%s%s", *name == '/' ? "" : r->folder, *name == '/' ? "" : "/", name);
	if (k < 0 || (size_t)k >= sizeof path)
		return err_set(r->m, ERR_TOOBIG, "%s: the name is too long", name);
	enum err e = pamconf_load(path, &text);
	if (e == ERR_IO)
		return err_set(r->m, e, "%s: %s", path, strerror(errno));
	if (e == ERR_INVALID)
		return err_set(r->m, e, "%s: no plain file, or a huge one", path);
	if (e)
		return e;
	for (char *p = text; !e && *p;) {
		unsigned at = line;
		struct pamconf_words w;
		size_t n = pamconf_logical(p, &line);
		if (!pamconf_split(p, n, &w))
			e = ERR_NOMEM;
		else if (w.n)
			e = pamconf_take(r, name, at, only, &w);
		pamconf_words_free(&w);
		p += n;
	}
	free(text);
	return e;
}

enum err pamconf_read(const char *folder, const char *service, struct pamconf *ret, struct errmsg *m)
{
	struct pamconf_reader r = {.folder = folder, .out = ret, .m = m};
	*ret = (struct pamconf){0};
	return pamconf_file(&r, service, -1);
}

bool pamconf_is_kosmo(const struct pamconf_line *l)
{
	const char *slash = strrchr(l->module, '/');
	return strcmp(slash ? slash + 1 : l->module, "pam_kosmo.so") == 0;
}

const char *pamconf_arg(const struct pamconf_line *l, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < l->n_arg; i++)
		if (strncmp(l->arg[i], name, n) == 0 && l->arg[i][n] == '=')
			return l->arg[i] + n + 1;
	return NULL;
}
