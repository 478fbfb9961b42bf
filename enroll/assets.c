#include "config.h"

#include "enroll/assets.h"
#include "enroll/qr.h"
#include "enroll/shops.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void assets_hash(const unsigned char *p, size_t n, char ret[static 17])
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	snprintf(ret, 17, "%016llx", (unsigned long long)h);
}

const char *assets_url(const struct assets *as, const char *suffix)
{
	for (size_t i = 0; i < as->n; i++)
		if (assets_ends(as->a[i].name, suffix))
			return as->a[i].url;
	return "";
}

static enum err assets_set(struct asset *a, const char *name, const uint8_t *data, size_t len)
{
	int n;

	*a = (struct asset){.name = name, .data = data, .len = len, .foreign = a->foreign};
	for (size_t i = 0; i < sizeof assets_types / sizeof *assets_types; i++)
		if (assets_ends(name, assets_types[i].suffix))
			a->type = assets_types[i].type;
	assets_hash(data, len, a->hash);
	n = snprintf(a->url, sizeof a->url, "/static/%s?v=%s", name, a->hash);
	return a->type && n > 0 && (size_t)n < sizeof a->url ? ERR_NONE : ERR_INVALID;
}

enum err assets_put(struct assets *as, const char *name, const uint8_t *data, size_t len, bool foreign)
{
	size_t i = 0;
	enum err r;

	while (i < as->n && strcmp(as->a[i].name, name) != 0)
		i++;
	if (i == as->cap)
		return ERR_TOOBIG;
	if (i == as->n)
		as->a[i].foreign = foreign;
	r = assets_set(&as->a[i], name, data, len);
	as->n += r == ERR_NONE && i == as->n;
	return r;
}

static enum err assets_draw(struct assets *as, struct errmsg *m)
{
	for (const struct shop *s = shops; s->link; s++) {
		struct buf *b = &as->drawn[as->drawn_n++];
		enum err r = qr_png(s->url, b);

		if (r == ERR_NONE)
			r = assets_put(as, s->file, b->data, b->len, false);
		if (r != ERR_NONE)
			return err_set(m, r, "%s: the QR code cannot be drawn: %s", s->file, err_text(r));
	}
	return ERR_NONE;
}

enum err assets_load(struct assets *ret, struct errmsg *m)
{
	struct assets as = {0};
	size_t n = 0, drawn = 0;
	enum err r = ERR_NONE;

	for (const struct embedded *e = embedded; e->path; e++)
		n++;
	for (const struct shop *s = shops; s->link; s++)
		drawn++;
	as.cap = n + drawn + ASSETS_ADDED;
	as.a = calloc(as.cap, sizeof *as.a);
	as.drawn = calloc(drawn + 1, sizeof *as.drawn);
	if (!as.a || !as.drawn) {
		assets_free(&as);
		return err_set(m, ERR_NOMEM, "out of memory");
	}
	for (const struct embedded *e = embedded; r == ERR_NONE && e->path; e++)
		if (strncmp(e->path, "static/", 7) == 0 &&
		    assets_put(&as, e->path + 7, e->data, e->len, false) != ERR_NONE)
			r = err_set(m, ERR_INVALID, "%s: a kind of file that enrolld does not serve", e->path);
	if (r == ERR_NONE)
		r = assets_draw(&as, m);
	if (r != ERR_NONE) {
		assets_free(&as);
		return r;
	}
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
