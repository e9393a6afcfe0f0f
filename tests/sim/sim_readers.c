// SPDX-License-Identifier: MIT
// Those who read: some at random, at their own pace; and one that reads all and checks.
#include <string.h>

#include "base/code.h"
#include "base/log.h"
#include "file_hand.h"
#include "format/cmaf.h"
#include "loop_fixture.h"
#include "sim_world.h"
#include "stream/history.h"

struct reader {
    struct history_request *request;
    struct camera *camera;
    unsigned count;
    unsigned at, listed; // of the list
    int64_t last_us;
    bool checks, ended, due;
    int err;
};

static struct reader readers[READERS];
static struct reader checker;
static struct segment_info listed[GIVEN_MAX];

uint32_t sim_sum(const struct chain *chain)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < chain->count; i++) {
        const struct chain_slice *slice = &chain->slices[chain->first + i];
        sum = crc32c(sum, slice->buf->data + slice->offset, slice->length);
    }
    return sum;
}

// As it was given out, whatever its file is called now.
static uint32_t sum_as_given(struct segment *segment, const struct given *given)
{
    struct buf *bytes = chain_join(cmaf_segment(segment));
    int64_t by_us = given->start_us - segment->info.utc_start_us;
    CHECK(by_us == 0 ||
          cmaf_shift(bytes->data, bytes->length, segment->tracks, by_us / US_PER_S) == 0);
    uint32_t sum = crc32c(0, bytes->data, bytes->length);
    buf_unref(&bytes);
    return sum;
}

// It is what was given out, or the beginning of it.
static void check_segment(struct reader *reader, struct segment *segment)
{
    const struct chain *bytes = cmaf_segment(segment);
    struct given *given =
        sim_given(reader->camera, segment->info.utc_start_us, segment->info.number);
    // A reader goes on with the dates of the file that it has opened.
    if (!given && sim.dates && !reader->checks)
        return;
    if (!given)
        log_error(stream_log_name(reader->camera->stream), "not given out: start=%lld number=%llu",
                  (long long)segment->info.utc_start_us, (unsigned long long)segment->info.number);
    CHECK(given != NULL);
    CHECK(!given->whole || bytes->bytes <= given->bytes);
    CHECK(!given->whole || bytes->bytes < given->bytes ||
          sum_as_given(segment, given) == given->sum);
    if (segment->info.utc_start_us <= reader->last_us)
        log_error(stream_log_name(reader->camera->stream),
                  "again: start=%lld last=%lld bytes=%zu given=%u checks=%d at=%u",
                  (long long)segment->info.utc_start_us, (long long)reader->last_us, bytes->bytes,
                  given->bytes, reader->checks, reader->at);
    CHECK(sim.stepped || segment->info.utc_start_us > reader->last_us);
    reader->last_us = segment->info.utc_start_us;
    sim.segments_read++;
    if (!reader->checks)
        return;
    // Left out: its checksum is wrong, after a sync that failed and a power cut.
    while (reader->at < reader->listed &&
           listed[reader->at].utc_start_us != segment->info.utc_start_us) {
        const struct segment_info *info = &listed[reader->at++];
        const struct given *missing = sim_given(reader->camera, info->utc_start_us, info->number);
        CHECK(missing && missing->doubtful && !missing->promised);
    }
    CHECK(reader->at++ < reader->listed);
    if (given->seen == sim.checks || (given->promised && bytes->bytes != given->bytes))
        log_error(stream_log_name(reader->camera->stream),
                  "start=%lld bytes=%zu given=%u file=%s seen=%d at=%u",
                  (long long)segment->info.utc_start_us, bytes->bytes, given->bytes, given->file,
                  given->seen == sim.checks, reader->at);
    CHECK(given->seen != sim.checks);
    CHECK(!given->promised || bytes->bytes == given->bytes);
    given->seen = sim.checks;
}

static void on_segment(void *arg, struct segment **segment)
{
    struct reader *reader = arg;
    check_segment(reader, *segment);
    segment_unref(segment);
    reader->count++;
    if (reader->checks)
        history_next(reader->request);
    else
        reader->due = true;
}

static void on_end(void *arg, int err)
{
    struct reader *reader = arg;
    reader->request = NULL;
    reader->ended = true;
    reader->err = err;
}

static void on_list(void *arg, int err, const struct segment_info *infos, size_t count, bool cut)
{
    struct reader *reader = arg;
    CHECK(!cut && count < GIVEN_MAX);
    for (size_t i = 0; i < count; i++)
        listed[i] = infos[i];
    reader->count = (unsigned)count;
    on_end(arg, err);
}

static const struct history_events events = {.on_segment = on_segment, .on_end = on_end};

static void begin(struct reader *reader, unsigned ago_s)
{
    memset(reader, 0, sizeof *reader);
    reader->camera = &sim.camera[ago_s % CAMERAS];
    struct history *history = stream_history(reader->camera->stream);
    int64_t from_us = utc_us() - ago_s * US_PER_S;
    if (history)
        reader->request = history_read(history, from_us, from_us + 600 * US_PER_S, HISTORY_WHOLE,
                                       &events, reader);
}

void sim_readers_turn(unsigned what, unsigned ago_s)
{
    for (unsigned i = 0; i < READERS; i++) {
        struct reader *reader = &readers[i];
        if (!reader->request && what == i)
            begin(reader, ago_s);
        else if (reader->request && what == READERS + i)
            history_cancel(&reader->request);
        else if (reader->request && reader->due && (what + i) % 3) {
            reader->due = false;
            history_next(reader->request);
        }
    }
}

void sim_readers_end(void)
{
    for (unsigned i = 0; i < READERS; i++)
        history_cancel(&readers[i].request);
}

static void finish(struct reader *reader)
{
    for (unsigned i = 0; !reader->ended; i++) {
        CHECK(i < 1000000);
        loop_fixture_settle(sim.loop);
        (void)file_hand_step();
    }
    CHECK(reader->err == 0);
}

static void check_camera(struct camera *camera)
{
    struct history *history = stream_history(camera->stream);
    checker = (struct reader){.camera = camera, .checks = true};
    checker.request = history_list(history, 0, INT64_MAX / 2, on_list, &checker);
    finish(&checker);
    unsigned count = checker.count;
    checker = (struct reader){.camera = camera, .checks = true, .listed = count};
    checker.request = history_read(history, 0, INT64_MAX / 2, HISTORY_WHOLE, &events, &checker);
    finish(&checker);
    while (checker.at < count) {
        const struct segment_info *info = &listed[checker.at++];
        const struct given *missing = sim_given(camera, info->utc_start_us, info->number);
        CHECK(missing && missing->doubtful && !missing->promised);
    }
    for (unsigned i = 0; i < camera->count; i++)
        CHECK(!camera->given[i].promised || camera->given[i].seen == sim.checks ||
              camera->given[i].date_us + (camera->given[i].end_us - camera->given[i].start_us) +
                      DEPTH_US <=
                  utc_us());
}

void sim_check_all(void)
{
    sim.checks++;
    for (unsigned i = 0; i < CAMERAS; i++)
        check_camera(&sim.camera[i]);
}
