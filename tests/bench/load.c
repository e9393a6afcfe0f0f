// SPDX-License-Identifier: MIT
// Load generators and floors of `make bench`. Each prints one line of key=value.
//
//   load floor-live PORT RATE_KBIT BATCH_MS     the least a server of live bytes can do: one send
//   per
//                                               connection and batch from one ring, TCP_NODELAY
//   load floor-sealed PORT RATE_KBIT BATCH_MS   the same, encrypted for each connection:
//   AES-128-GCM in
//                                               records of 16 KB, as TLS has them
//   load floor-mem PORT SIZE                    answers every request with SIZE bytes from memory
//   load floor-file PORT FILE PIECE             the same with PIECE bytes of a file, of another
//   place
//                                               each time: pread and send
//   load floor-write FOLDER FILES PIECE MB SECONDS
//                                               appends pieces to files in turns, MB a second, and
//                                               syncs each once
//   load watch PORT PATH COUNT SECONDS PID      COUNT viewers of an endless answer; sockets are
//   swept
//                                               each 40 ms with MSG_TRUNC, so that one core watches
//                                               thousands
//   load get PORT PATH CONNECTIONS SECONDS PID  requests one after another on kept-alive
//   connections;
//                                               @FILE: the lines of a file in turns are the paths
//
// PID: the server, whose CPU time (every thread, from schedstat) is counted over the measured time.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000LL + at.tv_nsec / 1000;
}

static void sleep_until(int64_t due_us)
{
    int64_t left = due_us - now_us();
    if (left > 0)
        usleep((useconds_t)left);
}

static int64_t cpu_us(int pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    int64_t sum = 0;
    struct dirent *task;
    while (tasks && (task = readdir(tasks))) {
        char file[400];
        snprintf(file, sizeof file, "/proc/%d/task/%s/schedstat", pid, task->d_name);
        FILE *stat = task->d_name[0] == '.' ? NULL : fopen(file, "r");
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

static struct sockaddr_in local(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

static int listen_on(int port)
{
    struct sockaddr_in at = local(port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0)
        die("listen");
    return fd;
}

static int connect_to(int port)
{
    struct sockaddr_in at = local(port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

// ---- floors ------------------------------------------------------------------------------------

// The batch as records of a cipher stream of its own; returns their length.
static size_t seal(EVP_CIPHER_CTX *cipher, const char *in, size_t length, char *out)
{
    enum { RECORD = 16384, TAG = 16, HEAD = 5 };
    static const unsigned char nonce[12];
    size_t made = 0;
    for (size_t at = 0; at < length; at += RECORD) {
        size_t part = length - at < RECORD ? length - at : RECORD;
        int written, more;
        EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, nonce);
        EVP_EncryptUpdate(cipher, NULL, &written, (unsigned char *)out + made, HEAD);
        EVP_EncryptUpdate(cipher, (unsigned char *)out + made + HEAD, &written,
                          (const unsigned char *)in + at, (int)part);
        EVP_EncryptFinal_ex(cipher, (unsigned char *)out + made + HEAD + written, &more);
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG, out + made + HEAD + part);
        made += HEAD + part + TAG;
    }
    return made;
}

__attribute__((noreturn)) static void floor_live(int port, int rate_kbit, int batch_ms, bool sealed)
{
    enum { RING = 8 << 20 };
    int listener = listen_on(port), count = 0;
    static int fds[20000];
    static char ring[RING], out[RING];
    static EVP_CIPHER_CTX *ciphers[20000];
    static const unsigned char key[16] = {1, 2, 3};
    size_t batch = (size_t)rate_kbit * 125 * (size_t)batch_ms / 1000, at = 0;
    for (int64_t due = now_us();; due += batch_ms * 1000) {
        sleep_until(due);
        int fd, one = 1;
        char request[2048];
        while ((fd = accept4(listener, NULL, NULL, 0)) >= 0) {
            (void)!read(fd, request, sizeof request);
            static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            fcntl(fd, F_SETFL, O_NONBLOCK);
            (void)!send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
            if (!ciphers[count]) {
                ciphers[count] = EVP_CIPHER_CTX_new();
                EVP_EncryptInit_ex(ciphers[count], EVP_aes_128_gcm(), NULL, key, NULL);
            }
            fds[count++] = fd;
        }
        if (at + batch > RING)
            at = 0;
        for (int i = 0; i < count; i++) {
            size_t length = sealed ? seal(ciphers[i], ring + at, batch, out) : batch;
            const char *from = sealed ? out : ring + at;
            if (send(fds[i], from, length, MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
                close(fds[i]);
                fds[i--] = fds[--count];
            }
        }
        at += batch;
    }
}

// file: NULL, or where the bytes are read from each time.
__attribute__((noreturn)) static void floor_answers(int port, size_t size, const char *file)
{
    enum { STEP = 1 << 20 };
    struct client {
        int fd;
        size_t left;
        off_t place;
    };
    static char step[STEP];
    char *data = calloc(1, size + 256);
    int head = sprintf(data, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    size_t whole = (size_t)head + size;
    int source = file ? open(file, O_RDONLY) : -1;
    off_t length = file ? lseek(source, 0, SEEK_END) : 0, place = 0;
    if (file && length < (off_t)size)
        die(file);
    int listener = listen_on(port), epoll = epoll_create1(0);
    struct epoll_event events[256], event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            struct client *client = events[i].data.ptr;
            char request[4096];
            int one = 1;
            if (!client) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0)
                    continue;
                client = calloc(1, sizeof *client);
                client->fd = fd;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                             .data.ptr = client};
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
                continue;
            }
            if (client->left == 0) {
                ssize_t got = read(client->fd, request, sizeof request);
                if (got == 0) {
                    close(client->fd);
                    free(client);
                    continue;
                }
                if (got < 0)
                    continue;
                client->left = whole;
                client->place = place;
                place = place + 2 * (off_t)size <= length ? place + (off_t)size : 0;
            }
            while (client->left) {
                const char *from = data + whole - client->left;
                size_t count = client->left;
                if (file && client->left > size) {
                    count = client->left - size;
                } else if (file) {
                    count = count < STEP ? count : STEP;
                    off_t at = client->place + (off_t)(size - client->left);
                    if (pread(source, step, count, at) != (ssize_t)count)
                        die(file);
                    from = step;
                }
                ssize_t sent = send(client->fd, from, count, MSG_NOSIGNAL);
                if (sent <= 0)
                    break;
                client->left -= (size_t)sent;
            }
        }
    }
}

