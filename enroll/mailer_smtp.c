/* Relays by SMTP (RFC 5321) through libcurl. Each carrier keeps its connections for the next mail. */
#include "config.h"

#include "common/clock.h"
#include "enroll/mailer.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_S   15L	  /* with greeting, TLS and login */
#define REPLY_S	    30L	  /* for each reply */
#define TOTAL_MS    60000 /* a mail, whatever the number of relays */
#define QUIT_MS	    1000  /* for a farewell: who was silent before is silent then too */
#define LEAST_MS    5000  /* with less of it no other relay is begun with */
#define KEEP_IDLE_S 30L
#define WORDS_ALL   120 /* bytes of a reason that are the relays' own, where there are several */

/* How far the dialogue came: whose fault a failure is hangs on it. */
enum stage { STAGE_HELLO, STAGE_MAIL, STAGE_RCPT, STAGE_DATA };

static const struct {
	const char *command;
	enum stage stage;
} stages[] = {{"MAIL ", STAGE_MAIL}, {"RCPT ", STAGE_RCPT}, {"DATA", STAGE_DATA}};

/* What became of a mail at one relay. */
enum attempt {
	ATTEMPT_TAKEN,
	ATTEMPT_FINAL,	/* refused for good, by whatever relay */
	ATTEMPT_UNSURE, /* it may have been taken: no other relay gets it now */
	ATTEMPT_REFUSED /* this relay never takes it, another one may */,
	ATTEMPT_LATER /* this relay does not take it now */
};

struct smtp {
	struct mailer *m;
	CURL *curl;
	char error[CURL_ERROR_SIZE];
	/* of the mail under way */
	struct buf text;
	size_t sent;
	int replies;	 /* how many lines came */
	int64_t quit_at; /* when we took our leave; 0: not yet */
	enum stage stage;
	int refusal; /* the code with which this stage was refused, 0 if it was not */
	char words[512];
};

static enum err smtp_prepare(struct mailer *m, struct errmsg *why)
{
	if (m->conf->mail_from[0] == '\0')
		return err_set(why, ERR_INVALID, "mail.from is empty; set the sender's address in %s", m->conf->file);
	enum err r = mailer_relays_load(m, why);
	if (r == ERR_NONE && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		r = err_set(why, ERR_INTERNAL, "libcurl does not start");
	return r;
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
	int refusal = mailer_refusal(line, len);

	s->replies++;
	if (refusal != 0) {
		s->refusal = refusal;
		(void)snprintf(s->words, sizeof(s->words), "%.*s", (int)(len < 500 ? len : 500), line);
	}
	return len;
}

/* The commands as they go out: a refusal of an earlier one (EHLO, where HELO was taken) is none of this stage's. */
static int smtp_command(CURL *curl, curl_infotype type, char *line, size_t len, void *arg)
{
	struct smtp *s = arg;

	(void)curl;
	if (type == CURLINFO_HEADER_OUT && len >= 4 && memcmp(line, "QUIT", 4) == 0)
		s->quit_at = clock_mono_ms();
	for (size_t i = 0; type == CURLINFO_HEADER_OUT && i < sizeof(stages) / sizeof(stages[0]); i++) {
		size_t n = strlen(stages[i].command);
		if (len >= n && memcmp(line, stages[i].command, n) == 0) {
			s->stage = stages[i].stage;
			s->refusal = 0;
			s->words[0] = '\0';
		}
	}
	return 0;
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
	return (give_up != 0 && clock_mono_ms() >= give_up) ||
	       (s->quit_at != 0 && clock_mono_ms() >= s->quit_at + QUIT_MS);
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
	bool good = smtp_tls(s);

#define SET(option, value) good = good && !curl_easy_setopt(s->curl, option, value)
	SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, REPLY_S);
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
	SET(CURLOPT_VERBOSE, 1L); /* to smtp_command alone */
	SET(CURLOPT_DEBUGFUNCTION, smtp_command);
	SET(CURLOPT_DEBUGDATA, s);
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

/* ---- a mail ---- */

static CURLcode smtp_perform(struct smtp *s)
{
	s->sent = 0;
	s->replies = s->refusal = 0;
	s->quit_at = 0;
	s->stage = STAGE_HELLO;
	s->words[0] = s->error[0] = '\0';
	return curl_easy_perform(s->curl);
}

/* Only a refusal of this very mail is for good. One of us (greeting, TLS, login) is the admin's to mend, and the mail
 * must not be lost for it. */
static enum attempt smtp_judge(const struct smtp *s, CURLcode code)
{
	if (code == CURLE_OK)
		return ATTEMPT_TAKEN;
	if (s->refusal >= 500 && s->stage >= STAGE_RCPT && !mailer_is_policy(s->words))
		return ATTEMPT_FINAL;
	if (s->refusal >= 500 && s->stage >= STAGE_MAIL)
		return ATTEMPT_REFUSED;
	if (code == CURLE_ABORTED_BY_CALLBACK || (s->refusal == 0 && s->stage == STAGE_DATA && s->sent == s->text.len))
		return ATTEMPT_UNSURE;
	return ATTEMPT_LATER;
}

static enum attempt smtp_attempt(struct smtp *s, struct mailer_relay *relay, int64_t deadline)
{
	char url[600];
	long connects = 0;

