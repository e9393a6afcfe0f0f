// SPDX-License-Identifier: MIT
// The files of archive_fixture.h's folder, looked at and damaged.
#ifndef TESTS_ARCHIVE_FILES_H
#define TESTS_ARCHIVE_FILES_H

#include "archive_fixture.h"

struct files {
    char path[200][256];
    off_t size[200];
    unsigned count;
};

static inline void files_add(struct files *files, const char *folder, const char *ending)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[256];
        struct stat found;
        if (entries[i]->d_name[0] != '.' &&
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) <
                sizeof path &&
            stat(path, &found) == 0) {
            if (S_ISDIR(found.st_mode)) {
                files_add(files, path, ending);
            } else if (text_ends(path, ending) &&
                       (strcmp(entries[i]->d_name, "journal") != 0 || ending[0])) {
                ENSURE(files->count < 200);
                (void)text_copy(files->path[files->count], 256, path);
                files->size[files->count++] = found.st_size;
            }
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

// All files below the archive's folder with that ending, in order of path; "": but the journal.
static inline struct files *room_files(const char *ending)
{
    static struct files files;
    files.count = 0;
    files_add(&files, room.folder.path, ending);
    return &files;
}

static inline void file_write_byte(const char *path, off_t at, uint8_t byte)
{
    int descriptor = open(path, O_WRONLY);
    assert_true(descriptor >= 0);
    assert_int_equal(pwrite(descriptor, &byte, 1, at), 1);
    close(descriptor);
}

static inline uint8_t file_read_byte(const char *path, off_t at)
{
    uint8_t byte = 0;
    int descriptor = open(path, O_RDONLY);
    assert_true(descriptor >= 0);
    assert_int_equal(pread(descriptor, &byte, 1, at), 1);
    close(descriptor);
    return byte;
}

#endif
