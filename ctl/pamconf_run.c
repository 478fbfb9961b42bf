/* What a stack answers: libpam's dispatcher (_pam_dispatch_aux of Linux-PAM 1.5), over answers that are supposed. */
#include "config.h"

#include "ctl/pamconf.h"
#include <ctype.h>
#include <limits.h>
#include <security/_pam_types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DO_IGNORE = 0, DO_OK = -1, DO_DONE = -2, DO_BAD = -3, DO_DIE = -4, DO_RESET = -5, DO_NOTHING = -6 };

/* pam.d(5)'s names of return values. */
static const struct {
	const char *word, *name;
	int code;
} pamconf_codes[] = {
    {"success", "PAM_SUCCESS", PAM_SUCCESS},
    {"open_err", "PAM_OPEN_ERR", PAM_OPEN_ERR},
    {"symbol_err", "PAM_SYMBOL_ERR", PAM_SYMBOL_ERR},
    {"service_err", "PAM_SERVICE_ERR", PAM_SERVICE_ERR},
    {"system_err", "PAM_SYSTEM_ERR", PAM_SYSTEM_ERR},
    {"buf_err", "PAM_BUF_ERR", PAM_BUF_ERR},
    {"perm_denied", "PAM_PERM_DENIED", PAM_PERM_DENIED},
    {"auth_err", "PAM_AUTH_ERR", PAM_AUTH_ERR},
    {"cred_insufficient", "PAM_CRED_INSUFFICIENT", PAM_CRED_INSUFFICIENT},
    {"authinfo_unavail", "PAM_AUTHINFO_UNAVAIL", PAM_AUTHINFO_UNAVAIL},
    {"user_unknown", "PAM_USER_UNKNOWN", PAM_USER_UNKNOWN},
    {"maxtries", "PAM_MAXTRIES", PAM_MAXTRIES},
    {"new_authtok_reqd", "PAM_NEW_AUTHTOK_REQD", PAM_NEW_AUTHTOK_REQD},
    {"acct_expired", "PAM_ACCT_EXPIRED", PAM_ACCT_EXPIRED},
    {"session_err", "PAM_SESSION_ERR", PAM_SESSION_ERR},
    {"cred_unavail", "PAM_CRED_UNAVAIL", PAM_CRED_UNAVAIL},
    {"cred_expired", "PAM_CRED_EXPIRED", PAM_CRED_EXPIRED},
    {"cred_err", "PAM_CRED_ERR", PAM_CRED_ERR},
    {"no_module_data", "PAM_NO_MODULE_DATA", PAM_NO_MODULE_DATA},
    {"conv_err", "PAM_CONV_ERR", PAM_CONV_ERR},
    {"authtok_err", "PAM_AUTHTOK_ERR", PAM_AUTHTOK_ERR},
    {"authtok_recover_err", "PAM_AUTHTOK_RECOVERY_ERR", PAM_AUTHTOK_RECOVERY_ERR},
    {"authtok_lock_busy", "PAM_AUTHTOK_LOCK_BUSY", PAM_AUTHTOK_LOCK_BUSY},
    {"authtok_disable_aging", "PAM_AUTHTOK_DISABLE_AGING", PAM_AUTHTOK_DISABLE_AGING},
    {"try_again", "PAM_TRY_AGAIN", PAM_TRY_AGAIN},
    {"ignore", "PAM_IGNORE", PAM_IGNORE},
    {"abort", "PAM_ABORT", PAM_ABORT},
    {"authtok_expired", "PAM_AUTHTOK_EXPIRED", PAM_AUTHTOK_EXPIRED},
    {"module_unknown", "PAM_MODULE_UNKNOWN", PAM_MODULE_UNKNOWN},
    {"bad_item", "PAM_BAD_ITEM", PAM_BAD_ITEM},
    {"conv_again", "PAM_CONV_AGAIN", PAM_CONV_AGAIN},
    {"incomplete", "PAM_INCOMPLETE", PAM_INCOMPLETE},
};
#define PAMCONF_CODES (sizeof pamconf_codes / sizeof *pamconf_codes)

