// SPDX-License-Identifier: MIT
// What the files of this folder share: a film is opened by one of two readers, which give frames; the
// source paces them.
#ifndef PROTO_FILE_PRIV_H
#define PROTO_FILE_PRIV_H

#include "io/file.h"
#include "io/timeout.h"
#include "media/frame.h"
#include "stream/protocol.h"

// Frames read and not yet due: a second and a half, within these bounds.
#define FILE_AHEAD_US 1500000LL
enum { FILE_AHEAD_FRAMES = 1024, FILE_AHEAD_BYTES = 16 << 20 };

struct film;

// A reader of one format. Every call but close may lead to film_frame, film_tracks, film_end and
// film_failed, at once or in a later turn.
struct film_ops {
    void (*more)(struct film *film);   // read on: frames are wanted; not called while busy
    void (*rewind)(struct film *film); // the next frame is the first again
    void (*close)(struct film *film);
};

struct film {
    struct source *source;
    const struct film_ops *ops; // NULL until the format is known
    void *reader;
    struct file *file;          // NULL until open
    struct file_op *op;         // the one under way; NULL: none
    struct frame **frames;      // ready, by order of reading: FILE_AHEAD_FRAMES of them, a ring
    int64_t *at_us;             // their times in the film, loops added
    unsigned first, count;
    size_t bytes;
    bool ended;                 // the reader is at its end; rewound when the last frame has gone
    unsigned bad;               // frames in a row that could not be read
    int64_t loop_us;            // added to the times of this round
    int64_t begin_us, end_us;   // of the film: its first time, and the end of its last frame
    bool timed;                 // begin_us is known
    bool paced;                 // clock_us is known
    int64_t clock_us;           // monotonic time of film time 0
    struct timeout due;
    struct tracks *tracks;      // one reference
};

// Takes the reference. dts is the film's; the loop is added here.
void film_frame(struct film *film, struct frame **frame);
void film_tracks(struct film *film, struct tracks **tracks); // takes the reference
void film_end(struct film *film);
void film_failed(struct film *film, enum reason reason, const char *detail);
void film_skip(struct film *film); // one frame could not be read
bool film_full(const struct film *film);
void film_busy_done(struct film *film); // an operation is over: go on

extern const struct film_ops film_mp4, film_ts;
// Begins with the open file; takes over film->ops and reader.
void film_mp4_open(struct film *film);
void film_ts_open(struct film *film);

extern struct file_queue *film_queue;
int film_pull(const struct protocol_env *env, struct source *source);

#endif
