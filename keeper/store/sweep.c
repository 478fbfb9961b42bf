#include "config.h"

#include "keeper/store/inside.h"

#define MAILS_KEPT (30 * 86400)
#define REMINDERS_KEPT                                                                                                 \
	(30 * 86400) /* beyond the deadline: a clock that is wrong for an hour must not have all mailed again */

static enum err sweep(struct store *st, enum sql id, const struct db_value *v, size_t n, size_t max, bool *more)
{
	int64_t gone = 0;
	enum err e = store_write(st, id, v, n, &gone);

	if (e == ERR_NONE && (uint64_t)gone >= max)
		*more = true;
	return e;
}

enum err store_sweep(struct store *st, int64_t now, size_t max, bool *ret_more)
{
	bool more = false;
	enum err e = store_begin(st);

	if (e == ERR_NONE)
		e = sweep(st, SQL_SWEEP_SESSIONS, ARGS(V_INT(now), V_INT(max)), max, &more);
	if (e == ERR_NONE)
		e = sweep(st, SQL_SWEEP_CODES, ARGS(V_INT(now), V_INT(max)), max, &more);
	if (e == ERR_NONE)
		e = sweep(st, SQL_SWEEP_COUNTERS, ARGS(V_INT(now), V_INT(max)), max, &more);
	if (e == ERR_NONE)
		e = sweep(st, SQL_SWEEP_KNOWN, ARGS(V_INT(now), V_INT(max)), max, &more);
	if (e == ERR_NONE)
		e = sweep(st, SQL_SWEEP_MAILS, ARGS(V_INT(now - MAILS_KEPT), V_INT(max)), max, &more);
	if (e == ERR_NONE && st->schema >= SCHEMA_PASSKEYS)
		e = sweep(st, SQL_SWEEP_SPENT, ARGS(V_INT(now), V_INT(max)), max, &more);
	if (e == ERR_NONE && st->schema >= SCHEMA_PASSKEYS)
		e = sweep(st, SQL_SWEEP_APPROVALS, ARGS(V_INT(now), V_INT(max)), max, &more);
	if (e == ERR_NONE && st->schema >= SCHEMA_LETTERS)
		e = sweep(st, SQL_SWEEP_LETTERS, ARGS(V_INT(now), V_INT(max)), max, &more);
	if (e == ERR_NONE && st->schema >= SCHEMA_DEADLINES)
		e = sweep(st, SQL_SWEEP_REMINDERS, ARGS(V_INT(now - REMINDERS_KEPT), V_INT(max)), max, &more);
	if (e == ERR_NONE)
		e = store_commit(st);
	store_rollback(st);
	store_tidy(st);
	if (e == ERR_NONE && ret_more != NULL)
		*ret_more = more;
	return e;
}
