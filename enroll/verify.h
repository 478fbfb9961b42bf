/* GET /auth/verify: a proxy asks whether the one whose request it holds may go on to a portal (nginx's auth_request,
 * Caddy's forward_auth). The keeper decides; here are the headers in and out.
 *
 * In, of the proxy: Cookie as the browser sent it; X-Forwarded-Uri and X-Forwarded-Method, what the browser asked for.
 * The query is the proxy's own: need=second-factor or need=passkey, within=MINUTES, redirect=yes (303 in place of 401
 * and 403, for proxies that pass the answer on to the browser). Out: 200 with Remote-User, Remote-Name (UTF-8,
 * percent-encoded), Remote-Method, Remote-Auth-Time; 401 nobody is logged in, 403 not well enough: with Location and
 * Set-Cookie for a browser that asks for a page, without for a script's call. */
#ifndef KOSMO_ENROLL_VERIFY_H
#define KOSMO_ENROLL_VERIFY_H

#include "enroll/exchange.h"

/* The message "verify" of web.sock. ERR_INVALID: the query is wrong. */
enum err verify_frame(const struct exchange *x, struct buf *b);
/* Both queue an answer; MHD_NO drops the connection. */
enum MHD_Result verify_answer(struct exchange *x);
enum MHD_Result verify_refuse(struct exchange *x, unsigned status);

#endif
