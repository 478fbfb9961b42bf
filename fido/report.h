/* What a HID device says it is (Device Class Definition for HID 1.11, section 6.2.2: report descriptors). */
#ifndef KOSMO_FIDO_REPORT_H
#define KOSMO_FIDO_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does its first collection belong to the FIDO alliance's usage page (CTAP 2.1, section 11.2.8.1)? False for anything
 * malformed. */
bool report_is_key(const uint8_t *p, size_t n);

#endif
