#include "config.h"

#include "common/clock.h"
#include "common/wire.h"
#include "enroll/keeper_link.h"
#include "enroll/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK_RETRY_MS  1000
#define LINK_TICK_MS   250
#define LINK_READ      16384
#define LINK_SLOT_MASK (LINK_FLIGHTS - 1u)

/* A request. Its id is its slot's number below a count, so that a late answer never meets the slot's next user. */
struct flight {
	void *arg;
	uint32_t id;
	bool used;
	uint64_t start; /* where its frame begins in the stream of this connection */
	int64_t submitted;
};

/* The thread connects, reads and closes; whoever submits writes as much as the socket takes, the thread the rest. */
struct link {
	char *path;
	link_done *done;
	pthread_t thread;
	int wake;      /* eventfd */
	struct buf in; /* the thread's own, and: */
	int64_t retry; /* not to connect before */

	pthread_mutex_t lock; /* of all below */
	int fd;		      /* -1: not connected; only the thread changes it */
	bool broken;	      /* a write failed */
	bool stopping;
	const char *told;	  /* why there are no answers, as it was logged; NULL: there are */
	int64_t connected, heard; /* since when; when the keeper answered somebody */
	uint32_t count;
	struct flight flight[LINK_FLIGHTS];
	uint16_t free_slot[LINK_FLIGHTS];
	size_t free_n;
	struct buf out; /* frames; out_at bytes of it are written */
	size_t out_at;
	uint64_t written; /* into this connection, in all */
	void *ended[LINK_FLIGHTS];
};

static void link_wake(struct link *l)
{
	uint64_t one = 1;

	if (write(l->wake, &one, sizeof one) < 0)
		return; /* EAGAIN: it is awake already */
}

/* ---- with the lock held ---- */

static void *link_land(struct link *l, struct flight *f)
{
	f->used = false;
	l->free_slot[l->free_n++] = (uint16_t)(f - l->flight);
	return f->arg;
}

/* Writes what the socket takes. */
static void link_flush(struct link *l)
{
	while (l->out_at < l->out.len && !l->broken) {
		ssize_t n = send(l->fd, l->out.data + l->out_at, l->out.len - l->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			l->broken = true;
			return;
		}
		l->out_at += (size_t)n;
		l->written += (uint64_t)n;
	}
	if (l->out_at == l->out.len) {
		buf_wipe(&l->out); /* it held passwords */
		l->out_at = 0;
	}
}

/* Keeps of the queue what begins at the first frame of which nothing was written: that may go over the next connection.
 */
static void link_rewind(struct link *l)
{
	uint64_t base = l->written - l->out_at, first = base + l->out.len;
	AUTO_BUF rest = BUF_INIT;

	for (size_t i = 0; i < LINK_FLIGHTS; i++)
		if (l->flight[i].used && l->flight[i].start < first)
			first = l->flight[i].start;
	buf_add(&rest, l->out.data + (first - base), l->out.len - (size_t)(first - base));
	for (size_t i = 0; i < LINK_FLIGHTS; i++)
		l->flight[i].start -= first;
	buf_wipe(&l->out);
	buf_add(&l->out, rest.data, rest.len);
	l->out_at = 0;
	l->written = 0;
}

enum link_which { LINK_ALL, LINK_WRITTEN, LINK_OVERDUE };

/* One that answers others may be busy; one that answers nobody is stopped or stuck. */
static bool link_overdue(const struct link *l, const struct flight *f, int64_t now)
{
	int64_t since = f->submitted > l->heard ? f->submitted : l->heard;

	return now - f->submitted >= LINK_WAIT_MS || now - since >= LINK_SILENT_MS;
}

/* Takes flights out into l->ended (the thread's). */
static size_t link_take(struct link *l, enum link_which which)
{
	int64_t now = clock_mono_ms();
	size_t n = 0;

	for (size_t i = 0; i < LINK_FLIGHTS; i++) {
		struct flight *f = &l->flight[i];

		if (!f->used || (which == LINK_WRITTEN && f->start >= l->written) ||
		    (which == LINK_OVERDUE && !link_overdue(l, f, now)))
			continue;
		l->ended[n++] = link_land(l, f);
	}
	return n;
}

/* Once, until there are answers again. */
__attribute__((format(printf, 2, 3))) static void link_tell(struct link *l, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (l->told == fmt)
		return;
	l->told = fmt;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	log_error("%s", line);
}

