// SPDX-License-Identifier: MIT
// What a check says, and its file calls.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "check_priv.h"

enum { TEXT = 400, ENTRIES_MAX = 1000000 };
#define PROGRESS_US (US_PER_S / 4)

static void say(struct check *check, enum check_kind kind, const char *path, const char *format,
                va_list arguments)
{
    char text[TEXT];
    (void)vsnprintf(text, sizeof text, format, arguments);
    check->want->say(check->want->arg, kind, path, text);
}

void check_find(struct check *check, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    check->sums.findings++;
    say(check, CHECK_FINDING, path, format, arguments);
    va_end(arguments);
}

void check_note(struct check *check, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    check->sums.notes++;
    say(check, CHECK_NOTE, path, format, arguments);
    va_end(arguments);
}

void check_repaired(struct check *check, unsigned findings, const char *path, const char *format,
                    ...)
{
    va_list arguments;
    va_start(arguments, format);
    check->sums.repaired += findings;
    say(check, CHECK_REPAIRED, path, format, arguments);
    va_end(arguments);
}

void check_progress(struct check *check, const char *path, bool now)
{
    if (!check->want->progress || (!now && now_us() - check->progress_us < PROGRESS_US))
        return;
    check->progress_us = now_us();
    check->want->progress(check->want->arg, &check->sums, path);
}

// ---- folders -----------------------------------------------------------------------------------

bool check_join(struct check *check, char out[HOUR_PATH], const char *path, const char *name)
{
    if (text_format(out, HOUR_PATH, "%s/%s", path, name))
        return true;
    check_find(check, path, "the path of '%s' is too long", name);
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct check_entry *)a)->name, ((const struct check_entry *)b)->name);
}

static void add(struct check_list *list, DIR *folder, const char *name)
{
    struct stat found;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        (fstatat(dirfd(folder), name, &found, 0) != 0 &&
         fstatat(dirfd(folder), name, &found, AT_SYMLINK_NOFOLLOW) != 0))
        return;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->entry = mem_resize(list->entry, list->capacity * sizeof *list->entry);
    }
    list->entry[list->count++] = (struct check_entry){
        .name = mem_strdup(name),
        .folder = S_ISDIR(found.st_mode),
        .file = S_ISREG(found.st_mode),
        .bytes = (uint64_t)found.st_size,
        .changed_s = found.st_mtime,
    };
}

bool check_list_read(struct check *check, const char *path, struct check_list *out)
{
    *out = (struct check_list){0};
    DIR *folder = opendir(path);
    if (!folder) {
        if (check && (errno != ENOENT || !check->live))
            check_find(check, path, "the folder cannot be read: %s", strerror(errno));
        return false;
    }
    const struct dirent *entry;
    for (errno = 0; (entry = readdir(folder)) && out->count < ENTRIES_MAX; errno = 0)
        add(out, folder, entry->d_name);
    int error = entry ? EFBIG : errno;
    (void)closedir(folder);
    if (error && check)
        check_find(check, path, "the folder cannot be read to its end: %s", strerror(error));
    if (out->count)
        qsort(out->entry, out->count, sizeof *out->entry, by_name);
    return true;
}

void check_list_fini(struct check_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        mem_free(list->entry[i].name);
    mem_free(list->entry);
    *list = (struct check_list){0};
}

// ---- files -------------------------------------------------------------------------------------

int64_t check_read_at(int descriptor, void *data, size_t length, uint64_t offset)
{
    size_t got = 0;
    while (got < length) {
        ssize_t some =
            pread(descriptor, (uint8_t *)data + got, length - got, (off_t)(offset + got));
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return -1;
        if (some == 0)
            break;
        got += (size_t)some;
    }
    return (int64_t)got;
}

struct buf *check_read_whole(const char *path, size_t most)
{
    struct stat found;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return NULL;
    struct buf *out = NULL;
    int error = fstat(descriptor, &found) != 0 ? errno : 0;
    if (!error && (uint64_t)found.st_size > most)
        error = EFBIG;
    if (!error) {
        out = buf_new((size_t)found.st_size + 1);
        int64_t got = check_read_at(descriptor, out->data, (size_t)found.st_size, 0);
        error = got < 0 ? errno : 0;
        out->length = got < 0 ? 0 : (size_t)got;
    }
    (void)close(descriptor);
    if (error)
        buf_unref(&out);
    errno = error;
    return out;
}

void check_give_to_owner(int descriptor, const char *folder)
{
    struct stat found;
    if (geteuid() == 0 && stat(folder, &found) == 0 &&
        fchown(descriptor, found.st_uid, found.st_gid) != 0)
        return; // it stays ours, on a file system without owners
}

static bool folder_of(const char *path, char out[HOUR_PATH])
{
    const char *slash = strrchr(path, '/');
    return slash && text_copy_n(out, HOUR_PATH, path, (size_t)(slash - path) + 1);
}

static int sync_folder_of(const char *path)
{
    char folder[HOUR_PATH];
    if (!folder_of(path, folder))
        return ENAMETOOLONG;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return errno;
    // Some file systems cannot sync a folder and say so.
    int error = fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
    (void)close(descriptor);
    return error;
}

static int write_synced(const char *path, struct bytes bytes)
{
    char folder[HOUR_PATH];
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0)
        return errno;
    if (folder_of(path, folder))
        check_give_to_owner(descriptor, folder);
    int error = 0;
    while (!error && bytes.length > 0) {
        ssize_t some = write(descriptor, bytes.data, bytes.length);
        if (some < 0 && errno != EINTR)
            error = errno;
        if (some > 0)
            bytes = bytes_of(bytes.data + some, bytes.length - (size_t)some);
    }
    if (!error && fsync(descriptor) != 0)
        error = errno;
    if (close(descriptor) != 0 && !error)
        error = errno;
    return error;
}

bool check_replace(struct check *check, const char *path, struct bytes bytes)
{
    char beside[HOUR_PATH];
    int error = text_format(beside, sizeof beside, "%s.new", path) ? 0 : ENAMETOOLONG;
    if (!error) {
        error = write_synced(beside, bytes);
        if (!error && rename(beside, path) != 0)
            error = errno;
        if (error)
            (void)unlink(beside);
    }
    if (!error)
        error = sync_folder_of(path);
    if (error)
        check_find(check, path, "cannot be written: %s", strerror(error));
    return error == 0;
}

bool check_remove(struct check *check, const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return true;
    check_find(check, path, "cannot be removed: %s", strerror(errno));
    return false;
}
