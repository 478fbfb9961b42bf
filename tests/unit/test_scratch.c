/* What a session keeps in its scratch: one thing at a time, told apart by a word. */
#include "config.h"

#include "keeper/scratch.h"
#include "tests/unit/unit.h"

static void one_thing_at_a_time(void **state)
{
	struct session s = {.level = SESSION_FULL};
	struct id id = {{1, 0, 255, '\n'}}, got;

	(void)state;
	assert_int_equal(scratch_kind(&s), SCRATCH_NONE);
	assert_string_equal(scratch_text(&s), "");
	assert_false(scratch_id(&s, &got));
	assert_int_equal(scratch_set(&s, SCRATCH_CODES, "a\nb\n"), ERR_NONE);
	assert_int_equal(scratch_kind(&s), SCRATCH_CODES);
	assert_string_equal(scratch_text(&s), "a\nb\n");
	assert_false(scratch_id(&s, &got));
	assert_int_equal(scratch_set(&s, SCRATCH_ASK, NULL), ERR_NONE);
	assert_int_equal(scratch_kind(&s), SCRATCH_ASK);
	assert_string_equal(scratch_text(&s), "");
	for (int kind = SCRATCH_LOST; kind <= SCRATCH_ANEW; kind++) {
		assert_int_equal(scratch_set_id(&s, (enum scratch_kind)kind, &id), ERR_NONE);
		assert_int_equal(scratch_kind(&s), kind);
		assert_true(scratch_id(&s, &got));
		assert_memory_equal(&got, &id, sizeof id);
	}
	assert_int_equal(scratch_set(&s, SCRATCH_NONE, NULL), ERR_NONE);
	assert_int_equal(scratch_kind(&s), SCRATCH_NONE);
	assert_int_equal(s.scratch.len, 0);
	session_clear(&s);
}

static void what_is_no_word_is_nothing(void **state)
{
	static const char *const bad[] = {"cod", "codes", "ask", "asked\n", "\n", "lost", "xcodes\n"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct session s = {.level = SESSION_FULL};
		struct id id;
		buf_adds(&s.scratch, bad[i]);
		assert_int_equal(scratch_kind(&s), SCRATCH_NONE);
		assert_string_equal(scratch_text(&s), "");
		assert_false(scratch_id(&s, &id));
		session_clear(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_thing_at_a_time),
	    cmocka_unit_test(what_is_no_word_is_nothing),
	};

	return cmocka_run_group_tests_name("scratch", tests, NULL, NULL);
}
