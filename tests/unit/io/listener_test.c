// SPDX-License-Identifier: MIT
#include "io/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "base/log.h"
#include "loop_fixture.h"
#include "unit.h"

enum { CLIENTS = 100 };

struct door {
    struct loop *loop;
    struct listener *listener;
    int accepted[CLIENTS + 8];
    int count, most_in_turn, in_turn;
    uint64_t turn;
    char last_from[ADDRESS_TEXT_MAX];
    bool close_at_first;
};

static void on_accept(void *arg, int descriptor, const struct address *from)
{
    struct door *door = arg;
    uint64_t turn = loop_stats(door->loop)->turns;
    door->in_turn = turn == door->turn ? door->in_turn + 1 : 1;
    door->turn = turn;
    if (door->in_turn > door->most_in_turn)
        door->most_in_turn = door->in_turn;
    door->accepted[door->count++] = descriptor;
    address_print_host(from, door->last_from, sizeof(door->last_from));
    if (door->close_at_first)
        listener_close(&door->listener);
}

static int dial(const char *host, uint16_t port)
{
    struct address address;
    assert_int_equal(address_parse(host, port, &address), 0);
    int descriptor = socket(address.any.sa_family, SOCK_STREAM, 0);
    assert_true(descriptor >= 0);
    if (connect(descriptor, &address.any, address.length) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

static void door_close(struct door *door)
{
    for (int i = 0; i < door->count; i++)
        close(door->accepted[i]);
    listener_close(&door->listener);
    loop_fixture_free(&door->loop);
}

static void listener_open_any_takes_v4_and_v6(void **state)
{
    (void)state;
    struct door door = {.loop = loop_fixture_new()};
    assert_int_equal(listener_open(door.loop, NULL, 0, on_accept, &door, &door.listener), 0);
    uint16_t port = listener_port(door.listener);
    assert_true(port != 0);
    int client = dial("127.0.0.1", port);
    assert_true(client >= 0);
    LOOP_UNTIL(door.loop, door.count == 1);
    assert_string_equal(door.last_from, "127.0.0.1");
    assert_true(fcntl(door.accepted[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(door.accepted[0], F_GETFD) & FD_CLOEXEC);
    int client6 = dial("::1", port);
    if (client6 >= 0) { // a machine may have no IPv6
        LOOP_UNTIL(door.loop, door.count == 2);
        assert_string_equal(door.last_from, "::1");
        close(client6);
    }
    close(client);
    door_close(&door);
}

static void listener_open_many_clients_take_several_turns(void **state)
{
    (void)state;
    struct door door = {.loop = loop_fixture_new()};
    int clients[CLIENTS];
    assert_int_equal(listener_open(door.loop, "127.0.0.1", 0, on_accept, &door, &door.listener), 0);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = dial("127.0.0.1", listener_port(door.listener));
    LOOP_UNTIL(door.loop, door.count == CLIENTS);
    assert_int_equal(door.most_in_turn, 64);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    door_close(&door);
}

static void listener_open_port_in_use_says_so(void **state)
{
    (void)state;
    struct door door = {.loop = loop_fixture_new()};
    struct listener *second;
    assert_int_equal(listener_open(door.loop, "127.0.0.1", 0, on_accept, &door, &door.listener), 0);
    errno = 0;
    assert_int_equal(listener_open(door.loop, "127.0.0.1", listener_port(door.listener), on_accept,
                                   &door, &second),
                     ERR_IO);
    assert_int_equal(errno, EADDRINUSE);
    assert_null(second);
    assert_int_equal(listener_open(door.loop, "no literal", 1, on_accept, &door, &second),
                     ERR_INVALID);
    door_close(&door);
}

static void listener_close_inside_on_accept_is_fine(void **state)
{
    (void)state;
    struct door door = {.loop = loop_fixture_new(), .close_at_first = true};
    assert_int_equal(listener_open(door.loop, "127.0.0.1", 0, on_accept, &door, &door.listener), 0);
    int first = dial("127.0.0.1", listener_port(door.listener));
    int second = dial("127.0.0.1", listener_port(door.listener));
    LOOP_UNTIL(door.loop, door.count == 1);
    loop_turn(door.loop, false);
    assert_int_equal(door.count, 1);
    assert_null(door.listener);
    close(first);
    close(second);
    door_close(&door);
}

static void on_line(enum log_level level, const char *line, void *arg)
{
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_non_null(strstr(line, "no more descriptors"));
    ++*(int *)arg;
}

static void listener_without_descriptors_pauses_and_goes_on(void **state)
{
    (void)state;
    struct door door = {.loop = loop_fixture_new()};
    assert_int_equal(listener_open(door.loop, "127.0.0.1", 0, on_accept, &door, &door.listener), 0);
    int client = dial("127.0.0.1", listener_port(door.listener));
    struct rlimit before, none;
    int complaints = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    log_set_hook(on_line, &complaints);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 5; i++)
        loop_turn(door.loop, false);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(complaints, 1); // does not spin
    assert_int_equal(door.count, 0);
    LOOP_UNTIL(door.loop, door.count == 1);
    log_set_hook(NULL, NULL);
    close(client);
    door_close(&door);
}

TEST_MAIN(TEST(listener_open_any_takes_v4_and_v6),
          TEST(listener_open_many_clients_take_several_turns),
          TEST(listener_open_port_in_use_says_so), TEST(listener_close_inside_on_accept_is_fine),
          TEST(listener_without_descriptors_pauses_and_goes_on))
