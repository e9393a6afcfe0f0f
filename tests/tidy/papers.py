# SPDX-License-Identifier: MIT
"""Each source file says its licence; no file knows the machine it was written on."""
import re

LICENCE = "SPDX-License-Identifier: MIT"
SOURCES = ("Makefile", "*.c", "*.h", "*.def", "*.py", "*.sh", "*.js", "*.css")
# An absolute path of a person, not the end of a longer path or of a URL. A template for a temporary
# name is nobody's.
OURS = re.compile(r"(?:(?<![\w.$})*/-])|(?<=file://))/(?:home|root|work|tmp)/(?!\S*XXXXXX)[\w.-]+")


def check(tree):
    for path in tree.find(*SOURCES):
        lines = tree.files[path].split("\n", 2)
        line = 1 if lines[0].startswith("#!") else 0
        if len(lines) <= line or LICENCE not in lines[line]:
            yield path, line + 1, f"the line with {LICENCE} is missing"
    for path, text in tree.files.items():
        for match in OURS.finditer(text):
            number = text.count("\n", 0, match.start()) + 1
            yield path, number, f"{match.group()}: a path of one machine"


GOOD = f"// {LICENCE}\n"
EXAMPLES = [
    ({"src/a.c": GOOD, "tests/a.py": f"#!/usr/bin/env python3\n# {LICENCE}\n"}, None),
    ({"docs/a.md": 'curl http://host/tmp/x; cd "$HOME/x"; mkdtemp("/tmp/' 'a-XXXXXX")'}, None),
    ({"src/a.c": f"\n// {LICENCE}\n"}, "src/a.c:1: the line"),
    ({"tests/a.sh": "#!/bin/sh\n"}, "tests/a.sh:2: the line"),
    ({"docs/a.md": "\ncd /" "home/someone/sluice"}, "docs/a.md:2: /" "home/someone: a path"),
    ({"conf/a.conf": "input file:///" "tmp/clip.mp4;"}, "a path of one machine"),
]
