// SPDX-License-Identifier: MIT
// 1. Each node has two states: `now`, what calls see, and `safe`, what a power cut leaves at least;
//    `waiting` has, in order, what leads from safe to now. A sync of the node applies it.
// 2. A node that no name, no waiting name and no descriptor refers to is freed by memory_sweep().
#include "memory_disk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/text.h"

static struct memory_disk *mounted;

// ---- pieces ------------------------------------------------------------------------------------

void *memory_grow(void *data, size_t size)
{
    void *grown = realloc(data, size);
    ENSURE(grown != NULL);
    return grown;
}

void memory_blob_size(struct blob *blob, size_t length)
{
    if (length > blob->room) {
        blob->room = length < 2 * blob->room ? 2 * blob->room : length + 256;
        blob->data = memory_grow(blob->data, blob->room);
    }
    if (length > blob->length)
        memset(blob->data + blob->length, 0, length - blob->length);
    blob->length = length;
}

void memory_blob_write(struct blob *blob, uint64_t offset, const uint8_t *data, size_t length)
{
    if (length == 0)
        return;
    if (offset + length > blob->length)
        memory_blob_size(blob, (size_t)offset + length);
    memcpy(blob->data + offset, data, length);
}

static struct entry *names_find(const struct names *names, const char *name)
{
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->entry[i].name, name) == 0)
            return &names->entry[i];
    return NULL;
}

void memory_names_set(struct names *names, const struct entry *wanted)
{
    struct entry *entry = names_find(names, wanted->name);
    if (!wanted->node) {
        if (entry)
            *entry = names->entry[--names->count];
        return;
    }
    if (!entry) {
        if (names->count == names->room) {
            names->room = names->room ? 2 * names->room : 8;
            names->entry = memory_grow(names->entry, names->room * sizeof *names->entry);
        }
        entry = &names->entry[names->count++];
    }
    *entry = *wanted;
}

struct node *memory_node_new(struct memory_disk *disk, bool folder)
{
    struct node *node = calloc(1, sizeof *node);
    ENSURE(node != NULL);
    node->folder = folder;
    node->last = &node->waiting;
    node->next = disk->nodes;
    disk->nodes = node;
    return node;
}

static void drop_waiting(struct node *node)
{
    struct change *change;
    while ((change = node->waiting)) {
        node->waiting = change->next;
        free(change->data);
        free(change);
    }
    node->last = &node->waiting;
}

static void node_free(struct node *node)
{
    drop_waiting(node);
    free(node->now.data);
    free(node->safe.data);
    free(node->names.entry);
    free(node->safe_names.entry);
    free(node);
}

static void mark(struct node *node);

static void mark_names(const struct names *names)
{
    for (unsigned i = 0; i < names->count; i++)
        mark(names->entry[i].node);
}

static void mark(struct node *node)
{
    if (!node || node->marked)
        return;
    node->marked = true;
    mark_names(&node->names);
    mark_names(&node->safe_names);
    for (struct change *change = node->waiting; change; change = change->next)
        mark(change->entry.node);
}

void memory_sweep(struct memory_disk *disk)
{
    for (struct node *node = disk->nodes; node; node = node->next)
        node->marked = false;
    mark(disk->root);
    for (unsigned i = 0; i < DESCRIPTORS; i++)
        mark(disk->open[i].node);
    for (struct node **at = &disk->nodes; *at;) {
        struct node *node = *at;
        if (node->marked) {
            at = &node->next;
            continue;
        }
        *at = node->next;
        node_free(node);
    }
}

static struct change *wait_for_sync(struct node *node)
{
    struct change *change = calloc(1, sizeof *change);
    ENSURE(change != NULL);
    *node->last = change;
    node->last = &change->next;
    return change;
}

static void effect(void)
{
    if (mounted->effect)
        mounted->effect(mounted->effect_arg);
}

static void set_name(struct node *folder, const char *name, struct node *node)
{
    struct entry entry = {.node = node};
    ENSURE(strlen(name) < NAME);
    (void)text_copy(entry.name, NAME, name);
    memory_names_set(&folder->names, &entry);
    wait_for_sync(folder)->entry = entry;
}

