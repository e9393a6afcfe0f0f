// SPDX-License-Identifier: MIT
// Our own client against our own server: frames over the link, the same segments at both ends.
#include "pair_fixture.h"

#include "m4s_priv.h"
#include "m4s_wire.h"
#include "memory_history.h"

extern const struct protocol proto_m4s;

// The past of the far stream, as M4F would bring it.
static struct memory_history past;
static bool past_used;

static struct history *past_open(const struct protocol_env *env, const struct input_conf *input,
                                 const char *stream_name)
{
    (void)env, (void)input, (void)stream_name;
    past_used = true;
    return &past.history;
}

static const struct protocol past_protocol = {
    .name = "m4f", .schemes = {"m4f"}, .history = past_open};
static const struct protocol *const table[] = {&hand_protocol, &past_protocol, &proto_m4s, NULL};

static void m4s_open(struct pair *pair, size_t piece)
{
    pair_open(pair, table, &proto_m4s, piece);
    memory_history_init(&past, pair->net.loop);
    past_used = false;
}

static void m4s_close(struct pair *pair)
{
    pair_close(pair);
    memory_history_fini(&past);
}

static void m4s_receive(struct pair *pair)
{
    pair->to = pair_stream(&pair->here, "main", "m4s://there:8888/main", true);
    link_net_run(&pair->net, 0);
}

static void m4s_join_in_mid_segment_begins_with_the_window_and_goes_on_equal(void **state)
{
    (void)state;
    struct pair pair;
    size_t count, there;
    m4s_open(&pair, 0);
    pair_play(&pair, 9400); // four closed segments, the fifth is open since 1.4 s
    m4s_receive(&pair);
    (void)stream_window(pair.from, &there);
    const struct window_entry *window = stream_window(pair.to, &count);
    assert_int_equal(there, 4);
    assert_int_equal(count, 4);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    for (size_t i = 0; i < count; i++) {
        assert_null(window[i].segment); // fetched when somebody asks
        assert_int_equal(window[i].info.generation, stream_tracks(pair.from)->generation);
        assert_true(tracks_equal(window[i].tracks, stream_tracks(pair.from)));
    }
    assert_int_equal(assert_same_segments(pair.from, pair.to), 0);
    pair_play(&pair, 1000);
    window = stream_window(pair.to, &count);
    assert_int_equal(count, 5);
    assert_null(window[4].segment); // not all of its frames came
    pair_play(&pair, 4000);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 2);
    assert_numbers_consecutive(pair.to);
    m4s_close(&pair);
}

static void m4s_playlist_lists_what_it_lists_there(void **state)
{
    (void)state;
    struct pair pair;
    m4s_open(&pair, 0);
    pair_list(&pair, 7); // here it would be 4
    pair_play(&pair, 25400);
    m4s_receive(&pair);
    assert_int_equal(pair_play_same_list(&pair, 5000), 7);
    pair_list(&pair, 2);
    assert_int_equal(pair_play_same_list(&pair, 5000), 2);
    pair_list(&pair, 9);
    assert_int_equal(pair_play_same_list(&pair, 20000), 9);
    // What the window keeps for late clients is bounded by that number, too.
    size_t count;
    (void)stream_window(pair.to, &count);
    assert_in_range(count, 9, 12);
    m4s_close(&pair);
}

static void m4s_join_at_the_beginning_of_a_segment_makes_it_whole(void **state)
{
    (void)state;
    struct pair pair;
    size_t count;
    m4s_open(&pair, 0);
    pair_play(&pair, 8400); // the fourth closed at 8 s, the open one has had one key frame
    m4s_receive(&pair);
    pair_play(&pair, 2000);
    const struct window_entry *window = stream_window(pair.to, &count);
    assert_int_equal(count, 5);
    assert_non_null(window[4].segment);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 1);
    m4s_close(&pair);
}

