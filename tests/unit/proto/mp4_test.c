// SPDX-License-Identifier: MIT
#include "web_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "format/mp4_file.h"
#include "temp_folder.h"

extern const struct protocol proto_mp4;

static int get_file(struct web *web, int64_t from_s, int64_t duration_s, const char *lines)
{
    char path[128];
    snprintf(path, sizeof path, "/main/archive-%lld-%lld.mp4", (long long)from_s,
             (long long)duration_s);
    return http_client_get(&web->client, path, lines);
}

// The file as the format lays it out from these segments.
static struct buf *file_of(struct web *web, int64_t from_s, int64_t duration_s, unsigned first,
                           unsigned count)
{
    struct mp4_file *file = mp4_file_new(from_s * US_PER_S, (from_s + duration_s) * US_PER_S);
    for (unsigned i = first; i < first + count; i++) {
        struct segment *segment = web->memory.segment[i];
        struct buf *heads = cmaf_segment_heads(segment);
        assert_int_equal(mp4_file_add(file, &segment->info, segment->tracks, buf_bytes(heads)), 0);
        buf_unref(&heads);
    }
    assert_int_equal(mp4_file_finish(file), 0);
    struct chain whole = {0};
    for (uint64_t at = 0; at < mp4_file_length(file);) {
        struct bytes head;
        int segment;
        uint64_t offset, length;
        mp4_file_at(file, at, &head, &segment, &offset, &length);
        if (segment < 0) {
            chain_add_copy(&whole, head.data, head.length);
            at += head.length;
        } else {
            assert_int_equal(mp4_file_payload(web->memory.segment[first + (unsigned)segment],
                                              offset, length, &whole),
                             0);
            at += length;
        }
    }
    struct buf *joined = chain_join(&whole);
    chain_fini(&whole);
    mp4_file_free(&file);
    return joined;
}

static void assert_body(const struct web *web, const struct buf *file, size_t offset, size_t length)
{
    assert_int_equal(web->client.body_length, length);
    assert_memory_equal(web->client.body, file->data + offset, length);
}

static void mp4_file_has_its_length_before_its_first_byte(void **state)
{
    (void)state;
    struct web web;
    char text[32];
    web_open(&web, &proto_mp4, false);
    web_record(&web, 10, 0);
    struct buf *file = file_of(&web, PAST_S + 3, 8, 1, 5);
    assert_int_equal(get_file(&web, PAST_S + 3, 8, ""), 200);
    snprintf(text, sizeof text, "%zu", file->length);
    assert_string_equal(http_client_header(&web.client, "Content-Length"), text);
    assert_string_equal(http_client_header(&web.client, "Content-Type"), "video/mp4");
    assert_string_equal(http_client_header(&web.client, "Accept-Ranges"), "bytes");
    snprintf(text, sizeof text, "main_%lld_8.mp4", PAST_S + 3);
    assert_non_null(strstr(http_client_header(&web.client, "Content-Disposition"), text));
    assert_body(&web, file, 0, file->length);
    assert_int_equal(web.memory.reads, 2); // the tables, then the media once through
    assert_int_equal(hand_pulls, 0);
    struct stream_stats stats;
    web_settle(&web);
    stream_get_stats(web.stream, &stats);
    assert_int_equal(stats.viewers, 0);
    buf_unref(&file);
    web_close(&web);
}

static void mp4_head_reads_only_the_tables(void **state)
{
    (void)state;
    struct web web;
    char path[64], text[32];
    web_open(&web, &proto_mp4, false);
    web_record(&web, 4, 0);
    struct buf *file = file_of(&web, PAST_S, 60, 0, 4);
    snprintf(path, sizeof path, "/main/archive-%lld-60.mp4", PAST_S);
    http_client_ask(&web.client, "HEAD", path, "");
    assert_int_equal(http_client_wait(&web.client, true), 200);
    snprintf(text, sizeof text, "%zu", file->length);
    assert_string_equal(http_client_header(&web.client, "Content-Length"), text);
    assert_int_equal(web.memory.reads, 1);
    buf_unref(&file);
    web_close(&web);
}

