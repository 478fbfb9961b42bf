/* What every unit test needs: cmocka with the headers that it wants before it, and a folder that goes away again. */
#ifndef KOSMO_UNIT_H
#define KOSMO_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static inline int unit_remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

/* cmocka set-up and tear-down: *state is the path of an empty folder. */
static inline int unit_folder(void **state)
{
	char path[] = "/tmp/kosmo-unit.XXXXXX";

	*state = mkdtemp(path) ? strdup(path) : NULL;
	return *state ? 0 : -1;
}

static inline int unit_folder_gone(void **state)
{
	nftw(*state, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return 0;
}

/* FOLDER/NAME; the result stands until the next call but one. */
static inline const char *unit_path(const void *folder, const char *name)
{
	static char path[2][PATH_MAX];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof path[turn], "%s/%s", (const char *)folder, name);
	return path[turn];
}

static inline void unit_write(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

#endif
