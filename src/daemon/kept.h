// SPDX-License-Identifier: MIT
// Streams that have footage below a path of a dvr line, and no line: their archive stays readable
// and goes by its age. They are looked for behind the start, by a worker: that takes as long as the
// disks take to list some folders of each stream, and nobody waits for it.
//
// States: NAMING (links and dots of the paths are resolved) -> SEARCHING, one path after the other
// -> gone.
#ifndef DAEMON_KEPT_H
#define DAEMON_KEPT_H

struct server;
struct kept_search;

// After the first configuration was applied. NULL: it has no path. Ends by itself, and blanks
// server->search then.
struct kept_search *kept_search_start(struct server *server);
// Nothing is found any more; what a disk holds up is left to it. NULL is fine, is NULL afterwards.
void kept_search_cancel(struct kept_search **search);

#endif
