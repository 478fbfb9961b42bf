/* The journal, without ever waiting for it: syslog(3) blocks when the socket's queue is full, and a log that hangs
 * would hang every login. */
#include "config.h"

#include "common/daemon.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define HEAD_BYTES     96 /* of it for priority, time and name */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static const char *log_name = "";
static int log_facility, log_fd = -1;
static bool log_stderr;
static unsigned long log_lost;

void daemon_log_open(const char *name, int facility, bool on_stderr)
{
	log_name = name;
	log_facility = facility;
	log_stderr = on_stderr;
	tzset();
}

static void log_connect(void)
{
	const struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	log_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (log_fd >= 0 && connect(log_fd, (const struct sockaddr *)&to, sizeof to)) {
		close(log_fd);
		log_fd = -1;
	}
}

/* A journal that was started anew listens on another socket. */
static bool log_send(const char *line, size_t n)
{
	for (int i = 0; i < 2; i++) {
		if (log_fd < 0)
			log_connect();
		if (log_fd < 0)
			return false;
		if (send(log_fd, line, n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return true;
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
			return false;
		close(log_fd);
		log_fd = -1;
	}
	return false;
}

/* RFC 3164, as syslog(3) writes it. */
static bool log_line(int priority, const char *text)
{
	char line[LINE_MAX_BYTES], when[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	if (localtime_r(&now, &tm))
		snprintf(when, sizeof when, "%s %2d %02d:%02d:%02d", months[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour,
			 tm.tm_min, tm.tm_sec);
	int n = snprintf(line, sizeof line, "<%d>%s %s[%ld]: %s", priority, when, log_name, (long)getpid(), text);
	return n > 0 && log_send(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

/* What others wrote is within it: it begins no line of its own, and moves no terminal's cursor. */
static void log_clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}

void daemon_log(int priority, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES - HEAD_BYTES], note[128];
	const int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	log_clean(text);
	if (!(priority & LOG_FACMASK))
		priority |= log_facility;
	if (log_stderr)
		(void)!dprintf(STDERR_FILENO, "%s[%ld]: %s\n", log_name, (long)getpid(), text);
	pthread_mutex_lock(&log_lock);
	if (log_lost) {
		snprintf(note, sizeof note, "%lu lines before this one are lost: the journal did not take them",
			 log_lost);
		if (log_line(log_facility | LOG_WARNING, note))
			log_lost = 0;
	}
	if (!log_line(priority, text))
		log_lost++;
	pthread_mutex_unlock(&log_lock);
	errno = saved;
}
