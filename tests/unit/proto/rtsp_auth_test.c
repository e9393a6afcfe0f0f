// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/text.h"
#include "rtsp_auth.h"

static int challenge(struct rtsp_auth *auth, const char *headers)
{
    char text[4096];
    struct rtsp_item item;
    text_format(text, sizeof(text), "RTSP/1.0 401 Unauthorized\r\n%s\r\n", headers);
    struct bytes in = bytes_of(text, strlen(text));
    assert_int_equal(rtsp_wire_next(&in, &item), 0);
    return rtsp_auth_challenge(auth, &item.message);
}

static void rtsp_auth_write_basic(void **state)
{
    (void)state;
    struct rtsp_auth auth = {0};
    char out[RTSP_AUTH_TEXT_MAX];
    assert_true(rtsp_auth_write(&auth, "u", "p", "OPTIONS", "rtsp://x/", out));
    assert_string_equal(out, "");
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Basic realm=\"cam\"\r\n"), 0);
    assert_true(rtsp_auth_write(&auth, "Aladdin", "open sesame", "OPTIONS", "rtsp://x/", out));
    assert_string_equal(out, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

// RFC 2617, 3.5, without qop as most cameras do it.
static void rtsp_auth_write_digest_without_qop(void **state)
{
    (void)state;
    struct rtsp_auth auth = {0};
    char out[RTSP_AUTH_TEXT_MAX];
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Digest realm=\"testrealm@host.com\", "
                                      "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                                      "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"\r\n"),
                     0);
    assert_true(rtsp_auth_write(&auth, "Mufasa", "Circle Of Life", "GET", "/dir/index.html", out));
    assert_string_equal(out, "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
                             "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                             "uri=\"/dir/index.html\", "
                             "response=\"670fd8c2df070c60b045671b8b24ff02\", "
                             "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"");
}

