#include "config.h"

#include "common/i18n.h"
#include "common/text.h"
#include "keeper/mail_template.h"
#include "keeper/mail_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERYWHERE "organisation contact url"
#define SIGNATURE  "\n-- \n{organisation}\n{contact}\n"

const char *const mail_languages[] = {"ja", "en", NULL};

enum mail_text mail_text_by_name(const char *name, size_t n)
{
	for (size_t i = 1; i < MAIL_TEXTS; i++)
		if (strlen(mail_texts[i].name) == n && !memcmp(mail_texts[i].name, name, n))
			return (enum mail_text)i;
	return 0;
}

void mail_template_free(struct mail_template *t)
{
	free(t->subject);
	free(t->body);
	t->subject = t->body = NULL;
}

enum err mail_template_show(enum mail_text text, const char *lang, struct buf *ret)
{
	buf_addf(ret, "Subject: %s\n\n%s" SIGNATURE, i18n(lang, mail_texts[text].subject),
		 i18n(lang, mail_texts[text].body));
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}

/* ---- reading one ---- */

struct reader {
	const struct conf *conf;
	const struct mail_text_row *row;
	const char *file;
	unsigned line;
	struct errmsg *m;
};

static enum err complain(const struct reader *r, const char *what)
{
	return err_set(r->m, ERR_INVALID, "%s:%u: %s", r->file, r->line, what);
}

static bool listed(const char *list, const char *word, size_t n)
{
	for (const char *p = list; *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");
		if (len == n && !memcmp(p, word, n))
			return true;
		p += len;
	}
	return false;
}

static enum err check_hole(const struct reader *r, const char *p, const char *end, bool subject)
{
	const char *close = memchr(p, '}', (size_t)(end - p));
	size_t n = close ? (size_t)(close - p) - 1 : 0;
	bool code = n == 4 && !memcmp(p + 1, "code", 4);
	if (!close ||
	    (!listed(r->row->needs, p + 1, n) && !listed(r->row->may, p + 1, n) && !listed(EVERYWHERE, p + 1, n)))
		return err_set(r->m, ERR_INVALID,
			       "%s:%u: { begins no placeholder of this mail (\"%.*s\"); it has: %s%s%s " EVERYWHERE,
			       r->file, r->line, (int)(close && n < 40 ? n + 2 : 1), p, r->row->needs,
			       r->row->needs[0] ? " " : "", r->row->may);
	if (subject && code && strcmp(r->conf->mail_code_in_subject, "yes") != 0)
		return complain(r,
				"{code} in the subject is for mail.code_in_subject = yes; leave it out, or set that");
	if (subject && n == 4 && !memcmp(p + 1, "link", 4))
		return complain(r, "{link} in the subject would be seen by everyone; leave it out");
	return ERR_NONE;
}

/* One line, without its end. */
static enum err check_line(const struct reader *r, const char *p, size_t n, bool subject)
{
	if (!text_utf8_valid(p, n))
		return complain(r, "not UTF-8; save the file as UTF-8");
	for (size_t i = 0; i < n; i++) {
		enum err e = ERR_NONE;
		if (((uint8_t)p[i] < ' ' && (p[i] != '\t' || subject)) || p[i] == 127)
			e = complain(r, "a control character; remove it");
		else if (p[i] == '{')
			e = check_hole(r, p + i, p + n, subject);
		if (e)
			return e;
	}
	return ERR_NONE;
}

static enum err check_needs(const struct reader *r, const char *body)
{
	for (const char *p = r->row->needs; *p; p += strspn(p, " ")) {
		char hole[64];
		size_t n = strcspn(p, " ");
		snprintf(hole, sizeof hole, "{%.*s}", (int)n, p);
		if (!strstr(body, hole))
			return err_set(r->m, ERR_INVALID, "%s:%u: %s is missing; the mail is of no use without it",
				       r->file, r->line, hole);
		p += n;
	}
	return ERR_NONE;
}

static enum err read_subject(const struct reader *r, const char *p, size_t n, struct buf *subject)
{
	static const char field[] = "Subject:";
	size_t skip = sizeof field - 1;
	if (n < skip || memcmp(p, field, skip) != 0)
		return complain(r, "not \"Subject: ...\"; the first line is the subject, the second is empty");
	while (skip < n && p[skip] == ' ')
		skip++;
	while (n > skip && p[n - 1] == ' ')
		n--;
	if (n == skip)
		return complain(r, "the subject is empty; write one behind \"Subject:\"");
	if (n - skip > MAIL_SUBJECT_MAX)
		return complain(r, "the subject is longer than 200 bytes; shorten it");
	buf_add(subject, p + skip, n - skip);
	return check_line(r, p + skip, n - skip, true);
}

static enum err read_lines(struct reader *r, const char *p, const char *end, struct buf *subject, struct buf *body)
{
	enum err e = ERR_NONE;
	while (!e && p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		r->line++;
		if (!newline)
			return complain(r, "the last line has no end; is this the whole file? If it is, end the line");
		size_t n = (size_t)(newline - p);
		if (n && p[n - 1] == '\r')
			n--;
		if (memchr(p, '\0', n)) {
			e = complain(r, "a NUL byte; save the file as plain UTF-8 text");
		} else if (r->line == 1) {
			e = read_subject(r, p, n, subject);
		} else if (r->line == 2) {
			if (n)
				e = complain(r, "not empty; an empty line stands between the subject and the text");
		} else {
			e = check_line(r, p, n, false);
			buf_add(body, p, n);
			buf_addc(body, '\n');
		}
		p = newline + 1;
	}
	return e;
}

enum err mail_template_parse(const struct conf *conf, enum mail_text text, const char *file, const void *bytes,
			     size_t n, struct mail_template *ret, struct errmsg *m)
{
	struct reader r = {.conf = conf, .row = &mail_texts[text], .file = file, .m = m};
	const char *p = bytes, *end = p + n;
	AUTO_BUF subject = BUF_INIT;
	AUTO_BUF body = BUF_INIT;
	if (n > MAIL_TEMPLATE_MAX)
		return err_set(m, ERR_TOOBIG, "%s:1: the file has more than 16384 bytes; shorten it", file);
	if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
		p += 3;
	enum err e = read_lines(&r, p, end, &subject, &body);
	if (e)
		return e;
	if (subject.failed || body.failed)
		return err_set(m, ERR_NOMEM, "%s: %s", file, err_text(ERR_NOMEM));
	r.line += !r.line;
	if (strspn(buf_str(&body), "\n\t ") == body.len)
		return complain(&r, "there is no text; write \"Subject: ...\", an empty line and the text");
	e = check_needs(&r, buf_str(&body));
	if (e)
		return e;
	struct mail_template t = {strdup(buf_str(&subject)), strdup(buf_str(&body))};
	if (!t.subject || !t.body) {
		mail_template_free(&t);
		return err_set(m, ERR_NOMEM, "%s: %s", file, err_text(ERR_NOMEM));
	}
	*ret = t;
	return ERR_NONE;
}
