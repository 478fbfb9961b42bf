#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "keeper/door_auth.h"
#include "keeper/door_verify.h"
#include "keeper/door_web.h"
#include "keeper/pool.h"
#include "keeper/server.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define AUTH_CONNS	    1024   /* at once */
#define AUTH_CONNS_STRANGER 4	   /* of one uid that is not trusted */
#define AUTH_IDLE_MS	    150000 /* a person may think for LoginGraceTime, 120 s */
#define WEB_CONNS	    16
#define WEB_IN_FLIGHT	    4096	      /* requests of one connection */
#define OUT_MAX		    (8 * 1024 * 1024) /* answers that a peer does not read */
#define FAST_THREADS	    8 /* who meet at the disk wait for it together: more of them, longer sharing */
#define FAST_QUEUE	    2048
#define VERIFY_THREADS	    4 /* they only read */
#define HASH_QUEUE	    256

enum kind { KIND_AUTH, KIND_WEB };

struct conn {
	struct server *s;
	enum kind kind;
	int fd;
	struct peer peer;
	struct conn *next, *prev;
	int64_t used_ms;
	atomic_uint refs; /* the server's list, and one a request */
	unsigned in_flight;
	struct buf in;
	void *state;
	void (*free_state)(void *);
	/* written by workers */
	pthread_mutex_t lock;
	struct buf out;
	size_t out_sent;
	bool broken, hangup;
};

struct server {
	struct keeper *k;
	int epoll, auth_fd, web_fd, stop_fd;
	struct conn *conns;
	unsigned auth_conns, web_conns;
	struct pool *auth, *auth_hash, *web, *web_hash, *verify;
	int64_t watchdog_ms; /* 0: none */
	bool stopping;
};

