/* What the files of store/ share: running statements and reading rows. */
#ifndef KOSMO_STORE_INSIDE_H
#define KOSMO_STORE_INSIDE_H

#include "keeper/store/db.h"
#include "keeper/store/sql.h"
#include "keeper/store/store.h"
#include "keeper/store/turn.h"
#include <string.h>

struct audit_text;

struct store {
	const struct db_driver *drv;
	struct db *db;
	const struct seal *seal;
	struct db_stmt *stmt[SQL__MAX]; /* prepared at first use, kept */
	char *path;			/* as it was opened; NULL while it is made or upgraded */
	int64_t schema;			/* as it was opened */
	bool writing;			/* between begin and commit or rollback */
	bool looking;			/* between look and look_end */
	struct id verified;		/* whose MAC fitted since look: nothing changes in between */
	struct turn turn;		/* if it leads the transaction that it writes in */
	struct store *at; /* whose connection and statements: another's where that one's transaction goes on here */
	int64_t writes;
	enum err failed;	    /* a statement failed in this transaction: it cannot be committed */
	struct buf plain, box, mac; /* scratch that keeps its blocks, so that a bulk job allocates nothing per row */
	struct audit_text *texts;   /* what the last audit page points at */
};

#define V_NULL	     ((struct db_value){.type = DB_NULL})
#define V_INT(x)     ((struct db_value){.type = DB_INT, .i = (int64_t)(x)})
#define V_TEXT(s)    ((struct db_value){.type = DB_TEXT, .p = (s), .n = strlen(s)})
#define V_BLOB(q, m) ((struct db_value){.type = DB_BLOB, .p = (q), .n = (m)})
#define V_BUF(b)     V_BLOB((b)->data, (b)->len)
#define V_ID(x)	     V_BLOB((x)->b, ID_LEN)
#define V_ID0(x)     (id_zero(x) ? V_NULL : V_ID(x)) /* zero means none */
/* The parameters of a statement: pointer and number. */
#define ARGS(...)                                                                                                      \
	(const struct db_value[]){__VA_ARGS__}, sizeof((struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)

bool id_zero(const struct id *id);

/* A statement that is being stepped. Close it before the same one is opened again; close is safe after a failed open.
 */
struct query {
	struct store *st;
	struct db_stmt *s;
	enum err e; /* set by DB_ERROR, and by a column that is not what it must be */
};

enum err query_open(struct query *q, struct store *st, enum sql id, const struct db_value *v, size_t n);
enum db_step query_step(struct query *q);
/* The first row: ERR_NOTFOUND if there is none. */
enum err query_first(struct query *q, struct store *st, enum sql id, const struct db_value *v, size_t n);
void query_close(struct query *q);

/* Columns; of another type or length: q->e = ERR_CORRUPT and nothing is written. */
int64_t query_int(struct query *q, int i);
int64_t query_range(struct query *q, int i, int64_t min, int64_t max);
void query_bytes(struct query *q, int i, void *ret, size_t n);
void query_id(struct query *q, int i, struct id *ret);
void query_id0(struct query *q, int i, struct id *ret); /* NULL: zero */
void query_text(struct query *q, int i, char *ret, size_t cap);
struct db_value query_blob(struct query *q, int i); /* type DB_NULL if it is NULL */
/* Whatever it is; q->e = ERR_NOMEM if it cannot be had. */
struct db_value query_value(struct query *q, int i);

/* Writes: ERR_INTERNAL outside a write transaction. *ret_changes (may be NULL): rows written. */
enum err store_write(struct store *st, enum sql id, const struct db_value *v, size_t n, int64_t *ret_changes);
/* As store_write, but ERR_NOTFOUND if no row was written. */
enum err store_write_one(struct store *st, enum sql id, const struct db_value *v, size_t n);
/* For a write that RETURNs: query_first, refused outside a write transaction. */
enum err store_write_first(struct query *q, struct store *st, enum sql id, const struct db_value *v, size_t n);

/* One snapshot for several selects; nothing within a write transaction. */
enum err store_read_begin(struct store *st);
void store_read_end(struct store *st);

/* Sealed columns are lists of byte strings, each with its length (u16; the last one takes the rest). */
void part_put(struct buf *b, const void *p, size_t n);
/* The next part in p..end, as a C string; ERR_CORRUPT if cut, too long, or with a NUL inside. */
enum err part_text(const uint8_t **p, const uint8_t *end, char *ret, size_t cap);

/* The person's MAC, in person.c: check it, and make it anew after a change. */
enum err person_verify(struct store *st, const struct id *id);
enum err person_remac(struct store *st, const struct id *id);
/* store_authenticators within a snapshot that the caller has begun. */
enum err authenticators_read(struct store *st, const struct id *person, struct authenticator *ret, size_t max,
			     size_t *ret_n);
/* [tx] What passkey.c keeps of an authenticator, of any kind; of all of a person's. With a passkey goes what it may
 * have approved. */
enum err passkey_remove(struct store *st, const struct id *person, const struct id *authenticator);
enum err passkey_remove_all(struct store *st, const struct id *person);
/* [tx] What was asked of a person to be approved. */
enum err approval_remove_all(struct store *st, const struct id *person);
/* The first schema with passkeys and approvals. */
#define SCHEMA_PASSKEYS 4
/* The first schema with letters. */
#define SCHEMA_LETTERS 5
/* [tx] What waits to be printed for a person. */
enum err letter_remove(struct store *st, const struct id *person);
/* With recent logins. */
#define SCHEMA_LOGINS 5
/* [tx] A person's recent logins. */
enum err logins_remove_all(struct store *st, const struct id *person);
/* The first one with deadlines and reminders. */
#define SCHEMA_DEADLINES 5
/* [tx] A person's deadline and what they were reminded of. */
enum err deadline_remove(struct store *st, const struct id *person);

/* [tx] With everything that is theirs, published or not. */
enum err person_erase(struct store *st, const struct id *id);

void store_audit_forget(struct store *st);

/* ---- the audit chain (chain.c) ---- */

/* The columns of SQL_AUDIT_PAGE, _PERSON, _EVENT and SQL_AUDIT_WALK. */
enum { AUDIT_SEQ, AUDIT_TIME, AUDIT_PERSON, AUDIT_EVENT, AUDIT_DOOR, AUDIT_SEALED, AUDIT_MAC, AUDIT__COLUMNS };

/* MAC over the previous row's MAC and all columns of this one, as stored. prev and ret may be the same. */
enum err chain_mac(struct store *st, const uint8_t prev[static DIGEST_LEN], const struct db_value *v,
		   uint8_t ret[static DIGEST_LEN]);

/* Two places of the chain, each under a MAC of its own. The head goes with every row, so that a row cut off at the end
 * is missed, and its number is never used again; the start is the last row that pruning took away. */
enum chain_mark { CHAIN_HEAD = 1, CHAIN_START = 2 };
/* ERR_NOTFOUND: there is none, and *ret is the place before the first row. */
enum err chain_mark_get(struct store *st, enum chain_mark kind, struct audit_head *ret);
enum err chain_mark_put(struct store *st, enum chain_mark kind, const struct audit_head *h); /* [tx] */
/* [tx] The head of a store that has none yet: of a new one, or one of schema 1 with its rows. */
enum err chain_begin(struct store *st);

/* Whether what is sealed in the row that q stands on opens. */
enum err audit_opens(struct query *q);

/* The same for the row of a key: ERR_NONE, ERR_CORRUPT, or ERR_NOTFOUND if it is gone meanwhile. A person with the MAC
 * and all authenticators. */
enum err person_opens(struct store *st, const uint8_t *key);
enum err code_opens(struct store *st, const uint8_t *key);
enum err session_opens(struct store *st, const uint8_t *key);
enum err mail_opens(struct store *st, const uint8_t *key);
enum err approval_opens(struct store *st, const uint8_t *key);
enum err letter_opens(struct store *st, const uint8_t *key);
enum err logins_open(struct store *st, const uint8_t *key); /* of a person: all */
enum err deadline_opens(struct store *st, const uint8_t *key);

/* [in a transaction or not] Everybody, published or not: how many, and how many of them do not open. */
enum err check_people(struct store *st, int64_t *ret_people, int64_t *ret_bad);

/* Of a store as it was opened, whatever its version: ERR_CORRUPT if it is none, or was made with another key. */
enum err schema_read(struct store *st, const char *path, int64_t *ret_version, struct errmsg *m);
enum err schema_too_new(const char *path, int64_t version, struct errmsg *m);
struct store *store_new(const struct seal *seal);

#endif
