/* kosmoctl user reissue: new initial passwords, in bulk. Each chunk's passwords are in the file and on disk before they
 * become valid, or letters in the same transaction; a chunk is one short transaction. */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "ctl/commands.h"
#include "ctl/passfile.h"
#include "ctl/person.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REISSUE_CHUNK 100

struct reissue_item {
	struct person p;
	char initial[PERSON_INITIAL];
};

struct reissue {
	struct ctl *c;
	const struct args *a;
	bool letters;
	struct passfile pass;
	struct errmsg m;
	char (*login)[LOGIN_MAX + 1]; /* those named; NULL: all unfinished */
	size_t n_login, cap_login;
	struct reissue_item item[REISSUE_CHUNK];
	size_t n;
};

/* ---- who ---- */

static enum ctl_exit reissue_name(struct reissue *x, const char *word)
{
	if (x->n_login == x->cap_login) {
		size_t cap = x->cap_login ? x->cap_login * 2 : 64;
		void *p = realloc(x->login, cap * sizeof *x->login);
		if (!p)
			return ctl_failed(ERR_NOMEM, "logins", NULL);
		x->login = p;
		x->cap_login = cap;
	}
	return ctl_login(word, x->login[x->n_login]) ? (x->n_login++, CTL_OK) : CTL_INPUT;
}

static enum ctl_exit reissue_file(struct reissue *x, const char *path)
{
	char *line = NULL;
	size_t cap = 0;
	enum ctl_exit r = CTL_OK;
	FILE *f = fopen(path, "re");
	if (!f)
		return ctl_input("%s: %s", path, strerror(errno));
	while (!r && getline(&line, &cap, f) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0])
			r = reissue_name(x, line);
	}
	if (!r && ferror(f))
		r = ctl_input("%s: %s", path, strerror(errno));
	free(line);
	(void)fclose(f);
	return r;
}

static int reissue_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum ctl_exit reissue_names(struct reissue *x)
{
	const char *const *v = x->a->value;
	if ((v[OPT_ALL_UNFINISHED] != NULL) + (v[OPT_FILE] != NULL) + (x->a->n_word > 0) != 1)
		return ctl_usage("user reissue: give either logins, --file or --all-unfinished");
	if (v[OPT_ALL_UNFINISHED] && v[OPT_REPLACE_OWN])
		return ctl_usage("user reissue: --all-unfinished has nobody with a password of their own to replace");
	enum ctl_exit r = v[OPT_FILE] ? reissue_file(x, v[OPT_FILE]) : CTL_OK;
	for (size_t i = 0; !r && i < x->a->n_word; i++)
		r = reissue_name(x, x->a->word[i]);
	if (r || v[OPT_ALL_UNFINISHED])
		return r;
	if (!x->n_login)
		return ctl_input("%s: it names nobody", v[OPT_FILE]);
	qsort(x->login, x->n_login, sizeof *x->login, reissue_order);
	size_t n = 1;
	for (size_t i = 1; i < x->n_login; i++)
		if (strcmp(x->login[i], x->login[n - 1]) != 0)
			memmove(x->login[n++], x->login[i], sizeof *x->login);
	x->n_login = n;
	return CTL_OK;
}

/* Everyone named exists and may get one, or nothing is done. */
static enum ctl_exit reissue_check(struct reissue *x)
{
	enum ctl_exit r = CTL_OK;
	for (size_t i = 0; i < x->n_login; i++) {
		struct person *p = &x->item[0].p;
		enum err e = store_person_by_login(x->c->st, x->login[i], p);
		if (e && e != ERR_NOTFOUND)
			return ctl_failed(e, x->login[i], NULL);
		if (e)
			r = ctl_input("%s: there is no such person", x->login[i]);
		else if (p->password[0] && !x->a->value[OPT_REPLACE_OWN])
			r = ctl_input("%s has a password of their own; --replace-own ends it", x->login[i]);
	}
	return r;
}

/* ---- a chunk ---- */

static bool reissue_wanted(const struct reissue *x, const struct person *p)
{
	if (x->a->value[OPT_ALL_UNFINISHED])
		return !p->password[0] && !p->disabled && (!p->expires || p->expires > clock_now());
	return !p->password[0] || x->a->value[OPT_REPLACE_OWN];
}

/* The chunk's people from where `*at` or `after` stand. *ret_end: there are no more. */
static enum err reissue_collect(struct reissue *x, size_t *at, char after[static LOGIN_MAX + 1], bool *ret_end)
{
	size_t n = 0;
	enum err e = ERR_NONE;
	x->n = 0;
	if (!x->login) {
		struct person *page = calloc(REISSUE_CHUNK, sizeof *page);
		if (!page)
			return ERR_NOMEM;
		e = store_person_page(x->c->st, after, page, REISSUE_CHUNK, &n);
		for (size_t i = 0; !e && i < n; i++)
			if (reissue_wanted(x, &page[i]))
				x->item[x->n++].p = page[i];
		if (!e && n)
			memcpy(after, page[n - 1].login, LOGIN_MAX + 1);
		for (size_t i = 0; i < REISSUE_CHUNK; i++)
			person_wipe(&page[i]);
		free(page);
		*ret_end = !n;
		return e;
	}
	for (; !e && x->n < REISSUE_CHUNK && *at < x->n_login; (*at)++, x->n++)
		e = store_person_by_login(x->c->st, x->login[*at], &x->item[x->n].p);
	*ret_end = *at == x->n_login;
	return e;
}

