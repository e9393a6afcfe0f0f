// SPDX-License-Identifier: MIT
#include "stream/history.h"

#include "base/ensure.h"

// The index is the code. At the end only.
static const enum reason reason_codes[] = {
    REASON_NONE,     REASON_UNKNOWN, REASON_SOURCE_LOST, REASON_LINK,      REASON_DISABLED,
    REASON_SCHEDULE, REASON_RESTART, REASON_SHED,        REASON_DISK_SLOW, REASON_DISK_FULL,
    REASON_IO,       REASON_DELETED, REASON_CLOCK,       REASON_THINNED,
};
enum { REASON_CODES = sizeof reason_codes / sizeof reason_codes[0] };

uint8_t history_reason_code(enum reason reason)
{
    for (uint8_t i = 0; i < REASON_CODES; i++)
        if (reason_codes[i] == reason)
            return i;
    return history_reason_code(REASON_UNKNOWN);
}

enum reason history_reason_of(uint8_t code)
{
    return code < REASON_CODES ? reason_codes[code] : REASON_UNKNOWN;
}

struct history_request *history_ranges(struct history *history, int64_t from_us, int64_t to_us,
                                       history_ranges_fn done, void *arg)
{
    return history->ops->ranges(history, NULL, from_us, to_us, done, arg);
}

struct history_request *history_list(struct history *history, int64_t from_us, int64_t to_us,
                                     history_list_fn done, void *arg)
{
    return history->ops->list(history, NULL, from_us, to_us, done, arg);
}

struct history_request *history_read(struct history *history, int64_t from_us, int64_t to_us,
                                     enum history_what what, const struct history_events *events,
                                     void *arg)
{
    return history->ops->read(history, NULL, from_us, to_us, what, events, arg);
}

struct history_request *history_ranges_via(struct history *history, const struct history_via *via,
                                           int64_t from_us, int64_t to_us, history_ranges_fn done,
                                           void *arg)
{
    return history->ops->ranges(history, via, from_us, to_us, done, arg);
}

struct history_request *history_list_via(struct history *history, const struct history_via *via,
                                         int64_t from_us, int64_t to_us, history_list_fn done,
                                         void *arg)
{
    return history->ops->list(history, via, from_us, to_us, done, arg);
}

struct history_request *history_read_via(struct history *history, const struct history_via *via,
                                         int64_t from_us, int64_t to_us, enum history_what what,
                                         const struct history_events *events, void *arg)
{
    return history->ops->read(history, via, from_us, to_us, what, events, arg);
}

void history_next(struct history_request *request)
{
    request->history->ops->next(request);
}

void history_cancel(struct history_request **request)
{
    struct history_request *gone = *request;
    *request = NULL;
    if (gone)
        gone->history->ops->cancel(gone);
}

bool history_summary(struct history *history, struct history_range *whole, uint64_t *bytes)
{
    return history->ops->summary && history->ops->summary(history, whole, bytes);
}

void history_keep(struct history *history, struct segment *segment)
{
    if (history->ops->keep)
        history->ops->keep(history, segment);
}

void history_close(struct history **history)
{
    struct history *gone = *history;
    *history = NULL;
    if (gone)
        gone->ops->close(gone);
}
