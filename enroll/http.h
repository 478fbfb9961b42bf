/* The HTTP server: libmicrohttpd's callbacks around struct exchange. */
#ifndef KOSMO_ENROLL_HTTP_H
#define KOSMO_ENROLL_HTTP_H

#include "common/conf.h"

struct http;

/* The listener that conf names: an address or a Unix socket (0660). */
enum err http_listen(const struct conf *conf, int *ret_fd, struct errmsg *m);
/* Serves fd (taken over) and the keeper on run_dir/web.sock until http_stop. conf must outlive it. */
enum err http_start(const struct conf *conf, int fd, struct http **ret, struct errmsg *m);
/* Answers what is in flight, then ends. NULL is fine. */
void http_stop(struct http *h);

#endif
