/* What every command of kosmoctl stands on: the instance it works on, its transactions, its words and its exit status.
 */
#ifndef KOSMO_CTL_H
#define KOSMO_CTL_H

#include "common/conf.h"
#include "ctl/args.h"
#include "keeper/store/store.h"
#include <limits.h>
#include <signal.h>

/* kosmoctl(8) and --help document these. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,	  /* the store, a file or the configuration failed */
	CTL_USAGE = 2,	  /* the command line is wrong */
	CTL_INPUT = 3,	  /* what was given is at fault: bad lines, no such person, login taken; nothing was done */
	CTL_BUSY = 4,	  /* somebody else is at it: try again later */
	CTL_TEMPFAIL = 75 /* mail bounce's alone: EX_TEMPFAIL of sysexits.h, so that the mail server asks again */
};

struct ctl {
	const char *conf_path;
	bool json;
	struct conf *conf;
	struct seal *seal;
	struct store *st;
	uid_t admin; /* who typed the command: audit rows name them */
	bool in_tx;
	sigset_t before_tx;
};

struct ctl_command {
	const char *name;  /* "user add" */
	const char *words; /* what follows the options, for the usage line */
	const char *summary;
	uint64_t options;
	size_t min_words, max_words;
	enum ctl_exit (*run)(struct ctl *c, const struct args *a);
};

/* One line on stderr, "kosmoctl: ...". */
void ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Says m (or err_text(e) where it is empty) with what it was about in front, and chooses the exit status: CTL_BUSY for
 * ERR_BUSY and ERR_TIMEOUT, else CTL_FAILED. */
enum ctl_exit ctl_failed(enum err e, const char *what, const struct errmsg *m);
/* The same for something typed: CTL_INPUT. */
enum ctl_exit ctl_input(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
enum ctl_exit ctl_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* In this order: ctl_conf; the command's own files; ctl_store, which becomes the owner of state_dir first. Both say
 * what is wrong. CTL_OK or the exit status. */
enum ctl_exit ctl_conf(struct ctl *c);
enum ctl_exit ctl_store(struct ctl *c);
/* ctl_store without its last step: the owner, the key, and where the database is. */
enum ctl_exit ctl_key(struct ctl *c, char ret_db[static PATH_MAX]);
/* One import, and one run of letters, at a time: an import drops what looks like a dead batch, and no letter is printed
 * twice. The lock ends with the process. */
enum ctl_exit ctl_lock(struct ctl *c);
void ctl_close(struct ctl *c);

/* One short write transaction, with SIGINT, SIGTERM, SIGHUP and SIGTSTP held back until it is over: nobody's Ctrl-Z
 * freezes logins. Nothing may be printed and nothing slow computed within. ctl_rollback is always safe. */
enum err ctl_begin(struct ctl *c);
enum err ctl_commit(struct ctl *c);
void ctl_rollback(struct ctl *c);
/* [tx] An audit row of door "ctl"; its detail begins with who did it. person NULL: nobody. */
enum err ctl_audit(struct ctl *c, const struct id *person, const char *event, const char *detail);

/* Holds those signals back, and lets them through again, around what has a transaction of its own. */
void ctl_hold(sigset_t *ret_before);
void ctl_release(const sigset_t *before);

/* From now on SIGINT, SIGTERM and SIGHUP set a mark instead of ending the process. */
void ctl_catch_stop(void);
bool ctl_stopped(void);

/* The canonical login of a word; says what is wrong and returns false otherwise. ret: LOGIN_MAX + 1 bytes. */
bool ctl_login(const char *word, char ret[static LOGIN_MAX + 1]);

/* "2025-01-31T09:00:00Z" (JSON) and "2025-01-31 18:00:00" in local time; "" and "-" for 0. */
void ctl_time_utc(int64_t t, char ret[static 32]);
void ctl_time_local(int64_t t, char ret[static 32]);

#endif
