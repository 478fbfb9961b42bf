#include "config.h"

#include "common/clock.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "common/wire.h"
#include "enroll/answer.h"
#include "enroll/exchange.h"
#include "enroll/verify.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct exchange *exchange_new(struct server *s, struct MHD_Connection *http, struct conn *conn, const char *target)
{
	struct exchange *x = calloc(1, sizeof *x);
	char *q;

	if (!x)
		return NULL;
	x->server = s;
	x->http = http;
	x->conn = conn;
	x->started = clock_mono_ms();
	x->verb = "other";
	x->rest = "";
	x->lang = s->site.conf->language;
	x->target = strdup(target);
	x->path = strdup(target);
	if (!x->target || !x->path) {
		exchange_free(x);
		return NULL;
	}
	q = strchr(x->path, '?');
	if (q)
		*q++ = '\0';
	x->query = q ? q : x->path + strlen(x->path);
	return x;
}

static void exchange_told(struct exchange *x, bool told)
{
	if (x->told)
		trouble_settle(x->server->troubles, x->told, told);
	x->told = 0;
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	exchange_told(x, false);
	if (x->entered)
		conns_leave(x->server->conns, &x->client);
	secret_free_str(x->target); /* a mailed link's token may stand in both */
	secret_free_str(x->path);
	buf_free(&x->forwarded);
	buf_free(&x->body);
	buf_free(&x->answer);
	free(x);
}

/* ---- the headers ---- */

static void exchange_single(struct exchange *x, const char **slot, const char *value)
{
	x->repeated |= *slot != NULL;
	*slot = value;
}

static enum MHD_Result exchange_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
				       const char *value, size_t value_len)
{
	struct exchange *x = arg;
	const struct {
		const char *name;
		const char **slot;
	} singles[] = {{"Host", &x->host},
		       {"Origin", &x->origin},
		       {"Cookie", &x->cookie},
		       {"Content-Type", &x->content_type},
		       {"Content-Length", &x->content_length},
		       {"Accept-Language", &x->languages},
		       {"User-Agent", &x->agent},
		       {"If-None-Match", &x->if_none_match}};

	(void)kind;
	if (!value)
		value = "";
	if (strlen(name) != name_len || strlen(value) != value_len)
		x->repeated = true; /* a NUL: as bad */
	for (size_t i = 0; i < sizeof singles / sizeof *singles; i++)
		if (strcasecmp(name, singles[i].name) == 0)
			exchange_single(x, singles[i].slot, value);
	if (strcasecmp(name, "Transfer-Encoding") == 0)
		x->chunked = true;
	if (strcasecmp(name, "X-Forwarded-For") == 0) {
		if (x->forwarded.len)
			buf_addc(&x->forwarded, ',');
		buf_adds(&x->forwarded, value);
	}
	return MHD_YES;
}

static void exchange_client(struct exchange *x)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->http, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct proxies *p = &x->server->site.proxies;
	struct address peer;
	bool inet = info && address_of(info->client_addr, &peer);

	x->client_known =
	    proxies_client(p, inet ? &peer : NULL, x->forwarded.len ? buf_str(&x->forwarded) : NULL, &x->client);
}

static const char *exchange_language(const struct exchange *x)
{
	char lang[4];

	if (request_cookie(x->cookie, "kosmo-lang", lang, sizeof lang)) {
		if (strcmp(lang, "ja") == 0)
			return "ja";
		if (strcmp(lang, "en") == 0)
			return "en";
	}
	return i18n_pick(x->languages, x->server->site.conf->language);
}

static void exchange_refuse(struct exchange *x, unsigned status, enum page_error why)
{
	if (x->refused)
		return;
	x->refused = status;
	x->why = why;
}

static void exchange_check_body(struct exchange *x)
{
	if (x->method != ROUTE_POST) {
		if (x->chunked || (x->content_length && strcmp(x->content_length, "0") != 0))
			exchange_refuse(x, MHD_HTTP_BAD_REQUEST, PAGE_BAD);
		return;
	}
	if (x->chunked || !x->content_length)
		exchange_refuse(x, MHD_HTTP_LENGTH_REQUIRED, PAGE_FORM);
	else if (request_length(x->content_length, &x->body_len) != ERR_NONE)
		exchange_refuse(x, MHD_HTTP_BAD_REQUEST, PAGE_BAD);
	else if (!request_is_form(x->content_type))
		exchange_refuse(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, PAGE_FORM);
	else if (x->body_len > EXCHANGE_BODY_MAX)
		exchange_refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, PAGE_TOOBIG);
}

