/* The program's lines on stderr (the journal under systemd). Never a value of a request: callers pass fixed words, file
 * names and numbers. */
#ifndef KOSMO_ENROLL_LOG_H
#define KOSMO_ENROLL_LOG_H

#include <stdbool.h>

/* debug: log_debug prints too. Under systemd lines carry the priority prefix of sd-daemon(3). Once, before threads. */
void log_init(const char *program, bool debug);
bool log_debugging(void);
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