static void conn_unref(struct conn *c)
{
	if (atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	if (c->state && c->free_state)
		c->free_state(c->state);
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void conn_events(struct conn *c, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = c};
	epoll_ctl(c->s->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

/* With c->lock held: sends what it can. */
static void conn_flush(struct conn *c)
{
	while (!c->broken && c->out_sent < c->out.len) {
		ssize_t n =
		    send(c->fd, c->out.data + c->out_sent, c->out.len - c->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			c->out_sent += (size_t)n;
		else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			conn_events(c, EPOLLIN | EPOLLOUT);
			return;
		} else if (n == 0 || errno != EINTR)
			c->broken = true;
	}
	buf_wipe(&c->out);
	c->out_sent = 0;
	if (c->hangup || c->broken)
		shutdown(c->fd, SHUT_RDWR); /* the reading thread sees it and lets go */
}

/* Out of the server's list; workers that still hold it finish into the void. */
static void conn_drop(struct conn *c)
{
	struct server *s = c->s;
	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	(*(c->kind == KIND_AUTH ? &s->auth_conns : &s->web_conns))--;
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	pthread_mutex_lock(&c->lock);
	c->broken = true;
	pthread_mutex_unlock(&c->lock);
	conn_unref(c);
}

void server_reply(struct request *r, const struct buf *frame, bool last)
{
	struct conn *c = r->conn;
	pthread_mutex_lock(&c->lock);
	c->in_flight--;
	c->hangup = c->hangup || last;
	if (!c->broken) {
		buf_add(&c->out, frame->data, frame->len);
		if (c->out.failed || c->out.len > OUT_MAX)
			c->broken = true;
		conn_flush(c);
	}
	pthread_mutex_unlock(&c->lock);
}

void server_done(struct request *r)
{
	conn_unref(r->conn);
	buf_free(&r->frame);
	free(r);
}

const struct peer *server_peer(const struct request *r)
{
	return &r->conn->peer;
}

void **server_state(struct request *r, void (*free_state)(void *))
{
	r->conn->free_state = free_state;
	return &r->conn->state;
}

/* Nobody waits for the answer any more: whoever asks and leaves shall not keep others waiting for a hash. Nothing was
 * counted or checked, so nothing is gained by it. */
static bool gone(struct request *r)
{
	pthread_mutex_lock(&r->conn->lock);
	bool broken = r->conn->broken;
	pthread_mutex_unlock(&r->conn->lock);
	return broken;
}

static void job_auth(struct keeper *k, struct store *st, void *arg)
{
	if (!gone(arg))
		door_auth_run(k, st, arg);
	server_done(arg);
}

static void job_web(struct keeper *k, struct store *st, void *arg)
{
	if (!gone(arg))
		door_web_run(k, st, arg);
	server_done(arg);
}

static void submit(struct server *s, struct pool *p, pool_job job, struct request *r, bool first)
{
	if (!pool_submit(p, job, r, first))
		return;
	if (r->conn->kind == KIND_WEB)
		door_web_busy(s->k, r);
	else
		door_auth_busy(s->k, r);
	server_done(r);
}

/* Hashes are queued twice: who comes from where the person that they name is known goes first, so that no flood of
 * guesses makes owners wait. */
static void job_sort(struct keeper *k, struct store *st, void *arg)
{
	struct request *r = arg;
	struct server *s = r->conn->s;
	bool web = r->conn->kind == KIND_WEB;
	bool first = st && !gone(r) && (web ? door_web_known(k, st, r) : door_auth_known(k, st, r));
	submit(s, web ? s->web_hash : s->auth_hash, web ? job_web : job_auth, r, first);
}

/* That a session is used is written by others: who asks for a portal never waits for the disk. */
static void job_seen(struct keeper *k, struct store *st, void *arg)
{
	door_verify_seen(k, st, arg);
}

static void job_verify(struct keeper *k, struct store *st, void *arg)
{
	struct request *r = arg;
	struct server *s = r->conn->s;
	struct verify_seen *seen = NULL;
	if (!gone(r))
		door_verify_run(k, st, r, &seen);
	if (seen && pool_submit(s->web, job_seen, seen, false))
		door_verify_seen(k, NULL, seen); /* the next one says it again */
	server_done(r);
}

static void dispatch_verify(struct server *s, struct request *r)
{
	if (!pool_submit(s->verify, job_verify, r, false))
		return;
	door_verify_busy(r);
	server_done(r);
}

static void dispatch(struct server *s, struct request *r)
{
	if (r->conn->kind == KIND_WEB && door_verify_asks(r)) {
		dispatch_verify(s, r);
		return;
	}
	if (r->conn->kind == KIND_WEB) {
		submit(s, s->web, door_web_hashes(r) ? job_sort : job_web, r, false);
		return;
	}
	enum auth_work w = door_auth_work(r);
	if (w == AUTH_NOW)
		job_auth(s->k, NULL, r);
	else
		submit(s, s->auth, w == AUTH_HASH ? job_sort : job_auth, r, false);
}

/* Takes one whole message off the front of c->in. ERR_NOTFOUND: not all there yet. */
static enum err next_message(struct conn *c, struct request **ret)
{
	if (c->in.len < WIRE_HEAD)
		return ERR_NOTFOUND;
	size_t n = wire_length(c->in.data);
	if (!n)
		return ERR_INVALID;
	if (c->in.len - WIRE_HEAD < n)
		return ERR_NOTFOUND;
	struct request *r = calloc(1, sizeof *r);
	if (!r)
		return ERR_NOMEM;
	r->conn = c;
	buf_add(&r->frame, c->in.data + WIRE_HEAD, n);
	size_t rest = c->in.len - WIRE_HEAD - n;
	memmove(c->in.data, c->in.data + WIRE_HEAD + n, rest);
	explicit_bzero(c->in.data + rest, c->in.len - rest);
	c->in.len = rest;
	if (r->frame.failed || wire_parse(r->frame.data, r->frame.len, &r->msg)) {
		buf_free(&r->frame);
		free(r);
		return ERR_INVALID;
	}
	*ret = r;
	return ERR_NONE;
}

/* ERR_NONE: the connection lives on. */
static enum err conn_read(struct conn *c)
{
	uint8_t *room = buf_room(&c->in, 16384);
	if (!room)
		return ERR_NOMEM;
	ssize_t n = recv(c->fd, room, 16384, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? ERR_NONE : ERR_IO;
	if (n == 0)
		return ERR_IO;
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = 0;
	c->used_ms = clock_mono_ms();
	struct request *r;
	enum err e;
	while (!(e = next_message(c, &r))) {
		pthread_mutex_lock(&c->lock);
		bool ok = !c->broken && !c->hangup && c->in_flight < (c->kind == KIND_AUTH ? 1 : WEB_IN_FLIGHT);
		if (ok)
			c->in_flight++;
		pthread_mutex_unlock(&c->lock);
		if (!ok) { /* an auth peer that talks out of turn, or a peer that is shown out */
			buf_free(&r->frame);
			free(r);
			return ERR_DENIED;
		}
		atomic_fetch_add(&c->refs, 1);
		dispatch(c->s, r);
	}
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

static bool stranger_has_too_many(const struct server *s, const struct peer *p)
{
	unsigned n = 0;
	for (const struct conn *c = s->conns; c; c = c->next)
		n += c->kind == KIND_AUTH && c->peer.uid == p->uid;
	return !p->trusted && n >= AUTH_CONNS_STRANGER;
}

static void accept_one(struct server *s, enum kind kind)
{
	int fd = accept4(kind == KIND_AUTH ? s->auth_fd : s->web_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		/* out of descriptors or memory the listener stays readable: a pause instead of spinning */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
		return;
	}
	struct peer p;
	struct conn *c = NULL;
	unsigned *count = kind == KIND_AUTH ? &s->auth_conns : &s->web_conns;
	if (peer_of(fd, &p) || *count >= (kind == KIND_AUTH ? AUTH_CONNS : WEB_CONNS) ||
	    (kind == KIND_AUTH && stranger_has_too_many(s, &p)) || !(c = calloc(1, sizeof *c))) {
		close(fd);
		return;
	}
	c->s = s;
	c->kind = kind;
	c->fd = fd;
	c->peer = p;
	c->used_ms = clock_mono_ms();
	atomic_init(&c->refs, 1);
	pthread_mutex_init(&c->lock, NULL);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev)) {
		conn_unref(c);
		return;
	}
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	(*count)++;
}

static void drop_idle(struct server *s)
{
	int64_t now = clock_mono_ms();
	for (struct conn *c = s->conns, *next; c; c = next) {
		next = c->next; /* NOLINT(clang-analyzer-unix.Malloc): it loses sight of the links */
		if (c->kind == KIND_AUTH && now - c->used_ms > AUTH_IDLE_MS)
			conn_drop(c);
	}
}

static void on_conn(struct conn *c, uint32_t events)
{
	if (events & EPOLLOUT) {
		pthread_mutex_lock(&c->lock);
		conn_events(c, EPOLLIN);
		conn_flush(c);
		pthread_mutex_unlock(&c->lock);
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && conn_read(c))
		conn_drop(c);
}

static enum err listen_on(struct server *s, int fd, void *tag)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = tag};
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) ? ERR_IO : ERR_NONE;
}

