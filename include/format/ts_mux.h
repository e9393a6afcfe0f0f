// SPDX-License-Identifier: MIT
// MPEG transport stream out (ISO/IEC 13818-1): packets of 188 bytes into a writer. One muxer is one
// continuous run of continuity counters; a segment starts with a fresh one and PAT, PMT.
#ifndef FORMAT_TS_MUX_H
#define FORMAT_TS_MUX_H

#include <stdbool.h>

#include "base/writer.h"
#include "media/frame.h"
#include "media/track.h"

struct ts_mux;

// Tracks whose codec has no stream_type are left out. title goes to the SDT; may be NULL.
// ERR_UNSUPPORTED when no track can be carried. Holds a reference on tracks.
MUST_USE int ts_mux_new(struct ts_mux **out, struct tracks *tracks, const char *title);
void ts_mux_free(struct ts_mux **mux);
// New track list in a running mux: next PAT/PMT version. Same codes as ts_mux_new.
MUST_USE int ts_mux_set_tracks(struct ts_mux *mux, struct tracks *tracks);
bool ts_mux_carries(const struct ts_mux *mux, unsigned track);
// PAT, SDT, PMT. Written by ts_mux_frame too, before each key frame of the leading track and at
// least every 100 ms (of dts) otherwise.
void ts_mux_tables(struct ts_mux *mux, struct writer *out);
// One access unit as one PES, with PCR where due (at least every 80 ms on the leading track).
// H.264/H.265: AUD and, before key frames, the parameter sets are put in; AAC gets ADTS.
// Audio frames of a few milliseconds each are collected into one PES when `collect` is true: then
// ts_mux_flush writes what is held back.
void ts_mux_frame(struct ts_mux *mux, const struct frame *frame, struct writer *out);
void ts_mux_set_collect(struct ts_mux *mux, bool collect);
void ts_mux_flush(struct ts_mux *mux, struct writer *out);

#endif
