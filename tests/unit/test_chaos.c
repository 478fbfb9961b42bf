/* The first allocation fails, then the second, and so on until all pass: each time the answer is ERR_NOMEM, nothing was
 * returned and (under the sanitizers) nothing leaks. */
#include "config.h"

#include "common/base64url.h"
#include "common/conf.h"
#include "common/text.h"
#include "common/wire.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>

static long countdown = -1; /* the allocation that fails; -1: none */

static int fails(void)
{
	return countdown > 0 && --countdown == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t k, size_t n);
void *__real_realloc(void *p, size_t n);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t k, size_t n);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strndup(const char *s, size_t n);

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t k, size_t n)
{
	return fails() ? NULL : __real_calloc(k, n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

static void until_it_passes(enum err (*body)(void *), void *arg, long least)
{
	enum err e = ERR_NOMEM;
	long n;

	for (n = 1; e == ERR_NOMEM; n++) {
		assert_true(n < 10000);
		countdown = n;
		e = body(arg);
		if (countdown == 0)
			assert_int_equal(e, ERR_NOMEM); /* it failed: it must be said */
	}
	countdown = -1;
	assert_int_equal(e, ERR_NONE);
	assert_true(n > least);
}

static enum err load(void *path)
{
	struct conf *c = NULL;
	struct errmsg m;
	enum err e = conf_load(path, &c, &m);

	assert_int_equal(c != NULL, e == ERR_NONE);
	conf_free(c);
	return e;
}

static void conf(void **state)
{
	static const char text[] =
	    "url = https://a.b:8443\norganisation = x\n[mail]\nfrom = a@b.co\n[web]\ntrusted_proxies = ::1\n";
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s", unit_path(*state, "kosmo.conf"));
	unit_write(path, text, sizeof text - 1);
	until_it_passes(load, path, 25);
}

static enum err write_message(void *arg)
{
	AUTO_BUF b = BUF_INIT;
	char name[16];

	(void)arg;
	wire_begin(&b, 1, "k");
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "f%d", i);
		wire_puti(&b, name, i);
	}
	return wire_end(&b);
}

static enum err texts(void *arg)
{
	static const char *const in[] = {"１２３", "Ｔａｒｏ", "ｔ＠ｅ．ｊｐ"};
	AUTO_BUF b = BUF_INIT;
	enum err e;

	(void)arg;
	e = text_code(in[0], strlen(in[0]), &b);
	if (e == ERR_NONE)
		e = text_login(in[1], strlen(in[1]), &b);
	if (e == ERR_NONE)
		e = text_email(in[2], strlen(in[2]), &b);
	return e;
}

static enum err encodings(void *arg)
{
	AUTO_BUF text = BUF_INIT, back = BUF_INIT;
	uint8_t p[200];

	(void)arg;
	memset(p, 7, sizeof p);
	base64url_encode(&text, p, sizeof p);
	base32_encode(&text, p, 0);
	return text.failed ? ERR_NOMEM : base64url_decode(&back, buf_str(&text), text.len);
}

static void wire(void **state)
{
	(void)state;
	until_it_passes(write_message, NULL, 5);
}

static void text(void **state)
{
	(void)state;
	until_it_passes(texts, NULL, 4);
}

static void base64url(void **state)
{
	(void)state;
	until_it_passes(encodings, NULL, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(conf, unit_folder, unit_folder_gone),
	    cmocka_unit_test(wire),
	    cmocka_unit_test(text),
	    cmocka_unit_test(base64url),
	};

	umask(022);
	return cmocka_run_group_tests_name("allocation failures", tests, NULL, NULL);
}
