// SPDX-License-Identifier: MIT
// TLS contexts for conn (OpenSSL behind). The link uses TLS 1.3 with an external pre-shared key
// (RFC 8446, 2.2 and 4.2.11) and ALPN (RFC 7301); no certificates.
#ifndef IO_TLS_H
#define IO_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct conn;
struct tls_context;

enum { TLS_PSK_SIZE = 32, TLS_IDENTITY_MAX = 64 };

// Dialling side: one identity and key. alpn: one protocol name. Count one; ERR_INVALID.
MUST_USE int tls_psk_client(const char *identity, const uint8_t key[TLS_PSK_SIZE], const char *alpn,
                            struct tls_context **out);
// Accepting side: lookup is asked for the key of an identity; false refuses. on_alpn is asked with
// what the client offered (the first name); false refuses with no_application_protocol.
typedef bool (*tls_lookup_fn)(void *arg, const char *identity, uint8_t key[TLS_PSK_SIZE]);
MUST_USE int tls_psk_server(tls_lookup_fn lookup, bool (*on_alpn)(void *arg, const char *name),
                            const char *alpn, void *arg, struct tls_context **out);
struct tls_context *tls_context_ref(struct tls_context *context); // returns its argument
void tls_context_unref(struct tls_context **context);

// Why the handshake of a closed connection failed, as the alert or local error told it: WRONG_KEY
// (unknown identity, bad binder, handshake_failure), VERSION (ALPN), PROTOCOL, or NONE. on_closed
// already carries it.
// Identity that the accepted client proved to know the key of; empty before the handshake is done.
const char *conn_tls_identity(const struct conn *conn);

#endif
