// SPDX-License-Identifier: MIT
#include "hls_session.h"

static int64_t walk(const struct hls_session *session, const struct history_range *ranges,
                    size_t count)
{
    int64_t left_us = session->elapsed_us, at_us = session->origin_us;
    for (size_t i = 0; i < count; i++) {
        if (!history_has_media(&ranges[i]) || ranges[i].to_us <= at_us)
            continue;
        if (ranges[i].from_us > at_us)
            at_us = ranges[i].from_us;
        if (left_us < ranges[i].to_us - at_us)
            return at_us + left_us;
        left_us -= ranges[i].to_us - at_us;
        at_us = ranges[i].to_us;
    }
    return at_us;
}

int64_t hls_session_place(const struct hls_session *session, const struct history_range *ranges,
                          size_t count, bool *waits)
{
    int64_t end_us = 0, place_us = session->ignore_gaps ? walk(session, ranges, count)
                                                        : session->origin_us + session->elapsed_us;
    *waits = false;
    for (size_t i = 0; i < count; i++) {
        if (!history_has_media(&ranges[i]))
            continue;
        if (ranges[i].to_us > place_us && ranges[i].from_us < place_us + session->span_us)
            return place_us;
        if (ranges[i].to_us <= place_us)
            end_us = ranges[i].to_us;
    }
    *waits = end_us > 0;
    return end_us > 0 ? end_us : place_us;
}

uint64_t hls_session_breaks(const struct hls_session *session, const struct history_range *ranges,
                            size_t count, const struct segment_info *first)
{
    uint64_t breaks = 0;
    int64_t end_us = 0;
    // Its own mark is still in the list.
    int64_t before_us = first->utc_start_us + 1;
    if (first->flags & SEGMENT_DISCONTINUITY)
        before_us -= HLS_HOLE_US;
    for (size_t i = 0; i < count && ranges[i].from_us < before_us; i++) {
        if (!history_has_media(&ranges[i]))
            continue;
        if (end_us > session->origin_us && ranges[i].from_us - end_us >= HLS_HOLE_US)
            breaks++;
        end_us = ranges[i].to_us;
    }
    return breaks;
}
