// SPDX-License-Identifier: MIT
// The journal of a stream's archive: what is in memory, and what its copies have of it.
//
// 1. A view is a set of copies that get the same records, in the same order, and no others: within
//    one, a shorter file is the beginning of a longer one. When the set changes, those in it are
//    written anew, as another view that knows the ones before it (journal_head.before). So of two
//    files it can be told that one has all that the other has, or that each has something of its
//    own; then both count.
// 2. A single path has no views.
// 3. What is said before all copies are known is said on top of them.
#include "journal.h"

#include <string.h>

#include "archive_priv.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"

// A path that is not known by then is away.
#define SETTLE_US (10 * US_PER_S)

enum { WORDS_MAX = 1024 }; // beyond, they are on top of what is known then only

static void settle(struct journal *journal);

static void on_settle(void *arg)
{
    settle(arg);
}

void journal_init(struct journal *journal, struct archive *archive)
{
    *journal = (struct journal){.archive = archive, .begun_us = utc_us()};
    timeout_init(&journal->settle, archive->owner->loop, on_settle, journal);
    for (unsigned i = 0; i < archive->places; i++)
        journal_copy_init(&journal->copy[i], journal, i);
}

void journal_fini(struct journal *journal)
{
    timeout_stop(&journal->settle);
    for (unsigned i = 0; i < journal->archive->places; i++)
        journal_copy_fini(&journal->copy[i]);
    mem_free(journal->words.item);
    journal_records_fini(&journal->records);
}

static unsigned count_of(unsigned members)
{
    return (unsigned)__builtin_popcount(members);
}

void journal_new_view(struct journal *journal)
{
    const struct hours *hours = &journal->archive->hours;
    if (journal->archive->places > 1 || journal->head.members > 1)
        journal_head_next(&journal->head, (uint32_t)digest_random_u64(),
                          count_of(journal->members));
    if (journal->archive->listed && hours->count > 0)
        journal_forget_before(&journal->records, hours->hour[0].start_us);
    for (unsigned i = 0; i < journal->archive->places; i++) {
        struct journal_copy *copy = &journal->copy[i];
        copy->stale |= journal_copy_present(copy);
        journal_copy_schedule(copy);
    }
}

// ---- reading -----------------------------------------------------------------------------------

// The life of this process, once, and the hole before it.
static void begin_life(struct journal *journal)
{
    uint8_t id[CLOCK_BOOT_BYTES];
    clock_boot_id(id);
    for (unsigned i = 0; i < sizeof journal->boot; i++)
        journal->boot = journal->boot << 8 | id[i];
    struct journal_record clock = {.kind = JOURNAL_CLOCK,
                                   .from_us = journal->begun_us,
                                   .base_us = utc_us() - boot_us(),
                                   .boot = journal->boot};
    struct journal_record mark = clock;
    mark.kind = JOURNAL_MARK;
    mark.reason = REASON_RESTART;
    (void)(journal_add(journal, &clock) == 0);
    (void)(journal_add(journal, &mark) == 0);
}

static unsigned apply_all(struct journal *journal, struct bytes in)
{
    struct journal_record record;
    unsigned skipped = 0;
    while (journal_record_parse(&in, &record, &skipped) == 0)
        (void)(journal_apply(&journal->records, &record) == 0);
    return skipped;
}

// What the file says, and on top of it what is in memory (all) or was said in this life.
static void rebuild(struct journal *journal, struct journal_copy *copy, struct bytes in, bool all)
{
    struct writer memory = {0};
    journal_records_write(&memory, &journal->records);
    journal_records_fini(&journal->records);
    unsigned skipped = apply_all(journal, in);
    if (skipped) {
        copy->stale = true;
        journal->archive->errors++;
        log_warn(journal->archive->log_name, "journal damaged records=%u", skipped);
    }
    if (all && memory.buf)
        (void)apply_all(journal, buf_bytes(memory.buf));
    for (unsigned i = 0; !all && i < journal->words.count; i++)
        (void)(journal_apply(&journal->records, &journal->words.item[i]) == 0);
    writer_fini(&memory);
}

static void others_are_stale(struct journal *journal, const struct journal_copy *but)
{
    for (unsigned i = 0; i < journal->archive->places; i++)
        journal->copy[i].stale |=
            &journal->copy[i] != but && journal_copy_present(&journal->copy[i]);
}

static void take(struct journal *journal, struct journal_copy *copy, struct bytes in)
{
    bool same = journal->head.view == copy->head.view && journal->length == copy->length;
    bool all = journal->settled;
    if (journal->length == 0 && !all) {
        rebuild(journal, copy, in, false);
        others_are_stale(journal, copy);
    } else if (journal_head_covers(&journal->head, journal->length, &copy->head, copy->length)) {
        copy->stale |= all || !same;
        return;
    } else if (!all &&
               journal_head_covers(&copy->head, copy->length, &journal->head, journal->length)) {
        rebuild(journal, copy, in, false);
        others_are_stale(journal, copy);
    } else { // each has something of its own, or this one comes late
        rebuild(journal, copy, in, true);
        if (!journal->head.view)
            journal->head = copy->head;
        journal_head_know(&journal->head, copy->head.view);
        others_are_stale(journal, NULL);
        return;
    }
    journal->head = copy->head;
    journal->length = copy->length;
}

static bool all_known(const struct journal *journal)
{
    bool all = true;
    for (unsigned i = 0; i < journal->archive->places; i++)
        all &= journal->copy[i].state == COPY_READ || disk_is_away(journal->archive->place[i].disk);
    return all;
}

