/* Options and commands: one table of options, from which parsing and --help both come. */
#ifndef KOSMO_CTL_ARGS_H
#define KOSMO_CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum args_option {
	OPT_CONF,
	OPT_HELP,
	OPT_VERSION,
	OPT_JSON,
	OPT_DIR,
	OPT_URL,
	OPT_SKIP_BAD,
	OPT_DRY_RUN,
	OPT_PASSWORDS,
	OPT_ALLOW,
	OPT_NAME,
	OPT_BIRTH,
	OPT_EMAIL,
	OPT_ROLE,
	OPT_LOCALE,
	OPT_PASSWORD_STDIN,
	OPT_ALL_UNFINISHED,
	OPT_FILE,
	OPT_REPLACE_OWN,
	OPT_YES,
	OPT_PERSON,
	OPT_LIMIT,
	OPT_VERIFY,
	OPT_HEAD,
	OPT_HEADS,
	OPT_FAILURE,
	OPT_ROOT,
	OPT_RHOST,
	OPT_STACK,
	OPT_WITH,
	OPT_MINUTES,
	OPT_FORCE,
	OPT_DUE,
	OPT_UNDO,
	OPT_EMAIL_OPTIONAL,
	OPT_ADDRESSES,
	OPT_RETRY,
	OPT_DROP,
	OPT_FORMER_EMAIL,
	OPT_LETTERS,
	OPT_UNFINISHED,
	OPT_PDF,
	OPT_CSV,
	OPT_LANG,
	OPT_SAMPLE,
	OPT_TEMPLATE,
	OPT__MAX
};
#define OPT_BIT(o)    (UINT64_C(1) << (o))
#define ARGS_ANYWHERE (OPT_BIT(OPT_CONF) | OPT_BIT(OPT_HELP) | OPT_BIT(OPT_VERSION))

#define ARGS_REPEAT_MAX 64

struct args {
	const char *value[OPT__MAX];	    /* NULL: not given; "": given, takes none */
	const char *allow[ARGS_REPEAT_MAX]; /* --allow-system-login, which may be repeated */
	size_t n_allow;
	char **word; /* what is no option, in order; points into the array given to args_parse */
	size_t n_word;
};

/* Takes options of the set `known` from argv[0..n) into *a and moves the other words to the front of argv. With
 * first_word it stops there and *ret_used says how many were taken. A complaint is written to why (512 bytes). */
bool args_parse(struct args *a, uint64_t known, char **argv, size_t n, bool first_word, size_t *ret_used, char *why);
/* The options of a set, one a line, for --help. */
void args_help(uint64_t known, FILE *f);
/* A whole number in [min, max]. */
bool args_number(const char *s, int64_t min, int64_t max, int64_t *ret);

#endif
