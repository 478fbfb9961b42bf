#include "config.h"

#include "common/buf.h"
#include "keeper/dsn.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VALUE_MAX    1000 /* bytes of an unfolded header that count */
#define BOUNDARY_MAX 70	  /* RFC 2046 5.1.1 */
#define PARTS_MAX    16
#define GROUPS_MAX   64

struct span {
	const char *p, *end;
};

static size_t length(struct span s)
{
	return (size_t)(s.end - s.p);
}

/* The next line without its end; false behind the last. */
static bool take_line(struct span *s, struct span *ret)
{
	if (s->p == s->end)
		return false;
	const char *newline = memchr(s->p, '\n', length(*s));
	ret->p = s->p;
	ret->end = newline ? newline : s->end;
	s->p = newline ? newline + 1 : s->end;
	if (ret->end > ret->p && ret->end[-1] == '\r')
		ret->end--;
	return true;
}

/* Up to the first empty line; *s stands behind that then. */
static struct span take_head(struct span *s)
{
	struct span head = *s, line;
	const char *at = s->p;
	while (take_line(s, &line)) {
		if (line.p == line.end)
			break;
		at = s->p;
	}
	head.end = at;
	return head;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A field's value, unfolded, without white space around it (RFC 5322 2.2). The first of that name. */
static bool header(struct span head, const char *name, char ret[static VALUE_MAX])
{
	size_t n = strlen(name), len = 0;
	struct span line;
	bool in = false;
	while (take_line(&head, &line)) {
		if (in && line.p < line.end && blank(*line.p)) {
			/* goes on */
		} else if (in) {
			break;
		} else if (length(line) > n && line.p[n] == ':' && !strncasecmp(line.p, name, n)) {
			in = true;
			line.p += n + 1;
		} else {
			continue;
		}
		for (; line.p < line.end && len < VALUE_MAX - 1; line.p++)
			if (*line.p && (len || !blank(*line.p)))
				ret[len++] = *line.p;
	}
	while (len && blank(ret[len - 1]))
		len--;
	ret[len] = '\0';
	return in;
}

/* ---- MIME ---- */

static bool type_is(const char *value, const char *type)
{
	size_t n = strlen(type);
	return !strncasecmp(value, type, n) && (!value[n] || value[n] == ';' || blank(value[n]));
}

/* A parameter of Content-Type (RFC 2045 5.1): a token or a quoted string. */
static bool parameter(const char *value, const char *name, char *ret, size_t cap)
{
	size_t n = strlen(name), len = 0;
	const char *p = value;
	bool quoted = false;
	for (;; p++) {
		if (*p == '"')
			quoted = !quoted;
		if (quoted && *p == '\\' && p[1])
			p++;
		if (!*p)
			return false;
		if (quoted || *p != ';')
			continue;
		const char *q = p + 1;
		while (blank(*q))
			q++;
		if (strncasecmp(q, name, n) != 0)
			continue;
		for (q += n; blank(*q); q++)
			;
		if (*q != '=')
			continue;
		p = q + 1;
		break;
	}
	while (blank(*p))
		p++;
	quoted = *p == '"';
	for (p += quoted; *p && (quoted ? *p != '"' : *p != ';' && !blank(*p)); p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		if (len + 1 >= cap)
			return false;
		ret[len++] = *p;
	}
	ret[len] = '\0';
	return len > 0;
}

enum delimiter { NO_DELIMITER, DELIMITER, LAST_DELIMITER };

/* "--boundary" or "--boundary--", perhaps with white space behind it (RFC 2046 5.1.1). */
static enum delimiter delimiter(struct span line, const char *boundary)
{
	size_t n = strlen(boundary);
	if (length(line) < n + 2 || memcmp(line.p, "--", 2) != 0 || memcmp(line.p + 2, boundary, n) != 0)
		return NO_DELIMITER;
	line.p += n + 2;
	bool last = length(line) >= 2 && !memcmp(line.p, "--", 2);
	line.p += last ? 2 : 0;
	while (line.p < line.end && blank(*line.p))
		line.p++;
	return line.p < line.end ? NO_DELIMITER : last ? LAST_DELIMITER : DELIMITER;
}

static bool take_part(struct span *body, const char *boundary, bool *ret_last, struct span *ret)
{
	struct span part = {body->p, body->p}, line;
	const char *at = body->p;
	while (take_line(body, &line)) {
		enum delimiter d = delimiter(line, boundary);
		if (d != NO_DELIMITER) {
			part.end = at;
			*ret = part;
			*ret_last = d == LAST_DELIMITER;
			return true;
		}
		at = body->p;
	}
	return false;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static bool decode_quoted(struct span s, struct buf *ret)
{
	for (; s.p < s.end; s.p++) {
		if (*s.p != '=') {
			buf_addc(ret, *s.p);
			continue;
		}
		size_t left = length(s);
		if (left >= 3 && hex(s.p[1]) >= 0 && hex(s.p[2]) >= 0) {
			buf_addc(ret, (char)(hex(s.p[1]) * 16 + hex(s.p[2])));
			s.p += 2;
			continue;
		}
		const char *q = s.p + 1; /* a soft break, perhaps with blanks that were added on the way */
		while (q < s.end && (blank(*q) || *q == '\r'))
			q++;
		if (q < s.end && *q != '\n')
			return false;
		s.p = q < s.end ? q : s.end - 1;
	}
	return true;
}

static bool decode_base64(struct span s, struct buf *ret)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, have = 0;
	bool padded = false;
	for (; s.p < s.end; s.p++) {
		const char *at = *s.p ? strchr(alphabet, *s.p) : NULL;
		if (*s.p == '\r' || *s.p == '\n' || blank(*s.p))
			continue;
		if (*s.p == '=') {
			padded = true;
			continue;
		}
		if (!at || padded)
			return false;
		bits = bits << 6 | (unsigned)(at - alphabet);
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_addc(ret, (char)(bits >> have & 0xff));
		}
	}
	return true;
}

