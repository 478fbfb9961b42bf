/* The stack is not matched against known shapes: it is played through with each answer that the module can give. */
#include "config.h"

#include "ctl/pamcheck.h"
#include "keeper/policy.h"
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <security/pam_appl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 4, 5))) static void say(struct pamcheck *p, bool fail, const char *remedy,
						      const char *fmt, ...)
{
	char text[1024], fix[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (remedy)
		(void)snprintf(fix, sizeof fix, "%s", remedy);
	else
		(void)snprintf(fix, sizeof fix, "kosmoctl pam disable %s && kosmoctl pam enable %s", p->service,
			       p->service);
	p->n_fail += fail;
	p->found(p->arg, fail, text, fix);
}

/* ---- the file of the module ---- */

void pamcheck_module_path(const char *root, const char *module, char *ret)
{
	Dl_info lib;
	char real[PATH_MAX];
	if (*module == '/') {
		(void)snprintf(ret, PATH_MAX, "%s%s", root, module);
		return;
	}
	/* libpam's own folder, with security behind it, is what it was built to look in. */
	(void)snprintf(real, sizeof real, "/lib/security");
	if (dladdr((const void *)(uintptr_t)pam_start, &lib) && lib.dli_fname && strstr(lib.dli_fname, "/libpam.so"))
		(void)snprintf(real, sizeof real, "%.*s/security", (int)(strrchr(lib.dli_fname, '/') - lib.dli_fname),
			       lib.dli_fname);
	(void)snprintf(ret, PATH_MAX, "%s%.*s/%s", root, (int)(PATH_MAX / 2), real, module);
}

const char *pamcheck_file(const char *path, uid_t owner)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return errno == ENOENT ? "it is missing" : "it cannot be looked at";
	if (!S_ISREG(st.st_mode))
		return "it is no plain file";
	if (st.st_uid != 0 && st.st_uid != owner)
		return "it is not root's";
	return st.st_mode & 022 ? "others may write it" : NULL;
}

static void check_module(struct pamcheck *p, const struct pamconf_line *l)
{
	char path[PATH_MAX], fix[2 * PATH_MAX + 128];
	pamcheck_module_path(p->root, l->module, path);
	const char *wrong = pamcheck_file(path, *p->root ? geteuid() : 0);
	struct stat st;
	if (!wrong)
		return;
	if (stat(path, &st) < 0)
		(void)snprintf(fix, sizeof fix, "install pam_kosmo.so as %s", path);
	else
		(void)snprintf(fix, sizeof fix, "chown root: %s && chmod go-w %s", path, path);
	say(p, true, fix, "%s:%u: %s: %s", l->file, l->line, path, wrong);
}

/* ---- arguments ---- */

static bool arg_path(const char *v)
{
	return *v == '/';
}

static bool arg_uid(const char *v)
{
	return *v && strspn(v, "0123456789") == strlen(v) && strtoul(v, NULL, 10) < UINT32_MAX;
}

static bool arg_logins(const char *v)
{
	return *v && *v != ',' && v[strlen(v) - 1] != ',' && !strstr(v, ",,") && !strpbrk(v, " \t");
}

static bool arg_caller(const char *v)
{
	return strcmp(v, "caller") == 0;
}

/* The module's own; tests/check-man holds the names against pam/args.c. */
static const struct {
	const char *name;
	bool (*good)(const char *value);
} pamcheck_args[] = {
    {"conf=", arg_path},   {"socket=", arg_path},   {"uid_min=", arg_uid},
    {"also=", arg_logins}, {"person=", arg_caller}, {"fido2=", arg_path},
};
#define PAMCHECK_ARGS (sizeof pamcheck_args / sizeof *pamcheck_args)

/* Codes by mail where no mail goes out; and an option that changes nothing. */
static void check_mail(struct pamcheck *p, const struct pamconf_line *l, const struct policy_pam *policy)
{
	const struct conf *c = p->conf;
	if (!c || l->type != PAMCONF_AUTH)
		return;
	enum mailcode_policy mail = policy->mailcode_given ? policy->mailcode : mailcode_policy_of(c->mailcode_pam);
	if (policy->prompt_by_method && mail == MAILCODE_FORBIDDEN)
		say(p, false, "take it out, or let codes by mail in: mailcode= (pam_kosmo(8))",
		    "%s:%u: prompt_by_method=yes has no effect: codes by mail are forbidden here", l->file, l->line);
	if (mail != MAILCODE_FORBIDDEN && strcmp(c->mail_transport, "smtp") == 0 && !c->mail_from[0])
		say(p, false, "set mail.from (kosmo.conf(5)), or say mailcode=forbidden in that line",
		    "%s:%u: codes by mail are a way here, but mail.from is empty, and no mail goes out", l->file,
		    l->line);
}

