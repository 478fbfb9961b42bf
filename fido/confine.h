/* Root opens the devices; what they say is read by nobody in particular, who can do nothing else. */
#ifndef KOSMO_FIDO_CONFINE_H
#define KOSMO_FIDO_CONFINE_H

#include "common/err.h"

/* Before anything else: limits of our own instead of the caller's, no core dump. */
enum err confine_limits(void);
/* For good: root becomes uid and gid CONFINE_ID without groups, whoever else stays who they are; no new privileges, no
 * file, no program, no socket, no system call but those that reading and writing open devices takes. What the kernel
 * does not have (Landlock, seccomp) is left out. Ends with the process that started us. ERR_INTERNAL: go no further. */
#define CONFINE_ID 65534 /* nobody, nogroup */
enum err confine_enter(void);

#endif
