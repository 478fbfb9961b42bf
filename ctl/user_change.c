/* kosmoctl user add, set, disable, enable, expire, expire-password, delete: one person, one transaction, one audit row.
 */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "ctl/commands.h"
#include "ctl/import.h"
#include "ctl/passfile.h"
#include "ctl/person.h"
#include "ctl/syslogin.h"
#include "keeper/address.h"
#include "keeper/mail.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what the options say ---- */

/* --name and so on into a row, "" where not given. Says what is wrong. */
static enum ctl_exit user_change_options(const struct args *a, struct row *r)
{
	static const char none[] = "";
	const char *v[OPT__MAX], *why;
	for (int o = 0; o < OPT__MAX; o++)
		v[o] = a->value[o] ? a->value[o] : none;
	why = row_name(v[OPT_NAME], strlen(v[OPT_NAME]), r->name);
	if (!why)
		why = row_birth(v[OPT_BIRTH], strlen(v[OPT_BIRTH]), text_today(clock_now()), &r->birth);
	if (!why)
		why = row_email(v[OPT_EMAIL], strlen(v[OPT_EMAIL]), r->email);
	if (!why)
		why = row_role(v[OPT_ROLE], strlen(v[OPT_ROLE]), &r->role);
	if (!why)
		why = row_locale(v[OPT_LOCALE], strlen(v[OPT_LOCALE]), r->locale);
	return why ? ctl_input("%s", why) : CTL_OK;
}

/* --email-optional: -1 where not given. */
static enum ctl_exit user_change_optional(const struct args *a, int *ret)
{
	const char *v = a->value[OPT_EMAIL_OPTIONAL];
	if (v && strcmp(v, "yes") != 0 && strcmp(v, "no") != 0)
		return ctl_input("email-optional: it is neither yes nor no");
	*ret = v ? strcmp(v, "yes") == 0 : -1;
	return CTL_OK;
}

/* What a login must be for a role. */
static enum ctl_exit user_change_login(const struct args *a, const char *login, enum role role)
{
	struct syslogin s = {.args = a};
	if (role == ROLE_STAFF && !text_login_staff(login))
		return ctl_input("%s: staff logins have at most 32 of a-z 0-9 _ -, beginning with a letter or _",
				 login);
	if (syslogin_taken(&s, login, true))
		return ctl_input("%s: a system account has this login; --allow-system-login %s accepts it", login,
				 login);
	return CTL_OK;
}

