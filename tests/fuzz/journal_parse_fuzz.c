// SPDX-License-Identifier: MIT
// Any bytes as a journal: what counts of it obeys the rules, is bounded, and is read again the same
// from what is written of it.
#include "journal_records.h"

#include <string.h>

#include "base/code.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct journal_head head;

static void take(struct bytes in, struct journal_records *records)
{
    size_t size = in.length;
    struct journal_record record;
    unsigned skipped = 0;
    if (journal_head_parse(&in, &head) != 0)
        return;
    struct journal_head next = head;
    journal_head_next(&next, 0, 2);
    ENSURE(next.view != head.view && (!head.view || journal_head_covers(&next, 0, &head, size)));
    while (journal_record_parse(&in, &record, &skipped) == 0)
        (void)(journal_apply(records, &record) == 0);
    ENSURE(in.length == 0);
}

static void check_spans(const struct journal_list *list)
{
    ENSURE(list->count <= JOURNAL_SPANS_MAX);
    for (unsigned i = 0; i < list->count; i++) {
        ENSURE(list->item[i].from_us < list->item[i].to_us);
        ENSURE(i == 0 || hour_name_compare(list->item[i - 1].file, list->item[i].file) < 0 ||
               list->item[i - 1].to_us < list->item[i].from_us);
    }
}

static void on_piece(void *arg, int64_t from_us, int64_t to_us, enum reason reason)
{
    int64_t *at_us = arg;
    ENSURE(from_us == *at_us && from_us < to_us && reason != REASON_NONE);
    *at_us = to_us;
}

static void check(const struct journal_records *records)
{
    int64_t at_us = 0, last_us = -1;
    check_spans(&records->locks);
    check_spans(&records->deleted);
    ENSURE(records->marks.count <= JOURNAL_MARKS_MAX);
    ENSURE(records->files.count <= JOURNAL_FILES_MAX);
    for (unsigned i = 0; i < records->marks.count; i++) {
        ENSURE(records->marks.item[i].from_us > last_us);
        last_us = records->marks.item[i].from_us;
        ENSURE(journal_mark_at(records, last_us) == &records->marks.item[i]);
    }
    ENSURE(records->clocks.count <= JOURNAL_CLOCKS_MAX);
    for (unsigned i = 0; i < records->files.count; i++) {
        const struct journal_record *file = &records->files.item[i];
        ENSURE(journal_file(records, file->file) == file && file->boot);
        (void)journal_file_late_s(records, file);
    }
    journal_explain(records, 0, last_us + 2, REASON_UNKNOWN, on_piece, &at_us);
    ENSURE(at_us == last_us + 2);
}

static struct buf *write(const struct journal_records *records)
{
    struct writer out = {0};
    journal_head_write(&out, &head);
    journal_records_write(&out, records);
    return writer_take(&out);
}

static void parse(struct bytes in)
{
    struct journal_records records = {0}, again = {0};
    take(in, &records);
    check(&records);
    struct buf *first = write(&records);
    take(buf_bytes(first), &again);
    struct buf *second = write(&again);
    ENSURE(first->length == second->length &&
           memcmp(first->data, second->data, first->length) == 0);
    ENSURE(first->length == (1 + (size_t)journal_records_count(&records)) * JOURNAL_RECORD);
    buf_unref(&first);
    buf_unref(&second);
    journal_records_fini(&records);
    journal_records_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    parse(bytes_of(copy, size));
    // And with checksums that are right, to see what stands behind them.
    for (size_t at = 0; at + JOURNAL_RECORD <= size; at += JOURNAL_RECORD) {
        uint32_t sum = crc32c(0, copy + at, JOURNAL_RECORD - 4);
        for (unsigned i = 0; i < 4; i++)
            copy[at + JOURNAL_RECORD - 4 + i] = (uint8_t)(sum >> (24 - 8 * i));
    }
    parse(bytes_of(copy, size));
    mem_free(copy);
    return 0;
}
