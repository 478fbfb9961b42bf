#include "config.h"

#include "common/secret.h"
#include "keeper/skew.h"
#include "keeper/totp.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What the last wrong code of a session was. */
struct skew {
	uint8_t session[DIGEST_LEN];
	struct id authenticator;
	bool found;	/* it is a code of that authenticator, */
	int64_t ahead;	/* so many steps from now, */
	int64_t step;	/* of this step */
	uint64_t count; /* 0: an empty place */
};

struct skews {
	pthread_mutex_t lock; /* of all below */
	struct skew kept[SKEW_KEPT];
	uint64_t count;
};

struct skews *skews_new(void)
{
	struct skews *s = calloc(1, sizeof *s);
	if (s)
		pthread_mutex_init(&s->lock, NULL);
	return s;
}

void skews_free(struct skews *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	secret_wipe(s, sizeof *s);
	free(s);
}

/* Every authenticator is compared, as in a login. *ret_period: of the one that matched. */
static void look(const struct authenticator *a, size_t n, const char *code, int64_t now, struct skew *ret,
		 int *ret_period)
{
	for (size_t i = 0; i < n; i++) {
		const struct totp t = {a[i].algorithm, a[i].digits, a[i].period, a[i].secret, a[i].secret_len};
		int64_t ahead;
		if (a[i].kind != FACTOR_TOTP || totp_ahead(&t, code, now, SKEW_AROUND, &ahead))
			continue;
		ret->found = true;
		ret->authenticator = a[i].id;
		ret->ahead = ahead;
		ret->step = now / a[i].period + ahead;
		*ret_period = a[i].period;
	}
}

/* Two codes of one clock: whoever types takes up to a step longer the one time than the other. */
static bool agree(const struct skew *was, const struct skew *is)
{
	return was->count && was->found && is->found && was->step != is->step && llabs(was->ahead - is->ahead) <= 1 &&
	       !memcmp(&was->authenticator, &is->authenticator, sizeof is->authenticator);
}

bool skew_agrees(struct skews *s, const uint8_t session[static DIGEST_LEN], const struct authenticator *a, size_t n,
		 const char *code, int64_t now, int64_t *ret_seconds)
{
	struct skew is = {.found = false};
	int period = 0;
	if (!s)
		return false;
	memcpy(is.session, session, DIGEST_LEN);
	look(a, n, code, now, &is, &period);
	pthread_mutex_lock(&s->lock);
	struct skew *place = &s->kept[0];
	for (size_t i = 1; i < SKEW_KEPT; i++)
		if (s->kept[i].count < place->count)
			place = &s->kept[i];
	for (size_t i = 0; i < SKEW_KEPT; i++)
		if (s->kept[i].count && !memcmp(s->kept[i].session, session, DIGEST_LEN))
			place = &s->kept[i];
	bool same = !memcmp(place->session, session, DIGEST_LEN) && agree(place, &is);
	is.count = ++s->count;
	*place = is;
	pthread_mutex_unlock(&s->lock);
	if (same)
		*ret_seconds = is.ahead * period;
	secret_wipe(&is, sizeof is);
	return same;
}

bool skew_once(const struct authenticator *a, const char *code, int64_t now, int64_t *ret_seconds)
{
	struct skew is = {.found = false};
	int period = 0;
	look(a, 1, code, now, &is, &period);
	if (is.found)
		*ret_seconds = is.ahead * period;
	return is.found;
}
