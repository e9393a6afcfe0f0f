// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/code.h"
#include "base/digest.h"

static void assert_hex(const uint8_t *data, size_t length, const char *want)
{
    char text[257];
    hex_encode(data, length, text);
    assert_string_equal(text, want);
}

static void digest_hashes_of_known_texts(void **state)
{
    (void)state;
    uint8_t out[SHA256_SIZE];
    digest_sha256("abc", 3, out);
    assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256("", 0, out);
    assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_md5("abc", 3, out);
    assert_hex(out, 16, "900150983cd24fb0d6963f7d28e17f72");
}

static void digest_hmac_vectors(void **state)
{
    (void)state;
    uint8_t out[SHA256_SIZE];
    digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out); // RFC 4231, 4.3
    assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    digest_hmac_sha256(NULL, 0, "", 0, out);
    assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void digest_hkdf_vector_and_lengths(void **state)
{
    (void)state;
    uint8_t secret[22], out[255 * SHA256_SIZE], begin[33];
    memset(secret, 0x0b, sizeof(secret));
    digest_hkdf(secret, sizeof(secret), "", out, 42); // RFC 5869, A.3
    assert_hex(out, 42,
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
               "9d201395faa4b61a96c8");
    digest_hkdf(secret, sizeof(secret), "link", out, sizeof(out));
    digest_hkdf(secret, sizeof(secret), "link", begin, sizeof(begin));
    assert_memory_equal(out, begin, sizeof(begin)); // a shorter one is a beginning of the longer
    digest_hkdf(secret, sizeof(secret), "lime", begin, sizeof(begin));
    assert_memory_not_equal(out, begin, sizeof(begin));
}

static void digest_scrypt_vector(void **state)
{
    (void)state;
    uint8_t out[64]; // RFC 7914, 12, the first: N = 16, r = 1, p = 1
    digest_scrypt("", "", 16, 1, out, sizeof(out));
    assert_hex(out, 64,
               "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
               "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    uint8_t large[32];
    digest_scrypt("secret", "sluice", 16384, 8, large, sizeof(large)); // its memory is enough
}

static void digest_random_differs(void **state)
{
    (void)state;
    uint8_t a[600] = {0}, b[600] = {0};
    digest_random(a, sizeof(a));
    digest_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 568, a + 536, 32); // filled to its end
    assert_true(digest_random_u64() != digest_random_u64());
}

TEST_MAIN(TEST(digest_hashes_of_known_texts), TEST(digest_hmac_vectors),
          TEST(digest_hkdf_vector_and_lengths), TEST(digest_scrypt_vector),
          TEST(digest_random_differs))
