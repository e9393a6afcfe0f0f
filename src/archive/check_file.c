// SPDX-License-Identifier: MIT
// One hour file and its index, looked over and repaired.
//
// 1. All times are the file's own; what is told of them is as its name dates them.
// 2. The scan reads the whole file, each chunk with its checksum: what it finds is what can be
//    played. The index is compared with that, not believed.
// 3. Damage is accounted for when the index was closed with the length of the file and leaves it
//    out.
// 4. Cut off is only what stands behind the last whole chunk, whether that one is of use or not,
//    and behind all that the index speaks of: a chunk with a flipped bit still has its pictures.
// 5. After an error of the disk nothing is repaired: what was not read is not known to be bad.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "check_priv.h"
#include "format/cmaf.h"
#include "scan_parse.h"

enum {
    INIT_GUESS = 16u << 10,
    DISCARD_MAX = 16u << 20, // as recovery: a longer one without a chunk is for somebody to look at
    IDX_BYTES_MAX = (ARCHIVE_ENTRIES_MAX + 2) * INDEX_RECORD,
    SAID_MAX = 20, // damaged places of a file that are told one by one
    NEW_S = 120,   // a server may still be at a file that changed so lately
};

struct file {
    struct check *check;
    struct check_hour *hour;
    const char *path;
    char index_path[HOUR_PATH];
    int descriptor;
    uint64_t size;
    size_t init_length;
    struct tracks *tracks;
    struct index *said;  // by the index file, NULL: none that counts
    uint64_t said_bytes; // of that file
    bool is_new;         // may be being written
    bool believed;       // the index is closed, with the length of the file
    struct scan scan;
    uint64_t whole_end; // behind the last whole chunk
    bool in_damage;     // from damage_from on
    uint64_t damage_from;
    int64_t good_us;   // where the media before it end, 0 there are none
    unsigned cursor;   // in said: entries before it end before damage_from
    unsigned places;   // damaged, and not accounted for
    unsigned settled;  // findings that a repair settles
    uint64_t cut_from; // a torn end begins here; size: there is none
    bool failed;       // the disk refused
};

static bool is_newest(const struct check *check, const struct check_hour *hour)
{
    return hour_name_compare(hour->name, check->newest) == 0;
}

// Whether a server may be writing it now.
static bool is_new(const struct check *check, const struct check_hour *hour)
{
    return check->live && (is_newest(check, hour) || utc_us() / US_PER_S - hour->changed_s < NEW_S);
}

// ---- damage ------------------------------------------------------------------------------------

// Whether the index speaks of something there; *to_us: where that ends.
static bool is_indexed(struct file *file, uint64_t from, uint64_t to, int64_t *to_us)
{
    const struct index *said = file->said;
    bool indexed = false;
    while (said && file->cursor < said->count) {
        const struct index_entry *entry = &said->entries[file->cursor];
        if (entry->offset + entry->bytes > from)
            break;
        file->cursor++;
    }
    for (unsigned i = file->cursor; said && i < said->count && said->entries[i].offset < to; i++) {
        indexed = true;
        *to_us = index_entry_end_us(&said->entries[i]);
    }
    return indexed;
}

// next_us: where the media behind it begin, 0 there are none.
static void tell_damage(struct file *file, uint64_t from, uint64_t to, int64_t next_us)
{
    int64_t shift_us = file->hour->name.offset_s * US_PER_S;
    int64_t from_us = file->good_us, to_us = 0;
    bool indexed = is_indexed(file, from, to, &to_us);
    if (next_us)
        to_us = next_us;
    char when[40], hides[60];
    if (!from_us)
        from_us = file->said && file->said->count ? file->said->entries[0].utc_start_us
                                                  : file->hour->name.second * US_PER_S - shift_us;
    text_utc(when, sizeof when, from_us + shift_us);
    if (to_us > from_us)
        (void)text_format(hides, sizeof hides, "hides %.1f s",
                          (double)(to_us - from_us) / US_PER_S);
    else
        (void)text_copy(hides, sizeof hides, to_us ? "hides nothing" : "hides what was there");
    if (file->believed && !indexed) {
        check_note(file->check, file->path,
                   "damaged at %s, offset %llu, %llu bytes, %s; the index leaves it out", when,
                   (unsigned long long)from, (unsigned long long)(to - from), hides);
        return;
    }
    file->settled++;
    if (++file->places <= SAID_MAX)
        check_find(file->check, file->path, "damaged at %s, offset %llu, %llu bytes, %s", when,
                   (unsigned long long)from, (unsigned long long)(to - from), hides);
    else
        file->check->sums.findings++;
}

