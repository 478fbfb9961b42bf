/* Which login a process belongs to: whether a stack was proven by logging in through it. */
#ifndef KOSMO_CTL_LOGIN_H
#define KOSMO_CTL_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

struct login {
	int64_t audit; /* /proc/self/sessionid, which pam_loginuid gives each login; -1: none */
	int64_t sid, tty;
	int64_t ticks; /* when this was looked at, in the unit of /proc/PID/stat's starttime */
};

void login_now(struct login *ret);
/* NULL, or why this process does not prove that one can log in through the service since then. */
const char *login_same(const struct login *then, const char *service);

#endif