static bool decode(struct span head, struct span body, struct buf *ret)
{
	char encoding[VALUE_MAX];
	if (!header(head, "Content-Transfer-Encoding", encoding) || !strcasecmp(encoding, "7bit") ||
	    !strcasecmp(encoding, "8bit") || !strcasecmp(encoding, "binary")) {
		buf_add(ret, body.p, length(body));
		return true;
	}
	if (!strcasecmp(encoding, "quoted-printable"))
		return decode_quoted(body, ret);
	return !strcasecmp(encoding, "base64") && decode_base64(body, ret);
}

/* ---- what it says ---- */

/* "5.1.1" (RFC 3463 2); n: its length. */
static bool status_valid(const char *s, size_t *ret_n)
{
	size_t n = 2;
	if (!*s || !strchr("245", s[0]) || s[1] != '.')
		return false;
	for (int i = 0; i < 2; i++) {
		size_t digits = strspn(s + n, "0123456789");
		if (digits < 1 || digits > 3)
			return false;
		n += digits;
		if (i == 0 && s[n++] != '.')
			return false;
	}
	if (s[n] && !blank(s[n]) && s[n] != '(')
		return false;
	*ret_n = n;
	return true;
}

/* Appends words, of printable ASCII, with whatever looks like an address left out: a report quotes them. */
static void add_words(char ret[static DSN_REASON_MAX + 1], const char *s)
{
	size_t n = strlen(ret);
	while (*s) {
		s += strspn(s, " \t");
		size_t word = strcspn(s, " \t");
		bool address = memchr(s, '@', word) != NULL;
		const char *from = address ? "(address)" : s;
		size_t len = address ? strlen(from) : word;
		if (len && n && n < DSN_REASON_MAX)
			ret[n++] = ' ';
		for (size_t i = 0; i < len && n < DSN_REASON_MAX; i++)
			ret[n++] = from[i] > ' ' && from[i] <= '~' ? from[i] : '?';
		s += word;
	}
	ret[n] = '\0';
}

/* "smtp; 550 5.1.1 <a@b>: no such user" after the status "5.1.1": what is not said yet. */
static const char *diagnostic_words(const char *s, const char *status, size_t n)
{
	const char *semicolon = strchr(s, ';');
	s = semicolon ? semicolon + 1 : s;
	s += strspn(s, " \t");
	if (isdigit((unsigned char)s[0]) && isdigit((unsigned char)s[1]) && isdigit((unsigned char)s[2]) &&
	    (s[3] == ' ' || s[3] == '-'))
		s += 4;
	if (!strncmp(s, status, n) && (s[n] == ' ' || !s[n]))
		s += n;
	return s;
}

static enum dsn_action action_of(const char *word)
{
	return !strcasecmp(word, "failed") ? DSN_FAILED : !strcasecmp(word, "delayed") ? DSN_DELAYED : DSN_OTHER;
}

/* One recipient's fields (RFC 3464 2.3). A mail of ours has one recipient, but an alias may stand for several: what
 * failed counts before what is late. */
static void take_recipient(struct span group, struct dsn *d)
{
	char action[VALUE_MAX], status[VALUE_MAX], diagnostic[VALUE_MAX], recipient[VALUE_MAX];
	size_t n = 0;
	if (!header(group, "Final-Recipient", recipient) || !header(group, "Action", action))
		return;
	action[strcspn(action, " \t(")] = '\0';
	enum dsn_action a = action_of(action);
	if (d->action && a >= d->action)
		return;
	if (!header(group, "Status", status) || !status_valid(status, &n)) {
		snprintf(status, sizeof status, "%s", a == DSN_FAILED ? "5.0.0" : "4.0.0");
		n = strlen(status);
	}
	status[n] = '\0';
	d->action = a;
	d->reason[0] = '\0';
	add_words(d->reason, status);
	if (header(group, "Diagnostic-Code", diagnostic))
		add_words(d->reason, diagnostic_words(diagnostic, status, n));
}

