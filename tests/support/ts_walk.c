// SPDX-License-Identifier: MIT
#include "ts_walk.h"

#include "unit.h"

#include "base/code.h"
#include "media/audio.h"
#include "media/h265.h"

void ts_walk_init(struct ts_walk *walk)
{
    memset(walk, 0, sizeof(*walk));
    for (unsigned i = 0; i < 8192; i++)
        walk->continuity[i] = -1;
}

static void drop(struct ts_walk *walk)
{
    for (unsigned i = 0; i < walk->pes_count; i++)
        buf_unref(&walk->pes[i].payload);
    walk->pes_count = walk->pat_count = walk->pmt_count = walk->sdt_count = 0;
}

void ts_walk_fini(struct ts_walk *walk)
{
    drop(walk);
    buf_unref(&walk->pmt);
    buf_unref(&walk->sdt);
}

static void grow(struct buf **buf, struct bytes more)
{
    size_t have = *buf ? (*buf)->length : 0;
    struct buf *wider = buf_new(have + more.length);
    if (*buf)
        buf_append(wider, (*buf)->data, have);
    buf_append(wider, more.data, more.length);
    buf_unref(buf);
    *buf = wider;
}

static uint64_t time_at(const uint8_t *at, unsigned prefix)
{
    assert_int_equal(at[0] >> 4, prefix);
    assert_true(at[0] & at[2] & at[4] & 1);
    return (uint64_t)(at[0] >> 1 & 7) << 30 | (uint64_t)at[1] << 22 | (uint64_t)(at[2] >> 1) << 15 |
           (uint64_t)at[3] << 7 | at[4] >> 1;
}

static void take_section(struct buf **section, struct bytes payload, bool start)
{
    if (start) {
        assert_int_equal(payload.data[0], 0); // pointer_field
        bytes_skip(&payload, 1);
        buf_unref(section);
    } else {
        assert_non_null(*section);
    }
    grow(section, payload);
    size_t whole = 3 + (((*section)->data[1] & 15u) << 8 | (*section)->data[2]);
    if ((*section)->length < whole)
        return;
    for (size_t i = whole; i < (*section)->length; i++)
        assert_int_equal((*section)->data[i], 0xff);
    (*section)->length = whole;
    assert_int_equal(crc32_mpeg((*section)->data, whole), 0);
}

static void begin_pes(struct ts_walk_pes *pes, struct bytes payload)
{
    const uint8_t *at = payload.data;
    assert_true(payload.length >= 14 && at[0] == 0 && at[1] == 0 && at[2] == 1);
    pes->stream_id = at[3];
    pes->said = (unsigned)at[4] << 8 | at[5];
    assert_int_equal(at[6] & 0xf0, 0x80);
    assert_true(at[7] == 0x80 || at[7] == 0xc0);
    pes->has_dts = at[7] == 0xc0;
    assert_int_equal(at[8], pes->has_dts ? 10 : 5);
    pes->pts = pes->dts = time_at(at + 9, pes->has_dts ? 3 : 2);
    if (pes->has_dts)
        pes->dts = time_at(at + 14, 1);
    bytes_skip(&payload, 9 + (size_t)at[8]);
    grow(&pes->payload, payload);
}

static void take_packet(struct ts_walk *walk, const uint8_t *packet, size_t number)
{
    unsigned pid = (packet[1] & 0x1fu) << 8 | packet[2];
    bool start = packet[1] & 0x40;
    struct bytes payload = bytes_of(packet + 4, 184);
    struct ts_walk_pes flags = {.pid = pid, .first_packet = number};
    assert_int_equal(packet[0], 0x47);
    assert_int_equal(packet[1] & 0xa0, 0);
    assert_int_equal(packet[3] & 0xd0, 0x10); // with payload, not scrambled
    assert_true(walk->continuity[pid] < 0 || (walk->continuity[pid] + 1) % 16 == (packet[3] & 15));
    walk->continuity[pid] = packet[3] & 15;
    if (packet[3] & 0x20) {
        unsigned field = packet[4];
        assert_true(field <= 182);
        flags.discontinuity = field > 0 && packet[5] & 0x80;
        flags.random_access = field > 0 && packet[5] & 0x40;
        flags.has_pcr = field > 0 && packet[5] & 0x10;
        assert_true(field == 0 || (packet[5] & 0x2f) == 0);
        if (flags.has_pcr) {
            assert_int_equal(packet[10] & 0x7e, 0x7e);
            flags.pcr = (uint64_t)packet[6] << 25 | (uint64_t)packet[7] << 17 |
                        (uint64_t)packet[8] << 9 | (uint64_t)packet[9] << 1 | packet[10] >> 7;
        }
        for (unsigned i = flags.has_pcr ? 7 : 1; i < field; i++)
            assert_int_equal(packet[5 + i], 0xff);
        assert_true(bytes_skip(&payload, 1 + field));
    }
    if (pid == 0) {
        walk->pat_count += start;
    } else if (pid == 0x11) {
        walk->sdt_count += start;
        take_section(&walk->sdt, payload, start);
    } else if (pid == 0x1000) {
        walk->pmt_count += start;
        take_section(&walk->pmt, payload, start);
    } else if (start) {
        assert_true(walk->pes_count < TS_WALK_MAX);
        walk->pes[walk->pes_count] = flags;
        begin_pes(&walk->pes[walk->pes_count++], payload);
    } else {
        assert_false(flags.random_access || flags.has_pcr || flags.discontinuity);
        unsigned last = walk->pes_count;
        while (last > 0 && walk->pes[last - 1].pid != pid)
            last--;
        assert_true(last > 0);
        grow(&walk->pes[last - 1].payload, payload);
    }
}