// The end of the file has no segment.
static void tell_tail(struct file *file)
{
    uint64_t from = file->damage_from, torn = file->whole_end;
    uint64_t covered = file->said ? index_covered(file->said) : 0;
    if (covered > torn && covered <= file->size)
        torn = covered;
    if (torn < from)
        torn = from;
    if (torn > from)
        tell_damage(file, from, torn, 0);
    if (torn == file->size || file->is_new)
        return;
    unsigned long long bytes = file->size - torn, at = torn;
    if (file->believed) {
        check_note(file->check, file->path,
                   "torn end of %llu bytes, offset %llu; the index leaves it out", bytes, at);
        return;
    }
    check_find(file->check, file->path, "torn end of %llu bytes, offset %llu", bytes, at);
    file->settled++;
    file->cut_from = torn;
}

static bool give(struct file *file, uint64_t offset, size_t length)
{
    struct check *check = file->check;
    struct scan *scan = &file->scan;
    if (length > check->room) {
        check->room = length;
        check->block = mem_resize(check->block, length);
    }
    int64_t got = check_read_at(file->descriptor, check->block, length, offset);
    if (got < 0) {
        check_find(check, file->path, "cannot be read at offset %llu: %s",
                   (unsigned long long)offset, strerror(errno));
        file->failed = true;
        return false;
    }
    uint64_t at = scan->at, skipped = scan->skipped, contradicting = scan->segment.offset;
    unsigned chunks = scan->chunks;
    int64_t good_us = scan->open ? scan->segment_end_us : 0, unused;
    if (!scan->open)
        (void)index_span(scan->index, &unused, &good_us);
    scan_give(scan, bytes_of(check->block, (size_t)got));
    bool whole = scan->chunks > chunks; // a chunk, which perhaps is of no use
    bool good = scan->chunks_end == scan->at && scan->at > at; // one of use, or deleted footage
    if (whole || good)
        file->whole_end = scan->at;
    if (good && scan->skipped > skipped) {
        check_note(check, file->path,
                   "the segment at offset %llu goes back in time, and is left out",
                   (unsigned long long)contradicting);
    } else if (scan->skipped > skipped && !file->in_damage) {
        file->in_damage = true;
        file->damage_from = at;
        file->good_us = good_us;
    }
    if (good && file->in_damage) {
        file->in_damage = false;
        tell_damage(file, file->damage_from, at, whole ? scan->segment.utc_start_us : 0);
    }
    return true;
}

static void scan(struct file *file)
{
    struct index *index = index_new(0, (uint32_t)file->init_length);
    uint64_t offset;
    size_t length;
    scan_init(&file->scan, &index, true, file->tracks, file->size, 0);
    file->whole_end = file->scan.at;
    while (scan_wants(&file->scan, &offset, &length)) {
        if (!give(file, offset, length))
            return;
        file->check->sums.bytes += file->scan.at - offset;
        check_progress(file->check, file->path, false);
    }
    if (file->in_damage)
        tell_tail(file);
    if (file->places > SAID_MAX)
        file->check->want->say(file->check->want->arg, CHECK_FINDING, file->path,
                               "damaged in more places");
}

// ---- the index ---------------------------------------------------------------------------------

// Durations reach to the start of the next segment where the recorder knew it.
static bool entry_agrees(const struct index_entry *said, const struct index_entry *found, bool last)
{
    int64_t longer_us = (int64_t)said->duration_us - found->duration_us;
    return said->number == found->number && said->utc_start_us == found->utc_start_us &&
           said->offset == found->offset && said->bytes == found->bytes &&
           said->head_bytes == found->head_bytes && said->parts == found->parts &&
           said->flags == found->flags && longer_us >= -INDEX_HOLE_US &&
           (!last || longer_us <= SEGMENT_DURATION_MAX_US);
}

static unsigned entries_agreeing(const struct index *said, const struct index *found)
{
    unsigned i = 0;
    while (i < said->count && i < found->count &&
           entry_agrees(&said->entries[i], &found->entries[i], i + 1 == found->count))
        i++;
    return i;
}

static void find_index(struct file *file, const char *what)
{
    check_find(file->check, file->index_path, "%s", what);
    file->settled++;
}

