// SPDX-License-Identifier: MIT
// Bytes of a link as they come out of TLS: heads of fragments, and messages of channel 0. What was
// understood is written again and must mean the same.
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "link/link.h"
#include "link_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_head(struct bytes before, struct bytes after, const struct link_wire_head *head)
{
    uint8_t again[LINK_WIRE_HEAD_MAX];
    size_t length = before.length - after.length;
    ENSURE(head->channel < LINK_CHANNELS_MAX && head->length <= LINK_FRAGMENT_MAX);
    ENSURE(head->kind != LINK_WIRE_FIRST || head->length < head->total);
    ENSURE(link_wire_head_write(again, head) == length);
    ENSURE(memcmp(again, before.data, length) == 0);
}

static void check_message(struct bytes in)
{
    struct link_wire_message message, again;
    const char *why;
    if (link_wire_parse(in, &message, &why) != 0)
        return;
    struct writer writer = {0};
    link_wire_write(&writer, &message);
    ENSURE(link_wire_parse(buf_bytes(writer.buf), &again, &why) == 0);
    ENSURE(again.type == message.type && again.number == message.number);
    ENSURE(again.channel == message.channel && again.reason == message.reason);
    ENSURE(again.open.length == message.open.length && again.name.length == message.name.length);
    writer_fini(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    struct bytes in = bytes_of(exact, size);
    for (;;) {
        struct bytes before = in, payload;
        struct link_wire_head head;
        if (link_wire_head_parse(&in, &head) != 0)
            break;
        check_head(before, in, &head);
        if (!bytes_take(&in, head.length < in.length ? head.length : in.length, &payload))
            break;
        if (head.channel == 0 && payload.length == head.length)
            check_message(payload);
    }
    free(exact);
    ENSURE(mem_live_count() == 0);
    return 0;
}
