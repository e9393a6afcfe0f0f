// SPDX-License-Identifier: MIT
// One timeline of what several holders have.
#include "history_plan.h"

#include "base/clock.h"
#include "unit.h"

#define S US_PER_S

static struct segment_info info(uint64_t number, double from_s, double to_s)
{
    return (struct segment_info){.number = number,
                                 .utc_start_us = (int64_t)(from_s * 1e6),
                                 .duration_us = (int64_t)((to_s - from_s) * 1e6),
                                 .bytes = 100};
}

// "start-end/holder" of each item, "!" when not continuous.
static const char *print(const struct plan *plan)
{
    static char text[512];
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_item *item = &plan->item[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%g-%g/%u%s", i ? " " : "",
                                 (double)item->info.utc_start_us / 1e6,
                                 (double)(item->info.utc_start_us + item->info.duration_us) / 1e6,
                                 item->holder, item->info.flags & SEGMENT_DISCONTINUITY ? "!" : "");
    }
    return text;
}

static void plan_of_halves_is_whole(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct segment_info late[] = {info(3, 8, 12), info(4, 12, 16)};
    struct segment_info early[] = {info(1, 0, 4), info(2, 4, 8), info(3, 8, 12)};
    plan_add(&plan, late, 2, false, 0);
    plan_add(&plan, early, 3, false, 1);
    plan_mark(&plan);
    assert_string_equal(print(&plan), "0-4/1 4-8/1 8-12/0 12-16/0");
    assert_int_equal(plan_find(&plan, 0), 0);
    assert_int_equal(plan_find(&plan, 4 * S), 1);
    assert_int_equal(plan_find(&plan, 16 * S), 4);
    plan_fini(&plan);
}

static void plan_of_different_cuts_never_overlaps(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct segment_info here[] = {info(1, 0, 4), info(2, 12, 16)};
    struct segment_info there[] = {info(10, 1, 5), info(11, 5, 9), info(12, 9, 13)};
    struct segment_info third[] = {info(20, 9.05, 11.95), info(21, 16.05, 16.10)};
    plan_add(&plan, here, 2, false, 0);
    plan_add(&plan, there, 3, false, 1);
    assert_string_equal(print(&plan), "0-4/0 5-9/1 12-16/0");
    plan_add(&plan, third, 2, false, 2);
    plan_mark(&plan);
    assert_string_equal(print(&plan), "0-4/0 5-9/1! 9.05-11.95/2! 12-16/0! 16.05-16.1/2!");
    plan_fini(&plan);
}

static void plan_takes_the_whole_segment_for_one_cut_short(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct segment_info here[] = {info(1, 0, 1.5), info(2, 4, 8), info(3, 8, 11.9)};
    struct segment_info there[] = {info(1, 0, 4), info(2, 4, 9), info(3, 8, 12)};
    struct history_range hole;
    plan_add(&plan, here, 3, false, 0);
    assert_true(plan_hole(&plan, 0, 11 * S, &hole));
    assert_int_equal(hole.from_us, 1500000);
    assert_int_equal(hole.to_us, 4 * S);
    plan_add(&plan, there, 3, false, 1);
    assert_string_equal(print(&plan), "0-4/1 4-8/0 8-11.9/0"); // 4-9 would not fit
    assert_false(plan_hole(&plan, 0, 11 * S, &hole));
    plan_fini(&plan);
}

static void plan_takes_the_whole_segment_for_one_thinned(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct segment_info here[] = {info(1, 0, 4), info(2, 4, 8), info(3, 8, 12), info(4, 12, 16)};
    struct segment_info there[] = {info(1, 0, 4), info(2, 4, 8), info(3, 8, 12), info(5, 11, 16)};
    struct history_range hole;
    here[1].flags = here[2].flags = here[3].flags = SEGMENT_THINNED;
    there[0].flags = there[2].flags = SEGMENT_THINNED;
    plan_add(&plan, here, 4, false, 0);
    assert_true(plan_hole(&plan, 0, 16 * S, &hole));
    assert_true(hole.from_us == 4 * S && hole.to_us == 16 * S);
    assert_false(plan_hole(&plan, 0, 4 * S, &hole));
    plan_add(&plan, there, 4, false, 1);
    assert_string_equal(print(&plan), "0-4/0 4-8/1 8-12/0 12-16/0"); // 11-16 is cut otherwise
    plan_fini(&plan);
    // A beginning, and all of it thinned: what lasts longer.
    struct segment_info begun = info(1, 0, 1.5), thinned = info(1, 0, 4);
    thinned.flags = SEGMENT_THINNED;
    plan_add(&plan, &begun, 1, false, 0);
    plan_add(&plan, &thinned, 1, false, 1);
    assert_string_equal(print(&plan), "0-4/1");
    plan_add(&plan, &begun, 1, false, 2);
    assert_string_equal(print(&plan), "0-4/1");
    plan_fini(&plan);
}

