#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "common/wire.h"
#include "pam/client.h"
#include "pam/converse.h"
#include "pam/helper.h"
#include "pam/key.h"
#include "pam/seat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENT_TICKET	  "pam_kosmo_ticket"
#define CLIENT_TICKET_MAX 128

static const char *const client_phases[PHASE__MAX] = {
    [PHASE_AUTH] = "auth",
    [PHASE_ACCOUNT] = "account",
    [PHASE_CHECK] = "password.check",
    [PHASE_CHANGE] = "password",
};

#define CLIENT_ID 1 /* one request a connection; everything in it carries this id */

struct client {
	const struct client_call *call;
	int fd;
	int64_t deadline;
	struct buf out, in;
	struct wire_msg *msg; /* on the heap: large, and the host's stack may be small */
	enum verdict verdict;
	const char *why;
};

enum client_next { CLIENT_RECEIVE, CLIENT_SEND, CLIENT_END };

static enum client_next client_fail(struct client *c, enum verdict v, const char *why)
{
	c->verdict = v;
	c->why = why;
	return CLIENT_END;
}

static enum client_next client_broken(struct client *c, enum err e)
{
	static const char *const why[ERR__MAX] = {
	    [ERR_NOMEM] = "out of memory",
	    [ERR_TIMEOUT] = "the keeper did not answer in time",
	    [ERR_IO] = "the keeper cannot be reached or hung up",
	    [ERR_TOOBIG] = "what is to be said is too long",
	};
	return client_fail(c, VERDICT_INTERNAL, why[e] != NULL ? why[e] : "the keeper said what is not understood");
}

/* A program whose standard streams are closed would have the conversation printed into our socket. */
static enum err client_connect(struct client *c)
{
	enum err e = wire_connect(c->call->args->socket, c->deadline, &c->fd);
	if (e != ERR_NONE || c->fd > STDERR_FILENO)
		return e;
	int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(c->fd);
	c->fd = fd;
	return fd < 0 ? ERR_IO : ERR_NONE;
}

/* NULL if it is not set, or empty. */
static const char *client_item(const struct client *c, int item)
{
	const void *value = NULL;
	if (pam_get_item(c->call->pamh, item, &value) != PAM_SUCCESS || value == NULL || *(const char *)value == '\0')
		return NULL;
	return value;
}

/* Someone in front of the machine may have a security key, and the program that asks it is there. Where the host's name
 * cannot be read nobody is. */
static void client_put_seat(struct client *c)
{
	const void *rhost = NULL;
	if (c->call->phase == PHASE_AUTH && pam_get_item(c->call->pamh, PAM_RHOST, &rhost) == PAM_SUCCESS &&
	    seat_local(rhost, client_item(c, PAM_TTY)) && helper_there(c->call->args->fido2))
		wire_puts(&c->out, "seat", "1");
}

/* The ticket lives in the handle's data: libpam frees it before it unloads us. */
static void client_ticket_free(pam_handle_t *pamh, void *data, int status)
{
	(void)pamh, (void)status;
	secret_free_str(data);
}

/* Without one the next phases ask more: no reason to refuse. */
static void client_keep_ticket(const struct client *c)
{
	const char *text = wire_str(c->msg, "ticket");
	size_t n = text != NULL ? strlen(text) : 0;
	char *ticket = n > 0 && n <= CLIENT_TICKET_MAX ? malloc(n + 1) : NULL;
	if (ticket == NULL)
		return;
	memcpy(ticket, text, n + 1);
	if (pam_set_data(c->call->pamh, CLIENT_TICKET, ticket, client_ticket_free) != PAM_SUCCESS)
		secret_free_str(ticket);
}

static void client_put_ticket(struct client *c)
{
	const void *ticket = NULL;
	if (c->call->phase != PHASE_AUTH && pam_get_data(c->call->pamh, CLIENT_TICKET, &ticket) == PAM_SUCCESS)
		wire_puts(&c->out, "ticket", ticket);
}

static enum err client_begin(struct client *c)
{
	const struct args *a = c->call->args;
	wire_begin(&c->out, CLIENT_ID, "begin");
	wire_puts(&c->out, "phase", client_phases[c->call->phase]);
	wire_puts(&c->out, "expired", c->call->expired ? "1" : NULL);
	client_put_ticket(c);
	wire_puts(&c->out, "user", c->call->person);
	wire_puts(&c->out, "service", client_item(c, PAM_SERVICE));
	wire_puts(&c->out, "rhost", client_item(c, PAM_RHOST));
	wire_puts(&c->out, "tty", client_item(c, PAM_TTY));
	client_put_seat(c);
	wire_puti(&c->out, "ruid", (int64_t)getuid());
	wire_puts(&c->out, "own", c->call->own ? "1" : NULL);
	wire_puts(&c->out, "conf", a->conf);
	/* From PAM's environment only: the process's own may be its caller's. */
	wire_puts(&c->out, "sshauth", pam_getenv(c->call->pamh, "SSH_AUTH_INFO_0"));
	for (size_t i = 0; i < a->n; i++) {
		AUTO_BUF name = BUF_INIT;
		buf_addf(&name, "opt.%zu", i);
		if (name.failed)
			return ERR_NOMEM;
		wire_puts(&c->out, buf_str(&name), a->option[i]);
	}
	return wire_end(&c->out);
}

