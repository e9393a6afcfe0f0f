// SPDX-License-Identifier: MIT
#include "base/log.h"
#include "link_fixture.h"

static void count_link(void *arg, struct link *link, bool dialled)
{
    (void)link;
    ((int *)arg)[dialled]++;
}

static void link_hold_comes_up_on_both_sides(void **state)
{
    (void)state;
    struct ends ends;
    struct watcher watcher;
    int here[2] = {0}, there[2] = {0};
    ends_open(&ends);
    struct link *link = ends_hold(&ends);
    watcher_add(&watcher, link);
    assert_false(link_is_up(link));
    assert_int_equal(watcher.ups, 0);
    loop_fixture_settle(ends.loop);
    assert_true(link_is_up(link));
    assert_int_equal(watcher.ups, 1);
    assert_int_equal(watcher.downs, 0);
    struct link *accepted = ends_accepted(&ends);
    assert_true(link_is_up(accepted));
    assert_string_equal(link_name(link), "site:8888");
    assert_string_equal(link_peer_name(link), ends.there->name);
    assert_true(link_peer_id(link) == ends.there->id);
    assert_true(link_peer_id(accepted) == ends.here->id);
    link_hub_each(ends.here, count_link, here);
    link_hub_each(ends.there, count_link, there);
    assert_true(here[0] == 0 && here[1] == 1 && there[0] == 1 && there[1] == 0);
    link_watch_remove(link, &watcher.watch);
    link_release(&link);
    assert_null(link);
    ends_close(&ends);
}

static void link_hold_same_address_and_key_is_shared(void **state)
{
    (void)state;
    struct ends ends;
    ends_open(&ends);
    struct link *a = ends_hold(&ends), *b = ends_hold(&ends);
    struct link *c = link_hold(ends.here, "site", 8888, "another key");
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    link_release(&a);
    loop_fixture_settle(ends.loop);
    assert_true(link_is_up(b));
    link_release(&b);
    link_release(&c);
    ends_close(&ends);
}

static void link_hold_again_after_release_is_a_new_link(void **state)
{
    (void)state;
    struct ends ends;
    ends_open(&ends);
    struct link *link = ends_hold(&ends);
    loop_fixture_settle(ends.loop);
    link_release(&link);
    link = ends_hold(&ends);
    loop_fixture_settle(ends.loop);
    assert_true(link_is_up(link));
    assert_int_equal(ends.dials, 2);
    link_release(&link);
    ends_close(&ends);
}

static void link_hold_without_key_is_down_with_no_key(void **state)
{
    (void)state;
    struct ends ends;
    struct watcher watcher;
    ends_open(&ends);
    struct link *link = link_hold(ends.here, "site", 8888, NULL);
    watcher_add(&watcher, link);
    loop_fixture_run(ends.loop, 9 * US_PER_S / 2);
    assert_int_equal(watcher.downs, 1);
    assert_int_equal(watcher.reason, REASON_NO_KEY);
    assert_int_equal(ends.dials, 0);
    link_watch_remove(link, &watcher.watch);
    link_release(&link);
    ends_close(&ends);
}

static void link_redials_refused_soon_then_more_and_more_slowly(void **state)
{
    (void)state;
    struct ends ends;
    struct watcher watcher;
    ends_open(&ends);
    ends.refuse = REASON_REFUSED;
    struct link *link = ends_hold(&ends);
    watcher_add(&watcher, link);
    loop_fixture_run(ends.loop, 120 * US_PER_S);
    int64_t gap = ends.dialled_us[1] - ends.dialled_us[0];
    assert_in_range(gap, 200 * US_PER_MS, 500 * US_PER_MS);
    int64_t longest = 0;
    for (int i = 2; i < ends.dials; i++) {
        gap = ends.dialled_us[i] - ends.dialled_us[i - 1];
        longest = gap > longest ? gap : longest;
    }
    assert_in_range(longest, 8 * US_PER_S, 125 * US_PER_S / 10);
    assert_in_range(ends.dials, 12, 20);
    assert_int_equal(watcher.downs, ends.dials);
    assert_int_equal(watcher.reason, REASON_REFUSED);
    // And comes up as soon as somebody listens there.
    ends.refuse = REASON_NONE;
    loop_fixture_run(ends.loop, 13 * US_PER_S);
    assert_true(link_is_up(link));
    link_watch_remove(link, &watcher.watch);
    link_release(&link);
    ends_close(&ends);
}

static void link_redials_wrong_key_slowly(void **state)
{
    (void)state;
    static const enum reason slow[] = {REASON_WRONG_KEY, REASON_NO_KEY, REASON_VERSION};
    for (int i = 0; i < 3; i++) {
        struct ends ends;
        ends_open(&ends);
        ends.refuse = slow[i];
        struct link *link = ends_hold(&ends);
        loop_fixture_run(ends.loop, 600 * US_PER_S);
        int64_t gap = ends.dialled_us[1] - ends.dialled_us[0];
        assert_in_range(gap, 7 * US_PER_S, 13 * US_PER_S);
        gap = ends.dialled_us[ends.dials - 1] - ends.dialled_us[ends.dials - 2];
        assert_in_range(gap, 45 * US_PER_S, 75 * US_PER_S);
        assert_int_equal(link->stats.last_reason, slow[i]);
        assert_int_equal(link_hub_losses(ends.here)[slow[i]], ends.dials);
        link_release(&link);
        ends_close(&ends);
    }
}

