// SPDX-License-Identifier: MIT
#include "web_fixture.h"

#include "format/ts_segment.h"
#include "golden.h"
#include "hls_priv.h"
#include "hls_session.h"

extern const struct protocol proto_hls;

// ---- lists, pure -------------------------------------------------------------------------------

static struct segment_info info_of(uint64_t number, int64_t start_ms, int64_t duration_ms)
{
    return (struct segment_info){.number = number,
                                 .utc_start_us = PAST_US + start_ms * US_PER_MS,
                                 .duration_us = duration_ms * US_PER_MS,
                                 .generation = 1,
                                 .flags = SEGMENT_KEY};
}

static bool list_is(const char *golden, const struct hls_playlist *playlist)
{
    struct writer writer = {0};
    hls_playlist_write(playlist, &writer);
    writer_u8(&writer, 0);
    bool equal = golden_equal(golden, (const char *)writer.buf->data);
    writer_fini(&writer);
    return equal;
}

static void hls_playlist_write_live(void **state)
{
    (void)state;
    const struct segment_info infos[] = {info_of(70, 0, 4000), info_of(71, 4000, 4480),
                                         info_of(72, 8480, 3520)};
    struct hls_playlist playlist = {.kind = HLS_LIVE, .target_s = 4, .infos = infos, .count = 3};
    assert_true(list_is("hls/live_ts.m3u8", &playlist));
    playlist.fmp4 = true;
    assert_true(list_is("hls/live_fmp4.m3u8", &playlist));
}

static void hls_playlist_write_marks_what_does_not_follow(void **state)
{
    (void)state;
    struct segment_info infos[] = {info_of(70, 0, 4000), info_of(71, 4000, 4000),
                                   info_of(72, 20000, 4000), info_of(73, 24000, 4000),
                                   info_of(74, 28000, 4000)};
    infos[0].flags |= SEGMENT_DISCONTINUITY; // counted when it goes
    infos[3].flags |= SEGMENT_DISCONTINUITY; // another run, without a hole
    infos[4].generation = 2;                 // other tracks
    struct hls_playlist playlist = {.kind = HLS_LIVE,
                                    .fmp4 = true,
                                    .target_s = 4,
                                    .discontinuity_sequence = 7,
                                    .infos = infos,
                                    .count = 5};
    assert_true(list_is("hls/live_discontinuities.m3u8", &playlist));
    playlist.kind = HLS_VOD;
    playlist.fmp4 = false;
    assert_true(list_is("hls/vod_hole.m3u8", &playlist));
    playlist.kind = HLS_EVENT;
    playlist.count = 2;
    assert_true(list_is("hls/event.m3u8", &playlist));
}

static void hls_playlist_write_target_is_the_longest_rounded(void **state)
{
    (void)state;
    static const struct {
        int64_t duration_ms;
        unsigned least;
        const char *line;
    } cases[] = {
        {4499, 1, "#EXT-X-TARGETDURATION:4\n"},   {4500, 1, "#EXT-X-TARGETDURATION:5\n"},
        {400, 0, "#EXT-X-TARGETDURATION:0\n"},    {400, 4, "#EXT-X-TARGETDURATION:4\n"},
        {60000, 4, "#EXT-X-TARGETDURATION:60\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct segment_info info = info_of(1, 0, cases[i].duration_ms);
        const struct hls_playlist playlist = {
            .kind = HLS_VOD, .target_s = cases[i].least, .infos = &info, .count = 1};
        struct writer writer = {0};
        hls_playlist_write(&playlist, &writer);
        writer_u8(&writer, 0);
        assert_non_null(strstr((const char *)writer.buf->data, cases[i].line));
        writer_fini(&writer);
    }
}

// ---- addresses ---------------------------------------------------------------------------------

static void hls_address_names_start_and_duration(void **state)
{
    (void)state;
    char address[64];
    int64_t utc_ms;
    struct segment_info info = info_of(1, 0, 4000);
    hls_address(&info, "ts", address, sizeof address);
    assert_string_equal(address, "2025/11/23/00/35/30.500-4000.ts");
    assert_int_equal(hls_address_parse(address, &utc_ms), 0);
    assert_int_equal(utc_ms, PAST_US / 1000);
    info.utc_start_us += 999; // named by the millisecond it lies in
    info.duration_us = 3999600;
    hls_address(&info, "m4s", address, sizeof address);
    assert_string_equal(address, "2025/11/23/00/35/30.500-4000.m4s");
    hls_address(&info, NULL, address, sizeof address);
    assert_string_equal(address, "2025/11/23/00/35/30.500-init.mp4");
}

static void hls_address_parse_refuses_what_is_no_moment(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026/11/23/00/35/30.500",
        "2026/11/23/00/35/30-4000.ts",
        "2026/11/23/00/35/3.500-4000.ts",
        "2026/13/23/00/35/30.500-4000.ts",
        "2026/00/23/00/35/30.500-4000.ts",
        "2026/02/30/00/35/30.500-4000.ts",
        "2026/11/23/24/35/30.500-4000.ts",
        "2026/11/23/00/60/30.500-4000.ts",
        "2026/11/23/00/35/60.500-4000.ts",
        "1969/12/31/23/59/59.999-4000.ts",
        "2026-11-23/00/35/30.500-4000.ts",
        "+026/11/23/00/35/30.500-4000.ts",
        " 2026/11/23/00/35/30.500-4000.ts",
    };
    int64_t utc_ms;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(hls_address_parse(bad[i], &utc_ms), ERR_INVALID);
    assert_int_equal(hls_address_parse("2024/02/29/23/59/59.999-x", &utc_ms), 0);
    assert_int_equal(utc_ms, 1709251199999);
}

