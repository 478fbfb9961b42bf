/* kosmo-enrolld: the browser door. It holds no store and no key: it shows what the keeper says. See kosmo-enrolld(8).
 */
#include "config.h"

#include "common/daemon.h"
#include "common/i18n.h"
#include "common/sandbox.h"
#include "enroll/http.h"
#include "enroll/log.h"
#include "enroll/supervise.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char usage[] = "usage: kosmo-enrolld [-c FILE] [--debug]\n"
			    "Serves the pages where people enrol and log in; shows what kosmo-keeper says.\n"
			    "  -c, --config FILE  the configuration (" SYSCONFDIR "/kosmo/kosmo.conf)\n"
			    "      --debug        a line a request on stderr: method, action, status, duration\n"
			    "  -h, --help         this text\n"
			    "  -V, --version      the version\n";

/* Half of what the service manager's watchdog waits, in milliseconds; -1 without one. */
static int main_watchdog(void)
{
	const char *s = getenv("WATCHDOG_USEC");
	char *end;
	long v;

	if (!s || !*s)
		return -1;
	errno = 0;
	v = strtol(s, &end, 10);
	return errno || *end || v < 2000 || v / 2000 > 3600000 ? -1 : (int)(v / 2000);
}

/* Until a signal says stop (true) or one of ours dies (false; m says which). */
static bool main_wait(int signals, struct supervise *s, struct errmsg *m)
{
	int pause = main_watchdog();

	for (;;) {
		struct pollfd p = {.fd = signals, .events = POLLIN};
		struct signalfd_siginfo si;
		int n = poll(&p, 1, pause);

		if (pause >= 0)
			daemon_notify("WATCHDOG=1");
		if (n <= 0 || read(signals, &si, sizeof si) != sizeof si)
			continue;
		if (si.ssi_signo != SIGCHLD)
			return true;
		if (supervise_died(s, m))
			return false;
	}
}

static int main_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) /* for all threads to come */
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The door, in whatever process; fd is consumed. */
static enum err main_door(const struct conf *conf, int fd, int signals, struct errmsg *m)
{
	struct supervise none = {0};
	struct sandbox_lacks lacks;
	struct http *http = NULL;
	enum err r = sandbox_enter(SANDBOX_ENROLLD, conf, &lacks, m);

	if (r != ERR_NONE) {
		close(fd);
		return r;
	}
	if (lacks.text[0])
		log_info("no %s on this system: the sandbox goes without", lacks.text);
	r = http_start(conf, fd, &http, m);
	if (r != ERR_NONE)
		return r;
	daemon_notify("READY=1");
	log_info("serving %s on %s", conf->url, conf->web_listen);
	(void)main_wait(signals, &none, m);
	daemon_notify("STOPPING=1");
	http_stop(http);
	return ERR_NONE;
}

/* Listens before anybody becomes the owner of the instance (a port below 1024). Where it started others, the door is
 * one more child, and this process does nothing but watch. */
static enum err main_run(const struct conf *conf, int signals, struct errmsg *m)
{
	int fd = daemon_passed_fd("http");
	bool managed = fd >= 0 || getenv("NOTIFY_SOCKET"), door = true;
	struct supervise s = {0};
	enum err r = ERR_NONE;

	if (fd < 0)
		r = http_listen(conf, &fd, m);
	if (r == ERR_NONE && !managed)
		r = supervise_start(conf, &s, m);
	if (r == ERR_NONE && s.n > 0)
		r = supervise_fork(conf, "kosmo-enrolld", &s, &door, m);
	if (r == ERR_NONE && geteuid() == 0)
		r = daemon_become_owner(conf->state_dir, m);
	if (r == ERR_NONE && door)
		return main_door(conf, fd, signals, m);
	if (fd >= 0)
		close(fd);
	if (r == ERR_NONE && !main_wait(signals, &s, m))
		r = ERR_IO;
	supervise_stop(&s);
	return r;
}

int main(int argc, char **argv)
{
	struct conf *conf = NULL;
	struct errmsg m;
	const char *file = SYSCONFDIR "/kosmo/kosmo.conf";
	bool debug = false;
	int signals, status = daemon_options(argc, argv, "kosmo-enrolld", usage, &file, &debug);

	if (status >= 0)
		return status;
	log_init("kosmo-enrolld", debug);
	daemon_harden();
	i18n_init();
	status = 1;
	signals = main_signals();
	if (signals < 0) {
		log_error("signalfd: %s", strerror(errno));
		return status;
	}
	if (conf_load(file, &conf, &m) == ERR_NONE && main_run(conf, signals, &m) == ERR_NONE)
		status = 0;
	else
		log_error("%s", m.text);
	conf_free(conf);
	close(signals);
	return status;
}
