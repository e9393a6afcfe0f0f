// SPDX-License-Identifier: MIT
// Channels.
//
// OPEN -> FINISHING: channel_finish, while messages are queued. OPEN, FINISHING -> CLOSED: our
// close is sent (channel_close, channel_fail, a refused open). OPEN, FINISHING -> DEAD: the other
// side's close (ours is sent in answer), or the link is lost. CLOSED -> DEAD: the other side's
// close.
//
// 1. A channel is in its link's table, and its number taken, until it is DEAD.
// 2. events != NULL: somebody owns it. It is freed when it is DEAD, nobody owns it and `ended` has
//    run: never inside a callback of its own.
// 3. Only an OPEN or FINISHING channel has messages queued; only an OPEN one assembles incoming
// ones.
// 4. Of the two tables the one of odd numbers belongs to the side that dialled.
#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "link_priv.h"

#define CHANNEL_MAGIC 0x4c43484eu
enum { PLACES = LINK_CHANNELS_MAX / 2 };

// ---- the tables --------------------------------------------------------------------------------

static unsigned own_side(const struct link *link)
{
    return link->dialled ? 1 : 0;
}

struct channel *link_channel(const struct link *link, uint32_t number)
{
    unsigned side = number & 1;
    return number / 2 < link->room[side] ? link->channels[side][number / 2] : NULL;
}

static void table_add(struct link *link, struct channel *channel, uint32_t number)
{
    unsigned side = number & 1;
    size_t place = number / 2, room = link->room[side];
    if (place >= room) {
        size_t more = room ? room * 2 : 16;
        while (more <= place)
            more *= 2;
        link->channels[side] = mem_resize(link->channels[side], more * sizeof(struct channel *));
        for (size_t i = room; i < more; i++)
            link->channels[side][i] = NULL;
        link->room[side] = more;
    }
    ENSURE(!link->channels[side][place]);
    link->channels[side][place] = channel;
    channel->number = number;
    channel->queue.channel = number;
    channel->state = CHANNEL_OPEN;
    link->stats.channels++;
}

static void table_remove(struct link *link, struct channel *channel)
{
    unsigned side = channel->number & 1;
    size_t place = channel->number / 2;
    link->channels[side][place] = NULL;
    link->stats.channels--;
    if (side == own_side(link) && place < link->hint)
        link->hint = place;
    channel->state = CHANNEL_DEAD;
    if (link->dialled && link->holders == 0)
        link_settle_soon(link); // perhaps it was the last one
}

bool link_channels_of_peer(const struct link *link)
{
    unsigned side = 1 - own_side(link);
    for (size_t i = 0; i < link->room[side]; i++) {
        const struct channel *channel = link->channels[side][i];
        if (channel && channel->state != CHANNEL_CLOSED)
            return true;
    }
    return false;
}

// The smallest free number of our side; 0: none.
static uint32_t free_number(struct link *link)
{
    unsigned side = own_side(link);
    size_t place = link->hint > 0 || side == 1 ? link->hint : 1; // number 0 is the link's own
    while (place < link->room[side] && link->channels[side][place])
        place++;
    link->hint = place;
    return place < PLACES ? (uint32_t)place * 2 + side : 0;
}

// ---- life --------------------------------------------------------------------------------------

static struct channel *channel_new(struct link *link, enum link_class cls,
                                   const struct channel_events *events, void *arg)
{
    struct channel *channel = mem_alloc(sizeof(*channel));
    channel->magic = CHANNEL_MAGIC;
    channel->link = link;
    channel->state = CHANNEL_DEAD;
    channel->cls = cls;
    channel->events = events;
    channel->arg = arg;
    link_queue_init(&channel->queue, 0, 1 + (unsigned)cls);
    return channel;
}

static void channel_free_if_over(struct channel *channel)
{
    if (channel->state != CHANNEL_DEAD || channel->events || channel->ending)
        return;
    loop_defer_cancel(channel->link->hub->loop, &channel->room);
    channel->magic = 0;
    mem_free(channel);
}

static void ended(void *arg)
{
    struct channel *channel = arg;
    struct link *link = channel->link;
    const struct channel_events *events = channel->events;
    channel->events = NULL;
    if (events && events->on_closed)
        events->on_closed(channel->arg, channel->reason);
    channel->ending = false;
    channel_free_if_over(channel);
    if (--link->ending == 0)
        link_settle_soon(link);
}

