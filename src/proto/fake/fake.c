// SPDX-License-Identifier: MIT
// fake://fake, the smallest protocol: an input that needs no camera. It makes a test picture
// (H.264, fake_h264.h) and a sound (AAC, fake_aac.h) and gives them to its stream as a camera's
// frames would be given. If you are about to write a protocol, read this file first;
// docs/protocols/fake.md says what it looks like from outside.
//
// A protocol is a table, `proto_fake` at the end of this file. The server finds it by the scheme of
// an input's url and calls `check` when it reads the configuration and `pull` when frames are
// wanted. From then on an *engine* (struct fake here) is at work until the stream calls its `stop`.
// An engine calls upward only, and three functions are enough:
//
//   source_tracks       what kinds of frames will come, before the first of them
//   source_push_frame   one frame
//   source_lost         nothing more will come; this engine never has to say that
//
// Invariants:
//
// 1. Picture n is due at start + n / fps, sound unit m at start + m * 1024 / 48000. These are
//    computed from n and m and not summed up, so that nothing drifts.
// 2. A frame is given to the stream when it is due or later, never before; all in order of due
// time.
// 3. After a pause of more than LATE_MOST_US (the computer slept) frames are left out, not made up
//    for: one turn of the loop makes a bounded number of pictures.
//
// States: from pull to stop there is but one, and the timer is always running in it.
#include <stdlib.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "fake_aac.h"
#include "fake_h264.h"
#include "fake_options.h"
#include "io/timeout.h"
#include "media/audio.h"
#include "media/frame.h"
#include "media/h264.h"
#include "media/timebase.h"

enum {
    TRACK_VIDEO,
    TRACK_AUDIO,
    TRACKS, // in the order of the track list
    VIDEO_TIMESCALE = 90000,
    CHANNELS = 2,
    LATE_MOST_US = 500000,
    LATE_LITTLE_US = 5000,
};

// The engine: all that one running input needs. Made by pull, freed by stop.
struct fake {
    struct source *source; // borrowed: the stream's handle for this input; it outlives the engine
    struct timeout timer;  // set to when the next frame is due
    bool announced;        // source_tracks was called

    struct fake_h264_options options;
    struct fake_h264 *video;
    struct fake_aac *audio;
    uint8_t *picture; // room for one coded picture

    int64_t start_us;      // monotonic; when picture 0 and sound unit 0 were due
    int64_t picture_count; // number of the next picture
    int64_t unit_count;    // number of the next sound unit
    int64_t unit_sample;   // where it is on the wall clock: 1/48000 s since 1970 UTC
};

static int64_t picture_due_us(const struct fake *fake)
{
    return fake->start_us + fake->picture_count * US_PER_S / fake->options.fps;
}

static int64_t unit_due_us(const struct fake *fake)
{
    return fake->start_us + fake->unit_count * FAKE_AAC_SAMPLES * US_PER_S / FAKE_AAC_RATE;
}

// Frames are counted, and their bytes are too: a frame takes over the one reference to its `buf`,
// and source_push_frame takes over the frame. Both blank the pointer that they are given, so what
// is not ours any more cannot be used by mistake.
static void push(struct fake *fake, unsigned track, struct bytes payload, int64_t dts,
                 int64_t next_dts, bool key)
{
    struct buf *buf = buf_new_copy(payload.data, payload.length);
    struct frame *frame = frame_new(track, &buf);

    frame->dts = dts; // any origin will do, if it is the same for all tracks
    frame->duration = (uint32_t)(next_dts - dts);
    frame->flags = key ? FRAME_KEY : 0;
    source_push_frame(fake->source, &frame);
}

// The wall clock as it was when something was due. Of what is made in time it is the time of
// making: that is the moment a camera would have taken the picture, and what delay is measured
// from.
static int64_t capture_utc_us(int64_t due_us)
{
    int64_t late_us = now_us() - due_us;

    return utc_us() - (late_us > LATE_LITTLE_US ? late_us : 0);
}

static int64_t picture_dts(const struct fake *fake, int64_t number)
{
    return number * VIDEO_TIMESCALE / fake->options.fps;
}

static void make_picture(struct fake *fake)
{
    int64_t number = fake->picture_count;
    bool key;
    size_t length = fake_h264_encode(fake->video, (uint32_t)number,
                                     capture_utc_us(picture_due_us(fake)), fake->picture, &key);

    push(fake, TRACK_VIDEO, bytes_of(fake->picture, length), picture_dts(fake, number),
         picture_dts(fake, number + 1), key);
    fake->picture_count++;
}

