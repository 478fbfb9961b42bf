/* What a person must have done before they are in: one table of requirements in order, each naming the roles and doors
 * it binds and how it is met. No step is stored anywhere: the first unmet row is the next page. */
#ifndef KOSMO_REQUIRE_H
#define KOSMO_REQUIRE_H

#include "common/conf.h"
#include "keeper/enrol.h"
#include "keeper/factor.h"

enum requirement_id {
	REQ_NONE = 0,
	REQ_BIRTH,
	REQ_TERMS,
	REQ_EMAIL,
	REQ_METHOD,
	REQ_PASSWORD,
	REQ_AUTHENTICATOR,
	REQ_SHEET
};

#define SHEET_LOW 2 /* codes of a sheet that are left when another must be made */

struct facts {
	const struct conf *conf;
	const struct person *person;
	size_t confirmed; /* authenticators that count in the browser */
	bool app, passkey, sheet,
	    mail;	    /* the ways among them: app, passkey, recovery codes as a way of their own, mailed codes */
	size_t sheet_left;  /* codes of the sheet */
	bool proven;	    /* a factor, lately: whoever calls sets it. What needs that is asked of nobody else */
	bool strong;	    /* one of them is no mailed code */
	bool unfinished;    /* there is no authenticator at all, whether it counts now or not */
	struct enrol enrol; /* then: until when there must be one */
	bool mail_kept;	    /* mailed codes are a way, though they may not be usable now */
	bool
	    password_due; /* the own password must be changed (policy_password_due): asked of nobody who is enrolling */
};

struct requirement {
	enum requirement_id id; /* REQ_NONE ends the table */
	unsigned roles;		/* 1 << ROLE_* */
	unsigned doors;		/* DOOR_* */
	bool upkeep;		/* no step of the enrolment: it comes later, if ever */
	bool (*met)(const struct facts *f);
	const char *path; /* the page where it is met */
};

extern const struct requirement requirements[];

/* The first unmet one for this person at this door; NULL: none. */
const struct requirement *require_first(const struct facts *f, enum door door);
bool require_binds(const struct requirement *r, const struct person *p, enum door door);
/* How many of these authenticators, a person's confirmed ones, can be used, with this policy of
 * mailed codes. */
size_t require_ways(const struct person *p, const struct authenticator *au, size_t n, enum mailcode_policy policy);
/* Is it one that nobody can read, copy or be talked out of beforehand: an app, a passkey? */
bool require_good(enum factor_kind kind);
/* May this person choose and register this way in the browser? */
bool require_offers(const struct facts *f, enum factor_kind kind);
/* "Step 3 of 6": the place of a requirement among those that bind a person in the browser. */
void require_place(const struct facts *f, enum requirement_id id, int *ret_step, int *ret_steps);

/* Loads what the table asks about; of mailed codes, by the browser's policy. */
enum err require_facts(struct store *st, const struct conf *conf, const struct person *p, int64_t now,
		       struct facts *ret);

/* The same where mailed codes count by this policy. */
enum err require_facts_by(struct store *st, const struct conf *conf, const struct person *p, enum mailcode_policy mail,
			  int64_t now, struct facts *ret);

#endif
