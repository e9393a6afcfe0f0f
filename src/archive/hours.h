// SPDX-License-Identifier: MIT
// The hour files of a stream, oldest first, in memory: names and times, 48 bytes each. And the
// names as paths: FOLDER/YYYY/MM/DD/HHMMSS[-suffix][oOFFSET].mp4, all UTC.
//
// A file that was recorded under a wrong clock is dated anew by its name alone: what stands in it
// is OFFSET seconds earlier (its own times) than what the name says, and what memory and readers
// know.
#ifndef ARCHIVE_HOURS_H
#define ARCHIVE_HOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HOUR_SUFFIX_MAX = 999, HOUR_FREED_UNIT = 4096 };

// What names a file within its stream.
struct hour_name {
    int64_t second;   // UTC
    int64_t offset_s; // of that, by which it is later than what stands in the file
    uint16_t suffix;  // 0: none
    uint8_t disk;     // which of the archive's paths it is under
};

struct hour {
    int64_t second, offset_s; // as in hour_name
    uint16_t suffix;
    uint8_t disk;
    bool known : 1;       // start and end are exact, from its index; else bounds from the name
    bool holes : 1;       // known, and there is a hole inside, or something thinned
    bool holes_known : 1; // and all of them are in hours->hole
    bool own : 1;         // made in this life
    bool writing : 1;     // of this life, not finished: times grow
    // The newest of an earlier life, or a write to it failed: checksums are compared and what is
    // torn is cut off when its index is made.
    bool suspect : 1;
    // A write or sync of it failed in this life: what of it is in the cache may not be on the disk,
    // and no sync will tell; no index is written.
    bool failed : 1;
    bool moving : 1;          // to another name: neither removed nor opened anew
    bool damaged : 1;         // it could not be read, which was said
    uint32_t freed;           // of `bytes`, in HOUR_FREED_UNIT: given back to the disk
    int64_t start_us, end_us; // UTC, offset included; equal when nothing is in it
    uint64_t bytes;           // of the file and its index, as long as they are
};

// Bytes that the file and its index take on the disk.
static inline uint64_t hour_used(const struct hour *hour)
{
    uint64_t freed = (uint64_t)hour->freed * HOUR_FREED_UNIT;
    return hour->bytes > freed ? hour->bytes - freed : 0;
}

// Nothing was recorded inside a file, by the file's own times.
struct hour_hole {
    int64_t from_us, to_us;
};

struct hours_hole {
    struct hour_name name;
    struct hour_hole hole;
};

struct hours {
    struct hour *hour; // in order of (second, suffix, offset, disk)
    unsigned count, capacity;
    struct hours_hole *hole; // in order of name and time, of files whose holes are known
    unsigned holes, hole_capacity;
    uint64_t bytes;  // that all take on the disk
    int64_t span_us; // no file's end is further from its second than this
};

void hours_fini(struct hours *hours);
static inline struct hour_name hour_name_of(const struct hour *hour)
{
    return (struct hour_name){.second = hour->second,
                              .offset_s = hour->offset_s,
                              .suffix = hour->suffix,
                              .disk = hour->disk};
}
int hour_name_compare(struct hour_name a, struct hour_name b);
// A file of which only name and size are known. ERR_EXISTS, ERR_LIMIT.
MUST_USE int hours_add(struct hours *hours, struct hour_name name, uint64_t bytes);
void hours_remove(struct hours *hours, struct hour *hour);
// All of one path, but those being written.
void hours_remove_disk(struct hours *hours, uint8_t disk);
struct hour *hours_get(struct hours *hours, struct hour_name name); // NULL: not there
void hours_set_times(struct hours *hours, struct hour *hour, int64_t start_us, int64_t end_us);
// Back to what its name says; it is not being written any more.
void hours_forget(struct hours *hours, struct hour *hour);
void hours_set_bytes(struct hours *hours, struct hour *hour, uint64_t bytes);
// So many of its bytes were given back to the disk.
void hours_set_freed(struct hours *hours, struct hour *hour, uint64_t freed);
// The first file after `after` (NULL: from the oldest) that may have something of [from, to). NULL
// at the end. O(log count) plus the files of an hour.
struct hour *hours_next(struct hours *hours, const struct hour_name *after, int64_t from_us,
                        int64_t to_us);
// The last file that begins before utc_us; the first one that begins at it or later. NULL: none.
const struct hour *hours_before(const struct hours *hours, int64_t utc_us);
const struct hour *hours_after(const struct hours *hours, int64_t utc_us);

// Place in hour[] of the first file of that second or later.
unsigned hours_from(const struct hours *hours, int64_t second);

// ---- holes inside of files (hours_holes.c) -----------------------------------------------------
struct index;
// Of a file whose times are set. Up to HOUR_HOLES_MAX are kept, as long as the stream has fewer
// than ARCHIVE_HOLES_MAX; more: hour->holes without holes_known, and its index tells. all: hole has
// all of them, and nothing is thinned: where, only the index tells.
enum { HOUR_HOLES_MAX = 64 };
void hours_set_holes(struct hours *hours, struct hour *hour, const struct hour_hole *hole,
                     unsigned count, bool all);
void hours_note_index(struct hours *hours, struct hour *hour, const struct index *index);
// Borrowed, oldest first.
const struct hours_hole *hours_holes_of(const struct hours *hours, const struct hour *hour,
                                        unsigned *count);

// ---- names -------------------------------------------------------------------------------------
// Room for any path we make; longer folders are refused when the archive is attached.
enum { HOUR_PATH = 1024, HOUR_PATH_TAIL = 56 };
// extension: "mp4", "idx".
void hour_path(char out[HOUR_PATH], const char *folder, struct hour_name name,
               const char *extension);
// "HHMMSS[-suffix][oOFFSET].ext" in a folder of this day (seconds since 1970), of path 0;
// *extension points behind the dot. False when it is no name of ours.
bool hour_name_parse(const char *text, size_t length, int64_t day_s, struct hour_name *out,
                     const char **extension);
// Name of a folder at depth 0 (year), 1 (month), 2 (day): its number. False when it is none.
bool hour_folder_parse(const char *text, size_t length, unsigned depth, unsigned *out);
// Seconds of a day's beginning; -1 when there is no such day.
int64_t hour_day(unsigned year, unsigned month, unsigned day);

#endif
