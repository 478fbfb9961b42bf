#include "config.h"

#include "enroll/fault.h"
#include <stdarg.h>
#include <stdio.h>

void faults_say(const struct faults *fs, enum fault f, const char *fmt, ...)
{
	char sentence[4096 + 512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof sentence, fmt, ap);
	va_end(ap);
	fs->say(fs->arg, f, sentence);
}
