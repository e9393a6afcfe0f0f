// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/text.h"
#include "base/url_parse.h"
#include "format/cmaf.h"
#include "m4f_priv.h"

void m4f_receiver_fini(struct m4f_receiver *receiver)
{
    tracks_unref(&receiver->tracks);
    buf_unref(&receiver->body);
}

static int append(struct m4f_receiver *receiver, struct bytes bytes)
{
    if (!receiver->body || receiver->body->length + bytes.length > receiver->length)
        return ERR_INVALID;
    buf_append(receiver->body, bytes.data, bytes.length);
    return receiver->body->length == receiver->length ? 0 : ERR_AGAIN;
}

int m4f_receiver_feed(struct m4f_receiver *receiver, const struct m4f_message *message)
{
    struct tracks *tracks;
    switch (message->type) {
    case M4F_TRACKS:
        if (receiver->body || cmaf_init_parse(message->bytes, &tracks) != 0)
            return ERR_INVALID;
        tracks->generation = message->generation;
        tracks_unref(&receiver->tracks);
        receiver->tracks = tracks;
        return ERR_AGAIN;
    case M4F_SEGMENT:
        if (receiver->body || !receiver->tracks || message->length == 0 ||
            receiver->tracks->generation != message->generation)
            return ERR_INVALID;
        receiver->info = message->info;
        receiver->length = message->length;
        receiver->body = buf_try_new(message->length);
        return receiver->body ? append(receiver, message->bytes) : ERR_LIMIT;
    case M4F_DATA:
        return append(receiver, message->bytes);
    default:
        return ERR_INVALID;
    }
}

int m4f_place_parse(const char *text, struct m4f_place *out, const char **why)
{
    struct url url;
    if (url_parse(text, &url, why) != 0)
        return ERR_INVALID;
    *why = "expected host:port/name";
    if (!url.host[0] || !url_decode(url.path) || !url.path[0] || !stream_name_valid(url.path + 1))
        return ERR_INVALID;
    (void)text_copy(out->host, sizeof out->host, url.host);
    (void)text_copy(out->name, sizeof out->name, url.path + 1);
    out->port = url.port ? url.port : 80;
    return 0;
}
