#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "pam/converse.h"
#include "pam/helper.h"
#include "pam/key.h"

#include <security/pam_ext.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define KEY_ID		 1 /* of all that is said with the helper */
#define KEY_MESSAGES_MAX 32
#define KEY_TRIES	 "{tries}" /* in a text: how many wrong PINs the key still takes */
#define KEY_FIELD_MAX	 4096
#define KEY_FEW		 3

struct key {
	pam_handle_t *pamh;
	const struct wire_msg *asked;
	struct helper helper;
	int64_t deadline;
	struct buf in, out;
	struct wire_msg *said; /* by the helper; on the heap, as large as it is */
	bool done;	       /* it is the last message */
};

static enum err key_send(struct key *k)
{
	enum err e = wire_end(&k->out);
	return e != ERR_NONE ? e : wire_send(k->helper.fd, &k->out, k->deadline);
}

static enum err key_get(struct key *k)
{
	wire_begin(&k->out, KEY_ID, "get");
	for (size_t i = 0; i < k->asked->n; i++) {
		const struct wire_field *f = &k->asked->field[i];
		if (strncmp(f->name, "text.", 5) != 0)
			wire_put(&k->out, f->name, f->data, f->len);
	}
	return key_send(k);
}

/* The text, with the number of tries where it has room for it. */
static const char *key_text(const struct key *k, const char *name, int64_t tries, struct buf *ret)
{
	const char *text = wire_str(k->asked, name);
	const char *at = text != NULL ? strstr(text, KEY_TRIES) : NULL;
	if (at == NULL)
		return text;
	buf_add(ret, text, (size_t)(at - text));
	buf_addf(ret, "%lld%s", (long long)tries, at + strlen(KEY_TRIES));
	return ret->failed ? NULL : buf_str(ret);
}

/* Eight tries are usual: who has few is told so from the first question on. */
static const char *key_question(int64_t tries, bool wrong)
{
	if (tries == 1)
		return "text.last";
	return wrong ? "text.wrong" : tries <= KEY_FEW ? "text.few" : "text.pin";
}

/* No reply is one too: the key is not wanted. */
static enum err key_pin(struct key *k)
{
	int64_t tries, wrong, before = clock_mono_ms();
	AUTO_BUF text = BUF_INIT;
	if (wire_int(k->said, "tries", &tries) != ERR_NONE || wire_int(k->said, "wrong", &wrong) != ERR_NONE)
		return ERR_INVALID;
	const char *shown = key_text(k, key_question(tries, wrong == 1), tries, &text);
	if (shown == NULL)
		return ERR_INVALID;
	char *pin = converse_ask(k->pamh, shown, false);
	wire_begin(&k->out, KEY_ID, "pin");
	wire_puts(&k->out, "pin", pin);
	secret_free_str(pin);
	k->deadline += clock_mono_ms() - before;
	enum err e = key_send(k);
	buf_wipe(&k->out);
	return e;
}

/* Shown even under PAM_SILENT: like a question it waits for the person. */
static enum err key_touch(struct key *k)
{
	int64_t choose, before = clock_mono_ms();
	const char *text = NULL;
	if (wire_int(k->said, "choose", &choose) == ERR_NONE)
		text = wire_str(k->asked, choose == 1 ? "text.choose" : "text.touch");
	if (text == NULL)
		return ERR_INVALID;
	converse_tell(k->pamh, text, false);
	k->deadline += clock_mono_ms() - before;
	return ERR_NONE;
}

static enum err key_done(struct key *k)
{
	k->done = true;
	return ERR_NONE;
}

static const struct {
	const char *kind;
	enum err (*take)(struct key *k);
} key_kinds[] = {{"pin", key_pin}, {"touch", key_touch}, {"done", key_done}};

static enum err key_step(struct key *k)
{
	buf_wipe(&k->in);
	enum err e = wire_recv(k->helper.fd, &k->in, k->deadline);
	if (e == ERR_NONE)
		e = wire_parse(k->in.data, k->in.len, k->said);
	if (e != ERR_NONE || k->said->id != KEY_ID)
		return e != ERR_NONE ? e : ERR_INVALID;
	for (size_t i = 0; i < sizeof(key_kinds) / sizeof(key_kinds[0]); i++)
		if (strcmp(k->said->kind, key_kinds[i].kind) == 0)
			return key_kinds[i].take(k);
	return ERR_INVALID;
}

/* Whether the helper came to an end of its own; then k->said says how. */
static bool key_dialogue(struct key *k, const char *helper)
{
	if (helper_start(helper, &k->helper) != ERR_NONE)
		return false;
	enum err e = key_get(k);
	for (int i = 0; e == ERR_NONE && !k->done && i < KEY_MESSAGES_MAX; i++)
		e = key_step(k);
	helper_end(&k->helper);
	return e == ERR_NONE && k->done;
}

static void key_pass(const struct key *k, const char *name, struct buf *out)
{
	const struct wire_field *f = wire_get(k->said, name);
	if (f != NULL && f->len <= KEY_FIELD_MAX)
		wire_put(out, name, f->data, f->len);
}

enum err key_run(pam_handle_t *pamh, const char *helper, const struct wire_msg *m, uint32_t id, struct buf *out)
{
	struct key k = {.pamh = pamh, .asked = m, .deadline = clock_mono_ms() + KEY_WAIT_MS};
	k.said = malloc(sizeof(*k.said));
	bool done = k.said != NULL && key_dialogue(&k, helper);
	wire_begin(out, id, "key");
	if (done && wire_str(k.said, "status") != NULL) {
		key_pass(&k, "status", out);
		key_pass(&k, "id", out);
		key_pass(&k, "authdata", out);
		key_pass(&k, "signature", out);
	} else {
		pam_syslog(pamh, LOG_WARNING, "the security key could not be asked: %s did not come to an end", helper);
		wire_puts(out, "status", "error");
	}
	buf_free(&k.in);
	buf_free(&k.out);
	free(k.said);
	return wire_end(out);
}
