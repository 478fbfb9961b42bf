/* A CSV file of people, as an import reads it: whatever it holds, every row ends in a person's worth of checked fields
 * or in a reason, twice the same, and the lines go up. */
#include "config.h"

#include "ctl/row.h"
#include "ctl/sheet.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct sum {
	uint32_t rows, bad, last;
	uint64_t fields;
};

static bool no_account(const void *arg, const char *login, enum role role)
{
	(void)arg;
	(void)role;
	return strcmp(login, "root") == 0;
}

static uint64_t mix(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h;
}

static void look(struct sum *sum, const struct row *r)
{
	CHECK(r->login[0] && strlen(r->login) <= LOGIN_MAX);
	CHECK(text_utf8_valid(r->name, strlen(r->name)) && !strpbrk(r->name, "\r\n\t\x1b"));
	CHECK(strlen(r->email) <= EMAIL_MAX && !strpbrk(r->email, " \r\n"));
	CHECK(r->role != ROLE_STAFF || text_login_staff(r->login));
	CHECK(r->totp_len <= sizeof r->totp);
	sum->fields = mix(mix(mix(sum->fields, r->login), r->name), r->email);
}

static void walk(struct sheet *s, struct sum *sum)
{
	static const struct date today = {.year = 2025, .month = 1, .day = 1};
	/* Nobody's password is long enough: hashing and dictionaries are not what is tried here. */
	const struct row_rules rules = {.today = today, .password_min = 1000, .system_login = no_account};
	struct sheet_row cells;
	struct row_columns columns;
	struct row row;
	const char *why = NULL;
	char text[512];
	enum sheet_result r = sheet_next(s, &cells, &why);

	if (r != SHEET_ROW || !row_header(&cells, &columns, text))
		return;
	sum->last = cells.line;
	while ((r = sheet_next(s, &cells, &why)) != SHEET_END) {
		CHECK(r == SHEET_ROW || r == SHEET_BAD);
		CHECK(cells.line > sum->last);
		sum->last = cells.line;
		if (r == SHEET_ROW)
			why = row_check(&columns, &rules, &cells, &row);
		CHECK(r != SHEET_BAD || why);
		if (why) {
			sum->bad++;
			continue;
		}
		sum->rows++;
		look(sum, &row);
		(void)row_check_new(&rules, &row);
	}
	row_wipe(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int fd = -1;
	struct sum first = {0}, again = {0};
	struct sheet *s = NULL;

	if (fd < 0)
		fd = memfd_create("sheet", MFD_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, n, 0) == (ssize_t)n);
	if (sheet_open(fd, &s))
		return 0;
	walk(s, &first);
	CHECK(sheet_rewind(s) == ERR_NONE);
	walk(s, &again);
	CHECK(memcmp(&first, &again, sizeof first) == 0);
	sheet_close(s);
	return 0;
}