static void settle(struct journal *journal)
{
    const struct archive *archive = journal->archive;
    bool alike = true;
    if (journal->settled || journal->state != JOURNAL_READY)
        return;
    timeout_stop(&journal->settle);
    journal->settled = true;
    for (unsigned i = 0; i < archive->places; i++) {
        struct journal_copy *copy = &journal->copy[i];
        if (!journal_copy_present(copy))
            continue;
        journal->members |= 1u << i;
        alike &= copy->length > 0 && copy->head.view == journal->head.view;
        for (unsigned k = 0; k < journal->words.count; k++)
            journal_copy_pend(copy, &journal->words.item[k]);
        journal_copy_schedule(copy);
    }
    journal->words.count = 0;
    unsigned before = journal->head.members ? journal->head.members : 1;
    if ((archive->places > 1 || before > 1) && journal->members &&
        (!alike || count_of(journal->members) != before))
        journal_new_view(journal);
}

void journal_copy_read(struct journal_copy *copy, const struct bytes *in)
{
    struct journal *journal = copy->journal;
    bool first = journal->state == JOURNAL_NEW;
    journal->state = JOURNAL_READY;
    if (in)
        take(journal, copy, *in);
    else
        copy->stale = !copy->unreadable;
    if (first && journal->archive->stream) {
        begin_life(journal);
        redate_begin(&journal->archive->redate);
    }
    if (all_known(journal))
        settle(journal);
    else if (!journal->settled && !timeout_active(&journal->settle))
        timeout_start(&journal->settle, SETTLE_US);
}

bool journal_load(struct journal *journal, unsigned path, void (*loaded)(void *arg), void *arg)
{
    struct journal_copy *copy = &journal->copy[path];
    if (copy->state == COPY_READ && !copy->forgotten)
        return false;
    copy->loaded = loaded;
    copy->arg = arg;
    journal_copy_load(copy);
    return true;
}

void journal_load_cancel(struct journal *journal)
{
    for (unsigned i = 0; i < journal->archive->places; i++)
        journal->copy[i].loaded = NULL;
}

// ---- writing -----------------------------------------------------------------------------------

// It does not get the same as the others any more.
static void leave_view(struct journal_copy *copy)
{
    struct journal *journal = copy->journal;
    unsigned bit = 1u << copy->path;
    if (!(journal->members & bit))
        return;
    journal->members &= ~bit;
    if (journal->members)
        journal_new_view(journal);
}

void journal_copy_failed(struct journal_copy *copy)
{
    leave_view(copy);
}

void journal_forget(struct journal *journal, unsigned path)
{
    journal_copy_forget(&journal->copy[path]);
    leave_view(&journal->copy[path]);
}

void journal_copy_whole(struct journal_copy *copy)
{
    struct journal *journal = copy->journal;
    unsigned bit = 1u << copy->path;
    if (journal->members & bit)
        return;
    journal->members |= bit;
    if (journal->archive->places > 1)
        journal_new_view(journal);
}

static void keep_word(struct journal *journal, const struct journal_record *record)
{
    struct journal_list *words = &journal->words;
    if (words->count == WORDS_MAX)
        return;
    if (words->count == words->capacity) {
        words->capacity = words->capacity ? words->capacity * 2 : 4;
        words->item = mem_resize(words->item, words->capacity * sizeof *words->item);
    }
    words->item[words->count++] = *record;
}

int journal_add(struct journal *journal, const struct journal_record *record)
{
    int err = journal_apply(&journal->records, record);
    if (err != 0)
        return err;
    journal->asked |= journal_record_lasts(record);
    if (!journal->settled)
        keep_word(journal, record);
    for (unsigned i = 0; journal->settled && i < journal->archive->places; i++) {
        journal_copy_pend(&journal->copy[i], record);
        journal_copy_schedule(&journal->copy[i]);
    }
    return 0;
}

void journal_sync(struct journal *journal)
{
    for (unsigned i = 0; i < journal->archive->places; i++)
        journal->copy[i].sync = true;
}

void journal_flush(struct journal *journal)
{
    settle(journal);
    for (unsigned i = 0; i < journal->archive->places; i++)
        journal_copy_flush(&journal->copy[i]);
}

bool journal_safe(const struct journal *journal)
{
    bool safe = false;
    for (unsigned i = 0; journal->settled && i < journal->archive->places; i++)
        safe |= journal_copy_safe(&journal->copy[i]);
    return safe;
}

bool journal_idle(const struct journal *journal)
{
    bool idle = true;
    for (unsigned i = 0; i < journal->archive->places; i++)
        idle &= journal_copy_idle(&journal->copy[i]);
    return idle;
}

// ---- what is said ------------------------------------------------------------------------------

void journal_mark(struct archive *archive, int64_t at_us, int64_t base_us, enum reason reason)
{
    struct journal *journal = &archive->journal;
    const struct journal_list *marks = &journal->records.marks;
    const struct journal_record *last = marks->count ? &marks->item[marks->count - 1] : NULL;
    struct journal_record mark = {.kind = JOURNAL_MARK,
                                  .reason = reason,
                                  .from_us = at_us,
                                  .base_us = base_us,
                                  .boot = journal->boot};
    // The file may say the same already: it is not known yet, and marks of one time replace one
    // another.
    bool media_since = !last || archive->recorder.taken_end_us > last->from_us;
    if (at_us < 0 || (last && last->reason == reason && !media_since && last->from_us <= at_us))
        return;
    (void)(journal_add(journal, &mark) == 0);
}

void journal_switch(struct archive *archive, bool on)
{
    struct journal_record record = {.kind = JOURNAL_SWITCH, .on = on};
    if (archive->journal.records.recording != (on ? SWITCH_ON : SWITCH_OFF))
        (void)(journal_add(&archive->journal, &record) == 0); // of its kind there is one
}
