#include "config.h"

#include "enroll/routes.h"
#include <stddef.h>
#include <string.h>

/* What a passkey's answer consists of (keeper/passkey_form.h). */
#define PASSKEY "challenge id client_data auth_data signature user_handle"

const struct route routes[] = {
    {ROUTE_GET, ROUTE_PAGE, "/", "home", "n"},
    {ROUTE_GET, ROUTE_PAGE, "/auth/next", "home", "n"},
    {ROUTE_GET, ROUTE_VERIFY, "/auth/verify", "verify", "need within redirect"},
    {ROUTE_GET, ROUTE_PAGE, "/login", "login", "n id by"},
    {ROUTE_POST, ROUTE_PAGE, "/login", "login", "login password keep"},
    {ROUTE_GET, ROUTE_PAGE, "/logout", "logout.ask", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/logout", "logout", ""},
    {ROUTE_POST, ROUTE_PAGE, "/login/by-passkey", "login.passkey", PASSKEY " keep"},
    {ROUTE_GET, ROUTE_PAGE, "/login/passkey", "factor.passkey", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/login/passkey", "factor.passkey", PASSKEY},
    {ROUTE_GET, ROUTE_PAGE, "/login/code", "code", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/login/code", "code", "code"},
    {ROUTE_GET, ROUTE_PAGE, "/login/lost", "lost.help", "n"},
    {ROUTE_GET, ROUTE_PAGE, "/lost", "lost", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/lost", "lost", "answer"},
    {ROUTE_GET, ROUTE_PAGE, "/lost/which", "lost.which", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/lost/which", "lost.which", "id"},
    {ROUTE_GET, ROUTE_PAGE, "/lost/new", "lost.new", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/lost/new", "lost.new", "method"},
    {ROUTE_POST, ROUTE_PAGE, "/lost/stop", "lost.stop", ""},
    {ROUTE_GET, ROUTE_PAGE, "/login/mail", "guard", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/login/mail", "guard", "code"},
    {ROUTE_POST, ROUTE_PAGE, "/login/mail/again", "guard.again", ""},
    {ROUTE_GET, ROUTE_PAGE, "/login/mail-code", "login.mail", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/login/mail-code", "login.mail", "code"},
    {ROUTE_POST, ROUTE_PAGE, "/login/mail-code/again", "login.mail.again", ""},
    {ROUTE_GET, ROUTE_PAGE, "/login/another", "another", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/login/another", "another", "code"},

    {ROUTE_GET, ROUTE_PAGE, "/forgot/password", "forgot.password", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/forgot/password", "forgot.password", "login"},
    {ROUTE_GET, ROUTE_PAGE, "/forgot/code", "forgot.code", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/forgot/code", "forgot.code", "login code"},
    {ROUTE_POST, ROUTE_PAGE, "/forgot/link", "forgot.link", "token"},
    {ROUTE_GET, ROUTE_PAGE, "/forgot/factor", "reset.factor", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/forgot/factor", "reset.factor", "code"},
    {ROUTE_GET, ROUTE_PAGE, "/forgot/factor/passkey", "reset.passkey", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/forgot/factor/passkey", "reset.passkey", PASSKEY},
    {ROUTE_GET, ROUTE_PAGE, "/forgot/birth-date", "reset.birth", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/forgot/birth-date", "reset.birth", "birth_date"},
    {ROUTE_GET, ROUTE_PAGE, "/forgot/new", "reset.password", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/forgot/new", "reset.password", "new again"},
    {ROUTE_GET, ROUTE_PAGE, "/forgot/id", "forgot.id", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/forgot/id", "forgot.id", "email birth_date"},

    {ROUTE_GET, ROUTE_PAGE, "/first/birth-date", "birth", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/first/birth-date", "birth", "birth_date"},
    {ROUTE_GET, ROUTE_PAGE, "/first/terms", "terms", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/first/terms", "terms", "agree"},
    {ROUTE_GET, ROUTE_PAGE, "/first/email", "email", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/first/email", "email", "email"},
    {ROUTE_GET, ROUTE_PAGE, "/first/email/sent", "email.sent", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/first/email/none", "email.none", ""},
    {ROUTE_POST, ROUTE_PAGE, "/first/email/code", "email.code", "code"},
    {ROUTE_POST, ROUTE_PAGE, "/first/email/again", "email.again", ""},
    {ROUTE_GET, ROUTE_DONE, "/first/email/state", "email.state", ""},
    {ROUTE_GET, ROUTE_PAGE, "/first/method", "method", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/first/method", "method", "method"},
    {ROUTE_GET, ROUTE_PAGE, "/first/password", "own-password", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/first/password", "own-password", "login current new again"},
    {ROUTE_GET, ROUTE_PAGE, "/first/late", "late", "n"},
    {ROUTE_GET, ROUTE_PAGE, "/first/done", "done", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/first/done", "done", "next"},

    {ROUTE_GET, ROUTE_PAGE, "/mail/", "link", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/mail/confirm", "link.confirm", "token pair"},
    {ROUTE_POST, ROUTE_PAGE, "/mail/freeze", "freeze", "token sure"},

    {ROUTE_GET, ROUTE_PAGE, "/approve/", "approve.page", "n"},
    {ROUTE_GET, ROUTE_PAGE, "/APPROVE/", "approve.page", "n"}, /* as a terminal's QR code has it */
    {ROUTE_POST, ROUTE_PAGE, "/approve/passkey", "approve", PASSKEY " token"},
    {ROUTE_POST, ROUTE_PAGE, "/approve/deny", "approve.deny", "token"},
    {ROUTE_POST, ROUTE_PAGE, "/approve/other", "approve.other", "token"},

    {ROUTE_GET, ROUTE_PAGE, "/app", "app", "on n"},
    {ROUTE_POST, ROUTE_PAGE, "/app", "app", "code name on start"},
    {ROUTE_GET, ROUTE_QR, "/app/qr.png", "app.qr", "save"},
    {ROUTE_POST, ROUTE_PAGE, "/app/cancel", "app.cancel", ""},
    {ROUTE_GET, ROUTE_PAGE, "/passkey", "passkey", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/passkey", "passkey", "name challenge client_data attestation transports"},
    {ROUTE_GET, ROUTE_PAGE, "/sheet", "sheet", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/sheet", "sheet", "code start"},
    {ROUTE_GET, ROUTE_PAGE, "/mailcode", "mailcode", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/mailcode", "mailcode", "code"},
    {ROUTE_POST, ROUTE_PAGE, "/mailcode/again", "mailcode.again", ""},
    {ROUTE_GET, ROUTE_PAGE, "/recovery", "recovery", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/recovery", "recovery", "saved"},
    {ROUTE_POST, ROUTE_PAGE, "/recovery/new", "recovery.new", ""},

    {ROUTE_GET, ROUTE_PAGE, "/account", "account", "n"},
    {ROUTE_GET, ROUTE_PAGE, "/account/logins", "logins", "n"},
    {ROUTE_GET, ROUTE_PAGE, "/account/not-me", "not-me", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/language", "account.language", "lang"},
    {ROUTE_GET, ROUTE_PAGE, "/account/rename", "rename", "id n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/rename", "rename", "id name"},
    {ROUTE_GET, ROUTE_PAGE, "/account/remove", "remove", "id n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/remove", "remove", "id confirm"},
    {ROUTE_GET, ROUTE_PAGE, "/account/password", "password", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/password", "password", "login current new again"},
    {ROUTE_GET, ROUTE_PAGE, "/account/email", "address", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/email", "address", "email"},
    {ROUTE_GET, ROUTE_PAGE, "/account/email/sent", "address.sent", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/email/code", "address.code", "code"},
    {ROUTE_POST, ROUTE_PAGE, "/account/email/again", "address.again", ""},
    {ROUTE_GET, ROUTE_DONE, "/account/email/state", "address.state", ""},
    {ROUTE_GET, ROUTE_PAGE, "/account/confirm", "confirm", "next n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/confirm", "confirm", "code next"},
    {ROUTE_GET, ROUTE_PAGE, "/account/confirm/mail", "confirm.mail", "next n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/confirm/mail", "confirm.mail", "code next"},
    {ROUTE_POST, ROUTE_PAGE, "/account/confirm/mail/again", "confirm.mail.again", "next"},
    {ROUTE_GET, ROUTE_PAGE, "/account/confirm/another", "confirm.another", "next n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/confirm/another", "confirm.another", "code next"},
    {ROUTE_GET, ROUTE_PAGE, "/account/confirm/passkey", "confirm.passkey", "next n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/confirm/passkey", "confirm.passkey", PASSKEY " next"},
    {ROUTE_GET, ROUTE_PAGE, "/account/sessions", "sessions", "n"},
    {ROUTE_POST, ROUTE_PAGE, "/account/sessions/end", "session.end", "id"},
    {ROUTE_POST, ROUTE_PAGE, "/account/sessions/end-others", "sessions.end", ""},

    {ROUTE_POST, ROUTE_LANGUAGE, "/language", "language", "lang back"},
    {ROUTE_GET, ROUTE_TERMS, "/terms", "terms.read", ""},
    {ROUTE_GET, ROUTE_STATIC, "/static/", "static", "v"},
    {ROUTE_GET, ROUTE_FAVICON, "/favicon.ico", "favicon", ""},
    {ROUTE_GET, ROUTE_ROBOTS, "/robots.txt", "robots", ""},
    {ROUTE_GET, ROUTE_ORIGINS, "/.well-known/webauthn", "webauthn", ""},
    {ROUTE_GET, ROUTE_ENDPOINTS, "/.well-known/passkey-endpoints", "passkey-endpoints", ""},
    {ROUTE_GET, ROUTE_HEALTH, "/healthz", "healthz", ""},
    {0},
};

static bool routes_is_prefix(const struct route *r)
{
	size_t n = strlen(r->path);

	return n > 1 && r->path[n - 1] == '/';
}

static bool routes_prefix(const struct route *r, const char *path, const char **ret_rest)
{
	size_t n = strlen(r->path);

	if (!routes_is_prefix(r) || strncmp(path, r->path, n) != 0)
		return false;
	if (path[n] == '\0' || strchr(path + n, '/'))
		return false;
	*ret_rest = path + n;
	return true;
}

const struct route *routes_find(int method, const char *path, const char **ret_rest, int *ret_allow)
{
	const char *rest = "";
	bool exact;
	int allow = 0;

	for (const struct route *r = routes; r->path; r++) {
		if (routes_is_prefix(r) || strcmp(r->path, path) != 0)
			continue;
		allow |= (int)r->method;
		if ((int)r->method == method) {
			*ret_rest = "";
			return r;
		}
	}
	exact = allow != 0; /* a path with a row of its own is never taken for a prefix's rest */
	for (const struct route *r = routes; r->path && !exact; r++) {
		if (!routes_prefix(r, path, &rest))
			continue;
		allow |= (int)r->method;
		if ((int)r->method == method) {
			*ret_rest = rest;
			return r;
		}
	}
	*ret_allow = allow;
	return NULL;
}

const char *routes_back(const char *path)
{
	const char *rest;
	int allow;

	return routes_find(ROUTE_GET, path, &rest, &allow) ? path : "/";
}
