/* kosmoctl pam enable: pam_kosmo's lines into a stack, with a way back that needs nobody. */
#include "config.h"

#include "common/paths.h"
#include "ctl/commands.h"
#include "ctl/doctor.h"
#include "ctl/pam_command.h"
#include "ctl/pam_edit.h"
#include "ctl/pam_undo.h"
#include "ctl/pamcheck.h"
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENABLE_MINUTES 5.0

struct enable {
	struct ctl *c;
	const struct args *a;
	const char *service, *root;
	enum pam_edit_with with;
	int64_t ms;
	char folder[PAM_FOLDER_MAX], module[PATH_MAX], args[2 * PATH_MAX];
	bool waits; /* somebody waits for the end of the time */
};

/* Stacks that are not for logging in, or that all others rest on. */
static const struct {
	const char *name, *why;
} enable_never[] = {
    {"cron", "jobs run without anybody who could type a code"},
    {"crond", "jobs run without anybody who could type a code"},
    {"atd", "jobs run without anybody who could type a code"},
    {"systemd-user", "it runs behind every login, without anybody who could type a code"},
    {"other", "it stands for every service that has no file of its own"},
    {"runuser", "it is root's way to other accounts and asks nobody anything"},
    {"runuser-l", "it is root's way to other accounts and asks nobody anything"},
    {"passwd", "it has no auth lines; put its line there by hand, from the sample (pam_kosmo(8))"},
    {"chpasswd", "it changes Unix passwords for root"},
    {"newusers", "it makes accounts for root"},
    {"chfn", "it asks for the Unix password of who is logged in already"},
    {"chsh", "it asks for the Unix password of who is logged in already"},
};

static enum ctl_exit enable_refused(const char *service)
{
	for (size_t i = 0; i < sizeof enable_never / sizeof *enable_never; i++)
		if (strcmp(service, enable_never[i].name) == 0)
			return ctl_input("%s is left alone: %s", service, enable_never[i].why);
	if (strncmp(service, "common-", 7) == 0)
		return ctl_input("%s is left alone: every service rests on it, cron and root's console too; enable one "
				 "service after the other",
				 service);
	return CTL_OK;
}

/* ---- what is to be written ---- */

static enum ctl_exit enable_with(struct enable *x)
{
	const char *v = x->a->value[OPT_WITH];
	const bool su = strcmp(x->service, "su") == 0 || strcmp(x->service, "su-l") == 0;
	int i = 0;
	while (v && i < PAM_EDIT_WITH && strcmp(v, pam_edit_with[i]) != 0)
		i++;
	if (i == PAM_EDIT_WITH)
		return ctl_usage("pam enable: --with takes password+code, key+code or caller");
	x->with = v ? (enum pam_edit_with)i : su ? PAM_EDIT_CALLER : PAM_EDIT_PASSWORD;
	if (x->with == PAM_EDIT_CALLER && !su)
		return ctl_input("--with caller is for su: whoever passes becomes whom they named");
	if (x->with == PAM_EDIT_KEY && strcmp(x->service, "sshd") != 0)
		return ctl_input("--with key+code is for sshd: nobody else checks a key before");
	if (x->with == PAM_EDIT_CALLER) {
		const struct group *g = getgrnam("sudo");
		if (!g || !g->gr_mem || !*g->gr_mem)
			return ctl_input("the group sudo has no members: nobody could become root; add some, or use "
					 "--with password+code, which asks for root's own password");
	}
	return CTL_OK;
}

static enum ctl_exit enable_minutes(struct enable *x)
{
	const char *v = x->a->value[OPT_MINUTES];
	char *end = NULL;
	double minutes = v ? strtod(v, &end) : ENABLE_MINUTES;
	if (v && (end == v || *end || !isfinite(minutes) || minutes < 0.01 || minutes > 60))
		return ctl_usage("pam enable: --minutes takes 0.01 to 60");
	x->ms = (int64_t)(minutes * 60000);
	return CTL_OK;
}

