// SPDX-License-Identifier: MIT
// Codings: base64 (RFC 4648), hexadecimal, CRC-32 as in MPEG-2 (ISO/IEC 13818-1, annex A) and
// CRC-32C (RFC 3720, as the archive uses it).
#ifndef BASE_CODE_H
#define BASE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// False when it does not fit or is not base64; *length is set on success. Missing padding is fine.
bool base64_decode(const char *text, size_t text_length, uint8_t *out, size_t room, size_t *length);
bool base64_encode(const void *data, size_t length, char *out, size_t room);
bool hex_decode(const char *text, size_t text_length, uint8_t *out, size_t room, size_t *length);
void hex_encode(const void *data, size_t length, char *out); // room 2 * length + 1
uint32_t crc32_mpeg(const void *data, size_t length);
// Start with crc = 0 and chain: crc32c(crc32c(0, a), b) is that of a followed by b.
uint32_t crc32c(uint32_t crc, const void *data, size_t length);

#endif
