/* kosmoctl store: the database as a whole. */
#include "config.h"

#include "common/clock.h"
#include "ctl/commands.h"
#include "ctl/json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static enum ctl_exit failed(const char *path)
{
	ctl_say("%s: %s", path, strerror(errno));
	return CTL_FAILED;
}

/* ---- check ---- */

static void check_bad(void *arg, const char *what, const char *who)
{
	(void)arg;
	ctl_say("%s %s: was changed or damaged", what, who);
}

static void check_json(const struct store_check *s, bool whole)
{
	struct json j = {.f = stdout};
	json_object(&j, NULL);
	json_bool(&j, "whole", whole);
	json_str(&j, "damage", s->damage.text[0] ? s->damage.text : NULL);
	json_int(&j, "people", s->people);
	json_int(&j, "codes", s->codes);
	json_int(&j, "sessions", s->sessions);
	json_int(&j, "mails", s->mails);
	json_int(&j, "audit", s->audit.rows);
	json_int(&j, "bad", s->bad + s->audit.sealed_bad);
	json_int(&j, "orphans", s->orphans);
	json_int(&j, "audit_faults", s->audit.faults);
	json_end(&j, '}');
}

enum ctl_exit store_run_check(struct ctl *c, const struct args *a)
{
	struct store_check s;
	(void)a;
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (r)
		return r;
	enum err e = store_check(c->st, check_bad, NULL, &s);
	if (e)
		return ctl_failed(e, "the check could not be finished", NULL);
	bool whole = !s.damage.text[0] && !s.bad && !s.orphans && !s.audit.fault && !s.audit.sealed_bad;
	if (c->json)
		check_json(&s, whole);
	else
		(void)printf("%" PRId64 " people, %" PRId64 " codes, %" PRId64 " sessions, %" PRId64
			     " mails and %" PRId64 " audit entries: %s\n",
			     s.people, s.codes, s.sessions, s.mails, s.audit.rows,
			     whole ? "all whole" : "not all whole");
	if (s.damage.text[0])
		ctl_say("%s", s.damage.text);
	if (s.orphans)
		ctl_say("%" PRId64 " rows belong to nobody", s.orphans);
	if (s.audit.sealed_bad)
		ctl_say("audit: %" PRId64 " entries cannot be opened", s.audit.sealed_bad);
	audit_verify_say(&s.audit);
	return whole ? CTL_OK : CTL_FAILED;
}

/* ---- backup: a child becomes the owner and reads, this process stays who typed the command, and writes ---- */

static bool backup_pass(int from, int to)
{
	static char b[65536];
	for (;;) {
		ssize_t n = read(from, b, sizeof b);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		for (ssize_t done = 0, put; done < n; done += put) {
			put = write(to, b + done, (size_t)(n - done));
			if (put < 0 && errno == EINTR)
				put = 0;
			else if (put <= 0)
				return false;
		}
	}
}

