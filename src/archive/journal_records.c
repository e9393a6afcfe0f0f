// SPDX-License-Identifier: MIT
// What a journal says, in memory.
//
// Marks: a mark explains the hole it lies in, or which it begins; a mark that has media behind it,
// and no hole, explains nothing and does no harm.
#include "journal_records.h"

#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"

// A mark this long before a hole belongs to it: the end of the last picture is a guess.
#define MARK_BEFORE_US (500 * US_PER_MS)

void journal_records_fini(struct journal_records *records)
{
    mem_free(records->marks.item);
    mem_free(records->clocks.item);
    mem_free(records->files.item);
    mem_free(records->locks.item);
    mem_free(records->deleted.item);
    *records = (struct journal_records){0};
}

// ---- lists -------------------------------------------------------------------------------------

static void insert_at(struct journal_list *list, unsigned at, const struct journal_record *record)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 4;
        list->item = mem_resize(list->item, list->capacity * sizeof *list->item);
    }
    memmove(list->item + at + 1, list->item + at, (list->count - at) * sizeof *list->item);
    list->item[at] = *record;
    list->count++;
}

static void remove_at(struct journal_list *list, unsigned at, unsigned count)
{
    ENSURE(at + count <= list->count);
    if (count == 0)
        return;
    list->count -= count;
    memmove(list->item + at, list->item + at + count, (list->count - at) * sizeof *list->item);
}

// Compared by file, then by time; of marks and locks the file is 0.
static int compare(const struct journal_record *a, const struct journal_record *b)
{
    int order = hour_name_compare(a->file, b->file);
    if (order != 0)
        return order;
    return a->from_us < b->from_us ? -1 : a->from_us > b->from_us;
}

