// SPDX-License-Identifier: MIT
// Tracks and track lists. Codec strings follow RFC 6381 and the codec's own ISO mapping: ISO/IEC
// 14496-15, annex E for H.265 ("hvc1.1.6.L93.B0"), the AV1 mapping, section 5 for "av01.0.04M.08".
#include "media/track.h"

#include <string.h>

#include "base/bits.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"

enum { TRACKS_MAGIC = 0x54524b53 };

static long live;

long tracks_live_count(void)
{
    return live;
}

void track_init(struct track *track, enum codec codec)
{
    memset(track, 0, sizeof(*track));
    track->codec = codec;
    track->kind = codec_info(codec)->kind;
    text_copy(track->language, sizeof(track->language), "und");
}

void track_fini(struct track *track)
{
    buf_unref(&track->config);
    buf_unref(&track->sample_entry);
}

struct tracks *tracks_new(struct track *track, unsigned count)
{
    ENSURE(track && count >= 1 && count <= TRACKS_MAX);
    struct tracks *tracks = mem_alloc(sizeof(*tracks));
    tracks->magic = TRACKS_MAGIC;
    tracks->refs = 1;
    tracks->count = count;
    memcpy(tracks->track, track, count * sizeof(*track));
    for (unsigned i = 0; i < count; i++) {
        ENSURE((unsigned)track[i].codec < CODEC_COUNT && track[i].timescale > 0);
        track[i].config = track[i].sample_entry = NULL;
    }
    live++;
    return tracks;
}

struct tracks *tracks_ref(struct tracks *tracks)
{
    OBJ_CHECK(tracks, TRACKS_MAGIC);
    ENSURE(tracks->refs < UINT32_MAX);
    tracks->refs++;
    return tracks;
}

void tracks_unref(struct tracks **tracks)
{
    struct tracks *gone = *tracks;
    *tracks = NULL;
    if (!gone)
        return;
    OBJ_CHECK(gone, TRACKS_MAGIC);
    ENSURE(gone->refs > 0);
    if (--gone->refs > 0)
        return;
    for (unsigned i = 0; i < gone->count; i++)
        track_fini(&gone->track[i]);
    gone->magic = 0;
    live--;
    mem_free(gone);
}

static bool bufs_equal(const struct buf *a, const struct buf *b)
{
    if (a == b)
        return true;
    return a && b && a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

bool track_equal(const struct track *a, const struct track *b)
{
    return a->codec == b->codec && a->kind == b->kind && a->timescale == b->timescale &&
           a->width == b->width && a->height == b->height && a->sample_rate == b->sample_rate &&
           a->channels == b->channels && bufs_equal(a->config, b->config) &&
           bufs_equal(a->sample_entry, b->sample_entry);
}

bool tracks_equal(const struct tracks *a, const struct tracks *b)
{
    OBJ_CHECK(a, TRACKS_MAGIC);
    OBJ_CHECK(b, TRACKS_MAGIC);
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (!track_equal(&a->track[i], &b->track[i]))
            return false;
    return true;
}

int tracks_find(const struct tracks *tracks, enum media_kind kind)
{
    OBJ_CHECK(tracks, TRACKS_MAGIC);
    for (unsigned i = 0; i < tracks->count; i++)
        if (tracks->track[i].kind == kind)
            return (int)i;
    return -1;
}

unsigned tracks_leading(const struct tracks *tracks)
{
    int video = tracks_find(tracks, MEDIA_VIDEO);
    return video < 0 ? 0 : (unsigned)video;
}

static void h265_string(struct bytes config, char *out, size_t room)
{
    const uint8_t *at = config.data; // hvcC: general profile, tier and level are bytes 1 to 12
    static const char space[4][2] = {"", "A", "B", "C"};
    uint32_t flags = (uint32_t)at[2] << 24 | (uint32_t)at[3] << 16 | (uint32_t)at[4] << 8 | at[5];
    uint32_t reversed = 0;
    for (unsigned i = 0; i < 32; i++)
        reversed |= (flags >> i & 1) << (31 - i);
    text_format(out, room, "hvc1.%s%u.%X.%c%u", space[at[1] >> 6], at[1] & 31u, reversed,
                at[1] & 32 ? 'H' : 'L', at[12]);
    int last = 5; // trailing zero bytes of the six constraint bytes are left out
    while (last >= 0 && at[6 + last] == 0)
        last--;
    for (int i = 0; i <= last; i++)
        text_append(out, room, ".%X", at[6 + i]);
}

static void av1_string(struct bytes config, char *out, size_t room)
{
    uint8_t first = config.data[1], second = config.data[2];
    unsigned depth = second & 64 ? (second & 32 ? 12 : 10) : 8;
    text_format(out, room, "av01.%u.%02u%c.%02u", first >> 5, first & 31u, second & 128 ? 'H' : 'M',
                depth);
}

static unsigned aac_signalled_type(struct bytes config)
{
    // What is signalled, not the core: players choose SBR and PS by this number.
    struct bits bits = bits_of(config);
    unsigned type = bits_read(&bits, 5);
    return type == 31 ? 32 + bits_read(&bits, 6) : type;
}

static void other_string(const struct track *track, char *out, size_t room)
{
    if (!track->sample_entry || track->sample_entry->length < 8)
        return;
    const char *four = (const char *)track->sample_entry->data + 4;
    for (unsigned i = 0; i < 4; i++)
        if (four[i] < 33 || four[i] > 126 || four[i] == '"' || four[i] == ',')
            return; // it would break the quoted list that it goes into
    text_copy_n(out, room, four, 4);
}

void track_codec_string(const struct track *track, char *out, size_t room)
{
    struct bytes config = track->config ? buf_bytes(track->config) : bytes_of(NULL, 0);
    text_copy(out, room, codec_info(track->codec)->mp4);
    switch (track->codec) {
    case CODEC_H264:
        if (config.length >= 4)
            text_format(out, room, "avc1.%02X%02X%02X", config.data[1], config.data[2],
                        config.data[3]);
        break;
    case CODEC_H265:
        if (config.length >= 13)
            h265_string(config, out, room);
        break;
    case CODEC_AV1:
        if (config.length >= 3)
            av1_string(config, out, room);
        break;
    case CODEC_AAC:
        text_format(out, room, "mp4a.40.%u", config.length ? aac_signalled_type(config) : 2);
        break;
    case CODEC_MP3:
        text_copy(out, room, "mp4a.40.34");
        break;
    case CODEC_OTHER_VIDEO:
    case CODEC_OTHER_AUDIO:
        other_string(track, out, room);
        break;
    case CODEC_OPUS: // "Opus", as registered: Safari knows no other, Chromium both
    case CODEC_PCMA:
    case CODEC_PCMU:
    case CODEC_COUNT:
        break;
    }
}

void tracks_id(const struct tracks *tracks, unsigned number, char out[8])
{
    OBJ_CHECK(tracks, TRACKS_MAGIC);
    ENSURE(number < tracks->count);
    static const char letter[] = {[MEDIA_VIDEO] = 'v', [MEDIA_AUDIO] = 'a', [MEDIA_TEXT] = 't'};
    enum media_kind kind = tracks->track[number].kind;
    unsigned position = 0;
    for (unsigned i = 0; i <= number; i++)
        position += tracks->track[i].kind == kind;
    text_format(out, 8, "%c%u", letter[kind], position);
}
