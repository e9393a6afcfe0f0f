// SPDX-License-Identifier: MIT
// Locks between processes: open file description locks (fcntl, F_OFD_SETLK), which network file
// systems know too, and which go with the last descriptor: as the process dies, however it does.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "file_priv.h"

static void read_text(int descriptor, char *out, size_t room)
{
    ssize_t got = pread(descriptor, out, room - 1, 0);
    out[got > 0 ? got : 0] = 0;
}

int file_lock_now(const char *path, const char *text, char *other, size_t room)
{
    other[0] = 0;
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0)
        return -1;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_OFD_SETLK, &whole) != 0) {
        int error = errno;
        if (error == EAGAIN || error == EACCES) {
            read_text(descriptor, other, room);
            error = EEXIST;
        }
        (void)close(descriptor);
        errno = error;
        return -1;
    }
    // On a full disk nobody can read who has it; it is had all the same.
    if (ftruncate(descriptor, 0) == 0 && pwrite(descriptor, text, strlen(text), 0) < 0)
        return descriptor;
    return descriptor;
}

bool file_is_locked_now(const char *path, char *other, size_t room)
{
    other[0] = 0;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool locked = fcntl(descriptor, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    if (locked)
        read_text(descriptor, other, room);
    (void)close(descriptor);
    return locked;
}
