/* What the commands `pam ...` share. */
#ifndef KOSMO_CTL_PAM_COMMAND_H
#define KOSMO_CTL_PAM_COMMAND_H

#include "ctl/ctl.h"

#define PAM_FOLDER_MAX 4096

/* A service's name as it may stand in a path, or says what is wrong. */
bool pam_service_name(const char *name);
/* Root (or, with --root, whoever owns that tree) and the folder of stacks. CTL_OK or the exit status. */
enum ctl_exit pam_folder(const struct args *a, char ret[static PAM_FOLDER_MAX]);
/* Under systemd: the timer of `pam enable` is not needed any more. */
void pam_timer_stop(const struct args *a, const char *service);
/* An audit row, where there is a store that can be opened; else says that there is none. In a child: this process stays
 * root. */
void pam_audit(const struct ctl *c, const char *event, const char *service, bool quiet);

#endif
