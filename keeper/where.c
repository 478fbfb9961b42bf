#include "config.h"

#include "keeper/agent.h"
#include "keeper/where.h"
#include <stdio.h>
#include <string.h>

static void where_flag(struct call *c, const char *before, const char *id)
{
	char name[24];
	if (!id)
		return;
	snprintf(name, sizeof name, "%s_%s", before, id);
	view_put(c, name, "1");
}

void where_view(struct call *c)
{
	const struct agent a = agent_of(c->agent);
	bool android = a.system && !strcmp(a.system, "android");
	bool apple = a.system && (!strcmp(a.system, "mac") || (a.phone && !android)); /* a "mac" with apps is an iPad */
	where_flag(c, "on", a.system ? a.system : "unknown");
	where_flag(c, "in", a.browser);
	where_flag(c, "on", a.phone ? "phone" : NULL);
	where_flag(c, "shop", android ? NULL : "apple");
	where_flag(c, "shop", apple ? NULL : "android");
}

void where_app_view(struct call *c)
{
	static const char *const ways[] = {"here", "scan", "computer"};
	const char *on = call_field(c, "on"), *way = agent_of(c->agent).phone ? "here" : "scan";
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (!strcmp(on, ways[i]))
			way = ways[i];
	where_view(c);
	view_put(c, way, "1");
	view_put(c, "on", way);
}
