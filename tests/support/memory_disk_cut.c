// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "memory_disk_priv.h"

static void walk_folder(struct node *folder, char *path, size_t length,
                        void (*file)(void *arg, const char *path, const uint8_t *data,
                                     size_t length),
                        void *arg)
{
    if (folder->names.count)
        qsort(folder->names.entry, folder->names.count, sizeof(struct entry),
              memory_compare_entries);
    for (unsigned i = 0; i < folder->names.count; i++) {
        struct node *node = folder->names.entry[i].node;
        size_t end = length + (size_t)snprintf(path + length, PATH - length, "/%s",
                                               folder->names.entry[i].name);
        if (node->folder)
            walk_folder(node, path, end, file, arg);
        else
            file(arg, path, node->now.data, node->now.length);
    }
    path[length] = 0;
}

void memory_disk_walk(const struct memory_disk *disk,
                      void (*file)(void *arg, const char *path, const uint8_t *data, size_t length),
                      void *arg)
{
    char path[PATH] = "";
    walk_folder(disk->root, path, 0, file, arg);
}

static uint64_t next_random(uint64_t *state) // splitmix64
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Of a hundred random pieces so many are there.
static bool survives(enum memory_cut kind, bool name, unsigned percent, uint64_t *state)
{
    switch (kind) {
    case CUT_ALL:
        return true;
    case CUT_NAMES:
        return name;
    case CUT_BYTES:
        return !name;
    case CUT_RANDOM:
        return next_random(state) % 100 < percent;
    default:
        return false;
    }
}

static void cut_file(const struct node *node, struct blob *out, enum memory_cut kind,
                     unsigned percent, uint64_t *state)
{
    memory_blob_write(out, 0, node->safe.data, node->safe.length);
    for (const struct change *change = node->waiting; change; change = change->next) {
        if (!change->data) {
            if (survives(kind, false, percent, state))
                memory_blob_size(out, (size_t)change->offset);
            continue;
        }
        for (size_t at = 0; at < change->length;) {
            size_t some = SECTOR - (size_t)(change->offset + at) % SECTOR;
            if (some > change->length - at)
                some = change->length - at;
            if (survives(kind, false, percent, state))
                memory_blob_write(out, change->offset + at, change->data + at, some);
            at += some;
        }
    }
}

static void cut_folder(const struct node *node, struct names *out, enum memory_cut kind,
                       unsigned percent, uint64_t *state)
{
    for (unsigned i = 0; i < node->safe_names.count; i++)
        memory_names_set(out, &node->safe_names.entry[i]);
    for (const struct change *change = node->waiting; change; change = change->next)
        if (survives(kind, true, percent, state))
            memory_names_set(out, &change->entry);
    for (unsigned i = 0; i < out->count; i++)
        out->entry[i].node = out->entry[i].node->twin;
}

static void add_used(void *arg, const char *path, const uint8_t *data, size_t length)
{
    (void)path, (void)data;
    *(uint64_t *)arg += length;
}

struct memory_disk *memory_disk_cut(const struct memory_disk *disk, enum memory_cut kind,
                                    uint64_t seed)
{
    static const unsigned percents[] = {0, 20, 50, 80, 95, 100};
    struct memory_disk *cut = calloc(1, sizeof *cut);
    ENSURE(cut != NULL);
    cut->space = disk->space;
    for (struct node *node = disk->nodes; node; node = node->next)
        node->twin = memory_node_new(cut, node->folder);
    cut->root = disk->root->twin;
    for (struct node *node = disk->nodes; node; node = node->next) {
        unsigned percent = percents[next_random(&seed) % 6];
        struct node *twin = node->twin;
        if (node->folder) {
            cut_folder(node, &twin->names, kind, percent, &seed);
            for (unsigned i = 0; i < twin->names.count; i++)
                memory_names_set(&twin->safe_names, &twin->names.entry[i]);
        } else {
            cut_file(node, &twin->now, kind, percent, &seed);
            memory_blob_write(&twin->safe, 0, twin->now.data, twin->now.length);
        }
    }
    memory_sweep(cut);
    memory_disk_walk(cut, add_used, &cut->used);
    return cut;
}
