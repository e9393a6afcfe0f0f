// SPDX-License-Identifier: MIT
#include "cmaf_fixture.h"

#include "base/text.h"
#include "golden.h"
#include "media_file.h"

#include "cmaf_priv.h"
#include "mp4_box.h"

// ---- a listing of boxes
// ---------------------------------------------------------------------------

static bool is_container(uint32_t type)
{
    static const char *const name[] = {"moov", "trak", "edts", "mdia", "minf",
                                       "dinf", "stbl", "mvex", "moof", "traf"};
    for (unsigned i = 0; i < sizeof(name) / sizeof(*name); i++)
        if (type == MP4_TYPE(name[i]))
            return true;
    return false;
}

static void list_boxes(struct bytes in, unsigned depth, char *out, size_t room)
{
    struct mp4_box box;
    while (mp4_box_next(&in, &box) == 0) {
        text_append(out, room, "%*s%.4s %zu\n", (int)depth * 2, "",
                    (const char *)box.whole.data + 4, box.whole.length);
        if (is_container(box.type)) {
            list_boxes(box.body, depth + 1, out, room);
            continue;
        }
        for (size_t at = 0; at < box.body.length; at += 16) {
            size_t left = box.body.length - at;
            text_append(out, room, "%*s", (int)depth * 2 + 2, "");
            assert_true(golden_hex(out, room, box.body.data + at, left < 16 ? left : 16));
            text_append(out, room, "\n");
        }
    }
    assert_int_equal(in.length, 0);
}

static void assert_golden(const char *path, struct bytes bytes)
{
    static char text[20000];
    text[0] = 0;
    list_boxes(bytes, 0, text, sizeof(text));
    assert_true(golden_equal(path, text));
}

// ---- the init segment
// -----------------------------------------------------------------------------

static void cmaf_init_write_camera_is_golden(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *init = cmaf_init_write(tracks);
    assert_golden("fragment/init.txt", buf_bytes(init));
    buf_unref(&init);
    tracks_unref(&tracks);
}

static struct tracks *all_codecs(void)
{
    struct track track[10] = {h264_track_of(AVCC), h265_track_of(HVCC), aac_track_of("1188"),
                              g711_track_of(CODEC_PCMA), g711_track_of(CODEC_PCMU)};
    track[0].fps_num = track[0].fps_den = 0; // the configuration knows better, the list rules
    track[1].fps_num = 30000;
    track[1].fps_den = 1001;
    text_copy(track[2].language, 4, "deu");
    assert_int_equal(opus_track_make(6, 312, &track[5]), 0);
    track_init(&track[6], CODEC_MP3);
    track[6].timescale = track[6].sample_rate = 44100;
    track[6].channels = 2;
    track_init(&track[7], CODEC_AV1);
    track[7].timescale = 90000;
    track[7].width = 320;
    track[7].height = 240;
    track[7].config = buf_of_hex("81000c000a0b00000024cf7f0dbfff3008");
    track_init(&track[8], CODEC_OTHER_AUDIO);
    track[8].timescale = track[8].sample_rate = 48000;
    track[8].channels = 2;
    track[8].sample_entry = buf_of_hex("00000030"
                                       "61632d33" // ac-3
                                       "000000000000000100000000000000000002001000000000bb800000"
                                       "0000000c64616333f0112233");
    track_init(&track[9], CODEC_OTHER_VIDEO);
    track[9].timescale = 12800;
    track[9].width = 16;
    track[9].height = 32;
    struct buf *entry = track[9].sample_entry = buf_new(86);
    memset(entry->data, 0x5a, 86);
    memcpy(entry->data, "\0\0\0\x56vp09", 8);
    memcpy(entry->data + 32, "\0\x10\0\x20", 4); // as above
    entry->length = 86;
    return tracks_new(track, 10);
}

