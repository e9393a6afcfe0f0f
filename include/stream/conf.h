// SPDX-License-Identifier: MIT
// Plain configuration values of a stream: what the file says, apart from live objects. Copied into
// the stream; a reload compares two of them.
#ifndef STREAM_CONF_H
#define STREAM_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

enum { STREAM_INPUTS_MAX = 8, INPUT_OPTIONS_MAX = 16 };

struct input_option {
    char *key, *value; // owned; a flag word has value "true"
};

struct input_conf {
    char *url; // owned; as written, with secrets
    unsigned option_count;
    struct input_option option[INPUT_OPTIONS_MAX];
};

struct dvr_conf {
    char *path;          // owned; NULL: no archive
    int64_t depth_s;     // 0: no limit by age
    unsigned percent;    // fill of the disk, 97 unless said
    uint64_t size_bytes; // 0: no limit by size
};

struct stream_conf {
    char name[STREAM_NAME_MAX];
    char *title; // owned, NULL when absent
    unsigned input_count;
    struct input_conf input[STREAM_INPUTS_MAX]; // in failover order
    struct dvr_conf dvr;
    int64_t segment_duration_us; // 1..15 s; STREAM_SEGMENT_DURATION_US
    unsigned segment_count;      // segments in the live playlist; STREAM_SEGMENT_COUNT
    int64_t clients_timeout_us;  // on demand: life after the last viewer
    int64_t source_timeout_us;   // no frames for so long: the input is lost; 0: never
    bool is_static;              // kept running; false: on demand
    bool disabled;
    bool remote; // made by a `source`, not by a line of its own
};

#define STREAM_SEGMENT_DURATION_US 4000000LL
#define STREAM_SEGMENT_COUNT 4
#define STREAM_CLIENTS_TIMEOUT_US 60000000LL
#define STREAM_SOURCE_TIMEOUT_US 60000000LL

void stream_conf_init(struct stream_conf *conf); // defaults
void stream_conf_fini(struct stream_conf *conf);
void stream_conf_copy(struct stream_conf *to,
                      const struct stream_conf *from); // `to` is overwritten
bool stream_conf_equal(const struct stream_conf *a, const struct stream_conf *b);
bool input_conf_equal(const struct input_conf *a, const struct input_conf *b);
// Value of an option on the input's line, or NULL.
const char *input_conf_get(const struct input_conf *input, const char *key);
// Letters, digits, . - _ and single '/' between parts, at most STREAM_NAME_MAX - 1.
bool stream_name_valid(const char *name);

#endif
