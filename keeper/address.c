#include "config.h"

#include "common/secret.h"
#include "keeper/address.h"
#include "keeper/mail.h"
#include "keeper/token.h"
#include <stdio.h>
#include <string.h>

#define FROZEN_KEPT (400 * 86400) /* the admin may take their time */

static enum err audit(struct store *st, const struct person *p, const struct audit *by, const char *event)
{
	struct audit row = *by;
	row.person = p->id;
	row.event = event;
	return store_audit(st, &row);
}

enum err address_farewell(struct keeper *k, struct store *st, const struct person *p, const char *former, int64_t now,
			  bool *ret_mailed)
{
	struct code row = {.person = p->id, .purpose = CODE_FREEZE, .created = now, .expires = now + FREEZE_LIFE};
	char token[TOKEN_TEXT + 1] = "";
	AUTO_BUF link = BUF_INIT;
	snprintf(row.address, sizeof row.address, "%s", former);
	enum err e = token_link(k->conf, token, &link);
	if (!e)
		e = id_new(&row.id);
	const struct fill values[] = {{"link", buf_str(&link)}, {NULL, NULL}};
	if (!e)
		e = mail_tell(k, st, p, former, MAIL_ADDRESS_FORMER, values, now, FREEZE_LIFE, &row.mail);
	if (!e)
		e = store_code_put(st, &row, "", token);
	if (!e)
		*ret_mailed = true;
	secret_wipe(token, sizeof token);
	return e;
}

enum err address_replace(struct keeper *k, struct store *st, struct person *p, const char *email,
			 const struct audit *by, bool *ret_mailed)
{
	static const enum code_purpose mailed[] = {CODE_VERIFY_EMAIL, CODE_GUARD, CODE_LOGIN, CODE_RESET,
						   CODE_NEW_EMAIL};
	char former[EMAIL_MAX + 1] = "";
	if (p->email_verified)
		memcpy(former, p->email, sizeof former);
	snprintf(p->email, sizeof p->email, "%s", email);
	p->email_verified = true;
	enum err e = store_person_save(st, p);
	for (size_t i = 0; !e && i < sizeof mailed / sizeof *mailed; i++)
		e = store_code_drop(st, &p->id, mailed[i]);
	if (!e && former[0])
		e = address_farewell(k, st, p, former, by->time, ret_mailed);
	if (!e)
		e = mail_notice(k, st, p, NULL, MAIL_ADDRESS_NEW, NULL, NULL, by->time, ret_mailed);
	return e ? e : audit(st, p, by, former[0] ? "email.changed" : "email.added");
}

enum err address_freeze(struct keeper *k, struct store *st, struct person *p, const struct code *code,
			const char *token, const struct audit *by, bool *ret_mailed)
{
	struct code mark = *code;
	p->frozen = by->time;
	enum err e = store_person_save(st, p);
	if (!e)
		e = store_session_end_all(st, &p->id, NULL);
	if (!e)
		e = store_known_end_all(st, &p->id);
	if (!e)
		e = store_code_void(st, &p->id);
	mark.expires = by->time + FROZEN_KEPT;
	if (!e)
		e = store_code_put(st, &mark, "", token);
	if (!e)
		e = mail_tell(k, st, p, code->address, MAIL_FROZEN, NULL, by->time, FREEZE_LIFE, NULL);
	if (!e)
		*ret_mailed = true;
	if (!e && strcmp(p->email, code->address) != 0)
		e = mail_notice(k, st, p, NULL, MAIL_FROZEN, NULL, NULL, by->time, ret_mailed);
	return e ? e : audit(st, p, by, "account.frozen");
}

enum err address_former(struct store *st, const struct person *p, int64_t now, char ret[static EMAIL_MAX + 1])
{
	struct code code;
	enum err e = p->frozen ? store_code_live(st, &p->id, CODE_FREEZE, now, &code) : ERR_NOTFOUND;
	if (!e)
		memcpy(ret, code.address, sizeof code.address);
	return e;
}
