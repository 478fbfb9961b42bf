#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "enroll/answer.h"
#include "enroll/http.h"
#include "enroll/log.h"
#include "enroll/verify.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_POOL 2
#define HTTP_MEMORY                                                                                                    \
	(24 * 1024) /* a connection: headers of 8 KiB twice (as they came, and as answered) and room to read */

struct http {
	struct server server;
	struct MHD_Daemon *daemon;
	bool tcp;
};

/* ---- listening ---- */

static enum err http_listen_tcp(const char *where, int *ret_fd, struct errmsg *m)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_STREAM};
	char host[128];
	const char *colon = strrchr(where, ':');
	struct addrinfo *ai = NULL;
	int fd = -1, one = 1, error;
	size_t n;

	n = colon ? (size_t)(colon - where) : 0;
	if (n == 0 || n >= sizeof host)
		return err_set(m, ERR_INVALID, "web.listen: \"%s\" is not an address and port", where);
	memcpy(host, where, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		memmove(host, host + 1, n - 1);
	}
	if (getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		return err_set(m, ERR_INVALID, "web.listen: \"%s\" is not an address and port", where);
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) {
		freeaddrinfo(ai);
		*ret_fd = fd;
		return ERR_NONE;
	}
	error = errno;
	freeaddrinfo(ai);
	if (fd >= 0)
		close(fd);
	if (error == EADDRINUSE)
		return err_set(m, ERR_EXISTS, "another program listens on %s: stop it, or change web.listen (and url)",
			       where);
	return err_set(m, ERR_IO, "cannot listen on %s: %s", where, strerror(error));
}

enum err http_listen(const struct conf *conf, int *ret_fd, struct errmsg *m)
{
	if (strncmp(conf->web_listen, "unix:", 5) == 0)
		return daemon_listen_unix(conf->web_listen + 5, 0660, ret_fd, m);
	return http_listen_tcp(conf->web_listen, ret_fd, m);
}

/* ---- libmicrohttpd's callbacks ---- */

/* The address to count a connection under; false: it is not counted. */
static bool http_counted(const struct http *h, const struct sockaddr *sa, struct address *ret)
{
	return address_of(sa, ret) && !proxies_trusts(&h->server.site.proxies, ret);
}

static enum MHD_Result http_accept(void *arg, const struct sockaddr *sa, socklen_t n)
{
	struct http *h = arg;
	struct address a;

	(void)n;
	return !http_counted(h, sa, &a) || conns_room(h->server.conns, &a) ? MHD_YES : MHD_NO;
}

static void http_connection(void *arg, struct MHD_Connection *c, void **context,
			    enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *fd, *peer;
	struct http *h = arg;
	struct address a;
	bool counted;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		conns_remove(h->server.conns, *context);
		*context = NULL;
		return;
	}
	fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	peer = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (!fd)
		return;
	counted = peer && http_counted(h, peer->client_addr, &a);
	*context = conns_add(h->server.conns, fd->connect_fd, counted ? &a : NULL);
	if (!*context)
		shutdown(fd->connect_fd, SHUT_RDWR); /* without a deadline it may not stay */
}

