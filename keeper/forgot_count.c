/* How often who forgot a password may be mailed, and be wrong. Anyone may say that they are somebody: what they use up
 * shall be theirs. */
#include "config.h"

#include "keeper/forgot.h"
#include "keeper/limits.h"
#include <string.h>

static const struct quota quota_mails = {.name = "reset", .most = 5, .window = 3600, .apart = 60};
static const struct quota quota_network = {.name = "reset-network", .most = 20, .window = 3600};
static const struct quota quota_browser = {.name = "reset-browser", .most = 5, .window = 3600};
static const struct quota quota_hour = {.name = "reset-hour", .most = 5, .window = 3600};
static const struct quota quota_day = {.name = "reset-day", .most = 20, .window = 86400};

enum err forgot_asker(struct keeper *k, struct store *st, const struct forgot_name *name, const struct origin *o,
		      const uint8_t browser[static DIGEST_LEN], bool found, const struct id *owner, int64_t now,
		      struct forgot_asker *ret)
{
	uint8_t d[DIGEST_LEN];
	struct limit l;
	const struct seal_part part[] = {{"forgot-browser", 14}, {owner->b, ID_LEN}, {browser, DIGEST_LEN}};
	enum err e = seal_mac(k->seal, SEAL_COUNTER, part, 3, d);
	if (!e)
		e = limits_for(st, k->seal, o, found ? owner : NULL, name->login, FACTOR_NONE, now, &l);
	if (e)
		return e;
	bool known = l.key.lane == LANE_DEVICE || l.key.lane == LANE_ADDRESS;
	*ret = (struct forgot_asker){.own = known ? l.key.what : *owner,
				     .network = l.address.owner,
				     .counts = l.counts && !known,
				     .room = l.address_room};
	memcpy(ret->browser.b, d, ID_LEN);
	return ERR_NONE;
}

enum err forgot_take_mail(struct store *st, const struct seal *s, const struct forgot_asker *a, int64_t now)
{
	struct quota network = quota_network;
	int64_t wait;
	network.most *= a->room;
	enum err e = limits_take(st, s, &quota_mails, &a->own, now, false, &wait);
	return e || !a->counts ? e : limits_take(st, s, &network, &a->network, now, false, &wait);
}

enum err forgot_try(struct store *st, const struct seal *s, const struct forgot_asker *a, const struct id *owner,
		    const uint8_t browser[static DIGEST_LEN], bool usable, const char *canonical, int64_t now,
		    bool *ret_spent)
{
	const struct id *counted = usable ? &a->own : &a->browser;
	int64_t wait;
	enum err e = limits_take(st, s, &quota_browser, &a->browser, now, false, &wait);
	*ret_spent = e == ERR_DENIED;
	if (!e)
		e = limits_take(st, s, &quota_hour, counted, now, false, &wait);
	if (!e)
		e = limits_take(st, s, &quota_day, counted, now, false, &wait);
	if (!e)
		e = store_code_try_in(st, owner, CODE_RESET, browser, usable ? canonical : "", now);
	if (!e)
		e = limits_forget(st, s, &quota_browser, &a->browser);
	if (!e)
		e = limits_forget(st, s, &quota_hour, counted);
	return e ? e : limits_forget(st, s, &quota_day, counted);
}
