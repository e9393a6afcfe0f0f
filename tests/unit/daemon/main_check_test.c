// SPDX-License-Identifier: MIT
// Ports of a configuration, tried: free, taken by a stranger, taken by a sluice.
#include "server_fixture.h"

#include "main_check.h"

static void main_check_ports_tells_who_is_there(void **state)
{
    (void)state;
    struct loop *loop = loop_fixture_new();
    struct fixture fixture;
    char text[256], expected[512];
    // A stranger that accepts and says nothing, a sluice, and a free port.
    int taken = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(to);
    assert_int_equal(bind(taken, (struct sockaddr *)&to, length), 0);
    assert_int_equal(listen(taken, 1), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&to, &length), 0);
    fixture_start(&fixture, loop, count_table, "http 127.0.0.1:$;");
    text_format(text, sizeof(text), "http 127.0.0.1:%u;\nhttp 127.0.0.1:%u;\nhttp 127.0.0.1:%u;",
                ntohs(to.sin_port), fixture.port, fixture_port());
    struct conf_files *files = conf_files_new();
    struct conf_problems problems = {0};
    conf_files_put(files, "a.conf", bytes_of(text, strlen(text)));
    struct conf *conf = conf_read(files, "a.conf", &problems);
    assert_int_equal(problems.count, 0);
    main_check_ports(loop, conf, &problems);
    assert_int_equal(problems.count, 2);
    text_format(expected, sizeof(expected),
                "a.conf:1:6: found port %u: Address already in use, expected one that can be "
                "opened",
                ntohs(to.sin_port));
    assert_string_equal(problems.item[0].line, expected);
    text_format(expected, sizeof(expected),
                "a.conf:2:6: warning: found port %u in use by a running sluice, expected a free "
                "one unless this is its configuration",
                fixture.port);
    assert_string_equal(problems.item[1].line, expected);
    conf_free(&conf);
    conf_files_free(&files);
    conf_problems_fini(&problems);
    close(taken);
    fixture_stop(&fixture);
    loop_fixture_free(&loop);
}

TEST_MAIN(TEST(main_check_ports_tells_who_is_there))
