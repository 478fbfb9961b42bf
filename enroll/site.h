/* What does not change while the program runs. */
#ifndef KOSMO_ENROLL_SITE_H
#define KOSMO_ENROLL_SITE_H

#include "common/conf.h"
#include "enroll/assets.h"
#include "enroll/proxies.h"
#include "enroll/template.h"

struct site {
	const struct conf *conf;
	bool https;
	const char *session_cookie, *device_cookie, *back_cookie; /* their names */
	struct proxies proxies;
	struct assets assets;
	struct templates *templates;
};

/* conf stays the caller's and must outlive it. */
enum err site_load(const struct conf *conf, struct site *ret, struct errmsg *m);
void site_free(struct site *s);

#endif
