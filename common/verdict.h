/* What the keeper decides. Only VERDICT_ALLOW lets anyone in; it is neither 0 nor 1, so that no default means it. */
#ifndef KOSMO_VERDICT_H
#define KOSMO_VERDICT_H

enum verdict {
	VERDICT_INTERNAL = 0, /* something broke: refuse */
	VERDICT_DENY = 1,     /* wrong, unknown, unenrolled, replayed: one word for all */
	VERDICT_THROTTLED = 2,
	VERDICT_LOCKED = 3,
	VERDICT_UNAVAILABLE = 4, /* store or queue: refuse */
	VERDICT_DISABLED = 5,	 /* account phase only */
	VERDICT_EXPIRED = 6,	 /* account phase only */
	VERDICT_UNFINISHED = 7,	 /* account phase only: enrolment not done */
	VERDICT_IGNORE = 8,	 /* not ours: PAM_IGNORE where design.md allows it */
	VERDICT_CHANGE = 9,	 /* account phase only: the password must be changed first */
	VERDICT_UNCHANGED = 10,	 /* password phase only: no new password that would do was typed */
	VERDICT_ALLOW = 0x5a
};

/* "allow", "deny", ... on the wire. From text: VERDICT_INTERNAL for anything unknown or NULL. */
const char *verdict_name(enum verdict v);
enum verdict verdict_from(const char *name);

#endif
