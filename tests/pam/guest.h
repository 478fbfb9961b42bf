/* What a module may not change in the process that it is loaded into, as text with a line for each thing: descriptors
 * and their flags, signals, ids, environment, locale, limits, timers, children and what else a process has of its own.
 */
#ifndef KOSMO_TESTS_GUEST_H
#define KOSMO_TESTS_GUEST_H

#include <stdbool.h>

/* The caller frees it. A test that cannot look exits. */
char *guest_take(void);
/* Prints "changed WHEN: was LINE" and "changed WHEN: is LINE" for what differs; returns how many. */
int guest_compare(const char *before, const char *after, const char *when);
/* Whether any part of pam_kosmo.so is mapped. */
bool guest_module_mapped(void);
/* Bytes of the heap in use, and of memory resident. */
void guest_memory(long *ret_heap, long *ret_resident);

#endif
