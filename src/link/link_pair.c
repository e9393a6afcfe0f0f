// SPDX-License-Identifier: MIT
// One connection for each pair of servers, whoever dialled it and by however many names.
//
// A hello may show that another link to the same process under the same key is up already. Then the
// newer of the two is `spare`: nobody here is told of it. The server with the smaller identity
// decides, so that the two cannot end one link each: it pings the older one, ends the newer with
// `duplicate` when that answers, and the older as `silent_peer` when it does not. A dialled link
// that is one too many rides: what is asked of it goes over the connection of the other (`via`),
// until that is lost; then it finds another one, or dials.
//
// 1. via != NULL: dialled, IDLE, held by somebody, no redial is set. It rides while the other's
//    epoch is via_epoch; afterwards until that one settles, when its channels have reported.
// 2. A link that rides carries nobody.
// 3. A dialled link that nobody holds stays while the other side has channels on it, or somebody
//    rides on it: a server that takes its `source` away does not cut off the other, which has one.
#include "link_pair.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "link_priv.h"

// For the answer of the older link; and for the word of the server that decides. Without a word the
// older one is not there any more for that server.
#define ANSWER_US (3 * US_PER_S)
#define WORD_US (5 * US_PER_S)

static bool same_peer(const struct link *a, const struct link *b)
{
    return a->known_id != 0 && a->known_id == b->known_id &&
           strcmp(a->secret.identity, b->secret.identity) == 0;
}

// Another link to the same process that is up; the one that is told of (not spare) if there is.
static struct link *other_of(const struct link *link)
{
    struct list *lists[] = {&link->hub->dialled, &link->hub->accepted};
    struct link *found = NULL;
    for (unsigned i = 0; i < 2; i++) {
        LIST_FOREACH(lists[i], node, after)
        {
            struct link *other = LIST_OWNER(node, struct link, node);
            if (other != link && other->state == LINK_UP && same_peer(link, other) &&
                (!found || found->spare))
                found = other;
        }
    }
    return found;
}

static bool decides_here(const struct link *link)
{
    return link->hub->id < link->peer_id;
}

static void announce_spare(struct link *link)
{
    timeout_stop(&link->spare_wait);
    link->spare = false;
    link_announce(link);
}

static void on_spare_wait(void *arg)
{
    struct link *link = arg;
    struct link *older = other_of(link);
    if (older)
        link_lost(older, REASON_SILENT_PEER, true, "a newer link is there");
    if (link->spare)
        announce_spare(link);
}

void link_pair_init(struct link *link)
{
    timeout_init(&link->spare_wait, link->hub->loop, on_spare_wait, link);
}

void link_pair_greeted(struct link *link)
{
    struct link *older = other_of(link);
    if (!older) {
        link_announce(link);
        return;
    }
    link->spare = true;
    timeout_start(&link->spare_wait, decides_here(link) ? ANSWER_US : WORD_US);
    if (decides_here(link))
        link_ping(older);
}

// Calls each for the spare links to the same server.
static void each_spare(struct link *link, void (*each)(struct link *spare))
{
    struct list *lists[] = {&link->hub->dialled, &link->hub->accepted};
    for (unsigned i = 0; i < 2; i++) {
        LIST_FOREACH(lists[i], node, after)
        {
            struct link *spare = LIST_OWNER(node, struct link, node);
            if (spare != link && spare->spare && same_peer(link, spare))
                each(spare);
        }
    }
}

static void end_spare(struct link *spare)
{
    link_lost(spare, REASON_DUPLICATE, true, NULL);
}

void link_pair_heard(struct link *link)
{
    if (!link->spare && decides_here(link))
        each_spare(link, end_spare);
}

struct link *link_carrier(const struct link *link)
{
    return link->via ? link->via : (struct link *)link;
}

bool link_pair_ride(struct link *link)
{
    struct link *other = link->holders > 0 ? other_of(link) : NULL;
    if (!other)
        return false;
    timeout_stop(&link->redial);
    link->via = other;
    link->via_epoch = other->epoch;
    link->stats.up_since_us = now_us();
    link->logged = REASON_NONE;
    char object[320];
    text_format(object, sizeof(object), "link=%s", link->name);
    log_info(object, "up peer=%s by the link=%s", other->peer_name, other->name);
    if (other->spare)
        announce_spare(other);
    link_settle_soon(link);
    return true;
}

// Those that would dial the same server need not.
void link_pair_up(struct link *link)
{
    LIST_FOREACH(&link->hub->dialled, node, after)
    {
        struct link *waiting = LIST_OWNER(node, struct link, node);
        if (waiting != link && waiting->state == LINK_IDLE && !waiting->via &&
            same_peer(waiting, link))
            (void)link_pair_ride(waiting);
    }
}

void link_pair_lost(struct link *link)
{
    link->spare = false;
    timeout_stop(&link->spare_wait);
    if (!other_of(link) || other_of(link)->spare)
        each_spare(link, announce_spare);
}

void link_pair_settle(struct link *link)
{
    LIST_FOREACH(&link->hub->dialled, node, after)
    {
        struct link *rider = LIST_OWNER(node, struct link, node);
        if (rider->via != link || rider->via_epoch == link->epoch)
            continue;
        rider->via = NULL;
        link_unlinked(rider, link->stats.last_reason);
    }
    if (link->dialled && !link->dead && link->holders == 0 && !link_pair_needed(link))
        link_bury(link, REASON_LOCAL);
}

bool link_pair_needed(const struct link *link)
{
    if (link->state != LINK_UP)
        return false;
    LIST_FOREACH(&link->hub->dialled, node, after)
    {
        if (LIST_OWNER(node, struct link, node)->via == link)
            return true;
    }
    return link_channels_of_peer(link);
}