static void link_broken_connection_ends_channels_and_comes_back(void **state)
{
    (void)state;
    struct ends ends;
    struct watcher watcher;
    struct user user = {0};
    static struct service service;
    memset(&service, 0, sizeof(service));
    ends_open(&ends);
    link_hub_serve(ends.there, LINK_M4S, service_serve, &service);
    struct link *link = ends_hold(&ends);
    watcher_add(&watcher, link);
    loop_fixture_settle(ends.loop);
    user_open(&user, link, LINK_LIVE, "main");
    loop_fixture_run(ends.loop, 10 * US_PER_S);
    assert_int_equal(service.count, 1);
    conn_pair_break(ends.conn_here);
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.reason, REASON_PEER_RESET);
    assert_int_equal(service.users[0].closed, 1);
    assert_int_equal(watcher.downs, 1);
    assert_false(link_is_up(link));
    assert_string_equal(link_peer_name(link), "");
    loop_fixture_run(ends.loop, 500 * US_PER_MS);
    assert_true(link_is_up(link));
    assert_int_equal(watcher.ups, 2);
    assert_int_equal(ends.there->accepted.count, 1);
    user_fini(&user);
    service_fini(&service);
    link_watch_remove(link, &watcher.watch);
    link_release(&link);
    ends_close(&ends);
}

static void link_that_falls_at_once_is_not_redialled_at_once_for_ever(void **state)
{
    (void)state;
    struct ends ends;
    ends_open(&ends);
    struct link *link = ends_hold(&ends);
    for (int i = 0; i < 60; i++) {
        loop_fixture_run(ends.loop, US_PER_S);
        if (link_is_up(link)) {
            conn_pair_break(ends.conn_here);
            loop_fixture_settle(ends.loop);
        }
    }
    assert_in_range(ends.dials, 6, 14);
    link_release(&link);
    ends_close(&ends);
}

static void link_to_oneself_is_refused_with_self(void **state)
{
    (void)state;
    struct ends ends;
    struct watcher watcher;
    ends_open(&ends);
    ends.there->id = ends.here->id;
    struct link *link = ends_hold(&ends);
    watcher_add(&watcher, link);
    loop_fixture_settle(ends.loop);
    assert_int_equal(watcher.ups, 0);
    assert_int_equal(watcher.downs, 1);
    assert_int_equal(watcher.reason, REASON_SELF);
    assert_int_equal(link_hub_refusals(ends.there)[REASON_SELF], 1);
    loop_fixture_run(ends.loop, 7 * US_PER_S);
    assert_int_equal(ends.dials, 1);
    link_watch_remove(link, &watcher.watch);
    link_release(&link);
    ends_close(&ends);
}

static void link_release_last_holder_says_goodbye(void **state)
{
    (void)state;
    struct ends ends;
    struct user user = {0};
    static struct service service;
    memset(&service, 0, sizeof(service));
    ends_open(&ends);
    link_hub_serve(ends.there, LINK_M4S, service_serve, &service);
    struct link *link = ends_hold(&ends);
    loop_fixture_settle(ends.loop);
    user_open(&user, link, LINK_LIVE, "main");
    loop_fixture_settle(ends.loop);
    link_release(&link);
    assert_int_equal(user.closed, 0); // not inside
    loop_fixture_settle(ends.loop);
    assert_int_equal(user.closed, 1);
    assert_int_equal(user.reason, REASON_LOCAL);
    assert_int_equal(service.users[0].reason, REASON_LOCAL);
    assert_int_equal(ends.there->accepted.count, 0);
    assert_int_equal(link_hub_losses(ends.there)[REASON_LOCAL], 1);
    user_fini(&user);
    service_fini(&service);
    ends_close(&ends);
}

static void link_hub_free_says_goodbye_to_every_peer(void **state)
{
    (void)state;
    struct ends ends;
    struct watcher watcher;
    ends_open(&ends);
    struct link *link = ends_hold(&ends);
    watcher_add(&watcher, link);
    loop_fixture_settle(ends.loop);
    link_hub_free(&ends.there);
    ends.refuse = REASON_REFUSED;
    loop_fixture_settle(ends.loop);
    assert_int_equal(watcher.downs, 1);
    assert_int_equal(watcher.reason, REASON_SHUTDOWN);
    link_watch_remove(link, &watcher.watch);
    link_release(&link);
    ends_close(&ends);
}

struct remover {
    struct watcher *others[2];
    struct link *link;
    int calls;
};

