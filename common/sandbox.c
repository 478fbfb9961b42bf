#include "config.h"

#include "common/paths.h"
#include "common/sandbox.h"
#include "common/sandbox_parts.h"
#include "common/sanitized.h"
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEEPER	SANDBOX_OF(SANDBOX_KEEPER)
#define ENROLLD SANDBOX_OF(SANDBOX_ENROLLD)
#define MAILER	SANDBOX_OF(SANDBOX_MAILER)
#define RELAY	SANDBOX_RELAY
#define MAILDIR SANDBOX_MAILDIR
#define ALL	(KEEPER | ENROLLD | MAILER)

#define PORT_DNS 53

/* Folders and not the files in them, where files are replaced while we run (passwd, resolv.conf). The keeper asks the
 * system's user database whom a peer's uid belongs to; the mailer resolves the relay's name and reads CA certificates.
 * Connecting to a Unix socket is no access to a file for Landlock. */
static const struct sandbox_path {
	unsigned who;
	enum sandbox_access access;
	const char *path; /* NULL: the option's value */
	size_t option;
} sandbox_paths[] = {
    {KEEPER, SANDBOX_WRITE, NULL, offsetof(struct conf, state_dir)},
    {KEEPER | ENROLLD, SANDBOX_READ, NULL, offsetof(struct conf, site_dir)},
    {MAILDIR, SANDBOX_WRITE, NULL, offsetof(struct conf, mail_maildir)},
    {RELAY, SANDBOX_READ, NULL, offsetof(struct conf, mail_smtp_ca_file)},
    {KEEPER | MAILER, SANDBOX_UNLINK, NULL, offsetof(struct conf, run_dir)},
    /* what is loaded late (libgcc_s, gconv, NSS), time zones, CA certificates, dictionaries */
    {ALL, SANDBOX_READ, "/usr/lib", 0},
    {ALL, SANDBOX_READ, "/usr/lib64", 0},
    {ALL, SANDBOX_READ, "/lib", 0},
    {ALL, SANDBOX_READ, "/lib64", 0},
    {ALL, SANDBOX_READ, "/usr/share", 0},
    {ALL, SANDBOX_READ, "/etc/ld.so.cache", 0},
    {ALL, SANDBOX_READ, "/etc/localtime", 0},
    {KEEPER | RELAY, SANDBOX_READ, "/etc", 0},
    {KEEPER | RELAY, SANDBOX_READ, "/run", 0},
    {RELAY, SANDBOX_READ, "/usr/local/share/ca-certificates", 0},
    {RELAY, SANDBOX_READ, "/var/lib/ca-certificates", 0},
    {KEEPER, SANDBOX_READ, "/var/lib/sss", 0},
    {KEEPER, SANDBOX_READ, "/var/lib/extrausers", 0},
    {KEEPER, SANDBOX_READ, "/var/cache/nscd", 0},
    {KEEPER, SANDBOX_READ, "/var/cache/cracklib", 0},
    {ALL, SANDBOX_READ, "/sys/devices/system/cpu", 0},
    {ALL, SANDBOX_READ, "/proc/sys/vm/overcommit_memory", 0},
    {ALL, SANDBOX_READ, "/dev/urandom", 0},
    {ALL, SANDBOX_DEVICE, "/dev/null", 0},
};

#define PATHS_MAX (sizeof sandbox_paths / sizeof *sandbox_paths)

/* Root without capabilities is a user like any other, to whom root's files belong. */
static bool drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	static const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].inheritable = 0; /* of no use without the others */
	if (memcmp(data, none, sizeof none) == 0)
		return true; /* a unit's filter may forbid the call */
	return syscall(SYS_capset, &head, none) == 0;
}

/* The relays' ports, and DNS for an answer that is too long for a datagram. */
static size_t relay_ports(const struct conf *conf, uint16_t ret[static CONF_RELAYS_MAX + 1])
{
	const char *list = conf->mail_smtp;
	char relay[512];
	size_t n = 0;

	ret[n++] = PORT_DNS;
	while (n <= CONF_RELAYS_MAX && conf_word(&list, relay, sizeof relay)) {
		const char *colon = strrchr(relay, ':');
		unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;

		if (port > 0 && port <= UINT16_MAX)
			ret[n++] = (uint16_t)port;
	}
	return n;
}

static void lacks(struct sandbox_lacks *l, const char *what)
{
	size_t n = strlen(l->text);

	snprintf(l->text + n, sizeof l->text - n, "%s%s", n ? ", " : "", what);
}

static enum err lock_files(unsigned who, const struct conf *conf, struct sandbox_lacks *l, struct errmsg *m)
{
	struct sandbox_file files[PATHS_MAX + 1];
	char catalogue[PATH_MAX];
	uint16_t ports[CONF_RELAYS_MAX + 1];
	size_t n = 0, n_ports = 0;
	enum err e;

	for (size_t i = 0; i < PATHS_MAX; i++) {
		const struct sandbox_path *p = &sandbox_paths[i];
		const char *path = p->path ? p->path : *(char *const *)(const void *)((const char *)conf + p->option);

		if ((p->who & who) && path[0] != '\0')
			files[n++] = (struct sandbox_file){path, p->access};
	}
	paths_find("po", LOCALEDIR, catalogue, sizeof catalogue);
	files[n++] = (struct sandbox_file){catalogue, SANDBOX_READ};
	if (who & RELAY)
		n_ports = relay_ports(conf, ports);
	e = sandbox_files(files, n, ports, n_ports, m);
	if (e != ERR_NOTFOUND)
		return e;
	lacks(l, "Landlock");
	return ERR_NONE;
}

enum err sandbox_enter(enum sandbox_program program, const struct conf *conf, struct sandbox_lacks *ret_lacks,
		       struct errmsg *m)
{
	unsigned who = SANDBOX_OF(program);
	struct sandbox_lacks l = {""};
	enum err e;

	if (program == SANDBOX_MAILER)
		who |= strcmp(conf->mail_transport, "smtp") == 0      ? RELAY
		       : strcmp(conf->mail_transport, "maildir") == 0 ? MAILDIR
								      : 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
		return err_set(m, ERR_INTERNAL, "sandbox: no_new_privs: %s", strerror(errno));
	if (!drop_capabilities())
		return err_set(m, ERR_INTERNAL, "sandbox: capabilities: %s", strerror(errno));
	if (SANITIZED) { /* its checkers attach to the process and open what they like */
		lacks(&l, "Landlock, seccomp (but a sanitizer)");
		*ret_lacks = l;
		return ERR_NONE;
	}
	e = lock_files(who, conf, &l, m);
	if (e != ERR_NONE)
		return e;
	e = sandbox_calls(who, m);
	if (e == ERR_NOTFOUND) {
		lacks(&l, "seccomp");
		e = ERR_NONE;
	}
	if (e == ERR_NONE)
		*ret_lacks = l;
	return e;
}