static struct conn *http_conn(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* The one callback that sees the target as it came, before anything is decoded. */
static void *http_target(void *arg, const char *target, struct MHD_Connection *c)
{
	struct http *h = arg;
	struct conn *conn = http_conn(c);

	conns_request(h->server.conns, conn);
	return exchange_new(&h->server, c, conn, target);
}

static void http_completed(void *arg, struct MHD_Connection *c, void **context, enum MHD_RequestTerminationCode code)
{
	struct http *h = arg;
	struct exchange *x = *context;

	if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		conns_idle(h->server.conns, http_conn(c));
	if (!x)
		return;
	if (log_debugging())
		log_debug("%s %s %u %lld ms", x->verb, x->route ? x->route->action : "-", x->status,
			  (long long)(clock_mono_ms() - x->started));
	exchange_free(x);
	*context = NULL;
}

static enum MHD_Result http_handle(void *arg, struct MHD_Connection *c, const char *url, const char *verb,
				   const char *version, const char *data, size_t *data_len, void **context)
{
	struct exchange *x = *context;

	(void)arg;
	(void)c;
	(void)url;
	(void)version;
	if (!x)
		return MHD_NO;
	switch (x->state) {
	case EXCHANGE_NEW:
		return exchange_begin(x, verb);
	case EXCHANGE_READING:
		if (*data_len == 0)
			return exchange_act(x);
		/* These bytes are libmicrohttpd's own read buffer, const only in its signature. */
		exchange_body(x, (char *)(uintptr_t)data, *data_len);
		*data_len = 0;
		return MHD_YES;
	case EXCHANGE_WAITING:
		return MHD_YES; /* woken for nothing */
	case EXCHANGE_ANSWERED:
		return x->route->kind == ROUTE_VERIFY ? verify_answer(x) : answer_keeper(x);
	}
	return MHD_NO;
}

/* ---- starting and stopping ---- */

/* Each connection is a descriptor, and a service manager's usual limit is just below ours. */
static void http_descriptors(void)
{
	const rlim_t want = CONNS_MAX + 64;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= want)
		return;
	r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
	setrlimit(RLIMIT_NOFILE, &r);
}

static enum err http_daemon(struct http *h, int fd, struct errmsg *m)
{
	const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;

	h->daemon = MHD_start_daemon(flags, 0, http_accept, h, http_handle, h, MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_THREAD_POOL_SIZE, (unsigned)HTTP_POOL, MHD_OPTION_CONNECTION_LIMIT,
				     (unsigned)CONNS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(2 * CONNS_IDLE_MS / 1000),
				     MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_NOTIFY_CONNECTION, http_connection, h,
				     MHD_OPTION_NOTIFY_COMPLETED, http_completed, h, MHD_OPTION_URI_LOG_CALLBACK,
				     http_target, h, MHD_OPTION_END);
	if (!h->daemon)
		return err_set(m, ERR_INTERNAL, "libmicrohttpd does not start: %s", strerror(errno));
	return ERR_NONE;
}

/* What is wrong with the site's own files is said once, here; kosmoctl config check says the same beforehand. */
static void http_fault(void *arg, enum fault f, const char *sentence)
{
	(void)arg;
	if (f == FAULT_WARNING)
		log_info("%s", sentence);
	else
		log_error("%s (%s)", sentence, f == FAULT_PART ? "this part is left out" : "left out");
}

static const struct faults http_faults = {http_fault, NULL};

enum err http_start(const struct conf *conf, int fd, struct http **ret, struct errmsg *m)
{
	struct http *h = calloc(1, sizeof *h);
	char sock[4096];
	enum err r;

	if (!h) {
		close(fd);
		return err_set(m, ERR_NOMEM, "out of memory");
	}
	http_descriptors();
	snprintf(sock, sizeof sock, "%s/web.sock", conf->run_dir);
	h->server.troubles = troubles_new();
	r = h->server.troubles ? site_load(conf, &http_faults, &h->server.site, m)
			       : err_set(m, ERR_NOMEM, "out of memory");
	if (r == ERR_NONE)
		r = answers_make(&h->server.site, &h->server.answers, m);
	if (r == ERR_NONE)
		r = conns_start(&h->server.conns, m);
	if (r == ERR_NONE)
		r = link_start(sock, exchange_done, &h->server.link, m);
	if (r == ERR_NONE)
		r = http_daemon(h, fd, m);
	if (r == ERR_NONE) {
		*ret = h;
		return ERR_NONE;
	}
	close(fd);
	http_stop(h);
	return r;
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	/* First the link: libmicrohttpd may not be stopped while a connection is suspended. */
	if (h->server.link)
		link_stop(h->server.link);
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	link_free(h->server.link);
	conns_free(h->server.conns);
	answers_free(h->server.answers);
	troubles_free(h->server.troubles);
	site_free(&h->server.site);
	free(h);
}
