// SPDX-License-Identifier: MIT
#include <time.h>

#include "link/link.h"
#include "link_key.h"
#include "unit.h"

static void link_key_derive_known_key_gives_known_secret(void **state)
{
    (void)state;
    struct link_secret secret;
    link_key_derive("123", &secret);
    // Both made with Python's hashlib.scrypt and hmac.
    assert_string_equal(secret.identity, "50499eae6bfb37970d0da7ed6376dfd2");
    static const uint8_t psk[TLS_PSK_SIZE] = {0x39, 0x9f, 0x3f, 0x01, 0xd2, 0x47, 0x52, 0xd5,
                                              0x79, 0x80, 0x4f, 0x5e, 0x38, 0xb9, 0x0c, 0xa3,
                                              0xad, 0x65, 0xa9, 0x42, 0xdf, 0x9f, 0x2f, 0x02,
                                              0xe7, 0xe6, 0x5d, 0x91, 0x97, 0x0f, 0xdb, 0xcd};
    assert_memory_equal(secret.psk, psk, sizeof(psk));
}

static void link_key_derive_other_key_gives_other_secret(void **state)
{
    (void)state;
    struct link_secret a, b;
    link_key_derive("123", &a);
    link_key_derive("124", &b);
    assert_string_not_equal(a.identity, b.identity);
    assert_memory_not_equal(a.psk, b.psk, sizeof(a.psk));
}

static void link_key_derive_again_costs_nothing(void **state)
{
    (void)state;
    struct link_secret first, again;
    link_key_derive("a key to be remembered", &first);
    clock_t began = clock(); // of this process: others may be busy meanwhile
    for (int i = 0; i < 100; i++)
        link_key_derive("a key to be remembered", &again);
    // One derivation is tens of milliseconds; a hundred look-ups are less than a millisecond.
    assert_true(clock() - began < CLOCKS_PER_SEC / 100);
    assert_memory_equal(&first, &again, sizeof(first));
}

static void link_key_derive_more_keys_than_are_kept_stay_right(void **state)
{
    (void)state;
    struct link_secret first, again, others[10];
    link_key_derive("k0", &first);
    for (char key[3] = "k0"; key[1] <= '9'; key[1]++)
        link_key_derive(key, &others[key[1] - '0']);
    link_key_derive("k0", &again);
    assert_memory_equal(&first, &again, sizeof(first));
    for (int i = 0; i < 10; i++) {
        for (int j = 0; j < i; j++)
            assert_string_not_equal(others[i].identity, others[j].identity);
    }
}

static void link_key_derive_key_in_use_is_not_forgotten(void **state)
{
    (void)state;
    struct link_secret used, other;
    clock_t spent = 0;
    link_key_derive("in use", &used);
    for (char key[3] = "l0"; key[1] <= '9'; key[1]++) {
        link_key_derive(key, &other);
        clock_t began = clock();
        link_key_derive("in use", &used);
        spent += clock() - began;
    }
    assert_true(spent < CLOCKS_PER_SEC / 100);
}

static void link_key_is_weak_short_or_uniform_keys_are(void **state)
{
    (void)state;
    assert_true(link_key_is_weak(""));
    assert_true(link_key_is_weak("123"));
    assert_true(link_key_is_weak("fifteen letters"));
    assert_true(link_key_is_weak("aaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    assert_false(link_key_is_weak("6fQ2-xV9w.Lm0pZr"));
    assert_false(link_key_is_weak("0a1b2c3d4e5f60718293a4b5c6d7e8f9"));
}

TEST_MAIN(TEST(link_key_derive_known_key_gives_known_secret),
          TEST(link_key_derive_other_key_gives_other_secret),
          TEST(link_key_derive_again_costs_nothing),
          TEST(link_key_derive_more_keys_than_are_kept_stay_right),
          TEST(link_key_derive_key_in_use_is_not_forgotten),
          TEST(link_key_is_weak_short_or_uniform_keys_are))
