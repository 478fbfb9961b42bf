/* What is said where an app's codes come from a clock that is off. */
#include "config.h"

#include "common/i18n.h"
#include "keeper/call.h"
#include "keeper/skew.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE 150 /* seconds: so long somebody may take to type the one code of a new app */

static void clock_error(struct call *c, int64_t seconds)
{
	AUTO_BUF text = BUF_INIT, time = BUF_INIT;
	char n[24];
	int64_t minutes = (llabs(seconds) + 30) / 60;
	snprintf(n, sizeof n, "%" PRId64, minutes);
	fill(&time, minutes == 1 ? T(c, N_("1 minute")) : T(c, N_("{n} minutes")),
	     (const struct fill[]){{"n", n}, {NULL, NULL}});
	fill(&text,
	     seconds > 0 ? T(c, N_("The clock of the phone or computer with the app is about {time} fast, so its codes "
				   "do not match. Please set it as described here, then type the new code."))
			 : T(c, N_("The clock of the phone or computer with the app is about {time} slow, so its codes "
				   "do not match. Please set it as described here, then type the new code.")),
	     (const struct fill[]){{"time", buf_str(&time)}, {NULL, NULL}});
	view_error(c, "code", buf_str(&text) ? buf_str(&text) : "");
	view_put(c, "clock_off", "1");
}

bool clock_is_off(struct call *c)
{
	struct authenticator a[AUTHENTICATORS_MAX];
	AUTO_BUF code = BUF_INIT;
	const char *typed = call_field(c, "code");
	int64_t seconds = 0;
	size_t n = 0;
	if (text_code(typed, strlen(typed), &code) || !buf_str(&code) || factor_confirmed(c->st, &c->person.id, a, &n))
		return false;
	bool off = skew_agrees(c->k->skews, c->session.digest, a, n, buf_str(&code), c->now, &seconds);
	authenticator_wipe(a, n);
	if (off)
		clock_error(c, seconds);
	return off;
}

bool clock_is_off_anew(struct call *c, const struct authenticator *a, const char *code)
{
	int64_t seconds = 0;
	bool off = skew_once(a, code, c->now, &seconds) && (seconds > 0 || seconds <= -LATE);
	if (off)
		clock_error(c, seconds);
	return off;
}
