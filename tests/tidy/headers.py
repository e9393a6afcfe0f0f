# SPDX-License-Identifier: MIT
"""Each public header compiles alone, and twice in one file."""
import concurrent.futures
import os
import re
import subprocess

from tree import ROOT

COMPILER = [*os.environ.get("CC", "gcc").split(), "-fsyntax-only", "-std=gnu17", "-D_GNU_SOURCE",
            "-Wall", "-Wextra", "-Wundef", "-Werror", "-Iinclude", "-x", "c", "-"]


def compile_alone(path, text):
    once = f'# 1 "{path}"\n{text}\n'
    done = subprocess.run(COMPILER, input=once + once, cwd=ROOT, capture_output=True, text=True,
                          check=False)
    if done.returncode == 0:
        return None
    first = re.search(r"^([^:\n]+):(\d+):(?:\d+:)? (?:fatal )?error: (.*)", done.stderr, re.M)
    if not first:
        return path, 1, done.stderr.strip()
    return first.group(1), int(first.group(2)), first.group(3)


def check(tree):
    paths = tree.find("include/*.h")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        results = pool.map(compile_alone, paths, (tree.files[path] for path in paths))
        yield from filter(None, results)


GUARDED = "#ifndef A\n#define A\n%s\nuint8_t a(void);\n#endif\n"
EXAMPLES = [
    ({"include/io/a.h": GUARDED % "#include <stdint.h>"}, None),
    ({"include/io/a.h": GUARDED % ""}, "include/io/a.h:4: "),
    ({"include/io/a.h": "struct a {\n    int b;\n};\n"}, "redefinition"),
]
