// SPDX-License-Identifier: MIT
// Map from a string key to a pointer. Keys are copied. Iteration order is insertion order.
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map;

struct map *map_new(void);
void map_free(struct map **map);                       // values are the caller's business
void *map_get(const struct map *map, const char *key); // NULL when absent
void *map_get_n(const struct map *map, const char *key, size_t length);
// Returns the value that was there before, or NULL. value must not be NULL.
void *map_set(struct map *map, const char *key, void *value);
void *map_remove(struct map *map, const char *key); // returns the value, or NULL
size_t map_count(const struct map *map);
// Walk: start with *cursor = 0; false at the end. Removing any entry is allowed, adding is
// not. key and value may be NULL.
bool map_next(const struct map *map, size_t *cursor, const char **key, void **value);

#endif
