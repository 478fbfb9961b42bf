#include "config.h"

#include "enroll/assets.h"
#include "enroll/qr.h"
#include "enroll/shops.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASSETS_TEMPLATE_MAX ((size_t)256 * 1024)

static const struct {
	const char *suffix, *type;
} assets_types[] = {
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".txt", "text/plain; charset=utf-8"},
};

static bool assets_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && strcmp(s + n - k, suffix) == 0;
}

/* FNV-1a: it tells contents apart for caches, nothing more. */
static void assets_hash(const unsigned char *p, size_t n, char ret[static 17])
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	snprintf(ret, 17, "%016llx", (unsigned long long)h);
}

static const char *assets_first(const struct assets *as, const char *suffix)
{
	for (size_t i = 0; i < as->n; i++)
		if (assets_ends(as->a[i].name, suffix))
			return as->a[i].url;
	return "";
}

/* as->a has room for it. false: a kind of file that is not served. */
static bool assets_put(struct assets *as, const char *name, const unsigned char *data, size_t len)
{
	struct asset *a = &as->a[as->n];
	int n;

	*a = (struct asset){.name = name, .data = data, .len = len};
	for (size_t i = 0; i < sizeof assets_types / sizeof *assets_types; i++)
		if (assets_ends(a->name, assets_types[i].suffix))
			a->type = assets_types[i].type;
	assets_hash(a->data, a->len, a->hash);
	n = snprintf(a->url, sizeof a->url, "/static/%s?v=%s", a->name, a->hash);
	if (!a->type || n < 0 || (size_t)n >= sizeof a->url)
		return false;
	as->n++;
	return true;
}

static enum err assets_draw(struct assets *as, struct errmsg *m)
{
	for (const struct shop *s = shops; s->link; s++) {
		struct buf *b = &as->drawn[as->drawn_n++];
		enum err r = qr_png(s->url, b);

		if (r == ERR_NONE && !assets_put(as, s->file, b->data, b->len))
			r = ERR_INVALID;
		if (r != ERR_NONE)
			return err_set(m, r, "%s: the QR code cannot be drawn: %s", s->file, err_text(r));
	}
	return ERR_NONE;
}

enum err assets_load(struct assets *ret, struct errmsg *m)
{
	struct assets as = {0};
	size_t n = 0, drawn = 0;
	enum err r;

	for (const struct embedded *e = embedded; e->path; e++)
		n++;
	for (const struct shop *s = shops; s->link; s++)
		drawn++;
	as.a = calloc(n + drawn + 1, sizeof *as.a);
	as.drawn = calloc(drawn + 1, sizeof *as.drawn);
	r = as.a && as.drawn ? ERR_NONE : err_set(m, ERR_NOMEM, "out of memory");
	for (const struct embedded *e = embedded; r == ERR_NONE && e->path; e++)
		if (strncmp(e->path, "static/", 7) == 0 && !assets_put(&as, e->path + 7, e->data, e->len))
			r = err_set(m, ERR_INVALID, "%s: a kind of file that enrolld does not serve", e->path);
	if (r == ERR_NONE)
		r = assets_draw(&as, m);
	if (r != ERR_NONE) {
		assets_free(&as);
		return r;
	}
	as.css_url = assets_first(&as, ".css");
	as.js_url = assets_first(&as, ".js");
	*ret = as;
	return ERR_NONE;
}

void assets_free(struct assets *as)
{
	if (!as)
		return;
	for (size_t i = 0; i < as->drawn_n; i++)
		buf_free(&as->drawn[i]);
	free(as->drawn);
	free(as->a);
	*as = (struct assets){0};
}

const struct asset *assets_find(const struct assets *as, const char *name)
{
	for (size_t i = 0; i < as->n; i++)
		if (strcmp(as->a[i].name, name) == 0)
			return &as->a[i];
	return NULL;
}

enum err assets_read(const char *path, size_t max, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), saved;
	struct stat st;
	enum err r = ERR_IO;
	size_t total = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : ERR_IO;
	if (fstat(fd, &st) < 0)
		goto out;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto out;
	}
	for (;;) {
		uint8_t *p = buf_room(ret, 16384);
		ssize_t n;

		r = ERR_NOMEM;
		if (!p)
			goto out;
		n = read(fd, p, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		r = ERR_IO;
		if (n < 0)
			goto out;
		if (n == 0)
			break;
		total += (size_t)n;
		r = ERR_TOOBIG;
		if (total > max)
			goto out;
		ret->len += (size_t)n;
	}
	r = ERR_NONE;
out:
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* "login.html" -> "login". false: not a template's file name. */
static bool assets_template_name(const char *file, char *ret, size_t cap)
{
	size_t n = strlen(file);

	if (n <= 5 || n - 5 >= cap || file[0] == '.' || !assets_ends(file, ".html"))
		return false;
	memcpy(ret, file, n - 5);
	ret[n - 5] = '\0';
	return true;
}

static enum err assets_overrides(struct templates *ts, const char *site_dir, struct errmsg *m)
{
	char dir[4096], path[4096 + 256], name[64];
	struct dirent *de;
	enum err r = ERR_NONE;
	DIR *d;

	snprintf(dir, sizeof dir, "%s/templates", site_dir);
	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? ERR_NONE : err_set(m, ERR_IO, "%s: %s", dir, strerror(errno));
	while (r == ERR_NONE && (de = readdir(d)) != NULL) {
		AUTO_BUF b = BUF_INIT;

		if (!assets_template_name(de->d_name, name, sizeof name))
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, de->d_name);
		r = assets_read(path, ASSETS_TEMPLATE_MAX, &b);
		if (r != ERR_NONE) {
			err_set(m, r, "%s: %s", path, r == ERR_IO ? strerror(errno) : err_text(r));
			break;
		}
		r = templates_add(ts, name, b.data ? (const char *)b.data : "", b.len, m);
	}
	closedir(d);
	return r;
}

enum err assets_templates(const char *site_dir, struct templates **ret, struct errmsg *m)
{
	struct templates *ts = templates_new();
	char name[64];
	enum err r = ERR_NONE;

	if (!ts)
		return err_set(m, ERR_NOMEM, "out of memory");
	for (const struct embedded *e = embedded; r == ERR_NONE && e->path; e++)
		if (strncmp(e->path, "templates/", 10) == 0 && assets_template_name(e->path + 10, name, sizeof name))
			r = templates_add(ts, name, (const char *)e->data, e->len, m);
	if (r == ERR_NONE)
		r = assets_overrides(ts, site_dir, m);
	if (r == ERR_NONE)
		r = templates_check(ts, m);
	if (r != ERR_NONE) {
		templates_free(ts);
		return r;
	}
	*ret = ts;
	return ERR_NONE;
}
