// SPDX-License-Identifier: MIT
// cluster_key, stretched.
//
// Whoever records a handshake can try keys against it, hence scrypt; and since the loop must not
// wait for it at each redial or reload, results are kept by the hash of the key. The memory is
// static and small: there are as many keys as the configuration names.
#include "link_key.h"

#include <string.h>

#include "base/digest.h"
#include "link/link.h"

enum {
    SCRYPT_N = 16384, // 16 MB and about 50 ms a guess
    SCRYPT_R = 8,
    KEPT = 8,
    GOOD_LENGTH = 16,   // characters: sixteen random ones cannot be guessed
    GOOD_DIFFERENT = 8, // of them different: "aaaa..." can
};

static struct {
    uint8_t hash[SHA256_SIZE];
    struct link_secret secret;
    uint64_t used; // 0: free; otherwise grows with each use
} kept[KEPT];
static uint64_t uses;

bool link_key_is_weak(const char *cluster_key)
{
    bool seen[256] = {false};
    unsigned different = 0;
    for (const char *at = cluster_key; *at; at++) {
        different += !seen[(unsigned char)*at];
        seen[(unsigned char)*at] = true;
    }
    return strlen(cluster_key) < GOOD_LENGTH || different < GOOD_DIFFERENT;
}

static void key_stretch(const char *cluster_key, struct link_secret *out)
{
    uint8_t stretched[32], identity[LINK_IDENTITY_SIZE / 2];
    digest_scrypt(cluster_key, "sluice link 1", SCRYPT_N, SCRYPT_R, stretched, sizeof(stretched));
    digest_hkdf(stretched, sizeof(stretched), "sluice link psk", out->psk, sizeof(out->psk));
    digest_hkdf(stretched, sizeof(stretched), "sluice link identity", identity, sizeof(identity));
    for (size_t i = 0; i < sizeof(identity); i++) {
        out->identity[2 * i] = "0123456789abcdef"[identity[i] >> 4];
        out->identity[2 * i + 1] = "0123456789abcdef"[identity[i] & 15];
    }
    out->identity[LINK_IDENTITY_SIZE] = 0;
    explicit_bzero(stretched, sizeof(stretched));
}

void link_key_derive(const char *cluster_key, struct link_secret *out)
{
    uint8_t hash[SHA256_SIZE];
    digest_sha256(cluster_key, strlen(cluster_key), hash);
    size_t at = 0;
    for (size_t i = 0; i < KEPT; i++) {
        if (kept[i].used && memcmp(kept[i].hash, hash, sizeof(hash)) == 0) {
            at = i;
            break;
        }
        if (kept[i].used < kept[at].used)
            at = i;
    }
    if (!kept[at].used || memcmp(kept[at].hash, hash, sizeof(hash)) != 0) {
        key_stretch(cluster_key, &kept[at].secret);
        memcpy(kept[at].hash, hash, sizeof(hash));
    }
    kept[at].used = ++uses;
    *out = kept[at].secret;
}