static void hls_past_parse_reads_every_name(void **state)
{
    (void)state;
    static const struct {
        const char *tail;
        struct hls_past_name name;
    } cases[] = {
        {"archive-5-60.m3u8", {HLS_WINDOW, HLS_AUTO, 5, 60}},
        {"archive-0-60.m3u8", {HLS_WINDOW, HLS_AUTO, 0, 60}},
        {"index-5-60.fmp4.m3u8", {HLS_WINDOW, HLS_FMP4, 5, 60}},
        {"index-5-now.ts.m3u8", {HLS_WINDOW, HLS_TS, 5, 0}},
        {"video-5-60.m3u8", {HLS_WINDOW, HLS_TS, 5, 60}},
        {"mono-5-now.m3u8", {HLS_WINDOW, HLS_TS, 5, 0}},
        {"rewind-7200.m3u8", {HLS_REWIND, HLS_AUTO, 0, 7200}},
        {"video1-rewind-7.m3u8", {HLS_REWIND, HLS_TS, 0, 7}},
        {"timeshift_abs-5.m3u8", {HLS_SHIFT_ABS, HLS_AUTO, 5, 0}},
        {"mono-timeshift_abs-5.m3u8", {HLS_SHIFT_ABS, HLS_TS, 5, 0}},
        {"timeshift_rel-60.fmp4.m3u8", {HLS_SHIFT_REL, HLS_FMP4, 0, 60}},
        {"video-timeshift_rel-60.m3u8", {HLS_SHIFT_REL, HLS_TS, 0, 60}},
        {"archive-1000000000000-1.m3u8", {HLS_WINDOW, HLS_AUTO, HLS_SECONDS_MAX, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hls_past_name name;
        assert_int_equal(hls_past_parse(cases[i].tail, &name), 0);
        assert_int_equal(name.kind, cases[i].name.kind);
        assert_int_equal(name.format, cases[i].name.format);
        assert_int_equal(name.from_s, cases[i].name.from_s);
        assert_int_equal(name.length_s, cases[i].name.length_s);
    }
}

static void hls_past_parse_refuses_the_rest(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "archive-5.m3u8",
        "archive-5-0.m3u8",
        "archive-5-6-7.m3u8",
        "archive--5-6.m3u8",
        "archive-+5-6.m3u8",
        "archive-5-now60.m3u8",
        "archive-5-60",
        "archive-5-60.mp4",
        "archive-5-60.x.m3u8",
        "archive-5-60.fmp4.ts.m3u8",
        "archive-1000000000001-1.m3u8",
        "archive-99999999999999999999999-1.m3u8",
        "video-archive-5-6.m3u8",
        "video2-rewind-5.m3u8",
        "video-video-5-6.m3u8",
        "rewind-0.m3u8",
        "rewind-.m3u8",
        "rewind-5.m3u8x",
        "timeshift_abs-0.m3u8",
        "timeshift_abs-5.\n#EXTINF:1,\nx.m3u8",
        "timeshift_rel-0x10.m3u8",
    };
    struct hls_past_name name;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(hls_past_parse(bad[i], &name), ERR_INVALID);
}

static void hls_wants_fmp4_by_codec_unless_told(void **state)
{
    (void)state;
    static const struct {
        enum codec codec;
        bool fmp4;
    } cases[] = {
        {CODEC_H264, false}, {CODEC_H265, true}, {CODEC_AAC, false},
        {CODEC_OPUS, true},  {CODEC_AV1, true},  {CODEC_MP3, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tracks tracks = {.count = 2};
        tracks.track[0].codec = CODEC_H264;
        tracks.track[1].codec = cases[i].codec;
        assert_int_equal(hls_wants_fmp4(&tracks, HLS_AUTO), cases[i].fmp4);
        assert_false(hls_wants_fmp4(&tracks, HLS_TS));
        assert_true(hls_wants_fmp4(&tracks, HLS_FMP4));
    }
    assert_false(hls_wants_fmp4(NULL, HLS_AUTO));
}

// ---- live --------------------------------------------------------------------------------------

static void hls_live_lists_the_window_in_both_forms(void **state)
{
    (void)state;
    static const char *const ts[] = {"index", "playlist", "index.ts", "video", "mono"};
    struct web web;
    char path[64];
    web_open(&web, &proto_hls, true);
    web_play(&web, 9000);
    for (size_t i = 0; i < sizeof ts / sizeof ts[0]; i++) {
        snprintf(path, sizeof path, "/main/%s.m3u8", ts[i]);
        assert_int_equal(web_get(&web, path), 200);
        assert_true(golden_equal("hls/served_ts.m3u8", web.client.body));
    }
    assert_string_equal(http_client_header(&web.client, "Content-Type"),
                        "application/vnd.apple.mpegurl");
    assert_string_equal(http_client_header(&web.client, "Cache-Control"), "no-cache");
    assert_int_equal(web_get(&web, "/main/index.fmp4.m3u8"), 200);
    assert_true(golden_equal("hls/served_fmp4.m3u8", web.client.body));
    // It goes on, and each of its segments can be had.
    web_play(&web, 2000);
    assert_int_equal(web_get(&web, "/main/index.m3u8"), 200);
    assert_true(golden_equal("hls/served_ts_later.m3u8", web.client.body));
    assert_int_equal(web_get(&web, "/other/index.m3u8"), 404);
    web_close(&web);
}

static void hls_live_list_of_more_than_sixty_four_segments(void **state)
{
    (void)state;
    struct web web;
    struct stream_conf conf;
    unsigned lines = 0;
    web_open(&web, &proto_hls, true);
    stream_conf_copy(&conf, stream_conf(web.stream));
    conf.segment_count = 100;
    conf.segment_duration_us = US_PER_S;
    stream_configure(web.stream, &conf);
    stream_conf_fini(&conf);
    hand_find("main")->silent = true;
    web_play(&web, 110000);
    web_client_again(&web); // it was idle for too long
    assert_int_equal(web_get(&web, "/main/index.m3u8"), 200);
    for (const char *at = web.client.body; (at = strstr(at, "#EXTINF:")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 100);
    web_close(&web);
}

static void hls_live_on_demand_starts_and_waits_for_the_window(void **state)
{
    (void)state;
    struct web web;
    struct stream_stats stats;
    web_open(&web, &proto_hls, false);
    http_client_ask(&web.client, "GET", "/main/index.m3u8", "");
    web_settle(&web);
    assert_int_equal(hand_pulls, 1);
    web_play(&web, 2000);
    web_settle(&web);
    assert_int_equal(http_server_stats(web.env.http)->status[2], 0);
    web_play(&web, 80);
    assert_int_equal(http_client_wait(&web.client, false), 200);
    assert_non_null(strstr(web.client.body, "#EXTINF:2.000000,\n2026/01/01/"));
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.viewers, 1);
    web_close(&web);
}

static void hls_live_that_does_not_come_is_told_why(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_hls, false);
    http_client_ask(&web.client, "GET", "/main/index.m3u8", "");
    web_settle(&web);
    hand_lost(hand_find("main"));
    loop_fixture_run(web.loop, 11 * US_PER_S);
    assert_int_equal(http_client_wait(&web.client, false), 503);
    assert_non_null(strstr(web.client.body, reason_text(REASON_PEER_CLOSED)));
    // Removed while somebody waits.
    http_client_ask(&web.client, "GET", "/main/index.m3u8", "");
    web_settle(&web);
    stream_close(&web.stream, REASON_CONFIG);
    assert_int_equal(http_client_wait(&web.client, false), 404);
    web_close(&web);
}

static void hls_live_client_gone_while_waiting(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_hls, false);
    web_ask_without_reading(&web, &web.client, "/main/index.m3u8");
    assert_int_equal(hand_pulls, 1);
    web_client_again(&web);
    web_play(&web, 3000); // there is nobody to answer any more
    assert_int_equal(web_get(&web, "/main/index.m3u8"), 200);
    web_close(&web);
}

