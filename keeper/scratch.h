/* What a session keeps until the person has dealt with it: one thing at a time, in the session's scratch. */
#ifndef KOSMO_SCRATCH_H
#define KOSMO_SCRATCH_H

#include "keeper/store/store.h"

enum scratch_kind {
	SCRATCH_NONE = 0,
	SCRATCH_CODES, /* recovery codes, one a line, that nobody has said to be saved */
	SCRATCH_ASK,   /* a recovery code was used: was the phone lost? */
	SCRATCH_LOST,  /* it was: the id of the authenticator that goes once another is registered */
	SCRATCH_ANEW   /* of a SESSION_ANEW: the id of the admin's code */
};

enum scratch_kind scratch_kind(const struct session *s);
/* What belongs to the kind: "" if nothing. */
const char *scratch_text(const struct session *s);
bool scratch_id(const struct session *s, struct id *ret);
/* Takes the place of what was there; session_start carries it over, store_session_save keeps it. text may be NULL. */
enum err scratch_set(struct session *s, enum scratch_kind kind, const char *text);
enum err scratch_set_id(struct session *s, enum scratch_kind kind, const struct id *id);

#endif
