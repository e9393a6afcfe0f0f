// SPDX-License-Identifier: MIT
#include "web_fixture.h"

#include "format/ts_segment.h"
#include "ts_walk.h"

extern const struct protocol proto_mpegts;

// What a client of /mpegts has got so far, without the head; it must be whole packets that a
// decoder can begin with.
static struct bytes live_bytes(const struct http_client *client)
{
    const uint8_t *got = client->end.got;
    const uint8_t *head_end = got ? memmem(got, client->end.got_length, "\r\n\r\n", 4) : NULL;
    assert_non_null(head_end);
    assert_non_null(memmem(got, client->end.got_length, "200 OK", 6));
    assert_non_null(memmem(got, client->end.got_length, "video/mp2t", 10));
    struct bytes bytes = bytes_of(head_end + 4, client->end.got_length - (head_end + 4 - got));
    assert_int_equal(bytes.length % 188, 0);
    return bytes;
}

struct counted {
    unsigned pictures, sounds, keys, pats, pmts;
    uint64_t first_dts, last_dts;
};

static struct counted count_of(struct bytes bytes)
{
    struct ts_walk *walk = mem_alloc(sizeof *walk);
    struct counted counted = {0};
    ts_walk_init(walk);
    ts_walk_take(walk, bytes); // dies when something is not as it should be
    for (unsigned i = 0; i < walk->pes_count; i++) {
        const struct ts_walk_pes *pes = &walk->pes[i];
        bool video = (pes->stream_id & 0xf0) == 0xe0;
        counted.pictures += video;
        counted.sounds += !video;
        counted.keys += video && pes->random_access;
        if (video && counted.pictures == 1)
            counted.first_dts = pes->dts;
        if (video)
            counted.last_dts = pes->dts;
    }
    counted.pats = walk->pat_count;
    counted.pmts = walk->pmt_count;
    ts_walk_fini(walk);
    mem_free(walk);
    return counted;
}

static void ask(struct web *web, struct http_client *client, const char *path)
{
    http_client_ask(client, "GET", path, "");
    web_settle(web);
}

// ---- live --------------------------------------------------------------------------------------

static void mpegts_live_begins_with_the_last_key_frame(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, true);
    web_play(&web, 3400); // 85 pictures; the last key frame is the 76th
    ask(&web, &web.client, "/main/mpegts?low_delay=1");
    struct counted counted = count_of(live_bytes(&web.client));
    assert_int_equal(counted.pictures, 10);
    assert_int_equal(counted.keys, 1);
    assert_true(counted.pats >= 1 && counted.pmts >= 1);
    web_play(&web, 2000);
    web_settle(&web);
    counted = count_of(live_bytes(&web.client));
    assert_int_equal(counted.pictures, 60);
    assert_int_equal(counted.keys, 3);
    assert_int_equal(counted.last_dts - counted.first_dts, 59 * 3600);
    assert_in_range(counted.sounds, 105, 115);
    web_close(&web);
}

static void mpegts_live_first_bytes_do_not_wait_for_the_clock(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, true);
    web_play(&web, 3400);
    ask(&web, &web.client, "/main/mpegts"); // no time passes
    assert_int_equal(count_of(live_bytes(&web.client)).pictures, 10);
    // What follows comes in batches.
    hand_picture(hand_find("main"));
    web_settle(&web);
    assert_int_equal(count_of(live_bytes(&web.client)).pictures, 10);
    loop_fixture_run(web.loop, 100 * US_PER_MS);
    web_settle(&web);
    assert_int_equal(count_of(live_bytes(&web.client)).pictures, 11);
    web_close(&web);
}

