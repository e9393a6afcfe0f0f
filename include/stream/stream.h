// SPDX-License-Identifier: MIT
// The meeting point, one per name. Owns its sources, the ring of frames, the segmenter, the window
// of segments, sinks, viewers, and the history if there is one. An idle remote stream is a few
// hundred bytes: everything live is made at start and freed at stop.
//
// States: IDLE -> STARTING -> LIVE -> LOST -> LIVE ... ; IDLE again when an on-demand stream has no
// viewers for clients_timeout. Only stream_set_state moves it. Removal: stream_close, memory at the
// end of the turn.
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "base/list.h"
#include "base/reason.h"
#include "media/segment.h"
#include "stream/conf.h"
#include "stream/history.h"

struct stream;
struct streams;
struct loop;
struct protocol_env;

enum stream_state { STREAM_IDLE, STREAM_STARTING, STREAM_LIVE, STREAM_LOST };

// ---- the registry -----------------------------------------------------------------------------
struct streams *streams_new(struct loop *loop, const struct protocol_env *env);
// Every stream is closed (SHUTDOWN), with its inputs; the registry stays. For the end of the
// server.
void streams_close_all(struct streams *streams);
void streams_free(struct streams **streams);                           // closes what is left
struct stream *streams_get(struct streams *streams, const char *name); // NULL when absent
// Walk in order of creation: start with *cursor = 0; NULL at the end.
struct stream *streams_next(struct streams *streams, size_t *cursor);
size_t streams_count(const struct streams *streams);
// Called for every appearance, disappearance, change of state, tracks, title or archive of a stream
// (the catalogue sends deltas; metrics count). Several listeners; never inside a caller's call.
struct streams_watch {
    struct list_node node;
    void (*on_change)(void *arg, struct stream *stream, bool gone);
    void *arg;
};
void streams_watch_add(struct streams *streams, struct streams_watch *watch);
void streams_watch_remove(struct streams *streams, struct streams_watch *watch);

// ---- life -------------------------------------------------------------------------------------
// Creates it and, when static, starts it. conf is copied. ERR_EXISTS, ERR_LIMIT, ERR_INVALID
// (name).
MUST_USE int stream_create(struct streams *streams, const struct stream_conf *conf,
                           struct stream **out);
// Applies another configuration; what did not change is not disturbed (the running input goes on
// when its line is the same).
void stream_configure(struct stream *stream, const struct stream_conf *conf);
void stream_close(struct stream **stream, enum reason reason);
void stream_start(struct stream *stream); // on demand; no-op when it runs

const char *stream_name(const struct stream *stream);
const char *stream_log_name(const struct stream *stream); // "stream=main"
const struct stream_conf *stream_conf(const struct stream *stream);
enum stream_state stream_state(const struct stream *stream);
const char *stream_state_name(enum stream_state state); // "idle", "starting", "running", "lost"
struct loop *stream_loop(const struct stream *stream);
// For owners above (archive, cluster) to find their own object again; one slot each.
enum stream_slot {
    STREAM_SLOT_ARCHIVE,
    STREAM_SLOT_CACHE,
    STREAM_SLOT_CLUSTER,
    STREAM_SLOT_MPEGTS,
    STREAM_SLOT_HLS,
    STREAM_SLOTS
};
void stream_set_slot(struct stream *stream, enum stream_slot slot, void *value);
void *stream_slot(const struct stream *stream, enum stream_slot slot);

// ---- live -------------------------------------------------------------------------------------
// Current track list, borrowed; NULL before the first tracks.
struct tracks *stream_tracks(const struct stream *stream);
// What a far server told of its tracks while the stream is not running here; NULL when nothing.
struct tracks *stream_known_tracks(const struct stream *stream);
void stream_set_known_tracks(struct stream *stream, struct tracks *tracks); // takes a reference

// The window: closed segments that the live playlist lists (segment_count; where the stream comes
// from another sluice, as many as there) and those kept a little longer for late clients, oldest
// first. An entry whose segment is NULL is fetched by
// stream_fetch_segment when asked for.
struct window_entry {
    struct segment_info info;
    struct tracks *tracks;   // one reference, may be NULL for entries of a far window
    struct segment *segment; // one reference, or NULL
    bool listed;             // among the last stream_window_listed()
};
// Borrowed until the end of the turn; *count entries.
const struct window_entry *stream_window(struct stream *stream, size_t *count);
// How many segments the live playlist lists when there are enough; changes with a segment only.
unsigned stream_window_listed(const struct stream *stream);

