/* The enrolment's deadline on the pages: said before it, and explained after it. */
#include "config.h"

#include "common/i18n.h"
#include "keeper/call.h"

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
	    T(c, N_("How you log in had to be set up by {date}. That day is past, so we cannot go on from here.")));
}

void lapsed_page(struct call *c, int64_t ended)
{
	view_put(c, "letter", "1");
	late_page(c, ended, T(c, N_("The password on your letter could be used until {date}. That day is past.")));
}