/* Groups of fields, with empty lines between; the first is about the report itself (RFC 3464 2.1). */
static void take_status(struct span body, struct dsn *d)
{
	for (int i = 0; i < GROUPS_MAX && body.p < body.end; i++) {
		struct span group = take_head(&body);
		if (group.p < group.end)
			take_recipient(group, d);
	}
}

/* "<32 hexadecimal digits@domain>" */
static bool take_id(struct span head, struct dsn *d)
{
	char value[VALUE_MAX];
	struct id id;
	if (!header(head, "Message-ID", value) || value[0] != '<')
		return false;
	for (size_t i = 0; i < ID_LEN; i++) {
		int high = hex(value[1 + 2 * i]), low = high < 0 ? -1 : hex(value[2 + 2 * i]);
		if (low < 0)
			return false;
		id.b[i] = (uint8_t)(high * 16 + low);
	}
	char *at = value + 1 + 2 * ID_LEN, *end = strchr(at, '>');
	if (*at != '@' || !end || end[1] || end - at < 2 || (size_t)(end - at) > sizeof d->domain)
		return false;
	*end = '\0';
	for (char *p = at + 1; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-')
			return false;
		*p = (char)tolower((unsigned char)*p);
	}
	d->mail = id;
	memcpy(d->domain, at + 1, (size_t)(end - at));
	return true;
}

static enum err take_content(struct span part, struct dsn *d, bool *ret_id)
{
	char type[VALUE_MAX];
	AUTO_BUF text = BUF_INIT;
	struct span head = take_head(&part);
	if (!header(head, "Content-Type", type))
		return ERR_NONE;
	bool status = type_is(type, "message/delivery-status") || type_is(type, "message/global-delivery-status");
	bool mail = type_is(type, "message/rfc822") || type_is(type, "text/rfc822-headers") ||
		    type_is(type, "message/global") || type_is(type, "message/global-headers");
	if (!status && !mail)
		return ERR_NONE;
	if (!decode(head, part, &text))
		return ERR_NOTFOUND;
	if (text.failed)
		return ERR_NOMEM;
	if (!text.len)
		return ERR_NONE;
	struct span s = {(const char *)text.data, (const char *)text.data + text.len};
	if (status)
		take_status(s, d);
	else if (!*ret_id)
		*ret_id = take_id(take_head(&s), d);
	return ERR_NONE;
}

static enum err no_report(struct errmsg *m, const char *what)
{
	return err_set(m, ERR_NOTFOUND, "%s", what);
}

enum err dsn_parse(const void *p, size_t n, struct dsn *ret, struct errmsg *m)
{
	char type[VALUE_MAX], boundary[BOUNDARY_MAX + 1], kind[64];
	struct span mail = {p, (const char *)p + n}, part;
	struct dsn d;
	bool id = false, last = false;
	enum err e = ERR_NONE;
	memset(&d, 0, sizeof d);
	if (n > DSN_MAX)
		return err_set(m, ERR_TOOBIG, "it is longer than %d bytes", DSN_MAX);
	if (n == 0)
		return no_report(m, "it is empty");
	if (n > 5 && !memcmp(p, "From ", 5))
		(void)take_line(&mail, &part);
	struct span head = take_head(&mail);
	if (!header(head, "Content-Type", type) ||
	    (!type_is(type, "multipart/report") && !type_is(type, "multipart/mixed")))
		return no_report(m, "it is no multipart/report");
	if (parameter(type, "report-type", kind, sizeof kind) && strcasecmp(kind, "delivery-status") != 0 &&
	    strcasecmp(kind, "global-delivery-status") != 0)
		return no_report(m, "it reports something else than a delivery");
	if (!parameter(type, "boundary", boundary, sizeof boundary))
		return no_report(m, "its parts have no boundary");
	if (!take_part(&mail, boundary, &last, &part)) /* the preamble */
		return no_report(m, "it has no parts");
	for (int i = 0; !e && !last && i < PARTS_MAX && take_part(&mail, boundary, &last, &part); i++)
		e = take_content(part, &d, &id);
	if (e == ERR_NOTFOUND)
		return no_report(m, "a part cannot be decoded");
	if (e)
		return err_set(m, e, "%s", err_text(e));
	if (!d.action)
		return no_report(m, "it says nothing of a recipient");
	if (!id)
		return no_report(m, "the mail that it returns is none of ours");
	*ret = d;
	return ERR_NONE;
}
