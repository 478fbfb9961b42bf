/* kosmo-keeper: every rule, the store and the keys. Both doors ask it over its two sockets. */
#include "config.h"

#include "common/conf.h"
#include "common/daemon.h"
#include "common/i18n.h"
#include "common/sandbox.h"
#include "keeper/house.h"
#include "keeper/mail_template.h"
#include "keeper/outbox.h"
#include "keeper/server.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static const char usage[] = "usage: kosmo-keeper [-c FILE]\n"
			    "Decides who may log in, for pam_kosmo and kosmo-enrolld.\n"
			    "  -c, --config FILE  the configuration (default " SYSCONFDIR "/kosmo/kosmo.conf)\n"
			    "  -h, --help         this text\n"
			    "  -V, --version      the version\n";

/* A socket passed by the service manager, or one of our own. */
static enum err socket_for(const struct conf *conf, const char *name, mode_t mode, int *ret, struct errmsg *m)
{
	char path[4096];
	int fd = daemon_passed_fd(name);
	if (fd >= 0) {
		*ret = fd;
		return ERR_NONE;
	}
	snprintf(path, sizeof path, "%s/%s.sock", conf->run_dir, name);
	return daemon_listen_unix(path, mode, ret, m);
}

static void socket_remove(const struct conf *conf, const char *name, bool ours)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s.sock", conf->run_dir, name);
	if (ours)
		unlink(path);
}

static int stop_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum err serve(const struct conf *conf, struct errmsg *m)
{
	struct keeper k;
	struct sandbox_lacks lacks;
	struct outbox *outbox = NULL;
	struct store *probe = NULL;
	int auth = -1, web = -1, stop = stop_signals();
	bool own_auth = daemon_passed_fd("auth") < 0, own_web = daemon_passed_fd("web") < 0;
	memset(&k, 0, sizeof k);
	enum err e = stop < 0 ? err_set(m, ERR_IO, "cannot watch signals") : keeper_open(&k, conf, m);
	if (!e)
		e = keeper_store(&k, &probe, m); /* a store that cannot serve is said at once, not at the first login */
	store_close(probe);
	if (!e)
		e = socket_for(conf, "auth", 0666, &auth, m);
	if (!e)
		e = socket_for(conf, "web", 0600, &web, m);
	if (!e)
		e = sandbox_enter(SANDBOX_KEEPER, conf, &lacks, m);
	if (!e && lacks.text[0])
		daemon_log(LOG_INFO, "no %s on this system: the sandbox goes without", lacks.text);
	if (!e && mail_site_open(conf, &k.mails))
		e = err_set(m, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	if (!e)
		terms_print(conf, k.terms);
	if (!e)
		house_mails(&k, 0);
	if (!e && outbox_start(&k, &outbox))
		e = err_set(m, ERR_INTERNAL, "cannot start the outbox");
	if (!e) {
		k.wake_outbox = outbox_wake;
		k.wake_arg = outbox;
		e = server_run(&k, auth, web, stop, m);
	}
	outbox_stop(outbox);
	if (auth >= 0) {
		close(auth);
		socket_remove(conf, "auth", own_auth);
	}
	if (web >= 0) {
		close(web);
		socket_remove(conf, "web", own_web);
	}
	if (stop >= 0)
		close(stop);
	mail_site_close(k.mails);
	keeper_close(&k);
	return e;
}

int main(int argc, char **argv)
{
	const char *file = SYSCONFDIR "/kosmo/kosmo.conf";
	struct conf *conf = NULL;
	struct errmsg m = {""};
	int status = daemon_options(argc, argv, "kosmo-keeper", usage, &file, NULL);
	if (status >= 0)
		return status;
	daemon_harden();
	i18n_init();
	/* the journal gets each line once; without one they are on stderr too, for those who have no syslog either */
	daemon_log_open("kosmo-keeper", LOG_AUTHPRIV, !getenv("JOURNAL_STREAM"));
	enum err e = conf_load(file, &conf, &m);
	if (!e)
		e = daemon_become_owner(conf->state_dir, &m);
	if (!e)
		e = serve(conf, &m);
	if (e)
		daemon_log(LOG_ERR, "%s", m.text);
	conf_free(conf);
	closelog();
	return e ? 1 : 0;
}
