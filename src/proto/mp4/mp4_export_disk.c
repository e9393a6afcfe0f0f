// SPDX-License-Identifier: MIT
#include "mp4_export_disk.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "io/file.h"

enum { PATH_MOST = 2048, DEPTH_MOST = 130 }; // a name has up to 128 parts

// ---- naming ------------------------------------------------------------------------------------

bool export_name_is_good(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        bool begins = i == 0 || name[i - 1] == '/';
        if (name[i] == '/' ? begins : !isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return false;
        if (begins && name[i] == '.')
            return false;
    }
    return length > 4 && length < 256 && strcmp(name + length - 4, ".mp4") == 0 &&
           name[length - 5] != '/';
}

static int sync_folder_of(const char *path)
{
    char folder[PATH_MOST];
    const char *slash = strrchr(path, '/');
    if (!slash || !text_copy_n(folder, sizeof folder, path, (size_t)(slash - path)))
        return ERR_IO;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return ERR_IO;
    int result = fsync(descriptor);
    // Some file systems cannot sync a folder: theirs is not to be had.
    bool fine = result == 0 || errno == EINVAL || errno == ENOTSUP;
    (void)close(descriptor);
    return fine ? 0 : ERR_IO;
}

// As rename() that never overwrites; -1 with errno.
static int rename_new(const char *part, const char *path)
{
    if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return -1;
    // A network file system has no such call: a second name, then without the first.
    if (link(part, path) == 0)
        return unlink(part);
    if (errno == EEXIST)
        return -1;
    // One without links (FAT): nobody else writes below our folder.
    struct stat found;
    if (lstat(path, &found) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(part, path);
}

int export_name_now(const char *part, const char *path)
{
    if (rename_new(part, path) != 0)
        return errno == EEXIST ? ERR_EXISTS : ERR_IO;
    if (sync_folder_of(path) == 0)
        return 0;
    (void)unlink(path); // what may be gone after a power cut is not told as done
    return ERR_IO;
}

// ---- sweeping ----------------------------------------------------------------------------------

// path: with room for PATH_MOST; as it was afterwards.
static int64_t sweep(char *path, unsigned depth)
{
    int64_t removed = 0;
    size_t length = strlen(path);
    DIR *folder = depth < DEPTH_MOST ? opendir(path) : NULL;
    if (!folder)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL; path[length] = 0) {
        struct stat found;
        if (entry->d_name[0] == '.' || length + 2 + strlen(entry->d_name) > PATH_MOST)
            continue;
        path[length] = '/';
        memcpy(path + length + 1, entry->d_name, strlen(entry->d_name) + 1);
        if (lstat(path, &found) != 0)
            continue;
        if (S_ISDIR(found.st_mode))
            removed += sweep(path, depth + 1);
        else if (S_ISREG(found.st_mode) && text_ends(entry->d_name, ".mp4.part") &&
                 unlink(path) == 0)
            removed++;
    }
    (void)closedir(folder);
    return removed;
}

int64_t export_sweep_now(const char *folder, int *lock)
{
    char path[PATH_MOST], text[FILE_LOCK_TEXT], other[FILE_LOCK_TEXT];
    *lock = -1;
    if (!text_format(path, sizeof path, "%s/.sluice-exports", folder))
        return ERR_IO;
    (void)text_format(text, sizeof text, "process %ld\n", (long)getpid());
    *lock = file_lock_now(path, text, other, sizeof other);
    if (*lock < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : errno == EEXIST ? ERR_EXISTS : ERR_IO;
    (void)text_copy(path, sizeof path, folder);
    return sweep(path, 0);
}