static void m4s_from_the_beginning_every_frame_and_segment_is_the_same(void **state)
{
    (void)state;
    struct pair pair;
    struct watcher sent, got;
    m4s_open(&pair, 0);
    pair_hand()->b_frames = true;
    m4s_receive(&pair);
    watcher_open(&sent, pair.from);
    watcher_open(&got, pair.to);
    pair_play(&pair, 9000);
    assert_int_equal(sent.pictures, 225);
    assert_int_equal(got.pictures, sent.pictures);
    assert_int_equal(got.sum, sent.sum);
    assert_true(got.cts_sum > 0);
    assert_int_equal(got.backwards, 0);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 4);
    sink_close(&sent.sink);
    sink_close(&got.sink);
    m4s_close(&pair);
}

static void m4s_one_byte_at_a_time_gives_the_same(void **state)
{
    (void)state;
    struct pair pair;
    m4s_open(&pair, 1);
    pair_hand()->b_frames = true;
    m4s_receive(&pair);
    pair_play(&pair, 5000);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 2);
    m4s_close(&pair);
}

static void m4s_frame_arrives_in_the_turn_of_its_news(void **state)
{
    (void)state;
    struct pair pair;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    pair_play(&pair, 1000);
    struct stream_stats before, after;
    stream_get_stats(pair.to, &before);
    hand_picture(pair_hand());
    loop_fixture_settle(pair.net.loop); // no time passes
    stream_get_stats(pair.to, &after);
    assert_int_equal(after.frames_in, before.frames_in + 1);
    m4s_close(&pair);
}

static void m4s_tracks_change_midway_cuts_both_ends_alike(void **state)
{
    (void)state;
    struct pair pair;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    pair_play(&pair, 3000);
    uint32_t before = stream_tracks(pair.to)->generation;
    struct hand *hand = pair_hand();
    hand->variant = 1;
    hand_tracks(hand);
    pair_play(&pair, 5000);
    assert_int_equal(stream_tracks(pair.to)->generation, stream_tracks(pair.from)->generation);
    assert_int_not_equal(stream_tracks(pair.to)->generation, before);
    assert_int_equal(stream_tracks(pair.to)->track[0].width, 1280);
    // 2 s, 1 s cut short by the change, 2 s, 2 s
    assert_int_equal(assert_same_segments(pair.from, pair.to), 4);
    assert_numbers_consecutive(pair.to);
    size_t count;
    const struct window_entry *window = stream_window(pair.to, &count);
    assert_int_equal(window[1].info.duration_us, 1000000);
    assert_true(window[2].info.flags & SEGMENT_DISCONTINUITY);
    m4s_close(&pair);
}

static void m4s_receiver_too_slow_jumps_and_fetches_what_it_missed(void **state)
{
    (void)state;
    struct pair pair;
    struct watcher watcher;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    struct hand *hand = pair_hand();
    hand->key_bytes = 60000;
    hand->picture_bytes = 20000; // 4 Mbit/s
    pair_play(&pair, 4400);
    watcher_open(&watcher, pair.to);
    loop_fixture_settle(pair.net.loop);
    site_stall(&pair.there, true);
    pair_play(&pair, 4000); // the queue is full after half a second, then the ring passes the sink
    site_stall(&pair.there, false);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    pair_play(&pair, 4000);
    struct stream_stats stats;
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    assert_int_equal(watcher.backwards, 0);
    assert_true(watcher.largest_step >= 2 * 90000);
    assert_numbers_consecutive(pair.to);
    unsigned same = assert_same_segments(pair.from, pair.to), missing = 0;
    assert_true(same >= 2);
    size_t count, there;
    const struct window_entry *window = stream_window(pair.to, &count);
    const struct window_entry *window_there = stream_window(pair.from, &there);
    assert_int_equal(count, there);
    assert_int_equal(window[count - 1].info.number, window_there[there - 1].info.number);
    for (size_t i = 0; i < count; i++)
        missing += window[i].segment == NULL;
    assert_true(missing >= 2);
    // What was skipped is fetched from the far past, and is what the source has.
    for (size_t i = 0; i < there; i++) {
        struct segment *segment = segment_ref(window_there[i].segment);
        memory_history_add(&past, &segment);
    }
    for (size_t i = 0; i < count; i++) {
        struct fetched fetched = {0};
        int64_t ms = window[i].info.utc_start_us / 1000;
        bool had = window[i].segment != NULL;
        struct segment_fetch *fetch = stream_fetch_segment(pair.to, ms, on_fetched, &fetched);
        assert_non_null(fetch);
        loop_fixture_settle(pair.net.loop);
        assert_int_equal(fetched.err, 0);
        assert_int_equal(segment_sum(fetched.segment), segment_sum(window_there[i].segment));
        segment_unref(&fetched.segment);
        assert_true(had || past_used);
        window = stream_window(pair.to, &count);
        assert_non_null(window[i].segment); // and is kept
    }
    sink_close(&watcher.sink);
    m4s_close(&pair);
}