static void mpegts_live_is_made_once_for_all(void **state)
{
    (void)state;
    struct web web;
    struct http_client other[3];
    web_open(&web, &proto_mpegts, true);
    web_play(&web, 1000);
    ask(&web, &web.client, "/main/mpegts");
    struct stream_stats stats;
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.sinks, 1);
    for (unsigned i = 0; i < 3; i++) {
        http_client_open(&other[i], web.loop, http_server_port(web.env.http));
        ask(&web, &other[i], i ? "/main/mpegts" : "/main/mpegts?low_delay=true");
    }
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.sinks, 1);
    assert_int_equal(stats.viewers, 4);
    web_play(&web, 2000);
    loop_fixture_run(web.loop, 100 * US_PER_MS);
    web_settle(&web);
    struct bytes first = live_bytes(&web.client);
    for (unsigned i = 0; i < 3; i++) {
        struct bytes bytes = live_bytes(&other[i]);
        assert_int_equal(bytes.length, first.length);
        assert_memory_equal(bytes.data, first.data, first.length);
        http_client_close(&other[i]);
    }
    web_settle(&web);
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.viewers, 1);
    http_client_close(&web.client);
    web_settle(&web);
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.viewers, 0);
    assert_int_equal(stats.sinks, 0); // nothing is made for nobody
    assert_true(stats.viewer_bytes >= 4 * first.length);
    http_client_open(&web.client, web.loop, http_server_port(web.env.http));
    web_close(&web);
}

static void mpegts_live_on_demand_starts_and_waits(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, false);
    ask(&web, &web.client, "/main/mpegts?low_delay=1");
    assert_int_equal(hand_pulls, 1);
    assert_int_equal(web.client.end.got_length, 0);
    web_play(&web, 1000);
    web_settle(&web);
    assert_int_equal(count_of(live_bytes(&web.client)).pictures, 25);
    // Gone for longer than clients_timeout: it stops.
    http_client_close(&web.client);
    web_settle(&web);
    loop_fixture_run(web.loop, 65 * US_PER_S);
    assert_int_equal(stream_state(web.stream), STREAM_IDLE);
    http_client_open(&web.client, web.loop, http_server_port(web.env.http));
    web_close(&web);
}

static void mpegts_live_that_does_not_come_is_told_why(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, false);
    assert_int_equal(web_get(&web, "/none/mpegts"), 404);
    ask(&web, &web.client, "/main/mpegts");
    hand_lost(hand_find("main"));
    loop_fixture_run(web.loop, 11 * US_PER_S);
    assert_int_equal(http_client_wait(&web.client, false), 503);
    assert_non_null(strstr(web.client.body, reason_text(REASON_PEER_CLOSED)));
    struct stream_conf conf;
    stream_conf_copy(&conf, stream_conf(web.stream));
    conf.disabled = true;
    stream_configure(web.stream, &conf);
    stream_conf_fini(&conf);
    assert_int_equal(web_get(&web, "/main/mpegts"), 503);
    web_close(&web);
}

static void mpegts_live_head_is_answered_and_watches_nothing(void **state)
{
    (void)state;
    struct web web;
    struct stream_stats stats;
    web_open(&web, &proto_mpegts, true);
    web_play(&web, 1000);
    http_client_ask(&web.client, "HEAD", "/main/mpegts", "");
    assert_int_equal(http_client_wait(&web.client, true), 200);
    assert_string_equal(http_client_header(&web.client, "Content-Type"), "video/mp2t");
    web_settle(&web);
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.viewers, 0);
    assert_int_equal(stats.sinks, 0);
    web_close(&web);
}

static void mpegts_live_client_gone_while_waiting(void **state)
{
    (void)state;
    struct web web;
    struct stream_stats stats;
    web_open(&web, &proto_mpegts, false);
    web_ask_without_reading(&web, &web.client, "/main/mpegts");
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.viewers, 1);
    web_client_again(&web);
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.viewers, 0);
    web_play(&web, 1000);
    web_close(&web);
}

static void mpegts_live_stream_removed_ends_the_answer(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, true);
    web_play(&web, 1000);
    ask(&web, &web.client, "/main/mpegts");
    stream_close(&web.stream, REASON_CONFIG);
    web_settle(&web);
    assert_int_equal(web.client.end.ended, 1);
    web_close(&web);
}

