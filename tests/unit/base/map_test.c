// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/map.h"

static int values[20000];

static void make_key(char out[32], int i)
{
    snprintf(out, 32, "key/%d", i);
}

static void map_get_absent_is_null(void **state)
{
    (void)state;
    struct map *map = map_new();
    assert_null(map_get(map, "a"));
    assert_null(map_remove(map, "a"));
    assert_int_equal(map_count(map), 0);
    size_t cursor = 0;
    assert_false(map_next(map, &cursor, NULL, NULL));
    map_free(&map);
    assert_null(map);
    map_free(&map);
}

static void map_set_copies_key_and_returns_former_value(void **state)
{
    (void)state;
    struct map *map = map_new();
    char key[] = "name";
    assert_null(map_set(map, key, &values[1]));
    key[0] = 'x';
    assert_ptr_equal(map_get(map, "name"), &values[1]);
    assert_ptr_equal(map_set(map, "name", &values[2]), &values[1]);
    assert_int_equal(map_count(map), 1);
    assert_ptr_equal(map_get(map, "name"), &values[2]);
    assert_null(map_set(map, "", &values[3]));
    assert_ptr_equal(map_get(map, ""), &values[3]);
    map_free(&map);
}

static void map_get_n_compares_exactly_that_length(void **state)
{
    (void)state;
    struct map *map = map_new();
    map_set(map, "cam", &values[1]);
    map_set(map, "camera", &values[2]);
    assert_ptr_equal(map_get_n(map, "camera/1", 3), &values[1]);
    assert_ptr_equal(map_get_n(map, "camera/1", 6), &values[2]);
    assert_null(map_get_n(map, "camera/1", 5));
    assert_null(map_get_n(map, "cam\0", 4));
    map_free(&map);
}

static void map_next_goes_in_insertion_order(void **state)
{
    (void)state;
    struct map *map = map_new();
    char key[32];
    for (int i = 0; i < 1000; i++) {
        make_key(key, i);
        map_set(map, key, &values[i]);
    }
    for (int i = 0; i < 1000; i += 3) {
        make_key(key, i);
        assert_ptr_equal(map_remove(map, key), &values[i]);
    }
    map_set(map, "key/3", &values[3]); // again: now the last
    map_set(map, "key/1", &values[1]); // replaced: keeps its place
    size_t cursor = 0;
    const char *name;
    void *value;
    for (int i = 0; i < 1000; i++) {
        if (i % 3 == 0)
            continue;
        assert_true(map_next(map, &cursor, &name, &value));
        make_key(key, i);
        assert_string_equal(name, key);
        assert_ptr_equal(value, &values[i]);
    }
    assert_true(map_next(map, &cursor, &name, &value));
    assert_string_equal(name, "key/3");
    assert_false(map_next(map, &cursor, &name, &value));
    map_free(&map);
}

static void map_remove_while_walking_visits_each_once(void **state)
{
    (void)state;
    struct map *map = map_new();
    char key[32];
    for (int i = 0; i < 500; i++) {
        make_key(key, i);
        map_set(map, key, &values[i]);
    }
    size_t cursor = 0;
    const char *name;
    void *value;
    int seen = 0;
    while (map_next(map, &cursor, &name, &value)) {
        assert_ptr_equal(value, &values[seen]);
        if (seen % 5)
            assert_ptr_equal(map_remove(map, name), value);
        seen++;
    }
    assert_int_equal(seen, 500);
    assert_int_equal(map_count(map), 100);
    for (int i = 0; i < 500; i++) {
        make_key(key, i);
        assert_ptr_equal(map_get(map, key), i % 5 ? NULL : &values[i]);
    }
    map_free(&map);
}

static void map_churn_stays_right(void **state)
{
    (void)state;
    // Names come and go for days: removed entries must not pile up, nor be found.
    struct map *map = map_new();
    char key[32];
    for (int i = 0; i < 20000; i++) {
        make_key(key, i);
        assert_null(map_set(map, key, &values[i]));
        if (i >= 10) {
            make_key(key, i - 10);
            assert_ptr_equal(map_remove(map, key), &values[i - 10]);
            assert_null(map_get(map, key));
        }
    }
    assert_int_equal(map_count(map), 10);
    size_t cursor = 0;
    while (map_next(map, &cursor, NULL, NULL)) {
    }
    assert_true(cursor <= 64);
    map_free(&map);
}

static void set_null(void *map)
{
    map_set(map, "a", NULL);
}

static void map_set_null_value_dies(void **state)
{
    (void)state;
    struct map *map = map_new();
    assert_true(unit_dies(set_null, map));
    map_free(&map);
}

TEST_MAIN(TEST(map_get_absent_is_null), TEST(map_set_copies_key_and_returns_former_value),
          TEST(map_get_n_compares_exactly_that_length), TEST(map_next_goes_in_insertion_order),
          TEST(map_remove_while_walking_visits_each_once), TEST(map_churn_stays_right),
          TEST(map_set_null_value_dies))
