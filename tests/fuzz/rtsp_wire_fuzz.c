// SPDX-License-Identifier: MIT
// Any bytes from a camera: items come to an end and lie within the input; every header is read as
// the session reads it, and challenges are answered.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "rtsp_auth.h"
#include "rtsp_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *start, *end;

static void check_inside(struct bytes bytes)
{
    ENSURE(bytes.length == 0 || (bytes.data >= start && bytes.data + bytes.length <= end));
}

static void read_message(const struct rtsp_message *message)
{
    struct rtsp_auth auth = {0};
    char answer[RTSP_AUTH_TEXT_MAX], id[64];
    uint32_t number;
    unsigned timeout_s;
    struct rtsp_transport transport;
    check_inside(message->body);
    ENSURE(message->header_count <= RTSP_HEADERS_MAX && message->body.length <= RTSP_BODY_MAX);
    for (unsigned i = 0; i < message->header_count; i++) {
        struct bytes value = message->header[i].value;
        check_inside(message->header[i].name);
        check_inside(value);
        rtsp_list_has(value, "GET_PARAMETER");
        if (rtsp_session_parse(value, id, sizeof(id), &timeout_s))
            ENSURE(id[0] && strlen(id) < sizeof(id) && timeout_s <= 86400);
        rtsp_transport_parse(value, &transport);
    }
    rtsp_header_number(message, "CSeq", &number);
    if (rtsp_auth_challenge(&auth, message) == 0) {
        ENSURE(auth.scheme != RTSP_AUTH_NONE);
        if (rtsp_auth_write(&auth, "user", "pass\"word", "PLAY", "rtsp://x/", answer))
            ENSURE(strlen(answer) < sizeof(answer));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    struct bytes in = bytes_of(copy, size);
    struct rtsp_item item;
    start = copy;
    end = copy + size;
    int result;
    size_t left = in.length;
    while ((result = rtsp_wire_next(&in, &item)) == 0) {
        ENSURE(in.length < left);
        left = in.length;
        if (item.kind == RTSP_RESPONSE || item.kind == RTSP_REQUEST)
            read_message(&item.message);
        else
            check_inside(item.payload);
        if (item.kind == RTSP_JUNK)
            ENSURE(item.payload.length > 0);
    }
    ENSURE(result == ERR_AGAIN || result == ERR_LIMIT || result == ERR_INVALID);
    mem_free(copy);
    return 0;
}
