// SPDX-License-Identifier: MIT
// What `sluice -n` asks of the machine, beyond the file.
#ifndef DAEMON_MAIN_CHECK_H
#define DAEMON_MAIN_CHECK_H

#include "conf.h"

struct loop;

// Tries to listen at each address of the configuration. A port in use is an error; when a running
// sluice answers there it is only a warning: checking before a reload is what -n is for. Turns the
// loop for at most a second per port in use.
void main_check_ports(struct loop *loop, const struct conf *conf, struct conf_problems *problems);

#endif
