// SPDX-License-Identifier: MIT
#include "source_rules.h"

#include "unit.h"

static enum source_take take(const char *prefix, const char *only, const char *except,
                             const char *name)
{
    char *list_only[] = {(char *)only}, *list_except[] = {(char *)except};
    const struct source_conf conf = {.prefix_in_url = (char *)prefix,
                                     .only = list_only,
                                     .only_count = only != NULL,
                                     .except = list_except,
                                     .except_count = except != NULL};
    return source_rules_take(&conf, name);
}

static void source_rules_take_without_rules_is_on_demand(void **state)
{
    (void)state;
    assert_int_equal(take("", NULL, NULL, "a"), SOURCE_ON_DEMAND);
    assert_int_equal(take(NULL, NULL, NULL, "a/b"), SOURCE_ON_DEMAND);
}

static void source_rules_take_only_keeps_what_it_names(void **state)
{
    (void)state;
    assert_int_equal(take("", "a", NULL, "a"), SOURCE_KEEP);
    assert_int_equal(take("", "a", NULL, "ab"), SOURCE_ON_DEMAND);
    assert_int_equal(take("", "site/*", NULL, "site/a"), SOURCE_KEEP);
    assert_int_equal(take("", "site/*", NULL, "site/a/b"), SOURCE_KEEP);
    assert_int_equal(take("", "site/*", NULL, "sites"), SOURCE_ON_DEMAND);
    assert_int_equal(take("", "*", NULL, "a"), SOURCE_KEEP);
}

static void source_rules_take_except_beats_only(void **state)
{
    (void)state;
    assert_int_equal(take("", NULL, "a", "a"), SOURCE_IGNORE);
    assert_int_equal(take("", NULL, "a", "b"), SOURCE_ON_DEMAND);
    assert_int_equal(take("", "a", "a", "a"), SOURCE_IGNORE);
    assert_int_equal(take("", "a", "*", "a"), SOURCE_IGNORE);
    assert_int_equal(take("", "*", "site/*", "site/a"), SOURCE_IGNORE);
    assert_int_equal(take("", "*", "site/*", "other"), SOURCE_KEEP);
}

static void source_rules_take_prefix_ends_at_a_part(void **state)
{
    (void)state;
    assert_int_equal(take("site", NULL, NULL, "site/a"), SOURCE_ON_DEMAND);
    assert_int_equal(take("site", NULL, NULL, "site"), SOURCE_ON_DEMAND);
    assert_int_equal(take("site", NULL, NULL, "sites/a"), SOURCE_IGNORE);
    assert_int_equal(take("site/", NULL, NULL, "site/a"), SOURCE_ON_DEMAND);
    assert_int_equal(take("site/", NULL, NULL, "site"), SOURCE_IGNORE);
    assert_int_equal(take("site", "site/a", NULL, "site/a"), SOURCE_KEEP);
    assert_int_equal(take("site", "b", NULL, "b"), SOURCE_IGNORE);
}

TEST_MAIN(TEST(source_rules_take_without_rules_is_on_demand),
          TEST(source_rules_take_only_keeps_what_it_names),
          TEST(source_rules_take_except_beats_only), TEST(source_rules_take_prefix_ends_at_a_part))
