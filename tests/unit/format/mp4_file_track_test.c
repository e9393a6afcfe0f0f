// SPDX-License-Identifier: MIT
// Whole files of segments whose tracks change.
#include "mp4_file_fixture.h"

#include <stdlib.h>

#include "base/mem.h"
#include "mp4_box.h"
#include "mp4_file_track.h"
#include "mp4_moov.h"

// Parameter sets of 320x240.
#define AVCC_LARGE                                                                                 \
    "0164000dffe100196764000dacd94141fb011000000300100000030320f142996001000668ebe3cb22c0fdf8f800"

enum { SAMPLES_MAX = 2000 };

// A trak as a reader that knows of several sample entries sees it.
struct read_track {
    uint32_t timescale, entries, count;
    int64_t wait;  // of an edit that shows nothing, in the track's ticks
    int64_t begin; // media time at which the edit begins
    struct read_sample {
        uint32_t description, size;
        uint64_t offset;
        int64_t dts;
    } sample[SAMPLES_MAX];
};

static struct bytes rows_of(struct bytes stbl, const char *type, size_t head)
{
    struct bytes rows;
    assert_int_equal(mp4_box_find(stbl, MP4_TYPE(type), &rows), 0);
    assert_true(bytes_skip(&rows, head));
    return rows;
}

static void times_read(struct bytes stts, struct read_track *out)
{
    int64_t dts = 0;
    for (uint32_t at = 0; stts.length >= 8; (void)bytes_skip(&stts, 8)) {
        for (uint32_t n = mp4_u32_at(stts.data); n > 0; n--) {
            assert_true(at < out->count);
            out->sample[at++].dts = dts;
            dts += mp4_u32_at(stts.data + 4);
        }
    }
}

static void trak_read(struct bytes trak, struct read_track *out)
{
    struct mp4_trak_found found;
    struct bytes edts, elst, stsd;
    *out = (struct read_track){0};
    assert_int_equal(mp4_trak_parse(trak, &found), 0);
    out->timescale = found.timescale;
    assert_int_equal(mp4_box_find(trak, MP4_TYPE("edts"), &edts), 0);
    assert_int_equal(mp4_box_find(edts, MP4_TYPE("elst"), &elst), 0);
    const uint8_t *row = elst.data + 8;
    if (mp4_u32_at(elst.data + 4) == 2) {
        out->wait = ticks_rescale((int64_t)mp4_u64_at(row), 90000, out->timescale);
        row += 20;
    }
    out->begin = (int64_t)mp4_u64_at(row + 8);
    stsd = rows_of(found.stbl, "stsd", 4);
    out->entries = mp4_u32_at(stsd.data);
    struct bytes sizes = rows_of(found.stbl, "stsz", 4), stsc = rows_of(found.stbl, "stsc", 8);
    struct bytes offsets = rows_of(found.stbl, "co64", 8);
    uint32_t same = mp4_u32_at(sizes.data), count = mp4_u32_at(sizes.data + 4);
    assert_true(count <= SAMPLES_MAX);
    for (uint32_t chunk = 1; offsets.length > 0; chunk++, (void)bytes_skip(&offsets, 8)) {
        while (stsc.length > 12 && mp4_u32_at(stsc.data + 12) <= chunk)
            (void)bytes_skip(&stsc, 12);
        uint64_t offset = mp4_u64_at(offsets.data);
        for (uint32_t n = mp4_u32_at(stsc.data + 4); n > 0; n--) {
            struct read_sample *sample = &out->sample[out->count];
            sample->description = mp4_u32_at(stsc.data + 8);
            sample->size = same ? same : mp4_u32_at(sizes.data + 8 + 4 * (size_t)out->count);
            sample->offset = offset;
            offset += sample->size;
            out->count++;
        }
    }
    assert_int_equal(out->count, count);
    times_read(rows_of(found.stbl, "stts", 8), out);
}

// The traks of a file; returns how many.
static unsigned file_read(struct bytes file, struct read_track **out, unsigned most)
{
    struct bytes moov;
    struct mp4_box box;
    unsigned count = 0;
    assert_int_equal(mp4_box_find(file, MP4_TYPE("moov"), &moov), 0);
    while (mp4_box_next(&moov, &box) == 0) {
        if (box.type != MP4_TYPE("trak"))
            continue;
        assert_true(count < most);
        out[count] = mem_alloc(sizeof(**out));
        trak_read(box.body, out[count++]);
    }
    return count;
}

