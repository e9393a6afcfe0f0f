// SPDX-License-Identifier: MIT
#include "temp_folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"

void temp_folder_make(struct temp_folder *folder)
{
    const char *where = getenv("TMPDIR");
    snprintf(folder->path, sizeof(folder->path), "%s/test.XXXXXX", where ? where : "/tmp");
    ENSURE(mkdtemp(folder->path) != NULL);
}

static int remove_one(const char *path, const struct stat *found, int kind, struct FTW *place)
{
    (void)found;
    (void)kind;
    (void)place;
    return remove(path);
}

void temp_folder_remove(struct temp_folder *folder)
{
    nftw(folder->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    folder->path[0] = 0;
}

const char *temp_path(const struct temp_folder *folder, const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder->path, name);
    return path;
}
