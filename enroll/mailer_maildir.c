/* A Maildir: written and fsynced in tmp/, then renamed into new/, so that no reader ever sees half a mail. */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "enroll/mailer.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEFT_BEHIND_S (36 * 3600)

/* What a mailer left behind that was killed while it wrote; maildir(5) has the 36 hours. */
static void maildir_tidy(const char *tmp)
{
	DIR *d = opendir(tmp);
	int64_t before = clock_now() - LEFT_BEHIND_S;
	const struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		struct stat st;
		if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mtime < before)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		(void)closedir(d);
}

static enum err maildir_prepare(struct mailer *m, struct errmsg *why)
{
	static const char *const folders[] = {"", "/tmp", "/new", "/cur"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int n = snprintf(path, sizeof(path), "%s%s", m->conf->mail_maildir, folders[i]);
		if (n <= 0 || (size_t)n >= sizeof(path))
			return err_set(why, ERR_INVALID, "mail.maildir is too long");
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return err_set(why, ERR_IO, "mail.maildir: %s: %s", path, strerror(errno));
		if (strcmp(folders[i], "/tmp") == 0)
			maildir_tidy(path);
	}
	return ERR_NONE;
}

static void *maildir_carrier(struct mailer *m)
{
	return m;
}

static void maildir_carrier_free(void *carrier)
{
	(void)carrier;
}

/* As maildir(5) has it: the time, what is unique on this host, the host. */
static bool maildir_name(char *ret, size_t cap)
{
	static atomic_uint count;
	char host[HOST_NAME_MAX + 1] = "localhost";
	uint64_t random = 0;

	if (secret_random(&random, sizeof(random)) != ERR_NONE)
		return false;
	(void)gethostname(host, sizeof(host) - 1);
	for (char *p = host; *p; p++)
		if (*p == '/' || *p == ':')
			*p = '_';
	int n = snprintf(ret, cap, "%" PRId64 ".P%dQ%uR%016" PRIx64 ".%s", clock_now(), (int)getpid(),
			 atomic_fetch_add(&count, 1), random, host);
	return n > 0 && (size_t)n < cap;
}

static bool write_synced(int folder, const char *name, const struct buf *text)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t done = 0;

	if (fd < 0)
		return false;
	while (done < text->len) {
		ssize_t n = write(fd, text->data + done, text->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	bool good = done == text->len && fsync(fd) == 0;
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return good;
}

static int folder_open(const char *maildir, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", maildir, name);

	return n > 0 && (size_t)n < sizeof(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static void maildir_deliver(void *carrier, const struct mailer_mail *mail, struct mailer_result *ret)
{
	const struct mailer *m = carrier;
	AUTO_BUF text = BUF_INIT;
	char name[NAME_MAX + 1];
	int tmp = folder_open(m->conf->mail_maildir, "tmp"), new = folder_open(m->conf->mail_maildir, "new");

	mailer_result(ret, MAILER_TEMPORARY, 0, "out of memory");
	buf_adds(&text, "Return-Path: <");
	buf_adds(&text, mail->from);
	buf_adds(&text, ">\nDelivered-To: ");
	buf_adds(&text, mail->to);
	buf_addc(&text, '\n');
	mailer_lines(&text, mail->message, mail->len, "\n");
	if (text.failed || !maildir_name(name, sizeof(name)))
		goto out;
	if (tmp < 0 || new < 0)
		mailer_result(ret, MAILER_TEMPORARY, 0, strerror(errno));
	else if (!write_synced(tmp, name, &text) || renameat(tmp, name, new, name) != 0 || fsync(new) != 0) {
		mailer_result(ret, MAILER_TEMPORARY, 0, strerror(errno));
		(void)unlinkat(tmp, name, 0);
	} else
		mailer_result(ret, MAILER_SENT, 0, "");
out:
	if (tmp >= 0)
		(void)close(tmp);
	if (new >= 0)
		(void)close(new);
}

const struct mailer_transport mailer_maildir = {"maildir", maildir_prepare, maildir_carrier, maildir_deliver,
						maildir_carrier_free};
