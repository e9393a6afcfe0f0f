// SPDX-License-Identifier: MIT
// Chunks that were written under a wrong clock, as the right one would have written them: all times
// of a chunk stand in four places of fixed width, so that its bytes are changed where they are.
#include "cmaf_priv.h"

#include "base/clock.h"
#include "base/code.h"

#include "mp4_box.h"

// Where the times of a chunk stand: of each track that it has samples of, and once each.
struct times {
    uint8_t *segment_utc, *ntp, *media;
    uint32_t media_timescale;
    struct {
        uint8_t *at;
        uint32_t timescale;
    } tfdt[TRACKS_MAX];
    unsigned tracks;
};

static void u64_put(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (56 - 8 * i));
}

static void u64_add(uint8_t *at, uint64_t more)
{
    u64_put(at, mp4_u64_at(at) + more);
}

static uint32_t timescale_of(const struct tracks *tracks, uint32_t id)
{
    return id > 0 && id <= tracks->count ? tracks->track[id - 1].timescale : 0;
}

static bool traf_find(struct bytes traf, const struct tracks *tracks, const uint8_t **at,
                      uint32_t *timescale)
{
    struct bytes tfhd, tfdt;
    uint8_t version;
    uint32_t flags, id;
    if (mp4_box_find(traf, MP4_TYPE("tfhd"), &tfhd) < 0 ||
        mp4_box_find(traf, MP4_TYPE("tfdt"), &tfdt) < 0 ||
        !mp4_full_box_read(&tfhd, &version, &flags) || !bytes_read_u32(&tfhd, &id) ||
        !mp4_full_box_read(&tfdt, &version, &flags) || version != 1 || tfdt.length < 8)
        return false;
    *at = tfdt.data;
    *timescale = timescale_of(tracks, id);
    return *timescale != 0;
}

// Of the head [data, +length), which cmaf_head_parse has taken. False: not as we write it.
static bool times_find(uint8_t *data, size_t length, const struct tracks *tracks, struct times *out)
{
    struct bytes in = bytes_of(data, length), moof = {0};
    struct mp4_box box;
    *out = (struct times){.segment_utc = data + 44};
    if (!bytes_skip(&in, mp4_u32_at(data)))
        return false;
    while (moof.length == 0 && mp4_box_next(&in, &box) == 0) {
        uint8_t version;
        uint32_t flags, id;
        if (box.type == MP4_TYPE("moof"))
            moof = box.body;
        if (box.type != MP4_TYPE("prft"))
            continue;
        if (!mp4_full_box_read(&box.body, &version, &flags) || !bytes_read_u32(&box.body, &id) ||
            version != 1 || box.body.length < 16)
            return false;
        out->ntp = data + (box.body.data - data);
        out->media = out->ntp + 8;
        out->media_timescale = timescale_of(tracks, id);
    }
    while (mp4_box_next(&moof, &box) == 0) {
        const uint8_t *at;
        uint32_t timescale;
        if (box.type != MP4_TYPE("traf"))
            continue;
        if (out->tracks == TRACKS_MAX || !traf_find(box.body, tracks, &at, &timescale))
            return false;
        out->tfdt[out->tracks].at = data + (at - data);
        out->tfdt[out->tracks++].timescale = timescale;
    }
    return out->tracks > 0;
}

static void times_add(const struct times *times, int64_t by_s)
{
    u64_add(times->segment_utc, (uint64_t)by_s * US_PER_S);
    if (times->ntp) { // seconds stand in its upper half, and wrap
        u64_add(times->ntp, (uint64_t)by_s << 32);
        u64_add(times->media, (uint64_t)by_s * times->media_timescale);
    }
    for (unsigned i = 0; i < times->tracks; i++)
        u64_add(times->tfdt[i].at, (uint64_t)by_s * times->tfdt[i].timescale);
}

static void checksum_put(uint8_t *chunk, size_t length)
{
    uint32_t checksum = cmaf_head_checksum(bytes_of(chunk, length));
    for (unsigned i = 0; i < CMAF_CHECKSUM_SIZE; i++)
        chunk[CMAF_CHECKSUM_AT + i] = (uint8_t)(checksum >> (24 - 8 * i));
}

static int shift(uint8_t *data, size_t length, const struct tracks *tracks, int64_t by_s,
                 bool whole)
{
    while (length > 0) {
        struct cmaf_head head;
        struct times times;
        int err = cmaf_head_parse(bytes_of(data, length), tracks, &head);
        if (err != 0)
            return err == ERR_AGAIN ? ERR_INVALID : err;
        uint64_t chunk = head.head_length + (whole ? head.payload_length : 0);
        if (chunk > length || (whole && !cmaf_chunk_intact(bytes_of(data, (size_t)chunk))) ||
            !times_find(data, head.head_length, tracks, &times))
            return ERR_INVALID;
        times_add(&times, by_s);
        if (whole)
            checksum_put(data, (size_t)chunk);
        data += chunk;
        length -= (size_t)chunk;
    }
    return 0;
}

int cmaf_shift(uint8_t *data, size_t length, const struct tracks *tracks, int64_t by_s)
{
    return shift(data, length, tracks, by_s, true);
}

int cmaf_shift_heads(uint8_t *data, size_t length, const struct tracks *tracks, int64_t by_s)
{
    return shift(data, length, tracks, by_s, false);
}