static enum client_next client_ask(struct client *c)
{
	const char *text = wire_str(c->msg, "text");
	int64_t echo;
	if (text == NULL || wire_int(c->msg, "echo", &echo) != ERR_NONE || echo < 0 || echo > 1)
		return client_broken(c, ERR_INVALID);
	char *reply = converse_ask(c->call->pamh, text, echo == 1);
	if (reply == NULL)
		return client_fail(c, VERDICT_DENY, "the application gave no reply, or an unusable one");
	buf_wipe(&c->out);
	wire_begin(&c->out, CLIENT_ID, "answer");
	wire_puts(&c->out, "text", reply);
	secret_free_str(reply);
	enum err e = wire_end(&c->out);
	return e != ERR_NONE ? client_broken(c, e) : CLIENT_SEND;
}

static enum client_next client_tell(struct client *c)
{
	const char *text = wire_str(c->msg, "text");
	int64_t error;
	if (text == NULL || wire_int(c->msg, "error", &error) != ERR_NONE || error < 0 || error > 1)
		return client_broken(c, ERR_INVALID);
	if (!c->call->silent)
		converse_tell(c->call->pamh, text, error == 1);
	return CLIENT_RECEIVE;
}

static enum client_next client_key(struct client *c)
{
	enum err e = key_run(c->call->pamh, c->call->args->fido2, c->msg, CLIENT_ID, &c->out);
	return e != ERR_NONE ? client_broken(c, e) : CLIENT_SEND;
}

static enum client_next client_verdict(struct client *c)
{
	const char *name = wire_str(c->msg, "verdict");
	if (name == NULL)
		return client_broken(c, ERR_INVALID);
	enum verdict v = verdict_from(name);
	if (v == VERDICT_ALLOW && c->call->phase == PHASE_AUTH)
		client_keep_ticket(c);
	return client_fail(c, v, NULL);
}

static const struct {
	const char *kind;
	enum client_next (*take)(struct client *c);
} client_kinds[] = {{"ask", client_ask}, {"tell", client_tell}, {"key", client_key}, {"verdict", client_verdict}};

static enum client_next client_take(struct client *c)
{
	for (size_t i = 0; i < sizeof(client_kinds) / sizeof(client_kinds[0]); i++)
		if (strcmp(c->msg->kind, client_kinds[i].kind) == 0)
			return client_kinds[i].take(c);
	return client_broken(c, ERR_INVALID);
}

/* Sends what is due, then takes one message. The time that the application takes to ask or show something is not the
 * keeper's, which has its own anew for each answer that is sent to it. */
static enum client_next client_step(struct client *c, enum client_next next)
{
	enum err e = ERR_NONE;
	if (next == CLIENT_SEND)
		e = wire_send(c->fd, &c->out, c->deadline);
	buf_wipe(&c->in);
	if (e == ERR_NONE)
		e = wire_recv(c->fd, &c->in, c->deadline);
	if (e == ERR_NONE)
		e = wire_parse(c->in.data, c->in.len, c->msg);
	if (e == ERR_NONE && c->msg->id != CLIENT_ID)
		e = ERR_INVALID;
	if (e != ERR_NONE)
		return client_broken(c, e);
	int64_t before = clock_mono_ms();
	next = client_take(c);
	int64_t after = clock_mono_ms();
	int64_t most = after + CLIENT_WAIT_MS, same = c->deadline + after - before;
	c->deadline = next == CLIENT_SEND || same > most ? most : same;
	return next;
}

enum verdict client_run(const struct client_call *call, const char **ret_why)
{
	struct client c = {.call = call, .fd = -1, .deadline = clock_mono_ms() + CLIENT_WAIT_MS};
	enum client_next next = CLIENT_SEND;
	client_fail(&c, VERDICT_INTERNAL, "the keeper does not come to an end");
	enum err e = (c.msg = malloc(sizeof(*c.msg))) == NULL ? ERR_NOMEM : client_begin(&c);
	if (e == ERR_NONE)
		e = client_connect(&c);
	if (e != ERR_NONE)
		next = client_broken(&c, e);
	for (int i = 0; next != CLIENT_END && i < CLIENT_MESSAGES_MAX; i++)
		next = client_step(&c, next);
	if (c.fd >= 0)
		close(c.fd);
	buf_free(&c.out);
	buf_free(&c.in);
	free(c.msg);
	*ret_why = c.why;
	return c.verdict;
}
