// SPDX-License-Identifier: MIT
// Init segments and chunks, written. Offsets and the choice of forms: docs/formats/fragment.md.
//
// 1. The bytes depend on the arguments only: no clock, no counter, no address.
// 2. Payload is never copied.
// 3. Frames come from other servers too: decode times that stand still, run back, leap or are
// beyond
//    any date give odd times, never a chunk that cmaf_parse.c would refuse.
#include "cmaf_priv.h"

#include <string.h>

#include "base/code.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/writer.h"
#include "media/audio.h"
#include "media/timebase.h"

#include "mp4_moov.h"

#define NTP_EPOCH_S 2208988800LL // from 1900 to 1970

enum { OPUS_SAMPLES = 960, FALLBACK_RATE = 25 };

const uint8_t cmaf_usertype[16] = {0x26, 0xff, 0xcf, 0x5f, 0x41, 0x5f, 0x41, 0x8c,
                                   0x9a, 0x5c, 0x86, 0xee, 0xe5, 0x46, 0x13, 0x88};

uint32_t cmaf_default_duration(const struct track *track)
{
    struct aac_config aac;
    if (track->kind == MEDIA_VIDEO && track->fps_num > 0) {
        uint64_t twice = 2ULL * track->timescale * track->fps_den + track->fps_num;
        uint64_t ticks = twice / 2 / track->fps_num;
        return ticks <= UINT32_MAX ? (uint32_t)ticks : 0;
    }
    if (track->codec == CODEC_AAC && track->config &&
        aac_config_parse(buf_bytes(track->config), &aac) == 0)
        return aac.frame_samples;
    return track->codec == CODEC_OPUS ? OPUS_SAMPLES : 0;
}

uint64_t cmaf_ntp_time(int64_t ticks, uint32_t timescale)
{
    int64_t seconds = ticks / timescale, rest = ticks % timescale;
    if (rest < 0) {
        rest += timescale;
        seconds--;
    }
    uint64_t fraction = ((uint64_t)rest << 32) / timescale;
    return ((uint64_t)seconds + NTP_EPOCH_S) << 32 | fraction;
}

uint32_t cmaf_head_checksum(struct bytes head)
{
    ENSURE(head.length >= CMAF_UUID_SIZE);
    size_t behind = CMAF_CHECKSUM_AT + CMAF_CHECKSUM_SIZE;
    uint32_t checksum = crc32c(0, head.data, CMAF_CHECKSUM_AT);
    return crc32c(checksum, head.data + behind, head.length - behind);
}

// ---- init segment -------------------------------------------------------------------------------

static void mvex_write(struct writer *out, const struct tracks *tracks)
{
    size_t mvex = mp4_box_open(out, "mvex");
    for (unsigned i = 0; i < tracks->count; i++) {
        size_t trex = mp4_full_box_open(out, "trex", 0, 0);
        writer_u32(out, i + 1);
        writer_u32(out, 1); // the only sample entry
        writer_u32(out, cmaf_default_duration(&tracks->track[i]));
        writer_u32(out, 0);
        writer_u32(out, cmaf_default_flags(&tracks->track[i]));
        mp4_box_close(out, trex);
    }
    mp4_box_close(out, mvex);
}

// is_file: with edit lists that make the presentation begin at start_us.
static struct buf *init_write(const struct tracks *tracks, bool is_file, int64_t start_us)
{
    struct writer out = {0};
    size_t ftyp = mp4_box_open(&out, "ftyp");
    writer_text(&out, "iso6");
    writer_u32(&out, 0);
    writer_text(&out, "iso6mp41");
    mp4_box_close(&out, ftyp);
    size_t moov = mp4_box_open(&out, "moov");
    mp4_mvhd_write(&out, 0, 0, tracks->count);
    for (unsigned i = 0; i < tracks->count; i++) {
        const struct track *track = &tracks->track[i];
        struct mp4_edit edit = {0};
        struct mp4_trak trak = {.track = track, .id = i + 1, .edits = &edit};
        if (is_file) {
            edit.media_time = ticks_from_us(start_us, track->timescale);
            trak.edit_count = 1;
        }
        mp4_trak_write(&out, &trak);
    }
    mvex_write(&out, tracks);
    mp4_box_close(&out, moov);
    return writer_take(&out);
}

struct buf *cmaf_init_write(const struct tracks *tracks)
{
    return init_write(tracks, false, 0);
}

struct buf *cmaf_init_write_at(const struct tracks *tracks, int64_t start_us)
{
    return init_write(tracks, true, start_us);
}

// ---- chunks -------------------------------------------------------------------------------------

// The frames of one part, and walks over those of one track.
struct part {
    const struct tracks *tracks;
    struct frame *const *frames;
    unsigned count;
};

// What is known of the samples of one track before they are written.
struct run {
    unsigned track, first, count; // first: index of its first frame
    uint64_t bytes;
    uint32_t tfhd, trun;                         // flags of the boxes
    bool negative;                               // some composition offset is
    uint32_t duration, size, flags, first_flags; // values that stand once
    size_t offset_at;                            // of trun's data offset in the writer
};

