#include "config.h"

#include "common/site_file.h"
#include "common/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err site_file_whole(int fd, const char *path, size_t max, struct buf *ret, struct errmsg *m)
{
	for (;;) {
		uint8_t *to = buf_room(ret, 16384);
		ssize_t n;

		if (!to)
			return err_set(m, ERR_NOMEM, "%s: %s", path, err_text(ERR_NOMEM));
		n = read(fd, to, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
		if (n == 0)
			return ERR_NONE;
		ret->len += (size_t)n;
		if (ret->len > max)
			return err_set(m, ERR_TOOBIG, "%s: larger than %zu KB (%zu bytes); make it smaller", path,
				       max / 1024, max);
	}
}

static enum err site_file_look(int fd, const char *path, struct errmsg *m)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(m, ERR_INVALID, "%s: not a regular file; move it away", path);
	if (st.st_mode & S_IWOTH)
		return err_set(m, ERR_DENIED, "%s: everybody may write it; chmod o-w it", path);
	return ERR_NONE;
}

static enum err site_file_cannot(const char *path, struct errmsg *m)
{
	struct stat st;

	/* A link whose end is missing is a file that somebody wanted. */
	if ((errno == ENOENT && lstat(path, &st) < 0) || errno == ENOTDIR)
		return ERR_NOTFOUND;
	if (errno == EACCES)
		return err_set(m, ERR_DENIED,
			       "%s: the site may not read it; chmod 0644 it (and let no link lead out of this folder)",
			       path);
	return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
}

enum err site_file_read(const char *dir, const char *name, size_t max, struct buf *ret, struct errmsg *m)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof path, "%s/%s", dir, name), fd;
	enum err r;

	if (n < 0 || (size_t)n >= sizeof path)
		return err_set(m, ERR_TOOBIG, "%s: the path is too long", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return site_file_cannot(path, m);
	r = site_file_look(fd, path, m);
	if (r == ERR_NONE)
		r = site_file_whole(fd, path, max, ret, m);
	close(fd);
	if (r != ERR_NONE)
		buf_wipe(ret);
	return r;
}

static void site_file_tidy(struct buf *b)
{
	size_t out = 0, from = 0;

	if (b->len >= 3 && memcmp(b->data, "\xef\xbb\xbf", 3) == 0)
		from = 3;
	for (size_t i = from; i < b->len; i++) {
		uint8_t c = b->data[i];

		if (c == '\r')
			continue;
		while (c == '\n' && out && (b->data[out - 1] == ' ' || b->data[out - 1] == '\t'))
			out--;
		b->data[out++] = c;
	}
	b->len = out;
	if (b->data)
		b->data[out] = '\0';
}

/* The first line that is not UTF-8; 0: none. */
static unsigned site_file_bad_line(const struct buf *b)
{
	unsigned line = 1;

	for (size_t at = 0; at < b->len; line++) {
		const uint8_t *p = b->data + at, *end = memchr(p, '\n', b->len - at);
		size_t n = end ? (size_t)(end - p) : b->len - at;

		if (!text_utf8_valid(p, n))
			return line;
		at += n + 1;
	}
	return 0;
}

enum err site_file_text(const char *dir, const char *name, size_t max, struct buf *ret, struct errmsg *m)
{
	enum err r = site_file_read(dir, name, max, ret, m);
	unsigned line;

	if (r != ERR_NONE)
		return r;
	line = site_file_bad_line(ret);
	site_file_tidy(ret);
	if (line)
		r = err_set(m, ERR_INVALID, "%s/%s:%u: not UTF-8; save the file as UTF-8", dir, name, line);
	else if (!ret->data || strspn((const char *)ret->data, " \t\n") == ret->len)
		r = err_set(m, ERR_INVALID, "%s/%s: empty; write something there or remove it", dir, name);
	if (r != ERR_NONE)
		buf_wipe(ret);
	return r;
}
