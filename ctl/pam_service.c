/* kosmoctl pam confirm, undo and disable, and what they share with pam enable. */
#include "config.h"

#include "common/daemon.h"
#include "ctl/commands.h"
#include "ctl/doctor.h"
#include "ctl/pam_command.h"
#include "ctl/pam_edit.h"
#include "ctl/pam_undo.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool pam_service_name(const char *name)
{
	size_t n = strlen(name);
	if (n && n <= 64 && name[0] != '.' && name[0] != '-' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == n)
		return true;
	ctl_say("\"%.64s\" is no PAM service: a file of /etc/pam.d, in small letters", name);
	return false;
}

enum ctl_exit pam_folder(const struct args *a, char ret[static PAM_FOLDER_MAX])
{
	const char *root = a->value[OPT_ROOT] ? a->value[OPT_ROOT] : "";
	if ((size_t)snprintf(ret, PAM_FOLDER_MAX, "%s/etc/pam.d", root) >= PAM_FOLDER_MAX)
		return ctl_input("%.200s...: the name is too long", root);
	if (*root && *root != '/')
		return ctl_usage("--root needs an absolute path");
	if (!*root && geteuid() != 0)
		return ctl_input("only root may change /etc/pam.d: run it as root");
	if (access(ret, W_OK) < 0)
		return ctl_input("%s: %s", ret, strerror(errno));
	return CTL_OK;
}

void pam_timer_stop(const struct args *a, const char *service)
{
	char timer[128], said[64];
	const char *const argv[] = {"systemctl", "stop", timer, NULL};
	if (a->value[OPT_ROOT] || access("/run/systemd/system", F_OK) < 0)
		return;
	(void)snprintf(timer, sizeof timer, "kosmo-pam-undo-%s.timer", service);
	(void)doctor_command(argv, said, sizeof said);
}

static enum err audit_row(struct ctl *c, const char *event, const char *service, struct errmsg *m)
{
	char key[PATH_MAX], db[PATH_MAX];
	enum err e = c->conf ? ERR_NONE : conf_load(c->conf_path, &c->conf, m);
	if (e)
		return e;
	(void)snprintf(key, sizeof key, "%s/key", c->conf->state_dir);
	(void)snprintf(db, sizeof db, "%s/kosmo.db", c->conf->state_dir);
	e = daemon_become_owner(c->conf->state_dir, m);
	if (!e)
		e = seal_load(key, &c->seal, m);
	if (!e)
		e = store_open(db, c->seal, &c->st, m);
	if (!e)
		e = ctl_begin(c);
	if (!e)
		e = ctl_audit(c, NULL, event, service);
	return e ? e : ctl_commit(c);
}