static void cmaf_init_write_every_codec_comes_back_equal(void **state)
{
    (void)state;
    struct tracks *tracks = all_codecs(), *again;
    struct buf *init = cmaf_init_write(tracks);
    assert_int_equal(cmaf_init_parse(buf_bytes(init), &again), 0);
    assert_true(tracks_equal(tracks, again));
    assert_string_equal(again->track[2].language, "deu");
    assert_string_equal(again->track[3].language, "und");
    assert_int_equal(again->track[0].fps_num, 0);
    struct buf *second = cmaf_init_write(again);
    assert_int_equal(second->length, init->length);
    assert_memory_equal(second->data, init->data, init->length);
    buf_unref(&second);
    buf_unref(&init);
    tracks_unref(&again);
    tracks_unref(&tracks);
}

static void cmaf_init_write_at_adds_only_edit_lists(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks(), *again;
    struct buf *plain = cmaf_init_write(tracks), *file = cmaf_init_write_at(tracks, START_US);
    assert_int_equal(file->length, plain->length + 2 * 44);
    assert_int_equal(cmaf_init_parse(buf_bytes(file), &again), 0);
    assert_true(tracks_equal(tracks, again));
    uint8_t elst[28] = {'e', 'l', 's', 't', 1, 0, 0, 0, 0, 0, 0, 1};
    uint64_t ticks = (uint64_t)ticks_from_us(START_US, 48000);
    for (unsigned i = 0; i < 8; i++)
        elst[20 + i] = (uint8_t)(ticks >> (56 - 8 * i));
    assert_non_null(memmem(file->data, file->length, elst, sizeof(elst)));
    tracks_unref(&again);
    buf_unref(&plain);
    buf_unref(&file);
    tracks_unref(&tracks);
}

// ---- chunks
// ---------------------------------------------------------------------------------------

