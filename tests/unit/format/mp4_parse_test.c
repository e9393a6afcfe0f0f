// SPDX-License-Identifier: MIT
// Files of ffmpeg and of a phone, compared with what ffprobe reads in them; then broken ones.
#include "unit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/writer.h"
#include "cmaf_fixture.h"
#include "format/mp4_parse.h"
#include "media_file.h"

#include "mp4_box.h"
#include "mp4_moov.h"

#define SAMPLE_VIDEOS "/usr/share/forensics-samples/original-files"

// ---- against ffprobe
// --------------------------------------------------------------------------------

struct probed {
    int stream;
    double pts, dts;
    uint32_t size;
    uint64_t pos;
    bool key;
};

// The packets of a file as ffprobe tells them, by stream and then in order. The caller frees.
static struct probed *probe(const char *path, unsigned *count)
{
    size_t room = 4u << 20;
    char *text = mem_alloc(room);
    assert_int_equal(
        media_run(text, room,
                  "ffprobe -v error -show_entries "
                  "packet=stream_index,pts_time,dts_time,size,pos,flags -of csv=p=0 %s",
                  path),
        0);
    struct probed *all = mem_alloc(50000 * sizeof(*all));
    *count = 0;
    for (int stream = 0; stream < 2; stream++) {
        char *save = NULL, *copy = mem_strdup(text);
        for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
            struct probed *next = &all[*count];
            char flag;
            if (sscanf(line, "%d,%lf,%lf,%" SCNu32 ",%" SCNu64 ",%c", &next->stream, &next->pts,
                       &next->dts, &next->size, &next->pos, &flag) == 6 &&
                next->stream == stream) {
                next->key = flag == 'K';
                ++*count;
                assert_true(*count < 50000);
            }
        }
        mem_free(copy);
    }
    mem_free(text);
    return all;
}

static void assert_near(double a, double b)
{
    if (a - b > 0.0001 || b - a > 0.0001) {
        fprintf(stderr, "%f is not %f\n", a, b);
        fail();
    }
}

// Every sample of every track is what ffprobe says; the payload can be made; twice.
static unsigned assert_probed(const char *path, bool with_dts)
{
    unsigned count;
    struct probed *wanted = probe(path, &count);
    struct buf *file = media_read(path);
    assert_non_null(file);
    struct mp4_movie *movie = media_movie(buf_bytes(file));
    struct tracks *tracks = mp4_movie_tracks(movie);
    for (unsigned round = 0; round < 2; round++) {
        struct mp4_sample sample;
        unsigned seen[2] = {0}, samples = 0;
        while (seen[1] < count && wanted[seen[1]].stream == 0)
            seen[1]++;
        double last = -1e9;
        while (mp4_movie_next(movie, &sample) == 0) {
            double timescale = tracks->track[sample.track].timescale;
            double dts = (double)sample.dts / timescale;
            assert_true(sample.track < 2 && seen[sample.track] < count);
            const struct probed *same = &wanted[seen[sample.track]++];
            assert_int_equal(same->stream, sample.track);
            assert_int_equal(sample.length, same->size);
            assert_int_equal(sample.offset, same->pos);
            assert_int_equal(sample.key, same->key);
            if (with_dts)
                assert_near(dts, same->dts);
            assert_near(dts + sample.cts / timescale, same->pts);
            assert_true(dts >= last); // earliest of all tracks first
            last = dts;
            struct buf *payload;
            assert_int_equal(mp4_sample_payload(movie, &sample,
                                                sub(file, sample.offset, sample.length), &payload),
                             0);
            buf_unref(&payload);
            samples++;
        }
        assert_int_equal(samples, count);
        mp4_movie_rewind(movie);
    }
    mp4_movie_free(&movie);
    buf_unref(&file);
    mem_free(wanted);
    return count;
}

static unsigned assert_as_probed(const char *path)
{
    return assert_probed(path, true);
}

static void make(const char *name, const char *options)
{
    assert_int_equal(
        media_run(NULL, 0,
                  "ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=30000/1001 "
                  "-f lavfi -i sine=r=44100 -t 3 -g 40 -pix_fmt yuv420p -c:a aac %s %s",
                  options, name),
        0);
}

