/* Mail: what is configured, whether the relay is there, what waits or was refused. */
#include "config.h"

#include "ctl/config_check.h"
#include "ctl/doctor.h"
#include "ctl/mailcmd.h"
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAIL_WAIT_S 2 /* for the relay, its name included */

/* ---- the relay ---- */

/* In a child that an alarm ends: looking a name up knows no other deadline. Exit status 0: somebody accepts. */
static void mail_dial(const char *hostport)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
	char host[256];
	const char *colon = strrchr(hostport, ':');
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(MAIL_WAIT_S);
	if (!colon)
		_exit(2);
	bool bracket = *hostport == '[';
	(void)snprintf(host, sizeof host, "%.*s", (int)(colon - hostport) - 2 * bracket, hostport + bracket);
	if (getaddrinfo(host, colon + 1, &hints, &all) != 0)
		_exit(2);
	for (const struct addrinfo *a = all; a; a = a->ai_next) {
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0)
			_exit(0);
	}
	_exit(1);
}

static bool mail_relay(struct doctor *d, const char *at)
{
	const struct conf *c = d->c->conf;
	int status = 0;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		mail_dial(at);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			break;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	doctor_fix(d, "start the relay, open the way to it, or name another one in mail.smtp of %s", c->file);
	doctor_say(d, DOCTOR_FAIL, "mail.smtp = %s: %s", at,
		   WIFSIGNALED(status)	      ? "no connection within 2 s"
		   : WEXITSTATUS(status) == 2 ? "its name cannot be looked up"
					      : "nobody accepts a connection there");
	return false;
}

/* Each of them: that the second one is out of order shows on the day when it is needed. */
static bool mail_relays(struct doctor *d)
{
	const struct conf *c = d->c->conf;
	const char *list = c->mail_smtp;
	char at[512];
	bool ok = true;
	while (conf_word(&list, at, sizeof at)) {
		if (strcmp(c->mail_smtp_tls, "none") == 0 && !conf_hostport_here(at)) {
			doctor_fix(d, "mail.smtp_tls = starttls (or tls) in %s", c->file);
			doctor_say(d, DOCTOR_WARN,
				   "mail.smtp_tls = none: codes and links go to %s for everyone to read", at);
			ok = false;
		}
		ok = mail_relay(d, at) && ok;
	}
	return ok;
}

/* ---- what is configured ---- */

static bool mail_sender(struct doctor *d)
{
	if (d->c->conf->mail_from[0])
		return true;
	doctor_fix(d, "set mail.from in %s to an address that your relay may send for", d->c->conf->file);
	doctor_say(d, DOCTOR_FAIL, "mail.from is empty: mails need a sender");
	return false;
}

static bool mail_smtp(struct doctor *d)
{
	const struct conf *c = d->c->conf;
	struct errmsg why = {""};
	bool ok = mail_sender(d);
	if (c->mail_smtp_password_file[0] && !config_password(c->mail_smtp_password_file, c->state_dir, &why)) {
		if (d->system)
			doctor_fix(d, "chown kosmo-mail: %s && chmod 0600 %s", c->mail_smtp_password_file,
				   c->mail_smtp_password_file);
		else
			doctor_fix(d, "chown --reference=%s %s && chmod 0600 %s", c->state_dir,
				   c->mail_smtp_password_file, c->mail_smtp_password_file);
		doctor_say(d, DOCTOR_FAIL, "%s", why.text);
		ok = false;
	}
	if (c->mail_smtp_ca_file[0] && access(c->mail_smtp_ca_file, R_OK) < 0) {
		doctor_fix(d, "put the relay's CA certificates there, or leave mail.smtp_ca_file out");
		doctor_say(d, DOCTOR_FAIL, "mail.smtp_ca_file: %s: %s", c->mail_smtp_ca_file, strerror(errno));
		ok = false;
	}
	return mail_relays(d) && ok;
}

/* The sender's domain is what carriers' filters and the members look at. */
static bool mail_domain(struct doctor *d)
{
	const struct conf *c = d->c->conf;
	const char *at = strrchr(c->mail_from, '@');
	if (!at)
		return true;
	if (strchr(at, '.') && strncasecmp(at + 1, "localhost", 9) != 0)
		return true;
	doctor_fix(d, "set mail.from in %s to an address of your own domain", c->file);
	doctor_say(d, DOCTOR_WARN, "mail.from = %s: no one outside takes mail from \"%s\"", c->mail_from, at + 1);
	return false;
}

static void mail_maildir(struct doctor *d)
{
	const struct conf *c = d->c->conf;
	struct stat st;
	if (c->mail_maildir[0] && stat(c->mail_maildir, &st) == 0 && S_ISDIR(st.st_mode) && !(st.st_mode & 022)) {
		doctor_say(d, DOCTOR_OK, "into the folder %s: nobody gets any (mail.transport = maildir)",
			   c->mail_maildir);
		return;
	}
	doctor_fix(d, "mkdir -p %s/tmp %s/new %s/cur; chmod -R 0700 %s", c->mail_maildir, c->mail_maildir,
		   c->mail_maildir, c->mail_maildir);
	doctor_say(d, DOCTOR_FAIL, "mail.maildir = %s: no folder, or others may write there", c->mail_maildir);
}

void doctor_mail(struct doctor *d)
{
	const struct conf *c = d->c->conf;
	bool ok;
	if (strcmp(c->mail_transport, "maildir") == 0) {
		mail_maildir(d);
	} else if (strcmp(c->mail_transport, "sendmail") == 0) {
		ok = mail_sender(d);
		ok = doctor_sendmail(d) && ok;
		if (mail_domain(d) && ok)
			doctor_say(d, DOCTOR_OK, "from %s by %s", c->mail_from, c->mail_sendmail);
	} else {
		ok = mail_smtp(d);
		if (mail_domain(d) && ok)
			doctor_say(d, DOCTOR_OK, "from %s by %s, which accepts connections", c->mail_from,
				   c->mail_smtp);
	}
}

/* ---- what waits ---- */

void doctor_outbox(struct doctor *d)
{
	struct mail newest = {.tries = 0};
	int64_t waiting = 0, refused = 0;
	char at[32];
	enum err e = store_mail_summary(d->c->st, &waiting, &refused, &newest);
	if (e && e != ERR_NOTFOUND) {
		doctor_fix(d, "kosmoctl audit --limit 5; restore the database from the backup if that fails too");
		doctor_say(d, DOCTOR_FAIL, "the outbox cannot be read: %s", err_text(e));
		return;
	}
	ctl_time_local(newest.created, at);
	if (newest.reason[0] && (waiting || refused)) {
		char what[512];
		if (!mailcmd_remedy(d->c->conf, newest.reason, what, sizeof what))
			(void)snprintf(what, sizeof what, "mend what the relay says");
		doctor_fix(d, "%s; %s. kosmoctl mail queue lists them", what,
			   waiting ? "waiting mails are tried again by themselves"
				   : "the people ask for a new mail on their page");
		doctor_say(d, DOCTOR_WARN, "%lld mails wait, %lld were refused for good; the newest, of %s: %s",
			   (long long)waiting, (long long)refused, at, newest.reason);
	} else {
		doctor_say(d, DOCTOR_OK, "%lld mails wait, %lld were refused in the last 30 days", (long long)waiting,
			   (long long)refused);
	}
	mail_clear(&newest);
}