static void compare_index(struct file *file)
{
    const struct index *said = file->said, *found = file->scan.index;
    char text[160];
    if (!file->hour->has_index) {
        if (!file->is_new)
            find_index(file, "the index is missing");
        return;
    }
    if (!said) {
        if (!file->is_new || file->said_bytes > 0)
            find_index(file, "the index is damaged at its beginning");
        return;
    }
    unsigned agreeing = entries_agreeing(said, found);
    uint64_t right = (uint64_t)(said->count + 1 + said->closed) * INDEX_RECORD;
    if (said->init_length != file->init_length ||
        (said->generation != found->generation && found->count > 0)) {
        find_index(file, "the index is of another file");
    } else if (file->said_bytes != right && !file->is_new) {
        (void)text_format(text, sizeof text, "the index is damaged behind segment %u of %u",
                          said->count, found->count);
        find_index(file, text);
    } else if (!said->closed && !file->is_new) {
        (void)text_format(text, sizeof text, "the index is not closed, it has %u of %u segments",
                          said->count, found->count);
        find_index(file, text);
    } else if (said->closed && said->file_length != file->size) {
        (void)text_format(text, sizeof text, "the index is of %llu bytes, the file has %llu",
                          (unsigned long long)said->file_length, (unsigned long long)file->size);
        find_index(file, text);
    } else if (agreeing == said->count && (agreeing == found->count || file->is_new)) {
        file->hour->right = said->closed;
    } else if (file->places == 0 && !file->is_new) {
        (void)text_format(text, sizeof text, "the index is wrong from segment %u on", agreeing);
        find_index(file, text);
    }
}

static void read_index(struct file *file)
{
    if (!file->hour->has_index)
        return;
    struct buf *bytes = check_read_whole(file->index_path, IDX_BYTES_MAX);
    if (bytes) {
        file->said_bytes = bytes->length;
        (void)(index_parse(buf_bytes(bytes), &file->said) == 0);
    } else if (errno == ENOENT) {
        file->hour->has_index = false;
    } else if (errno != EFBIG) {
        check_find(file->check, file->index_path, "cannot be read: %s", strerror(errno));
        file->failed = true;
    }
    buf_unref(&bytes);
}

static void note_index(struct file *file, const struct index *index)
{
    struct check_hour *hour = file->hour;
    int64_t shift_us = hour->name.offset_s * US_PER_S;
    if (!index_span(index, &hour->start_us, &hour->end_us))
        return;
    hour->start_us += shift_us;
    hour->end_us += shift_us;
    hour->holes = 0;
    if (!hour->hole)
        hour->hole = mem_alloc(HOUR_HOLES_MAX * sizeof *hour->hole);
    for (unsigned i = 1; i < index->count; i++) {
        if (!index_hole_before(index, i))
            continue;
        if (hour->holes < HOUR_HOLES_MAX)
            hour->hole[hour->holes] = (struct hour_hole){index_entry_end_us(&index->entries[i - 1]),
                                                         index->entries[i].utc_start_us};
        hour->holes++;
    }
}

// ---- repairs -----------------------------------------------------------------------------------

static bool cut(struct file *file)
{
    struct stat found;
    int descriptor = open(file->path, O_RDWR | O_CLOEXEC);
    int error = descriptor < 0 || fstat(descriptor, &found) != 0 ? errno : 0;
    if (!error && (uint64_t)found.st_size != file->size)
        error = EBUSY;
    if (!error && ftruncate(descriptor, (off_t)file->cut_from) != 0)
        error = errno;
    if (!error && fsync(descriptor) != 0)
        error = errno;
    if (descriptor >= 0)
        (void)close(descriptor);
    if (error)
        check_find(file->check, file->path, "cannot be cut: %s", strerror(error));
    return error == 0;
}

static bool sync_data(struct file *file)
{
    if (fsync(file->descriptor) == 0)
        return true;
    check_find(file->check, file->path, "cannot be synced: %s", strerror(errno));
    return false;
}

static void write_index(struct file *file)
{
    struct check *check = file->check;
    struct check_hour *hour = file->hour;
    bool cuts = is_newest(check, hour) && file->cut_from < file->size;
    if (cuts ? !cut(file) : !sync_data(file))
        return;
    struct index *index = file->scan.index;
    index->closed = true;
    index->file_length = cuts ? file->cut_from : file->size;
    struct writer out = {0};
    index_write(&out, index);
    struct buf *bytes = writer_take(&out);
    if (check_replace(check, file->index_path, buf_bytes(bytes))) {
        if (cuts)
            check_repaired(check, 0, file->path, "cut to %llu bytes",
                           (unsigned long long)file->cut_from);
        check_repaired(check, file->settled, file->index_path,
                       "the index is written again, %u segments", index->count);
        hour->has_index = hour->right = true;
        hour->index_bytes = bytes->length;
        hour->bytes = index->file_length;
        note_index(file, index);
    }
    hour->changed = true;
    buf_unref(&bytes);
}

static void remove_empty(struct file *file)
{
    struct check_hour *hour = file->hour;
    hour->changed = true;
    if ((hour->has_index && !check_remove(file->check, file->index_path)) ||
        !check_remove(file->check, file->path))
        return;
    hour->gone = true;
    check_repaired(file->check, file->settled, file->path, "removed, nothing was in it");
}

