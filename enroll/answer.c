#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "common/text.h"
#include "common/wire.h"
#include "enroll/answer.h"
#include "enroll/log.h"
#include "enroll/qr.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_RETRY	  "10"		 /* seconds, where the keeper names none */
#define ANSWER_BACK_AGE	  600		 /* for a login in between */
#define ANSWER_DEVICE_AGE (400L * 86400) /* as long as browsers keep a cookie */
#define ANSWER_LANG_AGE	  (365L * 86400)

static const struct {
	const char *name, *value;
} answer_headers[] = {
    /* not no-referrer: that would make a form's Origin null */
    {"Referrer-Policy", "same-origin"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()"},
};

static const char answer_policy[] =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'";
/* Of a file of the site's own, should somebody open it by itself: a picture, which runs and loads nothing. */
static const char answer_picture[] =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'; base-uri 'none'";

/* An answer to be made. NULL: no such header. body's bytes are taken over. */
struct answer {
	unsigned status;
	const char *type, *cache, *location, *retry, *allow, *disposition, *etag, *cookie, *device, *back, *lang,
	    *policy;
	struct buf *body;
};

static bool answer_add(struct MHD_Response *r, const char *name, const char *value)
{
	return !value || MHD_add_response_header(r, name, value) == MHD_YES;
}

static bool answer_common(struct MHD_Response *r, bool https)
{
	bool ok = true;

	for (size_t i = 0; i < sizeof answer_headers / sizeof *answer_headers; i++)
		ok = ok && answer_add(r, answer_headers[i].name, answer_headers[i].value);
	return ok && answer_add(r, "Strict-Transport-Security", https ? "max-age=31536000" : NULL);
}

static bool answer_fill(struct MHD_Response *r, const struct answer *a, bool https)
{
	return answer_common(r, https) && answer_add(r, "Content-Type", a->type) &&
	       answer_add(r, "Content-Security-Policy", a->policy ? a->policy : answer_policy) &&
	       answer_add(r, "Cache-Control", a->cache ? a->cache : "no-store") &&
	       answer_add(r, "Location", a->location) && answer_add(r, "Retry-After", a->retry) &&
	       answer_add(r, "Allow", a->allow) && answer_add(r, "ETag", a->etag) &&
	       answer_add(r, "Content-Disposition", a->disposition) && answer_add(r, "Set-Cookie", a->cookie) &&
	       answer_add(r, "Set-Cookie", a->device) && answer_add(r, "Set-Cookie", a->back) &&
	       answer_add(r, "Set-Cookie", a->lang);
}

static enum MHD_Result answer_queue(struct exchange *x, unsigned status, struct MHD_Response *r)
{
	x->status = status;
	conns_answer(x->server->conns, x->conn);
	return MHD_queue_response(x->http, status, r);
}

/* A page may hold a key or recovery codes: its bytes are wiped once sent. */
static void answer_body_free(void *arg)
{
	struct buf *b = arg;

	buf_free(b);
	free(b);
}

static enum MHD_Result answer_send(struct exchange *x, const struct answer *a)
{
	struct buf *body = calloc(1, sizeof *body);
	struct MHD_Response *r;
	enum MHD_Result sent = MHD_NO;

	if (!body || (a->body && a->body->failed)) {
		free(body);
		return MHD_NO;
	}
	if (a->body) {
		*body = *a->body;
		*a->body = (struct buf)BUF_INIT;
	}
	r = MHD_create_response_from_buffer_with_free_callback_cls(body->len, body->data ? body->data : (uint8_t *)"",
								   answer_body_free, body);
	if (!r) {
		answer_body_free(body);
		return MHD_NO;
	}
	if (answer_fill(r, a, x->server->site.https))
		sent = answer_queue(x, a->status, r);
	MHD_destroy_response(r);
	return sent;
}

/* ---- pages ---- */

static const char html[] = "text/html; charset=utf-8";

static struct page_context answer_context(const struct exchange *x)
{
	/* Only what can be read again by GET: a form's page is left for the first one. */
	const char *path = x->method == ROUTE_GET && text_local_path(x->target) ? x->target : routes_back(x->path);

	return (struct page_context){.site = &x->server->site, .lang = x->lang, .path = path};
}

static enum MHD_Result answer_trouble(struct exchange *x, unsigned status, enum page_error e, const char *failure)
{
	static const char *const allows[4] = {NULL, "GET, HEAD", "POST", "GET, HEAD, POST"};
	struct page_context pc = answer_context(x);
	AUTO_BUF body = BUF_INIT;
	struct answer a = {.status = status, .type = html, .body = &body};
	const char *again = NULL;

	if (e == PAGE_HOST)
		again = x->server->site.conf->url;
	else if (e != PAGE_BAD && e != PAGE_NOTFOUND && e != PAGE_METHOD && e != PAGE_FORM && e != PAGE_UNSURE)
		again = strcmp(pc.path, "/language") == 0 ? "/" : pc.path;
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_TOO_MANY_REQUESTS)
		a.retry = ANSWER_RETRY;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		a.allow = allows[x->allow & 3];
	page_error(&pc, e, again, failure, &body);
	return answer_send(x, &a);
}

