/* One request and its answer, from the first byte to the last. */
#ifndef KOSMO_ENROLL_EXCHANGE_H
#define KOSMO_ENROLL_EXCHANGE_H

#include "common/buf.h"
#include "enroll/conns.h"
#include "enroll/keeper_link.h"
#include "enroll/page.h"
#include "enroll/request.h"
#include "enroll/routes.h"
#include "enroll/trouble.h"
#include <microhttpd.h>

#define EXCHANGE_BODY_MAX ((size_t)64 * 1024)
#define EXCHANGE_SWALLOW_MAX                                                                                           \
	((size_t)1024 * 1024) /* of a body that is refused: read, so that the browser sees the answer */
#define EXCHANGE_HEADERS_MAX 8192

enum exchange_state {
	EXCHANGE_NEW,	  /* its request line is here */
	EXCHANGE_READING, /* its headers are here, the body is coming */
	EXCHANGE_WAITING, /* suspended: the keeper works */
	EXCHANGE_ANSWERED /* the keeper answered, or did not */
};

/* What all exchanges share. */
struct server {
	struct site site;
	struct link *link;
	struct conns *conns;
	struct answers *answers;
	struct troubles *troubles;
};

struct exchange {
	struct server *server;
	struct MHD_Connection *http;
	struct conn *conn;
	int64_t started;

	char *target;	  /* as it came, path and query */
	char *path;	  /* target up to '?' */
	char *query;	  /* behind it, "" if there is none; decoded in place */
	const char *verb; /* in our own words: GET, HEAD, POST, other */
	const struct route *route;
	const char *rest;
	const char *lang;

	/* of the headers: libmicrohttpd's bytes, good until the answer is sent */
	const char *host, *origin, *cookie, *content_type, *content_length, *languages, *agent, *if_none_match;
	struct buf forwarded;

	size_t body_len;
	struct buf body; /* wiped with it */
	struct form form;
	struct buf answer; /* the keeper's */
	uint64_t told;	   /* of our failures, with this request: trouble_take */

	enum exchange_state state;
	int method; /* enum route_method, 0: another one */
	int allow;
	unsigned refused; /* status of a request that is not carried out */
	enum page_error why;
	enum link_result result;
	unsigned status; /* what was answered */
	struct address client;
	bool client_known, entered, chunked, repeated;
};

/* NULL: out of memory. */
struct exchange *exchange_new(struct server *s, struct MHD_Connection *http, struct conn *conn, const char *target);
void exchange_free(struct exchange *x);
/* The headers are here: reads them and decides. MHD_NO drops the connection. */
enum MHD_Result exchange_begin(struct exchange *x, const char *verb);
/* More of the body; it is wiped where it stands. */
void exchange_body(struct exchange *x, char *p, size_t n);
/* The body is here: answers, or asks the keeper and suspends the connection. */
enum MHD_Result exchange_act(struct exchange *x);
/* link_done: resumes the connection. */
void exchange_done(void *arg, enum link_result result, struct buf *answer);

#endif
