#include "config.h"

#include "common/clock.h"
#include "common/i18n.h"
#include "keeper/attempt.h"
#include "keeper/enrol.h"
#include "keeper/mail.h"
#include "keeper/remind.h"
#include "keeper/require.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY   86400
#define JAPAN (9 * 3600)
#define FROM  9 /* o'clock */
#define UNTIL 18
#define PAGE  500 /* rows looked at in one statement */

/* What one person is to be told. */
struct reminder {
	int64_t until, mark;
	bool letter;
};

/* The last mark of the configuration that this many days have passed, unless it was before `from`; 0: none. */
static int64_t mark_of(const struct conf *conf, int64_t until, int64_t from, int64_t now)
{
	const char *at = conf->enrol_remind;
	int64_t days = enrol_days_left(until, now), mark = 0;
	char word[8];
	while (days >= 0 && conf_word(&at, word, sizeof word)) { /* the greatest comes first */
		int64_t m = strtol(word, NULL, 10);
		if (m >= days)
			mark = m;
	}
	return mark && enrol_days_left(until, from) >= mark ? mark : 0;
}

/* ERR_NOTFOUND: nothing, or they were told. */
static enum err due(struct keeper *k, struct store *st, const struct id *id, int64_t now, struct person *p,
		    struct reminder *ret)
{
	struct facts f;
	struct reminder r = {0};
	int64_t until = 0, mark = 0;
	enum err e = store_person_by_id(st, id, p);
	if (e || !attempt_usable(p, DOOR_WEB, now) || !p->email[0])
		return e ? e : ERR_NOTFOUND;
	e = require_facts(st, k->conf, p, now, &f);
	if (e || !f.unfinished)
		return e ? e : ERR_NOTFOUND;
	r.until = enrol_next(&f.enrol);
	r.letter = r.until != f.enrol.by;
	r.mark = r.until ? mark_of(k->conf, r.until, p->initial_from ? p->initial_from : p->created, now) : 0;
	if (!r.mark)
		return ERR_NOTFOUND;
	e = store_reminder_get(st, id, &until, &mark);
	if (e && e != ERR_NOTFOUND)
		return e;
	if (!e && until == r.until && mark <= r.mark)
		return ERR_NOTFOUND;
	*ret = r;
	return ERR_NONE;
}

/* [tx] */
static enum err tell(struct keeper *k, struct store *st, const struct person *p, const struct reminder *r, int64_t now)
{
	const char *lang = mail_language(k, p);
	char day[ENROL_TEXT], left[ENROL_TEXT], iso[11], detail[64];
	enrol_day(lang, r->until, day);
	enrol_left(lang, r->until, now, left);
	text_date_iso(text_today(r->until - 1), iso);
	snprintf(detail, sizeof detail, "%" PRId64 " days before %s%s", r->mark, iso, r->letter ? ", the letter" : "");
	const struct fill values[] = {
	    {"name", p->email_verified && p->name[0] ? p->name : i18n(lang, N_("whoever received our letter"))},
	    {"date", day},
	    {"left", left},
	    {NULL, NULL}};
	const struct audit row = {
	    .time = now, .person = p->id, .event = "enrol.remind", .door = "keeper", .address = "", .detail = detail};
	enum err e = mail_tell(k, st, p, p->email, r->letter ? MAIL_REMIND_LETTER : MAIL_REMIND, values, now,
			       MAIL_NEWS_LIFE, NULL);
	return e ? e : store_audit(st, &row);
}

/* [tx] As they are now. */
static enum err remind_one(struct keeper *k, struct store *st, const struct id *id, int64_t now, bool *ret_mailed)
{
	struct person p = {.role = 0};
	struct reminder r;
	enum err e = due(k, st, id, now, &p, &r);
	if (!e)
		e = store_reminder_take(st, id, r.until, r.mark);
	if (!e)
		e = tell(k, st, &p, &r, now);
	if (!e)
		*ret_mailed = true;
	person_wipe(&p);
	/* finished or told meanwhile; an address that no mail can be made for must not hold up the others */
	return e == ERR_NOTFOUND || e == ERR_EXISTS || e == ERR_INVALID ? ERR_NONE : e;
}

static enum err remind_all(struct keeper *k, struct store *st, const struct id *id, size_t n, int64_t now,
			   bool *ret_mailed)
{
	bool mailed = false;
	enum err e = n ? store_begin(st) : ERR_NONE;
	if (e || !n)
		return e;
	for (size_t i = 0; !e && i < n; i++)
		e = remind_one(k, st, &id[i], now, &mailed);
	if (!e)
		e = store_commit(st);
	store_rollback(st);
	if (!e)
		*ret_mailed = mailed;
	return e;
}

/* Those of a page who are due, from *after on: until there are REMIND_MAILS of them or the time is over. *after: who
 * was looked at last. A row that does not fit its MAC is kosmoctl store check's to report. */
static enum err look(struct keeper *k, struct store *st, int64_t now, int64_t stop, struct id *after, struct id *ret,
		     size_t *ret_n, bool *ret_end)
{
	static const size_t most = PAGE;
	struct id page[PAGE], last = *after;
	size_t n = 0, found = 0, i = 0;
	bool end = false;
	enum err e = store_unfinished_page(st, now, &last, most, page, &n, &end);
	for (; !e && i < n && found < REMIND_MAILS && (i == 0 || clock_mono_ms() < stop); i++) {
		struct person p = {.role = 0};
		struct reminder r;
		e = due(k, st, &page[i], now, &p, &r);
		if (!e)
			ret[found++] = page[i];
		person_wipe(&p);
		if (e == ERR_NOTFOUND || e == ERR_CORRUPT)
			e = ERR_NONE;
		*after = page[i];
	}
	if (e)
		return e;
	if (i == n)
		*after = last;
	*ret_end = i == n && end;
	*ret_n = found;
	return ERR_NONE;
}

enum err remind_step(struct remind *r, struct keeper *k, struct store *st, int64_t now, bool *ret_mailed)
{
	const struct conf *c = k->conf;
	int64_t day = (now + JAPAN) / DAY, hour = (now + JAPAN) % DAY / 3600, stop = clock_mono_ms() + REMIND_MS;
	struct id due_now[REMIND_MAILS], after;
	size_t n = 0;
	bool end = false;
	enum err e = ERR_NONE;
	if (hour < FROM || hour >= UNTIL || (!c->enrol_days && !c->enrol_by) || !c->enrol_remind ||
	    !c->enrol_remind[0]) {
		r->walking = false;
		return ERR_NONE;
	}
	if (r->day != day)
		*r = (struct remind){.day = day, .walking = true};
	after = r->after;
	while (r->walking && !e && !n && !end && clock_mono_ms() < stop)
		e = look(k, st, now, stop, &after, due_now, &n, &end);
	if (!e)
		e = remind_all(k, st, due_now, n, now, ret_mailed);
	if (e)
		return e;
	r->after = after;
	r->walking = r->walking && !end;
	return ERR_NONE;
}
