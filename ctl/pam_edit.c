#include "config.h"

#include "ctl/pam_edit.h"
#include "ctl/pamconf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char edit_begin[] = "# kosmoctl pam enable: begin\n", edit_end[] = "# kosmoctl pam enable: end\n";

const char *const pam_edit_with[PAM_EDIT_WITH] = {"password+code", "key+code", "caller"};

/* As in pam_kosmo(8) and dist/pam.d. */
static void edit_auth(const struct pam_edit *e, struct buf *b)
{
	buf_adds(b, edit_begin);
	if (e->with == PAM_EDIT_KEY)
		buf_addf(b, "auth     [success=done ignore=ignore default=die] %s password=skip%s\n", e->module,
			 e->args);
	else
		buf_addf(b, "auth     [success=done user_unknown=ignore default=die] %s%s\n", e->module, e->args);
	if (e->with == PAM_EDIT_CALLER)
		buf_addf(b,
			 "auth     requisite  pam_wheel.so group=%s use_uid\n"
			 "auth     [success=done default=die] %s person=caller%s\n",
			 e->group, e->module, e->args);
	buf_adds(b, edit_end);
}

static void edit_account(const struct pam_edit *e, struct buf *b)
{
	buf_addf(b, "%saccount  required   %s%s\n%s", edit_begin, e->module, e->args, edit_end);
}

static void edit_password(const struct pam_edit *e, struct buf *b)
{
	buf_addf(b, "%spassword [success=done ignore=ignore default=die] %s%s\n%s", edit_begin, e->module, e->args,
		 edit_end);
}

static size_t edit_line(const char *p)
{
	size_t n = strcspn(p, "\n");
	return n + (p[n] == '\n');
}

/* Line numbers of the service's own file: before which one each group goes; 0: there is none. */
struct edit_places {
	unsigned auth, account, password;
};

static enum err edit_places(const struct pam_edit *e, const struct pamconf *c, struct edit_places *ret,
			    struct errmsg *m)
{
	unsigned auth = 0, account = 0, password = 0;
	for (size_t i = 0; i < c->n; i++) {
		const struct pamconf_line *l = &c->line[i];
		if (pamconf_is_kosmo(l))
			return err_set(m, ERR_EXISTS, "%s/%s: pam_kosmo is in it already (%s:%u)", e->folder,
				       e->service, l->file, l->line);
		if (l->type == PAMCONF_AUTH && !auth && pamconf_role(l) == PAMCONF_CHECKS)
			auth = l->top;
		if (l->type == PAMCONF_ACCOUNT && !account)
			account = l->top;
		if (l->type == PAMCONF_PASSWORD && !password)
			password = l->top;
	}
	for (size_t i = 0; i < c->n; i++)
		/* whatever comes in between would be counted too */
		if (c->line[i].type == PAMCONF_AUTH && c->line[i].top < auth && pamconf_jumps(&c->line[i]))
			return err_set(
			    m, ERR_INVALID,
			    "%s/%s:%u: this control counts lines; put pam_kosmo's there by hand (pam_kosmo(8))",
			    e->folder, e->service, c->line[i].line);
	if (!auth)
		return err_set(m, ERR_INVALID,
			       "%s/%s: no auth line asks for a password; a stack like this is not known", e->folder,
			       e->service);
	*ret = (struct edit_places){auth, account, password};
	return ERR_NONE;
}

enum err pam_edit_enable(const struct pam_edit *e, struct buf *ret, struct errmsg *m)
{
	struct pamconf c;
	struct edit_places at = {0};
	unsigned n = 0;
	enum err r = pamconf_read(e->folder, e->service, &c, m);
	if (!r)
		r = edit_places(e, &c, &at, m);
	pamconf_free(&c);
	if (r)
		return r;
	for (const char *p = e->text; *p; p += edit_line(p)) {
		n++;
		if (n == at.auth)
			edit_auth(e, ret);
		if (n == at.account)
			edit_account(e, ret);
		if (n == at.password)
			edit_password(e, ret);
		buf_add(ret, p, edit_line(p));
	}
	if (ret->len && ret->data[ret->len - 1] != '\n')
		buf_addc(ret, '\n');
	if (!at.account)
		buf_addf(ret, "%saccount  required   %s%s\n@include common-account\n%s", edit_begin, e->module, e->args,
			 edit_end);
	if (!at.password)
		buf_addf(ret, "%spassword [success=done ignore=ignore default=die] %s%s\n@include common-password\n%s",
			 edit_begin, e->module, e->args, edit_end);
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}

