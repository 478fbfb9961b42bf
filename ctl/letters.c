/* kosmoctl letters: what waits to be printed, as a PDF or for a print house. A letter leaves the store only once the
 * file is whole and on disk: after a crash in between it is printed again, and none is lost. */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "ctl/commands.h"
#include "ctl/json.h"
#include "ctl/letter_site.h"
#include "ctl/letters_out.h"
#include "ctl/passfile.h"
#include "ctl/person.h"
#include "ctl/progress.h"
#include "keeper/enrol.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS_PAGE 200 /* read at a time, and taken in a transaction */
#define LETTERS_SAID 20	 /* that are left out and named */

enum letters_fate { LETTERS_PRINT, LETTERS_VOID, LETTERS_LATER };

/* One that the file holds, or that is void. */
struct letters_taken {
	struct id person, id;
	bool printed, left;
};

struct letters {
	struct ctl *c;
	const struct args *a;
	const char *path; /* NULL: they are only counted */
	bool csv;
	struct passfile file;
	struct letters_out out;
	struct errmsg m;
	struct progress bar;
	struct letters_taken *taken;
	size_t n, cap;
	bool whole; /* the file is on disk */
	int64_t printed, lapsed, later, left, looked;
	char url[1024];
};

/* ---- what stands on one ---- */

static enum err letters_csv(struct letters *x, const struct letters_row *r, int64_t ends)
{
	char until[11];
	static const char *const head[] = {"login",	  "name",	 "initial_password", "login_page",
					   "page_for_qr", "valid_until", "language"};
	enum err e = ERR_NONE;
	if (!x->file.rows) {
		passfile_bom(&x->file);
		e = passfile_line(&x->file, head, sizeof head / sizeof *head, &x->m);
	}
	text_date_iso(text_today(ends - 1), until);
	const char *const cells[] = {r->login, r->name, r->password, r->url, r->link, until, r->lang};
	return e ? e : passfile_line(&x->file, cells, sizeof cells / sizeof *cells, &x->m);
}

static enum err letters_write(struct letters *x, const struct person *p, const char *password, int64_t ends)
{
	const char *lang = x->a->value[OPT_LANG];
	char valid[ENROL_TEXT], link[sizeof x->url + LOGIN_MAX + 8];
	if (!lang)
		lang = p->locale[0] ? p->locale : x->c->conf->language;
	enrol_day(lang, ends, valid);
	(void)snprintf(link, sizeof link, "%s?id=%s", x->url, p->login);
	const struct letters_row r = {.lang = lang,
				      .name = p->name[0] ? p->name : p->login,
				      .login = p->login,
				      .password = password,
				      .url = x->url,
				      .link = link,
				      .valid = valid};
	return x->csv ? letters_csv(x, &r, ends) : letters_out_add(&x->out, (int64_t)x->n, &r, &x->m);
}

/* ---- which ---- */

/* A letter whose password is none any more is not printed, whoever put it there. */
static enum err letters_fate(const struct letters *x, const struct person *p, const struct store_letter *l,
			     const struct enrol *until, enum letters_fate *ret)
{
	int64_t now = clock_now();
	uint8_t digest[DIGEST_LEN];
	enum err e = password_initial_digest(x->c->seal, &p->id, l->text, strlen(l->text), digest);
	if (e)
		return e;
	if (p->password[0] || !p->has_initial || now >= enrol_letter_ends(x->c->conf, p) ||
	    !secret_equal(digest, sizeof digest, p->initial, sizeof p->initial))
		*ret = LETTERS_VOID;
	else
		*ret = p->disabled || p->frozen || (p->expires && p->expires <= now) || enrol_late(until, now)
			   ? LETTERS_LATER
			   : LETTERS_PRINT;
	return ERR_NONE;
}

static enum err letters_note(struct letters *x, const struct store_letter *l, bool printed)
{
	if (x->n == x->cap) {
		size_t cap = x->cap ? x->cap * 2 : 256;
		void *p = realloc(x->taken, cap * sizeof *x->taken);
		if (!p)
			return ERR_NOMEM;
		x->taken = p;
		x->cap = cap;
	}
	x->taken[x->n++] = (struct letters_taken){.person = l->person, .id = l->id, .printed = printed};
	return ERR_NONE;
}

