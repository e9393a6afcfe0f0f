// SPDX-License-Identifier: MIT
// The bytes of a day's summary.
#include "summary_parse.h"

#include "base/clock.h"
#include "base/code.h"
#include "base/mem.h"

enum {
    VERSION = 1,
    HEAD = 28,
    FILE_RECORD = 36,
    HOLE_RECORD = 16,
    CHECKSUM = 4,
    FLAG_INDEXED = 1,
    FLAG_MORE = 2,
    FLAG_OFFSET = 4,
    DAY_S = 86400,
};

#define MAGIC 0x534c4453u // "SLDS"
// Until the year 10000.
#define UTC_MAX_US 253402300800000000LL

void summary_fini(struct summary *summary)
{
    mem_free(summary->file);
    mem_free(summary->hole);
    *summary = (struct summary){0};
}

static bool time_read(struct bytes *in, int64_t *out)
{
    uint64_t value;
    if (!bytes_read_u64(in, &value) || value > UTC_MAX_US)
        return false;
    *out = (int64_t)value;
    return true;
}

static bool offset_read(struct bytes *in, int64_t *out)
{
    uint64_t value;
    if (!bytes_read_u64(in, &value))
        return false;
    *out = (int64_t)value;
    return *out >= -UTC_MAX_US / US_PER_S && *out <= UTC_MAX_US / US_PER_S;
}

static bool file_parse(struct bytes *in, struct summary *summary, struct summary_file *file)
{
    uint32_t second, holes;
    uint8_t flags, unused;
    if (!bytes_read_u32(in, &second) || !bytes_read_u16(in, &file->name.suffix) ||
        !bytes_read_u8(in, &flags) || !bytes_read_u8(in, &unused) ||
        !bytes_read_u64(in, &file->bytes) || !time_read(in, &file->start_us) ||
        !time_read(in, &file->end_us) || !bytes_read_u32(in, &holes))
        return false;
    if (second >= DAY_S || file->name.suffix > HOUR_SUFFIX_MAX || file->bytes > INT64_MAX ||
        file->start_us > file->end_us)
        return false;
    if (flags & FLAG_OFFSET && !offset_read(in, &file->name.offset_s))
        return false;
    file->name.second = summary->day_s + second;
    file->indexed = flags & FLAG_INDEXED;
    file->more = flags & FLAG_MORE;
    file->holes = holes;
    return true;
}

static bool holes_parse(struct bytes *in, const struct summary_file *file, struct hour_hole *hole)
{
    int64_t behind_us = file->start_us;
    for (unsigned i = 0; i < file->holes; i++, hole++) {
        if (!time_read(in, &hole->from_us) || !time_read(in, &hole->to_us) ||
            hole->from_us < behind_us || hole->to_us <= hole->from_us || hole->to_us > file->end_us)
            return false;
        behind_us = hole->to_us;
    }
    return true;
}

static bool records_parse(struct bytes in, struct summary *summary)
{
    unsigned holes = 0;
    for (unsigned i = 0; i < summary->files; i++) {
        struct summary_file *file = &summary->file[i];
        if (!file_parse(&in, summary, file) || file->holes > summary->holes - holes)
            return false;
        if (i > 0 && hour_name_compare(file[-1].name, file->name) >= 0)
            return false;
        file->first_hole = holes;
        if (!holes_parse(&in, file, summary->hole + holes))
            return false;
        holes += file->holes;
    }
    return holes == summary->holes && in.length == 0;
}

int summary_parse(struct bytes in, int64_t day_s, struct summary *out)
{
    struct bytes all = in, tail;
    uint32_t magic, files, holes, checksum;
    uint16_t version, unused;
    uint64_t day;
    if (in.length < HEAD + CHECKSUM || in.length > SUMMARY_BYTES_MAX)
        return ERR_INVALID;
    all.length -= CHECKSUM;
    tail = bytes_of(in.data + all.length, CHECKSUM);
    if (!bytes_read_u32(&tail, &checksum) || checksum != crc32c(0, all.data, all.length))
        return ERR_INVALID;
    if (!bytes_read_u32(&all, &magic) || !bytes_read_u16(&all, &version) ||
        !bytes_read_u16(&all, &unused) || !bytes_read_u64(&all, &day) ||
        !bytes_read_u32(&all, &files) || !bytes_read_u32(&all, &holes) || !bytes_skip(&all, 4))
        return ERR_INVALID;
    if (magic != MAGIC || version != VERSION || day_s < 0 || day != (uint64_t)day_s ||
        files > all.length / FILE_RECORD || holes > all.length / HOLE_RECORD)
        return ERR_INVALID;
    *out = (struct summary){.day_s = day_s, .files = files, .holes = holes};
    out->file = mem_alloc((files + 1) * sizeof *out->file);
    out->hole = mem_alloc((holes + 1) * sizeof *out->hole);
    if (records_parse(all, out))
        return 0;
    summary_fini(out);
    return ERR_INVALID;
}

void summary_write(struct writer *out, const struct summary *summary)
{
    size_t from = writer_length(out);
    writer_u32(out, MAGIC);
    writer_u16(out, VERSION);
    writer_u16(out, 0);
    writer_u64(out, (uint64_t)summary->day_s);
    writer_u32(out, summary->files);
    writer_u32(out, summary->holes);
    writer_u32(out, 0);
    for (unsigned i = 0; i < summary->files; i++) {
        const struct summary_file *file = &summary->file[i];
        writer_u32(out, (uint32_t)(file->name.second - summary->day_s));
        writer_u16(out, file->name.suffix);
        writer_u8(out, (file->indexed ? FLAG_INDEXED : 0) | (file->more ? FLAG_MORE : 0) |
                           (file->name.offset_s ? FLAG_OFFSET : 0));
        writer_u8(out, 0);
        writer_u64(out, file->bytes);
        writer_u64(out, (uint64_t)file->start_us);
        writer_u64(out, (uint64_t)file->end_us);
        writer_u32(out, file->holes);
        if (file->name.offset_s)
            writer_u64(out, (uint64_t)file->name.offset_s);
        for (unsigned k = 0; k < file->holes; k++) {
            const struct hour_hole *hole = &summary->hole[file->first_hole + k];
            writer_u64(out, (uint64_t)hole->from_us);
            writer_u64(out, (uint64_t)hole->to_us);
        }
    }
    writer_u32(out, crc32c(0, out->buf->data + from, writer_length(out) - from));
}
