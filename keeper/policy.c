#include "config.h"

#include "keeper/policy.h"
#include <stdio.h>
#include <string.h>

bool policy_names(const char *list, const char *service)
{
	size_t n = strlen(service);
	for (const char *p = list; *p;) {
		p += strspn(p, " ");
		size_t w = strcspn(p, " ");
		if (w && w == n && !memcmp(p, service, n))
			return true;
		p += w;
	}
	return false;
}

int64_t policy_session_ends(const struct conf *conf, const struct session *s)
{
	int64_t kept = s->created + conf->session_keep;
	return s->kept && s->level == SESSION_FULL && kept < s->expires ? kept : s->expires;
}

/* Of a password whose age is not known it is known that it is no older than its owner's row. */
bool policy_password_due(const struct conf *c, const struct person *p, int64_t now)
{
	int64_t since = p->password_set ? p->password_set : p->created;
	return p->password[0] &&
	       (p->password_expired || (c->password_max_days && now - since >= c->password_max_days * 86400));
}

static enum err set_password(struct policy_pam *p, const char *value)
{
	static const struct {
		const char *word;
		enum policy_password value;
	} words[] = {{"ask", POLICY_ASK}, {"skip", POLICY_SKIP}, {"key", POLICY_KEY}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].word, value)) {
			p->password = words[i].value;
			return ERR_NONE;
		}
	return ERR_INVALID;
}

static enum err set_mailcode(struct policy_pam *p, const char *value)
{
	if (strcmp(value, "allowed") != 0 && strcmp(value, "last") != 0 && strcmp(value, "forbidden") != 0)
		return ERR_INVALID;
	p->mailcode = mailcode_policy_of(value);
	p->mailcode_given = true;
	return ERR_NONE;
}

static enum err set_prompt_by_method(struct policy_pam *p, const char *value)
{
	p->prompt_by_method = !strcmp(value, "yes");
	return p->prompt_by_method || !strcmp(value, "no") ? ERR_NONE : ERR_INVALID;
}

static enum err set_passkey(struct policy_pam *p, const char *value)
{
	static const struct {
		const char *word;
		enum policy_passkey value;
	} words[] = {{"forbidden", POLICY_PASSKEY_FORBIDDEN},
		     {"allowed", POLICY_PASSKEY_ALLOWED},
		     {"alone", POLICY_PASSKEY_ALONE}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].word, value)) {
			p->passkey = words[i].value;
			return ERR_NONE;
		}
	return ERR_INVALID;
}

static enum err set_qr(struct policy_pam *p, const char *value)
{
	static const char *const words[] = {
	    [QR_AUTO] = "auto", [QR_NONE] = "none", [QR_ASCII] = "ascii", [QR_UTF8] = "utf8"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i], value)) {
			p->qr = (enum qr_form)i;
			return ERR_NONE;
		}
	return ERR_INVALID;
}

enum policy_passkey policy_passkey(const struct conf *c, const struct policy_pam *p)
{
	if (p->passkey)
		return p->passkey;
	return c->passkey_pam && !strcmp(c->passkey_pam, "allowed") ? POLICY_PASSKEY_ALLOWED : POLICY_PASSKEY_FORBIDDEN;
}

static const struct {
	const char *name;
	const char *values; /* for the complaint */
	enum err (*set)(struct policy_pam *p, const char *value);
} options[] = {
    {"password", "ask, skip or key", set_password},	     {"mailcode", "allowed, last or forbidden", set_mailcode},
    {"passkey", "allowed, forbidden or alone", set_passkey}, {"qr", "auto, utf8, ascii or none", set_qr},
    {"prompt_by_method", "yes or no", set_prompt_by_method},
};
#define OPTIONS (sizeof options / sizeof *options)

static enum err option(struct policy_pam *p, bool *seen, const char *text, struct errmsg *why)
{
	size_t n = strcspn(text, "=");
	for (size_t i = 0; i < OPTIONS; i++) {
		if (strlen(options[i].name) != n || memcmp(options[i].name, text, n))
			continue;
		if (seen[i])
			return err_set(why, ERR_INVALID, "option %s= is given twice: keep one", options[i].name);
		seen[i] = true;
		if (!text[n] || options[i].set(p, text + n + 1))
			return err_set(why, ERR_INVALID, "option \"%s\": %s= takes %s", text, options[i].name,
				       options[i].values);
		return ERR_NONE;
	}
	return err_set(why, ERR_INVALID, "unknown option \"%s\": see pam_kosmo(8)", text);
}

enum err policy_pam_options(const struct wire_msg *m, struct policy_pam *ret, struct errmsg *why)
{
	struct policy_pam p = {.password = POLICY_ASK};
	bool seen[OPTIONS] = {false};
	for (int i = 0;; i++) {
		char name[16];
		snprintf(name, sizeof name, "opt.%d", i);
		const struct wire_field *f = wire_get(m, name);
		if (!f)
			break;
		const char *text = wire_str(m, name);
		enum err e =
		    text ? option(&p, seen, text, why) : err_set(why, ERR_INVALID, "an option holds a NUL byte");
		if (e)
			return e;
	}
	*ret = p;
	return ERR_NONE;
}