static void mp4_ranges_are_the_same_bytes(void **state)
{
    (void)state;
    struct web web;
    char line[128];
    web_open(&web, &proto_mp4, false);
    web_record(&web, 5, 0);
    struct buf *file = file_of(&web, PAST_S, 60, 0, 5);
    size_t size = file->length;
    const size_t ranges[][2] = {
        {0, 0},
        {0, 99},
        {50, size / 2},
        {size / 2, size - 1},
        {size - 1, size - 1},
        {size - 20000, size - 10000},
        {100, 200},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        snprintf(line, sizeof line, "Range: bytes=%zu-%zu\r\n", ranges[i][0], ranges[i][1]);
        assert_int_equal(get_file(&web, PAST_S, 60, line), 206);
        assert_body(&web, file, ranges[i][0], ranges[i][1] - ranges[i][0] + 1);
    }
    // A range in the middle begins with the segment it lies in.
    web.memory.given = 0;
    snprintf(line, sizeof line, "Range: bytes=%zu-%zu\r\n", size - 100, size - 1);
    assert_int_equal(get_file(&web, PAST_S, 60, line), 206);
    assert_int_equal(web.memory.given, 5 + 1); // five tables, one segment
    snprintf(line, sizeof line, "Range: bytes=%zu-\r\n", size);
    assert_int_equal(get_file(&web, PAST_S, 60, line), 416);
    buf_unref(&file);
    web_close(&web);
}

static void mp4_file_of_the_same_stretch_has_one_name(void **state)
{
    (void)state;
    struct web web;
    char line[160], path[64];
    web_open(&web, &proto_mp4, false);
    web_record(&web, 5, 0);
    assert_int_equal(get_file(&web, PAST_S, 6, ""), 200);
    snprintf(line, sizeof line, "If-None-Match: %s\r\n", http_client_header(&web.client, "ETag"));
    snprintf(path, sizeof path, "/main/archive-%lld-6.mp4", PAST_S);
    http_client_ask(&web.client, "GET", path, line);
    assert_int_equal(http_client_wait(&web.client, true), 304);
    assert_int_equal(get_file(&web, PAST_S, 8, line), 200);
    web_close(&web);
}

static void mp4_file_goes_on_where_the_tracks_change(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mp4, false);
    web_record(&web, 3, 0);
    struct tracks *other = hand_tracks_new(1, true);
    other->generation = 6;
    for (unsigned i = 3; i < 6; i++) {
        struct segment *segment =
            hand_segment(other, (uint64_t)PAST_S + i, PAST_US + i * 2 * US_PER_S, 50, 300);
        memory_history_add(&web.memory, &segment);
    }
    tracks_unref(&other);
    struct buf *file = file_of(&web, PAST_S, 60, 0, 6);
    assert_int_equal(get_file(&web, PAST_S, 60, ""), 200);
    assert_body(&web, file, 0, file->length);
    assert_int_equal(web.memory.given, 2 * 6); // tables and media, each once
    // Parameter sets stand between the segments: every byte is the same from whatever range.
    char line[64];
    for (size_t at = file->length - 6 * 40000; at < file->length; at += 997) {
        size_t last = at + 2000 < file->length ? at + 2000 : file->length - 1;
        snprintf(line, sizeof line, "Range: bytes=%zu-%zu\r\n", at, last);
        assert_int_equal(get_file(&web, PAST_S, 60, line), 206);
        assert_body(&web, file, at, last - at + 1);
    }
    buf_unref(&file);
    web_close(&web);
}

static void mp4_file_goes_as_fast_as_the_client_takes_it(void **state)
{
    (void)state;
    struct web web;
    char path[64];
    web_open(&web, &proto_mp4, false);
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
    struct buf *file = file_of(&web, PAST_S, 60, 0, 30);
    conn_pause(web.client.end.conn, true);
    snprintf(path, sizeof path, "/main/archive-%lld-60.mp4", PAST_S);
    http_client_ask(&web.client, "GET", path, "");
    web_settle(&web);
    web_settle(&web);
    assert_true(web.memory.given < 30 + 20);
    conn_pause(web.client.end.conn, false);
    assert_int_equal(http_client_wait(&web.client, false), 200);
    assert_body(&web, file, 0, file->length);
    buf_unref(&file);
    web_close(&web);
}