static enum err letters_one(struct letters *x, const struct store_letter *l)
{
	struct person p;
	struct enrol until = {0, 0};
	enum letters_fate fate = LETTERS_LATER;
	enum err e = store_person_by_id(x->c->st, &l->person, &p);
	if (e == ERR_NOTFOUND)
		return ERR_NONE; /* deleted meanwhile */
	if (!e)
		e = enrol_load(x->c->st, x->c->conf, &p, &until);
	if (!e)
		e = letters_fate(x, &p, l, &until, &fate);
	if (!e && fate == LETTERS_PRINT && x->path)
		e = letters_write(x, &p, l->text, enrol_next(&until));
	if (!e && x->path && fate != LETTERS_LATER)
		e = letters_note(x, l, fate == LETTERS_PRINT);
	if (!e) {
		x->printed += fate == LETTERS_PRINT;
		x->lapsed += fate == LETTERS_VOID;
		x->later += fate == LETTERS_LATER;
	}
	person_wipe(&p);
	return e;
}

static enum err letters_all(struct letters *x)
{
	char after[LOGIN_MAX + 1] = "";
	size_t n = 1;
	enum err e = ERR_NONE;
	struct store_letter *l = calloc(LETTERS_PAGE, sizeof *l);
	if (!l)
		return ERR_NOMEM;
	while (!e && n && !ctl_stopped()) {
		e = store_letter_page(x->c->st, after, l, LETTERS_PAGE, &n);
		for (size_t i = 0; !e && i < n && !ctl_stopped(); i++) {
			e = letters_one(x, &l[i]);
			progress_at(&x->bar, ++x->looked);
		}
		if (!e && n)
			memcpy(after, l[n - 1].login, sizeof after);
		store_letters_wipe(l, LETTERS_PAGE);
	}
	free(l);
	return e;
}

/* Named before, in whatever letters: one sheet a person. */
static bool letters_again(const struct args *a, size_t n, const char *login)
{
	char other[LOGIN_MAX + 1];
	for (size_t i = 0; i < n; i++)
		if (ctl_login(a->word[i], other) && strcmp(other, login) == 0)
			return true;
	return false;
}

/* Those named: each exists and has one, or nothing is done. */
static enum ctl_exit letters_named(struct letters *x)
{
	enum ctl_exit r = CTL_OK;
	for (int write = 0; !r && write < 2; write++)
		for (size_t i = 0; i < x->a->n_word && (!write || !r) && !ctl_stopped(); i++) {
			char login[LOGIN_MAX + 1];
			struct store_letter l;
			struct person p;
			if (!ctl_login(x->a->word[i], login))
				return CTL_INPUT;
			if (letters_again(x->a, i, login))
				continue;
			enum err e = store_person_by_login(x->c->st, login, &p);
			if (e == ERR_NOTFOUND) {
				r = ctl_input("%s: there is no such person", login);
				continue;
			}
			if (!e)
				e = store_letter_of(x->c->st, &p.id, &l);
			if (e == ERR_NOTFOUND)
				r = ctl_input("%s: no letter waits; kosmoctl user reissue --letters makes one", login);
			else if (!e && write)
				e = letters_one(x, &l);
			store_letters_wipe(&l, 1);
			person_wipe(&p);
			if (e && e != ERR_NOTFOUND)
				return ctl_failed(e, login, &x->m);
		}
	return r;
}

/* ---- the end ---- */

static void letters_left(void *arg, int64_t n, const char *why)
{
	struct letters *x = arg;
	struct person p = {.login = ""};
	if (n < 0 || (size_t)n >= x->n)
		return;
	x->taken[n].left = true;
	x->printed--;
	progress_clear(&x->bar);
	if (x->left++ >= LETTERS_SAID)
		return;
	if (x->c->st && !store_person_by_id(x->c->st, &x->taken[n].person, &p))
		ctl_say("%s: not printed: %s", p.login, why);
	else
		ctl_say("not printed: %s", why);
	person_wipe(&p);
}

/* [tx] */
static enum err letters_forget(struct letters *x, size_t from, size_t to)
{
	enum err e = ERR_NONE;
	for (size_t i = from; !e && i < to; i++) {
		const struct letters_taken *t = &x->taken[i];
		if (t->left)
			continue;
		e = store_letter_taken(x->c->st, &(struct store_letter){.person = t->person, .id = t->id});
		if (!e && t->printed)
			e = ctl_audit(x->c, &t->person, "letter.taken", x->csv ? "csv" : "pdf");
	}
	return e;
}

