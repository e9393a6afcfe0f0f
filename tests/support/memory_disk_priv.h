// SPDX-License-Identifier: MIT
// Between the calls of a disk in memory (memory_disk.c) and what a power cut leaves of it
// (memory_disk_cut.c).
#ifndef TESTS_SUPPORT_MEMORY_DISK_PRIV_H
#define TESTS_SUPPORT_MEMORY_DISK_PRIV_H

#include "memory_disk.h"

enum { SECTOR = 512, DESCRIPTORS = 1024, FIRST_DESCRIPTOR = 100000, NAME = 64, PATH = 1024 };
enum { SWEEP_EACH = 256 };

struct blob {
    uint8_t *data;
    size_t length, room;
};

struct entry {
    char name[NAME];
    struct node *node; // in `waiting`: NULL, it was removed
};

struct names {
    struct entry *entry;
    unsigned count, room;
};

struct change { // of a file: a write, or with data NULL a truncation to `offset`; of a folder:
                // entry
    struct change *next;
    uint64_t offset;
    size_t length;
    uint8_t *data;
    struct entry entry;
};

struct node {
    struct node *next; // of the disk
    bool folder;
    bool marked;
    struct node *twin; // in the disk being made by memory_disk_cut
    struct blob now, safe;
    struct names names, safe_names;
    struct change *waiting, **last;
};

struct descriptor {
    struct node *node;
    char path[PATH];
};

struct memory_disk {
    struct node *nodes, *root;
    struct descriptor open[DESCRIPTORS];
    unsigned opened, made;
    uint64_t space, used;
    void (*effect)(void *arg);
    void *effect_arg;
    int (*fault)(void *arg, const char *call, const char *path);
    void *fault_arg;
};

void *memory_grow(void *data, size_t size);
void memory_blob_size(struct blob *blob, size_t length);
void memory_blob_write(struct blob *blob, uint64_t offset, const uint8_t *data, size_t length);
void memory_names_set(struct names *names, const struct entry *wanted);
struct node *memory_node_new(struct memory_disk *disk, bool folder);
void memory_sweep(struct memory_disk *disk);
int memory_compare_entries(const void *a, const void *b);

#endif
