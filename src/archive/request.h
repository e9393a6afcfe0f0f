// SPDX-License-Identifier: MIT
// A reader's request to the archive: what ranges, lists and reads have in common. They walk over
// the hour files that touch [from, to), oldest first.
//
// States: WAITING (for the tree, for an hour file, for bytes, or for the receiver) <-> running, in
// run(); ended (request_end, request_free): the memory goes at the end of the turn.
#ifndef ARCHIVE_REQUEST_H
#define ARCHIVE_REQUEST_H

#include "archive_priv.h"
#include "opened.h"

#define REQUEST_MAGIC 0x41525251u

struct request;

struct request_ops {
    void (*run)(struct request *request);          // something it waited for is there
    void (*end)(struct request *request, int err); // tells the owner; the request ends after
    void (*fini)(struct request *request);
};

struct request {
    struct history_request base; // first
    uint32_t magic;
    const struct request_ops *ops;
    struct archive *archive;
    struct list_node node; // archive->requests
    int64_t from_us, to_us;
    bool dead, refused; // refused: there are too many
    bool wide;          // it is about the files next to [from, to) as well
    bool begun;         // cursor names the hour file looked at last
    struct hour_name cursor;
    struct opened *opened; // it, one reference; NULL between files
    bool entered;          // request_hour has given it before
    struct opened_waiter waiter;
    struct timeout patience; // runs while it waits for the disk
    struct defer wake, gone;
    void *arg; // the owner's
};

// Embedded in a block of `size` bytes from mem_alloc; wakes in the next turn.
struct request *request_new(struct archive *archive, size_t size, const struct request_ops *ops,
                            int64_t from_us, int64_t to_us, void *arg);
void request_free(struct request *request); // at the end of the turn; nothing is called any more
// To be run in the next turn.
void request_wake(struct request *request);
// The hour file that is looked at, or the next one: 0 and request->opened, ERR_AGAIN (run comes),
// or ERR_NOT_FOUND at the end. *fresh: it is another one than last time. Files that cannot be read
// are said and left out.
MUST_USE int request_hour(struct request *request, unsigned want, bool *fresh);
void request_leave_hour(struct request *request);
// The disk was asked, or has answered.
void request_await(struct request *request);
void request_answered(struct request *request);

// reader.c
struct history_request *reader_new(struct archive *archive, int64_t from_us, int64_t to_us,
                                   enum history_what what, const struct history_events *events,
                                   void *arg);
void reader_next(struct request *request);

#endif