// The node of a path, or NULL and errno. With `folder` set: of the folder above it, which is all
// that has to exist; `name` points into the path then.
static struct node *walk(const char *path, struct node **folder, const char **name)
{
    struct node *node = mounted->root;
    if (folder)
        *folder = NULL;
    for (;;) {
        while (*path == '/')
            path++;
        if (!*path)
            return node;
        size_t length = strcspn(path, "/");
        ENSURE(length < NAME);
        char part[NAME];
        memcpy(part, path, length);
        part[length] = 0;
        if (!node || !node->folder) {
            errno = node ? ENOTDIR : ENOENT;
            return NULL;
        }
        struct entry *entry = names_find(&node->names, part);
        if (!path[length] && folder) {
            *folder = node;
            *name = path;
        }
        node = entry ? entry->node : NULL;
        path += length;
        if (!node && !*path) {
            errno = ENOENT;
            return NULL;
        }
    }
}

static bool fails(const char *call, const char *path)
{
    int error = mounted->fault ? mounted->fault(mounted->fault_arg, call, path) : 0;
    if (error)
        errno = error;
    return error != 0;
}

static struct descriptor *descriptor_of(int number)
{
    ENSURE(number >= FIRST_DESCRIPTOR && number < FIRST_DESCRIPTOR + DESCRIPTORS);
    struct descriptor *descriptor = &mounted->open[number - FIRST_DESCRIPTOR];
    ENSURE(descriptor->node != NULL);
    return descriptor;
}

static void truncate_node(struct node *node, uint64_t length)
{
    if (length < node->now.length)
        mounted->used -= node->now.length - length;
    memory_blob_size(&node->now, (size_t)length);
    wait_for_sync(node)->offset = length;
}

// ---- calls -------------------------------------------------------------------------------------

static int memory_open(const char *path, int flags, unsigned mode)
{
    (void)mode;
    struct node *folder, *node;
    const char *name;
    if (fails("open", path))
        return -1;
    node = walk(path, &folder, &name);
    if (node && (flags & O_EXCL)) {
        errno = EEXIST;
        return -1;
    }
    if (node && node->folder != ((flags & O_DIRECTORY) != 0)) {
        errno = node->folder ? EISDIR : ENOTDIR;
        return -1;
    }
    if (!node && (!folder || !(flags & O_CREAT)))
        return -1;
    unsigned at = 0;
    while (at < DESCRIPTORS && mounted->open[at].node)
        at++;
    if (at == DESCRIPTORS) {
        errno = EMFILE;
        return -1;
    }
    if (!node) {
        if (++mounted->made % SWEEP_EACH == 0)
            memory_sweep(mounted);
        node = memory_node_new(mounted, false);
        set_name(folder, name, node);
        effect();
    } else if (flags & O_TRUNC && node->now.length) {
        truncate_node(node, 0);
        effect();
    }
    mounted->open[at].node = node;
    snprintf(mounted->open[at].path, PATH, "%s", path);
    mounted->opened++;
    return FIRST_DESCRIPTOR + (int)at;
}

static int memory_close(int number)
{
    descriptor_of(number)->node = NULL;
    mounted->opened--;
    return 0;
}

static ssize_t memory_write_at(int number, const struct iovec *vectors, int count, uint64_t offset)
{
    struct descriptor *descriptor = descriptor_of(number);
    struct node *node = descriptor->node;
    size_t length = 0;
    if (fails("write_at", descriptor->path))
        return -1;
    for (int i = 0; i < count; i++)
        length += vectors[i].iov_len;
    uint64_t more = offset + length > node->now.length ? offset + length - node->now.length : 0;
    if (mounted->space && mounted->used + more > mounted->space) {
        uint64_t over = mounted->used + more - mounted->space;
        length = over < length ? length - (size_t)over : 0;
        more -= over < more ? over : more;
    }
    if (length == 0) {
        errno = ENOSPC;
        return -1;
    }
    struct change *change = wait_for_sync(node);
    change->offset = offset;
    change->data = memory_grow(NULL, length);
    for (int i = 0; i < count && change->length < length; i++) {
        size_t some = vectors[i].iov_len;
        if (some > length - change->length)
            some = length - change->length;
        memcpy(change->data + change->length, vectors[i].iov_base, some);
        change->length += some;
    }
    memory_blob_write(&node->now, offset, change->data, length);
    mounted->used += more;
    effect();
    return (ssize_t)length;
}

static ssize_t read_some(const struct node *node, void *data, size_t length, uint64_t offset)
{
    if (offset >= node->now.length)
        return 0;
    if (length > node->now.length - offset)
        length = (size_t)(node->now.length - offset);
    memcpy(data, node->now.data + offset, length);
    return (ssize_t)length;
}

static ssize_t memory_read_at(int number, void *data, size_t length, uint64_t offset)
{
    struct descriptor *descriptor = descriptor_of(number);
    return fails("read_at", descriptor->path) ? -1
                                              : read_some(descriptor->node, data, length, offset);
}

