/* kosmoctl pam try: the auth and account phases of a stack, outside of any login. No credentials are set, no session is
 * opened. */
#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/secret.h"
#include "ctl/commands.h"
#include "ctl/pam_command.h"
#include "ctl/pam_undo.h"
#include "ctl/pamconf.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define TRY_FOLDER "/etc/pam.d"

/* ---- the conversation ---- */

/* NULL: no more input. */
static char *try_read(bool echo)
{
	struct termios was, t;
	char *line = NULL;
	size_t cap = 0;
	bool tty = !echo && tcgetattr(STDIN_FILENO, &was) == 0;
	if (tty) {
		t = was;
		t.c_lflag &= ~(tcflag_t)ECHO;
		t.c_lflag |= ECHONL;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &t);
	}
	(void)fflush(stdout);
	ssize_t n = getline(&line, &cap, stdin);
	if (tty)
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	if (n < 0 || ctl_stopped()) {
		if (line)
			secret_wipe(line, cap);
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static int try_conversation(int n, const struct pam_message **msg, struct pam_response **ret, void *arg)
{
	(void)arg;
	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	struct pam_response *reply = calloc((size_t)n, sizeof *reply);
	bool ok = reply;
	for (int i = 0; ok && i < n; i++) {
		int style = msg[i]->msg_style;
		if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG) {
			(void)printf("%s %s\n", style == PAM_ERROR_MSG ? "error:" : "says: ", msg[i]->msg);
			continue;
		}
		(void)printf("asks:  %s", msg[i]->msg);
		ok = (reply[i].resp = try_read(style == PAM_PROMPT_ECHO_ON));
	}
	if (ok) {
		*ret = reply;
		return PAM_SUCCESS;
	}
	for (int i = 0; reply && i < n; i++)
		if (reply[i].resp)
			secret_free_str(reply[i].resp);
	free(reply);
	return PAM_CONV_ERR;
}

/* ---- a stack that is not installed ---- */

/* A folder like /etc/pam.d in which SERVICE is that file; the others are links. */
static enum ctl_exit try_folder(const char *service, const char *file, char ret[static 64])
{
	char from[PATH_MAX], to[PATH_MAX], real[PATH_MAX];
	const struct dirent *f;
	if (!realpath(file, real) || access(real, R_OK) < 0)
		return ctl_input("%s: %s", file, strerror(errno));
	(void)snprintf(ret, 64, "/tmp/kosmoctl-try.XXXXXX");
	if (!mkdtemp(ret)) {
		ret[0] = '\0';
		return ctl_failed(ERR_IO, "/tmp", NULL);
	}
	(void)snprintf(to, sizeof to, "%s/%s", ret, service);
	bool ok = symlink(real, to) == 0;
	DIR *dir = opendir(TRY_FOLDER);
	while (ok && dir && (f = readdir(dir))) {
		if (f->d_name[0] == '.' || strcmp(f->d_name, service) == 0)
			continue;
		(void)snprintf(from, sizeof from, TRY_FOLDER "/%s", f->d_name);
		(void)snprintf(to, sizeof to, "%s/%s", ret, f->d_name);
		ok = symlink(from, to) == 0;
	}
	if (dir)
		(void)closedir(dir);
	return ok ? CTL_OK : ctl_failed(ERR_IO, ret, NULL);
}

static void try_folder_remove(const char *folder)
{
	char path[PATH_MAX];
	const struct dirent *f;
	DIR *dir = *folder ? opendir(folder) : NULL;
	while (dir && (f = readdir(dir))) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
		if (f->d_name[0] != '.')
			(void)unlink(path);
	}
	if (dir)
		(void)closedir(dir);
	if (*folder)
		(void)rmdir(folder);
}

/* ---- results, in words ---- */

static const struct {
	int code;
	const char *means;
} try_words[] = {
    {PAM_SUCCESS, "passed"},
    {PAM_AUTH_ERR, "refused: something typed was wrong, the person is unknown, not staff, not enrolled, or must wait"},
    {PAM_AUTHINFO_UNAVAIL, "refused: the keeper did not answer, or something broke: kosmoctl doctor"},
    {PAM_USER_UNKNOWN,
     "refused: the account is below uid_min, and the stack has no way on for it, or it does not exist"},
    {PAM_PERM_DENIED, "refused: disabled or not enrolled to the end, or no line of the stack said yes"},
    {PAM_ACCT_EXPIRED, "refused: the person, or the Unix account, has expired"},
    {PAM_NEW_AUTHTOK_REQD, "passed, and a new password must be set at once"},
    {PAM_MAXTRIES, "refused: too many tries"},
    {PAM_CONV_ERR, "broken off: no answer was typed"},
    {PAM_ABORT, "refused: libpam cannot load or read the stack; /var/log/auth.log or journalctl -t kosmoctl says more"},
    {PAM_SYSTEM_ERR, "refused: libpam failed; /var/log/auth.log or journalctl -t kosmoctl says more"},
    {PAM_MODULE_UNKNOWN, "refused: a module of the stack is missing; kosmoctl doctor names it"},
};

