/* One person's line of an import: which columns there are, and whether what stands in them will do. */
#ifndef KOSMO_CTL_ROW_H
#define KOSMO_CTL_ROW_H

#include "common/text.h"
#include "ctl/sheet.h"
#include "keeper/store/store.h"

enum row_column {
	ROW_LOGIN,
	ROW_NAME,
	ROW_BIRTH,
	ROW_EMAIL,
	ROW_ROLE,
	ROW_PASSWORD,
	ROW_TOTP,
	ROW_LOCALE,
	ROW__COLUMNS
};

struct row_columns {
	size_t n;			      /* cells that the first line names */
	enum row_column column[ROW__COLUMNS]; /* of each cell */
	bool has[ROW__COLUMNS];
};

struct row {
	uint32_t line;
	char login[LOGIN_MAX + 1];
	char name[NAME_MAX_BYTES + 1]; /* "" : none given, as everywhere here */
	struct date birth;	       /* year 0: none given */
	char email[EMAIL_MAX + 1];
	enum role role; /* 0: none given */
	char locale[8];
	char password[PASSWORD_HASH_MAX * 2]; /* NFKC, or a crypt(3) hash */
	bool hashed;
	uint8_t totp[64];
	size_t totp_len;
};

struct row_rules {
	struct date today;
	size_t password_min;
	/* Does a system account have this login? arg is the caller's. */
	bool (*system_login)(const void *arg, const char *login, enum role role);
	const void *arg;
};

/* The first line. why (512 bytes) says what is wrong with it. */
bool row_header(const struct sheet_row *s, struct row_columns *ret, char *why);
/* What is wrong with one row whoever it is for; NULL: nothing, and *ret is set. The text is static, holds no cell's
 * contents, and begins with the column's name. */
const char *row_check(const struct row_columns *c, const struct row_rules *rules, const struct sheet_row *s,
		      struct row *ret);
/* What is wrong with it for somebody who is not in the store yet; NULL: nothing. */
const char *row_check_new(const struct row_rules *rules, const struct row *r);
void row_wipe(struct row *r);

/* The pieces, for kosmoctl user too. They take typed text, say what is wrong or NULL. */
const char *row_name(const char *s, size_t n, char ret[static NAME_MAX_BYTES + 1]);
const char *row_birth(const char *s, size_t n, struct date today, struct date *ret);
const char *row_email(const char *s, size_t n, char ret[static EMAIL_MAX + 1]);
const char *row_role(const char *s, size_t n, enum role *ret);
const char *row_locale(const char *s, size_t n, char ret[static 8]);
/* personal: as password_quality. ret: PASSWORD_HASH_MAX * 2 bytes. */
const char *row_password(const char *s, size_t n, size_t min, const char *const *personal, char *ret);

#endif
