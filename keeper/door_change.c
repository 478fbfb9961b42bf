/* The phase "password": present password, code if the policy wants one, new password twice.
 *
 * A sentence always goes before the next question, for sshd shows it only there. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/dialogue.h"
#include "keeper/mail.h"
#include "keeper/new_password.h"
#include <string.h>

#define REFUSED_MAX 3 /* new passwords */

/* DIALOGUE_CHECK and the beginning of DIALOGUE_CHANGE. *ret_told: why not, where the account's owner can mend it. */
static enum verdict may_change(struct keeper *k, struct store *st, struct dialogue *d, int64_t now, struct person *p,
			       struct buf *told)
{
	enum verdict v = dialogue_standing(k, st, &d->attempt, now, p);
	if (v == VERDICT_ALLOW && !p->password[0])
		v = VERDICT_UNFINISHED;
	if (v == VERDICT_UNFINISHED)
		fill(told, i18n(k->conf->pam_language, N_("Please finish your first login in the browser: {url}")),
		     (const struct fill[]){{"url", k->conf->url}, {NULL, NULL}});
	if (v == VERDICT_ALLOW && d->change.only_expired && !policy_password_due(k->conf, p, now))
		v = VERDICT_IGNORE;
	return v;
}

void door_change_begin(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	struct person p;
	AUTO_BUF told = BUF_INIT;
	memset(&p, 0, sizeof p);
	enum verdict v = st && now > 0 ? may_change(k, st, d, now, &p, &told) : VERDICT_UNAVAILABLE;
	if (v != VERDICT_ALLOW && v != VERDICT_IGNORE)
		dialogue_log(d, v, "");
	if (v != VERDICT_ALLOW || d->phase == DIALOGUE_CHECK) {
		d->waiting = WAITING_NOTHING;
		dialogue_end(r, told.len ? buf_str(&told) : NULL, v, NULL);
	} else {
		d->attempt.step_up = true;
		/* Whose code opened this very login shall not wait half a minute for the next one. */
		d->change.needs_code = !strcmp(k->conf->pam_change_needs_code, "yes") &&
				       !ticket_good(k->seal, &p, d->service, wire_str(&r->msg, "ticket"), now, NULL);
		d->waiting = WAITING_PASSWORD;
		dialogue_ask(
		    k, r,
		    policy_password_due(k->conf, &p, now)
			? i18n(k->conf->pam_language, N_("Your password has expired. Please choose a new one."))
			: NULL,
		    N_("Current password: "));
	}
	person_wipe(&p);
}

static void end(struct request *r, struct dialogue *d, const char *told, enum verdict v, const char *how)
{
	d->waiting = WAITING_NOTHING;
	dialogue_log(d, v, how);
	dialogue_end(r, told, v, NULL);
}

static void ask_new(struct keeper *k, struct request *r, struct dialogue *d, const char *told)
{
	buf_wipe(&d->change.fresh);
	d->waiting = WAITING_NEW;
	dialogue_ask(k, r, told, N_("New password: "));
}

static void on_password(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, const char *text,
			int64_t now)
{
	enum verdict v = dialogue_password(k, st, d, wire_get(&r->msg, "text"), now);
	if (v == VERDICT_ALLOW && d->attempt.password_right &&
	    (text_nfkc(text, strlen(text), &d->change.current) || !buf_str(&d->change.current)))
		v = VERDICT_INTERNAL;
	if (v != VERDICT_ALLOW) {
		end(r, d, NULL, v, "");
	} else if (d->change.needs_code) { /* also after a wrong one: which of the two was wrong is not told */
		door_mail_ask(k, st, r, d, now);
	} else if (d->attempt.password_right) {
		ask_new(k, r, d, NULL);
	} else {
		end(r, d,
		    i18n(k->conf->pam_language,
			 N_("That is not the password that you have now. Please try again after a few seconds.")),
		    VERDICT_DENY, "");
	}
}

