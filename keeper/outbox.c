#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/i18n.h"
#include "keeper/health.h"
#include "keeper/house.h"
#include "keeper/outbox.h"
#include "keeper/outbox_book.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#define STOP_MS	      5000  /* what mails under way are given when the keeper stops */
#define LOOK_AGAIN_MS 30000 /* when nobody woke us */
#define GATHER_MS     20    /* several outcomes share a transaction: each costs the disk, and logins wait for it */
#define PAUSE_MS      1000  /* after the store failed */
#define DOWN_MS	      5000  /* after nobody listened where the mailer should: one such mail tells enough */
#define HOUSE_MS      1000

enum { URGENT, BULK, KINDS };

/* All of it belongs to the thread, but for what wakes and stops it. */
struct outbox {
	struct keeper *k;
	struct store *st;
	pthread_t thread;
	int wake; /* an eventfd */
	atomic_bool stopping;
	struct outbox_book book;
	struct house house;
	/* clock_mono_ms */
	int64_t settle_at; /* of what is done */
	int64_t paused, down, housed, stop_at;
	bool house_due;
	int64_t due[KINDS]; /* clock_now; INT64_MAX: none waits; 0 too where nobody has looked yet */
};

static bool stopping(void *arg)
{
	return atomic_load(&((struct outbox *)arg)->stopping);
}

static void done(struct outbox *o, struct mail *m, const struct sending *s)
{
	if (s->nobody)
		o->down = clock_mono_ms() + DOWN_MS;
	if (!o->book.n_done)
		o->settle_at = clock_mono_ms() + GATHER_MS;
	book_done(&o->book, m, s);
}

/* ---- to the mailer ---- */

static size_t lanes_busy(const struct outbox *o, bool urgent_too)
{
	size_t n = 0;
	for (size_t i = 0; i < o->book.n_lanes; i++)
		n += o->book.lanes[i].busy && (urgent_too || !o->book.lanes[i].mail.urgent);
	return n;
}

/* Which of the claimed mails goes next: one that somebody waits for, or else another while not all lanes are taken by
 * such. n_ready: none. */
static size_t pick(const struct outbox *o)
{
	const struct outbox_book *b = &o->book;
	size_t most = b->n_lanes > 1 ? b->n_lanes - 1 : 1, first = b->n_ready;
	for (size_t i = b->n_ready; i-- > 0;)
		if (b->ready[i].urgent)
			first = i;
	if (first < b->n_ready || clock_mono_ms() < o->down || lanes_busy(o, false) >= most)
		return first;
	return 0;
}

static void send_ready(struct outbox *o)
{
	struct outbox_book *b = &o->book;
	for (size_t i = 0; i < b->n_lanes && !stopping(o); i++) {
		struct lane *l = &b->lanes[i];
		for (size_t n; !l->busy && (n = pick(o)) < b->n_ready;) {
			struct sending s = {.result = SENDING_LATER};
			struct mail m = b->ready[n];
			b->n_ready--;
			memmove(&b->ready[n], &b->ready[n + 1], (b->n_ready - n) * sizeof b->ready[0]);
			memset(&b->ready[b->n_ready], 0, sizeof b->ready[0]);
			if (clock_now() >= m.expires) {
				snprintf(s.reason, sizeof s.reason, N_("it could not be delivered in time"));
				done(o, &m, &s);
			} else if (!lane_start(l, &m, &s)) {
				done(o, &l->mail, &s);
			}
		}
	}
}

static void hear(struct outbox *o, const struct pollfd *p)
{
	int64_t now = clock_mono_ms();
	for (size_t i = 0; i < o->book.n_lanes; i++) {
		struct lane *l = &o->book.lanes[i];
		struct sending s;
		if (l->busy && (p[i].revents || now >= l->deadline) && lane_answer(l, p[i].revents != 0, &s))
			done(o, &l->mail, &s);
	}
}

/* ---- to the store ---- */

static void look(struct outbox *o)
{
	for (int kind = 0; o->st && kind < KINDS; kind++) {
		enum err e = store_mail_next_time(o->st, kind == URGENT, &o->due[kind]);
		if (e)
			o->due[kind] = e == ERR_NOTFOUND ? INT64_MAX : 0;
		if (e && e != ERR_NOTFOUND)
			o->paused = clock_mono_ms() + PAUSE_MS;
	}
}

static bool claimable(const struct outbox *o)
{
	int64_t now = clock_now();
	return (o->due[URGENT] <= now && o->book.n_ready < OUTBOX_READY) ||
	       (o->due[BULK] <= now && book_bulk(&o->book) < OUTBOX_BULK / 2);
}

