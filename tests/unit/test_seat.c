#include "config.h"

#include "pam/seat.h"
#include "tests/unit/unit.h"
#include <unistd.h>

static const struct {
	bool console;
	const char *tty;
} ttys[] = {
    {true, "tty1"},    {true, "/dev/tty63"},  {true, ":0"},	{true, ":10.2"},     {false, ""},
    {false, "tty"},    {false, "tty0"},	      {false, "tty01"}, {false, "ttyS0"},    {false, "ttyUSB0"},
    {false, "pts/1"},  {false, "/dev/pts/1"}, {false, "tty1 "}, {false, "tty1/x"},   {false, "/dev//tty1"},
    {false, "ssh"},    {false, ":"},	      {false, ":0."},	{false, ":0.1x"},    {false, ":0.1.1"},
    {false, "host:0"}, {false, "cron"},	      {false, "/tty1"}, {false, "dev/tty1"}, {false, "x/dev/tty1"},
};

static void consoles(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ttys); i++) {
		if (seat_console(ttys[i].tty) != ttys[i].console)
			fail_msg("%s", ttys[i].tty);
		if (ttys[i].console)
			assert_true(seat_local(NULL, ttys[i].tty) && seat_local("", ttys[i].tty));
		assert_false(seat_local("192.0.2.1", ttys[i].tty));
		assert_false(seat_local("localhost", ttys[i].tty));
	}
	assert_false(seat_local(NULL, "ssh"));
	assert_false(seat_local(NULL, "ttyS0"));
}

#define GOOD "# written by hand\nUID=1000\nSEAT=seat0\nREMOTE=0\nACTIVE=1\n"

static const struct {
	bool seat;
	const char *id, *text; /* NULL: there is no such file */
} sessions[] = {
    {true, "7", GOOD},
    {true, "7", "ACTIVE=1\nREMOTE=0\nSEAT=seat-1"},
    {false, "7", NULL},
    {false, NULL, GOOD},
    {false, "", GOOD},
    {false, "7\n", GOOD}, /* the kernel writes no line end */
    {false, "../7", GOOD},
    {false, "8", GOOD},
    {false, "7", ""},
    {false, "7", "SEAT=\nREMOTE=0\nACTIVE=1\n"},
    {false, "7", "SEAT=seat0\nREMOTE=1\nACTIVE=1\n"},
    {false, "7", "SEAT=seat0\nREMOTE=0\nACTIVE=0\n"},
    {false, "7", "SEAT=seat0\nREMOTE=01\nACTIVE=1\n"},
    {false, "7", "SEAT=seat0\nREMOTE=0\nACTIVE=10\n"},
    {false, "7", "SEAT=seat0\nACTIVE=1\n"},
    {false, "7", "REMOTE=0\nACTIVE=1\n"},
    {false, "7", "TYPE=SEAT=seat0\nREMOTE=0\nACTIVE=1\n"},
    {false, "7", "SEAT=seat0 REMOTE=0\nACTIVE=1\n"},
};

static void logind(void **state)
{
	char id[PATH_MAX], file[PATH_MAX];

	snprintf(id, sizeof id, "%s", unit_path(*state, "id"));
	snprintf(file, sizeof file, "%s", unit_path(*state, "7"));
	for (size_t i = 0; i < COUNT(sessions); i++) {
		(void)unlink(id);
		(void)unlink(file);
		if (sessions[i].id)
			unit_write(id, sessions[i].id, strlen(sessions[i].id));
		if (sessions[i].text)
			unit_write(file, sessions[i].text, strlen(sessions[i].text));
		if (seat_session(id, *state) != sessions[i].seat)
			fail_msg("session %zu", i);
	}
}

/* A longer file is none of logind's, and the end of it might have been cut off. */
static void endless(void **state)
{
	char id[PATH_MAX], file[PATH_MAX], text[8192];

	snprintf(id, sizeof id, "%s", unit_path(*state, "id"));
	snprintf(file, sizeof file, "%s", unit_path(*state, "7"));
	unit_write(id, "7", 1);
	memset(text, '\n', sizeof text);
	memcpy(text, GOOD, strlen(GOOD));
	unit_write(file, text, 4096);
	assert_false(seat_session(id, *state));
	unit_write(file, text, 4095);
	assert_true(seat_session(id, *state));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink(id, file), 0);
	assert_false(seat_session(id, *state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(consoles),
	    cmocka_unit_test_setup_teardown(logind, unit_folder, unit_folder_gone),
	    cmocka_unit_test_setup_teardown(endless, unit_folder, unit_folder_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