static void plan_hole_is_from_the_first_to_the_last(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct segment_info here[] = {info(1, 2, 4), info(2, 4.05, 6), info(3, 8, 10)};
    struct history_range hole;
    assert_true(plan_hole(&plan, 5, 9, &hole));
    assert_true(hole.from_us == 5 && hole.to_us == 9);
    plan_add(&plan, here, 3, false, 0);
    assert_true(plan_hole(&plan, 0, 20 * S, &hole));
    assert_true(hole.from_us == 0 && hole.to_us == 20 * S);
    assert_true(plan_hole(&plan, 3 * S, 9 * S, &hole));
    assert_true(hole.from_us == 6 * S && hole.to_us == 8 * S);
    assert_false(plan_hole(&plan, 2 * S, 6 * S, &hole));
    plan_fini(&plan);
}

static void plan_copies_are_for_what_others_have(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct segment_info here[] = {info(1, 0, 4)};
    struct segment_info there[] = {info(2, 4, 8), info(3, 8, 12), info(4, 12, 16)};
    struct segment_info copies[] = {info(1, 0, 4), info(2, 4, 8), info(9, 8, 12), info(4, 12, 16)};
    copies[3].bytes++;
    plan_add(&plan, here, 1, false, 0);
    plan_add(&plan, there, 3, false, 2);
    plan_use_copies(&plan, copies, 4, 1, 1);
    assert_string_equal(print(&plan), "0-4/0 4-8/1 8-12/2 12-16/2");
    plan_fini(&plan);
}

static void plan_of_a_list_that_was_cut_ends_there(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct segment_info here[] = {info(1, 0, 4), info(4, 12, 16)};
    struct segment_info there[] = {info(2, 4, 8)};
    plan_add(&plan, here, 2, false, 0);
    plan_add(&plan, there, 1, true, 1);
    assert_string_equal(print(&plan), "0-4/0 4-8/1");
    assert_true(plan.cut);
    plan_fini(&plan);
}

static void assert_range(const struct history_range *range, int64_t from_us, int64_t to_us,
                         enum reason reason)
{
    assert_int_equal(range->from_us, from_us);
    assert_int_equal(range->to_us, to_us);
    assert_int_equal(range->reason, reason);
}

static void plan_ranges_hole_only_when_nobody_has_it(void **state)
{
    (void)state;
    struct plan_ranges ranges = {0};
    struct history_range hole;
    const struct history_range here[] = {
        {0, 10, REASON_NONE}, {10, 20, REASON_LINK}, {20, 30, REASON_NONE}};
    const struct history_range there[] = {
        {5, 12, REASON_NONE}, {12, 15, REASON_RESTART}, {15, 17, REASON_UNKNOWN}};
    assert_true(plan_ranges_hole(&ranges, 3, 9, &hole));
    assert_range(&hole, 3, 9, hole.reason);
    plan_ranges_add(&ranges, here, 3);
    assert_true(plan_ranges_hole(&ranges, 0, 30, &hole));
    assert_true(hole.from_us == 10 && hole.to_us == 20);
    assert_false(plan_ranges_hole(&ranges, 20, 30, &hole));
    plan_ranges_add(&ranges, there, 3);
    assert_int_equal(ranges.count, 4);
    assert_range(&ranges.range[0], 0, 12, REASON_NONE);
    assert_range(&ranges.range[1], 12, 15, REASON_RESTART); // who is nearer to the camera knows
    assert_range(&ranges.range[2], 15, 20, REASON_LINK);
    assert_range(&ranges.range[3], 20, 30, REASON_NONE);
    plan_ranges_fini(&ranges);
}

static void plan_ranges_prefer_what_is_whole(void **state)
{
    (void)state;
    struct plan_ranges ranges = {0};
    struct history_range hole;
    const struct history_range here[] = {
        {0, 10, REASON_NONE}, {10, 20, REASON_THINNED}, {20, 30, REASON_DISK_SLOW}};
    const struct history_range there[] = {
        {12, 15, REASON_NONE}, {15, 18, REASON_LINK}, {18, 25, REASON_THINNED}};
    plan_ranges_add(&ranges, here, 3);
    assert_true(plan_ranges_hole(&ranges, 0, 15, &hole));
    assert_true(hole.from_us == 10 && hole.to_us == 15);
    plan_ranges_add(&ranges, there, 3);
    assert_int_equal(ranges.count, 5);
    assert_range(&ranges.range[1], 10, 12, REASON_THINNED);
    assert_range(&ranges.range[2], 12, 15, REASON_NONE);
    assert_range(&ranges.range[3], 15, 25, REASON_THINNED);
    assert_range(&ranges.range[4], 25, 30, REASON_DISK_SLOW);
    plan_ranges_fini(&ranges);
}

TEST_MAIN(TEST(plan_of_halves_is_whole), TEST(plan_of_different_cuts_never_overlaps),
          TEST(plan_takes_the_whole_segment_for_one_cut_short),
          TEST(plan_takes_the_whole_segment_for_one_thinned),
          TEST(plan_ranges_prefer_what_is_whole), TEST(plan_hole_is_from_the_first_to_the_last),
          TEST(plan_copies_are_for_what_others_have), TEST(plan_of_a_list_that_was_cut_ends_there),
          TEST(plan_ranges_hole_only_when_nobody_has_it))
