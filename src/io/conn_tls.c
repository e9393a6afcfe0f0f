// SPDX-License-Identifier: MIT
// TLS over a TCP connection, by OpenSSL through a BIO of our own.
//
// 1. OpenSSL never meets a full socket: what it writes is collected in `wire` and sent after each
//    call; what the socket does not take is `held` by the connection. A plaintext byte that was
//    taken is therefore encrypted exactly once, and nobody has to offer it again.
// 2. Nothing new is encrypted while something is held: at most one batch of WIRE_SIZE per
//    connection is beyond recall, the rest stays with its owner, who may still drop it.
// 3. Small slices that wait together share a record of up to 16 KB (22 bytes of overhead each).
// 4. `wire` is empty between calls; it is shared because there is one thread.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "conn_priv.h"
#include "io/tls.h"

#define TLS_MAGIC 0x544c5343u
enum {
    RECORD_BYTES = 16384, // RFC 8446, 5.1
    RECORD_ROOM = RECORD_BYTES + 256,
    WIRE_SIZE = 4 * RECORD_ROOM,
    HELD_MAX = 512 << 10, // answers to a peer that asks for new keys again and again
};

struct tls_context {
    uint32_t magic;
    uint32_t refs;
    SSL_CTX *ssl;
    bool accepts;
    char identity[TLS_IDENTITY_MAX];
    uint8_t key[TLS_PSK_SIZE];
    char alpn[64];
    tls_lookup_fn lookup;
    bool (*on_alpn)(void *arg, const char *name);
    void *arg;
};

struct conn_tls {
    SSL *ssl;
    struct tls_context *context; // counted
    uint8_t *early;              // ciphertext read before the connection became TLS
    size_t early_start, early_length;
    uint8_t *held; // ciphertext the socket did not take; conn->held bytes at held_start
    size_t held_start;
    char identity[TLS_IDENTITY_MAX];
    uint8_t reason;     // enum reason: what a callback found wrong, NONE
    bool established;   // the handshake is done and was good
    bool failed;        // OpenSSL's state is of no more use
    bool input_ended;   // the socket gave its end
    bool input_trouble; // the socket gave an error; conn->trouble
    bool input_drained; // the socket had less than was asked for: do not ask again now
};

static uint8_t wire[WIRE_SIZE];
static size_t wire_length;
static uint8_t gathered[RECORD_BYTES];

// ---- ciphertext out ----------------------------------------------------------------------------

static bool hold(struct conn *conn, const uint8_t *data, size_t length)
{
    struct conn_tls *tls = conn->tls;
    if (length == 0)
        return true;
    if (conn->held + length > HELD_MAX) {
        conn->trouble = REASON_FLOOD;
        return false;
    }
    uint8_t *grown = mem_alloc(conn->held + length);
    if (conn->held)
        memcpy(grown, tls->held + tls->held_start, conn->held);
    memcpy(grown + conn->held, data, length);
    mem_free(tls->held);
    tls->held = grown;
    tls->held_start = 0;
    conn->held += (uint32_t)length;
    return true;
}

// Sends what is held, then what was collected. False: conn->trouble.
static bool push(struct conn *conn)
{
    struct conn_tls *tls = conn->tls;
    while (conn->held) {
        struct iovec vector = {tls->held + tls->held_start, conn->held};
        ssize_t sent = conn_tcp_send(conn, &vector, 1);
        if (sent < 0) {
            wire_length = 0;
            return false;
        }
        if (sent == 0)
            break;
        tls->held_start += (size_t)sent;
        conn->held -= (uint32_t)sent;
    }
    if (!conn->held && tls->held) {
        mem_free(tls->held);
        tls->held = NULL;
    }
    size_t length = wire_length;
    wire_length = 0;
    ssize_t sent = 0;
    if (length > 0 && !conn->held) {
        struct iovec vector = {wire, length};
        sent = conn_tcp_send(conn, &vector, 1);
        if (sent < 0)
            return false;
    }
    return hold(conn, wire + sent, length - (size_t)sent);
}