static void loop(struct server *s)
{
	int64_t swept = clock_mono_ms(), petted = 0;
	while (!s->stopping) {
		struct epoll_event ev[64];
		int n = epoll_wait(s->epoll, ev, 64, s->watchdog_ms ? (int)s->watchdog_ms : 10000);
		int64_t now = clock_mono_ms();
		for (int i = 0; i < n; i++) {
			void *p = ev[i].data.ptr;
			if (p == &s->stop_fd)
				s->stopping = true;
			else if (p == &s->auth_fd)
				accept_one(s, KIND_AUTH);
			else if (p == &s->web_fd)
				accept_one(s, KIND_WEB);
			else
				on_conn(p, ev[i].events);
		}
		if (now - swept > 5000) {
			swept = now;
			drop_idle(s);
		}
		if (s->watchdog_ms && now - petted >= s->watchdog_ms) {
			petted = now;
			daemon_notify("WATCHDOG=1");
		}
	}
}

static enum err start_pools(struct server *s)
{
	int slots = 1;
	sem_getvalue(&s->k->web_gate.places, &slots);
	/* two threads a place: one hashes while the other counts, settles and waits for the disk */
	unsigned hash = 2 * (unsigned)(slots > 0 ? slots : 1);
	/* whoever floods the form with passwords takes what is left, also of the processor */
	enum err e = hashers_start("web-hasher", hash / 2, &s->k->web_gate.behind);
	if (!e)
		e = pool_start(s->k, "auth", FAST_THREADS, FAST_QUEUE, &s->auth);
	if (!e)
		e = pool_start(s->k, "auth-hash", hash, HASH_QUEUE, &s->auth_hash);
	if (!e)
		e = pool_start(s->k, "web", FAST_THREADS, FAST_QUEUE, &s->web);
	if (!e)
		e = pool_start(s->k, "verify", VERIFY_THREADS, FAST_QUEUE, &s->verify);
	if (!e)
		e = pool_start(s->k, "web-hash", hash, HASH_QUEUE, &s->web_hash);
	return e;
}

/* The soft limit is 1024 as a rule: as many as the connections that may come, and the stores need some too. */
static void room_for_descriptors(void)
{
	const rlim_t want = AUTH_CONNS + WEB_CONNS + 1024;
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur >= want)
		return;
	r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int64_t watchdog_interval(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	long long v = usec ? strtoll(usec, NULL, 10) : 0;
	return v > 0 ? v / 2000 : 0;
}

enum err server_run(struct keeper *k, int auth_fd, int web_fd, int stop_fd, struct errmsg *m)
{
	struct server s = {.k = k, .auth_fd = auth_fd, .web_fd = web_fd, .stop_fd = stop_fd, .epoll = -1};
	s.watchdog_ms = watchdog_interval();
	room_for_descriptors();
	enum err e = start_pools(&s);
	if (e) {
		err_set(m, e, "cannot start the worker threads: %s", err_text(e));
		goto out;
	}
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s.epoll < 0 || listen_on(&s, stop_fd, &s.stop_fd) || listen_on(&s, auth_fd, &s.auth_fd) ||
	    listen_on(&s, web_fd, &s.web_fd)) {
		e = err_set(m, ERR_IO, "cannot watch the sockets: %s", strerror(errno));
		goto out;
	}
	daemon_notify("READY=1");
	loop(&s);
	daemon_notify("STOPPING=1");
out:
	pool_stop(s.auth);
	pool_stop(s.auth_hash);
	pool_stop(s.verify);
	pool_stop(s.web);
	pool_stop(s.web_hash);
	hashers_stop(k->web_gate.behind);
	k->web_gate.behind = NULL;
	while (s.conns)
		conn_drop(s.conns); /* NOLINT(clang-analyzer-unix.Malloc): as in drop_idle */
	if (s.epoll >= 0)
		close(s.epoll);
	return e;
}
