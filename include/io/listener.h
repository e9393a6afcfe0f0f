// SPDX-License-Identifier: MIT
// Listening TCP sockets, IPv4 and IPv6.
#ifndef IO_LISTENER_H
#define IO_LISTENER_H

#include "io/address.h"

struct loop;
struct listener;

// host NULL or "" listens on all addresses, IPv6 and IPv4 (one dual-stack socket, or IPv4 only when
// the machine has no IPv6); otherwise a literal. Port 0 takes a free one. on_accept gets ownership
// of the descriptor (non-blocking, close-on-exec). Accepts at most 64 a turn. When descriptors run
// out it pauses a second and says so. ERR_INVALID for a host that is no literal; ERR_IO with errno
// set (EADDRINUSE, EACCES ...).
MUST_USE int listener_open(struct loop *loop, const char *host, uint16_t port,
                           void (*on_accept)(void *arg, int descriptor, const struct address *from),
                           void *arg, struct listener **out);
void listener_close(struct listener **listener); // no callback afterwards; may be called in one
uint16_t listener_port(const struct listener *listener);

#endif
