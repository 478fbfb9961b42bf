#include "config.h"

#include "common/text.h"
#include "tests/unit/unit.h"
#include <time.h>

static const struct date today = {2025, 10, 15};

static void check(const char *in, enum date_error want, const char *iso)
{
	struct date d = {1, 2, 3};
	enum date_error e = text_birth_date(in, strlen(in), today, &d);
	char text[11] = "";

	if (e == DATE_OK)
		text_date_iso(d, text);
	else if (d.year != 1 || d.month != 2 || d.day != 3)
		fail_msg("\"%s\": the result was touched", in);
	if (e != want || strcmp(text, iso) != 0)
		fail_msg("\"%s\" gave %d \"%s\", not %d \"%s\"", in, e, text, want, iso);
}

/* Forms of 1 January 1980, all of them. */
static void every_form(void **state)
{
	static const char *const forms[] = {
	    "19800101", "1980-1-1", "1980-01-01", "1980/1/1", "1980/01/01", "1980.1.1", "1980.01.01", "1980年1月1日",
	    "1980年01月01日", "昭和55年1月1日", "昭和55年01月01日", "昭和55.1.1", "昭和55/1/1", "昭和55-1-1",
	    "昭和550101", "S55.1.1", "s55.1.1", "S.55.1.1", "S55/1/1", "S55-1-1", "S55年1月1日", "s550101", "S550101",
	    /* full width */
	    "１９８００１０１", "１９８０－１－１", "１９８０／０１／０１", "１９８０．１．１", "１９８０年１月１日",
	    "昭和５５年１月１日", "Ｓ５５．１．１", "ｓ５５０１０１", "㍼55年1月1日",
	    /* what stands for a hyphen or a dot on a Japanese keyboard */
	    "1980ー1ー1", "1980ｰ1ｰ1", "1980−1−1", "1980‐1‐1", "1980–1–1", "1980・1・1", "1980。1。1",
	    /* white space */
	    " 19800101 ", "　1980年1月1日　", "1980 年 1 月 1 日", "昭和　55年　1月　1日", "1980 - 1 - 1", "S 55.1.1",
	    "1980/1/1\r\n", "\uFEFF1980/1/1"};

	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++)
		check(forms[i], DATE_OK, "1980-01-01");
}

static void not_a_form(void **state)
{
	static const char *const bad[] = {
	    "1980",
	    "1980-1",
	    "1980-1-",
	    "-1-1",
	    "1980-1-1-",
	    "1980--1-1",
	    "1980-1/1",
	    "1980/1-1",
	    "1980.1/1",
	    "198011",
	    "1980101",
	    "198001011",
	    "80-1-1",
	    "80/1/1",
	    "800101",
	    "01/01/1980",
	    "1-1-1980",
	    "980-1-1",
	    "01980-1-1",
	    "1980-001-1",
	    "1980-1-001",
	    "1980年1月",
	    "1980年1月1",
	    "1980年1-1",
	    "1980-1月1日",
	    "1980年1日",
	    "昭和",
	    "昭和55",
	    "昭和55年",
	    "昭和年1月1日",
	    "昭和五十五年1月1日",
	    "昭和155年1月1日",
	    "昭和元5年1月1日",
	    "元年1月1日",
	    "元1.1.1",
	    "S元元.1.1",
	    "X55.1.1",
	    "SS55.1.1",
	    "S5511",
	    "S55010",
	    "S5501011",
	    "S19800101",
	    "昭和1980年1月1日",
	    "慶応3年1月1日",
	    "令2年1月1日",
	    "abc",
	    "1980-1-1x",
	    "x1980-1-1",
	    "1980-1-1 2",
	    "1980-01-01T00:00",
	    "一九八〇年一月一日",
	    "1980,1,1",
	    "1980-a-1",
	    "+1980-1-1",
	    "1980 1 1",
	    "99999999999999999999",
	    "1980-1-1\xff",
	    "\xff",
	    "S..55.1.1",
	    "S..",
	    "S",
	    "昭",
	    "55年1月1日",
	    "年月日",
	    "//",
	    "..",
	};
	char longer[300];
	struct date d = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		check(bad[i], DATE_FORM, "");
	memset(longer, ' ', sizeof longer);
	memcpy(longer, "1980-1-1", 8);
	assert_int_equal(text_birth_date(longer, sizeof longer, today, &d), DATE_FORM);
	assert_int_equal(text_birth_date("1980-1-1\0", 9, today, &d), DATE_FORM);
	assert_int_equal(d.year, 0);
}