/* pam_kosmo.so where libpam finds it by its name; else by its path, as in a build tree. */
static void enable_module(struct enable *x)
{
	char path[PATH_MAX], real[PATH_MAX];
	(void)snprintf(x->module, sizeof x->module, "pam_kosmo.so");
	pamcheck_module_path(x->root, x->module, path);
	if (access(path, F_OK) == 0 || *x->root)
		return;
	paths_find("pam/.libs/pam_kosmo.so", path, real, sizeof real);
	if (realpath(real, path))
		(void)snprintf(x->module, sizeof x->module, "%s", path);
}

/* Which keeper: nothing for an installation, else its socket and file. */
static void enable_args(struct enable *x)
{
	struct errmsg m = {""};
	if (conf_load(x->c->conf_path, &x->c->conf, &m) != ERR_NONE) {
		ctl_say("%s; going on without: the module will ask at " PAMCHECK_SOCKET, m.text);
		x->c->conf = NULL;
		return;
	}
	const struct conf *c = x->c->conf;
	char sock[PATH_MAX];
	(void)snprintf(sock, sizeof sock, "%s/auth.sock", c->run_dir);
	int n = 0;
	if (strcmp(c->file, SYSCONFDIR "/kosmo/kosmo.conf") != 0)
		n = snprintf(x->args, sizeof x->args, " conf=%s", c->file);
	if (strcmp(sock, PAMCHECK_SOCKET) != 0)
		(void)snprintf(x->args + n, sizeof x->args - (size_t)n, " socket=%s", sock);
}

/* ---- judging it before it counts ---- */

static void enable_found(void *arg, bool fail, const char *text, const char *remedy)
{
	(void)arg;
	ctl_say("%s: %s", fail ? "not so" : "note", text);
	for (const char *p = remedy; *p; p += *p == '\n') {
		(void)fprintf(stderr, "          %s %.*s\n", p == remedy ? "->" : "  ", (int)strcspn(p, "\n"), p);
		p += strcspn(p, "\n");
	}
}

/* The new text under another name, read back as libpam would. */
static enum ctl_exit enable_judge(const struct enable *x, const struct buf *text)
{
	char name[NAME_MAX + 1], path[PAM_FOLDER_MAX + NAME_MAX + 2];
	struct errmsg m = {""};
	struct pamconf stack = {0};
	struct sshdconf s;
	(void)snprintf(name, sizeof name, ".%s.kosmo-try", x->service);
	(void)snprintf(path, sizeof path, "%s/%s", x->folder, name);
	enum err e = pam_undo_store(x->folder, name, x->service, (const char *)text->data, text->len, 0600, &m);
	if (!e)
		e = pamconf_read(x->folder, name, &stack, &m);
	(void)unlink(path);
	struct pamcheck p = {
	    .root = x->root, .conf = x->c->conf, .service = x->service, .stack = &stack, .found = enable_found};
	if (!e) {
		pamcheck_run(&p);
		if (strcmp(x->service, "sshd") == 0 && sshdconf_read(x->root, &s))
			pamcheck_sshd(&p, &s);
	}
	pamconf_free(&stack);
	if (e)
		return ctl_failed(e, x->service, &m);
	if (p.n_fail && !x->a->value[OPT_FORCE])
		return ctl_input("%s/%s is unchanged; mend this first, or give --force", x->folder, x->service);
	return CTL_OK;
}

/* ---- writing it ---- */

static void enable_undone(void *arg, const char *service)
{
	pam_audit(arg, "pam.undo", service, true);
}

/* Under systemd a timer outlives even a login whose processes are all ended. */
static void enable_timer(const struct enable *x)
{
	char self[PATH_MAX], unit[128], after[64], said[256];
	const char *const argv[] = {
	    "systemd-run", "--quiet", "--collect",     unit,  after,  "--timer-property=AccuracySec=1s",
	    self,	   "-c",      x->c->conf_path, "pam", "undo", "--due",
	    x->service,	   NULL};
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (*x->root || n <= 0 || access("/run/systemd/system", F_OK) < 0)
		return;
	self[n] = '\0';
	pam_timer_stop(x->a, x->service); /* of an earlier time; its name is taken */
	(void)snprintf(unit, sizeof unit, "--unit=kosmo-pam-undo-%s", x->service);
	(void)snprintf(after, sizeof after, "--on-active=%lldms", (long long)x->ms + 500);
	if (doctor_command(argv, said, sizeof said) != 0)
		ctl_say("systemd-run made no timer; a process waits instead, and the next boot");
}

