// SPDX-License-Identifier: MIT
// The records of a journal, as bytes and back.
#include "journal_parse.h"

#include <string.h>

#include "base/clock.h"
#include "base/code.h"
#include "stream/history.h"

#define MAGIC 0x534c4a4eu // "SLJN"

enum { VERSION = 1 };

// The next record, without its checksum. False at the end; *right: the checksum is.
static bool record_take(struct bytes *in, struct bytes *out, bool *right)
{
    struct bytes record;
    uint32_t checksum;
    if (!bytes_take(in, JOURNAL_RECORD, &record))
        return false;
    *out = bytes_of(record.data, JOURNAL_RECORD - 4);
    struct bytes tail = bytes_of(record.data + JOURNAL_RECORD - 4, 4);
    *right = bytes_read_u32(&tail, &checksum) && checksum == crc32c(0, out->data, out->length);
    return true;
}

bool journal_record_lasts(const struct journal_record *record)
{
    return record->kind != JOURNAL_MARK && record->kind != JOURNAL_CLOCK &&
           record->kind != JOURNAL_FILE;
}

// ---- the head ----------------------------------------------------------------------------------

void journal_head_know(struct journal_head *head, uint32_t view)
{
    unsigned at = 0;
    if (!view)
        return;
    while (at < JOURNAL_VIEWS_BEFORE - 1 && head->before[at] != view)
        at++;
    memmove(head->before + 1, head->before, at * sizeof head->before[0]);
    head->before[0] = view;
}

static bool is_before(const struct journal_head *head, uint32_t view)
{
    for (unsigned i = 0; i < JOURNAL_VIEWS_BEFORE; i++)
        if (head->before[i] == view)
            return true;
    return false;
}

void journal_head_next(struct journal_head *head, uint32_t view, unsigned members)
{
    journal_head_know(head, head->view);
    while (view == 0 || is_before(head, view))
        view++;
    head->view = view;
    head->members = (uint8_t)members;
}

bool journal_head_covers(const struct journal_head *head, uint64_t length,
                         const struct journal_head *other, uint64_t other_length)
{
    if (!other->view)
        return other_length == 0;
    if (head->view == other->view)
        return length >= other_length;
    return is_before(head, other->view);
}

int journal_head_parse(struct bytes *in, struct journal_head *out)
{
    *out = (struct journal_head){0};
    struct bytes rest = *in, record;
    uint32_t magic;
    uint16_t version, size;
    bool right;
    if (!record_take(&rest, &record, &right) || !right || !bytes_read_u32(&record, &magic) ||
        !bytes_read_u16(&record, &version) || !bytes_read_u16(&record, &size) || magic != MAGIC ||
        version != VERSION || size != JOURNAL_RECORD || !bytes_read_u32(&record, &out->view))
        return ERR_INVALID;
    for (unsigned i = 0; i < JOURNAL_VIEWS_BEFORE; i++)
        if (!bytes_read_u32(&record, &out->before[i]))
            return ERR_INVALID;
    if (!bytes_read_u8(&record, &out->members))
        return ERR_INVALID;
    *in = rest;
    return 0;
}

static bool is_utc(int64_t utc_us)
{
    return utc_us >= 0 && utc_us <= JOURNAL_UTC_MAX_US;
}

static bool is_offset(int64_t offset_us)
{
    return offset_us >= -JOURNAL_UTC_MAX_US && offset_us <= JOURNAL_UTC_MAX_US;
}

static bool is_file(struct hour_name file)
{
    int64_t most_s = JOURNAL_UTC_MAX_US / US_PER_S;
    return is_utc(file.second * US_PER_S) && file.offset_s <= most_s && file.offset_s >= -most_s &&
           is_utc((file.second - file.offset_s) * US_PER_S);
}

static bool is_sensible(const struct journal_record *record)
{
    switch (record->kind) {
    case JOURNAL_MARK:
        return is_utc(record->from_us) && record->reason != REASON_NONE &&
               record->reason != REASON_THINNED && // those are no holes
               is_offset(record->base_us);
    case JOURNAL_CLOCK:
        return is_utc(record->from_us) && is_offset(record->base_us);
    case JOURNAL_FILE:
        return is_offset(record->base_us) && is_file(record->file);
    case JOURNAL_LOCK:
    case JOURNAL_UNLOCK:
    case JOURNAL_CUT:
        return is_utc(record->from_us) && is_utc(record->to_us) && record->from_us < record->to_us;
    case JOURNAL_DELETED:
    case JOURNAL_ERASED:
        return is_utc(record->from_us) && is_utc(record->to_us) &&
               record->from_us < record->to_us && is_file(record->file);
    case JOURNAL_SWITCH:
        return true;
    }
    return false;
}