static void on_code(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, const char *text,
		    int64_t now)
{
	if (d->waiting == WAITING_CODE && !text[0]) {
		door_mail_enter(k, st, r, d, now, NULL);
		return;
	}
	enum verdict v = attempt_factor(k, st, &d->attempt, text, strlen(text), now, NULL, NULL, NULL);
	if (v == VERDICT_ALLOW)
		ask_new(k, r, d, NULL);
	else if (v == VERDICT_DENY || v == VERDICT_THROTTLED || v == VERDICT_LOCKED) {
		if (door_mail_again(k, r, d))
			return;
		end(r, d,
		    i18n(k->conf->pam_language,
			 N_("The password or the code is not right. Please try again after a few seconds.")),
		    VERDICT_DENY, "");
	} else
		end(r, d, NULL, v, "");
}

/* The reason, and another question as long as there are tries. */
static void refuse_new(struct keeper *k, struct request *r, struct dialogue *d, const char *why)
{
	if (++d->change.refused < REFUSED_MAX)
		ask_new(k, r, d, why);
	else
		end(r, d, why, VERDICT_UNCHANGED, "");
}

static void on_new(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, const char *text,
		   int64_t now)
{
	struct person p;
	AUTO_BUF words = BUF_INIT;
	const char *lang = k->conf->pam_language;
	(void)now;
	enum err e = store_person_by_id(st, &d->attempt.person, &p);
	if (e) {
		end(r, d, NULL, dialogue_verdict(e), "");
		return;
	}
	const char *why =
	    !text[0]
		? i18n(lang, N_("Please type a new password."))
		: new_password_words(
		      k, lang, new_password_check(k, &p, text, buf_str(&d->change.current), &d->change.fresh), &words);
	person_wipe(&p);
	if (why) {
		refuse_new(k, r, d, why);
	} else {
		d->waiting = WAITING_AGAIN;
		dialogue_ask(k, r, NULL, N_("New password once more: "));
	}
}

/* [tx] Only in place of the one that was typed, and only while the account stands. */
static enum err replace(struct keeper *k, struct store *st, struct dialogue *d, const char *hash, int64_t now,
			bool *ret_mailed)
{
	struct person p;
	const struct attempt *a = &d->attempt;
	const char *present = d->change.present;
	const struct audit by = {.time = now, .door = a->place, .address = a->origin.shown, .detail = ""};
	enum err e = store_person_by_id(st, &a->person, &p);
	if (e)
		return e;
	e = attempt_usable(&p, DOOR_PAM, now) && secret_equal(present, strlen(present), p.password, strlen(p.password))
		? new_password_change(k, st, &p, hash, NULL, &by, NULL, ret_mailed)
		: ERR_DENIED;
	person_wipe(&p);
	return e;
}

static void on_again(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, const char *text,
		     int64_t now)
{
	char hash[PASSWORD_HASH_MAX] = "";
	AUTO_BUF again = BUF_INIT;
	const char *fresh = buf_str(&d->change.fresh);
	bool mailed = false;
	if (!fresh || text_nfkc(text, strlen(text), &again) || !buf_str(&again) ||
	    strcmp(buf_str(&again), fresh) != 0) {
		refuse_new(
		    k, r, d,
		    i18n(k->conf->pam_language, N_("The two passwords differ. Please type the same one twice.")));
		return;
	}
	enum err e = gate_password_hash(&k->auth_gate, fresh, hash);
	if (!e)
		e = store_begin(st);
	if (!e) {
		e = replace(k, st, d, hash, now, &mailed);
		if (!e)
			e = store_commit(st);
		if (e)
			store_rollback(st);
	}
	secret_wipe(hash, sizeof hash);
	if (!e && mailed && k->wake_outbox)
		k->wake_outbox(k->wake_arg);
	end(r, d, NULL, !e ? VERDICT_ALLOW : e == ERR_DENIED ? VERDICT_DENY : dialogue_verdict(e), "");
}

void door_change_answer(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, const char *text,
			int64_t now)
{
	static void (*const on[])(struct keeper *, struct store *, struct request *, struct dialogue *, const char *,
				  int64_t) = {
	    [WAITING_PASSWORD] = on_password, [WAITING_CODE] = on_code,	  [WAITING_MAILED] = on_code,
	    [WAITING_NEW] = on_new,	      [WAITING_AGAIN] = on_again,
	};
	on[d->waiting](k, st, r, d, text, now);
}
