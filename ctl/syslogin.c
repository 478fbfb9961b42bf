#include "config.h"

#include "ctl/syslogin.h"
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define SYSLOGIN_BELOW 1000 /* uid_min's preset */

static int syslogin_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool syslogin_add(struct syslogin *s, const char *name)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		char **p = realloc(s->name, cap * sizeof *p);
		if (!p)
			return false;
		s->name = p;
		s->cap = cap;
	}
	s->name[s->n] = strdup(name);
	return s->name[s->n++];
}

enum err syslogin_load(struct syslogin *s, const struct args *args)
{
	bool ok = true;
	const struct passwd *pw;
	*s = (struct syslogin){.args = args};
	setpwent();
	while (ok && (pw = getpwent()))
		if (pw->pw_uid < SYSLOGIN_BELOW)
			ok = syslogin_add(s, pw->pw_name);
	endpwent();
	if (!ok) {
		syslogin_free(s);
		return ERR_NOMEM;
	}
	if (s->n)
		qsort(s->name, s->n, sizeof *s->name, syslogin_order);
	return ERR_NONE;
}

void syslogin_free(struct syslogin *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->name[i]);
	free(s->name);
	s->name = NULL;
	s->n = s->cap = 0;
}

bool syslogin_taken(const struct syslogin *s, const char *login, bool exact)
{
	for (size_t i = 0; i < s->args->n_allow; i++)
		if (strcmp(s->args->allow[i], login) == 0)
			return false;
	if (s->n && bsearch(&login, s->name, s->n, sizeof *s->name, syslogin_order))
		return true;
	const struct passwd *pw = exact ? getpwnam(login) : NULL;
	return pw && pw->pw_uid < SYSLOGIN_BELOW;
}
