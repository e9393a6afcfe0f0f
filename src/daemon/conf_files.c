// SPDX-License-Identifier: MIT
// Texts and folder listings by path.
#include "conf_files.h"

#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"

struct entry {
    char *path;
    struct bytes text; // owned; of a folder its listing
    char *why;         // owned; NULL when it could be read
};

struct conf_files {
    struct map *map;
};

struct conf_files *conf_files_new(void)
{
    struct conf_files *files = mem_alloc(sizeof(*files));
    files->map = map_new();
    return files;
}

static void entry_free(struct entry *entry)
{
    mem_free(entry->path);
    mem_free((void *)(uintptr_t)entry->text.data);
    mem_free(entry->why);
    mem_free(entry);
}

void conf_files_free(struct conf_files **files)
{
    if (!*files)
        return;
    size_t cursor = 0;
    void *entry;
    while (map_next((*files)->map, &cursor, NULL, &entry))
        entry_free(entry);
    map_free(&(*files)->map);
    mem_free(*files);
    *files = NULL;
}

static void files_put(struct conf_files *files, const char *path, struct bytes text,
                      const char *why)
{
    struct entry *entry = mem_alloc(sizeof(*entry));
    entry->path = mem_strdup(path);
    entry->text = bytes_of(mem_dup(text.data, text.length), text.length);
    entry->why = why ? mem_strdup(why) : NULL;
    struct entry *old = map_set(files->map, path, entry);
    if (old)
        entry_free(old);
}

void conf_files_put(struct conf_files *files, const char *path, struct bytes text)
{
    files_put(files, path, text, NULL);
}

void conf_files_put_error(struct conf_files *files, const char *path, const char *why)
{
    files_put(files, path, bytes_of("", 0), why);
}

void conf_files_put_folder(struct conf_files *files, const char *path, struct bytes listing)
{
    files_put(files, path, listing, NULL);
}

size_t conf_files_count(const struct conf_files *files)
{
    return map_count(files->map);
}

bool conf_files_has(const struct conf_files *files, const char *path)
{
    return map_get(files->map, path) != NULL;
}

bool conf_files_get(const struct conf_files *files, const char *path, struct bytes *text,
                    const char **path_kept, const char **why)
{
    const struct entry *entry = map_get(files->map, path);
    *why = entry ? entry->why : "it was not read";
    *path_kept = entry ? entry->path : NULL;
    *text = entry ? entry->text : bytes_of("", 0);
    return entry && !entry->why;
}

bool conf_files_resolve(const char *from, const char *pattern, char *out, size_t room)
{
    const char *slash = strrchr(from, '/');
    if (pattern[0] == '/' || !slash)
        return text_copy(out, room, pattern);
    return text_format(out, room, "%.*s/%s", (int)(slash - from), from, pattern);
}

int conf_files_split(const char *path, char *folder, char *pattern)
{
    if (!strchr(path, '*'))
        return 0;
    const char *slash = strrchr(path, '/');
    if (slash && memchr(path, '*', (size_t)(slash - path)))
        return ERR_INVALID;
    if (!slash)
        text_copy(folder, CONF_PATH_MAX, ".");
    else
        text_copy_n(folder, CONF_PATH_MAX, path, slash == path ? 1 : (size_t)(slash - path));
    text_copy(pattern, CONF_PATH_MAX, slash ? slash + 1 : path);
    return 1;
}

bool conf_files_match(const struct conf_files *files, const char *folder, const char *pattern,
                      void (*each)(void *arg, const char *path), void *arg, const char **why)
{
    struct bytes listing;
    const char *kept;
    if (!conf_files_get(files, folder, &listing, &kept, why))
        return false;
    while (listing.length) {
        const uint8_t *end = memchr(listing.data, '\n', listing.length);
        size_t length = end ? (size_t)(end - listing.data) : listing.length;
        char line[CONF_PATH_MAX], path[2 * CONF_PATH_MAX];
        text_copy_n(line, sizeof(line), (const char *)listing.data, length);
        bytes_skip(&listing, end ? length + 1 : length);
        char *space = strrchr(line, ' '); // before the size; names may hold spaces
        if (!text_starts(line, "f ") || space < line + 2)
            continue;
        *space = 0;
        const char *name = line + 2;
        if ((name[0] == '.' && pattern[0] != '.') || !text_glob(pattern, name))
            continue;
        if (strcmp(folder, ".") == 0)
            text_copy(path, sizeof(path), name);
        else
            text_format(path, sizeof(path), "%s%s%s", folder, text_ends(folder, "/") ? "" : "/",
                        name);
        each(arg, path);
    }
    return true;
}
