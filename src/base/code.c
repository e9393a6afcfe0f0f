// SPDX-License-Identifier: MIT
// Codings and checksums. The tables are made before main runs, so that the worker thread may use
// the checksums too.
#include "base/code.h"

#include <string.h>

// Where the compiler was told that each machine has the instruction (-march=armv8-a+crc and newer).
#if defined(__aarch64__) && defined(__ARM_FEATURE_CRC32) && defined(__AARCH64EL__)
#define CRC32C_ARM 1
#include <arm_acle.h>
#else
#define CRC32C_ARM 0
#endif

static uint32_t mpeg_table[256];
static uint32_t castagnoli_table[8][256]; // [k][b]: byte b followed by k zero bytes
static uint8_t base64_value[256];         // 0xff: not of the alphabet

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

__attribute__((constructor)) static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t high = i << 24, low = i;
        for (int bit = 0; bit < 8; bit++) {
            high = high << 1 ^ (high >> 31 ? 0x04c11db7u : 0);
            low = low >> 1 ^ (low & 1 ? 0x82f63b78u : 0);
        }
        mpeg_table[i] = high;
        castagnoli_table[0][i] = low;
    }
    for (int k = 1; k < 8; k++) {
        for (int i = 0; i < 256; i++) {
            uint32_t before = castagnoli_table[k - 1][i];
            castagnoli_table[k][i] = before >> 8 ^ castagnoli_table[0][before & 0xff];
        }
    }
    memset(base64_value, 0xff, sizeof(base64_value));
    for (uint8_t i = 0; i < 64; i++)
        base64_value[(uint8_t)base64_alphabet[i]] = i;
}

bool base64_decode(const char *text, size_t text_length, uint8_t *out, size_t room, size_t *length)
{
    size_t digits = text_length;
    while (digits > 0 && text_length - digits < 2 && text[digits - 1] == '=')
        digits--;
    if (digits % 4 == 1 || (digits < text_length && (digits % 4) + (text_length - digits) > 4))
        return false;
    if (digits % 4 == 0 && digits < text_length)
        return false; // padding where none is due
    size_t bytes = digits / 4 * 3 + (digits % 4 ? digits % 4 - 1 : 0);
    if (bytes > room)
        return false;
    uint32_t group = 0;
    size_t written = 0;
    for (size_t i = 0; i < digits; i++) {
        uint8_t value = base64_value[(uint8_t)text[i]];
        if (value == 0xff)
            return false;
        group = group << 6 | value;
        // Every digit but the first of four completes a byte.
        if (i % 4)
            out[written++] = (uint8_t)(group >> (6 - 2 * (i % 4)));
    }
    *length = written;
    return true;
}

bool base64_encode(const void *data, size_t length, char *out, size_t room)
{
    const uint8_t *in = data;
    if (room == 0 || length > (room - 1) / 4 * 3)
        return false;
    for (; length > 0; in += 3) {
        size_t part = length < 3 ? length : 3;
        uint32_t group = (uint32_t)in[0] << 16;
        if (part > 1)
            group |= (uint32_t)in[1] << 8;
        if (part > 2)
            group |= in[2];
        *out++ = base64_alphabet[group >> 18];
        *out++ = base64_alphabet[group >> 12 & 63];
        *out++ = part > 1 ? base64_alphabet[group >> 6 & 63] : '=';
        *out++ = part > 2 ? base64_alphabet[group & 63] : '=';
        length -= part;
    }
    *out = 0;
    return true;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool hex_decode(const char *text, size_t text_length, uint8_t *out, size_t room, size_t *length)
{
    if (text_length % 2 || text_length / 2 > room)
        return false;
    for (size_t i = 0; i < text_length / 2; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    *length = text_length / 2;
    return true;
}

void hex_encode(const void *data, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = data;
    for (size_t i = 0; i < length; i++) {
        *out++ = digits[in[i] >> 4];
        *out++ = digits[in[i] & 15];
    }
    *out = 0;
}

uint32_t crc32_mpeg(const void *data, size_t length)
{
    const uint8_t *in = data;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < length; i++)
        crc = crc << 8 ^ mpeg_table[crc >> 24 ^ in[i]];
    return crc;
}

// Eight bytes a step (slicing by eight), for machines without the instruction.
static uint32_t crc32c_table(uint32_t crc, const uint8_t *in, size_t length)
{
    for (; length >= 8; in += 8, length -= 8) {
        crc ^=
            (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
        crc = castagnoli_table[7][crc & 0xff] ^ castagnoli_table[6][crc >> 8 & 0xff] ^
              castagnoli_table[5][crc >> 16 & 0xff] ^ castagnoli_table[4][crc >> 24] ^
              castagnoli_table[3][in[4]] ^ castagnoli_table[2][in[5]] ^ castagnoli_table[1][in[6]] ^
              castagnoli_table[0][in[7]];
    }
    for (; length > 0; in++, length--)
        crc = crc >> 8 ^ castagnoli_table[0][(crc ^ *in) & 0xff];
    return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint64_t crc32c_word(uint64_t crc, const uint8_t *in)
{
    uint64_t word;
    memcpy(&word, in, 8);
    return __builtin_ia32_crc32di(crc, word);
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *in,
                                                               size_t length)
{
    uint64_t wide = crc;
    for (; length >= 8; in += 8, length -= 8)
        wide = crc32c_word(wide, in);
    crc = (uint32_t)wide;
    for (; length > 0; in++, length--)
        crc = __builtin_ia32_crc32qi(crc, *in);
    return crc;
}

// The instruction takes three cycles and can begin each cycle: three lanes at a time, of LANE
// bytes. A lane's value is moved over the LANE or 2 * LANE bytes behind it, as if these were zero:
// times x^(8 * bytes) modulo the polynomial. The constants are x^(8 * bytes - 33), reflected: 32
// come from the instruction, one from the product of two reflected numbers.
enum { LANE = 1024 };
#define LANE_ONE 0x170076fau
#define LANE_TWO 0xa51b6135u

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc32c_move(uint64_t crc, uint32_t by)
{
    typedef long long pair __attribute__((vector_size(16)));
    pair product = __builtin_ia32_pclmulqdq128((pair){(long long)crc, 0}, (pair){by, 0}, 0);
    return (uint32_t)__builtin_ia32_crc32di(0, (unsigned long long)product[0]);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
crc32c_lanes(uint32_t crc, const uint8_t *in, size_t length)
{
    for (; length >= 3 * LANE; in += 3 * LANE, length -= 3 * LANE) {
        uint64_t first = crc, second = 0, third = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            first = crc32c_word(first, in + i);
            second = crc32c_word(second, in + LANE + i);
            third = crc32c_word(third, in + 2 * LANE + i);
        }
        crc = crc32c_move(first, LANE_TWO) ^ crc32c_move(second, LANE_ONE) ^ (uint32_t)third;
    }
    return crc32c_sse42(crc, in, length);
}
#endif

#if CRC32C_ARM
static uint32_t crc32c_arm(uint32_t crc, const uint8_t *in, size_t length)
{
    for (; length >= 8; in += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, in, 8);
        crc = __crc32cd(crc, word);
    }
    for (; length > 0; in++, length--)
        crc = __crc32cb(crc, *in);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t length)
{
#ifdef __x86_64__
    if (length >= 3 * LANE && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        return ~crc32c_lanes(~crc, data, length);
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc32c_sse42(~crc, data, length);
#endif
#if CRC32C_ARM
    return ~crc32c_arm(~crc, data, length);
#endif
    return ~crc32c_table(~crc, data, length);
}