static const struct {
	const char *word, *means;
} pamconf_controls[] = {
    {"required", "success=ok new_authtok_reqd=ok ignore=ignore default=bad"},
    {"requisite", "success=ok new_authtok_reqd=ok ignore=ignore default=die"},
    {"sufficient", "success=done new_authtok_reqd=done default=ignore"},
    {"optional", "success=ok new_authtok_reqd=ok default=ignore"},
};

static const struct {
	const char *word;
	int action;
} pamconf_actions[] = {
    {"ignore", DO_IGNORE}, {"ok", DO_OK}, {"done", DO_DONE}, {"bad", DO_BAD}, {"die", DO_DIE}, {"reset", DO_RESET},
};

const char *pamconf_code(int code)
{
	for (size_t i = 0; i < PAMCONF_CODES; i++)
		if (pamconf_codes[i].code == code)
			return pamconf_codes[i].name;
	return "a code that pam(3) does not know";
}

/* An action at *p, moved behind it; false if libpam would not understand it. */
static bool pamconf_action(const char **p, int *ret)
{
	for (size_t i = 0; i < sizeof pamconf_actions / sizeof *pamconf_actions; i++) {
		size_t n = strlen(pamconf_actions[i].word);
		if (strncmp(*p, pamconf_actions[i].word, n) == 0) {
			*ret = pamconf_actions[i].action;
			*p += n;
			return true;
		}
	}
	char *end;
	long jump = isdigit((unsigned char)**p) ? strtol(*p, &end, 10) : 0;
	if (jump <= 0 || jump > INT_MAX)
		return false;
	*ret = (int)jump;
	*p = end;
	return true;
}

/* "NAME = ACTION" at *p, moved behind it: index of the code, PAMCONF_CODES for default, -1 if it is none. */
static int pamconf_rule(const char **p, int *ret_action)
{
	size_t i = 0, n = 0;
	for (; i <= PAMCONF_CODES; i++) {
		const char *word = i < PAMCONF_CODES ? pamconf_codes[i].word : "default";
		n = strlen(word);
		if (strncmp(*p, word, n) == 0)
			break;
	}
	if (i > PAMCONF_CODES)
		return -1;
	*p += n;
	*p += strspn(*p, " \t");
	if (*(*p)++ != '=')
		return -1;
	*p += strspn(*p, " \t");
	return pamconf_action(p, ret_action) ? (int)i : -1;
}

/* What a line's control makes of each code. A code without a rule is "bad", and all are where libpam does not
 * understand the control. */
static void pamconf_rules(const struct pamconf_line *l, int ret[static PAMCONF_CODES])
{
	const char *p = l->control;
	int fallback = DO_NOTHING, action = DO_BAD;
	for (size_t i = 0; i < sizeof pamconf_controls / sizeof *pamconf_controls; i++)
		if (strcasecmp(p, pamconf_controls[i].word) == 0)
			p = pamconf_controls[i].means;
	for (size_t i = 0; i < PAMCONF_CODES; i++)
		ret[i] = DO_NOTHING;
	for (p += strspn(p, " \t"); *p; p += strspn(p, " \t")) {
		int code = pamconf_rule(&p, &action);
		if (code == (int)PAMCONF_CODES && fallback == DO_NOTHING)
			fallback = action;
		else if (code >= 0 && code < (int)PAMCONF_CODES)
			ret[code] = action;
		if (code >= 0)
			continue;
		for (size_t i = 0; i < PAMCONF_CODES; i++)
			ret[i] = DO_BAD;
		break;
	}
	for (size_t i = 0; i < PAMCONF_CODES; i++)
		if (ret[i] == DO_NOTHING)
			ret[i] = fallback == DO_NOTHING ? DO_BAD : fallback;
}

static int pamconf_does(const struct pamconf_line *l, int code)
{
	int rule[PAMCONF_CODES];
	pamconf_rules(l, rule);
	for (size_t i = 0; i < PAMCONF_CODES; i++)
		if (pamconf_codes[i].code == code)
			return rule[i];
	return DO_BAD;
}

bool pamconf_jumps(const struct pamconf_line *l)
{
	int rule[PAMCONF_CODES];
	bool jumps = false;
	pamconf_rules(l, rule);
	for (size_t i = 0; i < PAMCONF_CODES; i++)
		jumps |= rule[i] > 0;
	return jumps;
}

