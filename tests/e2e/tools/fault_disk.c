// SPDX-License-Identifier: MIT
// A disk with faults: shows a folder at a mount point and does to the calls what a file says.
//
//   fault_disk FOLDER CONTROL MOUNTPOINT      in front, until SIGTERM; prints "mounted"
//
// CONTROL is read before each call that takes part; it has lines "WHAT DOES":
//   WHAT  write (write, truncate), sync, name (create, rename, unlink, folders), read, or all
//   DOES  hang: until the line is gone; slow MS: that much later; errno N; after K ... : the first
//   K
//         calls that this line meets are let through, counted since CONTROL was changed last
// It is replaced by rename, so nobody reads half of it.
#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 5 };

static const char *folder, *control;
static atomic_int met;
static atomic_long version; // of CONTROL: when it was written, as inodes are used again

static void wait_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

// One look at CONTROL: 0, an errno, or -1: look again soon. slow_ms: as told, once.
static int look(const char *what, long *slow_ms)
{
    FILE *in = fopen(control, "re");
    char line[200], word[20], does[20];
    long number;
    int result = 0;
    struct stat at;
    if (!in)
        return 0;
    if (fstat(fileno(in), &at) == 0) {
        long written = at.st_mtim.tv_sec * 1000000000L + at.st_mtim.tv_nsec;
        if (atomic_exchange(&version, written) != written)
            met = 0;
    }
    while (result == 0 && fgets(line, sizeof line, in)) {
        int used = 0, more = 0;
        if (sscanf(line, "%19s %n", word, &used) != 1 ||
            (strcmp(word, what) != 0 && strcmp(word, "all") != 0))
            continue;
        if (sscanf(line + used, "after %ld %n", &number, &more) == 1) {
            if (met++ < number)
                continue;
            used += more;
        }
        number = 0;
        if (sscanf(line + used, "%19s %ld", does, &number) < 1)
            continue;
        if (strcmp(does, "hang") == 0)
            result = -1;
        else if (strcmp(does, "errno") == 0)
            result = (int)number;
        else if (strcmp(does, "slow") == 0)
            *slow_ms = number;
    }
    fclose(in);
    return result;
}

static int fault(const char *what)
{
    long slow_ms = 0;
    int result;
    while ((result = look(what, &slow_ms)) < 0)
        wait_ms(WAIT_MS);
    if (slow_ms)
        wait_ms(slow_ms);
    return -result;
}

static const char *real(const char *path, char *room)
{
    if (snprintf(room, PATH_MAX, "%s%s", folder, path) >= PATH_MAX)
        return ""; // no such file
    return room;
}

static int told(long result)
{
    return result < 0 ? -errno : (int)result;
}

// The fault if there is one, else what the call does.
#define DO(what, call)                                                                             \
    char room[PATH_MAX];                                                                           \
    int wrong = fault(what);                                                                       \
    (void)room;                                                                                    \
    return wrong ? wrong : told(call)

static int do_getattr(const char *path, struct stat *out, struct fuse_file_info *file)
{
    char room[PATH_MAX];
    return told(file ? fstat((int)file->fh, out) : lstat(real(path, room), out));
}

static int do_open(const char *path, struct fuse_file_info *file)
{
    char room[PATH_MAX];
    bool writes = (file->flags & O_ACCMODE) != O_RDONLY;
    int wrong = fault(writes ? "name" : "read");
    int descriptor = wrong ? wrong : told(open(real(path, room), file->flags | O_CLOEXEC));
    file->fh = (uint64_t)descriptor;
    return descriptor < 0 ? descriptor : 0;
}

static int do_create(const char *path, mode_t mode, struct fuse_file_info *file)
{
    char room[PATH_MAX];
    int wrong = fault("name");
    int descriptor = wrong ? wrong : told(open(real(path, room), file->flags | O_CLOEXEC, mode));
    file->fh = (uint64_t)descriptor;
    return descriptor < 0 ? descriptor : 0;
}

static int do_read(const char *path, char *data, size_t size, off_t at, struct fuse_file_info *file)
{
    (void)path;
    DO("read", pread((int)file->fh, data, size, at));
}

static int do_write(const char *path, const char *data, size_t size, off_t at,
                    struct fuse_file_info *file)
{
    (void)path;
    DO("write", pwrite((int)file->fh, data, size, at));
}

static int do_truncate(const char *path, off_t size, struct fuse_file_info *file)
{
    DO("write", file ? ftruncate((int)file->fh, size) : truncate(real(path, room), size));
}

static int do_fsync(const char *path, int data_only, struct fuse_file_info *file)
{
    (void)path;
    (void)data_only;
    DO("sync", fdatasync((int)file->fh));
}

static int do_fsyncdir(const char *path, int data_only, struct fuse_file_info *file)
{
    (void)path;
    (void)data_only;
    (void)file;
    return fault("sync");
}

static int do_release(const char *path, struct fuse_file_info *file)
{
    (void)path;
    return told(close((int)file->fh));
}

static int do_unlink(const char *path)
{
    DO("name", unlink(real(path, room)));
}

static int do_mkdir(const char *path, mode_t mode)
{
    DO("name", mkdir(real(path, room), mode));
}

static int do_rmdir(const char *path)
{
    DO("name", rmdir(real(path, room)));
}

static int do_rename(const char *from, const char *to, unsigned flags)
{
    char other[PATH_MAX];
    if (flags)
        return -EINVAL;
    DO("name", rename(real(from, room), real(to, other)));
}

static int do_statfs(const char *path, struct statvfs *out)
{
    DO("read", statvfs(real(path, room), out));
}

static int do_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t at,
                      struct fuse_file_info *file, enum fuse_readdir_flags flags)
{
    char room[PATH_MAX];
    (void)at;
    (void)file;
    (void)flags;
    int wrong = fault("read");
    DIR *names = wrong ? NULL : opendir(real(path, room));
    if (!names)
        return wrong ? wrong : -errno;
    for (struct dirent *name; (name = readdir(names));) {
        struct stat kind = {.st_ino = name->d_ino, .st_mode = (mode_t)name->d_type << 12};
        fill(out, name->d_name, &kind, 0, 0);
    }
    closedir(names);
    return 0;
}

static void *do_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void)connection;
    config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
    puts("mounted");
    fflush(stdout);
    return NULL;
}

static const struct fuse_operations operations = {
    .init = do_init,
    .getattr = do_getattr,
    .open = do_open,
    .create = do_create,
    .read = do_read,
    .write = do_write,
    .truncate = do_truncate,
    .fsync = do_fsync,
    .fsyncdir = do_fsyncdir,
    .release = do_release,
    .unlink = do_unlink,
    .mkdir = do_mkdir,
    .rmdir = do_rmdir,
    .rename = do_rename,
    .statfs = do_statfs,
    .readdir = do_readdir,
};

int main(int count, char **words)
{
    if (count != 4) {
        fprintf(stderr, "usage: fault_disk FOLDER CONTROL MOUNTPOINT\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM); // the test that started it
    folder = words[1];
    control = words[2];
    char *arguments[] = {words[0], "-f", "-o", "fsname=fault_disk,max_threads=32", words[3], NULL};
    return fuse_main(5, arguments, &operations, NULL);
}
