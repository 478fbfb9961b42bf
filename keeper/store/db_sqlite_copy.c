/* SQLite's copy of a database in use, and its look at a whole file. */
#include "config.h"

#include "common/clock.h"
#include "keeper/store/db_sqlite.h"
#include "keeper/store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_PAGES 4096 /* a step */

/* As long as the copy is not whole it has another name, and whoever makes it holds a lock: a second one at the same
 * time is refused, the rest of one that was broken off is taken. */
struct copy {
	char path[PATH_MAX], fresh[PATH_MAX];
	int fd;
	sqlite3 *sq;
};

static void side_files(const struct copy *c)
{
	static const char *const ends[] = {"-journal", "-wal", "-shm"};
	char side[PATH_MAX + 16];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		(void)snprintf(side, sizeof(side), "%s%s", c->fresh, ends[i]);
		(void)unlink(side);
	}
}

static enum err begin(struct copy *c, struct errmsg *m)
{
	struct stat mine, there;

	if (lstat(c->path, &there) == 0)
		return err_set(m, ERR_EXISTS, "%s: exists already", c->path);
	c->fd = open(c->fresh, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (c->fd < 0)
		return err_set(m, ERR_IO, "%s: %s", c->fresh, strerror(errno));
	if (flock(c->fd, LOCK_EX | LOCK_NB) != 0)
		return err_set(m, ERR_BUSY, "%s: another copy is being made there", c->fresh);
	if (fstat(c->fd, &mine) != 0 || lstat(c->fresh, &there) != 0 || mine.st_dev != there.st_dev ||
	    mine.st_ino != there.st_ino || ftruncate(c->fd, 0) != 0 || fchmod(c->fd, 0600) != 0)
		return err_set(m, ERR_BUSY, "%s: somebody else is at it", c->fresh);
	side_files(c);
	return ERR_NONE;
}

static enum err open_copy(struct copy *c, struct errmsg *m)
{
	int rc =
	    sqlite3_open_v2(c->fresh, &c->sq, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->sq,
				  "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=FULL",
				  NULL, NULL, NULL);
	return rc == SQLITE_OK ? ERR_NONE
			       : err_set(m, sq_failure(rc), "%s: %s", c->fresh,
					 c->sq != NULL ? sqlite3_errmsg(c->sq) : "out of memory");
}

/* In one snapshot, which others' writing does not disturb. */
static enum err pages(struct db *db, struct copy *c, struct errmsg *m)
{
	sqlite3_backup *b;
	int rc = sqlite3_exec(db->sq, "BEGIN; SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return err_set(m, sq_failure(rc), "%s", sqlite3_errmsg(db->sq));
	b = sqlite3_backup_init(c->sq, "main", db->sq, "main");
	rc = b != NULL ? SQLITE_OK : SQLITE_NOMEM;
	while (rc == SQLITE_OK)
		rc = sqlite3_backup_step(b, COPY_PAGES);
	if (b != NULL) {
		int finish = sqlite3_backup_finish(b);

		if (rc == SQLITE_DONE)
			rc = finish;
	}
	(void)sqlite3_exec(db->sq, "ROLLBACK", NULL, NULL, NULL);
	return rc == SQLITE_OK ? ERR_NONE : err_set(m, sq_failure(rc), "%s: %s", c->fresh, sqlite3_errstr(rc));
}

/* The first complaint of the file's own check. */
static enum err integrity(sqlite3 *sq, struct errmsg *m)
{
	sqlite3_stmt *s = NULL;
	const char *said;
	enum err e = ERR_NONE;
	int rc = sqlite3_prepare_v2(sq, "PRAGMA integrity_check(1)", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc != SQLITE_ROW) {
		e = err_set(m, rc == SQLITE_DONE ? ERR_CORRUPT : sq_failure(rc), "the file is damaged: %s",
			    sqlite3_errmsg(sq));
	} else {
		said = (const char *)sqlite3_column_text(s, 0);
		if (said == NULL || strcmp(said, "ok") != 0)
			e = err_set(m, ERR_CORRUPT, "the file is damaged: %.200s", said != NULL ? said : "?");
	}
	(void)sqlite3_finalize(s);
	return e;
}

static enum err keep(struct copy *c, struct errmsg *m)
{
	enum err e = ERR_NONE;

	if (fsync(c->fd) != 0 || renameat2(AT_FDCWD, c->fresh, AT_FDCWD, c->path, RENAME_NOREPLACE) != 0)
		return err_set(m, errno == EEXIST ? ERR_EXISTS : ERR_IO, "%s: %s", c->path, strerror(errno));
	if (sq_sync_folder(c->path) != ERR_NONE) {
		e = err_set(m, ERR_IO, "%s: %s", c->path, strerror(errno));
		(void)unlink(c->path);
	}
	return e;
}

enum err sq_copy(struct db *db, const char *to, struct errmsg *m)
{
	struct copy c = {.fd = -1};
	struct errmsg why = {""};
	enum err e = sq_real_path(to, c.path, m);
	bool ours = false;
	int n;

	if (e != ERR_NONE)
		return e;
	n = snprintf(c.fresh, sizeof(c.fresh), "%s.copying", sqlite3_db_filename(db->sq, "main"));
	if (n < 0 || (size_t)n >= sizeof(c.fresh))
		return err_set(m, ERR_INVALID, "%s: path too long", to);
	e = begin(&c, m);
	ours = e == ERR_NONE;
	if (e == ERR_NONE)
		e = open_copy(&c, m);
	if (e == ERR_NONE)
		e = pages(db, &c, m);
	if (e == ERR_NONE) {
		e = integrity(c.sq, &why);
		if (e != ERR_NONE)
			(void)err_set(m, e, "%s: %s", c.path, why.text);
	}
	(void)sqlite3_close(c.sq);
	if (ours)
		side_files(&c);
	if (e == ERR_NONE)
		e = keep(&c, m);
	if (ours && e != ERR_NONE)
		(void)unlink(c.fresh);
	if (c.fd >= 0)
		(void)close(c.fd);
	return e;
}

enum err sq_check(struct db *db, struct errmsg *m)
{
	db->deadline = clock_mono_ms() + STORE_BUSY_MS;
	return integrity(db->sq, m);
}
