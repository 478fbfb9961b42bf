#include "config.h"

#include "keeper/store/inside.h"
#include "keeper/store/migrate.h"
#include <stdio.h>
#include <unistd.h>

#define SCHEMA_MARKS 2 /* the one that brought audit_mark */

enum err store_backup(struct store *st, const char *to, struct errmsg *m)
{
	return st->drv->copy(st->db, to, m);
}

static enum err open_store(const char *path, const struct seal *seal, bool alone, struct store **ret,
			   int64_t *ret_version, struct errmsg *m)
{
	struct store *st = store_new(seal);
	enum err e = st != NULL ? st->drv->open(path, alone, &st->db, m) : err_set(m, ERR_NOMEM, "out of memory");

	if (e == ERR_BUSY && alone)
		(void)err_set(m, e,
			      "%s: is in use: stop kosmo-keeper first (systemctl stop kosmo-keeper.socket "
			      "kosmo-keeper-web.socket kosmo-keeper.service), and kosmoctl",
			      path);
	if (e == ERR_NONE)
		e = schema_read(st, path, ret_version, m);
	if (e == ERR_NONE && *ret_version > STORE_SCHEMA)
		e = schema_too_new(path, *ret_version, m);
	if (e == ERR_NONE && *ret_version < 1)
		e = err_set(m, ERR_CORRUPT, "%s: has no schema that ever was", path);
	if (e == ERR_NONE)
		*ret = st;
	else
		store_close(st);
	return e;
}

/* Two at one second are two copies. */
static enum err copy(struct store *st, const char *path, const char *stamp, struct store_upgraded *r, struct errmsg *m)
{
	enum err e = ERR_EXISTS;

	for (int i = 1; e == ERR_EXISTS && i < 10; i++) {
		char more[8] = "";

		if (i > 1)
			(void)snprintf(more, sizeof(more), "-%d", i);
		int n = snprintf(r->backup, sizeof(r->backup), "%s.backup-%lld-%s%s", path, (long long)r->from, stamp,
				 more);
		e = n > 0 && (size_t)n < sizeof(r->backup) ? st->drv->copy(st->db, r->backup, m)
							   : err_set(m, ERR_TOOBIG, "%s: path too long", path);
	}
	return e;
}

/* Within the transaction: all changes, then a look at what came out. */
static enum err change(struct store *st, const struct audit *a, struct store_upgraded *r, struct errmsg *m)
{
	struct errmsg why = {""};
	enum err e = migrate_run(st->drv, st->db, (int)r->from);

	if (e == ERR_NONE)
		e = store_write_one(st, SQL_SCHEMA_MOVE, ARGS(V_INT(STORE_SCHEMA), V_INT(r->from)));
	if (e == ERR_NONE && r->from < SCHEMA_MARKS)
		e = chain_begin(st);
	if (e == ERR_NONE)
		e = store_audit(st, a);
	if (e == ERR_NONE)
		e = st->drv->check(st->db, &why);
	if (e == ERR_NONE)
		e = check_people(st, &r->people, &r->bad);
	/* The MACs cover nothing that the change touches: who does not fit now did not before. But if it is everybody,
	 * it is the change that is wrong. */
	if (e == ERR_NONE && r->people > 0 && r->bad == r->people)
		e = err_set(&why, ERR_CORRUPT, "nobody's row fits its MAC");
	if (e != ERR_NONE)
		(void)err_set(m, e, "%s", why.text);
	return e;
}

enum err store_upgrade(const char *path, const struct seal *seal, const char *stamp, const struct audit *a,
		       struct store_upgraded *ret, struct errmsg *m)
{
	struct store_upgraded r = {.to = STORE_SCHEMA};
	struct errmsg why = {""};
	struct store *st = NULL;
	bool copied = false;
	enum err e = open_store(path, seal, false, &st, &r.from, m);

	store_close(st);
	st = NULL;
	if (e == ERR_NONE && r.from < STORE_SCHEMA)
		e = open_store(path, seal, true, &st, &r.from, m);
	if (e != ERR_NONE || r.from >= STORE_SCHEMA)
		goto out;
	e = copy(st, path, stamp, &r, m);
	if (e != ERR_NONE)
		goto out;
	copied = true;
	e = store_begin(st);
	if (e == ERR_NONE)
		e = change(st, a, &r, &why);
	if (e == ERR_NONE) {
		e = store_commit(st);
		if (e != ERR_NONE) { /* what it left behind may still come to light: the copy stays */
			(void)err_set(m, e,
				      "%s: the upgrade failed when it was to be written: %s; the copy of before is %s",
				      path, e == ERR_IO ? "is the disk full?" : err_text(e), r.backup);
			copied = false;
		}
	}
	store_rollback(st);
	if (e != ERR_NONE && copied)
		(void)err_set(m, e, "%s: nothing was changed, the upgrade failed: %s", path,
			      why.text[0] != '\0' ? why.text
			      : e == ERR_IO	  ? "it cannot be written; is the disk full?"
						  : err_text(e));
out:
	store_close(st);
	if (e != ERR_NONE && copied)
		(void)unlink(r.backup);
	if (e == ERR_NONE)
		*ret = r;
	return e;
}
