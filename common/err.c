#include "config.h"

#include "common/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const texts[ERR__MAX] = {
    [ERR_NONE] = "success",	     [ERR_NOMEM] = "out of memory",
    [ERR_INVALID] = "invalid input", [ERR_NOTFOUND] = "not found",
    [ERR_EXISTS] = "already exists", [ERR_BUSY] = "busy, try again later",
    [ERR_IO] = "input/output error", [ERR_CORRUPT] = "stored data is corrupt",
    [ERR_DENIED] = "not allowed",    [ERR_TOOBIG] = "too big",
    [ERR_TIMEOUT] = "timed out",     [ERR_INTERNAL] = "internal error",
};

const char *err_text(enum err e)
{
	if ((unsigned)e >= ERR__MAX)
		return "unknown error";
	return texts[e];
}

enum err err_set(struct errmsg *m, enum err e, const char *fmt, ...)
{
	int saved = errno; /* ERR_IO promises it to the caller */
	va_list ap;

	if (!m)
		return e;
	va_start(ap, fmt);
	if (vsnprintf(m->text, sizeof m->text, fmt, ap) < 0)
		m->text[0] = '\0';
	va_end(ap);
	errno = saved;
	return e;
}
