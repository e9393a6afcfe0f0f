// SPDX-License-Identifier: MIT
// What the files of this folder share about a stream.
#ifndef STREAM_STREAM_PRIV_H
#define STREAM_STREAM_PRIV_H

#include "base/list.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "ring.h"
#include "segmenter.h"
#include "stream/protocol.h"
#include "stream/sink.h"
#include "stream/source.h"
#include "stream/stream.h"
#include "timeline.h"

#define STREAM_MAGIC 0x5354524du
#define SOURCE_MAGIC 0x53524345u

enum source_state { SOURCE_IDLE, SOURCE_STARTING, SOURCE_RUNNING, SOURCE_WAITING };

struct source {
    uint32_t magic;
    struct stream *stream;
    unsigned number; // index among the stream's inputs: smaller is better
    enum source_state state;
    const struct source_ops *ops; // NULL unless pulled
    void *engine;
    char name[STREAM_NAME_MAX + 48]; // for logs
    struct input_conf input;         // a copy: the configuration may change under a running input
    struct tracks *tracks;           // as last given, with generation; one reference or NULL
    bool follows;
    struct segment_info segment; // as the far server announced it last; number 0: it did not
    bool segment_whole;          // every frame of it has been pushed
    bool lost;                   // source_lost came; stop is due
    bool unavailable;            // the engine waits for its link; no timeout applies
    enum reason lost_reason;
    char lost_detail[96];
    struct defer ending; // stop at the end of the turn
    struct timeout retry;
    struct backoff backoff;
    int64_t started_us, last_frame_us; // monotonic
    int64_t candidate_since_us;        // waiting for a key frame to take over; 0 when not
};

enum { WINDOW_EXTRA = 3, TRACKS_KEPT = 4 };

// Everything that exists only while a stream runs.
struct live {
    struct ring ring;
    struct timeline timeline;
    struct segmenter *segmenter;
    struct tracks *tracks[TRACKS_KEPT]; // newest first; one reference each
    struct window_entry *window;        // oldest first
    size_t window_count, window_capacity;
    unsigned listed;     // how many of the window the playlist lists at most
    unsigned far_listed; // the same at the far server, where frames come from one; 0: our own
    uint64_t discontinuities_gone; // of entries that left the window
    // Following: a far server that is joined again begins with frames that are in the ring already.
    bool rejoining;                 // nothing has come since the last run ended
    uint64_t reached_number;        // of the segment that frames came from last
    int64_t reached_utc_us;         // where it began
    int64_t pushed_dts[TRACKS_MAX]; // newest in the ring by track; INT64_MIN: none
    uint64_t second_bytes[10];      // payload by second, a ring
    unsigned second, seconds;       // the one being filled; how many count, at most ten
};

struct stream {
    uint32_t magic;
    enum stream_state state;
    struct streams *owner;
    size_t order;
    bool closing;
    bool pending; // in owner->news
    bool changed; // in owner->changes
    char log_name[STREAM_NAME_MAX + 8];
    struct stream_conf *conf; // owned
    struct list_node news_node, change_node, active_node;
    struct source *source[STREAM_INPUTS_MAX]; // owned; NULL when not running
    int active;                               // index of the input whose frames are taken, or -1
    struct live *live;                        // NULL when idle
    struct list sinks, waiters, listeners, fetches, viewers;
    struct map *touched;   // viewers of short requests by key; NULL when none
    unsigned live_viewers; // of both kinds of bookkeeping; those who watch the past are not in it
    int64_t no_viewers_since_us; // monotonic, 0 while somebody watches
    struct history *own, *cache; // owned; the archive and the cache here, NULL: none
    struct history *history;     // what is asked; NULL: none, or made on first use
    bool history_made;           // of several, or of an input: closed with the stream
    struct tracks *known_tracks;
    bool far_archive;
    struct history_range far_range;
    void *slot[STREAM_SLOTS];
    struct stream_stats stats;
    struct defer closing_defer;
};

struct streams {
    struct loop *loop;
    const struct protocol_env *env;
    struct map *by_name;
    struct list news;    // streams with frames not yet offered to their sinks
    struct list changes; // streams whose watchers are to be told
    struct list active;  // streams that are not idle, or have waiters or viewers
    struct list watches;
    struct loop_hook hook;
    struct defer change_defer;
    struct timeout tick;   // once a second while `active` is not empty
    struct stream **slots; // by order of creation, NULL where one went
    size_t slot_count, slot_capacity;
};

// stream.c
void stream_set_state(struct stream *stream, enum stream_state state);
void stream_stop(struct stream *stream, enum reason reason); // to IDLE; sinks end
void stream_news(struct stream *stream);
void stream_activate(struct stream *stream); // joins the tick
// stream_inputs.c
void inputs_start(struct stream *stream);
void inputs_stop(struct stream *stream, enum reason reason);
void inputs_tick(struct stream *stream, int64_t mono_us);
void inputs_configure(struct stream *stream, const struct stream_conf *before);
// stream_live.c
struct live *live_new(struct stream *stream);
void live_free(struct live **live);
void live_set_tracks(struct stream *stream, struct tracks *tracks); // takes a reference of its own
void live_push(struct stream *stream, struct frame *frame, bool follows); // borrowed
// Following: the next frame begins, or lies in, this segment.
void live_announce(struct stream *stream, const struct segment_info *info, bool whole);
// Frames of a segment that came whole: into the ring as they are, and the segment into the window.
void live_push_ready(struct stream *stream, struct segment *segment);
void live_end_run(struct stream *stream, enum reason reason);
void live_add_far_window(struct stream *stream, const struct segment_info *infos, size_t count,
                         unsigned listed, struct tracks *tracks);
void live_add_segment(struct stream *stream, struct segment *segment);       // borrowed
struct window_entry *live_find(struct stream *stream, int64_t utc_start_ms); // NULL: not there
bool live_has_window(const struct stream *stream);
void live_tick(struct stream *stream);
// stream_wait.c
void waiters_check(struct stream *stream);
void waiters_answer(struct stream *stream);
void waiters_tick(struct stream *stream, int64_t mono_us);
void waiters_fail(struct stream *stream, enum reason reason);
void fetches_fail(struct stream *stream);
// viewer.c
void viewers_tick(struct stream *stream, int64_t mono_us);
void viewers_free(struct stream *stream);
unsigned viewers_count(const struct stream *stream);
// sink.c
void sinks_visit(struct stream *stream);
void sinks_lost(struct stream *stream);
void sinks_end(struct stream *stream, enum reason reason);

#endif
