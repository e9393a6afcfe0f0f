// SPDX-License-Identifier: MIT
// The interface hands every call to its implementation, and blanks what it takes.
#include "stream/history.h"

#include "unit.h"

static unsigned nexts, cancels, closes;
static struct history_request request;

static struct history_request *ranges(struct history *history, int64_t from_us, int64_t to_us,
                                      history_ranges_fn done, void *arg)
{
    (void)from_us, (void)to_us, (void)done, (void)arg;
    request.history = history;
    return &request;
}

static void next(struct history_request *asked)
{
    assert_ptr_equal(asked, &request);
    nexts++;
}

static void cancel(struct history_request *asked)
{
    assert_ptr_equal(asked, &request);
    cancels++;
}

static void close_history(struct history *history)
{
    (void)history;
    closes++;
}

static const struct history_ops ops = {
    .name = "test", .ranges = ranges, .next = next, .cancel = cancel, .close = close_history};

static void history_calls_reach_the_implementation(void **state)
{
    (void)state;
    struct history history = {.ops = &ops}, *open = &history;
    struct history_request *asked = history_ranges(open, 0, 1, NULL, NULL);
    assert_ptr_equal(asked, &request);
    history_next(asked);
    assert_int_equal(nexts, 1);
    history_cancel(&asked);
    assert_int_equal(cancels, 1);
    assert_null(asked);
    history_cancel(&asked); // NULL is fine
    assert_int_equal(cancels, 1);
    history_close(&open);
    assert_null(open);
    history_close(&open);
    assert_int_equal(closes, 1);
}

static void history_summary_absent_is_false(void **state)
{
    (void)state;
    struct history history = {.ops = &ops};
    struct history_range whole;
    uint64_t bytes;
    assert_false(history_summary(&history, &whole, &bytes));
}

TEST_MAIN(TEST(history_calls_reach_the_implementation), TEST(history_summary_absent_is_false))
