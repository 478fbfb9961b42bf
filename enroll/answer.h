/* Everything that is sent back: pages, pictures, redirects, files, with the headers that each carries. */
#ifndef KOSMO_ENROLL_ANSWER_H
#define KOSMO_ENROLL_ANSWER_H

#include "enroll/exchange.h"

#define ANSWER_BACK_MAX (REQUEST_BACK_MAX + 128)

struct answers; /* the answers that are always the same, made once */

enum err answers_make(const struct site *site, struct answers **ret, struct errmsg *m);
void answers_free(struct answers *as);

/* All of these queue an answer; MHD_NO (out of memory) drops the connection. */
enum MHD_Result answer_error(struct exchange *x, unsigned status, enum page_error e);
/* The same of an unexpected failure, which gets a number. */
enum MHD_Result answer_failure(struct exchange *x, unsigned status, enum page_error e, enum failure_why why);
/* What the keeper said, or that it said nothing. */
enum MHD_Result answer_keeper(struct exchange *x);
/* POST /language */
enum MHD_Result answer_language(struct exchange *x);
/* GET /terms, for whoever wants to read them again; nobody need be logged in. */
enum MHD_Result answer_terms(struct exchange *x);
/* /static/NAME, /favicon.ico, /robots.txt, /healthz */
enum MHD_Result answer_file(struct exchange *x);
/* The cookie that says where a login leads back to; "" clears it. false: that is no such value. */
bool answer_back(const struct exchange *x, const char *value, char b[static ANSWER_BACK_MAX]);

#endif
