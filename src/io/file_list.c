// SPDX-License-Identifier: MIT
// Folders listed, by the workers of io/file.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_priv.h"

enum { PATH_ROOM = 4096, LIST_ROOM_FIRST = 4096, LIST_BYTES_MAX = 64 << 20 };

static bool name_is_plain(const char *name)
{
    for (const char *at = name; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    }
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int add_line(struct file_op *op, size_t *room, const char *line, size_t length)
{
    if (op->raw_length + length > *room) {
        *room *= 2;
        if (*room > LIST_BYTES_MAX) {
            op->err = ERR_LIMIT;
            return EFBIG;
        }
        uint8_t *grown = realloc(op->raw, *room);
        if (!grown)
            return ENOMEM;
        op->raw = grown;
    }
    memcpy(op->raw + op->raw_length, line, length);
    op->raw_length += length;
    return 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int entry_is_plain(const struct dirent *entry)
{
    return name_is_plain(entry->d_name);
}

// The folder says of most entries what they are; sizes are known by looking only.
static bool look_at(const struct file_calls *call, const struct file_op *op,
                    const struct dirent *entry, struct stat *out, int *error)
{
    char path[PATH_ROOM];
    if ((op->flags & FILE_LIST_NAMES) && (entry->d_type == DT_REG || entry->d_type == DT_DIR)) {
        *out = (struct stat){.st_mode = entry->d_type == DT_DIR ? S_IFDIR : S_IFREG};
        return true;
    }
    int length = snprintf(path, sizeof(path), "%s/%s", op->path, entry->d_name);
    if (length <= 0 || (size_t)length >= sizeof(path))
        return false;
    if (call->stat(path, out) == 0)
        return true;
    if (errno != ENOENT && errno != ELOOP && errno != EACCES)
        *error = errno; // what is there must not be taken for gone
    return false;
}

static int file_line(const struct file_op *op, const char *name, const struct stat *found,
                     char *line, size_t room)
{
    if (op->flags & FILE_LIST_NAMES)
        return snprintf(line, room, "f %s 0 0\n", name);
    if (op->flags & FILE_LIST_USED)
        return snprintf(line, room, "f %s %lld %lld\n", name, (long long)found->st_size,
                        (long long)found->st_blocks * FILE_BLOCK);
    return snprintf(line, room, "f %s %lld\n", name, (long long)found->st_size);
}

int file_list_run(const struct file_calls *call, struct file_op *op)
{
    struct dirent **entries = NULL;
    int count = call->scandir(op->path, &entries, entry_is_plain, compare_names);
    if (count < 0)
        return errno;
    size_t room = LIST_ROOM_FIRST;
    op->raw = malloc(room); // there is data, be it empty
    int error = op->raw ? 0 : ENOMEM;
    for (int i = 0; i < count; i++) {
        char line[300];
        struct stat found;
        if (!error && look_at(call, op, entries[i], &found, &error)) {
            int used = 0;
            if (S_ISDIR(found.st_mode))
                used = snprintf(line, sizeof(line), "d %s\n", entries[i]->d_name);
            else if (S_ISREG(found.st_mode))
                used = file_line(op, entries[i]->d_name, &found, line, sizeof(line));
            if (used > 0 && (size_t)used < sizeof(line))
                error = add_line(op, &room, line, (size_t)used);
        }
        free(entries[i]);
    }
    free(entries);
    op->value = (int64_t)op->raw_length;
    return error;
}
