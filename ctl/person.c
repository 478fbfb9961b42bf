#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "ctl/person.h"
#include "keeper/enrol.h"
#include <inttypes.h>
#include <string.h>

const char *person_role(enum role r)
{
	return r == ROLE_STAFF ? "staff" : "member";
}

const char *person_method(enum factor_kind k)
{
	switch (k) {
	case FACTOR_TOTP:
		return "app";
	case FACTOR_RECOVERY:
		return "recovery";
	case FACTOR_MAILCODE:
		return "mail";
	case FACTOR_PASSKEY:
		return "passkey";
	case FACTOR_NONE:
		break;
	}
	return "none";
}

const char *person_state(const struct person *p, const struct conf *c, int64_t now)
{
	if (p->disabled)
		return "disabled";
	if (p->frozen)
		return "frozen";
	if (p->expires && now >= p->expires)
		return "expired";
	if (p->password[0])
		return "active";
	if (!p->has_initial)
		return "nopassword";
	if (now >= enrol_letter_ends(c, p))
		return "lapsed";
	return p->initial_used ? "begun" : "waiting";
}

enum err person_initial(const struct seal *seal, struct person *p, int64_t now, char ret[static PERSON_INITIAL])
{
	uint8_t digest[DIGEST_LEN];
	char text[PERSON_INITIAL];
	enum err e = password_initial(text);
	if (!e)
		e = password_initial_digest(seal, &p->id, text, strlen(text), digest);
	if (!e) {
		memcpy(p->initial, digest, sizeof digest);
		p->has_initial = true;
		p->initial_used = false;
		p->initial_from = now;
		memcpy(ret, text, sizeof text);
	}
	secret_wipe(text, sizeof text);
	return e;
}

enum err person_from_row(const struct seal *seal, const struct row *r, int64_t now, struct person *ret,
			 char initial[static PERSON_INITIAL])
{
	struct person p = {.role = r->role ? r->role : ROLE_MEMBER, .birth = r->birth, .created = now};
	enum err e = id_new(&p.id);
	initial[0] = '\0';
	if (!e && !r->password[0])
		e = person_initial(seal, &p, now, initial);
	if (!e) {
		memcpy(p.login, r->login, sizeof p.login);
		memcpy(p.name, r->name, sizeof p.name);
		memcpy(p.email, r->email, sizeof p.email);
		memcpy(p.locale, r->locale, sizeof p.locale);
		person_set_password(&p, r->password, now);
		p.method = r->totp_len ? FACTOR_TOTP : FACTOR_NONE;
		*ret = p;
	}
	person_wipe(&p);
	return e;
}

enum ctl_exit person_letters_ready(const struct ctl *c, const struct args *a)
{
	if (!a->value[OPT_LETTERS] || store_has_letters(c->st))
		return CTL_OK;
	ctl_say("--letters needs the present schema of the database: run kosmoctl store upgrade");
	return CTL_FAILED;
}

void person_letters_say(int64_t n)
{
	(void)printf("%" PRId64 " letter%s to be printed: kosmoctl letters --pdf FILE\n", n,
		     n == 1 ? " waits" : "s wait");
}

enum err person_letter(const struct ctl *c, const struct person *p, const char *initial)
{
	return store_letter_put(c->st, &p->id, initial, enrol_letter_ends(c->conf, p));
}

enum err person_add_totp(const struct ctl *c, const struct row *r, const struct person *p)
{
	struct authenticator a = {.person = p->id,
				  .kind = FACTOR_TOTP,
				  .confirmed = true,
				  .algorithm = 1,
				  .digits = 6,
				  .period = 30,
				  .secret_len = r->totp_len,
				  .last_step = -1,
				  .created = p->created};
	if (!r->totp_len)
		return ERR_NONE;
	enum err e = id_new(&a.id);
	memcpy(a.secret, r->totp, r->totp_len);
	snprintf(a.name, sizeof a.name, "%s",
		 i18n(p->locale[0] ? p->locale : c->conf->language, "My authenticator app"));
	if (!e)
		e = store_authenticator_add(c->st, &a);
	authenticator_wipe(&a, 1);
	return e;
}
