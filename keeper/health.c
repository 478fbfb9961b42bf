#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "keeper/health.h"
#include "keeper/keeper.h"
#include <string.h>
#include <syslog.h>

#define SAY_AGAIN_MS 60000

static void complain(struct keeper *k, enum err e, const struct errmsg *m)
{
	struct health *h = &k->health;
	int64_t now = clock_mono_ms();
	pthread_mutex_lock(&h->lock);
	if (e == ERR_CORRUPT)
		h->damaged_ms = now;
	bool say = !h->ill || strcmp(h->said.text, m->text) != 0 || now - h->said_ms >= SAY_AGAIN_MS;
	if (say) {
		h->said = *m;
		h->said_ms = now;
	}
	h->ill = true;
	pthread_mutex_unlock(&h->lock);
	if (say)
		daemon_log(LOG_AUTHPRIV | LOG_ERR, "store: %s", m->text);
}

/* What is damaged in one place works in others all the time: that mends nothing. */
static void recovered(struct keeper *k)
{
	struct health *h = &k->health;
	pthread_mutex_lock(&h->lock);
	bool was = h->ill && (!h->damaged_ms || clock_mono_ms() - h->damaged_ms >= SAY_AGAIN_MS);
	if (was)
		h->ill = false;
	pthread_mutex_unlock(&h->lock);
	if (was)
		daemon_log(LOG_AUTHPRIV | LOG_NOTICE, "store: works again");
}

static void give_up(struct store **st)
{
	store_close(*st);
	*st = NULL;
}

void health_before(struct keeper *k, struct store **st)
{
	struct errmsg m = {""};
	if (*st && store_intact(*st, &m))
		give_up(st);
	enum err e = *st ? ERR_NONE : keeper_store(k, st, &m);
	if (e) {
		*st = NULL;
		complain(k, e, &m);
	}
}

bool health_after(struct keeper *k, struct store **st)
{
	struct errmsg m = {""};
	bool worked = false;
	if (!*st)
		return false;
	enum err e = store_health(*st, &worked, &m);
	if (e)
		complain(k, e, &m);
	else if (worked)
		recovered(k);
	if (e == ERR_CORRUPT) /* its cache may hold what was read */
		give_up(st);
	return e != ERR_NONE;
}
