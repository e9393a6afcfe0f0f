// SPDX-License-Identifier: MIT
// A folder for a test's files, removed with everything in it.
#ifndef TESTS_SUPPORT_TEMP_FOLDER_H
#define TESTS_SUPPORT_TEMP_FOLDER_H

struct temp_folder {
    char path[128];
};

void temp_folder_make(struct temp_folder *folder);
void temp_folder_remove(struct temp_folder *folder);
// folder/name in a static buffer; four may be in use at once.
const char *temp_path(const struct temp_folder *folder, const char *name);

#endif
