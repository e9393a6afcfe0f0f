// SPDX-License-Identifier: MIT
// Frames: made, counted, freed.
#include "media/frame.h"

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "media/track.h"

enum { FRAME_MAGIC = 0x46524d45 };

static long live;

long frame_live_count(void)
{
    return live;
}

struct frame *frame_new(unsigned track, struct buf **buf)
{
    ENSURE(buf && *buf && track < TRACKS_MAX && (*buf)->length <= UINT32_MAX);
    struct frame *frame = mem_alloc(sizeof(*frame));
    frame->magic = FRAME_MAGIC;
    frame->refs = 1;
    frame->track = (uint8_t)track;
    frame->buf = *buf;
    frame->length = (uint32_t)(*buf)->length;
    *buf = NULL;
    live++;
    return frame;
}

struct frame *frame_ref(struct frame *frame)
{
    OBJ_CHECK(frame, FRAME_MAGIC);
    ENSURE(frame->refs < UINT32_MAX);
    frame->refs++;
    return frame;
}

void frame_unref(struct frame **frame)
{
    struct frame *gone = *frame;
    *frame = NULL;
    if (!gone)
        return;
    OBJ_CHECK(gone, FRAME_MAGIC);
    ENSURE(gone->refs > 0);
    if (--gone->refs > 0)
        return;
    buf_unref(&gone->buf);
    gone->magic = 0;
    live--;
    mem_free(gone);
}