static void hls_disabled_stream_is_unavailable(void **state)
{
    (void)state;
    struct web web;
    struct stream_conf conf;
    web_open(&web, &proto_hls, true);
    stream_conf_copy(&conf, stream_conf(web.stream));
    conf.disabled = true;
    stream_configure(web.stream, &conf);
    stream_conf_fini(&conf);
    assert_int_equal(web_get(&web, "/main/index.m3u8"), 503);
    web_close(&web);
}

// ---- segments ----------------------------------------------------------------------------------

static void segment_path(char *out, size_t room, const struct segment_info *info,
                         const char *suffix)
{
    char address[64];
    hls_address(info, suffix, address, sizeof address);
    snprintf(out, room, "/main/%s", address);
}

static void hls_segment_from_the_window_is_made_once_and_cached(void **state)
{
    (void)state;
    struct web web;
    char path[128], line[128];
    size_t count;
    web_open(&web, &proto_hls, true);
    web_play(&web, 5000);
    const struct window_entry *window = stream_window(web.stream, &count);
    struct segment *segment = segment_ref(window[0].segment);
    segment_path(path, sizeof path, &segment->info, "ts");
    assert_int_equal(web_get(&web, path), 200);
    const struct chain *ts;
    assert_int_equal(ts_segment(segment, &ts), 0);
    assert_true(body_is(&web, ts));
    assert_string_equal(http_client_header(&web.client, "Content-Type"), "video/mp2t");
    assert_string_equal(http_client_header(&web.client, "Cache-Control"),
                        "public, max-age=86400, immutable");
    snprintf(line, sizeof line, "If-None-Match: %s\r\n", http_client_header(&web.client, "ETag"));
    http_client_ask(&web.client, "GET", path, line);
    assert_int_equal(http_client_wait(&web.client, true), 304);
    assert_int_equal(http_client_get(&web.client, path, "Range: bytes=188-375\r\n"), 206);
    assert_int_equal(web.client.body_length, 188);
    segment_path(path, sizeof path, &segment->info, "m4s");
    assert_int_equal(web_get(&web, path), 200);
    assert_true(body_is(&web, cmaf_segment(segment)));
    assert_string_equal(http_client_header(&web.client, "Content-Type"), "video/mp4");
    segment_path(path, sizeof path, &segment->info, NULL);
    assert_int_equal(web_get(&web, path), 200);
    struct buf *init = cmaf_init_write(segment->tracks);
    assert_int_equal(web.client.body_length, init->length);
    assert_memory_equal(web.client.body, init->data, init->length);
    buf_unref(&init);
    segment_unref(&segment);
    web_close(&web);
}

