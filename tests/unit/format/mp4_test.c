// SPDX-License-Identifier: MIT
// The private parts of MP4: boxes, sample entries, sample tables written and read.
#include "unit.h"

#include "base/chain.h"
#include "base/limits.h"
#include "cmaf_fixture.h"

#include "mp4_box.h"
#include "mp4_entry.h"
#include "mp4_moov.h"
#include "mp4_stbl.h"
#include "mp4_table.h"

// ---- boxes
// ----------------------------------------------------------------------------------------

static void mp4_box_next_reads_all_forms_of_size(void **state)
{
    (void)state;
    static const uint8_t in[] = "\0\0\0\x0a"
                                "freeab" // 32 bits
                                "\0\0\0\1wide\0\0\0\0\0\0\0\x12"
                                "cd"               // 64 bits
                                "\0\0\0\0lastefg"; // to the end
    struct bytes rest = bytes_of(in, sizeof(in) - 1);
    struct mp4_box box;
    assert_int_equal(mp4_box_next(&rest, &box), 0);
    assert_int_equal(box.type, MP4_TYPE("free"));
    assert_int_equal(box.body.length, 2);
    assert_int_equal(mp4_box_next(&rest, &box), 0);
    assert_int_equal(box.type, MP4_TYPE("wide"));
    assert_memory_equal(box.body.data, "cd", 2);
    assert_int_equal(box.whole.length, 18);
    assert_int_equal(mp4_box_next(&rest, &box), 0);
    assert_memory_equal(box.body.data, "efg", 3);
    assert_int_equal(mp4_box_next(&rest, &box), ERR_NOT_FOUND);
}

static void mp4_box_next_sizes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t length;
        int result;
    } bad[] = {
        {"\0\0\0\7free", 8, ERR_INVALID},
        {"\0\0\0\x9"
         "free",
         8, ERR_INVALID},
        {"\0\0\0\1free\0\0\0\0\0\0\0", 15, ERR_INVALID},
        {"\0\0\0\1free\0\0\0\0\0\0\0\xf", 16, ERR_INVALID},
        {"\0\0\0\1free\xff\xff\xff\xff\xff\xff\xff\xff", 16, ERR_INVALID},
        {"\0\0\0\0\0\0\0", 7, ERR_NOT_FOUND}, // what QuickTime leaves at the end
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct bytes rest = bytes_of(bad[i].in, bad[i].length);
        struct mp4_box box;
        assert_int_equal(mp4_box_next(&rest, &box), bad[i].result);
        assert_int_equal(rest.length, bad[i].length);
    }
}

// ---- sample entries
// -------------------------------------------------------------------------------

static struct buf *entry_of(const struct track *track)
{
    struct writer out = {0};
    mp4_entry_write(&out, track);
    return writer_take(&out);
}

static void mp4_entry_parse_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct track track[4] = {h264_track_of(AVCC), h265_track_of(HVCC), aac_track_of("1188")}, again;
    assert_int_equal(opus_track_make(2, 312, &track[3]), 0);
    for (unsigned i = 0; i < 4; i++) {
        struct buf *entry = entry_of(&track[i]);
        unsigned width;
        for (size_t length = 0; length < entry->length; length++) {
            struct buf *cut = buf_new_copy(entry->data, length);
            assert_int_equal(mp4_entry_parse(buf_bytes(cut), track[i].kind, &again, &width),
                             ERR_INVALID);
            buf_unref(&cut);
        }
        assert_int_equal(mp4_entry_parse(buf_bytes(entry), track[i].kind, &again, &width), 0);
        assert_int_equal(again.codec, track[i].codec);
        assert_int_equal(width, 4);
        track_fini(&again);
        buf_unref(&entry);
        track_fini(&track[i]);
    }
}

