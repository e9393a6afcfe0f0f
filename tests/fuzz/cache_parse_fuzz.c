// SPDX-License-Identifier: MIT
// Any bytes as the name and as the tail of a file of a cache: what is understood is written again
// the same.
#include "cache_parse.h"

#include <string.h>

#include "base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segment_info info;
    struct bytes init, heads;
    char name[CACHE_NAME_ROOM];
    if (cache_name_parse(bytes_of(data, size), &info) == 0) {
        ENSURE(info.bytes > 0 && info.utc_start_us >= 0 && info.duration_us >= 0);
        cache_name_write(&info, name);
        ENSURE(strlen(name) == size && memcmp(name, data, size) == 0);
    }
    if (cache_tail_parse(bytes_of(data, size), &init, &heads) == 0) {
        struct buf *a = buf_new_copy(init.data, init.length);
        struct buf *b = buf_new_copy(heads.data, heads.length);
        struct buf *again = cache_tail_write(a, b);
        ENSURE(again->length == size && memcmp(again->data, data, size) == 0);
        buf_unref(&a);
        buf_unref(&b);
        buf_unref(&again);
    }
    return 0;
}