static int bio_write(BIO *bio, const char *data, int length)
{
    struct conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (length <= 0)
        return 0;
    if (wire_length + (size_t)length > WIRE_SIZE && !push(conn))
        return -1;
    if ((size_t)length > WIRE_SIZE)
        return -1;
    memcpy(wire + wire_length, data, (size_t)length);
    wire_length += (size_t)length;
    return length;
}

// ---- ciphertext in -----------------------------------------------------------------------------

static int bio_read(BIO *bio, char *data, int room)
{
    struct conn *conn = BIO_get_data(bio);
    struct conn_tls *tls = conn->tls;
    BIO_clear_retry_flags(bio);
    if (tls->early_length) {
        size_t count = tls->early_length < (size_t)room ? tls->early_length : (size_t)room;
        memcpy(data, tls->early + tls->early_start, count);
        tls->early_start += count;
        tls->early_length -= count;
        if (!tls->early_length) {
            mem_free(tls->early);
            tls->early = NULL;
        }
        return (int)count;
    }
    if (tls->input_ended || tls->input_trouble)
        return 0;
    ssize_t got = CONN_AGAIN;
    if (!tls->input_drained)
        got = conn_tcp_receive(conn, (uint8_t *)data, (size_t)room);
    tls->input_drained = got < room;
    if (got > 0)
        return (int)got;
    if (got == CONN_AGAIN) {
        BIO_set_retry_read(bio);
        return -1;
    }
    tls->input_ended = got == 0;
    tls->input_trouble = got == CONN_TROUBLE;
    return 0;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO *bio_new(struct conn *conn)
{
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "conn");
        ENSURE(method != NULL);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_ctrl(method, bio_control);
    }
    BIO *bio = BIO_new(method);
    ENSURE(bio != NULL);
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    return bio;
}

// ---- handshake ---------------------------------------------------------------------------------

