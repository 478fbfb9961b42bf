/* Registering an authenticator app, in the wizard and from the account; recovery codes. The key waits in the store as
 * an unconfirmed authenticator, so that a wrong code, a reload or another device shows the same one; it counts only
 * after a right code. */
#include "config.h"

#include "common/base64url.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/method.h"
#include "keeper/recovery.h"
#include "keeper/totp.h"
#include "keeper/where.h"
#include <stdio.h>
#include <string.h>

#define NAME_CHARS 40 /* as the refusal says */

static enum err pending(struct call *c, const struct id *person, struct authenticator *ret)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	enum err e = store_authenticators(c->st, person, au, AUTHENTICATORS_MAX, &n);
	if (e)
		return e;
	e = ERR_NOTFOUND;
	for (size_t i = 0; i < n && e; i++)
		if (!au[i].confirmed && au[i].kind == FACTOR_TOTP) {
			*ret = au[i];
			e = ERR_NONE;
		}
	authenticator_wipe(au, n);
	return e;
}

enum err app_prepare(struct call *c, const struct person *p)
{
	struct authenticator a = {.person = p->id,
				  .kind = FACTOR_TOTP,
				  .algorithm = TOTP_SHA1,
				  .digits = 6,
				  .period = 30,
				  .secret_len = TOTP_SECRET_LEN,
				  .last_step = -1,
				  .created = c->now},
			     there;
	enum err e = pending(c, &p->id, &there);
	if (e == ERR_NOTFOUND) {
		e = id_new(&a.id);
		if (!e)
			e = secret_random(a.secret, a.secret_len);
		if (!e)
			e = store_authenticator_add(c->st, &a);
	}
	authenticator_wipe(&a, 1);
	authenticator_wipe(&there, 1);
	return e;
}

static struct totp totp_of(const struct authenticator *a)
{
	return (struct totp){a->algorithm, a->digits, a->period, a->secret, a->secret_len};
}

/* What stands before the login in the app's list. */
static const char *issuer(const struct call *c)
{
	if (c->k->conf->organisation[0])
		return c->k->conf->organisation;
	const char *host = strstr(c->k->conf->url, "://");
	return host ? host + 3 : c->k->conf->url;
}

static void key_groups(const struct authenticator *a, struct buf *ret)
{
	AUTO_BUF b32 = BUF_INIT;
	base32_encode(&b32, a->secret, a->secret_len);
	for (size_t i = 0; i < b32.len; i++) {
		if (i && i % 4 == 0)
			buf_addc(ret, ' ');
		buf_addc(ret, (char)b32.data[i]);
	}
}

static void app_page(struct call *c, const struct authenticator *a)
{
	AUTO_BUF key = BUF_INIT, uri = BUF_INIT;
	const struct totp t = totp_of(a);
	enum err e = totp_uri(&t, issuer(c), c->person.login, &uri);
	key_groups(a, &key);
	if (e || !buf_str(&key) || !buf_str(&uri)) {
		view_failure(c, ERR_NOMEM, "the app's key");
		return;
	}
	view_put(c, "key", buf_str(&key));
	view_put(c, "otpauth", buf_str(&uri));
	view_put(c, "suggested_name", call_has(c, "name") ? call_field(c, "name") : T(c, N_("My authenticator app")));
	way_view(c);
	where_app_view(c);
	view_page(c, "app");
}

/* Fresh recovery codes: stored as digests, shown from the session until the person says that they are saved. */
enum err recovery_make(struct call *c, const struct person *p)
{
	char shown[RECOVERY_CODES][RECOVERY_TEXT];
	struct buf canonical[RECOVERY_CODES] = {BUF_INIT};
	const char *codes[RECOVERY_CODES];
	AUTO_BUF scratch = BUF_INIT;
	enum err e = ERR_NONE;
	for (size_t i = 0; i < RECOVERY_CODES && !e; i++) {
		e = recovery_code(shown[i]);
		if (!e)
			e = text_code(shown[i], strlen(shown[i]), &canonical[i]);
		if (!e && !(codes[i] = buf_str(&canonical[i])))
			e = ERR_NOMEM;
		buf_addf(&scratch, "%s\n", e ? "" : shown[i]);
	}
	if (!e)
		e = store_recovery_replace(c->st, &p->id, codes, RECOVERY_CODES);
	if (!e && !buf_str(&scratch))
		e = ERR_NOMEM;
	if (!e) {
		e = scratch_set(&c->session, SCRATCH_CODES, buf_str(&scratch));
		if (!e)
			e = call_audit(c, "recovery.made", "");
	}
	for (size_t i = 0; i < RECOVERY_CODES; i++)
		buf_free(&canonical[i]);
	secret_wipe(shown, sizeof shown);
	return e;
}