static void m4s_jump_within_one_segment_leaves_it_partial_with_its_true_length(void **state)
{
    (void)state;
    struct pair pair;
    struct stream_conf conf;
    m4s_open(&pair, 0);
    stream_conf_copy(&conf, stream_conf(pair.from));
    conf.segment_duration_us = 8 * US_PER_S; // several GOPs in one
    stream_configure(pair.from, &conf);
    stream_conf_fini(&conf);
    m4s_receive(&pair);
    struct hand *hand = pair_hand();
    hand->key_bytes = 60000;
    hand->picture_bytes = 20000;
    pair_play(&pair, 1400);
    site_stall(&pair.there, true);
    pair_play(&pair, 4000);
    site_stall(&pair.there, false);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    pair_play(&pair, 12000);
    size_t count;
    const struct window_entry *window = stream_window(pair.to, &count);
    assert_int_equal(count, 2);
    assert_null(window[0].segment);
    assert_int_equal(window[0].info.duration_us, 8000000);
    assert_non_null(window[1].segment);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 1);
    m4s_close(&pair);
}

static void m4s_far_input_lost_is_told_and_old_frames_are_not_played_again(void **state)
{
    (void)state;
    struct pair pair;
    struct watcher watcher;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    watcher_open(&watcher, pair.to);
    pair_play(&pair, 4400);
    hand_lost(pair_hand());
    loop_fixture_settle(pair.net.loop);
    assert_int_equal(stream_state(pair.from), STREAM_LOST);
    assert_int_equal(stream_state(pair.to), STREAM_LOST);
    assert_int_equal(watcher.losts, 1);
    unsigned pictures = watcher.pictures;
    struct stream_stats stats;
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stats.last_reason, REASON_SOURCE_TIMEOUT);
    link_net_run(&pair.net, 5 * US_PER_S); // it has subscribed again, and waits
    assert_int_equal(stream_state(pair.to), STREAM_LOST);
    assert_int_equal(watcher.pictures, pictures);
    pair_play(&pair, 8000);
    assert_int_equal(stream_state(pair.from), STREAM_LIVE);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    assert_int_equal(watcher.backwards, 0);
    assert_int_equal(watcher.pictures, pictures + 200);
    assert_numbers_consecutive(pair.to);
    // Those of the second run; the last one of the first run was open here when it ended there.
    assert_true(assert_same_segments(pair.from, pair.to) >= 3);
    sink_close(&watcher.sink);
    m4s_close(&pair);
}

static void m4s_link_cut_within_a_segment_goes_on_without_repeats(void **state)
{
    (void)state;
    struct pair pair;
    struct watcher watcher;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    watcher_open(&watcher, pair.to);
    pair_play(&pair, 4320); // the third segment is open, and in its first GOP
    site_cut(&pair.there, REASON_REFUSED);
    loop_fixture_settle(pair.net.loop);
    assert_int_equal(stream_state(pair.to), STREAM_LOST);
    site_cut(&pair.there, REASON_NONE);
    pair_play(&pair, 6000); // back after less than a second, from the key frame it has had
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    assert_int_equal(watcher.backwards, 0);
    assert_int_equal(watcher.largest_step, 3600);
    assert_int_equal(watcher.pictures, 258);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 5);
    assert_numbers_consecutive(pair.to);
    sink_close(&watcher.sink);
    m4s_close(&pair);
}

