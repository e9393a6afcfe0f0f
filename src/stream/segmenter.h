// SPDX-License-Identifier: MIT
// Cuts a stream's frames into segments and parts (docs/design/time.md, "Segments and parts").
//
// Two modes: own (cuts by key frames and duration) and following (cuts where the far server cut;
// segmenter_announce says so before the first frame). States: NONE (no open segment; frames before
// the first leading key frame are not kept) <-> OPEN.
#ifndef STREAM_SEGMENTER_H
#define STREAM_SEGMENTER_H

#include "media/segment.h"

struct segmenter;

struct segmenter_events {
    void (*on_part)(void *arg, struct tracks *tracks, const struct segment_info *info,
                    unsigned part, struct frame *const *frames, unsigned count);
    // Takes the reference.
    void (*on_segment)(void *arg, struct segment **segment);
    // A followed segment of which not all frames came is over; info is final.
    void (*on_partial)(void *arg, const struct segment_info *info, struct tracks *tracks);
};

struct segmenter *segmenter_new(const struct segmenter_events *events, void *arg);
void segmenter_free(struct segmenter **segmenter); // an open segment is dropped
void segmenter_set_duration(struct segmenter *segmenter, int64_t duration_us);
// Own mode: by which clock the frames that follow are dated (segment_info.clock_us).
void segmenter_set_clock(struct segmenter *segmenter, int64_t clock_us);
// Another track list holds for the frames that follow: closes the open segment.
void segmenter_set_tracks(struct segmenter *segmenter, struct tracks *tracks);
// Following: the next frame begins (or lies in) this segment.
void segmenter_announce(struct segmenter *segmenter, uint64_t number, int64_t utc_start_us,
                        uint8_t flags, bool whole);
// Following: frames of the open segment are missing; it will not be whole.
void segmenter_skipped(struct segmenter *segmenter);
// Sets frame->segment_number and FRAME_SEGMENT. The frame must be writable still.
void segmenter_push(struct segmenter *segmenter, struct frame *frame);
// The run ended. Own: the open segment is closed and the next one is discontinuous. Following: it
// is dropped; the far server knows what became of it.
void segmenter_end_run(struct segmenter *segmenter);
// Number of the open segment and its start; false when none is open.
bool segmenter_open_info(const struct segmenter *segmenter, struct segment_info *info);

#endif
