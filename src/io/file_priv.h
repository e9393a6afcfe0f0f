// SPDX-License-Identifier: MIT
// Between the loop's side of io/file (file.c) and the workers' (file_work.c).
#ifndef IO_FILE_PRIV_H
#define IO_FILE_PRIV_H

#include <pthread.h>

#include "base/chain.h"
#include "base/list.h"
#include "io/file.h"
#include "io/file_calls.h"

enum file_kind {
    FILE_OPEN,
    FILE_CLOSE,
    FILE_WRITE,
    FILE_READ,
    FILE_SYNC,
    FILE_TRUNCATE,
    FILE_PUNCH,
    FILE_READ_WHOLE,
    FILE_REPLACE,
    FILE_RENAME,
    FILE_MOVE,
    FILE_REMOVE,
    FILE_MAKE_FOLDERS,
    FILE_LIST,
    FILE_DISK_USAGE,
    FILE_MOUNT,
    FILE_RUN,
};

struct file {
    uint32_t magic;
    struct file_queue *queue;
    uint32_t key;   // of its path: chooses the worker
    int descriptor; // set by the worker that opened it; -1 before
    uint64_t end;   // where file_append writes; the worker's
};

#define FILE_AT_END UINT64_MAX
// Flags of FILE_LIST: sizes are not wanted; what files take on the disk is wanted, too.
enum { FILE_LIST_NAMES = 1, FILE_LIST_USED = 2 };

struct file_op {
    struct list_node node;        // in a worker's queue or in `completed`; under the lock
    struct list_node outstanding; // in the queue's list; the loop's
    struct file_queue *queue;
    enum file_kind kind;
    bool cancelled; // under the lock while queued: a worker does not begin a read nobody wants
    file_done_fn done;
    void *arg;
    int64_t submitted_us;
    // Arguments; only read by the worker, but for file->end.
    struct file *file;
    char *path, *stop;
    char *other; // a second path; of an open: locked, with this text in it
    struct chain chain;
    uint64_t offset;
    size_t length;
    int flags;
    unsigned mode;
    int64_t (*fn)(void *fn_arg);
    void *fn_arg;
    // Results; the worker's until the op is in `completed`.
    int err, os_error;
    int64_t value;
    struct buf *data; // made at submit, for FILE_READ
    uint8_t *raw;     // made by the worker with malloc, length raw_length; NULL when none
    size_t raw_length;
};

struct file_worker {
    struct file_shared *shared;
    struct list queue; // struct file_op
    unsigned count;    // queued and running
    pthread_cond_t wake;
};

// What threads share. Lives until the last of its users (workers and the queue) has left; with a
// disk that hangs for ever, for ever. From malloc: the counters of base/mem are the loop's.
struct file_shared {
    pthread_mutex_t lock;
    unsigned users;
    bool stopping;
    int event; // eventfd: `completed` is not empty
    struct list completed;
    unsigned workers;
    struct file_worker worker[FILE_THREADS_MAX];
};

enum { FILE_BLOCK = 512 }; // of st_blocks

// file_list.c: 0 or an errno.
int file_list_run(const struct file_calls *call, struct file_op *op);

// file_work.c
// Takes a worker into service: a thread, or by hand in tests.
void file_worker_start(struct file_worker *worker, const pthread_attr_t *attributes);
void file_worker_wake(struct file_worker *worker);  // after an op was queued, without the lock
void file_workers_help(void);                       // by hand: runs what is queued
void file_shared_leave(struct file_shared *shared); // with the lock held; gives it back
const struct file_calls *file_calls_now(void);

#endif