// ---- writing ---------------------------------------------------------------------------------

static int floor_write(const char *folder, int files, size_t piece, double mb_s, double seconds)
{
    // Longer than caches are: what is recorded came half a second before.
    enum { SOURCE = 64 << 20 };
    int *fds = calloc((size_t)files, sizeof *fds);
    char *source = malloc(SOURCE), path[4096];
    memset(source, 'x', SOURCE);
    for (int i = 0; i < files; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        fds[i] = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (fds[i] < 0)
            die(path);
    }
    int64_t cpu = cpu_us(getpid()), began = now_us(), each_us = (int64_t)((double)piece / mb_s);
    long pieces = (long)(seconds * 1e6 / (double)each_us);
    for (long n = 0; n < pieces; n++) {
        size_t at = (size_t)n * piece % (SOURCE - piece);
        sleep_until(began + n * each_us);
        if (write(fds[n % files], source + at, piece) != (ssize_t)piece)
            die("write");
    }
    for (int i = 0; i < files; i++)
        if (fdatasync(fds[i]) != 0)
            die("fdatasync");
    printf("cpu_us_per_mb=%.1f\n",
           (double)(cpu_us(getpid()) - cpu) * 1e6 / ((double)pieces * (double)piece));
    return 0;
}

// ---- viewers -----------------------------------------------------------------------------------

static int watch(int port, const char *path, int count, double seconds, int pid)
{
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    int *fds = calloc((size_t)count, sizeof *fds);
    int64_t *last = calloc((size_t)count, sizeof *last);
    char request[512];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
    for (int i = 0; i < count; i++) {
        fds[i] = connect_to(port);
        if (write(fds[i], request, (size_t)length) != length)
            die("write");
    }
    int64_t warm = now_us() + 3000000, end = warm + (int64_t)(seconds * 1e6), gap = 0;
    uint64_t bytes = 0;
    int64_t cpu = 0, began = 0;
    int closed = 0;
    for (int64_t due = now_us(); due < end; due += 40000) {
        sleep_until(due);
        int64_t at = now_us();
        bool measured = at >= warm;
        if (measured && !began) {
            began = at;
            cpu = cpu_us(pid);
        }
        for (int i = 0; i < count; i++) {
            ssize_t got = fds[i] < 0 ? -1 : recv(fds[i], NULL, 1 << 22, MSG_TRUNC | MSG_DONTWAIT);
            if (got == 0) {
                close(fds[i]);
                fds[i] = -1;
                closed++;
            }
            if (got <= 0)
                continue;
            if (measured) {
                bytes += (uint64_t)got;
                if (last[i] && at - last[i] > gap)
                    gap = at - last[i];
            }
            last[i] = at;
        }
    }
    int64_t ended = now_us();
    double spent = (double)(cpu_us(pid) - cpu), megabytes = (double)bytes / 1e6;
    printf("cpu_us_per_mb=%.1f cpu_percent=%.2f mbit=%.1f gap_ms=%.1f closed=%d\n",
           megabytes > 0 ? spent / megabytes : 0, spent * 100 / (double)(ended - began),
           (double)bytes * 8 / (double)(ended - began), (double)gap / 1000, closed);
    return 0;
}

// ---- requests ----------------------------------------------------------------------------------

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

struct getter {
    int fd;
    long left; // of the body; -1: the head is not complete
    char head[4096];
    size_t head_length;
    int64_t began;
};

struct requests {
    char **text;
    int count, next;
};

