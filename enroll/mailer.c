#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/sandbox.h"
#include "common/secret.h"
#include "common/text.h"
#include "common/wire.h"
#include "enroll/mailer.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#define FRAME_MS   10000 /* for a frame that has begun */
#define NICE	   5
#define IDLE_MS	   60000 /* then a socket-activated mailer leaves */
#define GIVE_UP_MS 5000	 /* what a delivery under way gets at a stop signal */

static const char *const state_names[] = {
    [MAILER_TEMPORARY] = "temporary", [MAILER_SENT] = "sent", [MAILER_PERMANENT] = "permanent"};

struct server;

struct connection {
	struct server *s;
	pthread_t thread;
	int fd;
	bool used; /* there is a thread that was not joined yet */
	bool done; /* it ends */
};

struct server {
	struct mailer m;
	int listen, signals, stop; /* stop: an eventfd, readable for good once all shall end */
	bool passed;		   /* the service manager holds the socket and will start us again */
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct connection all[CONF_CONNECTIONS_MAX];
	int connections, busy; /* that are not done; those with a mail in hand */
	int64_t last_work;
};

static bool is_address(const char *s)
{
	AUTO_BUF b = BUF_INIT;

	return s && text_email(s, strlen(s), &b) == ERR_NONE && buf_str(&b) && strlen(buf_str(&b)) == strlen(s) &&
	       s[strcspn(s, "<> \r\n")] == '\0';
}

/* ---- a connection ---- */

static void deliver(struct mailer *m, void *carrier, const struct wire_msg *in, struct mailer_result *ret)
{
	const struct wire_field *message = wire_get(in, "message");
	const char *to = wire_str(in, "to"), *from = m->conf->mail_from[0] ? m->conf->mail_from : wire_str(in, "from");
	char id[128] = "(no message id)";

	if (!from) /* into a Maildir mails may go without a sender: RFC 5321's null reverse-path */
		from = "";
	if (!is_address(to) || (*from && !is_address(from)))
		mailer_result(ret, MAILER_PERMANENT, 0, "not an email address");
	else if (!message || message->len == 0 || memchr(message->data, '\0', message->len))
		mailer_result(ret, MAILER_PERMANENT, 0, "not a mail");
	else {
		const struct mailer_mail mail = {from, to, message->data, message->len};
		mailer_message_id(message->data, message->len, id, sizeof(id));
		m->transport->deliver(carrier, &mail, ret);
	}
	/* A relay's words may hold names, so only its number; our own words say what to mend. */
	if (ret->code != 0)
		daemon_log(ret->state == MAILER_SENT ? LOG_INFO : LOG_WARNING, "%s: %s, reply %d", id,
			   state_names[ret->state], ret->code);
	else
		daemon_log(ret->state == MAILER_SENT ? LOG_INFO : LOG_WARNING, "%s: %s%s%s", id,
			   state_names[ret->state], ret->reason[0] ? ", " : "", ret->reason);
}

static void server_busy(struct server *s, int by)
{
	(void)pthread_mutex_lock(&s->lock);
	s->busy += by;
	s->last_work = clock_mono_ms();
	(void)pthread_mutex_unlock(&s->lock);
}

/* False: the peer is gone, broke the protocol, or all shall end. */
static bool connection_turn(struct server *s, void *carrier, int fd)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = s->stop, .events = POLLIN}};
	struct mailer_result result = {MAILER_TEMPORARY, 0, ""};
	struct wire_msg in;
	AUTO_BUF frame = BUF_INIT;
	AUTO_BUF out = BUF_INIT;

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	if (p[1].revents || wire_recv(fd, &frame, clock_mono_ms() + FRAME_MS) != ERR_NONE ||
	    wire_parse(frame.data, frame.len, &in) != ERR_NONE || strcmp(in.kind, "send") != 0)
		return false;
	server_busy(s, 1);
	deliver(&s->m, carrier, &in, &result);
	server_busy(s, -1);
	wire_begin(&out, in.id, "result");
	wire_puts(&out, "state", state_names[result.state]);
	wire_puts(&out, "reason", result.reason);
	return wire_end(&out) == ERR_NONE && wire_send(fd, &out, clock_mono_ms() + FRAME_MS) == ERR_NONE;
}