/* A passkey in the password's place: the keeper refuses it where none is asked, and elsewhere the risk is said. */
static void check_alone(struct pamcheck *p, const struct pamconf_line *l, const struct policy_pam *policy)
{
	if (policy->passkey != POLICY_PASSKEY_ALONE)
		return;
	if (l->type == PAMCONF_PASSWORD || policy->password == POLICY_SKIP)
		say(p, true, "write passkey=allowed in that line; as it is it refuses every login",
		    "%s:%u: passkey=alone takes the place of a password that is not asked here", l->file, l->line);
	else if (l->type == PAMCONF_AUTH)
		say(p, false,
		    "write passkey=allowed in that line, unless you mean it (pam_kosmo(8), SECURITY CONSIDERATIONS)",
		    "%s:%u: passkey=alone: whoever knows a login can ask its owner for six digits, and needs nothing "
		    "else",
		    l->file, l->line);
}

static void check_args(struct pamcheck *p, const struct pamconf_line *l)
{
	struct wire_msg *m = calloc(1, sizeof *m);
	char name[WIRE_FIELDS][12];
	bool seen[PAMCHECK_ARGS] = {false};
	struct policy_pam policy;
	struct errmsg why = {""};
	if (!m)
		return;
	for (size_t i = 0; i < l->n_arg && m->n < WIRE_FIELDS; i++) {
		size_t k = 0;
		while (k < PAMCHECK_ARGS &&
		       strncmp(l->arg[i], pamcheck_args[k].name, strlen(pamcheck_args[k].name)) != 0)
			k++;
		if (k < PAMCHECK_ARGS) {
			if (seen[k] || !pamcheck_args[k].good(l->arg[i] + strlen(pamcheck_args[k].name)))
				say(p, true, "mend the argument (pam_kosmo(8)); it refuses every login",
				    "%s:%u: %s: %s", l->file, l->line, l->arg[i],
				    seen[k] ? "given twice" : "a bad value");
			seen[k] = true;
			continue;
		}
		(void)snprintf(name[m->n], sizeof name[0], "opt.%zu", m->n);
		m->field[m->n] = (struct wire_field){name[m->n], (const uint8_t *)l->arg[i], strlen(l->arg[i])};
		m->n++;
	}
	if (policy_pam_options(m, &policy, &why))
		say(p, true, "mend the argument (pam_kosmo(8)); it refuses every login", "%s:%u: %s", l->file, l->line,
		    why.text);
	else {
		check_mail(p, l, &policy);
		check_alone(p, l, &policy);
	}
	free(m);
}

static void check_instance(struct pamcheck *p, const struct pamconf_line *l)
{
	char want[PATH_MAX], fix[PATH_MAX + 64], real[PATH_MAX];
	const char *conf = pamconf_arg(l, "conf"), *sock = pamconf_arg(l, "socket");
	if (!p->conf)
		return;
	(void)snprintf(want, sizeof want, "%s/auth.sock", p->conf->run_dir);
	if (strcmp(sock ? sock : PAMCHECK_SOCKET, want) != 0) {
		(void)snprintf(fix, sizeof fix, "socket=%s in that line", want);
		say(p, true, fix, "%s:%u: the module asks at %s, and the keeper of %s is at %s", l->file, l->line,
		    sock ? sock : PAMCHECK_SOCKET, p->conf->file, want);
	}
	if (conf && strcmp(realpath(conf, real) ? real : conf, p->conf->file) != 0) {
		(void)snprintf(fix, sizeof fix, "conf=%s in that line, or leave conf= out", p->conf->file);
		say(p, true, fix, "%s:%u: conf=%s is not the file that the keeper runs on (%s)", l->file, l->line, conf,
		    p->conf->file);
	}
}

/* ---- the stack as a whole ---- */

struct suppose {
	int kosmo, caller; /* what pam_kosmo says, and with person=caller */
	int checks;	   /* what those say that ask for a secret */
};

/* Of a gate the worst: open where it must be passed, shut where passing it would be the end. */
static int answer(const struct pamconf_line *l, const void *arg)
{
	const struct suppose *s = arg;
	switch (pamconf_role(l)) {
	case PAMCONF_KOSMO:
		return pamconf_arg(l, "person") ? s->caller : s->kosmo;
	case PAMCONF_CHECKS:
		return s->checks;
	case PAMCONF_PERMITS:
		return PAM_SUCCESS;
	case PAMCONF_DENIES:
		return l->type == PAMCONF_AUTH ? PAM_AUTH_ERR : PAM_ACCT_EXPIRED;
	case PAMCONF_GATE:
		return pamconf_shortcut(l, PAM_SUCCESS) ? PAM_AUTH_ERR : PAM_SUCCESS;
	case PAMCONF_NEUTRAL:
		break;
	}
	return PAM_IGNORE;
}

