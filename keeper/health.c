#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "keeper/health.h"
#include "keeper/keeper.h"
#include <string.h>
#include <syslog.h>

#define SAY_AGAIN_MS 60000

static void complain(struct keeper *k, const struct errmsg *m)
{
	struct health *h = &k->health;
	int64_t now = clock_mono_ms();
	pthread_mutex_lock(&h->lock);
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

static void recovered(struct keeper *k)
{
	struct health *h = &k->health;
	pthread_mutex_lock(&h->lock);
	bool was = h->ill;
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
	if (!*st && keeper_store(k, st, &m)) {
		*st = NULL;
		complain(k, &m);
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
		complain(k, &m);
	else if (worked)
		recovered(k);
	if (e == ERR_CORRUPT) /* its cache may hold what was read */
		give_up(st);
	return e != ERR_NONE;
}