static void *connection_run(void *arg)
{
	struct connection *c = arg;
	struct server *s = c->s;
	void *carrier = s->m.transport->carrier(&s->m);

	while (carrier && connection_turn(s, carrier, c->fd))
		;
	s->m.transport->carrier_free(carrier);
	(void)close(c->fd);
	(void)pthread_mutex_lock(&s->lock);
	c->done = true;
	s->connections--;
	(void)pthread_cond_signal(&s->ended);
	(void)pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* A place for a new connection; threads that have ended are joined on the way. NULL: all are taken. */
static struct connection *server_place(struct server *s)
{
	struct connection *free_one = NULL;

	for (size_t i = 0; i < CONF_CONNECTIONS_MAX; i++) {
		struct connection *c = &s->all[i];
		(void)pthread_mutex_lock(&s->lock);
		bool done = c->used && c->done;
		(void)pthread_mutex_unlock(&s->lock);
		if (done && pthread_join(c->thread, NULL) == 0)
			c->used = false;
		if (!c->used)
			free_one = c;
	}
	return free_one;
}

static void server_accept(struct server *s)
{
	int fd = accept4(s->listen, NULL, NULL, SOCK_CLOEXEC);
	struct connection *c = fd >= 0 ? server_place(s) : NULL;

	if (!c) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	*c = (struct connection){.s = s, .fd = fd};
	(void)pthread_mutex_lock(&s->lock);
	s->connections++;
	c->used = pthread_create(&c->thread, NULL, connection_run, c) == 0;
	if (!c->used) {
		(void)close(fd);
		s->connections--;
	}
	(void)pthread_mutex_unlock(&s->lock);
}

/* ---- the server ---- */

/* Milliseconds until it is time to leave: 0 = now, -1 = never. *ret_full: no room for another connection. */
static int server_patience(struct server *s, bool *ret_full)
{
	int wait = -1;

	(void)pthread_mutex_lock(&s->lock);
	int64_t idle = clock_mono_ms() - s->last_work;
	*ret_full = s->connections >= CONF_CONNECTIONS_MAX;
	if (s->passed)
		wait = s->busy > 0 ? IDLE_MS : idle >= IDLE_MS ? 0 : (int)(IDLE_MS - idle);
	(void)pthread_mutex_unlock(&s->lock);
	return wait;
}

static enum err server_run(struct server *s, struct errmsg *m)
{
	bool full = false;

	for (;;) {
		int wait = server_patience(s, &full);
		if (wait == 0)
			return ERR_NONE;
		struct pollfd p[] = {{.fd = s->signals, .events = POLLIN},
				     {.fd = full ? -1 : s->listen, .events = POLLIN},
				     {.fd = s->m.hand, .events = POLLIN}};
		if (poll(p, 3, full ? 1000 : wait) < 0 && errno != EINTR)
			return err_set(m, ERR_IO, "cannot wait: %s", strerror(errno));
		if (p[0].revents)
			return ERR_NONE;
		if (p[2].revents)
			return err_set(m, ERR_INTERNAL, "the process that starts sendmail has ended");
		if (p[1].revents)
			server_accept(s);
	}
}

/* Mails under way get a moment; a result that is not sent makes the keeper try again. */
static void server_end(struct server *s)
{
	const uint64_t one = 1;
	struct timespec until;

	(void)pthread_mutex_lock(&s->lock);
	atomic_store(&s->m.give_up, clock_mono_ms() + GIVE_UP_MS);
	(void)!write(s->stop, &one, sizeof(one));
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += GIVE_UP_MS / 1000 + 5;
	while (s->connections > 0)
		if (pthread_cond_timedwait(&s->ended, &s->lock, &until) != 0)
			break;
	int left = s->connections;
	(void)pthread_mutex_unlock(&s->lock);
	if (left > 0) { /* their memory is still in use */
		daemon_log(LOG_WARNING, "stopped with a delivery under way");
		_exit(0);
	}
	(void)server_place(s); /* joins all */
}

static enum err server_open(struct server *s, char *path, size_t cap, struct errmsg *m)
{
	pthread_condattr_t attr;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return err_set(m, ERR_IO, "cannot block signals");
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->signals < 0 || s->stop < 0)
		return err_set(m, ERR_IO, "cannot watch signals: %s", strerror(errno));
	if (pthread_mutex_init(&s->lock, NULL) != 0 || pthread_condattr_init(&attr) != 0 ||
	    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0 || pthread_cond_init(&s->ended, &attr) != 0)
		return err_set(m, ERR_INTERNAL, "threads do not start");
	s->last_work = clock_mono_ms();
	s->listen = daemon_passed_fd("mail");
	s->passed = s->listen >= 0;
	if (s->passed)
		return ERR_NONE;
	int n = snprintf(path, cap, "%s/mail.sock", s->m.conf->run_dir);
	if (n <= 0 || (size_t)n >= cap)
		return err_set(m, ERR_INVALID, "run_dir is too long");
	return daemon_listen_unix(path, 0600, &s->listen, m);
}