// The peer's alert, or our own error, as a reason.
static enum reason failure_reason(const struct conn_tls *tls)
{
    if (tls->reason != REASON_NONE)
        return tls->reason;
    unsigned long error = ERR_peek_error();
    int code = ERR_GET_REASON(error);
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return REASON_PROTOCOL;
    if (code == SSL_R_BINDER_DOES_NOT_VERIFY || code == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return REASON_WRONG_KEY; // a certificate: the peer did not take our key
    if (code < SSL_AD_REASON_OFFSET)
        return REASON_PROTOCOL;
    switch (code - SSL_AD_REASON_OFFSET) {
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_ILLEGAL_PARAMETER: // what OpenSSL sends for a bad binder
    case SSL_AD_DECRYPT_ERROR:     // what RFC 8446, 4.2.11.2 asks for
    case SSL_AD_UNKNOWN_PSK_IDENTITY:
        return REASON_WRONG_KEY;
    case SSL_AD_ACCESS_DENIED: // link_hub.c sends it when there is no key at all
        return REASON_NO_KEY;
    case SSL_AD_NO_APPLICATION_PROTOCOL:
    case SSL_AD_PROTOCOL_VERSION:
        return REASON_VERSION;
    default:
        return REASON_PROTOCOL;
    }
}

static ssize_t trouble(struct conn *conn, enum reason reason)
{
    conn->tls->failed = true;
    conn->trouble = (uint8_t)reason;
    return CONN_TROUBLE;
}

static bool handshake_is_good(struct conn_tls *tls, enum reason *why)
{
    const unsigned char *alpn;
    unsigned alpn_length = 0;
    SSL_get0_alpn_selected(tls->ssl, &alpn, &alpn_length);
    *why = REASON_WRONG_KEY;
    if (!SSL_session_reused(tls->ssl)) // the pre-shared key was not used
        return false;
    *why = REASON_VERSION;
    return alpn_length > 0;
}

// 1 when done, CONN_AGAIN, 0 at the peer's end, CONN_TROUBLE.
static ssize_t handshake(struct conn *conn)
{
    struct conn_tls *tls = conn->tls;
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    int error = SSL_get_error(tls->ssl, result);
    enum reason why = result == 1 ? REASON_NONE : failure_reason(tls);
    bool pushed = push(conn);
    if (conn->held)
        conn->blocked = true;
    if (result == 1) {
        if (!handshake_is_good(tls, &why))
            return trouble(conn, why);
        tls->established = true;
        return pushed ? 1 : CONN_TROUBLE;
    }
    if (tls->input_trouble) {
        tls->failed = true;
        return CONN_TROUBLE;
    }
    if (tls->input_ended) {
        tls->failed = true;
        return 0;
    }
    if (error == SSL_ERROR_WANT_READ)
        return pushed ? CONN_AGAIN : CONN_TROUBLE;
    return trouble(conn, why);
}

// ---- transport ---------------------------------------------------------------------------------

// Copies the next bytes of the vectors into one run for a record; or borrows them when one vector
// has enough. *at and *offset move on.
static const uint8_t *gather(const struct iovec *vectors, int count, int *at, size_t *offset,
                             size_t *length)
{
    size_t left = vectors[*at].iov_len - *offset;
    if (left >= RECORD_BYTES) {
        const uint8_t *run = (const uint8_t *)vectors[*at].iov_base + *offset;
        *offset += RECORD_BYTES;
        *length = RECORD_BYTES;
        return run;
    }
    *length = 0;
    while (*at < count && *length < RECORD_BYTES) {
        size_t part = vectors[*at].iov_len - *offset;
        if (part > RECORD_BYTES - *length)
            part = RECORD_BYTES - *length;
        memcpy(gathered + *length, (const uint8_t *)vectors[*at].iov_base + *offset, part);
        *length += part;
        *offset += part;
        if (*offset == vectors[*at].iov_len) {
            (*at)++;
            *offset = 0;
        }
    }
    return gathered;
}

static ssize_t tls_send(struct conn *conn, const struct iovec *vectors, int count)
{
    struct conn_tls *tls = conn->tls;
    if (!push(conn))
        return CONN_TROUBLE;
    size_t taken = 0, offset = 0;
    int at = 0;
    while (!conn->held) {
        while (at < count && vectors[at].iov_len == offset) {
            at++;
            offset = 0;
        }
        if (at == count)
            break;
        while (at < count && wire_length + RECORD_ROOM <= WIRE_SIZE) {
            size_t length, written;
            const uint8_t *run = gather(vectors, count, &at, &offset, &length);
            if (length == 0)
                break;
            ERR_clear_error();
            if (SSL_write_ex(tls->ssl, run, length, &written) != 1 || written != length) {
                wire_length = 0;
                return trouble(conn, REASON_PROTOCOL);
            }
            taken += length;
        }
        if (!push(conn))
            return CONN_TROUBLE;
    }
    return (ssize_t)taken;
}

static ssize_t tls_receive(struct conn *conn, uint8_t *data, size_t room)
{
    struct conn_tls *tls = conn->tls;
    tls->input_drained = false;
    if (conn->state == CONN_HANDSHAKE) {
        ssize_t done = handshake(conn);
        if (done != 1)
            return done;
        conn_opened(conn);
        if (conn->state != CONN_OPEN || conn->paused)
            return CONN_AGAIN;
    }
    size_t total = 0;
    bool more = true;
    while (total < room && more && !tls->failed) {
        size_t got = 0;
        ERR_clear_error();
        more = SSL_read_ex(tls->ssl, data + total, room - total, &got) == 1;
        total += got;
        if (!more && SSL_get_error(tls->ssl, 0) != SSL_ERROR_WANT_READ) {
            tls->failed = true;
            bool goodbye = SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN;
            tls->input_ended = !tls->input_trouble && (goodbye || tls->input_ended);
            if (!tls->input_ended && !tls->input_trouble)
                conn->trouble = REASON_PROTOCOL;
        }
    }
    if (!push(conn)) // an answer to a request for new keys
        return CONN_TROUBLE;
    if (conn->held)
        conn->blocked = true;
    if (total > 0) {
        if (tls->failed) // told when these bytes were seen
            conn_readable_later(conn);
        return (ssize_t)total;
    }
    if (!tls->failed)
        return CONN_AGAIN;
    return tls->input_ended ? 0 : CONN_TROUBLE;
}

static void tls_shut(struct conn *conn)
{
    struct conn_tls *tls = conn->tls;
    if (tls->established && !tls->failed && !(SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN)) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl);
        push(conn); // as far as the socket takes it: a courtesy
    }
    conn_tcp_shut(conn);
}

