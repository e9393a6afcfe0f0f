// SPDX-License-Identifier: MIT
// Host names to addresses without blocking (c-ares; /etc/hosts is read too).
#ifndef IO_DNS_H
#define IO_DNS_H

#include "io/address.h"

struct loop;
struct dns_query;

enum { DNS_ADDRESSES_MAX = 16 };

// on_done comes in a later turn: err 0 and addresses[0..count) in the order to try, 1 to
// DNS_ADDRESSES_MAX of them; or count 0 and ERR_NOT_FOUND or ERR_TIMEOUT (five seconds). Literals
// are answered too. The query is gone when on_done is called.
struct dns_query *dns_resolve(struct loop *loop, const char *host, uint16_t port,
                              void (*on_done)(void *arg, int err, const struct address *addresses,
                                              unsigned count),
                              void *arg);
void dns_cancel(struct dns_query **query); // no callback afterwards; *query may be NULL
// Tests: asks this server ("127.0.0.1:5353") and no other; NULL: those of the system.
void dns_set_server_test(const char *server);

#endif
