#include "config.h"

#include "fido/report.h"
#include "fido/request.h"
#include "tests/unit/unit.h"

#define KEY 0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01, 0xc0

static const struct {
	bool key;
	size_t n;
	uint8_t bytes[24];
} reports[] = {
    {true, 8, {KEY}},
    {true, 7, {KEY}},					    /* what comes behind its collection is not looked at */
    {false, 5, {KEY}},					    /* no collection */
    {false, 2, {KEY}},					    /* cut short */
    {false, 0, {0}},					    /* */
    {false, 7, {0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0xc0}}, /* keyboard */
    {true, 10, {0x05, 0x01, KEY}},			    /* the last page before the collection holds */
    {false, 10, {0x06, 0xd0, 0xf1, 0x05, 0x01, 0xa1, 0x01, 0xc0, 0, 0}},
    {false, 15, {0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0xc0, KEY}},	      /* only of a later one */
    {true, 10, {0x07, 0xd0, 0xf1, 0x00, 0x00, 0x09, 0x01, 0xa1, 0x01, 0xc0}}, /* in four bytes */
    {false, 10, {0x07, 0xd0, 0xf1, 0x01, 0x00, 0x09, 0x01, 0xa1, 0x01, 0xc0}},
    {true, 13, {0xfe, 0x02, 0x77, 0xa1, 0x01, KEY}}, /* a long item is passed over */
    {false, 2, {0xfe, 0x02}},
    {false, 4, {0xfe, 0xff, 0x77, 0xa1}},
};

static void devices(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(reports); i++) {
		/* exactly so many bytes, for the sanitizers */
		AUTO_BUF b = BUF_INIT;
		buf_add(&b, reports[i].bytes, reports[i].n);
		if (report_is_key(b.data, b.len) != reports[i].key)
			fail_msg("report %zu", i);
	}
}

static struct wire_msg msg;

static enum err read_request(size_t allow, size_t id, struct request *ret, struct buf *b)
{
	const uint8_t hash[REQUEST_HASH_LEN] = {1}, ids[REQUEST_ID_MAX + 1] = {2};

	wire_begin(b, 1, "get");
	wire_puts(b, "rp_id", "login.example.org");
	wire_put(b, "hash", hash, sizeof hash);
	wire_puti(b, "seconds", 30);
	for (size_t i = 0; i < allow; i++) {
		char name[32];
		snprintf(name, sizeof name, "allow.%zu", i);
		wire_put(b, name, ids, id);
	}
	assert_int_equal(wire_end(b), ERR_NONE);
	assert_int_equal(wire_parse(b->data + WIRE_HEAD, b->len - WIRE_HEAD, &msg), ERR_NONE);
	return request_read(&msg, ret);
}

static void requests(void **state)
{
	AUTO_BUF b = BUF_INIT;
	struct request r = {.n = 77};

	(void)state;
	assert_int_equal(read_request(0, 1, &r, &b), ERR_INVALID);
	assert_int_equal(read_request(REQUEST_ALLOW_MAX + 1, 1, &r, &b), ERR_INVALID);
	assert_int_equal(read_request(1, 0, &r, &b), ERR_INVALID);
	assert_int_equal(read_request(1, REQUEST_ID_MAX + 1, &r, &b), ERR_INVALID);
	assert_int_equal(r.n, 77);
	assert_int_equal(read_request(REQUEST_ALLOW_MAX, REQUEST_ID_MAX, &r, &b), ERR_NONE);
	assert_int_equal(r.n, REQUEST_ALLOW_MAX);
	assert_int_equal(r.seconds, 30);
	assert_string_equal(r.rp_id, "login.example.org");
	assert_int_equal(r.hash[0], 1);
	assert_int_equal(r.allow[15].n, REQUEST_ID_MAX);
	assert_int_equal(r.allow[15].p[0], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(devices),
	    cmocka_unit_test(requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
