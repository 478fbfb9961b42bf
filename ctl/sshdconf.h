/* What sshd_config says of the things that pam_kosmo rests on. */
#ifndef KOSMO_CTL_SSHDCONF_H
#define KOSMO_CTL_SSHDCONF_H

#include <stdbool.h>

enum sshdconf_word {
	SSHD_USEPAM,
	SSHD_KBDINT,
	SSHD_PASSWORD,
	SSHD_METHODS,
	SSHD_ROOT,
	SSHD_USEDNS,
	SSHD_TRIES,
	SSHD_GRACE,
	SSHD_WORDS
};

struct sshdconf {
	char value[SSHD_WORDS][256]; /* in small letters; OpenSSH's preset where nothing is said */
	char match[160];	     /* "FILE:LINE: WORD" of the first of these words in a Match block, or "" */
	bool asked;		     /* sshd -T said it; else the files were read */
};

/* Reads ROOT/etc/ssh/sshd_config with what it includes; without a root, and as root, asks sshd -T too. False: there is
 * no such file. */
bool sshdconf_read(const char *root, struct sshdconf *ret);

/* Seconds of LoginGraceTime, "2m" or "120". */
long sshdconf_seconds(const char *s);
/* AuthenticationMethods: does every way in ask the PAM auth stack (keyboard-interactive)? */
bool sshdconf_all_pam(const struct sshdconf *c);
/* Does every way in that asks it check a public key before? */
bool sshdconf_key_first(const struct sshdconf *c);
/* Can the method `password` be used at all? */
bool sshdconf_password_way(const struct sshdconf *c);

#endif
