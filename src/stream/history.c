// SPDX-License-Identifier: MIT
#include "stream/history.h"

#include "base/ensure.h"

struct history_request *history_ranges(struct history *history, int64_t from_us, int64_t to_us,
                                       history_ranges_fn done, void *arg)
{
    return history->ops->ranges(history, from_us, to_us, done, arg);
}

struct history_request *history_list(struct history *history, int64_t from_us, int64_t to_us,
                                     history_list_fn done, void *arg)
{
    return history->ops->list(history, from_us, to_us, done, arg);
}

struct history_request *history_read(struct history *history, int64_t from_us, int64_t to_us,
                                     enum history_what what, const struct history_events *events,
                                     void *arg)
{
    return history->ops->read(history, from_us, to_us, what, events, arg);
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

void history_close(struct history **history)
{
    struct history *gone = *history;
    *history = NULL;
    if (gone)
        gone->ops->close(gone);
}