// ---- a camera that changes ----------------------------------------------------------------------

enum kind { SMALL, LARGE, SILENT, NEWER, KINDS }; // silent: large without sound; newer: H.265

struct changing {
    struct tracks *tracks[KINDS];
    struct segment *segment[SEGMENTS]; // two seconds each, two key frames in each
};

static void changing_make(struct changing *all, const enum kind kinds[SEGMENTS])
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct track track[2] = {kind == NEWER   ? h265_track_of(HVCC)
                                 : kind == SMALL ? h264_track_of(AVCC)
                                                 : h264_track_of(AVCC_LARGE)};
        if (kind != SILENT)
            track[1] = aac_track_of("1188");
        all->tracks[kind] = tracks_new(track, kind == SILENT ? 1 : 2);
    }
    for (unsigned i = 0; i < SEGMENTS; i++) {
        struct frames frames = {0};
        camera_frames(&frames, i * 2 * SECOND, 2 * SECOND, 25);
        unsigned kept = 0;
        for (unsigned k = 0; k < frames.count; k++) {
            if (kinds[i] == SILENT && frames.frame[k]->track == 1)
                frame_unref(&frames.frame[k]);
            else
                frames.frame[kept++] = frames.frame[k];
        }
        frames.count = kept;
        // The second key frame is in the middle of a part.
        all->segment[i] = segment_of(all->tracks[kinds[i]], &frames, 1700000000 + i, 700000);
        frames_drop(&frames);
    }
}

static void changing_drop(struct changing *all)
{
    for (unsigned i = 0; i < SEGMENTS; i++)
        segment_unref(&all->segment[i]);
    for (unsigned kind = 0; kind < KINDS; kind++)
        tracks_unref(&all->tracks[kind]);
}

static struct mp4_file *file_of_all(const struct changing *all, struct mp4_file *file)
{
    for (unsigned i = 0; i < SEGMENTS; i++)
        assert_int_equal(add(file, all->segment[i]), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    return file;
}

static uint32_t sets_length(const struct track *track)
{
    struct param_sets sets = {0};
    unsigned width;
    uint32_t length = 0;
    assert_int_equal(track->codec == CODEC_H265
                         ? h265_config_parse(buf_bytes(track->config), &sets, &width)
                         : h264_config_parse(buf_bytes(track->config), &sets, &width),
                     0);
    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned i = 0; i < sets.count[kind]; i++)
            length += 4 + (uint32_t)sets.set[kind][i]->length;
    param_sets_fini(&sets);
    return length;
}

// Every frame of the track of those segments that have it is the next sample of `read`, in its
// place and at its time. Key frames of segments from number `with_sets` on stand behind their
// parameter sets. Returns how many samples these are.
static void assert_has(const struct changing *all, const struct read_track *read, struct buf *bytes,
                       const unsigned *segments, unsigned count, unsigned number,
                       unsigned with_sets, const uint32_t *descriptions)
{
    unsigned at = 0;
    int64_t shift = ticks_from_us(START_US, read->timescale) - read->begin + read->wait;
    for (unsigned s = 0; s < count; s++) {
        const struct segment *segment = all->segment[segments[s]];
        for (unsigned i = 0; i < segment->frame_count; i++) {
            const struct frame *frame = segment->frames[i];
            if (frame->track != number)
                continue;
            assert_true(at < read->count);
            const struct read_sample *sample = &read->sample[at++];
            bool sets = number == 0 && frame_is_key(frame) && segments[s] >= with_sets;
            uint32_t before = sets ? sets_length(&segment->tracks->track[0]) : 0;
            assert_int_equal(sample->size, before + frame->length);
            assert_memory_equal(bytes->data + sample->offset + before, frame_data(frame),
                                frame->length);
            assert_int_equal(sample->description, descriptions[s]);
            int64_t off = sample->dts + shift - frame->dts;
            assert_true(off >= -1 && off <= 1); // the movie's timescale is coarser
            if (sets)
                assert_int_equal(bytes->data[sample->offset + 4] & 31, H264_SPS);
        }
    }
    assert_int_equal(at, read->count);
}