static void mp4_entry_parse_short_nal_lengths_are_told_and_mended(void **state)
{
    (void)state;
    struct track track = h264_track_of(AVCC), again;
    struct buf *entry = entry_of(&track), *wanted = buf_ref(track.config);
    uint8_t *config = memmem(entry->data, entry->length, "avcC", 4);
    config[4 + 4] &= 0xfd; // lengthSizeMinusOne: 1
    unsigned width;
    assert_int_equal(mp4_entry_parse(buf_bytes(entry), MEDIA_VIDEO, &again, &width), 0);
    assert_int_equal(width, 2);
    assert_memory_equal(again.config->data, wanted->data, wanted->length);
    track_fini(&again);
    // In-band parameter sets allowed, but there are some: the same.
    memcpy(entry->data + 4, "avc3", 4);
    assert_int_equal(mp4_entry_parse(buf_bytes(entry), MEDIA_VIDEO, &again, &width), 0);
    assert_int_equal(again.codec, CODEC_H264);
    track_fini(&again);
    memcpy(entry->data + 4, "encv", 4);
    assert_int_equal(mp4_entry_parse(buf_bytes(entry), MEDIA_VIDEO, &again, &width),
                     ERR_UNSUPPORTED);
    buf_unref(&wanted);
    buf_unref(&entry);
    track_fini(&track);
}

static void mp4_entry_parse_quicktime_sound(void **state)
{
    (void)state;
    // Version 1 adds 16 bytes, and hides esds in `wave`.
    struct track track = aac_track_of("1210"), again;
    struct buf *plain = entry_of(&track);
    struct writer out = {0};
    size_t entry = mp4_box_open(&out, "mp4a");
    writer_bytes(&out, plain->data + 8, 28);
    mp4_zeros_write(&out, 16);
    size_t wave = mp4_box_open(&out, "wave");
    mp4_box_close(&out, mp4_box_open(&out, "frma"));
    writer_bytes(&out, plain->data + 36, plain->length - 36);
    mp4_box_close(&out, wave);
    mp4_box_close(&out, entry);
    out.buf->data[8 + 9] = 1;
    unsigned width;
    assert_int_equal(mp4_entry_parse(buf_bytes(out.buf), MEDIA_AUDIO, &again, &width), 0);
    assert_int_equal(again.codec, CODEC_AAC);
    assert_int_equal(again.sample_rate, 44100);
    track_fini(&again);
    writer_fini(&out);
    // Version 2 has its rate as a double and its channels elsewhere.
    entry = mp4_box_open(&out, "alaw");
    writer_bytes(&out, plain->data + 8, 28);
    writer_u32(&out, 72);
    writer_u64(&out, 0x40bf400000000000); // 8000.0
    writer_u32(&out, 3);
    mp4_zeros_write(&out, 20);
    mp4_box_close(&out, entry);
    out.buf->data[8 + 9] = 2;
    assert_int_equal(mp4_entry_parse(buf_bytes(out.buf), MEDIA_AUDIO, &again, &width), 0);
    assert_int_equal(again.codec, CODEC_PCMA);
    assert_int_equal(again.timescale, 8000);
    assert_int_equal(again.channels, 3);
    track_fini(&again);
    writer_fini(&out);
    buf_unref(&plain);
    track_fini(&track);
}

static void mp4_entry_parse_large_descriptors(void **state)
{
    (void)state;
    // A configuration of 200 bytes needs descriptor lengths of two bytes each.
    struct track track = aac_track_of("1210"), again;
    buf_unref(&track.config);
    track.config = buf_new(200);
    memset(track.config->data, 0, 200);
    memcpy(track.config->data, "\x12\x10", 2);
    track.config->length = 200;
    struct buf *entry = entry_of(&track);
    unsigned width;
    assert_int_equal(mp4_entry_parse(buf_bytes(entry), MEDIA_AUDIO, &again, &width), 0);
    assert_int_equal(again.config->length, 200);
    track_fini(&again);
    buf_unref(&entry);
    track_fini(&track);
}

// ---- tables
// ---------------------------------------------------------------------------------------

// The body of a stbl without stsd.
static struct buf *stbl_take(struct mp4_stbl *stbl, uint64_t base)
{
    struct chain chain = {0};
    mp4_stbl_finish(stbl);
    size_t size = mp4_stbl_size(stbl);
    mp4_stbl_take(stbl, base, &chain);
    assert_int_equal(chain.bytes, size);
    struct buf *body = chain_join(&chain);
    chain_fini(&chain);
    mp4_stbl_fini(stbl);
    return body;
}