	(void)snprintf(url, sizeof(url), "%s://%s", strcmp(s->m->conf->mail_smtp_tls, "tls") == 0 ? "smtps" : "smtp",
		       relay->at);
	if (curl_easy_setopt(s->curl, CURLOPT_URL, url) ||
	    curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, (long)(deadline - clock_mono_ms()))) {
		(void)snprintf(s->words, sizeof(s->words), "out of memory");
		return ATTEMPT_LATER;
	}
	CURLcode code = smtp_perform(s);
	if (code != CURLE_OK && s->replies == 0 && s->sent == 0 &&
	    !curl_easy_getinfo(s->curl, CURLINFO_NUM_CONNECTS, &connects) && connects == 0) {
		/* The relay hung up the kept connection before it said or got anything. */
		(void)curl_easy_setopt(s->curl, CURLOPT_FRESH_CONNECT, 1L);
		code = smtp_perform(s);
		(void)curl_easy_setopt(s->curl, CURLOPT_FRESH_CONNECT, 0L);
	}
	if (code != CURLE_OK && !s->words[0])
		(void)snprintf(s->words, sizeof(s->words), "%s", s->error[0] ? s->error : curl_easy_strerror(code));
	/* what a relay says of a mail does not speak against the relay, but 421 does (RFC 5321 3.8) */
	if (code != CURLE_ABORTED_BY_CALLBACK)
		mailer_relay_failed(relay, code != CURLE_OK &&
					       (s->stage == STAGE_HELLO || s->refusal == 0 || s->refusal == 421));
	return smtp_judge(s, code);
}

/* One relay after the other until one takes it or it is refused for good. Of several the words name each. */
static void smtp_try_all(struct smtp *s, struct mailer_result *ret)
{
	struct mailer_relay *order[CONF_RELAYS_MAX];
	int64_t deadline = clock_mono_ms() + TOTAL_MS;
	enum attempt a = ATTEMPT_LATER;
	enum mailer_state state = MAILER_PERMANENT;
	AUTO_BUF words = BUF_INIT;
	size_t n = s->m->n_relays, i = 0;

	mailer_relays_order(s->m, order);
	for (; i < n && (i == 0 || clock_mono_ms() + LEAST_MS <= deadline); i++) {
		struct mailer_result one;
		a = smtp_attempt(s, order[i], deadline);
		if (a == ATTEMPT_LATER || a == ATTEMPT_UNSURE)
			state = MAILER_TEMPORARY;
		mailer_result(&one, state, s->refusal, s->words);
		if (n > 1) /* so many words that each relay has some */
			buf_addf(&words, "%s%.*s (%s)", i > 0 ? "; " : "", (int)(WORDS_ALL / n), one.reason,
				 order[i]->at);
		else
			buf_adds(&words, one.reason);
		if (a != ATTEMPT_LATER && a != ATTEMPT_REFUSED)
			break;
	}
	if (i < n && a == ATTEMPT_REFUSED) /* no time was left for the others */
		state = MAILER_TEMPORARY;
	if (a == ATTEMPT_TAKEN)
		mailer_result(ret, MAILER_SENT, 250, "");
	else
		mailer_result(ret, a == ATTEMPT_FINAL ? MAILER_PERMANENT : state, s->refusal,
			      buf_str(&words) ? buf_str(&words) : "out of memory");
}

static void smtp_deliver(void *carrier, const struct mailer_mail *mail, struct mailer_result *ret)
{
	struct smtp *s = carrier;
	struct curl_slist *to = curl_slist_append(NULL, mail->to);

	mailer_result(ret, MAILER_TEMPORARY, 0, "out of memory");
	buf_wipe(&s->text);
	mailer_lines(&s->text, mail->message, mail->len, "\r\n");
	if (s->text.failed)
		buf_free(&s->text);
	else if (to && !curl_easy_setopt(s->curl, CURLOPT_MAIL_FROM, mail->from) &&
		 !curl_easy_setopt(s->curl, CURLOPT_MAIL_RCPT, to) &&
		 !curl_easy_setopt(s->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)s->text.len))
		smtp_try_all(s, ret);
	(void)curl_easy_setopt(s->curl, CURLOPT_MAIL_RCPT, NULL);
	curl_slist_free_all(to);
	buf_wipe(&s->text);
}

const struct mailer_transport mailer_smtp = {"smtp", smtp_prepare, smtp_carrier, smtp_deliver, smtp_carrier_free};
