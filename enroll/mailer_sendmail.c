/* The system's sendmail(8): one process a mail, which says by its exit status what became of it (sysexits(3)). */
#include "config.h"

#include "common/clock.h"
#include "enroll/mailer.h"
#include "enroll/mailer_hand.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define LOOK_MS 250 /* how often a stop is looked for */

/* What is not here is temporary: a system that is out of order is the admin's to mend, and the mail must not be lost
 * for it. EX_UNAVAILABLE is among that, because Postfix and msmtp say it when the queue or the relay is not there. */
static const struct {
	const char *name;
	int exit;
	enum mailer_state state;
} exits[] = {
    {"", EX_OK, MAILER_SENT},
    {"EX_DATAERR", EX_DATAERR, MAILER_PERMANENT},
    {"EX_NOUSER", EX_NOUSER, MAILER_PERMANENT},
    {"EX_NOHOST", EX_NOHOST, MAILER_PERMANENT},
    {"EX_USAGE", EX_USAGE, MAILER_TEMPORARY},
    {"EX_UNAVAILABLE", EX_UNAVAILABLE, MAILER_TEMPORARY},
    {"EX_SOFTWARE", EX_SOFTWARE, MAILER_TEMPORARY},
    {"EX_OSERR", EX_OSERR, MAILER_TEMPORARY},
    {"EX_OSFILE", EX_OSFILE, MAILER_TEMPORARY},
    {"EX_CANTCREAT", EX_CANTCREAT, MAILER_TEMPORARY},
    {"EX_IOERR", EX_IOERR, MAILER_TEMPORARY},
    {"EX_TEMPFAIL", EX_TEMPFAIL, MAILER_TEMPORARY},
    {"EX_PROTOCOL", EX_PROTOCOL, MAILER_TEMPORARY},
    {"EX_NOPERM", EX_NOPERM, MAILER_TEMPORARY},
    {"EX_CONFIG", EX_CONFIG, MAILER_TEMPORARY},
};

static enum err sendmail_prepare(struct mailer *m, struct errmsg *why)
{
	const char *program = m->conf->mail_sendmail;

	if (m->conf->mail_from[0] == '\0')
		return err_set(why, ERR_INVALID, "mail.from is empty; set the sender's address in %s", m->conf->file);
	if (access(program, X_OK) != 0)
		return err_set(why, ERR_IO, "mail.sendmail: %s: %s", program, strerror(errno));
	return hand_start(program, &m->hand, why);
}

static void *sendmail_carrier(struct mailer *m)
{
	return m;
}

static void sendmail_carrier_free(void *carrier)
{
	(void)carrier;
}

/* False: it never came, or shall not be waited for any longer. */
static bool sendmail_wait(const struct mailer *m, int fd, struct hand_result *ret)
{
	int64_t deadline = clock_mono_ms() + HAND_MS + 5000;
	size_t have = 0;

	while (have < sizeof(*ret)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		long long give_up = atomic_load(&m->give_up), now = clock_mono_ms();
		if (now >= deadline || (give_up != 0 && now >= give_up))
			return false;
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		ssize_t n = read(fd, (char *)ret + have, sizeof(*ret) - have);
		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		have += n > 0 ? (size_t)n : 0;
	}
	ret->words[sizeof(ret->words) - 1] = '\0';
	return true;
}

static void sendmail_judge(const struct hand_result *r, struct mailer_result *ret)
{
	char reason[HAND_WORDS + 64];
	const char *name = "";
	enum mailer_state state = MAILER_TEMPORARY;

	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		if (exits[i].exit == r->exit) {
			name = exits[i].name;
			state = exits[i].state;
		}
	if (r->exit < 0)
		(void)snprintf(reason, sizeof(reason), "sendmail %s: %s",
			       r->exit == HAND_LATE ? "did not end in time" : "was ended by a signal", r->words);
	else
		(void)snprintf(reason, sizeof(reason), "sendmail: exit status %d%s%s: %s", (int)r->exit,
			       *name ? " " : "", name, r->words);
	mailer_result(ret, state, 0, state == MAILER_SENT ? "" : reason);
}

static void sendmail_deliver(void *carrier, const struct mailer_mail *mail, struct mailer_result *ret)
{
	const struct mailer *m = carrier;
	struct hand_result r;
	AUTO_BUF text = BUF_INIT;
	int fd = -1;

	mailer_lines(&text, mail->message, mail->len, "\n");
	if (text.failed)
		mailer_result(ret, MAILER_TEMPORARY, 0, "out of memory");
	else if (hand_send(m->hand, mail->from, mail->to, text.data, text.len, &fd) != ERR_NONE)
		mailer_result(ret, MAILER_TEMPORARY, 0, "sendmail cannot be started");
	else if (!sendmail_wait(m, fd, &r))
		mailer_result(ret, MAILER_TEMPORARY, 0, "sendmail did not end");
	else
		sendmail_judge(&r, ret);
	if (fd >= 0)
		(void)close(fd);
}

const struct mailer_transport mailer_sendmail = {"sendmail", sendmail_prepare, sendmail_carrier, sendmail_deliver,
						 sendmail_carrier_free};