static bool lets_in(const struct pamconf *c, enum pamconf_type t, int kosmo, int caller, int checks)
{
	const struct suppose s = {kosmo, caller, checks};
	return pamconf_run(c, t, answer, &s) == PAM_SUCCESS;
}

static bool skips(const struct pamconf *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const char *v = pamconf_is_kosmo(&c->line[i]) ? pamconf_arg(&c->line[i], "password") : NULL;
		if (c->line[i].type == PAMCONF_AUTH && v && strcmp(v, "skip") == 0)
			return true;
	}
	return false;
}

bool pamcheck_uses(const struct pamconf *p, enum pamconf_type type)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->line[i].type == type && pamconf_is_kosmo(&p->line[i]))
			return true;
	return false;
}

bool pamcheck_code_alone(const struct pamconf *p)
{
	return skips(p) && lets_in(p, PAMCONF_AUTH, PAM_SUCCESS, PAM_SUCCESS, PAM_AUTH_ERR);
}

static bool one_of(const char *service, const char *const *list)
{
	while (*list && strcmp(*list, service) != 0)
		list++;
	return *list;
}

static void check_auth(struct pamcheck *p)
{
	static const int says[] = {PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_USER_UNKNOWN, PAM_IGNORE};
	static const char *const console[] = {"login", "cron", "crond", "atd", "other", "systemd-user", NULL};
	const struct pamconf *c = p->stack;
	const bool skip = skips(c);
	const int exempt = skip ? PAM_IGNORE : PAM_USER_UNKNOWN;
	for (size_t i = 0; i < (skip ? 4U : 3U); i++) {
		bool open = lets_in(c, PAMCONF_AUTH, says[i], says[i], PAM_AUTH_ERR) ||
			    lets_in(c, PAMCONF_AUTH, exempt, says[i], PAM_AUTH_ERR);
		if (open)
			say(p, true, NULL, "%s: when pam_kosmo says %s, the stack lets in without any password",
			    p->service, pamconf_code(says[i]));
	}
	for (size_t i = 0; i < 2; i++)
		if (lets_in(c, PAMCONF_AUTH, says[i], says[i], PAM_SUCCESS))
			say(p, true, NULL,
			    "%s: when pam_kosmo says %s, another password alone lets in: the code is no condition",
			    p->service, pamconf_code(says[i]));
	if (pamcheck_code_alone(c) && strcmp(p->service, "sshd") != 0 &&
	    !(p->conf && policy_names(p->conf->pam_key_services, p->service)))
		say(p, true, NULL, "%s: a code alone lets in: password=skip, and nothing else asks for a password",
		    p->service);
	if (!lets_in(c, PAMCONF_AUTH, PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS))
		say(p, true, NULL, "%s: nobody gets in, even if everything is right", p->service);
	if (!lets_in(c, PAMCONF_AUTH, exempt, PAM_SUCCESS, PAM_SUCCESS))
		say(p, one_of(p->service, console), NULL,
		    "%s: root and the other accounts below uid_min have no way in: pam_kosmo says %s for them",
		    p->service, pamconf_code(exempt));
}

static void check_account(struct pamcheck *p)
{
	static const int says[] = {PAM_PERM_DENIED, PAM_ACCT_EXPIRED, PAM_AUTHINFO_UNAVAIL};
	static const char *const batch[] = {"cron", "crond", "atd", "systemd-user", NULL};
	for (size_t i = 0; i < sizeof says / sizeof *says; i++)
		if (lets_in(p->stack, PAMCONF_ACCOUNT, says[i], says[i], PAM_SUCCESS))
			say(p, true, NULL, "%s: account: when pam_kosmo says %s, the stack lets in all the same",
			    p->service, pamconf_code(says[i]));
	if (!lets_in(p->stack, PAMCONF_ACCOUNT, PAM_IGNORE, PAM_IGNORE, PAM_SUCCESS))
		say(p, true, NULL,
		    "%s: account: root and everyone else who is not the keeper's is refused (@include common-account "
		    "is "
		    "missing)",
		    p->service);
	if (one_of(p->service, batch))
		say(p, true, NULL, "%s: account: people's jobs stop whenever the keeper does", p->service);
}

