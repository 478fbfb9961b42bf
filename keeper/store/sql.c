#include "config.h"

#include "keeper/store/sql.h"

/* In the order of enum person_column (person.c). */
#define PERSON                                                                                                         \
	"p.id, p.login, p.role, p.disabled, p.expires, p.locale, p.profile, p.address, p.email_verified, p.password, " \
	"p.initial, p.initial_from, p.initial_used, p.birth_confirmed, p.terms, p.method, p.created, p.batch, "        \
	"p.password_set, p.password_expired, p.email_optional, p.frozen, p.last_login, p.mac, b.published FROM "       \
	"person p LEFT JOIN batch b ON "                                                                               \
	"b.id = p.batch "
#define PUBLISHED "(p.batch IS NULL OR b.published > 0) "

/* Of person p: NOT EXISTS it. */
#define BARE "(SELECT 1 FROM authenticator a WHERE a.person = p.id AND a.confirmed = 1) "

#define CODE	 "id, person, purpose, digest, link, binding, sealed, pair, created, expires, tries, mail FROM code "
#define APPROVAL "id, person, place, sealed, created, expires, state, code FROM approval "
#define LETTER	 "l.person, l.id, l.sealed, l.expires FROM letter l "
#define MAIL	 "id, person, state, created, next_try, expires, sent, tries, reason, body, urgent FROM outbox "
#define AUDIT	 "a.seq, a.time, a.person, a.event, a.door, a.sealed, a.mac FROM audit a "

