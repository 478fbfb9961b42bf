/* The enrolment's deadline on the pages: said before it, and explained after it. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/call.h"
#include <stdio.h>
#include <string.h>

#define STAMP (10 + 1 + 2 * ID_LEN + 1) /* "2027-03-31-", hexadecimal digits, NUL */

/* Those who stopped half-way after their own password are told at once, the others when it comes near. What follows is
 * said where they may stop, and when little time is left: one question a page needs its room. */
void deadline_view(struct call *c)
{
	const struct enrol *e = &c->facts.enrol;
	char day[ENROL_TEXT], left[ENROL_TEXT];
	AUTO_BUF text = BUF_INIT;
	int64_t until = enrol_next(e);
	int64_t days = enrol_days_left(until, c->now);
	bool near = days < ENROL_NEAR;
	if (!until || days < 0 || (!c->person.password[0] && days > ENROL_SOON))
		return;
	enrol_day(c->lang, until, day);
	enrol_left(c->lang, until, c->now, left);
	fill(&text,
	     until != e->by ? T(c, N_("Please choose your own password by {date} ({left}). After that you need a new "
				      "letter."))
	     : near || c->unmet->id == REQ_AUTHENTICATOR
		 ? T(c, N_("Please finish by {date} ({left}). After that you cannot log in any more until you have "
			   "contacted us."))
		 : T(c, N_("Please finish by {date} ({left}).")),
	     (const struct fill[]){{"date", day}, {"left", left}, {NULL, NULL}});
	view_put(c, "deadline", buf_str(&text) ? buf_str(&text) : "");
	view_put(c, "deadline_near", near ? "1" : "");
}

/* ---- on the login page, after who is not finished logged out ---- */

/* Only this browser's own redirect may make the page say a day: nobody else's link. */
static enum err stamp(const struct call *c, const char *day, uint8_t ret[static DIGEST_LEN])
{
	const struct seal_part part[] = {{"deadline", 8}, {c->token, strlen(c->token)}, {day, strlen(day)}};
	return seal_mac(c->k->seal, SEAL_CSRF, part, 3, ret);
}

static enum err stamp_text(const struct call *c, const char *day, char ret[static STAMP])
{
	uint8_t d[DIGEST_LEN];
	struct id id;
	char hex[2 * ID_LEN + 1];
	enum err e = stamp(c, day, d);
	if (e)
		return e;
	memcpy(id.b, d, ID_LEN);
	id_hex(&id, hex);
	snprintf(ret, STAMP, "%s-%s", day, hex);
	return ERR_NONE;
}

int64_t deadline_of(const struct call *c)
{
	int64_t until = c->in && !c->late && c->facts.unfinished ? c->facts.enrol.by : 0;
	return until && enrol_days_left(until, c->now) >= 0 ? until : 0;
}

void deadline_redirect(struct call *c, const char *path, int64_t until)
{
	char day[11], text[STAMP], to[128];
	text_date_iso(text_today(until - 1), day);
	if (until && !stamp_text(c, day, text))
		snprintf(to, sizeof to, "%s&by=%s", path, text);
	else
		snprintf(to, sizeof to, "%s", path);
	view_redirect(c, to);
}

void deadline_view_out(struct call *c)
{
	const char *given = call_field(c, "by");
	char iso[11] = "", want[STAMP], day[ENROL_TEXT], left[ENROL_TEXT];
	struct date d;
	AUTO_BUF text = BUF_INIT;
	if (c->in || strlen(given) != STAMP - 1)
		return;
	snprintf(iso, sizeof iso, "%.10s", given);
	if (text_birth_date(iso, strlen(iso), (struct date){9999, 12, 31}, &d) != DATE_OK || stamp_text(c, iso, want) ||
	    !secret_equal(given, STAMP - 1, want, STAMP - 1))
		return;
	const int64_t until = text_midnight(d) + 86400;
	enrol_day(c->lang, until, day);
	enrol_left(c->lang, until, c->now, left);
	fill(&text, T(c, N_("Please finish by {date} ({left}).")),
	     (const struct fill[]){{"date", day}, {"left", left}, {NULL, NULL}});
	view_put(c, "deadline", buf_str(&text) ? buf_str(&text) : "");
}

/* ---- when it is past ---- */

static void late_page(struct call *c, int64_t ended, const char *words)
{
	char day[ENROL_TEXT];
	AUTO_BUF text = BUF_INIT;
	enrol_day(c->lang, ended, day);
	fill(&text, words, (const struct fill[]){{"date", day}, {NULL, NULL}});
	view_put(c, "text", buf_str(&text) ? buf_str(&text) : "");
	view_page(c, "late");
}

void flow_late(struct call *c)
{
	late_page(
	    c, c->facts.enrol.by,
	    T(c, N_("You had to set up how you log in by {date}. That day is past, so we cannot go on from here.")));
}

void lapsed_page(struct call *c, int64_t ended)
{
	view_put(c, "letter", "1");
	late_page(c, ended, T(c, N_("The password on your letter could be used until {date}. That day is past.")));
}