static void exchange_check(struct exchange *x)
{
	const union MHD_ConnectionInfo *size =
	    MHD_get_connection_info(x->http, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	if (x->repeated || x->forwarded.failed)
		exchange_refuse(x, MHD_HTTP_BAD_REQUEST, PAGE_BAD);
	if (!size || size->header_size > EXCHANGE_HEADERS_MAX)
		exchange_refuse(x, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, PAGE_COOKIES);
	x->route = routes_find(x->method, x->path, &x->rest, &x->allow);
	if ((!x->route || x->route->kind != ROUTE_HEALTH) && !request_host_is(x->host, x->server->site.conf->url))
		exchange_refuse(x, MHD_HTTP_MISDIRECTED_REQUEST, PAGE_HOST);
	if (!x->route && x->allow)
		exchange_refuse(x, MHD_HTTP_METHOD_NOT_ALLOWED, PAGE_METHOD);
	else if (!x->route)
		exchange_refuse(x, MHD_HTTP_NOT_FOUND, PAGE_NOTFOUND);
	exchange_check_body(x);
}

enum MHD_Result exchange_begin(struct exchange *x, const char *verb)
{
	if (strcmp(verb, "GET") == 0 || strcmp(verb, "HEAD") == 0)
		x->method = ROUTE_GET;
	else if (strcmp(verb, "POST") == 0)
		x->method = ROUTE_POST;
	if (x->method)
		x->verb = verb[0] == 'G' ? "GET" : verb[0] == 'H' ? "HEAD" : "POST";
	MHD_get_connection_values_n(x->http, MHD_HEADER_KIND, exchange_header, x);
	x->lang = exchange_language(x);
	exchange_client(x);
	exchange_check(x);
	x->state = EXCHANGE_READING;
	/* A body that nobody waits for: the answer goes out at once and the connection ends with it. */
	if (x->refused &&
	    (x->chunked || (x->method != ROUTE_POST && x->content_length) || x->body_len > EXCHANGE_SWALLOW_MAX))
		return exchange_act(x);
	return MHD_YES;
}

void exchange_body(struct exchange *x, char *p, size_t n)
{
	if (!x->refused) {
		if (n > EXCHANGE_BODY_MAX - x->body.len)
			exchange_refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, PAGE_TOOBIG);
		else
			buf_add(&x->body, p, n);
	}
	secret_wipe(p, n);
}

/* ---- acting ---- */

static enum err exchange_fields(struct exchange *x)
{
	char names[128];
	uint8_t *room;

	if (x->method == ROUTE_GET)
		/* what stands misspelt in a proxy's configuration must not be passed over */
		return request_form(x->query, strlen(x->query), x->route->fields, x->route->kind == ROUTE_VERIFY,
				    &x->form);
	if (x->body.failed)
		return ERR_NOMEM;
	if (x->body.len == 0)
		return ERR_NONE;
	room = buf_room(&x->body, 1);
	if (!room || (size_t)snprintf(names, sizeof names, "csrf %s", x->route->fields) >= sizeof names)
		return ERR_NOMEM;
	return request_form((char *)x->body.data, x->body.len, names, true, &x->form);
}

/* How many bytes from the start are printable ASCII, at most max: a user agent's name needs no more. */
static size_t exchange_printable(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] >= ' ' && s[n] <= '~')
		n++;
	return n;
}

/* The action on the wire: the message "web" of web.sock. */
static enum err exchange_frame(struct exchange *x, struct buf *b)
{
	AUTO_BUF failed = BUF_INIT;
	char session[REQUEST_TOKEN_MAX + 1], device[REQUEST_TOKEN_MAX + 1], back[REQUEST_BACK_MAX + 1],
	    client[INET6_ADDRSTRLEN], name[2 + REQUEST_NAME_MAX + 1];
	const struct site *site = &x->server->site;
	enum err r;

