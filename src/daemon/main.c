// SPDX-License-Identifier: MIT
// The process: command line, signals, the service manager.
//
// It never puts itself into the background: a service manager starts it (Type=notify), and -d makes
// the log readable for a person in front.
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf_load.h"
#include "main_archive.h"
#include "main_check.h"
#include "notify.h"
#include "protocols.h"
#include "server.h"

#define FLUSH_US (10 * US_PER_S)
static const char standard_path[] = "/etc/sluice/sluice.conf";

enum action { ACTION_RUN, ACTION_CHECK, ACTION_DUMP, ACTION_DONE };

struct arguments {
    const char *path;
    enum action action;
    bool readable;
    int status; // of ACTION_DONE
};

static const char usage[] =
    "usage: sluice [-c FILE] [-d | -n | --dump]\n"
    "       sluice check PATH [--repair]\n"
    "  -c FILE         the configuration, /etc/sluice/sluice.conf unless given\n"
    "  -d              stay in front with a readable log\n"
    "  -n              check the configuration, list every problem, exit 0 or 1\n"
    "  --dump          print the configuration in effect, secrets masked\n"
    "  --help-config   print the manual of the configuration (docs/CONFIG.md)\n"
    "  --protocols     print what each protocol does\n"
    "  --version\n"
    "  --help\n"
    "  check PATH      look over the archive of a dvr path, or of a stream below it, without a\n"
    "                  server: prints what is wrong; exit 0 nothing, 1 something is left, 2 it\n"
    "                  could not be done\n"
    "      --repair    and put right what can be, without touching footage\n"
    "Signals: HUP reads the configuration again, TERM and INT end the server.\n";

static void print_buf(struct buf *buf)
{
    fwrite(buf->data, 1, buf->length, stdout);
    buf_unref(&buf);
}

static void read_arguments(int argc, char **argv, struct arguments *out)
{
    enum { DUMP = 256, PROTOCOLS, VERSION, HELP, HELP_CONFIG };
    static const struct option options[] = {{"dump", no_argument, NULL, DUMP},
                                            {"protocols", no_argument, NULL, PROTOCOLS},
                                            {"version", no_argument, NULL, VERSION},
                                            {"help", no_argument, NULL, HELP},
                                            {"help-config", no_argument, NULL, HELP_CONFIG},
                                            {NULL, 0, NULL, 0}};
    *out = (struct arguments){.path = standard_path};
    for (int option; (option = getopt_long(argc, argv, "c:nd", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            out->path = optarg;
            continue;
        case 'n':
            out->action = ACTION_CHECK;
            continue;
        case 'd':
            out->readable = true;
            continue;
        case DUMP:
            out->action = ACTION_DUMP;
            continue;
        case PROTOCOLS:
            print_buf(protocols_print(protocols_table));
            break;
        case VERSION:
            printf("sluice %s\n", SLUICE_VERSION);
            break;
        case HELP:
            fputs(usage, stdout);
            break;
        case HELP_CONFIG:
            print_buf(conf_help());
            break;
        default:
            fputs(usage, stderr);
            out->status = 2;
        }
        out->action = ACTION_DONE;
        return;
    }
    if (optind < argc) {
        fprintf(stderr, "sluice: found '%s', expected an option\n%s", argv[optind], usage);
        *out = (struct arguments){.action = ACTION_DONE, .status = 2};
    }
}

// ---- the configuration at start -----------------------------------------------------------------

struct reading {
    bool done;
    struct conf *conf;
    struct conf_problems problems; // moved out of the load
};

static void on_read(void *arg, struct conf **conf, struct conf_problems *problems)
{
    struct reading *reading = arg;
    reading->done = true;
    reading->conf = *conf;
    *conf = NULL;
    reading->problems = *problems;
    conf_problems_init(problems);
}

static void read_conf(struct loop *loop, const char *path, struct reading *reading)
{
    *reading = (struct reading){0};
    conf_load_start(loop, path, NULL, on_read, reading);
    while (!reading->done)
        loop_turn(loop, true);
    loop_turn(loop, false); // the load lets go
}

static void print_problems(const struct conf_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        fprintf(stderr, "%s\n", problems->item[i].line);
}

// -n and --dump.
static int check_or_dump(struct loop *loop, const struct arguments *arguments)
{
    struct reading reading;
    read_conf(loop, arguments->path, &reading);
    if (arguments->action == ACTION_CHECK)
        main_check_ports(loop, reading.conf, &reading.problems);
    print_problems(&reading.problems);
    if (arguments->action == ACTION_DUMP)
        print_buf(conf_dump(reading.conf));
    else
        printf("%s: %zu errors, %zu warnings, %u streams, %u sources\n", arguments->path,
               reading.problems.errors, reading.problems.warnings, reading.conf->stream_count,
               reading.conf->source_count);
    int status = reading.problems.errors > 0;
    conf_free(&reading.conf);
    conf_problems_fini(&reading.problems);
    return status;
}

// ---- running ------------------------------------------------------------------------------------

struct running {
    struct server *server;
    struct timeout watchdog;
    int64_t watchdog_us;
};

static void on_end_signal(void *arg, int number)
{
    struct running *running = arg;
    log_info("server", "stops signal=%s", number == SIGINT ? "INT" : "TERM");
    loop_stop(running->server->loop);
}

static void on_reload_signal(void *arg, int number)
{
    (void)number;
    server_reload(((struct running *)arg)->server);
}

static void on_watchdog(void *arg)
{
    struct running *running = arg;
    char text[128];
    text_format(text, sizeof(text), "WATCHDOG=1\nSTATUS=%zu streams",
                streams_count(running->server->streams));
    notify_send(text);
    timeout_start(&running->watchdog, running->watchdog_us);
}

// As many descriptors as the system allows: a viewer is one.
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) == 0)
        log_debug("server", "descriptors=%llu", (unsigned long long)files.rlim_cur);
}

