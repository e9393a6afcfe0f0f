// SPDX-License-Identifier: MIT
// cluster_key to the identity and pre-shared key of the TLS handshake.
#ifndef LINK_LINK_KEY_H
#define LINK_LINK_KEY_H

#include "io/tls.h"

enum { LINK_IDENTITY_SIZE = 32 }; // characters

struct link_secret {
    char identity[LINK_IDENTITY_SIZE + 1]; // goes over the wire in clear
    uint8_t psk[TLS_PSK_SIZE];             // never does
};

// The first time for a key it takes about 50 ms (scrypt); the last eight keys are remembered.
void link_key_derive(const char *cluster_key, struct link_secret *out);

#endif