// Tells a track list of which TS carries `what`.
static void tell_tracks(enum codec first, enum codec second)
{
    struct tracks *usual = hand_tracks_new(0, false), *tracks;
    struct track track[2];
    for (unsigned i = 0; i < 2; i++) {
        enum codec codec = i ? second : first;
        if (codec == usual->track[i].codec) {
            track[i] = usual->track[i];
            track[i].config = buf_ref(usual->track[i].config);
        } else {
            track_init(&track[i], codec);
            track[i].timescale = i ? 48000 : 90000;
            if (codec_info(codec)->kind == MEDIA_AUDIO) {
                track[i].sample_rate = 8000;
                track[i].timescale = 8000;
                track[i].channels = 1;
            }
        }
    }
    tracks = tracks_new(track, 2);
    source_tracks(hand_find("main")->source, &tracks);
    hand_find("main")->told = true;
    tracks_unref(&usual);
}

static void mpegts_live_of_tracks_that_ts_has_not_is_not_found(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, true);
    tell_tracks(CODEC_AV1, CODEC_PCMU);
    web_play(&web, 1000);
    assert_int_equal(web_get(&web, "/main/mpegts"), 404);
    assert_non_null(strstr(web.client.body, "MPEG-TS"));
    web_close(&web);
}

static void mpegts_live_of_sound_alone_flows(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, true);
    tell_tracks(CODEC_AV1, CODEC_AAC); // the picture is left out
    web_play(&web, 1000);
    ask(&web, &web.client, "/main/mpegts?low_delay=1");
    web_play(&web, 1000);
    web_settle(&web);
    struct counted counted = count_of(live_bytes(&web.client));
    assert_int_equal(counted.pictures, 0);
    assert_true(counted.sounds >= 45);
    web_close(&web);
}

static void mpegts_live_tracks_change_to_what_ts_has_not_and_back(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, true);
    web_play(&web, 2000);
    ask(&web, &web.client, "/main/mpegts?low_delay=1");
    tell_tracks(CODEC_AV1, CODEC_PCMU);
    web_play(&web, 2000);
    web_settle(&web);
    unsigned before = count_of(live_bytes(&web.client)).pictures;
    assert_int_equal(before, 25);
    tell_tracks(CODEC_H264, CODEC_AAC);
    web_play(&web, 2000);
    web_settle(&web);
    assert_int_equal(count_of(live_bytes(&web.client)).pictures, before + 50);
    web_close(&web);
}

// ---- the past ----------------------------------------------------------------------------------

static int get_past(struct web *web, const char *format, ...) PRINTF_LIKE(2, 3);

static int get_past(struct web *web, const char *format, ...)
{
    char path[128] = "/main/";
    va_list list;
    va_start(list, format);
    vsnprintf(path + 6, sizeof path - 6, format, list);
    va_end(list);
    return web_get(web, path);
}

static void expect_segments(struct web *web, unsigned first, unsigned count)
{
    struct chain whole = {0};
    for (unsigned i = first; i < first + count; i++) {
        const struct chain *bytes;
        assert_int_equal(ts_segment(web->memory.segment[i], &bytes), 0);
        chain_add_range(&whole, bytes, 0, bytes->bytes);
    }
    assert_true(body_is(web, &whole));
    chain_fini(&whole);
}

static void mpegts_past_is_its_segments_in_a_row(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, false);
    web_record(&web, 10, 0);
    assert_int_equal(get_past(&web, "archive-%lld-6.ts", PAST_S + 3), 200);
    assert_string_equal(http_client_header(&web.client, "Content-Type"), "video/mp2t");
    expect_segments(&web, 1, 4);
    assert_int_equal(web.memory.asked, 5); // one by one, and the end
    assert_int_equal(hand_pulls, 0);
    struct stream_stats stats;
    web_settle(&web);
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.viewers, 0);
    assert_int_equal(stats.viewer_bytes, web.client.body_length);
    web_close(&web);
}