static void tls_fini(struct conn *conn)
{
    struct conn_tls *tls = conn->tls;
    if (!conn->held)
        tls_shut(conn);
    SSL_free(tls->ssl);
    tls_context_unref(&tls->context);
    mem_free(tls->early);
    mem_free(tls->held);
    mem_free(tls);
    conn->tls = NULL;
    conn->held = 0;
    conn_tcp_fini(conn);
}

const struct conn_transport conn_tls = {
    .send = tls_send,
    .receive = tls_receive,
    .watch = conn_tcp_watch,
    .shut = tls_shut,
    .fini = tls_fini,
};

void conn_tls_take_early(struct conn *conn)
{
    struct conn_tls *tls = conn->tls;
    if (!conn->in_length)
        return;
    ENSURE(!tls->early);
    tls->early = conn->in;
    tls->early_start = conn->in_start;
    tls->early_length = conn->in_length;
    conn->in = NULL;
    conn->in_start = conn->in_length = conn->in_room = 0;
}

void conn_tls_attach(struct conn *conn, struct tls_context *context, bool accepted)
{
    OBJ_CHECK(context, TLS_MAGIC);
    ENSURE(context->accepts == accepted);
    struct conn_tls *tls = mem_alloc(sizeof(*tls));
    tls->context = tls_context_ref(context);
    tls->ssl = SSL_new(context->ssl);
    ENSURE(tls->ssl != NULL);
    conn->tls = tls;
    conn->transport = &conn_tls;
    conn->state = CONN_HANDSHAKE;
    BIO *bio = bio_new(conn);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, conn);
    if (accepted) {
        SSL_set_accept_state(tls->ssl);
        return;
    }
    SSL_set_connect_state(tls->ssl);
    if (handshake(conn) == CONN_TROUBLE) // says hello
        conn_trouble_close(conn);
    else
        conn_tcp_watch(conn);
}

const char *conn_tls_identity(const struct conn *conn)
{
    if (conn->transport != &conn_tls || !conn->tls->established)
        return "";
    return conn->tls->identity;
}

// ---- contexts ----------------------------------------------------------------------------------

static SSL_SESSION *psk_session(SSL *ssl, const uint8_t key[TLS_PSK_SIZE])
{
    static const unsigned char suite[2] = {0x13, 0x01}; // TLS_AES_128_GCM_SHA256
    SSL_SESSION *session = SSL_SESSION_new();
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite);
    ENSURE(session && cipher);
    ENSURE(SSL_SESSION_set1_master_key(session, key, TLS_PSK_SIZE) == 1);
    ENSURE(SSL_SESSION_set_cipher(session, cipher) == 1);
    ENSURE(SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1);
    return session;
}

static int on_use_psk(SSL *ssl, const EVP_MD *hash, const unsigned char **identity,
                      size_t *identity_length, SSL_SESSION **session)
{
    const struct tls_context *context = ((struct conn *)SSL_get_app_data(ssl))->tls->context;
    *session = NULL;
    if (hash && !EVP_MD_is_a(hash, "SHA256"))
        return 1;
    *identity = (const unsigned char *)context->identity;
    *identity_length = strlen(context->identity);
    *session = psk_session(ssl, context->key);
    return 1;
}

static int on_find_psk(SSL *ssl, const unsigned char *identity, size_t length,
                       SSL_SESSION **session)
{
    struct conn_tls *tls = ((struct conn *)SSL_get_app_data(ssl))->tls;
    uint8_t key[TLS_PSK_SIZE];
    *session = NULL;
    tls->reason = REASON_WRONG_KEY;
    tls->identity[0] = 0;
    if (length == 0 || memchr(identity, 0, length) ||
        !text_copy_n(tls->identity, sizeof(tls->identity), (const char *)identity, length) ||
        !tls->context->lookup(tls->context->arg, tls->identity, key))
        return 1; // goes on without a key, and fails for want of a certificate
    tls->reason = REASON_NONE;
    *session = psk_session(ssl, key);
    OPENSSL_cleanse(key, sizeof(key));
    return 1;
}