static void mp4_segment_gone_during_the_download_cuts_it(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mp4, false);
    web_record(&web, 5, 0);
    struct buf *file = file_of(&web, PAST_S, 60, 0, 5);
    web.memory.lose = 3; // after the tables were read
    assert_int_equal(get_file(&web, PAST_S, 60, ""), 200);
    assert_true(web.client.cut); // not as if it were whole
    assert_true(web.client.body_length < file->length);
    assert_memory_equal(web.client.body, file->data, web.client.body_length);
    buf_unref(&file);
    web_close(&web);
}

// From a holder that has less of it than the one whose tables were read, or more.
static void mp4_segment_of_another_kind_cuts_the_download(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mp4, false);
    web_record(&web, 5, 0);
    web.memory.thin = 3; // after the tables were read
    assert_int_equal(get_file(&web, PAST_S, 60, ""), 200);
    assert_true(web.client.cut);
    web_close(&web);
}

static void mp4_archive_that_fails_among_the_tables_is_told(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mp4, false);
    web_record(&web, 5, 0);
    web.memory.fail = ERR_IO;
    web.memory.fail_after = 2; // of the tables: there is no file then
    assert_int_equal(get_file(&web, PAST_S, 60, ""), 503);
    web_close(&web);
}

static void mp4_client_gone_cancels(void **state)
{
    (void)state;
    struct web web;
    char path[64];
    web_open(&web, &proto_mp4, false);
    web_record(&web, 5, 0);
    web.memory.silent = true;
    snprintf(path, sizeof path, "/main/archive-%lld-60.mp4", PAST_S);
    web_ask_without_reading(&web, &web.client, path);
    assert_int_equal(web.memory.open, 1);
    web_client_again(&web);
    assert_int_equal(web.memory.open, 0);
    web_close(&web);
}

static void mp4_stream_removed_during_the_download(void **state)
{
    (void)state;
    struct web web;
    char path[64];
    web_open(&web, &proto_mp4, false);
    web_record(&web, 5, 0);
    web.memory.silent = true;
    snprintf(path, sizeof path, "/main/archive-%lld-60.mp4", PAST_S);
    http_client_ask(&web.client, "GET", path, "");
    web_settle(&web);
    stream_close(&web.stream, REASON_CONFIG);
    assert_int_equal(http_client_wait(&web.client, false), 503);
    web_close(&web);
}

static void mp4_that_cannot_be_given(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mp4, false);
    assert_int_equal(get_file(&web, PAST_S, 60, ""), 404); // no archive
    web_record(&web, 2, 0);
    assert_int_equal(get_file(&web, 5, 60, ""), 404);
    assert_int_equal(get_file(&web, PAST_S, 0, ""), 400);
    assert_int_equal(get_file(&web, 0, 5, ""), 400);
    assert_int_equal(get_file(&web, PAST_S, 12 * 3600 + 1, ""), 400);
    assert_int_equal(web_get(&web, "/main/archive-a-5.mp4"), 400);
    assert_int_equal(web_get(&web, "/main/archive-5-5x.mp4"), 400);
    assert_int_equal(web_get(&web, "/none/archive-5-5.mp4"), 404);
    web.memory.fail = ERR_IO;
    assert_int_equal(get_file(&web, PAST_S, 60, ""), 503);
    web_close(&web);
}

static void mp4_timelapse_is_the_key_frames_alone(void **state)
{
    (void)state;
    struct web web;
    char path[128], range[256], etag[128];
    web_open(&web, &proto_mp4, false);
    web_record(&web, 10, 4);
    snprintf(path, sizeof path, "/main/archive-%lld-60.mp4?timelapse=20", PAST_S);
    assert_int_equal(web_get(&web, path), 200);
    size_t length = web.client.body_length;
    uint8_t *whole = mem_dup(web.client.body, length);
    snprintf(etag, sizeof etag, "%s", http_client_header(&web.client, "ETag"));
    // At the end of the file stand the key frames one after another: ten, the first of each
    // segment.
    size_t at = length;
    for (unsigned i = 10; i-- > 0;) {
        const struct frame *key = web.memory.segment[i]->frames[0];
        assert_true(frame_is_key(key));
        at -= key->length;
        assert_memory_equal(whole + at, frame_data(key), key->length);
    }
    assert_memory_equal(whole + at - 4, "mdat", 4);
    // Any range of it, across pieces of several segments.
    size_t from = at + 3, to = length - 5;
    snprintf(range, sizeof range, "Range: bytes=%zu-%zu\r\nIf-Range: %s\r\n", from, to, etag);
    assert_int_equal(http_client_get(&web.client, path, range), 206);
    assert_int_equal(web.client.body_length, to - from + 1);
    assert_memory_equal(web.client.body, whole + from, to - from + 1);
    mem_free(whole);
    snprintf(path, sizeof path, "/main/archive-%lld-60.mp4?timelapse", PAST_S);
    assert_int_equal(web_get(&web, path), 200);
    assert_true(strcmp(etag, http_client_header(&web.client, "ETag")) != 0);
    snprintf(path, sizeof path, "/main/archive-%lld-60.mp4?timelapse=x", PAST_S);
    assert_int_equal(web_get(&web, path), 400);
    web_close(&web);
}