/* What there is to write or to claim now. */
static void write_book(struct outbox *o)
{
	int64_t now = clock_mono_ms();
	bool claim = !stopping(o) && claimable(o);
	bool settle = o->book.n_done && (now >= o->settle_at || claim);
	if (!o->st)
		o->paused = now + PAUSE_MS;
	if (now < o->paused || !o->st || !(claim || settle || book_lease(&o->book) <= clock_now()))
		return;
	enum err e = book_write(&o->book, o->st, claim);
	if (e) {
		o->paused = clock_mono_ms() + PAUSE_MS;
		if (!health_after(o->k, &o->st))
			daemon_log(LOG_AUTHPRIV | LOG_ERR, "mail: the outbox cannot be used: %s", err_text(e));
	}
	look(o);
}

/* ---- the thread ---- */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Until when there is nothing to do, in clock_mono_ms. */
static int64_t next_work(const struct outbox *o)
{
	int64_t now = clock_mono_ms(), clock = clock_now(), until = now + LOOK_AGAIN_MS, store = INT64_MAX;
	for (size_t i = 0; i < o->book.n_lanes; i++)
		if (o->book.lanes[i].busy)
			until = least(until, o->book.lanes[i].deadline);
	if (o->book.n_ready && lanes_busy(o, true) < o->book.n_lanes && o->down > now)
		until = least(until, o->down);
	/* seconds of the other clock; what is claimable now is only left because the store failed */
	store = least(book_lease(&o->book), claimable(o) ? clock : INT64_MAX);
	for (int kind = 0; kind < KINDS; kind++)
		if (o->due[kind] > clock)
			store = least(store, o->due[kind]);
	store = store == INT64_MAX || store - clock > LOOK_AGAIN_MS / 1000 ? INT64_MAX : now + 1000 * (store - clock);
	if (o->book.n_done)
		store = least(store, o->settle_at);
	if (o->house_due)
		store = least(store, o->housed + HOUSE_MS);
	if (store < o->paused)
		store = o->paused;
	until = least(until, store);
	return o->stop_at ? least(until, o->stop_at) : until;
}

/* Sleeps until woken, a lane has something to say, or there is work; then hears the lanes. */
static void rest(struct outbox *o)
{
	struct pollfd p[CONF_CONNECTIONS_MAX + 1];
	size_t n = o->book.n_lanes;
	uint64_t count;
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = o->book.lanes[i].busy ? o->book.lanes[i].fd : -1, .events = POLLIN};
	p[n] = (struct pollfd){.fd = o->wake, .events = POLLIN};
	int64_t wait = next_work(o) - clock_mono_ms();
	if (poll(p, (nfds_t)n + 1, wait > 0 ? (int)wait : 0) < 0)
		return;
	hear(o, p);
	if (p[n].revents)
		(void)!read(o->wake, &count, sizeof count);
	o->house_due = o->house_due || p[n].revents;
	if (p[n].revents || !lanes_busy(o, true))
		look(o);
}

static void keep_house(struct outbox *o)
{
	int64_t now = clock_mono_ms();
	if (!o->st || now - o->housed < HOUSE_MS)
		return;
	o->housed = now;
	bool mailed = false;
	o->house_due = house_keep(&o->house, o->k, o->st, stopping, o, &mailed);
	if (mailed)
		look(o);
}

static void *run(void *arg)
{
	struct outbox *o = arg;
	pthread_setname_np(pthread_self(), "outbox");
	while (!o->stop_at || (lanes_busy(o, true) && clock_mono_ms() < o->stop_at)) {
		health_before(o->k, &o->st);
		write_book(o);
		send_ready(o);
		keep_house(o);
		health_after(o->k, &o->st);
		rest(o);
		if (stopping(o) && !o->stop_at)
			o->stop_at = clock_mono_ms() + STOP_MS;
	}
	health_before(o->k, &o->st);
	if (o->st && (!o->book.n_done || !book_write(&o->book, o->st, false)))
		book_release(&o->book, o->st);
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
	o->book.n_lanes = (size_t)k->conf->mail_connections;
	for (size_t i = 0; i < o->book.n_lanes; i++)
		o->book.lanes[i] = (struct lane){.conf = k->conf, .fd = -1};
	o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->wake < 0 || pthread_create(&o->thread, NULL, run, o)) {
		if (o->wake >= 0)
			close(o->wake);
		free(o);
		return ERR_INTERNAL;
	}
	*ret = o;
	return ERR_NONE;
}

void outbox_wake(void *outbox)
{
	const struct outbox *o = outbox;
	const uint64_t one = 1;
	(void)!write(o->wake, &one, sizeof one);
}

void outbox_stop(struct outbox *o)
{
	if (!o)
		return;
	atomic_store(&o->stopping, true);
	outbox_wake(o);
	pthread_join(o->thread, NULL);
	book_clear(&o->book);
	store_close(o->st);
	close(o->wake);
	free(o);
}
