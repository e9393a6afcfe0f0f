// SPDX-License-Identifier: MIT
// Bytes of a link, in and out.
//
// Out: channels queue messages (link_sched); at the end of the turn the flush cuts at most
// LINK_BATCH bytes of fragments, gives them straight to the connection, and goes on until nothing
// is left or the socket is full. What was cut and not taken waits in `out` and is beyond the
// classes' reach; nothing more is cut meanwhile.
//
// In: fragments are copied once, into the block that the channel's owner gets. Heads and messages
// of channel 0 are read in place.
//
// 1. left > 0: the next bytes belong to `fragment`, whose head was checked.
// 2. underway = the sum of the totals of the channels' incomplete messages of several fragments.
// 3. Callbacks may end the link: after each one `epoch` tells.
#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "link_priv.h"

// ---- out ---------------------------------------------------------------------------------------

// Two of the largest fragments: two full records of TLS.
enum { LINK_BATCH = 2 * (LINK_FRAGMENT_MAX + LINK_WIRE_HEAD_MAX) };

static void fill(struct link *link)
{
    while (link->out.bytes + LINK_FRAGMENT_MAX + LINK_WIRE_HEAD_MAX <= LINK_BATCH) {
        size_t length;
        struct link_queue *queue = link_sched_take(&link->sched, &link->out, &length);
        if (!queue)
            return;
        if (queue == &link->control)
            continue;
        struct channel *channel = LIST_OWNER(queue, struct channel, queue);
        link->stats.payload_out += length;
        link->stats.class_out[channel->cls] += length;
        channel_sent(channel);
    }
}

static void flush(void *arg)
{
    struct link *link = arg;
    if (link->state < LINK_HELLO)
        return;
    uint64_t turn = loop_stats(link->hub->loop)->turns;
    if (turn != link->turn)
        link->turn_bytes = 0;
    link->turn = turn;
    while (!link->blocked) {
        if (link->turn_bytes >= LINK_TURN_BYTES) {
            loop_later(link->hub->loop, &link->flush, flush, link);
            return;
        }
        fill(link);
        if (!link->out.count)
            return;
        struct iovec vectors[CONN_VECTORS_MAX];
        int count = chain_iovec(&link->out, vectors, CONN_VECTORS_MAX);
        size_t given = 0;
        for (int i = 0; i < count; i++)
            given += vectors[i].iov_len;
        size_t taken = conn_try_writev(link->conn, vectors, count);
        chain_consume(&link->out, taken);
        link->turn_bytes += taken;
        link->blocked = taken < given;
    }
    link_alive_blocked(link);
}

void link_flush_soon(struct link *link)
{
    if (!link->blocked)
        loop_defer(link->hub->loop, &link->flush, flush, link);
}

void link_on_drained(void *arg)
{
    struct link *link = arg;
    link->blocked = false;
    link_flush_soon(link);
}

static void write_control(const struct link_wire_message *message, struct chain *out)
{
    struct writer writer = {0};
    link_wire_write(&writer, message);
    struct buf *buf = writer_take(&writer);
    chain_take(out, &buf);
}

void link_send_control(struct link *link, const struct link_wire_message *message)
{
    if (link->state < LINK_HELLO)
        return;
    struct chain bytes = {0};
    write_control(message, &bytes);
    link_sched_push(&link->sched, &link->control, &bytes);
    chain_fini(&bytes);
    link_flush_soon(link);
}

static const struct conn_events farewell_events = {.on_data = NULL};

void link_farewell(struct link *link, enum reason reason, bool tell)
{
    struct conn *conn = link->conn;
    link->conn = NULL;
    link->stats.bytes_in += conn_bytes_in(conn);
    link->stats.bytes_out += conn_bytes_out(conn);
    conn_set_events(conn, &farewell_events, NULL);
    if (link->state < LINK_HELLO) {
        conn_close(conn, reason);
        return;
    }
    if (tell) {
        // After the rest of the fragment that is partly gone.
        struct link_sched last;
        struct link_queue queue;
        struct chain bytes = {0};
        size_t length;
        write_control(&(struct link_wire_message){.type = LINK_WIRE_GOODBYE, .reason = reason},
                      &bytes);
        link_sched_init(&last);
        link_queue_init(&queue, 0, 0);
        link_sched_push(&last, &queue, &bytes);
        chain_fini(&bytes);
        ENSURE(link_sched_take(&last, &link->out, &length) == &queue);
        link_queue_fini(&last, &queue);
        conn_write(conn, &link->out);
    }
    conn_finish(conn, reason);
}

