// SPDX-License-Identifier: MIT
// Intrusive doubly linked list with a count. A node is embedded in its owner; an object is in at
// most one list per node. A zeroed node is in no list.
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ensure.h"

struct list_node {
    struct list_node *prev, *next; // both NULL when in no list
};

struct list {
    struct list_node head; // head.next is the first, head.prev the last
    size_t count;
};

#define LIST_OWNER(node, type, field) ((type *)(void *)((char *)(node)-offsetof(type, field)))

// Walk with the freedom to remove the current node. `it` and `next` are struct list_node *.
#define LIST_FOREACH(list, it, after)                                                              \
    for (struct list_node *it = (list)->head.next, *after = it->next; it != &(list)->head;         \
         it = after, after = it->next)

static inline void list_init(struct list *list)
{
    list->head.prev = list->head.next = &list->head;
    list->count = 0;
}

static inline bool list_empty(const struct list *list)
{
    return list->count == 0;
}
static inline bool list_linked(const struct list_node *node)
{
    return node->next != NULL;
}

static inline void list_insert_before(struct list *list, struct list_node *at,
                                      struct list_node *node)
{
    ENSURE(node->next == NULL);
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
    list->count++;
}

static inline void list_append(struct list *list, struct list_node *node)
{
    list_insert_before(list, &list->head, node);
}

static inline void list_prepend(struct list *list, struct list_node *node)
{
    list_insert_before(list, list->head.next, node);
}

static inline void list_remove(struct list *list, struct list_node *node)
{
    ENSURE(node->next != NULL && list->count > 0);
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = node->next = NULL;
    list->count--;
}

// NULL when empty.
static inline struct list_node *list_first(const struct list *list)
{
    return list->count ? list->head.next : NULL;
}

static inline struct list_node *list_last(const struct list *list)
{
    return list->count ? list->head.prev : NULL;
}

static inline struct list_node *list_take_first(struct list *list)
{
    struct list_node *node = list_first(list);
    if (node)
        list_remove(list, node);
    return node;
}

#endif
