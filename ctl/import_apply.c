/* The second pass of an import: a chunk of rows is looked up and prepared without any lock, then written in one short
 * transaction. */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "ctl/import.h"
#include "ctl/person.h"
#include <stdlib.h>
#include <string.h>

#define IMPORT_CHUNK	256
#define IMPORT_CHUNK_0	32
#define IMPORT_TX_MS	10
#define IMPORT_WAIT_MS	30000 /* for a lock that others hold */
#define IMPORT_CONFLICT 5     /* times that somebody else may change the very people we are at */

enum import_kind { IMPORT_NEW, IMPORT_CHANGED, IMPORT_SAME };

struct import_item {
	struct row row;
	struct person person; /* IMPORT_NEW */
	char initial[PERSON_INITIAL];
	enum import_kind kind;
	char email[EMAIL_MAX + 1]; /* what the store keeps although the file has something else; "" */
	enum role role;		   /* the same; 0 */
};

struct import_chunk {
	struct import_item item[IMPORT_CHUNK];
	size_t n, limit; /* limit follows how long transactions take */
	size_t bad;	 /* index into im->bad: the next line to leave out */
	bool end;
};

static enum err import_read(struct import *im, struct import_chunk *k)
{
	struct sheet_row s;
	const char *why;
	for (k->n = 0; k->n < k->limit;) {
		enum sheet_result r = sheet_next(im->sheet, &s, &why);
		if (r == SHEET_FAILED)
			return ERR_IO;
		k->end = r == SHEET_END;
		if (k->end)
			break;
		if (k->bad < im->n_bad && s.line == im->bad[k->bad]) {
			k->bad++;
			continue;
		}
		/* What passed the first time must pass again. */
		if (r != SHEET_ROW || row_check(&im->columns, &im->rules, &s, &k->item[k->n].row))
			return ERR_INVALID;
		k->n++;
	}
	return ERR_NONE;
}

enum import_field { IMPORT_NAME = 1, IMPORT_BIRTH = 2, IMPORT_LOCALE = 4, IMPORT_EMAIL = 8 };

/* Takes over what the file knows better; an address only where none was ever verified. Returns what changed. */
static unsigned import_merge(const struct row *r, struct person *p)
{
	unsigned what = 0;
	if (r->name[0] && strcmp(r->name, p->name) != 0) {
		memcpy(p->name, r->name, sizeof p->name);
		what |= IMPORT_NAME;
	}
	if (r->birth.year &&
	    (r->birth.year != p->birth.year || r->birth.month != p->birth.month || r->birth.day != p->birth.day)) {
		p->birth = r->birth;
		what |= IMPORT_BIRTH;
	}
	if (r->locale[0] && strcmp(r->locale, p->locale) != 0) {
		memcpy(p->locale, r->locale, sizeof p->locale);
		what |= IMPORT_LOCALE;
	}
	if (r->email[0] && !(p->email[0] && p->email_verified) && strcmp(r->email, p->email) != 0) {
		memcpy(p->email, r->email, sizeof p->email);
		p->email_verified = false;
		what |= IMPORT_EMAIL;
	}
	return what;
}

static enum err import_classify(struct import *im, struct import_chunk *k)
{
	struct person p;
	enum err e = ERR_NONE;
	for (size_t i = 0; !e && i < k->n; i++) {
		struct import_item *it = &k->item[i];
		it->kind = IMPORT_NEW;
		it->email[0] = '\0';
		it->role = 0;
		e = store_person_by_login(im->c->st, it->row.login, &p);
		if (e == ERR_NOTFOUND) {
			e = ERR_NONE;
			continue;
		}
		if (e)
			break;
		it->kind = import_merge(&it->row, &p) ? IMPORT_CHANGED : IMPORT_SAME;
		if (it->row.email[0] && strcmp(it->row.email, p.email) != 0)
			memcpy(it->email, p.email, sizeof it->email);
		if (it->row.role && it->row.role != p.role)
			it->role = p.role;
	}
	person_wipe(&p);
	return e;
}

static enum err import_prepare(struct import *im, struct import_chunk *k, const struct id *batch)
{
	struct row *plain[IMPORT_CHUNK];
	size_t n = 0;
	int64_t now = clock_now();
	for (size_t i = 0; i < k->n; i++)
		if (k->item[i].kind == IMPORT_NEW && k->item[i].row.password[0] && !k->item[i].row.hashed)
			plain[n++] = &k->item[i].row;
	enum err e = n ? import_hash(plain, n) : ERR_NONE;
	for (size_t i = 0; !e && i < k->n; i++) {
		struct import_item *it = &k->item[i];
		if (it->kind != IMPORT_NEW)
			continue;
		e = person_from_row(im->c->seal, &it->row, now, &it->person, it->initial);
		it->person.batch = *batch;
	}
	return e;
}

/* [tx] Read again within the transaction: whatever the person did meanwhile stays. */
static enum err import_update(struct import *im, const struct row *r)
{
	struct person p;
	char text[64];
	enum err e = store_person_by_login(im->c->st, r->login, &p);
	if (e)
		return e;
	unsigned what = import_merge(r, &p);
	(void)snprintf(text, sizeof text, "changed%s%s%s%s", what & IMPORT_NAME ? " name" : "",
		       what & IMPORT_BIRTH ? " birth_date" : "", what & IMPORT_LOCALE ? " locale" : "",
		       what & IMPORT_EMAIL ? " email" : "");
	if (what)
		e = store_person_save(im->c->st, &p);
	if (!e && what)
		e = ctl_audit(im->c, &p.id, "import.update", text);
	person_wipe(&p);
	return e;
}

