#include "config.h"

#include "common/fill.h"
#include "common/i18n.h"
#include "keeper/agent.h"
#include <string.h>

struct word {
	const char *token, *name, *id; /* id: what agent_of calls it; NULL: no help of its own */
};

/* The first that fits: nearly all of them call themselves Safari too, and many of them Chrome. Some are a Chrome under
 * another name, and take its extensions. */
static const struct word browsers[] = {
    {"Edg/", "Edge", "edge"},
    {"EdgA/", "Edge", "edge"},
    {"EdgiOS/", "Edge", "edge"},
    {"Edge/", "Edge", NULL},
    {"OPR/", "Opera", "chrome"},
    {"OPT/", "Opera", NULL},
    {"Vivaldi/", "Vivaldi", "chrome"},
    {"SamsungBrowser/", "Samsung Internet", NULL},
    {"YJApp", "Yahoo! JAPAN", "app"},
    {"YJ-", "Yahoo! JAPAN", NULL},
    {"Line/", "LINE", "app"},
    {"FBAN/", "Facebook", "app"},
    {"FB_IAB/", "Facebook", "app"},
    {"Instagram ", "Instagram", "app"},
    {"DuckDuckGo/", "DuckDuckGo", NULL},
    {"Ddg/", "DuckDuckGo", NULL},
    {"GSA/", "Google", "app"},
    {"FxiOS/", "Firefox", "firefox"},
    {"Firefox/", "Firefox", "firefox"},
    {"CriOS/", "Chrome", "chrome"},
    {"Chrome/", "Chrome", "chrome"},
    {"Trident/", "Internet Explorer", NULL},
    {"MSIE ", "Internet Explorer", NULL},
    {"Safari/", "Safari", "safari"},
};

/* Android is a Linux, and an iPhone says "like Mac OS X". An iPad calls itself a Macintosh, unless it is told
 * to ask for pages as for a phone: a "mac" may be one. */
static const struct word systems[] = {
    {"Windows Phone", "Windows", NULL}, {"Windows", "Windows", "windows"}, {"iPhone", "iPhone", "iphone"},
    {"iPad", "iPad", "ipad"},		{"iPod", "iPod", "iphone"},	   {"Android", "Android", "android"},
    {"CrOS", "Chromebook", "linux"},	{"Macintosh", "Mac", "mac"},	   {"Mac OS X", "Mac", "mac"},
    {"Linux", "Linux", "linux"},
};

static const struct word *find(const struct word *w, size_t n, const char *agent)
{
	static const struct word none = {NULL, NULL, NULL};
	for (size_t i = 0; i < n; i++)
		if (strstr(agent, w[i].token))
			return &w[i];
	return &none;
}

static const struct word *browser_of(const char *agent)
{
	return find(browsers, sizeof browsers / sizeof *browsers, agent);
}

static const struct word *system_of(const char *agent)
{
	return find(systems, sizeof systems / sizeof *systems, agent);
}

void agent_words(const char *lang, const char *agent, struct buf *ret)
{
	const char *browser = browser_of(agent)->name, *system = system_of(agent)->name;
	const struct fill values[] = {{"browser", browser}, {"system", system}, {NULL, NULL}};
	if (browser && !system)
		buf_adds(ret, browser);
	else
		fill(ret,
		     i18n(lang, browser	 ? N_("{browser} on {system}")
				: system ? N_("a browser on {system}")
					 : N_("a browser")),
		     values);
}

struct agent agent_of(const char *agent)
{
	const char *system = system_of(agent)->id;
	return (struct agent){
	    .system = system,
	    .browser = browser_of(agent)->id,
	    .phone = system && (!strcmp(system, "iphone") || !strcmp(system, "ipad") || !strcmp(system, "android")),
	};
}
