// SPDX-License-Identifier: MIT
// The muxer and the demuxer against files of another maker, and judged by it.
#include "format/ts_demux.h"
#include "format/ts_mux.h"
#include "media_file.h"
#include "ts_walk.h"
#include "unit.h"

enum { FRAMES = 1000 };

struct got {
    struct tracks *tracks;
    unsigned count;
    struct frame *frame[FRAMES];
};

static void on_tracks(void *arg, struct tracks **tracks)
{
    struct got *got = arg;
    tracks_unref(&got->tracks);
    got->tracks = *tracks;
    *tracks = NULL;
}

static void on_frame(void *arg, struct frame **frame)
{
    struct got *got = arg;
    assert_true(got->count < FRAMES);
    got->frame[got->count++] = *frame;
    *frame = NULL;
}

static void forget(struct got *got)
{
    for (unsigned i = 0; i < got->count; i++)
        frame_unref(&got->frame[i]);
    tracks_unref(&got->tracks);
    memset(got, 0, sizeof(*got));
}

// Demuxes a file of the folder.
static void load(const char *name, struct got *got)
{
    static const struct ts_demux_events events = {on_tracks, on_frame};
    char path[200];
    snprintf(path, sizeof(path), "%s/%s.ts", media_folder(), name);
    struct buf *stream = media_read(path);
    struct ts_demux *demux = ts_demux_new(&events, got);
    struct bytes in = buf_bytes(stream), part;
    while (bytes_take(&in, in.length < 1316 ? in.length : 1316, &part) && part.length > 0)
        ts_demux_input(demux, part);
    ts_demux_flush(demux);
    assert_int_equal(ts_demux_continuity_errors(demux), 0);
    ts_demux_free(&demux);
    buf_unref(&stream);
}

static void write_file(const char *name, const struct buf *bytes)
{
    struct chain nothing = {0};
    media_write(name, &nothing, bytes);
}

#define PICTURE "-f lavfi -i testsrc2=s=160x96:r=25 "
#define SOUND "-f lavfi -i sine=r=48000 "
#define X264 "-c:v libx264 -g 25 -threads 1 "

static const struct foreign {
    const char *name, *arguments;
    unsigned tracks;
} foreign_files[] = {
    {"b_frames", PICTURE SOUND "-t 2 " X264 "-bf 3 -c:a aac", 2},
    {"slices_open_gop",
     PICTURE SOUND "-t 2 " X264 "-bf 2 -x264-params open-gop=1:slices=4:aud=1:"
                   "nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=500 -c:a aac -ac 2",
     2},
    {"interlaced", PICTURE "-t 1 " X264 "-flags +ildct+ilme -x264opts tff=1", 1},
    {"h265", PICTURE SOUND "-t 2 -c:v libx265 -x265-params log-level=0 -g 25 -c:a aac", 2},
    {"opus", PICTURE SOUND "-t 2 " X264 "-c:a libopus -ac 2", 2},
    {"mp3", PICTURE SOUND "-t 2 " X264 "-bf 0 -c:a libmp3lame", 2},
    {"sound_only", SOUND "-t 2 -c:a aac", 1},
    {"two_sounds", SOUND SOUND "-map 0 -map 1 -t 2 -c:a:0 aac -c:a:1 mp2", 2},
    {"wrap", PICTURE SOUND "-t 3 " X264 "-bf 2 -c:a aac -mpegts_copyts 1 -output_ts_offset 95441",
     2},
};

// The decoded pictures and sounds with their times, as one number. Fails when ffmpeg has anything
// to say about the file. A time that has wrapped is read alike by no option but none.
static void hash_file(const char *name, bool wraps, char out[1000])
{
    int code = media_run(out, 1000,
                         "timeout 60 ffmpeg -y -v warning -xerror %s -i %s.ts "
                         "-f framehash %s.hash 2>&1 && md5sum < %s.hash",
                         wraps ? "" : "-copyts", name, name, name);
    if (code != 0 || strlen(out) != 36)
        print_error("ffmpeg on %s, exit %d: %s\n", name, code, out);
    assert_int_equal(code, 0);
    assert_int_equal(strlen(out), 36); // the sum, "  -" and a line end: nothing else was said
}

