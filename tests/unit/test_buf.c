#include "config.h"

#include "common/buf.h"
#include "tests/unit/unit.h"

static void empty(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_wipe(&b);
	buf_add(&b, NULL, 0);
	assert_string_equal(buf_str(&b), "");
	assert_false(b.failed);
	buf_free(&b);
	buf_free(&b);
	buf_free(NULL);
}

static void appends(void **state)
{
	static const uint8_t numbers[] = {0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 7, 0xff};
	AUTO_BUF b = BUF_INIT;

	(void)state;
	buf_adds(&b, "one ");
	buf_addc(&b, '2');
	buf_addf(&b, " %s %d", "three", 4);
	assert_string_equal(buf_str(&b), "one 2 three 4");
	buf_wipe(&b);
	assert_int_equal(b.len, 0);
	buf_add_u16(&b, 0x1234);
	buf_add_u32(&b, 0x89abcdef);
	buf_add_u64(&b, 0x01020304050607ffu);
	assert_int_equal(b.len, sizeof numbers);
	assert_memory_equal(b.data, numbers, sizeof numbers);
}

static void one_nul_follows_at_every_length(void **state)
{
	AUTO_BUF b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < 5000; i++) {
		buf_addc(&b, (char)('a' + i % 26));
		assert_int_equal(b.len, i + 1);
		assert_true(b.cap > b.len);
		assert_int_equal(b.data[b.len], 0);
	}
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
}

static void no_string_with_a_nul(void **state)
{
	AUTO_BUF b = BUF_INIT;

	(void)state;
	buf_add(&b, "a\0b", 3);
	assert_null(buf_str(&b));
}

static void long_format(void **state)
{
	AUTO_BUF b = BUF_INIT;

	(void)state;
	buf_addf(&b, "%*s|", 100000, "x");
	assert_int_equal(b.len, 100001);
	assert_int_equal(b.data[99999], 'x');
}

static void wipe_leaves_nothing(void **state)
{
	AUTO_BUF b = BUF_INIT;

	(void)state;
	buf_adds(&b, "correct horse battery staple");
	buf_wipe(&b);
	for (size_t i = 0; i < b.cap; i++)
		assert_int_equal(b.data[i], 0);
}

static void too_big_stays_failed(void **state)
{
	AUTO_BUF b = BUF_INIT;

	(void)state;
	buf_adds(&b, "kept");
	assert_null(buf_room(&b, SIZE_MAX));
	assert_true(b.failed);
	buf_adds(&b, "lost");
	assert_int_equal(b.len, 4);
	assert_null(buf_str(&b));
	assert_null(buf_room(&b, 1));
	buf_wipe(&b);
	assert_true(b.failed);
	buf_free(&b);
	assert_false(b.failed);
}

static void room_does_not_move_the_end(void **state)
{
	AUTO_BUF b = BUF_INIT;
	uint8_t *p;

	(void)state;
	buf_adds(&b, "ab");
	p = buf_room(&b, 1000);
	assert_ptr_equal(p, b.data + 2);
	assert_int_equal(b.len, 2);
	assert_true(b.cap >= 1003);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty),
	    cmocka_unit_test(appends),
	    cmocka_unit_test(one_nul_follows_at_every_length),
	    cmocka_unit_test(no_string_with_a_nul),
	    cmocka_unit_test(long_format),
	    cmocka_unit_test(wipe_leaves_nothing),
	    cmocka_unit_test(too_big_stays_failed),
	    cmocka_unit_test(room_does_not_move_the_end),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
