// SPDX-License-Identifier: MIT
#include "ts_psi.h"

#include "base/code.h"
#include "unit.h"

static void ts_psi_pat_and_pmt_round_trip(void **state)
{
    (void)state;
    uint8_t section[TS_SECTION_MAX];
    uint16_t number, pid;
    size_t length = ts_psi_write_pat(section, 3, 7, 0x1abc);
    assert_int_equal(ts_psi_parse_pat(bytes_of(section, length), &number, &pid), 0);
    assert_int_equal(number, 7);
    assert_int_equal(pid, 0x1abc);
    assert_int_equal(section[5], 0xc1 | 3 << 1);

    struct ts_program
        program =
            {.number = 7,
             .pcr_pid = 0x100,
             .count = 4,
             .stream = {{.pid = 0x100, .type = 0x1b, .codec = CODEC_H264, .language = "und"},
                        {.pid = 0x101, .type = 0x0f, .codec = CODEC_AAC, .language = "deu"},
                        {.pid = 0x102,
                         .type = 0x06,
                         .codec = CODEC_OPUS,
                         .channels = 2,
                         .language = "eng"},
                        {.pid = 0x103, .type = 0x24, .codec = CODEC_H265, .language = "und"}}},
        back;
    length = ts_psi_write_pmt(section, 31, &program);
    assert_int_equal(ts_psi_parse_pmt(bytes_of(section, length), &back), 0);
    assert_int_equal(back.number, 7);
    assert_int_equal(back.pcr_pid, 0x100);
    assert_int_equal(back.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(back.stream[i].pid, program.stream[i].pid);
        assert_int_equal(back.stream[i].codec, program.stream[i].codec);
        assert_int_equal(back.stream[i].channels, program.stream[i].channels);
        assert_string_equal(back.stream[i].language, program.stream[i].language);
    }
}

static void ts_psi_parse_damaged_is_refused(void **state)
{
    (void)state;
    uint8_t section[TS_SECTION_MAX];
    uint16_t number, pid;
    size_t length = ts_psi_write_pat(section, 0, 1, 0x100);
    for (size_t i = 0; i < length; i++) {
        section[i] ^= 0x10;
        assert_true(ts_psi_parse_pat(bytes_of(section, length), &number, &pid) < 0);
        section[i] ^= 0x10;
        assert_true(ts_psi_parse_pat(bytes_of(section, i), &number, &pid) < 0);
    }
    struct ts_program program = {
        .number = 1, .count = 1, .stream = {{.pid = 5, .language = "und"}}};
    assert_int_equal(ts_psi_parse_pmt(bytes_of(section, length), &program), ERR_UNSUPPORTED);
    assert_int_equal(program.count, 1);
}

