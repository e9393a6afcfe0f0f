// SPDX-License-Identifier: MIT
#include "cmaf_fixture.h"

#include "cmaf_priv.h"
#include "media_file.h"
#include "mp4_box.h"

static struct buf *camera_chunk(const struct tracks *tracks, int64_t from_us)
{
    struct frames frames = {0};
    camera_frames(&frames, from_us, 500000, 50);
    struct buf *chunk = chunk_of(tracks, &frames);
    frames_drop(&frames);
    return chunk;
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

// Where the n-th box of that type begins in the chunk.
static size_t box_at(struct buf *chunk, const char *type, unsigned n)
{
    const uint8_t *at = chunk->data - 1;
    do {
        at = memmem(at + 1, chunk->length - (size_t)(at + 1 - chunk->data), type, 4);
        assert_non_null(at);
    } while (n-- > 0);
    return (size_t)(at - 4 - chunk->data);
}

static int ignore(void *arg, const struct cmaf_sample *sample)
{
    (void)sample;
    if (arg)
        ++*(unsigned *)arg;
    return 0;
}

static void cmaf_head_parse_tells_what_was_written(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *chunk = camera_chunk(tracks, 520000);
    struct cmaf_head head;
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), 0);
    assert_int_equal(head.segment_number, 1700000000);
    assert_int_equal(head.segment_utc_us, START_US);
    assert_int_equal(head.part, 5);
    assert_int_equal(head.generation, 3);
    assert_int_equal(head.segment_flags, SEGMENT_KEY | SEGMENT_DISCONTINUITY);
    assert_int_equal(head.head_length + head.payload_length, chunk->length);
    assert_true(head.has_leading);
    assert_int_equal(head.samples, 13 + 23);
    assert_int_equal(head.utc_first_us, START_US + 520000);
    assert_int_equal(head.duration_us, 13 * 40000);
    buf_unref(&chunk);
    tracks_unref(&tracks);
}

static void cmaf_head_parse_without_leading_track_takes_what_begins_first(void **state)
{
    (void)state;
    struct track track[3] = {aac_track_of("1188"), h264_track_of(AVCC), g711_track_of(CODEC_PCMU)};
    struct tracks *tracks = tracks_new(track, 3);
    struct frames frames = {0};
    frames_add(&frames, frame_make(0, 0, 48000 * 8, 4, FRAME_KEY));
    frames_add(&frames, frame_make(2, 0, 8000 * 7, 4, FRAME_KEY))->duration = 160;
    struct buf *chunk = chunk_of(tracks, &frames);
    struct cmaf_head head;
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), 0);
    assert_false(head.has_leading);
    assert_int_equal(head.utc_first_us, 7000000);
    assert_int_equal(head.duration_us, 20000);
    frames_add(&frames, frame_make(1, 0, 90000 * 9, 4, FRAME_KEY));
    buf_unref(&chunk);
    chunk = chunk_of(tracks, &frames);
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), 0);
    assert_true(head.has_leading);
    assert_int_equal(head.utc_first_us, 9000000);
    buf_unref(&chunk);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static void cmaf_head_parse_every_prefix_asks_for_more(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *chunk = camera_chunk(tracks, 0);
    struct cmaf_head head;
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), 0);
    size_t length = head.head_length;
    for (size_t i = 0; i <= length; i++) {
        struct buf *prefix = buf_new_copy(chunk->data, i); // so that a sanitizer sees the end
        assert_int_equal(cmaf_head_parse(buf_bytes(prefix), tracks, &head),
                         i < length ? ERR_AGAIN : 0);
        assert_int_equal(cmaf_samples_parse(buf_bytes(prefix), tracks, ignore, NULL),
                         i < length ? ERR_INVALID : 0);
        assert_false(cmaf_chunk_intact(buf_bytes(prefix)));
        buf_unref(&prefix);
    }
    buf_unref(&chunk);
    tracks_unref(&tracks);
}

static void cmaf_head_parse_not_ours_is_known_at_once(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *chunk = camera_chunk(tracks, 0);
    struct cmaf_head head;
    // From the first wrong byte of the mark on, however few bytes there are.
    for (size_t i = 4; i < 24; i++) {
        chunk->data[i] ^= 1;
        assert_int_equal(cmaf_head_parse(sub(chunk, 0, i + 1), tracks, &head), ERR_INVALID);
        chunk->data[i] ^= 1;
    }
    chunk->data[24] = CMAF_VERSION + 1;
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), ERR_UNSUPPORTED);
    chunk->data[24] = 0;
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), ERR_INVALID);
    buf_unref(&chunk);
    tracks_unref(&tracks);
}

