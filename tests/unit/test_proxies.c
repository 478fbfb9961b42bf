#include "config.h"

#include "enroll/proxies.h"
#include "tests/unit/unit.h"
#include <sys/un.h>

static struct address at(const char *s)
{
	struct address a;

	assert_true(address_parse(s, strlen(s), &a));
	return a;
}

static void reads_addresses(void **state)
{
	static const struct {
		const char *text, *want;
	} t[] = {{"192.0.2.1", "192.0.2.1"},	     {"192.0.2.1:443", "192.0.2.1"},
		 {"2001:DB8::1", "2001:db8::1"},     {"[2001:db8::1]", "2001:db8::1"},
		 {"[2001:db8::1]:1", "2001:db8::1"}, {"::ffff:192.0.2.1", "192.0.2.1"}};
	static const char *const bad[] = {"",
					  " ",
					  "192.0.2",
					  "192.0.2.256",
					  "192.0.2.1:",
					  "192.0.2.1:x",
					  "192.0.2.1:123456",
					  "[::1",
					  "[::1]x",
					  "[::1]:",
					  "[192.0.2.1]",
					  "::1%lo",
					  "unknown",
					  "_hidden",
					  "192.0.2.1 ",
					  "1:2:3:4:5:6:7:8:9",
					  "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
	char b[INET6_ADDRSTRLEN];
	struct address a;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		a = at(t[i].text);
		address_text(&a, b);
		assert_string_equal(b, t[i].want);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(address_parse(bad[i], strlen(bad[i]), &a));
	assert_false(address_parse("1\0.2", 4, &a));
}

static void finds_the_client(void **state)
{
	static const struct {
		const char *peer, *forwarded, *want;
	} t[] = {
	    {"198.51.100.1", NULL, "198.51.100.1"},
	    {"198.51.100.1", "203.0.113.1", "198.51.100.1"}, /* not trusted: its word counts for nothing */
	    {"127.0.0.1", NULL, "127.0.0.1"},
	    {"127.0.0.1", "", "127.0.0.1"},
	    {"127.0.0.1", "203.0.113.1", "203.0.113.1"},
	    {"127.0.0.1", "10.0.0.1, 203.0.113.1", "203.0.113.1"},
	    {"127.0.0.1", "203.0.113.1,10.0.0.9", "203.0.113.1"},
	    {"127.0.0.1", " 203.0.113.1 ,\t10.0.0.9 ", "203.0.113.1"},
	    {"127.0.0.1", "203.0.113.1,evil", "127.0.0.1"},
	    {"127.0.0.1", "203.0.113.1,evil,10.0.0.9", "10.0.0.9"},
	    {"127.0.0.1", "203.0.113.1,,", "127.0.0.1"},
	    {"127.0.0.1", "10.0.0.9,127.0.0.1", "10.0.0.9"}, /* all trusted: the outermost */
	    {"::ffff:127.0.0.1", "2001:db8::7", "2001:db8::7"},
	    {"::1", "203.0.113.1:1234", "203.0.113.1"},
	    {NULL, "203.0.113.1", "203.0.113.1"},
	    {NULL, "203.0.113.1, 127.0.0.1", "203.0.113.1"},
	    {NULL, NULL, NULL},
	    {NULL, "evil", NULL},
	};
	struct proxies p;
	char b[INET6_ADDRSTRLEN];

	(void)state;
	assert_int_equal(proxies_parse("127.0.0.1 ::1  10.0.0.9", &p, NULL), ERR_NONE);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct address peer = {0}, client;

		if (t[i].peer)
			peer = at(t[i].peer);
		assert_int_equal(proxies_client(&p, t[i].peer ? &peer : NULL, t[i].forwarded, &client),
				 t[i].want != NULL);
		if (!t[i].want)
			continue;
		address_text(&client, b);
		assert_string_equal(b, t[i].want);
	}
}

static void reads_the_list(void **state)
{
	struct proxies p = {.n = 9};
	struct errmsg m;
	char many[40 * 12] = "";

	(void)state;
	assert_int_equal(proxies_parse("", &p, &m), ERR_NONE);
	assert_int_equal(p.n, 0);
	assert_int_equal(proxies_parse("127.0.0.1 nonsense", &p, &m), ERR_INVALID);
	assert_non_null(strstr(m.text, "nonsense"));
	for (int i = 0; i <= PROXIES_MAX; i++)
		strcat(many, "127.0.0.1 ");
	assert_int_equal(proxies_parse(many, &p, &m), ERR_TOOBIG);
}

static void reads_sockets(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
	struct address a, b = at("192.0.2.1");

	(void)state;
	assert_false(address_of((const struct sockaddr *)&un, &a));
	assert_false(address_of(NULL, &a));
	assert_true(address_of((const struct sockaddr *)&in, &a));
	assert_memory_equal(&a, &b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_addresses),
	    cmocka_unit_test(finds_the_client),
	    cmocka_unit_test(reads_the_list),
	    cmocka_unit_test(reads_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
