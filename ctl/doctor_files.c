/* Configuration, users, files and folders: who owns them, who may do what. */
#include "config.h"

#include "ctl/doctor.h"
#include "ctl/site.h"
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DOCTOR_DISK_FULL  (8ull << 20)
#define DOCTOR_DISK_SHORT (128ull << 20)

/* ---- configuration ---- */

/* Whoever can write it is the keeper's master: root, or the owner of an instance of one's own. */
static bool files_conf_safe(struct doctor *d, const char *path)
{
	char who[64];
	struct stat st, state;
	if (stat(path, &st) < 0) {
		doctor_say(d, DOCTOR_FAIL, "%s: %s", path, strerror(errno));
		return false;
	}
	bool owner = st.st_uid == 0 || (!d->system && d->c->conf && stat(d->c->conf->state_dir, &state) == 0 &&
					st.st_uid == state.st_uid);
	if (d->c->conf && !owner) {
		doctor_fix(d, "chown root %s", path);
		doctor_say(d, DOCTOR_FAIL, "%s belongs to %s, who can so decide what the keeper does", path,
			   doctor_user(st.st_uid, who));
		return false;
	}
	if (st.st_mode & 022) {
		doctor_fix(d, "chmod go-w %s", path);
		doctor_say(d, DOCTOR_FAIL, "%s: mode %04o: others than its owner may write it", path,
			   (unsigned)st.st_mode & 07777);
		return false;
	}
	return true;
}

static bool files_dropins(struct doctor *d, const char *file)
{
	char folder[PATH_MAX], path[PATH_MAX + 300];
	const struct dirent *f;
	bool ok = true;
	(void)snprintf(folder, sizeof folder, "%s.d", file);
	DIR *dir = opendir(folder);
	if (!dir)
		return true;
	ok = files_conf_safe(d, folder);
	while ((f = readdir(dir))) {
		size_t n = strlen(f->d_name);
		if (n < 6 || strcmp(f->d_name + n - 5, ".conf") != 0 || f->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
		ok &= files_conf_safe(d, path);
	}
	(void)closedir(dir);
	return ok;
}

static bool files_conf_all(struct doctor *d, const char *file)
{
	bool ok = files_conf_safe(d, file);
	return files_dropins(d, file) && ok;
}

void doctor_conf(struct doctor *d)
{
	struct errmsg m = {""};
	struct stat st;
	enum err e = conf_load(d->c->conf_path, &d->c->conf, &m);
	if (e) {
		/* The programs refuse a file that others may write, too; this has the remedy. */
		if (e != ERR_NOTFOUND && !files_conf_all(d, d->c->conf_path))
			return;
		if (e == ERR_NOTFOUND)
			doctor_fix(d,
				   "kosmoctl init --url https://NAME (or name another file: kosmoctl -c FILE doctor)");
		else
			doctor_fix(d, "mend it (see kosmo.conf(5)), then: kosmoctl -c %s config check",
				   d->c->conf_path);
		doctor_say(d, DOCTOR_FAIL, "%s", m.text[0] ? m.text : err_text(e));
		return;
	}
	const struct conf *c = d->c->conf;
	const struct passwd *pw = getpwnam("kosmo");
	d->system = strcmp(c->file, SYSCONFDIR "/kosmo/kosmo.conf") == 0 ||
		    (pw && stat(c->state_dir, &st) == 0 && st.st_uid == pw->pw_uid);
	if (files_conf_all(d, c->file))
		doctor_say(d, DOCTOR_OK, "%s for %s", c->file, c->url);
}

void doctor_users(struct doctor *d)
{
	static const char *const name[] = {"kosmo", "kosmo-web", "kosmo-mail"};
	bool ok = true;
	if (!d->system) {
		doctor_say(d, DOCTOR_LEFT, "the owner of %s stands for the users kosmo, kosmo-web and kosmo-mail",
			   d->c->conf->state_dir);
		return;
	}
	for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
		const struct passwd *pw = getpwnam(name[i]);
		if (pw && pw->pw_uid)
			continue;
		ok = false;
		doctor_fix(d, "systemd-sysusers");
		doctor_say(d, DOCTOR_FAIL, pw ? "the user %s has uid 0" : "there is no user %s", name[i]);
	}
	if (ok)
		doctor_say(d, DOCTOR_OK, "kosmo, kosmo-web and kosmo-mail");
}

/* ---- state_dir ---- */