static void mpegts_past_goes_as_fast_as_the_client_takes_it(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, false);
    struct tracks *tracks = hand_tracks_new(0, true);
    tracks->generation = 5;
    for (unsigned i = 0; i < 30; i++) {
        struct segment *segment =
            hand_segment(tracks, (uint64_t)PAST_S + i, PAST_US + i * 2 * US_PER_S, 50, 20000);
        memory_history_add(&web.memory, &segment);
    }
    tracks_unref(&tracks);
    struct history *history = &web.memory.history;
    stream_set_history(web.stream, &history);
    conn_pause(web.client.end.conn, true);
    char path[64];
    snprintf(path, sizeof path, "/main/archive-%lld-60.ts", PAST_S);
    http_client_ask(&web.client, "GET", path, "");
    web_settle(&web);
    web_settle(&web);
    unsigned given = web.memory.given;
    assert_true(given < 20); // of 30 megabytes some are in sockets and queues, no more
    conn_pause(web.client.end.conn, false);
    assert_int_equal(http_client_wait(&web.client, false), 200);
    assert_false(web.client.cut);
    expect_segments(&web, 0, 30);
    web_close(&web);
}

static void mpegts_past_client_gone_cancels(void **state)
{
    (void)state;
    struct web web;
    char path[64];
    web_open(&web, &proto_mpegts, false);
    web_record(&web, 5, 0);
    web.memory.silent = true;
    snprintf(path, sizeof path, "/main/archive-%lld-60.ts", PAST_S);
    web_ask_without_reading(&web, &web.client, path);
    assert_int_equal(web.memory.open, 1);
    web_client_again(&web);
    assert_int_equal(web.memory.open, 0);
    web_close(&web);
}

static void mpegts_past_that_fails_midway_is_cut_off(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, false);
    web_record(&web, 5, 0);
    web.memory.fail = ERR_IO;
    web.memory.fail_after = 2;
    (void)get_past(&web, "archive-%lld-60.ts", PAST_S);
    expect_segments(&web, 0, 2);
    assert_true(web.client.cut);
    web.memory.fail_after = 0;
    web_client_again(&web);
    assert_int_equal(get_past(&web, "archive-%lld-60.ts", PAST_S), 503);
    web_close(&web);
}

// Bytes of the answer so far, head and chunking left out, as a number of whole segments.
static unsigned segments_got(struct web *web)
{
    unsigned count = 0;
    uint64_t bytes = 0;
    web_settle(web);
    for (; count < web->memory.count; count++) {
        const struct chain *one;
        assert_int_equal(ts_segment(web->memory.segment[count], &one), 0);
        if (web->client.end.got_length < bytes + one->bytes)
            break;
        bytes += one->bytes;
    }
    return count;
}

static void mpegts_timeshift_goes_in_real_time(void **state)
{
    (void)state;
    static const char *const forms[] = {"timeshift_abs-%lld.ts?token=x", "timeshift_abs/%lld",
                                        "timeshift_rel-%lld.ts", "timeshift_rel/%lld"};
    for (unsigned i = 0; i < 4; i++) {
        struct web web;
        char tail[64], path[96];
        web_open(&web, &proto_mpegts, false);
        web_record(&web, 8, 0); // 16 s
        long long number = i < 2 ? PAST_S + 1 : utc_us() / US_PER_S - PAST_S - 1;
        snprintf(tail, sizeof tail, forms[i], number);
        snprintf(path, sizeof path, "/main/%s", tail);
        http_client_ask(&web.client, "GET", path, "");
        web_settle(&web);
        unsigned at_first = segments_got(&web);
        assert_true(at_first >= 2 && at_first <= 4); // five seconds ahead
        loop_fixture_run(web.loop, 4 * US_PER_S);
        assert_int_equal(segments_got(&web), at_first + 2);
        loop_fixture_run(web.loop, 20 * US_PER_S);
        assert_int_equal(segments_got(&web), 8);
        assert_false(web.client.end.closed || web.client.end.ended);
        // What is recorded meanwhile follows.
        struct tracks *tracks = hand_tracks_new(0, true);
        tracks->generation = 5;
        struct segment *more =
            hand_segment(tracks, (uint64_t)PAST_S + 8, PAST_US + 16 * US_PER_S, 50, 300);
        memory_history_add(&web.memory, &more);
        tracks_unref(&tracks);
        loop_fixture_run(web.loop, 2 * US_PER_S);
        assert_int_equal(segments_got(&web), 9);
        web_client_again(&web);
        assert_int_equal(web.memory.open, 0);
        web_close(&web);
    }
}

