// SPDX-License-Identifier: MIT
// A source and a receiver joined in memory, in virtual time: stream "main" of `there` is played by
// hand, stream "main" of `here` takes it over the link.
#ifndef TESTS_UNIT_PROTO_PAIR_FIXTURE_H
#define TESTS_UNIT_PROTO_PAIR_FIXTURE_H

#include "unit.h"

#include "base/clock.h"
#include "base/code.h"
#include "format/cmaf.h"
#include "hand.h"
#include "link/link.h"
#include "link_net.h"
#include "loop_fixture.h"
#include "stream/sink.h"
#include "stream/stream.h"
#include "stream/viewer.h"

struct pair {
    struct link_net net;
    struct site here, there;
    struct stream *from, *to; // "main" of there, of here
    const struct protocol *protocol;
};

static inline struct stream *pair_stream(struct site *site, const char *name, const char *url,
                                         bool is_static)
{
    struct stream_conf conf;
    struct stream *stream;
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof conf.name, "%s", name);
    conf.segment_duration_us = 2 * US_PER_S;
    conf.clients_timeout_us = 5 * US_PER_S;
    conf.is_static = is_static;
    (void)stream_conf_add_input(&conf, url);
    assert_int_equal(stream_create(site->env.streams, &conf, &stream), 0);
    stream_conf_fini(&conf);
    return stream;
}

// table: the protocols of both servers; the one under test serves there.
static inline void pair_open(struct pair *pair, const struct protocol *const *table,
                             const struct protocol *protocol, size_t piece)
{
    memset(pair, 0, sizeof *pair);
    hand_reset();
    link_net_open(&pair->net);
    pair->net.piece = piece;
    protocols_install(table);
    site_open(&pair->here, &pair->net, "here");
    site_open(&pair->there, &pair->net, "there");
    pair->protocol = protocol;
    assert_int_equal(protocol->init(&pair->there.env), 0);
    pair->from = pair_stream(&pair->there, "main", "hand://main", true);
    link_net_run(&pair->net, 0);
}

static inline void pair_close(struct pair *pair)
{
    site_close(&pair->here);
    pair->protocol->fini(&pair->there.env);
    site_close(&pair->there);
    link_net_close(&pair->net);
}

static inline struct hand *pair_hand(void)
{
    struct hand *hand = hand_find("main");
    assert_non_null(hand);
    return hand;
}

static inline void pair_play(struct pair *pair, int64_t duration_ms)
{
    hand_play(pair->net.loop, pair_hand(), duration_ms);
}

static inline uint32_t segment_sum(struct segment *segment)
{
    struct buf *bytes = chain_join(cmaf_segment(segment));
    uint32_t sum = crc32c(0, bytes->data, bytes->length);
    buf_unref(&bytes);
    return sum;
}

// The entry of this number in the window; NULL when it is not there.
static inline const struct window_entry *entry_of(struct stream *stream, uint64_t number)
{
    size_t count;
    const struct window_entry *window = stream_window(stream, &count);
    for (size_t i = 0; i < count; i++)
        if (window[i].info.number == number)
            return &window[i];
    return NULL;
}

// Compares what both windows have of each number. Returns how many segments were there, with bytes,
// on both sides and the same.
static inline unsigned assert_same_segments(struct stream *a, struct stream *b)
{
    size_t count;
    unsigned same = 0;
    const struct window_entry *window = stream_window(a, &count);
    for (size_t i = 0; i < count; i++) {
        const struct window_entry *other = entry_of(b, window[i].info.number);
        if (!other)
            continue;
        assert_int_equal(other->info.utc_start_us, window[i].info.utc_start_us);
        assert_int_equal(other->info.duration_us, window[i].info.duration_us);
        assert_int_equal(other->info.flags, window[i].info.flags);
        assert_int_equal(other->info.generation, window[i].info.generation);
        if (!window[i].segment || !other->segment)
            continue;
        assert_int_equal(segment_sum(other->segment), segment_sum(window[i].segment));
        same++;
    }
    return same;
}