void ts_walk_take(struct ts_walk *walk, struct bytes in)
{
    drop(walk);
    assert_int_equal(in.length % 188, 0);
    for (size_t at = 0; at < in.length; at += 188)
        take_packet(walk, in.data + at, at / 188);
    for (unsigned i = 0; i < walk->pes_count; i++) {
        const struct ts_walk_pes *pes = &walk->pes[i];
        if (pes->said > 0)
            assert_int_equal(pes->said, pes->payload->length + (pes->has_dts ? 13 : 8));
        else
            assert_int_equal(pes->stream_id & 0xf0, 0xe0); // only video may leave it open
    }
}

#define NAL(text) bytes_of(text, sizeof(text) - 1)

struct track ts_walk_h264(void)
{
    struct param_sets sets = {0};
    struct buf *config = NULL;
    struct track track;
    static const char sps[] =
        "\x67\x64\0\x1e\xac\xd9\x40\xa0\x2f\xf9\x70\x11\0\0\3\0\1\0\0\3\0\x32\x0f"
        "\x16\x2d\x96";
    assert_int_equal(h264_param_sets_add(&sets, NAL(sps)), 0);
    assert_int_equal(h264_param_sets_add(&sets, NAL("\x68\xeb\xe3\xcb\x22\xc0")), 0);
    assert_int_equal(h264_config_make(&sets, &config), 0);
    assert_int_equal(h264_track_from_config(config, &track), 0);
    assert_int_equal(track.width, 640);
    buf_unref(&config);
    param_sets_fini(&sets);
    return track;
}

struct track ts_walk_h265(void)
{
    struct param_sets sets = {0};
    struct buf *config = NULL;
    struct track track;
    static const char vps[] =
        "\x40\1\x0c\1\xff\xff\1\x60\0\0\3\0\x90\0\0\3\0\0\3\0\x5d\x95\x98\x09";
    static const char sps[] =
        "\x42\1\1\1\x60\0\0\3\0\x90\0\0\3\0\0\3\0\x5d\xa0\2\x80\x80\x2d\x16\x59\x59\xa4\x93\x2b\xc0"
        "\x5a\2\0\0\3\0\2\0\0\3\0\x32\x10";
    assert_int_equal(h265_param_sets_add(&sets, NAL(vps)), 0);
    assert_int_equal(h265_param_sets_add(&sets, NAL(sps)), 0);
    assert_int_equal(h265_param_sets_add(&sets, NAL("\x44\1\xc1\x72\xb4\x62\x40")), 0);
    assert_int_equal(h265_config_make(&sets, &config), 0);
    assert_int_equal(h265_track_from_config(config, &track), 0);
    buf_unref(&config);
    param_sets_fini(&sets);
    return track;
}

struct track ts_walk_aac(void)
{
    struct track track;
    assert_int_equal(aac_track_from_config(NAL("\x11\x88"), &track), 0);
    return track;
}

static struct frame *filled(unsigned track, struct bytes head, size_t length, unsigned seed)
{
    struct buf *buf = buf_new(length);
    buf_append(buf, head.data, head.length);
    for (size_t i = head.length; i < length; i++) {
        uint8_t byte = (uint8_t)(4 + (i * 7 + seed * 31) % 250); // never 0 to 3
        buf_append(buf, &byte, 1);
    }
    return frame_new(track, &buf);
}

struct frame *ts_walk_picture(unsigned track, const char *nal_head, size_t length, unsigned seed)
{
    uint8_t head[8] = {0, (uint8_t)((length - 4) >> 16), (uint8_t)((length - 4) >> 8),
                       (uint8_t)(length - 4)};
    size_t head_length = strlen(nal_head);
    assert_true(length >= 4 + head_length && head_length <= 4);
    memcpy(head + 4, nal_head, head_length);
    return filled(track, bytes_of(head, 4 + head_length), length, seed);
}

struct frame *ts_walk_sound(unsigned track, size_t length, unsigned seed)
{
    struct frame *frame = filled(track, bytes_of(NULL, 0), length, seed);
    frame->flags = FRAME_KEY;
    return frame;
}
