#include "config.h"

#include "common/buf.h"
#include "pam/seat.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SEAT_FILE_MAX 4096 /* bytes; logind's have a few hundred */
#define SEAT_DIGITS   "0123456789"

static const char *seat_device(const char *tty)
{
	return strncmp(tty, "/dev/", 5) == 0 ? tty + 5 : tty;
}

static bool seat_number(const char *s)
{
	return *s != '\0' && s[strspn(s, SEAT_DIGITS)] == '\0';
}

/* ":0", ":1.0"; with a host's name in front it is somewhere else. */
static bool seat_display(const char *tty)
{
	if (tty[0] != ':')
		return false;
	size_t n = strspn(tty + 1, SEAT_DIGITS);
	const char *rest = tty + 1 + n;
	return n > 0 && (*rest == '\0' || (*rest == '.' && seat_number(rest + 1)));
}

bool seat_console(const char *tty)
{
	const char *name = seat_device(tty);
	return seat_display(tty) || (strncmp(name, "tty", 3) == 0 && name[3] != '0' && seat_number(name + 3));
}

/* The whole file, if it is small. */
static bool seat_read(const char *file, struct buf *ret)
{
	int fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	uint8_t *to = fd >= 0 ? buf_room(ret, SEAT_FILE_MAX) : NULL;
	ssize_t n = to != NULL ? read(fd, to, SEAT_FILE_MAX) : -1;
	if (fd >= 0)
		close(fd);
	if (n <= 0 || n == SEAT_FILE_MAX)
		return false;
	to[n] = '\0';
	ret->len += (size_t)n;
	return buf_str(ret) != NULL;
}

/* A line "NAME=..." with that value; NULL: with any that is not empty. */
static bool seat_says(const char *text, const char *name, const char *value)
{
	for (size_t n = strlen(name); *text != '\0'; text += *text == '\n') {
		size_t len = strcspn(text, "\n");
		if (len > n + 1 && strncmp(text, name, n) == 0 && text[n] == '=' &&
		    (value == NULL ||
		     (len == n + 1 + strlen(value) && strncmp(text + n + 1, value, strlen(value)) == 0)))
			return true;
		text += len;
	}
	return false;
}

bool seat_session(const char *session_file, const char *folder)
{
	AUTO_BUF id = BUF_INIT, path = BUF_INIT, text = BUF_INIT;
	if (!seat_read(session_file, &id) || !seat_number(buf_str(&id)))
		return false;
	buf_addf(&path, "%s/%s", folder, buf_str(&id));
	if (path.failed || !seat_read(buf_str(&path), &text))
		return false;
	return seat_says(buf_str(&text), "SEAT", NULL) && seat_says(buf_str(&text), "REMOTE", "0") &&
	       seat_says(buf_str(&text), "ACTIVE", "1");
}

bool seat_local(const char *rhost, const char *tty)
{
	if (rhost != NULL && rhost[0] != '\0')
		return false;
	if (tty != NULL && seat_console(tty))
		return true;
	/* a serial line may lead anywhere, "ssh" does */
	if (tty != NULL && tty[0] != '\0' && strncmp(seat_device(tty), "pts/", 4) != 0)
		return false;
	return seat_session(SEAT_SESSION, SEAT_FOLDER);
}
