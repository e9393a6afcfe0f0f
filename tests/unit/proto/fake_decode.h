// SPDX-License-Identifier: MIT
// Lets a decoder that is not ours (ffmpeg) judge what the test picture and its sound are made of.
#ifndef TESTS_UNIT_PROTO_FAKE_DECODE_H
#define TESTS_UNIT_PROTO_FAKE_DECODE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "temp_folder.h"
#include "unit.h"

struct fake_decode {
    struct temp_folder folder;
    FILE *file; // what will be decoded, while it is written
};

static inline bool fake_decode_possible(void)
{
    return system("command -v ffmpeg >/dev/null 2>&1") == 0;
}

static inline void fake_decode_begin(struct fake_decode *decode)
{
    temp_folder_make(&decode->folder);
    decode->file = fopen(temp_path(&decode->folder, "coded"), "wb");
    assert_non_null(decode->file);
}

// All of a file, with a zero behind it; mem_free it.
static inline uint8_t *fake_decode_read(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    uint8_t *out;

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    out = mem_alloc(*length + 1);
    assert_int_equal(fread(out, 1, *length, file), *length);
    fclose(file);
    return out;
}

// Decodes what was written to file. A warning is a failure. Returns what came out; mem_free it.
static inline uint8_t *fake_decode_end(struct fake_decode *decode, const char *from, const char *to,
                                       size_t *length)
{
    const char *decoded = temp_path(&decode->folder, "decoded");
    const char *words = temp_path(&decode->folder, "words");
    char command[1024];
    uint8_t *said, *out;
    int result;

    assert_int_equal(fclose(decode->file), 0);
    text_format(command, sizeof(command),
                "ffmpeg -hide_banner -v warning -xerror %s -i pipe:0 %s -y %s <%s 2>%s", from, to,
                decoded, temp_path(&decode->folder, "coded"), words);
    result = system(command);
    said = fake_decode_read(words, length);
    assert_string_equal((char *)said, "");
    mem_free(said);
    assert_int_equal(result, 0);
    out = fake_decode_read(decoded, length);
    temp_folder_remove(&decode->folder);
    return out;
}

#endif
