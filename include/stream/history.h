// SPDX-License-Identifier: MIT
// The past of a stream, behind one interface: the archive on disk, or another server through M4F.
// Protocols use it and never ask which one it is. Everything is asynchronous: callbacks come in
// later turns, never inside the call; a cancelled request calls nothing any more. A request may be
// cancelled, or asked for the next segment, from inside its own callbacks.
//
// Implementations embed struct history and struct history_request as first members.
#ifndef STREAM_HISTORY_H
#define STREAM_HISTORY_H

#include "base/reason.h"
#include "media/segment.h"

struct history;
struct history_request;

// Lists are bounded: two days of 4 s segments. A longer one is cut and says so.
enum { HISTORY_LIST_MAX = 50000, HISTORY_RANGES_MAX = 10000 };
// Servers behind one another that a question may pass. As many as streams are offered over.
enum { HISTORY_HOPS_MAX = 4 };

// Another server that a question is asked for: NULL stands for viewers of this one. It is not asked
// itself, so that servers that are each other's source do not wait for one another.
struct history_via {
    uint64_t peer; // identity of its process (link_peer_id)
    uint8_t hops;  // servers the question has passed, this one included
};

// REASON_NONE: media are there, unbroken. REASON_THINNED: so they are, but of the video only key
// pictures. Else nothing is there, and why: one that has a code below.
struct history_range {
    int64_t from_us, to_us; // UTC
    enum reason reason;
};
static inline bool history_has_media(const struct history_range *range)
{
    return range->reason == REASON_NONE || range->reason == REASON_THINNED;
}

// Reasons of holes in files and on the wire: numbers that never change (docs/formats/archive.md).
// A reason without one is written as REASON_UNKNOWN's, and an unknown number read as that.
uint8_t history_reason_code(enum reason reason);
enum reason history_reason_of(uint8_t code);

typedef void (*history_ranges_fn)(void *arg, int err, const struct history_range *ranges,
                                  size_t count);
typedef void (*history_list_fn)(void *arg, int err, const struct segment_info *infos, size_t count,
                                bool cut);

enum history_what {
    HISTORY_WHOLE, // segments with their bytes
    HISTORY_HEADS, // on_heads instead: chunk heads only (format/cmaf.h), for MP4 arithmetic
};

struct history_events {
    // The next segment; takes the reference.
    void (*on_segment)(void *arg, struct segment **segment);
    void (*on_heads)(void *arg, const struct segment_info *info, struct tracks *tracks,
                     struct bytes heads); // borrowed for the call
    // No more: 0 at the end of the range, or why. The request is gone after this.
    void (*on_end)(void *arg, int err);
};

struct history_ops {
    const char *name; // "archive", "m4f"
    // via: borrowed for the call, NULL for a viewer here.
    struct history_request *(*ranges)(struct history *, const struct history_via *via,
                                      int64_t from_us, int64_t to_us, history_ranges_fn done,
                                      void *arg);
    struct history_request *(*list)(struct history *, const struct history_via *via,
                                    int64_t from_us, int64_t to_us, history_list_fn done,
                                    void *arg);
    struct history_request *(*read)(struct history *, const struct history_via *via,
                                    int64_t from_us, int64_t to_us, enum history_what what,
                                    const struct history_events *events, void *arg);
    void (*next)(struct history_request *);
    void (*cancel)(struct history_request *);
    // Quick summary without disk or network, for catalogue and API; false when nothing is known.
    bool (*summary)(struct history *, struct history_range *whole, uint64_t *bytes);
    // Of a cache: keeps a segment that another one gave, if it likes. May be NULL.
    void (*keep)(struct history *, struct segment *segment);
    void (*close)(struct history *); // pending requests end with ERR_CANCELLED before
};

struct history {
    const struct history_ops *ops;
};

struct history_request {
    struct history *history;
};

// Media and holes that touch [from, to), oldest first, none overlapping another. done is called
// once, then the request is gone.
struct history_request *history_ranges(struct history *history, int64_t from_us, int64_t to_us,
                                       history_ranges_fn done, void *arg);
// Segments that overlap [from, to), oldest first.
struct history_request *history_list(struct history *history, int64_t from_us, int64_t to_us,
                                     history_list_fn done, void *arg);
// Reads the segments that overlap [from, to), oldest first: one is given at once, each further one
// after history_next. The receiver sets the pace; at most one is read ahead.
struct history_request *history_read(struct history *history, int64_t from_us, int64_t to_us,
                                     enum history_what what, const struct history_events *events,
                                     void *arg);
// The same for another server.
struct history_request *history_ranges_via(struct history *history, const struct history_via *via,
                                           int64_t from_us, int64_t to_us, history_ranges_fn done,
                                           void *arg);
struct history_request *history_list_via(struct history *history, const struct history_via *via,
                                         int64_t from_us, int64_t to_us, history_list_fn done,
                                         void *arg);
struct history_request *history_read_via(struct history *history, const struct history_via *via,
                                         int64_t from_us, int64_t to_us, enum history_what what,
                                         const struct history_events *events, void *arg);
void history_next(struct history_request *request);
void history_cancel(struct history_request **request); // NULL is fine
bool history_summary(struct history *history, struct history_range *whole, uint64_t *bytes);
void history_keep(struct history *history, struct segment *segment);
void history_close(struct history **history);

#endif
