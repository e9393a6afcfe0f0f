// SPDX-License-Identifier: MIT
// A track and the immutable, counted list of a stream's tracks. A change of parameters makes a new
// list with the next generation; old lists live while the ring, the window or a reader needs them.
#ifndef MEDIA_TRACK_H
#define MEDIA_TRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "media/codec.h"

struct track {
    enum codec codec;
    enum media_kind kind;
    uint32_t timescale; // ticks a second: 90000 for video, the sample rate for audio
    // The form MP4 stores: avcC, hvcC, av1C, AudioSpecificConfig, dOps; NULL for G.711. One
    // reference.
    struct buf *config;
    // The whole ISO sample entry box when the codec is CODEC_OTHER_*, else NULL. One reference.
    struct buf *sample_entry;
    char language[4];               // ISO 639-2, "und" when unknown
    uint32_t width, height;         // video, in pixels after cropping; 0 unknown
    uint32_t fps_num, fps_den;      // video, 0/0 when unknown or variable
    uint32_t sample_rate, channels; // audio
    uint32_t bitrate;               // bits a second as declared by the source, 0 unknown
};

// A zeroed track of that codec, with its kind and language "und"; the timescale is still to be set.
void track_init(struct track *track, enum codec codec);
// Drops config and sample_entry, which a track owns.
void track_fini(struct track *track);
// Same codec, timescale, configuration and size: what one decoder can go on with.
bool track_equal(const struct track *a, const struct track *b);

struct tracks {
    uint32_t magic;
    uint32_t refs;
    uint32_t generation; // given by the stream, from 1; 0 before that
    unsigned count;      // 1..TRACKS_MAX
    struct track track[TRACKS_MAX];
};

// Takes over the contents of track[0..count) (the buf references move in); count one.
struct tracks *tracks_new(struct track *track, unsigned count);
struct tracks *tracks_ref(struct tracks *tracks);
void tracks_unref(struct tracks **tracks); // NULL is fine, is NULL afterwards
long tracks_live_count(void);              // lists that exist, for tests and metrics
// Equal tracks in the same order; the generation is not compared.
bool tracks_equal(const struct tracks *a, const struct tracks *b);
// First track of the kind, or -1.
int tracks_find(const struct tracks *tracks, enum media_kind kind);
// The track whose frames say where segments may begin: the first video track, else track 0.
unsigned tracks_leading(const struct tracks *tracks);
// RFC 6381 codec string ("avc1.4D401F", "hvc1.1.6.L93.B0", "mp4a.40.2") into room of 64 bytes.
void track_codec_string(const struct track *track, char *out, size_t room);
// Flussonic's track id: v1, a1, a2 ...
void tracks_id(const struct tracks *tracks, unsigned number, char out[8]);

#endif
