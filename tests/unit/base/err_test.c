// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/err.h"

static void err_name_every_code_has_its_own(void **state)
{
    (void)state;
    for (int a = ERR_EXISTS; a <= 0; a++) {
        assert_string_not_equal(err_name(a), "unknown");
        for (int b = ERR_EXISTS; b < a; b++)
            assert_string_not_equal(err_name(a), err_name(b));
    }
    assert_string_equal(err_name(0), "ok");
    assert_string_equal(err_name(ERR_TIMEOUT), "timeout");
}

static void err_name_foreign_number_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(err_name(1), "unknown");
    assert_string_equal(err_name(ERR_EXISTS - 1), "unknown");
}

TEST_MAIN(TEST(err_name_every_code_has_its_own), TEST(err_name_foreign_number_is_unknown))
