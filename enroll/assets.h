/* What stands in the program itself: templates and static files, embedded at build time by embed.sh, and the QR codes
 * of shops.h, drawn when it starts. */
#ifndef KOSMO_ENROLL_ASSETS_H
#define KOSMO_ENROLL_ASSETS_H

#include "common/buf.h"
#include "common/err.h"
#include "enroll/template.h"
#include <stddef.h>

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
};

struct assets {
	struct asset *a;
	size_t n;
	struct buf *drawn; /* what is not embedded */
	size_t drawn_n;
	const char *css_url, *js_url; /* of the first file of that type; "" if there is none */
};

enum err assets_load(struct assets *ret, struct errmsg *m);
void assets_free(struct assets *as);
const struct asset *assets_find(const struct assets *as, const char *name);

/* The embedded templates, and in their place or beside them those of SITE_DIR/templates/NAME.html; all checked. */
enum err assets_templates(const char *site_dir, struct templates **ret, struct errmsg *m);
/* A whole file of at most max bytes. ERR_NOTFOUND, ERR_TOOBIG, ERR_IO. */
enum err assets_read(const char *path, size_t max, struct buf *ret);

#endif
