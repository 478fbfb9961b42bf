/* mail.transport = sendmail: whether the program is there, is nobody's to change, and can do its work for the mailer.
 */
#include "config.h"

#include "ctl/doctor.h"
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 256

static bool sendmail_there(struct doctor *d, char real[static PATH_MAX], struct stat *ret)
{
	const char *path = d->c->conf->mail_sendmail;
	if (!realpath(path, real) || stat(real, ret) < 0) {
		doctor_fix(d, "apt-get install postfix, or mail.transport = smtp in %s", d->c->conf->file);
		doctor_say(d, DOCTOR_FAIL, "mail.sendmail = %s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISREG(ret->st_mode) || access(real, X_OK) < 0) {
		doctor_fix(d, "name the program itself in mail.sendmail of %s", d->c->conf->file);
		doctor_say(d, DOCTOR_FAIL, "mail.sendmail = %s cannot be run", path);
		return false;
	}
	if (ret->st_mode & 022) {
		doctor_fix(d, "chmod go-w %s", real);
		doctor_say(d, DOCTOR_FAIL, "%s: others may change it, and it reads every mail", real);
		return false;
	}
	return true;
}

static bool sendmail_member(gid_t gid)
{
	const struct passwd *pw = getpwnam("kosmo-mail");
	gid_t all[GROUPS_MAX];
	int n = GROUPS_MAX;
	if (!pw || getgrouplist(pw->pw_name, pw->pw_gid, all, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (all[i] == gid)
			return true;
	return false;
}

/* kosmo-mailer.service gives no new privileges to what it starts: a set-ID bit is of no use there. */
static bool sendmail_bits(struct doctor *d, const char *path, const struct stat *st)
{
	const struct group *gr = getgrgid(st->st_gid);
	if ((st->st_mode & S_ISUID) && st->st_uid == 0) {
		doctor_fix(d, "mail.transport = smtp and mail.smtp = localhost:25 in %s", d->c->conf->file);
		doctor_say(d, DOCTOR_FAIL, "%s works as root alone, which kosmo-mailer.service forbids", path);
		return false;
	}
	if (!(st->st_mode & S_ISGID) || sendmail_member(st->st_gid))
		return true;
	doctor_fix(d, "usermod -aG %s kosmo-mail; see SENDMAIL in kosmo-mailer(8)", gr ? gr->gr_name : "GROUP");
	doctor_say(d, DOCTOR_FAIL, "%s needs the group %s, which kosmo-mailer.service does not let it take", path,
		   gr ? gr->gr_name : "of its file");
	return false;
}

bool doctor_sendmail(struct doctor *d)
{
	char real[PATH_MAX], folder[PATH_MAX], drop[PATH_MAX];
	struct stat st;
	if (!sendmail_there(d, real, &st))
		return false;
	if (!doctor_systemd(d))
		return true;
	bool ok = sendmail_bits(d, real, &st);
	(void)snprintf(folder, sizeof folder, "%s", real);
	/* Postfix's own has no such bit: it starts postdrop, which stands beside it */
	int n = snprintf(drop, sizeof drop, "%s/postdrop", dirname(folder));
	if (n > 0 && (size_t)n < sizeof drop && stat(drop, &st) == 0)
		ok = sendmail_bits(d, drop, &st) && ok;
	return ok;
}
