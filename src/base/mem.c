// SPDX-License-Identifier: MIT
// The only user of the C allocator.
//
// 1. Every block that lives was counted once by one of the functions below.
// 2. One thread allocates: the worker of io/file touches only blocks made by the loop thread, so
//    the counters are plain.
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

static long live;
static long fail_in; // mem_try_alloc calls until one fails; 0: never

void *mem_alloc(size_t size)
{
    void *pointer = calloc(1, size ? size : 1);
    ENSURE(pointer != NULL);
    live++;
    return pointer;
}

static void *counted(void *pointer)
{
    if (pointer)
        live++;
    return pointer;
}

void *mem_try_alloc(size_t size)
{
    if (fail_in > 0 && --fail_in == 0)
        return NULL;
    return counted(calloc(1, size ? size : 1));
}

void *mem_try_alloc_raw(size_t size)
{
    if (fail_in > 0 && --fail_in == 0)
        return NULL;
    return counted(malloc(size ? size : 1));
}

void *mem_resize(void *pointer, size_t size)
{
    void *resized = realloc(pointer, size ? size : 1);
    ENSURE(resized != NULL);
    if (!pointer)
        live++;
    return resized;
}

void mem_free(void *pointer)
{
    if (!pointer)
        return;
    ENSURE(live > 0);
    live--;
    free(pointer);
}

void mem_free_foreign(void *pointer)
{
    free(pointer);
}

void *mem_dup(const void *bytes, size_t length)
{
    void *copy = mem_resize(NULL, length);
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

char *mem_strndup(const char *text, size_t length)
{
    length = strnlen(text, length);
    char *copy = mem_resize(NULL, length + 1);
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

char *mem_strdup(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

long mem_live_count(void)
{
    return live;
}

void mem_fail_nth(long n)
{
    fail_in = n;
}