static void mux_again(const struct got *got, const char *name, bool collect)
{
    struct ts_mux *mux;
    struct writer out = {0};
    char path[200];
    assert_int_equal(ts_mux_new(&mux, got->tracks, name), 0);
    ts_mux_set_collect(mux, collect);
    for (unsigned i = 0; i < got->count; i++)
        ts_mux_frame(mux, got->frame[i], &out);
    ts_mux_flush(mux, &out);
    ts_mux_free(&mux);
    struct buf *stream = writer_take(&out);
    snprintf(path, sizeof(path), "%s.ts", name);
    write_file(path, stream);
    struct ts_walk *walk = mem_alloc(sizeof(*walk));
    ts_walk_init(walk);
    ts_walk_take(walk, buf_bytes(stream));
    ts_walk_fini(walk);
    mem_free(walk);
    buf_unref(&stream);
}

static void try_file(const struct foreign *file)
{
    char before[1000], after[1000], said[100];
    unsigned long packets = 0;
    struct got got = {0};
    bool wraps = strcmp(file->name, "wrap") == 0;
    assert_int_equal(media_run(NULL, 0, "timeout 60 ffmpeg -v error -y %s -f mpegts %s.ts",
                               file->arguments, file->name),
                     0);
    load(file->name, &got);
    assert_int_equal(got.tracks->count, file->tracks);
    assert_int_equal(media_run(said, sizeof(said),
                               "ffprobe -v error -show_entries packet=size "
                               "%s.ts | grep -c '^.PACKET'",
                               file->name),
                     0);
    assert_int_equal(sscanf(said, "%lu", &packets), 1);
    assert_int_equal(got.count, packets);
    hash_file(file->name, wraps, before);
    for (unsigned collect = 0; collect < 2; collect++) {
        mux_again(&got, "again", collect);
        hash_file("again", wraps, after);
        assert_string_equal(before, after);
    }
    forget(&got);
}

static void ts_demux_files_of_ffmpeg_muxed_again_decode_alike(void **state)
{
    (void)state;
    if (!media_has_ffmpeg()) {
        print_message("SKIP ts_demux_files_of_ffmpeg_muxed_again_decode_alike: no ffmpeg\n");
        skip();
    }
    for (unsigned i = 0; i < sizeof(foreign_files) / sizeof(foreign_files[0]); i++)
        try_file(&foreign_files[i]);
}

static void ts_mux_segments_in_a_playlist_decode_without_a_warning(void **state)
{
    (void)state;
    if (!media_has_ffmpeg()) {
        print_message("SKIP ts_mux_segments_in_a_playlist_decode_without_a_warning: no ffmpeg\n");
        skip();
    }
    assert_int_equal(media_run(NULL, 0,
                               "timeout 60 ffmpeg -v error -y " PICTURE SOUND "-t 4 " X264
                               "-bf 3 -c:a aac -f mpegts whole.ts"),
                     0);
    char path[200];
    struct got got = {0};
    load("whole", &got);
    struct ts_mux *mux = NULL;
    struct writer out = {0}, list = {0};
    unsigned segments = 0;
    writer_text(&list, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n");
    for (unsigned i = 0; i <= got.count; i++) {
        bool joint = i == got.count || (got.frame[i]->track == 0 && frame_is_key(got.frame[i]));
        if (joint && mux) {
            ts_mux_flush(mux, &out);
            ts_mux_free(&mux);
            struct buf *segment = writer_take(&out);
            snprintf(path, sizeof(path), "segment%u.ts", ++segments);
            write_file(path, segment);
            buf_unref(&segment);
            writer_printf(&list, "#EXTINF:1.0,\n%s\n", path);
        }
        if (i == got.count)
            break;
        if (joint) {
            assert_int_equal(ts_mux_new(&mux, got.tracks, NULL), 0);
            ts_mux_set_collect(mux, true);
        }
        if (mux)
            ts_mux_frame(mux, got.frame[i], &out);
    }
    assert_int_equal(segments, 4);
    writer_text(&list, "#EXT-X-ENDLIST\n");
    struct buf *playlist = writer_take(&list);
    write_file("segments.m3u8", playlist);
    buf_unref(&playlist);
    forget(&got);
    assert_true(media_decodes("segments.m3u8", ""));
    // The same bytes in one file, as an archive is sent.
    assert_int_equal(media_run(NULL, 0, "cat segment?.ts > joined.ts"), 0);
    assert_true(media_decodes("joined.ts", ""));
}

TEST_MAIN(TEST(ts_demux_files_of_ffmpeg_muxed_again_decode_alike),
          TEST(ts_mux_segments_in_a_playlist_decode_without_a_warning))
