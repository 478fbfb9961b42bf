#include "config.h"

#include "ctl/pamconf.h"
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
#define PAMCONF_LINE_MAX 1022	 /* libpam 1.5 takes what is behind for a line of its own */
#define PAMCONF_SPACE	 " \t\n" /* a carriage return is part of a word */

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
	ret->space[strcspn(ret->space, "#")] = '\0';
	for (char *p = ret->space; *p && ret->n < sizeof ret->word / sizeof *ret->word;) {
		char *out;
		bool bracket;
		p += strspn(p, PAMCONF_SPACE);
		if (!*p)
			break;
		bracket = *p == '[';
		ret->word[ret->n++] = out = p += bracket;
		for (; *p && !strchr(bracket ? "]" : PAMCONF_SPACE, *p); p++) {
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
	if (strcmp(type, "@include") == 0)
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
	l.substack = strcmp(w->word[1], "substack") == 0;
	enum err e = ERR_NONE;
	if (strcmp(w->word[1], "include") != 0)
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

/* One logical line, as libpam puts it together: a backslash at the end of a line joins the next one that is neither
 * empty nor a comment; what stands behind a # is no such end. Returns the length with its newline and counts the lines;
 * ret_first: where it begins. What is not part of it is made spaces. */
static size_t pamconf_logical(char *p, unsigned *line, unsigned *ret_first, const char **ret_wrong)
{
	bool some = false, more = true;
	size_t n = 0, used = 0;
	while (more && p[n]) {
		size_t k = strcspn(p + n, "\n"), blank = strspn(p + n, PAMCONF_SPACE), end = k;
		if (used + k > PAMCONF_LINE_MAX)
			*ret_wrong = "the line is longer than libpam reads";
		if (memchr(p + n, '\r', strcspn(p + n, "#\n")))
			*ret_wrong = "it has a carriage return, which libpam takes for a part of the last word";
		bool empty = blank >= k || p[n + blank] == '#';
		if (!some)
			*ret_first = *line;
		while (end && strchr(PAMCONF_SPACE, p[n + end - 1]))
			end--;
		more = empty || (!memchr(p + n, '#', k) && p[n + end - 1] == '\\');
		if (empty)
			memset(p + n, ' ', k);
		else if (more)
			p[n + end - 1] = ' ';
		some |= !empty;
		used += empty ? 0 : k + 1;
		n += k;
		if (p[n]) {
			++*line;
			p[n++] = more ? ' ' : '\n';
		}
	}
	if (more && some)
		*ret_wrong = "the last line ends with a backslash, and libpam then reads nothing of the file";
	return n;
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
		const char *wrong = NULL;
		struct pamconf_words w;
		size_t n = pamconf_logical(p, &line, &at, &wrong);
		if (!pamconf_split(p, n, &w))
			e = ERR_NOMEM;
		else if (wrong)
			e = err_set(r->m, ERR_INVALID, "%s:%u: %s", name, at, wrong);
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
