/* kosmoctl mail test: one mail through the mailer, now, and what the relay said of it. */
#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/wire.h"
#include "ctl/commands.h"
#include "ctl/mailcmd.h"
#include "keeper/mail.h"
#include "keeper/mail_template.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 5000
#define ANSWER_MS  120000 /* several relays, each with its own time */

/* What to do; %s is the configuration file. Of the others the relay's words have to do. */
static const char *const mailcmd_remedies[] = {
    [MAIL_WHY_NO_MAILBOX] = "is the address right? The relay knows nobody of that name",
    [MAIL_WHY_NO_DOMAIN] = "is what follows the @ right? No mail server stands for it",
    [MAIL_WHY_SENDER] = "set mail.from in %s to an address that the relay may send for",
    [MAIL_WHY_POLICY] = "let the relay accept mail of this host (mail.smtp_user in %s) and of mail.from; SPF, DKIM?",
    [MAIL_WHY_UNREACHABLE] = "is mail.smtp in %s right, the relay running, the way to it open? kosmoctl doctor looks",
    [MAIL_WHY_INSECURE] = "do mail.smtp, mail.smtp_tls, mail.smtp_ca_file in %s fit the relay and its certificate?",
    [MAIL_WHY_AUTH] = "mail.smtp_user and the file of mail.smtp_password_file in %s must be what the relay knows",
    [MAIL_WHY_BUSY] = "wait some minutes and try again; the relay's log says more",
    [MAIL_WHY_NOT_RUNNING] = "start it: systemctl start kosmo-mailer.socket, or kosmo-enrolld -c %s",
};

bool mailcmd_remedy(const struct conf *conf, const char *reason, char *ret, size_t cap)
{
	enum mail_why why = mail_reason_why(reason);
	const char *text =
	    (size_t)why < sizeof mailcmd_remedies / sizeof *mailcmd_remedies ? mailcmd_remedies[why] : NULL;
	const char *hole = text ? strstr(text, "%s") : NULL;
	if (!text)
		return false;
	if (hole)
		(void)snprintf(ret, cap, "%.*s%s%s", (int)(hole - text), text, conf->file, hole + 2);
	else
		(void)snprintf(ret, cap, "%s", text);
	return true;
}

static void mailcmd_advise(const struct ctl *c, const char *reason)
{
	char text[1024];
	if (mailcmd_remedy(c->conf, reason, text, sizeof text))
		ctl_say("%s", text);
}

static void mailcmd_complain(void *arg, const char *sentence)
{
	(void)arg;
	ctl_say("%s; the house's own text is used", sentence);
}

static enum err mailcmd_make(const struct ctl *c, const char *to, struct buf *ret)
{
	struct mail_site *site = NULL;
	struct id id;
	char when[MAIL_TIME];
	int64_t now = clock_now();
	mail_time(c->conf->language, now, when);
	const struct fill values[] = {{"time", when}, {NULL, NULL}};
	enum err e = id_new(&id);
	if (!e)
		e = mail_site_open(c->conf, &site);
	if (!e) {
		mail_site_look(site, now, 0, mailcmd_complain, NULL);
		e = mail_make(site, c->conf, MAIL_TEST, c->conf->language, values, to, &id, now, ret);
	}
	mail_site_close(site);
	return e;
}

/* A mailer that cannot be connected to is not running; what it answers is parsed into *w. */
static enum err mailcmd_exchange(const struct ctl *c, const char *to, const struct buf *mail, struct buf *answer,
				 struct wire_msg *w, bool *ret_there)
{
	AUTO_BUF frame = BUF_INIT;
	char path[PATH_MAX];
	int fd = -1;
	int64_t now = clock_mono_ms();
	(void)snprintf(path, sizeof path, "%s/mail.sock", c->conf->run_dir);
	enum err e = wire_connect(path, now + CONNECT_MS, &fd);
	*ret_there = !e;
	wire_begin(&frame, 1, "send");
	wire_puts(&frame, "from", c->conf->mail_from);
	wire_puts(&frame, "to", to);
	wire_put(&frame, "message", mail->data, mail->len);
	if (!e)
		e = wire_end(&frame);
	if (!e)
		e = wire_send(fd, &frame, now + CONNECT_MS + CONNECT_MS);
	if (!e)
		e = wire_recv(fd, answer, now + ANSWER_MS);
	if (!e)
		e = wire_parse(answer->data, answer->len, w);
	if (fd >= 0)
		(void)close(fd);
	return e;
}

static enum ctl_exit mailcmd_said(const struct ctl *c, const char *to, const struct wire_msg *w)
{
	const char *state = wire_str(w, "state"), *reason = wire_str(w, "reason");
	if (strcmp(w->kind, "result") != 0 || !state || !reason) {
		ctl_say("the mailer answers something else; is it of another version?");
		return CTL_FAILED;
	}
	if (strcmp(state, "sent") == 0) {
		bool maildir = strcmp(c->conf->mail_transport, "maildir") == 0;
		(void)printf("%s: %s\n", to,
			     maildir ? "it lies in the folder mail.maildir: nobody gets it"
				     : "the relay took it; look into that mailbox, the folder for spam too");
		return CTL_OK;
	}
	ctl_say("%s: %s: %s", to, strcmp(state, "permanent") == 0 ? "refused for good" : "not sent", reason);
	mailcmd_advise(c, reason);
	return CTL_FAILED;
}

enum ctl_exit mailcmd_test(struct ctl *c, const struct args *a)
{
	AUTO_BUF to = BUF_INIT;
	AUTO_BUF mail = BUF_INIT;
	AUTO_BUF answer = BUF_INIT;
	struct errmsg m = {""};
	bool there = false;
	if (text_email(a->word[0], strlen(a->word[0]), &to) != ERR_NONE)
		return ctl_input("%s: not an email address", a->word[0]);
	enum ctl_exit r = ctl_conf(c);
	if (r)
		return r;
	enum err e = daemon_become_owner(c->conf->state_dir, &m);
	if (e)
		return ctl_failed(e, c->conf->state_dir, &m);
	e = mailcmd_make(c, buf_str(&to), &mail);
	if (e)
		return ctl_failed(e, "the mail", NULL);
	struct wire_msg *w = calloc(1, sizeof *w);
	e = w ? mailcmd_exchange(c, buf_str(&to), &mail, &answer, w, &there) : ERR_NOMEM;
	if (!e) {
		r = mailcmd_said(c, buf_str(&to), w);
	} else if (!there) {
		ctl_say("kosmo-mailer is not running: %s/mail.sock: %s", c->conf->run_dir,
			e == ERR_IO ? strerror(errno) : err_text(e));
		mailcmd_advise(c, "the mail program is not running");
		r = CTL_FAILED;
	} else {
		ctl_say("the mailer gave no answer: %s; its log says more", err_text(e));
		r = CTL_FAILED;
	}
	free(w);
	return r;
}