/* A copy beside the database first, without a name as soon as it is whole. */
static enum ctl_exit backup_copy(struct ctl *c, int to)
{
	char path[PATH_MAX];
	struct errmsg m = {""};
	enum ctl_exit r = CTL_OK;
	if ((size_t)snprintf(path, sizeof path, "%s/kosmo.db.copy", c->conf->state_dir) >= sizeof path)
		return ctl_failed(ERR_TOOBIG, c->conf->state_dir, NULL);
	(void)unlink(path); /* of one that was killed just then */
	enum err e = store_backup(c->st, path, &m);
	if (e)
		return ctl_failed(e, path, &m);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	(void)unlink(path);
	if (fd < 0 || !backup_pass(fd, to))
		r = failed(path);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* One at a time, or one takes the other's half for its own. Only the owner can open the folder, and so hold its lock.
 */
static enum ctl_exit backup_read(struct ctl *c, int to)
{
	enum ctl_exit r = ctl_store(c);
	if (r)
		return r;
	int dir = open(c->conf->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0)
		r = backup_copy(c, to);
	else if (dir < 0 || errno != EWOULDBLOCK)
		r = failed(c->conf->state_dir);
	else {
		ctl_say("another backup goes on; try again when it is made");
		r = CTL_BUSY;
	}
	if (dir >= 0)
		(void)close(dir);
	return r;
}

static enum ctl_exit backup_child(struct ctl *c, int fd, const char *path)
{
	int pipe[2], status = 0;
	pid_t pid = -1;
	if (pipe2(pipe, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return failed("backup");
	if (pid == 0) {
		(void)close(pipe[0]);
		(void)close(fd);
		enum ctl_exit there = backup_read(c, pipe[1]);
		ctl_close(c);
		_exit((int)there);
	}
	(void)close(pipe[1]);
	enum ctl_exit r = backup_pass(pipe[0], fd) && fsync(fd) == 0 ? CTL_OK : failed(path);
	(void)close(pipe[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return failed("backup");
	return r ? r : WIFEXITED(status) ? (enum ctl_exit)WEXITSTATUS(status) : CTL_FAILED;
}

/* Only a whole backup ever has the name that was asked for. */
static enum ctl_exit backup_into(struct ctl *c, int dir, const char *path, const char *base)
{
	char fresh[NAME_MAX + 1];
	if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", base) >= sizeof fresh)
		return ctl_input("%s: the name is too long", path);
	if (faccessat(dir, base, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return ctl_input("%s exists already; name a new file", path);
	int fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return ctl_input("%s.new is there: of a backup that goes on, or was broken off (then remove it)", path);
	if (fd < 0)
		return failed(path);
	enum ctl_exit r = backup_child(c, fd, path);
	if (!r && (renameat2(dir, fresh, dir, base, RENAME_NOREPLACE) < 0 || fsync(dir) < 0))
		r = failed(path);
	if (r)
		(void)unlinkat(dir, fresh, 0);
	(void)close(fd);
	return r;
}

enum ctl_exit store_run_backup(struct ctl *c, const struct args *a)
{
	const char *path = a->word[0], *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char folder[PATH_MAX];
	sigset_t before;
	size_t n = (size_t)(base - path);
	if (!*base ||
	    (size_t)snprintf(folder, sizeof folder, "%.*s", (int)(n ? n : 1), n ? path : ".") >= sizeof folder)
		return ctl_input("%s: no name of a file", path);
	enum ctl_exit r = ctl_conf(c);
	if (r)
		return r;
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return failed(folder);
	ctl_hold(&before); /* a backup that is stopped halfway is worth nothing */
	r = backup_into(c, dir, path, base);
	ctl_release(&before);
	(void)close(dir);
	if (!r)
		(void)printf("%s: made; the key, %s/key, is not in it: keep a copy of that elsewhere\n", path,
			     c->conf->state_dir);
	return r;
}

/* ---- upgrade ---- */

static enum ctl_exit upgrade(struct ctl *c, const char *db, const char *stamp)
{
	struct store_upgraded u;
	struct errmsg m = {""};
	char text[96];
	struct audit a = {.time = clock_now(), .event = "store.upgrade", .door = "ctl", .address = "", .detail = text};
	sigset_t before;
	(void)snprintf(text, sizeof text, "by uid %u: to schema %d", (unsigned)c->admin, STORE_SCHEMA);
	ctl_hold(&before);
	enum err e = store_upgrade(db, c->seal, stamp, &a, &u, &m);
	ctl_release(&before);
	if (e)
		return ctl_failed(e, db, &m);
	if (u.from == u.to) {
		(void)printf("%s: has schema %" PRId64 " already, nothing was done\n", db, u.to);
		return CTL_OK;
	}
	(void)printf("%s: brought from schema %" PRId64 " to %" PRId64 ", %" PRId64
		     " people\n%s: the backup of before\n",
		     db, u.from, u.to, u.people, u.backup);
	if (u.bad)
		ctl_say("%" PRId64 " people's rows had been changed or damaged before, and still are; "
			"kosmoctl store check names them",
			u.bad);
	return u.bad ? CTL_FAILED : CTL_OK;
}

enum ctl_exit store_run_upgrade(struct ctl *c, const struct args *a)
{
	char db[PATH_MAX], stamp[32];
	time_t now = (time_t)clock_now();
	struct tm tm;
	(void)a;
	if (!localtime_r(&now, &tm) || !strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &tm))
		return ctl_failed(ERR_INTERNAL, "the clock gives no date for the backup", NULL);
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_key(c, db);
	return r ? r : upgrade(c, db, stamp);
}