static void try_say(const char *phase, int code)
{
	const char *means = "refused";
	for (size_t i = 0; i < sizeof try_words / sizeof *try_words; i++)
		if (try_words[i].code == code)
			means = try_words[i].means;
	(void)printf("%s: %s (%s)\n", phase, means, pamconf_code(code));
}

/* What the keeper noted of this person since then: what the terminal never says. */
static void try_reason(struct ctl *c, const char *user, int64_t since)
{
	struct errmsg m = {""};
	struct person p;
	struct audit row[8];
	char path[PATH_MAX];
	size_t n = 0;
	if (conf_load(c->conf_path, &c->conf, &m) || daemon_become_owner(c->conf->state_dir, &m))
		return;
	(void)snprintf(path, sizeof path, "%s/key", c->conf->state_dir);
	if (seal_load(path, &c->seal, &m))
		return;
	(void)snprintf(path, sizeof path, "%s/kosmo.db", c->conf->state_dir);
	if (store_open(path, c->seal, &c->st, &m))
		return;
	enum err e = store_person_by_login(c->st, user, &p);
	if (e == ERR_NOTFOUND)
		(void)printf("the keeper: nobody is called %s\n", user);
	if (e)
		return;
	if (p.role != ROLE_STAFF)
		(void)printf(
		    "the keeper: %s is a member; only staff log in through PAM (kosmoctl user set --role staff %s)\n",
		    user, user);
	if (!store_audit_page(c->st, &p.id, 0, row, sizeof row / sizeof *row, &n))
		for (size_t i = n; i-- > 0;)
			if (row[i].time >= since)
				(void)printf("the keeper: %s%s%s\n", row[i].event, row[i].detail[0] ? ": " : "",
					     row[i].detail);
	person_wipe(&p);
}

enum ctl_exit pam_try(struct ctl *c, const struct args *a)
{
	const char *service = a->word[0], *user = a->word[1], *file = a->value[OPT_STACK];
	const struct pam_conv conv = {try_conversation, NULL};
	char folder[64] = "", path[PATH_MAX];
	pam_handle_t *pamh = NULL;
	int64_t since = clock_now();
	if (!pam_service_name(service))
		return CTL_INPUT;
	if (geteuid() != 0)
		return ctl_input("run it as root: PAM modules read what only root may, as they do in sshd or su");
	(void)snprintf(path, sizeof path, TRY_FOLDER "/%s", service);
	if (!file && access(path, F_OK) < 0)
		return ctl_input("%s: there is no such stack; --file tries one that is not installed", path);
	enum ctl_exit r = file ? try_folder(service, file, folder) : CTL_OK;
	ctl_catch_stop();
	(void)signal(SIGTSTP, SIG_IGN); /* it would leave the terminal without echo */
	int code = r	  ? PAM_SYSTEM_ERR
		   : file ? pam_start_confdir(service, user, &conv, folder, &pamh)
			  : pam_start(service, user, &conv, &pamh);
	if (!r && code == PAM_SUCCESS && a->value[OPT_RHOST])
		code = pam_set_item(pamh, PAM_RHOST, a->value[OPT_RHOST]);
	if (!r && code == PAM_SUCCESS) {
		int auth = pam_authenticate(pamh, 0), account;
		try_say("auth", auth);
		account = auth == PAM_CONV_ERR ? PAM_CONV_ERR : pam_acct_mgmt(pamh, 0);
		if (auth != PAM_CONV_ERR)
			try_say("account", account);
		bool in = auth == PAM_SUCCESS && account == PAM_SUCCESS;
		(void)printf("%s %s in through %s. Nothing was opened.\n", user,
			     in ? "would be let" : "would not be let", service);
		r = in ? CTL_OK : CTL_FAILED;
		code = PAM_SUCCESS;
	}
	if (code != PAM_SUCCESS && !r) {
		try_say("pam_start", code);
		r = CTL_FAILED;
	}
	if (pamh)
		(void)pam_end(pamh, code);
	try_folder_remove(folder);
	if (r == CTL_FAILED)
		try_reason(c, user, since);
	return r;
}
