/* kosmoctl init: an instance in a folder of its own, or what an installation still needs. */
#include "config.h"

#include "common/daemon.h"
#include "ctl/commands.h"
#include "ctl/init_terms.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INIT_MADE 24

struct init {
	struct ctl *c;
	const char *url;
	bool whole;	    /* --dir: everything in one folder */
	char dir[PATH_MAX]; /* the instance's folder, or the configuration's */
	char conf[PATH_MAX];
	char *made[INIT_MADE]; /* what is taken away again when a later step fails */
	size_t n_made;
};

/* ---- what is made, and taken away again ---- */

static enum ctl_exit init_errno(const char *path)
{
	ctl_say("%s: %s", path, strerror(errno));
	return errno == EEXIST ? CTL_INPUT : CTL_FAILED;
}

static enum ctl_exit init_note(struct init *x, const char *path)
{
	char *copy = x->n_made < INIT_MADE ? strdup(path) : NULL;
	if (!copy)
		return ctl_failed(ERR_NOMEM, path, NULL);
	x->made[x->n_made++] = copy;
	return CTL_OK;
}

static void init_undo(struct init *x, bool undo)
{
	while (x->n_made) {
		char *path = x->made[--x->n_made];
		if (undo && unlink(path) < 0 && (errno == EISDIR || errno == EPERM))
			(void)rmdir(path);
		free(path);
	}
}

static enum ctl_exit init_path(const struct init *x, char ret[static PATH_MAX], const char *name)
{
	if ((size_t)snprintf(ret, PATH_MAX, "%s/%s", x->dir, name) < PATH_MAX)
		return CTL_OK;
	ctl_say("%s: the name is too long", x->dir);
	return CTL_FAILED;
}

/* A folder below x->dir; one that is there already will do. */
static enum ctl_exit init_folder(struct init *x, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	enum ctl_exit r = init_path(x, path, name);
	if (r)
		return r;
	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? CTL_OK : init_errno(path);
	r = init_note(x, path);
	if (!r && chmod(path, mode) < 0) /* whatever the umask */
		r = init_errno(path);
	return r;
}

/* A new file below x->dir. keep: one that is there already is left as it is. */
static enum ctl_exit init_file(struct init *x, const char *name, const char *text, bool keep)
{
	char path[PATH_MAX];
	size_t n = strlen(text);
	enum ctl_exit r = init_path(x, path, name);
	if (r)
		return r;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == EEXIST && keep ? CTL_OK : init_errno(path);
	r = init_note(x, path);
	if (!r && (write(fd, text, n) != (ssize_t)n || fchmod(fd, 0644) < 0 || fsync(fd) < 0))
		r = init_errno(path);
	(void)close(fd);
	return r;
}

/* ---- kosmo.conf ---- */

/* Where the site listens: the port of an http:// address; behind a proxy that speaks https, the preset. */
static void init_listen(const char *url, char ret[static 32])
{
	const char *port = strrchr(url, ':');
	bool plain = strncasecmp(url, "http://", 7) == 0, named = plain && port && port > url + 7;
	size_t digits = named ? strspn(port + 1, "0123456789") : 0;
	if (digits > 5) /* no port: kosmo.conf(5) refuses the url */
		digits = 0;
	(void)snprintf(ret, 32, "127.0.0.1:%.*s", digits ? (int)digits : 4, digits ? port + 1 : plain ? "80" : "8480");
}

static void init_conf_text(const struct init *x, struct buf *b)
{
	char listen[32];
	init_listen(x->url, listen);
	buf_addf(b,
		 "# kosmo.conf: see kosmo.conf(5). What is not named here has its preset; \"kosmoctl -c THIS config "
		 "show\" prints\n"
		 "# all. Own files, kosmo.conf.d/NAME.conf beside this one, override it.\n"
		 "\n"
		 "# The address that people's browsers use: https, or http for localhost only.\n"
		 "url = %s\n"
		 "# Where a browser asks for neither: ja or en.\n"
		 "language = ja\n"
		 "# Shown on the pages and in mails.\n"
		 "#organisation = Example Health Insurance Society\n"
		 "#contact = Member desk, help@example.jp\n",
		 x->url);
	if (x->whole)
		buf_addf(b,
			 "\n"
			 "# The folder's owner stands for root and for the user kosmo.\n"
			 "state_dir = %s\n"
			 "run_dir = %s/run\n"
			 "site_dir = %s/site\n",
			 x->dir, x->dir, x->dir);
	buf_addf(b,
		 "\n"
		 "# Days that an initial password is good for.\n"
		 "#initial_password_days = 90\n"
		 "# The day by which everybody must have registered how they log in; mails remind of it.\n"
		 "#enrol.by = 2027-03-31\n"
		 "\n"
		 "[terms]\n"
		 "# Of the terms of use, site/terms.LANG.md. A greater number asks everyone anew; 0 asks nobody.\n"
		 "version = 1\n"
		 "\n"
		 "[web]\n"
		 "# A proxy such as nginx stands in front and speaks https.\n"
		 "listen = %s\n"
		 "\n"
		 "[mail]\n",
		 listen);
	if (x->whole)
		buf_addf(b,
			 "# Mails are put into a folder. To send them: transport = smtp, and smtp = HOST:PORT.\n"
			 "transport = maildir\n"
			 "maildir = %s/mail\n"
			 "from = no-reply@localhost\n",
			 x->dir);
	else
		buf_adds(b, "# The sender of all mails. Set it before people log in.\n"
			    "#from = no-reply@example.jp\n"
			    "smtp = localhost:25\n"
			    "# starttls, tls or none\n"
			    "smtp_tls = none\n");
}

