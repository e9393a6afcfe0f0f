// SPDX-License-Identifier: MIT
// Tells systemd how the service is (sd_notify(3)): one datagram to $NOTIFY_SOCKET, no library. Does
// nothing when there is no such variable. Never waits.
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

// "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...", lines separated by '\n'.
void notify_send(const char *text);
// "RELOADING=1" with the time that systemd wants beside it.
void notify_reloading(void);
// How often systemd wants WATCHDOG=1 from this process (half of it, to be sure); 0: never.
int64_t notify_watchdog_us(void);

#endif