#define X264 "-c:v libx264 -preset fast -bf 3"

static void mp4_movie_parse_progressive_files(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    make("a.mp4", X264);
    assert_true(assert_as_probed("a.mp4") > 200);
    make("b.mp4", X264 " -movflags +faststart -video_track_timescale 1000");
    assert_as_probed("b.mp4");
    make("c.mp4",
         "-c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hev1 -c:a ac3");
    assert_as_probed("c.mp4");
    make("d.mov", X264);
    assert_as_probed("d.mov");
    make("e.mp4", X264 " -use_editlist 0 -movflags +negative_cts_offsets");
    assert_probed("e.mp4", false); // ffprobe moves decode times where offsets are negative
}

static void mp4_movie_parse_fragmented_files(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    make("a.mp4", X264 " -movflags +frag_keyframe+empty_moov");
    assert_true(assert_as_probed("a.mp4") > 200);
    make("b.mp4", X264 " -movflags +frag_keyframe+empty_moov+default_base_moof");
    assert_as_probed("b.mp4");
    make("c.mp4", X264 " -frag_duration 500000 -movflags +empty_moov+omit_tfhd_offset");
    assert_as_probed("c.mp4");
    make("d.mp4", X264 " -frag_duration 300000 -movflags +frag_keyframe+separate_moof");
    assert_as_probed("d.mp4");
    make("e.mp4", X264 " -movflags +frag_keyframe -c:a libopus -ar 48000"); // moov has samples too
    assert_as_probed("e.mp4");
}

static void mp4_movie_parse_a_track_that_begins_later(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    assert_int_equal(media_run(NULL, 0,
                               "ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120 -itsoffset 0.7 "
                               "-f lavfi -i sine -t 2 " X264 " -c:a aac -pix_fmt yuv420p late.mp4"),
                     0);
    assert_as_probed("late.mp4"); // an empty edit
}

static void mp4_movie_parse_what_a_phone_and_a_camera_recorded(void **state)
{
    (void)state;
    if (!media_has_ffmpeg() || access(SAMPLE_VIDEOS, R_OK) != 0)
        skip();
    assert_as_probed(SAMPLE_VIDEOS "/movie1/VID_20191220_170832.mp4");
    assert_as_probed(SAMPLE_VIDEOS "/movie2/movie-hello.mp4");
}

static void mp4_movie_parse_pcm_of_quicktime(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    assert_int_equal(
        media_run(NULL, 0,
                  "ffmpeg -v error -y -f lavfi -i sine=r=8000 -t 2 -c:a pcm_alaw g.mov "
                  "&& ffmpeg -v error -y -i g.mov -f alaw raw"),
        0);
    struct buf *raw = media_read("raw");
    struct media media;
    media_load(&media, "g.mov", 0);
    assert_int_equal(media.tracks->track[0].codec, CODEC_PCMA);
    assert_true(media.count >= 100 && media.count < 150); // 20 ms each, less at the ends of chunks
    size_t at = 0;
    for (unsigned i = 0; i < media.count; i++) {
        const struct frame *frame = media.frames[i];
        assert_int_equal(frame->dts, at);
        assert_int_equal(frame->duration, frame->length);
        assert_memory_equal(frame_data(frame), raw->data + at, frame->length);
        at += frame->length;
    }
    assert_int_equal(at, raw->length);
    media_free(&media);
    buf_unref(&raw);
}

static void mp4_movie_left_out_names_what_cannot_be_used(void **state)
{
    (void)state;
    if (!media_has_ffmpeg())
        skip();
    assert_int_equal(media_run(NULL, 0,
                               "printf '1\\n00:00:00,000 --> 00:00:01,000\\nhello\\n' > t.srt && "
                               "ffmpeg -v error -y -f lavfi -i sine -i t.srt -t 1 -c:a aac -c:s "
                               "mov_text text.mp4"),
                     0);
    struct buf *file = media_read("text.mp4");
    struct mp4_movie *movie = media_movie(buf_bytes(file));
    assert_int_equal(mp4_movie_tracks(movie)->count, 1);
    assert_string_equal(mp4_movie_left_out(movie), "sbtl");
    mp4_movie_free(&movie);
    buf_unref(&file);
}

