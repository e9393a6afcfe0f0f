// SPDX-License-Identifier: MIT
// What the parts of the simulation share.
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "archive/archive.h"
#include "base/chain.h"
#include "base/clock.h"
#include "memory_disk.h"
#include "stream/protocol.h"
#include "stream/stream.h"

enum {
    CAMERAS = 3,
    DAY_S = 86400,
    GIVEN_MAX = 40000, // segments of a camera in a day
    SLOT_BITS = 17,
    SLOTS = 1 << SLOT_BITS,
    READERS = 4,
};
#define DEPTH_US (6 * 3600 * US_PER_S)

enum disk_state {
    DISK_WELL,
    DISK_HUNG,
    DISK_DEAD,
    DISK_FLAKY,
    DISK_READ_ONLY,
    DISK_FULL,
    DISK_STATES
};

// A segment that the segmenter gave out, or began.
struct given {
    int64_t start_us, end_us; // as given out
    int64_t date_us;          // its start by what its file is called now
    uint64_t number;
    uint32_t bytes, sum;
    unsigned seen; // the check that saw it last
    bool whole, promised;
    bool doubtful; // a sync that was to cover it failed: the index of it may be wrong one day
    char file[64]; // /2026/01/01/HHMMSS.mp4, when promised
};

struct camera {
    struct stream *stream;
    struct source *source;
    struct segment_listener listener;
    int64_t picture;
    unsigned tracks, stalled, steady;
    bool fresh;
    unsigned count;
    struct given given[GIVEN_MAX];
    struct given *slot[SLOTS]; // by start
};

struct sim {
    uint64_t seed, random;
    unsigned second, lives, checks, moved;
    uint64_t segments_read;
    bool stepped; // the clock did
    bool dates;   // footage of a wrong clock is dated anew
    char renamed[256];
    struct loop *loop;
    struct protocol_env env;
    struct archives *archives;
    struct memory_disk *disk;
    enum disk_state disk_state;
    unsigned disk_until, well_since, full_until;
    struct camera camera[CAMERAS];
    char log[1 << 16];
    size_t log_length;
};

extern struct sim sim;

_Noreturn void sim_fail(const char *what, int line);
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_fail(#condition, __LINE__);                                                        \
    } while (0)

// By what the archive tells of it, which may be dated anew. NULL: never given out.
struct given *sim_given(struct camera *camera, int64_t start_us, uint64_t number);
uint32_t sim_sum(const struct chain *chain);

// sim_readers.c
void sim_readers_turn(unsigned what, unsigned ago_s); // lets some begin, go on, or let go
void sim_readers_end(void);
void sim_check_all(void); // of an idle disk that is well: all that is promised

#endif