// How many segments the playlist of the far server lists, from the next segment on.
static inline void pair_list(struct pair *pair, unsigned segment_count)
{
    struct stream_conf conf;
    stream_conf_copy(&conf, stream_conf(pair->from));
    conf.segment_count = segment_count;
    stream_configure(pair->from, &conf);
    stream_conf_fini(&conf);
}

// The numbers of the first and of the last segment that the playlist lists, 0 when it is empty.
static inline void listed(struct stream *stream, uint64_t *first, uint64_t *last)
{
    size_t count;
    const struct window_entry *window = stream_window(stream, &count);
    *first = *last = 0;
    for (size_t i = 0; i < count; i++)
        if (window[i].listed) {
            *first = *first ? *first : window[i].info.number;
            *last = window[i].info.number;
        }
}

// Plays for so long; the playlists of both list the same segments all the while. Returns how many
// in the end.
static inline unsigned pair_play_same_list(struct pair *pair, int64_t duration_ms)
{
    uint64_t first[2], last[2];
    for (int64_t at = 0; at <= duration_ms; at += 200) {
        listed(pair->from, &first[0], &last[0]);
        listed(pair->to, &first[1], &last[1]);
        assert_int_equal(first[1], first[0]);
        assert_int_equal(last[1], last[0]);
        if (at < duration_ms)
            hand_play(pair->net.loop, pair_hand(), 200);
    }
    return (unsigned)(last[0] - first[0] + 1);
}

static inline void assert_numbers_consecutive(struct stream *stream)
{
    size_t count;
    const struct window_entry *window = stream_window(stream, &count);
    for (size_t i = 1; i < count; i++)
        assert_int_equal(window[i].info.number, window[i - 1].info.number + 1);
}

// Every frame that a sink of the stream is given.
struct watcher {
    struct sink sink;
    unsigned frames, pictures, keys, jumps, ends, losts;
    int64_t last_dts[2];
    unsigned backwards;   // frames whose decode time did not grow in their track
    int64_t largest_step; // of pictures, ticks
    int32_t cts_sum;
    uint32_t sum; // of decode times and payloads
};

static inline void watcher_on_news(void *arg)
{
    struct watcher *watcher = arg;
    struct frame *frame;
    while (sink_next(&watcher->sink, &frame) == 0) {
        watcher->frames++;
        watcher->jumps += watcher->sink.jumped;
        watcher->sink.jumped = false;
        int64_t last = watcher->last_dts[frame->track];
        if (last && frame->dts <= last)
            watcher->backwards++;
        if (frame->track == 0) {
            watcher->pictures++;
            watcher->keys += frame_is_key(frame);
            watcher->cts_sum += frame->cts;
            if (last && frame->dts - last > watcher->largest_step)
                watcher->largest_step = frame->dts - last;
        }
        watcher->last_dts[frame->track] = frame->dts;
        watcher->sum = crc32c(watcher->sum, &frame->dts, sizeof frame->dts);
        watcher->sum = crc32c(watcher->sum, &frame->cts, sizeof frame->cts);
        watcher->sum = crc32c(watcher->sum, frame_data(frame), frame->length);
    }
}

static inline void watcher_on_end(void *arg, enum reason reason)
{
    (void)reason;
    ((struct watcher *)arg)->ends++;
}

static inline void watcher_on_lost(void *arg)
{
    ((struct watcher *)arg)->losts++;
}

static inline void watcher_open(struct watcher *watcher, struct stream *stream)
{
    static const struct sink_events events = {
        .on_news = watcher_on_news, .on_end = watcher_on_end, .on_lost = watcher_on_lost};
    *watcher = (struct watcher){.frames = 0};
    sink_open(&watcher->sink, stream, &events, watcher);
}

// What stream_fetch_segment brought.
struct fetched {
    int err;
    unsigned count;
    struct segment *segment; // fetched_fini drops it
};

static inline void on_fetched(void *arg, int err, struct segment **segment)
{
    struct fetched *fetched = arg;
    fetched->err = err;
    fetched->count++;
    segment_unref(&fetched->segment);
    fetched->segment = *segment;
    *segment = NULL;
}

#endif
