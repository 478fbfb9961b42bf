/* What runs: clock, units, versions, sockets, the site. */
#include "config.h"

#include "common/clock.h"
#include "common/paths.h"
#include "common/wire.h"
#include "ctl/doctor.h"
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <unistd.h>

#define RUN_WAIT_MS 3000 /* what the module would wait */

/* ---- clock ---- */

void doctor_clock(struct doctor *d)
{
	struct timex t = {.modes = 0};
	int64_t now = clock_now();
	char path[PATH_MAX], at[32];
	struct stat st;
	ctl_time_local(now, at);
	/* Older than what was written with it: it went back, or never ran (no battery). */
	if (d->c->conf && (size_t)snprintf(path, sizeof path, "%s/key", d->c->conf->state_dir) < sizeof path &&
	    lstat(path, &st) == 0 && st.st_mtime > now + 120) {
		char then[32];
		ctl_time_local(st.st_mtime, then);
		doctor_fix(d, "set the clock: date -s, then a time service (apt-get install systemd-timesyncd)");
		doctor_say(d, DOCTOR_FAIL, "it is %s here, but the key was made on %s: app codes will not fit", at,
			   then);
		return;
	}
	if (adjtimex(&t) < 0 || (t.status & STA_UNSYNC)) {
		doctor_fix(d, "apt-get install systemd-timesyncd (or chrony); in a container: on its host");
		doctor_say(d, DOCTOR_WARN,
			   "it is %s here, and no time service keeps it right: app codes are good for 30 s", at);
		return;
	}
	doctor_say(d, DOCTOR_OK, "it is %s here, kept right by a time service", at);
}

/* ---- units ---- */

bool doctor_systemd(const struct doctor *d)
{
	char path[PATH_MAX];
	return d->system && doctor_path(d, "/run/systemd/system", path) && access(path, F_OK) == 0;
}

void doctor_units(struct doctor *d)
{
	static const char *const unit[] = {"kosmo-keeper.socket", "kosmo-keeper-web.socket", "kosmo-mailer.socket",
					   "kosmo-enrolld.socket"};
	static const char *const service[] = {"kosmo-keeper.service", "kosmo-enrolld.service", "kosmo-mailer.service"};
	bool ok = true;
	char said[256];
	if (!doctor_systemd(d)) {
		doctor_say(d, DOCTOR_LEFT, d->system ? "no systemd runs here" : "this instance is started by hand");
		return;
	}
	for (size_t i = 0; i < sizeof unit / sizeof *unit; i++) {
		const char *const enabled[] = {"systemctl", "is-enabled", unit[i], NULL};
		const char *const active[] = {"systemctl", "is-active", unit[i], NULL};
		int a = doctor_command(enabled, said, sizeof said), b = doctor_command(active, said, sizeof said);
		if (a == 0 && b == 0)
			continue;
		ok = false;
		doctor_fix(d, "systemctl enable --now %s", unit[i]);
		doctor_say(d, DOCTOR_FAIL, "%s: %s%s%s", unit[i], a ? "it will not start at boot" : "",
			   a && b ? ", and " : "", b ? "it does not run" : "");
	}
	for (size_t i = 0; i < sizeof service / sizeof *service; i++) {
		const char *const failed[] = {"systemctl", "is-failed", service[i], NULL};
		if (doctor_command(failed, said, sizeof said) != 0)
			continue;
		ok = false;
		doctor_fix(d, "journalctl -u %s -n 20, mend what it says, then: systemctl restart %s", service[i],
			   service[i]);
		doctor_say(d, DOCTOR_FAIL, "%s ended with a failure", service[i]);
	}
	if (ok)
		doctor_say(d, DOCTOR_OK, "the four sockets are enabled and listen");
}

/* ---- versions ---- */

enum { RUN_KEEPER, RUN_MAILER, RUN_SITE, RUN_CONSOLE };

static const struct {
	const char *name, *built, *installed;
} run_programs[] = {
    [RUN_KEEPER] = {"kosmo-keeper", "keeper/kosmo-keeper", LIBEXECDIR "/kosmo-keeper"},
    [RUN_MAILER] = {"kosmo-mailer", "enroll/kosmo-mailer", LIBEXECDIR "/kosmo-mailer"},
    [RUN_SITE] = {"kosmo-enrolld", "enroll/kosmo-enrolld", SBINDIR "/kosmo-enrolld"},
    [RUN_CONSOLE] = {"kosmo-fido2", "fido/kosmo-fido2", LIBEXECDIR "/kosmo-fido2"},
};

