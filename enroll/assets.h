/* What is served as it is: the static files that stand in the program itself, embedded at build time by embed.sh (as
 * the templates are), the QR codes of shops.h, drawn when it starts, and those files that the site adds. */
#ifndef KOSMO_ENROLL_ASSETS_H
#define KOSMO_ENROLL_ASSETS_H

#include "common/buf.h"
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct embedded {
	const char *path; /* "templates/login.html", "static/kosmo.css" */
	const unsigned char *data;
	size_t len;
};
extern const struct embedded embedded[]; /* in order of path, ends with a NULL path */

struct asset {
	const char *name; /* "kosmo.css" */
	const char *type; /* Content-Type */
	const unsigned char *data;
	size_t len;
	char hash[17]; /* of the content, for ?v= and ETag */
	char url[128]; /* "/static/kosmo.css?v=HASH" */
	bool foreign;  /* the site's own: it gets a policy that lets it do nothing */
};

#define ASSETS_ADDED 2 /* logos */

struct assets {
	struct asset *a;
	size_t n, cap;
	struct buf *drawn; /* what is not embedded */
	size_t drawn_n;
};

enum err assets_load(struct assets *ret, struct errmsg *m);
void assets_free(struct assets *as);
const struct asset *assets_find(const struct assets *as, const char *name);
/* Of the first file that ends so; "" if there is none. */
const char *assets_url(const struct assets *as, const char *suffix);

/* One more, or another content for one of this name (with its present kind of policy). data stays the caller's. Before
 * anything points into as. ERR_INVALID: not a kind of file that is served; ERR_TOOBIG: more than ASSETS_ADDED. */
enum err assets_put(struct assets *as, const char *name, const uint8_t *data, size_t len, bool foreign);
/* Tells contents apart, for caches and for templates; it keeps nothing secret. */
void assets_hash(const unsigned char *p, size_t n, char ret[static 17]);

#endif
