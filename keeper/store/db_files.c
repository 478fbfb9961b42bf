#include "config.h"

#include "keeper/store/db_files.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const suffix[DB_FILES] = {"", "-wal", "-shm"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct db_files *first; /* all that are open in this process */

static int look(const char *path, int which, struct stat *ret)
{
	char name[PATH_MAX + 8];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix[which]);
	return lstat(name, ret);
}

enum err db_files_note(struct db_files *f, const char *path, struct errmsg *m)
{
	struct stat sb;

	for (int i = 0; i < DB_FILES; i++) {
		if (look(path, i, &sb) != 0)
			return err_set(m, ERR_IO, "%s%s: %s", path, suffix[i], strerror(errno));
		f->at[i].dev = sb.st_dev;
		f->at[i].ino = sb.st_ino;
		if (i == 0)
			f->size = sb.st_size;
	}
	(void)snprintf(f->path, sizeof(f->path), "%s", path);
	(void)pthread_mutex_lock(&lock);
	f->next = first;
	first = f;
	(void)pthread_mutex_unlock(&lock);
	return ERR_NONE;
}

void db_files_drop(struct db_files *f)
{
	(void)pthread_mutex_lock(&lock);
	for (struct db_files **at = &first; *at != NULL; at = &(*at)->next)
		if (*at == f) {
			*at = f->next;
			break;
		}
	(void)pthread_mutex_unlock(&lock);
	f->path[0] = '\0';
}

static bool ours(const struct db_files *f, int i, const struct stat *sb)
{
	return sb->st_dev == f->at[i].dev && sb->st_ino == f->at[i].ino;
}

static enum err same(struct db_files *f, struct errmsg *m)
{
	struct stat sb;

	for (int i = 0; f->path[0] != '\0' && i < DB_FILES; i++) {
		if (look(f->path, i, &sb) != 0)
			return err_set(
			    m, ERR_IO,
			    "%s%s: %s: it was moved or removed under a running program: put it back, or restart "
			    "kosmo-keeper",
			    f->path, suffix[i], strerror(errno));
		if (!ours(f, i, &sb))
			return err_set(m, ERR_IO,
				       "%s%s: another file was put in its place under a running program: stop "
				       "kosmo-keeper, see that the right one lies there, start it",
				       f->path, suffix[i]);
		if (i == 0 && sb.st_size < f->size)
			return err_set(m, ERR_IO,
				       "%s: it was cut short under a running program: if by a VACUUM, restart "
				       "kosmo-keeper, nothing is lost; "
				       "else stop it, restore the backup",
				       f->path);
		if (i == 0)
			f->size = sb.st_size;
	}
	return ERR_NONE;
}

enum err db_files_same(struct db_files *f, struct errmsg *m)
{
	enum err e;

	(void)pthread_mutex_lock(&lock);
	e = same(f, m);
	(void)pthread_mutex_unlock(&lock);
	return e;
}

enum err db_files_joinable(const char *path, struct errmsg *m)
{
	enum err e = ERR_NONE;

	(void)pthread_mutex_lock(&lock);
	for (struct db_files *f = first; e == ERR_NONE && f != NULL; f = f->next)
		if (strcmp(f->path, path) == 0)
			e = same(f, m);
	(void)pthread_mutex_unlock(&lock);
	return e;
}

bool db_files_may_tidy(const struct db_files *f)
{
	struct stat sb;
	bool may;

	if (f->path[0] == '\0')
		return true;
	(void)pthread_mutex_lock(&lock); /* others' db_files_joinable writes the size */
	if (look(f->path, 0, &sb) == 0 && ours(f, 0, &sb) && sb.st_size < f->size)
		may = false; /* what is left of it is for whoever repairs it, with the log as it is */
	else
		may = look(f->path, 1, &sb) != 0 || ours(f, 1, &sb);
	(void)pthread_mutex_unlock(&lock);
	return may;
}