static int on_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                          const unsigned char *offered, unsigned length, void *arg)
{
    (void)arg;
    struct conn_tls *tls = ((struct conn *)SSL_get_app_data(ssl))->tls;
    const struct tls_context *context = tls->context;
    char name[256];
    if (length > 1 && offered[0] <= length - 1 &&
        text_copy_n(name, sizeof(name), (const char *)offered + 1, offered[0]) &&
        (context->on_alpn ? context->on_alpn(context->arg, name)
                          : strcmp(name, context->alpn) == 0)) {
        *out = offered + 1;
        *out_length = offered[0];
        return SSL_TLSEXT_ERR_OK;
    }
    tls->reason = REASON_VERSION;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static struct tls_context *context_new(const SSL_METHOD *method, const char *alpn)
{
    struct tls_context *context = mem_alloc(sizeof(*context));
    context->magic = TLS_MAGIC;
    context->refs = 1;
    context->ssl = SSL_CTX_new(method);
    ENSURE(context->ssl != NULL);
    ENSURE(text_copy(context->alpn, sizeof(context->alpn), alpn));
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_3_VERSION);
    ENSURE(SSL_CTX_set_ciphersuites(context->ssl, "TLS_AES_128_GCM_SHA256") == 1);
    ENSURE(SSL_CTX_set1_groups_list(context->ssl, "X25519:P-256") == 1);
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context->ssl, 1);
    return context;
}

int tls_psk_client(const char *identity, const uint8_t key[TLS_PSK_SIZE], const char *alpn,
                   struct tls_context **out)
{
    *out = NULL;
    size_t alpn_length = strlen(alpn);
    if (!*identity || strlen(identity) >= TLS_IDENTITY_MAX || !alpn_length || alpn_length > 63)
        return ERR_INVALID;
    struct tls_context *context = context_new(TLS_client_method(), alpn);
    text_copy(context->identity, sizeof(context->identity), identity);
    memcpy(context->key, key, TLS_PSK_SIZE);
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL); // no certificate will do
    SSL_CTX_set_psk_use_session_callback(context->ssl, on_use_psk);
    uint8_t list[64] = {(uint8_t)alpn_length};
    memcpy(list + 1, alpn, alpn_length);
    ENSURE(SSL_CTX_set_alpn_protos(context->ssl, list, (unsigned)alpn_length + 1) == 0);
    *out = context;
    return 0;
}

int tls_psk_server(tls_lookup_fn lookup, bool (*on_alpn)(void *arg, const char *name),
                   const char *alpn, void *arg, struct tls_context **out)
{
    *out = NULL;
    if (!*alpn || strlen(alpn) > 63)
        return ERR_INVALID;
    struct tls_context *context = context_new(TLS_server_method(), alpn);
    context->accepts = true;
    context->lookup = lookup;
    context->on_alpn = on_alpn;
    context->arg = arg;
    SSL_CTX_set_num_tickets(context->ssl, 0);
    SSL_CTX_set_psk_find_session_callback(context->ssl, on_find_psk);
    SSL_CTX_set_alpn_select_cb(context->ssl, on_select_alpn, NULL);
    *out = context;
    return 0;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    OBJ_CHECK(context, TLS_MAGIC);
    context->refs++;
    return context;
}

void tls_context_unref(struct tls_context **where)
{
    struct tls_context *context = *where;
    *where = NULL;
    if (!context)
        return;
    OBJ_CHECK(context, TLS_MAGIC);
    if (--context->refs > 0)
        return;
    SSL_CTX_free(context->ssl);
    OPENSSL_cleanse(context->key, sizeof(context->key));
    context->magic = 0;
    mem_free(context);
}
