#include "config.h"

#include "common/conf_value.h"
#include "common/net.h"
#include "common/text.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define LOWER	    "abcdefghijklmnopqrstuvwxyz"
#define UPPER	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	    "0123456789"
#define RUN_DIR_MAX (sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/auth.sock")
#define UNIX_MAX    (sizeof((struct sockaddr_un *)0)->sun_path - 1)

static char **string_at(const struct conf *c, const struct conf_option *o)
{
	return (char **)(void *)((char *)(uintptr_t)c + o->offset);
}

static int64_t *number_at(const struct conf *c, const struct conf_option *o)
{
	return (int64_t *)(void *)((char *)(uintptr_t)c + o->offset);
}

static enum err store(struct conf *c, const struct conf_option *o, const char *text, size_t n)
{
	char *copy = strndup(text, n);

	if (!copy)
		return ERR_NOMEM;
	free(*string_at(c, o));
	*string_at(c, o) = copy;
	return ERR_NONE;
}

/* Digits only, all of s[0..n), at most 10^15. */
static bool parse_number(const char *s, size_t n, int64_t *ret)
{
	int64_t v = 0;

	if (n < 1 || n > 15)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (s[i] - '0');
	}
	*ret = v;
	return true;
}

static bool parse_port(const char *s)
{
	int64_t v;

	return parse_number(s, strlen(s), &v) && v >= 1 && v <= 65535;
}

static enum err set_number(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	int64_t v;

	if (!parse_number(text, strlen(text), &v) || v < o->min || v > o->max)
		return err_set(why, ERR_INVALID, "\"%s\" is not a number from %" PRId64 " to %" PRId64, text, o->min,
			       o->max);
	*number_at(c, o) = v;
	return ERR_NONE;
}

static const struct {
	char letter;
	int64_t seconds;
} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

#define UNITS (sizeof units / sizeof *units)

static void show_seconds(int64_t v, char *b, size_t cap)
{
	size_t i = 0;

	while (i < UNITS - 1 && (v == 0 || v % units[i].seconds != 0))
		i++;
	snprintf(b, cap, "%" PRId64 "%c", v / units[i].seconds, units[i].letter);
}

static enum err set_seconds(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	size_t n = strlen(text);
	int64_t v, unit = 1;
	char least[32], most[32];

	for (size_t i = 0; n > 0 && i < UNITS; i++)
		if (text[n - 1] == units[i].letter) {
			unit = units[i].seconds;
			n--;
			break;
		}
	if (parse_number(text, n, &v) && v <= o->max / unit && v * unit >= o->min) {
		*number_at(c, o) = v * unit;
		return ERR_NONE;
	}
	show_seconds(o->min, least, sizeof least);
	show_seconds(o->max, most, sizeof most);
	return err_set(why, ERR_INVALID, "\"%s\" is not a time from %s to %s; write it like 90s, 30m, 10h or 30d", text,
		       least, most);
}

static enum err set_path(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	size_t n = strlen(text);

	if (text[0] != '/')
		return err_set(why, ERR_INVALID, "\"%s\" is not an absolute path; begin it with /", text);
	while (n > 1 && text[n - 1] == '/')
		n--;
	if (o->offset == offsetof(struct conf, run_dir) && n > RUN_DIR_MAX)
		return err_set(why, ERR_INVALID,
			       "\"%s\" has %zu bytes; a folder of sockets has room for %zu: choose a shorter one", text,
			       n, (size_t)RUN_DIR_MAX);
	return store(c, o, text, n);
}

static bool host_label(const char *s, size_t n)
{
	return n >= 1 && n <= 63 && s[0] != '-' && s[n - 1] != '-' && strspn(s, LOWER DIGITS "-") >= n;
}

static bool is_address(const char *s)
{
	struct in6_addr a;

	return inet_pton(AF_INET, s, &a) == 1 || inet_pton(AF_INET6, s, &a) == 1;
}

/* A DNS name in lower case (RFC 1123 2.1); addresses are none: the last label begins with a letter. */
static bool host_name(const char *s)
{
	const char *label = s;

	if (strlen(s) > 253)
		return false;
	for (;;) {
		size_t n = strcspn(label, ".");

		if (!host_label(label, n))
			return false;
		if (label[n] == '\0')
			return *label < '0' || *label > '9';
		label += n + 1;
	}
}

