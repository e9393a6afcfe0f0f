// SPDX-License-Identifier: MIT
#include "io/address.h"

#include <arpa/inet.h>

#include "unit.h"

static void address_parse_literals_print_back(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"192.0.2.1", "192.0.2.1:80", "192.0.2.1"},
        {"0.9.10.99", "0.9.10.99:80", "0.9.10.99"},
        {"100.109.200.255", "100.109.200.255:80", "100.109.200.255"},
        {"::1", "[::1]:80", "::1"},
        {"[2001:db8::7]", "[2001:db8::7]:80", "2001:db8::7"},
        {"fe80::1%1", "[fe80::1%1]:80", "fe80::1%1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        char text[ADDRESS_TEXT_MAX];
        assert_int_equal(address_parse(cases[i][0], 80, &address), 0);
        address_print(&address, text, sizeof(text));
        assert_string_equal(text, cases[i][1]);
        address_print_host(&address, text, sizeof(text));
        assert_string_equal(text, cases[i][2]);
        assert_int_equal(address_port(&address), 80);
    }
}

static void address_parse_anything_else_is_invalid(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "[::1",
        "::1]",
        "[]",
        ":::",
        "[1.2.3.4]",
        "fe80::1%",
        "fe80::1%no-such-interface",
        "1.2.3.4 ",
        "0x7f.1",
        "1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        assert_int_equal(address_parse(cases[i], 80, &address), ERR_INVALID);
    }
}

static void address_from_system_mapped_becomes_v4(void **state)
{
    (void)state;
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(5000)};
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.9", &mapped.sin6_addr), 1);
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    assert_true(address_from_system((struct sockaddr *)&mapped, sizeof(mapped), &address));
    address_print(&address, text, sizeof(text));
    assert_string_equal(text, "192.0.2.9:5000");
    assert_int_equal(address.any.sa_family, AF_INET);
}

static void address_from_system_other_family_is_none(void **state)
{
    (void)state;
    struct sockaddr local = {.sa_family = AF_UNIX};
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    assert_false(address_from_system(&local, sizeof(local), &address));
    address_print(&address, text, sizeof(text));
    assert_string_equal(text, "-");
    assert_int_equal(address_port(&address), 0);
    struct sockaddr_in6 cut = {.sin6_family = AF_INET6};
    assert_false(address_from_system((struct sockaddr *)&cut, 8, &address));
}

TEST_MAIN(TEST(address_parse_literals_print_back), TEST(address_parse_anything_else_is_invalid),
          TEST(address_from_system_mapped_becomes_v4),
          TEST(address_from_system_other_family_is_none))
