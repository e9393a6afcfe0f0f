// SPDX-License-Identifier: MIT
#include "cmaf_fixture.h"

#include <stdlib.h>

#include "base/mem.h"
#include "cmaf_priv.h"
#include "format/mp4_file.h"
#include "format/mp4_parse.h"
#include "media_file.h"

#include "mp4_box.h"

#define SECOND 1000000LL
enum { SEGMENTS = 6 };

// Six segments of two seconds with a key frame each second, in parts.
struct past {
    struct tracks *tracks;
    struct segment *segment[SEGMENTS];
};

static void past_make_parts(struct past *past, int64_t part_us)
{
    past->tracks = camera_tracks();
    for (unsigned i = 0; i < SEGMENTS; i++) {
        struct frames frames = {0};
        camera_frames(&frames, i * 2 * SECOND, 2 * SECOND, 25);
        past->segment[i] = segment_of(past->tracks, &frames, 1700000000 + i, part_us);
        frames_drop(&frames);
    }
}

static void past_make(struct past *past)
{
    past_make_parts(past, 500000);
}

static void past_drop(struct past *past)
{
    for (unsigned i = 0; i < SEGMENTS; i++)
        segment_unref(&past->segment[i]);
    tracks_unref(&past->tracks);
}

static int add(struct mp4_file *file, struct segment *segment)
{
    struct buf *heads = cmaf_segment_heads(segment);
    int result = mp4_file_add(file, &segment->info, segment->tracks, buf_bytes(heads));
    buf_unref(&heads);
    return result;
}

