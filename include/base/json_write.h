// SPDX-License-Identifier: MIT
// Streaming JSON out (RFC 8259) into a writer. Commas and escapes are the module's business;
// invalid UTF-8 in texts is replaced. Depth at most 16.
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/writer.h"

struct json {
    struct writer *out; // borrowed
    unsigned depth;
    bool comma[17]; // by depth: a value stands before
    bool after_key;
};

void json_init(struct json *json, struct writer *out);
void json_object_begin(struct json *json);
void json_object_end(struct json *json);
void json_array_begin(struct json *json);
void json_array_end(struct json *json);
void json_key(struct json *json, const char *key);
void json_text(struct json *json, const char *value); // NULL writes null
void json_int(struct json *json, int64_t value);
void json_uint(struct json *json, uint64_t value);
void json_double(struct json *json, double value); // NaN and infinities write null
void json_bool(struct json *json, bool value);
// Key and value in one.
void json_key_text(struct json *json, const char *key, const char *value);
void json_key_int(struct json *json, const char *key, int64_t value);
void json_key_bool(struct json *json, const char *key, bool value);

#endif
