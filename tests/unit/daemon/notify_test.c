// SPDX-License-Identifier: MIT
// What systemd would receive.
#include "unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/text.h"
#include "notify.h"
#include "temp_folder.h"

static int receiver(const char *name, size_t length)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    memcpy(at.sun_path, name, length);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&at, size), 0);
    return descriptor;
}

static void assert_received(int descriptor, const char *expected)
{
    char text[256] = "";
    assert_true(recv(descriptor, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, expected);
}

static void notify_send_reaches_a_path_and_an_abstract_name(void **state)
{
    (void)state;
    struct temp_folder folder;
    char name[64];
    temp_folder_make(&folder);
    const char *path = temp_path(&folder, "notify");
    int descriptor = receiver(path, strlen(path));
    setenv("NOTIFY_SOCKET", path, 1);
    notify_send("READY=1\nSTATUS=x");
    assert_received(descriptor, "READY=1\nSTATUS=x");
    close(descriptor);
    text_format(name, sizeof(name), "@sluice-test-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = 0;
    descriptor = receiver(name, 1 + strlen(name + 1));
    clock_set_test(7, 8);
    notify_reloading();
    assert_received(descriptor, "RELOADING=1\nMONOTONIC_USEC=7");
    clock_use_system();
    close(descriptor);
    // Nobody there, and no variable: nothing happens.
    notify_send("READY=1");
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    temp_folder_remove(&folder);
}

static void notify_watchdog_is_half_of_what_is_asked(void **state)
{
    (void)state;
    char pid[16];
    text_format(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(notify_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_us(), 15000000);
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog_us(), 15000000);
    setenv("WATCHDOG_PID", "1", 1); // meant for another process
    assert_int_equal(notify_watchdog_us(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(notify_watchdog_us(), 0);
    unsetenv("WATCHDOG_USEC");
}

TEST_MAIN(TEST(notify_send_reaches_a_path_and_an_abstract_name),
          TEST(notify_watchdog_is_half_of_what_is_asked))
