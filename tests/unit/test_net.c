/* Addresses, networks, and where an attempt is taken to come from. */
#include "config.h"

#include "common/net.h"
#include "keeper/origin.h"
#include "unit.h"

static void addresses_are_numeric(void **state)
{
	static const char *const bad[] = {"",	    "host",	  "1.2.3",	     "1.2.3.4.5", "01.2.3.4",
					  "::1%lo", " 127.0.0.1", "2001:db8::1/128", "[::1]"};
	struct net_address a, b;
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(net_parse(bad[i], &a));
	assert_true(net_parse("192.0.2.1", &a));
	assert_true(net_parse("::ffff:192.0.2.1", &b));
	assert_memory_equal(&a, &b, sizeof a);
	assert_true(net_v4(&b));
	assert_false(net_loopback(&b));
	static const char *const loops[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
	for (size_t i = 0; i < COUNT(loops); i++) {
		assert_true(net_parse(loops[i], &a));
		assert_true(net_loopback(&a));
	}
}

static void networks_hold_what_they_name(void **state)
{
	static const struct {
		const char *list, *address;
		bool in;
	} t[] = {
	    {"10.0.0.0/8", "10.255.0.1", true},
	    {"10.0.0.0/8", "11.0.0.1", false},
	    {"10.0.0.0/8", "::ffff:10.1.1.1", true},
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"0.0.0.0/0", "203.0.113.9", true},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"2001:db8::/33", "2001:db8:7fff::1", true},
	    {"2001:db8::/33", "2001:db8:8000::1", false},
	    {"1.1.1.1 2001:db8::/32", "2001:db8::1", true},
	    {"", "10.0.0.1", false},
	    {NULL, "10.0.0.1", false},
	};
	struct net_address a;
	struct net_range r;
	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		assert_true(net_parse(t[i].address, &a));
		assert_int_equal(net_listed(t[i].list, &a), t[i].in);
	}
	static const char *const bad[] = {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",   "10.0.0.0/8x",
					  "::/129",	"/8",	       "",	    "10.0.0.0/08000"};
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(net_parse_range(bad[i], &r));
	char text[NET_TEXT];
	assert_true(net_parse_range("2001:DB8:0::/32", &r));
	net_text(&r, text);
	assert_string_equal(text, "2001:db8::/32");
}

static char proxies[] = "127.0.0.1 ::1 192.0.2.80", exempt[] = "198.51.100.0/24";

static void an_address_of_many_is_nobodys(void **state)
{
	const struct conf c = {.web_trusted_proxies = proxies, .limits_exempt = exempt};
	struct origin o;
	(void)state;
	static const char *const nobodys[] = {"", "127.0.0.1", "::1", "192.0.2.80", "::ffff:192.0.2.80", "?"};
	for (size_t i = 0; i < COUNT(nobodys); i++) {
		origin_browser(&o, &c, nobodys[i]);
		assert_false(o.has_from || o.remote || o.exempt);
		assert_string_equal(o.shown, nobodys[i]);
	}
	origin_browser(&o, &c, "198.51.100.7");
	assert_true(o.has_from && o.remote && o.exempt);
	/* at the terminal loopback is somebody who sits here, but no address to block */
	origin_terminal(&o, &c, "127.0.0.1");
	assert_true(o.has_from && !o.remote && !o.exempt);
	origin_terminal(&o, &c, "host.example.jp");
	assert_false(o.has_from || o.remote || o.has_key || o.has_device || o.own_uid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_numeric),
	    cmocka_unit_test(networks_hold_what_they_name),
	    cmocka_unit_test(an_address_of_many_is_nobodys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
