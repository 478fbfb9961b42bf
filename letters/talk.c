#include "config.h"

#include "common/clock.h"
#include "letters/talk.h"

enum err talk_next(struct talk *t)
{
	buf_wipe(&t->in);
	enum err e = wire_recv(t->fd, &t->in, clock_mono_ms() + TALK_WAIT_MS);
	if (!e)
		e = wire_parse(t->in.data, t->in.len, &t->msg);
	return !e && t->msg.id != TALK_ID ? ERR_INVALID : e;
}

enum err talk_left(struct talk *t, int64_t n, const char *why)
{
	buf_wipe(&t->out);
	wire_begin(&t->out, TALK_ID, "left");
	wire_puti(&t->out, "n", n);
	wire_puts(&t->out, "why", why);
	enum err e = wire_end(&t->out);
	if (!e)
		buf_add(&t->left, t->out.data, t->out.len);
	return e ? e : t->left.failed ? ERR_NOMEM : ERR_NONE;
}

/* One frame at a time, as wire_send takes them. */
static enum err send_left(const struct talk *t, int64_t deadline)
{
	enum err e = ERR_NONE;
	for (size_t at = 0, n; !e && at < t->left.len; at += n) {
		n = WIRE_HEAD + wire_length(t->left.data + at);
		e = wire_send(t->fd, &(struct buf){.data = t->left.data + at, .len = n}, deadline);
	}
	return e;
}

enum err talk_done(struct talk *t, int64_t pages)
{
	int64_t deadline = clock_mono_ms() + TALK_WAIT_MS;
	enum err e = send_left(t, deadline);
	buf_wipe(&t->out);
	wire_begin(&t->out, TALK_ID, "done");
	wire_puti(&t->out, "pages", pages);
	if (!e)
		e = wire_end(&t->out);
	return e ? e : wire_send(t->fd, &t->out, deadline);
}

void talk_failed(struct talk *t, const char *why)
{
	buf_wipe(&t->out);
	wire_begin(&t->out, TALK_ID, "failed");
	wire_puts(&t->out, "why", why);
	if (!wire_end(&t->out))
		(void)wire_send(t->fd, &t->out, clock_mono_ms() + TALK_WAIT_MS);
}

void talk_close(struct talk *t)
{
	buf_free(&t->in);
	buf_free(&t->out);
	buf_free(&t->left);
}