// Boxes whose size says more than may be: refused, not waited for.
static void cmaf_head_parse_absurd_sizes_are_refused(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct cmaf_head head;
    static const struct {
        const char *type;
        uint32_t size;
    } bad[] = {
        {"uuid", 51},         {"uuid", 2000}, {"prft", 7},
        {"prft", 5000},       {"moof", 7},    {"moof", 1},
        {"moof", 0x7fffffff}, {"mdat", 7},    {"mdat", (128u << 20) + 9},
        {"mdat", 0xffffffff},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct buf *chunk = camera_chunk(tracks, 0);
        put_u32(chunk->data + box_at(chunk, bad[i].type, 0), bad[i].size);
        assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), ERR_INVALID);
        buf_unref(&chunk);
    }
    tracks_unref(&tracks);
}

static void cmaf_head_parse_later_fields_and_boxes_are_passed_over(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *chunk = camera_chunk(tracks, 0);
    struct writer out = {0};
    struct cmaf_head head, more;
    writer_u32(&out, CMAF_UUID_SIZE + 4);
    writer_bytes(&out, chunk->data + 4, CMAF_UUID_SIZE - 4);
    writer_u32(&out, 0xdeadbeef);
    writer_bytes(&out, chunk->data + CMAF_UUID_SIZE, CMAF_PRFT_SIZE);
    mp4_box_close(&out, mp4_box_open(&out, "emsg"));
    writer_bytes(&out, chunk->data + CMAF_UUID_SIZE + CMAF_PRFT_SIZE,
                 chunk->length - CMAF_UUID_SIZE - CMAF_PRFT_SIZE);
    struct buf *later = writer_take(&out);
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), 0);
    assert_int_equal(cmaf_head_parse(buf_bytes(later), tracks, &more), 0);
    assert_int_equal(more.head_length, head.head_length + 12);
    assert_int_equal(more.samples, head.samples);
    unsigned count = 0;
    assert_int_equal(cmaf_samples_parse(buf_bytes(later), tracks, ignore, &count), 0);
    assert_int_equal(count, head.samples);
    assert_false(cmaf_chunk_intact(buf_bytes(later))); // another content, the old checksum
    put_u32(later->data + CMAF_CHECKSUM_AT, cmaf_head_checksum(buf_bytes(later)));
    assert_true(cmaf_chunk_intact(buf_bytes(later)));
    buf_unref(&later);
    buf_unref(&chunk);
    tracks_unref(&tracks);
}