static void hls_segment_of_the_past_is_read_once_for_all_who_ask(void **state)
{
    (void)state;
    struct web web;
    struct http_client other;
    char path[128];
    web_open(&web, &proto_hls, false);
    web_record(&web, 3, 0);
    struct segment *segment = web.memory.segment[1];
    segment_path(path, sizeof path, &segment->info, "m4s");
    web.memory.silent = true;
    http_client_open(&other, web.loop, http_server_port(web.env.http));
    web_ask_without_reading(&web, &web.client, path);
    web_ask_without_reading(&web, &other, path);
    assert_int_equal(web.memory.reads, 1);
    http_client_close(&other); // one of them goes
    web_settle(&web);
    assert_int_equal(web.memory.cancelled, 0);
    web_client_again(&web); // and the other
    assert_int_equal(web.memory.cancelled, 1);
    web.memory.silent = false;
    assert_int_equal(web_get(&web, path), 200);
    assert_true(body_is(&web, cmaf_segment(segment)));
    segment_path(path, sizeof path, &segment->info, NULL);
    assert_int_equal(web_get(&web, path), 200);
    struct buf *init = cmaf_init_write(segment->tracks);
    assert_int_equal(web.client.body_length, init->length);
    buf_unref(&init);
    assert_int_equal(hand_pulls, 0); // the past starts nothing
    web_close(&web);
}

