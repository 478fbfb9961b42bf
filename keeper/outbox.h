/* The thread that hands waiting mails to kosmo-mailer and sweeps what has expired. */
#ifndef KOSMO_OUTBOX_H
#define KOSMO_OUTBOX_H

#include "keeper/keeper.h"

struct outbox;

enum err outbox_start(struct keeper *k, struct outbox **ret);
void outbox_wake(void *outbox);
void outbox_stop(struct outbox *o);

#endif
