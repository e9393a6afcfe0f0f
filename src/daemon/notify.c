// SPDX-License-Identifier: MIT
// Datagrams to systemd.
#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

void notify_send(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') ||
        !text_copy(to.sun_path, sizeof(to.sun_path), path))
        return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = 0; // the abstract name space
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return;
    // Nobody can be told when it fails; systemd notices that nothing comes.
    (void)!sendto(descriptor, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, length);
    close(descriptor);
}

void notify_reloading(void)
{
    char text[64];
    text_format(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now_us());
    notify_send(text);
}

int64_t notify_watchdog_us(void)
{
    const char *period = getenv("WATCHDOG_USEC"), *process = getenv("WATCHDOG_PID");
    int64_t us, pid;
    if (!period || text_to_int(period, 1, INT64_MAX, &us) != 0)
        return 0;
    if (process && (text_to_int(process, 1, INT32_MAX, &pid) != 0 || pid != getpid()))
        return 0;
    return us / 2;
}