bool pamconf_shortcut(const struct pamconf_line *l, int code)
{
	int action = pamconf_does(l, code);
	return action == DO_DONE || action > 0;
}

struct pamconf_state {
	enum { UNDECIDED, POSITIVE, NEGATIVE } impression;
	int status;
};

static void pamconf_good(struct pamconf_state *s, int code)
{
	if (s->impression == UNDECIDED || (s->impression == POSITIVE && s->status == PAM_SUCCESS)) {
		s->impression = POSITIVE;
		s->status = code;
	}
}

static void pamconf_bad(struct pamconf_state *s, int code)
{
	if (s->impression != NEGATIVE) {
		s->impression = NEGATIVE;
		s->status = code == PAM_IGNORE ? PAM_PERM_DENIED : code;
	}
}

int pamconf_run(const struct pamconf *p, enum pamconf_type type, pamconf_answer answer, const void *arg)
{
	struct pamconf_state s = {UNDECIDED, PAM_PERM_DENIED};
	struct pamconf_state entered[PAMCONF_NESTED]; /* of each depth: what a reset within goes back to */
	size_t skip = 0;
	unsigned skip_depth = 0, over_depth = 0;
	bool over = false, skipping = false;
	for (size_t i = 0; i < p->n; i++) {
		const struct pamconf_line *l = &p->line[i];
		if (l->type != type)
			continue;
		if (over && l->depth >= over_depth)
			continue;
		over = false;
		if (skipping && l->depth > skip_depth) /* a substack counts as one */
			continue;
		skipping = skip > 0;
		if (skip && l->depth == skip_depth) {
			skip--;
			continue;
		}
		if (skip) /* out of its substack: libpam refuses, below */
			break;
		if (l->substack) {
			if (l->depth < PAMCONF_NESTED)
				entered[l->depth] = s;
			continue;
		}
		int code = answer(l, arg), action = pamconf_does(l, code);
		if (action == DO_OK || action == DO_DONE)
			pamconf_good(&s, code);
		else if (action == DO_BAD || action == DO_DIE)
			pamconf_bad(&s, code);
		else if (action == DO_RESET)
			s = l->depth ? entered[l->depth - 1] : (struct pamconf_state){UNDECIDED, PAM_PERM_DENIED};
		else if (action > 0)
			skip = (size_t)action, skip_depth = l->depth, skipping = true;
		over = (action == DO_DONE && s.impression == POSITIVE) || action == DO_DIE;
		over_depth = l->depth;
	}
	if (skip) /* a jump behind the end: libpam refuses */
		return PAM_PERM_DENIED;
	return s.status == PAM_SUCCESS && s.impression != POSITIVE ? PAM_PERM_DENIED : s.status;
}

enum pamconf_role pamconf_role(const struct pamconf_line *l)
{
	static const struct {
		const char *names;
		enum pamconf_role role;
	} known[] = {
	    {" kosmo ", PAMCONF_KOSMO},
	    {" permit ", PAMCONF_PERMITS},
	    {" deny ", PAMCONF_DENIES},
	    {" nologin securetty shells access time listfile succeed_if wheel rootok faillock tally2 localuser ",
	     PAMCONF_GATE},
	    {" env faildelay limits mail motd lastlog loginuid keyinit selinux umask mkhomedir cap group issue echo "
	     "warn "
	     "debug gnome_keyring kwallet kwallet5 systemd namespace xauth apparmor setquota ",
	     PAMCONF_NEUTRAL},
	};
	const char *slash = strrchr(l->module, '/'), *name = slash ? slash + 1 : l->module;
	char word[64];
	size_t n = strlen(name);
	if (l->substack)
		return PAMCONF_NEUTRAL;
	if (n < 8 || strncmp(name, "pam_", 4) != 0 || strcmp(name + n - 3, ".so") != 0)
		return PAMCONF_CHECKS;
	(void)snprintf(word, sizeof word, " %.*s ", (int)(n - 7), name + 4);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(known[i].names, word))
			return known[i].role;
	return PAMCONF_CHECKS;
}
