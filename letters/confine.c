#include "config.h"

#include "common/sandbox.h"
#include "common/sandbox_parts.h"
#include "common/sanitized.h"
#include "letters/confine.h"
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CONFINE_ID 65534

static const struct sandbox_file confine_files[] = {
    {"/usr/share", SANDBOX_READ},	{"/usr/local/share", SANDBOX_READ},
    {"/usr/lib", SANDBOX_READ},		{"/lib", SANDBOX_READ},
    {"/lib64", SANDBOX_READ},		{"/usr/lib64", SANDBOX_READ},
    {"/etc/fonts", SANDBOX_READ},	{"/etc/alternatives", SANDBOX_READ},
    {"/etc/ld.so.cache", SANDBOX_READ}, {"/var/cache/fontconfig", SANDBOX_READ},
    {"/var/lib/defoma", SANDBOX_READ},	{"/dev/null", SANDBOX_DEVICE},
    {"/dev/urandom", SANDBOX_READ},
};

static bool confine_ids(void)
{
	if (geteuid() != 0)
		return getuid() != 0;
	return setgroups(0, NULL) == 0 && setresgid(CONFINE_ID, CONFINE_ID, CONFINE_ID) == 0 &&
	       setresuid(CONFINE_ID, CONFINE_ID, CONFINE_ID) == 0 && setuid(0) < 0 && setgid(0) < 0;
}

enum err confine_enter(struct errmsg *m)
{
	if (!confine_ids())
		return err_set(m, ERR_INTERNAL, "cannot become nobody: %s", strerror(errno));
	/* the kernel forgets both when ids change */
	if (prctl(PR_SET_DUMPABLE, (long)SANITIZED, 0L, 0L, 0L) < 0 || prctl(PR_SET_PDEATHSIG, (long)SIGKILL) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
		return err_set(m, ERR_INTERNAL, "prctl: %s", strerror(errno));
	if (SANITIZED)
		return ERR_NONE;
	enum err e = sandbox_files(confine_files, sizeof confine_files / sizeof *confine_files, NULL, 0, m);
	if (e != ERR_NONE && e != ERR_NOTFOUND)
		return e;
	e = sandbox_calls(SANDBOX_OF(SANDBOX_LETTERS), m);
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}
