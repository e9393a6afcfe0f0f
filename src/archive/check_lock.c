// SPDX-License-Identifier: MIT
// The lock of a path (disk.c), as a check asks for it and a repair holds it.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "check_priv.h"
#include "io/file.h"

static int64_t pid_of(char *text)
{
    int64_t pid;
    text[strcspn(text, " \n")] = 0;
    return text_to_int(text, 1, INT32_MAX, &pid) == 0 ? pid : 0;
}

bool check_lock_held(const char *path, int64_t *pid)
{
    char name[HOUR_PATH], other[FILE_LOCK_TEXT];
    if (!text_format(name, sizeof name, "%s/" CHECK_LOCK_NAME, path) ||
        !file_is_locked_now(name, other, sizeof other))
        return false;
    *pid = pid_of(other);
    return true;
}

bool check_lock_take(struct check *check, const char *path, bool make, int64_t *pid)
{
    struct check_locks *locks = &check->locks;
    char name[HOUR_PATH], text[FILE_LOCK_TEXT], other[FILE_LOCK_TEXT];
    if (!text_format(name, sizeof name, "%s/" CHECK_LOCK_NAME, path) ||
        locks->count == sizeof locks->descriptor / sizeof *locks->descriptor ||
        (!make && access(name, F_OK) != 0))
        return true;
    (void)text_format(text, sizeof text, "%d check\n", (int)getpid());
    int descriptor = file_lock_now(name, text, other, sizeof other);
    if (descriptor < 0 && errno == EEXIST && strcmp(other, text) == 0)
        return true; // by another way to it
    if (descriptor < 0 && errno == EEXIST) {
        *pid = pid_of(other);
        return false;
    }
    if (descriptor < 0) {
        check_note(check, name, "cannot be locked, a server would not be noticed: %s",
                   strerror(errno));
        return true;
    }
    check_give_to_owner(descriptor, path);
    locks->descriptor[locks->count++] = descriptor;
    return true;
}

void check_locks_drop(struct check_locks *locks)
{
    while (locks->count > 0)
        (void)close(locks->descriptor[--locks->count]);
}
