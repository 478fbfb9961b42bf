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
	/* A piece of the file may stand in it: no line's end and nothing that a terminal would obey. */
	for (char *p = sentence; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	fs->say(fs->arg, f, sentence);
}
