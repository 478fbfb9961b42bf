#include "config.h"

#include "keeper/store/migrate.h"
#include "keeper/store/store.h"

struct migration {
	int version;
	const char *sql[DB_DIALECT__MAX];
};

/* BYTEA, BIGINT and TEXT mean the same to all dialects (SQLite keeps the bytes of a BYTEA as they are). A clustered
 * table is one tree with its rows in the key's order; only SQLite must be asked for that. */
/* clang-format off */
#define ALL(v, text)	   {(v), {[DB_DIALECT_SQLITE] = (text)}}
#define CLUSTERED(v, text) {(v), {[DB_DIALECT_SQLITE] = text " WITHOUT ROWID"}}
/* clang-format on */

static const struct migration migrations[] = {
    ALL(1, "CREATE TABLE schema_version (version BIGINT NOT NULL, key_check BYTEA NOT NULL)"),

    CLUSTERED(1,
	      "CREATE TABLE batch (id BYTEA NOT NULL PRIMARY KEY, created BIGINT NOT NULL, published BIGINT NOT NULL)"),

    /* Not clustered: the rows are wide, and a tree of wide rows is deep. */
    ALL(1, "CREATE TABLE person (id BYTEA NOT NULL PRIMARY KEY, login TEXT NOT NULL UNIQUE, role BIGINT NOT NULL, "
	   "disabled BIGINT NOT NULL, expires BIGINT NOT NULL, locale TEXT NOT NULL, profile BYTEA NOT NULL, "
	   "address BIGINT, email_verified BIGINT NOT NULL, password TEXT NOT NULL, initial BYTEA, "
	   "initial_from BIGINT NOT NULL, initial_used BIGINT NOT NULL, birth_confirmed BIGINT NOT NULL, "
	   "terms BIGINT NOT NULL, method BIGINT NOT NULL, created BIGINT NOT NULL, batch BYTEA, "
	   "last_login BIGINT NOT NULL, mac BYTEA NOT NULL)"),
    ALL(1, "CREATE INDEX person_address ON person (address) WHERE address IS NOT NULL"),
    ALL(1, "CREATE INDEX person_batch ON person (batch) WHERE batch IS NOT NULL"),

    CLUSTERED(1,
	      "CREATE TABLE authenticator (person BYTEA NOT NULL, id BYTEA NOT NULL UNIQUE, kind BIGINT NOT NULL, "
	      "confirmed BIGINT NOT NULL, algorithm BIGINT NOT NULL, digits BIGINT NOT NULL, period BIGINT NOT NULL, "
	      "secret BYTEA NOT NULL, name BYTEA NOT NULL, last_step BIGINT NOT NULL, created BIGINT NOT NULL, "
	      "last_used BIGINT NOT NULL, PRIMARY KEY (person, id))"),

    CLUSTERED(1, "CREATE TABLE recovery (person BYTEA NOT NULL, id BYTEA NOT NULL, digest BYTEA NOT NULL, "
		 "used BIGINT NOT NULL, PRIMARY KEY (person, id))"),

    ALL(1, "CREATE TABLE code (id BYTEA NOT NULL PRIMARY KEY, person BYTEA NOT NULL, purpose BIGINT NOT NULL, "
	   "digest BYTEA NOT NULL, link BYTEA UNIQUE, sealed BYTEA NOT NULL, pair BIGINT NOT NULL, "
	   "created BIGINT NOT NULL, expires BIGINT NOT NULL, tries BIGINT NOT NULL, mail BYTEA, used BIGINT NOT NULL, "
	   "UNIQUE (person, purpose))"),
    ALL(1, "CREATE INDEX code_expires ON code (expires)"),

    ALL(1, "CREATE TABLE session (digest BYTEA NOT NULL PRIMARY KEY, person BYTEA NOT NULL, level BIGINT NOT NULL, "
	   "created BIGINT NOT NULL, seen BIGINT NOT NULL, expires BIGINT NOT NULL, stepped_up BIGINT NOT NULL, "
	   "sealed BYTEA NOT NULL)"),
    ALL(1, "CREATE INDEX session_person ON session (person)"),
    ALL(1, "CREATE INDEX session_expires ON session (expires)"),

    ALL(1, "CREATE TABLE outbox (id BYTEA NOT NULL PRIMARY KEY, person BYTEA, state BIGINT NOT NULL, "
	   "created BIGINT NOT NULL, next_try BIGINT NOT NULL, expires BIGINT NOT NULL, sent BIGINT NOT NULL, "
	   "tries BIGINT NOT NULL, reason BYTEA, body BYTEA)"),
    ALL(1, "CREATE INDEX outbox_due ON outbox (next_try) WHERE state = 1"),
    ALL(1, "CREATE INDEX outbox_settled ON outbox (created) WHERE state > 1"),
    ALL(1, "CREATE INDEX outbox_person ON outbox (person) WHERE person IS NOT NULL"),

    CLUSTERED(1, "CREATE TABLE counter (key BYTEA NOT NULL PRIMARY KEY, failures BIGINT NOT NULL, "
		 "not_before BIGINT NOT NULL, seen BIGINT NOT NULL)"),

    ALL(1, "CREATE TABLE audit (seq INTEGER NOT NULL PRIMARY KEY, time BIGINT NOT NULL, person BYTEA, "
	   "event TEXT NOT NULL, door TEXT NOT NULL, sealed BYTEA, mac BYTEA NOT NULL)"),
    ALL(1, "CREATE INDEX audit_person ON audit (person, seq) WHERE person IS NOT NULL"),

    ALL(2, "ALTER TABLE person ADD COLUMN password_set BIGINT NOT NULL DEFAULT 0"),
    ALL(2, "ALTER TABLE person ADD COLUMN password_expired BIGINT NOT NULL DEFAULT 0"),

    CLUSTERED(2, "CREATE TABLE audit_mark (kind BIGINT NOT NULL PRIMARY KEY, seq BIGINT NOT NULL, mac BYTEA NOT NULL, "
		 "proof BYTEA NOT NULL)"),

    /* What schema 1 counted is lost: failures of the last minutes. owner: a person, a bucket of unknown names, or a
     * network; what: the one device, address or key that a lane is for, or zeroes. */
    ALL(2, "DROP TABLE counter"),
    CLUSTERED(2, "CREATE TABLE counter (owner BYTEA NOT NULL, kind BIGINT NOT NULL, lane BIGINT NOT NULL, "
		 "what BYTEA NOT NULL, failures BIGINT NOT NULL, not_before BIGINT NOT NULL, seen BIGINT NOT NULL, "
		 "refused BIGINT NOT NULL, refused_from BIGINT NOT NULL, expires BIGINT NOT NULL, "
		 "PRIMARY KEY (owner, kind, lane, what))"),
    ALL(2, "CREATE INDEX counter_expires ON counter (expires)"),
    CLUSTERED(2, "CREATE TABLE known (person BYTEA NOT NULL, kind BIGINT NOT NULL, digest BYTEA NOT NULL, "
		 "created BIGINT NOT NULL, seen BIGINT NOT NULL, expires BIGINT NOT NULL, "
		 "PRIMARY KEY (person, kind, digest))"),
    ALL(2, "CREATE INDEX known_expires ON known (expires)"),

    ALL(3, "ALTER TABLE person ADD COLUMN email_optional BIGINT NOT NULL DEFAULT 0"),
    ALL(3, "ALTER TABLE person ADD COLUMN frozen BIGINT NOT NULL DEFAULT 0"),
    ALL(3, "ALTER TABLE session ADD COLUMN kept BIGINT NOT NULL DEFAULT 0"),
    /* The codes and links of the last hours are lost: they are asked for anew. Of some purposes a person has more than
     * one. binding: digest of the one browser that may use it, NULL: any. */
    ALL(3, "DROP TABLE code"),
    ALL(3,
	"CREATE TABLE code (id BYTEA NOT NULL PRIMARY KEY, person BYTEA NOT NULL, purpose BIGINT NOT NULL, "
	"digest BYTEA NOT NULL, link BYTEA UNIQUE, binding BYTEA, sealed BYTEA NOT NULL, pair BIGINT NOT NULL, "
	"created BIGINT NOT NULL, expires BIGINT NOT NULL, tries BIGINT NOT NULL, mail BYTEA, used BIGINT NOT NULL)"),
    ALL(3, "CREATE INDEX code_person ON code (person, purpose)"),
    ALL(3, "CREATE INDEX code_expires ON code (expires)"),
    /* What somebody waits for goes before news. */
    ALL(3, "ALTER TABLE outbox ADD COLUMN urgent BIGINT NOT NULL DEFAULT 0"),
    ALL(3, "DROP INDEX outbox_due"),
    ALL(3, "CREATE INDEX outbox_due ON outbox (urgent, next_try) WHERE state = 1"),

    /* Beside an authenticator of kind 4. credential: digest of its id, which nobody else may have; what does not change
     * is sealed, and its digest is the authenticator's secret. */
    ALL(4, "CREATE TABLE passkey (authenticator BYTEA NOT NULL PRIMARY KEY, person BYTEA NOT NULL, "
	   "credential BYTEA NOT NULL UNIQUE, sealed BYTEA NOT NULL, sign_count BIGINT NOT NULL, "
	   "backed_up BIGINT NOT NULL)"),
    ALL(4, "CREATE INDEX passkey_person ON passkey (person)"),
    CLUSTERED(4, "CREATE TABLE spent (digest BYTEA NOT NULL PRIMARY KEY, expires BIGINT NOT NULL)"),
    ALL(4, "CREATE INDEX spent_expires ON spent (expires)"),
    /* token: digest of what stands in the page's address. place: of whom it is about (of an unknown name, its bucket)
     * and from where: one at a time. person NULL: nobody's, written so that it costs the same. */
    ALL(4, "CREATE TABLE approval (id BYTEA NOT NULL PRIMARY KEY, token BYTEA NOT NULL UNIQUE, person BYTEA, "
	   "place BYTEA NOT NULL UNIQUE, sealed BYTEA NOT NULL, created BIGINT NOT NULL, expires BIGINT NOT NULL, "
	   "state BIGINT NOT NULL, code BYTEA, tries BIGINT NOT NULL)"),
    ALL(4, "CREATE INDEX approval_expires ON approval (expires)"),
    ALL(4, "CREATE INDEX approval_person ON approval (person) WHERE person IS NOT NULL"),

    /* Initial passwords that wait to be printed: the only place that has them, until they are. */
    CLUSTERED(5, "CREATE TABLE letter (person BYTEA NOT NULL PRIMARY KEY, id BYTEA NOT NULL, sealed BYTEA NOT NULL, "
		 "expires BIGINT NOT NULL)"),
    ALL(5, "CREATE INDEX letter_expires ON letter (expires)"),
    /* The last few of each person and kind, read and cut off in the key's order. */
    CLUSTERED(5, "CREATE TABLE login (person BYTEA NOT NULL, kind BIGINT NOT NULL, id BYTEA NOT NULL, "
		 "sealed BYTEA NOT NULL, PRIMARY KEY (person, kind, id))"),

    /* Tables of their own, so that a program of before still reads and writes people. sealed: the end of a day, which
     * nobody can move who can only write rows. */
    CLUSTERED(5, "CREATE TABLE deadline (person BYTEA NOT NULL PRIMARY KEY, sealed BYTEA NOT NULL)"),
    CLUSTERED(5, "CREATE TABLE reminder (person BYTEA NOT NULL PRIMARY KEY, until BIGINT NOT NULL, "
		 "mark BIGINT NOT NULL)"),
    ALL(5, "CREATE INDEX reminder_until ON reminder (until)"),
};

enum err migrate_run(const struct db_driver *drv, struct db *db, int from)
{
	enum err e = ERR_NONE;

	for (size_t i = 0; e == ERR_NONE && i < sizeof(migrations) / sizeof(migrations[0]); i++) {
		const struct migration *m = &migrations[i];
		struct db_stmt *s;

		if (m->version <= from)
			continue;
		e = drv->prepare(db, m->sql[drv->dialect], &s);
		if (e != ERR_NONE)
			break;
		(void)drv->step(s, &e);
		drv->finish(s);
	}
	return e;
}
