// SPDX-License-Identifier: MIT
// The live subscription of M4F: each segment the moment it is closed, the same at both ends.
#include "pair_fixture.h"

#include "m4f_priv.h"

extern const struct protocol proto_m4f;

static const struct protocol *const table[] = {&hand_protocol, &proto_m4f, NULL};

static void live_open(struct pair *pair, size_t piece)
{
    pair_open(pair, table, &proto_m4f, piece);
}

static void live_receive(struct pair *pair)
{
    pair->to = pair_stream(&pair->here, "main", "m4f://there:8888/main", true);
    link_net_run(&pair->net, 0);
}

static const struct window_entry *newest(struct stream *stream)
{
    size_t count;
    const struct window_entry *window = stream_window(stream, &count);
    return count ? &window[count - 1] : NULL;
}

static void m4f_live_segment_arrives_in_the_turn_in_which_it_was_closed(void **state)
{
    (void)state;
    struct pair pair;
    struct watcher watcher;
    live_open(&pair, 0);
    pair_hand()->b_frames = true;
    live_receive(&pair);
    watcher_open(&watcher, pair.to);
    pair_play(&pair, 2000);
    assert_null(newest(pair.to));
    hand_picture(pair_hand()); // the key frame that ends the first segment
    loop_fixture_settle(pair.net.loop);
    assert_non_null(newest(pair.to));
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    assert_int_equal(watcher.pictures, 25); // who waited begins at the last key frame of it
    pair_play(&pair, 6000);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 4);
    assert_int_equal(watcher.pictures, 175);
    assert_int_equal(watcher.backwards, 0);
    assert_int_equal(watcher.largest_step, 3600);
    assert_true(watcher.cts_sum > 0);
    sink_close(&watcher.sink);
    pair_close(&pair);
}

static void m4f_live_join_gives_the_window_and_its_newest_segment_at_once(void **state)
{
    (void)state;
    struct pair pair;
    size_t count;
    live_open(&pair, 0);
    pair_play(&pair, 9000);
    live_receive(&pair);
    const struct window_entry *window = stream_window(pair.to, &count);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < 3; i++)
        assert_null(window[i].segment);
    assert_non_null(window[3].segment);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    pair_play(&pair, 4000);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 3);
    assert_numbers_consecutive(pair.to);
    pair_close(&pair);
}

static void m4f_live_playlist_lists_what_it_lists_there(void **state)
{
    (void)state;
    struct pair pair;
    live_open(&pair, 0);
    pair_list(&pair, 7); // here it would be 4
    pair_play(&pair, 25400);
    live_receive(&pair);
    assert_int_equal(pair_play_same_list(&pair, 5000), 7);
    pair_list(&pair, 2);
    assert_int_equal(pair_play_same_list(&pair, 5000), 2);
    pair_list(&pair, 9);
    assert_int_equal(pair_play_same_list(&pair, 20000), 9);
    // What the window keeps for late clients is bounded by that number, too.
    size_t count;
    (void)stream_window(pair.to, &count);
    assert_in_range(count, 9, 12);
    pair_close(&pair);
}

static void m4f_live_one_byte_at_a_time_gives_the_same(void **state)
{
    (void)state;
    struct pair pair;
    live_open(&pair, 1);
    live_receive(&pair);
    pair_play(&pair, 5000);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 2);
    pair_close(&pair);
}

static void m4f_live_tracks_change_midway(void **state)
{
    (void)state;
    struct pair pair;
    live_open(&pair, 0);
    live_receive(&pair);
    pair_play(&pair, 3000);
    struct hand *hand = pair_hand();
    hand->variant = 1;
    hand_tracks(hand);
    pair_play(&pair, 5000);
    assert_int_equal(stream_tracks(pair.to)->track[0].width, 1280);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 4);
    assert_numbers_consecutive(pair.to);
    pair_close(&pair);
}

static void m4f_live_segment_larger_than_a_queue_comes_through(void **state)
{
    (void)state;
    struct pair pair;
    live_open(&pair, 0);
    struct hand *hand = pair_hand();
    hand->picture_bytes = 600 << 10;
    hand->key_bytes = 1 << 20; // 30 MB in two seconds
    live_receive(&pair);
    pair_play(&pair, 4040);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 2);
    struct stream_stats stats;
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stats.retries, 0);
    pair_close(&pair);
}

