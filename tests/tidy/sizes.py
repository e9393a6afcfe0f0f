# SPDX-License-Identifier: MIT
"""Files and lines stay of a size that a reader can hold."""
LINES_MAX = {".c": 700, ".h": 250}
COLUMNS_MAX = 100


def check(tree):
    for path in tree.find("src/*.[ch]", "include/*.[ch]", "tests/*.[ch]", "tests/*.py"):
        lines = tree.files[path].split("\n")
        most = LINES_MAX.get(path[-2:])
        if most and len(lines) - 1 > most:
            yield path, most + 1, f"{len(lines) - 1} lines; at most {most}"
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                yield path, number, f"{len(line)} columns; at most {COLUMNS_MAX}"


EXAMPLES = [
    ({"src/a/a.c": "x\n" * 700, "include/a/a.h": "x\n" * 250, "src/a/b.c": "x" * 100}, None),
    ({"src/a/a.c": "x\n" * 701}, "src/a/a.c:701: 701 lines"),
    ({"include/a/a.h": "x\n" * 251}, "251 lines; at most 250"),
    ({"src/a/a.c": "\n" + "\u0416" * 101}, "src/a/a.c:2: 101 columns"),
]
