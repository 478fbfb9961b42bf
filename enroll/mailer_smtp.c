/* One relay by SMTP (RFC 5321) through libcurl. Each carrier keeps its connection for the next mail. */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "enroll/mailer.h"
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT_S   10L
#define TOTAL_S	    60L
#define KEEP_IDLE_S 30L

struct smtp {
	struct mailer *m;
	CURL *curl;
	char error[CURL_ERROR_SIZE];
	/* of the mail under way */
	struct buf text;
	size_t sent;
	int replies, refusal; /* how many lines came; the code of the last that refused */
	bool refused_first;   /* the refusal was the first line */
	char words[512];      /* of the refusal */
};

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

static bool relay_is_here(const char *hostport)
{
	return strncmp(hostport, "localhost:", 10) == 0 || strncmp(hostport, "127.", 4) == 0 ||
	       strncmp(hostport, "[::1]:", 6) == 0;
}

static enum err smtp_prepare(struct mailer *m, struct errmsg *why)
{
	const struct conf *c = m->conf;

	if (c->mail_from[0] == '\0')
		return err_set(why, ERR_INVALID, "mail.from is empty; set the sender's address in %s", c->file);
	if (c->mail_smtp_user[0] && strcmp(c->mail_smtp_tls, "none") == 0 && !relay_is_here(c->mail_smtp))
		return err_set(why, ERR_INVALID,
			       "mail.smtp_user would send its password to %s without TLS; set mail.smtp_tls",
			       c->mail_smtp);
	if (c->mail_smtp_ca_file[0] && access(c->mail_smtp_ca_file, R_OK) != 0)
		return err_set(why, ERR_IO, "mail.smtp_ca_file: %s: %s", c->mail_smtp_ca_file, strerror(errno));
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(why, ERR_INTERNAL, "libcurl does not start");
	return c->mail_smtp_user[0] ? password_read(c->mail_smtp_password_file, &m->password, why) : ERR_NONE;
}

/* ---- what libcurl calls ---- */

static size_t smtp_read(char *to, size_t size, size_t n, void *arg)
{
	struct smtp *s = arg;
	size_t room = size * n, left = s->text.len - s->sent;

	if (room > left)
		room = left;
	if (room > 0)
		memcpy(to, s->text.data + s->sent, room);
	s->sent += room;
	return room;
}

static int smtp_rewind(void *arg, curl_off_t offset, int origin)
{
	struct smtp *s = arg;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > s->text.len)
		return CURL_SEEKFUNC_FAIL;
	s->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* The relay's replies, line by line. The last refusal is kept; the farewell that follows it is not of interest. */
static size_t smtp_reply(char *line, size_t size, size_t n, void *arg)
{
	struct smtp *s = arg;
	size_t len = size * n;

	s->replies++;
	if (len >= 3 && (line[0] == '4' || line[0] == '5') && line[1] >= '0' && line[1] <= '9' && line[2] >= '0' &&
	    line[2] <= '9') {
		s->refusal = (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
		s->refused_first = s->replies == 1;
		(void)snprintf(s->words, sizeof(s->words), "%.*s", (int)(len < 500 ? len : 500), line);
	}
	return len;
}

/* A relay's babble goes nowhere; without this libcurl writes it to stdout. */
static size_t smtp_discard(char *p, size_t size, size_t n, void *arg)
{
	(void)p;
	(void)arg;
	return size * n;
}

static int smtp_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
	const struct smtp *s = arg;
	long long give_up = atomic_load(&s->m->give_up);

	(void)dltotal, (void)dlnow, (void)ultotal, (void)ulnow;
	return give_up != 0 && clock_mono_ms() >= give_up;
}

/* ---- carriers ---- */