enum MHD_Result answer_error(struct exchange *x, unsigned status, enum page_error e)
{
	return answer_trouble(x, status, e, NULL);
}

enum MHD_Result answer_failure(struct exchange *x, unsigned status, enum page_error e, enum failure_why why)
{
	char id[FAILURE_LEN + 1];
	bool shown = x->route->kind == ROUTE_PAGE; /* what a script asks for, nobody reads */

	return answer_trouble(x, status, e,
			      shown && trouble_note(x->server->troubles, why, x->route->action, id) ? id : NULL);
}

/* ---- the keeper's view ---- */

struct view {
	struct wire_msg m;
	unsigned status;
	const char *page, *redirect;
	char cookie[256], device[256], back[ANSWER_BACK_MAX], lang[128], retry[24];
};

/* age: seconds; negative: until the browser is closed. An empty value clears it. */
static bool answer_set_cookie(const struct exchange *x, const char *name, const char *value, long age, char *b,
			      size_t cap)
{
	char life[32] = "";
	int n;

	if (!*value || age >= 0)
		snprintf(life, sizeof life, "; Max-Age=%ld", *value ? age : 0);
	n = snprintf(b, cap, "%s=%s; Path=/; HttpOnly; SameSite=Lax%s%s", name, value,
		     x->server->site.https ? "; Secure" : "", life);
	return n > 0 && (size_t)n < cap;
}

static bool answer_cookie(const struct exchange *x, const char *name, const char *value, long age, char b[static 256])
{
	return (!*value || request_token(value)) && answer_set_cookie(x, name, value, age, b, 256);
}

static bool answer_lang(const struct exchange *x, const char *lang, char b[static 128])
{
	return (strcmp(lang, "ja") == 0 || strcmp(lang, "en") == 0) &&
	       answer_set_cookie(x, "kosmo-lang", lang, ANSWER_LANG_AGE, b, 128);
}

bool answer_back(const struct exchange *x, const char *value, char b[static ANSWER_BACK_MAX])
{
	return (!*value || request_cookie_value(value, REQUEST_BACK_MAX + 1)) &&
	       answer_set_cookie(x, x->server->site.back_cookie, value, ANSWER_BACK_AGE, b, ANSWER_BACK_MAX);
}