enum err way_registered(struct call *c, const struct person *p, const struct authenticator *a, const char *event)
{
	size_t left = 0;
	enum err e = lost_replaced(c, p, a);
	if (!e)
		e = store_recovery_left(c->st, &p->id, &left);
	if (!e && !left)
		e = recovery_make(c, p);
	if (!e)
		e = session_start(c, &p->id, SESSION_FULL, a->kind);
	if (!e)
		e = call_notice(c, p, MAIL_WAY_ADDED, a->name);
	return e ? e : call_audit(c, event, "");
}

const char *way_next(const struct call *c)
{
	bool here = c->in && !c->unmet && !c->anew && !c->back[0] && scratch_kind(&c->session) == SCRATCH_NONE;
	return here && c->k->conf->portal_url[0] ? "/account" : "/";
}

void ways_full(struct call *c)
{
	view_trouble(c, 409, T(c, N_("There are too many ways to log in")),
		     T(c, N_("Please remove one that you no longer use before you add another.")), T(c, N_("Back")),
		     "/account");
}

void way_view(struct call *c)
{
	if (c->unmet && !c->anew)
		view_put(c, "wizard", "1");
	if (c->anew || lost_state(c) == SCRATCH_LOST)
		view_put(c, "lost", "1");
	else if (c->facts.confirmed)
		view_put(c, "has_other", "1");
}

struct confirm {
	const char *name, *code;
	enum err result; /* ERR_NONE right, ERR_DENIED wrong, ERR_NOTFOUND nothing waits */
};

static enum err app_confirm(struct call *c, struct person *p, void *arg)
{
	struct confirm *f = arg;
	struct authenticator a;
	uint64_t step;
	enum err e = pending(c, &p->id, &a);
	if (e) {
		f->result = e;
		return e == ERR_NOTFOUND ? ERR_NONE : e;
	}
	const struct totp t = totp_of(&a);
	f->result = totp_check(&t, f->code, c->now, &step);
	if (f->result) {
		authenticator_wipe(&a, 1);
		return f->result == ERR_DENIED ? ERR_NONE : f->result;
	}
	e = store_authenticator_confirm(c->st, &p->id, &a.id, f->name);
	if (!e) /* the code that proved it is used up */
		e = store_totp_consume(c->st, &a.id, step, c->now);
	snprintf(a.name, sizeof a.name, "%s", f->name);
	if (!e)
		e = way_registered(c, p, &a, "totp.registered");
	authenticator_wipe(&a, 1);
	return e;
}

bool name_good(const char *typed, struct buf *ret)
{
	AUTO_BUF b = BUF_INIT;
	size_t chars = 0;
	if (text_nfkc(typed, strlen(typed), &b) || !buf_str(&b))
		return false;
	const char *s = buf_str(&b), *end = s + b.len;
	while (*s == ' ')
		s++;
	while (end > s && end[-1] == ' ')
		end--;
	for (const char *p = s; p < end; p++) {
		if (text_control(p, (size_t)(end - p)))
			return false;
		chars += ((uint8_t)*p & 0xc0) != 0x80;
	}
	buf_add(ret, s, (size_t)(end - s));
	return chars > 0 && chars <= NAME_CHARS && ret->len <= NAME_MAX_BYTES && buf_str(ret);
}

