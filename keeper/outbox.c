#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "common/wire.h"
#include "keeper/health.h"
#include "keeper/house.h"
#include "keeper/outbox.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SEND_MS	    90000 /* the mailer's own limit is 60 s a mail */
#define STOP_MS	    5000  /* what a mail under way is given when the keeper stops */
#define RETRY_FIRST 10	  /* seconds; doubles up to */
#define RETRY_MOST  900
#define LOOK_AGAIN  30 /* seconds, when nobody woke us */

struct outbox {
	struct keeper *k;
	struct store *st;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool woken, stopping;
	int fd; /* to the mailer, -1 */
	uint32_t id;
	struct house house;
	bool open_there; /* a mail was handed over, but the store has not taken the outcome yet: */
	struct mail open;
};

struct sending {
	enum { SENT, LATER, NEVER } result;
	char reason[256];
};

static bool stopping(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	bool s = o->stopping;
	pthread_mutex_unlock(&o->lock);
	return s;
}

static void hang_up(struct outbox *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

/* Until the mailer answers; a stop is not held up by one that is stuck. */
static enum err wait_answer(struct outbox *o, int64_t deadline)
{
	struct pollfd p = {.fd = o->fd, .events = POLLIN};
	bool last = false;
	for (int64_t now; (now = clock_mono_ms()) < deadline;) {
		if (!last && stopping(o)) {
			last = true;
			deadline = deadline < now + STOP_MS ? deadline : now + STOP_MS;
		}
		if (poll(&p, 1, 250) > 0)
			return ERR_NONE;
	}
	return ERR_TIMEOUT;
}

static enum err exchange(struct outbox *o, const struct mail *m, struct buf *answer)
{
	AUTO_BUF b = BUF_INIT;
	char path[4096];
	int64_t deadline = clock_mono_ms() + SEND_MS;
	enum err e = ERR_NONE;
	if (o->fd < 0) {
		snprintf(path, sizeof path, "%s/mail.sock", o->k->conf->run_dir);
		e = wire_connect(path, clock_mono_ms() + 3000, &o->fd);
	}
	wire_begin(&b, ++o->id, "send");
	wire_puts(&b, "from", o->k->conf->mail_from);
	wire_puts(&b, "to", m->recipient);
	wire_put(&b, "message", m->message.data, m->message.len);
	if (!e)
		e = wire_end(&b);
	if (!e)
		e = wire_send(o->fd, &b, clock_mono_ms() + 10000);
	if (!e)
		e = wait_answer(o, deadline);
	if (!e)
		e = wire_recv(o->fd, answer, clock_mono_ms() + 10000);
	if (e)
		hang_up(o);
	return e;
}

static void hand_over(struct outbox *o, const struct mail *m, struct sending *s)
{
	AUTO_BUF answer = BUF_INIT;
	struct wire_msg *w = calloc(1, sizeof *w);
	bool reused = o->fd >= 0;
	s->result = LATER;
	snprintf(s->reason, sizeof s->reason, N_("the mail program is not running"));
	enum err e = w ? exchange(o, m, &answer) : ERR_NOMEM;
	if (e == ERR_IO && reused) /* a mailer that had left when idle: once more on a fresh connection */
		e = exchange(o, m, &answer);
	if (e)
		goto out;
	if (wire_parse(answer.data, answer.len, w) || w->id != o->id || strcmp(w->kind, "result")) {
		hang_up(o); /* out of step: the next mail must not read this one's answer */
		goto out;
	}
	const char *state = wire_str(w, "state"), *reason = wire_str(w, "reason");
	snprintf(s->reason, sizeof s->reason, "%s", reason ? reason : "");
	if (state && !strcmp(state, "sent"))
		s->result = SENT;
	else if (state && !strcmp(state, "permanent"))
		s->result = NEVER;
out:
	free(w);
}

static int64_t retry_after(int tries)
{
	int64_t wait = tries > 6 ? RETRY_MOST : (int64_t)RETRY_FIRST << (tries > 0 ? tries - 1 : 0);
	unsigned jitter = 0;
	if (wait > RETRY_MOST)
		wait = RETRY_MOST;
	secret_uniform((unsigned)wait / 4 + 1, &jitter);
	return wait + jitter;
}

static enum err write_mail(struct outbox *o, const struct mail *m)
{
	enum err e = store_begin(o->st);
	if (e)
		return e;
	e = store_mail_settle(o->st, m);
	if (!e)
		e = store_commit(o->st);
	if (e)
		store_rollback(o->st);
	return e;
}

/* The outcome stays in memory until the store takes it: a mail that was sent must not be sent again because the disk
 * was full just then. */
static enum err settle(struct outbox *o)
{
	enum err e = o->open_there ? write_mail(o, &o->open) : ERR_NONE;
	if (e && e != ERR_NOTFOUND) /* not there: its person was deleted meanwhile */
		return e;
	mail_clear(&o->open);
	o->open_there = false;
	return ERR_NONE;
}

static void outcome(struct mail *m, const struct sending *s)
{
	snprintf(m->reason, sizeof m->reason, "%s", s->result == SENT ? "" : s->reason);
	if (s->result == SENT) {
		m->state = MAIL_SENT;
		m->sent = clock_now();
	} else if (s->result == NEVER) {
		m->state = MAIL_REFUSED;
	} else {
		m->next_try = clock_now() + retry_after(m->tries);
		if (m->next_try >= m->expires)
			m->state = MAIL_EXPIRED;
	}
}

/* What cannot be read would stay the first in the queue for ever. */
static enum err give_up_unreadable(struct outbox *o, const struct id *id)
{
	daemon_log(LOG_AUTHPRIV | LOG_ERR, "mail: a row of the outbox was changed or damaged: given up");
	o->open = (struct mail){.id = *id, .state = MAIL_REFUSED};
	o->open_there = true;
	return settle(o);
}

/* ERR_NOTFOUND: nothing is due. */
static enum err send_one(struct outbox *o)
{
	static const struct id none;
	struct mail m;
	struct sending s;
	memset(&m, 0, sizeof m);
	enum err e = settle(o);
	int64_t now = clock_now();
	if (!e)
		e = store_mail_next(o->st, now, &m);
	if (e)
		return e == ERR_CORRUPT && memcmp(&m.id, &none, sizeof none) ? give_up_unreadable(o, &m.id) : e;
	/* first the try is noted, then it is made: after a crash, or where nothing can be written, none follows at once
	 */
	m.tries++;
	m.next_try = now + retry_after(m.tries);
	bool late = now >= m.expires;
	e = late ? ERR_NONE : write_mail(o, &m);
	if (e) {
		mail_clear(&m);
		return e == ERR_NOTFOUND ? ERR_NONE : e; /* its person was deleted this moment: on to the next */
	}
	if (late)
		s = (struct sending){LATER, N_("it could not be delivered in time")};
	else
		hand_over(o, &m, &s);
	outcome(&m, &s);
	/* the server's words may name people: they stay in the sealed row, the mailer logs the reply's code */
	if (m.state != MAIL_SENT)
		daemon_log(LOG_AUTHPRIV | LOG_WARNING, "mail: try %d failed, %s", m.tries,
			   m.state == MAIL_WAITING ? "will be tried again" : "given up");
	o->open = m;
	o->open_there = true;
	return settle(o);
}

static bool stop(void *arg)
{
	return stopping(arg);
}

/* Sleeps until woken, until the next mail is due, or for LOOK_AGAIN. False: stop. */
static bool rest(struct outbox *o)
{
	int64_t next, now = clock_now();
	int64_t secs =
	    !o->st || store_mail_next_time(o->st, &next) || next - now > LOOK_AGAIN ? LOOK_AGAIN : next - now;
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += secs > 0 ? secs : 1;
	pthread_mutex_lock(&o->lock);
	while (!o->woken && !o->stopping)
		if (pthread_cond_timedwait(&o->changed, &o->lock, &until))
			break;
	o->woken = false;
	bool go_on = !o->stopping;
	pthread_mutex_unlock(&o->lock);
	return go_on;
}

static void *run(void *arg)
{
	struct outbox *o = arg;
	pthread_setname_np(pthread_self(), "outbox");
	do {
		health_before(o->k, &o->st);
		if (!o->st)
			continue;
		enum err e = ERR_NONE;
		while (!e && !stopping(o))
			e = send_one(o);
		house_keep(&o->house, o->k, o->st, stop, o);
		if (!health_after(o->k, &o->st) && e && e != ERR_NOTFOUND)
			daemon_log(LOG_AUTHPRIV | LOG_ERR, "mail: the outbox cannot be read: %s", err_text(e));
	} while (rest(o));
	if (o->st)
		house_note(&o->house, o->st);
	return NULL;
}

enum err outbox_start(struct keeper *k, struct outbox **ret)
{
	struct outbox *o = calloc(1, sizeof *o);
	if (!o)
		return ERR_NOMEM;
	o->k = k;
	o->fd = -1;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&o->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&o->lock, NULL);
	if (pthread_create(&o->thread, NULL, run, o)) {
		pthread_cond_destroy(&o->changed);
		pthread_mutex_destroy(&o->lock);
		free(o);
		return ERR_INTERNAL;
	}
	*ret = o;
	return ERR_NONE;
}

void outbox_wake(void *outbox)
{
	struct outbox *o = outbox;
	pthread_mutex_lock(&o->lock);
	o->woken = true;
	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->lock);
}

void outbox_stop(struct outbox *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->stopping = true;
	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->thread, NULL);
	hang_up(o);
	mail_clear(&o->open);
	store_close(o->st);
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	free(o);
}
