#include "config.h"

#include "keeper/store/inside.h"

#define COUNTERS_KEPT (30 * 86400)
#define MAILS_KEPT    (30 * 86400)

enum err store_sweep(struct store *st, int64_t now, size_t max)
{
	enum err e = store_begin(st);

	if (e == ERR_NONE)
		e = store_write(st, SQL_SWEEP_SESSIONS, ARGS(V_INT(now), V_INT(max)), NULL);
	if (e == ERR_NONE)
		e = store_write(st, SQL_SWEEP_CODES, ARGS(V_INT(now), V_INT(max)), NULL);
	if (e == ERR_NONE)
		e = store_write(st, SQL_SWEEP_COUNTERS, ARGS(V_INT(now - COUNTERS_KEPT), V_INT(now), V_INT(max)), NULL);
	if (e == ERR_NONE)
		e = store_write(st, SQL_SWEEP_MAILS, ARGS(V_INT(now - MAILS_KEPT), V_INT(max)), NULL);
	if (e == ERR_NONE)
		e = store_commit(st);
	store_rollback(st);
	store_tidy(st);
	return e;
}