void pam_audit(const struct ctl *c, const char *event, const char *service, bool quiet)
{
	int status;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct ctl copy = *c;
		struct errmsg m = {""};
		enum err e = audit_row(&copy, event, service, &m);
		if (e && !quiet)
			ctl_say("done, but not in the audit: %s", m.text[0] ? m.text : err_text(e));
		ctl_close(&copy);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

/* ---- undo ---- */

static void undo_one(void *arg, const char *service)
{
	const struct ctl *c = arg;
	struct errmsg m = {""};
	enum err e = pam_undo_back("/etc/pam.d", service, true, &m);
	if (e == ERR_BUSY || e == ERR_NOTFOUND)
		return;
	if (e) {
		ctl_say("/etc/pam.d/%s was never confirmed, and the old file cannot be brought back: %s", service,
			m.text[0] ? m.text : err_text(e));
		return;
	}
	ctl_say("/etc/pam.d/%s was not confirmed in time: the old file is back, the new one is %s.undone-kosmo",
		service, service);
	pam_audit(c, "pam.undo", service, true);
}

void pam_undo_overdue(struct ctl *c)
{
	if (geteuid() == 0)
		pam_undo_each("/etc/pam.d", undo_one, c);
}

enum ctl_exit pam_undo(struct ctl *c, const struct args *a)
{
	char folder[PAM_FOLDER_MAX];
	struct errmsg m = {""};
	bool due = a->value[OPT_DUE];
	if (!a->n_word && !due)
		return ctl_usage("pam undo: name the service, or give --due");
	if (a->n_word && !pam_service_name(a->word[0]))
		return CTL_INPUT;
	enum ctl_exit r = pam_folder(a, folder);
	if (r || !a->n_word) /* --due alone: all of them, which was done before any command */
		return r;
	enum err e = pam_undo_back(folder, a->word[0], due, &m);
	if (due && (e == ERR_BUSY || e == ERR_NOTFOUND))
		return CTL_OK;
	if (e == ERR_NOTFOUND)
		return ctl_input("%s/%s: nothing waits for a confirmation; kosmoctl pam disable %s takes pam_kosmo out",
				 folder, a->word[0], a->word[0]);
	if (e)
		return ctl_failed(e, a->word[0], &m);
	(void)printf("%s/%s: the old file is back; the other one is %s.undone-kosmo\n", folder, a->word[0], a->word[0]);
	if (!due) /* the timer itself says --due */
		pam_timer_stop(a, a->word[0]);
	pam_audit(c, "pam.undo", a->word[0], false);
	return CTL_OK;
}

/* ---- confirm ---- */

enum ctl_exit pam_confirm(struct ctl *c, const struct args *a)
{
	char folder[PAM_FOLDER_MAX];
	struct errmsg m = {""};
	struct pam_undo u;
	if (!pam_service_name(a->word[0]))
		return CTL_INPUT;
	enum ctl_exit r = pam_folder(a, folder);
	if (r)
		return r;
	enum err e = pam_undo_read(folder, a->word[0], &u, &m);
	if (e == ERR_NOTFOUND)
		return ctl_input("%s/%s: nothing waits for a confirmation (the time is over, or it was confirmed)",
				 folder, a->word[0]);
	if (e)
		return ctl_failed(e, a->word[0], &m);
	const char *same = a->value[OPT_FORCE] ? NULL : login_same(&u.by, a->word[0]);
	if (same)
		return ctl_input(
		    "%s: log in anew through %s in a second terminal and confirm it there; or, if you stand "
		    "at the console, --force",
		    same, a->word[0]);
	e = pam_undo_disarm(folder, a->word[0], &m);
	if (e)
		return ctl_failed(e, a->word[0], &m);
	(void)printf("%s/%s: kept. The file as it was: %s.before-kosmo\n", folder, a->word[0], a->word[0]);
	pam_timer_stop(a, a->word[0]);
	pam_audit(c, "pam.confirm", a->word[0], false);
	return CTL_OK;
}

/* ---- disable ---- */

enum ctl_exit pam_disable(struct ctl *c, const struct args *a)
{
	char folder[PAM_FOLDER_MAX], *text = NULL;
	struct errmsg m = {""};
	AUTO_BUF after = BUF_INIT;
	mode_t mode = 0;
	if (!pam_service_name(a->word[0]))
		return CTL_INPUT;
	enum ctl_exit r = pam_folder(a, folder);
	if (r)
		return r;
	const struct pam_edit edit = {.folder = folder, .service = a->word[0]};
	enum err e = pam_undo_load(folder, a->word[0], &text, &mode, &m);
	if (!e) {
		struct pam_edit x = edit;
		x.text = text;
		e = pam_edit_disable(&x, &after, &m);
	}
	if (!e) {
		pam_edit_show(text, buf_str(&after) ? buf_str(&after) : "");
		if (!a->value[OPT_DRY_RUN])
			e = pam_undo_store(folder, a->word[0], a->word[0], (const char *)after.data, after.len, mode,
					   &m);
	}
	if (!e && !a->value[OPT_DRY_RUN]) {
		(void)pam_undo_disarm(folder, a->word[0], NULL);
		pam_timer_stop(a, a->word[0]);
		(void)printf("%s/%s: pam_kosmo is out\n", folder, a->word[0]);
		pam_audit(c, "pam.disable", a->word[0], false);
	}
	free(text);
	if (!e)
		return CTL_OK;
	r = ctl_failed(e, a->word[0], &m);
	return e == ERR_NOTFOUND || e == ERR_INVALID ? CTL_INPUT : r;
}