// The file has no segment. last: what stands behind its init segment, or the beginning of one.
static void tell_empty(struct file *file, uint64_t last)
{
    bool newest = is_newest(file->check, file->hour);
    if (file->is_new)
        return;
    check_find(file->check, file->path, "no segment is in it, %llu bytes",
               (unsigned long long)file->size);
    file->settled++;
    if (file->check->want->repair && !file->failed && file->places == 0 &&
        (last == 0 || (newest && file->size <= DISCARD_MAX)))
        remove_empty(file);
}

// ---- all of it ---------------------------------------------------------------------------------

// False when there is nothing to scan, which was told.
static bool read_init(struct file *file)
{
    struct check *check = file->check;
    size_t wanted = INIT_GUESS;
    struct buf *bytes = buf_new(ARCHIVE_INIT_MAX);
    bool right = false;
    for (;;) {
        if (wanted > ARCHIVE_INIT_MAX)
            wanted = ARCHIVE_INIT_MAX;
        int64_t got = check_read_at(file->descriptor, bytes->data, wanted, 0);
        if (got < 0) {
            check_find(check, file->path, "cannot be read: %s", strerror(errno));
            break;
        }
        bytes->length = (size_t)got;
        size_t length = scan_init_length(buf_bytes(bytes));
        bool all = bytes->length < wanted || bytes->length >= file->size;
        if (length > 0 && length <= bytes->length) {
            file->init_length = length;
            right = cmaf_init_parse(bytes_of(bytes->data, length), &file->tracks) == 0;
            if (!right)
                check_find(check, file->path, "the init segment is damaged, nothing can be read");
            break;
        }
        bool chunks = all && cmaf_chunk_find(buf_bytes(bytes), 0) < bytes->length;
        if (all && !chunks && length != SIZE_MAX) {
            tell_empty(file, 0);
            break;
        }
        if (chunks || length == SIZE_MAX || wanted == ARCHIVE_INIT_MAX) {
            check_find(check, file->path,
                       "does not begin with an init segment, nothing can be read");
            break;
        }
        wanted = length ? length : 2 * wanted;
    }
    buf_unref(&bytes);
    return right;
}

static void tell_times(struct file *file)
{
    struct check *check = file->check;
    const struct index *found = file->scan.index;
    int64_t from_us, to_us, shift_us = file->hour->name.offset_s * US_PER_S;
    if (!index_span(found, &from_us, &to_us))
        return;
    from_us += shift_us;
    to_us += shift_us;
    if (found->entries[0].offset == file->init_length &&
        from_us / US_PER_S != file->hour->name.second) {
        char when[40];
        text_utc(when, sizeof when, from_us);
        check_note(check, file->path, "begins at %s, which is not its name", when);
    }
    if (from_us < check->behind_us - INDEX_HOLE_US)
        check_note(check, file->path, "overlaps an earlier file by %.1f s",
                   (double)(check->behind_us - from_us) / US_PER_S);
    if (to_us > check->behind_us)
        check->behind_us = to_us;
    check->sums.segments += found->count;
    for (unsigned i = 0; i < found->count; i++)
        check->sums.media_us += found->entries[i].duration_us;
}

static void look(struct file *file)
{
    read_index(file);
    if (file->failed || !read_init(file))
        return;
    file->believed = file->said && file->said->closed && file->said->file_length == file->size &&
                     file->said->init_length == file->init_length;
    scan(file);
    if (file->failed)
        return;
    if (file->scan.index->count == 0) {
        tell_empty(file, file->size - file->init_length);
        return;
    }
    tell_times(file);
    compare_index(file);
    if (file->said)
        note_index(file, file->said);
    if (file->settled > 0 && file->check->want->repair)
        write_index(file);
}

void check_file(struct check *check, const char *path, struct check_hour *hour)
{
    struct file file = {.check = check, .hour = hour, .path = path, .is_new = is_new(check, hour)};
    struct stat found;
    (void)text_copy_n(file.index_path, sizeof file.index_path, path, strlen(path) - 3);
    (void)text_append(file.index_path, sizeof file.index_path, "idx");
    file.descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (file.descriptor < 0 && errno == ENOENT && check->live) {
        hour->gone = true; // retention
        return;
    }
    if (file.descriptor < 0 || fstat(file.descriptor, &found) != 0) {
        check_find(check, path, "cannot be read: %s", strerror(errno));
    } else {
        file.size = file.cut_from = hour->bytes = (uint64_t)found.st_size;
        check->sums.files++;
        (void)posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
        look(&file);
        // What was only read for this is not to drive out what others read.
        (void)posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED);
    }
    if (file.descriptor >= 0)
        (void)close(file.descriptor);
    scan_fini(&file.scan);
    index_unref(&file.said);
    tracks_unref(&file.tracks);
    check_progress(check, path, true);
}
