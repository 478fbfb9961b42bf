/* Files that doctor and `pam enable` read, as root, from wherever --root or --file points: a PAM stack, which is then
 * played through with every answer of the module, and an sshd_config. The same bytes give the same findings twice. */
#include "config.h"

#include "ctl/pamcheck.h"
#include "tests/fuzz/fuzz.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void root_remove(void)
{
	static const char *const name[] = {
	    "/etc/pam.d/kosmo", "/etc/ssh/sshd_config", "/etc/pam.d", "/etc/ssh", "/etc", ""};
	for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof path, "%s%s", root, name[i]);
		(void)remove(path);
	}
}

static void root_make(void)
{
	static const char *const name[] = {"/etc", "/etc/pam.d", "/etc/ssh"};
	strcpy(root, "/tmp/kosmo-fuzz-XXXXXX");
	CHECK(mkdtemp(root));
	atexit(root_remove);
	for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof path, "%s%s", root, name[i]);
		CHECK(mkdir(path, 0755) == 0);
	}
}

static void put(const char *name, const uint8_t *data, size_t n)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s%s", root, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
}

static void found(void *arg, bool fail, const char *text, const char *remedy)
{
	uint64_t *sum = arg;
	CHECK(text[0] && remedy[0]);
	for (const char *s = text; *s; s++)
		*sum = (*sum ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	*sum += fail;
}

static uint64_t look(void)
{
	char folder[PATH_MAX];
	struct pamconf stack = {0};
	struct sshdconf sshd;
	struct errmsg m = {""};
	uint64_t sum = 1;
	snprintf(folder, sizeof folder, "%s/etc/pam.d", root);
	enum err e = pamconf_read(folder, "kosmo", &stack, &m);
	CHECK(!e || m.text[0]);
	struct pamcheck p = {.root = root, .service = "kosmo", .stack = &stack, .found = found, .arg = &sum};
	if (!e)
		pamcheck_run(&p);
	if (sshdconf_read(root, &sshd) && !e)
		pamcheck_sshd(&p, &sshd);
	pamconf_free(&stack);
	return sum + e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t up[2] = {'.', '.'};
	if (n > 4096 || memmem(data, n, up, sizeof up)) /* no files but ours */
		return 0;
	if (!root[0])
		root_make();
	put("/etc/pam.d/kosmo", data, n);
	put("/etc/ssh/sshd_config", data, n);
	uint64_t first = look();
	CHECK(look() == first);
	return 0;
}
