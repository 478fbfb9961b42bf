/* Does whoever is logging in sit in front of this machine? By what root's program and the kernel say, never by the
 * environment. */
#ifndef KOSMO_PAM_SEAT_H
#define KOSMO_PAM_SEAT_H

#include <stdbool.h>

#define SEAT_SESSION "/proc/self/sessionid"  /* of the kernel's audit: nobody but root changes it */
#define SEAT_FOLDER  "/run/systemd/sessions" /* what systemd-logind knows of sessions */

/* PAM_RHOST and PAM_TTY; NULL: unset. A virtual console or an X display; or a pseudo-terminal (or none) in a session
 * that logind calls local, active and at a seat. */
bool seat_local(const char *rhost, const char *tty);
/* The parts, for tests. */
bool seat_console(const char *tty);
bool seat_session(const char *session_file, const char *folder);

#endif