/* false: not a view that could be shown. The keeper is trusted, but it may be of another version. */
static bool answer_parse(const struct exchange *x, struct view *v)
{
	int64_t status = MHD_HTTP_OK, retry, keep = -1;
	const struct site *site = &x->server->site;
	const char *session, *device, *back, *lang;

	if (wire_parse(x->answer.data, x->answer.len, &v->m) != ERR_NONE || strcmp(v->m.kind, "view") != 0)
		return false;
	if (wire_get(&v->m, "status") && wire_int(&v->m, "status", &status) != ERR_NONE)
		return false;
	if (status < 200 || status > 599)
		return false;
	v->status = (unsigned)status;
	v->page = wire_str(&v->m, "page");
	v->redirect = wire_str(&v->m, "redirect");
	if (v->redirect && !text_local_path(v->redirect))
		return false;
	session = wire_str(&v->m, "cookie.session");
	if (wire_get(&v->m, "cookie.keep") && (wire_int(&v->m, "cookie.keep", &keep) != ERR_NONE || keep <= 0))
		return false;
	if (session && !answer_cookie(x, site->session_cookie, session, (long)keep, v->cookie))
		return false;
	device = wire_str(&v->m, "cookie.device");
	if (device && !answer_cookie(x, site->device_cookie, device, ANSWER_DEVICE_AGE, v->device))
		return false;
	back = wire_str(&v->m, "cookie.back");
	if (back && !answer_back(x, back, v->back))
		return false;
	lang = wire_str(&v->m, "cookie.lang");
	if (lang && !answer_lang(x, lang, v->lang))
		return false;
	if (wire_int(&v->m, "retry", &retry) == ERR_NONE && retry >= 0)
		snprintf(v->retry, sizeof v->retry, "%lld", (long long)retry);
	return true;
}

static enum err answer_qr(struct exchange *x, const struct view *v, struct answer *a)
{
	const char *otpauth = wire_str(&v->m, "v.otpauth");

	if (!otpauth)
		return ERR_NOTFOUND;
	a->type = "image/png";
	a->disposition = form_get(&x->form, "save") ? "attachment; filename=\"qr.png\"" : "inline; filename=\"qr.png\"";
	return qr_png(otpauth, a->body);
}

static enum err answer_view(struct exchange *x, const struct view *v, struct answer *a)
{
	struct page_context pc = answer_context(x);
	const char *done;

	a->status = v->status;
	if (v->redirect) {
		a->status = MHD_HTTP_SEE_OTHER;
		a->location = v->redirect;
		return ERR_NONE;
	}
	done = wire_str(&v->m, "v.done");
	if (x->route->kind == ROUTE_DONE && done) {
		a->type = "application/json";
		buf_addf(a->body, "{\"done\":%s}\n", strcmp(done, "1") == 0 ? "true" : "false");
		return ERR_NONE;
	}
	if (x->route->kind == ROUTE_QR && v->status == MHD_HTTP_OK)
		return answer_qr(x, v, a);
	if (!v->page)
		return ERR_NOTFOUND;
	a->type = html;
	return page_render(&pc, v->page, &v->m, NULL, a->body);
}

static enum MHD_Result answer_shown(struct exchange *x)
{
	struct view v = {.cookie = ""};
	AUTO_BUF body = BUF_INIT;
	struct answer a = {.body = &body};
	enum err r;

	if (!answer_parse(x, &v)) {
		log_error("%s: the keeper's answer cannot be read; are enrolld and keeper of one version?",
			  x->route->action);
		return answer_failure(x, MHD_HTTP_INTERNAL_SERVER_ERROR, PAGE_INTERNAL, FAILURE_ANSWER);
	}
	a.cookie = v.cookie[0] ? v.cookie : NULL;
	a.device = v.device[0] ? v.device : NULL;
	a.back = v.back[0] ? v.back : NULL;
	a.lang = v.lang[0] ? v.lang : NULL;
	a.retry = v.retry[0] ? v.retry : v.status == MHD_HTTP_SERVICE_UNAVAILABLE ? ANSWER_RETRY : NULL;
	r = answer_view(x, &v, &a);
	if (r != ERR_NONE) {
		log_error("%s: the keeper's answer cannot be shown: %s", x->route->action, err_text(r));
		return answer_failure(x, MHD_HTTP_INTERNAL_SERVER_ERROR, PAGE_INTERNAL, FAILURE_PAGE);
	}
	return answer_send(x, &a);
}

enum MHD_Result answer_keeper(struct exchange *x)
{
	switch (x->result) {
	case LINK_ANSWERED:
		return answer_shown(x);
	case LINK_ABSENT:
		break;
	case LINK_BROKEN:
	case LINK_LATE:
		return answer_failure(x, MHD_HTTP_SERVICE_UNAVAILABLE, PAGE_UNSURE, FAILURE_UNSURE);
	case LINK_FULL:
		return answer_error(x, MHD_HTTP_SERVICE_UNAVAILABLE, PAGE_BUSY);
	}
	return answer_failure(x, MHD_HTTP_SERVICE_UNAVAILABLE, PAGE_ABSENT, FAILURE_ABSENT);
}