static void app_submit(struct call *c, const struct authenticator *a)
{
	AUTO_BUF name = BUF_INIT, code = BUF_INIT;
	const char *typed = call_field(c, "code");
	if (!name_good(call_has(c, "name") ? call_field(c, "name") : T(c, N_("My authenticator app")), &name))
		view_error(c, "name", T(c, N_("Please give it a name of 1 to 40 characters.")));
	if (!typed[0])
		view_error(c, "code", T(c, N_("Please type the 6 digits that your authenticator app shows.")));
	else if (text_code(typed, strlen(typed), &code) || !buf_str(&code) ||
		 strspn(buf_str(&code), "0123456789") != 6 || code.len != 6)
		view_error(c, "code",
			   T(c, N_("The code has exactly 6 digits. Please type the digits that your app shows.")));
	if (c->errors) {
		app_page(c, a);
		return;
	}
	struct confirm f = {.name = buf_str(&name), .code = buf_str(&code)};
	enum err e = call_transact(c, app_confirm, &f);
	if (e) {
		view_failure(c, e, "the registration");
	} else if (!f.result) {
		view_redirect(c, "/");
	} else if (f.result == ERR_NOTFOUND) { /* a second tab was faster */
		view_redirect(c, call_next(c));
	} else {
		if (!clock_is_off_anew(c, a, f.code))
			view_error(
			    c, "code",
			    T(c, N_("That code does not match. Please type the code that your app shows now. The "
				    "picture and the key "
				    "have not changed. If it keeps failing, check that the clock of your device is set "
				    "automatically.")));
		app_page(c, a);
	}
}

/* From the account. Room for one is kept, for the day when another must take a lost one's place. */
static enum err app_start(struct call *c, struct person *p, void *arg)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	(void)arg;
	enum err e = factor_confirmed(c->st, &p->id, au, &n);
	authenticator_wipe(au, n);
	if (!e)
		e = n >= AUTHENTICATORS_MAX - 1 ? ERR_TOOBIG : lost_drop_older(c, p);
	return e ? e : app_prepare(c, p);
}

void flow_app(struct call *c)
{
	struct authenticator a;
	if (c->post && call_has(c, "start")) {
		enum err e = call_transact(c, app_start, NULL);
		if (e == ERR_TOOBIG)
			ways_full(c);
		else if (e)
			view_failure(c, e, "the app's key");
		else
			view_redirect(c, "/app");
		return;
	}
	enum err e = pending(c, &c->person.id, &a);
	if (e == ERR_NOTFOUND)
		view_redirect(c, c->anew || lost_state(c) ? "/lost/new" : c->unmet ? "/first/done" : "/account");
	else if (e)
		view_failure(c, e, "the app's key");
	else if (c->post)
		app_submit(c, &a);
	else
		app_page(c, &a);
	authenticator_wipe(&a, 1);
}

void flow_app_qr(struct call *c)
{
	struct authenticator a;
	AUTO_BUF uri = BUF_INIT;
	enum err e = pending(c, &c->person.id, &a);
	if (!e) {
		const struct totp t = totp_of(&a);
		e = totp_uri(&t, issuer(c), c->person.login, &uri);
	}
	if (e == ERR_NOTFOUND) {
		view_redirect(c, call_next(c));
	} else if (e || !buf_str(&uri)) {
		view_failure(c, e ? e : ERR_NOMEM, "the QR code");
	} else {
		view_put(c, "otpauth", buf_str(&uri));
		view_page(c, "qr");
	}
	authenticator_wipe(&a, 1);
}

