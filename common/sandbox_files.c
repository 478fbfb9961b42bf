/* Landlock, by its system calls: what a program may do with files, whom it may connect to, whom it may signal. */
#include "config.h"

#include "common/sandbox_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Younger than the headers of Debian 12. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP	(1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL		    (1ULL << 1)
#endif

#define RULE_FILE ((long)LANDLOCK_RULE_PATH_BENEATH)
#define RULE_PORT 2L /* LANDLOCK_RULE_NET_PORT */

/* The first version whose rules can allow a rename from one folder into another, which a Maildir needs. */
#define ABI_LEAST 2

/* As the kernel has them; these too have grown since. */
struct ruleset {
	uint64_t fs, net, scoped;
};

struct port_rule {
	uint64_t access, port;
};

static const struct {
	int abi; /* since */
	struct ruleset has;
} abis[] = {
    {2, {.fs = (LANDLOCK_ACCESS_FS_REFER << 1) - 1}},
    {3, {.fs = LANDLOCK_ACCESS_FS_TRUNCATE}},
    {4, {.net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP}},
    {5, {.fs = LANDLOCK_ACCESS_FS_IOCTL_DEV}},
    {6, {.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL}},
};

#define OF_FILES                                                                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                   \
	 LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

static const uint64_t accesses[] = {
    [SANDBOX_READ] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    [SANDBOX_WRITE] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE |
		      LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		      LANDLOCK_ACCESS_FS_REFER,
    [SANDBOX_UNLINK] = LANDLOCK_ACCESS_FS_REMOVE_FILE,
    [SANDBOX_DEVICE] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE,
};

static struct ruleset handled(long abi)
{
	struct ruleset r = {0};
	const char *notify = getenv("NOTIFY_SOCKET");

	for (size_t i = 0; i < sizeof abis / sizeof *abis; i++)
		if (abis[i].abi <= abi) {
			r.fs |= abis[i].has.fs;
			r.net |= abis[i].has.net;
			r.scoped |= abis[i].has.scoped;
		}
	if (notify && notify[0] == '@')
		r.scoped &= ~LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET;
	return r;
}

static enum err rule_file(int rules, const struct sandbox_file *f, uint64_t fs, struct errmsg *m)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = accesses[f->access] & fs};
	struct stat st;
	bool good;

	rule.parent_fd = open(f->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return ERR_NONE; /* nothing that could be used */
	good = rule.parent_fd >= 0 && fstat(rule.parent_fd, &st) == 0;
	if (good && !S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	/* a right that this kernel does not know is not needed either */
	good = good && (rule.allowed_access == 0 || syscall(SYS_landlock_add_rule, rules, RULE_FILE, &rule, 0L) == 0);
	if (!good)
		err_set(m, ERR_INTERNAL, "sandbox: Landlock: %s: %s", f->path, strerror(errno));
	if (rule.parent_fd >= 0)
		close(rule.parent_fd);
	return good ? ERR_NONE : ERR_INTERNAL;
}

enum err sandbox_files(const struct sandbox_file *files, size_t n, const uint16_t *ports, size_t n_ports,
		       struct errmsg *m)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1L /* LANDLOCK_CREATE_RULESET_VERSION */);
	struct ruleset has = handled(abi);
	enum err e = ERR_NONE;
	int rules;

	if (abi < ABI_LEAST)
		return ERR_NOTFOUND;
	rules = (int)syscall(SYS_landlock_create_ruleset, &has, sizeof has, 0L);
	if (rules < 0)
		return err_set(m, ERR_INTERNAL, "sandbox: Landlock: %s", strerror(errno));
	for (size_t i = 0; e == ERR_NONE && i < n; i++)
		e = rule_file(rules, &files[i], has.fs, m);
	for (size_t i = 0; e == ERR_NONE && has.net && i < n_ports; i++) {
		const struct port_rule rule = {LANDLOCK_ACCESS_NET_CONNECT_TCP, ports[i]};

		if (syscall(SYS_landlock_add_rule, rules, RULE_PORT, &rule, 0L) < 0)
			e = err_set(m, ERR_INTERNAL, "sandbox: Landlock: port %u: %s", ports[i], strerror(errno));
	}
	if (e == ERR_NONE && syscall(SYS_landlock_restrict_self, rules, 0L) < 0)
		e = err_set(m, ERR_INTERNAL, "sandbox: Landlock: %s", strerror(errno));
	close(rules);
	return e;
}
