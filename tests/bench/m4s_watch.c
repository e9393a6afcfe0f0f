// SPDX-License-Identifier: MIT
// Receivers of a stream by M4S, for `make bench`: LINKS servers with PER_LINK subscriptions each.
//
//   m4s_watch PORT KEY NAME LINKS PER_LINK SECONDS PID
//
// Links and subscriptions are real; once each has frames, the sockets are swept with MSG_TRUNC, as
// those of `load watch` are, so that one core can be the receivers of another. Prints one line of
// key=value; PID is the server, whose CPU time is counted meanwhile. Pings are not answered then,
// which a link bears for ten seconds.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/timeout.h"
#include "link/link.h"

enum { LINKS_MAX = 1000, SUBSCRIBE = 1 };

struct receiver {
    struct link_hub *hub;
    struct link *link;
    struct link_watch watch;
};

struct subscription {
    struct channel *channel;
    unsigned messages;
};

static struct loop *loop;
static struct receiver receivers[LINKS_MAX];
static struct subscription *subscriptions;
static unsigned links, per_link, up, served, closed;
static const char *key, *name;
static int port;

static void begin(unsigned at);

static void on_message(void *arg, struct buf *buf, size_t offset, size_t length)
{
    struct subscription *subscription = arg;
    (void)buf;
    (void)offset;
    (void)length;
    if (subscription->messages++ == 30) // tracks, window and some frames
        served++;
    if (served == links * per_link)
        loop_stop(loop);
}

static void on_closed(void *arg, enum reason reason)
{
    (void)arg;
    fprintf(stderr, "a subscription ended: %s\n", reason_name(reason));
    closed++;
}

static const struct channel_events events = {.on_message = on_message, .on_closed = on_closed};

static void on_up(void *arg)
{
    struct receiver *receiver = arg;
    unsigned at = (unsigned)(receiver - receivers);
    char open[256];
    open[0] = SUBSCRIBE;
    size_t length = 1 + (size_t)snprintf(open + 1, sizeof open - 1, "%s", name);
    for (unsigned i = 0; i < per_link; i++) {
        struct subscription *mine = &subscriptions[at * per_link + i];
        mine->channel = channel_open(receiver->link, LINK_M4S, LINK_LIVE, bytes_of(open, length),
                                     &events, mine);
    }
    if (++up < links)
        begin(up);
}

static void begin(unsigned at)
{
    struct receiver *receiver = &receivers[at];
    receiver->hub = link_hub_new(loop, "bench/1");
    receiver->link = link_hold(receiver->hub, "127.0.0.1", (uint16_t)port, key);
    receiver->watch = (struct link_watch){.on_up = on_up, .arg = receiver};
    link_watch_add(receiver->link, &receiver->watch);
}

static void on_late(void *arg)
{
    (void)arg;
    fprintf(stderr, "links=%u of %u, served=%u of %u\n", up, links, served, links * per_link);
    exit(1);
}

static int64_t cpu_us(int pid)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    int64_t sum = 0;
    struct dirent *task;
    while (tasks && (task = readdir(tasks))) {
        snprintf(path, sizeof path, "/proc/%d/task/%.200s/schedstat", pid, task->d_name);
        FILE *stat = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        long long run = 0;
        if (stat && fscanf(stat, "%lld", &run) == 1)
            sum += run / 1000;
        if (stat)
            fclose(stat);
    }
    if (tasks)
        closedir(tasks);
    return sum;
}

static void measure(double seconds, int pid)
{
    int64_t began = now_us(), end = began + (int64_t)(seconds * 1e6), cpu = cpu_us(pid);
    uint64_t bytes = 0;
    while (now_us() < end) {
        for (int fd = 3; fd < (int)links + 64; fd++) {
            ssize_t got;
            while ((got = recv(fd, NULL, 1 << 22, MSG_TRUNC | MSG_DONTWAIT)) > 0)
                bytes += (uint64_t)got;
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    double spent = (double)(cpu_us(pid) - cpu), passed = (double)(now_us() - began);
    printf("cpu_us_per_mb=%.1f cpu_percent=%.2f mbit=%.1f closed=%u\n",
           bytes > 0 ? spent / ((double)bytes / 1e6) : 0, spent * 100 / passed,
           (double)bytes * 8 / passed, closed);
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "see the head of m4s_watch.c\n");
        return 2;
    }
    struct rlimit files = {65536, 65536};
    struct timeout late;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    port = atoi(argv[1]);
    key = argv[2];
    name = argv[3];
    links = (unsigned)atoi(argv[4]);
    per_link = (unsigned)atoi(argv[5]);
    if (links < 1 || links > LINKS_MAX || per_link < 1)
        return 2;
    loop = loop_new();
    subscriptions = mem_alloc(links * per_link * sizeof *subscriptions);
    timeout_init(&late, loop, on_late, NULL);
    timeout_start(&late, 60 * US_PER_S);
    begin(0);
    loop_run(loop);
    measure(atof(argv[6]), atoi(argv[7]));
    return 0; // the links end with the process
}
