// SPDX-License-Identifier: MIT
// Plain configuration values of a stream: what the file says, apart from live objects. Copied into
// the stream; a reload compares two of them.
#ifndef STREAM_CONF_H
#define STREAM_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

enum { STREAM_INPUTS_MAX = 8, INPUT_OPTIONS_MAX = 16 };
// Disks that take over from one another; spans of a day in which is recorded.
enum { DVR_PATHS_MAX = 4, DVR_SPANS_MAX = 16 };

struct input_option {
    char *key, *value; // owned; a flag word has value "true"
};

struct input_conf {
    char *url; // owned; as written, with secrets
    unsigned option_count;
    struct input_option *option; // owned; at most INPUT_OPTIONS_MAX
};

// Minutes of the UTC day, [from, to); to is 1440 at most. Below `from` it wraps midnight.
struct dvr_span {
    uint16_t from_m, to_m;
};

struct dvr_conf {
    char *path[DVR_PATHS_MAX]; // owned; recorded to the first that works, read from all
    unsigned path_count;       // 0: no archive
    int64_t depth_s;           // 0: no limit by age
    unsigned percent;          // fill of the disk; 0: DVR_PERCENT
    uint64_t size_bytes;       // 0: no limit by size
    uint64_t free_bytes;       // to be kept free on the disk
    int64_t sync_us;           // what a power cut can take; 0: DVR_SYNC_US
    struct dvr_span span[DVR_SPANS_MAX];
    unsigned span_count; // 0: recorded at all times
    bool mounted;        // each path must lie on a file system that is mounted for it
    bool offline;        // nothing is recorded until it is switched on
};

#define DVR_PERCENT 97
#define DVR_SYNC_US 10000000LL

// Where segments of other servers are kept.
struct cache_conf {
    char *path;          // owned; NULL: no cache
    int64_t depth_s;     // 0: no limit by age
    uint64_t size_bytes; // 0: no limit by size
};

struct stream_conf {
    char name[STREAM_NAME_MAX];
    char *title; // owned, NULL when absent
    unsigned input_count;
    struct input_conf *input; // owned; in failover order, at most STREAM_INPUTS_MAX
    struct dvr_conf dvr;
    struct cache_conf cache;
    int64_t segment_duration_us; // 1..15 s; STREAM_SEGMENT_DURATION_US
    unsigned segment_count;      // segments in the live playlist; STREAM_SEGMENT_COUNT
    int64_t clients_timeout_us;  // on demand: life after the last viewer
    int64_t source_timeout_us;   // no frames for so long: the input is lost; 0: never
    bool is_static;              // kept running; false: on demand
    bool disabled;
    bool remote; // made by a `source`, not by a line of its own
    bool kept;   // only its archive is left: no line speaks of it any more
};

#define STREAM_SEGMENT_DURATION_US 4000000LL
#define STREAM_SEGMENT_COUNT 4
#define STREAM_CLIENTS_TIMEOUT_US 60000000LL
#define STREAM_SOURCE_TIMEOUT_US 60000000LL

void dvr_conf_init(struct dvr_conf *dvr); // defaults, no archive
void dvr_conf_fini(struct dvr_conf *dvr);
void dvr_conf_copy(struct dvr_conf *to, const struct dvr_conf *from); // `to` is overwritten
bool dvr_conf_equal(const struct dvr_conf *a, const struct dvr_conf *b);

void stream_conf_init(struct stream_conf *conf); // defaults
void stream_conf_fini(struct stream_conf *conf);
void stream_conf_copy(struct stream_conf *to,
                      const struct stream_conf *from); // `to` is overwritten
bool stream_conf_equal(const struct stream_conf *a, const struct stream_conf *b);
// One more at the end; not more than there may be. Borrowed until the next one.
struct input_conf *stream_conf_add_input(struct stream_conf *conf, const char *url);
void input_conf_add_option(struct input_conf *input, const char *key, const char *value);
void input_conf_fini(struct input_conf *input);
void input_conf_copy(struct input_conf *to, const struct input_conf *from); // `to` is overwritten
bool input_conf_equal(const struct input_conf *a, const struct input_conf *b);
// Value of an option on the input's line, or NULL.
const char *input_conf_get(const struct input_conf *input, const char *key);
// Letters, digits, . - _ and single '/' between parts, at most STREAM_NAME_MAX - 1.
bool stream_name_valid(const char *name);

#endif