// How many discontinuities lie before the first listed entry (EXT-X-DISCONTINUITY-SEQUENCE).
uint64_t stream_discontinuity_sequence(struct stream *stream);
// The open segment's number, start and flags; false when none is open.
bool stream_open_segment(struct stream *stream, struct segment_info *info);

// Waiting until the stream has what a request needs. on_ready comes in a later turn, once:
// REASON_NONE when it is there, else why not (timeout_us over, stream closed, input refused).
// Starts the stream.
enum stream_need { STREAM_NEED_TRACKS, STREAM_NEED_WINDOW };
struct stream_waiter {
    struct list_node node;
    struct stream *stream; // NULL when not waiting
    enum stream_need need;
    int64_t due_us;
    void (*on_ready)(void *arg, enum reason reason);
    void *arg;
};
// ERR_LIMIT with too many waiting; then on_ready is not called.
MUST_USE int stream_wait(struct stream *stream, enum stream_need need, int64_t timeout_us,
                         struct stream_waiter *waiter, void (*on_ready)(void *, enum reason),
                         void *arg);
void stream_wait_cancel(struct stream_waiter *waiter); // not waiting is fine

// The segment that begins at utc_start (to the millisecond: utc_start_us / 1000 is compared), from
// the window, or else from history. on_done comes in a later turn (also when it is in the window):
// a reference is given, or NULL and err. Requests for the same segment that is being fetched join
// it.
struct segment_fetch;
struct segment_fetch *
stream_fetch_segment(struct stream *stream, int64_t utc_start_ms,
                     void (*on_done)(void *arg, int err, struct segment **segment), void *arg);
// The same for another server.
struct segment_fetch *
stream_fetch_segment_via(struct stream *stream, const struct history_via *via, int64_t utc_start_ms,
                         void (*on_done)(void *arg, int err, struct segment **segment), void *arg);
void segment_fetch_cancel(struct segment_fetch **fetch); // NULL is fine
// In the window and loaded: borrowed, at once; else NULL.
struct segment *stream_find_segment(struct stream *stream, int64_t utc_start_ms);

// ---- the past ---------------------------------------------------------------------------------
struct history *stream_history(const struct stream *stream); // NULL: none
// The archive on disk takes this place at creation; takes *history. What the servers of the inputs
// have (M4S, M4F) is found by itself: it fills the holes of the archive here, or stands alone.
void stream_set_history(struct stream *stream, struct history **history);
// Keeps what other servers give and is asked before them; takes *cache.
void stream_set_cache(struct stream *stream, struct history **cache);
// Whether this stream has an archive here or at the server it comes from.
bool stream_has_archive(const struct stream *stream, struct history_range *whole);
void stream_set_far_archive(struct stream *stream, bool present, struct history_range whole);
void stream_changed(
    struct stream *stream); // something of the catalogue changed (archive began ...)

// The archive writer follows the segmenter.
struct segment_listener {
    struct list_node node;
    // A part is complete: frames[first, first + count) of the open segment; frames are borrowed.
    void (*on_part)(void *arg, struct tracks *tracks, const struct segment_info *info,
                    unsigned part, struct frame *const *frames, unsigned count);
    // The segment is closed; info is final.
    void (*on_segment)(void *arg, struct segment *segment);
    // The stream was lost or stopped (after the open segment was closed).
    void (*on_lost)(void *arg, enum reason reason);
    // An input could not be had while none ran. May be NULL.
    void (*on_failed)(void *arg, enum reason reason);
    void *arg;
};
void stream_listen_segments(struct stream *stream, struct segment_listener *listener);
void stream_unlisten_segments(struct stream *stream, struct segment_listener *listener);

// ---- numbers ----------------------------------------------------------------------------------
struct stream_stats {
    uint64_t frames_in, bytes_in, input_bytes, frame_errors, discontinuities, retries, segments;
    uint64_t viewer_bytes, viewers_slow; // those closed because they took too little
    unsigned viewers, sinks;
    unsigned active_input; // index
    uint32_t bitrate_bps;  // of the last ten seconds
    int64_t last_frame_us; // monotonic, 0 never
    int64_t last_dts_utc_us;
    int64_t started_utc_us, live_since_utc_us; // 0 when not
    enum reason last_reason;
    char last_detail[96];
};
void stream_get_stats(const struct stream *stream, struct stream_stats *out);

#endif
