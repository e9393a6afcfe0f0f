// SPDX-License-Identifier: MIT
// `sluice check`: arguments and printing; archive/check.h does the work.
#include "main_archive.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/check.h"
#include "base/clock.h"

enum { DONE, LEFT, NOT_DONE };

static const char usage[] = "usage: sluice check PATH [--repair]\n";

// The line of what is being read goes before another one comes.
static const char erase[] = "\r\033[K";

struct printing {
    bool terminal;
};

static void say(void *arg, enum check_kind kind, const char *path, const char *text)
{
    static const char *const prefix[] = {
        [CHECK_FINDING] = "", [CHECK_REPAIRED] = "repaired: ", [CHECK_NOTE] = "note: "};
    const struct printing *printing = arg;
    if (printing->terminal)
        fputs(erase, stderr);
    printf("%s: %s%s\n", path, prefix[kind], text);
    fflush(stdout);
}

static void progress(void *arg, const struct check_sums *sums, const char *path)
{
    (void)arg;
    fprintf(stderr, "%s%llu files, %.1f GB: %s", erase, (unsigned long long)sums->files,
            (double)sums->bytes / 1e9, path);
}

static void print_sums(const struct check_sums *sums, bool repair)
{
    printf("%u streams, %llu files, %llu segments, %.1f hours, %llu bytes: %llu findings",
           sums->streams, (unsigned long long)sums->files, (unsigned long long)sums->segments,
           (double)sums->media_us / US_PER_S / 3600, (unsigned long long)sums->bytes,
           (unsigned long long)sums->findings);
    if (repair)
        printf(", %llu repaired", (unsigned long long)sums->repaired);
    printf(", %llu notes\n", (unsigned long long)sums->notes);
}

int main_archive_check(int argc, const char *const *argv)
{
    struct printing printing = {.terminal = isatty(STDERR_FILENO)};
    struct check_want want = {.say = say, .arg = &printing};
    struct check_sums sums;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--repair") == 0) {
            want.repair = true;
        } else if (!want.path && argv[i][0] != '-') {
            want.path = argv[i];
        } else {
            fprintf(stderr, "sluice check: found '%s', expected a path and perhaps --repair\n%s",
                    argv[i], usage);
            return NOT_DONE;
        }
    }
    if (!want.path) {
        fputs(usage, stderr);
        return NOT_DONE;
    }
    want.progress = printing.terminal ? progress : NULL;
    int err = archive_check(&want, &sums);
    if (printing.terminal)
        fputs(erase, stderr);
    if (err == ERR_EXISTS) {
        fprintf(stderr,
                "sluice check: %s: in use by process %lld, a server or another repair: nothing was "
                "done\n",
                want.path, (long long)sums.pid);
        return NOT_DONE;
    }
    if (err != 0) {
        fprintf(stderr, "sluice check: %s: %s\n", want.path,
                err == ERR_NOT_FOUND ? "there is no archive" : "the folder cannot be read");
        return NOT_DONE;
    }
    print_sums(&sums, want.repair);
    return sums.findings > sums.repaired ? LEFT : DONE;
}