static void empty(void **state)
{
	(void)state;
	check("", DATE_EMPTY, "");
	check(" ", DATE_EMPTY, "");
	check("　\t\n", DATE_EMPTY, "");
}

static void calendar(void **state)
{
	static const struct {
		const char *in;
		enum date_error want;
		const char *iso;
	} t[] = {
	    {"2000-2-29", DATE_OK, "2000-02-29"},
	    {"1900-2-29", DATE_NOSUCH, ""},
	    {"1904-2-29", DATE_OK, "1904-02-29"},
	    {"1981-2-29", DATE_NOSUCH, ""},
	    {"1980-2-30", DATE_NOSUCH, ""},
	    {"1980-4-31", DATE_NOSUCH, ""},
	    {"1980-6-31", DATE_NOSUCH, ""},
	    {"1980-9-31", DATE_NOSUCH, ""},
	    {"1980-11-31", DATE_NOSUCH, ""},
	    {"1980-12-31", DATE_OK, "1980-12-31"},
	    {"1980-1-32", DATE_NOSUCH, ""},
	    {"1980-13-1", DATE_NOSUCH, ""},
	    {"1980-0-1", DATE_NOSUCH, ""},
	    {"1980-1-0", DATE_NOSUCH, ""},
	    {"19801301", DATE_NOSUCH, ""},
	    {"19800000", DATE_NOSUCH, ""},
	    {"S0.1.1", DATE_NOSUCH, ""},
	    {"昭和55年2月30日", DATE_NOSUCH, ""},
	    {"2025-10-15", DATE_OK, "2025-10-15"},
	    {"2025-10-16", DATE_FUTURE, ""},
	    {"2025-11-1", DATE_FUTURE, ""},
	    {"2026-1-1", DATE_FUTURE, ""},
	    {"9999-12-31", DATE_FUTURE, ""},
	    {"令和99年1月1日", DATE_FUTURE, ""},
	    {"令和7年10月15日", DATE_OK, "2025-10-15"},
	    {"R7.10.16", DATE_FUTURE, ""},
	    {"1868-10-23", DATE_OK, "1868-10-23"},
	    {"1868-10-22", DATE_OLD, ""},
	    {"1867-12-31", DATE_OLD, ""},
	    {"0000-01-01", DATE_OLD, ""},
	    {"0001-01-01", DATE_OLD, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		check(t[i].in, t[i].want, t[i].iso);
}

/* The first and last day of each era, and the days beside them. */
static void era_borders(void **state)
{
	static const struct {
		const char *in;
		enum date_error want;
		const char *iso;
	} t[] = {
	    {"明治元年10月22日", DATE_OLD, ""},
	    {"明治元年10月23日", DATE_OK, "1868-10-23"},
	    {"明治45年7月30日", DATE_OK, "1912-07-30"},
	    {"明治45年7月31日", DATE_NOSUCH, ""},
	    {"明治46年1月1日", DATE_NOSUCH, ""},
	    {"大正元年7月29日", DATE_NOSUCH, ""},
	    {"大正元年7月30日", DATE_OK, "1912-07-30"},
	    {"大正15年12月25日", DATE_OK, "1926-12-25"},
	    {"大正15年12月26日", DATE_NOSUCH, ""},
	    {"大正16年1月1日", DATE_NOSUCH, ""},
	    {"昭和元年12月24日", DATE_NOSUCH, ""},
	    {"昭和元年12月25日", DATE_OK, "1926-12-25"},
	    {"昭和64年1月7日", DATE_OK, "1989-01-07"},
	    {"昭和64年1月8日", DATE_NOSUCH, ""},
	    {"昭和65年1月1日", DATE_NOSUCH, ""},
	    {"平成元年1月7日", DATE_NOSUCH, ""},
	    {"平成元年1月8日", DATE_OK, "1989-01-08"},
	    {"平成31年4月30日", DATE_OK, "2019-04-30"},
	    {"平成31年5月1日", DATE_NOSUCH, ""},
	    {"平成32年1月1日", DATE_NOSUCH, ""},
	    {"平成99年1月1日", DATE_NOSUCH, ""},
	    {"令和元年4月30日", DATE_NOSUCH, ""},
	    {"令和元年5月1日", DATE_OK, "2019-05-01"},
	    {"令和1年5月1日", DATE_OK, "2019-05-01"},
	    {"㋿元年5月1日", DATE_OK, "2019-05-01"},
	    {"㍻元年1月8日", DATE_OK, "1989-01-08"},
	    {"㍼64年1月7日", DATE_OK, "1989-01-07"},
	    {"㍽元年7月30日", DATE_OK, "1912-07-30"},
	    {"㍾45年7月29日", DATE_OK, "1912-07-29"},
	    {"M45.7.29", DATE_OK, "1912-07-29"},
	    {"t150101", DATE_OK, "1926-01-01"},
	    {"T1.7.30", DATE_OK, "1912-07-30"},
	    {"S64.1.7", DATE_OK, "1989-01-07"},
	    {"s640108", DATE_NOSUCH, ""},
	    {"H1.1.8", DATE_OK, "1989-01-08"},
	    {"h310430", DATE_OK, "2019-04-30"},
	    {"R1.5.1", DATE_OK, "2019-05-01"},
	    {"r010501", DATE_OK, "2019-05-01"},
	    {"R元.5.1", DATE_OK, "2019-05-01"},
	    {"平成元.1.8", DATE_OK, "1989-01-08"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		check(t[i].in, t[i].want, t[i].iso);
}

/* Every day since the first of Meiji, in three forms. */
static void every_day(void **state)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	char in[64], iso[40];
	size_t seen = 0;

	(void)state;
	for (int y = 1868; y <= 2025; y++)
		for (int m = 1; m <= 12; m++)
			for (int d = 1; d <= 31; d++) {
				bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
				int number = y * 10000 + m * 100 + d;
				enum date_error want = d > days[m - 1] + (m == 2 && leap) ? DATE_NOSUCH
						       : number < 18681023		  ? DATE_OLD
						       : number > 20251015		  ? DATE_FUTURE
											  : DATE_OK;

				snprintf(iso, sizeof iso, "%04d-%02d-%02d", y, m, d);
				snprintf(in, sizeof in, "%d年%d月%d日", y, m, d);
				check(in, want, want == DATE_OK ? iso : "");
				snprintf(in, sizeof in, "%08d", number);
				check(in, want, want == DATE_OK ? iso : "");
				check(iso, want, want == DATE_OK ? iso : "");
				seen += want == DATE_OK;
			}
	assert_int_equal(seen, 57336); /* (date -d 2025-10-15 - date -d 1868-10-23) in days, and one */
}

static void japans_day(void **state)
{
	char b[11];

	(void)state;
	text_date_iso(text_today(0), b);
	assert_string_equal(b, "1970-01-01");
	text_date_iso(text_today(1760453999), b); /* 2025-10-14 14:59:59 UTC */
	assert_string_equal(b, "2025-10-14");
	text_date_iso(text_today(1760454000), b); /* 2025-10-14 15:00:00 UTC */
	assert_string_equal(b, "2025-10-15");
	text_date_iso((struct date){0}, b);
	assert_string_equal(b, "0000-00-00");
	for (int64_t t = -2208988800; t < 13569465600; t += 7 * 3600 + 1) { /* 1900 to 2400, as the C library has it */
		time_t local = (time_t)(t + 9 * 3600);
		struct date d = text_today(t);
		struct tm tm;
		assert_non_null(gmtime_r(&local, &tm));
		assert_true(d.year == tm.tm_year + 1900 && d.month == tm.tm_mon + 1 && d.day == tm.tm_mday);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_form), cmocka_unit_test(not_a_form),	 cmocka_unit_test(empty),
	    cmocka_unit_test(calendar),	  cmocka_unit_test(era_borders), cmocka_unit_test(every_day),
	    cmocka_unit_test(japans_day),
	};

	return cmocka_run_group_tests_name("birth dates", tests, NULL, NULL);
}
