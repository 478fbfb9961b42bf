/* The module, the stacks of /etc/pam.d and sshd's configuration. */
#include "config.h"

#include "ctl/doctor.h"
#include "ctl/pam_undo.h"
#include "ctl/pamcheck.h"
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uid_t pam_owner(const struct doctor *d)
{
	return *d->root ? geteuid() : 0;
}

void doctor_module(struct doctor *d)
{
	char path[PATH_MAX];
	pamcheck_module_path(d->root, "pam_kosmo.so", path);
	const char *wrong = pamcheck_file(path, pam_owner(d));
	if (!wrong) {
		doctor_say(d, DOCTOR_OK, "%s", path);
		return;
	}
	if (access(path, F_OK) < 0) {
		/* A stack that names it says so itself, as a failure. */
		doctor_fix(d, "install it there: configure --libdir=/usr/lib/$(gcc -print-multiarch), make install");
		doctor_say(d, DOCTOR_WARN, "%s: %s; that is where libpam looks", path, wrong);
		return;
	}
	doctor_fix(d, "chown root: %s && chmod go-w %s", path, path);
	doctor_say(d, DOCTOR_FAIL, "%s: %s, and every login runs it as root", path, wrong);
}

static void pam_found(void *arg, bool fail, const char *text, const char *remedy)
{
	struct doctor *d = arg;
	doctor_fix(d, "%s", remedy);
	doctor_say(d, fail ? DOCTOR_FAIL : DOCTOR_WARN, "%s", text);
}

/* Not what editors, dpkg and `pam enable` leave there; and common-* are no services. */
static int pam_service(const struct dirent *f)
{
	size_t n = strlen(f->d_name);
	return f->d_name[0] != '.' && f->d_name[n - 1] != '~' && strncmp(f->d_name, "common-", 7) != 0 &&
	       !strchr(f->d_name, '.');
}

/* Returns whether pam_kosmo is in it. */
static bool pam_one(struct doctor *d, const char *folder, const char *service)
{
	struct errmsg m = {""};
	struct pamconf stack;
	char path[PATH_MAX + 300];
	enum err e = pamconf_read(folder, service, &stack, &m);
	bool uses = pamcheck_uses(&stack, PAMCONF_AUTH) || pamcheck_uses(&stack, PAMCONF_ACCOUNT);
	if (e) {
		doctor_fix(d, "mend that line, or put the file of the package back");
		doctor_say(d, uses ? DOCTOR_FAIL : DOCTOR_WARN, "%s: %s", service, m.text[0] ? m.text : err_text(e));
	} else if (uses) {
		struct pamcheck p = {.root = d->root,
				     .conf = d->c->conf,
				     .service = service,
				     .stack = &stack,
				     .found = pam_found,
				     .arg = d};
		size_t before = d->n[DOCTOR_FAIL] + d->n[DOCTOR_WARN];
		pamcheck_run(&p);
		(void)snprintf(path, sizeof path, "%s/%s", folder, service);
		const char *wrong = pamcheck_file(path, pam_owner(d));
		if (wrong) {
			doctor_fix(d, "chown root: %s && chmod go-w %s", path, path);
			doctor_say(d, DOCTOR_FAIL, "%s: %s", path, wrong);
		}
		if (before == d->n[DOCTOR_FAIL] + d->n[DOCTOR_WARN])
			doctor_say(d, DOCTOR_OK, "%s: asks pam_kosmo, and refuses when it refuses", service);
	}
	pamconf_free(&stack);
	return uses;
}

static void pam_armed(void *arg, const char *service)
{
	struct doctor *d = arg;
	doctor_fix(d, "kosmoctl pam confirm %s, from a login through it that began since", service);
	doctor_say(d, DOCTOR_WARN, "%s waits for a confirmation: the old file comes back soon", service);
}

void doctor_pam(struct doctor *d)
{
	char folder[PATH_MAX];
	struct dirent **list;
	bool some = false;
	int n = doctor_path(d, "/etc/pam.d", folder) ? scandir(folder, &list, pam_service, alphasort) : -1;
	if (n < 0) {
		doctor_fix(d, "apt-get install libpam-runtime");
		doctor_say(d, DOCTOR_FAIL, "%s cannot be read", folder);
		return;
	}
	for (int i = 0; i < n; i++) {
		some |= pam_one(d, folder, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	pam_undo_each(folder, pam_armed, d);
	if (!some)
		doctor_say(d, DOCTOR_LEFT, "no service asks pam_kosmo yet: kosmoctl pam enable sshd");
}

void doctor_sshd(struct doctor *d)
{
	struct errmsg m = {""};
	struct pamconf stack;
	struct sshdconf s;
	char folder[PATH_MAX];
	if (!doctor_path(d, "/etc/pam.d", folder))
		return;
	enum err e = pamconf_read(folder, "sshd", &stack, &m);
	if (e || (!pamcheck_uses(&stack, PAMCONF_AUTH) && !pamcheck_uses(&stack, PAMCONF_ACCOUNT)))
		doctor_say(d, DOCTOR_LEFT, "pam_kosmo is not in its stack");
	else if (!sshdconf_read(d->root, &s))
		doctor_say(d, DOCTOR_LEFT, "there is no sshd_config that can be read");
	else {
		struct pamcheck p = {.root = d->root,
				     .conf = d->c->conf,
				     .service = "sshd",
				     .stack = &stack,
				     .found = pam_found,
				     .arg = d};
		size_t before = d->n[DOCTOR_FAIL] + d->n[DOCTOR_WARN];
		pamcheck_sshd(&p, &s);
		if (before == d->n[DOCTOR_FAIL] + d->n[DOCTOR_WARN])
			doctor_say(d, DOCTOR_OK, "AuthenticationMethods %s, as %s says", s.value[SSHD_METHODS],
				   s.asked ? "sshd -T" : "sshd_config");
	}
	pamconf_free(&stack);
}