// ---- made by hand
// -----------------------------------------------------------------------------------

// A moov with a track of id 1 without samples (it is dropped), mvex, and perhaps an edit list.
static struct buf *empty_moov_of(struct track *track, const struct mp4_edit *edits,
                                 unsigned edit_count)
{
    struct mp4_trak trak = {.track = track, .id = 1, .edits = edits, .edit_count = edit_count};
    struct writer out = {0};
    size_t moov = mp4_box_open(&out, "moov");
    mp4_mvhd_write(&out, 0, 0, 1);
    mp4_trak_write(&out, &trak);
    size_t mvex = mp4_box_open(&out, "mvex");
    size_t trex = mp4_full_box_open(&out, "trex", 0, 0);
    static const uint32_t defaults[5] = {1, 1, 3000, 100, 0x10000};
    for (unsigned i = 0; i < 5; i++)
        writer_u32(&out, defaults[i]);
    mp4_box_close(&out, trex);
    mp4_box_close(&out, mvex);
    mp4_box_close(&out, moov);
    track_fini(track);
    return writer_take(&out);
}

static struct buf *empty_moov(const struct mp4_edit *edits, unsigned edit_count)
{
    struct track track = h264_track_of(AVCC);
    return empty_moov_of(&track, edits, edit_count);
}

static struct mp4_movie *empty_movie(const struct mp4_edit *edits, unsigned edit_count)
{
    struct buf *moov = empty_moov(edits, edit_count);
    struct mp4_movie *movie;
    assert_int_equal(mp4_movie_parse(buf_bytes(moov), &movie), 0);
    assert_true(mp4_movie_is_fragmented(movie));
    buf_unref(&moov);
    return movie;
}

// moof with one traf per `id`, each with a tfdt (when tfdt >= 0) and truns of `fields` and words.
struct moof {
    struct writer out;
    size_t moof, traf;
};

static void moof_begin(struct moof *moof)
{
    moof->out = (struct writer){0};
    moof->moof = mp4_box_open(&moof->out, "moof");
}

static void moof_traf(struct moof *moof, uint32_t id, uint32_t tfhd_flags, int64_t tfdt)
{
    moof->traf = mp4_box_open(&moof->out, "traf");
    size_t tfhd = mp4_full_box_open(&moof->out, "tfhd", 0, tfhd_flags);
    writer_u32(&moof->out, id);
    mp4_box_close(&moof->out, tfhd);
    if (tfdt >= 0) {
        size_t box = mp4_full_box_open(&moof->out, "tfdt", 1, 0);
        writer_u64(&moof->out, (uint64_t)tfdt);
        mp4_box_close(&moof->out, box);
    }
    mp4_box_close(&moof->out, moof->traf);
}