static const struct mailer_transport *const transports[] = {&mailer_smtp, &mailer_sendmail, &mailer_maildir};

static enum err serve(const struct conf *conf, struct errmsg *m)
{
	static struct server s = {.listen = -1, .signals = -1, .stop = -1};
	struct sandbox_lacks lacks;
	char path[PATH_MAX] = "";

	s.m.conf = conf;
	s.m.hand = -1;
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (strcmp(conf->mail_transport, transports[i]->name) == 0)
			s.m.transport = transports[i];
	if (!s.m.transport)
		return err_set(m, ERR_INTERNAL, "no transport %s", conf->mail_transport);
	enum err r = s.m.transport->prepare(&s.m, m);
	if (r == ERR_NONE)
		r = server_open(&s, path, sizeof(path), m);
	if (r == ERR_NONE)
		r = sandbox_enter(SANDBOX_MAILER, conf, &lacks, m);
	if (r == ERR_NONE) {
		if (lacks.text[0])
			daemon_log(LOG_INFO, "no %s on this system: the sandbox goes without", lacks.text);
		daemon_notify("READY=1");
		r = server_run(&s, m);
		daemon_notify("STOPPING=1");
		server_end(&s);
		if (!s.passed)
			(void)unlink(path);
	}
	if (s.listen >= 0)
		(void)close(s.listen);
	if (s.signals >= 0)
		(void)close(s.signals);
	if (s.stop >= 0)
		(void)close(s.stop);
	if (s.m.hand >= 0)
		(void)close(s.m.hand);
	mailer_relays_free(&s.m);
	return r;
}

static const char usage[] = "usage: kosmo-mailer [-c FILE]\n"
			    "Hands the mails of pam_kosmo to SMTP relays or to sendmail, or puts them into a Maildir.\n"
			    "  -c, --config FILE  the configuration (default " SYSCONFDIR "/kosmo/kosmo.conf)\n"
			    "  -h, --help         this text\n"
			    "  -V, --version      the version\n";

int main(int argc, char **argv)
{
	const char *file = SYSCONFDIR "/kosmo/kosmo.conf";
	struct conf *conf = NULL;
	struct errmsg m = {""};
	int status = daemon_options(argc, argv, "kosmo-mailer", usage, &file, NULL);

	if (status >= 0)
		return status;
	daemon_harden();
	(void)setpriority(PRIO_PROCESS, 0, NICE); /* a long queue shall not slow those who log in on this machine */
	daemon_log_open("kosmo-mailer", LOG_MAIL, false);
	enum err r = conf_load(file, &conf, &m);
	/* Under a service manager it has a user of its own, who is not the keeper's. */
	if (r == ERR_NONE && geteuid() == 0)
		r = daemon_become_owner(conf->state_dir, &m);
	if (r == ERR_NONE)
		r = serve(conf, &m);
	if (r != ERR_NONE) {
		(void)fprintf(stderr, "kosmo-mailer: %s\n", m.text);
		daemon_log(LOG_ERR, "%s", m.text);
	}
	conf_free(conf);
	closelog();
	return r == ERR_NONE ? 0 : 1;
}