static int64_t decode_time(const struct part *part, const struct frame *frame)
{
    int64_t most = ticks_from_us(CMAF_UTC_US_MAX / 2, part->tracks->track[frame->track].timescale);
    if (most > CMAF_TICKS_MAX / 2)
        most = CMAF_TICKS_MAX / 2;
    return frame->dts > most ? most : frame->dts < -most ? -most : frame->dts;
}

// Index of the next frame of the track at or after `from`; part->count when there is none.
static unsigned next_of(const struct part *part, unsigned track, unsigned from)
{
    while (from < part->count && part->frames[from]->track != track)
        from++;
    return from;
}

static uint32_t sample_flags(const struct track *track, const struct frame *frame)
{
    uint32_t flags = cmaf_default_flags(track);
    if (track->kind == MEDIA_VIDEO && frame->flags & FRAME_KEY)
        flags = SAMPLE_INDEPENDENT;
    if (frame->flags & FRAME_DROPPABLE)
        flags |= SAMPLE_DISPOSABLE;
    if (frame->flags & FRAME_DISCONTINUITY)
        flags |= SAMPLE_DISCONTINUITY;
    if (frame->flags & FRAME_CORRUPT)
        flags |= SAMPLE_CORRUPT;
    return flags;
}

// before: the duration of the sample before it, 0 at the first.
static uint32_t sample_duration(const struct part *part, unsigned index, unsigned next,
                                uint32_t before)
{
    const struct frame *frame = part->frames[index];
    const struct track *track = &part->tracks->track[frame->track];
    if (next < part->count) {
        int64_t later = part->frames[next]->dts;
        if (later <= frame->dts)
            return 0;
        uint64_t step = (uint64_t)later - (uint64_t)frame->dts;
        return step <= UINT32_MAX ? (uint32_t)step : UINT32_MAX;
    }
    if (frame->duration)
        return frame->duration;
    if (before)
        return before;
    uint32_t usual = cmaf_default_duration(track);
    return usual ? usual : (track->timescale + FALLBACK_RATE - 1) / FALLBACK_RATE;
}

// Chooses the cheapest form. False when the track has no frame in the part.
static bool run_survey(const struct part *part, unsigned number, struct run *run)
{
    const struct track *track = &part->tracks->track[number];
    *run = (struct run){.track = number, .first = next_of(part, number, 0)};
    bool durations_differ = false, sizes_differ = false, flags_differ = false, has_cts = false;
    uint32_t duration = 0;
    for (unsigned i = run->first, next; i < part->count; i = next) {
        const struct frame *frame = part->frames[i];
        next = next_of(part, number, i + 1);
        duration = sample_duration(part, i, next, duration);
        uint32_t flags = sample_flags(track, frame);
        if (run->count == 0) {
            run->duration = duration;
            run->size = frame->length;
            run->first_flags = flags;
        } else if (run->count == 1) {
            run->flags = flags;
        }
        durations_differ |= duration != run->duration;
        sizes_differ |= frame->length != run->size;
        flags_differ |= run->count > 1 && flags != run->flags;
        has_cts |= frame->cts != 0;
        run->negative |= frame->cts < 0;
        run->bytes += frame->length;
        run->count++;
    }
    if (run->count == 0)
        return false;
    if (run->count == 1) // the first one's flags stand in trun when they are not the default
        run->flags = cmaf_default_flags(track);
    run->tfhd = TFHD_BASE_IS_MOOF;
    run->trun = TRUN_DATA_OFFSET | (has_cts ? TRUN_CTS : 0);
    if (durations_differ)
        run->trun |= TRUN_DURATION;
    else if (run->duration != cmaf_default_duration(track))
        run->tfhd |= TFHD_DURATION;
    if (sizes_differ)
        run->trun |= TRUN_SIZE;
    else
        run->tfhd |= TFHD_SIZE;
    if (flags_differ)
        run->trun |= TRUN_FLAGS;
    else if (run->flags != cmaf_default_flags(track))
        run->tfhd |= TFHD_FLAGS;
    if (!flags_differ && run->first_flags != run->flags)
        run->trun |= TRUN_FIRST_FLAGS;
    return true;
}

static void samples_write(struct writer *out, const struct part *part, const struct run *run)
{
    const struct track *track = &part->tracks->track[run->track];
    uint32_t duration = 0;
    for (unsigned i = run->first, next; i < part->count; i = next) {
        const struct frame *frame = part->frames[i];
        next = next_of(part, run->track, i + 1);
        duration = sample_duration(part, i, next, duration);
        if (run->trun & TRUN_DURATION)
            writer_u32(out, duration);
        if (run->trun & TRUN_SIZE)
            writer_u32(out, frame->length);
        if (run->trun & TRUN_FLAGS)
            writer_u32(out, sample_flags(track, frame));
        if (run->trun & TRUN_CTS)
            writer_u32(out, (uint32_t)frame->cts);
    }
}

