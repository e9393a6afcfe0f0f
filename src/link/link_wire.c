// SPDX-License-Identifier: MIT
// Messages of the link. Foreign bytes: every number is checked against base/limits.h here, so that
// what comes out can be used as it is.
#include "link_wire.h"

#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "link/link.h"

// A varint of at most `most` bytes in its shortest form; ERR_AGAIN when it has no end yet.
static int wire_number(struct bytes *in, size_t most, uint32_t *out)
{
    uint32_t value = 0;
    for (size_t i = 0; i < most; i++) {
        if (i == in->length)
            return ERR_AGAIN;
        uint8_t byte = in->data[i];
        value |= (uint32_t)(byte & 0x7f) << 7 * i;
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0)
            return ERR_INVALID;
        *out = value;
        return bytes_skip(in, i + 1) ? 0 : ERR_AGAIN;
    }
    return ERR_INVALID;
}

// Bytes that the largest value of each number takes.
enum { WIRE_CHANNEL_BYTES = 3, WIRE_TOTAL_BYTES = 4, WIRE_LENGTH_BYTES = 2 };
_Static_assert(LINK_CHANNELS_MAX * 4 <= 1 << 7 * WIRE_CHANNEL_BYTES, "channel and kind fit");
_Static_assert(LINK_MESSAGE_MAX < 1 << 7 * WIRE_TOTAL_BYTES, "a total fits");
_Static_assert(LINK_FRAGMENT_MAX < 1 << 7 * WIRE_LENGTH_BYTES, "a length fits");
_Static_assert(WIRE_CHANNEL_BYTES + WIRE_TOTAL_BYTES + WIRE_LENGTH_BYTES == LINK_WIRE_HEAD_MAX,
               "a head fits");

int link_wire_head_parse(struct bytes *in, struct link_wire_head *out)
{
    struct bytes rest = *in;
    uint32_t word, total = 0, length;
    int err = wire_number(&rest, WIRE_CHANNEL_BYTES, &word);
    if (err)
        return err;
    enum link_wire_kind kind = word & 3;
    if (word >> 2 >= LINK_CHANNELS_MAX)
        return ERR_INVALID;
    if (kind == LINK_WIRE_FIRST) {
        err = wire_number(&rest, WIRE_TOTAL_BYTES, &total);
        if (err)
            return err;
        if (total > LINK_MESSAGE_MAX)
            return ERR_INVALID;
    }
    err = wire_number(&rest, WIRE_LENGTH_BYTES, &length);
    if (err)
        return err;
    if (length > LINK_FRAGMENT_MAX || (length == 0 && kind != LINK_WIRE_WHOLE) ||
        (kind == LINK_WIRE_FIRST && length >= total))
        return ERR_INVALID;
    *out = (struct link_wire_head){
        .channel = word >> 2, .kind = kind, .total = total, .length = length};
    *in = rest;
    return 0;
}

size_t link_wire_head_write(uint8_t out[LINK_WIRE_HEAD_MAX], const struct link_wire_head *head)
{
    ENSURE(head->channel < LINK_CHANNELS_MAX && head->length <= LINK_FRAGMENT_MAX);
    size_t at = varint_encode(out, head->channel << 2 | (uint32_t)head->kind);
    if (head->kind == LINK_WIRE_FIRST) {
        ENSURE(head->total <= LINK_MESSAGE_MAX);
        at += varint_encode(out + at, head->total);
    }
    return at + varint_encode(out + at, head->length);
}

static bool wire_read_text(struct bytes *in, size_t most, struct bytes *out)
{
    uint64_t length;
    return bytes_read_varint(in, &length) && length <= most && bytes_take(in, length, out);
}

static bool wire_read_channel(struct bytes *in, uint32_t *out)
{
    uint64_t channel;
    if (!bytes_read_varint(in, &channel) || channel == 0 || channel >= LINK_CHANNELS_MAX)
        return false;
    *out = (uint32_t)channel;
    return true;
}