static enum err app_cancel(struct call *c, struct person *p, void *arg)
{
	struct authenticator a;
	(void)arg;
	enum err e = pending(c, &p->id, &a);
	if (!e)
		e = store_authenticator_remove(c->st, &p->id, &a.id);
	authenticator_wipe(&a, 1);
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

void flow_app_cancel(struct call *c)
{
	enum err e = call_transact(c, app_cancel, NULL);
	if (e)
		view_failure(c, e, "the cancelling");
	else
		view_redirect(c, "/account");
}

/* ---- recovery codes ---- */

static enum err recovery_saved(struct call *c, struct person *p, void *arg)
{
	(void)p;
	(void)arg;
	enum err e = scratch_set(&c->session, SCRATCH_NONE, NULL);
	return e ? e : store_session_save(c->st, &c->session);
}

void flow_recovery(struct call *c)
{
	char when[MAIL_TIME];
	bool there = scratch_kind(&c->session) == SCRATCH_CODES, proven = session_proven_lately(c);
	/* they are as good as any factor: later only who proves one sees them, not whoever has the browser */
	if (!there || (!c->post && !proven)) {
		char to[96];
		snprintf(to, sizeof to, "%s?next=/recovery", confirm_path(c));
		view_redirect(c, there && !c->unmet ? to : call_next(c));
		return;
	}
	if (c->post) {
		enum err e = call_transact(c, recovery_saved, NULL);
		if (e)
			view_failure(c, e, "the recovery codes");
		else
			view_redirect(c, "/");
		return;
	}
	const char *s = scratch_text(&c->session);
	for (size_t i = 0; *s; i++) {
		char code[RECOVERY_TEXT];
		size_t n = strcspn(s, "\n");
		snprintf(code, sizeof code, "%.*s", (int)n, s);
		view_item(c, "codes", i, "code", code);
		secret_wipe(code, sizeof code);
		s += n + (s[n] == '\n');
	}
	mail_time(c->lang, c->now, when);
	view_put(c, "login", c->person.login);
	view_put(c, "created", when);
	view_page(c, "recovery");
}

static enum err recovery_again(struct call *c, struct person *p, void *arg)
{
	(void)arg;
	enum err e = recovery_make(c, p);
	return e ? e : store_session_save(c->st, &c->session);
}

static enum err sheet_again(struct call *c, struct person *p, void *arg)
{
	(void)arg;
	enum err e = lost_drop_older(c, p);
	return e ? e : sheet_prepare(c, p);
}

void flow_recovery_new(struct call *c)
{
	enum err e = call_transact(c, c->facts.sheet ? sheet_again : recovery_again, NULL);
	if (!e && c->facts.sheet) /* those are shown, and proven, on their own page */
		view_redirect(c, "/sheet");
	else if (e)
		view_failure(c, e, "the recovery codes");
	else
		view_redirect(c, "/recovery");
}

/* ---- names and removal ---- */

bool hex_id(const char *s, struct id *ret)
{
	struct id id;
	if (strlen(s) != 2 * ID_LEN || strspn(s, "0123456789abcdef") != 2 * ID_LEN)
		return false;
	for (size_t i = 0; i < ID_LEN; i++) {
		unsigned v;
		if (sscanf(s + 2 * i, "%2x", &v) != 1)
			return false;
		id.b[i] = (uint8_t)v;
	}
	*ret = id;
	return true;
}

void id_hex(const struct id *id, char ret[static 2 * ID_LEN + 1])
{
	for (size_t i = 0; i < ID_LEN; i++)
		snprintf(ret + 2 * i, 3, "%02x", id->b[i]);
}

enum removal {
	REMOVAL_MAY = 1,
	REMOVAL_ONLY, /* no way to log in would be left */
	REMOVAL_GOOD  /* only lesser ones would be left, and the configuration wants better */
};

static enum removal removal_of(const struct call *c, const struct person *p, const struct authenticator *gone,
			       const struct authenticator *rest, size_t n)
{
	size_t ways = require_ways(p, rest, n, mailcode_policy_web(c->k->conf)), good = 0;
	for (size_t i = 0; i < n; i++) {
		good += require_good(rest[i].kind);
		ways -= rest[i].kind == FACTOR_RECOVERY && !c->facts.sheet_left; /* used up */
	}
	if (!ways)
		return REMOVAL_ONLY;
	bool may = good || !require_good(gone->kind) || !strcmp(c->k->conf->policy_remove_last_strong, "yes");
	return may ? REMOVAL_MAY : REMOVAL_GOOD;
}

/* The confirmed authenticator that field id names, of this person; others' do not exist here. */
static enum err chosen(struct call *c, const struct person *p, struct authenticator *ret, enum removal *ret_removal)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	struct id id;
	size_t n = 0;
	if (!hex_id(call_field(c, "id"), &id))
		return ERR_NOTFOUND;
	enum err e = factor_confirmed(c->st, &p->id, au, &n);
	if (e)
		return e;
	size_t i = 0;
	while (i < n && memcmp(&au[i].id, &id, sizeof id) != 0)
		i++;
	if (i < n) {
		*ret = au[i];
		au[i] = au[n - 1];
		*ret_removal = removal_of(c, p, ret, au, n - 1);
	}
	authenticator_wipe(au, n);
	return i < n ? ERR_NONE : ERR_NOTFOUND;
}

