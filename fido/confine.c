#include "config.h"

#include "common/sandbox.h"
#include "common/sandbox_parts.h"
#include "common/sanitized.h"
#include "fido/confine.h"
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The leak checker attaches to its own process. */
#define CONFINE_DUMPABLE ((long)SANITIZED)

/* Descriptors: the nodes and a few. Memory is not among them in a sanitized build, which maps terabytes. */
static const struct {
	rlim_t most;
	int what;
	bool sanitized; /* holds there too */
} confine_table[] = {
    {0, RLIMIT_CORE, true},	     {128, RLIMIT_NOFILE, true},
    {0, RLIMIT_FSIZE, false},	     {20, RLIMIT_CPU, false}, /* seconds; ten PINs take less than one */
    {256UL << 20, RLIMIT_AS, false},
};

enum err confine_limits(void)
{
	for (size_t i = 0; i < sizeof confine_table / sizeof *confine_table; i++) {
		struct rlimit r = {confine_table[i].most, confine_table[i].most}, now;

		if (SANITIZED && !confine_table[i].sanitized)
			continue;
		/* who is not root can only lower them */
		if (getrlimit(confine_table[i].what, &now) < 0)
			return ERR_INTERNAL;
		if (geteuid() != 0 && now.rlim_max < r.rlim_max)
			r.rlim_cur = r.rlim_max = now.rlim_max;
		if (setrlimit(confine_table[i].what, &r) < 0)
			return ERR_INTERNAL;
	}
	return prctl(PR_SET_DUMPABLE, CONFINE_DUMPABLE, 0L, 0L, 0L) < 0 ? ERR_INTERNAL : ERR_NONE;
}

static bool confine_ids(void)
{
	if (geteuid() != 0)
		return getuid() != 0;
	return setgroups(0, NULL) == 0 && setresgid(CONFINE_ID, CONFINE_ID, CONFINE_ID) == 0 &&
	       setresuid(CONFINE_ID, CONFINE_ID, CONFINE_ID) == 0 && setuid(0) < 0 && setgid(0) < 0;
}

enum err confine_enter(void)
{
	struct errmsg m;
	enum err e;

	/* the kernel forgets both when ids change */
	if (!confine_ids() || prctl(PR_SET_DUMPABLE, CONFINE_DUMPABLE, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_PDEATHSIG, (long)SIGKILL) < 0)
		return ERR_INTERNAL;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
		return ERR_INTERNAL;
	if (SANITIZED)
		return ERR_NONE;
	e = sandbox_files(NULL, 0, NULL, 0, &m);
	if (e != ERR_NONE && e != ERR_NOTFOUND)
		return e;
	e = sandbox_calls(SANDBOX_OF(SANDBOX_FIDO2), &m);
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}