static void m4f_live_receiver_too_slow_gets_the_newest_and_learns_what_it_missed(void **state)
{
    (void)state;
    struct pair pair;
    struct stream_conf conf;
    live_open(&pair, 0);
    stream_conf_copy(&conf, stream_conf(pair.from));
    conf.segment_duration_us = US_PER_S;
    stream_configure(pair.from, &conf);
    stream_conf_fini(&conf);
    struct hand *hand = pair_hand();
    hand->picture_bytes = 20000; // a segment is twice what the channel takes at once
    live_receive(&pair);
    pair_play(&pair, 3040);
    site_stall(&pair.there, true);
    pair_play(&pair, 4000);
    site_stall(&pair.there, false);
    loop_fixture_settle(pair.net.loop);
    size_t count, there;
    const struct window_entry *window = stream_window(pair.to, &count);
    (void)stream_window(pair.from, &there);
    assert_int_equal(window[count - 1].info.number, newest(pair.from)->info.number);
    assert_non_null(window[count - 1].segment);
    assert_numbers_consecutive(pair.to);
    assert_int_equal(count, there);
    unsigned missing = 0;
    for (size_t i = 0; i < count; i++)
        missing += window[i].segment == NULL;
    assert_true(missing >= 1);
    assert_true(assert_same_segments(pair.from, pair.to) >= 2);
    pair_close(&pair);
}

static void m4f_live_link_cut_goes_on_without_repeats(void **state)
{
    (void)state;
    struct pair pair;
    struct watcher watcher;
    live_open(&pair, 0);
    live_receive(&pair);
    watcher_open(&watcher, pair.to);
    pair_play(&pair, 4320);
    unsigned before = watcher.pictures;
    site_cut(&pair.there, REASON_REFUSED);
    loop_fixture_settle(pair.net.loop);
    assert_int_equal(stream_state(pair.to), STREAM_LOST);
    site_cut(&pair.there, REASON_NONE);
    pair_play(&pair, 1200);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    assert_int_equal(watcher.pictures, before); // the newest segment is the one it has
    struct stream_stats stats;
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stats.segments, 2);
    pair_play(&pair, 5000);
    assert_int_equal(watcher.backwards, 0);
    assert_int_equal(watcher.largest_step, 3600);
    assert_int_equal(assert_same_segments(pair.from, pair.to), 5);
    sink_close(&watcher.sink);
    pair_close(&pair);
}

static void m4f_live_dead_peer_is_noticed_within_five_seconds(void **state)
{
    (void)state;
    struct pair pair;
    live_open(&pair, 0);
    live_receive(&pair);
    pair_play(&pair, 4400);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    site_stall(&pair.there, true);
    pair.there.down = REASON_UNREACHABLE;
    link_net_run(&pair.net, 5 * US_PER_S);
    assert_int_equal(stream_state(pair.to), STREAM_LOST);
    pair_close(&pair);
}

static void m4f_live_nobody_watching_stops_the_subscription(void **state)
{
    (void)state;
    struct pair pair;
    struct stream_stats stats;
    live_open(&pair, 0);
    pair.to = pair_stream(&pair.here, "main", "m4f://there:8888/main", false);
    struct viewer *viewer = viewer_open(pair.to, VIEWER_LIVE, "test", "192.0.2.1");
    pair_play(&pair, 3000);
    stream_get_stats(pair.from, &stats);
    assert_int_equal(stats.viewers, 1);
    viewer_close(&viewer);
    pair_play(&pair, 8000);
    stream_get_stats(pair.from, &stats);
    assert_int_equal(stats.viewers, 0);
    assert_int_equal(stats.sinks, 0);
    assert_int_equal(stream_state(pair.to), STREAM_IDLE);
    pair_close(&pair);
}

static void m4f_live_stream_removed_there_is_not_found_later(void **state)
{
    (void)state;
    struct pair pair;
    struct stream_stats stats;
    live_open(&pair, 0);
    live_receive(&pair);
    pair_play(&pair, 1000);
    stream_close(&pair.from, REASON_CONFIG);
    link_net_run(&pair.net, 2 * US_PER_S);
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stats.last_reason, REASON_NOT_FOUND);
    pair_close(&pair);
}