/* ---- our own ---- */

enum MHD_Result answer_language(struct exchange *x)
{
	const struct site *s = &x->server->site;
	const char *lang = form_get(&x->form, "lang"), *back = form_get(&x->form, "back");
	struct answer a = {.status = MHD_HTTP_SEE_OTHER};
	char cookie[128];

	if (x->origin && strcmp(x->origin, s->conf->url) != 0)
		return answer_error(x, MHD_HTTP_FORBIDDEN, PAGE_FORM);
	if (!lang || !answer_lang(x, lang, cookie) || (back && !text_local_path(back)))
		return answer_error(x, MHD_HTTP_BAD_REQUEST, PAGE_BAD);
	a.cookie = cookie;
	a.location = back ? back : "/";
	return answer_send(x, &a);
}

enum MHD_Result answer_terms(struct exchange *x)
{
	struct page_context pc = answer_context(x);
	AUTO_BUF body = BUF_INIT;
	struct answer a = {.status = MHD_HTTP_OK, .type = html, .body = &body};
	const struct terms *t = &x->server->site.terms;
	char version[24];
	const char *pairs[] = {"version", version, NULL};

	if (!t->text[0] && !t->text[1])
		return answer_error(x, MHD_HTTP_NOT_FOUND, PAGE_NOTFOUND);
	snprintf(version, sizeof version, "%lld", (long long)x->server->site.conf->terms_version);
	if (page_render(&pc, "terms-read", NULL, pairs, &body) != ERR_NONE)
		return answer_error(x, MHD_HTTP_INTERNAL_SERVER_ERROR, PAGE_INTERNAL);
	return answer_send(x, &a);
}

/* Of each file: with its version in the URL, for ever; without, to be asked for again; and "you have it". */
struct answers {
	struct answer_file {
		const struct asset *asset;
		char etag[24];
		struct MHD_Response *immutable, *plain, *unchanged;
	} * file;
	size_t n;
	struct MHD_Response *robots, *healthy, *unwell, *origins, *endpoints;
	struct buf origins_text, endpoints_text;
	const struct answer_file *icon;
};

static struct MHD_Response *answers_response(const void *p, size_t n, const struct answer *a, bool https)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(n, (void *)(uintptr_t)p, MHD_RESPMEM_PERSISTENT);

	if (r && !answer_fill(r, a, https)) {
		MHD_destroy_response(r);
		r = NULL;
	}
	return r;
}

static bool answers_file(struct answer_file *f, const struct asset *as, bool https)
{
	struct answer a = {.type = as->type, .etag = f->etag, .policy = as->foreign ? answer_picture : NULL};

	f->asset = as;
	snprintf(f->etag, sizeof f->etag, "\"%s\"", as->hash);
	a.cache = "public, max-age=31536000, immutable";
	f->immutable = answers_response(as->data, as->len, &a, https);
	a.cache = "no-cache";
	f->plain = answers_response(as->data, as->len, &a, https);
	f->unchanged = answers_response("", 0, &a, https);
	return f->immutable && f->plain && f->unchanged;
}

/* Both hold origins alone, which need no escape in JSON (common/conf_value.c). */
static void answers_well_known(const struct conf *conf, struct answers *as)
{
	const char *list = conf->passkey_origins;
	char origin[600];

	buf_addf(&as->origins_text, "{\"origins\":[\"%s\"", conf->url);
	while (conf_word(&list, origin, sizeof origin))
		buf_addf(&as->origins_text, ",\"%s\"", origin);
	buf_adds(&as->origins_text, "]}\n");
	buf_addf(&as->endpoints_text, "{\"enroll\":\"%s/passkey\",\"manage\":\"%s/account\"}\n", conf->url, conf->url);
}

