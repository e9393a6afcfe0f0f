// SPDX-License-Identifier: MIT
// The table of protocols that are built in: src/proto/protocols.def.
#ifndef DAEMON_PROTOCOLS_H
#define DAEMON_PROTOCOLS_H

struct buf;
struct protocol;

extern const struct protocol *const protocols_table[]; // NULL-terminated

// The matrix that `sluice --protocols` prints: what each does, its schemes, options and addresses.
struct buf *protocols_print(const struct protocol *const *table);

#endif