// RFC 7616, 3.9.1: the same request with MD5 and with SHA-256.
static void rtsp_auth_write_digest_with_qop(void **state)
{
    (void)state;
    static const struct {
        const char *algorithm, *response;
    } cases[] = {
        {"MD5", "8ca523f5e9506fed4657c9700eebdbec"},
        {"SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
    };
    for (unsigned i = 0; i < 2; i++) {
        struct rtsp_auth auth = {0};
        char out[RTSP_AUTH_TEXT_MAX], header[512];
        text_format(header, sizeof(header),
                    "WWW-Authenticate: Digest realm=\"http-auth@example.org\", qop=\"auth, "
                    "auth-int\", algorithm=%s, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
                    "\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n",
                    cases[i].algorithm);
        assert_int_equal(challenge(&auth, header), 0);
        text_copy(auth.cnonce, sizeof(auth.cnonce), "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
        assert_true(
            rtsp_auth_write(&auth, "Mufasa", "Circle of Life", "GET", "/dir/index.html", out));
        text_format(header, sizeof(header), "response=\"%s\", algorithm=%s", cases[i].response,
                    cases[i].algorithm);
        assert_non_null(strstr(out, header));
        assert_non_null(strstr(out, "qop=auth, nc=00000001"));
    }
}

static void rtsp_auth_challenge_takes_the_strongest(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        int scheme; // -1: none can be answered
    } cases[] = {
        {"WWW-Authenticate: Digest realm=\"a\",nonce=\"b\"\r\nWWW-Authenticate: Basic "
         "realm=\"a\"\r\n",
         RTSP_AUTH_MD5},
        {"WWW-Authenticate: Basic realm=\"a\"\r\nWWW-Authenticate: Digest realm=\"a\", "
         "nonce=\"b\", "
         "algorithm=\"SHA-256\"\r\nWWW-Authenticate: Digest "
         "realm=\"a\",nonce=\"c\",algorithm=MD5\r\n",
         RTSP_AUTH_SHA256},
        {"WWW-Authenticate: Basic realm=\"a, b\", Digest realm=\"x\", nonce=\"y\"\r\n",
         RTSP_AUTH_MD5},
        {"www-authenticate: digest realm = \"x\" , nonce = y\r\n", RTSP_AUTH_MD5},
        {"WWW-Authenticate: Digest realm=\"x\",nonce=\"y\",algorithm=\"\"\r\n", RTSP_AUTH_MD5},
        {"WWW-Authenticate: Digest realm=\"x\",nonce=\"y\",algorithm=SHA-512-256\r\n"
         "WWW-Authenticate: Basic\r\n",
         RTSP_AUTH_BASIC},
        {"WWW-Authenticate: Negotiate, NTLM\r\n", -1},
        {"WWW-Authenticate: \r\n", -1},
        {"CSeq: 1\r\n", -1},
        {"WWW-Authenticate: Digest realm=\"unfinished\r\n", RTSP_AUTH_MD5},
        {"WWW-Authenticate: Digest a-=b-, algorithm=a-, realm=x\r\n", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rtsp_auth auth = {.count = 77};
        int result = challenge(&auth, cases[i].headers);
        if (cases[i].scheme < 0) {
            assert_int_equal(result, ERR_UNSUPPORTED);
            assert_int_equal(auth.count, 77);
        } else {
            assert_int_equal(result, 0);
            if ((int)auth.scheme != cases[i].scheme)
                fail_msg("case %zu: %d", i, (int)auth.scheme);
        }
    }
}

static void rtsp_auth_challenge_reads_stale_and_session(void **state)
{
    (void)state;
    struct rtsp_auth auth = {0};
    char out[RTSP_AUTH_TEXT_MAX], again[RTSP_AUTH_TEXT_MAX];
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Digest realm=\"a\\\"b\", nonce=\"n\", "
                                      "stale=TRUE, algorithm=MD5-sess, qop=auth\r\n"),
                     0);
    assert_true(auth.stale && auth.session && auth.qop);
    assert_true(rtsp_auth_write(&auth, "u\"", "p", "PLAY", "rtsp://x/", out));
    assert_non_null(strstr(out, "realm=\"a\\\"b\""));
    assert_non_null(strstr(out, "username=\"u\\\"\""));
    assert_non_null(strstr(out, "algorithm=MD5-sess"));
    assert_non_null(strstr(out, "nc=00000001"));
    assert_true(rtsp_auth_write(&auth, "u\"", "p", "PLAY", "rtsp://x/", again));
    assert_non_null(strstr(again, "nc=00000002"));
    assert_string_not_equal(out, again);
}

static void rtsp_auth_write_that_does_not_fit_is_false(void **state)
{
    (void)state;
    struct rtsp_auth auth = {0};
    char out[RTSP_AUTH_TEXT_MAX], uri[RTSP_AUTH_TEXT_MAX];
    memset(uri, 'u', sizeof(uri) - 1);
    uri[sizeof(uri) - 1] = 0;
    assert_int_equal(challenge(&auth, "WWW-Authenticate: Digest realm=\"a\",nonce=\"b\"\r\n"), 0);
    assert_false(rtsp_auth_write(&auth, "u", "p", "PLAY", uri, out));
    // A nonce above the limit is a challenge that cannot be answered.
    char header[1200] = "WWW-Authenticate: Digest realm=\"a\", nonce=\"";
    size_t used = strlen(header);
    memset(header + used, 'n', 600);
    text_copy(header + used + 600, 10, "\"\r\n");
    assert_int_equal(challenge(&auth, header), ERR_UNSUPPORTED);
}

TEST_MAIN(TEST(rtsp_auth_write_basic), TEST(rtsp_auth_write_digest_without_qop),
          TEST(rtsp_auth_write_digest_with_qop), TEST(rtsp_auth_challenge_takes_the_strongest),
          TEST(rtsp_auth_challenge_reads_stale_and_session),
          TEST(rtsp_auth_write_that_does_not_fit_is_false))
