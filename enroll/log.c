#include "config.h"

#include "enroll/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *log_program = "";
static bool log_verbose, log_journal;

void log_init(const char *program, bool debug)
{
	log_program = program;
	log_verbose = debug;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

bool log_debugging(void)
{
	return log_verbose;
}

/* One write(2) a line, so that lines of several threads and children never mix. */
__attribute__((format(printf, 2, 0))) static void log_line(int priority, const char *fmt, va_list ap)
{
	char line[1024];
	int n, m;

	n = log_journal ? snprintf(line, sizeof line, "<%d>%s: ", priority, log_program)
			: snprintf(line, sizeof line, "%s: ", log_program);
	if (n < 0 || (size_t)n >= sizeof line - 2)
		return;
	m = vsnprintf(line + n, sizeof line - 1 - (size_t)n, fmt, ap);
	if (m < 0)
		return;
	n += m;
	if ((size_t)n > sizeof line - 2)
		n = (int)sizeof line - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to complain */
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(3, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(6, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!log_verbose)
		return;
	va_start(ap, fmt);
	log_line(7, fmt, ap);
	va_end(ap);
}
