#include "config.h"

#include "fido/status.h"
#include <stddef.h>

static const struct {
	enum key_status status;
	const char *name;
} status_names[] = {
    {KEY_ERROR, "error"},
    {KEY_NONE, "none"},
    {KEY_NOCREDENTIAL, "nocredential"},
    {KEY_CANCELLED, "cancelled"},
    {KEY_TIMEOUT, "timeout"},
    {KEY_PINWAIT, "pinwait"},
    {KEY_PINBLOCKED, "pinblocked"},
    {KEY_NOPIN, "nopin"},
    {KEY_DENIED, "denied"},
    {KEY_OK, "ok"},
};

const char *key_status_name(enum key_status s)
{
	for (size_t i = 0; i < sizeof status_names / sizeof *status_names; i++)
		if (status_names[i].status == s)
			return status_names[i].name;
	return "error";
}