// Puts a right checksum at the end of what was changed by hand.
static struct bytes sealed(uint8_t *section, size_t length)
{
    section[1] = (uint8_t)(0xb0 | (length - 3) >> 8);
    section[2] = (uint8_t)(length - 3);
    uint32_t crc = crc32_mpeg(section, length - 4);
    for (unsigned i = 0; i < 4; i++)
        section[length - 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
    return bytes_of(section, length);
}

static void ts_psi_parse_pat_network_and_reserved_are_passed_over(void **state)
{
    (void)state;
    uint8_t section[8 + 12 + 4] = {0,    0,    0, 0, 1,    0xc1, 0, 0, 0,    0,
                                   0xe0, 0x10, 0, 1, 0xff, 0xff, 0, 2, 0xe1, 0x23};
    uint16_t number, pid;
    assert_int_equal(ts_psi_parse_pat(sealed(section, sizeof(section)), &number, &pid), 0);
    assert_int_equal(number, 2);
    assert_int_equal(pid, 0x123);
    section[5] = 0xc0; // not yet in force
    assert_int_equal(ts_psi_parse_pat(sealed(section, sizeof(section)), &number, &pid),
                     ERR_UNSUPPORTED);
    section[5] = 0xc1;
    assert_int_equal(ts_psi_parse_pat(sealed(section, 8 + 4 + 4), &number, &pid), ERR_NOT_FOUND);
}

static void ts_psi_parse_pmt_odd_streams_are_left_out(void **state)
{
    (void)state;
    // Private data without a known name, MPEG-2 video, AAC, the same PID once more, MP3 of the low
    // rates, H.265 as private data, a descriptor that runs past its end.
    static const uint8_t streams[] = {
        0x06, 0xe0, 0x50, 0xf0, 0x06, 0x05, 4,    'K',  'L',  'V',  'A',  0x02, 0xe0,
        0x51, 0xf0, 0x00, 0x0f, 0xe0, 0x52, 0xf0, 0x06, 0x0a, 4,    'D',  'E',  'U',
        0,    0x1b, 0xe0, 0x52, 0xf0, 0x00, 0x04, 0xe0, 0x53, 0xf0, 0x06, 0x0a, 4,
        1,    2,    3,    0,    0x06, 0xe0, 0x54, 0xf0, 0x06, 0x05, 4,    'H',  'E',
        'V',  'C',  0x1b, 0xe0, 0x55, 0xf0, 0x03, 0x0a, 9,    'x'};
    uint8_t section[12 + sizeof(streams) + 4 + 3] = {2, 0, 0, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0};
    memcpy(section + 12, streams, sizeof(streams));
    struct ts_program program;
    assert_int_equal(ts_psi_parse_pmt(sealed(section, 12 + sizeof(streams) + 4), &program), 0);
    assert_int_equal(program.count, 4);
    assert_int_equal(program.stream[0].codec, CODEC_AAC);
    assert_string_equal(program.stream[0].language, "deu");
    assert_int_equal(program.stream[1].codec, CODEC_MP3);
    assert_string_equal(program.stream[1].language, "und");
    assert_int_equal(program.stream[2].codec, CODEC_H265);
    assert_int_equal(program.stream[3].pid, 0x55);
    uint8_t cut[12 + 4] = {2, 0, 0, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 5};
    assert_int_equal(ts_psi_parse_pmt(sealed(cut, 16), &program), ERR_INVALID);
    assert_int_equal(ts_psi_parse_pmt(sealed(cut, 14), &program), ERR_INVALID);
    // One byte more is half a stream.
    assert_int_equal(ts_psi_parse_pmt(sealed(section, 12 + sizeof(streams) + 5), &program),
                     ERR_INVALID);
}

static void ts_psi_write_sdt_title_is_cut_at_a_character(void **state)
{
    (void)state;
    uint8_t section[TS_SECTION_MAX];
    size_t length = ts_psi_write_sdt(section, 0, 1, "yard");
    assert_int_equal(crc32_mpeg(section, length), 0);
    assert_memory_equal(section + length - 4 - 6, "\0\4yard", 6);
    char title[120];
    memset(title, 'a', 95);
    memcpy(title + 95, "\xc3\xa4\xc3\xb6", 5);
    length = ts_psi_write_sdt(section, 0, 1, title);
    assert_int_equal(section[length - 4 - 96], 95);
    assert_int_equal(section[length - 4 - 1], 'a');
    length = ts_psi_write_sdt(section, 0, 1, "\xc3\xa4");
    assert_memory_equal(section + length - 4 - 4, "\3\x15\xc3\xa4", 4);
}

struct got {
    unsigned count;
    uint8_t tables[8];
    size_t lengths[8];
};

static void on_section(void *arg, struct bytes section)
{
    struct got *got = arg;
    assert_true(got->count < 8);
    got->tables[got->count] = section.data[3];
    got->lengths[got->count++] = section.length;
}

static void ts_section_add_every_way_of_cutting(void **state)
{
    (void)state;
    // Three sections one behind the other, cut into payloads of every size.
    uint8_t stream[3 * 40];
    memset(stream, 0x55, sizeof(stream));
    static const size_t lengths[] = {17, 40, 21};
    size_t at[4] = {0};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *section = stream + at[i];
        section[0] = 2;
        section[1] = 0xb0;
        section[2] = (uint8_t)(lengths[i] - 3);
        section[3] = (uint8_t)i;
        at[i + 1] = at[i] + lengths[i];
    }
    for (size_t size = 1; size < 100; size++) {
        struct ts_section section = {0};
        struct got got = {0};
        for (size_t from = 0; from < at[3]; from += size) {
            size_t length = at[3] - from < size ? at[3] - from : size;
            size_t first = SIZE_MAX; // the first section that begins in this payload
            for (unsigned i = 3; i-- > 0;)
                if (at[i] >= from && at[i] < from + length)
                    first = at[i] - from;
            uint8_t payload[128];
            size_t head = first != SIZE_MAX;
            payload[0] = (uint8_t)first;
            memcpy(payload + head, stream + from, length);
            ts_section_add(&section, bytes_of(payload, head + length), head, on_section, &got);
        }
        assert_int_equal(got.count, 3);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(got.tables[i], i);
            assert_int_equal(got.lengths[i], lengths[i]);
        }
    }
}

static void ts_section_add_broken_waits_for_the_next_start(void **state)
{
    (void)state;
    struct ts_section section = {0};
    struct got got = {0};
    uint8_t whole[6] = {0, 2, 0xb0, 2, 0, 9}; // pointer_field and a section of five bytes
    ts_section_add(&section, bytes_of(whole, 3), false, on_section, &got);   // nothing began
    ts_section_add(&section, bytes_of("\x09\2", 2), true, on_section, &got); // points past the end
    ts_section_add(&section, bytes_of("\0\2\xff\xff", 4), true, on_section, &got); // 4098 long
    uint8_t more[184] = {0};
    for (unsigned i = 0; i < 8; i++) // more than a section can be
        ts_section_add(&section, bytes_of(more, sizeof(more)), false, on_section, &got);
    ts_section_add(&section, bytes_of("\0\xff\xb0\1\1", 5), true, on_section, &got); // stuffing
    ts_section_add(&section, bytes_of(whole, 6), false, on_section, &got);
    ts_section_add(&section, bytes_of(NULL, 0), true, on_section, &got);
    assert_int_equal(got.count, 0);
    ts_section_add(&section, bytes_of("\0\2\xb0\x10half", 8), true, on_section, &got);
    ts_section_add(&section, bytes_of(whole, 6), true, on_section, &got); // the half one is lost
    assert_int_equal(got.count, 1);
    assert_int_equal(got.lengths[0], 5);
}

TEST_MAIN(TEST(ts_psi_pat_and_pmt_round_trip), TEST(ts_psi_parse_damaged_is_refused),
          TEST(ts_psi_parse_pat_network_and_reserved_are_passed_over),
          TEST(ts_psi_parse_pmt_odd_streams_are_left_out),
          TEST(ts_psi_write_sdt_title_is_cut_at_a_character),
          TEST(ts_section_add_every_way_of_cutting),
          TEST(ts_section_add_broken_waits_for_the_next_start))
