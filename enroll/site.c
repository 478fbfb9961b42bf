#include "config.h"

#include "enroll/site.h"
#include <string.h>

enum err site_load(const struct conf *conf, struct site *ret, struct errmsg *m)
{
	struct site s = {.conf = conf};
	enum err r;

	s.https = strncmp(conf->url, "https://", 8) == 0;
	/* Browsers take the __Host- prefix from secure origins only. */
	s.session_cookie = s.https ? "__Host-kosmo" : "kosmo";
	s.device_cookie = s.https ? "__Host-kosmo-device" : "kosmo-device";
	s.back_cookie = s.https ? "__Host-kosmo-back" : "kosmo-back";
	r = proxies_parse(conf->web_trusted_proxies, &s.proxies, m);
	if (r == ERR_NONE)
		r = assets_load(&s.assets, m);
	if (r == ERR_NONE)
		r = assets_templates(conf->site_dir, &s.templates, m);
	if (r == ERR_NONE)
		*ret = s;
	else
		site_free(&s);
	return r;
}

void site_free(struct site *s)
{
	if (!s)
		return;
	templates_free(s->templates);
	assets_free(&s->assets);
	*s = (struct site){0};
}
