// SPDX-License-Identifier: MIT
// Host names to addresses without blocking (c-ares; /etc/hosts is read too).
#ifndef IO_DNS_H
#define IO_DNS_H

#include "io/address.h"

struct loop;
struct dns_query;

// on_done comes in a later turn: addresses[0..count) in the order to try, or count 0 and ERR_NOT_FOUND
// or ERR_TIMEOUT (five seconds). Literals are answered too. The query is gone after on_done.
struct dns_query *dns_resolve(struct loop *loop, const char *host, uint16_t port,
                              void (*on_done)(void *arg, int err, const struct address *addresses,
                                              unsigned count),
                              void *arg);
void dns_cancel(struct dns_query **query); // no callback afterwards

#endif
