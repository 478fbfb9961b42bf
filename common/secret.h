/* Wiping, comparing and making secrets. */
#ifndef KOSMO_SECRET_H
#define KOSMO_SECRET_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

/* explicit_bzero that takes NULL. */
void secret_wipe(void *p, size_t n);
/* Wipes a NUL-terminated string and frees it; NULL is fine. */
void secret_free_str(char *s);
/* Constant time in the bytes; lengths are not secret. */
bool secret_equal(const void *a, size_t alen, const void *b, size_t blen);
/* n bytes from getrandom(2). ERR_IO when the kernel refuses. The one place where randomness comes in. */
enum err secret_random(void *p, size_t n);
/* A uniform number in [0, bound), bound > 0, without modulo bias. */
enum err secret_uniform(unsigned bound, unsigned *ret);

#endif