static int run(struct loop *loop, const struct arguments *arguments)
{
    struct reading reading;
    struct running running = {.watchdog_us = notify_watchdog_us()};
    log_info("server", "sluice %s starts config=%s", SLUICE_VERSION, arguments->path);
    raise_limits();
    read_conf(loop, arguments->path, &reading);
    bool wants_listener = reading.conf->listen_count > 0 || reading.conf->bad_listen;
    bool unreadable = reading.problems.structure && reading.conf->listen_count == 0 &&
                      reading.conf->stream_count == 0 && reading.conf->source_count == 0;
    struct server *server = running.server = server_new(loop, arguments->path);
    server_apply(server, &reading.conf, &reading.problems);
    conf_problems_fini(&reading.problems);
    int status = 0;
    if (unreadable || (wants_listener && server->listen_count == 0)) {
        log_error("server", unreadable ? "ends: there is no configuration"
                                       : "ends: no address of the http lines can be opened");
        status = 1;
    } else {
        timeout_init(&running.watchdog, loop, on_watchdog, &running);
        if (running.watchdog_us)
            timeout_start(&running.watchdog, running.watchdog_us);
        loop_on_signal(loop, SIGTERM, on_end_signal, &running);
        loop_on_signal(loop, SIGINT, on_end_signal, &running);
        loop_on_signal(loop, SIGHUP, on_reload_signal, &running);
        notify_send("READY=1");
        loop_run(loop);
        timeout_stop(&running.watchdog);
    }
    notify_send("STOPPING=1");
    server_free(&server, FLUSH_US);
    log_info("server", "ended");
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (argc > 1 && strcmp(argv[1], "check") == 0)
        return main_archive_check(argc - 2, (const char *const *)argv + 2);
    protocols_install(protocols_table);
    read_arguments(argc, argv, &arguments);
    if (arguments.action == ACTION_DONE)
        return arguments.status;
    log_set_readable(arguments.readable);
    struct loop *loop = loop_new();
    int status =
        arguments.action == ACTION_RUN ? run(loop, &arguments) : check_or_dump(loop, &arguments);
    loop_free(&loop);
    log_flush();
    return status;
}
