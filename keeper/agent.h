/* What a browser says of itself (User-Agent), in words that people know it by. */
#ifndef KOSMO_AGENT_H
#define KOSMO_AGENT_H

#include "common/buf.h"

/* Appends "Chrome on Windows", "Safari on iPhone", "a browser": words of ours alone, whatever the outside bytes are. */
void agent_words(const char *lang, const char *agent, struct buf *ret);

#endif