/* In this order, so that a machine that goes down in between finds the old file or the way back to it. */
static enum err enable_write(struct enable *x, const char *old, mode_t mode, const struct buf *text, struct errmsg *m)
{
	char before[NAME_MAX + 1];
	(void)snprintf(before, sizeof before, "%.200s.before-kosmo", x->service);
	enum err e = pam_undo_store(x->folder, before, x->service, old, strlen(old), mode, m);
	if (!e)
		e = pam_undo_arm(x->folder, x->service, x->ms, m);
	if (!e)
		e = pam_undo_wait(x->folder, x->service, x->ms, enable_undone, x->c, m);
	if (!e) {
		enable_timer(x);
		e = pam_undo_store(x->folder, x->service, x->service, (const char *)text->data, text->len, mode, m);
	}
	/* A write that failed may have been done all the same: only the way back knows. */
	if (e)
		(void)pam_undo_back(x->folder, x->service, false, NULL);
	return e;
}

static enum ctl_exit enable_all(struct enable *x)
{
	AUTO_BUF text = BUF_INIT;
	struct errmsg m = {""};
	struct pam_undo armed;
	char *old = NULL;
	mode_t mode = 0644;
	enum ctl_exit r = CTL_OK;
	enum err e = pam_undo_read(x->folder, x->service, &armed, NULL);
	if (e != ERR_NOTFOUND)
		return ctl_input("%s/%s waits for its confirmation: kosmoctl pam confirm %s, or kosmoctl pam undo %s",
				 x->folder, x->service, x->service, x->service);
	e = pam_undo_load(x->folder, x->service, &old, &mode, &m);
	if (!e) {
		const struct pam_edit edit = {x->folder, x->service, old, x->with, x->module, x->args, "sudo"};
		e = pam_edit_enable(&edit, &text, &m);
	}
	if (!e)
		r = enable_judge(x, &text);
	if (!e && !r) {
		pam_edit_show(old, buf_str(&text));
		if (!x->a->value[OPT_DRY_RUN])
			e = enable_write(x, old, mode, &text, &m);
	}
	free(old);
	if (e) {
		r = ctl_failed(e, x->service, &m);
		return e == ERR_NOTFOUND || e == ERR_EXISTS || e == ERR_INVALID ? CTL_INPUT : r;
	}
	return r;
}

enum ctl_exit pam_enable(struct ctl *c, const struct args *a)
{
	struct enable *x = calloc(1, sizeof *x);
	if (!x)
		return ctl_failed(ERR_NOMEM, "pam enable", NULL);
	*x = (struct enable){.c = c, .a = a, .service = a->word[0]};
	x->root = a->value[OPT_ROOT] ? a->value[OPT_ROOT] : "";
	enum ctl_exit r = pam_service_name(x->service) ? enable_refused(x->service) : CTL_INPUT;
	if (!r)
		r = enable_with(x);
	if (!r)
		r = enable_minutes(x);
	if (!r)
		r = pam_folder(a, x->folder);
	if (!r) {
		enable_module(x);
		enable_args(x);
		r = enable_all(x);
	}
	if (!r && !a->value[OPT_DRY_RUN]) {
		(void)printf(
		    "\n%s/%s is changed, for %.3g minutes. Now, in a second terminal: log in through %s, then\n\n"
		    "    kosmoctl%s%s pam confirm%s%s %s\n\nWithout that the old file comes back by itself.\n",
		    x->folder, x->service, (double)x->ms / 60000, x->service, a->value[OPT_CONF] ? " -c " : "",
		    a->value[OPT_CONF] ? a->value[OPT_CONF] : "", *x->root ? " --root " : "", x->root, x->service);
		pam_audit(c, "pam.enable", x->service, false);
	}
	free(x);
	return r;
}