static void m4s_link_away_for_long_leaves_a_hole_and_lists_what_can_be_fetched(void **state)
{
    (void)state;
    struct pair pair;
    struct watcher watcher;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    watcher_open(&watcher, pair.to);
    pair_play(&pair, 4400);
    site_cut(&pair.there, REASON_REFUSED);
    pair_play(&pair, 5000);
    site_cut(&pair.there, REASON_NONE);
    pair_play(&pair, 9000);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    assert_int_equal(watcher.backwards, 0);
    assert_numbers_consecutive(pair.to);
    size_t count, there;
    const struct window_entry *window = stream_window(pair.to, &count);
    (void)stream_window(pair.from, &there);
    assert_int_equal(count, there);
    assert_non_null(window[count - 1].segment);
    assert_true(assert_same_segments(pair.from, pair.to) >= 2);
    sink_close(&watcher.sink);
    m4s_close(&pair);
}

static void m4s_far_process_restarted_is_another_run(void **state)
{
    (void)state;
    struct pair pair;
    struct watcher watcher;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    watcher_open(&watcher, pair.to);
    pair_play(&pair, 4400);
    struct stream *gone = pair.from;
    stream_close(&gone, REASON_SHUTDOWN);
    link_net_run(&pair.net, 3 * US_PER_S);
    assert_int_equal(stream_state(pair.to), STREAM_LOST);
    pair.from = pair_stream(&pair.there, "main", "hand://main", true);
    link_net_run(&pair.net, 0);
    pair_play(&pair, 20000);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    assert_int_equal(watcher.backwards, 0);
    assert_numbers_consecutive(pair.to);
    assert_true(assert_same_segments(pair.from, pair.to) >= 2);
    sink_close(&watcher.sink);
    m4s_close(&pair);
}

static void m4s_far_process_restarted_with_its_clock_set_back_is_played_all_the_same(void **state)
{
    (void)state;
    struct pair pair;
    struct watcher watcher;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    watcher_open(&watcher, pair.to);
    pair_play(&pair, 4400);
    struct stream *gone = pair.from;
    stream_close(&gone, REASON_SHUTDOWN);
    clock_set_test(now_us(), utc_us() - 3600 * US_PER_S);
    pair.from = pair_stream(&pair.there, "main", "hand://main", true);
    link_net_run(&pair.net, 2 * US_PER_S);
    unsigned pictures = watcher.pictures;
    pair_play(&pair, 8040);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    assert_int_equal(watcher.pictures, pictures + 201);
    assert_int_equal(watcher.backwards, 2); // once in each track
    assert_numbers_consecutive(pair.to);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 4);
    sink_close(&watcher.sink);
    m4s_close(&pair);
}

static void m4s_hole_in_the_far_record_is_the_same_hole_here(void **state)
{
    (void)state;
    struct pair pair;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    pair_play(&pair, 3000);
    link_net_run(&pair.net, 20 * US_PER_S); // the camera pauses and does not count
    pair_play(&pair, 15000);
    unsigned holes = 0;
    size_t count;
    const struct window_entry *window = stream_window(pair.from, &count);
    for (size_t i = 1; i < count; i++)
        holes += (window[i].info.flags & SEGMENT_DISCONTINUITY) != 0;
    assert_int_equal(holes, 1);
    assert_int_equal(assert_same_segments(pair.from, pair.to), count);
    m4s_close(&pair);
}