static enum err reissue_prepare(struct reissue *x)
{
	enum err e = ERR_NONE;
	int64_t now = clock_now();
	for (size_t i = 0; !e && i < x->n; i++) {
		struct reissue_item *it = &x->item[i];
		e = person_initial(x->c->seal, &it->p, now, it->initial);
		if (!e && !x->letters)
			e = passfile_add(&x->pass, it->p.login, it->p.name, it->initial, &x->m);
	}
	return e || !x->n || x->letters ? e : passfile_sync(&x->pass, &x->m);
}

/* [tx] The old letter may be in wrong hands. What somebody began with it ends: sessions, known devices and addresses,
 * mailed links and codes, which would still confirm that somebody's address, and a key that was shown but not
 * confirmed, which the wizard would show again. */
static enum err reissue_end(struct store *st, const struct id *person)
{
	struct authenticator a[AUTHENTICATORS_MAX];
	size_t n = 0;
	enum err e = store_session_end_all(st, person, NULL);
	if (!e)
		e = store_known_end_all(st, person);
	if (!e)
		e = store_code_void(st, person);
	if (!e)
		e = store_authenticators(st, person, a, AUTHENTICATORS_MAX, &n);
	for (size_t i = 0; !e && i < n; i++)
		if (!a[i].confirmed)
			e = store_authenticator_remove(st, person, &a[i].id);
	authenticator_wipe(a, n);
	return e;
}

/* [tx] As they are now, with the new password; who chose one of their own since we looked keeps it. */
static enum err reissue_one(struct reissue *x, const struct reissue_item *it)
{
	const struct person *with = &it->p;
	struct person p;
	enum err e = store_person_by_id(x->c->st, &with->id, &p);
	if (e == ERR_NOTFOUND)
		return ERR_NONE;
	if (!e && reissue_wanted(x, &p)) {
		p.has_initial = true;
		p.initial_used = false;
		p.initial_from = with->initial_from;
		memcpy(p.initial, with->initial, sizeof p.initial);
		person_set_password(&p, "", 0);
		e = store_person_save(x->c->st, &p);
		if (!e)
			e = reissue_end(x->c->st, &p.id);
		if (!e)
			e = x->letters ? person_letter(x->c, &p, it->initial) : store_letter_void(x->c->st, &p.id);
		if (!e)
			e = ctl_audit(x->c, &p.id, "user.reissue", "");
	}
	person_wipe(&p);
	return e;
}

static enum err reissue_write(struct reissue *x)
{
	enum err e = x->n ? ctl_begin(x->c) : ERR_NONE;
	if (e || !x->n)
		return e;
	for (size_t i = 0; !e && i < x->n; i++)
		e = reissue_one(x, &x->item[i]);
	if (!e)
		e = ctl_commit(x->c);
	ctl_rollback(x->c);
	return e;
}

static enum ctl_exit reissue_all(struct reissue *x)
{
	size_t at = 0, done = 0;
	char after[LOGIN_MAX + 1] = "";
	bool end = false;
	enum err e = ERR_NONE;
	ctl_catch_stop();
	while (!e && !end && !ctl_stopped()) {
		e = reissue_collect(x, &at, after, &end);
		if (!e)
			e = reissue_prepare(x);
		if (!e)
			e = reissue_write(x);
		if (!e)
			done += x->n;
	}
	if (done && x->letters)
		person_letters_say((int64_t)done);
	else if (done)
		(void)printf("%zu new initial password%s in %s: print and then delete it\n", done, done == 1 ? "" : "s",
			     x->pass.path);
	else if (!e && !ctl_stopped())
		(void)printf("nobody needs one\n");
	if (x->pass.rows > done)
		ctl_say("the last %zu in the file are void", x->pass.rows - done);
	if (e)
		return ctl_failed(e, "user reissue", &x->m);
	return end ? CTL_OK : ctl_failed(ERR_BUSY, "stopped", &(struct errmsg){"stopped; run it again for the rest"});
}

enum ctl_exit user_reissue(struct ctl *c, const struct args *a)
{
	struct errmsg m = {""};
	bool left = false;
	struct reissue *x = calloc(1, sizeof *x);
	if (!x)
		return ctl_failed(ERR_NOMEM, "user reissue", NULL);
	*x = (struct reissue){.c = c, .a = a, .letters = a->value[OPT_LETTERS], .pass = PASSFILE_NONE};
	enum ctl_exit r = reissue_names(x);
	if (!r && x->letters && a->value[OPT_PASSWORDS])
		r = ctl_usage("user reissue: --letters and --passwords exclude each other");
	if (!r)
		r = ctl_conf(c);
	if (!r && !x->letters && passfile_open(&x->pass, a->value[OPT_PASSWORDS], &m))
		r = ctl_failed(ERR_IO, "--passwords", &m);
	if (!r)
		r = ctl_store(c);
	if (!r)
		r = person_letters_ready(c, a);
	if (!r)
		r = reissue_check(x);
	if (!r)
		r = reissue_all(x);
	passfile_close(&x->pass, x->pass.rows > 0, &left);
	if (left)
		ctl_say("%s holds nothing of use; delete it", x->pass.path);
	free(x->login);
	secret_wipe(x, sizeof *x);
	free(x);
	return r;
}