/* Cuts s at its last colon; NULL if what follows is no port. */
static char *split_port(char *s)
{
	char *colon = strrchr(s, ':');

	if (!colon || !parse_port(colon + 1))
		return NULL;
	*colon = '\0';
	return colon + 1;
}

/* The inside of [...]; NULL without brackets. */
static char *unbracket(char *s)
{
	size_t n = strlen(s);

	if (n < 2 || s[0] != '[' || s[n - 1] != ']')
		return NULL;
	s[n - 1] = '\0';
	return s + 1;
}

static void lower(char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

static enum err check_host(const char *host, bool tls, struct errmsg *why)
{
	if (host[0] == '[' || is_address(host))
		return err_set(why, ERR_INVALID,
			       "an address (%s) cannot be the site's name, because passkeys (WebAuthn) need a name; "
			       "write a DNS name, or http://localhost for a trial",
			       host);
	if (!host_name(host))
		return err_set(
		    why, ERR_INVALID,
		    "\"%s\" is not a DNS name; write letters, digits, hyphens and dots (other scripts as xn--...)",
		    host);
	if (!tls && strcmp(host, "localhost") != 0)
		return err_set(why, ERR_INVALID, "http:// is for localhost alone; write https://%s", host);
	return ERR_NONE;
}

#define ORIGIN_MAX (CONF_VALUE_MAX + 32)

/* An origin as browsers send it (RFC 6454 6.2): lower case, no default port, no slash. */
static enum err origin_of(const char *text, char ret[static ORIGIN_MAX], struct errmsg *why)
{
	char t[CONF_VALUE_MAX + 1], *host, *port = NULL;
	long number;
	bool tls;
	size_t n;
	enum err e;

	snprintf(t, sizeof t, "%s", text);
	lower(t);
	tls = strncmp(t, "https://", 8) == 0;
	if (!tls && strncmp(t, "http://", 7) != 0)
		return err_set(why, ERR_INVALID,
			       "\"%s\" is not an address of a site; write https://HOST or https://HOST:PORT", text);
	host = t + (tls ? 8 : 7);
	n = strlen(host);
	if (n > 0 && host[n - 1] == '/')
		host[n - 1] = '\0';
	if (strpbrk(host, "/?#@\\"))
		return err_set(why, ERR_INVALID,
			       "\"%s\" has more than a host and a port; leave out user, path and query", text);
	if (host[0] != '[' && strchr(host, ':')) {
		port = split_port(host);
		if (!port)
			return err_set(why, ERR_INVALID, "\"%s\": the port is not a number from 1 to 65535", text);
	}
	e = check_host(host, tls, why);
	if (e != ERR_NONE)
		return e;
	number = port ? strtol(port, NULL, 10) : 0;
	n = (size_t)snprintf(ret, ORIGIN_MAX, "%s://%s", tls ? "https" : "http", host);
	if (number && number != (tls ? 443 : 80))
		snprintf(ret + n, ORIGIN_MAX - n, ":%ld", number);
	return ERR_NONE;
}

static enum err set_url(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	char origin[ORIGIN_MAX];
	enum err e = origin_of(text, origin, why);

	return e == ERR_NONE ? store(c, o, origin, strlen(origin)) : e;
}

static enum err set_urls(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	AUTO_BUF list = BUF_INIT;
	char word[CONF_VALUE_MAX + 1], origin[ORIGIN_MAX];
	int n = 0;

	while (conf_word(&text, word, sizeof word)) {
		enum err e = origin_of(word, origin, why);

		if (e != ERR_NONE)
			return e;
		if (++n > CONF_ORIGINS_MAX)
			return err_set(why, ERR_INVALID, "more than %d; leave some out", CONF_ORIGINS_MAX);
		if (list.len > 0)
			buf_addc(&list, ' ');
		buf_adds(&list, origin);
	}
	return list.failed ? ERR_NOMEM : store(c, o, list.len ? (const char *)list.data : "", list.len);
}

static enum err set_rp_id(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	char t[CONF_VALUE_MAX + 1];
	enum err e;

	snprintf(t, sizeof t, "%s", text);
	lower(t);
	e = check_host(t, true, why);
	return e == ERR_NONE ? store(c, o, t, strlen(t)) : e;
}

/* An origin is written as conf_load compares it: in lower case, without its own port. */
static enum err set_local(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	char t[CONF_VALUE_MAX + 1], origin[ORIGIN_MAX];
	const char *host = strstr(text, "://"), *path = host ? host + 3 + strcspn(host + 3, "/?#") : text;
	AUTO_BUF whole = BUF_INIT;
	enum err e = ERR_NONE;

	if (!text_local_path(*path ? path : "/") || strchr(path, '#'))
		return err_set(
		    why, ERR_INVALID,
		    "\"%s\" is not a page of this site; write its path, like /portal/, other characters as %%XX", text);
	if (!host)
		return store(c, o, text, strlen(text));
	snprintf(t, sizeof t, "%.*s", (int)(path - text), text);
	e = origin_of(t, origin, why);
	if (e == ERR_NONE) {
		buf_adds(&whole, origin);
		buf_adds(&whole, *path ? path : "/");
		e = whole.failed ? ERR_NOMEM : store(c, o, (const char *)whole.data, whole.len);
	}
	return e;
}

void conf_url_host(const char *url, char *ret, size_t cap)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	snprintf(ret, cap, "%.*s", (int)strcspn(host, ":/"), host);
}