static void m4s_several_receivers_and_streams_get_each_their_own(void **state)
{
    (void)state;
    struct pair pair;
    struct site third;
    m4s_open(&pair, 0);
    site_open(&third, &pair.net, "third");
    m4s_receive(&pair);
    struct stream *again = pair_stream(&pair.here, "again", "m4s://there:8888/main", true);
    struct stream *far = pair_stream(&third, "copy/main", "m4s://there:8888/main", true);
    link_net_run(&pair.net, 0);
    pair_play(&pair, 5000);
    struct stream_stats stats;
    stream_get_stats(pair.from, &stats);
    assert_int_equal(stats.sinks, 3);
    assert_int_equal(stats.viewers, 3);
    assert_int_equal(pair.net.dials, 2); // one link for each pair of servers
    assert_int_equal(assert_same_segments(pair.from, pair.to), 2);
    assert_int_equal(assert_same_segments(pair.from, again), 2);
    assert_int_equal(assert_same_segments(pair.from, far), 2);
    site_close(&third);
    stream_get_stats(pair.from, &stats);
    assert_int_equal(stats.sinks, 2);
    m4s_close(&pair);
}

static void m4s_nobody_watching_stops_the_subscription(void **state)
{
    (void)state;
    struct pair pair;
    struct stream_stats stats;
    m4s_open(&pair, 0);
    pair.to = pair_stream(&pair.here, "main", "m4s://there:8888/main", false);
    pair_play(&pair, 3000);
    stream_get_stats(pair.from, &stats);
    assert_int_equal(stats.sinks, 0);
    assert_int_equal(pair.net.dials, 0);
    struct viewer *one = viewer_open(pair.to, VIEWER_LIVE, "test", "192.0.2.1");
    struct viewer *two = viewer_open(pair.to, VIEWER_LIVE, "test", "192.0.2.2");
    pair_play(&pair, 3000);
    stream_get_stats(pair.from, &stats);
    assert_int_equal(stats.sinks, 1);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    viewer_close(&one);
    viewer_close(&two);
    pair_play(&pair, 8000);
    assert_int_equal(stream_state(pair.to), STREAM_IDLE);
    stream_get_stats(pair.from, &stats);
    assert_int_equal(stats.sinks, 0);
    assert_int_equal(stats.viewers, 0);
    m4s_close(&pair);
}

static void m4s_removed_stream_ends_the_subscription_with_not_found_later(void **state)
{
    (void)state;
    struct pair pair;
    struct stream_stats stats;
    m4s_open(&pair, 0);
    m4s_receive(&pair);
    pair_play(&pair, 1000);
    struct stream *gone = pair.from;
    stream_close(&gone, REASON_CONFIG);
    loop_fixture_settle(pair.net.loop);
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stats.last_reason, REASON_CONFIG);
    link_net_run(&pair.net, 3 * US_PER_S);
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stats.last_reason, REASON_NOT_FOUND);
    m4s_close(&pair);
}

static void m4s_better_input_comes_back_under_its_own_segment_names(void **state)
{
    (void)state;
    struct pair pair;
    struct stream_conf conf;
    m4s_open(&pair, 0);
    stream_conf_init(&conf);
    snprintf(conf.name, sizeof conf.name, "main");
    conf.segment_duration_us = 2 * US_PER_S;
    (void)stream_conf_add_input(&conf, "m4s://there:8888/main");
    (void)stream_conf_add_input(&conf, "hand://spare");
    assert_int_equal(stream_create(pair.here.env.streams, &conf, &pair.to), 0);
    stream_conf_fini(&conf);
    link_net_run(&pair.net, 0);
    pair_play(&pair, 3000);
    site_cut(&pair.there, REASON_REFUSED);
    loop_fixture_settle(pair.net.loop);
    struct hand *spare = hand_find("spare");
    assert_non_null(spare);
    hand_play(pair.net.loop, spare, 5000);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    struct stream_stats stats;
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stats.active_input, 1);
    site_cut(&pair.there, REASON_NONE);
    struct hand *main = pair_hand();
    // The other one goes on while the link comes back and the far stream runs.
    for (int i = 0; i < 400; i++) {
        if (spare->source)
            hand_picture(spare);
        hand_play(pair.net.loop, main, 40);
    }
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stats.active_input, 0);
    assert_true(assert_same_segments(pair.from, pair.to) >= 2);
    assert_numbers_consecutive(pair.to);
    m4s_close(&pair);
}

