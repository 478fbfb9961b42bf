#include "config.h"

#include "common/clock.h"
#include "common/i18n.h"
#include "common/wire.h"
#include "keeper/outbox_lane.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS  90000 /* the mailer's own limit is 60 s a mail */
#define CONNECT_MS 3000
#define FRAME_MS   10000 /* for a frame that has begun: the mailer is on this machine */

static void hang_up(struct lane *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static enum err hand_over(struct lane *l)
{
	AUTO_BUF b = BUF_INIT;
	char path[4096];
	enum err e = ERR_NONE;
	l->reused = l->fd >= 0;
	if (!l->reused) {
		snprintf(path, sizeof path, "%s/mail.sock", l->conf->run_dir);
		e = wire_connect(path, clock_mono_ms() + CONNECT_MS, &l->fd);
	}
	wire_begin(&b, ++l->id, "send");
	wire_puts(&b, "from", l->conf->mail_from);
	wire_puts(&b, "to", l->mail.recipient);
	wire_put(&b, "message", l->mail.message.data, l->mail.message.len);
	if (!e)
		e = wire_end(&b);
	if (!e)
		e = wire_send(l->fd, &b, clock_mono_ms() + FRAME_MS);
	l->deadline = clock_mono_ms() + ANSWER_MS;
	if (e)
		hang_up(l);
	return e;
}

static void not_running(struct lane *l, bool nobody, struct sending *ret)
{
	*ret = (struct sending){.result = SENDING_LATER, .nobody = nobody};
	snprintf(ret->reason, sizeof ret->reason, N_("the mail program is not running"));
	l->busy = false;
}

bool lane_start(struct lane *l, struct mail *m, struct sending *ret)
{
	l->mail = *m;
	memset(m, 0, sizeof *m);
	l->busy = true;
	enum err e = hand_over(l);
	if (e == ERR_IO && l->reused) /* a mailer that had left when idle: once more on a fresh connection */
		e = hand_over(l);
	if (e)
		not_running(l, true, ret);
	return !e;
}

static bool understood(const struct lane *l, const struct buf *answer, struct sending *ret)
{
	struct wire_msg *w = calloc(1, sizeof *w);
	bool good = w && !wire_parse(answer->data, answer->len, w) && w->id == l->id && !strcmp(w->kind, "result");
	if (good) {
		const char *state = wire_str(w, "state"), *reason = wire_str(w, "reason");
		*ret = (struct sending){.result = state && !strcmp(state, "sent")	 ? SENDING_SENT
						  : state && !strcmp(state, "permanent") ? SENDING_NEVER
											 : SENDING_LATER};
		snprintf(ret->reason, sizeof ret->reason, "%s", reason ? reason : "");
	}
	free(w);
	return good;
}

bool lane_answer(struct lane *l, bool readable, struct sending *ret)
{
	AUTO_BUF answer = BUF_INIT;
	enum err e = readable ? wire_recv(l->fd, &answer, clock_mono_ms() + FRAME_MS) : ERR_TIMEOUT;
	if (e == ERR_IO && l->reused) {
		hang_up(l);
		e = hand_over(l);
		if (!e)
			return false;
		not_running(l, true, ret);
		return true;
	}
	if (e || !understood(l, &answer, ret)) {
		hang_up(l); /* out of step: the next mail must not read this one's answer */
		not_running(l, false, ret);
	}
	l->busy = false;
	return true;
}

void lane_close(struct lane *l)
{
	hang_up(l);
	mail_clear(&l->mail);
}
