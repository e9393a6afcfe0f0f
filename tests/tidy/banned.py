# SPDX-License-Identifier: MIT
"""Calls that have one home, or none."""
import fnmatch

OWN = ("src/*.[ch]", "include/*.[ch]")
OWN_AND_TESTS = (*OWN, "tests/*.[ch]")

# (calls, where the rule holds, files that may, what to use)
RULES = [
    ("strcpy strcat stpcpy sprintf vsprintf atoi atol atoll strtok gets", OWN_AND_TESTS,
     ("tests/bench/*.c",), "base/text.h has bounded ones"),
    ("malloc calloc realloc reallocarray aligned_alloc posix_memalign free strdup strndup asprintf"
     " vasprintf", OWN, ("src/base/mem.c", "src/io/file.c", "src/io/file_list.c",
      "src/io/file_work.c"),  # worker threads
     "memory comes from base/mem.h"),
    ("time gettimeofday clock_gettime", OWN, ("src/base/clock.c",),
     "time comes from base/clock.h"),
    ("printf fprintf vprintf vfprintf puts fputs putchar perror", OWN,
     ("src/daemon/main*.c", "src/base/log.c"), "base/log.h, or main"),
    ("sleep usleep nanosleep", OWN_AND_TESTS,
     ("tests/bench/*.c", "tests/e2e/tools/fault_disk.c"),  # a disk that is late
     "nothing blocks the loop; tests await events"),
]


def check(tree):
    for calls, where, homes, instead in RULES:
        # Not a member of that name, nor the end of a longer name.
        pattern = r"(?<![\w.>])(" + calls.replace(" ", "|") + r")\s*\("
        for path in tree.find(*where):
            if any(fnmatch.fnmatchcase(path, home) for home in homes):
                continue
            for number, match in tree.search(pattern, path):
                yield path, number, f"{match.group(1)}: {instead}"


EXAMPLES = [
    ({"src/a/a.c": '// free(x)\nx = "free(y)"; a->free(b); map_free(m); snprintf(a);\n'}, None),
    ({"src/base/mem.c": "free(a);", "src/base/clock.c": "clock_gettime(a, b);",
      "src/daemon/main_dump.c": "puts(a);", "tests/unit/a/a_test.c": "free(a); printf(b);"}, None),
] + [({"src/a/a.c": f"int a;\n    x = {call} (y);\n"}, f"src/a/a.c:2: {call}: ")
     for calls, *_ in RULES for call in calls.split()]
