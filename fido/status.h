/* How it went with the security key, in one word for the module and the keeper. It is no verdict: the keeper verifies
 * what the key signed, and KEY_OK says only that it signed something. */
#ifndef KOSMO_FIDO_STATUS_H
#define KOSMO_FIDO_STATUS_H

enum key_status {
	KEY_ERROR = 0,	  /* "error": a key that was pulled out, that talks nonsense, or anything else */
	KEY_NONE,	  /* "none": no security key is plugged in */
	KEY_NOCREDENTIAL, /* "nocredential": none of those plugged in has one of the credentials */
	KEY_CANCELLED,	  /* "cancelled": Enter instead of a PIN, Ctrl-C, or the module is gone */
	KEY_TIMEOUT,	  /* "timeout": it was not touched */
	KEY_PINWAIT,	  /* "pinwait": three wrong PINs; it must be unplugged before it takes another one */
	KEY_PINBLOCKED,	  /* "pinblocked": too many wrong PINs; it must be reset */
	KEY_NOPIN,	  /* "nopin": neither a PIN nor a fingerprint is set up on it, or the PIN must be changed */
	KEY_DENIED,	  /* "denied": refused on the key itself */
	KEY_OK = 0x6b,	  /* "ok" */
};

const char *key_status_name(enum key_status s);

#endif