static enum reason wire_reason(struct bytes name)
{
    for (int i = 0; i < REASON_COUNT; i++) {
        const char *known = reason_name((enum reason)i);
        if (strlen(known) == name.length && memcmp(known, name.data, name.length) == 0)
            return (enum reason)i;
    }
    return REASON_NONE;
}

static bool wire_read_hello(struct bytes *in, struct link_wire_message *out)
{
    return bytes_read_u64(in, &out->number) && out->number != 0 &&
           bytes_read_varint(in, &out->abilities) &&
           wire_read_text(in, LINK_WIRE_NAME_MAX, &out->name) &&
           wire_read_text(in, LINK_WIRE_SOFTWARE_MAX, &out->software);
}

static bool wire_read_open(struct bytes *in, struct link_wire_message *out)
{
    if (!wire_read_channel(in, &out->channel) || !bytes_read_u8(in, &out->service) ||
        !bytes_read_u8(in, &out->cls))
        return false;
    out->open = *in;
    return out->cls < LINK_CLASSES && in->length <= LINK_OPEN_MAX;
}

int link_wire_parse(struct bytes in, struct link_wire_message *out, const char **why)
{
    uint8_t type;
    *out = (struct link_wire_message){0};
    if (!bytes_read_u8(&in, &type)) {
        *why = "an empty message on channel 0";
        return ERR_INVALID;
    }
    out->type = (enum link_wire_type)type;
    bool good = true;
    switch (out->type) {
    case LINK_WIRE_HELLO:
        good = wire_read_hello(&in, out);
        *why = "a broken hello";
        break;
    case LINK_WIRE_PING:
        good = bytes_read_varint(&in, &out->number);
        *why = "a broken ping";
        break;
    case LINK_WIRE_PONG:
        good = bytes_read_varint(&in, &out->number) && bytes_read_u64(&in, &out->utc_us);
        *why = "a broken pong";
        break;
    case LINK_WIRE_OPEN:
        good = wire_read_open(&in, out);
        *why = "a broken open";
        break;
    case LINK_WIRE_CLOSE:
        good = wire_read_channel(&in, &out->channel);
        out->reason = wire_reason(in);
        *why = "a broken close";
        break;
    case LINK_WIRE_GOODBYE:
        out->reason = wire_reason(in);
        break;
    default:
        return ERR_UNSUPPORTED;
    }
    return good ? 0 : ERR_INVALID;
}

static void wire_write_text(struct writer *out, struct bytes text)
{
    writer_varint(out, text.length);
    writer_bytes(out, text.data, text.length);
}

void link_wire_write(struct writer *out, const struct link_wire_message *message)
{
    writer_u8(out, (uint8_t)message->type);
    switch (message->type) {
    case LINK_WIRE_HELLO:
        ENSURE(message->name.length <= LINK_WIRE_NAME_MAX &&
               message->software.length <= LINK_WIRE_SOFTWARE_MAX);
        writer_u64(out, message->number);
        writer_varint(out, message->abilities);
        wire_write_text(out, message->name);
        wire_write_text(out, message->software);
        break;
    case LINK_WIRE_PING:
        writer_varint(out, message->number);
        break;
    case LINK_WIRE_PONG:
        writer_varint(out, message->number);
        writer_u64(out, message->utc_us);
        break;
    case LINK_WIRE_OPEN:
        ENSURE(message->open.length <= LINK_OPEN_MAX);
        writer_varint(out, message->channel);
        writer_u8(out, message->service);
        writer_u8(out, message->cls);
        writer_bytes(out, message->open.data, message->open.length);
        break;
    case LINK_WIRE_CLOSE:
        writer_varint(out, message->channel);
        writer_text(out, reason_name(message->reason));
        break;
    case LINK_WIRE_GOODBYE:
        writer_text(out, reason_name(message->reason));
        break;
    }
}
