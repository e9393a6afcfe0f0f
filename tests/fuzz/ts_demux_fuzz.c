// SPDX-License-Identifier: MIT
// A transport stream of any bytes, cut at places that its first byte chooses. What comes out is in
// canonical form, refers to tracks that were given out, and can be muxed again without gaps.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "format/ts_demux.h"
#include "format/ts_mux.h"
#include "media/nal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct taken {
    struct tracks *tracks;
    struct ts_mux *mux;
    struct writer out;
    bool again; // the second run: only counts
};

static void on_tracks(void *arg, struct tracks **tracks)
{
    struct taken *taken = arg;
    tracks_unref(&taken->tracks);
    taken->tracks = *tracks;
    *tracks = NULL;
    if (taken->again)
        return;
    ts_mux_free(&taken->mux);
    if (ts_mux_new(&taken->mux, taken->tracks, "fuzz") == 0)
        ts_mux_set_collect(taken->mux, taken->tracks->count % 2);
    writer_fini(&taken->out);
}

static void on_frame(void *arg, struct frame **frame)
{
    struct taken *taken = arg;
    ENSURE(taken->tracks && (*frame)->track < taken->tracks->count);
    const struct track *track = &taken->tracks->track[(*frame)->track];
    struct bytes in = bytes_of(frame_data(*frame), (*frame)->length), nal;
    int result = ERR_NOT_FOUND;
    while (track->kind == MEDIA_VIDEO && (result = nal_next_prefixed(&in, 4, &nal)) == 0)
        ENSURE(nal.length > 0);
    ENSURE(result == ERR_NOT_FOUND);
    ENSURE(track->kind == MEDIA_AUDIO || (*frame)->cts >= 0);
    if (!taken->again && taken->mux)
        ts_mux_frame(taken->mux, *frame, &taken->out);
    frame_unref(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ts_demux_events events = {on_tracks, on_frame};
    if (size == 0)
        return 0;
    struct taken taken = {0};
    struct ts_demux *demux = ts_demux_new(&events, &taken);
    size_t step = data[0] < 128 ? data[0] + 1u : data[0] * 8u;
    for (size_t at = 1; at < size;) {
        size_t length = size - at < step ? size - at : step;
        uint8_t *copy = mem_dup(data + at, length);
        ts_demux_input(demux, bytes_of(copy, length));
        mem_free(copy);
        at += length;
    }
    ts_demux_flush(demux);
    ts_demux_free(&demux);
    if (taken.mux)
        ts_mux_flush(taken.mux, &taken.out);
    taken.again = true;
    demux = ts_demux_new(&events, &taken);
    ENSURE(writer_length(&taken.out) % 188 == 0);
    if (taken.out.buf)
        ts_demux_input(demux, buf_bytes(taken.out.buf));
    ts_demux_flush(demux);
    ENSURE(ts_demux_continuity_errors(demux) == 0);
    ts_demux_free(&demux);
    ts_mux_free(&taken.mux);
    writer_fini(&taken.out);
    tracks_unref(&taken.tracks);
    ENSURE(mem_live_count() == 0);
    return 0;
}