static enum err set_choice(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	size_t n = strlen(text);

	for (const char *p = o->choices;; p++) {
		size_t len = strcspn(p, "|");

		if (len == n && memcmp(p, text, n) == 0)
			return store(c, o, text, n);
		p += len;
		if (*p == '\0')
			break;
	}
	return err_set(why, ERR_INVALID, "\"%s\" is not one of %s", text, o->choices);
}

static enum err set_email(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	AUTO_BUF canonical = BUF_INIT;
	enum err e = text_email(text, strlen(text), &canonical);

	if (e == ERR_NOMEM)
		return e;
	if (e != ERR_NONE)
		return err_set(why, ERR_INVALID, "\"%s\" is not an email address; write it like info@example.org",
			       text);
	return store(c, o, (const char *)canonical.data, canonical.len);
}

static bool is_hostport(const char *word)
{
	char t[CONF_VALUE_MAX + 1], *inside;
	struct in6_addr a;

	snprintf(t, sizeof t, "%s", word);
	lower(t);
	if (!split_port(t))
		return false;
	inside = unbracket(t);
	return inside ? inet_pton(AF_INET6, inside, &a) == 1 : inet_pton(AF_INET, t, &a) == 1 || host_name(t);
}

static enum err set_hostports(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	AUTO_BUF list = BUF_INIT;
	char word[CONF_VALUE_MAX + 1];
	int n = 0;

	while (conf_word(&text, word, sizeof word)) {
		if (!is_hostport(word))
			return err_set(why, ERR_INVALID,
				       "\"%s\" is not HOST:PORT; write it like mail.example.org:25 or [::1]:25", word);
		if (++n > CONF_RELAYS_MAX)
			return err_set(why, ERR_INVALID, "more than %d; leave some out", CONF_RELAYS_MAX);
		if (list.len > 0)
			buf_addc(&list, ' ');
		buf_adds(&list, word);
	}
	return list.failed ? ERR_NOMEM : store(c, o, list.len ? (const char *)list.data : "", list.len);
}

static enum err set_listen(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	char t[CONF_VALUE_MAX + 1], *inside;
	struct in6_addr a;

	if (strncmp(text, "unix:", 5) == 0) {
		if (text[5] == '/' && strlen(text + 5) <= UNIX_MAX)
			return store(c, o, text, strlen(text));
		return err_set(why, ERR_INVALID, "\"%s\": after unix: stands an absolute path of at most %zu bytes",
			       text, (size_t)UNIX_MAX);
	}
	snprintf(t, sizeof t, "%s", text);
	if (split_port(t)) {
		inside = unbracket(t);
		if (inside ? inet_pton(AF_INET6, inside, &a) == 1 : inet_pton(AF_INET, t, &a) == 1)
			return store(c, o, text, strlen(text));
	}
	return err_set(why, ERR_INVALID,
		       "\"%s\" is not ADDRESS:PORT or unix:/PATH; write it like 127.0.0.1:8480 or [::1]:8480", text);
}

