// SPDX-License-Identifier: MIT
// What the addresses of HLS say: which segment, which stretch of the past. Text from strangers.
#ifndef PROTO_HLS_ADDRESS_PARSE_H
#define PROTO_HLS_ADDRESS_PARSE_H

#include <stdint.h>

#include "base/err.h"

enum hls_format { HLS_AUTO, HLS_TS, HLS_FMP4 };

// "YYYY/MM/DD/HH/MM/SS.mmm-..." to the UTC millisecond. ERR_INVALID.
MUST_USE int hls_address_parse(const char *tail, int64_t *utc_ms);

// The name of a playlist of the past:
//   [archive|index|video|video1|mono]-FROM-DURATION.m3u8 or -FROM-now.m3u8,
//   [video-|video1-|mono-]rewind-N.m3u8, and so timeshift_abs-FROM and timeshift_rel-N,
// each also .ts.m3u8 and .fmp4.m3u8. Numbers are seconds, at most HLS_SECONDS_MAX; none but FROM of
// a window may be 0.
#define HLS_SECONDS_MAX 1000000000000LL

enum hls_past { HLS_WINDOW, HLS_REWIND, HLS_SHIFT_ABS, HLS_SHIFT_REL };

struct hls_past_name {
    enum hls_past kind;
    enum hls_format format; // video-, video1- and mono- are TS
    int64_t from_s;         // HLS_WINDOW, HLS_SHIFT_ABS: UTC
    int64_t length_s;       // HLS_WINDOW: 0 means "until now"; HLS_REWIND, HLS_SHIFT_REL: N
};
MUST_USE int hls_past_parse(const char *tail, struct hls_past_name *out); // ERR_INVALID

#endif
