/* What browsers say of themselves, in words. */
#include "config.h"

#include "keeper/agent.h"
#include "tests/unit/unit.h"

static void same(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got ? got : "", want);
	else
		assert_null(got);
}

static void test_words(void **state)
{
	static const struct {
		const char *agent, *words, *system, *browser;
	} seen[] = {
	    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
	     "Safari/537.36",
	     "Chrome on Windows", "windows", "chrome"},
	    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
	     "Safari/537.36 Edg/130.0.0.0",
	     "Edge on Windows", "windows", "edge"},
	    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Windows",
	     "windows", "firefox"},
	    {"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer on Windows",
	     "windows", NULL},
	    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 "
	     "Safari/605.1.15",
	     "Safari on Mac", "mac", "safari"},
	    {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	     "Version/17.6 Mobile/15E148 Safari/604.1",
	     "Safari on iPhone", "iphone", "safari"},
	    {"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	     "CriOS/130.0.6723.90 Mobile/15E148 Safari/604.1",
	     "Chrome on iPad", "ipad", "chrome"},
	    {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	     "FxiOS/128.0 Mobile/15E148 Safari/605.1.15",
	     "Firefox on iPhone", "iphone", "firefox"},
	    {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	     "Mobile/15E148 Safari Line/14.15.0",
	     "LINE on iPhone", "iphone", "app"},
	    {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile "
	     "Safari/537.36",
	     "Chrome on Android", "android", "chrome"},
	    {"Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 "
	     "Chrome/122.0.0.0 Mobile Safari/537.36",
	     "Samsung Internet on Android", "android", NULL},
	    {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
	     "Safari/537.36",
	     "Chrome on Chromebook", "linux", "chrome"},
	    {"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux", "linux",
	     "firefox"},
	    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "a browser on Windows", "windows", NULL},
	    {"Firefox/128.0", "Firefox", NULL, "firefox"},
	    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
	     "Safari/537.36 OPR/115.0.0.0",
	     "Opera on Windows", "windows", "chrome"},
	    {"Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
	     "Chrome/130.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/480.0;]",
	     "Facebook on Android", "android", "app"},
	    {"curl/8.9.1", "a browser", NULL, NULL},
	    {"", "a browser", NULL, NULL},
	    {"{browser} <b>\xff\x01", "a browser", NULL, NULL},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(seen); i++) {
		AUTO_BUF b = BUF_INIT;
		agent_words("en", seen[i].agent, &b);
		assert_string_equal(buf_str(&b), seen[i].words);
		const struct agent a = agent_of(seen[i].agent);
		same(a.system, seen[i].system);
		same(a.browser, seen[i].browser);
		assert_int_equal(a.phone, !!strstr("iphone ipad android", a.system ? a.system : "-"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