static bool fields_parse(struct bytes in, struct journal_record *out)
{
    uint8_t kind, code;
    uint64_t a = 0, b = 0, c = 0, d = 0;
    *out = (struct journal_record){0};
    if (!bytes_read_u8(&in, &kind) || !bytes_read_u8(&in, &code) ||
        !bytes_read_u16(&in, &out->file.suffix) || !bytes_read_u8(&in, &out->file.disk) ||
        !bytes_skip(&in, 3) || !bytes_read_u64(&in, &a) || !bytes_read_u64(&in, &b) ||
        !bytes_read_u64(&in, &c) || !bytes_read_u64(&in, &d))
        return false;
    out->kind = kind;
    out->on = kind == JOURNAL_SWITCH && code == 1;
    if (kind == JOURNAL_MARK || kind == JOURNAL_CLOCK) {
        out->reason = kind == JOURNAL_MARK ? history_reason_of(code) : REASON_NONE;
        out->from_us = (int64_t)a;
        out->base_us = (int64_t)b;
        out->boot = c;
        out->file = (struct hour_name){0};
        return is_sensible(out);
    }
    if (kind == JOURNAL_FILE) {
        out->base_us = (int64_t)a;
        out->boot = b;
    } else {
        out->from_us = (int64_t)a;
        out->to_us = (int64_t)b;
    }
    // No second that is sensible overflows what follows.
    out->file.second =
        c <= JOURNAL_UTC_MAX_US / US_PER_S ? (int64_t)c : JOURNAL_UTC_MAX_US / US_PER_S + 1;
    out->file.offset_s = (int64_t)d;
    return is_sensible(out);
}

int journal_record_parse(struct bytes *in, struct journal_record *out, unsigned *skipped)
{
    struct bytes record;
    bool right;
    while (record_take(in, &record, &right)) {
        if (right && fields_parse(record, out))
            return 0;
        bool other = right && record.data[0] > JOURNAL_CUT;
        *skipped += !other;
    }
    *skipped += in->length > 0; // a torn one
    *in = bytes_of(in->data, 0);
    return ERR_NOT_FOUND;
}

static void checksum_write(struct writer *out, size_t from)
{
    while (writer_length(out) - from < JOURNAL_RECORD - 4)
        writer_u8(out, 0);
    writer_u32(out, crc32c(0, out->buf->data + from, JOURNAL_RECORD - 4));
}

void journal_head_write(struct writer *out, const struct journal_head *head)
{
    size_t from = writer_length(out);
    writer_u32(out, MAGIC);
    writer_u16(out, VERSION);
    writer_u16(out, JOURNAL_RECORD);
    writer_u32(out, head->view);
    for (unsigned i = 0; i < JOURNAL_VIEWS_BEFORE; i++)
        writer_u32(out, head->before[i]);
    writer_u8(out, head->members);
    checksum_write(out, from);
}

static uint8_t code_of(const struct journal_record *record)
{
    if (record->kind == JOURNAL_MARK)
        return history_reason_code(record->reason);
    return record->kind == JOURNAL_SWITCH && record->on;
}

void journal_record_write(struct writer *out, const struct journal_record *record)
{
    size_t from = writer_length(out);
    writer_u8(out, (uint8_t)record->kind);
    writer_u8(out, code_of(record));
    writer_u16(out, record->file.suffix);
    writer_u8(out, record->file.disk);
    writer_u24(out, 0);
    if (record->kind == JOURNAL_MARK || record->kind == JOURNAL_CLOCK) {
        writer_u64(out, (uint64_t)record->from_us);
        writer_u64(out, (uint64_t)record->base_us);
        writer_u64(out, record->boot);
    } else {
        bool file = record->kind == JOURNAL_FILE;
        writer_u64(out, file ? (uint64_t)record->base_us : (uint64_t)record->from_us);
        writer_u64(out, file ? record->boot : (uint64_t)record->to_us);
        writer_u64(out, (uint64_t)record->file.second);
        writer_u64(out, (uint64_t)record->file.offset_s);
    }
    checksum_write(out, from);
}