static void m4f_live_key_changed_by_a_reload_is_used_by_a_waiting_input(void **state)
{
    (void)state;
    struct pair pair;
    struct stream_stats stats;
    live_open(&pair, 0);
    pair.there.down = REASON_WRONG_KEY;
    live_receive(&pair);
    link_net_run(&pair.net, 30 * US_PER_S);
    pair.here.env.cluster_key = "another";
    pair.there.down = REASON_NONE;
    link_net_run(&pair.net, 60 * US_PER_S);
    stream_get_stats(pair.from, &stats);
    assert_int_equal(stats.viewers, 1);
    pair_close(&pair);
}

// ---- what the other side should not send -------------------------------------------------------

static struct channel *bad_channel;

static enum reason bad_serve(void *hub_arg, struct link *link, struct channel *channel,
                             struct bytes open, const struct channel_events **events, void **arg)
{
    static const struct channel_events bad_events;
    (void)hub_arg, (void)link, (void)open;
    bad_channel = channel;
    *events = &bad_events;
    *arg = NULL;
    return REASON_NONE;
}

static void send_chain(struct chain *message)
{
    channel_send(bad_channel, message);
    chain_fini(message);
}

static void m4f_live_damaged_segment_is_counted_and_the_rest_goes_on(void **state)
{
    (void)state;
    struct pair pair;
    live_open(&pair, 0);
    link_hub_serve(pair.there.env.links, LINK_M4F, bad_serve, NULL);
    live_receive(&pair);
    struct tracks *tracks = hand_tracks_new(0, true);
    tracks->generation = 3;
    struct buf *init = cmaf_init_write(tracks);
    struct chain message = {0};
    m4f_tracks_write(3, init, &message);
    buf_unref(&init);
    send_chain(&message);
    for (unsigned i = 0; i < 3; i++) {
        struct segment *segment =
            hand_segment(tracks, 1000 + i, 1000 * US_PER_S + i * US_PER_S, 25, 100);
        struct buf *body = chain_join(cmaf_segment(segment));
        body->data[body->length - 1] ^= i == 1;
        m4f_segment_write(&segment->info, body->length, &message);
        chain_take(&message, &body);
        send_chain(&message);
        segment_unref(&segment);
    }
    loop_fixture_settle(pair.net.loop);
    struct stream_stats stats;
    stream_get_stats(pair.to, &stats);
    assert_int_equal(stats.frame_errors, 1);
    assert_int_equal(stats.segments, 2);
    assert_int_equal(stream_state(pair.to), STREAM_LIVE);
    tracks_unref(&tracks);
    pair_close(&pair);
}

static void m4f_live_malformed_messages_lose_the_input_with_protocol(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x09", "\x03x", "\x04x", "\x01\0\0\0\1garbage", "\x05"};
    static const size_t lengths[] = {1, 2, 2, 12, 1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pair pair;
        struct stream_stats stats;
        live_open(&pair, 0);
        link_hub_serve(pair.there.env.links, LINK_M4F, bad_serve, NULL);
        live_receive(&pair);
        channel_send_copy(bad_channel, bad[i], lengths[i]);
        loop_fixture_settle(pair.net.loop);
        stream_get_stats(pair.to, &stats);
        assert_int_equal(stats.last_reason, REASON_PROTOCOL);
        pair_close(&pair);
    }
}

TEST_MAIN(TEST(m4f_live_segment_arrives_in_the_turn_in_which_it_was_closed),
          TEST(m4f_live_join_gives_the_window_and_its_newest_segment_at_once),
          TEST(m4f_live_playlist_lists_what_it_lists_there),
          TEST(m4f_live_one_byte_at_a_time_gives_the_same), TEST(m4f_live_tracks_change_midway),
          TEST(m4f_live_segment_larger_than_a_queue_comes_through),
          TEST(m4f_live_receiver_too_slow_gets_the_newest_and_learns_what_it_missed),
          TEST(m4f_live_link_cut_goes_on_without_repeats),
          TEST(m4f_live_dead_peer_is_noticed_within_five_seconds),
          TEST(m4f_live_nobody_watching_stops_the_subscription),
          TEST(m4f_live_stream_removed_there_is_not_found_later),
          TEST(m4f_live_key_changed_by_a_reload_is_used_by_a_waiting_input),
          TEST(m4f_live_damaged_segment_is_counted_and_the_rest_goes_on),
          TEST(m4f_live_malformed_messages_lose_the_input_with_protocol))
