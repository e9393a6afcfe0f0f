// SPDX-License-Identifier: MIT
// Brings a configuration from disk without waiting in the loop: the file and what it includes are
// fetched by a worker, read (conf.h), and the disk is asked about archive paths, again by a worker.
#ifndef DAEMON_CONF_LOAD_H
#define DAEMON_CONF_LOAD_H

#include "conf.h"

struct loop;
struct conf_load;

// Gives the configuration (yours when you take it and blank the pointer) and what is wrong with it
// (borrowed for the call).
typedef void (*conf_load_fn)(void *arg, struct conf **conf, struct conf_problems *problems);

// done is called once, in a later turn; the load is gone after it. known: a configuration whose
// archive paths are in use and need no check, or NULL; it must stay until then.
struct conf_load *conf_load_start(struct loop *loop, const char *path, const struct conf *known,
                                  conf_load_fn done, void *arg);
// done is not called any more. What a worker holds is freed when it answers. NULL is fine.
void conf_load_cancel(struct conf_load **load);

#endif
