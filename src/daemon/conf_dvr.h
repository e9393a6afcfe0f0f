// SPDX-License-Identifier: MIT
// The words of a `dvr` or `dvr_offline` line, read and printed.
#ifndef DAEMON_CONF_DVR_H
#define DAEMON_CONF_DVR_H

#include "base/writer.h"
#include "conf_read.h"

// Replaces *dvr (which must hold values) by what the line says. What is wrong is reported; *dvr can
// be freed in any case. expected: how the line is written, for messages.
void conf_dvr_read(struct conf_reading *reading, const struct conf_node *node, const char *expected,
                   struct dvr_conf *dvr);
// The words behind `dvr` or `dvr_offline`, each with a space in front; what has its default is left
// out, but the percentage.
void conf_dvr_print(const struct dvr_conf *dvr, struct writer *out);

#endif
