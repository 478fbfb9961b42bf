/* Which relays there are, how one logs in there, and which of them works. */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "enroll/mailer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AVOID_MS 120000

/* Nobody else may read the relay's password; a file that is just that and perhaps a line end. */
static enum err password_read(const char *path, char **ret, struct errmsg *why)
{
	char text[512];
	struct stat st;
	enum err r = ERR_NONE;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_set(why, ERR_IO, "mail.smtp_password_file: %s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		r = err_set(why, ERR_INVALID, "mail.smtp_password_file: %s is not a file", path);
	else if (st.st_mode & 0137)
		r = err_set(why, ERR_DENIED, "mail.smtp_password_file: %s has mode %04o; chmod it to 0600 or 0640",
			    path, (unsigned)(st.st_mode & 07777));
	ssize_t n = r == ERR_NONE ? read(fd, text, sizeof(text)) : 0;
	(void)close(fd);
	if (r != ERR_NONE)
		return r;
	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (n <= 0 || n == (ssize_t)sizeof(text) || memchr(text, '\0', (size_t)n) || memchr(text, '\n', (size_t)n))
		r = err_set(why, ERR_INVALID, "mail.smtp_password_file: %s is not one line with the password", path);
	else if (!(*ret = strndup(text, (size_t)n)))
		r = err_set(why, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	secret_wipe(text, sizeof(text));
	return r;
}

enum err mailer_relays_load(struct mailer *m, struct errmsg *why)
{
	const struct conf *c = m->conf;
	const char *list = c->mail_smtp;
	bool open_login = c->mail_smtp_user[0] && strcmp(c->mail_smtp_tls, "none") == 0;
	char at[512];

	while (m->n_relays < CONF_RELAYS_MAX && conf_word(&list, at, sizeof(at))) {
		if (open_login && !conf_hostport_here(at))
			return err_set(why, ERR_INVALID,
				       "mail.smtp_user would send its password to %s without TLS; set mail.smtp_tls",
				       at);
		struct mailer_relay *r = &m->relays[m->n_relays];
		if (!(r->at = strdup(at)))
			return err_set(why, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
		m->n_relays++;
	}
	if (c->mail_smtp_ca_file[0] && access(c->mail_smtp_ca_file, R_OK) != 0)
		return err_set(why, ERR_IO, "mail.smtp_ca_file: %s: %s", c->mail_smtp_ca_file, strerror(errno));
	return c->mail_smtp_user[0] ? password_read(c->mail_smtp_password_file, &m->password, why) : ERR_NONE;
}

void mailer_relays_free(struct mailer *m)
{
	for (size_t i = 0; i < m->n_relays; i++)
		free(m->relays[i].at);
	m->n_relays = 0;
	secret_free_str(m->password);
	m->password = NULL;
}

void mailer_relays_order(struct mailer *m, struct mailer_relay *ret[static CONF_RELAYS_MAX])
{
	long long now = clock_mono_ms();
	bool avoid[CONF_RELAYS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < m->n_relays; i++)
		avoid[i] = now < atomic_load(&m->relays[i].avoid_until);
	for (int late = 0; late <= 1; late++)
		for (size_t i = 0; i < m->n_relays; i++)
			if (avoid[i] == (late == 1))
				ret[n++] = &m->relays[i];
}

void mailer_relay_failed(struct mailer_relay *r, bool failed)
{
	atomic_store(&r->avoid_until, failed ? clock_mono_ms() + AVOID_MS : 0);
}
