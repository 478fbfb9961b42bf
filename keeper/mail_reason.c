#include "config.h"

#include "common/i18n.h"
#include "keeper/mail.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const words[] = {
    [MAIL_WHY_NO_MAILBOX] = N_("there is no such mailbox"),
    [MAIL_WHY_NO_DOMAIN] = N_("what follows the @ takes no mail"),
    [MAIL_WHY_CLOSED] = N_("the mailbox is closed"),
    [MAIL_WHY_FULL] = N_("the mailbox is full"),
    [MAIL_WHY_TOO_LONG] = N_("the mail was too long for it"),
    [MAIL_WHY_SENDER] = N_("mails from our address are not accepted there"),
    [MAIL_WHY_POLICY] = N_("it was taken for unwanted mail, or mails from outside are not accepted there"),
    [MAIL_WHY_UNREACHABLE] = N_("the mail server could not be reached"),
    [MAIL_WHY_INSECURE] = N_("no secure connection to the mail server could be made"),
    [MAIL_WHY_AUTH] = N_("our mail server did not let us in"),
    [MAIL_WHY_BUSY] = N_("the mail server takes no mail just now"),
    [MAIL_WHY_TOO_LATE] = N_("it could not be delivered in time"),
    [MAIL_WHY_NOT_RUNNING] = N_("the mail program is not running"),
    [MAIL_WHY_REFUSED] = N_("the mail server did not take it"),
};

/* RFC 3463 and the IANA registry of its codes: subject, detail (-1: any other). The class says how long it lasts, which
 * the state of the mail tells better. */
static const struct {
	int subject, detail;
	enum mail_why why;
} by_status[] = {
    {1, 0, MAIL_WHY_NO_MAILBOX},  {1, 1, MAIL_WHY_NO_MAILBOX},	{1, 2, MAIL_WHY_NO_DOMAIN},
    {1, 3, MAIL_WHY_NO_MAILBOX},  {1, 6, MAIL_WHY_NO_MAILBOX},	{1, 7, MAIL_WHY_SENDER},
    {1, 8, MAIL_WHY_SENDER},	  {1, 10, MAIL_WHY_NO_DOMAIN},	{2, 1, MAIL_WHY_CLOSED},
    {2, 2, MAIL_WHY_FULL},	  {2, 3, MAIL_WHY_TOO_LONG},	{3, 1, MAIL_WHY_BUSY},
    {3, 2, MAIL_WHY_BUSY},	  {3, 4, MAIL_WHY_TOO_LONG},	{4, 1, MAIL_WHY_UNREACHABLE},
    {4, 2, MAIL_WHY_UNREACHABLE}, {4, 3, MAIL_WHY_UNREACHABLE}, {4, 4, MAIL_WHY_NO_DOMAIN},
    {4, 5, MAIL_WHY_BUSY},	  {4, 7, MAIL_WHY_TOO_LATE},	{4, -1, MAIL_WHY_UNREACHABLE},
    {7, 4, MAIL_WHY_INSECURE},	  {7, 5, MAIL_WHY_INSECURE},	{7, 8, MAIL_WHY_AUTH},
    {7, 9, MAIL_WHY_AUTH},	  {7, 10, MAIL_WHY_INSECURE},	{7, 11, MAIL_WHY_INSECURE},
    {7, -1, MAIL_WHY_POLICY},
};

/* RFC 5321 4.2 and RFC 4954, where no better code was given; after these nothing else is looked at. */
static const struct {
	int reply;
	enum mail_why why;
} by_reply[] = {
    {421, MAIL_WHY_BUSY},	{450, MAIL_WHY_BUSY},	    {451, MAIL_WHY_BUSY}, {452, MAIL_WHY_BUSY},
    {454, MAIL_WHY_INSECURE},	{530, MAIL_WHY_AUTH},	    {534, MAIL_WHY_AUTH}, {535, MAIL_WHY_AUTH},
    {550, MAIL_WHY_NO_MAILBOX}, {551, MAIL_WHY_NO_MAILBOX}, {552, MAIL_WHY_FULL}, {553, MAIL_WHY_NO_MAILBOX},
    {554, MAIL_WHY_POLICY},
};

/* Our own words and libcurl's, found anywhere. The order counts: a name in a certificate is no name that is unknown. */
static const struct {
	const char *part;
	enum mail_why why;
} by_text[] = {
    {"mail program is not running", MAIL_WHY_NOT_RUNNING},
    {"could not be delivered in time", MAIL_WHY_TOO_LATE},
    {"certificate", MAIL_WHY_INSECURE},
    {"SSL", MAIL_WHY_INSECURE},
    {"TLS", MAIL_WHY_INSECURE},
    {"login denied", MAIL_WHY_AUTH},
    {"authentication", MAIL_WHY_AUTH},
    {"resolve host", MAIL_WHY_UNREACHABLE},
    {"connect to", MAIL_WHY_UNREACHABLE},
    {"timed out", MAIL_WHY_UNREACHABLE},
    {"timeout", MAIL_WHY_UNREACHABLE},
    {"recv failure", MAIL_WHY_UNREACHABLE},
    {"send failure", MAIL_WHY_UNREACHABLE},
};

/* A number of at most three digits; -1 and *at unmoved where there is none. */
static int number(const char **at)
{
	int n = 0;
	size_t len = strspn(*at, "0123456789");
	if (len == 0 || len > 3)
		return -1;
	for (size_t i = 0; i < len; i++)
		n = 10 * n + (*at)[i] - '0';
	*at += len;
	return n;
}

/* "5.1.1" and nothing that would go on with it. */
static bool status(const char *s, int *ret_subject, int *ret_detail)
{
	if (!strchr("245", *s) || !*s || s[1] != '.')
		return false;
	s += 2;
	int subject = number(&s);
	if (subject < 0 || *s++ != '.')
		return false;
	int detail = number(&s);
	if (detail < 0 || *s == '.' || isalnum((unsigned char)*s))
		return false;
	*ret_subject = subject;
	*ret_detail = detail;
	return true;
}

static enum mail_why of_status(int subject, int detail)
{
	for (size_t i = 0; i < sizeof by_status / sizeof *by_status; i++)
		if (by_status[i].subject == subject && (by_status[i].detail == detail || by_status[i].detail < 0))
			return by_status[i].why;
	return MAIL_WHY_REFUSED;
}

static bool holds(const char *s, const char *part)
{
	size_t n = strlen(part);
	for (; *s; s++)
		if (!strncasecmp(s, part, n))
			return true;
	return false;
}

enum mail_why mail_reason_why(const char *reason)
{
	const char *at = reason;
	int subject, detail, reply = number(&at);
	enum mail_why why = MAIL_WHY_REFUSED;
	if (reply < 200 || reply > 599 || (*at && *at != ' ' && *at != '-')) {
		reply = 0;
		at = reason;
	} else if (*at) {
		at++;
	}
	if (status(at, &subject, &detail))
		why = of_status(subject, detail);
	for (size_t i = 0; !why && i < sizeof by_reply / sizeof *by_reply; i++)
		if (by_reply[i].reply == reply)
			why = by_reply[i].why;
	for (size_t i = 0; !why && i < sizeof by_text / sizeof *by_text; i++)
		if (holds(reason, by_text[i].part))
			why = by_text[i].why;
	return why;
}

void mail_reason_words(const char *lang, const char *reason, struct buf *b)
{
	buf_adds(b, i18n(lang, words[mail_reason_why(reason)]));
}
