/* Jobs under failing calls: a small instance that is made once and put back before each run; its doors, asked without
 * sockets; the loop over every call. */
#ifndef KOSMO_UNIT_CHAOS_H
#define KOSMO_UNIT_CHAOS_H

#include "fault.h"
#include "unit.h"

#include "common/verdict.h"
#include "keeper/door_auth.h"
#include "keeper/door_verify.h"
#include "keeper/door_web.h"
#include "keeper/totp.h"

#define OK(call)       assert_int_equal((call), ERR_NONE)
#define CHAOS_NOW      1700000010
#define CHAOS_PASSWORD "right horse"
#define CHAOS_INITIAL  "abcd-efgh-jkmn-pqrs"
#define CHAOS_OWN      "three mikan on a barge"

struct chaos {
	void *folder;
	struct conf *conf;
	char conf_path[PATH_MAX], db_path[PATH_MAX];
	uint8_t *image; /* of the store, as each run finds it */
	size_t image_len;
	struct keeper k;
	bool open;	  /* k is */
	struct store *st; /* NULL: could not be opened */
	char recovery[2][40];
	/* a browser */
	char cookie[64], csrf[64];
	/* the last view */
	char page[64], path[64];
	long runs;
};

/* taro, jiro (disabled), saburo (expired): staff with password, app and recovery codes; shiro: with codes by mail;
 * hanako: a member's letter. */
#define CHAOS_PEOPLE 5
struct chaos *chaos_new(void);
void chaos_free(struct chaos *c);
/* The store as it is now is what each run finds. */
void chaos_keep(struct chaos *c);

/* The keeper comes up over the image or over what the last one left, and goes. */
void chaos_start(struct chaos *c, bool image);
void chaos_stop(struct chaos *c);

/* The app's code of this moment; for hanako, with the key that waits in the store. */
const char *chaos_code(int64_t at);
const char *chaos_pending_code(struct chaos *c, int64_t at);

enum verdict chaos_pam(struct chaos *c, const char *login, const char *password, const char *code);
/* Enter at the code's question, then the code; NULL: the mailed one, if one was. */
enum verdict chaos_pam_enter(struct chaos *c, const char *login, const char *password, const char *code);
/* Enter at a seat, where a key signs: sign appends the fields of the module's answer. */
typedef void chaos_sign(struct chaos *c, const struct wire_msg *asked, struct buf *answer);
enum verdict chaos_pam_key(struct chaos *c, const char *login, const char *password, chaos_sign *sign);
enum verdict chaos_account(struct chaos *c, const char *login);
/* The code in the mail that waits; it counts as sent then. In English the body is as it is written. */
bool chaos_mail_code(struct chaos *c, char ret[static 8]);

/* Called (NULL: not) as each answer goes out, with failures paused. */
void chaos_on_reply(struct chaos *c, void (*f)(struct chaos *c));
/* One request of the browser: fields are NAME, VALUE, ..., NULL. Fills page and path; false: it was no success. */
bool chaos_get(struct chaos *c, const char *action);
bool chaos_post(struct chaos *c, const char *action, ...);
bool chaos_at(const struct chaos *c, const char *path); /* led there by a redirect */
/* A portal's question about this browser: the status, 0 if there was no answer. */
int chaos_verify(struct chaos *c);
/* Logs in up to the code's page, or the wizard. */
bool chaos_web_password(struct chaos *c, const char *login, const char *password);

/* A number that the store's file answers, by a hand of the test's own. */
int64_t chaos_sql(const struct chaos *c, const char *sql);
/* Nobody holds a lock, the file and the audit chain are whole. */
void chaos_whole(struct chaos *c);

/* job runs with calls failing, judge afterwards, undisturbed, over a keeper that was started anew. What one run found
 * out goes from one to the other in *told (zeroed). The first run of each kind fails nothing: there done must come out.
 */
struct chaos_job {
	const char *name;
	void (*job)(struct chaos *c, int *told);
	void (*judge)(struct chaos *c, int told);
	int done; /* what told is where nothing failed */
};
void chaos_run(struct chaos *c, const struct chaos_job *j);
/* KOSMO_CHAOS=all: every call, of allocations every fifth; else a sample that takes seconds. */
bool chaos_all(void);

#endif