static ssize_t memory_read_now(int number, void *data, size_t length, uint64_t offset)
{
    return read_some(descriptor_of(number)->node, data, length, offset);
}

static int memory_sync(int number)
{
    struct descriptor *descriptor = descriptor_of(number);
    struct node *node = descriptor->node;
    if (fails("sync", descriptor->path)) {
        if (!node->folder)
            drop_waiting(node); // as kernels do: seen by readers, and never written
        return -1;
    }
    for (struct change *change = node->waiting; change; change = change->next) {
        if (node->folder)
            memory_names_set(&node->safe_names, &change->entry);
        else if (change->data)
            memory_blob_write(&node->safe, change->offset, change->data, change->length);
        else
            memory_blob_size(&node->safe, (size_t)change->offset);
    }
    drop_waiting(node);
    effect();
    return 0;
}

static int memory_truncate(int number, uint64_t length)
{
    struct descriptor *descriptor = descriptor_of(number);
    if (fails("truncate", descriptor->path))
        return -1;
    truncate_node(descriptor->node, length);
    effect();
    return 0;
}

// A write of zeros: sectors of nothing else take no room.
static int memory_punch(int number, uint64_t offset, uint64_t length)
{
    struct descriptor *descriptor = descriptor_of(number);
    struct node *node = descriptor->node;
    if (fails("punch", descriptor->path))
        return -1;
    ENSURE(offset + length <= node->now.length);
    struct change *change = wait_for_sync(node);
    change->offset = offset;
    change->length = (size_t)length;
    change->data = calloc(1, (size_t)length);
    ENSURE(change->data != NULL);
    memory_blob_write(&node->now, offset, change->data, change->length);
    effect();
    return 0;
}

static int memory_rename(const char *from, const char *to)
{
    struct node *from_folder, *to_folder;
    const char *from_name, *to_name;
    if (fails("rename", from))
        return -1;
    struct node *node = walk(from, &from_folder, &from_name);
    if (!node)
        return -1;
    struct node *there = walk(to, &to_folder, &to_name);
    if (!to_folder)
        return -1;
    if (there)
        mounted->used -= there->now.length;
    set_name(to_folder, to_name, node);
    set_name(from_folder, from_name, NULL);
    effect();
    return 0;
}

static int memory_rename_new(const char *from, const char *to)
{
    struct node *folder;
    const char *name;
    if (walk(to, &folder, &name)) {
        errno = EEXIST;
        return -1;
    }
    if (memory_rename(from, to) != 0)
        return -1;
    (void)fails("renamed", to); // told, and nothing that can fail
    return 0;
}

static int take_away(const char *path, bool is_folder)
{
    struct node *folder;
    const char *name;
    if (fails(is_folder ? "rmdir" : "unlink", path))
        return -1;
    struct node *node = walk(path, &folder, &name);
    if (!node)
        return -1;
    if (node->folder != is_folder || node->names.count > 0) {
        errno = is_folder && node->folder ? ENOTEMPTY : is_folder ? ENOTDIR : EISDIR;
        return -1;
    }
    mounted->used -= node->now.length;
    set_name(folder, name, NULL);
    effect();
    return 0;
}

static int memory_unlink(const char *path)
{
    return take_away(path, false);
}

static int memory_rmdir(const char *path)
{
    return take_away(path, true);
}

static int memory_mkdir(const char *path, unsigned mode)
{
    (void)mode;
    struct node *folder;
    const char *name;
    if (fails("mkdir", path))
        return -1;
    if (walk(path, &folder, &name)) {
        errno = EEXIST;
        return -1;
    }
    if (!folder)
        return -1;
    set_name(folder, name, memory_node_new(mounted, true));
    effect();
    return 0;
}

static bool is_zero(const struct blob *blob, size_t sector)
{
    for (size_t at = sector; at < sector + SECTOR && at < blob->length; at++)
        if (blob->data[at])
            return false;
    return true;
}

static int describe(const struct node *node, struct stat *out)
{
    memset(out, 0, sizeof *out);
    out->st_mode = node->folder ? S_IFDIR | 0755 : S_IFREG | 0644;
    out->st_size = (off_t)node->now.length;
    for (size_t at = 0; at < node->now.length; at += SECTOR)
        out->st_blocks += !is_zero(&node->now, at);
    out->st_dev = 1;
    return 0;
}

static int memory_stat(const char *path, struct stat *out)
{
    const struct node *node = fails("stat", path) ? NULL : walk(path, NULL, NULL);
    return node ? describe(node, out) : -1;
}

static int memory_fstat(int number, struct stat *out)
{
    struct descriptor *descriptor = descriptor_of(number);
    return fails("fstat", descriptor->path) ? -1 : describe(descriptor->node, out);
}