static void cmaf_chunk_write_camera_is_golden(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct frames frames = {0};
    camera_frames(&frames, 0, 200000, 50);
    frames.frame[2]->flags |= FRAME_DISCONTINUITY;
    struct buf *chunk = chunk_of(tracks, &frames);
    assert_golden("fragment/chunk.txt", buf_bytes(chunk));
    buf_unref(&chunk);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static void cmaf_chunk_write_b_frames_are_golden(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct frames frames = {0};
    static const int32_t cts[] = {7200, -3600, 0, 3600};
    for (unsigned i = 0; i < 4; i++) {
        frames_add(&frames,
                   frame_make(0, i, 1000000 + 3600 * (int)i, 6, i & 1 ? 0 : FRAME_DROPPABLE));
        frames.frame[i]->cts = cts[i];
    }
    struct buf *chunk = chunk_of(tracks, &frames);
    assert_golden("fragment/b_frames.txt", buf_bytes(chunk));
    buf_unref(&chunk);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static void cmaf_chunk_write_prft_speaks_of_the_leading_track(void **state)
{
    (void)state;
    struct track track[2] = {aac_track_of("1188"), h264_track_of(AVCC)};
    struct tracks *tracks = tracks_new(track, 2);
    struct frames frames = {0};
    frames_add(&frames, frame_make(0, 0, 48000, 6, FRAME_KEY));
    frames_add(&frames, frame_make(1, 0, 90000 * 3, 6, FRAME_KEY));
    struct buf *chunk = chunk_of(tracks, &frames);
    const uint8_t *prft = chunk->data + CMAF_UUID_SIZE;
    assert_int_equal(mp4_u32_at(prft + 12), 2);
    assert_int_equal(mp4_u64_at(prft + 16), cmaf_ntp_time(3, 1));
    assert_int_equal(mp4_u64_at(prft + 24), 90000 * 3);
    buf_unref(&chunk);
    frame_unref(&frames.frame[1]); // without it, of what there is
    frames.count = 1;
    chunk = chunk_of(tracks, &frames);
    assert_int_equal(mp4_u32_at(chunk->data + CMAF_UUID_SIZE + 12), 1);
    buf_unref(&chunk);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static struct cmaf_head head_of(const struct tracks *tracks, struct buf *chunk)
{
    struct cmaf_head head;
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), 0);
    return head;
}

static void cmaf_chunk_write_half_a_second_costs_what_the_page_says(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct frames frames = {0};
    for (int i = 0; i < 13; i++)
        frames_add(&frames, frame_make(0, 0, 3600 * i, 100 + (uint32_t)i, i ? 0 : FRAME_KEY));
    for (int i = 0; i < 24; i++)
        frames_add(&frames, frame_make(1, 0, 1024 * i, 10 + (uint32_t)i, FRAME_KEY));
    struct buf *chunk = chunk_of(tracks, &frames);
    assert_int_equal(head_of(tracks, chunk).head_length, 116 + 120 + 160);
    buf_unref(&chunk);
    for (unsigned i = 0; i < 24; i++)
        frames.frame[13 + i]->length = 10;
    frames.frame[0]->flags = 0;
    chunk = chunk_of(tracks, &frames);
    assert_int_equal(head_of(tracks, chunk).head_length, 116 + 116 + 68);
    buf_unref(&chunk);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static void cmaf_chunk_write_payload_is_by_reference_and_by_track(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct frames frames = {0};
    struct segment_info info = {.number = 1};
    struct chain chain = {0};
    camera_frames(&frames, 0, 100000, 50); // V A V A A V A A
    cmaf_chunk_write(tracks, frames.frame, frames.count, &info, 0, &chain);
    assert_int_equal(chain.count, frames.count + 1);
    size_t slice = 1;
    for (unsigned track = 0; track < 2; track++)
        for (unsigned i = 0; i < frames.count; i++)
            if (frames.frame[i]->track == track)
                assert_ptr_equal(chain.slices[slice++].buf, frames.frame[i]->buf);
    assert_int_equal(slice, chain.count);
    chain_fini(&chain);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static void cmaf_chunk_write_equal_frames_give_equal_bytes(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks(), *copy = camera_tracks();
    struct frames one = {0}, two = {0};
    camera_frames(&one, 0, 500000, 50);
    camera_frames(&two, 0, 500000, 50);
    // In which order tracks are interleaved, and what else a frame carries, leaves no trace.
    struct frame *swap = two.frame[0];
    two.frame[0] = two.frame[1];
    two.frame[1] = swap;
    two.frame[3]->seq = 99;
    two.frame[3]->arrived_us = 99;
    two.frame[3]->flags |= FRAME_SEGMENT;
    copy->generation = 12;
    struct buf *first = chunk_of(tracks, &one), *second = chunk_of(copy, &two);
    assert_int_equal(first->length, second->length);
    assert_memory_equal(first->data, second->data, first->length);
    buf_unref(&first);
    buf_unref(&second);
    frames_drop(&one);
    frames_drop(&two);
    tracks_unref(&copy);
    tracks_unref(&tracks);
}

static int note_duration(void *arg, const struct cmaf_sample *sample)
{
    uint32_t **at = arg;
    *(*at)++ = sample->duration;
    return 0;
}

static void assert_durations(const struct tracks *tracks, const struct frames *frames,
                             const uint32_t *wanted)
{
    uint32_t found[16], *at = found;
    struct buf *chunk = chunk_of(tracks, frames);
    assert_int_equal(cmaf_samples_parse(buf_bytes(chunk), tracks, note_duration, &at), 0);
    assert_int_equal(at - found, frames->count);
    assert_memory_equal(found, wanted, frames->count * sizeof(*wanted));
    buf_unref(&chunk);
}

static void cmaf_chunk_write_durations_follow_the_rule(void **state)
{
    (void)state;
    struct track track[2] = {h264_track_of(AVCC), g711_track_of(CODEC_PCMA)};
    track[0].fps_num = 30;
    struct tracks *tracks = tracks_new(track, 2);
    struct frames frames = {0};
    // The distance to the next; for the last one its own duration.
    frames_add(&frames, frame_make(0, 0, 1000, 4, FRAME_KEY))->duration = 77;
    frames_add(&frames, frame_make(0, 1, 1500, 4, 0));
    frames_add(&frames, frame_make(0, 2, 1900, 4, 0))->duration = 123;
    assert_durations(tracks, &frames, (uint32_t[]){500, 400, 123});
    // Without one, the distance before it.
    frames.frame[2]->duration = 0;
    assert_durations(tracks, &frames, (uint32_t[]){500, 400, 400});
    // Time that stands still, runs back, or leaps further than a field can say.
    frames.frame[1]->dts = 1000;
    frames.frame[2]->dts = 900;
    assert_durations(tracks, &frames, (uint32_t[]){0, 0, 3000});
    frames.frame[1]->dts = INT64_MAX;
    assert_durations(tracks, &frames, (uint32_t[]){UINT32_MAX, 0, 3000});
    frames_drop(&frames);
    // Alone: the usual one of the track, or 1/25 s.
    frames_add(&frames, frame_make(0, 0, 1000, 4, FRAME_KEY));
    frames_add(&frames, frame_make(1, 0, 1000, 4, FRAME_KEY));
    assert_durations(tracks, &frames, (uint32_t[]){3000, 320});
    frames_drop(&frames);
    tracks_unref(&tracks);
}

struct copies {
    struct cmaf_sample sample[16];
    unsigned count;
};

static int note_sample(void *arg, const struct cmaf_sample *sample)
{
    struct copies *copies = arg;
    copies->sample[copies->count++] = *sample;
    return 0;
}

static void cmaf_chunk_write_flags_and_offsets_in_every_form(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    static const uint8_t flags[][4] = {
        {FRAME_KEY, 0, 0, 0},                           // first-sample-flags
        {0, 0, 0, 0},                                   // the default of trex
        {FRAME_KEY, FRAME_KEY, FRAME_KEY, FRAME_KEY},   // one default
        {0, FRAME_DROPPABLE, FRAME_KEY, FRAME_CORRUPT}, // each
        {FRAME_KEY | FRAME_DISCONTINUITY, FRAME_DROPPABLE, FRAME_DROPPABLE, FRAME_DROPPABLE},
    };
    static const int32_t cts[][4] = {{0, 0, 0, 0}, {7200, 0, -3600, 3600}, {3600, 1, 2, 3}};
    for (unsigned f = 0; f < 5; f++) {
        for (unsigned c = 0; c < 3; c++) {
            for (unsigned most = 1; most <= 4; most++) {
                struct frames frames = {0};
                for (unsigned i = 0; i < most; i++) {
                    uint32_t length = c == 1 ? 9 : 9 + i;
                    frames_add(&frames, frame_make(0, i, 1000 + 3600 * i, length, flags[f][i]));
                    frames.frame[i]->cts = cts[c][i];
                }
                struct buf *chunk = chunk_of(tracks, &frames);
                struct copies copies = {0};
                assert_int_equal(cmaf_samples_parse(buf_bytes(chunk), tracks, note_sample, &copies),
                                 0);
                assert_int_equal(copies.count, most);
                for (unsigned i = 0; i < most; i++) {
                    const struct cmaf_sample *sample = &copies.sample[i];
                    assert_int_equal(sample->flags, flags[f][i]);
                    assert_int_equal(sample->cts, cts[c][i]);
                    assert_int_equal(sample->dts, 1000 + 3600 * (int)i);
                    assert_int_equal(sample->length, frames.frame[i]->length);
                    assert_memory_equal(chunk->data + sample->offset, frame_data(frames.frame[i]),
                                        sample->length);
                }
                buf_unref(&chunk);
                frames_drop(&frames);
            }
        }
    }
    tracks_unref(&tracks);
}

static void cmaf_chunk_write_absurd_times_can_be_read(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    static const int64_t time[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    for (unsigned a = 0; a < 6; a++) {
        for (unsigned b = 0; b < 6; b++) {
            struct frames frames = {0};
            frames_add(&frames, frame_make(0, 0, time[a], 4, FRAME_KEY));
            frames_add(&frames, frame_make(1, 0, time[b], 4, FRAME_KEY));
            frames_add(&frames, frame_make(0, 0, time[b], 4, FRAME_KEY))->duration = UINT32_MAX;
            struct buf *chunk = chunk_of(tracks, &frames);
            assert_int_equal(head_of(tracks, chunk).samples, 3);
            assert_true(cmaf_chunk_intact(buf_bytes(chunk)));
            buf_unref(&chunk);
            frames_drop(&frames);
        }
    }
    tracks_unref(&tracks);
}

static void cmaf_ntp_time_before_and_after_1970(void **state)
{
    (void)state;
    assert_int_equal(cmaf_ntp_time(0, 90000), 2208988800ULL << 32);
    assert_int_equal(cmaf_ntp_time(45000, 90000), 2208988800ULL << 32 | 0x80000000);
    assert_int_equal(cmaf_ntp_time(-45000, 90000), 2208988799ULL << 32 | 0x80000000);
    // 2036-02-07 06:28:16: the seconds begin again.
    assert_int_equal(cmaf_ntp_time(2085978496, 1), 0);
}

// ---- judged by ffmpeg
// -------------------------------------------------------------------------------

static void decode_as_file(const char *make, const char *name)
{
    assert_int_equal(media_run(NULL, 0, "ffmpeg -v error -y %s", make), 0);
    struct media media;
    media_load(&media, name, START_US);
    struct chain all = {0};
    unsigned at = 0;
    int64_t first_us = 0;
    for (uint64_t number = 1700000000; at < media.count; number++) {
        struct segment *segment = media_segment(&media, &at, 1000000, number, SEGMENT_KEY);
        if (!first_us)
            first_us = segment->info.utc_start_us;
        const struct chain *bytes = cmaf_segment(segment);
        chain_add_range(&all, bytes, 0, bytes->bytes);
        segment_unref(&segment);
    }
    struct buf *plain = cmaf_init_write(media.tracks);
    struct buf *file = cmaf_init_write_at(media.tracks, first_us);
    media_write("plain.mp4", &all, plain);
    media_write("file.mp4", &all, file);
    assert_true(media_decodes("plain.mp4", ""));
    assert_true(media_decodes("file.mp4", ""));
    char text[400], wanted[400];
    assert_int_equal(media_run(text, sizeof(text),
                               "ffprobe -v warning -show_entries stream=codec_name,nb_read_packets "
                               "-count_packets -of csv=p=0 file.mp4 2>&1"),
                     0);
    assert_int_equal(media_run(wanted, sizeof(wanted),
                               "ffprobe -v warning -show_entries stream=codec_name,nb_read_packets "
                               "-count_packets -of csv=p=0 %s 2>&1",
                               name),
                     0);
    assert_string_equal(text, wanted);
    assert_int_equal(media_run(text, sizeof(text),
                               "ffprobe -v warning -show_entries format=start_time -of csv=p=0 "
                               "file.mp4"),
                     0);
    assert_true(text[0] == '0' && text[1] == '.' && text[2] <= '1');
    buf_unref(&plain);
    buf_unref(&file);
    chain_fini(&all);
    media_free(&media);
}

static void cmaf_files_decode_without_a_word(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    decode_as_file("-f lavfi -i testsrc2=s=160x120:r=25 -f lavfi -i sine=r=48000 -t 3 -g 25 "
                   "-c:v libx264 -preset ultrafast -bf 2 -x264-params b-pyramid=1 "
                   "-pix_fmt yuv420p -c:a aac one.mp4",
                   "one.mp4");
    decode_as_file("-f lavfi -i testsrc2=s=160x120:r=30000/1001 -f lavfi -i sine=r=48000 -t 2 "
                   "-g 30 -c:v libx265 -preset ultrafast -x265-params log-level=none "
                   "-pix_fmt yuv420p -c:a libopus two.mp4",
                   "two.mp4");
}

TEST_MAIN(TEST(cmaf_init_write_camera_is_golden),
          TEST(cmaf_init_write_every_codec_comes_back_equal),
          TEST(cmaf_init_write_at_adds_only_edit_lists), TEST(cmaf_chunk_write_camera_is_golden),
          TEST(cmaf_chunk_write_b_frames_are_golden),
          TEST(cmaf_chunk_write_prft_speaks_of_the_leading_track),
          TEST(cmaf_chunk_write_half_a_second_costs_what_the_page_says),
          TEST(cmaf_chunk_write_payload_is_by_reference_and_by_track),
          TEST(cmaf_chunk_write_equal_frames_give_equal_bytes),
          TEST(cmaf_chunk_write_durations_follow_the_rule),
          TEST(cmaf_chunk_write_flags_and_offsets_in_every_form),
          TEST(cmaf_chunk_write_absurd_times_can_be_read),
          TEST(cmaf_ntp_time_before_and_after_1970), TEST(cmaf_files_decode_without_a_word))