// The first one that is not before `key`.
static unsigned lower_bound(const struct journal_list *list, const struct journal_record *key)
{
    unsigned low = 0, high = list->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (compare(&list->item[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Of [at, end) those that touch the record's stretch.
static void touched(const struct journal_list *list, const struct journal_record *record,
                    unsigned *at, unsigned *end)
{
    *at = lower_bound(list, record);
    if (*at > 0 && hour_name_compare(list->item[*at - 1].file, record->file) == 0 &&
        list->item[*at - 1].to_us >= record->from_us)
        --*at;
    *end = *at;
    while (*end < list->count && hour_name_compare(list->item[*end].file, record->file) == 0 &&
           list->item[*end].from_us <= record->to_us)
        ++*end;
}

// Joined with what it touches.
static int span_add(struct journal_list *list, const struct journal_record *record, unsigned most)
{
    struct journal_record joined = *record;
    unsigned at, end;
    touched(list, record, &at, &end);
    if (at == end && list->count >= most)
        return ERR_LIMIT;
    if (at < end) {
        if (list->item[at].from_us < joined.from_us)
            joined.from_us = list->item[at].from_us;
        if (list->item[end - 1].to_us > joined.to_us)
            joined.to_us = list->item[end - 1].to_us;
        remove_at(list, at, end - at);
    }
    insert_at(list, at, &joined);
    return 0;
}

// What it covers is cut out.
static int span_remove(struct journal_list *list, const struct journal_record *record,
                       unsigned most)
{
    unsigned at, end;
    touched(list, record, &at, &end);
    if (at == end)
        return 0;
    struct journal_record before = list->item[at], after = list->item[end - 1];
    before.to_us = record->from_us;
    after.from_us = record->to_us;
    bool has_before = before.from_us < before.to_us, has_after = after.from_us < after.to_us;
    if (list->count - (end - at) + has_before + has_after > most)
        return ERR_LIMIT;
    remove_at(list, at, end - at);
    if (has_after)
        insert_at(list, at, &after);
    if (has_before)
        insert_at(list, at, &before);
    return 0;
}

static bool is_at(const struct journal_list *list, unsigned at, const struct journal_record *key)
{
    return at < list->count && compare(&list->item[at], key) == 0;
}

// ---- applying ----------------------------------------------------------------------------------

// A restart does not switch on what was switched off, or make it due.
static bool goes_on(enum reason before, enum reason mark)
{
    return mark == before ||
           (mark == REASON_RESTART && (before == REASON_DISABLED || before == REASON_SCHEDULE));
}

static void apply_mark(struct journal_list *marks, const struct journal_record *record)
{
    unsigned at = lower_bound(marks, record);
    if (is_at(marks, at, record)) {
        if (!goes_on(marks->item[at].reason, record->reason))
            marks->item[at] = *record;
        return;
    }
    insert_at(marks, at, record);
    if (marks->count > JOURNAL_MARKS_MAX)
        remove_at(marks, 0, JOURNAL_MARKS_MAX / 4);
}

// Marks of what was deleted would cut its hole.
static void apply_cut(struct journal_list *marks, const struct journal_record *cut)
{
    struct journal_record from = {.kind = JOURNAL_MARK, .reason = REASON_DELETED};
    struct journal_record to = {.from_us = cut->to_us};
    from.from_us = cut->from_us;
    unsigned at = lower_bound(marks, &from);
    remove_at(marks, at, lower_bound(marks, &to) - at);
    apply_mark(marks, &from);
}

// ---- clocks ------------------------------------------------------------------------------------

const struct journal_record *journal_clock_of(const struct journal_records *records, uint64_t boot)
{
    for (unsigned i = 0; boot && i < records->clocks.count; i++)
        if (records->clocks.item[i].boot == boot)
            return &records->clocks.item[i];
    return NULL;
}

// Whole seconds: files move by as much as the timeline did. Less is drift.
static int64_t late_s(const struct journal_record *clock, int64_t base_us)
{
    int64_t late_us = clock ? clock->base_us - base_us : 0;
    if (late_us < CLOCK_SET_US && late_us > -CLOCK_SET_US)
        return 0;
    return (late_us + (late_us < 0 ? -US_PER_S / 2 : US_PER_S / 2)) / US_PER_S;
}

// As the clock of its boot is known by now.
static struct journal_record dated(const struct journal_records *records,
                                   const struct journal_record *mark)
{
    struct journal_record out = *mark;
    int64_t by_us = late_s(journal_clock_of(records, mark->boot), mark->base_us) * US_PER_S;
    if (out.from_us + by_us >= 0 && out.from_us + by_us <= JOURNAL_UTC_MAX_US) {
        out.from_us += by_us;
        out.base_us += by_us;
    }
    return out;
}

static void date_marks(struct journal_records *records)
{
    struct journal_list old = records->marks;
    records->marks = (struct journal_list){0};
    for (unsigned i = 0; i < old.count; i++) {
        struct journal_record mark = dated(records, &old.item[i]);
        apply_mark(&records->marks, &mark);
    }
    mem_free(old.item);
}

static void apply_clock(struct journal_records *records, const struct journal_record *record)
{
    struct journal_list *clocks = &records->clocks;
    const struct journal_record *known = journal_clock_of(records, record->boot);
    struct journal_record clock = *record;
    bool set = known && late_s(record, known->base_us) != 0;
    if (!record->boot)
        return;
    if (known && !set)
        clock.from_us = known->from_us; // since when it has been what it is
    if (known)
        remove_at(clocks, (unsigned)(known - clocks->item), 1);
    if (clocks->count == JOURNAL_CLOCKS_MAX)
        remove_at(clocks, 0, 1);
    insert_at(clocks, clocks->count, &clock);
    if (set)
        date_marks(records);
}

static int apply_file(struct journal_list *files, const struct journal_record *record)
{
    unsigned at = lower_bound(files, record);
    bool known = is_at(files, at, record);
    if (record->boot == 0) {
        if (known)
            remove_at(files, at, 1);
        return 0;
    }
    if (known) {
        files->item[at] = *record;
        return 0;
    }
    if (files->count >= JOURNAL_FILES_MAX)
        return ERR_LIMIT;
    insert_at(files, at, record);
    return 0;
}

int64_t journal_file_late_s(const struct journal_records *records,
                            const struct journal_record *file)
{
    return late_s(journal_clock_of(records, file->boot), file->base_us);
}

const struct journal_record *journal_file(const struct journal_records *records,
                                          struct hour_name file)
{
    struct journal_record key = {.file = file};
    unsigned at = lower_bound(&records->files, &key);
    return is_at(&records->files, at, &key) ? &records->files.item[at] : NULL;
}

int journal_apply(struct journal_records *records, const struct journal_record *record)
{
    struct journal_record as_added = *record;
    switch (record->kind) {
    case JOURNAL_MARK:
        as_added = dated(records, record);
        apply_mark(&records->marks, &as_added);
        return 0;
    case JOURNAL_CLOCK:
        apply_clock(records, record);
        return 0;
    case JOURNAL_FILE:
        return apply_file(&records->files, record);
    case JOURNAL_LOCK:
        return span_add(&records->locks, record, JOURNAL_SPANS_MAX);
    case JOURNAL_UNLOCK:
        as_added.kind = JOURNAL_LOCK;
        return span_remove(&records->locks, &as_added, JOURNAL_SPANS_MAX);
    case JOURNAL_DELETED:
        return span_add(&records->deleted, record, JOURNAL_SPANS_MAX);
    case JOURNAL_ERASED:
        as_added.kind = JOURNAL_DELETED;
        return span_remove(&records->deleted, &as_added, JOURNAL_SPANS_MAX);
    case JOURNAL_SWITCH:
        records->recording = record->on ? SWITCH_ON : SWITCH_OFF;
        return 0;
    case JOURNAL_CUT:
        apply_cut(&records->marks, record);
        return 0;
    }
    return ERR_INVALID;
}

unsigned journal_records_count(const struct journal_records *records)
{
    return records->marks.count + records->clocks.count + records->files.count +
           records->locks.count + records->deleted.count + (records->recording != SWITCH_NEVER);
}

static void list_write(struct writer *out, const struct journal_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        journal_record_write(out, &list->item[i]);
}

void journal_records_write(struct writer *out, const struct journal_records *records)
{
    const struct journal_record recording = {.kind = JOURNAL_SWITCH,
                                             .on = records->recording == SWITCH_ON};
    list_write(out, &records->clocks);
    list_write(out, &records->marks);
    list_write(out, &records->files);
    list_write(out, &records->locks);
    list_write(out, &records->deleted);
    if (records->recording != SWITCH_NEVER)
        journal_record_write(out, &recording);
}

void journal_forget_before(struct journal_records *records, int64_t oldest_us)
{
    struct journal_record key = {.from_us = oldest_us};
    unsigned at = lower_bound(&records->marks, &key);
    if (at > 1)
        remove_at(&records->marks, 0, at - 1);
}

// ---- questions ---------------------------------------------------------------------------------

const struct journal_record *journal_mark_at(const struct journal_records *records, int64_t utc_us)
{
    struct journal_record key = {.from_us = utc_us + 1};
    unsigned at = lower_bound(&records->marks, &key);
    return at ? &records->marks.item[at - 1] : NULL;
}

void journal_explain(const struct journal_records *records, int64_t from_us, int64_t to_us,
                     enum reason otherwise,
                     void (*piece)(void *arg, int64_t from_us, int64_t to_us, enum reason reason),
                     void *arg)
{
    struct journal_record key = {.from_us = from_us - MARK_BEFORE_US};
    const struct journal_list *marks = &records->marks;
    enum reason reason = REASON_NONE;
    for (unsigned at = lower_bound(marks, &key);
         at < marks->count && marks->item[at].from_us < to_us; at++) {
        const struct journal_record *mark = &marks->item[at];
        if (reason != REASON_NONE && goes_on(reason, mark->reason))
            continue;
        if (reason != REASON_NONE && mark->from_us > from_us) {
            piece(arg, from_us, mark->from_us, reason);
            from_us = mark->from_us;
        }
        reason = mark->reason;
    }
    if (from_us < to_us)
        piece(arg, from_us, to_us, reason == REASON_NONE ? otherwise : reason);
}

static bool overlaps(const struct journal_list *list, const struct journal_record *key)
{
    unsigned at, end;
    touched(list, key, &at, &end);
    for (; at < end; at++)
        if (list->item[at].from_us < key->to_us && list->item[at].to_us > key->from_us)
            return true;
    return false;
}

bool journal_locked(const struct journal_records *records, int64_t from_us, int64_t to_us)
{
    struct journal_record key = {.from_us = from_us, .to_us = to_us};
    return overlaps(&records->locks, &key);
}

bool journal_deleted(const struct journal_records *records, struct hour_name file, int64_t from_us,
                     int64_t to_us)
{
    struct journal_record key = {.file = file, .from_us = from_us, .to_us = to_us};
    return overlaps(&records->deleted, &key);
}

bool journal_deleted_any(const struct journal_records *records, struct hour_name file)
{
    struct journal_record key = {.file = file, .from_us = INT64_MIN};
    unsigned at = lower_bound(&records->deleted, &key);
    return at < records->deleted.count &&
           hour_name_compare(records->deleted.item[at].file, file) == 0;
}