// The beep keeps to the seconds of the wall clock. Small steps of that clock are not followed,
// since where units do not follow each other there is a click.
static void make_unit(struct fake *fake)
{
    int64_t sample = ticks_from_us(capture_utc_us(unit_due_us(fake)), FAKE_AAC_RATE);
    int64_t dts = fake->unit_count * FAKE_AAC_SAMPLES;

    if (llabs(sample - fake->unit_sample) > FAKE_AAC_SAMPLES)
        fake->unit_sample = sample;
    push(fake, TRACK_AUDIO, fake_aac_unit(fake->audio, fake->unit_sample), dts,
         dts + FAKE_AAC_SAMPLES, true); // a player can begin with any unit of sound
    fake->unit_count++;
    fake->unit_sample += FAKE_AAC_SAMPLES;
}

// A track says how its frames are coded: the decoder's configuration in the form that MP4 has for
// it, from which the media layer reads the rest. What we wrote ourselves is not foreign bytes: if
// it cannot be read the program is wrong, and ENSURE says so.
static void announce(struct fake *fake)
{
    struct track track[TRACKS] = {0};
    uint8_t avcc[FAKE_CONFIG_MAX], aac[FAKE_AAC_CONFIG_LENGTH];
    struct buf *config = buf_new_copy(avcc, fake_h264_config(fake->video, avcc));
    struct tracks *tracks;

    ENSURE(h264_track_from_config(config, &track[TRACK_VIDEO]) == 0);
    buf_unref(&config);
    track[TRACK_VIDEO].bitrate = fake->options.bitrate;
    fake_aac_config(fake->audio, aac);
    ENSURE(aac_track_from_config(bytes_of(aac, sizeof(aac)), &track[TRACK_AUDIO]) == 0);
    tracks = tracks_new(track, TRACKS);
    source_tracks(fake->source, &tracks);
    fake->announced = true;
}

// Leaves out what a long pause has made too old, a whole number of frames of each kind.
static void skip_missed(struct fake *fake, int64_t now)
{
    int64_t late_us = now - picture_due_us(fake);

    if (late_us <= LATE_MOST_US)
        return;
    fake->picture_count += late_us * fake->options.fps / US_PER_S;
    fake->unit_count += late_us * FAKE_AAC_RATE / US_PER_S / FAKE_AAC_SAMPLES;
}

// The timer's callback: everything that is due, then the timer for what comes next. If the loop was
// held up, several frames are due at once, and all of them are made.
static void on_due(void *arg)
{
    struct fake *fake = arg;
    int64_t now = now_us();

    if (!fake->announced)
        announce(fake);
    skip_missed(fake, now);
    for (;;) {
        int64_t picture_us = picture_due_us(fake), unit_us = unit_due_us(fake);

        if (picture_us > now && unit_us > now) {
            timeout_start_at(&fake->timer, picture_us < unit_us ? picture_us : unit_us);
            return;
        }
        if (picture_us <= unit_us)
            make_picture(fake);
        else
            make_unit(fake);
    }
}

// The stream calls this once after each pull, and never while the engine is calling upward.
static void stop(struct source *source)
{
    struct fake *fake = source_engine(source);

    timeout_stop(&fake->timer);
    fake_h264_free(&fake->video);
    fake_aac_free(&fake->audio);
    mem_free(fake->picture);
    mem_free(fake);
}

static const struct source_ops ops = {.stop = stop};

// Begins. Nothing may be called upward before pull has returned: the timer does the rest, in a
// later turn of the loop.
static int pull(const struct protocol_env *env, struct source *source)
{
    struct fake_h264_options options;
    struct fake *fake;
    char why[200];
    int err = fake_options_read(source_input(source), &options, why, sizeof(why));

    (void)env;
    if (err)
        return err; // `check` has told why; the stream logs that this input cannot be had
    fake = mem_alloc(sizeof(*fake));
    fake->source = source;
    fake->options = options;
    options.name = source_stream_name(source);
    fake->video = fake_h264_new(&options);
    fake->audio = fake_aac_new(CHANNELS);
    fake->picture = mem_alloc(fake_h264_size_max(fake->video));
    fake->start_us = now_us();
    timeout_init(&fake->timer, source_loop(source), on_due, fake);
    timeout_start(&fake->timer, 0);
    source_set_engine(source, &ops, fake);
    return 0;
}

static int check(const struct input_conf *input, char *why, size_t room)
{
    struct fake_h264_options options;

    return fake_options_read(input, &options, why, room);
}

// What the server knows of us. src/proto/protocols.def has the line that puts it into the program.
// What a protocol does not do it does not mention: this one has no routes, no history, no outputs.
const struct protocol proto_fake = {
    .name = "fake",
    .help = "test picture with a clock, and a tone; made here, without a camera",
    .schemes = {"fake"},
    .input_options = fake_option_help,
    .check = check,
    .pull = pull,
};