static struct MHD_Response *answers_json(const struct buf *text, bool https)
{
	const struct answer a = {.type = "application/json", .cache = "public, max-age=3600"};

	return text->failed ? NULL : answers_response(text->data, text->len, &a, https);
}

enum err answers_make(const struct site *site, struct answers **ret, struct errmsg *m)
{
	static const char robots[] = "User-agent: *\nDisallow: /\n", well[] = "ok\n", unwell[] = "no keeper\n";
	struct answers *as = calloc(1, sizeof *as);
	struct answer text = {.type = "text/plain; charset=utf-8"};
	bool ok = as != NULL;

	if (as) {
		as->file = calloc(site->assets.n + 1, sizeof *as->file);
		ok = as->file != NULL;
	}
	for (size_t i = 0; ok && i < site->assets.n; i++) {
		ok = answers_file(&as->file[as->n++], &site->assets.a[i], site->https);
		if (strncmp(site->assets.a[i].name, "favicon.", 8) == 0)
			as->icon = &as->file[i];
	}
	if (ok) {
		as->robots = answers_response(robots, sizeof robots - 1, &text, site->https);
		as->healthy = answers_response(well, sizeof well - 1, &text, site->https);
		as->unwell = answers_response(unwell, sizeof unwell - 1, &text, site->https);
		answers_well_known(site->conf, as);
		as->origins = answers_json(&as->origins_text, site->https);
		as->endpoints = answers_json(&as->endpoints_text, site->https);
		ok = as->robots && as->healthy && as->unwell && as->origins && as->endpoints;
	}
	if (!ok) {
		answers_free(as);
		return err_set(m, ERR_NOMEM, "out of memory");
	}
	*ret = as;
	return ERR_NONE;
}

static void answers_drop(struct MHD_Response *r)
{
	if (r)
		MHD_destroy_response(r);
}

void answers_free(struct answers *as)
{
	if (!as)
		return;
	for (size_t i = 0; i < as->n; i++) {
		answers_drop(as->file[i].immutable);
		answers_drop(as->file[i].plain);
		answers_drop(as->file[i].unchanged);
	}
	answers_drop(as->robots);
	answers_drop(as->healthy);
	answers_drop(as->unwell);
	answers_drop(as->origins);
	answers_drop(as->endpoints);
	buf_free(&as->origins_text);
	buf_free(&as->endpoints_text);
	free(as->file);
	free(as);
}

static enum MHD_Result answer_asset(struct exchange *x, const struct answer_file *f)
{
	const char *v = form_get(&x->form, "v");

	if (!f)
		return answer_error(x, MHD_HTTP_NOT_FOUND, PAGE_NOTFOUND);
	if (x->if_none_match && strstr(x->if_none_match, f->etag))
		return answer_queue(x, MHD_HTTP_NOT_MODIFIED, f->unchanged);
	return answer_queue(x, MHD_HTTP_OK, v && strcmp(v, f->asset->hash) == 0 ? f->immutable : f->plain);
}

enum MHD_Result answer_file(struct exchange *x)
{
	const struct answers *as = x->server->answers;

	switch (x->route->kind) {
	case ROUTE_ROBOTS:
		return answer_queue(x, MHD_HTTP_OK, as->robots);
	case ROUTE_ORIGINS:
		return answer_queue(x, MHD_HTTP_OK, as->origins);
	case ROUTE_ENDPOINTS:
		return answer_queue(x, MHD_HTTP_OK, as->endpoints);
	case ROUTE_HEALTH:
		return link_up(x->server->link) ? answer_queue(x, MHD_HTTP_OK, as->healthy)
						: answer_queue(x, MHD_HTTP_SERVICE_UNAVAILABLE, as->unwell);
	case ROUTE_FAVICON:
		return answer_asset(x, as->icon);
	default:
		break;
	}
	for (size_t i = 0; i < as->n; i++)
		if (strcmp(as->file[i].asset->name, x->rest) == 0)
			return answer_asset(x, &as->file[i]);
	return answer_error(x, MHD_HTTP_NOT_FOUND, PAGE_NOTFOUND);
}
