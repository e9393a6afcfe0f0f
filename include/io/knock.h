// SPDX-License-Identifier: MIT
// Waits for the first byte of an accepted connection without eating it, so that one port can serve
// HTTP and the link: a TLS record begins with 0x16, no HTTP method does.
#ifndef IO_KNOCK_H
#define IO_KNOCK_H

#include <stdint.h>

#include "base/list.h"
#include "io/address.h"

struct loop;

struct knock_door {
    struct loop *loop;
    struct list waiting; // accepted, and nothing came yet
    // Takes the descriptor.
    void (*on_knock)(void *arg, int descriptor, const struct address *from, uint8_t first);
    void *arg;
};

void knock_init(struct knock_door *door, struct loop *loop,
                void (*on_knock)(void *, int, const struct address *, uint8_t), void *arg);
void knock_fini(struct knock_door *door); // closes what waits
// Takes the descriptor. Closed when nothing comes for HTTP_HEAD_TIMEOUT_US, or when it ends.
void knock_wait(struct knock_door *door, int descriptor, const struct address *from);

#endif