static void hls_segment_that_is_not_there(void **state)
{
    (void)state;
    static const char *const suffix[] = {"ts", "m4s", NULL};
    struct web web;
    char path[128];
    web_open(&web, &proto_hls, false);
    const struct segment_info info = info_of(1, 777, 2000);
    for (unsigned i = 0; i < 3; i++) {
        segment_path(path, sizeof path, &info, suffix[i]);
        assert_int_equal(web_get(&web, path), 404); // no past at all
    }
    web_record(&web, 1, 0);
    const struct segment_info later = info_of(1, 60000, 2000);
    for (unsigned i = 0; i < 3; i++) {
        segment_path(path, sizeof path, &later, suffix[i]);
        assert_int_equal(web_get(&web, path), 404);
    }
    web.memory.fail = ERR_IO;
    for (unsigned i = 0; i < 3; i++) {
        segment_path(path, sizeof path, &later, suffix[i]);
        assert_int_equal(web_get(&web, path), 503);
    }
    assert_int_equal(web_get(&web, "/main/2026/11/23/00/35/aa.500-1.ts"), 404);
    assert_int_equal(web_get(&web, "/none/2026/11/23/00/35/30.500-1.ts"), 404);
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

static void hls_window_of_the_past_is_a_whole_list(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_hls, false);
    web_record(&web, 6, 3);
    assert_int_equal(get_past(&web, "archive-%lld-3600.m3u8", PAST_S), 200);
    assert_true(golden_equal("hls/archive.m3u8", web.client.body));
    assert_int_equal(get_past(&web, "index-%lld-4.fmp4.m3u8", PAST_S), 200);
    assert_true(golden_equal("hls/archive_fmp4.m3u8", web.client.body));
    assert_int_equal(web.memory.reads, 1); // only the first one's tracks, to choose the form
    assert_int_equal(hand_pulls, 0);
    web_close(&web);
}

static void hls_window_until_now_grows(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_hls, false);
    web_record(&web, 2, 0);
    assert_int_equal(get_past(&web, "archive-%lld-now.m3u8", PAST_S), 200);
    assert_non_null(strstr(web.client.body, "#EXT-X-PLAYLIST-TYPE:EVENT"));
    assert_null(strstr(web.client.body, "#EXT-X-ENDLIST"));
    // One that ends in the future is the same until then.
    int64_t length_s = utc_us() / US_PER_S - PAST_S + 60;
    assert_int_equal(get_past(&web, "archive-%lld-%lld.m3u8", PAST_S, (long long)length_s), 200);
    assert_non_null(strstr(web.client.body, "#EXT-X-PLAYLIST-TYPE:EVENT"));
    loop_fixture_run(web.loop, 120 * US_PER_S);
    web_client_again(&web);
    assert_int_equal(get_past(&web, "archive-%lld-%lld.m3u8", PAST_S, (long long)length_s), 200);
    assert_non_null(strstr(web.client.body, "#EXT-X-ENDLIST"));
    web_close(&web);
}

// Asks for a sliding list; the address of its session, under "/main/", to be asked from then on.
static void begin_session(struct web *web, char address[160], const char *format, ...)
    PRINTF_LIKE(3, 4);

static void begin_session(struct web *web, char address[160], const char *format, ...)
{
    char path[160] = "/main/";
    va_list list;
    va_start(list, format);
    vsnprintf(path + 6, sizeof path - 6, format, list);
    va_end(list);
    assert_int_equal(web_get(web, path), 200);
    const char *inf = strstr(web->client.body, "#EXT-X-STREAM-INF:");
    assert_non_null(inf);
    assert_int_equal(sscanf(strchr(inf, '\n') + 1, "%159s", address), 1);
}

static long long value_of(const struct web *web, const char *tag)
{
    const char *at = strstr(web->client.body, tag);
    long long value;
    return at && sscanf(at + strlen(tag), "%lld", &value) == 1 ? value : -1;
}