static enum err import_write(struct import *im, struct import_chunk *k)
{
	enum err e = ERR_NONE;
	for (size_t i = 0; !e && i < k->n; i++) {
		const struct import_item *it = &k->item[i];
		if (it->kind == IMPORT_NEW) {
			e = store_person_add(im->c->st, &it->person);
			if (!e)
				e = person_add_totp(im->c, &it->row, &it->person);
			if (!e && im->letters && it->initial[0])
				e = person_letter(im->c, &it->person, it->initial);
		} else if (it->kind == IMPORT_CHANGED) {
			e = import_update(im, &it->row);
		}
	}
	return e;
}

/* Waits longer for the lock than a login would. */
static enum err import_begin(struct import *im)
{
	int64_t until = clock_mono_ms() + IMPORT_WAIT_MS;
	enum err e;
	while ((e = ctl_begin(im->c)) == ERR_BUSY && clock_mono_ms() < until && !ctl_stopped())
		continue;
	return e;
}

static enum err import_transact(struct import *im, struct import_chunk *k)
{
	enum err e = import_begin(im);
	if (e)
		return e;
	int64_t t = clock_mono_ms();
	e = import_write(im, k);
	t = clock_mono_ms() - t;
	if (e)
		ctl_rollback(im->c);
	else
		e = ctl_commit(im->c);
	if (t > IMPORT_TX_MS && k->limit > IMPORT_CHUNK_0)
		k->limit -= k->limit / 4;
	else if (t < IMPORT_TX_MS / 2 && k->limit < IMPORT_CHUNK)
		k->limit += k->limit / 4;
	if (k->limit > IMPORT_CHUNK)
		k->limit = IMPORT_CHUNK;
	return e;
}

/* Counts and tells what the chunk came to; the new people's passwords go to their file. */
static enum err import_settle(struct import *im, const struct import_chunk *k)
{
	enum err e = ERR_NONE;
	for (size_t i = 0; !e && i < k->n; i++) {
		const struct import_item *it = &k->item[i];
		im->n_new += it->kind == IMPORT_NEW;
		im->n_updated += it->kind == IMPORT_CHANGED;
		im->n_unchanged += it->kind == IMPORT_SAME;
		if (it->email[0]) {
			im->n_email++;
			import_report_difference(im, &it->row, "email", it->row.email, it->email);
		}
		if (it->role) {
			im->n_role++;
			import_report_difference(im, &it->row, "role", person_role(it->row.role),
						 person_role(it->role));
		}
		if (im->letters)
			im->n_letters += it->kind == IMPORT_NEW && it->initial[0];
		else if (!im->dry && it->kind == IMPORT_NEW && it->initial[0])
			e = passfile_add(&im->pass, it->row.login, it->row.name, it->initial, &im->m);
	}
	return e;
}

static enum err import_chunk(struct import *im, struct import_chunk *k, const struct id *batch)
{
	enum err e = ERR_NONE;
	/* ERR_EXISTS, ERR_NOTFOUND: somebody added or deleted one of them since we looked. */
	for (int i = 0; i < IMPORT_CONFLICT; i++) {
		bool write = false;
		e = import_classify(im, k);
		for (size_t j = 0; j < k->n; j++)
			write |= k->item[j].kind != IMPORT_SAME;
		if (!e && write && !im->dry)
			e = import_prepare(im, k, batch);
		if (!e && write && !im->dry)
			e = import_transact(im, k);
		if (e != ERR_EXISTS && e != ERR_NOTFOUND)
			break;
	}
	return e ? e : import_settle(im, k);
}

enum ctl_exit import_apply(struct import *im, const struct id *batch)
{
	enum err e = ERR_NOMEM;
	bool reading = true;
	struct import_chunk *k = calloc(1, sizeof *k);
	if (!k)
		goto out;
	k->limit = IMPORT_CHUNK_0;
	progress_begin(&im->bar, "importing", im->size);
	e = sheet_rewind(im->sheet);
	if (e)
		goto out;
	struct sheet_row header;
	const char *why;
	if (sheet_next(im->sheet, &header, &why) != SHEET_ROW)
		e = ERR_INVALID;
	while (!e && !k->end && !ctl_stopped()) {
		e = import_read(im, k);
		reading = e;
		if (!e && k->n)
			e = import_chunk(im, k, batch);
		progress_at(&im->bar, sheet_position(im->sheet));
	}
	if (!e && !ctl_stopped() && !sheet_unchanged(im->sheet))
		e = ERR_INVALID;
out:
	progress_end(&im->bar);
	secret_wipe(k, k ? sizeof *k : 0);
	free(k);
	if (e == ERR_INVALID) {
		ctl_say("%s was changed while it was read; run the import again", im->file);
		return CTL_FAILED;
	}
	return e ? ctl_failed(e, reading ? im->file : im->c->conf->state_dir, &im->m) : CTL_OK;
}
