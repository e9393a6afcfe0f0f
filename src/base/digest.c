// SPDX-License-Identifier: MIT
// Hashes and key derivation. A failure here means a broken library or no memory, never a bad input,
// hence ENSURE.
#include "base/digest.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

#include "base/ensure.h"

void digest_sha256(const void *data, size_t length, uint8_t out[SHA256_SIZE])
{
    ENSURE(EVP_Digest(data, length, out, NULL, EVP_sha256(), NULL) == 1);
}

void digest_md5(const void *data, size_t length, uint8_t out[MD5_SIZE])
{
    ENSURE(EVP_Digest(data, length, out, NULL, EVP_md5(), NULL) == 1);
}

void digest_hmac_sha256(const void *key, size_t key_length, const void *data, size_t length,
                        uint8_t out[SHA256_SIZE])
{
    ENSURE(key_length <= INT_MAX);
    // A NULL key would mean "the key of before".
    ENSURE(HMAC(EVP_sha256(), key_length ? key : "", (int)key_length, data, length, out, NULL));
}

void digest_hkdf(const void *secret, size_t secret_length, const char *label, uint8_t *out,
                 size_t length)
{
    static const uint8_t no_salt[SHA256_SIZE];
    uint8_t key[SHA256_SIZE], block[SHA256_SIZE], input[SHA256_SIZE + 255 + 1];
    size_t label_length = strlen(label), block_length = 0;
    ENSURE(label_length <= 255 && length <= 255 * SHA256_SIZE);
    digest_hmac_sha256(no_salt, sizeof(no_salt), secret, secret_length, key); // 2.2, extract
    for (uint8_t counter = 1; length > 0; counter++) {                        // 2.3, expand
        memcpy(input, block, block_length);
        memcpy(input + block_length, label, label_length);
        input[block_length + label_length] = counter;
        digest_hmac_sha256(key, sizeof(key), input, block_length + label_length + 1, block);
        block_length = SHA256_SIZE;
        size_t part = length < SHA256_SIZE ? length : SHA256_SIZE;
        memcpy(out, block, part);
        out += part;
        length -= part;
    }
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(block, sizeof(block));
    OPENSSL_cleanse(input, sizeof(input));
}

void digest_scrypt(const char *password, const char *salt, unsigned n, unsigned r, uint8_t *out,
                   size_t length)
{
    uint64_t memory = 128ull * n * r * 2 + (1u << 20); // with room for its own tables
    ENSURE(EVP_PBE_scrypt(password, strlen(password), (const uint8_t *)salt, strlen(salt), n, r, 1,
                          memory, out, length) == 1);
}

void digest_random(void *out, size_t length)
{
    uint8_t *at = out;
    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);
        ENSURE(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            length -= (size_t)got;
        }
    }
}

static uint64_t test_state;

void digest_seed_test(uint64_t seed)
{
    test_state = seed;
}

uint64_t digest_random_u64(void)
{
    if (test_state) // as good as a test needs
        return test_state = test_state * 6364136223846793005u + 1442695040888963407u;
    uint64_t value;
    digest_random(&value, sizeof(value));
    return value;
}
