// SPDX-License-Identifier: MIT
#include "golden.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = mem_alloc((size_t)size + 1);
    size_t got = fread(text, 1, (size_t)size, file);
    text[got] = 0;
    fclose(file);
    return text;
}

static void print_difference(const char *path, const char *wanted, const char *text)
{
    int line = 1;
    size_t begin = 0, i = 0;
    for (; wanted[i] && wanted[i] == text[i]; i++) {
        if (text[i] == '\n') {
            line++;
            begin = i + 1;
        }
    }
    fprintf(stderr, "%s:%d differs\n  expected %.*s\n  found    %.*s\n", path, line,
            (int)strcspn(wanted + begin, "\n"), wanted + begin, (int)strcspn(text + begin, "\n"),
            text + begin);
}

bool golden_equal(const char *path, const char *text)
{
    char whole[256];
    text_format(whole, sizeof(whole), "tests/golden/%s", path);
    const char *rewrite = getenv("GOLDEN_REWRITE");
    if (rewrite && *rewrite) {
        FILE *file = fopen(whole, "wb");
        bool written = file && fwrite(text, 1, strlen(text), file) == strlen(text);
        return file && fclose(file) == 0 && written;
    }
    char *wanted = read_whole(whole);
    if (!wanted) {
        fprintf(stderr, "%s: cannot be read\n", whole);
        return false;
    }
    bool equal = strcmp(wanted, text) == 0;
    if (!equal)
        print_difference(whole, wanted, text);
    mem_free(wanted);
    return equal;
}

bool golden_hex(char *out, size_t room, const void *data, size_t length)
{
    bool whole = true;
    for (size_t i = 0; i < length && whole; i++)
        whole = text_append(out, room, "%s%02x", i ? " " : "", ((const uint8_t *)data)[i]);
    return whole;
}
