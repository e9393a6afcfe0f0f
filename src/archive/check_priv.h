// SPDX-License-Identifier: MIT
// What the files of the check share.
#ifndef ARCHIVE_CHECK_PRIV_H
#define ARCHIVE_CHECK_PRIV_H

#include "archive/check.h"
#include "base/bytes.h"
#include "hours.h"
#include "index_parse.h"
#include "summary_parse.h"

// The locks that a repair holds. Zeroed: none.
struct check_locks {
    int descriptor[8];
    unsigned count;
};

struct check {
    const struct check_want *want;
    struct check_sums sums;
    int64_t progress_us; // monotonic, of the last one
    bool live;           // a server records here: what is new may be half written
    struct check_locks locks;
    uint8_t *block; // chunks are read here
    size_t room;
    // Of the stream.
    struct hour_name newest; // of its hour files; second -1: there is none
    int64_t behind_us;       // latest end of the files so far, 0 none
};

// ---- check_report.c: what is said, and file calls that say why they fail ----------------------
void check_find(struct check *check, const char *path, const char *format, ...) PRINTF_LIKE(3, 4);
void check_note(struct check *check, const char *path, const char *format, ...) PRINTF_LIKE(3, 4);
// So many findings are settled by what is said.
void check_repaired(struct check *check, unsigned findings, const char *path, const char *format,
                    ...) PRINTF_LIKE(4, 5);
void check_progress(struct check *check, const char *path, bool now);

struct check_entry {
    char *name;
    bool folder, file; // neither: something else
    uint64_t bytes;
    int64_t changed_s; // UTC
};
struct check_list {
    struct check_entry *entry; // by name
    unsigned count, capacity;
};
// False when the folder cannot be read, which was found unless it went meanwhile. check NULL:
// nothing is said.
bool check_list_read(struct check *check, const char *path, struct check_list *out);
void check_list_fini(struct check_list *list);
// path/name; false when that is too long, which was found.
bool check_join(struct check *check, char out[HOUR_PATH], const char *path, const char *name);
// Reads up to length bytes at offset, all that there are; -1 with errno.
int64_t check_read_at(int descriptor, void *data, size_t length, uint64_t offset);
// A file of at most `most` bytes: count one, or NULL with errno (EFBIG).
struct buf *check_read_whole(const char *path, size_t most);
// Beside it, synced, renamed over it, the folder synced. False, and found, when that fails.
bool check_replace(struct check *check, const char *path, struct bytes bytes);
bool check_remove(struct check *check, const char *path); // False, and found
// Made by root in the folder of a server that is not: it has to write it later.
void check_give_to_owner(int descriptor, const char *folder);

// ---- check_lock.c ------------------------------------------------------------------------------
#define CHECK_LOCK_NAME ".sluice.lock"
// Whether a server records to the folder (its path, not one above): *pid, 0 not known.
bool check_lock_held(const char *path, int64_t *pid);
// Takes its lock, which is made when it is missing and `make` is set. False: a server has it, *pid.
// Where locks are not known it goes on without, which is noted.
bool check_lock_take(struct check *check, const char *path, bool make, int64_t *pid);
void check_locks_drop(struct check_locks *locks);

// ---- check_file.c ------------------------------------------------------------------------------
struct check_hour {
    struct hour_name name;
    bool has_data, has_index;
    uint64_t bytes, index_bytes;
    int64_t changed_s;
    // From check_file.
    bool right;               // there is an index, and it is right
    bool changed;             // repaired
    bool gone;                // there is no hour file any more
    int64_t start_us, end_us; // by the index, as the name dates them
    unsigned holes;           // and the holes inside
    struct hour_hole *hole;   // the first HOUR_HOLES_MAX of them, or NULL; owned
};
// path is that of the hour file.
void check_file(struct check *check, const char *path, struct check_hour *hour);

// ---- check_day.c -------------------------------------------------------------------------------
// The folder of the day that begins at day_s.
void check_day(struct check *check, const char *path, int64_t day_s);

#endif
