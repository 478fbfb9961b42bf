/* One connection to kosmo-mailer, with at most one mail on its way. */
#ifndef KOSMO_OUTBOX_LANE_H
#define KOSMO_OUTBOX_LANE_H

#include "common/conf.h"
#include "keeper/store/store.h"

/* What became of a mail. */
struct sending {
	enum { SENDING_SENT, SENDING_LATER, SENDING_NEVER } result;
	bool nobody; /* nobody listens where the mailer should */
	char reason[256];
};

struct lane {
	const struct conf *conf;
	int fd; /* -1: not connected */
	uint32_t id;
	bool busy;
	bool reused;	  /* the connection served a mail before: it may have been closed meanwhile */
	int64_t deadline; /* for the answer; clock_mono_ms */
	struct mail mail; /* while busy */
};

/* m is moved into the lane. False: it came to nothing, *ret says why; the mail stays in the lane. */
bool lane_start(struct lane *l, struct mail *m, struct sending *ret);
/* Once there is something to read or the deadline has passed. False: it goes on. */
bool lane_answer(struct lane *l, bool readable, struct sending *ret);
void lane_close(struct lane *l);

#endif
