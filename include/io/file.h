// SPDX-License-Identifier: MIT
// The file system, asynchronous by contract: submit, completion in a later turn. Worker threads do
// the system calls (open, rename, unlink, fsync and stat can wait for the journal as long as write
// can) and touch nothing else of the program.
//
// Order: operations on the same path, and on a file opened by that path, run in the order they were
// submitted; with one thread all do. Different queues run side by side.
#ifndef IO_FILE_H
#define IO_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/chain.h"
#include "base/err.h"

struct loop;
struct file_queue; // one per disk path is the rule; a hung disk then hurts nobody else
struct file_op;

enum { FILE_THREADS_MAX = 8 };

// threads: 1 to FILE_THREADS_MAX, started with the first operation.
struct file_queue *file_queue_new(struct loop *loop, const char *name, unsigned threads);
// Blocks until everything that was submitted is done, at most timeout_us; callbacks come inside,
// and what they submit is waited for too. False when something was left. For shutdown and tests.
bool file_queue_flush(struct file_queue *queue, int64_t timeout_us);
// No callback comes any more. What was submitted is still done, as long as the loop turns; the
// queue goes at the end of the turn in which all is done. Operations that a hung disk holds are
// abandoned with their memory. Files must be closed before (file_close).
void file_queue_free(struct file_queue **queue);

struct file_stats {
    unsigned queued;       // operations not completed
    uint64_t bytes_queued; // of writes not completed
    int64_t oldest_us;     // how long the oldest one waits, 0 when none
    uint64_t done, failed, refused;
};
void file_queue_stats(const struct file_queue *queue, struct file_stats *out);

// An open file. Closing is queued after what was submitted before.
struct file;

// Result of an operation. err is 0 or ERR_IO, ERR_NOT_FOUND, ERR_EXISTS, ERR_LIMIT; os_error is the
// errno. data is for reads (borrowed for the callback; take a reference to keep it); value is a
// count of bytes, or what the operation says.
struct file_result {
    int err;
    int os_error;
    int64_t value;
    struct buf *data;
    struct file *file; // for opens: yours from now on
};
typedef void (*file_done_fn)(void *arg, const struct file_result *result);

// Every submit returns the operation, or NULL when the queue is full (FILE_QUEUE_MAX operations or
// FILE_QUEUE_BYTES_MAX of writes): then `done` is not called. A chain is emptied in either case.
// done may be NULL. The op is invalid once done is called.
struct file_op *file_open(struct file_queue *queue, const char *path, int flags, unsigned mode,
                          file_done_fn done, void *arg); // makes missing folders with O_CREAT
void file_close(struct file **file);                     // never refused; *file may be NULL
// Appends at the end: where the file ended when it was opened, moved by file_append and
// file_truncate, and never back by an error. value = bytes written. A short write is continued;
// after an error some of the bytes may be there (file_truncate cuts them off).
struct file_op *file_append(struct file *file, struct chain *chain, file_done_fn done, void *arg);
// Writes at an offset.
struct file_op *file_write_at(struct file *file, uint64_t offset, struct chain *chain,
                              file_done_fn done, void *arg);
// Reads up to length bytes at offset into a new buf. Fewer at the end of file. NULL also when there
// is no memory for length.
struct file_op *file_read(struct file *file, uint64_t offset, size_t length, file_done_fn done,
                          void *arg);
// Only when the bytes are in the page cache: 0 and *out (count one; fewer bytes at the end of
// file), else ERR_AGAIN. Never waits.
MUST_USE int file_read_cached(struct file *file, uint64_t offset, size_t length, struct buf **out);
struct file_op *file_sync(struct file *file, file_done_fn done, void *arg); // a folder: fsync
struct file_op *file_truncate(struct file *file, uint64_t length, file_done_fn done, void *arg);
// Gives the bytes there back to the disk: they read as 0, and the file keeps its length. value =
// bytes that the file takes on the disk then. os_error EOPNOTSUPP: this file system cannot.
struct file_op *file_punch(struct file *file, uint64_t offset, uint64_t length, file_done_fn done,
                           void *arg);