static void m4s_key_changed_by_a_reload_is_used_by_a_waiting_input(void **state)
{
    (void)state;
    struct pair pair;
    m4s_open(&pair, 0);
    pair.there.down = REASON_WRONG_KEY;
    m4s_receive(&pair);
    link_net_run(&pair.net, 30 * US_PER_S);
    assert_int_equal(stream_state(pair.to), STREAM_STARTING);
    pair.here.env.cluster_key = "another";
    pair.there.down = REASON_NONE;
    link_net_run(&pair.net, 60 * US_PER_S);
    struct stream_stats stats;
    stream_get_stats(pair.from, &stats);
    assert_int_equal(stats.sinks, 1);
    m4s_close(&pair);
}

// ---- what a far server should not send --------------------------------------------------------

static struct channel *bad_channel;
static const struct channel_events bad_events;

static enum reason bad_serve(void *hub_arg, struct link *link, struct channel *channel,
                             struct bytes open, const struct channel_events **events, void **arg)
{
    (void)hub_arg, (void)link, (void)open;
    bad_channel = channel;
    *events = &bad_events;
    *arg = NULL;
    return REASON_NONE;
}

static void send_hex(const char *hex)
{
    uint8_t bytes[256];
    size_t length;
    assert_true(hex_decode(hex, strlen(hex), bytes, sizeof bytes, &length));
    channel_send_copy(bad_channel, bytes, length);
}

static void m4s_malformed_messages_lose_the_input_with_protocol(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",   // nothing
        "07", // no such type
        "c0"
        "00"
        "aa", // a frame before the tracks
        "01"
        "00000001"
        "0000000866747970", // tracks that cannot be read
        "01"
        "00000000"
        "00", // generation 0
        "02"
        "8102", // 257 segments
        "02"
        "01"
        "05", // cut off
        "04"
        "02", // state 2
        "03"
        "01", // cut off
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pair pair;
        m4s_open(&pair, 0);
        link_hub_serve(pair.there.env.links, LINK_M4S, bad_serve, NULL);
        m4s_receive(&pair);
        send_hex(bad[i]);
        loop_fixture_settle(pair.net.loop);
        struct stream_stats stats;
        stream_get_stats(pair.to, &stats);
        assert_int_equal(stats.last_reason, REASON_PROTOCOL);
        link_net_run(&pair.net, 2 * US_PER_S);
        stream_get_stats(pair.to, &stats);
        assert_true(stats.retries > 0);
        m4s_close(&pair);
    }
}

static void send_tracks(void)
{
    struct tracks *tracks = hand_tracks_new(0, false);
    struct buf *init = cmaf_init_write(tracks);
    struct chain message = {0};
    m4s_tracks_write(7, init, &message);
    channel_send(bad_channel, &message);
    buf_unref(&init);
    tracks_unref(&tracks);
}

static void m4s_frames_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "c0"
        "00"
        "aa", // before its segment
        "03"
        "11"
        "01"
        "01|c2"
        "00"
        "aa", // track 2 of 2
        "03"
        "11"
        "01"
        "01|c0"
        "00", // no payload
        "03"
        "11"
        "01"
        "01|c0"
        "01"
        "aa", // before 1970
        "03"
        "11"
        "01"
        "01|c0"
        "fcffffffffffffff3f"
        "aa", // later than microseconds can say
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pair pair;
        char text[128];
        m4s_open(&pair, 0);
        link_hub_serve(pair.there.env.links, LINK_M4S, bad_serve, NULL);
        m4s_receive(&pair);
        send_tracks();
        snprintf(text, sizeof text, "%s", bad[i]);
        char *rest = text, *at;
        while ((at = strsep(&rest, "|")) != NULL)
            send_hex(at);
        loop_fixture_settle(pair.net.loop);
        struct stream_stats stats;
        stream_get_stats(pair.to, &stats);
        assert_int_equal(stats.last_reason, REASON_PROTOCOL);
        m4s_close(&pair);
    }
}

static struct channel *asker;
static enum reason asker_closed;

