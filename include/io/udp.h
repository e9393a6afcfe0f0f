// SPDX-License-Identifier: MIT
// Datagram sockets.
#ifndef IO_UDP_H
#define IO_UDP_H

#include <stdint.h>

#include "io/address.h"

struct loop;
struct udp;

// Binds to `local` (port 0: a free one). on_datagram is called for each; at most 256 a turn.
// SO_RCVBUF is raised to 2 MB as far as the system lets us. ERR_IO.
MUST_USE int udp_open(struct loop *loop, const struct address *local,
                      void (*on_datagram)(void *arg, const uint8_t *data, size_t length,
                                          const struct address *from),
                      void *arg, struct udp **out);
// Two sockets on an even port and the one after it (RTP and RTCP; RFC 3550, 11). Port 0 of `local`:
// a free pair; otherwise that port, which must be even (ERR_INVALID).
MUST_USE int
udp_open_pair(struct loop *loop, const struct address *local,
              void (*on_rtp)(void *arg, const uint8_t *, size_t, const struct address *),
              void (*on_rtcp)(void *arg, const uint8_t *, size_t, const struct address *),
              void *arg, struct udp **rtp, struct udp **rtcp);
void udp_close(struct udp **udp); // no callback afterwards; may be called in one
uint16_t udp_port(const struct udp *udp);
// Sends one datagram, or drops it: what the system does not take is lost, as on the wire.
void udp_send(struct udp *udp, const void *data, size_t length, const struct address *to);

#endif
