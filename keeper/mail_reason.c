#include "config.h"

#include "common/i18n.h"
#include "keeper/mail.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NO_MAILBOX  N_("there is no such mailbox")
#define NO_DOMAIN   N_("what follows the @ takes no mail")
#define CLOSED	    N_("the mailbox is closed")
#define FULL	    N_("the mailbox is full")
#define TOO_LONG    N_("the mail was too long for it")
#define SENDER	    N_("mails from our address are not accepted there")
#define POLICY	    N_("it was taken for unwanted mail, or mails from outside are not accepted there")
#define UNREACHABLE N_("the mail server could not be reached")
#define INSECURE    N_("no secure connection to the mail server could be made")
#define AUTH	    N_("our mail server did not let us in")
#define BUSY	    N_("the mail server takes no mail just now")
#define TOO_LATE    N_("it could not be delivered in time")
#define NOT_RUNNING N_("the mail program is not running")
#define REFUSED	    N_("the mail server did not take it")

/* RFC 3463 and the IANA registry of its codes: subject, detail (-1: any other). The class says how long it lasts, which
 * the state of the mail tells better. */
static const struct {
	int subject, detail;
	const char *words;
} by_status[] = {
    {1, 0, NO_MAILBOX},	  {1, 1, NO_MAILBOX},  {1, 2, NO_DOMAIN},  {1, 3, NO_MAILBOX}, {1, 6, NO_MAILBOX},
    {1, 7, SENDER},	  {1, 8, SENDER},      {1, 10, NO_DOMAIN}, {2, 1, CLOSED},     {2, 2, FULL},
    {2, 3, TOO_LONG},	  {3, 1, BUSY},	       {3, 2, BUSY},	   {3, 4, TOO_LONG},   {4, 1, UNREACHABLE},
    {4, 2, UNREACHABLE},  {4, 3, UNREACHABLE}, {4, 4, NO_DOMAIN},  {4, 5, BUSY},       {4, 7, TOO_LATE},
    {4, -1, UNREACHABLE}, {7, 4, INSECURE},    {7, 5, INSECURE},   {7, 8, AUTH},       {7, 9, AUTH},
    {7, 10, INSECURE},	  {7, 11, INSECURE},   {7, -1, POLICY},
};

/* RFC 5321 4.2 and RFC 4954, where no better code was given; after these nothing else is looked at. */
static const struct {
	int reply;
	const char *words;
} by_reply[] = {
    {421, BUSY}, {450, BUSY},	    {451, BUSY},       {452, BUSY}, {454, INSECURE},   {530, AUTH},   {534, AUTH},
    {535, AUTH}, {550, NO_MAILBOX}, {551, NO_MAILBOX}, {552, FULL}, {553, NO_MAILBOX}, {554, POLICY},
};

/* Our own words and libcurl's, found anywhere. The order counts: a name in a certificate is no name that is unknown. */
static const struct {
	const char *part, *words;
} by_text[] = {
    {NOT_RUNNING, NOT_RUNNING},
    {TOO_LATE, TOO_LATE},
    {"certificate", INSECURE},
    {"SSL", INSECURE},
    {"TLS", INSECURE},
    {"login denied", AUTH},
    {"authentication", AUTH},
    {"resolve host", UNREACHABLE},
    {"connect to", UNREACHABLE},
    {"timed out", UNREACHABLE},
    {"timeout", UNREACHABLE},
    {"recv failure", UNREACHABLE},
    {"send failure", UNREACHABLE},
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

static const char *of_status(int subject, int detail)
{
	for (size_t i = 0; i < sizeof by_status / sizeof *by_status; i++)
		if (by_status[i].subject == subject && (by_status[i].detail == detail || by_status[i].detail < 0))
			return by_status[i].words;
	return NULL;
}

static bool holds(const char *s, const char *part)
{
	size_t n = strlen(part);
	for (; *s; s++)
		if (!strncasecmp(s, part, n))
			return true;
	return false;
}

static const char *words_of(const char *reason)
{
	const char *at = reason, *words = NULL;
	int subject, detail, reply = number(&at);
	if (reply < 200 || reply > 599 || (*at && *at != ' ' && *at != '-')) {
		reply = 0;
		at = reason;
	} else if (*at) {
		at++;
	}
	if (status(at, &subject, &detail))
		words = of_status(subject, detail);
	for (size_t i = 0; !words && i < sizeof by_reply / sizeof *by_reply; i++)
		if (by_reply[i].reply == reply)
			words = by_reply[i].words;
	for (size_t i = 0; !words && i < sizeof by_text / sizeof *by_text; i++)
		if (holds(reason, by_text[i].part))
			words = by_text[i].words;
	return words ? words : REFUSED;
}

void mail_reason_words(const char *lang, const char *reason, struct buf *b)
{
	buf_adds(b, i18n(lang, words_of(reason)));
}