static void mpegts_timeshift_waits_in_holes_or_skips_them(void **state)
{
    (void)state;
    for (unsigned skip = 0; skip < 2; skip++) {
        struct web web;
        char path[96];
        web_open(&web, &proto_mpegts, false);
        web_record(&web, 8, 4); // ten seconds less
        snprintf(path, sizeof path, "/main/timeshift_abs-%lld.ts%s", PAST_S + 1,
                 skip ? "?ignore_gaps=true" : "");
        http_client_ask(&web.client, "GET", path, "");
        web_settle(&web);
        loop_fixture_run(web.loop, 6 * US_PER_S);
        assert_int_equal(segments_got(&web), skip ? 6 : 4);
        loop_fixture_run(web.loop, 20 * US_PER_S);
        assert_int_equal(segments_got(&web), 8);
        web_client_again(&web);
        web_close(&web);
    }
}

static void mpegts_past_that_cannot_be_given(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mpegts, false);
    assert_int_equal(get_past(&web, "archive-%lld-60.ts", PAST_S), 404);
    web_record(&web, 2, 0);
    assert_int_equal(get_past(&web, "archive-5-60.ts"), 404);
    assert_int_equal(get_past(&web, "archive-5-0.ts"), 400);
    assert_int_equal(get_past(&web, "archive-a-5.ts"), 400);
    assert_int_equal(get_past(&web, "archive-5-5x.ts"), 400);
    assert_int_equal(get_past(&web, "archive-99999999999999999999-5.ts"), 400);
    assert_int_equal(get_past(&web, "timeshift_abs-0.ts"), 400);
    assert_int_equal(get_past(&web, "timeshift_abs/5.ts"), 400);
    assert_int_equal(get_past(&web, "timeshift_rel-x.ts"), 400);
    assert_int_equal(web_get(&web, "/none/archive-5-60.ts"), 404);
    web_close(&web);
}

TEST_MAIN(
    TEST(mpegts_live_begins_with_the_last_key_frame),
    TEST(mpegts_live_first_bytes_do_not_wait_for_the_clock), TEST(mpegts_live_is_made_once_for_all),
    TEST(mpegts_live_on_demand_starts_and_waits), TEST(mpegts_live_that_does_not_come_is_told_why),
    TEST(mpegts_live_head_is_answered_and_watches_nothing),
    TEST(mpegts_live_client_gone_while_waiting), TEST(mpegts_live_stream_removed_ends_the_answer),
    TEST(mpegts_live_of_tracks_that_ts_has_not_is_not_found),
    TEST(mpegts_live_of_sound_alone_flows),
    TEST(mpegts_live_tracks_change_to_what_ts_has_not_and_back),
    TEST(mpegts_past_is_its_segments_in_a_row),
    TEST(mpegts_past_goes_as_fast_as_the_client_takes_it), TEST(mpegts_past_client_gone_cancels),
    TEST(mpegts_past_that_fails_midway_is_cut_off), TEST(mpegts_timeshift_goes_in_real_time),
    TEST(mpegts_timeshift_waits_in_holes_or_skips_them), TEST(mpegts_past_that_cannot_be_given))