static void mp4_stbl_is_read_back_sample_by_sample(void **state)
{
    (void)state;
    // mode: bit 0 sizes differ, 1 offsets, 2 negative ones, 3 keys, 4 durations
    for (unsigned mode = 0; mode < 32; mode++) {
        struct mp4_stbl stbl = {0};
        struct mp4_raw_sample wanted[300], found;
        uint64_t offset = 0;
        int64_t dts = 0;
        for (unsigned i = 0; i < 300; i++) {
            if (i % 10 == 0 || i == 293) {
                offset += 1000;
                mp4_stbl_chunk(&stbl, offset, 1);
            }
            wanted[i] = (struct mp4_raw_sample){
                .dts = dts,
                .cts = mode & 2 ? (int)(i % 3) * 50 - (mode & 4 ? 60 : 0) : 0,
                .duration = mode & 16 ? 100 + i / 7 % 2 : 100,
                .offset = offset + 777,
                .length = mode & 1 ? 20 + i % 5 : 20,
                .key = !(mode & 8) || i % 30 == 29,
            };
            mp4_stbl_add(&stbl, dts, wanted[i].duration, wanted[i].length, wanted[i].cts,
                         wanted[i].key);
            offset += wanted[i].length;
            dts += wanted[i].duration;
        }
        struct buf *body = stbl_take(&stbl, 777);
        struct mp4_table table;
        assert_int_equal(mp4_table_parse(buf_bytes(body), 1, &table), 0);
        assert_int_equal(table.has_stss, mode >> 3 & 1);
        assert_int_equal(table.ctts.count > 0, mode >> 1 & 1);
        if (mode & 2) // version 1 where there are negative offsets, else 0
            assert_int_equal(table.ctts.data[-8], mode >> 2 & 1);
        struct bytes stsz; // equal sizes have no table
        assert_int_equal(mp4_box_find(buf_bytes(body), MP4_TYPE("stsz"), &stsz), 0);
        assert_int_equal(stsz.length, mode & 1 ? 12 + 300 * 4 : 12);
        for (unsigned round = 0; round < 2; round++) {
            for (unsigned i = 0; i < 300; i++) {
                assert_int_equal(mp4_table_next(&table, &found), 0);
                assert_int_equal(found.dts, wanted[i].dts);
                assert_int_equal(found.cts, wanted[i].cts);
                assert_int_equal(found.duration, wanted[i].duration);
                assert_int_equal(found.offset, wanted[i].offset);
                assert_int_equal(found.length, wanted[i].length);
                assert_int_equal(found.key, wanted[i].key);
            }
            assert_int_equal(mp4_table_next(&table, &found), ERR_NOT_FOUND);
            mp4_table_rewind(&table);
        }
        buf_unref(&body);
    }
}

static void mp4_stbl_time_that_runs_back_stands_still(void **state)
{
    (void)state;
    struct mp4_stbl stbl = {0};
    static const int64_t time[] = {0, 100, 90, 95, 200, 5000000000};
    static const int64_t wanted[] = {0, 100, 100, 100, 200, 200 + (int64_t)UINT32_MAX};
    mp4_stbl_chunk(&stbl, 0, 1);
    for (unsigned i = 0; i < 6; i++)
        mp4_stbl_add(&stbl, time[i], 40, 5, 0, true);
    assert_int_equal(stbl.time, 200 + (uint64_t)UINT32_MAX);
    struct buf *body = stbl_take(&stbl, 0);
    struct mp4_table table;
    struct mp4_raw_sample found;
    assert_int_equal(mp4_table_parse(buf_bytes(body), 1, &table), 0);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(mp4_table_next(&table, &found), 0);
        assert_int_equal(found.dts, wanted[i]);
    }
    assert_int_equal(found.duration, 40);
    buf_unref(&body);
}