static void asker_on_closed(void *arg, enum reason reason)
{
    (void)arg;
    asker = NULL;
    asker_closed = reason;
}

static void m4s_subscriptions_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct channel_events events = {.on_closed = asker_on_closed};
    static const struct {
        const char *open;
        size_t length;
        enum reason reason;
    } cases[] = {
        {"", 0, REASON_PROTOCOL},         {"\1", 1, REASON_PROTOCOL},
        {"\2main", 5, REASON_PROTOCOL},   {"\1ma\0in", 6, REASON_PROTOCOL},
        {"\1other", 6, REASON_NOT_FOUND},
    };
    struct pair pair;
    m4s_open(&pair, 0);
    struct link *link = link_hold(pair.here.env.links, "there", 8888, "123");
    link_net_run(&pair.net, US_PER_S);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        asker_closed = REASON_NONE;
        asker = channel_open(link, LINK_M4S, LINK_LIVE, bytes_of(cases[i].open, cases[i].length),
                             &events, NULL);
        loop_fixture_settle(pair.net.loop);
        assert_null(asker);
        assert_int_equal(asker_closed, cases[i].reason);
    }
    link_release(&link);
    m4s_close(&pair);
}

static void m4s_check_wants_a_host_and_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool good;
    } cases[] = {
        {"m4s://there:8888/main", true}, {"m4s://there/main", true},  {"m4s://[::1]:80/a/b", true},
        {"m4s://there:8888/", false},    {"m4s://there:8888", false}, {"m4s:///main", false},
        {"m4s://there/a%20b", false},    {"m4s://there/../x", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[128] = "";
        struct input_conf input = {.url = (char *)cases[i].url};
        assert_int_equal(proto_m4s.check(&input, why, sizeof why), cases[i].good ? 0 : ERR_INVALID);
        assert_int_equal(why[0] == '\0', cases[i].good);
    }
    struct m4s_place place;
    const char *why;
    assert_int_equal(m4s_place_parse("m4s://there/main", &place, &why), 0);
    assert_int_equal(place.port, 80);
}

TEST_MAIN(TEST(m4s_join_in_mid_segment_begins_with_the_window_and_goes_on_equal),
          TEST(m4s_playlist_lists_what_it_lists_there),
          TEST(m4s_join_at_the_beginning_of_a_segment_makes_it_whole),
          TEST(m4s_from_the_beginning_every_frame_and_segment_is_the_same),
          TEST(m4s_one_byte_at_a_time_gives_the_same),
          TEST(m4s_frame_arrives_in_the_turn_of_its_news),
          TEST(m4s_tracks_change_midway_cuts_both_ends_alike),
          TEST(m4s_receiver_too_slow_jumps_and_fetches_what_it_missed),
          TEST(m4s_jump_within_one_segment_leaves_it_partial_with_its_true_length),
          TEST(m4s_far_input_lost_is_told_and_old_frames_are_not_played_again),
          TEST(m4s_link_cut_within_a_segment_goes_on_without_repeats),
          TEST(m4s_link_away_for_long_leaves_a_hole_and_lists_what_can_be_fetched),
          TEST(m4s_far_process_restarted_is_another_run),
          TEST(m4s_far_process_restarted_with_its_clock_set_back_is_played_all_the_same),
          TEST(m4s_hole_in_the_far_record_is_the_same_hole_here),
          TEST(m4s_several_receivers_and_streams_get_each_their_own),
          TEST(m4s_nobody_watching_stops_the_subscription),
          TEST(m4s_removed_stream_ends_the_subscription_with_not_found_later),
          TEST(m4s_better_input_comes_back_under_its_own_segment_names),
          TEST(m4s_key_changed_by_a_reload_is_used_by_a_waiting_input),
          TEST(m4s_malformed_messages_lose_the_input_with_protocol),
          TEST(m4s_frames_that_cannot_be_are_refused),
          TEST(m4s_subscriptions_that_cannot_be_are_refused),
          TEST(m4s_check_wants_a_host_and_a_name))
