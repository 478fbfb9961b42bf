#include "config.h"

#include "common/clock.h"
#include "fido/talk.h"
#include <string.h>

#define TALK_ID	     1
#define TALK_SEND_MS 3000
/* Who types a PIN has the host's patience, not ours; this ends one that was forgotten. */
#define TALK_PIN_MS (10 * 60 * 1000)

void answer_free(struct answer *a)
{
	buf_free(&a->id);
	buf_free(&a->authdata);
	buf_free(&a->signature);
}

static enum err talk_send(struct talk *t)
{
	enum err e = wire_end(&t->out);

	return e != ERR_NONE ? e : wire_send(t->watch.talk, &t->out, clock_mono_ms() + TALK_SEND_MS);
}

static enum err talk_receive(struct talk *t, struct buf *to, int ms)
{
	enum err e;

	buf_wipe(to);
	e = wire_recv(t->watch.talk, to, clock_mono_ms() + ms);
	if (e == ERR_NONE)
		e = wire_parse(to->data, to->len, &t->msg);
	return e == ERR_NONE && t->msg.id != TALK_ID ? ERR_INVALID : e;
}

enum err talk_request(struct talk *t, int fd, struct buf *request, struct request *ret)
{
	t->watch.talk = fd;
	enum err e = talk_receive(t, request, TALK_SEND_MS);
	return e != ERR_NONE ? e : request_read(&t->msg, ret);
}

static enum key_status talk_pin_of(struct talk *t, struct buf *ret_pin)
{
	const char *pin = wire_str(&t->msg, "pin");

	if (strcmp(t->msg.kind, "pin") != 0 || (!pin && wire_get(&t->msg, "pin")))
		return KEY_ERROR;
	if (!pin || pin[0] == '\0')
		return KEY_CANCELLED;
	buf_wipe(ret_pin);
	if (strlen(pin) <= TALK_PIN_MAX) /* an endless one is no PIN: it is left empty, and so wrong */
		buf_adds(ret_pin, pin);
	return ret_pin->failed ? KEY_ERROR : KEY_OK;
}

enum key_status talk_pin(struct talk *t, int tries, bool wrong, struct buf *ret_pin)
{
	int64_t before = clock_mono_ms();
	enum key_status s = KEY_CANCELLED;

	wire_begin(&t->out, TALK_ID, "pin");
	wire_puti(&t->out, "tries", tries);
	wire_puti(&t->out, "wrong", wrong);
	if (talk_send(t) == ERR_NONE && talk_receive(t, &t->in, TALK_PIN_MS) == ERR_NONE)
		s = talk_pin_of(t, ret_pin);
	buf_wipe(&t->in);
	t->watch.deadline += clock_mono_ms() - before;
	return s;
}

bool talk_touch(struct talk *t, bool choose)
{
	wire_begin(&t->out, TALK_ID, "touch");
	wire_puti(&t->out, "choose", choose);
	return talk_send(t) == ERR_NONE;
}

void talk_done(struct talk *t, enum key_status s, const struct answer *a)
{
	wire_begin(&t->out, TALK_ID, "done");
	wire_puts(&t->out, "status", key_status_name(s));
	if (s == KEY_OK) {
		wire_put(&t->out, "id", a->id.data, a->id.len);
		wire_put(&t->out, "authdata", a->authdata.data, a->authdata.len);
		wire_put(&t->out, "signature", a->signature.data, a->signature.len);
	}
	(void)talk_send(t); /* who hung up needs no answer */
}