static void mp4_file_track_that_changes_goes_on_in_the_file(void **state)
{
    (void)state;
    struct changing all;
    changing_make(&all, (enum kind[]){SMALL, LARGE, SILENT, SILENT, SMALL, LARGE});
    struct mp4_file *file =
        file_of_all(&all, mp4_file_new(START_US - SECOND, START_US + 20 * SECOND));
    struct buf *bytes = read_all(file, all.segment);
    struct read_track *read[3];
    assert_int_equal(file_read(buf_bytes(bytes), read, 3), 2);
    assert_int_equal(read[0]->entries, 2);
    assert_int_equal(read[1]->entries, 1);
    assert_int_equal(read[0]->count, 300);
    assert_has(&all, read[0], bytes, (unsigned[]){0, 1, 2, 3, 4, 5}, 6, 0, 1,
               (uint32_t[]){1, 2, 2, 2, 1, 2});
    // The gap of the sound is one long sample.
    assert_has(&all, read[1], bytes, (unsigned[]){0, 1, 4, 5}, 4, 1, 9, (uint32_t[]){1, 1, 1, 1});
    for (unsigned i = 0; i < 2; i++)
        mem_free(read[i]);
    buf_unref(&bytes);
    mp4_file_free(&file);
    changing_drop(&all);
}

static void mp4_file_track_of_another_codec_is_one_of_its_own(void **state)
{
    (void)state;
    struct changing all;
    changing_make(&all, (enum kind[]){SILENT, SILENT, NEWER, NEWER, LARGE, LARGE});
    struct mp4_file *file =
        file_of_all(&all, mp4_file_new(START_US - SECOND, START_US + 20 * SECOND));
    struct buf *bytes = read_all(file, all.segment);
    struct read_track *read[4];
    assert_int_equal(file_read(buf_bytes(bytes), read, 4), 3);
    assert_has(&all, read[0], bytes, (unsigned[]){0, 1, 4, 5}, 4, 0, 9, (uint32_t[]){1, 1, 1, 1});
    assert_has(&all, read[1], bytes, (unsigned[]){2, 3}, 2, 0, 9, (uint32_t[]){1, 1});
    assert_has(&all, read[2], bytes, (unsigned[]){2, 3, 4, 5}, 4, 1, 9, (uint32_t[]){1, 1, 1, 1});
    assert_int_equal(read[0]->wait, 0);
    assert_int_equal(read[1]->wait, 4 * 90000);
    for (unsigned i = 0; i < 3; i++)
        mem_free(read[i]);
    buf_unref(&bytes);
    mp4_file_free(&file);
    changing_drop(&all);
}