// ---- in ----------------------------------------------------------------------------------------

static void broken(struct link *link, const char *what)
{
    link_lost(link, REASON_PROTOCOL, true, what);
}

// The head of a fragment of a channel that somebody listens to. False: the link is lost.
static bool message_goes_on(struct link *link, struct channel *channel)
{
    const struct link_wire_head *head = &link->fragment;
    bool begins = head->kind == LINK_WIRE_WHOLE || head->kind == LINK_WIRE_FIRST;
    if (begins != (channel->message == NULL)) {
        broken(link, begins ? "a message inside a message" : "a fragment without a beginning");
        return false;
    }
    if (!begins) {
        size_t rest = channel->message_total - channel->message->length;
        if (head->kind == LINK_WIRE_LAST ? head->length == rest : head->length < rest)
            return true;
        broken(link, "fragments that do not add up");
        return false;
    }
    size_t total = head->kind == LINK_WIRE_WHOLE ? head->length : head->total;
    if (head->kind == LINK_WIRE_FIRST && link->underway + total > LINK_UNDERWAY_MAX) {
        link_lost(link, REASON_FLOOD, true, "too much under way");
        return false;
    }
    channel->message = buf_try_new(total);
    if (!channel->message) {
        channel_fail(channel, REASON_LIMIT);
        return true;
    }
    channel->message_total = total;
    channel->message_split = head->kind == LINK_WIRE_FIRST;
    if (channel->message_split)
        link->underway += total;
    return true;
}

void channel_drop_message(struct channel *channel)
{
    if (!channel->message)
        return;
    if (channel->message_split)
        channel->link->underway -= channel->message_total;
    buf_unref(&channel->message);
}

static void message_complete(struct link *link, struct channel *channel)
{
    struct buf *message = buf_ref(channel->message);
    channel_drop_message(channel);
    link->stats.payload_in += message->length;
    if (channel->events && channel->events->on_message)
        channel->events->on_message(channel->arg, message, 0, message->length);
    buf_unref(&message);
}

// Bytes of the fragment that has begun.
static void take_payload(struct link *link, struct bytes *in)
{
    struct bytes part;
    size_t length = link->left < in->length ? link->left : in->length;
    struct channel *channel = link_channel(link, link->fragment.channel);
    ENSURE(bytes_take(in, length, &part));
    link->left -= length;
    // Without a message its owner has closed it here meanwhile: the rest is for nobody.
    if (!channel || !channel->message)
        return;
    buf_append(channel->message, part.data, part.length);
    if (link->left == 0 && channel->message->length == channel->message_total)
        message_complete(link, channel);
}

// A whole message of channel 0. False: wait for the rest of it.
static bool take_control(struct link *link, struct bytes *in)
{
    struct bytes message;
    if (link->fragment.kind != LINK_WIRE_WHOLE) {
        broken(link, "a divided message on channel 0");
        return true;
    }
    if (!bytes_take(in, link->fragment.length, &message))
        return false;
    link_control(link, message);
    return true;
}

// False: more bytes are needed, or the link is lost.
static bool take_head(struct link *link, struct bytes *in)
{
    struct bytes rest = *in;
    int err = link_wire_head_parse(&rest, &link->fragment);
    if (err == ERR_AGAIN)
        return false;
    if (err) {
        broken(link, "a broken head of a fragment");
        return false;
    }
    if (link->fragment.channel == 0) {
        if (!take_control(link, &rest))
            return false;
        *in = rest;
        return true;
    }
    struct channel *channel = link_channel(link, link->fragment.channel);
    if (!channel) {
        broken(link, "a message on a channel that is not open");
        return false;
    }
    if (channel->state == CHANNEL_OPEN && !message_goes_on(link, channel))
        return false;
    link->left = link->fragment.length;
    *in = rest;
    if (link->left == 0)
        take_payload(link, in);
    return true;
}

size_t link_on_data(void *arg, const uint8_t *data, size_t length)
{
    struct link *link = arg;
    struct bytes in = bytes_of(data, length);
    unsigned epoch = link->epoch;
    link->heard_us = now_us();
    while (in.length > 0) {
        if (link->left > 0)
            take_payload(link, &in);
        else if (!take_head(link, &in))
            break;
        if (link->epoch != epoch)
            return length;
    }
    return link->epoch == epoch ? length - in.length : length;
}