	wire_begin(b, 0, "web");
	wire_puts(b, "action", x->route->action);
	wire_puts(b, "method", x->method == ROUTE_POST ? "POST" : "GET");
	if (request_cookie(x->cookie, site->session_cookie, session, sizeof session))
		wire_puts(b, "session", session);
	if (request_cookie(x->cookie, site->device_cookie, device, sizeof device))
		wire_puts(b, "device", device);
	if (request_cookie(x->cookie, site->back_cookie, back, sizeof back))
		wire_puts(b, "back", back);
	if (x->origin && strlen(x->origin) <= 512)
		wire_puts(b, "origin", x->origin);
	if (x->client_known) {
		address_text(&x->client, client);
		wire_puts(b, "addr", client);
	}
	if (x->agent)
		wire_put(b, "agent", x->agent, exchange_printable(x->agent, 255));
	wire_puts(b, "lang", x->lang);
	if (site->https)
		wire_puts(b, "secure", "1");
	wire_puts(b, "csrf", form_get(&x->form, "csrf"));
	if (x->rest[0])
		wire_puts(b, "f.token", x->rest);
	for (size_t i = 0; i < x->form.n; i++) {
		const struct form_field *f = &x->form.field[i];

		if (strcmp(f->name, "csrf") == 0)
			continue;
		snprintf(name, sizeof name, "f.%s", f->name);
		wire_put(b, name, f->value, f->len);
	}
	x->told = trouble_take(x->server->troubles, &failed);
	if (x->told && buf_str(&failed))
		wire_puts(b, "failed", buf_str(&failed));
	else
		exchange_told(x, false);
	r = wire_end(b);
	secret_wipe(session, sizeof session);
	secret_wipe(device, sizeof device);
	return r;
}

void exchange_done(void *arg, enum link_result result, struct buf *answer)
{
	struct exchange *x = arg;

	x->result = result;
	exchange_told(x, answer != NULL);
	if (answer) {
		x->answer = *answer;
		*answer = (struct buf)BUF_INIT;
	}
	x->state = EXCHANGE_ANSWERED;
	MHD_resume_connection(x->http); /* from here on x may be gone */
}

/* Behind a proxy connections cannot be counted by client, so what is in flight is. */
static bool exchange_enter(struct exchange *x)
{
	if (!x->client_known || !x->forwarded.len || proxies_trusts(&x->server->site.proxies, &x->client))
		return true;
	x->entered = conns_enter(x->server->conns, &x->client);
	return x->entered;
}

static enum MHD_Result exchange_verify(struct exchange *x)
{
	AUTO_BUF frame = BUF_INIT;
	enum err r = verify_frame(x, &frame);

	if (r != ERR_NONE)
		return verify_refuse(x, r == ERR_INVALID ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_INTERNAL_SERVER_ERROR);
	x->state = EXCHANGE_WAITING;
	MHD_suspend_connection(x->http);
	link_submit(x->server->link, &frame,
		    x); /* not counted by client: a page of a portal asks for each of its parts */
	return MHD_YES;
}

static enum MHD_Result exchange_ask(struct exchange *x)
{
	AUTO_BUF frame = BUF_INIT;
	enum err r;

	if (x->rest[0] && !request_token(x->rest))
		return answer_error(x, MHD_HTTP_NOT_FOUND, PAGE_NOTFOUND);
	r = exchange_frame(x, &frame);
	if (r == ERR_TOOBIG)
		return answer_error(x, MHD_HTTP_CONTENT_TOO_LARGE, PAGE_TOOBIG);
	if (r != ERR_NONE)
		return answer_failure(x, MHD_HTTP_INTERNAL_SERVER_ERROR, PAGE_INTERNAL, FAILURE_ASKING);
	if (!exchange_enter(x))
		return answer_error(x, MHD_HTTP_TOO_MANY_REQUESTS, PAGE_CROWDED);
	x->state = EXCHANGE_WAITING;
	MHD_suspend_connection(x->http);
	link_submit(x->server->link, &frame, x);
	return MHD_YES;
}

enum MHD_Result exchange_act(struct exchange *x)
{
	enum err r;

	conns_working(x->server->conns, x->conn);
	if (x->refused)
		return answer_error(x, x->refused, x->why);
	r = exchange_fields(x);
	if (r == ERR_TOOBIG)
		return answer_error(x, MHD_HTTP_CONTENT_TOO_LARGE, PAGE_TOOBIG);
	if (r == ERR_NOMEM)
		return answer_failure(x, MHD_HTTP_INTERNAL_SERVER_ERROR, PAGE_INTERNAL, FAILURE_ASKING);
	if (r != ERR_NONE)
		return answer_error(x, MHD_HTTP_BAD_REQUEST, PAGE_BAD);
	switch (x->route->kind) {
	case ROUTE_PAGE:
	case ROUTE_DONE:
	case ROUTE_QR:
		return exchange_ask(x);
	case ROUTE_VERIFY:
		return exchange_verify(x);
	case ROUTE_LANGUAGE:
		return answer_language(x);
	case ROUTE_TERMS:
		return answer_terms(x);
	case ROUTE_STATIC:
	case ROUTE_FAVICON:
	case ROUTE_ROBOTS:
	case ROUTE_ORIGINS:
	case ROUTE_ENDPOINTS:
	case ROUTE_HEALTH:
		break;
	}
	return answer_file(x);
}
