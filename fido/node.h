/* The devices that security keys may be: /dev/hidrawN. */
#ifndef KOSMO_FIDO_NODE_H
#define KOSMO_FIDO_NODE_H

#include <stdbool.h>
#include <stddef.h>

#define NODES_MAX 64

/* Opens those that may be opened, whatever they are; nothing of what a device says is looked at here, for this may be
 * root's part. Returns how many; the descriptors are the caller's. */
size_t nodes_open(int ret_fd[static NODES_MAX]);
/* Without those that are no security keys (keyboards, mice), which are closed. Returns how many are left. */
size_t nodes_keys(int fd[static NODES_MAX], size_t n);

#endif
