// SPDX-License-Identifier: MIT
// The common parts of `moov`.
#include "mp4_moov.h"

#include "base/ensure.h"

#include "mp4_entry.h"

enum { TKHD_ENABLED_IN_MOVIE = 3, UNITY_16_16 = 0x10000, UNITY_2_30 = 0x40000000 };

static void matrix_write(struct writer *out)
{
    static const uint32_t identity[9] = {
        UNITY_16_16, 0, 0, 0, UNITY_16_16, 0, 0, 0, UNITY_2_30,
    };
    for (unsigned i = 0; i < 9; i++)
        writer_u32(out, identity[i]);
}

void mp4_mvhd_write(struct writer *out, uint64_t created_s, uint64_t duration, unsigned track_count)
{
    size_t box = mp4_full_box_open(out, "mvhd", 1, 0);
    writer_u64(out, created_s);
    writer_u64(out, created_s);
    writer_u32(out, MP4_MOVIE_TIMESCALE);
    writer_u64(out, duration);
    writer_u32(out, UNITY_16_16); // rate
    writer_u16(out, 0x100);       // volume
    mp4_zeros_write(out, 10);
    matrix_write(out);
    mp4_zeros_write(out, 24);
    writer_u32(out, track_count + 1); // next_track_ID
    mp4_box_close(out, box);
}

static void tkhd_write(struct writer *out, const struct mp4_trak *trak)
{
    const struct track *track = trak->track;
    size_t box = mp4_full_box_open(out, "tkhd", 1, TKHD_ENABLED_IN_MOVIE);
    writer_u64(out, trak->created_s);
    writer_u64(out, trak->created_s);
    writer_u32(out, trak->id);
    writer_u32(out, 0);
    writer_u64(out, trak->duration);
    mp4_zeros_write(out, 8);
    writer_u16(out, 0); // layer
    // Tracks of one kind are alternatives of each other.
    writer_u16(out, track->kind == MEDIA_VIDEO ? 1 : 2);
    writer_u16(out, track->kind == MEDIA_AUDIO ? 0x100 : 0);
    writer_u16(out, 0);
    matrix_write(out);
    writer_u32(out, track->width > UINT16_MAX ? 0 : track->width << 16);
    writer_u32(out, track->height > UINT16_MAX ? 0 : track->height << 16);
    mp4_box_close(out, box);
}

static void edts_write(struct writer *out, const struct mp4_trak *trak)
{
    size_t edts = mp4_box_open(out, "edts");
    size_t elst = mp4_full_box_open(out, "elst", 1, 0);
    writer_u32(out, trak->edit_count);
    for (unsigned i = 0; i < trak->edit_count; i++) {
        writer_u64(out, trak->edits[i].duration);
        writer_u64(out, (uint64_t)trak->edits[i].media_time);
        writer_u32(out, UNITY_16_16);
    }
    mp4_box_close(out, elst);
    mp4_box_close(out, edts);
}

static void mdhd_write(struct writer *out, const struct mp4_trak *trak)
{
    const char *language = trak->track->language;
    size_t box = mp4_full_box_open(out, "mdhd", 1, 0);
    writer_u64(out, trak->created_s);
    writer_u64(out, trak->created_s);
    writer_u32(out, trak->track->timescale);
    writer_u64(out, trak->media_duration);
    unsigned packed = 0;
    for (unsigned i = 0; i < 3; i++) {
        bool letter = language[i] >= 'a' && language[i] <= 'z';
        packed = packed << 5 | ((letter ? (unsigned)language[i] : 'a') - 0x60);
        if (!letter) { // "und" for whatever is no ISO 639-2 code
            packed = ('u' - 0x60) << 10 | ('n' - 0x60) << 5 | ('d' - 0x60);
            break;
        }
    }
    writer_u16(out, (uint16_t)packed);
    writer_u16(out, 0);
    mp4_box_close(out, box);
}

static void hdlr_write(struct writer *out, enum media_kind kind)
{
    size_t box = mp4_full_box_open(out, "hdlr", 0, 0);
    writer_u32(out, 0);
    writer_bytes(out, kind == MEDIA_VIDEO ? "vide" : "soun", 4);
    mp4_zeros_write(out, 12);
    writer_bytes(out, kind == MEDIA_VIDEO ? "video" : "audio", 6);
    mp4_box_close(out, box);
}

static void media_head_write(struct writer *out, enum media_kind kind)
{
    size_t box;
    if (kind == MEDIA_VIDEO) {
        box = mp4_full_box_open(out, "vmhd", 0, 1);
        mp4_zeros_write(out, 8);
    } else {
        box = mp4_full_box_open(out, "smhd", 0, 0);
        mp4_zeros_write(out, 4);
    }
    mp4_box_close(out, box);
}

static void dinf_write(struct writer *out)
{
    size_t dinf = mp4_box_open(out, "dinf");
    size_t dref = mp4_full_box_open(out, "dref", 0, 0);
    writer_u32(out, 1);
    mp4_box_close(out, mp4_full_box_open(out, "url ", 0, 1)); // 1: in this file
    mp4_box_close(out, dref);
    mp4_box_close(out, dinf);
}

