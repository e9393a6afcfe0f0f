// SPDX-License-Identifier: MIT
// MPEG transport stream out (ISO/IEC 13818-1): packets of 188 bytes into a writer. One muxer is one
// continuous run of continuity counters; a segment starts with a fresh one and PAT, PMT. The first
// packet of each stream has the discontinuity_indicator, so that such segments may follow one
// another.
#ifndef FORMAT_TS_MUX_H
#define FORMAT_TS_MUX_H

#include <stdbool.h>

#include "base/writer.h"
#include "media/frame.h"
#include "media/track.h"

struct ts_mux;

// Tracks that TS cannot carry are left out. title (UTF-8) goes to the SDT; NULL: there is none.
// ERR_UNSUPPORTED when no track can be carried; *out is then NULL. Holds a reference on tracks.
MUST_USE int ts_mux_new(struct ts_mux **out, struct tracks *tracks, const char *title);
void ts_mux_free(struct ts_mux **mux);
// New track list in a running mux: next PAT/PMT version, written before the next frame. Same codes
// as ts_mux_new; on failure the old list stays. Audio that is held back is dropped: ts_mux_flush
// before.
MUST_USE int ts_mux_set_tracks(struct ts_mux *mux, struct tracks *tracks);
bool ts_mux_carries(const struct ts_mux *mux, unsigned track);
// PAT, SDT, PMT. Written by ts_mux_frame too, before the first frame and each key frame of the
// leading track and at least every 400 ms (of dts) otherwise.
void ts_mux_tables(struct ts_mux *mux, struct writer *out);
// One access unit as one PES, with PCR where due (at least every 80 ms on the leading track, when
// it has frames as often). A frame whose payload is not in canonical form, or longer than its
// format can say, writes nothing. H.264/H.265: AUD and, before key frames, the parameter sets are
// put in; AAC gets ADTS. FRAME_DISCONTINUITY on the leading track sets the discontinuity_indicator.
// Audio frames with a known duration are collected into one PES of about 80 ms when `collect` is
// true; what is held back is written before a key frame, with tables, by time, and by ts_mux_flush
// (which belongs before the end of a segment and before a position that viewers begin at is noted).
void ts_mux_frame(struct ts_mux *mux, const struct frame *frame, struct writer *out);
void ts_mux_set_collect(struct ts_mux *mux, bool collect);
void ts_mux_flush(struct ts_mux *mux, struct writer *out);

#endif