void pamcheck_run(struct pamcheck *p)
{
	const bool auth = pamcheck_uses(p->stack, PAMCONF_AUTH), account = pamcheck_uses(p->stack, PAMCONF_ACCOUNT);
	for (size_t i = 0; i < p->stack->n; i++) {
		const struct pamconf_line *l = &p->stack->line[i];
		if (!pamconf_is_kosmo(l))
			continue;
		check_module(p, l);
		check_args(p, l);
		check_instance(p, l);
		if (strncmp(l->file, "common-", 7) == 0)
			say(p, false, "take it out of there and use it by service: kosmoctl pam enable SERVICE",
			    "%s:%u: in a common file it also stands before cron and every other service", l->file,
			    l->line);
	}
	if (auth)
		check_auth(p);
	if (account)
		check_account(p);
	if (auth && !account)
		say(p, false, NULL, "%s: no account line: expired people, and those with a key alone, are not stopped",
		    p->service);
	if (account && !auth)
		say(p, false, NULL, "%s: no auth line: nobody is asked for a code", p->service);
}

void pamcheck_sshd(struct pamcheck *p, const struct sshdconf *s)
{
	char methods[512];
	/* kosmoctl's undo brings back the stack, not sshd_config. */
	(void)snprintf(methods, sizeof methods,
		       "in sshd_config: AuthenticationMethods %skeyboard-interactive:pam\n%s%s",
		       pamcheck_code_alone(p->stack) ? "publickey," : "",
		       strcmp(s->value[SSHD_ROOT], "no") == 0 || strcmp(s->value[SSHD_ROOT], "yes") == 0
			   ? ""
			   : "which ends root's own logins by key; where they are needed, at the file's end:\n"
			     "\"Match User root\" and in the next line \"AuthenticationMethods publickey\"\n",
		       "then: systemctl reload ssh");
	bool auth = pamcheck_uses(p->stack, PAMCONF_AUTH);
	if (strcmp(s->value[SSHD_USEPAM], "yes") != 0)
		say(p, true, "in sshd_config: UsePAM yes\nthen: systemctl reload ssh",
		    "UsePAM %s: sshd does not ask PAM at all", s->value[SSHD_USEPAM]);
	if (!auth)
		return;
	if (strcmp(s->value[SSHD_KBDINT], "yes") != 0)
		say(p, true, "in sshd_config: KbdInteractiveAuthentication yes\nthen: systemctl reload ssh",
		    "KbdInteractiveAuthentication %s: the code can never be asked for", s->value[SSHD_KBDINT]);
	if (pamcheck_code_alone(p->stack) && !sshdconf_key_first(s))
		say(p, true, methods, "AuthenticationMethods %s: with password=skip a code alone logs in",
		    s->value[SSHD_METHODS]);
	else if (!sshdconf_all_pam(s))
		say(p, false, methods, "AuthenticationMethods %s: there is a way in without a code, a public key alone",
		    s->value[SSHD_METHODS]);
	if (sshdconf_password_way(s))
		say(p, false, "in sshd_config: PasswordAuthentication no\nthen: systemctl reload ssh",
		    "PasswordAuthentication yes: that method cannot carry the question for the code and always fails");
	if (strcmp(s->value[SSHD_ROOT], "yes") == 0)
		say(p, false, "in sshd_config: PermitRootLogin prohibit-password\nthen: systemctl reload ssh",
		    "PermitRootLogin yes: root is below uid_min and gets in with its password alone");
	if (strcmp(s->value[SSHD_USEDNS], "no") != 0)
		say(p, false, "in sshd_config: UseDNS no\nthen: systemctl reload ssh",
		    "UseDNS %s: limits and exemptions need the address, not a name", s->value[SSHD_USEDNS]);
	if (strtol(s->value[SSHD_TRIES], NULL, 10) < 3)
		say(p, false, "in sshd_config: MaxAuthTries 6\nthen: systemctl reload ssh",
		    "MaxAuthTries %s: keys that ssh offers count too; few will get to the code", s->value[SSHD_TRIES]);
	long grace = sshdconf_seconds(s->value[SSHD_GRACE]);
	if (grace != 0 && grace < 60)
		say(p, false, "in sshd_config: LoginGraceTime 120\nthen: systemctl reload ssh",
		    "LoginGraceTime %s: too short to look for a phone", s->value[SSHD_GRACE]);
	if (s->match[0])
		say(p, false, "sshd -T -C user=NAME,addr=ADDRESS shows what counts for one person",
		    "%s stands in a Match block, which is not looked into here", s->match);
}
