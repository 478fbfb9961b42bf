/* SANITIZED: 1 in a build with AddressSanitizer (whose leak checker attaches to its own process) or ThreadSanitizer. */
#ifndef KOSMO_SANITIZED_H
#define KOSMO_SANITIZED_H

#if defined(__has_feature)
#define SANITIZED_FEATURE(f) __has_feature(f)
#else
#define SANITIZED_FEATURE(f) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SANITIZED_FEATURE(address_sanitizer) ||           \
    SANITIZED_FEATURE(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#endif
