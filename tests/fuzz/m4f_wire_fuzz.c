// SPDX-License-Identifier: MIT
// What an M4F channel receives: messages, each behind two bytes of its length and each in a block
// of exactly its size. Each is also read as a request. What was understood is written again and
// must mean the same.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "m4f_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_bytes(struct bytes bytes, struct chain *out)
{
    chain_add_copy(out, bytes.data, bytes.length);
}

static void write_again(const struct m4f_message *message, struct chain *out)
{
    struct buf *init;
    switch (message->type) {
    case M4F_TRACKS:
        init = buf_new_copy(message->bytes.data, message->bytes.length);
        m4f_tracks_write(message->generation, init, out);
        buf_unref(&init);
        break;
    case M4F_INFOS:
        m4f_infos_write(message->infos, message->count, message->listed, out);
        break;
    case M4F_SEGMENT:
        m4f_segment_write(&message->info, message->length, out);
        write_bytes(message->bytes, out);
        break;
    case M4F_DATA:
        m4f_data_write(out);
        write_bytes(message->bytes, out);
        break;
    case M4F_RANGE_LIST:
        m4f_ranges_write(message->ranges, message->count, out);
        break;
    case M4F_END:
        m4f_end_write(message->result, out);
        break;
    case M4F_NEXT:
        m4f_next_write(out);
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

static void check_info(const struct segment_info *a, const struct segment_info *b)
{
    ENSURE(a->utc_start_us >= 0 && a->duration_us >= 0);
    ENSURE(a->utc_start_us + a->duration_us >= a->utc_start_us);
    ENSURE(same_info(a, b));
}

static void check_lists(const struct m4f_message *a, const struct m4f_message *b)
{
    ENSURE(a->count == b->count && a->count <= M4F_LIST_PIECE);
    for (unsigned i = 0; i < a->count && a->type == M4F_INFOS; i++)
        check_info(&a->infos[i], &b->infos[i]);
    for (unsigned i = 0; i < a->count && a->type == M4F_RANGE_LIST; i++) {
        ENSURE(a->ranges[i].from_us >= 0 && a->ranges[i].to_us >= a->ranges[i].from_us);
        ENSURE(a->ranges[i].from_us == b->ranges[i].from_us);
        ENSURE(a->ranges[i].to_us == b->ranges[i].to_us);
        ENSURE(a->ranges[i].reason == b->ranges[i].reason);
    }
}

static void check_same(const struct m4f_message *a, const struct m4f_message *b)
{
    ENSURE(a->type == b->type);
    switch (a->type) {
    case M4F_SEGMENT:
        ENSURE(a->length == b->length && a->length < 2ull * SEGMENT_BYTES_MAX);
        ENSURE(a->bytes.length <= a->length && a->generation == a->info.generation);
        check_info(&a->info, &b->info);
        // fall through
    case M4F_TRACKS:
        ENSURE(a->generation == b->generation);
        // fall through
    case M4F_DATA:
        ENSURE(same_bytes(a->bytes, b->bytes));
        break;
    case M4F_INFOS:
    case M4F_RANGE_LIST:
        check_lists(a, b);
        break;
    case M4F_END:
        ENSURE(a->result == b->result && a->result <= 0);
        break;
    case M4F_NEXT:
        break;
    }
}

static void check_request(struct bytes in)
{
    struct m4f_request request, again;
    if (m4f_request_parse(in, &request) != 0)
        return;
    struct buf *written = m4f_request_write(&request);
    ENSURE(m4f_request_parse(buf_bytes(written), &again) == 0);
    ENSURE(request.from_us >= 0 && request.to_us >= 0 && request.name[0]);
    ENSURE(again.kind == request.kind && again.hops == request.hops &&
           again.from_us == request.from_us);
    ENSURE(again.to_us == request.to_us && strcmp(again.name, request.name) == 0);
    buf_unref(&written);
}

static void check_message(struct bytes in)
{
    static struct m4f_message message, again;
    if (m4f_message_parse(in, &message) != 0)
        return;
    struct chain chain = {0};
    write_again(&message, &chain);
    struct buf *written = chain_join(&chain);
    ENSURE(m4f_message_parse(buf_bytes(written), &again) == 0);
    check_same(&message, &again);
    buf_unref(&written);
    chain_fini(&chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size), piece;
    uint16_t length;
    while (bytes_read_u16(&in, &length) &&
           bytes_take(&in, length < in.length ? length : in.length, &piece)) {
        uint8_t *exact = mem_dup(piece.data, piece.length);
        check_request(bytes_of(exact, piece.length));
        check_message(bytes_of(exact, piece.length));
        mem_free(exact);
    }
    ENSURE(mem_live_count() == 0);
    return 0;
}
