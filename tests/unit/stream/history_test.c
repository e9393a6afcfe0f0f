// SPDX-License-Identifier: MIT
// The interface hands every call to its implementation, and blanks what it takes.
#include "stream/history.h"

#include "unit.h"

static unsigned nexts, cancels, closes;
static struct history_request request;

static struct history_request *ranges(struct history *history, const struct history_via *via,
                                      int64_t from_us, int64_t to_us, history_ranges_fn done,
                                      void *arg)
{
    assert_null(via);
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

// What stands in files and on the wire of other versions.
static void history_reason_codes_never_change(void **state)
{
    (void)state;
    assert_int_equal(history_reason_code(REASON_NONE), 0);
    assert_int_equal(history_reason_code(REASON_UNKNOWN), 1);
    assert_int_equal(history_reason_code(REASON_SOURCE_LOST), 2);
    assert_int_equal(history_reason_code(REASON_LINK), 3);
    assert_int_equal(history_reason_code(REASON_DISABLED), 4);
    assert_int_equal(history_reason_code(REASON_SCHEDULE), 5);
    assert_int_equal(history_reason_code(REASON_RESTART), 6);
    assert_int_equal(history_reason_code(REASON_SHED), 7);
    assert_int_equal(history_reason_code(REASON_DISK_SLOW), 8);
    assert_int_equal(history_reason_code(REASON_DISK_FULL), 9);
    assert_int_equal(history_reason_code(REASON_IO), 10);
    assert_int_equal(history_reason_code(REASON_DELETED), 11);
    assert_int_equal(history_reason_code(REASON_CLOCK), 12);
    assert_int_equal(history_reason_code(REASON_THINNED), 13);
    for (unsigned code = 0; code < 14; code++)
        assert_int_equal(history_reason_code(history_reason_of((uint8_t)code)), code);
    assert_int_equal(history_reason_of(14), REASON_UNKNOWN);
    assert_int_equal(history_reason_of(255), REASON_UNKNOWN);
    assert_int_equal(history_reason_code(REASON_DNS), 1);
}

TEST_MAIN(TEST(history_reason_codes_never_change), TEST(history_calls_reach_the_implementation),
          TEST(history_summary_absent_is_false))
