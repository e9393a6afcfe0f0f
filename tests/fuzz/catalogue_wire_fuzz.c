// SPDX-License-Identifier: MIT
// A message of the catalogue: records one after another. What was understood is written again and
// must mean the same.
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "catalogue_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct catalogue_record *record)
{
    struct catalogue_record again;
    struct writer writer = {0};
    ENSURE(record->archive_from_us >= 0);
    ENSURE(memchr(record->name, 0, sizeof record->name));
    ENSURE(memchr(record->title, 0, sizeof record->title));
    ENSURE(memchr(record->tracks, 0, sizeof record->tracks));
    catalogue_write(&writer, record);
    struct bytes in = buf_bytes(writer.buf);
    ENSURE(catalogue_parse(&in, &again) == 0 && in.length == 0);
    ENSURE(again.type == record->type && again.flags == record->flags);
    ENSURE(again.hops == record->hops && again.archive_from_us == record->archive_from_us);
    ENSURE(strcmp(again.name, record->name) == 0 && strcmp(again.title, record->title) == 0);
    ENSURE(strcmp(again.tracks, record->tracks) == 0);
    ENSURE(catalogue_parse(&in, &again) == ERR_NOT_FOUND);
    writer_fini(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    struct bytes in = bytes_of(exact, size), before = in;
    struct catalogue_record record;
    int result;
    while ((result = catalogue_parse(&in, &record)) == 0) {
        ENSURE(in.length < before.length);
        before = in;
        check(&record);
    }
    ENSURE(result == ERR_INVALID || (result == ERR_NOT_FOUND && in.length == 0));
    ENSURE(in.data == before.data && in.length == before.length);
    free(exact);
    ENSURE(mem_live_count() == 0);
    return 0;
}
