/* Until when an enrolment must be finished: days in Japan, which of the rules counts, and the words for it. */
#include "config.h"

#include "keeper/enrol.h"
#include "tests/unit/unit.h"

#define DAY 86400

/* Noon in Japan. */
static int64_t noon(int year, int month, int day)
{
	const struct date d = {.year = (int16_t)year, .month = (int8_t)month, .day = (int8_t)day};
	return text_midnight(d) + DAY / 2;
}

static int64_t end(int year, int month, int day)
{
	return noon(year, month, day) + DAY / 2;
}

static void a_day_begins_at_midnight_in_japan(void **state)
{
	(void)state;
	assert_int_equal(text_midnight((struct date){1970, 1, 1}), -9 * 3600);
	assert_int_equal(text_midnight((struct date){2027, 3, 31}), 1806418800);
	for (int64_t t = 0; t < 5000000000; t += 12345678) {
		int64_t m = text_midnight(text_today(t));
		assert_true(m <= t && t < m + DAY);
	}
}

/* A letter of 1 March 2027. */
static struct enrol of(const struct conf *c, int64_t letter, const char *password, int64_t own)
{
	struct person p = {.has_initial = true, .initial_from = letter, .created = 1};
	struct enrol e;
	snprintf(p.password, sizeof p.password, "%s", password);
	enrol_of(c, &p, own, &e);
	return e;
}

static void the_later_rule_counts(void **state)
{
	const int64_t march = noon(2027, 3, 1), never = DEADLINE_NONE;
	struct conf none = {.initial_password_days = 90}, days = none, by = none, both = none;
	(void)state;
	days.enrol_days = both.enrol_days = 30;
	by.enrol_by = both.enrol_by = end(2027, 3, 15);
	assert_int_equal(of(&none, march, "x", 0).by, 0);
	assert_int_equal(of(&none, march, "x", end(2027, 3, 2)).by, 0); /* more time than for ever there is not */
	assert_int_equal(of(&days, march, "x", 0).by, end(2027, 3, 31));
	assert_int_equal(of(&by, march, "x", 0).by, end(2027, 3, 15));
	assert_int_equal(of(&both, march, "x", 0).by, end(2027, 3, 31));
	assert_int_equal(of(&both, noon(2027, 1, 1), "x", 0).by, end(2027, 3, 15));
	/* whose letter is of a later day than enrol.by */
	assert_int_equal(of(&by, noon(2027, 3, 15), "x", 0).by, end(2027, 3, 15));
	assert_int_equal(of(&by, noon(2027, 3, 16), "x", 0).by, end(2027, 6, 13));
	assert_int_equal(of(&both, noon(2027, 3, 16), "x", 0).by, end(2027, 4, 15));
	/* one person's own */
	assert_int_equal(of(&by, march, "x", end(2027, 5, 1)).by, end(2027, 5, 1));
	assert_int_equal(of(&by, march, "x", end(2027, 3, 2)).by, end(2027, 3, 15));
	assert_int_equal(of(&by, march, "x", never).by, 0);
	/* no letter at all */
	assert_int_equal(of(&days, 0, "x", 0).by, end(1970, 1, 31));
}

static void the_letters_end_counts_until_there_is_an_own_password(void **state)
{
	struct conf c = {.initial_password_days = 90, .enrol_by = end(2027, 12, 31)};
	const int64_t march = noon(2027, 3, 1);
	struct enrol e = of(&c, march, "", 0);
	(void)state;
	assert_int_equal(e.letter, end(2027, 5, 29));
	assert_int_equal(enrol_next(&e), e.letter);
	/* never later than so many days, whatever the hour */
	for (int64_t from = march - DAY / 2; from < march + DAY / 2; from += 3600) {
		e = of(&c, from, "", 0);
		assert_true(e.letter <= from + 90 * DAY && e.letter > from + 89 * DAY);
		assert_int_equal(e.letter, text_midnight(text_today(e.letter)));
	}
	e = of(&c, march, "x", 0);
	assert_int_equal(e.letter, 0);
	assert_int_equal(enrol_next(&e), e.by);
	c.enrol_by = end(2027, 4, 1);
	e = of(&c, march, "", 0);
	assert_int_equal(enrol_next(&e), e.by);
	c.enrol_by = 0;
	e = of(&c, march, "x", 0);
	assert_int_equal(enrol_next(&e), 0);
	assert_false(enrol_late(&e, march + (int64_t)100 * 365 * DAY));
}

static void whoever_is_in_the_middle_of_it_at_midnight_has_an_hour(void **state)
{
	const struct enrol e = {.by = end(2027, 3, 31), .letter = end(2027, 3, 1)};
	(void)state;
	assert_false(enrol_late(&e, e.by - 1));
	assert_false(enrol_late(&e, e.by + 3599));
	assert_true(enrol_late(&e, e.by + 3600));
}

static void days_are_counted_by_the_calendar(void **state)
{
	const int64_t until = end(2027, 3, 31);
	char b[ENROL_TEXT];
	(void)state;
	assert_int_equal(enrol_days_left(until, until), -1);
	assert_int_equal(enrol_days_left(until, until - 1), 0);
	assert_int_equal(enrol_days_left(until, noon(2027, 3, 31) - DAY / 2), 0);
	assert_int_equal(enrol_days_left(until, noon(2027, 3, 30) + DAY / 2 - 1), 1);
	assert_int_equal(enrol_days_left(until, noon(2027, 3, 19)), 12);
	static const struct {
		int day;
		const char *words;
	} left[] = {{19, "in 12 days"}, {30, "tomorrow"}, {31, "today"}};
	for (size_t i = 0; i < COUNT(left); i++) {
		enrol_left("en", until, noon(2027, 3, left[i].day), b);
		assert_string_equal(b, left[i].words);
	}
	enrol_day("en", until, b);
	assert_string_equal(b, "31 March 2027");
	enrol_day("ja", until, b);
	assert_string_equal(b, "2027年3月31日");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_day_begins_at_midnight_in_japan),
	    cmocka_unit_test(the_later_rule_counts),
	    cmocka_unit_test(the_letters_end_counts_until_there_is_an_own_password),
	    cmocka_unit_test(whoever_is_in_the_middle_of_it_at_midnight_has_an_hour),
	    cmocka_unit_test(days_are_counted_by_the_calendar),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