static void traf_write(struct writer *out, const struct part *part, struct run *run)
{
    size_t traf = mp4_box_open(out, "traf");
    size_t box = mp4_full_box_open(out, "tfhd", 0, run->tfhd);
    writer_u32(out, run->track + 1);
    if (run->tfhd & TFHD_DURATION)
        writer_u32(out, run->duration);
    if (run->tfhd & TFHD_SIZE)
        writer_u32(out, run->size);
    if (run->tfhd & TFHD_FLAGS)
        writer_u32(out, run->flags);
    mp4_box_close(out, box);
    box = mp4_full_box_open(out, "tfdt", 1, 0);
    writer_u64(out, (uint64_t)decode_time(part, part->frames[run->first]));
    mp4_box_close(out, box);
    box = mp4_full_box_open(out, "trun", run->negative, run->trun);
    writer_u32(out, run->count);
    run->offset_at = writer_length(out);
    writer_u32(out, 0);
    if (run->trun & TRUN_FIRST_FLAGS)
        writer_u32(out, run->first_flags);
    samples_write(out, part, run);
    mp4_box_close(out, box);
    mp4_box_close(out, traf);
}

static void uuid_write(struct writer *out, const struct segment_info *info, unsigned number)
{
    size_t box = mp4_box_open(out, "uuid");
    writer_bytes(out, cmaf_usertype, sizeof(cmaf_usertype));
    writer_u8(out, CMAF_VERSION);
    writer_u8(out, info->flags);
    writer_u16(out, (uint16_t)number);
    writer_u32(out, 0); // the checksum, when all is there
    writer_u32(out, info->generation);
    writer_u64(out, info->number);
    writer_u64(out, (uint64_t)info->utc_start_us);
    mp4_box_close(out, box);
}

static void prft_write(struct writer *out, const struct part *part, const struct frame *frame)
{
    int64_t time = decode_time(part, frame);
    size_t box = mp4_full_box_open(out, "prft", 1, 0);
    writer_u32(out, frame->track + 1u);
    writer_u64(out, cmaf_ntp_time(time, part->tracks->track[frame->track].timescale));
    writer_u64(out, (uint64_t)time);
    mp4_box_close(out, box);
}

static void moof_write(struct writer *out, const struct part *part, uint32_t sequence,
                       struct run *runs, unsigned run_count)
{
    size_t moof = mp4_box_open(out, "moof");
    size_t mfhd = mp4_full_box_open(out, "mfhd", 0, 0);
    writer_u32(out, sequence);
    mp4_box_close(out, mfhd);
    for (unsigned i = 0; i < run_count; i++)
        traf_write(out, part, &runs[i]);
    mp4_box_close(out, moof);
    uint64_t offset = writer_length(out) - moof + MP4_BOX_HEAD;
    for (unsigned i = 0; i < run_count; i++) {
        writer_patch_u32(out, runs[i].offset_at, (uint32_t)offset);
        offset += runs[i].bytes;
    }
    ENSURE(offset <= INT32_MAX); // data offsets are signed
}

static void payload_add(struct chain *out, const struct part *part, const struct run *run,
                        uint32_t *checksum)
{
    for (unsigned i = run->first; i < part->count; i = next_of(part, run->track, i + 1)) {
        const struct frame *frame = part->frames[i];
        *checksum = crc32c(*checksum, frame_data(frame), frame->length);
        chain_add(out, frame->buf, frame->offset, frame->length);
    }
}

void cmaf_chunk_write(const struct tracks *tracks, struct frame *const *frames, unsigned count,
                      const struct segment_info *info, unsigned part, struct chain *out)
{
    ENSURE(count > 0 && count <= SEGMENT_FRAMES_MAX && part <= UINT16_MAX);
    struct part all = {.tracks = tracks, .frames = frames, .count = count};
    struct run runs[TRACKS_MAX];
    unsigned run_count = 0, reference = 0, found = 0;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < tracks->count; i++) {
        if (!run_survey(&all, i, &runs[run_count]))
            continue;
        if (i == tracks_leading(tracks))
            reference = run_count;
        found += runs[run_count].count;
        bytes += runs[run_count++].bytes;
    }
    ENSURE(found == count && bytes <= SEGMENT_BYTES_MAX);

    struct writer head;
    writer_init(&head, 512);
    uuid_write(&head, info, part);
    prft_write(&head, &all, frames[runs[reference].first]);
    moof_write(&head, &all, (uint32_t)(info->number * 128 + part), runs, run_count);
    writer_u32(&head, (uint32_t)(MP4_BOX_HEAD + bytes));
    writer_bytes(&head, "mdat", 4);

    struct buf *block = writer_take(&head);
    uint32_t checksum = cmaf_head_checksum(buf_bytes(block));
    uint8_t *checksum_at = block->data + CMAF_CHECKSUM_AT;
    chain_take(out, &block);
    for (unsigned i = 0; i < run_count; i++)
        payload_add(out, &all, &runs[i], &checksum);
    for (unsigned i = 0; i < CMAF_CHECKSUM_SIZE; i++)
        checksum_at[i] = (uint8_t)(checksum >> (24 - 8 * i));
}

void cmaf_free_write(struct writer *out, uint64_t length)
{
    bool large = length > UINT32_MAX;
    writer_u32(out, large ? 1 : (uint32_t)length);
    writer_text(out, "free");
    writer_u64(out, large ? length : 0);
}
