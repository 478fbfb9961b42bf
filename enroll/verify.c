#include "config.h"

#include "common/secret.h"
#include "common/text.h"
#include "common/wire.h"
#include "enroll/answer.h"
#include "enroll/log.h"
#include "enroll/verify.h"
#include <string.h>
#include <strings.h>

static const char *verify_header(const struct exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->http, MHD_HEADER_KIND, name);
}

/* Will a person see what comes? Browsers say so themselves (Fetch Metadata 2.2); of the others those that take HTML. */
static bool verify_is_page(const struct exchange *x)
{
	const char *mode = verify_header(x, "Sec-Fetch-Mode"), *accept = verify_header(x, "Accept");

	if (mode)
		return strcmp(mode, "navigate") == 0;
	return accept && strstr(accept, "text/html") && !verify_header(x, "X-Requested-With");
}

/* What can be asked for once more after a login: nothing that was sent along with a form. */
static const char *verify_uri(const struct exchange *x)
{
	const char *method = verify_header(x, "X-Forwarded-Method"), *uri = verify_header(x, "X-Forwarded-Uri");

	if (method && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return NULL;
	return text_local_path(uri) ? uri : NULL;
}

enum err verify_frame(const struct exchange *x, struct buf *b)
{
	char session[REQUEST_TOKEN_MAX + 1], back[REQUEST_BACK_MAX + 1];
	const struct site *site = &x->server->site;
	const char *redirect = form_get(&x->form, "redirect");
	enum err r;

	if (redirect && strcmp(redirect, "yes") != 0)
		return ERR_INVALID;
	wire_begin(b, 0, "verify");
	if (request_cookie(x->cookie, site->session_cookie, session, sizeof session))
		wire_puts(b, "session", session);
	if (request_cookie(x->cookie, site->back_cookie, back, sizeof back))
		wire_puts(b, "back", back);
	wire_puts(b, "need", form_get(&x->form, "need"));
	wire_puts(b, "within", form_get(&x->form, "within"));
	if (verify_is_page(x)) {
		wire_puts(b, "page", "1");
		wire_puts(b, "uri", verify_uri(x));
	}
	r = wire_end(b);
	secret_wipe(session, sizeof session);
	return r;
}

/* RFC 3986 2.1: every byte but the unreserved ones. */
static void verify_percent(struct buf *b, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._~", c)) {
			buf_addc(b, (char)c);
		} else {
			buf_addc(b, '%');
			buf_addc(b, hex[c >> 4]);
			buf_addc(b, hex[c & 15]);
		}
	}
}

static bool verify_add(struct MHD_Response *r, const char *name, const char *value)
{
	return MHD_add_response_header(r, name, value) == MHD_YES;
}

/* Logins have no byte that must be escaped but '@'; a portal compares them as they are. */
static bool verify_login_plain(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static bool verify_person(struct MHD_Response *r, const struct wire_msg *m)
{
	AUTO_BUF name = BUF_INIT;
	const char *user = wire_str(m, "user"), *full = wire_str(m, "name"), *method = wire_str(m, "method"),
		   *when = wire_str(m, "time");

	if (!user || !*user || !verify_login_plain(user) || !full || !method || !verify_login_plain(method) || !when ||
	    !*when || when[strspn(when, "0123456789")])
		return false;
	verify_percent(&name, *full ? full : user); /* a header has a value */
	return buf_str(&name) && verify_add(r, "Remote-User", user) && verify_add(r, "Remote-Name", buf_str(&name)) &&
	       verify_add(r, "Remote-Method", method) && verify_add(r, "Remote-Auth-Time", when);
}

static bool verify_lead(const struct exchange *x, struct MHD_Response *r, const struct wire_msg *m)
{
	const char *to = wire_str(m, "redirect"), *back = wire_str(m, "cookie.back");
	char cookie[ANSWER_BACK_MAX];

	if (to && (!text_local_path(to) || !verify_add(r, "Location", to)))
		return false;
	return !to || !back || (answer_back(x, back, cookie) && verify_add(r, "Set-Cookie", cookie));
}

static enum MHD_Result verify_send(struct exchange *x, unsigned status, struct MHD_Response *r)
{
	x->status = status;
	conns_answer(x->server->conns, x->conn);
	return MHD_queue_response(x->http, status, r);
}

static struct MHD_Response *verify_response(void)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);

	if (r && !verify_add(r, "Cache-Control", "no-store")) {
		MHD_destroy_response(r);
		r = NULL;
	}
	return r;
}

enum MHD_Result verify_refuse(struct exchange *x, unsigned status)
{
	struct MHD_Response *r = verify_response();
	enum MHD_Result sent = r ? verify_send(x, status, r) : MHD_NO;

	if (r)
		MHD_destroy_response(r);
	return sent;
}

/* false: not an answer that could be passed on; then nobody is let in. */
static bool verify_fill(const struct exchange *x, struct MHD_Response *r, unsigned *ret_status)
{
	static const unsigned refusals[] = {MHD_HTTP_BAD_REQUEST, MHD_HTTP_UNAUTHORIZED, MHD_HTTP_FORBIDDEN,
					    MHD_HTTP_INTERNAL_SERVER_ERROR, MHD_HTTP_SERVICE_UNAVAILABLE};
	const char *redirect = form_get(&x->form, "redirect");
	struct wire_msg m;
	int64_t status = 0;
	bool good = false;

	if (wire_parse(x->answer.data, x->answer.len, &m) != ERR_NONE || strcmp(m.kind, "verified") != 0 ||
	    wire_int(&m, "status", &status) != ERR_NONE)
		return false;
	if (status == MHD_HTTP_OK) {
		*ret_status = MHD_HTTP_OK;
		return verify_person(r, &m);
	}
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		good = good || status == refusals[i];
	if (!good || !verify_lead(x, r, &m))
		return false;
	if (status == MHD_HTTP_UNAUTHORIZED) /* RFC 9110 15.5.2: which way to log in */
		good = verify_add(r, "WWW-Authenticate", "Cookie");
	*ret_status = redirect && wire_str(&m, "redirect") ? MHD_HTTP_SEE_OTHER : (unsigned)status;
	return good;
}

enum MHD_Result verify_answer(struct exchange *x)
{
	struct MHD_Response *r;
	enum MHD_Result sent = MHD_NO;
	unsigned status;

	if (x->result != LINK_ANSWERED)
		return verify_refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE);
	r = verify_response();
	if (!r)
		return MHD_NO;
	if (verify_fill(x, r, &status)) {
		sent = verify_send(x, status, r);
	} else {
		log_error("verify: the keeper's answer cannot be read; are enrolld and keeper of one version?");
		sent = verify_refuse(x, MHD_HTTP_INTERNAL_SERVER_ERROR);
	}
	MHD_destroy_response(r);
	return sent;
}