static void expect_picture(const struct web *web, const struct frame *key)
{
    assert_string_equal(http_client_header(&web->client, "Content-Type"), "video/mp4");
    assert_memory_equal(web->client.body + 4, "ftyp", 4);
    assert_memory_equal(web->client.body + web->client.body_length - key->length, frame_data(key),
                        key->length);
}

static void mp4_preview_of_the_past_is_what_was_shown_then(void **state)
{
    (void)state;
    struct web web;
    char path[128];
    web_open(&web, &proto_mp4, false);
    assert_int_equal(web_get(&web, "/main/5-preview.mp4"), 404);
    web_record(&web, 6, 3);
    snprintf(path, sizeof path, "/main/%lld-preview.mp4", PAST_S + 3); // segments begin at .5
    assert_int_equal(web_get(&web, path), 200);
    expect_picture(&web, web.memory.segment[1]->frames[0]);
    assert_int_equal(web_get(&web, "/main/2025/11/23/00/35/33-preview.mp4"), 200);
    expect_picture(&web, web.memory.segment[1]->frames[0]);
    // In the hole: what comes soon.
    snprintf(path, sizeof path, "/main/%lld-preview.mp4", PAST_S + 10);
    assert_int_equal(web_get(&web, path), 200);
    expect_picture(&web, web.memory.segment[3]->frames[0]);
    // And right behind the last segment before it, of which nothing is shown any more.
    snprintf(path, sizeof path, "/main/%lld-preview.mp4", PAST_S + 7);
    assert_int_equal(web_get(&web, path), 200);
    expect_picture(&web, web.memory.segment[3]->frames[0]);
    assert_int_equal(web_get(&web, "/main/5-preview.mp4"), 404);
    assert_int_equal(web_get(&web, "/main/x-preview.mp4"), 400);
    assert_int_equal(web_get(&web, "/main/2026/13/23/00/35/33-preview.mp4"), 400);
    assert_int_equal(web_get(&web, "/none/5-preview.mp4"), 404);
    web.memory.fail = ERR_IO;
    snprintf(path, sizeof path, "/main/%lld-preview.mp4", PAST_S + 3);
    assert_int_equal(web_get(&web, path), 503);
    web_close(&web);
}

// With B frames a segment's first picture is shown after the segment has begun.
static void mp4_of_a_moment_before_a_first_picture_has_the_one_before(void **state)
{
    (void)state;
    struct web web;
    char path[128];
    web_open(&web, &proto_mp4, false);
    web_record(&web, 6, 0); // from .5 s on, each 2 s
    for (unsigned i = 0; i < 6; i++)
        for (unsigned k = 0; k < web.memory.segment[i]->frame_count; k++)
            web.memory.segment[i]->frames[k]->cts = 54000; // 0.6 s
    static const struct {
        int64_t at_s;
        unsigned segment;
    } wanted[] = {
        {PAST_S + 1, 0}, {PAST_S + 2, 0}, {PAST_S + 3, 0}, {PAST_S + 4, 1}, {PAST_S + 5, 1}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        snprintf(path, sizeof path, "/main/%lld-preview.mp4", (long long)wanted[i].at_s);
        assert_int_equal(web_get(&web, path), 200);
        expect_picture(&web, web.memory.segment[wanted[i].segment]->frames[0]);
    }
    struct buf *file = file_of(&web, PAST_S + 3, 4, 0, 4);
    assert_int_equal(get_file(&web, PAST_S + 3, 4, ""), 200);
    assert_body(&web, file, 0, file->length);
    buf_unref(&file);
    web_close(&web);
}