/* A secret file: regular, of this owner, nobody else's business. mask: the mode bits that it may not have. */
static bool files_secret(struct doctor *d, const char *name, const struct stat *dir, mode_t mask, bool optional)
{
	char path[PATH_MAX], is[64], want[64];
	struct stat st;
	(void)snprintf(path, sizeof path, "%s/%s", d->c->conf->state_dir, name);
	if (lstat(path, &st) < 0) {
		if (errno == ENOENT && optional)
			return true;
		doctor_fix(d,
			   errno == ENOENT ? "restore it from the backup; for a new instance: kosmoctl -c %s init"
					   : "see what keeps %s from being read",
			   errno == ENOENT ? d->c->conf->file : path);
		doctor_say(d, DOCTOR_FAIL, "%s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		doctor_fix(d, "move it away and restore the file from the backup: links are never followed");
		doctor_say(d, DOCTOR_FAIL, "%s is no plain file", path);
		return false;
	}
	bool ok = true;
	if (st.st_uid != dir->st_uid) {
		doctor_fix(d, "chown --reference=%s %s", d->c->conf->state_dir, path);
		doctor_say(d, DOCTOR_FAIL, "%s belongs to %s, and the keeper runs as %s", path,
			   doctor_user(st.st_uid, is), doctor_user(dir->st_uid, want));
		ok = false;
	}
	if (st.st_mode & mask) {
		doctor_fix(d, "chmod 0600 %s", path);
		doctor_say(d, DOCTOR_FAIL, "%s: mode %04o: others have access to it", path,
			   (unsigned)st.st_mode & 07777);
		ok = false;
	}
	return ok;
}

void doctor_state_dir(struct doctor *d)
{
	const char *dir = d->c->conf->state_dir;
	char who[64];
	struct stat st;
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		doctor_fix(d, d->system ? "systemd-tmpfiles --create"
					: "restore it from the backup, or kosmoctl init --dir");
		doctor_say(d, DOCTOR_FAIL, "%s: %s", dir, S_ISDIR(st.st_mode) ? strerror(errno) : "no folder");
		return;
	}
	const struct passwd *kosmo = getpwnam("kosmo");
	if (d->system && kosmo && st.st_uid != kosmo->pw_uid) {
		doctor_fix(d, "chown -R kosmo:kosmo %s", dir);
		doctor_say(d, DOCTOR_FAIL, "%s belongs to %s; the keeper is kosmo", dir, doctor_user(st.st_uid, who));
		return;
	}
	if (geteuid() != 0 && geteuid() != st.st_uid) {
		doctor_fix(d, "run it as root, or as %s", doctor_user(st.st_uid, who));
		doctor_say(d, DOCTOR_FAIL, "%s cannot be looked into as this user", dir);
		return;
	}
	d->state_good = true;
	if (st.st_mode & 022) {
		doctor_fix(d, "chmod go-w %s", dir);
		doctor_say(d, DOCTOR_FAIL, "%s: mode %04o: others than its owner may put files there", dir,
			   (unsigned)st.st_mode & 07777);
		d->state_good = false;
	}
	d->state_good &= files_secret(d, "key", &st, 0137, false);
	d->state_good &= files_secret(d, "kosmo.db", &st, 077, false);
	d->state_good &= files_secret(d, "kosmo.db-wal", &st, 077, true);
	d->state_good &= files_secret(d, "kosmo.db-shm", &st, 077, true);
	if (d->state_good)
		doctor_say(d, DOCTOR_OK, "%s, key and database: of %s, for nobody else", dir,
			   doctor_user(st.st_uid, who));
}

/* ---- other folders ---- */

static bool files_folder(struct doctor *d, const char *option, const char *path, const char *make)
{
	char who[64];
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		doctor_fix(d, "%s", make);
		doctor_say(d, DOCTOR_FAIL, "%s = %s: there is no such folder", option, path);
		return false;
	}
	if (st.st_mode & 022) {
		doctor_fix(d, "chmod go-w %s", path);
		doctor_say(d, DOCTOR_FAIL, "%s = %s: mode %04o: others may put their own files there", option, path,
			   (unsigned)st.st_mode & 07777);
		return false;
	}
	if (d->system && st.st_uid != 0) {
		doctor_fix(d, "chown root: %s", path);
		doctor_say(d, DOCTOR_FAIL, "%s = %s belongs to %s; it must be root's", option, path,
			   doctor_user(st.st_uid, who));
		return false;
	}
	return true;
}

struct files_site {
	struct doctor *d;
	bool ok;
};

static void files_site_fault(void *arg, bool warning, const char *sentence)
{
	struct files_site *s = arg;
	s->ok = false;
	if (!warning)
		doctor_fix(s->d, "mend it, then kosmoctl config check && systemctl restart kosmo-keeper kosmo-enrolld");
	doctor_say(s->d, warning ? DOCTOR_WARN : DOCTOR_FAIL, "%s", sentence);
}

static bool files_site(struct doctor *d)
{
	struct files_site s = {d, true};
	struct errmsg m = {""};
	if (site_look(d->c->conf, files_site_fault, &s, &m) == ERR_NONE)
		return s.ok;
	doctor_say(d, DOCTOR_LEFT, "%s", m.text);
	return false;
}

void doctor_folders(struct doctor *d)
{
	const struct conf *c = d->c->conf;
	char make[PATH_MAX + 32];
	static const char tmpfiles[] = "systemd-tmpfiles --create";
	(void)snprintf(make, sizeof make, "mkdir -m 0755 %s", c->run_dir);
	bool ok = files_folder(d, "run_dir", c->run_dir, d->system ? tmpfiles : make);
	(void)snprintf(make, sizeof make, "mkdir -m 0755 %s", c->site_dir);
	ok &= files_folder(d, "site_dir", c->site_dir, d->system ? tmpfiles : make) && files_site(d);
	if (ok)
		doctor_say(d, DOCTOR_OK, "%s and %s", c->run_dir, c->site_dir);
}

void doctor_disk(struct doctor *d)
{
	struct statvfs v;
	if (statvfs(d->c->conf->state_dir, &v) < 0) {
		doctor_say(d, DOCTOR_LEFT, "%s: %s", d->c->conf->state_dir, strerror(errno));
		return;
	}
	unsigned long long left = (unsigned long long)v.f_bavail * v.f_frsize;
	bool nodes = v.f_files == 0 || v.f_favail > 16;
	enum doctor_state s = !nodes || left < DOCTOR_DISK_FULL ? DOCTOR_FAIL
			      : left < DOCTOR_DISK_SHORT	? DOCTOR_WARN
								: DOCTOR_OK;
	if (s != DOCTOR_OK)
		doctor_fix(d, "make room on the file system of %s: a full one refuses every login",
			   d->c->conf->state_dir);
	if (nodes)
		doctor_say(d, s, "%llu MB are left for %s", left >> 20, d->c->conf->state_dir);
	else
		doctor_say(d, s, "%s: no inodes are left", d->c->conf->state_dir);
}
