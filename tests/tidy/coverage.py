# SPDX-License-Identifier: MIT
"""What each file owes: a module its unit test, a reader of foreign bytes its fuzz target and seeds,
a protocol its page."""
import posixpath
import re

from tree import read_table

READER = re.compile(r"_(parse|demux|unpack|wire)\.c$")


def has_unit_test(tree, layer, name):
    """A part of a module that has no public header may be tested through the module: h264_sps.c by
    h264_test.c."""
    if f"tests/unit/{layer}/{name}_test.c" in tree.files:
        return True
    if f"include/{layer}/{name}.h" in tree.files or "_" not in name:
        return False
    return has_unit_test(tree, layer, name.rpartition("_")[0])


def check_unit(tree, excused):
    protocols = set()
    for path in tree.find("src/*.c"):
        parts = path.split("/")
        if parts[1] == "proto" and len(parts) > 3:
            protocols.add(parts[2])
        elif len(parts) == 3 and path not in excused:
            name = parts[2][:-2]
            if not has_unit_test(tree, parts[1], name):
                yield path, 1, f"has no tests/unit/{parts[1]}/{name}_test.c"
    for name in sorted(protocols):
        for owed in (f"tests/unit/proto/{name}_test.c", f"docs/protocols/{name}.md"):
            if owed not in tree.files:
                yield f"src/proto/{name}", 1, f"has no {owed}"


def check_fuzz(tree):
    for path in tree.find("src/*.c"):
        if not READER.search(path):
            continue
        name = posixpath.basename(path)[:-2]
        if f"tests/fuzz/{name}_fuzz.c" not in tree.files:
            yield path, 1, f"reads foreign bytes and has no tests/fuzz/{name}_fuzz.c"
    for path in tree.find("tests/fuzz/*_fuzz.c"):
        name = posixpath.basename(path)[:-len("_fuzz.c")]
        if not tree.find(f"tests/fuzz/corpus/{name}/*"):
            yield path, 1, f"has no seed in tests/fuzz/corpus/{name}"


def check(tree):
    excused = {line.split()[0]: number for number, line in read_table("untested.txt")}
    yield from check_unit(tree, excused)
    yield from check_fuzz(tree)


FUZZED = {"src/io/a_wire.c": "", "tests/unit/io/a_wire_test.c": ""}
PROTOCOL = {"src/proto/x/x.c": ""}
EXAMPLES = [
    ({"src/io/a.c": "", "tests/unit/io/a_test.c": "", "src/io/a_b_c.c": ""}, None),
    ({"src/io/a.c": ""}, "src/io/a.c:1: has no tests/unit/io/a_test.c"),
    ({"src/io/a_b.c": "", "include/io/a_b.h": "", "tests/unit/io/a_test.c": ""}, "a_b_test.c"),
    ({**FUZZED, "tests/fuzz/a_wire_fuzz.c": "", "tests/fuzz/corpus/a_wire/1": ""}, None),
    (FUZZED, "has no tests/fuzz/a_wire_fuzz.c"),
    ({**FUZZED, "tests/fuzz/a_wire_fuzz.c": ""}, "has no seed"),
    ({**PROTOCOL, "tests/unit/proto/x_test.c": "", "docs/protocols/x.md": ""}, None),
    ({**PROTOCOL, "tests/unit/proto/x_test.c": ""}, "has no docs/protocols/x.md"),
    ({**PROTOCOL, "docs/protocols/x.md": ""}, "has no tests/unit/proto/x_test.c"),
]