static void table_add(struct writer *out, const char *type, const uint32_t *words, unsigned count)
{
    size_t box = mp4_box_open(out, type);
    for (unsigned i = 0; i < count; i++)
        writer_u32(out, words[i]);
    mp4_box_close(out, box);
}
#define TABLE(out, type, ...)                                                                      \
    table_add(out, type, (const uint32_t[]){0, __VA_ARGS__},                                       \
              sizeof((uint32_t[]){0, __VA_ARGS__}) / 4)

static void mp4_table_parse_compact_sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits, word;
        uint32_t size[3];
    } form[] = {{4, 0x12300000, {1, 2, 3}}, {8, 0x05060700, {5, 6, 7}}, {16, 0x00100020, {16, 32}}};
    for (unsigned i = 0; i < 3; i++) {
        struct writer out = {0};
        struct mp4_table table;
        struct mp4_raw_sample found;
        TABLE(&out, "stts", 1, 3, 10);
        TABLE(&out, "stsc", 1, 1, 5, 1);
        TABLE(&out, "stco", 1, 500);
        TABLE(&out, "stz2", form[i].bits, i == 2 ? 2 : 3, form[i].word);
        assert_int_equal(mp4_table_parse(buf_bytes(out.buf), 1, &table), 0);
        uint64_t offset = 500;
        for (unsigned n = 0; n < (i == 2 ? 2 : 3); n++) {
            assert_int_equal(mp4_table_next(&table, &found), 0);
            assert_int_equal(found.length, form[i].size[n]);
            assert_int_equal(found.offset, offset);
            offset += found.length;
        }
        assert_int_equal(mp4_table_next(&table, &found), ERR_NOT_FOUND);
        writer_fini(&out);
    }
}

static void mp4_table_next_pcm_comes_in_groups(void **state)
{
    (void)state;
    struct writer out = {0};
    struct mp4_table table;
    struct mp4_raw_sample found;
    TABLE(&out, "stts", 1, 1000, 1);
    TABLE(&out, "stsc", 2, 1, 500, 1, 2, 300, 1);
    TABLE(&out, "stco", 3, 10000, 20000, 30000);
    TABLE(&out, "stsz", 2, 1000);
    assert_int_equal(mp4_table_parse(buf_bytes(out.buf), 160, &table), 0);
    static const struct {
        uint64_t offset;
        uint32_t count;
    } wanted[] = {{10000, 160}, {10320, 160}, {10640, 160}, {10960, 20},
                  {20000, 160}, {20320, 140}, {30000, 160}, {30320, 40}};
    int64_t dts = 0;
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(mp4_table_next(&table, &found), 0);
        assert_int_equal(found.offset, wanted[i].offset);
        assert_int_equal(found.length, wanted[i].count * 2);
        assert_int_equal(found.duration, wanted[i].count);
        assert_int_equal(found.dts, dts);
        dts += wanted[i].count;
    }
    assert_int_equal(mp4_table_next(&table, &found), ERR_NOT_FOUND);
    writer_fini(&out);
}

static void mp4_table_parse_broken_tables_are_refused_or_end_early(void **state)
{
    (void)state;
    struct mp4_table table;
    struct mp4_raw_sample found;
    for (unsigned i = 0; i < 12; i++) {
        struct writer out = {0};
        TABLE(&out, "stts", i == 1 ? 0x20000000 : 1, 3, 10);
        TABLE(&out, "stsc", i == 2 ? 0 : 1, i == 3 ? 2 : 1, i == 4 ? 0xffffffff : 3,
              i == 5 ? 2 : 1);
        TABLE(&out, "stco", i == 6 ? 2 : i == 7 ? 0 : 1, 500);
        if (i != 8)
            TABLE(&out, "stsz", 0, i == 9 ? 4 : 3, 5, 6, 7);
        if (i == 10)
            TABLE(&out, "stss", 0x40000000, 1);
        if (i == 11)
            TABLE(&out, "ctts", 1, 0xffffffff, 0xffffffff);
        static const int result[12] = {0,           ERR_INVALID,     0,           ERR_INVALID,
                                       0,           ERR_UNSUPPORTED, ERR_INVALID, 0,
                                       ERR_INVALID, ERR_INVALID,     ERR_INVALID, 0};
        static const unsigned samples[12] = {3, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 3};
        assert_int_equal(mp4_table_parse(buf_bytes(out.buf), 1, &table), result[i]);
        unsigned count = 0;
        while (result[i] == 0 && mp4_table_next(&table, &found) == 0) {
            assert_int_equal(found.cts, i == 11 ? -1 : 0);
            count++;
        }
        assert_int_equal(count, samples[i]);
        writer_fini(&out);
    }
}