static enum err letters_take(struct letters *x)
{
	enum err e = ERR_NONE;
	for (size_t at = 0; !e && at < x->n; at += LETTERS_PAGE) {
		e = ctl_begin(x->c);
		if (!e)
			e = letters_forget(x, at, at + LETTERS_PAGE < x->n ? at + LETTERS_PAGE : x->n);
		if (!e)
			e = ctl_commit(x->c);
		ctl_rollback(x->c);
	}
	return e;
}

static enum err letters_whole(struct letters *x)
{
	enum err e = x->csv ? ERR_NONE : letters_out_end(&x->out, letters_left, x, &x->m);
	if (!e && x->printed)
		e = passfile_sync(&x->file, &x->m);
	x->whole = !e && x->printed;
	return e;
}

static void letters_say_json(const struct letters *x)
{
	struct json j = {.f = stdout};
	json_object(&j, NULL);
	if (x->path)
		json_str(&j, "file", x->printed ? x->path : NULL);
	json_int(&j, x->path ? "printed" : "waiting", x->printed);
	if (x->path)
		json_int(&j, "not_printed", x->left);
	json_int(&j, "held", x->later);
	json_int(&j, "void", x->lapsed);
	json_end(&j, '}');
}

static void letters_say(const struct letters *x)
{
	if (x->c->json) {
		letters_say_json(x);
		return;
	}
	if (x->path && x->printed)
		(void)printf("%" PRId64 " letter%s in %s: print and then delete it\n", x->printed,
			     x->printed == 1 ? "" : "s", x->path);
	else if (!x->path && x->printed)
		(void)printf("%" PRId64 " letter%s to be printed: kosmoctl letters --pdf FILE\n", x->printed,
			     x->printed == 1 ? " waits" : "s wait");
	else
		(void)printf("no letter waits\n");
	if (x->left)
		(void)printf("%" PRId64 " not printed, and waiting on\n", x->left);
	if (x->later)
		(void)printf("%" PRId64
			     " waiting on for people who are disabled, frozen, expired or past their deadline\n",
			     x->later);
	if (x->lapsed)
		(void)printf("%" PRId64 " void: the password is used up, replaced or too old\n", x->lapsed);
}

static enum ctl_exit letters_count(struct letters *x)
{
	enum err e = letters_all(x);
	if (e)
		return ctl_failed(e, "letters", &x->m);
	letters_say(x);
	return CTL_OK;
}

static enum ctl_exit letters_print(struct letters *x)
{
	int64_t total = (int64_t)x->a->n_word;
	enum ctl_exit r = CTL_OK;
	enum err e = x->csv ? ERR_NONE : letters_out_house(&x->out, x->c->conf, &x->m);
	if (!e && !total)
		e = store_letter_count(x->c->st, &total);
	progress_begin(&x->bar, "letters", total);
	if (!e && x->a->n_word)
		r = letters_named(x);
	else if (!e)
		e = letters_all(x);
	if (!e && !r && !ctl_stopped())
		e = letters_whole(x);
	progress_end(&x->bar);
	if (!e && !r && ctl_stopped())
		return ctl_failed(ERR_BUSY, "stopped", &(struct errmsg){"stopped; all letters wait on"});
	if (r || e)
		return r ? r : ctl_failed(e, x->path, &x->m);
	e = letters_take(x);
	if (e)
		ctl_say("%s is whole, but not all of its letters could be taken out of the store: they wait on, too",
			x->path);
	letters_say(x);
	return e ? ctl_failed(e, x->c->conf->state_dir, &x->m) : x->left ? CTL_FAILED : CTL_OK;
}

/* ---- to look at ---- */