/* A url or a folder that would change its meaning between the lines of a file is refused before it is written. */
static bool init_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= 0x20 || *s == 0x7f)
			return false;
	return true;
}

static enum ctl_exit init_conf(struct init *x)
{
	AUTO_BUF b = BUF_INIT;
	init_conf_text(x, &b);
	const char *text = buf_str(&b);
	if (!text)
		return ctl_failed(ERR_NOMEM, x->conf, NULL);
	enum ctl_exit r = init_file(x, strrchr(x->conf, '/') + 1, text, false);
	if (!r)
		r = init_folder(x, "kosmo.conf.d", 0755);
	if (!r)
		r = init_folder(x, "site", 0755);
	if (!r)
		r = init_file(x, "site/terms.ja.md", init_terms_ja, true);
	if (!r)
		r = init_file(x, "site/terms.en.md", init_terms_en, true);
	return r;
}

static enum ctl_exit init_load(struct init *x)
{
	x->c->conf_path = x->conf;
	enum ctl_exit r = ctl_conf(x->c);
	if (!r && x->whole && strcmp(x->c->conf->state_dir, x->dir) != 0) {
		ctl_say("%s: the name of this folder cannot be written in kosmo.conf; choose another", x->dir);
		r = CTL_FAILED;
	}
	return r;
}

/* ---- key and database ---- */

/* As the owner of state_dir. Takes away what it made itself. */
static enum ctl_exit init_store(struct ctl *c)
{
	char key[PATH_MAX], db[PATH_MAX];
	struct errmsg m = {""};
	struct seal *seal = NULL;
	bool made = false;
	if ((size_t)snprintf(key, sizeof key, "%s/key", c->conf->state_dir) >= sizeof key ||
	    (size_t)snprintf(db, sizeof db, "%s/kosmo.db", c->conf->state_dir) >= sizeof db)
		return ctl_failed(ERR_TOOBIG, c->conf->state_dir, NULL);
	enum err e = daemon_become_owner(c->conf->state_dir, &m);
	bool has_key = access(key, F_OK) == 0, has_db = access(db, F_OK) == 0;
	/* A database without its key is worth nothing: say so before a new key stands beside an old database. */
	if (!e && has_db && has_key)
		e = err_set(&m, ERR_EXISTS, "%s exists already", db);
	else if (!e && has_db)
		e = err_set(&m, ERR_EXISTS, "%s exists already, without its key: restore %s from the backup", db, key);
	else if (!e && has_key)
		e = err_set(&m, ERR_EXISTS,
			    "%s exists already, without its database: restore %s from the backup, or move the key away "
			    "to begin anew",
			    key, db);
	if (!e) {
		e = seal_key_create(key, &m);
		made = !e;
	}
	if (!e)
		e = seal_load(key, &seal, &m);
	if (!e)
		e = store_create(db, seal, &m);
	seal_free(seal);
	if (!e)
		return CTL_OK;
	if (made)
		(void)unlink(key);
	enum ctl_exit r = ctl_failed(e, db, &m);
	return e == ERR_EXISTS ? CTL_INPUT : r;
}

/* For a whole system, in a child: this process stays root, and can take away root's files if it fails. */
static enum ctl_exit init_store_child(struct ctl *c)
{
	int status;
	pid_t pid = fork();
	if (pid < 0)
		return ctl_failed(ERR_IO, "fork", NULL);
	if (pid == 0)
		_exit((int)init_store(c));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ctl_failed(ERR_IO, "waitpid", NULL);
	return WIFEXITED(status) ? (enum ctl_exit)WEXITSTATUS(status) : CTL_FAILED;
}

/* ---- the two ways ---- */

