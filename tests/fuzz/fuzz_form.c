#include "config.h"

#include "common/text.h"
#include "enroll/proxies.h"
#include "enroll/request.h"
#include "enroll/routes.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static void form(const uint8_t *data, size_t n, bool strict)
{
	char *s = malloc(n + 1);
	struct form f;

	CHECK(s);
	memcpy(s, data, n);
	if (request_form(s, n, "login password csrf birth_date", strict, &f) != ERR_NONE)
		CHECK(f.n == 0);
	for (size_t i = 0; i < f.n; i++) {
		CHECK(strlen(f.field[i].value) == f.field[i].len && f.field[i].len <= REQUEST_VALUE_MAX);
		CHECK(text_utf8_valid(f.field[i].value, f.field[i].len));
		CHECK(form_get(&f, f.field[i].name) == f.field[i].value); /* the only one of its name */
	}
	free(s);
}

static void headers(const char *s)
{
	char value[44], text[INET6_ADDRSTRLEN];
	struct address client, peer;
	struct proxies p;
	const char *rest;
	size_t length;
	int allow;

	if (request_cookie(s, "kosmo", value, sizeof value))
		CHECK(*value && strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
				    strlen(value));
	if (text_local_path(s))
		CHECK(s[0] == '/' && s[1] != '/' && !strpbrk(s, "\\\r\n\t "));
	if (request_host_is(s, "https://a.example"))
		CHECK(strlen(s) == 9 || strlen(s) == 13);
	request_is_form(s);
	request_token(s);
	if (request_length(s, &length) == ERR_NONE)
		CHECK(strspn(s, "0123456789") == strlen(s));
	if (routes_find(ROUTE_GET, s, &rest, &allow))
		CHECK(!strchr(rest, '/'));
	CHECK(routes_back(s)[0] == '/');
	CHECK(proxies_parse("127.0.0.1 ::1", &p, NULL) == ERR_NONE);
	CHECK(address_parse("127.0.0.1", 9, &peer));
	CHECK(proxies_client(&p, &peer, s, &client));
	address_text(&client, text);
	CHECK(*text);
	if (proxies_client(&p, NULL, s, &client))
		CHECK(address_parse(text, strlen(text), &client));
	if (proxies_parse(s, &p, NULL) == ERR_NONE)
		CHECK(p.n <= PROXIES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *s = malloc(n + 1);

	CHECK(s);
	memcpy(s, data, n);
	s[n] = '\0';
	form(data, n, true);
	form(data, n, false);
	headers(s);
	free(s);
	return 0;
}