static struct requests read_requests(const char *path)
{
    struct requests requests = {0};
    FILE *in = path[0] == '@' ? fopen(path + 1, "r") : NULL;
    char line[1024], *request = NULL;
    snprintf(line, sizeof line, "%s", path);
    while (!in || fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        if (asprintf(&request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", line) < 0)
            die("asprintf");
        requests.text = realloc(requests.text, (size_t)(requests.count + 1) * sizeof request);
        requests.text[requests.count++] = request;
        if (!in)
            break;
    }
    if (in)
        fclose(in);
    if (!requests.count)
        die(path);
    return requests;
}

static void ask(struct getter *getter, struct requests *requests)
{
    const char *request = requests->text[requests->next++ % requests->count];
    ssize_t length = (ssize_t)strlen(request);
    getter->left = -1;
    getter->head_length = 0;
    getter->began = now_us();
    if (send(getter->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        die("send");
}

// True when an answer is complete.
static bool take(struct getter *getter, uint64_t *bytes)
{
    for (;;) {
        ssize_t got;
        if (getter->left < 0) {
            got = recv(getter->fd, getter->head + getter->head_length,
                       sizeof getter->head - 1 - getter->head_length, MSG_DONTWAIT);
            if (got <= 0)
                return false;
            getter->head_length += (size_t)got;
            getter->head[getter->head_length] = '\0';
            char *end = strstr(getter->head, "\r\n\r\n");
            char *told = strcasestr(getter->head, "content-length:");
            if (!end)
                continue;
            if (strncmp(getter->head, "HTTP/1.1 200", 12) != 0 || !told)
                die(getter->head);
            size_t body = getter->head_length - (size_t)(end + 4 - getter->head);
            getter->left = atol(told + 15) - (long)body;
            *bytes += body;
        } else if (getter->left > 0) {
            got = recv(getter->fd, NULL, (size_t)getter->left, MSG_TRUNC | MSG_DONTWAIT);
            if (got <= 0)
                return false;
            getter->left -= got;
            *bytes += (uint64_t)got;
        }
        if (getter->left == 0)
            return true;
    }
}

static int get(int port, const char *path, int count, double seconds, int pid)
{
    enum { TIMES = 1 << 20 };
    struct getter *getters = calloc((size_t)count, sizeof *getters);
    struct pollfd *polls = calloc((size_t)count, sizeof *polls);
    uint32_t *times = calloc(TIMES, sizeof *times);
    struct requests requests = read_requests(path);
    for (int i = 0; i < count; i++) {
        getters[i].fd = connect_to(port);
        polls[i] = (struct pollfd){.fd = getters[i].fd, .events = POLLIN};
        ask(&getters[i], &requests);
    }
    int64_t warm = now_us() + 500000, end = warm + (int64_t)(seconds * 1e6), cpu = 0, began = 0;
    uint64_t bytes = 0, answers = 0;
    while (now_us() < end) {
        poll(polls, (nfds_t)count, 0); // never asleep: the server pays for no wake-ups
        if (!began && now_us() >= warm) {
            began = now_us();
            cpu = cpu_us(pid);
            bytes = answers = 0;
        }
        for (int i = 0; i < count; i++) {
            if (!polls[i].revents || !take(&getters[i], &bytes))
                continue;
            if (answers < TIMES)
                times[answers] = (uint32_t)(now_us() - getters[i].began);
            answers++;
            ask(&getters[i], &requests);
        }
    }
    double spent = (double)(cpu_us(pid) - cpu), passed = (double)(now_us() - began);
    size_t kept = answers < TIMES ? answers : TIMES;
    qsort(times, kept, sizeof *times, compare);
    printf("cpu_us_per_mb=%.1f cpu_us_each=%.2f each_s=%.0f mbit=%.0f p50_us=%u p99_us=%u\n",
           spent / ((double)bytes / 1e6), spent / (double)answers, (double)answers / passed * 1e6,
           (double)bytes * 8 / passed, kept ? times[kept / 2] : 0,
           kept ? times[kept * 99 / 100] : 0);
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && strcmp(argv[1], "floor-live") == 0)
        floor_live(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), false);
    if (argc == 5 && strcmp(argv[1], "floor-sealed") == 0)
        floor_live(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), true);
    if (argc == 4 && strcmp(argv[1], "floor-mem") == 0)
        floor_answers(atoi(argv[2]), (size_t)atol(argv[3]), NULL);
    if (argc == 5 && strcmp(argv[1], "floor-file") == 0)
        floor_answers(atoi(argv[2]), (size_t)atol(argv[4]), argv[3]);
    if (argc == 7 && strcmp(argv[1], "floor-write") == 0)
        return floor_write(argv[2], atoi(argv[3]), (size_t)atol(argv[4]), atof(argv[5]),
                           atof(argv[6]));
    if (argc == 7 && strcmp(argv[1], "watch") == 0)
        return watch(atoi(argv[2]), argv[3], atoi(argv[4]), atof(argv[5]), atoi(argv[6]));
    if (argc == 7 && strcmp(argv[1], "get") == 0)
        return get(atoi(argv[2]), argv[3], atoi(argv[4]), atof(argv[5]), atoi(argv[6]));
    fprintf(stderr, "see the head of load.c\n");
    return 2;
}
