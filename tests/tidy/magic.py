# SPDX-License-Identifier: MIT
"""Magic numbers of objects differ, so that one object is never taken for another."""
import re


def check(tree):
    seen = {}
    for path in tree.find("src/*.[ch]", "include/*.[ch]"):
        for number, match in tree.search(r"^[ \t]*#define\s+\w*_MAGIC\s+(\w+)", path):
            text = match.group(1)
            if not re.fullmatch(r"0[xX][0-9a-fA-F]+[uU]?", text):
                yield path, number, f"{text}: a magic number is written in hexadecimal"
                continue
            value = int(text.rstrip("uU"), 16)
            if value in seen:
                yield path, number, f"{text} is also at {seen[value]}"
            else:
                seen[value] = f"{path}:{number}"


EXAMPLES = [
    ({"src/a/a.c": "#define A_MAGIC 0x1u\n#define B_MAGIC 0x2u\n"}, None),
    ({"src/a/a.c": "#define A_MAGIC 0x0Au\n", "src/a/b.c": "\n#define B_MAGIC 0xaU\n"},
     "src/a/b.c:2: 0xaU is also at src/a/a.c:1"),
    ({"src/a/a.c": "#define A_MAGIC 12\n"}, "written in hexadecimal"),
]
