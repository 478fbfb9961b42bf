#include "config.h"

#include "common/clock.h"
#include "ctl/passfile.h"
#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PASSFILE_FLUSH 65536

static enum err passfile_name(struct passfile *p, const char *path, struct errmsg *m)
{
	struct tm tm;
	time_t now = (time_t)clock_now();
	if (path && (size_t)snprintf(p->path, sizeof p->path, "%s", path) >= sizeof p->path)
		return err_set(m, ERR_TOOBIG, "the file name of --passwords is too long");
	if (!path && (!localtime_r(&now, &tm) ||
		      !strftime(p->path, sizeof p->path, "./initial-passwords-%Y%m%d-%H%M%S.csv", &tm)))
		return err_set(m, ERR_INTERNAL, "the clock gives no date; name a file with --passwords");
	char *slash = strrchr(p->path, '/');
	p->base = slash ? slash + 1 : p->path;
	return ERR_NONE;
}

/* Only what we made, still under its name, is removed. Returns whether it may be there still. */
static bool passfile_remove(const struct passfile *p)
{
	struct stat mine, there;
	int empty = ftruncate(p->fd, 0);
	if (fstatat(p->dir, p->base, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return errno != ENOENT;
	if (fstat(p->fd, &mine) < 0 || mine.st_dev != there.st_dev || mine.st_ino != there.st_ino)
		return empty < 0;
	return unlinkat(p->dir, p->base, 0) < 0;
}

/* ---- the attendant: root becomes somebody else, who cannot take the file out of root's folder again ---- */

/* In the child, which stays who it was. Without the byte, as when its parent is killed, the file stays. */
static void passfile_wait(const struct passfile *p, int pipe)
{
	static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
	char remove;
	ssize_t n;
	for (size_t i = 0; i < sizeof deaf / sizeof *deaf; i++)
		(void)signal(deaf[i], SIG_IGN);
	do
		n = read(pipe, &remove, 1);
	while (n < 0 && errno == EINTR);
	_exit(n == 1 && passfile_remove(p));
}

static void passfile_attend(struct passfile *p)
{
	int pipe[2];
	if (geteuid() != 0 || pipe2(pipe, O_CLOEXEC) < 0)
		return; /* then the file may have to stay, empty */
	p->attendant = fork();
	if (p->attendant == 0) {
		(void)close(pipe[1]);
		passfile_wait(p, pipe[0]);
	}
	(void)close(pipe[0]);
	p->attend = pipe[1];
	if (p->attendant < 0) {
		(void)close(p->attend);
		p->attend = -1;
	}
}

/* Returns whether the file may be there still. */
static bool passfile_dismiss(struct passfile *p, bool remove)
{
	int status = 1;
	bool told = false;
	if (p->attend < 0)
		return true;
	if (remove)
		told = write(p->attend, "", 1) == 1;
	(void)close(p->attend);
	p->attend = -1;
	while (waitpid(p->attendant, &status, 0) < 0)
		if (errno != EINTR)
			return true;
	return !told || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

enum err passfile_open(struct passfile *p, const char *path, struct errmsg *m)
{
	char folder[PATH_MAX];
	enum err e = passfile_name(p, path, m);
	if (e)
		return e;
	size_t n = (size_t)(p->base - p->path);
	(void)snprintf(folder, sizeof folder, "%.*s", (int)(n ? n : 1), n ? p->path : ".");
	p->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0)
		return err_set(m, ERR_IO, "%s: %s", folder, strerror(errno));
	p->fd = openat(p->dir, p->base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->fd >= 0) {
		passfile_attend(p);
		return ERR_NONE;
	}
	e = errno == EEXIST
		? err_set(m, ERR_EXISTS,
			  "%s exists already: name a new file, or delete it if an interrupted run left it", p->path)
		: err_set(m, ERR_IO, "%s: %s", p->path, strerror(errno));
	(void)close(p->dir);
	p->dir = -1;
	return e;
}

void passfile_bom(struct passfile *p)
{
	buf_adds(&p->buf, "\xef\xbb\xbf");
}

static enum err passfile_flush(struct passfile *p, struct errmsg *m)
{
	size_t done = 0;
	if (p->buf.failed)
		return ERR_NOMEM;
	while (done < p->buf.len) {
		ssize_t n = write(p->fd, p->buf.data + done, p->buf.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(m, ERR_IO, "%s: %s", p->path, strerror(errno));
		done += (size_t)n;
	}
	buf_wipe(&p->buf);
	return ERR_NONE;
}

static void passfile_cell(struct passfile *p, const char *s)
{
	size_t n = strlen(s), cap = 2 * n + 2;
	uint8_t *room = buf_room(&p->buf, cap);
	if (room)
		p->buf.len += csv_write(room, cap, s, n);
}

enum err passfile_line(struct passfile *p, const char *const *cells, size_t n, struct errmsg *m)
{
	for (size_t i = 0; i < n; i++) {
		AUTO_BUF b = BUF_INIT;
		if (i)
			buf_addc(&p->buf, ',');
		if (cells[i][0] && strchr("=+-@", cells[i][0]))
			buf_addc(&b, '\'');
		buf_adds(&b, cells[i]);
		if (b.failed)
			return ERR_NOMEM;
		passfile_cell(p, buf_str(&b));
	}
	buf_addc(&p->buf, '\n');
	p->rows++;
	if (p->buf.failed)
		return ERR_NOMEM;
	return p->buf.len < PASSFILE_FLUSH ? ERR_NONE : passfile_flush(p, m);
}

enum err passfile_add(struct passfile *p, const char *login, const char *name, const char *password, struct errmsg *m)
{
	if (p->rows == 0)
		buf_adds(&p->buf, "login,name,initial_password\n");
	buf_adds(&p->buf, login); /* a canonical login needs no quotes */
	buf_addc(&p->buf, ',');
	passfile_cell(p, name);
	buf_addc(&p->buf, ',');
	buf_adds(&p->buf, password);
	buf_addc(&p->buf, '\n');
	p->rows++;
	if (p->buf.failed)
		return ERR_NOMEM;
	return p->buf.len < PASSFILE_FLUSH ? ERR_NONE : passfile_flush(p, m);
}

enum err passfile_sync(struct passfile *p, struct errmsg *m)
{
	enum err e = passfile_flush(p, m);
	if (e)
		return e;
	if (fsync(p->fd) < 0 || fsync(p->dir) < 0)
		return err_set(m, ERR_IO, "%s: %s", p->path, strerror(errno));
	return ERR_NONE;
}

void passfile_close(struct passfile *p, bool keep, bool *ret_left)
{
	bool left = p->fd >= 0 && !keep && passfile_remove(p);
	left = passfile_dismiss(p, left) && left;
	if (p->fd >= 0)
		(void)close(p->fd);
	if (p->dir >= 0)
		(void)close(p->dir);
	p->fd = p->dir = -1;
	buf_free(&p->buf);
	if (ret_left)
		*ret_left = left;
}
