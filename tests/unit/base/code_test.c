// SPDX-License-Identifier: MIT
#include "unit.h"

// The whole file, to reach the table form of CRC-32C, which a machine with the instruction for it
// never takes.
#include "code.c"

static void base64_vectors_of_the_standard(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}}; // RFC 4648, 10
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[16];
        uint8_t data[16];
        size_t length = 99, plain = strlen(cases[i][0]);
        assert_true(base64_encode(cases[i][0], plain, text, strlen(cases[i][1]) + 1));
        assert_string_equal(text, cases[i][1]);
        assert_false(base64_encode(cases[i][0], plain, text, strlen(cases[i][1])));
        assert_true(base64_decode(cases[i][1], strlen(cases[i][1]), data, plain, &length));
        assert_int_equal(length, plain);
        assert_memory_equal(data, cases[i][0], plain);
        if (plain > 0)
            assert_false(base64_decode(cases[i][1], strlen(cases[i][1]), data, plain - 1, &length));
        size_t bare = strcspn(cases[i][1], "=");
        length = 99;
        assert_true(base64_decode(cases[i][1], bare, data, plain, &length));
        assert_int_equal(length, plain);
    }
}

static void base64_every_byte_comes_back(void **state)
{
    (void)state;
    uint8_t in[256], out[256];
    char text[345];
    size_t length;
    for (int i = 0; i < 256; i++)
        in[i] = (uint8_t)i;
    assert_true(base64_encode(in, 256, text, sizeof(text)));
    assert_true(base64_decode(text, strlen(text), out, 256, &length));
    assert_int_equal(length, 256);
    assert_memory_equal(in, out, 256);
}

static void base64_decode_broken_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"A",     "AAAAA", "=",    "==",   "====", "A===", "AA===",
                                        "AAA==", "AAAA=", "A=AA", "AA A", "AA-_", "AA\n"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[8];
        size_t length = 99;
        assert_false(base64_decode(cases[i], strlen(cases[i]), out, sizeof(out), &length));
        assert_int_equal(length, 99);
    }
}

static void hex_comes_back_and_refuses(void **state)
{
    (void)state;
    uint8_t out[4];
    char text[9];
    size_t length = 99;
    hex_encode("\x00\x9f\xab\xff", 4, text);
    assert_string_equal(text, "009fabff");
    assert_true(hex_decode("009fAbfF", 8, out, 4, &length));
    assert_int_equal(length, 4);
    assert_memory_equal(out, "\x00\x9f\xab\xff", 4);
    assert_false(hex_decode("00112233", 8, out, 3, &length));
    assert_false(hex_decode("001", 3, out, 4, &length));
    assert_false(hex_decode("0g", 2, out, 4, &length));
    assert_true(hex_decode("", 0, out, 0, &length));
    assert_int_equal(length, 0);
}

static void crc_known_values(void **state)
{
    (void)state;
    assert_int_equal(crc32_mpeg("123456789", 9), 0x0376e6e7u);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    uint8_t zeros[32] = {0}, ones[32]; // RFC 3720, B.4
    memset(ones, 0xff, sizeof(ones));
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aau);
    assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43u);
    assert_int_equal(crc32c(0, "", 0), 0);
}

static void crc32c_table_and_instruction_agree_in_pieces(void **state)
{
    (void)state;
    uint8_t data[80];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 37 + 11);
    for (size_t from = 0; from < 9; from++) {
        for (size_t length = 0; from + length <= sizeof(data); length++) {
            uint32_t whole = crc32c(0, data + from, length);
            assert_int_equal(~crc32c_table(~0u, data + from, length), whole);
            uint32_t chained = crc32c(0, data + from, length / 3);
            chained = crc32c(chained, data + from + length / 3, length - length / 3);
            assert_int_equal(chained, whole);
        }
    }
}

static void crc32c_long_agrees_with_the_table(void **state)
{
    (void)state;
    static uint8_t data[10000];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * i * 7 + i / 251 + 3);
    for (size_t length = 3000; length < sizeof(data); length += 61)
        assert_int_equal(~crc32c_table(~0u, data + length % 9, length - 9),
                         crc32c(0, data + length % 9, length - 9));
}

TEST_MAIN(TEST(base64_vectors_of_the_standard), TEST(base64_every_byte_comes_back),
          TEST(base64_decode_broken_is_refused), TEST(hex_comes_back_and_refuses),
          TEST(crc_known_values), TEST(crc32c_table_and_instruction_agree_in_pieces),
          TEST(crc32c_long_agrees_with_the_table))