/* After an upgrade the old program goes on running, from a file that is no more. */
static bool run_old(struct doctor *d, const char *name)
{
	char unit[64], pid[64], exe[64], target[PATH_MAX];
	(void)snprintf(unit, sizeof unit, "%s.service", name);
	const char *const argv[] = {"systemctl", "show", "-P", "MainPID", unit, NULL};
	int64_t v;
	if (!doctor_systemd(d) || doctor_command(argv, pid, sizeof pid) != 0)
		return false;
	pid[strcspn(pid, "\n")] = '\0';
	if (!args_number(pid, 1, INT32_MAX, &v))
		return false;
	(void)snprintf(exe, sizeof exe, "/proc/%d/exe", (int)v);
	ssize_t n = readlink(exe, target, sizeof target - 1);
	if (n <= 10 || memcmp(target + n - 10, " (deleted)", 10) != 0)
		return false;
	doctor_fix(d, "systemctl restart %s", unit);
	doctor_say(d, DOCTOR_WARN, "%s runs from a file that was replaced: an older version is at work", name);
	return true;
}

void doctor_versions(struct doctor *d)
{
	bool ok = true;
	for (size_t i = 0; i < sizeof run_programs / sizeof *run_programs; i++) {
		char path[PATH_MAX], said[256];
		const char *const argv[] = {path, "--version", NULL};
		if (i == RUN_CONSOLE && strcmp(d->c->conf->passkey_console, "no") == 0)
			continue;
		paths_find(run_programs[i].built, run_programs[i].installed, path, sizeof path);
		int status = doctor_command(argv, said, sizeof said);
		const char *space = strrchr(said, ' ');
		said[strcspn(said, "\n")] = '\0';
		if (status == 0 && space && strcmp(space + 1, PACKAGE_VERSION) == 0) {
			ok &= !run_old(d, run_programs[i].name);
			continue;
		}
		ok = false;
		doctor_fix(d, "install all of pam_kosmo anew, in one version");
		if (status != 0)
			doctor_say(d, DOCTOR_FAIL, "%s: it does not start", path);
		else
			doctor_say(d, DOCTOR_FAIL, "%s is \"%s\", kosmoctl is " PACKAGE_VERSION, path, said);
	}
	if (ok)
		doctor_say(d, DOCTOR_OK, "keeper, mailer, site and console are " PACKAGE_VERSION ", as kosmoctl is");
}

/* ---- sockets ---- */

static const char *run_start(const struct doctor *d, const char *unit, char *ret)
{
	if (d->system)
		(void)snprintf(ret, 128, "systemctl enable --now %s", unit);
	else
		(void)snprintf(ret, 128, "start the instance: kosmo-enrolld -c %.80s", d->c->conf->file);
	return ret;
}

/* The account phase for a name that nobody has: the way of a login through keeper and store, without a trace. */
static enum err run_ask(const struct doctor *d, const char *path, char *ret_verdict)
{
	AUTO_BUF b = BUF_INIT;
	int64_t deadline = clock_mono_ms() + RUN_WAIT_MS;
	int fd = -1;
	struct wire_msg *m = malloc(sizeof *m);
	if (!m)
		return ERR_NOMEM;
	wire_begin(&b, 1, "begin");
	wire_puts(&b, "phase", "account");
	wire_puts(&b, "service", "kosmoctl-doctor");
	wire_puts(&b, "user", "_kosmoctl-doctor-asks-for-nobody");
	wire_puts(&b, "conf", d->c->conf->file);
	enum err e = wire_end(&b);
	if (!e)
		e = wire_connect(path, deadline, &fd);
	if (!e)
		e = wire_send(fd, &b, deadline);
	buf_wipe(&b);
	if (!e)
		e = wire_recv(fd, &b, deadline);
	if (!e)
		e = wire_parse(b.data, b.len, m);
	const char *v = e ? NULL : wire_str(m, "verdict");
	if (!e)
		(void)snprintf(ret_verdict, 32, "%s", v ? v : m->kind);
	if (fd >= 0)
		(void)close(fd);
	free(m);
	return e;
}