static enum ctl_exit init_enter(struct init *x, const char *dir)
{
	struct errmsg m = {""};
	struct stat st, ours;
	bool made = mkdir(dir, 0711) == 0;
	if (!made && errno != EEXIST)
		return init_errno(dir);
	/* Whoever owns the folder above may put a link to another one of root's in place of what was just made. */
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (made ? O_NOFOLLOW : 0));
	if (fd < 0)
		return init_errno(dir);
	enum ctl_exit r = CTL_OK;
	if (!realpath(dir, x->dir) || stat(x->dir, &st) < 0 || fstat(fd, &ours) < 0)
		r = init_errno(dir);
	else if (st.st_dev != ours.st_dev || st.st_ino != ours.st_ino || (made && st.st_uid != geteuid()))
		r = ctl_input("%s: somebody exchanged it meanwhile; choose a folder of your own", dir);
	if (!r && made)
		r = init_note(x, x->dir);
	if (!r && made && fchmod(fd, 0711) < 0)
		r = init_errno(x->dir);
	(void)close(fd);
	if (!r && !made && (st.st_mode & S_IWOTH))
		r = ctl_input("%s: everyone may write there; choose a folder of your own", x->dir);
	if (!r && !init_plain(x->dir))
		r = ctl_input("%s: its name holds a space or a control character", x->dir);
	if (r)
		return r;
	enum err e = daemon_become_owner(x->dir, &m);
	return e ? ctl_failed(e, x->dir, &m) : CTL_OK;
}

static enum ctl_exit init_whole(struct init *x, const char *dir)
{
	static const char *const folder[] = {"mail", "mail/tmp", "mail/new", "mail/cur"};
	enum ctl_exit r = init_enter(x, dir);
	if (!r)
		r = init_path(x, x->conf, "kosmo.conf");
	if (!r)
		r = init_conf(x);
	if (!r)
		r = init_folder(x, "run", 0755);
	for (size_t i = 0; !r && i < sizeof folder / sizeof *folder; i++)
		r = init_folder(x, folder[i], 0700);
	if (!r)
		r = init_load(x);
	return r ? r : init_store(x->c);
}

/* The installation made the folders; the configuration may be there already. */
static enum ctl_exit init_system(struct init *x)
{
	struct stat st;
	if (!realpath(x->c->conf_path, x->conf)) {
		if (errno != ENOENT)
			return init_errno(x->c->conf_path);
		if ((size_t)snprintf(x->conf, sizeof x->conf, "%s", x->c->conf_path) >= sizeof x->conf)
			return ctl_failed(ERR_TOOBIG, x->c->conf_path, NULL);
	}
	bool there = access(x->conf, F_OK) == 0;
	const char *slash = strrchr(x->conf, '/');
	(void)snprintf(x->dir, sizeof x->dir, "%.*s", slash ? (int)(slash - x->conf) : 1, slash ? x->conf : ".");
	if (!slash)
		return ctl_usage("init: -c needs a path with a folder");
	if (there && x->url)
		return ctl_input("%s exists already; without --url, key and database are made for it", x->conf);
	if (!there && !x->url)
		return ctl_usage("init: --url is needed");
	if (!there && (stat(x->dir, &st) < 0 || !S_ISDIR(st.st_mode)))
		return ctl_input("%s is missing: install pam_kosmo first, or name a folder of your own with --dir",
				 x->dir);
	enum ctl_exit r = there ? CTL_OK : init_conf(x);
	if (!r)
		r = init_load(x);
	if (!r && stat(x->c->conf->state_dir, &st) < 0)
		r = ctl_input("%s is missing: systemd-sysusers and systemd-tmpfiles --create make it",
			      x->c->conf->state_dir);
	return r ? r : init_store_child(x->c);
}

enum ctl_exit init_run(struct ctl *c, const struct args *a)
{
	struct init *x = calloc(1, sizeof *x);
	sigset_t before;
	if (!x)
		return ctl_failed(ERR_NOMEM, "init", NULL);
	*x = (struct init){.c = c, .url = a->value[OPT_URL], .whole = a->value[OPT_DIR]};
	enum ctl_exit r = CTL_OK;
	if (x->whole && a->value[OPT_CONF])
		r = ctl_usage("init: --dir makes its own kosmo.conf; leave -c out");
	else if (x->whole && !x->url)
		r = ctl_usage("init: --url is needed");
	else if (x->url && (!init_plain(x->url) || strlen(x->url) > 256))
		r = ctl_input("init: --url is no address");
	ctl_hold(&before);
	if (!r)
		r = x->whole ? init_whole(x, a->value[OPT_DIR]) : init_system(x);
	init_undo(x, r != CTL_OK);
	ctl_release(&before);
	if (!r)
		(void)printf("%s: made, with key and database in %s\n", x->conf, c->conf->state_dir);
	c->conf_path = NULL;
	free(x);
	return r;
}