static void mp4_preview_is_the_newest_key_frame(void **state)
{
    (void)state;
    struct web web;
    web_open(&web, &proto_mp4, true);
    web_play(&web, 3000);
    assert_int_equal(web_get(&web, "/main/preview.mp4"), 200);
    assert_memory_equal(web.client.body + 4, "ftyp", 4);
    assert_string_equal(http_client_header(&web.client, "Cache-Control"), "no-cache");
    assert_int_equal(web_get(&web, "/none/preview.mp4"), 404);
    web_close(&web);
}

static int ask_by(struct http_client *client, const char *method, const char *path)
{
    http_client_ask(client, method, path, "Content-Length: 0\r\n");
    return http_client_wait(client, false);
}

// ---- exports -----------------------------------------------------------------------------------

static void open_exports(struct web *web, struct temp_folder *folder)
{
    web_open(web, &proto_mp4, false);
    temp_folder_make(folder);
    web->env.export_path = folder->path;
}

static void close_exports(struct web *web, struct temp_folder *folder)
{
    web_close(web);
    temp_folder_remove(folder);
}

static void post_export(struct web *web, int64_t from_s, const char *name, int status)
{
    char path[200];
    snprintf(path, sizeof path,
             "/streamer/api/v3/streams/main/dvr/export?from=%lld&duration=8&path=%s",
             (long long)from_s, name);
    assert_int_equal(ask_by(&web->client, "POST", path), status);
}

// Turns the loop until the job says this.
static void expect_job(struct web *web, unsigned id, const char *word)
{
    char path[64];
    snprintf(path, sizeof path, "/streamer/api/v3/dvr_export_jobs/%u", id);
    for (unsigned i = 0; i < 1000000; i++) {
        loop_turn(web->loop, false);
        if (i % 50)
            continue;
        assert_int_equal(web_get(web, path), 200);
        if (strstr(web->client.body, word))
            return;
    }
    fail();
}

// Files are removed by the workers, in their own time.
static void expect_gone(struct web *web, const char *path)
{
    for (unsigned i = 0; i < 1000000; i++) {
        loop_turn(web->loop, false);
        if (access(path, F_OK) != 0)
            return;
    }
    fail();
}

static void mp4_export_is_the_file_that_would_be_downloaded(void **state)
{
    (void)state;
    struct web web;
    struct temp_folder folder;
    char path[128];
    open_exports(&web, &folder);
    web_record(&web, 10, 4);
    // Left by a server that was killed.
    assert_int_equal(mkdir(temp_path(&folder, "new"), 0755), 0);
    FILE *left = fopen(temp_path(&folder, "new/one.mp4.part"), "w");
    assert_non_null(left);
    fclose(left);
    post_export(&web, PAST_S + 3, "new/one.mp4", 200);
    assert_non_null(strstr(web.client.body, "\"id\":1"));
    http_client_close(&web.client); // it goes on without its client
    http_client_open(&web.client, web.loop, http_server_port(web.env.http));
    expect_job(&web, 1, "\"status\":\"done\"");
    assert_int_equal(get_file(&web, PAST_S + 3, 8, ""), 200);
    FILE *file = fopen(temp_path(&folder, "new/one.mp4"), "rb");
    assert_non_null(file);
    uint8_t *bytes = mem_alloc(web.client.body_length + 1);
    assert_int_equal(fread(bytes, 1, web.client.body_length + 1, file), web.client.body_length);
    assert_memory_equal(bytes, web.client.body, web.client.body_length);
    fclose(file);
    mem_free(bytes);
    assert_int_not_equal(access(temp_path(&folder, "new/one.mp4.part"), F_OK), 0);
    // The same name again: what is there stays.
    snprintf(path, sizeof path, "/main/save-mp4-%lld-4?file=new/one.mp4", PAST_S);
    assert_int_equal(web_get(&web, path), 200);
    expect_job(&web, 2, "a file of this name is there");
    assert_int_equal(web_get(&web, "/streamer/api/v3/dvr_export_jobs"), 200);
    assert_non_null(strstr(web.client.body, "\"id\":1"));
    assert_int_equal(ask_by(&web.client, "DELETE", "/streamer/api/v3/dvr_export_jobs/1"), 204);
    assert_int_equal(web_get(&web, "/streamer/api/v3/dvr_export_jobs/1"), 404);
    close_exports(&web, &folder);
}

