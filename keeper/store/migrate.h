/* The schema, as the statements that lead to it version by version. */
#ifndef KOSMO_STORE_MIGRATE_H
#define KOSMO_STORE_MIGRATE_H

#include "keeper/store/db.h"

/* Within a write transaction: everything of the versions after `from` up to STORE_SCHEMA. */
enum err migrate_run(const struct db_driver *drv, struct db *db, int from);

#endif
