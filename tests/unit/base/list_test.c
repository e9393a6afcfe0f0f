// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/list.h"

struct item {
    int number;
    struct list_node node;
};

static void assert_order(struct list *list, const char *digits)
{
    assert_int_equal(list->count, strlen(digits));
    LIST_FOREACH(list, it, after)
    {
        assert_int_equal(LIST_OWNER(it, struct item, node)->number, *digits - '0');
        digits++;
    }
    assert_int_equal(*digits, 0);
}

static void list_append_prepend_insert_keep_order(void **state)
{
    (void)state;
    struct list list;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&list);
    assert_true(list_empty(&list));
    assert_null(list_first(&list));
    assert_null(list_last(&list));
    assert_null(list_take_first(&list));
    list_append(&list, &items[1].node);
    list_append(&list, &items[3].node);
    list_prepend(&list, &items[0].node);
    list_insert_before(&list, &items[3].node, &items[2].node);
    assert_order(&list, "0123");
    assert_ptr_equal(list_first(&list), &items[0].node);
    assert_ptr_equal(list_last(&list), &items[3].node);
    assert_ptr_equal(list_take_first(&list), &items[0].node);
    assert_false(list_linked(&items[0].node));
    assert_true(list_linked(&items[1].node));
    assert_order(&list, "123");
}

static void list_foreach_may_remove_current(void **state)
{
    (void)state;
    struct list list;
    struct item items[5] = {
        {.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    list_init(&list);
    for (int i = 0; i < 5; i++)
        list_append(&list, &items[i].node);
    LIST_FOREACH(&list, it, after)
    {
        if (LIST_OWNER(it, struct item, node)->number % 2 == 0)
            list_remove(&list, it);
    }
    assert_order(&list, "13");
}

struct pair {
    struct list list;
    struct item item;
};

static void remove_item(void *arg)
{
    struct pair *pair = arg;
    list_remove(&pair->list, &pair->item.node);
}

static void append_item(void *arg)
{
    struct pair *pair = arg;
    list_append(&pair->list, &pair->item.node);
}

static void list_twice_in_or_out_dies(void **state)
{
    (void)state;
    struct pair pair = {0};
    list_init(&pair.list);
    assert_true(unit_dies(remove_item, &pair));
    list_append(&pair.list, &pair.item.node);
    assert_true(unit_dies(append_item, &pair));
}

TEST_MAIN(TEST(list_append_prepend_insert_keep_order), TEST(list_foreach_may_remove_current),
          TEST(list_twice_in_or_out_dies))