static void remove_others(void *arg)
{
    struct remover *remover = arg;
    remover->calls++;
    for (int i = 0; i < 2; i++)
        link_watch_remove(remover->link, &remover->others[i]->watch);
}

static void link_watch_remove_of_others_inside_a_callback_is_fine(void **state)
{
    (void)state;
    struct ends ends;
    struct watcher before, after, last;
    ends_open(&ends);
    struct link *link = ends_hold(&ends);
    struct remover remover = {.others = {&before, &after}, .link = link};
    struct link_watch watch = {.on_up = remove_others, .arg = &remover};
    watcher_add(&before, link);
    link_watch_add(link, &watch);
    watcher_add(&after, link);
    watcher_add(&last, link);
    loop_fixture_settle(ends.loop);
    assert_int_equal(remover.calls, 1);
    assert_int_equal(before.ups, 1);
    assert_int_equal(after.ups, 0);
    assert_int_equal(last.ups, 1);
    link_watch_remove(link, &watch);
    link_watch_remove(link, &last.watch);
    link_release(&link);
    ends_close(&ends);
}

static void link_watch_add_when_up_is_told_and_hears_nothing_of_the_past(void **state)
{
    (void)state;
    struct ends ends;
    struct watcher watcher;
    ends_open(&ends);
    ends.refuse = REASON_REFUSED;
    struct link *link = ends_hold(&ends);
    loop_fixture_settle(ends.loop);
    ends.refuse = REASON_NONE;
    loop_fixture_run(ends.loop, US_PER_S);
    watcher_add(&watcher, link);
    assert_int_equal(watcher.ups, 0);
    loop_fixture_settle(ends.loop);
    assert_int_equal(watcher.ups, 1);
    assert_int_equal(watcher.downs, 0);
    link_watch_remove(link, &watcher.watch);
    link_release(&link);
    ends_close(&ends);
}

static void release_the_link(void *arg)
{
    link_release(arg);
}

static void release_the_link_with_reason(void *arg, enum reason reason)
{
    (void)reason;
    link_release(arg);
}

static void link_release_inside_a_callback_is_fine(void **state)
{
    (void)state;
    for (int down = 0; down < 2; down++) {
        struct ends ends;
        ends_open(&ends);
        ends.refuse = down ? REASON_REFUSED : REASON_NONE;
        struct link *link = ends_hold(&ends);
        struct link_watch watch = {
            .on_up = release_the_link, .on_down = release_the_link_with_reason, .arg = &link};
        link_watch_add(link, &watch);
        LOOP_UNTIL(ends.loop, link == NULL);
        loop_fixture_settle(ends.loop);
        assert_int_equal(ends.here->dialled.count, 0);
        ends_close(&ends);
    }
}

struct said {
    int warns, debugs;
    char last[256];
};

static void listen_to_log(enum log_level level, const char *line, void *arg)
{
    struct said *said = arg;
    if (!strstr(line, "link=site:8888 down"))
        return;
    said->warns += level == LOG_LEVEL_WARN;
    said->debugs += level == LOG_LEVEL_DEBUG;
    snprintf(said->last, sizeof(said->last), "%s", line);
}

static void link_down_for_the_same_reason_is_said_once(void **state)
{
    (void)state;
    struct ends ends;
    struct said said = {0};
    log_set_level(LOG_LEVEL_DEBUG);
    log_set_hook(listen_to_log, &said);
    ends_open(&ends);
    ends.refuse = REASON_WRONG_KEY;
    struct link *link = ends_hold(&ends);
    loop_fixture_run(ends.loop, 300 * US_PER_S);
    assert_int_equal(said.warns, 1);
    assert_int_equal(said.debugs, ends.dials - 1);
    assert_non_null(strstr(said.last, "link=site:8888 down reason=wrong_key retry="));
    ends.refuse = REASON_REFUSED;
    loop_fixture_run(ends.loop, 300 * US_PER_S);
    assert_int_equal(said.warns, 2);
    link_release(&link);
    ends_close(&ends);
    log_set_hook(NULL, NULL);
    log_set_level(LOG_LEVEL_INFO);
}

TEST_MAIN(TEST(link_hold_comes_up_on_both_sides), TEST(link_hold_same_address_and_key_is_shared),
          TEST(link_hold_again_after_release_is_a_new_link),
          TEST(link_hold_without_key_is_down_with_no_key),
          TEST(link_redials_refused_soon_then_more_and_more_slowly),
          TEST(link_redials_wrong_key_slowly),
          TEST(link_broken_connection_ends_channels_and_comes_back),
          TEST(link_that_falls_at_once_is_not_redialled_at_once_for_ever),
          TEST(link_to_oneself_is_refused_with_self), TEST(link_release_last_holder_says_goodbye),
          TEST(link_hub_free_says_goodbye_to_every_peer),
          TEST(link_watch_remove_of_others_inside_a_callback_is_fine),
          TEST(link_watch_add_when_up_is_told_and_hears_nothing_of_the_past),
          TEST(link_release_inside_a_callback_is_fine),
          TEST(link_down_for_the_same_reason_is_said_once))
