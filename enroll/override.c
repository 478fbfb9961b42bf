#include "config.h"

#include "common/site_file.h"
#include "enroll/assets.h"
#include "enroll/forms.h"
#include "enroll/override.h"
#include "enroll/override_check.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERRIDE_MAX  ((size_t)256 * 1024) /* bytes of a file */
#define OVERRIDES_MAX 200		   /* files */
#define OVERRIDE_MADE                                                                                                  \
	"{{! Made from the built-in page %s, %s. Keep this line: kosmoctl config check tells by it when ours has "     \
	"changed. }}\n"

/* "login.html" -> "login". false: not a template's file name. */
static bool override_name(const char *file, char ret[static OVERRIDE_NAME])
{
	size_t n = strlen(file);

	if (n <= 5 || n - 5 >= OVERRIDE_NAME || file[0] == '.' || strcmp(file + n - 5, ".html") != 0)
		return false;
	memcpy(ret, file, n - 5);
	ret[n - 5] = '\0';
	return true;
}

static const struct embedded *override_built(const char *name)
{
	char own[OVERRIDE_NAME];

	for (const struct embedded *e = embedded; e->path; e++)
		if (strncmp(e->path, "templates/", 10) == 0 && override_name(e->path + 10, own) && !strcmp(own, name))
			return e;
	return NULL;
}

bool overrides_show(const char *name, struct buf *ret)
{
	const struct embedded *e = override_built(name);
	char hash[17];

	if (!e)
		return false;
	assets_hash(e->data, e->len, hash);
	buf_addf(ret, OVERRIDE_MADE, name, hash);
	buf_add(ret, e->data, e->len);
	return true;
}

void overrides_names(struct buf *ret)
{
	char name[OVERRIDE_NAME];

	for (const struct embedded *e = embedded; e->path; e++)
		if (strncmp(e->path, "templates/", 10) == 0 && override_name(e->path + 10, name))
			buf_addf(ret, "%s\n", name);
}

/* A file that does not say what it was made from, or of a page that has changed since. */
static void override_made(const struct override *o, const struct faults *fs)
{
	const struct embedded *e = override_built(o->name);
	const char *text = buf_str(&o->src), *made = text ? strstr(text, "Made from the built-in page ") : NULL;
	char hash[17];

	if (!e || !text)
		return;
	assets_hash(e->data, e->len, hash);
	if (!made)
		faults_say(fs, FAULT_WARNING,
			   "%s: does not say which built-in page it was made from; begin such a file with the first "
			   "line of kosmoctl site template %s",
			   o->path, o->name);
	else if (!memmem(made, strcspn(made, "\n"), hash, 16))
		faults_say(fs, FAULT_WARNING,
			   "%s: was made from another version of the built-in page; compare it with kosmoctl site "
			   "template %s, take over what is new, and its first line",
			   o->path, o->name);
}

static void override_take(struct overrides *os, const char *dir, const char *file, const struct faults *fs)
{
	struct override *o = &os->o[os->n];
	struct errmsg m = {""};

	if (!override_name(file, o->name)) {
		if (file[0] != '.')
			faults_say(fs, FAULT_WARNING, "%s/%s: is not read; a page's file is NAME.html", dir, file);
		return;
	}
	if (os->n == OVERRIDES_MAX - 1) {
		faults_say(fs, FAULT_LEFT_OUT, "%s/%s: more files than can be meant", dir, file);
		return;
	}
	snprintf(o->path, sizeof o->path, "%s/%s", dir, file);
	if (site_file_text(dir, file, OVERRIDE_MAX, &o->src, &m) == ERR_NONE)
		os->n++;
	else
		faults_say(fs, FAULT_LEFT_OUT, "%s", m.text);
}

static int override_order(const void *a, const void *b)
{
	return strcmp(((const struct override *)a)->name, ((const struct override *)b)->name);
}

static enum err override_folder(const char *site_dir, struct overrides *os, const struct faults *fs)
{
	struct dirent *de;
	char dir[4096];
	DIR *d;

	os->o = calloc(OVERRIDES_MAX, sizeof *os->o);
	if (!os->o)
		return ERR_NOMEM;
	snprintf(dir, sizeof dir, "%s/templates", site_dir);
	d = opendir(dir);
	if (!d && errno != ENOENT)
		faults_say(fs, FAULT_LEFT_OUT, "%s: %s", dir, strerror(errno));
	while (d && (de = readdir(d)) != NULL)
		override_take(os, dir, de->d_name, fs);
	if (d)
		closedir(d);
	qsort(os->o, os->n, sizeof *os->o, override_order);
	return ERR_NONE;
}

static void overrides_free(struct overrides *os)
{
	for (size_t i = 0; os->o && i < os->n; i++)
		buf_free(&os->o[i].src);
	free(os->o);
	templates_free(os->built);
}

/* The built-in ones, those of the site's own that are good so far (unless own is false), and the generated ones. A
 * file that cannot be parsed turns bad. */
static enum err override_set(struct overrides *os, bool own, overrides_generated *generated, void *arg,
			     const struct faults *fs, struct templates **ret, struct errmsg *m)
{
	struct templates *ts = templates_new();
	char name[OVERRIDE_NAME];
	enum err r = ts ? ERR_NONE : err_set(m, ERR_NOMEM, "out of memory");

	for (const struct embedded *e = embedded; r == ERR_NONE && e->path; e++)
		if (strncmp(e->path, "templates/", 10) == 0 && override_name(e->path + 10, name))
			r = templates_add(ts, name, (const char *)e->data, e->len, m);
	for (size_t i = 0; own && r == ERR_NONE && i < os->n; i++) {
		struct override *o = &os->o[i];
		struct errmsg why = {""};

		if (o->bad)
			continue;
		r = templates_add(ts, o->name, (const char *)o->src.data, o->src.len, &why);
		if (r == ERR_INVALID) { /* "NAME:LINE: what" */
			faults_say(fs, FAULT_LEFT_OUT, "%s%s", o->path, why.text + strlen(o->name));
			o->bad = true;
			r = ERR_NONE;
		}
	}
	if (r == ERR_NONE)
		r = generated(arg, ts);
	if (r == ERR_NONE)
		*ret = ts;
	else
		templates_free(ts);
	return r;
}

enum err overrides_templates(const char *site_dir, overrides_generated *generated, void *arg, const struct faults *fs,
			     struct templates **ret, struct errmsg *m)
{
	struct overrides os = {.n = 0};
	struct templates *ts = NULL;
	enum err r = override_folder(site_dir, &os, fs);
	bool again = true;

	if (r != ERR_NONE)
		err_set(m, r, "out of memory");
	else
		r = override_set(&os, false, generated, arg, fs, &os.built, m);
	if (r == ERR_NONE)
		r = templates_check(os.built, m);
	/* Without a bad one others may turn bad that contain it. */
	while (r == ERR_NONE && again) {
		templates_free(ts);
		ts = NULL;
		r = override_set(&os, true, generated, arg, fs, &ts, m);
		if (r == ERR_NONE)
			again = override_check(&os, ts, fs);
	}
	if (r == ERR_NONE)
		r = templates_check(ts, m);
	for (size_t i = 0; r == ERR_NONE && i < os.n; i++)
		if (!os.o[i].bad)
			override_made(&os.o[i], fs);
	if (r == ERR_NONE) {
		*ret = ts;
		ts = NULL;
	}
	templates_free(ts);
	overrides_free(&os);
	return r;
}