static void hls_shifted_lists_move_with_time(void **state)
{
    (void)state;
    struct web web;
    char address[160];
    web_open(&web, &proto_hls, false);
    web_record(&web, 20, 0);
    // As the live list was four segments and a bit after the beginning.
    int64_t ago_s = utc_us() / US_PER_S - PAST_S - 9;
    begin_session(&web, address, "timeshift_rel-%lld.m3u8", (long long)ago_s);
    assert_int_equal(get_past(&web, "%s", address), 200);
    assert_true(golden_equal("hls/timeshift_rel.m3u8", web.client.body));
    loop_fixture_run(web.loop, 2 * US_PER_S);
    assert_int_equal(get_past(&web, "%s", address), 200);
    assert_int_equal(value_of(&web, "#EXT-X-MEDIA-SEQUENCE:"), PAST_S + 2);
    int64_t back_s = utc_us() / US_PER_S - PAST_S;
    begin_session(&web, address, "mono-rewind-%lld.m3u8", (long long)back_s);
    assert_int_equal(get_past(&web, "%s", address), 200);
    assert_int_equal(value_of(&web, "#EXT-X-MEDIA-SEQUENCE:"), PAST_S);
    assert_null(strstr(web.client.body, "#EXT-X-ENDLIST"));
    assert_int_equal(value_of(&web, "#EXT-X-DISCONTINUITY-SEQUENCE:"), -1);
    web_close(&web);
}

// Every segment keeps its discontinuity number while the list slides over a hole.
static void hls_sliding_list_counts_the_discontinuities_that_left(void **state)
{
    (void)state;
    static const char *const names[] = {"timeshift_abs-%lld.m3u8", "timeshift_rel-%lld.m3u8",
                                        "rewind-%lld.m3u8"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        struct web web;
        char address[160], path[160];
        web_open(&web, &proto_hls, false);
        web_record(&web, 12, 4);
        int64_t from_s = n == 0 ? PAST_S + 1 : utc_us() / US_PER_S - PAST_S - 2;
        snprintf(path, sizeof path, names[n], (long long)from_s);
        begin_session(&web, address, "%s", path);
        long long sequence = 0, last = 0;
        for (unsigned i = 0; i < 18; i++) {
            int status = get_past(&web, "%s", address);
            if (status == 404) // a list that begins at its place, before the first whole segment
                assert_true(n == 1 && i < 2);
            long long now = value_of(&web, "#EXT-X-DISCONTINUITY-SEQUENCE:");
            now = now < 0 ? 0 : now;
            if (status == 200) {
                long long first = value_of(&web, "#EXT-X-MEDIA-SEQUENCE:");
                bool marked = strstr(web.client.body, "#EXT-X-DISCONTINUITY\n") != NULL;
                assert_true(first >= sequence && now >= last);
                // The break is before the fifth segment: in the list, or it has left it.
                assert_int_equal(now, first >= PAST_S + 4);
                assert_true(!marked || now == 0);
                sequence = first;
                last = now;
            }
            loop_fixture_run(web.loop, 2 * US_PER_S);
        }
        assert_int_equal(last, 1);
        web_close(&web);
    }
}

static void hls_session_place_stands_in_holes_or_skips_them(void **state)
{
    (void)state;
    const struct history_range ranges[] = {
        {100, 200, REASON_NONE}, {200, 1000, REASON_LOCAL}, {1000, 1100, REASON_NONE}};
    struct hls_session session = {.origin_us = 150, .elapsed_us = 20, .span_us = 40};
    bool waits;
    assert_int_equal(hls_session_place(&session, ranges, 3, &waits), 170);
    assert_false(waits);
    session.elapsed_us = 150; // in the hole
    assert_int_equal(hls_session_place(&session, ranges, 3, &waits), 200);
    assert_true(waits);
    session.elapsed_us = 820; // the media behind it are in the list already
    assert_int_equal(hls_session_place(&session, ranges, 3, &waits), 970);
    assert_false(waits);
    session.ignore_gaps = true;
    session.elapsed_us = 60; // 50 before the hole, 10 behind it
    assert_int_equal(hls_session_place(&session, ranges, 3, &waits), 1010);
    session.elapsed_us = 5000;
    assert_int_equal(hls_session_place(&session, ranges, 3, &waits), 1100);
    assert_true(waits);
    assert_int_equal(hls_session_place(&session, NULL, 0, &waits), 150);
    assert_false(waits);
}