const char *const sql_text[SQL__MAX] = {
    [SQL_SCHEMA_GET] = "SELECT version, key_check FROM schema_version",
    [SQL_SCHEMA_SET] = "INSERT INTO schema_version (version, key_check) VALUES ($1, $2)",
    [SQL_SCHEMA_MOVE] = "UPDATE schema_version SET version = $1 WHERE version = $2",

    [SQL_PERSON_BY_LOGIN] = "SELECT " PERSON "WHERE p.login = $1 AND " PUBLISHED,
    [SQL_PERSON_BY_ID] = "SELECT " PERSON "WHERE p.id = $1 AND " PUBLISHED,
    [SQL_PERSON_ROW] = "SELECT " PERSON "WHERE p.id = $1",
    [SQL_PERSON_BY_ADDRESS] = "SELECT " PERSON "WHERE p.address = $1 AND " PUBLISHED "ORDER BY p.id",
    [SQL_PERSON_PAGE] = "SELECT " PERSON "WHERE p.login > $1 AND " PUBLISHED "ORDER BY p.login LIMIT $2",
    [SQL_PERSON_ALL] = "SELECT count(*) FROM person",
    [SQL_PERSON_HIDDEN] = "SELECT count(*) FROM batch b JOIN person p ON p.batch = b.id WHERE b.published = 0",
    [SQL_PERSON_HIDDEN_ONE] = "SELECT count(*) FROM batch b JOIN person p ON p.batch = b.id WHERE p.login = $1 AND "
			      "b.published = 0",
    [SQL_PERSON_ADD] =
	"INSERT INTO person (id, login, role, disabled, expires, locale, profile, address, email_verified, password, "
	"initial, initial_from, initial_used, birth_confirmed, terms, method, created, batch, password_set, "
	"password_expired, email_optional, frozen, last_login, mac) VALUES "
	"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, "
	"$24) "
	"ON CONFLICT (login) DO NOTHING",
    [SQL_PERSON_SAVE] =
	"UPDATE person SET login = $1, role = $2, disabled = $3, expires = $4, locale = $5, profile = $6, "
	"address = $7, email_verified = $8, password = $9, initial = $10, initial_from = $11, initial_used = $12, "
	"birth_confirmed = $13, terms = $14, method = $15, created = $16, batch = $17, password_set = $18, "
	"password_expired = $19, email_optional = $20, frozen = $21, last_login = $22, mac = $23 WHERE id = $24",
    [SQL_PERSON_MAC] = "UPDATE person SET mac = $1 WHERE id = $2",
    [SQL_PERSON_SEEN] = "UPDATE person SET last_login = $1 WHERE id = $2",
    [SQL_PERSON_DELETE] = "DELETE FROM person WHERE id = $1",

    [SQL_BATCH_NEW] = "INSERT INTO batch (id, created, published) VALUES ($1, $2, 0)",
    [SQL_BATCH_PUBLISH] = "UPDATE batch SET published = $1 WHERE id = $2 AND published = 0",
    [SQL_BATCH_STALE] = "SELECT id FROM batch WHERE published = 0 ORDER BY id LIMIT 1",
    [SQL_BATCH_PEOPLE] = "SELECT id FROM person WHERE batch = $1 LIMIT $2",
    [SQL_BATCH_DELETE] = "DELETE FROM batch WHERE id = $1 AND published = 0",

    [SQL_DEADLINE_GET] = "SELECT sealed FROM deadline WHERE person = $1",
    [SQL_DEADLINE_PUT] = "INSERT INTO deadline (person, sealed) VALUES ($1, $2) ON CONFLICT (person) "
			 "DO UPDATE SET sealed = $2",
    [SQL_DEADLINE_DELETE] = "DELETE FROM deadline WHERE person = $1",
    [SQL_UNFINISHED] = "SELECT p.id, CASE WHEN p.address IS NOT NULL AND p.disabled = 0 AND p.frozen = 0 AND "
		       "(p.expires = 0 OR p.expires > $1) AND NOT EXISTS " BARE "THEN 1 ELSE 0 END FROM person p "
		       "WHERE p.id > $2 ORDER BY p.id LIMIT $3",
    [SQL_UNFINISHED_COUNT] =
	"SELECT count(*) FROM person p LEFT JOIN batch b ON b.id = p.batch WHERE " PUBLISHED "AND p.disabled = 0 AND "
	"p.frozen = 0 AND (p.expires = 0 OR p.expires > $1) AND NOT EXISTS " BARE,
    [SQL_REMINDER_GET] = "SELECT until, mark FROM reminder WHERE person = $1",
    [SQL_REMINDER_TAKE] = "INSERT INTO reminder (person, until, mark) VALUES ($1, $2, $3) ON CONFLICT (person) "
			  "DO UPDATE SET until = $2, mark = $3 WHERE reminder.until <> $2 OR reminder.mark > $3",
    [SQL_REMINDER_DELETE] = "DELETE FROM reminder WHERE person = $1",

    [SQL_AUTHENTICATORS] = "SELECT id, kind, confirmed, algorithm, digits, period, secret, name, last_step, created, "
			   "last_used FROM authenticator WHERE person = $1 ORDER BY id LIMIT $2",
    [SQL_AUTHENTICATOR_GET] =
	"SELECT id, kind, confirmed, algorithm, digits, period, secret, name, last_step, created, "
	"last_used FROM authenticator WHERE person = $1 AND id = $2",
    [SQL_AUTHENTICATOR_ADD] =
	"INSERT INTO authenticator (person, id, kind, confirmed, algorithm, digits, period, secret, "
	"name, last_step, created, last_used) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    [SQL_AUTHENTICATOR_CONFIRM] = "UPDATE authenticator SET confirmed = 1, secret = $1, name = $2 "
				  "WHERE person = $3 AND id = $4",
    [SQL_AUTHENTICATOR_RENAME] = "UPDATE authenticator SET name = $1 WHERE person = $2 AND id = $3",
    [SQL_AUTHENTICATOR_REMOVE] = "DELETE FROM authenticator WHERE person = $1 AND id = $2",
    [SQL_AUTHENTICATOR_DELETE_ALL] = "DELETE FROM authenticator WHERE person = $1",
    [SQL_AUTHENTICATOR_USED] = "UPDATE authenticator SET last_used = $1 WHERE id = $2",
    [SQL_TOTP_CONSUME] = "UPDATE authenticator SET last_step = $1, last_used = $2 "
			 "WHERE id = $3 AND last_step < $1 RETURNING last_step",

    [SQL_PASSKEY_ADD] = "INSERT INTO passkey (authenticator, person, credential, sealed, sign_count, backed_up) "
			"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (credential) DO NOTHING",
    [SQL_PASSKEY_GET] = "SELECT sealed, sign_count, backed_up FROM passkey WHERE authenticator = $1 AND person = $2",
    [SQL_PASSKEY_FIND] = "SELECT authenticator, person FROM passkey WHERE credential = $1",
    [SQL_PASSKEY_USED] = "UPDATE passkey SET sign_count = $1, backed_up = $2 WHERE authenticator = $3 AND "
			 "sign_count = $4",
    [SQL_PASSKEY_REMOVE] = "DELETE FROM passkey WHERE authenticator = $1",
    [SQL_PASSKEY_DELETE_ALL] = "DELETE FROM passkey WHERE person = $1",
    [SQL_SPEND] = "INSERT INTO spent (digest, expires) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",

    [SQL_APPROVAL_CLEAR] = "DELETE FROM approval WHERE place = $1",
    [SQL_APPROVAL_ADD] =
	"INSERT INTO approval (id, token, person, place, sealed, created, expires, state, tries) VALUES "
	"($1, $2, $3, $4, $5, $6, $7, 1, 0)",
    [SQL_APPROVAL_FIND] = "SELECT " APPROVAL "WHERE token = $1 AND expires > $2",
    [SQL_APPROVAL_ROW] = "SELECT " APPROVAL "WHERE id = $1",
    [SQL_APPROVAL_APPROVE] = "UPDATE approval SET state = 2, code = $1 WHERE id = $2 AND state = 1 AND expires > $3",
    [SQL_APPROVAL_DENY] = "UPDATE approval SET state = 3, code = NULL WHERE id = $1 AND state IN (1, 2) AND "
			  "expires > $2",
    [SQL_APPROVAL_TRY] = "UPDATE approval SET tries = tries + 1 WHERE id = $1 AND state = 2 AND tries < $2 AND "
			 "expires > $3 RETURNING code",
    [SQL_APPROVAL_USE] = "UPDATE approval SET state = 4, code = NULL WHERE id = $1 AND state = 2",
    [SQL_APPROVAL_DELETE_ALL] = "DELETE FROM approval WHERE person = $1",

    [SQL_RECOVERY_LIST] = "SELECT id, digest FROM recovery WHERE person = $1 AND used = 0 ORDER BY id",
    [SQL_RECOVERY_LEFT] = "SELECT count(*) FROM recovery WHERE person = $1 AND used = 0",
    [SQL_RECOVERY_ADD] = "INSERT INTO recovery (person, id, digest, used) VALUES ($1, $2, $3, 0)",
    [SQL_RECOVERY_CONSUME] = "UPDATE recovery SET used = $1 WHERE person = $2 AND id = $3 AND used = 0 RETURNING used",
    [SQL_RECOVERY_DELETE_ALL] = "DELETE FROM recovery WHERE person = $1",

    [SQL_CODE_CLEAR] = "DELETE FROM code WHERE person = $1 AND purpose = $2",
    [SQL_CODE_CLEAR_BOUND] = "DELETE FROM code WHERE person = $1 AND purpose = $2 AND binding = $3",
    [SQL_CODE_OLDEST] = "DELETE FROM code WHERE id IN (SELECT id FROM code WHERE person = $1 AND purpose = $2 "
			"ORDER BY created DESC, id DESC LIMIT 1000 OFFSET $3)",
    [SQL_CODE_ADD] =
	"INSERT INTO code (id, person, purpose, digest, link, binding, sealed, pair, created, expires, tries, mail, "
	"used) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0)",
    [SQL_CODE_ROW] = "SELECT " CODE "WHERE id = $1",
    [SQL_CODE_LIVE] = "SELECT " CODE "WHERE person = $1 AND purpose = $2 AND used = 0 AND expires > $3 "
		      "AND ($4 = 0 OR binding = $5) ORDER BY id DESC LIMIT 1",
    [SQL_CODE_BY_LINK] = "SELECT " CODE "WHERE link = $1 AND used = 0 AND expires > $2",
    [SQL_CODE_TRY] =
	"UPDATE code SET tries = tries + 1 WHERE person = $1 AND purpose = $2 AND used = 0 AND expires > $3 "
	"AND tries < $4 AND ($5 = 0 OR binding = $6) RETURNING id, digest",
    [SQL_CODE_CONSUME] = "UPDATE code SET used = 1 WHERE id = $1 AND used = 0 AND expires > $2 RETURNING id",
    [SQL_CODE_MISS] = "UPDATE code SET tries = tries + 1 WHERE id = $1 AND used = 0",
    [SQL_CODE_DELETE_ALL] = "DELETE FROM code WHERE person = $1",

    [SQL_SESSION_ADD] = "INSERT INTO session (digest, person, level, created, seen, expires, stepped_up, kept, sealed) "
			"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    [SQL_SESSION_GET] = "SELECT person, level, created, seen, expires, stepped_up, kept, sealed FROM session "
			"WHERE digest = $1 AND expires > $2 AND (kept = 1 AND level = 3 OR seen > $3)",
    [SQL_SESSION_LIST] = "SELECT digest, level, created, seen, expires, stepped_up, kept, sealed FROM session "
			 "WHERE person = $1 AND level = 3 AND expires > $2 AND (kept = 1 OR seen > $3) ORDER BY seen "
			 "DESC, digest LIMIT $4",
    [SQL_SESSION_SAVE] = "UPDATE session SET level = $1, created = $2, seen = $3, expires = $4, stepped_up = $5, "
			 "kept = $6, sealed = $7 WHERE digest = $8 AND person = $9",
    [SQL_SESSION_SEEN] = "UPDATE session SET seen = $1 WHERE digest = $2",
    /* $3: the one just begun */
    [SQL_SESSION_OLDEST] = "DELETE FROM session WHERE digest IN (SELECT digest FROM session WHERE person = $1 AND "
			   "level = $2 AND digest <> $3 "
			   "ORDER BY seen DESC, digest LIMIT 1000 OFFSET $4)",
    [SQL_SESSION_END] = "DELETE FROM session WHERE digest = $1",
    /* $2: the one that stays */
    [SQL_SESSION_END_ALL] = "DELETE FROM session WHERE person = $1 AND digest <> $2",
    [SQL_SESSION_END_LEVEL] = "DELETE FROM session WHERE person = $1 AND level = $2",

    [SQL_MAIL_PUT] = "INSERT INTO outbox (id, person, state, created, next_try, expires, sent, tries, reason, body, "
		     "urgent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    [SQL_MAIL_NEXT] = "SELECT " MAIL "WHERE state = 1 AND urgent = $1 AND next_try <= $2 ORDER BY next_try LIMIT 1",
    [SQL_MAIL_NEXT_TIME] = "SELECT next_try FROM outbox WHERE state = 1 AND urgent = $1 ORDER BY next_try LIMIT 1",
    [SQL_MAIL_GET] = "SELECT " MAIL "WHERE id = $1",
    [SQL_MAIL_CLAIM] = "UPDATE outbox SET tries = $1, next_try = $2 "
		       "WHERE id = $3 AND state = 1 AND tries = $4 AND next_try = $5",
    [SQL_MAIL_SETTLE] = "UPDATE outbox SET state = $1, next_try = $2, sent = $3, tries = $4, reason = $5, "
			"body = CASE WHEN $1 = 1 THEN body ELSE NULL END WHERE id = $6 AND state = 1",
    [SQL_MAIL_DELETE_ALL] = "DELETE FROM outbox WHERE person = $1",
    [SQL_MAIL_COUNT] = "SELECT count(*) FROM outbox WHERE state = $1",
    [SQL_MAIL_LIST] = "SELECT " MAIL "WHERE id > $1 AND (state <> 2 OR reason IS NOT NULL) ORDER BY id LIMIT $2",
    [SQL_MAIL_RETRY] = "UPDATE outbox SET next_try = $1 WHERE state = 1 AND next_try > $2",
    [SQL_MAIL_REPORT] = "UPDATE outbox SET state = $1, reason = $2 WHERE id = $3 AND state = 2",
    [SQL_MAIL_COMPLAINT] =
	"SELECT " MAIL "WHERE reason IS NOT NULL AND (state = 1 OR state = 3) ORDER BY created DESC LIMIT 1",

    [SQL_COUNTER_GET] = "SELECT failures, not_before, seen, refused, refused_from, expires FROM counter "
			"WHERE owner = $1 AND kind = $2 AND lane = $3 AND what = $4",
    [SQL_COUNTER_SET] =
	"INSERT INTO counter (owner, kind, lane, what, failures, not_before, seen, refused, refused_from, expires) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (owner, kind, lane, what) "
	"DO UPDATE SET failures = $5, not_before = $6, seen = $7, refused = $8, refused_from = $9, expires = $10 "
	"WHERE counter.failures = $11 AND counter.not_before = $12 AND counter.seen = $13",
    [SQL_COUNTER_CLEAR] = "DELETE FROM counter WHERE owner = $1 AND kind = $2 AND lane = $3 AND what = $4",
    [SQL_COUNTER_CLEAR_KIND] = "DELETE FROM counter WHERE owner = $1 AND kind = $2",
    [SQL_COUNTER_CLEAR_ALL] = "DELETE FROM counter WHERE owner = $1",
    [SQL_COUNTER_LIST] =
	"SELECT failures, not_before, seen, refused, refused_from, expires, kind, lane, what FROM counter "
	"WHERE owner = $1 ORDER BY kind, lane, what LIMIT $2",
    [SQL_COUNTER_TOTAL] =
	"SELECT CAST(coalesce(sum(CASE WHEN lane = $1 THEN 0 ELSE failures END), 0) AS BIGINT), "
	"coalesce(max(CASE WHEN lane = $1 THEN not_before ELSE 0 END), 0) FROM counter WHERE owner = $2 AND kind = $3",

    [SQL_LETTER_PUT] = "INSERT INTO letter (person, id, sealed, expires) VALUES ($1, $2, $3, $4) "
		       "ON CONFLICT (person) DO UPDATE SET id = excluded.id, sealed = excluded.sealed, "
		       "expires = excluded.expires",
    [SQL_LETTER_PAGE] =
	"SELECT p.login, " LETTER "JOIN person p ON p.id = l.person LEFT JOIN batch b ON b.id = p.batch "
	"WHERE p.login > $1 AND " PUBLISHED "ORDER BY p.login LIMIT $2",
    [SQL_LETTER_COUNT] = "SELECT count(*) FROM letter",
    [SQL_LETTER_ROW] = "SELECT p.login, " LETTER "JOIN person p ON p.id = l.person WHERE l.person = $1",
    [SQL_LETTER_TAKEN] = "DELETE FROM letter WHERE person = $1 AND id = $2",
    [SQL_LETTER_REMOVE] = "DELETE FROM letter WHERE person = $1",

    [SQL_KNOWN_GET] = "SELECT seen FROM known WHERE person = $1 AND kind = $2 AND digest = $3 AND expires > $4",
    [SQL_KNOWN_ADD] =
	"INSERT INTO known (person, kind, digest, created, seen, expires) VALUES ($1, $2, $3, $4, $4, $5) "
	"ON CONFLICT (person, kind, digest) DO UPDATE SET seen = $4, expires = $5",
    [SQL_KNOWN_OLDEST] = "DELETE FROM known WHERE person = $1 AND kind = $2 AND digest IN (SELECT digest FROM known "
			 "WHERE person = $1 AND kind = $2 ORDER BY seen DESC, digest LIMIT 1000 OFFSET $3)",
    [SQL_KNOWN_END] = "DELETE FROM known WHERE person = $1 AND kind = $2 AND digest = $3",
    [SQL_KNOWN_END_ALL] = "DELETE FROM known WHERE person = $1",

    [SQL_LOGIN_ADD] = "INSERT INTO login (person, kind, id, sealed) VALUES ($1, $2, $3, $4)",
    [SQL_LOGIN_OLDEST] = "DELETE FROM login WHERE person = $1 AND kind = $2 AND id IN (SELECT id FROM login "
			 "WHERE person = $1 AND kind = $2 ORDER BY id DESC LIMIT 1000 OFFSET $3)",
    [SQL_LOGINS] = "SELECT id, sealed FROM login WHERE person = $1 AND kind = $2 ORDER BY id DESC LIMIT $3",
    [SQL_LOGIN_DELETE_ALL] = "DELETE FROM login WHERE person = $1",

    [SQL_AUDIT_NEWEST] = "SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1",
    [SQL_AUDIT_ADD] = "INSERT INTO audit (seq, time, person, event, door, sealed, mac) "
		      "VALUES ($1, $2, $3, $4, $5, $6, $7)",
    [SQL_AUDIT_PAGE] = "SELECT " AUDIT "WHERE a.seq < $1 ORDER BY a.seq DESC LIMIT $2",
    [SQL_AUDIT_PAGE_PERSON] = "SELECT " AUDIT "WHERE a.person = $1 AND a.seq < $2 ORDER BY a.seq DESC LIMIT $3",
    [SQL_AUDIT_PAGE_EVENT] = "SELECT " AUDIT "WHERE a.event = $1 AND a.seq < $2 ORDER BY a.seq DESC LIMIT $3",
    [SQL_AUDIT_WALK] = "SELECT " AUDIT "WHERE a.seq > $1 ORDER BY a.seq LIMIT $2",
    [SQL_AUDIT_PRUNE] = "DELETE FROM audit WHERE seq <= $1",
    [SQL_MARK_GET] = "SELECT seq, mac, proof FROM audit_mark WHERE kind = $1",
    [SQL_MARK_PUT] = "INSERT INTO audit_mark (kind, seq, mac, proof) VALUES ($1, $2, $3, $4) ON CONFLICT (kind) "
		     "DO UPDATE SET seq = $2, mac = $3, proof = $4",

    /* a key, and how to name the row to people */
    [SQL_PERSON_KEYS] = "SELECT id, login FROM person WHERE id > $1 ORDER BY id LIMIT $2",
    [SQL_CODE_KEYS] = "SELECT id, id FROM code WHERE id > $1 ORDER BY id LIMIT $2",
    [SQL_SESSION_KEYS] = "SELECT digest, digest FROM session WHERE digest > $1 ORDER BY digest LIMIT $2",
    [SQL_MAIL_KEYS] = "SELECT id, id FROM outbox WHERE id > $1 ORDER BY id LIMIT $2",
    [SQL_APPROVAL_KEYS] = "SELECT id, id FROM approval WHERE id > $1 ORDER BY id LIMIT $2",
    [SQL_LETTER_KEYS] = "SELECT person, person FROM letter WHERE person > $1 ORDER BY person LIMIT $2",
    [SQL_LOGIN_KEYS] = "SELECT DISTINCT person, person FROM login WHERE person > $1 ORDER BY person LIMIT $2",
    [SQL_DEADLINE_KEYS] = "SELECT person, person FROM deadline WHERE person > $1 ORDER BY person LIMIT $2",
    [SQL_ORPHANS] = "SELECT (SELECT count(*) FROM authenticator WHERE person NOT IN (SELECT id FROM person)) + "
		    "(SELECT count(*) FROM recovery WHERE person NOT IN (SELECT id FROM person)) + "
		    "(SELECT count(*) FROM code WHERE person NOT IN (SELECT id FROM person)) + "
		    "(SELECT count(*) FROM session WHERE person NOT IN (SELECT id FROM person)) + "
		    "(SELECT count(*) FROM known WHERE person NOT IN (SELECT id FROM person)) + "
		    "(SELECT count(*) FROM outbox WHERE person IS NOT NULL AND person NOT IN (SELECT id FROM person))",

    /* each way round: a passkey's rows are two */
    [SQL_ORPHANS_PASSKEYS] =
	"SELECT (SELECT count(*) FROM passkey WHERE authenticator NOT IN (SELECT id FROM authenticator)) + "
	"(SELECT count(*) FROM authenticator WHERE kind = 4 AND id NOT IN (SELECT authenticator FROM passkey)) + "
	"(SELECT count(*) FROM approval WHERE person IS NOT NULL AND person NOT IN (SELECT id FROM person))",
    [SQL_ORPHANS_LETTERS] = "SELECT count(*) FROM letter WHERE person NOT IN (SELECT id FROM person)",
    [SQL_ORPHANS_DEADLINES] = "SELECT (SELECT count(*) FROM deadline WHERE person NOT IN (SELECT id FROM person)) + "
			      "(SELECT count(*) FROM reminder WHERE person NOT IN (SELECT id FROM person))",

    [SQL_ORPHANS_LOGINS] = "SELECT count(*) FROM login WHERE kind > 0 AND person NOT IN (SELECT id FROM person)",

    [SQL_SWEEP_SESSIONS] = "DELETE FROM session WHERE digest IN "
			   "(SELECT digest FROM session WHERE expires <= $1 ORDER BY expires LIMIT $2)",
    [SQL_SWEEP_CODES] = "DELETE FROM code WHERE id IN "
			"(SELECT id FROM code WHERE expires <= $1 ORDER BY expires LIMIT $2)",
    [SQL_SWEEP_COUNTERS] =
	"DELETE FROM counter WHERE (owner, kind, lane, what) IN "
	"(SELECT owner, kind, lane, what FROM counter WHERE expires <= $1 ORDER BY expires LIMIT $2)",
    [SQL_SWEEP_KNOWN] = "DELETE FROM known WHERE (person, kind, digest) IN "
			"(SELECT person, kind, digest FROM known WHERE expires <= $1 ORDER BY expires LIMIT $2)",
    [SQL_SWEEP_MAILS] = "DELETE FROM outbox WHERE id IN "
			"(SELECT id FROM outbox WHERE state > 1 AND created <= $1 ORDER BY created LIMIT $2)",
    [SQL_SWEEP_SPENT] = "DELETE FROM spent WHERE digest IN "
			"(SELECT digest FROM spent WHERE expires <= $1 ORDER BY expires LIMIT $2)",
    [SQL_SWEEP_LETTERS] = "DELETE FROM letter WHERE person IN "
			  "(SELECT person FROM letter WHERE expires <= $1 ORDER BY expires LIMIT $2)",
    [SQL_SWEEP_APPROVALS] = "DELETE FROM approval WHERE id IN "
			    "(SELECT id FROM approval WHERE expires <= $1 ORDER BY expires LIMIT $2)",
    [SQL_SWEEP_REMINDERS] = "DELETE FROM reminder WHERE person IN "
			    "(SELECT person FROM reminder WHERE until <= $1 ORDER BY until LIMIT $2)",
};