static bool edit_kosmo(const char *p, size_t n)
{
	struct pamconf_words w;
	bool is = false;
	if (!pamconf_split(p, n, &w))
		return false;
	if (w.n > 2) {
		const struct pamconf_line l = {.module = w.word[2]};
		is = pamconf_is_kosmo(&l);
	}
	pamconf_words_free(&w);
	return is;
}

/* Lines that somebody wrote without the marks: taking them away must not change what the others mean. */
static enum err edit_alone(const struct pam_edit *e, struct errmsg *m)
{
	struct pamconf c;
	bool jump[PAMCONF_TYPES] = {false}, checks = false;
	enum err r = pamconf_read(e->folder, e->service, &c, m);
	for (size_t i = 0; !r && i < c.n; i++) {
		const struct pamconf_line *l = &c.line[i];
		if (!pamconf_is_kosmo(l)) {
			checks |= l->type == PAMCONF_AUTH && pamconf_role(l) == PAMCONF_CHECKS;
			jump[l->type] |= pamconf_jumps(l) && strcmp(l->file, e->service) == 0;
			continue;
		}
		if (strcmp(l->file, e->service) != 0)
			r = err_set(m, ERR_INVALID, "%s:%u: pam_kosmo comes in from another file; take it out there",
				    l->file, l->line);
		else if (pamconf_jumps(l) || jump[l->type])
			r = err_set(m, ERR_INVALID, "%s:%u: a control counts lines here; take pam_kosmo out by hand",
				    l->file, l->line);
	}
	if (!r && !checks)
		r = err_set(m, ERR_INVALID,
			    "%s/%s: without pam_kosmo no auth line would ask for a password; put another one in first, "
			    "\"@include common-auth\"",
			    e->folder, e->service);
	pamconf_free(&c);
	return r;
}

enum err pam_edit_disable(const struct pam_edit *e, struct buf *ret, struct errmsg *m)
{
	bool inside = false, some = false;
	enum err r = edit_alone(e, m);
	if (r)
		return r;
	for (const char *p = e->text; *p; p += edit_line(p)) {
		size_t n = edit_line(p);
		if (n == sizeof edit_begin - 1 && memcmp(p, edit_begin, n) == 0) {
			inside = some = true;
		} else if (n == sizeof edit_end - 1 && memcmp(p, edit_end, n) == 0) {
			inside = false;
		} else if (!inside && edit_kosmo(p, n)) {
			some = true;
			if (n > 1 && p[n - 2] == '\\')
				return err_set(m, ERR_INVALID,
					       "%s/%s: a line of pam_kosmo goes on in the next; take it out by hand",
					       e->folder, e->service);
		} else if (!inside) {
			buf_add(ret, p, n);
		}
	}
	if (inside)
		return err_set(m, ERR_INVALID,
			       "%s/%s: the mark at the end of what kosmoctl wrote is gone; take it out by hand",
			       e->folder, e->service);
	if (!some)
		return err_set(m, ERR_NOTFOUND, "%s/%s: pam_kosmo is not in it", e->folder, e->service);
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}

void pam_edit_show(const char *before, const char *after)
{
	bool more = strlen(after) >= strlen(before);
	const char *longer = more ? after : before, *shorter = more ? before : after;
	for (; *longer; longer += edit_line(longer)) {
		size_t n = edit_line(longer);
		if (edit_line(shorter) == n && memcmp(longer, shorter, n) == 0)
			shorter += n;
		else
			(void)printf("%c %.*s\n", more ? '+' : '-', (int)strcspn(longer, "\n"), longer);
	}
}