static void cmaf_chunk_intact_every_bit_counts(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *chunk = camera_chunk(tracks, 0);
    assert_true(cmaf_chunk_intact(buf_bytes(chunk)));
    for (size_t i = 0; i < chunk->length * 8; i += 3) {
        chunk->data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(cmaf_chunk_intact(buf_bytes(chunk)));
        chunk->data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(cmaf_chunk_intact(buf_bytes(chunk)));
    buf_unref(&chunk);
    tracks_unref(&tracks);
}

static void cmaf_chunk_find_steps_over_damage(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *chunk = camera_chunk(tracks, 0);
    struct writer out = {0};
    writer_bytes(&out, chunk->data + 3, 100); // a mark without its size in front
    size_t first = writer_length(&out);
    writer_bytes(&out, chunk->data, 200);
    size_t second = writer_length(&out);
    writer_bytes(&out, chunk->data, chunk->length);
    struct buf *file = writer_take(&out);
    assert_int_equal(cmaf_chunk_find(buf_bytes(file), 0), first);
    assert_int_equal(cmaf_chunk_find(buf_bytes(file), first), first);
    assert_int_equal(cmaf_chunk_find(buf_bytes(file), first + 1), second);
    assert_int_equal(cmaf_chunk_find(buf_bytes(file), second + 1), file->length);
    assert_int_equal(cmaf_chunk_find(buf_bytes(file), file->length + 5), file->length);
    // Whole up to the last byte of the mark, not with one less.
    assert_int_equal(cmaf_chunk_find(sub(file, 0, second + 24), first + 1), second);
    assert_int_equal(cmaf_chunk_find(sub(file, 0, second + 23), first + 1), second + 23);
    // The sixteen bytes alone are no mark.
    file->data[second + 4] = 'v';
    assert_int_equal(cmaf_chunk_find(buf_bytes(file), first + 1), file->length);
    buf_unref(&file);
    buf_unref(&chunk);
    tracks_unref(&tracks);
}

// Changes four bytes of a box and expects that samples are refused.
static void assert_refused(const struct tracks *tracks, const char *type, unsigned n, size_t offset,
                           uint32_t value)
{
    struct buf *chunk = camera_chunk(tracks, 0);
    put_u32(chunk->data + box_at(chunk, type, n) + offset, value);
    assert_int_equal(cmaf_samples_parse(buf_bytes(chunk), tracks, ignore, NULL), ERR_INVALID);
    buf_unref(&chunk);
}

static void cmaf_samples_parse_contradictions_are_refused(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    assert_refused(tracks, "tfhd", 0, 12, 0);          // track_ID
    assert_refused(tracks, "tfhd", 0, 12, 3);          // not in the list
    assert_refused(tracks, "tfhd", 1, 12, 1);          // a track twice
    assert_refused(tracks, "tfhd", 0, 8, 1);           // base data offset
    assert_refused(tracks, "tfdt", 0, 12, 0x7fffffff); // beyond time
    assert_refused(tracks, "tfdt", 0, 12, 0x80000000);
    assert_refused(tracks, "trun", 0, 12, 0);  // no sample
    assert_refused(tracks, "trun", 0, 12, 14); // more than the table
    assert_refused(tracks, "trun", 0, 12, 12); // fewer: payload is left over
    assert_refused(tracks, "trun", 0, 12, 0xffffffff);
    assert_refused(tracks, "trun", 0, 16, 0); // data offset
    assert_refused(tracks, "trun", 1, 16, 0xffffffff);
    assert_refused(tracks, "trun", 0, 8, 0);           // none
    assert_refused(tracks, "trun", 0, 24, 0xffffffff); // a size
    assert_refused(tracks, "traf", 0, 4, 0x66726565);  // `free`: payload without samples
    assert_refused(tracks, "trun", 0, 4, 0x66726565);
    assert_refused(tracks, "tfdt", 1, 4, 0x66726565);
    assert_refused(tracks, "traf", 1, 0, 5000);
    tracks_unref(&tracks);
}

// Offset of the size of the last sample of the last track.
static size_t last_size_at(struct buf *chunk)
{
    return box_at(chunk, "mdat", 0) - 4;
}

static void cmaf_samples_parse_never_tells_of_bytes_that_are_not_there(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    for (int change = -1; change <= 1; change++) {
        struct buf *chunk = camera_chunk(tracks, 0);
        uint8_t *size = chunk->data + last_size_at(chunk);
        size[3] = (uint8_t)(size[3] + change);
        unsigned told = 0;
        assert_int_equal(cmaf_samples_parse(buf_bytes(chunk), tracks, ignore, &told),
                         change ? ERR_INVALID : 0);
        assert_int_equal(told, change > 0 ? 13 + 24 - 1 : 13 + 24);
        buf_unref(&chunk);
    }
    tracks_unref(&tracks);
}

static void cmaf_head_parse_counts_that_wrap_are_refused(void **state)
{
    (void)state;
    struct track track[2] = {g711_track_of(CODEC_PCMA), g711_track_of(CODEC_PCMU)};
    struct tracks *tracks = tracks_new(track, 2);
    struct frames frames = {0};
    for (unsigned i = 0; i < 2; i++)
        frames_add(&frames, frame_make(i, 0, 0, 0, FRAME_KEY));
    struct buf *chunk = chunk_of(tracks, &frames);
    struct cmaf_head head;
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), 0);
    for (unsigned i = 0; i < 2; i++)
        put_u32(chunk->data + box_at(chunk, "trun", i) + 12, 0x80000001);
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), ERR_INVALID);
    put_u32(chunk->data + box_at(chunk, "trun", 0) + 12, 0);
    put_u32(chunk->data + box_at(chunk, "trun", 1) + 12, 1);
    assert_int_equal(cmaf_head_parse(buf_bytes(chunk), tracks, &head), ERR_INVALID);
    buf_unref(&chunk);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static int stop_at_third(void *arg, const struct cmaf_sample *sample)
{
    (void)sample;
    return ++*(int *)arg == 3 ? 42 : 0;
}

static void cmaf_samples_parse_stops_when_told(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct buf *chunk = camera_chunk(tracks, 0);
    int calls = 0;
    assert_int_equal(cmaf_samples_parse(buf_bytes(chunk), tracks, stop_at_third, &calls), 42);
    assert_int_equal(calls, 3);
    buf_unref(&chunk);
    tracks_unref(&tracks);
}

static void cmaf_init_parse_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks(), *again;
    struct buf *init = cmaf_init_write(tracks);
    for (size_t i = 0; i < init->length; i++) {
        struct buf *prefix = buf_new_copy(init->data, i);
        assert_int_equal(cmaf_init_parse(buf_bytes(prefix), &again), ERR_INVALID);
        buf_unref(&prefix);
    }
    uint8_t *config = init->data + box_at(init, "avcC", 0) + 8;
    config[4] &= 0xfd; // NAL lengths of two bytes: our payload has four
    assert_int_equal(cmaf_init_parse(buf_bytes(init), &again), ERR_UNSUPPORTED);
    config[4] |= 3;
    put_u32(init->data + box_at(init, "vide", 0) + 4, 0x74657874); // `text`
    assert_int_equal(cmaf_init_parse(buf_bytes(init), &again), ERR_UNSUPPORTED);
    buf_unref(&init);
    tracks_unref(&tracks);
}