static void mp4_export_that_fails_or_is_cancelled_leaves_nothing(void **state)
{
    (void)state;
    struct web web;
    struct temp_folder folder;
    char path[64];
    open_exports(&web, &folder);
    web_record(&web, 10, 0);
    web.memory.lose = 3; // gone between the tables and the media
    post_export(&web, PAST_S + 1, "two.mp4", 200);
    assert_int_equal(sscanf(strstr(web.client.body, "\"id\":"), "\"id\":%63[0-9]", path), 1);
    unsigned id = 0;
    assert_int_equal(sscanf(path, "%u", &id), 1);
    expect_job(&web, id, "\"status\":\"failed\"");
    web.memory.lose = 0;
    web.memory.silent = true;
    post_export(&web, PAST_S + 5, "two.mp4", 200);
    web_settle(&web);
    post_export(&web, PAST_S + 5, "two.mp4", 409); // under way
    snprintf(path, sizeof path, "/streamer/api/v3/dvr_export_jobs/%u", id + 1);
    assert_int_equal(ask_by(&web.client, "DELETE", path), 204);
    expect_job(&web, id + 1, "\"status\":\"cancelled\"");
    assert_int_equal(web.memory.open, 0);
    for (unsigned i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%u.mp4", i);
        post_export(&web, PAST_S + 5, name, 200);
    }
    post_export(&web, PAST_S + 5, "five.mp4", 503); // bounded; they are cancelled at the end
    web_settle(&web);
    assert_int_not_equal(access(temp_path(&folder, "two.mp4"), F_OK), 0);
    expect_gone(&web, temp_path(&folder, "two.mp4.part"));
    close_exports(&web, &folder);
}

static void mp4_export_writes_only_where_it_may(void **state)
{
    (void)state;
    static const char *const bad[] = {"../x.mp4", "/etc/x.mp4", "a//b.mp4", "a/.x.mp4", ".mp4",
                                      "x.ts",     "a%20b.mp4",  "a/.mp4",   "x%00.mp4", ""};
    struct web web;
    struct temp_folder folder;
    open_exports(&web, &folder);
    post_export(&web, PAST_S, "x.mp4", 404); // no archive
    web_record(&web, 2, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        post_export(&web, PAST_S, bad[i], 400);
    assert_int_equal(web_get(&web, "/main/save-mp4-5-0?file=x.mp4"), 400);
    assert_int_equal(web_get(&web, "/main/save-mp4-5-5"), 400);
    web.env.export_path = "";
    post_export(&web, PAST_S, "x.mp4", 403);
    assert_non_null(strstr(web.client.body, "export_path"));
    assert_int_equal(web_get(&web, "/main/save-mp4-5-5?file=x.mp4"), 403);
    close_exports(&web, &folder);
}

TEST_MAIN(TEST(mp4_file_has_its_length_before_its_first_byte), TEST(mp4_head_reads_only_the_tables),
          TEST(mp4_ranges_are_the_same_bytes), TEST(mp4_file_of_the_same_stretch_has_one_name),
          TEST(mp4_file_goes_on_where_the_tracks_change),
          TEST(mp4_file_goes_as_fast_as_the_client_takes_it),
          TEST(mp4_segment_gone_during_the_download_cuts_it),
          TEST(mp4_segment_of_another_kind_cuts_the_download),
          TEST(mp4_archive_that_fails_among_the_tables_is_told), TEST(mp4_client_gone_cancels),
          TEST(mp4_stream_removed_during_the_download), TEST(mp4_that_cannot_be_given),
          TEST(mp4_timelapse_is_the_key_frames_alone),
          TEST(mp4_preview_of_the_past_is_what_was_shown_then),
          TEST(mp4_of_a_moment_before_a_first_picture_has_the_one_before),
          TEST(mp4_preview_is_the_newest_key_frame),
          TEST(mp4_export_is_the_file_that_would_be_downloaded),
          TEST(mp4_export_that_fails_or_is_cancelled_leaves_nothing),
          TEST(mp4_export_writes_only_where_it_may))
