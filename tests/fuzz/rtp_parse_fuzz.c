// SPDX-License-Identifier: MIT
// Any packet: what is taken lies within the input.
#include "base/ensure.h"
#include "base/mem.h"
#include "format/rtp_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    struct rtp_packet packet;
    struct bytes in = bytes_of(copy, size);
    rtp_is_rtcp(in);
    if (rtp_parse(in, &packet) == 0) {
        ENSURE(packet.payload.data >= copy + 12);
        ENSURE(packet.payload.data + packet.payload.length <= copy + size);
        ENSURE(packet.payload_type < 128);
    }
    mem_free(copy);
    return 0;
}
