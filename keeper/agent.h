/* What a browser says of itself (User-Agent), in words that people know it by. */
#ifndef KOSMO_AGENT_H
#define KOSMO_AGENT_H

#include "common/buf.h"
#include <stdbool.h>

/* Appends "Chrome on Windows", "Safari on iPhone", "a browser": words of ours alone, whatever the outside bytes are. */
void agent_words(const char *lang, const char *agent, struct buf *ret);

/* What help on a page is chosen by, and no rule: anybody may say anything of himself. */
struct agent {
	const char
	    *system; /* "iphone", "ipad", "android", "mac" (which may be an iPad), "windows", "linux"; NULL: unknown */
	const char *browser; /* "chrome", "edge", "firefox", "safari", "app" (within another app); NULL: another */
	bool phone;	     /* or tablet: apps come from a shop, and it cannot point its camera at its own screen */
};
struct agent agent_of(const char *agent);

#endif
