/* The way back of `pam enable`. What must be known for it lies beside the stack, so that it outlives terminal, process
 * and machine:
 *
 *   SERVICE.before-kosmo   the file as it was
 *   .SERVICE.kosmo-undo    armed: until when, and by which login
 *   SERVICE.undone-kosmo   what was there when the old one came back
 *
 * The old file comes back when the time is over, at the first of: a waiting child, a systemd timer, the next boot
 * (kosmo-pam-undo.service), the next kosmoctl as root. */
#ifndef KOSMO_CTL_PAM_UNDO_H
#define KOSMO_CTL_PAM_UNDO_H

#include "common/err.h"
#include "ctl/login.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pam_undo {
	int64_t deadline_ms; /* CLOCK_BOOTTIME */
	char boot[40];	     /* of which boot */
	struct login by;
};

/* A file of the folder, whole, with NUL. It must be a plain file of root's (or, for another root, of ours) that nobody
 * else may write. *ret is malloc'd. */
enum err pam_undo_load(const char *folder, const char *name, char **ret, mode_t *ret_mode, struct errmsg *m);
/* Replaces a file of the folder in one step, on the disk when it returns. Owner: that of `like`, in the same folder. */
enum err pam_undo_store(const char *folder, const char *name, const char *like, const char *text, size_t n, mode_t mode,
			struct errmsg *m);

enum err pam_undo_arm(const char *folder, const char *service, int64_t ms, struct errmsg *m);
/* ERR_NOTFOUND: nothing is armed. */
enum err pam_undo_read(const char *folder, const char *service, struct pam_undo *ret, struct errmsg *m);
bool pam_undo_due(const struct pam_undo *u);
/* Brings the old file back and disarms. With only_due not before its time: ERR_BUSY then. */
enum err pam_undo_back(const char *folder, const char *service, bool only_due, struct errmsg *m);
enum err pam_undo_disarm(const char *folder, const char *service, struct errmsg *m);
/* Starts a process of its own session that waits until the time is over and then runs `done`. */
enum err pam_undo_wait(const char *folder, const char *service, int64_t ms,
		       void (*done)(void *arg, const char *service), void *arg, struct errmsg *m);
/* All that are due in the folder: their names, to fn. */
void pam_undo_each(const char *folder, void (*fn)(void *arg, const char *service), void *arg);

#endif