static int memory_statvfs(const char *path, struct statvfs *out)
{
    if (fails("statvfs", path))
        return -1;
    memset(out, 0, sizeof *out);
    out->f_frsize = out->f_bsize = 1;
    out->f_blocks = mounted->space ? mounted->space : 1ull << 40;
    out->f_bfree = out->f_bavail =
        mounted->used < out->f_blocks ? out->f_blocks - mounted->used : 0;
    return 0;
}

int memory_compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int memory_scandir(const char *path, struct dirent ***entries,
                          int (*wanted)(const struct dirent *entry),
                          int (*compare)(const struct dirent **a, const struct dirent **b))
{
    const struct node *node = fails("scandir", path) ? NULL : walk(path, NULL, NULL);
    (void)compare; // by name, as everybody wants it
    if (!node)
        return -1;
    if (!node->folder) {
        errno = ENOTDIR;
        return -1;
    }
    if (node->names.count)
        qsort(node->names.entry, node->names.count, sizeof(struct entry), memory_compare_entries);
    struct dirent **list = memory_grow(NULL, (node->names.count + 1) * sizeof *list);
    int count = 0;
    for (unsigned i = 0; i < node->names.count; i++) {
        struct dirent *entry = calloc(1, sizeof *entry);
        ENSURE(entry != NULL);
        (void)text_copy(entry->d_name, NAME, node->names.entry[i].name);
        if (wanted(entry))
            list[count++] = entry;
        else
            free(entry);
    }
    *entries = list;
    return count;
}

// One process has it: as a file system without locks.
static int memory_lock(const char *path, const char *text, char *other, size_t room)
{
    (void)path, (void)text, (void)other, (void)room;
    errno = ENOLCK;
    return -1;
}

static int memory_mounted_at(const char *path, bool *is_mount, uint64_t *device)
{
    *is_mount = strcmp(path, "/") == 0;
    *device = 1;
    return 0;
}

const struct file_calls memory_disk_calls = {
    .open = memory_open,
    .close = memory_close,
    .write_at = memory_write_at,
    .read_at = memory_read_at,
    .read_now = memory_read_now,
    .sync = memory_sync,
    .truncate = memory_truncate,
    .punch = memory_punch,
    .rename = memory_rename,
    .rename_new = memory_rename_new,
    .unlink = memory_unlink,
    .rmdir = memory_rmdir,
    .mkdir = memory_mkdir,
    .stat = memory_stat,
    .fstat = memory_fstat,
    .statvfs = memory_statvfs,
    .scandir = memory_scandir,
    .lock = memory_lock,
    .mounted_at = memory_mounted_at,
};

// ---- disks -------------------------------------------------------------------------------------

struct memory_disk *memory_disk_new(void)
{
    struct memory_disk *disk = calloc(1, sizeof *disk);
    ENSURE(disk != NULL);
    disk->root = memory_node_new(disk, true);
    return disk;
}

void memory_disk_free(struct memory_disk **where)
{
    struct memory_disk *disk = *where;
    *where = NULL;
    if (!disk)
        return;
    if (mounted == disk)
        mounted = NULL;
    struct node *node;
    while ((node = disk->nodes)) {
        disk->nodes = node->next;
        node_free(node);
    }
    free(disk);
}

void memory_disk_mount(struct memory_disk *disk)
{
    mounted = disk;
}

void memory_disk_on_effect(struct memory_disk *disk, void (*on_effect)(void *arg), void *arg)
{
    disk->effect = on_effect;
    disk->effect_arg = arg;
}

void memory_disk_faults(struct memory_disk *disk,
                        int (*fault)(void *arg, const char *call, const char *path), void *arg)
{
    disk->fault = fault;
    disk->fault_arg = arg;
}

void memory_disk_space(struct memory_disk *disk, uint64_t bytes)
{
    disk->space = bytes;
}

uint64_t memory_disk_used(const struct memory_disk *disk)
{
    return disk->used;
}

unsigned memory_disk_open_count(const struct memory_disk *disk)
{
    return disk->opened;
}

bool memory_disk_damage(struct memory_disk *disk, const char *path, uint64_t offset)
{
    struct memory_disk *before = mounted;
    mounted = disk;
    struct node *node = walk(path, NULL, NULL);
    mounted = before;
    if (!node || node->folder || offset >= node->now.length)
        return false;
    node->now.data[offset] ^= 0x5a;
    if (offset < node->safe.length)
        node->safe.data[offset] ^= 0x5a;
    return true;
}
