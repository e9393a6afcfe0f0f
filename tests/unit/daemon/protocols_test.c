// SPDX-License-Identifier: MIT
// The table of protocols and its print.
#include "unit.h"

#include "base/buf.h"
#include "protocols.h"
#include "stream/protocol.h"

static void protocols_table_is_consistent(void **state)
{
    (void)state;
    assert_non_null(protocols_table[0]);
    for (const struct protocol *const *a = protocols_table; *a; a++) {
        assert_true((*a)->name && (*a)->help);
        assert_true(!(*a)->schemes[0] == !(*a)->pull);
        for (const struct protocol *const *b = a + 1; *b; b++) {
            assert_string_not_equal((*a)->name, (*b)->name);
            for (unsigned i = 0; i < 8 && (*a)->schemes[i]; i++) {
                for (unsigned k = 0; k < 8 && (*b)->schemes[k]; k++)
                    assert_string_not_equal((*a)->schemes[i], (*b)->schemes[k]);
            }
        }
    }
}

static void protocols_print_names_everything(void **state)
{
    (void)state;
    static const struct input_option_help options[] = {{"fps", "1..60", "pictures a second"}, {0}};
    static const struct protocol one = {.name = "one",
                                        .help = "does one thing",
                                        .schemes = {"one", "ones"},
                                        .input_options = options,
                                        .route_help = "one.ts"};
    static const struct protocol *const table[] = {&one, NULL};
    struct buf *buf = protocols_print(table);
    char *text = mem_strndup((const char *)buf->data, buf->length);
    static const char *const parts[] = {"does one thing", "one:// ones://", "fps=1..60",
                                        "pictures a second", "one.ts"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!strstr(text, parts[i]))
            fail_msg("'%s' is missing in\n%s", parts[i], text);
    }
    mem_free(text);
    buf_unref(&buf);
}

TEST_MAIN(TEST(protocols_table_is_consistent), TEST(protocols_print_names_everything))
