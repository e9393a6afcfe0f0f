// SPDX-License-Identifier: MIT
// One segment on its way out of a channel, in pieces and only as fast as the channel takes them: a
// segment may be larger than what a channel may have queued.
#include "base/ensure.h"
#include "format/cmaf.h"
#include "link/link.h"
#include "m4f_priv.h"

void m4f_sender_fini(struct m4f_sender *sender)
{
    chain_fini(&sender->body);
}

static void send_tracks(struct m4f_sender *sender, const struct tracks *tracks)
{
    if (tracks->generation == sender->generation)
        return;
    struct buf *init = cmaf_init_write(tracks);
    struct chain message = {0};
    m4f_tracks_write(tracks->generation, init, &message);
    channel_send(sender->channel, &message);
    buf_unref(&init);
    sender->generation = tracks->generation;
}

void m4f_sender_begin(struct m4f_sender *sender, const struct segment_info *info,
                      const struct tracks *tracks, struct chain *body)
{
    ENSURE(sender->body.bytes == 0);
    send_tracks(sender, tracks);
    sender->info = *info;
    sender->info.generation = tracks->generation;
    sender->begun = false;
    chain_move(&sender->body, body);
    chain_fini(body);
}

bool m4f_sender_pump(struct m4f_sender *sender)
{
    while (sender->body.bytes && !channel_full(sender->channel)) {
        size_t left = sender->body.bytes;
        size_t piece = left < M4F_BYTES_PIECE ? left : M4F_BYTES_PIECE;
        struct chain message = {0};
        if (sender->begun)
            m4f_data_write(&message);
        else
            m4f_segment_write(&sender->info, left, &message);
        sender->begun = true;
        chain_add_range(&message, &sender->body, 0, piece);
        chain_consume(&sender->body, piece);
        channel_send(sender->channel, &message);
    }
    return sender->body.bytes == 0;
}

void m4f_sender_segment(struct m4f_sender *sender, struct segment *segment)
{
    const struct chain *whole = cmaf_segment(segment);
    struct segment_info info = segment->info;
    struct chain body = {0};
    info.bytes = whole->bytes;
    chain_add_range(&body, whole, 0, whole->bytes);
    m4f_sender_begin(sender, &info, segment->tracks, &body);
}