static bool run_socket(struct doctor *d, const char *name, const char *unit, mode_t want, mode_t refuse)
{
	char path[PATH_MAX], start[128];
	struct stat st;
	if ((size_t)snprintf(path, sizeof path, "%s/%s", d->c->conf->run_dir, name) >= sizeof path)
		return false;
	if (lstat(path, &st) < 0) {
		doctor_fix(d, "%s", run_start(d, unit, start));
		doctor_say(d, DOCTOR_FAIL, "%s: %s", path,
			   errno == ENOENT ? "it is not there; nobody listens" : strerror(errno));
		return false;
	}
	if (!S_ISSOCK(st.st_mode)) {
		doctor_fix(d, "rm %s\n%s", path, run_start(d, unit, start));
		doctor_say(d, DOCTOR_FAIL, "%s is no socket", path);
		return false;
	}
	if ((st.st_mode & want) != want || (st.st_mode & refuse)) {
		doctor_fix(d, "chmod %04o %s", (unsigned)want, path);
		doctor_say(d, DOCTOR_FAIL, "%s: mode %04o, and it must be %04o", path, (unsigned)st.st_mode & 07777,
			   (unsigned)want);
		return false;
	}
	return true;
}

static bool run_auth(struct doctor *d)
{
	char path[PATH_MAX], start[128], verdict[32] = "";
	if (!run_socket(d, "auth.sock", "kosmo-keeper.socket", 0666, 0))
		return false;
	(void)snprintf(path, sizeof path, "%s/auth.sock", d->c->conf->run_dir);
	enum err e = run_ask(d, path, verdict);
	if (!e && strcmp(verdict, "ignore") == 0)
		return true;
	if (e) {
		doctor_fix(d, "%s",
			   d->system ? "systemctl restart kosmo-keeper.service; journalctl -u kosmo-keeper -n 20"
				     : run_start(d, "", start));
		doctor_say(d, DOCTOR_FAIL, "%s: %s", path,
			   e == ERR_TIMEOUT ? "the keeper did not answer within 3 s"
					    : "the keeper hung up, or nobody listens");
	} else {
		doctor_fix(d, "%s",
			   d->system ? "journalctl -u kosmo-keeper -n 20 says why"
				     : "the keeper's log says why; another configuration, or its store failed");
		doctor_say(d, DOCTOR_FAIL,
			   "%s: asked for a name that nobody has, the keeper said \"%s\" and not \"ignore\"", path,
			   verdict);
	}
	return false;
}

void doctor_sockets(struct doctor *d)
{
	bool ok = run_auth(d);
	ok &= run_socket(d, "web.sock", "kosmo-keeper-web.socket", 0600, 07);
	/* Without systemd the mailer is there only while kosmo-enrolld is. */
	if (d->system)
		ok &= run_socket(d, "mail.sock", "kosmo-mailer.socket", 0600, 07);
	if (ok)
		doctor_say(d, DOCTOR_OK, "%s: the keeper answers", d->c->conf->run_dir);
}

/* ---- the site ---- */

/* web.listen: HOST:PORT, [v6]:PORT or unix:PATH. */
static int run_connect(const char *listen)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *ai = NULL;
	const struct timeval wait = {RUN_WAIT_MS / 1000, 0};
	char host[256];
	int fd;
	if (strncmp(listen, "unix:", 5) == 0) {
		(void)snprintf(un.sun_path, sizeof un.sun_path, "%s", listen + 5);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
		if (fd < 0 || connect(fd, (const struct sockaddr *)&un, sizeof un) == 0)
			return fd;
		goto fail;
	}
	const char *colon = strrchr(listen, ':');
	if (!colon)
		return -1;
	bool bracket = *listen == '[' && colon[-1] == ']';
	(void)snprintf(host, sizeof host, "%.*s", (int)(colon - listen) - 2 * bracket, listen + bracket);
	if (getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		return -1;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	bool ok = fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) == 0;
	freeaddrinfo(ai);
	if (ok)
		return fd;
fail:
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

void doctor_site(struct doctor *d)
{
	static const char ask[] = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
	const char *at = d->c->conf->web_listen;
	char said[64] = "", start[128];
	int status = 0, fd = run_connect(at);
	if (fd >= 0 && send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) > 0 &&
	    recv(fd, said, sizeof said - 1, MSG_WAITALL) > 0 && strncmp(said, "HTTP/1.", 7) == 0 && strlen(said) > 12)
		status = atoi(said + 9);
	if (fd >= 0)
		(void)close(fd);
	if (status == 200) {
		doctor_say(d, DOCTOR_OK, "kosmo-enrolld answers at %s", at);
		return;
	}
	doctor_fix(d, "%s", run_start(d, "kosmo-enrolld.socket", start));
	if (status)
		doctor_say(d, DOCTOR_FAIL, "kosmo-enrolld at %s answers /healthz with %d", at, status);
	else
		doctor_say(d, DOCTOR_FAIL, "kosmo-enrolld does not answer at %s%s", at,
			   d->system ? "; does ListenStream= of kosmo-enrolld.socket say the same?" : "");
}
