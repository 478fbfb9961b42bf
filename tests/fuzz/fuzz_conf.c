/* kosmo.conf and, behind a line "---", a drop-in. What is taken and shown must be taken again and show the same. */
#include "config.h"

#include "common/buf.h"
#include "common/conf.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CUT "\n---\n"

static char dir[] = "/tmp/kosmo-fuzz.XXXXXX", file[64], drop_in[80];

static void clean(void)
{
	unlink(drop_in);
	unlink(file);
	*strrchr(drop_in, '/') = '\0';
	rmdir(drop_in);
	rmdir(dir);
}

static void prepare(void)
{
	umask(077);
	CHECK(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/k.conf", dir);
	snprintf(drop_in, sizeof drop_in, "%s.d", file);
	CHECK(mkdir(drop_in, 0700) == 0);
	snprintf(drop_in, sizeof drop_in, "%s.d/x.conf", file);
	atexit(clean);
}

static void put(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "we");

	CHECK(f && fwrite(p, 1, n, f) == n);
	CHECK(fclose(f) == 0);
}

static void show_all(const struct conf *c, struct buf *ret)
{
	char value[512];

	for (const struct conf_option *o = conf_options; o->name; o++) {
		conf_show(c, o, value, sizeof value);
		buf_addf(ret, "%s = %s\n", o->name, value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_BUF shown = BUF_INIT, again = BUF_INIT;
	struct conf *c = NULL;
	struct errmsg m = {0};
	const uint8_t *cut = n > 0 ? memmem(data, n, CUT, strlen(CUT)) : NULL;
	size_t first = cut ? (size_t)(cut - data) : n;

	if (!file[0])
		prepare();
	put(file, data, first);
	if (cut)
		put(drop_in, cut + strlen(CUT), n - first - strlen(CUT));
	if (conf_load(file, &c, &m) != ERR_NONE) {
		CHECK(!c && strstr(m.text, "k.conf"));
		unlink(drop_in);
		return 0;
	}
	unlink(drop_in);
	show_all(c, &shown);
	conf_free(c);
	put(file, shown.data, shown.len);
	if (conf_load(file, &c, &m) != ERR_NONE) {
		fprintf(stderr, "%s\n", m.text);
		abort();
	}
	show_all(c, &again);
	conf_free(c);
	CHECK(strcmp(buf_str(&shown), buf_str(&again)) == 0);
	return 0;
}
