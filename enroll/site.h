/* What does not change while the program runs: how the site calls itself and looks, from the configuration and the
 * files of site_dir. */
#ifndef KOSMO_ENROLL_SITE_H
#define KOSMO_ENROLL_SITE_H

#include "common/buf.h"
#include "common/conf.h"
#include "common/words.h"
#include "enroll/assets.h"
#include "enroll/fault.h"
#include "enroll/proxies.h"
#include "enroll/template.h"
#include "enroll/terms.h"

#define SITE_PAGE_MAX ((size_t)60 * 1024) /* bytes that a page may bring along, with all that it needs */

struct site {
	const struct conf *conf;
	bool https;
	const char *session_cookie, *device_cookie, *back_cookie; /* their names */
	struct proxies proxies;
	struct assets assets;
	const char *css_url, *js_url, *logo_url, *logo_dark_url; /* NULL: no such logo */
	struct words words;
	struct terms terms;
	struct templates *templates;
	struct buf css, logo[2]; /* what assets points to beside what is embedded */
};

/* Whatever of site_dir is at fault is said and left out; only what is built in, the configuration and memory make this
 * fail. conf stays the caller's and must outlive it. */
enum err site_load(const struct conf *conf, const struct faults *fs, struct site *ret, struct errmsg *m);
void site_free(struct site *s);

#endif
