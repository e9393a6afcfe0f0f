#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rules of the house as programs. Each rule is a file beside this one with

    check(tree)  yields (path, line number, message) for each place that breaks it
    EXAMPLES     small trees, each with a piece of the finding it must give, or None

and first has to prove on its examples that it can fail. `run.py layers sizes` runs those two."""
import sys

import banned
import coverage
import headers
import layers
import magic
import papers
import sizes
from tree import Tree

RULES = [layers, headers, sizes, coverage, magic, banned, papers]


def findings(rule, tree):
    return [f"{path}:{number}: {message}" for path, number, message in rule.check(tree)]


def prove(rule):
    """What is wrong with the rule itself."""
    for files, expected in rule.EXAMPLES:
        found = findings(rule, Tree(files))
        if expected is None and found:
            yield f"{rule.__file__}:1: finds {found} in {files}"
        if expected is not None and not any(expected in line for line in found):
            yield f"{rule.__file__}:1: does not find '{expected}' in {files}, but {found}"


def main():
    wanted = sys.argv[1:]
    tree = Tree.of_disk()
    failed = 0
    chosen = [rule for rule in RULES if not wanted or rule.__name__ in wanted]
    for rule in chosen:
        wrong = list(prove(rule)) + findings(rule, tree)
        for line in wrong:
            print(line)
        failed += bool(wrong)
    print(f"tidy: {len(chosen) - failed} passed, {failed} failed, 0 skipped"
          f" ({len(tree.files)} files)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
