// SPDX-License-Identifier: MIT
// What an M4S channel receives: messages, each behind two bytes of its length and each in a block
// of exactly its size, until one is refused, as the receiver does. Frames depend on those before
// them. Each message is also read as an opening one. What was understood is written again, by a
// sender with a clock of its own, and must mean the same.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "m4s_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The far sender and the far receiver of what is written again.
struct far {
    struct m4s_clock sender, receiver;
};

static void write_frame(struct m4s_clock *clock, const struct m4s_message *message,
                        struct chain *out)
{
    struct buf *payload = buf_new_copy(message->payload.data, message->payload.length);
    struct frame *frame = frame_new(message->track, &payload);
    frame->dts = message->dts;
    frame->cts = message->cts;
    frame->duration = message->duration;
    frame->flags = message->flags;
    m4s_frame_write(clock, frame, out);
    frame_unref(&frame);
}

static void write_tracks(struct m4s_clock *clock, const struct m4s_message *message,
                         struct chain *out)
{
    struct buf *init = buf_new_copy(message->init.data, message->init.length);
    *clock = (struct m4s_clock){0};
    m4s_tracks_write(message->generation, init, out);
    buf_unref(&init);
}

static void write_again(struct m4s_clock *clock, const struct m4s_message *message,
                        struct chain *out)
{
    switch (message->type) {
    case M4S_TRACKS:
        write_tracks(clock, message, out);
        break;
    case M4S_WINDOW:
        m4s_window_write(message->window, message->window_count, message->listed, out);
        break;
    case M4S_SEGMENT:
        m4s_segment_write(&message->segment, message->whole, message->skipped, out);
        break;
    case M4S_STATE:
        m4s_state_write(message->live, out);
        break;
    case M4S_FRAME:
        write_frame(clock, message, out);
        break;
    }
}

static bool same_bytes(struct bytes a, struct bytes b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static bool same_info(const struct segment_info *a, const struct segment_info *b)
{
    return a->number == b->number && a->utc_start_us == b->utc_start_us &&
           a->duration_us == b->duration_us && a->bytes == b->bytes && a->flags == b->flags &&
           a->generation == b->generation;
}

static void check_frame(const struct m4s_message *a, const struct m4s_message *b)
{
    ENSURE(a->track < TRACKS_MAX && a->dts >= 0 && a->payload.length > 0);
    ENSURE(a->duration <= INT32_MAX);
    ENSURE(a->track == b->track && a->flags == b->flags && a->dts == b->dts);
    ENSURE(a->cts == b->cts && a->duration == b->duration);
    ENSURE(same_bytes(a->payload, b->payload));
}

static void check_same(const struct m4s_message *a, const struct m4s_message *b)
{
    ENSURE(a->type == b->type);
    switch (a->type) {
    case M4S_TRACKS:
        ENSURE(a->generation == b->generation && same_bytes(a->init, b->init));
        break;
    case M4S_WINDOW:
        ENSURE(a->window_count == b->window_count && a->window_count <= M4S_WINDOW_MAX);
        ENSURE(a->listed == b->listed && a->listed > 0 && a->listed <= STREAM_SEGMENT_COUNT_MAX);
        for (unsigned i = 0; i < a->window_count; i++) {
            ENSURE(a->window[i].utc_start_us >= 0 && a->window[i].duration_us >= 0);
            ENSURE(same_info(&a->window[i], &b->window[i]));
        }
        break;
    case M4S_SEGMENT:
        ENSURE(same_info(&a->segment, &b->segment));
        ENSURE(a->whole == b->whole && a->skipped == b->skipped);
        break;
    case M4S_STATE:
        ENSURE(a->live == b->live);
        break;
    case M4S_FRAME:
        check_frame(a, b);
        break;
    }
}

static void check_open(struct bytes in)
{
    char name[STREAM_NAME_MAX], again[STREAM_NAME_MAX];
    if (m4s_subscribe_parse(in, name, sizeof name) != 0)
        return;
    struct chain chain = {0};
    m4s_subscribe_write(name, &chain);
    struct buf *written = chain_join(&chain);
    ENSURE(m4s_subscribe_parse(buf_bytes(written), again, sizeof again) == 0);
    ENSURE(strcmp(name, again) == 0);
    buf_unref(&written);
    chain_fini(&chain);
}

static bool check_message(struct m4s_clock *clock, struct far *far, struct bytes in)
{
    static struct m4s_message message, again;
    if (m4s_message_parse(clock, in, &message) != 0)
        return false;
    struct chain chain = {0};
    write_again(&far->sender, &message, &chain);
    struct buf *written = chain_join(&chain);
    ENSURE(m4s_message_parse(&far->receiver, buf_bytes(written), &again) == 0);
    check_same(&message, &again);
    ENSURE(memcmp(clock, &far->receiver, sizeof *clock) == 0);
    buf_unref(&written);
    chain_fini(&chain);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size), piece;
    struct m4s_clock clock = {0};
    struct far far = {0};
    uint16_t length;
    bool good = true;
    while (good && bytes_read_u16(&in, &length) &&
           bytes_take(&in, length < in.length ? length : in.length, &piece)) {
        uint8_t *exact = mem_dup(piece.data, piece.length);
        check_open(bytes_of(exact, piece.length));
        good = check_message(&clock, &far, bytes_of(exact, piece.length));
        mem_free(exact);
    }
    ENSURE(mem_live_count() == 0 && frame_live_count() == 0);
    return 0;
}