static bool smtp_tls(const struct smtp *s)
{
	const struct conf *c = s->m->conf;
	bool none = strcmp(c->mail_smtp_tls, "none") == 0, good = true;

	good = good && !curl_easy_setopt(s->curl, CURLOPT_USE_SSL, none ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	good = good && !curl_easy_setopt(s->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	good = good && !curl_easy_setopt(s->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	good = good && !curl_easy_setopt(s->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	if (c->mail_smtp_ca_file[0]) { /* instead of the system's, not beside them */
		good = good && !curl_easy_setopt(s->curl, CURLOPT_CAINFO, c->mail_smtp_ca_file);
		good = good && !curl_easy_setopt(s->curl, CURLOPT_CAPATH, NULL);
	}
	return good;
}

static bool smtp_options(struct smtp *s)
{
	const struct conf *c = s->m->conf;
	char url[512];
	int n = snprintf(url, sizeof(url), "%s://%s", strcmp(c->mail_smtp_tls, "tls") == 0 ? "smtps" : "smtp",
			 c->mail_smtp);
	bool good = n > 0 && (size_t)n < sizeof(url) && smtp_tls(s);

#define SET(option, value) good = good && !curl_easy_setopt(s->curl, option, value)
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	SET(CURLOPT_TIMEOUT, TOTAL_S);
	SET(CURLOPT_MAXAGE_CONN, KEEP_IDLE_S);
	SET(CURLOPT_ERRORBUFFER, s->error);
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_READFUNCTION, smtp_read);
	SET(CURLOPT_READDATA, s);
	SET(CURLOPT_SEEKFUNCTION, smtp_rewind);
	SET(CURLOPT_SEEKDATA, s);
	SET(CURLOPT_HEADERFUNCTION, smtp_reply);
	SET(CURLOPT_HEADERDATA, s);
	SET(CURLOPT_WRITEFUNCTION, smtp_discard);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_XFERINFOFUNCTION, smtp_progress);
	SET(CURLOPT_XFERINFODATA, s);
	if (s->m->password) {
		SET(CURLOPT_USERNAME, c->mail_smtp_user);
		SET(CURLOPT_PASSWORD, s->m->password);
	}
#undef SET
	return good;
}

static void smtp_carrier_free(void *carrier)
{
	struct smtp *s = carrier;

	if (!s)
		return;
	curl_easy_cleanup(s->curl);
	buf_free(&s->text);
	free(s);
}

static void *smtp_carrier(struct mailer *m)
{
	struct smtp *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->m = m;
	s->curl = curl_easy_init();
	if (s->curl && smtp_options(s))
		return s;
	smtp_carrier_free(s);
	return NULL;
}

static CURLcode smtp_perform(struct smtp *s)
{
	s->sent = 0;
	s->replies = s->refusal = 0;
	s->refused_first = false;
	s->words[0] = s->error[0] = '\0';
	return curl_easy_perform(s->curl);
}

/* Only a refusal of this very mail is for good. One of us (login, TLS, greeting) is the admin's to mend, and the mail
 * must not be lost for it. */
static void smtp_judge(const struct smtp *s, CURLcode code, struct mailer_result *ret)
{
	long connects = 0;

	if (code == CURLE_OK) {
		mailer_result(ret, MAILER_SENT, 250, "");
		return;
	}
	(void)curl_easy_getinfo(s->curl, CURLINFO_NUM_CONNECTS, &connects);
	bool greeting = s->refused_first && connects > 0;
	bool ours = code == CURLE_LOGIN_DENIED || code == CURLE_USE_SSL_FAILED || code == CURLE_REMOTE_ACCESS_DENIED ||
		    code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
		    code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_OPERATION_TIMEDOUT;
	const char *words = s->words[0] ? s->words : s->error[0] ? s->error : curl_easy_strerror(code);
	mailer_result(ret, s->refusal >= 500 && !greeting && !ours ? MAILER_PERMANENT : MAILER_TEMPORARY, s->refusal,
		      words);
}

static void smtp_deliver(void *carrier, const struct mailer_mail *mail, struct mailer_result *ret)
{
	struct smtp *s = carrier;
	struct curl_slist *to = curl_slist_append(NULL, mail->to);
	long connects = 0;

	mailer_result(ret, MAILER_TEMPORARY, 0, "out of memory");
	buf_wipe(&s->text);
	mailer_lines(&s->text, mail->message, mail->len, "\r\n");
	if (s->text.failed) {
		buf_free(&s->text);
		goto out;
	}
	if (!to || curl_easy_setopt(s->curl, CURLOPT_MAIL_FROM, mail->from) ||
	    curl_easy_setopt(s->curl, CURLOPT_MAIL_RCPT, to) ||
	    curl_easy_setopt(s->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)s->text.len))
		goto out;
	CURLcode code = smtp_perform(s);
	if (code != CURLE_OK && s->replies == 0 && s->sent == 0 &&
	    !curl_easy_getinfo(s->curl, CURLINFO_NUM_CONNECTS, &connects) && connects == 0) {
		/* The relay hung up the kept connection before it said or got anything. */
		(void)curl_easy_setopt(s->curl, CURLOPT_FRESH_CONNECT, 1L);
		code = smtp_perform(s);
		(void)curl_easy_setopt(s->curl, CURLOPT_FRESH_CONNECT, 0L);
	}
	smtp_judge(s, code, ret);
out:
	(void)curl_easy_setopt(s->curl, CURLOPT_MAIL_RCPT, NULL);
	curl_slist_free_all(to);
	buf_wipe(&s->text);
}

const struct mailer_transport mailer_smtp = {"smtp", smtp_prepare, smtp_carrier, smtp_deliver, smtp_carrier_free};
