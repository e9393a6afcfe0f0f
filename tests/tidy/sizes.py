# SPDX-License-Identifier: MIT
"""Files and lines stay of a size that a reader can hold."""
LINES_MAX = {".c": 700, ".h": 250}
# A test program is a list of cases: it may be longer than a room one has to understand as a whole.
TEST_LINES_MAX = 1000
COLUMNS_MAX = {".c": 100, ".h": 100, "py": 120}


def check(tree):
    for path in tree.find("src/*.[ch]", "include/*.[ch]", "tests/*.[ch]", "tests/*.py"):
        lines = tree.files[path].split("\n")
        most = TEST_LINES_MAX if path.endswith("_test.c") else LINES_MAX.get(path[-2:])
        columns = COLUMNS_MAX[path[-2:]]
        if most and len(lines) - 1 > most:
            yield path, most + 1, f"{len(lines) - 1} lines; at most {most}"
        for number, line in enumerate(lines, 1):
            if len(line) > columns:
                yield path, number, f"{len(line)} columns; at most {columns}"


EXAMPLES = [
    ({"src/a/a.c": "x\n" * 700, "include/a/a.h": "x\n" * 250, "src/a/b.c": "x" * 100}, None),
    ({"src/a/a.c": "x\n" * 701}, "src/a/a.c:701: 701 lines"),
    ({"include/a/a.h": "x\n" * 251}, "251 lines; at most 250"),
    ({"src/a/a.c": "\n" + "\u0416" * 101}, "src/a/a.c:2: 101 columns"),
]