// The owner, if any, hears of the end.
static void end(struct channel *channel, enum reason reason, bool later)
{
    if (!channel->events || channel->ending)
        return;
    struct link *link = channel->link;
    channel->reason = reason;
    channel->ending = true;
    link->ending++;
    if (later)
        loop_later(link->hub->loop, &channel->ended, ended, channel);
    else
        loop_defer(link->hub->loop, &channel->ended, ended, channel);
}

// Lets go of everything but the number.
static void stop(struct channel *channel)
{
    link_queue_fini(&channel->link->sched, &channel->queue);
    channel_drop_message(channel);
    channel->full = false;
    if (channel->expecting)
        channel->link->expecting--;
    channel->expecting = false;
}

static void send_close(struct channel *channel, enum reason reason)
{
    link_send_control(channel->link, &(struct link_wire_message){.type = LINK_WIRE_CLOSE,
                                                                 .channel = channel->number,
                                                                 .reason = reason});
}

// OPEN or FINISHING -> CLOSED.
static void close_here(struct channel *channel, enum reason reason)
{
    stop(channel);
    send_close(channel, reason);
    channel->state = CHANNEL_CLOSED;
}

void channel_fail(struct channel *channel, enum reason reason)
{
    close_here(channel, reason);
    end(channel, reason, false);
}

void link_channels_end(struct link *link, enum reason reason)
{
    for (unsigned side = 0; side < 2; side++) {
        for (size_t i = 0; i < link->room[side]; i++) {
            struct channel *channel = link->channels[side][i];
            if (!channel)
                continue;
            table_remove(link, channel);
            stop(channel);
            end(channel, reason, false);
            channel_free_if_over(channel);
        }
        mem_free(link->channels[side]);
        link->channels[side] = NULL;
        link->room[side] = 0;
    }
    link->hint = 0;
}

// ---- the other side ----------------------------------------------------------------------------

static enum reason serve(struct channel *channel, const struct link_wire_message *message)
{
    struct link *link = channel->link;
    struct link_hub *hub = link->hub;
    if (!link_bucket_take(&link->opens, LINK_OPENS_BURST, LINK_OPENS_PER_S))
        return REASON_LIMIT;
    if (message->service >= LINK_SERVICES || !hub->services[message->service].serve)
        return REASON_UNSUPPORTED;
    unsigned epoch = link->epoch;
    const struct channel_events *events = NULL;
    void *arg = NULL;
    enum reason reason = hub->services[message->service].serve(
        hub->services[message->service].arg, link, channel, message->open, &events, &arg);
    ENSURE(link->epoch == epoch); // the one who serves may not end the link meanwhile
    if (reason != REASON_NONE)
        return reason;
    ENSURE(events != NULL);
    channel->events = events;
    channel->arg = arg;
    if (channel->state != CHANNEL_OPEN) // more was sent at once than a queue may hold
        end(channel, REASON_SLOW_RECEIVER, false);
    return REASON_NONE;
}

bool channel_peer_open(struct link *link, const struct link_wire_message *message)
{
    if ((message->channel & 1) == own_side(link) || link_channel(link, message->channel))
        return false;
    struct channel *channel = channel_new(link, (enum link_class)message->cls, NULL, NULL);
    table_add(link, channel, message->channel);
    enum reason refused = serve(channel, message);
    if (refused != REASON_NONE && channel->state == CHANNEL_OPEN)
        close_here(channel, refused);
    return true;
}

bool channel_peer_close(struct link *link, const struct link_wire_message *message)
{
    struct channel *channel = link_channel(link, message->channel);
    if (!channel)
        return false;
    if (channel->state != CHANNEL_CLOSED) {
        stop(channel);
        send_close(channel, REASON_DONE);
    }
    table_remove(link, channel);
    end(channel, message->reason != REASON_NONE ? message->reason : REASON_PEER_CLOSED, false);
    channel_free_if_over(channel);
    return true;
}

// ---- the owner ---------------------------------------------------------------------------------

struct channel *channel_open(struct link *link, enum link_service service, enum link_class cls,
                             struct bytes open, const struct channel_events *events, void *arg)
{
    ENSURE(events != NULL && cls < LINK_CLASSES && open.length <= LINK_OPEN_MAX);
    bool up = link_is_up(link);
    link = link_carrier(link);
    struct channel *channel = channel_new(link, cls, events, arg);
    uint32_t number = up ? free_number(link) : 0;
    if (number == 0) {
        enum reason reason = link->stats.last_reason;
        if (up)
            reason = REASON_LIMIT;
        else if (reason == REASON_NONE)
            reason = REASON_UNREACHABLE;
        end(channel, reason, true);
        return channel;
    }
    table_add(link, channel, number);
    link_send_control(link, &(struct link_wire_message){.type = LINK_WIRE_OPEN,
                                                        .channel = number,
                                                        .service = (uint8_t)service,
                                                        .cls = (uint8_t)cls,
                                                        .open = open});
    return channel;
}