static enum ctl_exit letters_sample(struct letters *x)
{
	const char *only = x->a->value[OPT_LANG];
	struct person p = {.login = "hanako.yamada"};
	p.has_initial = true;
	p.initial_from = clock_now();
	struct enrol until;
	enrol_of(x->c->conf, &p, 0, &until);
	enum err e = x->csv ? ERR_NONE : letters_out_house(&x->out, x->c->conf, &x->m);
	for (size_t i = 0; !e && letter_languages[i]; i++) {
		const char *lang = letter_languages[i];
		if (only && strcmp(only, lang) != 0)
			continue;
		(void)snprintf(p.locale, sizeof p.locale, "%s", lang);
		(void)snprintf(p.name, sizeof p.name, "%s", i ? "Hanako Yamada" : "山田 花子");
		e = letters_write(x, &p, "abcd-efgh-2345-6789", enrol_next(&until));
		if (!e)
			e = letters_note(x, &(struct store_letter){.expires = 0}, true);
		x->printed += !e;
	}
	if (!e)
		e = letters_whole(x);
	if (e)
		return ctl_failed(e, x->path, &x->m);
	if (x->c->json)
		letters_say_json(x);
	else
		(void)printf("%" PRId64 " sample%s in %s\n", x->printed, x->printed == 1 ? "" : "s", x->path);
	return x->left ? CTL_FAILED : CTL_OK;
}

static enum ctl_exit letters_template(const char *lang)
{
	AUTO_BUF b = BUF_INIT;
	enum err e = letter_site_preset(NULL, lang, &b);
	if (e)
		return ctl_failed(e, "--template", NULL);
	(void)fwrite(b.data, 1, b.len, stdout);
	return CTL_OK;
}

/* ---- the command ---- */

static enum ctl_exit letters_options(const struct ctl *c, const struct args *a)
{
	static const enum args_option languages[] = {OPT_LANG, OPT_TEMPLATE};
	const char *const *v = a->value;
	for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
		const char *lang = v[languages[i]];
		if (lang && strcmp(lang, "ja") != 0 && strcmp(lang, "en") != 0)
			return ctl_usage("letters: languages are ja and en");
	}
	if (v[OPT_TEMPLATE] && (c->json || v[OPT_PDF] || v[OPT_CSV] || v[OPT_SAMPLE] || v[OPT_LANG] || a->n_word))
		return ctl_usage("letters: --template prints a text, and takes nothing beside it");
	if (v[OPT_PDF] && v[OPT_CSV])
		return ctl_usage("letters: give --pdf or --csv");
	if (!v[OPT_PDF] && !v[OPT_CSV] && (a->n_word || v[OPT_SAMPLE] || v[OPT_LANG]))
		return ctl_usage("letters: where to? give --pdf FILE or --csv FILE");
	if (v[OPT_SAMPLE] && a->n_word)
		return ctl_usage("letters: a sample is to nobody");
	return CTL_OK;
}

static enum ctl_exit letters_open(struct letters *x)
{
	struct errmsg m = {""};
	enum ctl_exit r = ctl_conf(x->c);
	if (r)
		return r;
	(void)snprintf(x->url, sizeof x->url, "%s/login", x->c->conf->url);
	enum err e = x->path ? passfile_open(&x->file, x->path, &m) : ERR_NONE;
	if (!e && x->path && !x->csv)
		e = letters_out_start(&x->out, x->file.fd, &m);
	if (e)
		return ctl_failed(e, x->path, &m);
	if (x->a->value[OPT_SAMPLE])
		return CTL_OK;
	r = ctl_store(x->c);
	if (!r && x->path)
		r = ctl_lock(x->c);
	if (!r && !store_has_letters(x->c->st)) {
		ctl_say("letters need the present schema of the database: run kosmoctl store upgrade");
		r = CTL_FAILED;
	}
	return r;
}

enum ctl_exit letters_run(struct ctl *c, const struct args *a)
{
	const char *path = a->value[OPT_PDF] ? a->value[OPT_PDF] : a->value[OPT_CSV];
	struct letters x = {
	    .c = c, .a = a, .path = path, .csv = a->value[OPT_CSV], .file = PASSFILE_NONE, .out = LETTERS_OUT_NONE};
	bool left = false;
	enum ctl_exit r = letters_options(c, a);
	if (!r && a->value[OPT_TEMPLATE])
		return letters_template(a->value[OPT_TEMPLATE]);
	ctl_catch_stop();
	if (!r)
		r = letters_open(&x);
	if (!r)
		r = a->value[OPT_SAMPLE] ? letters_sample(&x) : path ? letters_print(&x) : letters_count(&x);
	letters_out_close(&x.out);
	passfile_close(&x.file, x.whole, &left);
	if (left)
		ctl_say("%s holds nothing of use; delete it", x.file.path);
	free(x.taken);
	return r;
}
