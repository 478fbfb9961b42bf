/* kosmoctl doctor: a table of checks that only look. Each finding says what was looked at, what is wrong and what to
 * do. It must work on what is broken, so each check bears a configuration, a key or a store that is not there. */
#ifndef KOSMO_CTL_DOCTOR_H
#define KOSMO_CTL_DOCTOR_H

#include "ctl/ctl.h"
#include "ctl/json.h"
#include <sys/stat.h>

enum doctor_state { DOCTOR_OK, DOCTOR_LEFT, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_STATES };

struct doctor {
	struct ctl *c;
	const char *root; /* --root: what stands before /etc, /lib and /run/systemd; "" otherwise */
	bool system;	  /* an installation with the users kosmo, kosmo-web and kosmo-mail, not a folder of its own */
	bool state_good;  /* state_dir and what is in it may be opened by its owner */
	const char *check;
	size_t n[DOCTOR_STATES];
	struct json json;
	char fix[1024]; /* the remedy of the next finding */
};

/* The remedy of the finding that is said next: a command where there is one. */
void doctor_fix(struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One finding. OK and LEFT (not looked at, and why) have no remedy. */
void doctor_say(struct doctor *d, enum doctor_state s, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What d says of a path, with --root before it; false when it is too long. ret: PATH_MAX bytes. */
bool doctor_path(const struct doctor *d, const char *path, char *ret);
/* Runs a program of the system with a clean environment for at most 5 s. Its output, cut to cap; its exit status, -1 if
 * it could not run or had to be ended. */
int doctor_command(const char *const *argv, char *ret, size_t cap);
/* A user's name, or "uid N". ret: 64 bytes. */
const char *doctor_user(uid_t uid, char *ret);

/* Whether the units of an installation run here. */
bool doctor_systemd(const struct doctor *d);
/* Part of doctor_mail: says only what is wrong. */
bool doctor_sendmail(struct doctor *d);

/* The checks, in the order of doctor.c's table. */
void doctor_conf(struct doctor *d);
void doctor_users(struct doctor *d);
void doctor_state_dir(struct doctor *d);
void doctor_folders(struct doctor *d);
void doctor_disk(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_mail(struct doctor *d);
void doctor_units(struct doctor *d);
void doctor_versions(struct doctor *d);
void doctor_sockets(struct doctor *d);
void doctor_site(struct doctor *d);
void doctor_module(struct doctor *d);
void doctor_pam(struct doctor *d);
void doctor_sshd(struct doctor *d);
/* As the owner of state_dir. */
void doctor_store(struct doctor *d);
void doctor_outbox(struct doctor *d);
void doctor_addresses(struct doctor *d);
void doctor_enrolment(struct doctor *d);
void doctor_mail_texts(struct doctor *d);
void doctor_terms(struct doctor *d);

#endif
