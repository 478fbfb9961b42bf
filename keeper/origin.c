#include "config.h"

#include "keeper/origin.h"
#include <stdio.h>
#include <string.h>

static void from(struct origin *o, const struct conf *conf, const char *address)
{
	memset(o, 0, sizeof *o);
	o->teaches = true;
	snprintf(o->shown, sizeof o->shown, "%s", address);
	o->has_from = net_parse(address, &o->from);
	o->remote = o->has_from && !net_loopback(&o->from);
	o->exempt = o->has_from && net_listed(conf->limits_exempt, &o->from);
}

void origin_terminal(struct origin *o, const struct conf *conf, const char *address)
{
	from(o, conf, address);
}

void origin_browser(struct origin *o, const struct conf *conf, const char *address)
{
	from(o, conf, address);
	if (o->has_from && (!o->remote || net_listed(conf->web_trusted_proxies, &o->from)))
		o->has_from = o->remote = o->exempt = false;
}

enum err origin_device(struct origin *o, const struct seal *s, const char *token)
{
	const struct seal_part part[] = {{"device", 6}, {token, strlen(token)}};
	enum err e = seal_mac(s, SEAL_SESSION, part, 2, o->device);
	o->has_device = !e;
	return e;
}

enum err origin_key(struct origin *o, const struct seal *s, const char *key, size_t n)
{
	const struct seal_part part[] = {{"ssh", 3}, {key, n}};
	enum err e = seal_mac(s, SEAL_COUNTER, part, 2, o->key);
	o->has_key = !e;
	return e;
}