/* A password from standard input: its first line. */
static enum ctl_exit user_change_stdin(struct buf *ret)
{
	char ch;
	ssize_t n;
	if (isatty(STDIN_FILENO))
		return ctl_usage("user add: --password-stdin reads no terminal; use a pipe or a file");
	while ((n = read(STDIN_FILENO, &ch, 1)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ctl_failed(ERR_IO, "standard input", NULL);
		if (ch == '\n')
			break;
		buf_addc(ret, ch);
		if (ret->failed || ret->len > 1024)
			return ctl_input("standard input: the line is too long");
	}
	secret_wipe(&ch, 1);
	if (ret->len && ret->data[ret->len - 1] == '\r')
		ret->data[--ret->len] = '\0';
	return ret->len ? CTL_OK : ctl_input("standard input: there is no password");
}

/* ---- add ---- */

static enum ctl_exit user_add_password(const struct args *a, size_t min, struct row *r)
{
	AUTO_BUF typed = BUF_INIT;
	char birth[11] = "";
	struct row *const one[] = {r};
	if (!a->value[OPT_PASSWORD_STDIN])
		return CTL_OK;
	enum ctl_exit x = user_change_stdin(&typed);
	if (x)
		return x;
	if (r->birth.year)
		text_date_iso(r->birth, birth);
	const char *const personal[] = {r->login, r->name, r->email, birth, NULL};
	const char *why = row_password((const char *)typed.data, typed.len, min, personal, r->password);
	if (why)
		return ctl_input("%s", why);
	enum err e = import_hash(one, 1);
	return e ? ctl_failed(e, "password", NULL) : CTL_OK;
}

/* The login, the options and the rules for new people. */
static enum ctl_exit user_add_row(const struct args *a, struct row *r)
{
	if (a->value[OPT_PASSWORDS] && a->value[OPT_PASSWORD_STDIN])
		return ctl_usage("user add: --passwords and --password-stdin exclude each other");
	if (a->value[OPT_LETTERS] && (a->value[OPT_PASSWORDS] || a->value[OPT_PASSWORD_STDIN]))
		return ctl_usage("user add: --letters goes with neither --passwords nor --password-stdin");
	if (!ctl_login(a->word[0], r->login))
		return CTL_INPUT;
	enum ctl_exit x = user_change_options(a, r);
	if (!x)
		x = user_change_login(a, r->login, r->role);
	if (!x && r->role != ROLE_STAFF && !r->birth.year)
		x = ctl_input("%s: a member needs a --birth-date", r->login);
	return x;
}

/* pass NULL: a letter waits instead. */
static enum ctl_exit user_add_store(struct ctl *c, const struct row *r, bool email_optional, struct passfile *pass)
{
	struct person p;
	char initial[PERSON_INITIAL];
	struct errmsg m = {""};
	enum err e = person_from_row(c->seal, r, clock_now(), &p, initial);
	p.email_optional = email_optional;
	if (!e && pass && initial[0])
		e = passfile_add(pass, p.login, p.name, initial, &m);
	if (!e && pass && initial[0])
		e = passfile_sync(pass, &m);
	if (!e)
		e = ctl_begin(c);
	if (!e)
		e = store_person_add(c->st, &p);
	if (!e && !pass && initial[0])
		e = person_letter(c, &p, initial);
	secret_wipe(initial, sizeof initial);
	if (!e)
		e = ctl_audit(c, &p.id, "user.add", person_role(p.role));
	if (!e)
		e = ctl_commit(c);
	ctl_rollback(c);
	/* Nobody to be seen, but the login is taken: by an import's people, who are not published yet. */
	bool hidden = e == ERR_EXISTS && store_person_by_login(c->st, r->login, &p) == ERR_NOTFOUND;
	person_wipe(&p);
	if (hidden) {
		ctl_say("%s: an import that is not through has this login; if none is running, import its file again",
			r->login);
		return CTL_BUSY;
	}
	if (e == ERR_EXISTS)
		return ctl_input("%s: this login is taken", r->login);
	return e ? ctl_failed(e, r->login, &m) : CTL_OK;
}

static void user_add_say(const struct row *row, const struct args *a, const struct passfile *pass)
{
	if (row->password[0] || a->value[OPT_LETTERS])
		(void)printf("%s: added\n", row->login);
	else
		(void)printf("%s: added; the initial password is in %s\n", row->login, pass->path);
	if (a->value[OPT_LETTERS])
		person_letters_say(1);
}

enum ctl_exit user_change_add(struct ctl *c, const struct args *a)
{
	struct row row = {0};
	struct errmsg m = {""};
	struct passfile pass = PASSFILE_NONE;
	bool left;
	int optional = -1;
	enum ctl_exit r = user_add_row(a, &row);
	if (!r)
		r = user_change_optional(a, &optional);
	if (!r)
		r = ctl_conf(c);
	if (!r)
		r = user_add_password(a, (size_t)c->conf->password_min, &row);
	if (!r && !row.password[0] && !a->value[OPT_LETTERS] && passfile_open(&pass, a->value[OPT_PASSWORDS], &m))
		r = ctl_failed(ERR_IO, "--passwords", &m);
	if (!r)
		r = ctl_store(c);
	if (!r)
		r = person_letters_ready(c, a);
	if (!r)
		r = user_add_store(c, &row, optional > 0, a->value[OPT_LETTERS] ? NULL : &pass);
	passfile_close(&pass, r == CTL_OK, &left);
	if (left)
		ctl_say("%s holds nothing of use; delete it", pass.path);
	if (!r)
		user_add_say(&row, a, &pass);
	row_wipe(&row);
	return r;
}

/* ---- changes ---- */

/* [tx] Changes the person and writes into what (64 bytes) what that was; leaves it empty where nothing was to change.
 */
typedef enum err user_change_fn(struct ctl *c, struct person *p, const void *arg, char *what);

static enum err user_change_tx(struct ctl *c, const char *login, const char *event, user_change_fn *fn, const void *arg,
			       char what[static 64])
{
	struct person p;
	enum err e = ctl_begin(c);
	if (!e)
		e = store_person_by_login(c->st, login, &p);
	if (!e)
		e = fn(c, &p, arg, what);
	if (!e && what[0])
		e = store_person_save(c->st, &p);
	if (!e && what[0])
		e = ctl_audit(c, &p.id, event, what);
	if (!e)
		e = ctl_commit(c);
	ctl_rollback(c);
	person_wipe(&p);
	return e;
}

static enum ctl_exit user_change(struct ctl *c, const char *word, const char *event, user_change_fn *fn,
				 const void *arg)
{
	char login[LOGIN_MAX + 1], what[64] = "";
	if (!ctl_login(word, login))
		return CTL_INPUT;
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (r)
		return r;
	enum err e = user_change_tx(c, login, event, fn, arg, what);
	if (e == ERR_NOTFOUND)
		return ctl_input("%s: there is no such person", login);
	if (e == ERR_INVALID)
		return ctl_input("%s: %s", login, what);
	if (e)
		return ctl_failed(e, login, NULL);
	(void)printf("%s: %s\n", login, what[0] ? what : "nothing to change");
	return CTL_OK;
}

struct user_set {
	const struct args *a;
	int email_optional; /* -1: as it is */
	struct row row;
};

static bool user_set_text(const char *given, char *mine, const char *now, size_t n)
{
	if (!given || strcmp(mine, now) == 0)
		return false;
	memcpy(mine, now, n);
	return true;
}

/* As if the person had changed it: the address of before hears of it, and may say that it was not its owner. */
static enum err user_set_farewell(struct ctl *c, const struct person *p, const char *former)
{
	struct keeper k = {.conf = c->conf, .seal = c->seal};
	bool mailed = false;
	return address_farewell(&k, c->st, p, former, clock_now(), &mailed);
}

static enum err user_set_fn(struct ctl *c, struct person *p, const void *arg, char *what)
{
	const struct user_set *s = arg;
	const char *const *v = s->a->value;
	const struct row *r = &s->row;
	bool birth = v[OPT_BIRTH] && (p->birth.year != r->birth.year || p->birth.month != r->birth.month ||
				      p->birth.day != r->birth.day);
	bool role = r->role && r->role != p->role;
	if (role && r->role == ROLE_STAFF && !text_login_staff(p->login)) {
		(void)snprintf(what, 64, "this login cannot be a staff login");
		return ERR_INVALID;
	}
	bool name = user_set_text(v[OPT_NAME], p->name, r->name, sizeof p->name);
	bool locale = user_set_text(v[OPT_LOCALE], p->locale, r->locale, sizeof p->locale);
	char former[EMAIL_MAX + 1];
	memcpy(former, p->email, sizeof former);
	bool email = user_set_text(v[OPT_EMAIL], p->email, r->email, sizeof p->email);
	bool optional = s->email_optional >= 0 && p->email_optional != (bool)s->email_optional;
	if (optional)
		p->email_optional = s->email_optional;
	bool farewell = email && p->email_verified;
	if (birth)
		p->birth = r->birth;
	if ((birth || role) && (role ? r->role : p->role) == ROLE_MEMBER && !p->birth.year) {
		(void)snprintf(what, 64, "a member needs a birth date");
		return ERR_INVALID;
	}
	if (email)
		p->email_verified = false;
	if (role)
		p->role = r->role;
	if (name || birth || email || optional || role || locale)
		(void)snprintf(what, 64, "changed%s%s%s%s%s%s", name ? " name" : "", birth ? " birth_date" : "",
			       email ? " email" : "", optional ? " email_optional" : "", role ? " role" : "",
			       locale ? " locale" : "");
	/* A link on its way to the old address would make that one the person's again. */
	enum err e = email ? store_code_void(c->st, &p->id) : ERR_NONE;
	if (!e && farewell)
		e = user_set_farewell(c, p, former);
	/* Another role is another person to the requirements: everything open begins anew. */
	return !e && role ? store_session_end_all(c->st, &p->id, NULL) : e;
}

enum ctl_exit user_change_set(struct ctl *c, const struct args *a)
{
	static const enum args_option settable[] = {OPT_NAME,		OPT_BIRTH, OPT_EMAIL,
						    OPT_EMAIL_OPTIONAL, OPT_ROLE,  OPT_LOCALE};
	struct user_set s = {.a = a};
	char login[LOGIN_MAX + 1];
	bool any = false;
	for (size_t i = 0; i < sizeof settable / sizeof *settable; i++)
		any |= a->value[settable[i]] != NULL;
	if (!any)
		return ctl_usage("user set: nothing to set is given; see kosmoctl user set --help");
	if (a->value[OPT_ROLE] && !a->value[OPT_ROLE][0])
		return ctl_input("role: it is neither member nor staff");
	enum ctl_exit r = user_change_options(a, &s.row);
	if (!r)
		r = user_change_optional(a, &s.email_optional);
	if (!r && !ctl_login(a->word[0], login))
		r = CTL_INPUT;
	if (!r && s.row.role == ROLE_STAFF)
		r = user_change_login(a, login, s.row.role);
	return r ? r : user_change(c, a->word[0], "user.set", user_set_fn, &s);
}

static enum err user_disable_fn(struct ctl *c, struct person *p, const void *arg, char *what)
{
	(void)arg;
	if (p->disabled)
		return ERR_NONE;
	p->disabled = true;
	(void)snprintf(what, 64, "disabled");
	enum err e = store_code_void(c->st, &p->id);
	if (!e)
		e = store_known_end_all(c->st, &p->id);
	return e ? e : store_session_end_all(c->st, &p->id, NULL);
}

enum ctl_exit user_change_disable(struct ctl *c, const struct args *a)
{
	return user_change(c, a->word[0], "user.disable", user_disable_fn, NULL);
}

/* Disabled by the admin, or frozen by the owner of the former address: whose it is, the admin has found out. */
static enum err user_enable_fn(struct ctl *c, struct person *p, const void *arg, char *what)
{
	const bool put_back = *(const bool *)arg, frozen = p->frozen != 0;
	char former[EMAIL_MAX + 1];
	struct keeper k = {.conf = c->conf, .seal = c->seal};
	bool mailed = false;
	enum err e = put_back ? address_former(c->st, p, clock_now(), former) : ERR_NONE;
	if (e == ERR_NOTFOUND) {
		(void)snprintf(what, 64, "there is no former address to be put back");
		return ERR_INVALID;
	}
	if (e || (!p->disabled && !frozen))
		return e;
	p->disabled = false;
	p->frozen = 0;
	(void)snprintf(what, 64, "enabled%s", put_back ? ", with the former email address" : "");
	if (put_back) {
		memcpy(p->email, former, sizeof p->email);
		p->email_verified = true;
		e = mail_notice(&k, c->st, p, NULL, MAIL_ADDRESS_NEW, NULL, NULL, clock_now(), &mailed);
	}
	return !e && frozen ? store_code_void(c->st, &p->id) : e;
}

enum ctl_exit user_change_enable(struct ctl *c, const struct args *a)
{
	const bool put_back = a->value[OPT_FORMER_EMAIL] != NULL;
	return user_change(c, a->word[0], "user.enable", user_enable_fn, &put_back);
}

struct user_expire {
	int64_t at; /* 0: never */
	char text[11];
};

static enum err user_expire_fn(struct ctl *c, struct person *p, const void *arg, char *what)
{
	const struct user_expire *x = arg;
	if (p->expires == x->at)
		return ERR_NONE;
	p->expires = x->at;
	(void)snprintf(what, 64, "expires %s", x->at ? x->text : "never");
	return x->at && x->at <= clock_now() ? store_session_end_all(c->st, &p->id, NULL) : ERR_NONE;
}

enum ctl_exit user_change_expire(struct ctl *c, const struct args *a)
{
	static const struct date any = {.year = 9999, .month = 12, .day = 31};
	struct user_expire x = {0};
	struct date d;
	const char *word = a->word[1];
	if (strcmp(word, "never") != 0) {
		if (text_birth_date(word, strlen(word), any, &d) != DATE_OK || d.year < 1971)
			return ctl_input("the date cannot be understood; write it as 2030-03-31, or never");
		x.at = text_midnight(d);
		text_date_iso(d, x.text);
	}
	return user_change(c, a->word[0], "user.expire", user_expire_fn, &x);
}

static enum err user_expire_password_fn(struct ctl *c, struct person *p, const void *arg, char *what)
{
	bool expired = *(const bool *)arg;
	(void)c;
	if (expired && !p->password[0]) {
		(void)snprintf(what, 64, "there is no password of their own");
		return ERR_INVALID;
	}
	if (p->password_expired == expired)
		return ERR_NONE;
	p->password_expired = expired;
	(void)snprintf(what, 64, "the password %s", expired ? "must be changed at the next login" : "may stay");
	return ERR_NONE;
}

enum ctl_exit user_change_expire_password(struct ctl *c, const struct args *a)
{
	const bool expired = !a->value[OPT_UNDO];
	return user_change(c, a->word[0], expired ? "user.expire-password" : "user.keep-password",
			   user_expire_password_fn, &expired);
}

/* ---- delete ---- */

static bool user_delete_asked(const char *login)
{
	char line[16] = "";
	(void)fprintf(stderr, "Delete %s and all that is theirs? Type yes: ", login);
	(void)fflush(stderr);
	return fgets(line, sizeof line, stdin) && strcmp(line, "yes\n") == 0;
}

enum ctl_exit user_change_delete(struct ctl *c, const struct args *a)
{
	struct person p;
	char login[LOGIN_MAX + 1];
	if (!ctl_login(a->word[0], login))
		return CTL_INPUT;
	if (!a->value[OPT_YES] && !isatty(STDIN_FILENO))
		return ctl_usage("user delete: --yes is needed where nobody can be asked");
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (r)
		return r;
	enum err e = store_person_by_login(c->st, login, &p);
	if (!e && !a->value[OPT_YES] && !user_delete_asked(login)) {
		person_wipe(&p);
		return ctl_input("%s: not deleted", login);
	}
	if (!e)
		e = ctl_begin(c);
	if (!e)
		e = store_person_delete(c->st, &p.id);
	if (!e)
		e = ctl_audit(c, &p.id, "user.delete", login);
	if (!e)
		e = ctl_commit(c);
	ctl_rollback(c);
	person_wipe(&p);
	if (e == ERR_NOTFOUND)
		return ctl_input("%s: there is no such person", login);
	if (e)
		return ctl_failed(e, login, NULL);
	(void)printf("%s: deleted\n", login);
	return CTL_OK;
}
