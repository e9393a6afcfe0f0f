// SPDX-License-Identifier: MIT
// Heads of requests, and the readers of their values.
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "head_parse.h"
#include "range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, data, size);
    size_t length = head_find(bytes_of(copy, size));
    struct head head;
    const char *why;
    // Also what is no whole head: nothing may be read past its end.
    size_t given = length ? length : size;
    if (given <= HTTP_HEAD_MAX && head_parse(bytes_of(copy, given), &head, &why) == 0) {
        // One reading only: no line break is left in what the parser gave.
        if (strpbrk(head.target, "\r\n ") || !length)
            abort();
        for (unsigned i = 0; i < head.field_count; i++) {
            if (strpbrk(head.text + head.field[i].value, "\r\n"))
                abort();
        }
        uint64_t first, count;
        if (range_parse(head_field(&head, "Range"), 1000, &first, &count) == RANGE_PART &&
            (count == 0 || first >= 1000 || count > 1000 - first))
            abort();
        head_fini(&head);
    }
    free(copy);
    return 0;
}
