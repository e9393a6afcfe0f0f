// SPDX-License-Identifier: MIT
// Which streams have footage below a path: folders with years and months in them.
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/archive.h"
#include "hours.h"
#include "stream/conf.h"

// Names of streams have slashes: folders in folders. What is deeper or more is no archive of ours.
enum { DEPTH_MAX = 8, ENTRIES_MAX = 200000 };

struct search {
    char path[HOUR_PATH]; // being looked at
    size_t root;          // length of the path that was asked for
    char *out;
    size_t room, length;
    unsigned found, entries;
};

static bool is_number(const char *name, size_t digits)
{
    return strlen(name) == digits && strspn(name, "0123456789") == digits;
}

// Whether a folder of a year has one of a month.
static bool has_month(struct search *search)
{
    DIR *folder = opendir(search->path);
    struct dirent *entry;
    bool found = false;
    while (folder && !found && (entry = readdir(folder)) && search->entries++ < ENTRIES_MAX)
        found = is_number(entry->d_name, 2);
    if (folder)
        closedir(folder);
    return found;
}

static bool is_folder(const struct search *search, const struct dirent *entry)
{
    struct stat about;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return lstat(search->path, &about) == 0 && S_ISDIR(about.st_mode);
}

static void note(struct search *search)
{
    const char *name = search->path + search->root + 1;
    size_t length = strlen(name);
    if (search->path[search->root] == 0 || !stream_name_valid(name) ||
        search->length + length + 2 > search->room)
        return;
    memcpy(search->out + search->length, name, length);
    search->length += length;
    search->out[search->length++] = '\n';
    search->out[search->length] = 0;
    search->found++;
}

static void look(struct search *search, unsigned depth)
{
    size_t end = strlen(search->path);
    DIR *folder = opendir(search->path);
    struct dirent *entry;
    bool archive = false;
    while (folder && (entry = readdir(folder)) && search->entries++ < ENTRIES_MAX) {
        size_t length = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || end + 1 + length >= sizeof search->path)
            continue;
        search->path[end] = '/';
        memcpy(search->path + end + 1, entry->d_name, length + 1);
        if (is_folder(search, entry)) {
            if (is_number(entry->d_name, 4))
                archive = archive || has_month(search);
            else if (depth < DEPTH_MAX)
                look(search, depth + 1);
        }
        search->path[end] = 0;
    }
    if (folder)
        closedir(folder);
    if (archive)
        note(search);
}

unsigned archive_folders(const char *path, char *out, size_t room)
{
    struct search search = {.out = out, .room = room};
    int length = snprintf(search.path, sizeof search.path, "%s", path);
    out[0] = 0;
    if (length < 1 || (size_t)length >= sizeof search.path)
        return 0;
    while (length > 1 && search.path[length - 1] == '/')
        search.path[--length] = 0;
    search.root = (size_t)length;
    look(&search, 0);
    return search.found;
}