static void cmaf_init_parse_more_tracks_than_fit_is_a_limit(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks(), *again;
    struct buf *init = cmaf_init_write(tracks);
    size_t trak = box_at(init, "trak", 0), size = mp4_u32_at(init->data + trak);
    struct writer out = {0};
    size_t moov = mp4_box_open(&out, "moov");
    for (unsigned i = 0; i < TRACKS_MAX; i++)
        writer_bytes(&out, init->data + trak, size);
    mp4_box_close(&out, moov);
    assert_int_equal(cmaf_init_parse(buf_bytes(out.buf), &again), 0);
    assert_int_equal(again->count, TRACKS_MAX);
    tracks_unref(&again);
    writer_bytes(&out, init->data + trak, size);
    mp4_box_close(&out, moov);
    assert_int_equal(cmaf_init_parse(buf_bytes(out.buf), &again), ERR_LIMIT);
    writer_fini(&out);
    buf_unref(&init);
    tracks_unref(&tracks);
}

static void cmaf_init_parse_reads_what_ffmpeg_writes(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    assert_int_equal(media_run(NULL, 0,
                               "ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=30 -f lavfi -i "
                               "sine=r=44100 -t 1 -c:v libx264 -preset ultrafast -c:a aac "
                               "-metadata:s:a:0 language=fra -movflags "
                               "frag_keyframe+empty_moov+default_base_moof foreign.mp4"),
                     0);
    struct buf *file = media_read("foreign.mp4");
    struct tracks *tracks;
    assert_non_null(file);
    assert_int_equal(cmaf_init_parse(buf_bytes(file), &tracks), 0);
    assert_int_equal(tracks->count, 2);
    assert_int_equal(tracks->track[0].codec, CODEC_H264);
    assert_int_equal(tracks->track[0].timescale, 15360);
    assert_int_equal(tracks->track[0].width, 160);
    assert_int_equal(tracks->track[1].codec, CODEC_AAC);
    assert_int_equal(tracks->track[1].sample_rate, 44100);
    assert_string_equal(tracks->track[1].language, "fra");
    tracks_unref(&tracks);
    buf_unref(&file);
}

static void cmaf_free_length_reads_what_is_written(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {16, 17, 4096, UINT32_MAX, 1ull << 32, 1ull << 40};
    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct writer out = {0};
        cmaf_free_write(&out, lengths[i]);
        assert_int_equal(writer_length(&out), CMAF_FREE_HEAD);
        assert_int_equal(cmaf_free_length(buf_bytes(out.buf)), lengths[i]);
        assert_int_equal(cmaf_free_length(bytes_of(out.buf->data, CMAF_FREE_HEAD - 1)), 0);
        out.buf->data[4] = 's'; // another box
        assert_int_equal(cmaf_free_length(buf_bytes(out.buf)), 0);
        writer_fini(&out);
    }
    static const uint8_t tiny[CMAF_FREE_HEAD] = {0, 0, 0, 8, 'f', 'r', 'e', 'e'};
    static const uint8_t endless[CMAF_FREE_HEAD] = {0,   0,    0,    1,    'f',  'r',  'e',  'e',
                                                    255, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    assert_int_equal(cmaf_free_length(bytes_of(tiny, sizeof tiny)), 0);
    assert_int_equal(cmaf_free_length(bytes_of(endless, sizeof endless)), 0);
}

TEST_MAIN(TEST(cmaf_head_parse_tells_what_was_written),
          TEST(cmaf_head_parse_without_leading_track_takes_what_begins_first),
          TEST(cmaf_head_parse_every_prefix_asks_for_more),
          TEST(cmaf_head_parse_not_ours_is_known_at_once),
          TEST(cmaf_head_parse_absurd_sizes_are_refused),
          TEST(cmaf_head_parse_later_fields_and_boxes_are_passed_over),
          TEST(cmaf_chunk_intact_every_bit_counts), TEST(cmaf_chunk_find_steps_over_damage),
          TEST(cmaf_samples_parse_contradictions_are_refused),
          TEST(cmaf_samples_parse_never_tells_of_bytes_that_are_not_there),
          TEST(cmaf_head_parse_counts_that_wrap_are_refused),
          TEST(cmaf_samples_parse_stops_when_told), TEST(cmaf_init_parse_cut_anywhere_is_refused),
          TEST(cmaf_init_parse_more_tracks_than_fit_is_a_limit),
          TEST(cmaf_init_parse_reads_what_ffmpeg_writes),
          TEST(cmaf_free_length_reads_what_is_written))
