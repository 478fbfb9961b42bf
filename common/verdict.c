#include "config.h"

#include "common/verdict.h"
#include <stddef.h>
#include <string.h>

static const struct {
	enum verdict verdict;
	const char *name;
} names[] = {
    {VERDICT_INTERNAL, "internal"},	  {VERDICT_DENY, "deny"},
    {VERDICT_THROTTLED, "throttled"},	  {VERDICT_LOCKED, "locked"},
    {VERDICT_UNAVAILABLE, "unavailable"}, {VERDICT_DISABLED, "disabled"},
    {VERDICT_EXPIRED, "expired"},	  {VERDICT_UNFINISHED, "unfinished"},
    {VERDICT_IGNORE, "ignore"},		  {VERDICT_CHANGE, "change"},
    {VERDICT_UNCHANGED, "unchanged"},	  {VERDICT_ALLOW, "allow"},
};

const char *verdict_name(enum verdict v)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].verdict == v)
			return names[i].name;
	return "internal";
}

enum verdict verdict_from(const char *name)
{
	for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].verdict;
	return VERDICT_INTERNAL;
}
