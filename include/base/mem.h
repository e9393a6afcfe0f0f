// SPDX-License-Identifier: MIT
// Memory. Sizes that we choose: mem_alloc, which dies when there is none. Sizes that a peer, a file
// or a disk chose: checked against base/limits.h first, then mem_try_alloc, which may fail.
// Memory comes zeroed unless said otherwise. The count of live blocks lets unit tests end with
// "nothing is left".
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);
// NULL when there is none, or when a test asked for this allocation to fail.
void *mem_try_alloc(size_t size);
void *mem_try_alloc_raw(size_t size); // the same, not zeroed
// Grows or shrinks a block; new bytes are not zeroed. pointer may be NULL. Dies when there is none.
void *mem_resize(void *pointer, size_t size);
void mem_free(void *pointer); // NULL is fine
// Memory that another library took from the C allocator (open_memstream, json_dumps): not counted.
void mem_free_foreign(void *pointer);
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t length);
void *mem_dup(const void *bytes, size_t length);

// Blocks allocated and not yet freed, for tests.
long mem_live_count(void);
// The n-th mem_try_alloc from now on fails (1 = the next); 0 switches this off. For tests.
void mem_fail_nth(long n);

#endif