/* Each in the one form that inet_ntop gives, so that they compare as text. */
static enum err set_addresses(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	AUTO_BUF list = BUF_INIT;
	char word[CONF_VALUE_MAX + 1], shown[INET6_ADDRSTRLEN];
	struct in6_addr a;

	while (conf_word(&text, word, sizeof word)) {
		int family = strchr(word, ':') ? AF_INET6 : AF_INET;
		if (inet_pton(family, word, &a) != 1 || !inet_ntop(family, &a, shown, sizeof shown))
			return err_set(why, ERR_INVALID,
				       "\"%s\" is not an IP address; write addresses separated by spaces", word);
		if (list.len > 0)
			buf_addc(&list, ' ');
		buf_adds(&list, shown);
	}
	return list.failed ? ERR_NOMEM : store(c, o, list.len ? (const char *)list.data : "", list.len);
}

static enum err set_networks(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	AUTO_BUF list = BUF_INIT;
	char word[CONF_VALUE_MAX + 1], shown[NET_TEXT];
	struct net_range r;

	while (conf_word(&text, word, sizeof word)) {
		if (!net_parse_range(word, &r))
			return err_set(why, ERR_INVALID,
				       "\"%s\" is not a network; write networks like 10.0.0.0/8 or 2001:db8::/32, "
				       "separated by spaces, each with zeroes behind its length",
				       word);
		net_text(&r, shown);
		if (list.len > 0)
			buf_addc(&list, ' ');
		buf_adds(&list, shown);
	}
	return list.failed ? ERR_NOMEM : store(c, o, list.len ? (const char *)list.data : "", list.len);
}

static enum err set_string(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	(void)why;
	return store(c, o, text, strlen(text));
}

/* What may stand between < and > in List-Unsubscribe (RFC 2369 2): a URI of printable ASCII. */
static bool uri_safe(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || strchr("<>,\"\\^`{|}", *s))
			return false;
	return true;
}

static enum err set_unsubscribe(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	AUTO_BUF address = BUF_INIT;
	bool good = uri_safe(text) && strlen(text) <= 500;

	if (good && strncmp(text, "mailto:", 7) == 0)
		good = text_email(text + 7, strcspn(text + 7, "?"), &address) == ERR_NONE;
	else
		good = good && strncmp(text, "https://", 8) == 0 && strcspn(text + 8, "/?#") > 0;
	if (!good)
		return err_set(why, ERR_INVALID,
			       "\"%s\" is not an address to unsubscribe at; write mailto:info@example.org or "
			       "https://example.org/mails, other characters as %%XX",
			       text);
	return store(c, o, text, strlen(text));
}

/* 2026-12-01 and no other form. */
static bool parse_date(const char *text, struct date *ret)
{
	const struct date until = {2999, 12, 31};
	char iso[11] = "";

	/* until is what text_birth_date takes for today */
	if (text_birth_date(text, strlen(text), until, ret) == DATE_OK)
		text_date_iso(*ret, iso);
	return strcmp(iso, text) == 0;
}

static enum err set_date(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	struct date d;

	if (!parse_date(text, &d))
		return err_set(why, ERR_INVALID, "\"%s\" is no date; write it like 2026-12-01", text);
	return store(c, o, text, strlen(text));
}

static enum err set_day(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	struct date d;

	if (!parse_date(text, &d) || d.year < 2000)
		return err_set(why, ERR_INVALID, "\"%s\" is no day from 2000 on; write it like 2027-03-31", text);
	*number_at(c, o) = text_midnight(d) + 86400;
	return ERR_NONE;
}

static int greatest_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x < y) - (x > y);
}

