// SPDX-License-Identifier: MIT
#include "media/track.h"

#include "media/audio.h"
#include "unit.h"

static struct track video(void)
{
    struct track track;
    track_init(&track, CODEC_H264);
    track.timescale = 90000;
    track.width = 1280;
    track.height = 720;
    track.config = buf_new_copy("\x01\x4d\x40\x1f\xff", 5);
    return track;
}

static struct track audio(void)
{
    struct track track;
    assert_int_equal(aac_track_from_config(bytes_of("\x11\x90", 2), &track), 0);
    return track;
}

static void tracks_new_takes_the_contents(void **state)
{
    (void)state;
    struct track list[2] = {audio(), video()};
    struct tracks *tracks = tracks_new(list, 2);
    assert_null(list[0].config);
    assert_null(list[1].config);
    assert_int_equal(tracks->generation, 0);
    assert_string_equal(tracks->track[0].language, "und");
    assert_int_equal(tracks_live_count(), 1);
    struct tracks *again = tracks_ref(tracks);
    tracks_unref(&tracks);
    assert_null(tracks);
    assert_int_equal(again->count, 2);
    tracks_unref(&again);
    assert_int_equal(tracks_live_count(), 0);
    tracks_unref(&again); // NULL is fine
}

static void tracks_find_and_leading_prefer_video(void **state)
{
    (void)state;
    struct track list[3] = {audio(), video(), audio()};
    struct tracks *tracks = tracks_new(list, 3);
    assert_int_equal(tracks_find(tracks, MEDIA_VIDEO), 1);
    assert_int_equal(tracks_find(tracks, MEDIA_AUDIO), 0);
    assert_int_equal(tracks_find(tracks, MEDIA_TEXT), -1);
    assert_int_equal(tracks_leading(tracks), 1);
    char id[8];
    tracks_id(tracks, 1, id);
    assert_string_equal(id, "v1");
    tracks_id(tracks, 2, id);
    assert_string_equal(id, "a2");
    tracks_unref(&tracks);

    struct track only = audio();
    tracks = tracks_new(&only, 1);
    assert_int_equal(tracks_leading(tracks), 0);
    tracks_unref(&tracks);
}

// Whether two lists are still equal after `change` was made to the second.
static bool equal_after(void (*change)(struct track *track))
{
    struct track a[2] = {video(), audio()}, b[2] = {video(), audio()};
    if (change)
        change(&b[0]);
    struct tracks *one = tracks_new(a, 2), *two = tracks_new(b, 2);
    two->generation = 7; // is not compared
    bool equal = tracks_equal(one, two);
    tracks_unref(&one);
    tracks_unref(&two);
    return equal;
}

static void other_codec(struct track *track)
{
    track->codec = CODEC_H265;
}
static void other_width(struct track *track)
{
    track->width = 640;
}
static void other_timescale(struct track *track)
{
    track->timescale = 1000;
}
static void other_config(struct track *track)
{
    track->config->data[3] = 40;
}
static void no_config(struct track *track)
{
    buf_unref(&track->config);
}
static void sample_entry(struct track *track)
{
    track->sample_entry = buf_new_copy("1234avc1", 8);
}
static void bitrate(struct track *track)
{
    track->bitrate = 5;
}

static void tracks_equal_sees_each_change_that_matters(void **state)
{
    (void)state;
    assert_true(equal_after(NULL));
    assert_true(equal_after(bitrate));
    assert_false(equal_after(other_codec));
    assert_false(equal_after(other_width));
    assert_false(equal_after(other_timescale));
    assert_false(equal_after(other_config));
    assert_false(equal_after(no_config));
    assert_false(equal_after(sample_entry));
    struct track a[2] = {video(), audio()}, b[1] = {video()};
    struct tracks *one = tracks_new(a, 2), *two = tracks_new(b, 1);
    assert_false(tracks_equal(one, two));
    tracks_unref(&one);
    tracks_unref(&two);
}

static void assert_codec(enum codec codec, const void *config, size_t length, const char *expected)
{
    struct track track;
    char out[64];
    track_init(&track, codec);
    track.config = length ? buf_new_copy(config, length) : NULL;
    track_codec_string(&track, out, sizeof(out));
    assert_string_equal(out, expected);
    track_fini(&track);
}

static void track_codec_string_of_each_codec(void **state)
{
    (void)state;
    assert_codec(CODEC_H264, "\x01\x4d\x40\x1f", 4, "avc1.4D401F");
    assert_codec(CODEC_H264, "\x01\x42\xc0\x0a", 4, "avc1.42C00A");
    assert_codec(CODEC_H264, "\x01", 1, "avc1"); // too short for more
    assert_codec(CODEC_H265, "\x01\x01\x60\0\0\0\xb0\0\0\0\0\0\x5d", 13, "hvc1.1.6.L93.B0");
    assert_codec(CODEC_H265, "\x01\x22\x20\0\0\0\x90\0\0\0\0\0\x99", 13, "hvc1.2.4.H153.90");
    assert_codec(CODEC_H265, "\x01\x41\x60\0\0\0\x90\x01\0\x20\0\0\x78", 13,
                 "hvc1.A1.6.L120.90.1.0.20");
    assert_codec(CODEC_H265, "\x01\x01\x60\0\0\0\0\0\0\0\0\0\x5d", 13, "hvc1.1.6.L93");
    assert_codec(CODEC_AV1, "\x81\x08\x0c", 3, "av01.0.08M.08");
    assert_codec(CODEC_AV1, "\x81\x0d\xcc", 3, "av01.0.13H.10");
    assert_codec(CODEC_AAC, "\x11\x90", 2, "mp4a.40.2");
    assert_codec(CODEC_AAC, "\x2b\x11\x88\0", 4, "mp4a.40.5");
    assert_codec(CODEC_AAC, "\xeb\x09\x88\0", 4, "mp4a.40.29");
    assert_codec(CODEC_AAC, "\xf9\x40\0\0", 4, "mp4a.40.42");
    assert_codec(CODEC_OPUS, NULL, 0, "Opus");
    assert_codec(CODEC_MP3, NULL, 0, "mp4a.40.34");
    assert_codec(CODEC_PCMA, NULL, 0, "alaw");
    assert_codec(CODEC_PCMU, NULL, 0, "ulaw");
}

static void track_codec_string_other_takes_it_from_the_sample_entry(void **state)
{
    (void)state;
    struct track track;
    char out[64];
    track_init(&track, CODEC_OTHER_AUDIO);
    track_codec_string(&track, out, sizeof(out));
    assert_string_equal(out, "");
    track.sample_entry = buf_new_copy("\0\0\0\x08"
                                      "ec-3",
                                      8);
    track_codec_string(&track, out, sizeof(out));
    assert_string_equal(out, "ec-3");
    track.sample_entry->data[5] = '"'; // would break the playlist's quotes
    track_codec_string(&track, out, sizeof(out));
    assert_string_equal(out, "");
    track_fini(&track);
}

TEST_MAIN(TEST(tracks_new_takes_the_contents), TEST(tracks_find_and_leading_prefer_video),
          TEST(tracks_equal_sees_each_change_that_matters), TEST(track_codec_string_of_each_codec),
          TEST(track_codec_string_other_takes_it_from_the_sample_entry))