/* ---- the thread ---- */

static void link_end(struct link *l, size_t n, enum link_result result)
{
	for (size_t i = 0; i < n; i++)
		l->done(l->ended[i], result, NULL);
}

static void link_disconnect(struct link *l)
{
	size_t n;

	pthread_mutex_lock(&l->lock);
	close(l->fd);
	l->fd = -1;
	l->broken = false;
	/* one that hangs up without having answered anybody would have us connect without end */
	l->retry = l->heard >= l->connected ? 0 : clock_mono_ms() + LINK_TICK_MS;
	n = link_take(l, LINK_WRITTEN);
	link_rewind(l);
	pthread_mutex_unlock(&l->lock);
	buf_free(&l->in);
	link_end(l, n, LINK_BROKEN);
}

static void link_connect(struct link *l)
{
	enum err r;
	size_t n = 0;
	int fd = -1, error;

	/* A Unix socket connects at once or not at all; the deadline is for a full backlog. */
	r = wire_connect(l->path, clock_mono_ms() + LINK_RETRY_MS, &fd);
	if (r == ERR_NONE && fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		close(fd);
		r = ERR_IO;
	}
	error = errno;
	pthread_mutex_lock(&l->lock);
	if (r == ERR_NONE) {
		l->fd = fd;
		l->connected = clock_mono_ms();
		link_flush(l);
	} else {
		link_tell(l, "no keeper at %s (%s): start kosmo-keeper; until then pages answer 503", l->path,
			  r == ERR_IO ? strerror(error) : err_text(r));
		n = link_take(l, LINK_ALL);
		buf_wipe(&l->out);
		l->out_at = 0;
		l->written = 0;
	}
	pthread_mutex_unlock(&l->lock);
	link_end(l, n, LINK_ABSENT);
}

static void link_deliver(struct link *l, const uint8_t *p, size_t n)
{
	uint32_t id = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	struct flight *f = &l->flight[id & LINK_SLOT_MASK];
	struct buf answer = BUF_INIT;
	void *arg = NULL;
	bool again;

	pthread_mutex_lock(&l->lock);
	if (f->used && f->id == id)
		arg = link_land(l, f);
	again = l->told != NULL;
	l->told = NULL;
	l->heard = clock_mono_ms();
	pthread_mutex_unlock(&l->lock);
	if (again)
		log_info("the keeper answers again");
	if (!arg)
		return; /* too late: it was told so */
	buf_add(&answer, p, n);
	if (answer.failed)
		l->done(arg, LINK_BROKEN, NULL);
	else
		l->done(arg, LINK_ANSWERED, &answer);
	buf_free(&answer);
}