static enum err set_days(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	char word[CONF_VALUE_MAX + 1], list[CONF_DAYS_MAX * 4 + 1] = "";
	int64_t day[CONF_DAYS_MAX] = {0};
	size_t n = 0, len = 0;

	while (conf_word(&text, word, sizeof word)) {
		if (n == CONF_DAYS_MAX)
			return err_set(why, ERR_INVALID, "more than %d; leave some out", CONF_DAYS_MAX);
		if (!parse_number(word, strlen(word), &day[n]) || day[n] < 1 || day[n] > 366)
			return err_set(why, ERR_INVALID,
				       "\"%s\" is not a number of days from 1 to 366; write them like 14 7 1", word);
		n++;
	}
	qsort(day, n, sizeof *day, greatest_first);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(list + len, sizeof list - len, "%s%" PRId64, i ? " " : "", day[i]);
	return store(c, o, list, len);
}

static enum err (*const setters[])(struct conf *, const struct conf_option *, const char *, struct errmsg *) = {
    [CONF_STRING] = set_string,	    [CONF_NUMBER] = set_number,
    [CONF_SECONDS] = set_seconds,   [CONF_PATH] = set_path,
    [CONF_URL] = set_url,	    [CONF_CHOICE] = set_choice,
    [CONF_EMAIL] = set_email,	    [CONF_HOSTPORTS] = set_hostports,
    [CONF_LISTEN] = set_listen,	    [CONF_ADDRESSES] = set_addresses,
    [CONF_NETWORKS] = set_networks, [CONF_UNSUBSCRIBE] = set_unsubscribe,
    [CONF_URLS] = set_urls,	    [CONF_RP_ID] = set_rp_id,
    [CONF_LOCAL] = set_local,	    [CONF_DATE] = set_date,
    [CONF_DAY] = set_day,	    [CONF_DAYS] = set_days,
};

static bool empty_allowed(const struct conf_option *o)
{
	return o->type == CONF_STRING || o->type == CONF_ADDRESSES || o->type == CONF_NETWORKS ||
	       o->type == CONF_DAYS || (o->preset && o->preset[0] == '\0');
}

enum err conf_value_set(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why)
{
	size_t n = strlen(text);
	enum err e;

	if (n > CONF_VALUE_MAX)
		return err_set(why, ERR_INVALID, "the value is longer than %d bytes; shorten it", CONF_VALUE_MAX);
	if (n == 0 && !empty_allowed(o))
		return err_set(why, ERR_INVALID, "no value; write one or leave the line out");
	if (n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n - 1] == text[0])
		return err_set(why, ERR_INVALID, "quotes would be part of the value; leave them out");
	if (n == 0 && o->type == CONF_DAY)
		*number_at(c, o) = 0;
	e = n > 0 ? setters[o->type](c, o, text, why) : o->type == CONF_DAY ? ERR_NONE : store(c, o, "", 0);
	return e == ERR_NOMEM ? err_set(why, e, "%s", err_text(e)) : e;
}

bool conf_word(const char **at, char *ret, size_t cap)
{
	const char *word = *at + strspn(*at, " \t");
	size_t n = strcspn(word, " \t");

	*at = word + n;
	if (n == 0)
		return false;
	snprintf(ret, cap, "%.*s", (int)n, word);
	return true;
}

bool conf_hostport_here(const char *hostport)
{
	return strncmp(hostport, "localhost:", 10) == 0 || strncmp(hostport, "[::1]:", 6) == 0 ||
	       (strncmp(hostport, "127.", 4) == 0 && hostport[strspn(hostport, DIGITS ".")] == ':');
}

static void show_day(int64_t end, char *b, size_t cap)
{
	char day[11] = "";

	if (end)
		text_date_iso(text_today(end - 1), day);
	snprintf(b, cap, "%s", day);
}

void conf_show(const struct conf *c, const struct conf_option *o, char *b, size_t cap)
{
	if (o->type == CONF_NUMBER)
		snprintf(b, cap, "%" PRId64, *number_at(c, o));
	else if (o->type == CONF_SECONDS)
		show_seconds(*number_at(c, o), b, cap);
	else if (o->type == CONF_DAY)
		show_day(*number_at(c, o), b, cap);
	else
		snprintf(b, cap, "%s", *string_at(c, o) ? *string_at(c, o) : "");
}
