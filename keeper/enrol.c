#include "config.h"

#include "common/fill.h"
#include "keeper/enrol.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY   86400
#define GRACE 3600

/* The end of the day in Japan that t falls on. */
static int64_t day_end(int64_t t)
{
	return text_midnight(text_today(t)) + DAY;
}

/* The end of the last whole day within so many days. */
static int64_t letter_end(const struct conf *conf, int64_t from)
{
	return day_end(from + conf->initial_password_days * DAY) - DAY;
}

int64_t enrol_letter_ends(const struct conf *conf, const struct person *p)
{
	return p->has_initial && p->initial_from ? letter_end(conf, p->initial_from) : 0;
}

static int64_t deadline(const struct conf *conf, const struct person *p)
{
	int64_t from = p->initial_from ? p->initial_from : p->created;
	bool newcomer = conf->enrol_by && from >= conf->enrol_by;
	int64_t end = conf->enrol_days ? day_end(from + conf->enrol_days * DAY) : newcomer ? letter_end(conf, from) : 0;
	return end > conf->enrol_by ? end : conf->enrol_by;
}

void enrol_of(const struct conf *conf, const struct person *p, int64_t own, struct enrol *ret)
{
	int64_t by = deadline(conf, p);
	*ret = (struct enrol){.by = !by || own == DEADLINE_NONE ? 0 : own > by ? own : by};
	if (!p->password[0])
		ret->letter = enrol_letter_ends(conf, p);
}

enum err enrol_load(struct store *st, const struct conf *conf, const struct person *p, struct enrol *ret)
{
	int64_t own = 0;
	enum err e = store_deadline_get(st, &p->id, &own);
	if (e && e != ERR_NOTFOUND)
		return e;
	enrol_of(conf, p, own, ret);
	return ERR_NONE;
}

int64_t enrol_next(const struct enrol *e)
{
	return e->by && (!e->letter || e->by <= e->letter) ? e->by : e->letter;
}

bool enrol_late(const struct enrol *e, int64_t now)
{
	return e->by && now >= e->by + GRACE;
}

int64_t enrol_days_left(int64_t until, int64_t now)
{
	return (until - day_end(now)) / DAY;
}

void enrol_day(const char *lang, int64_t until, char ret[static ENROL_TEXT])
{
	i18n_date(lang, text_today(until - 1), ret);
}

void enrol_left(const char *lang, int64_t until, int64_t now, char ret[static ENROL_TEXT])
{
	int64_t days = enrol_days_left(until, now);
	char n[24];
	AUTO_BUF text = BUF_INIT;
	snprintf(n, sizeof n, "%" PRId64, days);
	fill(&text,
	     i18n(lang, days <= 0   ? N_("today")
			: days == 1 ? N_("tomorrow")
				    : N_("in {n} days")),
	     (const struct fill[]){{"n", n}, {NULL, NULL}});
	snprintf(ret, ENROL_TEXT, "%s", buf_str(&text) ? buf_str(&text) : "");
}
