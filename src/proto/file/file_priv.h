// SPDX-License-Identifier: MIT
// What the files of this folder share: a source that paces and loops, and readers of containers
// that give it frames.
#ifndef FILE_PRIV_H
#define FILE_PRIV_H

#include "base/reason.h"
#include "media/frame.h"
#include "media/track.h"
#include "stream/protocol.h"

struct file;
struct file_reader;
struct file_source;

// file_source.c
int file_pull(const struct protocol_env *env, struct source *source);

// A reader goes once through one open file, from its beginning.
struct file_reader_ops {
    const char *name; // "mp4", for the log
    // Another piece is wanted: reads, calls file_source_tracks and file_source_frame any number of
    // times, then one of file_source_done, _end, _fail, now or in a later turn. After _end the
    // reader is gone.
    void (*more)(struct file_reader *reader);
    // Nothing is called any more.
    void (*free)(struct file_reader *reader);
};

// First member of each reader.
struct file_reader {
    const struct file_reader_ops *ops;
    struct file_source *owner; // borrowed
};

// file: borrowed, open as long as the reader lives.
struct file_reader *file_mp4_new(struct file_source *owner, struct file *file);
struct file_reader *file_ts_new(struct file_source *owner, struct file *file);

// ---- for readers ------------------------------------------------------------------------------
const char *file_source_name(const struct file_source *owner); // for logs
bool file_source_first_loop(const struct file_source *owner);
// The tracks of the frames that follow; borrowed.
void file_source_tracks(struct file_source *owner, struct tracks *tracks);
// A frame, its dts in the file's own time. Takes the reference.
void file_source_frame(struct file_source *owner, struct frame **frame);
void file_source_error(struct file_source *owner);               // a frame that cannot be used
void file_source_bytes(struct file_source *owner, size_t count); // read, for statistics
void file_source_done(struct file_source *owner);
void file_source_end(struct file_source *owner); // the end of the file
void file_source_fail(struct file_source *owner, enum reason reason, const char *detail);

#endif