void channel_send(struct channel *channel, struct chain *message)
{
    OBJ_CHECK(channel, CHANNEL_MAGIC);
    ENSURE(message->bytes <= LINK_MESSAGE_MAX);
    struct link *link = channel->link;
    size_t bytes = message->bytes;
    if (channel->state != CHANNEL_OPEN) {
        chain_fini(message);
        return;
    }
    if (link_queue_weight(&channel->queue) + bytes > LINK_QUEUE_MAX ||
        link->sched.bytes + bytes > LINK_QUEUE_TOTAL_MAX) {
        chain_fini(message);
        channel_fail(channel, REASON_SLOW_RECEIVER);
        return;
    }
    link_sched_push(&link->sched, &channel->queue, message);
    chain_fini(message); // its slices have moved; the room they stood in goes too
    if (link_queue_weight(&channel->queue) >= LINK_QUEUE_HIGH)
        channel->full = true;
    link_flush_soon(link);
}

void channel_send_copy(struct channel *channel, const void *data, size_t length)
{
    struct chain message = {0};
    chain_add_copy(&message, data, length);
    channel_send(channel, &message);
    chain_fini(&message);
}

static void tell_room(void *arg)
{
    struct channel *channel = arg;
    if (!channel->full && channel->state == CHANNEL_OPEN && channel->events &&
        channel->events->on_room)
        channel->events->on_room(channel->arg);
}

static void grown_empty(struct channel *channel)
{
    if (channel->full && link_queue_weight(&channel->queue) <= LINK_QUEUE_LOW) {
        channel->full = false;
        loop_defer(channel->link->hub->loop, &channel->room, tell_room, channel);
    }
}

void channel_sent(struct channel *channel)
{
    grown_empty(channel);
    if (channel->state == CHANNEL_FINISHING && channel->queue.count == 0)
        close_here(channel, channel->reason);
}

size_t channel_queued(const struct channel *channel)
{
    OBJ_CHECK(channel, CHANNEL_MAGIC);
    return channel->queue.chain.bytes;
}

bool channel_full(const struct channel *channel)
{
    OBJ_CHECK(channel, CHANNEL_MAGIC);
    return channel->full;
}

void channel_drop_queued(struct channel *channel)
{
    OBJ_CHECK(channel, CHANNEL_MAGIC);
    if (channel->state != CHANNEL_OPEN)
        return;
    link_sched_drop(&channel->link->sched, &channel->queue);
    grown_empty(channel);
}

void channel_expect_data(struct channel *channel, bool expected)
{
    OBJ_CHECK(channel, CHANNEL_MAGIC);
    struct link *link = channel->link;
    if (channel->expecting == expected || channel->state != CHANNEL_OPEN)
        return;
    channel->expecting = expected;
    if (!expected) {
        link->expecting--;
    } else if (link->expecting++ == 0) {
        link->expecting_since_us = now_us();
        link_alive_arm(link);
    }
}

// The owner takes its hands off.
static struct channel *let_go(struct channel **where)
{
    struct channel *channel = *where;
    *where = NULL;
    if (!channel)
        return NULL;
    OBJ_CHECK(channel, CHANNEL_MAGIC);
    channel->events = NULL;
    return channel;
}

void channel_close(struct channel **where, enum reason reason)
{
    struct channel *channel = let_go(where);
    if (channel && channel->state == CHANNEL_OPEN)
        close_here(channel, reason);
}

void channel_finish(struct channel **where, enum reason reason)
{
    struct channel *channel = let_go(where);
    if (!channel || channel->state != CHANNEL_OPEN)
        return;
    if (channel->queue.count == 0) {
        close_here(channel, reason);
        return;
    }
    channel->reason = reason;
    channel_drop_message(channel);
    if (channel->expecting)
        channel->link->expecting--;
    channel->expecting = false;
    channel->state = CHANNEL_FINISHING;
}

struct link *channel_link(const struct channel *channel)
{
    OBJ_CHECK(channel, CHANNEL_MAGIC);
    return channel->link;
}