/* false: the connection is over. */
static bool link_read(struct link *l)
{
	uint8_t *room = buf_room(&l->in, LINK_READ);
	size_t at = 0;
	ssize_t n;

	if (!room)
		return false;
	n = recv(l->fd, room, LINK_READ, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
	if (n == 0)
		return false;
	l->in.len += (size_t)n;
	while (l->in.len - at >= WIRE_HEAD) {
		size_t len = wire_length(l->in.data + at);

		if (len < 4) {
			pthread_mutex_lock(&l->lock);
			link_tell(l, "what listens on %s is no kosmo-keeper: end it and start kosmo-keeper", l->path);
			pthread_mutex_unlock(&l->lock);
			return false;
		}
		if (l->in.len - at - WIRE_HEAD < len)
			break;
		link_deliver(l, l->in.data + at + WIRE_HEAD, len);
		at += WIRE_HEAD + len;
	}
	if (at == l->in.len) {
		buf_wipe(&l->in);
	} else if (at > 0) {
		memmove(l->in.data, l->in.data + at, l->in.len - at);
		l->in.len -= at;
	}
	return true;
}

static void *link_run(void *arg)
{
	struct link *l = arg;
	bool stopping = false;
	size_t n;

	while (!stopping) {
		struct pollfd p[2] = {{.fd = l->wake, .events = POLLIN}, {.fd = l->fd, .events = POLLIN}};
		bool waiting, broken, idle;
		uint64_t count;

		pthread_mutex_lock(&l->lock);
		idle = l->free_n == LINK_FLIGHTS;
		if (l->out_at < l->out.len)
			p[1].events |= POLLOUT;
		pthread_mutex_unlock(&l->lock);
		if (poll(p, 2, !idle ? LINK_TICK_MS : l->fd < 0 ? LINK_RETRY_MS : -1) < 0)
			p[0].revents = p[1].revents = 0;
		if ((p[0].revents & POLLIN) && read(l->wake, &count, sizeof count) < 0)
			count = 0;
		if (l->fd >= 0 && (p[1].revents & (POLLIN | POLLHUP | POLLERR)) && !link_read(l))
			link_disconnect(l);
		pthread_mutex_lock(&l->lock);
		if (l->fd >= 0)
			link_flush(l);
		broken = l->broken;
		pthread_mutex_unlock(&l->lock);
		if (broken)
			link_disconnect(l);
		pthread_mutex_lock(&l->lock);
		n = link_take(l, LINK_OVERDUE);
		if (n > 0)
			link_tell(l,
				  "the keeper at %s does not answer: if it is stopped or stuck, restart kosmo-keeper",
				  l->path);
		waiting = l->fd < 0 && clock_mono_ms() >= l->retry;
		stopping = l->stopping;
		pthread_mutex_unlock(&l->lock);
		link_end(l, n, LINK_LATE);
		if (waiting && !stopping)
			link_connect(l);
	}
	pthread_mutex_lock(&l->lock);
	n = link_take(l, LINK_ALL);
	pthread_mutex_unlock(&l->lock);
	link_end(l, n, LINK_ABSENT);
	return NULL;
}

/* ---- everyone else ---- */

enum err link_start(const char *path, link_done *done, struct link **ret, struct errmsg *m)
{
	struct link *l = calloc(1, sizeof *l);
	int error = ENOMEM;

	if (!l)
		return err_set(m, ERR_NOMEM, "out of memory");
	pthread_mutex_init(&l->lock, NULL);
	l->fd = -1;
	l->done = done;
	l->path = strdup(path);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (size_t i = 0; i < LINK_FLIGHTS; i++)
		l->free_slot[i] = (uint16_t)(LINK_FLIGHTS - 1 - i);
	l->free_n = LINK_FLIGHTS;
	if (l->path && l->wake >= 0)
		error = pthread_create(&l->thread, NULL, link_run, l);
	if (error == 0) {
		link_wake(l); /* connect right away */
		*ret = l;
		return ERR_NONE;
	}
	link_free(l);
	return err_set(m, ERR_IO, "cannot start the thread of the keeper's connection: %s", strerror(error));
}

void link_submit(struct link *l, struct buf *frame, void *arg)
{
	enum link_result refused = LINK_ANSWERED;
	bool wake = false;

	pthread_mutex_lock(&l->lock);
	if (l->stopping) {
		refused = LINK_ABSENT;
	} else if (l->free_n == 0 || l->out.len + frame->len > LINK_QUEUE_MAX || !buf_room(&l->out, frame->len)) {
		refused = LINK_FULL;
	} else {
		uint16_t slot = l->free_slot[--l->free_n];
		uint32_t id = (l->count++ * LINK_FLIGHTS) | slot;

		for (int i = 0; i < 4; i++) /* the request id's place in a frame: common/wire.h */
			frame->data[WIRE_HEAD + i] = (uint8_t)(id >> (24 - 8 * i));
		l->flight[slot] = (struct flight){.arg = arg,
						  .id = id,
						  .used = true,
						  .start = l->written - l->out_at + l->out.len,
						  .submitted = clock_mono_ms()};
		buf_add(&l->out, frame->data, frame->len);
		if (l->fd >= 0)
			link_flush(l);
		/* With nothing left to write and the thread ticking already, it need not be woken. */
		wake = l->fd < 0 || l->broken || l->out.len > 0 || l->free_n == LINK_FLIGHTS - 1;
	}
	pthread_mutex_unlock(&l->lock);
	if (refused != LINK_ANSWERED)
		l->done(arg, refused, NULL);
	else if (wake)
		link_wake(l);
}

bool link_up(struct link *l)
{
	bool up;

	pthread_mutex_lock(&l->lock);
	up = l->fd >= 0;
	pthread_mutex_unlock(&l->lock);
	return up;
}

void link_stop(struct link *l)
{
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_mutex_unlock(&l->lock);
	link_wake(l);
	pthread_join(l->thread, NULL);
}

void link_free(struct link *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	if (l->wake >= 0)
		close(l->wake);
	buf_free(&l->in);
	buf_free(&l->out);
	free(l->path);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
