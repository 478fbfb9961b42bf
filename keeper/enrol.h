/* Until when an enrolment must be finished, and how long the initial password of a letter is good: whole days in Japan.
 *
 * Unfinished is who has no confirmed authenticator of any kind: whether one still counts by today's configuration makes
 * no difference, nor do new terms. The deadline is the later one of enrol.by and of enrol.days after the letter (the
 * publishing of the import, or kosmoctl user reissue; without a letter, the making of the account), so that newcomers
 * have their days too. Whose letter came after enrol.by has enrol.days, or where that is 0 initial_password_days. A day
 * that the admin gave one person (kosmoctl user extend) counts where it is later than that. Before the store has a
 * place for reminders (schema 5) nobody has a deadline: nobody shall be locked out who was not told. */
#ifndef KOSMO_ENROL_H
#define KOSMO_ENROL_H

#include "common/conf.h"
#include "common/i18n.h"
#include "keeper/store/store.h"

#define ENROL_SOON 14 /* days before the end from which on it is said from the first page on */
#define ENROL_NEAR 3  /* and said with more weight */

/* Ends of days, in seconds; 0: none. */
struct enrol {
	int64_t by;	/* the deadline */
	int64_t letter; /* of the initial password, while there is nothing else to log in with */
};

/* own: store_deadline_get's, or 0. */
void enrol_of(const struct conf *conf, const struct person *p, int64_t own, struct enrol *ret);
/* The same with what the store has. */
enum err enrol_load(struct store *st, const struct conf *conf, const struct person *p, struct enrol *ret);
/* When the initial password has ended, whatever else there is; 0: there is none. */
int64_t enrol_letter_ends(const struct conf *conf, const struct person *p);
/* The one that comes first; 0: neither. */
int64_t enrol_next(const struct enrol *e);
/* Is the deadline past? Whoever is in the middle of it at midnight has an hour more. */
bool enrol_late(const struct enrol *e, int64_t now);
/* Of the day that ends at `until`: 0 on the day itself, negative after it. */
int64_t enrol_days_left(int64_t until, int64_t now);

#define ENROL_TEXT I18N_TIME
/* "31 March 2027", in Japanese "2027年3月31日". */
void enrol_day(const char *lang, int64_t until, char ret[static ENROL_TEXT]);
/* "in 12 days", "tomorrow", "today". */
void enrol_left(const char *lang, int64_t until, int64_t now, char ret[static ENROL_TEXT]);

#endif
