// SPDX-License-Identifier: MIT
// Hashes, message authentication and key derivation; the only OpenSSL user of this layer.
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SHA256_SIZE = 32, MD5_SIZE = 16 };

void digest_sha256(const void *data, size_t length, uint8_t out[SHA256_SIZE]);
void digest_md5(const void *data, size_t length, uint8_t out[MD5_SIZE]); // HTTP/RTSP Digest only
void digest_hmac_sha256(const void *key, size_t key_length, const void *data, size_t length,
                        uint8_t out[SHA256_SIZE]);
// RFC 5869, SHA-256.
void digest_hkdf(const void *secret, size_t secret_length, const char *label, uint8_t *out,
                 size_t length);
// RFC 7914; n is a power of two. About 50 ms at n = 16384, r = 8.
void digest_scrypt(const char *password, const char *salt, unsigned n, unsigned r, uint8_t *out,
                   size_t length);
void digest_random(void *out, size_t length); // from the operating system
uint64_t digest_random_u64(void);
// From now on digest_random_u64 gives numbers that follow from the seed; 0: real ones again.
void digest_seed_test(uint64_t seed);

#endif
