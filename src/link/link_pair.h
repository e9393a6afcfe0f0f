// SPDX-License-Identifier: MIT
// One connection for each pair of servers: which of two goes, and who goes by way of whom.
#ifndef LINK_LINK_PAIR_H
#define LINK_LINK_PAIR_H

#include <stdbool.h>

struct link;

void link_pair_init(struct link *link);
void link_pair_greeted(struct link *link); // announces it, or holds it back
void link_pair_up(struct link *link);      // it was announced
void link_pair_heard(struct link *link);   // it answered a ping
void link_pair_lost(struct link *link);
// Channels and connections of the link have settled: those that rode on it do not any more.
void link_pair_settle(struct link *link);
// A dialled link without a connection: true when it goes on by way of another.
bool link_pair_ride(struct link *link);
// Whether a link that nobody holds is needed by the other side, or by one that rides.
bool link_pair_needed(const struct link *link);
// Whose connection it has.
struct link *link_carrier(const struct link *link);

#endif