static void mp4_table_next_hands_out_no_more_than_a_frame_may_be(void **state)
{
    (void)state;
    static const struct {
        uint32_t size, wanted;
    } list[] = {{FRAME_BYTES_MAX / 2, FRAME_BYTES_MAX}, {FRAME_BYTES_MAX + 1, 0}};
    for (unsigned i = 0; i < 2; i++) {
        struct writer out = {0};
        struct mp4_table table;
        struct mp4_raw_sample found;
        TABLE(&out, "stts", 1, 0xffffffff, 1);
        TABLE(&out, "stsc", 1, 1, 0xffffffff, 1);
        TABLE(&out, "stco", 1, 10000);
        TABLE(&out, "stsz", list[i].size, 0xffffffff);
        assert_int_equal(mp4_table_parse(buf_bytes(out.buf), 160, &table), 0);
        assert_int_equal(mp4_table_next(&table, &found), list[i].wanted ? 0 : ERR_NOT_FOUND);
        if (list[i].wanted)
            assert_int_equal(found.length, list[i].wanted);
        writer_fini(&out);
    }
}

static void mp4_table_parse_chunks_out_of_order_are_refused(void **state)
{
    (void)state;
    for (uint32_t second = 1; second <= 3; second++) {
        struct writer out = {0};
        struct mp4_table table;
        TABLE(&out, "stts", 1, 3, 10);
        TABLE(&out, "stsc", 3, 1, 1, 1, second, 1, 1, 3, 1, 1);
        TABLE(&out, "stco", 3, 500, 600, 700);
        TABLE(&out, "stsz", 0, 3, 5, 6, 7);
        assert_int_equal(mp4_table_parse(buf_bytes(out.buf), 1, &table),
                         second == 2 ? 0 : ERR_INVALID);
        writer_fini(&out);
    }
}

static void mp4_table_next_offsets_do_not_wrap(void **state)
{
    (void)state;
    struct writer out = {0};
    struct mp4_table table;
    struct mp4_raw_sample found;
    TABLE(&out, "stts", 1, 4, 0xffffffff);
    TABLE(&out, "stsc", 1, 1, 2, 1);
    TABLE(&out, "co64", 2, 0x7fffffff, 0xfffffff0, 0xffffffff, 0xffffffff);
    TABLE(&out, "stsz", 100, 4);
    assert_int_equal(mp4_table_parse(buf_bytes(out.buf), 1, &table), 0);
    assert_int_equal(mp4_table_next(&table, &found), 0);
    assert_int_equal(mp4_table_next(&table, &found), ERR_NOT_FOUND);
    writer_fini(&out);
}

TEST_MAIN(TEST(mp4_box_next_reads_all_forms_of_size),
          TEST(mp4_box_next_sizes_that_do_not_fit_are_refused),
          TEST(mp4_entry_parse_cut_anywhere_is_refused),
          TEST(mp4_entry_parse_short_nal_lengths_are_told_and_mended),
          TEST(mp4_entry_parse_quicktime_sound), TEST(mp4_entry_parse_large_descriptors),
          TEST(mp4_stbl_is_read_back_sample_by_sample),
          TEST(mp4_stbl_time_that_runs_back_stands_still), TEST(mp4_table_parse_compact_sizes),
          TEST(mp4_table_next_pcm_comes_in_groups),
          TEST(mp4_table_parse_broken_tables_are_refused_or_end_early),
          TEST(mp4_table_next_hands_out_no_more_than_a_frame_may_be),
          TEST(mp4_table_parse_chunks_out_of_order_are_refused),
          TEST(mp4_table_next_offsets_do_not_wrap))