static void hls_timeshift_abs_remembers_nothing(void **state)
{
    (void)state;
    struct web web;
    char address[160], line[128];
    web_open(&web, &proto_hls, false);
    web_record(&web, 20, 0);
    begin_session(&web, address, "mono-timeshift_abs-%lld.m3u8?token=a.b", PAST_S + 1);
    assert_int_equal(strncmp(address, "mono-timeshift_abs-", 19), 0);
    assert_non_null(strstr(address, "?token=a.b&began="));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(get_past(&web, "%s", address), 200);
        snprintf(line, sizeof line, "#EXT-X-MEDIA-SEQUENCE:%lld\n", PAST_S + i);
        assert_non_null(strstr(web.client.body, line));
        loop_fixture_run(web.loop, 2 * US_PER_S);
    }
    web_close(&web);
}

static void hls_past_that_cannot_be_given(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_hls, false);
    assert_int_equal(get_past(&web, "archive-%lld-60.m3u8", PAST_S), 404); // no archive
    web_record(&web, 2, 0);
    assert_int_equal(get_past(&web, "archive-5-60.m3u8"), 404);
    assert_int_equal(get_past(&web, "archive-5-0.m3u8"), 400);
    assert_int_equal(get_past(&web, "archive-a-b.m3u8"), 400);
    assert_int_equal(get_past(&web, "rewind-0.m3u8"), 400);
    assert_int_equal(get_past(&web, "timeshift_abs-5.m3u8?began=9999999999999"), 404);
    assert_int_equal(web_get(&web, "/none/archive-5-60.m3u8"), 404);
    web.memory.fail = ERR_IO;
    assert_int_equal(get_past(&web, "archive-%lld-60.m3u8", PAST_S), 503);
    web_close(&web);
}

static void hls_past_client_gone_cancels(void **state)
{
    (void)state;
    struct web web;
    char path[64];
    web_open(&web, &proto_hls, false);
    web_record(&web, 2, 0);
    web.memory.silent = true;
    snprintf(path, sizeof path, "/main/archive-%lld-60.m3u8", PAST_S);
    web_ask_without_reading(&web, &web.client, path);
    assert_int_equal(web.memory.open, 1);
    web_client_again(&web);
    assert_int_equal(web.memory.open, 0);
    assert_int_equal(web.memory.cancelled, 1);
    // The stream goes while a list is asked for.
    http_client_ask(&web.client, "GET", path, "");
    web_settle(&web);
    stream_close(&web.stream, REASON_CONFIG);
    assert_int_equal(http_client_wait(&web.client, false), 503);
    web_close(&web);
}

TEST_MAIN(TEST(hls_playlist_write_live), TEST(hls_playlist_write_marks_what_does_not_follow),
          TEST(hls_playlist_write_target_is_the_longest_rounded),
          TEST(hls_address_names_start_and_duration),
          TEST(hls_address_parse_refuses_what_is_no_moment), TEST(hls_past_parse_reads_every_name),
          TEST(hls_past_parse_refuses_the_rest), TEST(hls_wants_fmp4_by_codec_unless_told),
          TEST(hls_live_lists_the_window_in_both_forms),
          TEST(hls_live_list_of_more_than_sixty_four_segments),
          TEST(hls_live_on_demand_starts_and_waits_for_the_window),
          TEST(hls_live_that_does_not_come_is_told_why), TEST(hls_live_client_gone_while_waiting),
          TEST(hls_disabled_stream_is_unavailable),
          TEST(hls_segment_from_the_window_is_made_once_and_cached),
          TEST(hls_segment_of_the_past_is_read_once_for_all_who_ask),
          TEST(hls_segment_that_is_not_there), TEST(hls_window_of_the_past_is_a_whole_list),
          TEST(hls_window_until_now_grows), TEST(hls_shifted_lists_move_with_time),
          TEST(hls_sliding_list_counts_the_discontinuities_that_left),
          TEST(hls_session_place_stands_in_holes_or_skips_them),
          TEST(hls_timeshift_abs_remembers_nothing), TEST(hls_past_that_cannot_be_given),
          TEST(hls_past_client_gone_cancels))
