#include "config.h"

#include "common/i18n.h"
#include "keeper/agent.h"
#include "keeper/fill.h"
#include <string.h>

struct word {
	const char *token, *name;
};

/* The first that fits: nearly all of them call themselves Safari too, and many of them Chrome. */
static const struct word browsers[] = {
    {"Edg/", "Edge"},
    {"EdgA/", "Edge"},
    {"EdgiOS/", "Edge"},
    {"Edge/", "Edge"},
    {"OPR/", "Opera"},
    {"OPT/", "Opera"},
    {"Vivaldi/", "Vivaldi"},
    {"SamsungBrowser/", "Samsung Internet"},
    {"YJApp", "Yahoo! JAPAN"},
    {"YJ-", "Yahoo! JAPAN"},
    {"Line/", "LINE"},
    {"DuckDuckGo/", "DuckDuckGo"},
    {"Ddg/", "DuckDuckGo"},
    {"GSA/", "Google"},
    {"FxiOS/", "Firefox"},
    {"Firefox/", "Firefox"},
    {"CriOS/", "Chrome"},
    {"Chrome/", "Chrome"},
    {"Trident/", "Internet Explorer"},
    {"MSIE ", "Internet Explorer"},
    {"Safari/", "Safari"},
};

/* Android is a Linux, and an iPhone says "like Mac OS X". */
static const struct word systems[] = {
    {"Windows", "Windows"}, {"iPhone", "iPhone"}, {"iPad", "iPad"},    {"iPod", "iPod"},   {"Android", "Android"},
    {"CrOS", "Chromebook"}, {"Macintosh", "Mac"}, {"Mac OS X", "Mac"}, {"Linux", "Linux"},
};

static const char *find(const struct word *w, size_t n, const char *agent)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(agent, w[i].token))
			return w[i].name;
	return NULL;
}

void agent_words(const char *lang, const char *agent, struct buf *ret)
{
	const char *browser = find(browsers, sizeof browsers / sizeof *browsers, agent);
	const char *system = find(systems, sizeof systems / sizeof *systems, agent);
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