static void authenticator_page(struct call *c, const char *page, const struct authenticator *a)
{
	const char *kind = T(c, method_of(a->kind)->title);
	char hex[2 * ID_LEN + 1];
	id_hex(&a->id, hex);
	view_put(c, "id", hex);
	view_put(c, "name", call_has(c, "name") ? call_field(c, "name") : a->name);
	view_put(c, "kind_text", kind);
	view_put(c, "plain", strcmp(kind, a->name) ? "" : "1");
	view_put(c, "gone", T(c, method_of(a->kind)->gone));
	view_page(c, page);
}

/* [tx] "totp.removed" */
static enum err audit_kind(struct call *c, const struct authenticator *a, const char *what)
{
	char event[40];
	snprintf(event, sizeof event, "%s.%s", factor_name(a->kind), what);
	return call_audit(c, event, "");
}

static enum err app_rename(struct call *c, struct person *p, void *arg)
{
	struct authenticator a;
	enum removal may = REMOVAL_MAY;
	enum err e = chosen(c, p, &a, &may);
	if (!e)
		e = store_authenticator_rename(c->st, &p->id, &a.id, arg);
	if (!e)
		e = audit_kind(c, &a, "renamed");
	authenticator_wipe(&a, 1);
	return e;
}

void flow_rename(struct call *c)
{
	struct authenticator a;
	enum removal may = REMOVAL_MAY;
	AUTO_BUF name = BUF_INIT;
	enum err e = chosen(c, &c->person, &a, &may);
	if (e == ERR_NOTFOUND) {
		view_redirect(c, "/account");
	} else if (e) {
		view_failure(c, e, "the way to log in");
	} else if (c->post && name_good(call_field(c, "name"), &name)) {
		char copy[NAME_MAX_BYTES + 1];
		snprintf(copy, sizeof copy, "%s", buf_str(&name));
		e = call_transact(c, app_rename, copy);
		if (e && e != ERR_NOTFOUND)
			view_failure(c, e, "the new name");
		else
			view_redirect(c, "/account?n=renamed");
	} else {
		if (c->post)
			view_error(c, "name", T(c, N_("Please give it a name of 1 to 40 characters.")));
		authenticator_page(c, "rename", &a);
	}
	authenticator_wipe(&a, 1);
}

static enum err app_remove(struct call *c, struct person *p, void *arg)
{
	struct authenticator a;
	enum removal may = REMOVAL_MAY;
	enum removal *refused = arg;
	enum err e = chosen(c, p, &a, &may);
	if (e == ERR_NOTFOUND)
		return ERR_NONE;
	if (!e && may != REMOVAL_MAY) {
		*refused = may;
	} else if (!e) {
		e = store_authenticator_remove(c->st, &p->id, &a.id);
		if (!e) /* the device may be somebody else's now, and logged in */
			e = store_session_end_all(c->st, &p->id, c->session.digest);
		if (!e)
			e = call_notice(c, p, MAIL_WAY_REMOVED, a.name);
		if (!e)
			e = audit_kind(c, &a, "removed");
	}
	authenticator_wipe(&a, 1);
	return e;
}

void flow_remove(struct call *c)
{
	struct authenticator a;
	enum removal may = REMOVAL_MAY;
	enum err e = chosen(c, &c->person, &a, &may);
	if (!e && c->post)
		e = call_transact(c, app_remove, &may);
	if (e == ERR_NOTFOUND)
		view_redirect(c, "/account");
	else if (e)
		view_failure(c, e, "the way to log in");
	else if (may == REMOVAL_ONLY)
		view_trouble(c, 409, T(c, N_("This is your only way to log in")),
			     T(c, N_("Without it you could not log in any more. Please add another one first, then "
				     "remove this one.")),
			     T(c, N_("Back")), "/account");
	else if (may == REMOVAL_GOOD)
		view_trouble(
		    c, 409, T(c, N_("This is your only safe way to log in")),
		    T(c, N_("What you would have left is easier for others to misuse, so it cannot be removed. "
			    "For a new phone, please add the new app first, then remove this one.")),
		    T(c, N_("Back")), "/account");
	else if (c->post)
		view_redirect(c, "/account?n=removed");
	else
		authenticator_page(c, "remove", &a);
	authenticator_wipe(&a, 1);
}
