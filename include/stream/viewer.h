// SPDX-License-Identifier: MIT
// Who watches. Keeps on-demand streams alive, and is what the API counts. A viewer of a long
// connection is opened and closed; a viewer of many short requests (HLS) is touched, and expires
// thirty seconds after its last request.
#ifndef STREAM_VIEWER_H
#define STREAM_VIEWER_H

#include <stdint.h>

#include "base/reason.h"

struct stream;
struct viewer;

// Who watches the past does not start the live stream of an on-demand stream, nor keep it.
enum viewer_kind { VIEWER_LIVE, VIEWER_PAST };

// protocol: constant text ("hls", "mpegts", "m4s"). client: address text. Starts an on-demand
// stream.
struct viewer *viewer_open(struct stream *stream, enum viewer_kind kind, const char *protocol,
                           const char *client);
void viewer_count_bytes(struct viewer *viewer, uint64_t bytes);
void viewer_close(struct viewer **viewer);
// As viewer_close. One that was too slow is logged and counted.
void viewer_gone(struct viewer **viewer, enum reason reason);
// agent: what tells players behind one address apart (User-Agent and token); may be "".
void viewer_touch(struct stream *stream, enum viewer_kind kind, const char *protocol,
                  const char *client, const char *agent);

#endif