// ERR_LIMIT when the file is longer than `most`.
struct file_op *file_read_whole(struct file_queue *queue, const char *path, size_t most,
                                file_done_fn done, void *arg);
// Writes a new file beside `path` (its name with ".new"), syncs it, renames it over `path`, syncs
// the folder. The folder must exist.
struct file_op *file_replace(struct file_queue *queue, const char *path, struct chain *chain,
                             file_done_fn done, void *arg);
struct file_op *file_rename(struct file_queue *queue, const char *from, const char *to,
                            file_done_fn done, void *arg);
// Another name, in folders that are made when they are missing; those that become empty go, below
// `stop`. ERR_EXISTS: that name is taken, nothing changed.
struct file_op *file_move(struct file_queue *queue, const char *from, const char *to,
                          const char *stop, file_done_fn done, void *arg);
// Removes the file and then the folders above it that became empty, up to but without `stop`
// (NULL: the file only). value = bytes freed.
struct file_op *file_remove(struct file_queue *queue, const char *path, const char *stop,
                            file_done_fn done, void *arg);
struct file_op *file_make_folders(struct file_queue *queue, const char *path, file_done_fn done,
                                  void *arg);
// data = lines "d name\n" or "f name size\n" sorted by name, of one folder; names with control
// characters and other kinds are left out. A name that cannot be looked at is an error, unless it
// is gone by then. ERR_LIMIT beyond 64 MB.
struct file_op *file_list(struct file_queue *queue, const char *path, file_done_fn done, void *arg);
// The same with lines "f name size used": used is what the file takes on the disk, in bytes.
struct file_op *file_list_used(struct file_queue *queue, const char *path, file_done_fn done,
                               void *arg);
// The same lines without looking at each file: both numbers are 0.
struct file_op *file_names(struct file_queue *queue, const char *path, file_done_fn done,
                           void *arg);
// Fill of the file system that holds path: value = per mille used; data = three u64 in host order:
// total bytes, free bytes for us, device number.
struct file_op *file_disk_usage(struct file_queue *queue, const char *path, file_done_fn done,
                                void *arg);
// What path lies on, of which only a part may exist: value = the length of its beginning where the
// file system under it is mounted (1: "/"); data = two u64 in host order: the device under it and
// the one of "/".
struct file_op *file_mount(struct file_queue *queue, const char *path, file_done_fn done,
                           void *arg);
// The same, blocking: before the loop runs, or in a worker. 0 or ERR_IO.
MUST_USE int file_mount_now(const char *path, uint64_t device[2], size_t *mount);
// Opens the file, made when it is missing (its folder is not), locks it against other processes and
// writes the text into it; file: the lock goes when it is closed, or the process ends. It does not
// wait. ERR_EXISTS: it is locked, by another process or by this one, through another file; data =
// what the holder wrote. ERR_NOT_FOUND: there is no folder. Else ERR_IO, with the errno of file
// systems that cannot lock (ENOLCK, EOPNOTSUPP, ENOSYS) too.
enum { FILE_LOCK_TEXT = 100 };
struct file_op *file_lock(struct file_queue *queue, const char *path, const char *text,
                          file_done_fn done, void *arg);
// The same, blocking: a descriptor, or -1 with errno (EEXIST: locked; other = what its holder
// wrote).
int file_lock_now(const char *path, const char *text, char *other, size_t room);
// Whether another process has it, without taking it. False when that is not to be known.
bool file_is_locked_now(const char *path, char *other, size_t room);
// Runs fn(fn_arg) in a worker: for work that must read many files (recovery). fn touches only what
// fn_arg points to, and may call pure functions of base (bytes, code, text) but nothing that
// allocates with base/mem or logs. value = what fn returned (negative: err, an ERR_ code).
struct file_op *file_run(struct file_queue *queue, int64_t (*fn)(void *fn_arg), void *fn_arg,
                         file_done_fn done, void *arg);
// done is not called any more; the operation itself may still happen (a file that was being opened
// is closed). NULL is fine.
void file_op_cancel(struct file_op **op);

#endif
