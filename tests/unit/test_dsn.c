/* Delivery reports, of the corpus that the fuzzer starts from: what is read in each. */
#include "config.h"

#include "keeper/dsn.h"
#include "tests/unit/unit.h"

#define OURS "0193553f4a0102030405060708090a0b"

static const struct {
	const char *name;
	enum dsn_action action;
	const char *said; /* the reason; of no report, what it lacks */
} reports[] = {
    {"postfix", DSN_FAILED, "5.1.1 (address) Recipient address rejected: User unknown"},
    {"mbox-line", DSN_FAILED, "5.1.1 (address) Recipient address rejected: User unknown"},
    {"headers-only", DSN_FAILED, "5.1.1 (address) Recipient address rejected: User unknown"},
    {"delayed", DSN_DELAYED, "4.4.1 connect to mx.example.org[192.0.2.1]:25: Connection timed out"},
    {"delivered", DSN_OTHER, "2.0.0 5.1.1 (address) Recipient address rejected: User unknown"},
    {"opensmtpd", DSN_FAILED, "5.2.2"},
    {"encoded", DSN_FAILED, "5.7.26"},
    {"several", DSN_FAILED, "5.1.1 (address) Recipient address rejected: User unknown"},
    {"no-status", DSN_FAILED, "5.0.0 5.1.1 (address) Recipient address rejected: User unknown"},
    {"read-receipt", 0, "it reports something else than a delivery"},
    {"not-ours", 0, "the mail that it returns is none of ours"},
    {"autoreply", 0, "it is no multipart/report"},
    {"cut", 0, "the mail that it returns is none of ours"},
    {"bad-base64", 0, "a part cannot be decoded"},
};

static size_t slurp(const char *name, char *to, size_t cap)
{
	const char *top = getenv("srcdir");
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/../fuzz/corpus/dsn/%s", top ? top : "tests/unit", name);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	size_t n = fread(to, 1, cap, f);
	assert_int_equal(fclose(f), 0);
	return n;
}

static void check(const char *bytes, size_t n, enum dsn_action action, const char *said)
{
	struct dsn d = {.action = 0};
	struct errmsg m = {""};
	enum err e = dsn_parse(bytes, n, &d, &m);
	assert_string_equal(action ? d.reason : m.text, said);
	assert_int_equal(e, action ? ERR_NONE : ERR_NOTFOUND);
	assert_int_equal(d.action, action);
	if (!action)
		return;
	char hex[2 * ID_LEN + 1];
	for (size_t i = 0; i < ID_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", d.mail.b[i]);
	assert_string_equal(hex, OURS);
	assert_string_equal(d.domain, "example.jp");
}

static void test_reports(void **state)
{
	static char bytes[8192], bare[8192];
	(void)state;
	for (size_t i = 0; i < COUNT(reports); i++) {
		size_t n = slurp(reports[i].name, bytes, sizeof bytes), k = 0;
		check(bytes, n, reports[i].action, reports[i].said);
		for (size_t j = 0; j < n; j++) /* as a pipe of a Unix MTA has it */
			if (bytes[j] != '\r')
				bare[k++] = bytes[j];
		check(bare, k, reports[i].action, reports[i].said);
	}
}

/* Wherever it is cut it is read to the same end or refused: nothing is made up of a half. */
static void test_cut(void **state)
{
	static char bytes[8192];
	size_t n = slurp("postfix", bytes, sizeof bytes);
	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct dsn d;
		char *part = malloc(i ? i : 1);
		assert_non_null(part);
		memcpy(part, bytes, i);
		if (dsn_parse(part, i, &d, NULL) == ERR_NONE)
			assert_int_equal(d.action, DSN_FAILED);
		free(part);
	}
}

static void test_size(void **state)
{
	struct dsn d;
	char *big = malloc(DSN_MAX + 1);
	(void)state;
	assert_non_null(big);
	memset(big, 'a', DSN_MAX + 1);
	assert_int_equal(dsn_parse(big, DSN_MAX + 1, &d, NULL), ERR_TOOBIG);
	assert_int_equal(dsn_parse(big, DSN_MAX, &d, NULL), ERR_NOTFOUND);
	assert_int_equal(dsn_parse(big, 0, &d, NULL), ERR_NOTFOUND);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reports), cmocka_unit_test(test_cut),
					   cmocka_unit_test(test_size)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
