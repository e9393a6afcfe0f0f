// SPDX-License-Identifier: MIT
#include "range.h"

#include "unit.h"

static void range_parse_each_form_gives_its_part(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t length;
        enum range_result result;
        uint64_t first, count;
    } cases[] = {
        {NULL, 100, RANGE_WHOLE, 0, 100},
        {"bytes=0-0", 100, RANGE_PART, 0, 1},
        {"bytes=10-19", 100, RANGE_PART, 10, 10},
        {"bytes=10-", 100, RANGE_PART, 10, 90},
        {"bytes=99-", 100, RANGE_PART, 99, 1},
        {"bytes=0-1000", 100, RANGE_PART, 0, 100},
        {"bytes=-1", 100, RANGE_PART, 99, 1},
        {"bytes=-100", 100, RANGE_PART, 0, 100},
        {"bytes=-1000", 100, RANGE_PART, 0, 100},
        {"bytes=100-", 100, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=100-200", 100, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", 100, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-5", 0, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=5000000000-5000000001", 6000000000, RANGE_PART, 5000000000, 2},
        {"bytes=0-18446744073709551615", 100, RANGE_WHOLE, 0, 100},
        {"bytes=99999999999999999999-", 100, RANGE_WHOLE, 0, 100},
        {"bytes=19-10", 100, RANGE_WHOLE, 0, 100},
        {"bytes=0-1,5-6", 100, RANGE_WHOLE, 0, 100},
        {"bytes=", 100, RANGE_WHOLE, 0, 100},
        {"bytes=-", 100, RANGE_WHOLE, 0, 100},
        {"bytes=a-b", 100, RANGE_WHOLE, 0, 100},
        {"bytes=1", 100, RANGE_WHOLE, 0, 100},
        {"bytes= 1-2", 100, RANGE_WHOLE, 0, 100},
        {"bytes=1-2x", 100, RANGE_WHOLE, 0, 100},
        {"bytes=+1-2", 100, RANGE_WHOLE, 0, 100},
        {"items=0-1", 100, RANGE_WHOLE, 0, 100},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t first, count;
        enum range_result result = range_parse(cases[i].text, cases[i].length, &first, &count);
        if (result != cases[i].result)
            fail_msg("%s", cases[i].text);
        if (result == RANGE_UNSATISFIABLE)
            continue;
        if (first != cases[i].first || count != cases[i].count)
            fail_msg("%s: %llu +%llu", cases[i].text, (unsigned long long)first,
                     (unsigned long long)count);
    }
}

TEST_MAIN(TEST(range_parse_each_form_gives_its_part))