static void empty_tables_write(struct writer *out)
{
    static const char *const type[] = {"stts", "stsc", "stsz", "stco"};
    for (unsigned i = 0; i < 4; i++) {
        size_t box = mp4_full_box_open(out, type[i], 0, 0);
        mp4_zeros_write(out, i == 2 ? 8 : 4);
        mp4_box_close(out, box);
    }
}

void mp4_trak_write(struct writer *out, const struct mp4_trak *trak)
{
    enum media_kind kind = trak->track->kind;
    size_t open[4] = {mp4_box_open(out, "trak")};
    tkhd_write(out, trak);
    if (trak->edit_count)
        edts_write(out, trak);
    open[1] = mp4_box_open(out, "mdia");
    mdhd_write(out, trak);
    hdlr_write(out, kind);
    open[2] = mp4_box_open(out, "minf");
    media_head_write(out, kind);
    dinf_write(out);
    open[3] = mp4_box_open(out, "stbl");
    size_t stsd = mp4_full_box_open(out, "stsd", 0, 0);
    writer_u32(out, 1 + trak->more_count);
    mp4_entry_write(out, trak->track);
    for (unsigned i = 0; i < trak->more_count; i++)
        mp4_entry_write(out, trak->more[i]);
    mp4_box_close(out, stsd);
    if (trak->tables_size == 0)
        empty_tables_write(out);
    for (unsigned i = 0; i < 4; i++) {
        size_t size = writer_length(out) - open[i] + trak->tables_size;
        ENSURE(size <= UINT32_MAX);
        writer_patch_u32(out, open[i], (uint32_t)size);
    }
}

// ---- read ---------------------------------------------------------------------------------------

static bool mdhd_parse(struct bytes body, struct mp4_trak_found *out)
{
    uint8_t version;
    uint32_t flags;
    uint16_t packed;
    if (!mp4_full_box_read(&body, &version, &flags) || !bytes_skip(&body, version == 1 ? 16 : 8) ||
        !bytes_read_u32(&body, &out->timescale) || !bytes_skip(&body, version == 1 ? 8 : 4) ||
        !bytes_read_u16(&body, &packed))
        return false;
    memcpy(out->language, "und", sizeof(out->language));
    char language[4] = {0};
    for (unsigned i = 0; i < 3; i++) {
        unsigned letter = packed >> (10 - 5 * i) & 31;
        language[i] = (char)(letter >= 1 && letter <= 26 ? 0x60 + letter : 0);
    }
    if (strlen(language) == 3)
        memcpy(out->language, language, sizeof(language));
    return out->timescale > 0;
}

int mp4_trak_parse(struct bytes trak, struct mp4_trak_found *out)
{
    struct bytes tkhd, mdia, mdhd, hdlr, minf, stsd;
    struct mp4_box entry;
    *out = (struct mp4_trak_found){0};
    if (mp4_box_find(trak, MP4_TYPE("tkhd"), &tkhd) < 0 ||
        mp4_box_find(trak, MP4_TYPE("mdia"), &mdia) < 0 ||
        mp4_box_find(mdia, MP4_TYPE("mdhd"), &mdhd) < 0 ||
        mp4_box_find(mdia, MP4_TYPE("hdlr"), &hdlr) < 0 || hdlr.length < 12)
        return ERR_INVALID;
    out->handler = mp4_u32_at(hdlr.data + 8);
    if (tkhd.length < 1 || !bytes_skip(&tkhd, tkhd.data[0] == 1 ? 20 : 12) ||
        !bytes_read_u32(&tkhd, &out->id) || !mdhd_parse(mdhd, out))
        return ERR_INVALID;
    if (out->handler != MP4_TYPE("vide") && out->handler != MP4_TYPE("soun"))
        return ERR_UNSUPPORTED;
    out->kind = out->handler == MP4_TYPE("vide") ? MEDIA_VIDEO : MEDIA_AUDIO;
    if (mp4_box_find(mdia, MP4_TYPE("minf"), &minf) < 0 ||
        mp4_box_find(minf, MP4_TYPE("stbl"), &out->stbl) < 0 ||
        mp4_box_find(out->stbl, MP4_TYPE("stsd"), &stsd) < 0 || !bytes_skip(&stsd, 8) ||
        mp4_box_next(&stsd, &entry) < 0)
        return ERR_INVALID;
    out->entry = entry.whole;
    return 0;
}

struct mp4_trex mp4_trex_find(struct bytes moov, uint32_t id)
{
    struct bytes mvex;
    struct mp4_box box;
    if (mp4_box_find(moov, MP4_TYPE("mvex"), &mvex) == 0) {
        while (mp4_box_next(&mvex, &box) == 0) {
            const uint8_t *at = box.body.data;
            if (box.type == MP4_TYPE("trex") && box.body.length >= 24 && mp4_u32_at(at + 4) == id)
                return (struct mp4_trex){mp4_u32_at(at + 12), mp4_u32_at(at + 16),
                                         mp4_u32_at(at + 20)};
        }
    }
    return (struct mp4_trex){0};
}