// The file of [from, to) microseconds after START_US.
static struct mp4_file *file_of(struct past *past, int64_t from, int64_t to)
{
    struct mp4_file *file = mp4_file_new(START_US + from, START_US + to);
    for (unsigned i = 0; i < SEGMENTS; i++)
        assert_int_equal(add(file, past->segment[i]), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    return file;
}

// Bytes [offset, offset + length) as a server would send them.
static void read_range(const struct mp4_file *file, struct segment *const *segment, uint64_t offset,
                       uint64_t length, struct chain *out)
{
    while (length > 0) {
        struct bytes head;
        int number;
        uint64_t in_segment, run;
        mp4_file_at(file, offset, &head, &number, &in_segment, &run);
        assert_true(run > 0);
        if (run > length)
            run = length;
        if (number < 0)
            chain_add_copy(out, head.data, run);
        else
            assert_int_equal(mp4_file_payload(segment[number], in_segment, run, out), 0);
        offset += run;
        length -= run;
    }
}

static struct buf *read_all(const struct mp4_file *file, struct segment *const *segment)
{
    struct chain all = {0};
    read_range(file, segment, 0, mp4_file_length(file), &all);
    struct buf *joined = chain_join(&all);
    chain_fini(&all);
    assert_int_equal(joined->length, mp4_file_length(file));
    return joined;
}

static struct mp4_movie *movie_of(const struct mp4_file *file, struct segment *const *segment,
                                  struct buf **bytes)
{
    *bytes = read_all(file, segment);
    return media_movie(buf_bytes(*bytes));
}

static void mp4_file_whole_range_has_every_frame_in_its_place(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = file_of(&past, 0, 12 * SECOND);
    struct buf *bytes;
    struct mp4_movie *movie = movie_of(file, past.segment, &bytes);
    assert_true(tracks_equal(mp4_movie_tracks(movie), past.tracks));
    assert_false(mp4_movie_is_fragmented(movie));
    for (unsigned s = 0; s < SEGMENTS; s++) {
        for (unsigned i = 0; i < past.segment[s]->frame_count; i++) {
            const struct frame *frame = past.segment[s]->frames[i];
            uint32_t timescale = past.tracks->track[frame->track].timescale;
            struct mp4_sample sample;
            assert_int_equal(mp4_movie_next(movie, &sample), 0);
            assert_int_equal(sample.track, frame->track);
            assert_int_equal(sample.dts, frame->dts - ticks_from_us(START_US, timescale));
            assert_int_equal(sample.key, frame_is_key(frame));
            assert_int_equal(sample.length, frame->length);
            assert_memory_equal(bytes->data + sample.offset, frame_data(frame), frame->length);
        }
    }
    struct mp4_sample beyond;
    assert_int_equal(mp4_movie_next(movie, &beyond), ERR_NOT_FOUND);
    mp4_movie_free(&movie);
    buf_unref(&bytes);
    mp4_file_free(&file);
    past_drop(&past);
}

struct seen {
    int64_t first[2], last[2]; // decode times in microseconds
    unsigned count[2];
    bool first_is_key;
};

static struct seen look_at(const struct mp4_file *file, struct segment *const *segment)
{
    struct buf *bytes;
    struct mp4_movie *movie = movie_of(file, segment, &bytes);
    struct tracks *tracks = mp4_movie_tracks(movie);
    struct seen seen = {0};
    struct mp4_sample sample;
    while (mp4_movie_next(movie, &sample) == 0) {
        int64_t us = ticks_to_us(sample.dts, tracks->track[sample.track].timescale);
        if (seen.count[sample.track]++ == 0) {
            seen.first[sample.track] = us;
            if (sample.track == 0)
                seen.first_is_key = sample.key;
        }
        seen.last[sample.track] = us;
    }
    mp4_movie_free(&movie);
    buf_unref(&bytes);
    return seen;
}

static void assert_about(int64_t a, int64_t b)
{
    assert_true(a - b <= 30 && b - a <= 30);
}

static void mp4_file_cut_begins_at_the_key_frame_before_and_shows_from_the_time_asked(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = file_of(&past, 3300000, 7500000);
    struct seen seen = look_at(file, past.segment);
    // Time 0 is the time asked for; the key frame is 0.3 s before it.
    assert_true(seen.first_is_key);
    assert_about(seen.first[0], -300000);
    assert_about(seen.last[0], 4180000); // 7.48 s
    assert_int_equal(seen.count[0], 113);
    assert_true(seen.first[1] >= -300000 && seen.first[1] < -270000); // of the same part
    assert_true(seen.last[1] < 4200000 && seen.last[1] > 4170000);
    // Payload of the parts that are needed and no others: nine of half a second from 3.0 s on.
    uint64_t payload = 0;
    for (unsigned part = 6; part < 15; part++) {
        const struct segment *segment = past.segment[part / 4];
        const struct segment_part *frames = &segment->parts[part % 4];
        for (unsigned i = 0; i < frames->count; i++)
            payload += segment->frames[frames->first + i]->length;
    }
    assert_int_equal(mp4_file_length(file) - mp4_file_head(file)->bytes, payload);
    mp4_file_free(&file);
    past_drop(&past);
}

// The n-th edit list of a file: how long it shows media in microseconds, and from where in the
// track's ticks; *wait_us: how long nothing is shown before that.
static int64_t edit_of(const struct mp4_file *file, unsigned n, int64_t *wait_us, int64_t *media)
{
    struct buf *head = chain_join(mp4_file_head(file));
    const uint8_t *elst = head->data;
    for (unsigned i = 0; i <= n; i++) {
        elst = memmem(elst + 1, head->length - (size_t)(elst + 1 - head->data), "elst", 4);
        assert_non_null(elst);
    }
    const uint8_t *row = elst + 12;
    *wait_us = 0;
    if (mp4_u32_at(elst + 8) == 2) {
        *wait_us = ticks_to_us((int64_t)mp4_u64_at(row), 90000);
        assert_int_equal(mp4_u64_at(row + 8), UINT64_MAX);
        row += 20;
    }
    int64_t shown_us = ticks_to_us((int64_t)mp4_u64_at(row), 90000);
    *media = (int64_t)mp4_u64_at(row + 8);
    buf_unref(&head);
    return shown_us;
}

static void mp4_file_edit_lists_show_the_range(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    int64_t wait, media;
    struct mp4_file *file = file_of(&past, 3300000, 7500000);
    assert_about(edit_of(file, 0, &wait, &media), 4200000);
    assert_int_equal(media, 27000); // 0.3 s of pictures are decoded and not shown
    assert_int_equal(wait, 0);
    assert_about(edit_of(file, 1, &wait, &media), 4200000);
    mp4_file_free(&file);
    // Past the media at both ends; the sound may end a little later than the picture.
    file = file_of(&past, -5 * SECOND, 100 * SECOND);
    int64_t shown = edit_of(file, 0, &wait, &media);
    assert_true(shown >= 12 * SECOND && shown < 12 * SECOND + 25000);
    assert_int_equal(media, 0);
    mp4_file_free(&file);
    past_drop(&past);
    // Sound that begins later is waited for, and ends with the picture.
    struct tracks *tracks = camera_tracks();
    struct frames frames = {0};
    camera_frames(&frames, 0, 2 * SECOND, 25);
    unsigned kept = 0;
    for (unsigned i = 0; i < frames.count; i++) {
        struct frame *frame = frames.frame[i];
        if (frame->track == 1 && frame->dts < ticks_from_us(START_US + SECOND, 48000))
            frame_unref(&frame);
        else
            frames.frame[kept++] = frame;
    }
    frames.count = kept;
    struct segment *segment = segment_of(tracks, &frames, 1, 500000);
    file = mp4_file_new(START_US + 200000, START_US + 1500000);
    assert_int_equal(add(file, segment), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    shown = edit_of(file, 1, &wait, &media);
    assert_int_equal(media, 0);
    assert_true(wait >= 800000 && wait < 822000);
    assert_about(shown + wait, 1300000);
    mp4_file_free(&file);
    segment_unref(&segment);
    frames_drop(&frames);
    tracks_unref(&tracks);
}

static void mp4_file_key_frame_inside_a_part_begins_the_file(void **state)
{
    (void)state;
    struct past past;
    past_make_parts(&past, 700000); // the key at 3.0 s is in the part from 2.7 s on
    struct mp4_file *file = file_of(&past, 3300000, 7500000);
    struct seen seen = look_at(file, past.segment);
    assert_true(seen.first_is_key);
    assert_about(seen.first[0], -300000);
    assert_int_equal(seen.count[0], 113);
    // The sound that covers that moment begins before it, by less than a frame.
    assert_true(seen.first[1] <= -300000 && seen.first[1] > -322000);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_range_beyond_the_media_shows_what_there_is(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = file_of(&past, -5 * SECOND, 100 * SECOND);
    struct seen seen = look_at(file, past.segment);
    assert_about(seen.first[0], 0);
    assert_int_equal(seen.count[0], 300);
    mp4_file_free(&file);
    // Nothing of it in the range.
    file = mp4_file_new(START_US - 9 * SECOND, START_US - 5 * SECOND);
    assert_int_equal(add(file, past.segment[0]), 0);
    assert_int_equal(mp4_file_finish(file), ERR_NOT_FOUND);
    mp4_file_free(&file);
    file = mp4_file_new(START_US, START_US + 1);
    assert_int_equal(mp4_file_finish(file), ERR_NOT_FOUND);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_any_range_of_bytes_is_the_same(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = file_of(&past, 2500000, 9700000);
    struct buf *whole = read_all(file, past.segment);
    srandom(7);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t offset = (uint64_t)random() % whole->length;
        uint64_t length = 1 + (uint64_t)random() % (i % 2 ? 60 : whole->length - offset);
        if (length > whole->length - offset)
            length = whole->length - offset;
        struct chain part = {0};
        read_range(file, past.segment, offset, length, &part);
        struct buf *joined = chain_join(&part);
        assert_int_equal(joined->length, length);
        assert_memory_equal(joined->data, whole->data + offset, length);
        buf_unref(&joined);
        chain_fini(&part);
    }
    buf_unref(&whole);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_is_the_same_wherever_the_segments_come_from(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *one = file_of(&past, 1700000, 10100000), *two;
    struct buf *first = read_all(one, past.segment), *second;
    for (unsigned i = 0; i < SEGMENTS; i++) { // as read from a disk or a peer
        struct buf *bytes = chain_join(cmaf_segment(past.segment[i]));
        segment_unref(&past.segment[i]);
        assert_int_equal(cmaf_segment_from_bytes(&bytes, past.tracks, &past.segment[i]), 0);
    }
    two = file_of(&past, 1700000, 10100000);
    second = read_all(two, past.segment);
    assert_int_equal(first->length, second->length);
    assert_memory_equal(first->data, second->data, first->length);
    buf_unref(&first);
    buf_unref(&second);
    mp4_file_free(&one);
    mp4_file_free(&two);
    past_drop(&past);
}

static void mp4_file_holes_are_left_out(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    // Two seconds are missing, and then two more.
    struct segment *have[4] = {past.segment[0], past.segment[2], past.segment[4], past.segment[5]};
    struct mp4_file *file = mp4_file_new(START_US + 500000, START_US + 11500000);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(add(file, have[i]), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    struct buf *bytes;
    struct mp4_movie *movie = movie_of(file, have, &bytes);
    struct mp4_sample sample;
    unsigned pictures = 0;
    while (mp4_movie_next(movie, &sample) == 0) {
        if (sample.track == 0) {
            int64_t us = ticks_to_us(sample.dts, 90000);
            assert_about(us, (int64_t)pictures * 40000 - 500000);
            pictures++;
        }
    }
    assert_int_equal(pictures, (11500 - 4000) / 40 + 1);
    int64_t wait, media;
    assert_about(edit_of(file, 0, &wait, &media), 7 * SECOND);
    mp4_movie_free(&movie);
    buf_unref(&bytes);
    mp4_file_free(&file);
    past_drop(&past);
}

static void mp4_file_small_gaps_stay(void **state)
{
    (void)state;
    struct tracks *tracks = camera_tracks();
    struct frames one = {0}, two = {0};
    camera_frames(&one, 0, 2 * SECOND, 50);
    camera_frames(&two, 2 * SECOND, 2 * SECOND, 50);
    for (unsigned i = 0; i < two.count; i++) // 0.9 s later than it should be
        two.frame[i]->dts += ticks_from_us(900000, tracks->track[two.frame[i]->track].timescale);
    struct segment *segment[2] = {segment_of(tracks, &one, 1, 500000),
                                  segment_of(tracks, &two, 2, 500000)};
    struct mp4_file *file = mp4_file_new(START_US, START_US + 10 * SECOND);
    assert_int_equal(add(file, segment[0]), 0);
    assert_int_equal(add(file, segment[1]), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    struct seen seen = look_at(file, segment);
    assert_about(seen.last[0], 4900000 - 40000);
    mp4_file_free(&file);
    for (unsigned i = 0; i < 2; i++)
        segment_unref(&segment[i]);
    frames_drop(&one);
    frames_drop(&two);
    tracks_unref(&tracks);
}

static void mp4_file_add_other_tracks_end_the_file(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct track other = g711_track_of(CODEC_PCMA);
    struct tracks *tracks = tracks_new(&other, 1);
    struct frames frames = {0};
    frames_add(&frames, frame_make(0, 0, ticks_from_us(START_US + 2 * SECOND, 8000), 160, 1));
    struct segment *strange = segment_of(tracks, &frames, 5, SECOND);
    struct mp4_file *file = mp4_file_new(START_US, START_US + 12 * SECOND);
    assert_int_equal(add(file, past.segment[0]), 0);
    assert_int_equal(add(file, strange), ERR_UNSUPPORTED);
    assert_int_equal(add(file, past.segment[1]), ERR_UNSUPPORTED);
    assert_int_equal(mp4_file_finish(file), 0);
    assert_int_equal(look_at(file, past.segment).count[0], 50);
    mp4_file_free(&file);
    segment_unref(&strange);
    frames_drop(&frames);
    tracks_unref(&tracks);
    past_drop(&past);
}

static void mp4_file_add_broken_heads_take_nothing(void **state)
{
    (void)state;
    struct past past;
    past_make(&past);
    struct mp4_file *file = mp4_file_new(START_US, START_US + 12 * SECOND);
    assert_int_equal(add(file, past.segment[0]), 0);
    struct buf *heads = cmaf_segment_heads(past.segment[1]);
    const struct segment_info *info = &past.segment[1]->info;
    assert_int_equal(mp4_file_add(file, info, past.tracks, sub(heads, 0, heads->length - 1)),
                     ERR_INVALID);
    assert_int_equal(mp4_file_add(file, info, past.tracks, sub(heads, 0, 0)), ERR_INVALID);
    assert_int_equal(mp4_file_add(file, info, past.tracks, buf_bytes(heads)), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    // Those that were refused are not counted.
    assert_int_equal(look_at(file, past.segment).count[0], 100);
    buf_unref(&heads);
    mp4_file_free(&file);
    past_drop(&past);
}

// A segment of `count` frames of `length` bytes of G.711 that all are the same block, 0.1 s after
// 1970.
static struct segment *dull_segment(struct tracks *tracks, unsigned count, uint32_t length)
{
    struct segment_info info = {.number = 1};
    struct segment *segment = segment_new(&info, tracks);
    struct frame *one = frame_make(0, 0, 800, length, FRAME_KEY);
    for (unsigned i = 0; i < count; i++) {
        struct frame *frame = frame_ref(one);
        segment_add_frame(segment, &frame, false);
    }
    frame_unref(&one);
    return segment;
}

static struct tracks *dull_tracks(void)
{
    struct track track = g711_track_of(CODEC_PCMU);
    return tracks_new(&track, 1);
}

static void mp4_file_add_past_the_limit_keeps_what_was_there(void **state)
{
    (void)state;
    struct tracks *tracks = dull_tracks();
    struct segment *segment = dull_segment(tracks, SEGMENT_FRAMES_MAX, 1);
    struct buf *heads = cmaf_segment_heads(segment);
    struct mp4_file *file = mp4_file_new(0, 2 * SECOND);
    for (unsigned i = 0; i < MP4_FILE_SAMPLES_MAX / SEGMENT_FRAMES_MAX; i++)
        assert_int_equal(mp4_file_add(file, &segment->info, tracks, buf_bytes(heads)), 0);
    assert_int_equal(mp4_file_add(file, &segment->info, tracks, buf_bytes(heads)), ERR_LIMIT);
    assert_int_equal(mp4_file_finish(file), 0);
    assert_int_equal(mp4_file_length(file) - mp4_file_head(file)->bytes, MP4_FILE_SAMPLES_MAX);
    mp4_file_free(&file);
    buf_unref(&heads);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void mp4_file_beyond_four_gigabytes_has_long_numbers(void **state)
{
    (void)state;
    struct tracks *tracks = dull_tracks();
    struct segment *segment = dull_segment(tracks, 16, FRAME_BYTES_MAX);
    struct buf *heads = cmaf_segment_heads(segment);
    struct mp4_file *file = mp4_file_new(0, 2 * SECOND);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(mp4_file_add(file, &segment->info, tracks, buf_bytes(heads)), 0);
    assert_int_equal(mp4_file_finish(file), 0);
    uint64_t payload = 40ULL * 16 * FRAME_BYTES_MAX;
    assert_int_equal(mp4_file_length(file), mp4_file_head(file)->bytes + payload);
    struct buf *head = chain_join(mp4_file_head(file));
    uint8_t *mdat = head->data + head->length - 16;
    char type[5];
    uint64_t size;
    assert_int_equal(mp4_box_peek(bytes_of(mdat, 16), type, &size), 0);
    assert_string_equal(type, "mdat");
    assert_int_equal(size, 16 + payload);
    struct mp4_movie *movie;
    uint64_t ftyp = 28;
    assert_int_equal(mp4_movie_parse(sub(head, ftyp, head->length - 16 - ftyp), &movie), 0);
    struct mp4_sample sample;
    for (unsigned i = 0; i < 640; i++) {
        assert_int_equal(mp4_movie_next(movie, &sample), 0);
        assert_int_equal(sample.offset, head->length + (uint64_t)i * FRAME_BYTES_MAX);
    }
    struct bytes none;
    int number;
    uint64_t offset, run;
    mp4_file_at(file, head->length + 35ULL * 16 * FRAME_BYTES_MAX + 5, &none, &number, &offset,
                &run);
    assert_int_equal(number, 35);
    assert_int_equal(offset, 5);
    assert_int_equal(run, 16ULL * FRAME_BYTES_MAX - 5);
    mp4_movie_free(&movie);
    buf_unref(&head);
    mp4_file_free(&file);
    buf_unref(&heads);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

static void mp4_file_payload_of_another_segment_is_refused(void **state)
{
    (void)state;
    struct tracks *tracks = dull_tracks();
    struct segment *segment = dull_segment(tracks, 3, 10);
    struct chain out = {0};
    assert_int_equal(mp4_file_payload(segment, 5, 25, &out), 0);
    assert_int_equal(out.bytes, 25);
    chain_fini(&out);
    assert_int_equal(mp4_file_payload(segment, 5, 26, &out), ERR_INVALID);
    chain_fini(&out);
    segment_unref(&segment);
    tracks_unref(&tracks);
}

// ---- judged by ffmpeg
// -------------------------------------------------------------------------------

static void probe_says(const char *what, const char *wanted)
{
    char text[300];
    assert_int_equal(
        media_run(text, sizeof(text), "ffprobe -v warning %s -of csv=p=0 cut.mp4 2>&1", what), 0);
    assert_string_equal(text, wanted);
}

static void mp4_file_of_real_media_plays_and_begins_where_asked(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    // The picture n has n as its brightness, a tone goes with it.
    assert_int_equal(
        media_run(
            NULL, 0,
            "ffmpeg -v error -y -f lavfi -i \"color=black:s=64x64:r=25,geq=lum='16+N':cb=128"
            ":cr=128\" -f lavfi -i sine=r=48000 -t 8 -c:v libx264 -preset fast -qp 1 -bf 3 -g 50 "
            "-pix_fmt yuv420p -c:a aac real.mp4"),
        0);
    struct media media;
    media_load(&media, "real.mp4", START_US);
    struct segment *segment[10];
    unsigned at = 0, count = 0;
    struct mp4_file *file = mp4_file_new(START_US + 3320000, START_US + 6320000);
    while (at < media.count) {
        segment[count] = media_segment(&media, &at, 2 * SECOND, 7 + count, SEGMENT_KEY);
        assert_int_equal(add(file, segment[count++]), 0);
    }
    assert_int_equal(mp4_file_finish(file), 0);
    struct chain all = {0};
    read_range(file, segment, 0, mp4_file_length(file), &all);
    media_write("cut.mp4", &all, NULL);
    chain_fini(&all);
    assert_true(media_decodes("cut.mp4", ""));
    assert_true(media_decodes("cut.mp4", "-ss 2"));
    probe_says("-show_entries format=start_time,duration", "0.000000,3.000000\n");
    // 75 pictures are shown, the first is number 83.
    char text[300];
    assert_int_equal(
        media_run(text, sizeof(text),
                  "ffmpeg -v warning -i cut.mp4 -an -vf extractplanes=y -f rawvideo - | "
                  "od -An -v -tu1 -w4096 | awk '{print $2000}' | tr '\\n' ' '"),
        0);
    int first = 0, shown = 0;
    for (char *save, *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (shown++ == 0)
            first = (int)strtol(word, NULL, 10);
    }
    assert_int_equal(shown, 75);
    assert_int_equal(first, 16 + 83);
    for (unsigned i = 0; i < count; i++)
        segment_unref(&segment[i]);
    mp4_file_free(&file);
    media_free(&media);
}

TEST_MAIN(TEST(mp4_file_whole_range_has_every_frame_in_its_place),
          TEST(mp4_file_cut_begins_at_the_key_frame_before_and_shows_from_the_time_asked),
          TEST(mp4_file_edit_lists_show_the_range),
          TEST(mp4_file_key_frame_inside_a_part_begins_the_file),
          TEST(mp4_file_range_beyond_the_media_shows_what_there_is),
          TEST(mp4_file_any_range_of_bytes_is_the_same),
          TEST(mp4_file_is_the_same_wherever_the_segments_come_from),
          TEST(mp4_file_holes_are_left_out), TEST(mp4_file_small_gaps_stay),
          TEST(mp4_file_add_other_tracks_end_the_file),
          TEST(mp4_file_add_broken_heads_take_nothing),
          TEST(mp4_file_add_past_the_limit_keeps_what_was_there),
          TEST(mp4_file_beyond_four_gigabytes_has_long_numbers),
          TEST(mp4_file_payload_of_another_segment_is_refused),
          TEST(mp4_file_of_real_media_plays_and_begins_where_asked))