static void mp4_file_track_that_changes_is_cut_exactly(void **state)
{
    (void)state;
    struct changing all;
    changing_make(&all, (enum kind[]){SMALL, LARGE, SILENT, SILENT, SMALL, LARGE});
    // From a key frame of the third segment on: neither the sound nor the size before is in it.
    struct mp4_file *file = mp4_file_new(START_US + 5300000, START_US + 7500000);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(add(file, all.segment[i]), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    struct buf *bytes = read_all(file, all.segment);
    struct read_track *read[2];
    assert_int_equal(file_read(buf_bytes(bytes), read, 2), 1);
    assert_int_equal(read[0]->entries, 1);
    assert_int_equal(read[0]->count, 63); // from 5.0 to 7.5 s
    assert_int_equal(read[0]->begin, 27000);
    mem_free(read[0]);
    buf_unref(&bytes);
    mp4_file_free(&file);
    changing_drop(&all);
}

static void mp4_file_track_that_changes_has_any_range_of_bytes(void **state)
{
    (void)state;
    struct changing all;
    changing_make(&all, (enum kind[]){SMALL, LARGE, SILENT, NEWER, SMALL, LARGE});
    struct mp4_file *files[] = {
        file_of_all(&all, mp4_file_new(START_US + 700000, START_US + 9700000)),
        file_of_all(&all, mp4_file_new_timelapse(START_US + 700000, START_US + 9700000, 0))};
    srandom(11);
    for (unsigned f = 0; f < 2; f++) {
        struct buf *whole = read_all(files[f], all.segment);
        for (unsigned i = 0; i < 2000; i++) {
            uint64_t offset = (uint64_t)random() % whole->length;
            uint64_t length = 1 + (uint64_t)random() % (i % 2 ? 60 : whole->length - offset);
            if (length > whole->length - offset)
                length = whole->length - offset;
            struct chain part = {0};
            read_range(files[f], all.segment, offset, length, &part);
            struct buf *joined = chain_join(&part);
            assert_int_equal(joined->length, length);
            assert_memory_equal(joined->data, whole->data + offset, length);
            buf_unref(&joined);
            chain_fini(&part);
        }
        buf_unref(&whole);
        mp4_file_free(&files[f]);
    }
    changing_drop(&all);
}

static void mp4_file_track_of_a_time_lapse_changes(void **state)
{
    (void)state;
    struct changing all;
    changing_make(&all, (enum kind[]){SMALL, SMALL, LARGE, NEWER, NEWER, SMALL});
    struct mp4_file *file =
        file_of_all(&all, mp4_file_new_timelapse(START_US, START_US + 12 * SECOND, 12 * SECOND));
    struct buf *bytes = read_all(file, all.segment);
    struct read_track *read[3];
    assert_int_equal(file_read(buf_bytes(bytes), read, 3), 2);
    // A key frame each second, H.264 but for those of 6 to 9 s.
    static const int64_t seconds[] = {0, 1, 2, 3, 4, 5, 10, 11};
    static const uint32_t description[] = {1, 1, 1, 1, 2, 2, 1, 1};
    assert_int_equal(read[0]->count, 8);
    assert_int_equal(read[1]->count, 4);
    assert_int_equal(read[1]->wait, 6 * 90000);
    for (unsigned i = 0; i < 8; i++) {
        const struct segment *segment = all.segment[seconds[i] / 2];
        const struct frame *frame = NULL;
        for (unsigned k = 0, keys = 0; k < segment->frame_count && !frame; k++)
            if (segment->frames[k]->track == 0 && frame_is_key(segment->frames[k]) &&
                keys++ == seconds[i] % 2)
                frame = segment->frames[k];
        const struct read_sample *sample = &read[0]->sample[i];
        uint32_t before = i >= 4 ? sets_length(&segment->tracks->track[0]) : 0;
        assert_int_equal(sample->dts, seconds[i] * 90000);
        assert_int_equal(sample->description, description[i]);
        assert_int_equal(sample->size, before + frame->length);
        assert_memory_equal(bytes->data + sample->offset + before, frame_data(frame),
                            frame->length);
    }
    for (unsigned i = 0; i < 2; i++)
        mem_free(read[i]);
    buf_unref(&bytes);
    mp4_file_free(&file);
    changing_drop(&all);
}

static void mp4_file_track_of_another_rate_keeps_its_times(void **state)
{
    (void)state;
    // AAC of 48000 for a second, then of 16000.
    struct track one = aac_track_of("1188"), two = aac_track_of("1408");
    struct tracks *tracks[2] = {tracks_new(&one, 1), tracks_new(&two, 1)};
    struct mp4_file *file = mp4_file_new(START_US - SECOND, START_US + 9 * SECOND);
    struct segment *segment[2];
    for (unsigned s = 0; s < 2; s++) {
        struct frames frames = {0};
        uint32_t timescale = tracks[s]->track[0].timescale;
        for (unsigned i = 0; i < 10; i++)
            frames_add(&frames,
                       frame_make(0, i, ticks_from_us(START_US + s * SECOND, timescale) + i * 1024,
                                  9, FRAME_KEY));
        segment[s] = segment_of(tracks[s], &frames, 5 + s, SECOND);
        assert_int_equal(add(file, segment[s]), 0);
        frames_drop(&frames);
    }
    assert_int_equal(mp4_file_finish(file), 0);
    struct buf *bytes = read_all(file, segment);
    struct read_track *read;
    assert_int_equal(file_read(buf_bytes(bytes), &read, 1), 1);
    assert_int_equal(read->entries, 2);
    assert_int_equal(read->timescale, 48000);
    assert_int_equal(read->count, 20);
    for (unsigned i = 0; i < 20; i++) {
        int64_t wanted = i < 10 ? i * 1024 : 48000 + (i - 10) * 3072;
        assert_true(read->sample[i].dts - wanted <= 3 && wanted - read->sample[i].dts <= 3);
        assert_int_equal(read->sample[i].description, i < 10 ? 1 : 2);
    }
    mem_free(read);
    buf_unref(&bytes);
    mp4_file_free(&file);
    for (unsigned s = 0; s < 2; s++) {
        segment_unref(&segment[s]);
        tracks_unref(&tracks[s]);
    }
}

static void mp4_file_track_that_changes_too_often_ends_the_file(void **state)
{
    (void)state;
    struct file_tracks all = {0};
    bool is_new;
    for (unsigned i = 0; i <= FILE_DESCRIPTIONS_MAX; i++) {
        struct track track = h264_track_of(AVCC);
        track.width = 16 + i;
        struct tracks *tracks = tracks_new(&track, 1);
        struct file_track *found = file_tracks_find(&all, tracks, 0, &is_new);
        assert_non_null(found);
        assert_int_equal(is_new, i == 0);
        int wanted = i < FILE_DESCRIPTIONS_MAX ? (int)i + 1 : ERR_LIMIT;
        assert_int_equal(file_track_describe(found, tracks, 0), wanted);
        assert_int_equal(file_track_describe(found, tracks, 0), wanted);
        tracks_unref(&tracks);
    }
    assert_int_equal(all.count, 1);
    // Equal tracks of one list are several of the file, by their place among their like.
    struct track like[3] = {aac_track_of("1188"), h264_track_of(AVCC), aac_track_of("1188")};
    struct tracks *tracks = tracks_new(like, 3);
    struct file_track *first = file_tracks_find(&all, tracks, 0, &is_new);
    assert_true(is_new);
    assert_ptr_not_equal(file_tracks_find(&all, tracks, 2, &is_new), first);
    assert_true(is_new);
    assert_ptr_equal(file_tracks_find(&all, tracks, 0, &is_new), first);
    assert_false(is_new);
    assert_int_equal(all.count, 3);
    tracks_unref(&tracks);
    file_tracks_fini(&all);
}

// ---- judged by ffmpeg ---------------------------------------------------------------------------

static void mp4_file_track_that_changes_is_decoded_to_the_last_picture(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    static const char *const made[] = {"small.mp4", "large.mp4", "silent.mp4"};
    static const char *const size[] = {"64x64", "128x96", "128x96"};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(media_run(NULL, 0,
                                   "ffmpeg -v error -y -f lavfi -i testsrc2=s=%s:r=25 -f lavfi -i "
                                   "sine=r=48000 -t 2 -c:v libx264 -preset fast -bf 2 -g 25 "
                                   "-pix_fmt yuv420p -c:a aac %s %s",
                                   size[i], i == 2 ? "-an" : "", made[i]),
                         0);
    struct mp4_file *file = mp4_file_new(START_US - SECOND, START_US + 20 * SECOND);
    struct segment *segment[4];
    for (unsigned i = 0; i < 4; i++) {
        struct media media;
        unsigned at = 0;
        media_load(&media, made[i % 3], START_US + i * 2100000LL);
        segment[i] = media_segment(&media, &at, 3 * SECOND, 7 + i, SEGMENT_KEY);
        assert_int_equal(at, media.count);
        assert_int_equal(add(file, segment[i]), 0);
        media_free(&media);
    }
    assert_int_equal(mp4_file_finish(file), 0);
    struct chain all = {0};
    read_range(file, segment, 0, mp4_file_length(file), &all);
    media_write("changes.mp4", &all, NULL);
    chain_fini(&all);
    assert_true(media_decodes("changes.mp4", ""));
    assert_true(media_decodes("changes.mp4", "-ss 3.5"));
    char text[300];
    assert_int_equal(
        media_run(text, sizeof(text),
                  "ffprobe -v warning -count_frames -show_entries stream=nb_read_frames"
                  " -select_streams v -of csv=p=0 changes.mp4 2>&1; "
                  "ffprobe -v warning -show_frames -show_entries frame=width "
                  "-select_streams v -of csv=p=0 changes.mp4 | cut -d, -f1 | grep . | uniq -c | "
                  "awk '{printf \"%%s*%%s \", $1, $2}'"),
        0);
    assert_string_equal(text, "200\n50*64 100*128 50*64 ");
    for (unsigned i = 0; i < 4; i++)
        segment_unref(&segment[i]);
    mp4_file_free(&file);
}

TEST_MAIN(TEST(mp4_file_track_that_changes_goes_on_in_the_file),
          TEST(mp4_file_track_of_another_codec_is_one_of_its_own),
          TEST(mp4_file_track_that_changes_is_cut_exactly),
          TEST(mp4_file_track_that_changes_has_any_range_of_bytes),
          TEST(mp4_file_track_of_a_time_lapse_changes),
          TEST(mp4_file_track_of_another_rate_keeps_its_times),
          TEST(mp4_file_track_that_changes_too_often_ends_the_file),
          TEST(mp4_file_track_that_changes_is_decoded_to_the_last_picture))
