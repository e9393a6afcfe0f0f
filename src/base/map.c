// SPDX-License-Identifier: MIT
// String map: entries in an array in the order they came, and an open-addressing table of their
// positions.
//
// 1. A removed entry stays in the array with a NULL key until the array is full, so positions given
//    to a walk stay good while entries are removed. Adding may compact: not during a walk.
// 2. The table has twice as many slots as the array has entries, so a probe always ends. A slot
//    holds a position + 1, or 0. Slots are never emptied one by one: a removed entry keeps its
//    slot, which probes pass over.
// 3. Keys come from the network: the hash is SipHash-1-3 with a seed of this process, so that no
//    peer can choose keys that collide.
#include "base/map.h"

#include <stdint.h>
#include <string.h>

#include "base/digest.h"
#include "base/ensure.h"
#include "base/mem.h"

enum { MAP_FIRST_CAPACITY = 8 };

struct entry {
    char *key; // owned; NULL when removed
    size_t length;
    void *value;
    uint64_t hash;
};

struct map {
    struct entry *entries; // `used` of `capacity`, live ones and removed ones
    uint32_t *slots;       // 2 * capacity
    size_t used, capacity; // capacity is a power of two
    size_t count;          // live
};

static uint64_t rotl(uint64_t x, unsigned b)
{
    return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t map_hash(const char *key, size_t length)
{
    static uint64_t seed[2];
    if (!seed[0]) {
        seed[0] = digest_random_u64() | 1;
        seed[1] = digest_random_u64();
    }
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                     seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    uint64_t last = (uint64_t)length << 56;
    for (; length >= 8; key += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, key, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < length; i++)
        last |= (uint64_t)(uint8_t)key[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(void)
{
    return mem_alloc(sizeof(struct map));
}

void map_free(struct map **map)
{
    struct map *mine = *map;
    *map = NULL;
    if (!mine)
        return;
    for (size_t i = 0; i < mine->used; i++)
        mem_free(mine->entries[i].key);
    mem_free(mine->entries);
    mem_free(mine->slots);
    mem_free(mine);
}

static struct entry *map_find(const struct map *map, const char *key, size_t length)
{
    if (map->count == 0)
        return NULL;
    uint64_t hash = map_hash(key, length);
    size_t mask = 2 * map->capacity - 1;
    for (size_t at = hash & mask; map->slots[at]; at = (at + 1) & mask) {
        struct entry *entry = &map->entries[map->slots[at] - 1];
        if (entry->key && entry->hash == hash && entry->length == length &&
            memcmp(entry->key, key, length) == 0)
            return entry;
    }
    return NULL;
}

void *map_get_n(const struct map *map, const char *key, size_t length)
{
    const struct entry *entry = map_find(map, key, length);
    return entry ? entry->value : NULL;
}

void *map_get(const struct map *map, const char *key)
{
    return map_get_n(map, key, strlen(key));
}

static void map_place(struct map *map, size_t position)
{
    size_t mask = 2 * map->capacity - 1;
    size_t at = map->entries[position].hash & mask;
    while (map->slots[at])
        at = (at + 1) & mask;
    map->slots[at] = (uint32_t)position + 1;
}

// The array is full: drops the removed entries, and doubles when there were few of them.
static void map_make_room(struct map *map)
{
    if (map->capacity == 0)
        map->capacity = MAP_FIRST_CAPACITY;
    else if (map->count > map->capacity / 2)
        map->capacity *= 2;
    ENSURE(map->capacity < UINT32_MAX / 2);
    size_t kept = 0;
    for (size_t i = 0; i < map->used; i++) {
        if (map->entries[i].key)
            map->entries[kept++] = map->entries[i];
    }
    map->used = kept;
    map->entries = mem_resize(map->entries, map->capacity * sizeof(*map->entries));
    mem_free(map->slots);
    map->slots = mem_alloc(2 * map->capacity * sizeof(*map->slots));
    for (size_t i = 0; i < map->used; i++)
        map_place(map, i);
}

void *map_set(struct map *map, const char *key, void *value)
{
    ENSURE(value != NULL);
    size_t length = strlen(key);
    struct entry *entry = map_find(map, key, length);
    if (entry) {
        void *before = entry->value;
        entry->value = value;
        return before;
    }
    if (map->used == map->capacity)
        map_make_room(map);
    map->entries[map->used] = (struct entry){.key = mem_strndup(key, length),
                                             .length = length,
                                             .value = value,
                                             .hash = map_hash(key, length)};
    map_place(map, map->used++);
    map->count++;
    return NULL;
}

void *map_remove(struct map *map, const char *key)
{
    struct entry *entry = map_find(map, key, strlen(key));
    if (!entry)
        return NULL;
    mem_free(entry->key);
    entry->key = NULL;
    map->count--;
    return entry->value;
}

size_t map_count(const struct map *map)
{
    return map->count;
}

bool map_next(const struct map *map, size_t *cursor, const char **key, void **value)
{
    while (*cursor < map->used) {
        const struct entry *entry = &map->entries[(*cursor)++];
        if (!entry->key)
            continue;
        if (key)
            *key = entry->key;
        if (value)
            *value = entry->value;
        return true;
    }
    return false;
}
