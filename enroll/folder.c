#include "config.h"

#include "enroll/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_FILES 1000 /* looked at */

static const char *const folder_names[] = {"terms.ja.md",
					   "terms.en.md",
					   "terms.ja.txt",
					   "terms.en.txt",
					   "terms.changes.ja.md",
					   "terms.changes.en.md",
					   "terms.changes.ja.txt",
					   "terms.changes.en.txt",
					   "organisation.ja.txt",
					   "organisation.en.txt",
					   "contact.ja.txt",
					   "contact.en.txt",
					   "colours.conf",
					   "logo.svg",
					   "logo.png",
					   "logo-dark.svg",
					   "logo-dark.png",
					   "letter.ja.txt",
					   "letter.en.txt",
					   NULL};
/* The mails', and the letters' texts, are looked through by kosmoctl itself. */
static const char *const folder_folders[] = {"templates", "mail", NULL};
/* Of two the first is taken. Not so the logo: pages have logo.svg then, but letters logo.png. */
static const char *const folder_either[][2] = {{"terms.ja.md", "terms.ja.txt"},
					       {"terms.en.md", "terms.en.txt"},
					       {"terms.changes.ja.md", "terms.changes.ja.txt"},
					       {"terms.changes.en.md", "terms.changes.en.txt"},
					       {"logo-dark.svg", "logo-dark.png"}};

static bool folder_listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

/* Everybody may read what lies here; a key has no business in it. */
static bool folder_secret(int dir, const char *name)
{
	char b[4097];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd >= 0 ? read(fd, b, sizeof b - 1) : -1;

	if (fd >= 0)
		close(fd);
	return n > 0 && memmem(b, (size_t)n, "PRIVATE KEY-----", 16) != NULL;
}

static void folder_file(int dir, const char *path, const char *name, uid_t owner, bool top, const struct faults *fs)
{
	struct stat st;

	if (fstatat(dir, name, &st, 0) < 0)
		return; /* whoever reads it says so */
	if (S_ISREG(st.st_mode) && folder_secret(dir, name))
		faults_say(fs, FAULT_LEFT_OUT, "%s/%s: a private key; everybody may read this folder: move it away",
			   path, name);
	if (st.st_uid == geteuid() && owner != geteuid())
		faults_say(fs, FAULT_WARNING,
			   "%s/%s: belongs to the site's own user, who could change it; chown root it", path, name);
	if (!top)
		return;
	if (S_ISDIR(st.st_mode) ? !folder_listed(folder_folders, name) : !folder_listed(folder_names, name))
		faults_say(fs, FAULT_WARNING, "%s/%s: nothing reads a %s of this name; see SITE in kosmo.conf(5)", path,
			   name, S_ISDIR(st.st_mode) ? "folder" : "file");
	else if (S_ISDIR(st.st_mode) && (st.st_mode & S_IWOTH))
		faults_say(fs, FAULT_LEFT_OUT, "%s/%s: everybody may write there; chmod o-w it", path, name);
}

static void folder_walk(const char *path, bool top, const struct faults *fs)
{
	DIR *d = opendir(path);
	const struct dirent *de;
	struct stat st;
	int files = 0;

	if (!d) {
		if (top || errno != ENOENT)
			faults_say(fs, FAULT_LEFT_OUT, "%s: %s", path, strerror(errno));
		return;
	}
	if (fstat(dirfd(d), &st) == 0)
		while (files++ < FOLDER_FILES && (de = readdir(d)) != NULL)
			if (de->d_name[0] != '.')
				folder_file(dirfd(d), path, de->d_name, st.st_uid, top, fs);
	closedir(d);
}

void folder_check(const struct conf *conf, const struct faults *fs)
{
	char path[4096], other[4096];

	folder_walk(conf->site_dir, true, fs);
	for (size_t i = 0; folder_folders[i]; i++) {
		snprintf(path, sizeof path, "%s/%s", conf->site_dir, folder_folders[i]);
		folder_walk(path, false, fs);
	}
	for (size_t i = 0; i < sizeof folder_either / sizeof *folder_either; i++) {
		snprintf(path, sizeof path, "%s/%s", conf->site_dir, folder_either[i][0]);
		snprintf(other, sizeof other, "%s/%s", conf->site_dir, folder_either[i][1]);
		if (access(path, F_OK) == 0 && access(other, F_OK) == 0)
			faults_say(fs, FAULT_WARNING, "%s: is not read, because there is %s; remove one", other,
				   folder_either[i][0]);
	}
}
