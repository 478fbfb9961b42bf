#include "config.h"

#include "common/text.h"
#include "enroll/request.h"
#include <stdint.h>
#include <string.h>
#include <strings.h>

static int request_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes s[0..n) in place and ends it with a NUL at its new end (at most s[n]). */
static enum err request_decode(char *s, size_t n, size_t *ret_len)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int high, low;

			if (n - i < 3)
				return ERR_INVALID;
			high = request_hex(s[i + 1]);
			low = request_hex(s[i + 2]);
			if (high < 0 || low < 0)
				return ERR_INVALID;
			c = (char)(high * 16 + low);
			i += 2;
		}
		s[out++] = c;
	}
	s[out] = '\0';
	if (!text_utf8_valid(s, out))
		return ERR_INVALID;
	*ret_len = out;
	return ERR_NONE;
}

/* Is name one of the blank-separated words? */
static bool request_listed(const char *words, const char *name)
{
	size_t n = strlen(name);

	for (const char *w = words; *w;) {
		size_t k = strcspn(w, " ");

		if (k == n && memcmp(w, name, n) == 0)
			return n > 0;
		w += k;
		w += strspn(w, " ");
	}
	return false;
}

/* One NAME[=VALUE], at s[0..n); s[n] is writable. */
static enum err request_pair(char *s, size_t n, const char *allowed, bool strict, struct form *f)
{
	char *eq = memchr(s, '=', n), *value = eq ? eq + 1 : s + n;
	size_t name_len = eq ? (size_t)(eq - s) : n, value_len = n - (size_t)(value - s), len;

	if (request_decode(s, name_len, &len) != ERR_NONE || len > REQUEST_NAME_MAX || !request_listed(allowed, s))
		return strict ? ERR_INVALID : ERR_NONE;
	if (form_get(f, s))
		return ERR_INVALID;
	if (f->n == REQUEST_FIELDS || value_len > 3 * REQUEST_VALUE_MAX)
		return ERR_TOOBIG;
	if (request_decode(value, value_len, &len) != ERR_NONE)
		return ERR_INVALID;
	if (len > REQUEST_VALUE_MAX)
		return ERR_TOOBIG;
	f->field[f->n++] = (struct form_field){.name = s, .value = value, .len = len};
	return ERR_NONE;
}

enum err request_form(char *s, size_t n, const char *allowed, bool strict, struct form *ret)
{
	char *end = s + n;

	ret->n = 0;
	if (n == 0)
		return ERR_NONE;
	for (char *p = s; p <= end;) {
		char *amp = memchr(p, '&', (size_t)(end - p));
		size_t k = (size_t)((amp ? amp : end) - p);
		enum err r = ERR_NONE;

		if (k > 0)
			r = request_pair(p, k, allowed, strict, ret);
		else if (strict)
			r = ERR_INVALID;
		if (r != ERR_NONE) {
			ret->n = 0;
			return r;
		}
		p += k + 1;
	}
	return ERR_NONE;
}

const char *form_get(const struct form *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->field[i].name, name) == 0)
			return f->field[i].value;
	return NULL;
}

static bool request_token_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool request_cookie(const char *header, const char *name, char *ret, size_t cap)
{
	const char *found = NULL;
	size_t found_len = 0, name_len = strlen(name);

	if (!header)
		return false;
	for (const char *p = header; *p;) {
		size_t k;

		p += strspn(p, " \t;");
		k = strcspn(p, ";");
		if (k > name_len && strncmp(p, name, name_len) == 0 && p[name_len] == '=') {
			if (found)
				return false; /* somebody planted a second one: neither is believed */
			found = p + name_len + 1;
			found_len = k - name_len - 1;
			while (found_len && (found[found_len - 1] == ' ' || found[found_len - 1] == '\t'))
				found_len--;
		}
		p += k;
	}
	if (!found || found_len == 0 || found_len >= cap)
		return false;
	for (size_t i = 0; i < found_len; i++)
		if (!request_token_char(found[i]))
			return false;
	memcpy(ret, found, found_len);
	ret[found_len] = '\0';
	return true;
}

bool request_cookie_value(const char *s, size_t cap)
{
	size_t n = 0;

	while (request_token_char(s[n]))
		n++;
	return s[n] == '\0' && n > 0 && n < cap;
}

bool request_token(const char *s)
{
	size_t n = 0;

	while (request_token_char(s[n]))
		n++;
	return s[n] == '\0' && n >= 16 && n <= REQUEST_TOKEN_MAX;
}

bool request_is_form(const char *content_type)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const char *p = content_type;

	if (!p || strncasecmp(p, form, sizeof form - 1) != 0)
		return false;
	p += sizeof form - 1;
	p += strspn(p, " \t");
	if (*p == '\0')
		return true;
	if (*p != ';')
		return false;
	p++;
	p += strspn(p, " \t");
	return strcasecmp(p, "charset=utf-8") == 0 || strcasecmp(p, "charset=\"utf-8\"") == 0;
}

bool request_host_is(const char *host, const char *url)
{
	const char *sep = strstr(url, "://"), *port;
	const char *own = strncmp(url, "https:", 6) == 0 ? ":443" : ":80";
	size_t n;

	if (!host || !sep)
		return false;
	url = sep + 3;
	n = strlen(url);
	if (strcasecmp(host, url) == 0)
		return true;
	port = strchr(url, ']'); /* an IPv6 address has colons of its own */
	port = strchr(port ? port : url, ':');
	if (!port)
		return strncasecmp(host, url, n) == 0 && strcmp(host + n, own) == 0;
	n = (size_t)(port - url);
	return strcmp(port, own) == 0 && strncasecmp(host, url, n) == 0 && host[n] == '\0';
}

enum err request_length(const char *s, size_t *ret)
{
	size_t v = 0;

	if (!s || !*s)
		return ERR_INVALID;
	for (const char *p = s; *p; p++) {
		if (*p < '0' || *p > '9' || v > (SIZE_MAX - 9) / 10)
			return ERR_INVALID;
		v = 10 * v + (size_t)(*p - '0');
	}
	*ret = v;
	return ERR_NONE;
}