static void moof_trun(struct moof *moof, uint32_t fields, const uint32_t *words, unsigned count)
{
    size_t trun = mp4_full_box_open(&moof->out, "trun", 0, fields);
    for (unsigned i = 0; i < count; i++)
        writer_u32(&moof->out, words[i]);
    mp4_box_close(&moof->out, trun);
    mp4_box_close(&moof->out, moof->traf);
}
#define TRUN(moof, fields, ...)                                                                    \
    moof_trun(moof, fields, (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4)

static int moof_add(struct moof *moof, struct mp4_movie *movie, uint64_t offset)
{
    mp4_box_close(&moof->out, moof->moof);
    int result = mp4_movie_add_fragment(movie, buf_bytes(moof->out.buf), offset);
    writer_fini(&moof->out);
    return result;
}

static void assert_next(struct mp4_movie *movie, int64_t dts, uint64_t offset, uint32_t length,
                        bool key)
{
    struct mp4_sample sample;
    assert_int_equal(mp4_movie_next(movie, &sample), 0);
    assert_int_equal(sample.dts, dts);
    assert_int_equal(sample.offset, offset);
    assert_int_equal(sample.length, length);
    assert_int_equal(sample.key, key);
}

static void mp4_movie_add_fragment_several_runs_go_on_from_each_other(void **state)
{
    (void)state;
    struct mp4_movie *movie = empty_movie(NULL, 0);
    struct mp4_sample sample;
    struct moof moof;
    assert_int_equal(mp4_movie_next(movie, &sample), ERR_NOT_FOUND);
    moof_begin(&moof);
    moof_traf(&moof, 1, 0, 9000);
    TRUN(&moof, 0x5, 2, 500, 0x02000000); // data offset, first-sample-flags; the rest from trex
    TRUN(&moof, 0x100, 1, 600);           // goes on behind the first; a duration
    TRUN(&moof, 0x601, 1, 900, 44, 0);    // elsewhere; size and flags
    assert_int_equal(moof_add(&moof, movie, 10000), 0);
    assert_next(movie, 9000, 10500, 100, true);
    assert_next(movie, 12000, 10600, 100, false);
    assert_next(movie, 15000, 10700, 100, false);
    assert_next(movie, 15600, 10900, 44, true);
    assert_int_equal(mp4_movie_next(movie, &sample), ERR_NOT_FOUND);
    // A second fragment, without a time of its own, can come after the end was met.
    moof_begin(&moof);
    moof_traf(&moof, 77, 0, 5); // a track that is not ours
    TRUN(&moof, 0x201, 1, 100, 50);
    moof_traf(&moof, 1, 0, -1); // its data follow those of the track before
    TRUN(&moof, 0, 1);
    assert_int_equal(moof_add(&moof, movie, 20000), 0);
    assert_next(movie, 18600, 20150, 100, false);
    mp4_movie_rewind(movie);
    assert_next(movie, 9000, 10500, 100, true);
    mp4_movie_free(&movie);
}

static void mp4_movie_add_fragment_broken_ones_leave_nothing(void **state)
{
    (void)state;
    struct mp4_movie *movie = empty_movie(NULL, 0);
    struct mp4_sample sample;
    for (unsigned i = 9; i-- > 0;) {
        struct moof moof;
        moof_begin(&moof);
        moof_traf(&moof, 1, 0, 0);
        TRUN(&moof, 0x1, 1, 500); // a good one first
        if (i != 8)
            moof_traf(&moof, 1, 0, i == 0 ? INT64_MAX : 0);
        if (i == 1)
            TRUN(&moof, 0x1, 3, 0xf0000000); // before the file
        if (i == 2)
            TRUN(&moof, 0x201, 0x40000000, 0, 1, 2); // a table that is not there
        if (i == 3)
            TRUN(&moof, 0xf01, 2, 0, 1, 2, 3, 4, 5, 6, 7); // half a row short
        if (i == 4)
            TRUN(&moof, 0x5, 2, 0);
        if (i == 5)
            moof_trun(&moof, 0, NULL, 0);
        if (i == 6)
            moof_traf(&moof, 1, 1, 0); // a base data offset is promised
        uint64_t offset = i == 7 ? 1ULL << 63 : i == 8 ? INT64_MAX - 550 : 1000;
        assert_int_equal(moof_add(&moof, movie, offset), ERR_INVALID);
        assert_int_equal(mp4_movie_next(movie, &sample), ERR_NOT_FOUND);
    }
    // Nor did time go on.
    struct moof good;
    moof_begin(&good);
    moof_traf(&good, 1, 0, -1);
    TRUN(&good, 0x1, 1, 500);
    assert_int_equal(moof_add(&good, movie, 1000), 0);
    assert_next(movie, 0, 1500, 100, false);
    assert_int_equal(mp4_movie_add_fragment(movie, bytes_of("\0\0\0\10mdat", 8), 0), ERR_INVALID);
    mp4_movie_free(&movie);
}

static void mp4_movie_next_leaves_out_samples_without_bytes_and_huge_ones(void **state)
{
    (void)state;
    struct mp4_movie *movie = empty_movie(NULL, 0);
    struct mp4_sample sample;
    struct moof moof;
    moof_begin(&moof);
    moof_traf(&moof, 1, 0, 0);
    TRUN(&moof, 0x201, 5, 500, 0, 10, FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX, 0);
    moof_traf(&moof, 1, 0x10000, 0); // duration-is-empty
    moof_add(&moof, movie, 0);
    assert_next(movie, 3000, 500, 10, false);
    assert_next(movie, 9000, 510 + FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX, false);
    assert_int_equal(mp4_movie_next(movie, &sample), ERR_NOT_FOUND);
    // As many as the file likes, of which nothing is there.
    moof_begin(&moof);
    moof.traf = mp4_box_open(&moof.out, "traf");
    size_t tfhd = mp4_full_box_open(&moof.out, "tfhd", 0, 0x10);
    writer_u32(&moof.out, 1);
    writer_u32(&moof.out, 0);
    mp4_box_close(&moof.out, tfhd);
    TRUN(&moof, 1, 0xffffffff, 0);
    assert_int_equal(moof_add(&moof, movie, 0), 0);
    assert_int_equal(mp4_movie_next(movie, &sample), ERR_NOT_FOUND);
    mp4_movie_free(&movie);
}

static void mp4_movie_next_sound_is_always_key(void **state)
{
    (void)state;
    struct track track = aac_track_of("1188");
    struct buf *moov = empty_moov_of(&track, NULL, 0);
    struct mp4_movie *movie;
    struct moof moof;
    assert_int_equal(mp4_movie_parse(buf_bytes(moov), &movie), 0);
    moof_begin(&moof);
    moof_traf(&moof, 1, 0, 0);
    TRUN(&moof, 1, 1, 0); // the flags of trex say that it is none
    assert_int_equal(moof_add(&moof, movie, 0), 0);
    assert_next(movie, 0, 0, 100, true);
    mp4_movie_free(&movie);
    buf_unref(&moov);
}

static void mp4_movie_edit_lists_shift_decode_times(void **state)
{
    (void)state;
    static const struct {
        struct mp4_edit edits[2];
        unsigned count;
        int64_t dts; // of the sample whose time in the file is 9000
    } list[] = {
        {{{0, 9000}}, 1, 0},
        {{{0, 0}}, 1, 9000},
        {{{90000, -1}, {0, 0}}, 2, 99000}, // MP4_MOVIE_TIMESCALE: one second of nothing
        {{{90000, -1}, {0, 4000}}, 2, 95000},
        {{{90000, -1}}, 1, 99000},
        {{{0, 3000}, {0, 8000}}, 2, 6000},    // a cut is not followed
        {{{INT64_MAX, -1}, {0, 0}}, 2, 9000}, // absurd ones count for nothing
        {{{0, INT64_MAX}}, 1, 9000},
    };
    for (unsigned i = 0; i < sizeof(list) / sizeof(*list); i++) {
        struct mp4_movie *movie = empty_movie(list[i].edits, list[i].count);
        struct moof moof;
        moof_begin(&moof);
        moof_traf(&moof, 1, 0, 9000);
        TRUN(&moof, 1, 1, 0);
        assert_int_equal(moof_add(&moof, movie, 0), 0);
        assert_next(movie, list[i].dts, 0, 100, false);
        mp4_movie_free(&movie);
    }
}

static void mp4_sample_payload_is_canonical(void **state)
{
    (void)state;
    struct mp4_movie *movie = empty_movie(NULL, 0);
    struct mp4_sample sample = {.length = 31};
    // Delimiter, SPS, an empty unit, a slice, filler.
    static const uint8_t bytes[31] = "\0\0\0\2\x09\x10"
                                     "\0\0\0\3\x67\x4d\x40"
                                     "\0\0\0\0"
                                     "\0\0\0\3\x65\x88\x84"
                                     "\0\0\0\3\x0c\xff\x80";
    struct buf *payload;
    assert_int_equal(mp4_sample_payload(movie, &sample, bytes_of(bytes, 31), &payload), 0);
    assert_int_equal(payload->length, 7);
    assert_memory_equal(payload->data, "\0\0\0\3\x65\x88\x84", 7);
    buf_unref(&payload);
    assert_int_equal(mp4_sample_payload(movie, &sample, bytes_of(bytes, 30), &payload),
                     ERR_INVALID);
    assert_null(payload);
    // Whole units, but not all that the sample has.
    assert_int_equal(mp4_sample_payload(movie, &sample, bytes_of(bytes, 24), &payload),
                     ERR_INVALID);
    sample.length = 23; // cut inside the slice
    assert_int_equal(mp4_sample_payload(movie, &sample, bytes_of(bytes, 23), &payload),
                     ERR_INVALID);
    sample.length = 17; // no picture
    assert_int_equal(mp4_sample_payload(movie, &sample, bytes_of(bytes, 17), &payload),
                     ERR_INVALID);
    mp4_movie_free(&movie);
}

static void mp4_movie_parse_cut_or_changed_is_survived(void **state)
{
    (void)state;
    struct mp4_edit edit = {0, 9000};
    struct buf *good = empty_moov(&edit, 1);
    struct mp4_movie *movie;
    for (size_t i = 0; i < good->length; i++) {
        struct buf *cut = buf_new_copy(good->data, i);
        assert_int_equal(mp4_movie_parse(buf_bytes(cut), &movie), ERR_INVALID);
        buf_unref(&cut);
        for (unsigned bit = 0; bit < 8; bit += 7) {
            struct buf *bad = buf_new_copy(good->data, good->length);
            bad->data[i] ^= (uint8_t)(1 << bit);
            if (mp4_movie_parse(buf_bytes(bad), &movie) == 0)
                mp4_movie_free(&movie);
            buf_unref(&bad);
        }
    }
    // Its size does not fit; then what comes behind it.
    good->data[3]++;
    assert_int_equal(mp4_movie_parse(buf_bytes(good), &movie), ERR_INVALID);
    good->data[3]--;
    struct writer out = {0};
    writer_bytes(&out, good->data, good->length);
    writer_u64(&out, 8ULL << 32 | MP4_TYPE("free"));
    assert_int_equal(mp4_movie_parse(buf_bytes(out.buf), &movie), ERR_INVALID);
    writer_fini(&out);
    buf_unref(&good);
}

static void mp4_box_peek_tells_type_and_size(void **state)
{
    (void)state;
    char type[5];
    uint64_t size;
    static const uint8_t box[] = "\0\0\0\1mdat\0\0\0\2\0\0\0\0";
    assert_int_equal(mp4_box_peek(bytes_of(box, 16), type, &size), 0);
    assert_string_equal(type, "mdat");
    assert_int_equal(size, 2ULL << 32);
    assert_int_equal(mp4_box_peek(bytes_of(box, 15), type, &size), ERR_AGAIN);
    assert_int_equal(mp4_box_peek(bytes_of("\0\0\0\10free", 8), type, &size), 0);
    assert_int_equal(size, 8);
    assert_int_equal(mp4_box_peek(bytes_of("\0\0\0\0mdat", 8), type, &size), 0);
    assert_int_equal(size, 0);
    assert_int_equal(mp4_box_peek(bytes_of("\0\0\0\10fre", 7), type, &size), ERR_AGAIN);
    assert_int_equal(mp4_box_peek(bytes_of("\0\0\0\7free", 8), type, &size), ERR_INVALID);
    assert_int_equal(mp4_box_peek(bytes_of("\0\0\0\10f\0ee", 8), type, &size), ERR_INVALID);
}

TEST_MAIN(TEST(mp4_movie_parse_progressive_files), TEST(mp4_movie_parse_fragmented_files),
          TEST(mp4_movie_parse_a_track_that_begins_later),
          TEST(mp4_movie_parse_what_a_phone_and_a_camera_recorded),
          TEST(mp4_movie_parse_pcm_of_quicktime),
          TEST(mp4_movie_left_out_names_what_cannot_be_used),
          TEST(mp4_movie_add_fragment_several_runs_go_on_from_each_other),
          TEST(mp4_movie_add_fragment_broken_ones_leave_nothing),
          TEST(mp4_movie_next_leaves_out_samples_without_bytes_and_huge_ones),
          TEST(mp4_movie_next_sound_is_always_key), TEST(mp4_movie_edit_lists_shift_decode_times),
          TEST(mp4_sample_payload_is_canonical), TEST(mp4_movie_parse_cut_or_changed_is_survived),
          TEST(mp4_box_peek_tells_type_and_size))
